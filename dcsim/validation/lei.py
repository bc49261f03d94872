"""The operating point of a published model of data-center cooling, as settings of dcsim's own plants.

Lei and Masanet (Resour. Conserv. Recycl. 182, 106323, 2022) describe a site by 36 numbers per kW of IT. `settings`
writes them as those of `dcsim.facility`; two of that model's choices that dcsim's presets do not share come with them:
fans do not warm the air, and towers of sites with an economizer evaporate for the heat of the hall alone. COP is that
of the chiller's table, without a factor for chilled water.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from dcsim.facility import economizer, plants, presets
from dcsim.facility.chiller import EirCurve
from dcsim.facility.plant import PlantStep
from dcsim.facility.psychrometrics import vaporisation_j_per_kg
from dcsim.facility.settings import Settings
from dcsim.facility.weather import Weather, outdoor
from dcsim.validation.case import CaseError, NonNegative, Number, Part, Positive

Fraction = Annotated[Number, Field(gt=0.0, le=1.0)]

#: system of a case -> kind of plant
SYSTEMS = {
    "colo_wse": "water-economizer",
    "hyperscale_wse": "water-economizer",
    "colo_water_chiller": "water-chiller",
    "small_water_chiller": "water-chiller",
}
#: Range of condenser water that the published table is used for [degC].
_CONDENSER_C = (10.0, 32.0)
_WATER_J_PER_KG_K, _LOOP_J_PER_KG_K, _WATER_KG_PER_M3, _TOWER_AIR_KG_PER_M3 = 4184.0, 4200.0, 1000.0, 1.2


class Vector(Part):
    """The 36 numbers by their published names: degC, K, %, Pa, otherwise dimensionless."""

    T: Number
    RH: Annotated[Number, Field(ge=0.0, le=100.0)]
    P: Positive
    ups: Fraction
    pd: Annotated[Number, Field(ge=0.0, lt=1.0)]
    light: NonNegative
    shr: Fraction
    dTa: Positive
    fanPa: NonNegative
    fane: Fraction
    hdPa: NonNegative
    hde: Fraction
    HTE: Fraction
    dTw: Positive
    AT: Positive
    ATHE: NonNegative
    wePa: NonNegative
    wee: Fraction
    cwPa: NonNegative
    cwe: Fraction
    plr: Fraction
    dTct: Positive
    ctpPa: NonNegative
    ctpe: Fraction
    wind: NonNegative
    CC: Annotated[Number, Field(gt=1.0)]
    LG: Positive
    ctPa: NonNegative
    cte: Fraction
    Tup: Number
    Tlw: Number
    dpu: Number
    dpl: Number
    RHu: Number
    RHl: Number
    pcop: Annotated[Number, Field(gt=-1.0)]


def metrics(vector: Vector, system: str) -> dict[str, float]:
    """PUE and WUE_L_per_kWh of 1 kW of IT at the vector's own weather.

    Raises CaseError for a system that the published equations do not cover, ScenarioError for numbers out of bounds.
    """
    if system not in SYSTEMS:
        raise CaseError(f"inputs.system is {system[:40]!r}; allowed: {', '.join(SYSTEMS)}")
    it_w = 1000.0
    loss_w = it_w * (1.0 / vector.ups + 1.0 / (1.0 - vector.pd) - 2.0)
    weather = outdoor(vector.T, relative_humidity=vector.RH / 100.0, pressure_pa=vector.P)
    kind = SYSTEMS[system]
    first = settings(vector, kind, weather)
    draw = _step(kind, first, it_w, loss_w, weather)
    return {
        "PUE": (it_w + loss_w + float(draw.plant_w[0])) / it_w,
        "WUE_L_per_kWh": float(draw.withdrawn_l_per_s[0]) * 3600.0,
    }


def _step(kind: str, given: Settings, it_w: float, loss_w: float, weather: Weather) -> PlantStep:
    return plants.CoolingPlant(kind, given, it_w, loss_w).step([it_w], [loss_w], weather)


def settings(vector: Vector, kind: str, weather: Weather) -> Settings:
    """Settings of a plant whose design load is that of the operating point.

    Parameters:
        vector: the published numbers
        kind: `water-economizer` or `water-chiller`
        weather: one step, for the part of the heat that the chillers get
    """
    v, economized = vector, kind == "water-economizer"
    wet_c = float(weather.wet_bulb_c[0])
    supply_c = max(v.Tup, v.Tlw)
    approach_k = v.dTa * (1.0 / v.HTE - 1.0)
    chilled_c = supply_c - approach_k
    free = economizer.waterside_share(wet_c + v.AT, chilled_c, chilled_c + v.dTw, v.ATHE) if economized else 0.0
    cold = 1.0 - float(free)  # of the coils' load
    curve = presets.load("colo").settings.water_chiller
    if not isinstance(curve, EirCurve):
        raise CaseError(f"chiller {curve.name} is not of the published form")
    table = replace(curve, gain=0.0, low_c=_CONDENSER_C[0], high_c=_CONDENSER_C[1])
    cop = (1.0 + v.pcop) * float(table.cop(wet_c + v.AT, v.plr, chilled_c))
    rejected = 1.0 + cold / cop  # over the coils' load
    fan_share = v.ctPa / v.cte / (v.LG * _TOWER_AIR_KG_PER_M3 * float(vaporisation_j_per_kg(wet_c + v.AT + v.dTct / 2)))
    wetted = v.shr / rejected if economized else 1.0  # heat that evaporates over heat rejected
    loop = _LOOP_J_PER_KG_K * v.dTw * _WATER_KG_PER_M3
    return presets.load(
        "colo",
        supply_air_c=supply_c,
        air_rise_k=v.dTa,
        coil_approach_k=approach_k,
        water_rise_k=v.dTw,
        lighting_share=v.light,
        sensible_share=v.shr,
        fan_share=v.fanPa / v.fane / (economizer.AIR_J_PER_KG_K * v.dTa * economizer.AIR_KG_PER_M3),
        fan_heat_share=0.0,
        humidifier_share=0.0,
        chilled_pump_share=v.cwPa / (loop * v.cwe),
        economizer_pump_share=v.wePa / (loop * v.wee),
        condenser_pump_share=v.ctpPa / (_WATER_J_PER_KG_K * v.dTct * _WATER_KG_PER_M3 * v.ctpe),
        machines=1,
        capacity_share=cold / v.plr if cold > 0.0 else 1.0,
        stage_share=1.0,
        cop_factor=1.0 + v.pcop,
        chilled_water_c=30.0,
        tower_approach_k=v.AT,
        tower_rise_k=0.0,
        basin_c=-50.0,
        exchanger_approach_k=v.ATHE,
        tower_range_k=v.dTct,
        tower_fan_share=fan_share / wetted**2,
        rejection_share=rejected,
        cycles=v.CC,
        drift_share=v.wind,
        water_chiller=table,
        tower_balance="hall" if economized else "full",
    ).settings
