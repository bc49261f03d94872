"""Dry coolers: liquid to outdoor air by fans, with an adiabatic assist for hot hours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.facility.arrays import FloatArray
from dcsim.facility.economizer import AIR_J_PER_KG_K, EVAPORATIVE_J_PER_KG
from dcsim.facility.weather import Weather


class Dry(NamedTuple):
    """A dry cooler over time; arrays of shape (steps,)."""

    fan_w: FloatArray
    """electric power of its fans [W]"""
    evaporated: FloatArray
    """water of the adiabatic assist [kg/s]"""
    leaving_c: FloatArray
    """liquid that it supplies: the set point, or what it can reach [degC]"""


def reject(
    heat_w: npt.ArrayLike,
    weather: Weather,
    *,
    design_w: float,
    set_point_c: float,
    approach_k: float,
    fan_share: float,
    air_rise_k: float,
    assist: float,
) -> Dry:
    """Heat from a liquid loop to outdoor air.

    Fan speed s = approach x/(T_set - T_db), x = heat/design heat; power = fan_share design s^3. Where s would pass 1
    the fans run at full speed and pads cool the inlet air, by just as much as is needed and no more than
    assist (T_db - T_wb). Where that is not enough the liquid leaves at T_inlet + approach x, above the set point.

    Parameters:
        heat_w: heat of the loop, shape (steps,) [W]
        weather: outdoor air
        design_w: heat at which the approach is reached at full fan speed [W]
        set_point_c: liquid that is wanted [degC]
        approach_k: liquid over air at design heat and full speed [K]
        fan_share: power of the fans at full speed over design heat [1]
        air_rise_k: warming of the air at design, which sets its flow [K]
        assist: effectiveness of the pads; 0 without [1]
    """
    x = np.asarray(heat_w, dtype=np.float64) / design_w
    room_k = set_point_c - weather.dry_bulb_c
    lacking_k = approach_k * x - room_k
    most_k = assist * (weather.dry_bulb_c - weather.wet_bulb_c)
    cooled_k = np.where(x > 0.0, np.clip(lacking_k, 0.0, most_k), 0.0)
    speed = np.where(lacking_k < 0.0, approach_k * x / np.where(lacking_k < 0.0, room_k, 1.0), x > 0.0)
    flow = speed * design_w / (AIR_J_PER_KG_K * air_rise_k)
    evaporated = flow * AIR_J_PER_KG_K * cooled_k / EVAPORATIVE_J_PER_KG
    leaving_c = np.where(x > 0.0, np.maximum(set_point_c + lacking_k - cooled_k, set_point_c), set_point_c)
    return Dry(fan_share * design_w * speed**3, evaporated, leaving_c)
