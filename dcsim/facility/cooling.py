"""How each cooling plant works at every step: power by part, heat of towers, other water, temperatures reached.

`dcsim.facility.plants` names the plants and turns these into litres and margins. Heat of the hall is IT power that is
not in the liquid, losses of the power chain and lighting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dcsim.facility import chiller, drycooler, economizer, tower
from dcsim.facility.arrays import BoolArray, FloatArray
from dcsim.facility.settings import Settings
from dcsim.facility.weather import Weather

#: Heat of steam for humidification, at 100 degC [J/kg].
STEAM_J_PER_KG = 2.266e6


class TowerHeat(NamedTuple):
    """Heat of a tower over time."""

    rejected_w: FloatArray
    """heat that the tower rejects, W"""
    wetted_w: FloatArray
    """heat that evaporates water, W"""
    cooling_w: FloatArray
    """heat of the hall or the liquid in it, W"""
    leaving_c: FloatArray


class Draw(NamedTuple):
    """What a plant draws: power by part, towers, other water in kg/s, and what it reaches."""

    parts: dict[str, FloatArray]
    towers: tuple[TowerHeat, ...]
    humidified: FloatArray
    """vapour into the hall, without the adiabatic stages, kg/s"""
    sprayed: FloatArray
    """evaporated in adiabatic stages, kg/s"""
    supply_c: FloatArray
    coolant_c: FloatArray
    unmet_w: FloatArray
    free_share: FloatArray


class Case(NamedTuple):
    """One evaluation: heats over time, their design values, weather."""

    settings: Settings
    weather: Weather
    air_w: FloatArray
    liquid_w: FloatArray
    design_air_w: float
    design_liquid_w: float


# ---------------------------------------------------------------- the hall's air


def _fans(case: Case) -> FloatArray:
    s = case.settings
    load = np.clip(case.air_w / case.design_air_w, s.fan_floor, 1.0)
    return np.asarray(s.fan_share * case.design_air_w * load**s.fan_exponent)


def _pumps(share: float | FloatArray, design_w: float, load: FloatArray, s: Settings) -> FloatArray:
    return np.asarray(share * (design_w * np.clip(load, s.pump_floor, 1.0) ** s.pump_exponent))


def _coil(case: Case, fans_w: FloatArray) -> tuple[FloatArray, float]:
    """(load of the coils, the same at design), W."""
    s = case.settings
    design = case.design_air_w * (1.0 + s.fan_heat_share * s.fan_share) / s.sensible_share
    return (case.air_w + s.fan_heat_share * fans_w) / s.sensible_share, design


def _closed_hall(case: Case, fans_w: FloatArray) -> tuple[dict[str, FloatArray], FloatArray]:
    """(fans and humidifier, vapour to put back in kg/s) of a hall that takes in no outdoor air."""
    s = case.settings
    latent_w = case.air_w * (1.0 / s.sensible_share - 1.0)
    return {"fans": fans_w, "humidifier": s.humidifier_share * latent_w}, latent_w / STEAM_J_PER_KG


def _reached(case: Case, unmet_w: FloatArray, coil_w: FloatArray) -> FloatArray:
    """Supply air after one pass, degC: heat that is not taken up stays in it."""
    s = case.settings
    share = np.divide(unmet_w, coil_w, out=np.zeros_like(coil_w), where=coil_w > 0.0)
    return np.asarray(s.supply_air_c + s.air_rise_k * share)


def _bank(curve: chiller.Curve, s: Settings, design_coil_w: float) -> chiller.Bank:
    return chiller.Bank(curve, s.machines, s.capacity_share * design_coil_w, s.stage_share, s.cop_factor)


def _tower_fans(rejected_w: FloatArray, design_w: float, slow: FloatArray, s: Settings) -> FloatArray:
    """Power of the tower's fans, W; `slow` is the approach wanted over the approach had."""
    ratio = np.clip(rejected_w / design_w * slow, 0.1, 1.15)
    return np.asarray(s.tower_fan_share * design_w * ratio**3)


