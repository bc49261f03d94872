"""The building around the racks: power chain, plant, water, carbon, embodied carbon, cost.

Pure functions over numpy arrays, one module per effect. They run over the recorded rack power afterwards:

    >>> from dcsim.facility.chain import Site, evaluate
    >>> from dcsim.facility.plant import ConstantPlant
    >>> series = evaluate([1000.0, 2000.0], 300.0, Site(plant=ConstantPlant(pue=1.2)))
    >>> series.facility_w
    array([1200., 2400.])

A plant made of equipment, from a preset of the catalog, needs the weather too:

    >>> from dcsim.facility import presets, weather
    >>> site = presets.site("water-economizer", presets.load("hyperscale"), design_it_w=1e6)
    >>> series = evaluate([600e3], 3600.0, site, weather.outdoor([12.0], relative_humidity=0.7))
    >>> round(float(series.facility_w[0] / series.it_w[0]), 2)
    1.14
"""
