"""Constants of a cooling plant: one flat record, filled from a preset of the catalog.

A `share` is electric power over the heat that is moved at design load, unless its line says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from dcsim.errors import ScenarioError, nearest
from dcsim.facility import chiller
from dcsim.facility.tower import METHODS


def _bounded(low: float, high: float) -> Any:
    return field(metadata={"low": low, "high": high})


@dataclass(frozen=True)
class Settings:
    """Everything that the cooling plants of `dcsim.facility.plants` need to know, besides load and weather.

    Raises ScenarioError for a number out of its bounds, with the bounds.
    """

    # machines
    water_chiller: chiller.Curve
    """efficiency of water-cooled chillers"""
    air_chiller: chiller.Curve
    """efficiency of air-cooled chillers"""
    dx: chiller.Curve
    """efficiency of direct-expansion units"""
    # the hall
    supply_air_c: float = _bounded(10.0, 45.0)
    """set point of the air that the servers take in [degC]"""
    air_rise_k: float = _bounded(2.0, 40.0)
    """warming of that air at design [K]"""
    coil_approach_k: float = _bounded(0.0, 30.0)
    """supply air over chilled water [K]"""
    water_rise_k: float = _bounded(1.0, 30.0)
    """warming of the chilled water in the hall [K]"""
    lighting_share: float = _bounded(0.0, 0.5)
    """lighting and the like over IT power [1]"""
    sensible_share: float = _bounded(0.5, 1.0)
    """hall heat over coil load: the rest condenses moisture, which is put back by steam [1]"""
    fan_share: float = _bounded(0.0, 0.5)
    """fans of the air handlers over hall heat [1]"""
    fan_floor: float = _bounded(0.0, 1.0)
    """least load that the fans follow [1]"""
    fan_exponent: float = _bounded(0.0, 3.0)
    """power of the fans with load: 3 for speed control, 1 for units that are switched on and off [1]"""
    fan_heat_share: float = _bounded(0.0, 1.0)
    """part of the fans' power that warms the air [1]"""
    humidifier_share: float = _bounded(0.0, 2.0)
    """electric energy over latent heat of humidification [1]"""
    # water loops
    chilled_pump_share: float = _bounded(0.0, 0.2)
    """chilled-water pumps over the heat that chillers take up [1]"""
    economizer_pump_share: float = _bounded(0.0, 0.2)
    """the same over the heat that the water-side economizer takes up [1]"""
    condenser_pump_share: float = _bounded(0.0, 0.2)
    """condenser-water pumps over the heat that the tower rejects [1]"""
    pump_floor: float = _bounded(0.0, 1.0)
    """least load that the pumps follow [1]"""
    pump_exponent: float = _bounded(0.0, 3.0)
    """power of the pumps with load [1]"""
    # chillers
    machines: int = _bounded(1, 64)
    """chillers of equal size"""
    capacity_share: float = _bounded(0.01, 10.0)
    """capacity of all of them over design coil load [1]"""
    stage_share: float = _bounded(0.1, 1.0)
    """load of a chiller above which another one starts [1]"""
    cop_factor: float = _bounded(0.1, 3.0)
    """COP of these machines over that of their curve [1]"""
    chilled_water_c: float = _bounded(3.0, 30.0)
    """warmest chilled water of a plant without economizer: such plants are run at their rating conditions [degC]"""
    # tower
    tower_approach_k: float = _bounded(0.5, 20.0)
    """water from the tower over wet bulb, without load [K]"""
    tower_rise_k: float = _bounded(0.0, 20.0)
    """what full load adds to it [K]"""
    basin_c: float = _bounded(-50.0, 30.0)
    """coldest water that the tower is let to make [degC]"""
    exchanger_approach_k: float = _bounded(0.0, 10.0)
    """approach of the heat exchanger of the water-side economizer [K]"""
    tower_range_k: float = _bounded(1.0, 20.0)
    """cooling of the water in the tower [K]"""
    tower_fan_share: float = _bounded(0.0, 0.2)
    """tower fans over rejected heat [1]"""
    rejection_share: float = _bounded(0.5, 2.0)
    """design heat of the tower over design coil load [1]"""
    cycles: float = _bounded(1.05, 100.0)
    """cycles of concentration [1]"""
    drift_share: float = _bounded(0.0, 0.02)
    """drift over circulating water [1]"""
    # air-side economizer
    mix_below_k: float = _bounded(0.0, 20.0)
    """how far below its set point supply air may be in cold weather [K]"""
    adiabatic_effectiveness: float = _bounded(0.0, 1.0)
    """of the evaporative stage [1]"""
    dew_point_max_c: float = _bounded(0.0, 30.0)
    """highest dew point of supply air [degC]"""
    dew_point_min_c: float = _bounded(-30.0, 20.0)
    """dew point below which air is humidified [degC]"""
    # liquid
    liquid_share: float = _bounded(0.0, 1.0)
    """IT heat that goes to the liquid where the racks do not say [1]"""
    coolant_c: float = _bounded(10.0, 70.0)
    """set point of the coolant at the racks [degC]"""
    cdu_approach_k: float = _bounded(0.0, 20.0)
    """coolant over facility water [K]"""
    cdu_pump_share: float = _bounded(0.0, 0.2)
    """pumps of the coolant distribution units over liquid heat [1]"""
    dry_approach_k: float = _bounded(0.5, 30.0)
    """facility water over outdoor air at full load and fan speed of a dry cooler [K]"""
    dry_fan_share: float = _bounded(0.0, 0.2)
    """fans of the dry cooler at full speed over design heat [1]"""
    dry_air_rise_k: float = _bounded(1.0, 40.0)
    """warming of the air in the dry cooler [K]"""
    dry_assist: float = _bounded(0.0, 1.0)
    """effectiveness of its pads; 0 without pads [1]"""
    liquid_tower_approach_k: float = _bounded(0.5, 20.0)
    """facility water over wet bulb of a tower for the liquid [K]"""
    liquid_basin_c: float = _bounded(0.0, 40.0)
    """coldest facility water that it makes [degC]"""
    # methods
    evaporation: str = "all-latent"
    """method whose figure is the middle one, see `tower.METHODS`"""
    tower_balance: str = "full"
    """heat that evaporates water: `full`, all that the tower rejects; `hall`, without the compressors' power and the
    latent load, as a published model counts it"""

    def __post_init__(self) -> None:
        for each in fields(self):
            if "low" not in each.metadata:
                continue
            value, low, high = getattr(self, each.name), each.metadata["low"], each.metadata["high"]
            if not low <= value <= high:
                raise ScenarioError(f"plant.{each.name} is {value:g}; allowed: {low:g} to {high:g}")
        for key, value, allowed in (
            ("evaporation", self.evaporation, METHODS),
            ("tower_balance", self.tower_balance, ("full", "hall")),
        ):
            if value not in allowed:
                raise ScenarioError(f"plant.{key} is {value[:40]!r}{nearest(value[:40], allowed)}")


#: names of the settings that are numbers
NUMBERS: tuple[str, ...] = tuple(each.name for each in fields(Settings) if "low" in each.metadata)
