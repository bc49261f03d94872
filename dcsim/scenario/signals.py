"""What changes over time at a site: a figure, a file, a file of fuel mixes, or a shipped profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from dcsim.scenario.fields import CarbonIntensity, EnergyPrice, WaterIntensity
from dcsim.scenario.part import Part


class _Dated(Part):
    """A file with a moment in every row."""

    time: str | None = None
    """Column of the moments; the first column when left out."""
    clock: str = "UTC"
    """What moments without a zone of their own are: `UTC`, `UTC-05:00` for local standard time, or a zone with its
    summer time such as `Europe/Berlin`."""
    gaps: Literal["refuse", "hold", "interpolate"] = "refuse"
    """Where moments or values are missing: refuse the file; let the value before the gap hold on (then the last value
    holds to the end of the run too); or draw a straight line over gaps of up to a week."""


class SeriesFile(_Dated):
    """A signal over time from a file, constant from each of its moments to the next; the scenario needs `start`."""

    path: str
    """CSV (plain or .gz) or Parquet file: beside the scenario, under the folder that DCSIM_DATA names, or
    `dataset:NAME`."""
    column: str | None = None
    """Column of the values; may be left out where there is only one beside the moments."""
    unit: str | None = None
    """Unit of the values: g/kWh, kg/MWh or kg/kWh; USD/kWh or USD/MWh; L/kWh or mL/kWh; W/m2; `1` or %. When left out,
    the first of its row, and a file whose values speak against it is refused."""
    factor: Annotated[float, Field(gt=0.0)] = 1.0
    """Number by which every value is multiplied, such as the price of a euro in dollars."""


class FuelMix(_Dated):
    """Intensity from the energy that each fuel generated, row by row, with the catalog's factors; needs `start`."""

    path: str
    """File of generated energy, a column a fuel, all in one unit: where, as the path of a SeriesFile."""
    fuels: Literal["all"] | dict[str, str]
    """`all`: every column whose name a catalog fuel lists; or catalog fuel -> its column."""
    factors: Literal["lifecycle", "direct"] = "lifecycle"
    """For carbon: over the life cycle of the stations, or from the stack alone."""


class Profile(Part):
    """Means by month and hour of the day (UTC) of a grid and year; the scenario needs `start`."""

    profile: str
    """Catalog entry of kind `grid`."""
    factors: Literal["lifecycle", "direct"] = "lifecycle"
    """For carbon: over the life cycle of the stations, or from the stack alone."""


def _form(value: object) -> str:
    if not isinstance(value, Mapping | BaseModel):
        return "figure"
    has = value.__contains__ if isinstance(value, Mapping) else type(value).model_fields.__contains__
    return "mix" if has("fuels") else "profile" if has("profile") else "series"


_Series = Annotated[SeriesFile, Tag("series")]
_Mix = Annotated[FuelMix, Tag("mix")]
_Profile = Annotated[Profile, Tag("profile")]

#: Grid carbon intensity: a figure, or over time.
CarbonSignal = Annotated[Annotated[CarbonIntensity, Tag("figure")] | _Series | _Mix | _Profile, Discriminator(_form)]
#: Price of energy: a figure, or a file.
PriceSignal = Annotated[Annotated[EnergyPrice, Tag("figure")] | _Series, Discriminator(_form)]
#: Water of generation: a figure, or over time.
WaterSignal = Annotated[Annotated[WaterIntensity, Tag("figure")] | _Series | _Mix | _Profile, Discriminator(_form)]

#: Every way to write a signal that changes over time.
Varying = SeriesFile | FuelMix | Profile