def water_cooled(case: Case, *, economized: bool) -> Draw:
    s, weather = case.settings, case.weather
    fans_w = _fans(case)
    parts, humidified = _closed_hall(case, fans_w)
    coil_w, design_coil_w = _coil(case, fans_w)
    load = coil_w / design_coil_w
    leaving_c = tower.leaving_c(weather.wet_bulb_c, load, s.tower_approach_k, s.tower_rise_k, s.basin_c)
    chilled_c = s.supply_air_c - s.coil_approach_k
    free = np.zeros_like(coil_w)
    if economized:
        free = economizer.waterside_share(leaving_c, chilled_c, chilled_c + s.water_rise_k, s.exchanger_approach_k)
    else:
        chilled_c = min(chilled_c, s.chilled_water_c)
    cold = _bank(s.water_chiller, s, design_coil_w).run(coil_w * (1.0 - free), leaving_c, chilled_c)
    unmet_w = coil_w * (1.0 - free) - cold.served_w
    rejected_w = coil_w - unmet_w + cold.power_w
    design_rejected_w = s.rejection_share * design_coil_w
    wanted_k = s.tower_approach_k + s.tower_rise_k * load
    slow = wanted_k / np.maximum(leaving_c - weather.wet_bulb_c, wanted_k)
    wetted_w = case.air_w if s.tower_balance == "hall" else rejected_w
    loop_share = s.economizer_pump_share * free + s.chilled_pump_share * (1.0 - free)
    parts |= {
        "chiller": cold.power_w,
        "pumps": _pumps(loop_share, design_coil_w, load, s)
        + _pumps(s.condenser_pump_share, design_rejected_w, rejected_w / design_rejected_w, s),
        "tower": _tower_fans(wetted_w, design_rejected_w, slow, s),
    }
    towers = (TowerHeat(rejected_w, wetted_w, case.air_w, leaving_c),)
    found = _air_draw(case, parts, towers, humidified, unmet_w, coil_w)
    return found._replace(free_share=free) if economized else found


def air_cooled(case: Case) -> Draw:
    s = case.settings
    fans_w = _fans(case)
    parts, humidified = _closed_hall(case, fans_w)
    coil_w, design_coil_w = _coil(case, fans_w)
    chilled_c = min(s.supply_air_c - s.coil_approach_k, s.chilled_water_c)
    cold = _bank(s.air_chiller, s, design_coil_w).run(coil_w, case.weather.dry_bulb_c, chilled_c)
    parts |= {
        "chiller": cold.power_w,
        "pumps": _pumps(s.chilled_pump_share, design_coil_w, coil_w / design_coil_w, s),
    }
    return _air_draw(case, parts, (), humidified, coil_w - cold.served_w, coil_w)


def expanded(case: Case) -> Draw:
    s = case.settings
    fans_w = _fans(case)
    parts, humidified = _closed_hall(case, fans_w)
    coil_w, design_coil_w = _coil(case, fans_w)
    cold = _bank(s.dx, s, design_coil_w).run(coil_w, case.weather.dry_bulb_c, s.chilled_water_c)
    return _air_draw(case, parts | {"chiller": cold.power_w}, (), humidified, coil_w - cold.served_w, coil_w)


def _air_draw(
    case: Case,
    parts: dict[str, FloatArray],
    towers: tuple[TowerHeat, ...],
    humidified: FloatArray,
    unmet_w: FloatArray,
    coil_w: FloatArray,
) -> Draw:
    nothing = np.zeros_like(coil_w)
    none = np.full_like(coil_w, np.nan)
    return Draw(parts, towers, humidified, nothing, _reached(case, unmet_w, coil_w), none, unmet_w, none)


def outdoor_air(case: Case, backup: Callable[[Case], Draw]) -> Draw:
    """Air economizer while its dampers are open, the backup plant while they are shut."""
    s = case.settings
    fans_w = _fans(case)
    heat_w = case.air_w + s.fan_heat_share * fans_w
    can = economizer.airside(
        case.weather,
        supply_c=s.supply_air_c,
        mix_below_k=s.mix_below_k,
        air_rise_k=s.air_rise_k,
        effectiveness=s.adiabatic_effectiveness,
        dew_point_max_c=s.dew_point_max_c,
        dew_point_min_c=s.dew_point_min_c,
    )
    flow = heat_w / (economizer.AIR_J_PER_KG_K * s.air_rise_k)
    sprayed = flow * economizer.AIR_J_PER_KG_K * can.cooled_k / economizer.EVAPORATIVE_J_PER_KG
    humidified = flow * can.humidified
    shut = backup(case)
    parts = {name: np.where(can.open, 0.0, power) for name, power in shut.parts.items()}
    latent_w = (sprayed + humidified) * economizer.EVAPORATIVE_J_PER_KG
    parts["fans"] = fans_w
    parts["humidifier"] = np.where(can.open, s.humidifier_share * latent_w, shut.parts["humidifier"])
    return Draw(
        parts,
        tuple(_idle_where(can.open, each) for each in shut.towers),
        np.where(can.open, humidified, shut.humidified),
        np.where(can.open, sprayed, 0.0),
        np.where(can.open, can.supply_c, shut.supply_c),
        shut.coolant_c,
        np.where(can.open, 0.0, shut.unmet_w),
        can.open.astype(np.float64),
    )


