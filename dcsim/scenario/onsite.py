"""What a site generates, stores and gives away itself: solar power, battery, reused heat."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.fields import CarbonIntensity, EnergyPrice, Measure, Rate, Ratio, Watts
from dcsim.scenario.part import Part
from dcsim.scenario.signals import SeriesFile

Joules = Annotated[float, Measure("energy", "2 MWh", at_least=None, above=0.0)]
Share = Annotated[Ratio, Field(le=1.0)]
Efficiency = Annotated[Ratio, Field(gt=0.0, le=1.0)]


class ClearSky(Part):
    """Sun from a clear sky over the place, times a constant; the scenario needs `start`, the site `place`."""

    kind: Literal["clear-sky"] = "clear-sky"
    clearness: Share = 0.75
    """Mean irradiance over that of a clear sky: about 0.9 in a desert, 0.6 in northern Europe."""


class Irradiance(SeriesFile):
    """Sun on the plane of the modules from a file [W/m2]; the scenario needs `start`."""

    kind: Literal["irradiance"]


class CapacityFactor(SeriesFile):
    """Power over rated power from a file, 0 to 1, all losses included; the scenario needs `start`."""

    kind: Literal["capacity-factor"]


class Solar(Part):
    """Photovoltaics behind the site's meter."""

    peak: Watts
    """Rated power of the modules."""
    sun: Annotated[ClearSky | Irradiance | CapacityFactor, Field(discriminator="kind")] = ClearSky()
    """Where the sunlight comes from."""
    performance_ratio: Efficiency = 0.8
    """Power over what the modules would give at their rating: temperature, wiring, inverter, dirt. Not applied to
    capacity factors."""
    inverter: Watts | None = None
    """Largest power of the inverters; that of the modules when left out."""


class SelfConsumption(Part):
    """Store surplus solar power, use it when the sun does not suffice."""

    kind: Literal["self-consumption"] = "self-consumption"


class CarbonThreshold(Part):
    """Charge while the grid is clean, discharge while it is dirty."""

    kind: Literal["carbon"]
    charge_below: CarbonIntensity
    """Charge as fast as possible at or below this."""
    discharge_above: CarbonIntensity
    """Cover the building at or above this."""


class PriceThreshold(Part):
    """Charge while energy is cheap, discharge while it is dear."""

    kind: Literal["price"]
    charge_below: EnergyPrice
    """Charge as fast as possible at or below this."""
    discharge_above: EnergyPrice
    """Cover the building at or above this."""


class PeakShaving(Part):
    """Take no more than a limit from the grid as long as the battery lasts."""

    kind: Literal["peak"]
    limit: Watts
    """Most that the site should take from the grid; below it the battery charges."""


class Storage(Part):
    """A battery behind the site's meter. It never discharges into the grid."""

    capacity: Joules
    """Energy that it can hold."""
    charge_rate: Rate = 0.5 / 3600.0
    """Largest charging power over capacity: 0.5/h fills it in two hours (before losses)."""
    discharge_rate: Rate = 0.5 / 3600.0
    """Largest discharging power over capacity."""
    efficiency_in: Efficiency = 0.97
    """Stored over taken in."""
    efficiency_out: Efficiency = 0.97
    """Given out over taken from the store."""
    least: Share = 0.1
    """Share of the capacity that always stays in it."""
    first: Share = 0.5
    """Share of the capacity that is in it at the start of the run."""
    policy: Annotated[SelfConsumption | CarbonThreshold | PriceThreshold | PeakShaving, Field(discriminator="kind")] = (
        SelfConsumption()
    )
    """When it charges and discharges."""


class HeatReuse(Part):
    """Heat that leaves the site for use by others."""

    share: Share
    """Reused heat over IT energy."""
    price: EnergyPrice = 0.0
    """What the heat earns."""
