"""Sites of a scenario: where a building stands, how it is cooled, what its power costs and emits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

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


class SeriesFile(Part):
    """A signal over time from a file, constant from each of its moments to the next; the scenario needs `start`."""

    path: str
    """CSV (plain or .gz) or Parquet file: beside the scenario, or under the folder that DCSIM_DATA names."""
    time: str | None = None
    """Column of the moments, which carry a zone or are UTC; the first column when left out."""
    column: str | None = None
    """Column of the values; may be left out where there is only one beside the moments."""
    gaps: Literal["refuse", "hold"] = "refuse"
    """Where moments or values are missing: refuse the file, or let the value before the gap hold on; then the last
    value holds to the end of the run too."""


def _form(value: object) -> str:
    return "series" if isinstance(value, Mapping | SeriesFile) else "figure"


#: A carbon intensity that is constant, or a file of it over time in g/kWh.
CarbonSignal = Annotated[
    Annotated[CarbonIntensity, Tag("figure")] | Annotated[SeriesFile, Tag("series")], Discriminator(_form)
]


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
    """Grid carbon intensity, location based: one figure, or a file of it over time in g/kWh; the place's annual mean
    when left out."""
    energy_price: EnergyPrice | None = None
    """Price of grid energy; the place's mean when left out."""
    water_intensity: WaterIntensity | None = None
    """Water used to generate grid energy (source water); the place's value when left out."""
