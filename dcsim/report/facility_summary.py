"""A year of a site as nested figures: what `dcsim facility --json` prints and its table shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dcsim.catalog import GRADES
from dcsim.facility import kpi
from dcsim.facility.arrays import J_PER_KWH, FloatArray
from dcsim.facility.chain import FacilitySeries
from dcsim.facility.site_year import SiteYear
from dcsim.results.keys import Key

#: A set point counts as reached within this [K]; so near to 0 or 1, a share is none or all.
_CLOSE = 1e-6

#: Every key with its unit and meaning; PART, KIND and GRADE stand for each of several names.
SUMMARY: tuple[Key, ...] = (
    Key("site.plant", "text", "kind of cooling plant"),
    Key("site.preset", "text", "class of site"),
    Key("site.settings.SETTING", "1", "each setting of the preset that was replaced, in its own unit"),
    Key("site.design_it_w", "W", "IT power that the site is built for"),
    Key("site.it_w", "W", "IT power all year"),
    Key("site.load", "1", "the one over the other"),
    Key("weather.place", "text", "place, or name of the file"),
    Key("weather.utc_offset_h", "h", "local standard time minus UTC"),
    Key("weather.altitude_m", "m", "height of the place"),
    Key("weather.hours", "h", "length of the year"),
    Key("weather.dry_bulb_c.mean", "degC", "mean of the dry bulb"),
    Key("weather.dry_bulb_c.low", "degC", "lowest hour"),
    Key("weather.dry_bulb_c.high", "degC", "highest hour"),
    Key("weather.wet_bulb_c.mean", "degC", "mean of the wet bulb"),
    Key("weather.wet_bulb_c.low", "degC", "lowest hour"),
    Key("weather.wet_bulb_c.high", "degC", "highest hour"),
    Key("pue", "1", "facility energy over IT energy (ISO/IEC 30134-2)"),
    Key("elc", "1", "electrical loss component at this load: PUE = 1/(1 - ELC) + MLC (ASHRAE 90.4)"),
    Key("mlc", "1", "mechanical load component: the plant's energy over IT energy (ASHRAE 90.4)"),
    Key("marginal", "1", "what one more watt of IT power adds at the utility meter, mean of the year"),
    Key("wue_l_per_kwh.withdrawn", "L/kWh", "water taken in on site over IT energy (ISO/IEC 30134-9)"),
    Key("wue_l_per_kwh.withdrawn_low", "L/kWh", "by the method for towers that gives least"),
    Key("wue_l_per_kwh.withdrawn_high", "L/kWh", "by the method that gives most"),
    Key("wue_l_per_kwh.consumed", "L/kWh", "the part of it that is not returned"),
    Key("wue_l_per_kwh.consumed_low", "L/kWh", "by the method that gives least"),
    Key("wue_l_per_kwh.consumed_high", "L/kWh", "by the method that gives most"),
    Key("power_w.mean", "W", "at the utility meter"),
    Key("power_w.peak", "W", "the highest hour"),
    Key("energy_kwh.facility", "kWh", "at the utility meter; the sum of the parts"),
    Key("energy_kwh.plant", "kWh", "what is neither IT nor loss of the power chain"),
    Key("energy_kwh.by_part.PART", "kWh", "IT, losses of the power chain, and each part of the plant"),
    Key("water_l.withdrawn", "L", "taken in on site; the sum of the kinds"),
    Key("water_l.consumed", "L", "the part of it that is not returned"),
    Key(
        "water_l.by_kind.KIND",
        "L",
        "evaporation (and drift) of towers, humidified air, and blowdown, which is returned",
    ),
    Key("economizer_h.full", "h", "hours in which the air's heat needs no compressor; absent without economizer"),
    Key("economizer_h.partial", "h", "hours in which an economizer takes up some of it"),
    Key("missed.hours", "h", "hours in which a set point is missed or heat is left over"),
    Key("missed.air_h", "h", "hours in which the servers' air is too warm"),
    Key("missed.air_most_k", "K", "by how much at most"),
    Key("missed.liquid_h", "h", "hours in which the liquid is too warm"),
    Key("missed.liquid_most_k", "K", "by how much at most"),
    Key("missed.unmet_h", "h", "hours in which the plant is too small"),
    Key("missed.unmet_most_w", "W", "heat that it does not take up, at most"),
    Key("warnings", "text", "what the plant did not reach, in words"),
    Key("notes", "text", "what was done to the weather, and settings that change nothing"),
    Key("numbers.read", "1", "catalog numbers that the answer rests on"),
    Key("numbers.shares.GRADE", "1", "share of them with each grade"),
    Key("version", "text", "version of dcsim"),
)

#: Water by kind: into the air of the tower, into the air of the hall, and down the drain.
WATER_KINDS = ("evaporation", "humidification", "blowdown")


def summary(
    year: SiteYear, grades: Mapping[str, int], settings: Mapping[str, float | str] | None = None
) -> dict[str, Any]:
    """Figures of a year by the keys of `SUMMARY`.

    Parameters:
        year: the site and its hours
        grades: how many catalog numbers of each grade were read, as `Catalog.grades_used` counts them
        settings: settings of the preset that were replaced
    """
    from dcsim import __version__

    series = year.series
    economizer = _economizer(series)
    return {
        "site": {
            "plant": year.kind,
            "preset": year.preset.name,
            "settings": dict(settings or {}),
            "design_it_w": year.design_it_w,
            "it_w": year.it_w,
            "load": year.it_w / year.design_it_w,
        },
        "weather": _weather(year),
        **_figures(series),
        "power_w": {"mean": float(series.facility_w.mean()), "peak": float(series.facility_w.max())},
        "energy_kwh": {
            "facility": _kwh(series, series.facility_w),
            "plant": _kwh(series, series.plant_w),
            "by_part": {name: _kwh(series, power_w) for name, power_w in powers(series).items()},
        },
        "water_l": {
            "withdrawn": float(series.withdrawn_l.sum()),
            "consumed": float(series.consumed_l.sum()),
            "by_kind": {name: float(litres.sum()) for name, litres in waters(series).items()},
        },
        **({"economizer_h": economizer} if economizer else {}),
        "missed": _missed(series),
        "warnings": series.shortfalls(),
        "notes": list(year.weather.notes),
        "numbers": _numbers(grades),
        "version": __version__,
    }


def powers(series: FacilitySeries) -> dict[str, FloatArray]:
    """Power of each part, which add up to that of the facility, W; parts that never draw any are left out."""
    parts = {
        "it": series.it_w,
        "pdu": series.pdu_w,
        "ups": series.ups_w,
        "transformer": series.transformer_w,
        **series.plant_parts,
    }
    return {name: power_w for name, power_w in parts.items() if power_w.any()}


def waters(series: FacilitySeries) -> dict[str, FloatArray]:
    """Withdrawn water of each kind, by the middle method, L; shape (steps,) each."""
    consumed, air = series.consumed_l, series.humidified_l
    # differences of equal sums may leave rounding
    parts = (np.maximum(consumed - air, 0.0), air, np.maximum(series.withdrawn_l - consumed, 0.0))
    return dict(zip(WATER_KINDS, parts, strict=True))


def _kwh(series: FacilitySeries, power_w: FloatArray) -> float:
    return float(power_w @ series.interval_s) / J_PER_KWH


def _weather(year: SiteYear) -> dict[str, Any]:
    outdoor = year.weather.weather
    return {
        "place": year.weather.place,
        "utc_offset_h": year.weather.utc_offset_h,
        "altitude_m": year.weather.altitude_m,
        "hours": len(outdoor.dry_bulb_c),
        **{
            name: {"mean": float(values.mean()), "low": float(values.min()), "high": float(values.max())}
            for name, values in (("dry_bulb_c", outdoor.dry_bulb_c), ("wet_bulb_c", outdoor.wet_bulb_c))
        },
    }


def _figures(series: FacilitySeries) -> dict[str, Any]:
    energy_j = series.energy_j()
    it_j = energy_j["it"]
    loss_j = energy_j.get("pdu", 0.0) + energy_j["ups"] + energy_j["transformer"]
    bands = ("withdrawn", "withdrawn_low", "withdrawn_high", "consumed", "consumed_low", "consumed_high")
    return {
        "pue": kpi.pue(energy_j["facility"], it_j),
        "elc": kpi.elc(loss_j, it_j),
        "mlc": kpi.mlc(energy_j["plant"], it_j),
        "marginal": float(series.marginal.mean()),
        "wue_l_per_kwh": {band: kpi.wue(float(getattr(series, f"{band}_l").sum()), it_j) for band in bands},
    }


def _economizer(series: FacilitySeries) -> dict[str, float]:
    """Hours; empty for a plant without economizer."""
    free = series.free_share
    if np.isnan(free).all():
        return {}
    full = free >= 1.0 - _CLOSE
    return {"full": _hours(series, full), "partial": _hours(series, (free > _CLOSE) & ~full)}


def _missed(series: FacilitySeries) -> dict[str, float]:
    over_air = np.nan_to_num(series.supply_c - series.set_point_c)
    over_liquid = np.nan_to_num(series.coolant_c - series.coolant_set_c)
    return {
        "hours": _hours(series, series.missed),
        "air_h": _hours(series, over_air > _CLOSE),
        "air_most_k": _most(over_air),
        "liquid_h": _hours(series, over_liquid > _CLOSE),
        "liquid_most_k": _most(over_liquid),
        "unmet_h": _hours(series, series.unmet_w > 0.0),
        "unmet_most_w": float(series.unmet_w.max()),
    }


def _most(over_k: FloatArray) -> float:
    most = float(over_k.max())
    return most if most > _CLOSE else 0.0


def _hours(series: FacilitySeries, where: Any) -> float:
    return float(series.interval_s[where].sum()) / 3600.0


def _numbers(grades: Mapping[str, int]) -> dict[str, Any]:
    read = sum(grades.values())
    return {"read": read, "shares": {grade: grades[grade] / read for grade in GRADES if grades.get(grade)}}
