"""Sites of a scenario: where a building stands, how it is cooled, what its power costs and emits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.fields import CarbonIntensity, EnergyPrice, Ratio, WaterIntensity, Watts
from dcsim.scenario.part import Part


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
    carbon_intensity: CarbonIntensity | None = None
    """Grid carbon intensity, location based; the place's annual mean when left out."""
    energy_price: EnergyPrice | None = None
    """Price of grid energy; the place's mean when left out."""
    water_intensity: WaterIntensity | None = None
    """Water used to generate grid energy (source water); the place's value when left out."""
