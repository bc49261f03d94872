"""The building around the racks: power chain, plant, water, carbon, embodied carbon, cost.

Pure functions over numpy arrays, one module per effect. They run over the recorded rack power afterwards:

    >>> from dcsim.facility.chain import Site, evaluate
    >>> from dcsim.facility.plant import ConstantPlant
    >>> series = evaluate([1000.0, 2000.0], 300.0, Site(plant=ConstantPlant(pue=1.2)))
    >>> series.facility_w
    array([1200., 2400.])
"""
