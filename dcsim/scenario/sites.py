"""Sites of a scenario: where a building stands, how it is cooled, what its power costs and emits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.fields import Dollars, EnergyPrice, Ratio, WaterIntensity, Watts
from dcsim.scenario.onsite import HeatReuse, Solar, Storage
from dcsim.scenario.part import Part
from dcsim.scenario.signals import CarbonSignal, PriceSignal, Varying, WaterSignal

#: Keys of a site whose value may change over time.
SIGNALS = ("carbon_intensity", "energy_price", "water_intensity")


class ConstantPlant(Part):
    """A facility known by its annual figures: facility energy = PUE x IT energy, water = WUE x IT energy."""

    kind: Literal["constant"] = "constant"
    pue: Annotated[Ratio, Field(ge=1.0)] = 1.2
    """Power usage effectiveness: facility power over IT power."""
    wue: WaterIntensity = 0.0
    """Water usage effectiveness: water withdrawn on site per IT energy."""
    consumed: Annotated[Ratio, Field(le=1.0)] = 0.8
    """Share of the withdrawn water that evaporates or drifts away; the rest is returned."""


class Site(Part):
    """A building: where it stands, how it is cooled, what its power costs and emits."""

    place: str | None = None
    """Catalog site that gives the grid intensity and the prices where they are not written here."""
    plant: ConstantPlant = ConstantPlant()
    """Cooling plant."""
    ups: str = "ups-double-conversion"
    """Catalog loss curve of the UPS; `none` leaves it out."""
    transformer: str = "transformer-mv"
    """Catalog loss curve of the transformer; `none` leaves it out."""
    power_rating: Watts | None = None
    """Rated output of the UPS and the transformer; by default 1.25 times what the site's racks can draw."""
    carbon_intensity: CarbonSignal | None = None
    """Grid carbon intensity, location based: one figure, a file of it over time (g/kWh), a file of fuel mixes, or a
    shipped profile; the place's annual mean when left out."""
    energy_price: PriceSignal | None = None
    """Price of grid energy: one figure, or a file of it over time (USD/kWh); the place's mean when left out."""
    water_intensity: WaterSignal | None = None
    """Water used to generate grid energy (source water): as the carbon intensity, in L/kWh; the place's value when left
    out."""
    demand_charge: Dollars | None = None
    """Charge per kW of each month's highest quarter of an hour; the catalog's when left out."""
    solar: Solar | None = None
    """Photovoltaics on site."""
    battery: Storage | None = None
    """Battery on site."""
    export: bool = True
    """Whether the grid takes surplus solar power; else it is lost."""
    export_price: EnergyPrice = 0.0
    """What exported energy earns."""
    heat_reuse: HeatReuse | None = None
    """Heat given away for use outside."""
    building: str | None = None
    """Catalog entry of kind `cost` by which building, power and cooling are counted in money and embodied carbon; not
    counted when left out."""
    replaced_per_year: Annotated[Ratio, Field(le=1.0)] = 0.0
    """Share of the equipment in the racks that fails and is replaced in a year: it adds to the embodied carbon."""

    def varying(self) -> Iterator[tuple[str, Varying]]:
        """Key and value of each signal that changes over time."""
        for key in SIGNALS:
            value = getattr(self, key)
            if isinstance(value, Varying):
                yield key, value

    def dated(self) -> Iterator[tuple[str, ...]]:
        """Path of each part that needs to know when the run begins."""
        yield from ((key,) for key, _ in self.varying())
        if self.solar is not None:
            yield "solar", "sun"
