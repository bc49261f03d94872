"""Cooling without compressors: outdoor air into the hall, or tower water past the chillers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.facility import psychrometrics as air
from dcsim.facility.arrays import BoolArray, FloatArray
from dcsim.facility.weather import Weather

#: Heat capacity of air in the hall [J/(kg K)] and its density at about 35 degC [kg/m3].
AIR_J_PER_KG_K = 1010.0
AIR_KG_PER_M3 = 1.15
#: Heat of vaporisation at the temperature of an adiabatic stage [J/kg].
EVAPORATIVE_J_PER_KG = 2.45e6


def waterside_share(
    tower_c: npt.ArrayLike, supply_c: npt.ArrayLike, return_c: npt.ArrayLike, approach_k: float
) -> FloatArray:
    """Share of the heat that tower water takes up through a heat exchanger before the chillers, 0 to 1 [1].

        f = clip((T_return - (T_cw + approach))/(T_return - T_supply), 0, 1)

    Parameters:
        tower_c: water from the tower [degC]
        supply_c: chilled water to the hall [degC]
        return_c: chilled water from the hall, above supply_c [degC]
        approach_k: approach of the heat exchanger [K]
    """
    back = np.asarray(return_c, dtype=np.float64)
    reached = np.asarray(tower_c, dtype=np.float64) + approach_k
    return np.asarray(np.clip((back - reached) / (back - np.asarray(supply_c)), 0.0, 1.0))


class Airside(NamedTuple):
    """What an air economizer can do at each step; arrays of shape (steps,)."""

    open: BoolArray
    """where outdoor air cools the hall; elsewhere the dampers are shut"""
    supply_c: FloatArray
    """air that it supplies where it is open [degC]"""
    outdoor_share: FloatArray
    """outdoor air in the supply [1]"""
    cooled_k: FloatArray
    """by how much the adiabatic stage cools [K]"""
    humidified: FloatArray
    """vapour to add per supply air, to hold the least dew point [kg/kg]"""


def airside(
    weather: Weather,
    *,
    supply_c: float,
    mix_below_k: float,
    air_rise_k: npt.ArrayLike,
    effectiveness: float,
    dew_point_max_c: float,
    dew_point_min_c: float,
) -> Airside:
    """An air economizer with a direct adiabatic stage and a dew-point lock-out.

    Cold air is mixed with return air to no less than mix_below_k under the set point. Above the set point the
    adiabatic stage cools by min(T_db - T_s, effectiveness (T_db - T_wb)). The dampers shut where the dew point of
    the outdoor air, or of the supply air behind the stage, would pass dew_point_max_c, and where the stage cannot reach
    the set point: without that lock a hot and humid site would seem to need no chiller at all.

    Parameters:
        weather: outdoor air
        supply_c: set point of the supply air [degC]
        mix_below_k: how far below it supply air may be [K]
        air_rise_k: warming of the air by the IT [K]
        effectiveness: of the adiabatic stage [1]
        dew_point_max_c: highest dew point in the hall; ASHRAE recommends 15, allows 17 (A1), 21 (A2), 24 (A3) [degC]
        dew_point_min_c: least dew point, below which air is humidified; ASHRAE recommends -9 [degC]
    """
    t = weather.dry_bulb_c
    wanted_k = np.maximum(t - supply_c, 0.0)
    cooled_k = np.minimum(wanted_k, effectiveness * (t - weather.wet_bulb_c))
    reached_c = t - cooled_k
    ratio = weather.humidity_ratio + AIR_J_PER_KG_K * cooled_k / EVAPORATIVE_J_PER_KG
    moist = ratio > air.saturation_ratio(dew_point_max_c, weather.pressure_pa)
    fits = (reached_c <= supply_c + 1e-9) & ~moist
    mixed_c = np.clip(reached_c, supply_c - mix_below_k, supply_c)
    back_c = mixed_c + np.asarray(air_rise_k)
    share = np.clip((back_c - mixed_c) / np.maximum(back_c - reached_c, 1e-9), 0.0, 1.0)
    least = air.saturation_ratio(dew_point_min_c, weather.pressure_pa)
    humidified = share * np.maximum(least - ratio, 0.0)
    return Airside(fits, mixed_c, share, cooled_k, humidified)