def _idle_where(idle: BoolArray, each: TowerHeat) -> TowerHeat:
    rejected_w, wetted_w, cooling_w = (np.where(idle, 0.0, heat) for heat in each[:3])
    return TowerHeat(rejected_w, wetted_w, cooling_w, each.leaving_c)


# ---------------------------------------------------------------- liquid


def liquid(case: Case, reject: Callable[[Case], Draw], air: Callable[[Case], Draw]) -> Draw:
    """Liquid to its own heat rejection, the rest of the heat to a plant for air."""
    s = case.settings
    hall, loop = air(case), reject(case)
    load = case.liquid_w / case.design_liquid_w if case.design_liquid_w > 0.0 else np.zeros_like(case.liquid_w)
    parts = dict(hall.parts)
    for name, power in (loop.parts | {"cdu": _pumps(s.cdu_pump_share, case.design_liquid_w, load, s)}).items():
        parts[name] = parts[name] + power if name in parts else power
    return hall._replace(
        parts=parts, towers=hall.towers + loop.towers, sprayed=hall.sprayed + loop.sprayed, coolant_c=loop.coolant_c
    )


def _no_loop(case: Case, parts: dict[str, FloatArray], towers: tuple[TowerHeat, ...], coolant_c: FloatArray) -> Draw:
    nothing = np.zeros_like(case.liquid_w)
    return Draw(parts, towers, nothing, nothing, nothing, coolant_c, nothing, nothing)


def dry_loop(case: Case) -> Draw:
    s = case.settings
    wanted_c = s.coolant_c - s.cdu_approach_k
    if case.design_liquid_w <= 0.0:
        return _no_loop(case, {}, (), np.full_like(case.liquid_w, s.coolant_c))
    dry = drycooler.reject(
        case.liquid_w,
        case.weather,
        design_w=case.design_liquid_w,
        set_point_c=wanted_c,
        approach_k=s.dry_approach_k,
        fan_share=s.dry_fan_share,
        air_rise_k=s.dry_air_rise_k,
        assist=s.dry_assist,
    )
    parts = {
        "dry_cooler": dry.fan_w,
        "pumps": _pumps(s.condenser_pump_share, case.design_liquid_w, case.liquid_w / case.design_liquid_w, s),
    }
    return _no_loop(case, parts, (), dry.leaving_c + s.cdu_approach_k)._replace(sprayed=dry.evaporated)


def tower_loop(case: Case) -> Draw:
    s = case.settings
    wanted_c = s.coolant_c - s.cdu_approach_k
    if case.design_liquid_w <= 0.0:
        return _no_loop(case, {}, (), np.full_like(case.liquid_w, s.coolant_c))
    load = case.liquid_w / case.design_liquid_w
    coldest_c = tower.leaving_c(case.weather.wet_bulb_c, 0.0, s.liquid_tower_approach_k, 0.0, s.liquid_basin_c)
    leaving_c = np.maximum(coldest_c, wanted_c)
    slow = s.liquid_tower_approach_k / np.maximum(leaving_c - case.weather.wet_bulb_c, s.liquid_tower_approach_k)
    parts = {
        "tower": _tower_fans(case.liquid_w, case.design_liquid_w, slow, s),
        "pumps": _pumps(s.condenser_pump_share, case.design_liquid_w, load, s),
    }
    towers = (TowerHeat(case.liquid_w, case.liquid_w, case.liquid_w, leaving_c),)
    return _no_loop(case, parts, towers, leaving_c + s.cdu_approach_k)
