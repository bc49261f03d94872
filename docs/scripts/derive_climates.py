"""Measure the built-in climates from hourly weather files, and check what is drawn from them.

Usage: DCSIM_DATA=FOLDER python docs/scripts/derive_climates.py print    # entries for dcsim/catalog/data/climates.yaml
       DCSIM_DATA=FOLDER python docs/scripts/derive_climates.py compare  # drawn years beside the files
       DCSIM_DATA=FOLDER python docs/scripts/derive_climates.py normals  # the same from monthly normals of the files

FOLDER/data/weather holds TMYx years of four US stations (Climate.OneBuilding.org, EPW) and the year 2023 of Frankfurt
(Open-Meteo, CSV). `print` writes statistics only: means, spreads, quantiles of deviations, correlations.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcsim import seeds
from dcsim.facility import climates, plants, presets
from dcsim.facility import psychrometrics as air
from dcsim.facility.chain import evaluate
from dcsim.facility.climates import MONTH_OF_HOUR, PROBABILITIES
from dcsim.facility.weather import Weather, WeatherYear, read_epw
from dcsim.facility.weather_csv import read_csv

Array = npt.NDArray[np.float64]

_TMYX = "TMYx 2007-2021 of {station}, Climate.OneBuilding.org, from NCEI ISD and ERA5"
_ERA5 = "Open-Meteo historical weather of Frankfurt, 2023, from ERA5, CC-BY 4.0"
#: climate -> (file, title, facts, source)
PLACES: dict[str, tuple[str, str, str, str]] = {
    "climate-phoenix": (
        "USA_AZ_Phoenix-Sky.Harbor.epw.gz",
        "Phoenix, Arizona: hot and dry",
        "{zone: America/Phoenix, ashrae: 2B}",
        _TMYX.format(station="Phoenix Sky Harbor"),
    ),
    "climate-leesburg": (
        "USA_VA_Leesburg.Exec.epw.gz",
        "Leesburg, Virginia: mixed and humid",
        "{zone: America/New_York, ashrae: 4A}",
        _TMYX.format(station="Leesburg Executive"),
    ),
    "climate-chicago": (
        "USA_IL_Chicago.OHare.epw.gz",
        "Chicago, Illinois: cool and humid",
        "{zone: America/Chicago, ashrae: 5A}",
        _TMYX.format(station="Chicago O'Hare"),
    ),
    "climate-seattle": (
        "USA_WA_Seattle-Tacoma.epw.gz",
        "Seattle, Washington: mixed and marine",
        "{zone: America/Los_Angeles, ashrae: 4C}",
        _TMYX.format(station="Seattle-Tacoma"),
    ),
    "climate-frankfurt": (
        "Frankfurt_2023_hourly.csv.gz",
        "Frankfurt, Germany, the year 2023: mild",
        "{zone: Europe/Berlin, ashrae: 5A}",
        _ERA5,
    ),
}
FRANKFURT_M = 112.0
_UNITS = {
    "dry_bulb_c": "degC",
    "dry_bulb_spread_k": "K",
    "depression_k": "K",
    "dew_point_c": "degC",
}


def read(name: str, folder: Path) -> WeatherYear:
    """The file behind a climate; Frankfurt's labels are one fixed offset all year, UTC+1."""
    file = folder / PLACES[name][0]
    if file.name.endswith(".csv.gz"):
        return read_csv(file, zone="+01:00", altitude_m=FRANKFURT_M, place="Frankfurt")
    return read_epw(file)


# ---------------------------------------------------------------- measuring


def tables(weather: Weather) -> dict[str, Array]:
    """Everything that an entry holds beside place and altitude; see `dcsim.facility.climates`."""
    t, depression = weather.dry_bulb_c, np.maximum(weather.dry_bulb_c - weather.dew_point_c, 0.0)
    mean_t, mean_d = _by_hour(t), np.maximum(_by_hour(depression), 0.05)
    spread_t = np.sqrt(_by_hour((t - _spread_out(mean_t)) ** 2))
    root = np.sqrt(depression / _spread_out(mean_d))
    mean_root = _by_hour(root)
    spread_d = np.sqrt(_by_hour((root - _spread_out(mean_root)) ** 2))
    score_t = (t - _spread_out(mean_t)) / np.maximum(_spread_out(spread_t), 1e-6)
    score_d = (root - _spread_out(mean_root)) / np.maximum(_spread_out(spread_d), 1e-6)
    found = {
        "dry_bulb_c": mean_t,
        "dry_bulb_spread_k": spread_t,
        "depression_k": mean_d,
        "depression_spread": np.minimum(spread_d, 1.0),
        "dry_bulb_scores": _quantiles(score_t),
        "dew_point_c": _quantiles(weather.dew_point_c),
    }
    normal = [_normal(score) for score in (score_t, score_d)]
    days = [score.reshape(-1, 24).mean(axis=1) for score in normal]
    rest = [score - climates.between_days(day) for score, day in zip(normal, days, strict=True)]
    for key, day, hour in zip(("dry_bulb", "depression"), days, rest, strict=True):
        found[f"{key}_day_share"] = np.array(day.var() / (day.var() + hour.var()))
        found[f"{key}_day_persistence"] = np.array(_next(day))
        found[f"{key}_hour_persistence"] = np.array(_next(hour))
    found["day_correlation"] = _correlations(days, MONTH_OF_HOUR[::24])
    found["hour_correlation"] = _correlations(rest, MONTH_OF_HOUR)
    return found


def _by_hour(values: Array) -> Array:
    return np.stack([values[month == MONTH_OF_HOUR].reshape(-1, 24).mean(axis=0) for month in range(12)])


def _spread_out(table: Array) -> Array:
    return np.asarray(table[MONTH_OF_HOUR, np.tile(np.arange(24), len(MONTH_OF_HOUR) // 24)])


def _quantiles(scores: Array) -> Array:
    return np.stack([np.quantile(scores[month == MONTH_OF_HOUR], PROBABILITIES) for month in range(12)])


def _normal(scores: Array) -> Array:
    """Scores by month as standard normal ones of the same rank."""
    from scipy.special import ndtri

    found = np.empty_like(scores)
    for month in range(12):
        at = np.flatnonzero(month == MONTH_OF_HOUR)
        rank = np.argsort(np.argsort(scores[at], kind="stable"), kind="stable")
        found[at] = ndtri((rank + 0.5) / len(at))
    return found


def _next(values: Array) -> float:
    return float(np.corrcoef(values[:-1], values[1:])[0, 1])


def _correlations(pair: list[Array], month: npt.NDArray[np.int64]) -> Array:
    return np.array([np.corrcoef(pair[0][month == m], pair[1][month == m])[0, 1] for m in range(12)])


# ---------------------------------------------------------------- printing


def entry(name: str, year: WeatherYear) -> str:
    """The entry of the catalog, as YAML."""
    _, title, facts, source = PLACES[name]
    place = "EPW header" if year.place != "Frankfurt" else "airport"
    lines = [
        f"{name}:",
        "  kind: climate",
        f"  title: '{title}'",
        f"  is: {facts}",
        "  numbers:",
        f"    utc_offset_h: {{value: {year.utc_offset_h:g}, unit: h, grade: published, "
        'source: "standard time, IANA time zone database"}',
        f'    altitude_m: {{value: {year.altitude_m:g}, unit: m, grade: published, source: "{place}"}}',
    ]
    for key, values in tables(year.weather).items():
        lines += _number(key, values, source)
    return "\n".join(lines)


def _number(key: str, values: Array, source: str) -> list[str]:
    decimals = 1 if key in _UNITS else 2
    head = f'unit: "{_UNITS.get(key, "1")}", grade: derived, source: "{source}; docs/scripts/derive_climates.py"'
    if values.ndim == 0:
        return [f"    {key}: {{value: {values:.{decimals}f}, {head}}}"]
    rows = values if values.ndim == 2 else values[None, :]
    text = ["[" + ", ".join(_short(value, decimals) for value in row) + "]" for row in rows]
    if values.ndim == 1:
        return [f"    {key}: {{value: {text[0]}, {head}}}"]
    return [f"    {key}:", *(f"      {part}" for part in _fields(head)), "      value:", *_table(text)]


def _fields(head: str) -> list[str]:
    unit, _, rest = head.partition(", ")
    grade, _, source = rest.partition(", ")
    return [unit, grade, source]


def _table(rows: list[str]) -> list[str]:
    opened = [f"        [{rows[0]},"] + [f"         {row}," for row in rows[1:]]
    return [*opened[:-1], opened[-1][:-1] + "]"]


def _short(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return "0" if float(text) == 0.0 else text.rstrip("0").rstrip(".")


# ---------------------------------------------------------------- comparing

#: (label, what, above)
HOURS: tuple[tuple[str, str, float], ...] = (
    *(("wet bulb", "wet_bulb_c", limit) for limit in (10.0, 15.0, 20.0)),
    *(("dry bulb", "dry_bulb_c", limit) for limit in (18.0, 27.0)),
    ("dew point", "dew_point_c", 15.0),
)
PLANTS = {"hyperscale": "water-economizer", "colo": "water-chiller", "small": "air-chiller"}


def hours_above(weather: Weather) -> dict[str, int]:
    """Hours of the year above the limits that matter for economizers; hours at a limit count half.

    Files with whole degrees have hundreds of hours exactly at a limit.
    """
    found = {}
    for label, what, limit in HOURS:
        values = getattr(weather, what)
        found[f"{label} {limit:g}"] = round(float((values > limit).sum() + 0.5 * (np.abs(values - limit) < 1e-6).sum()))
    return found


def quantiles(weather: Weather) -> dict[str, Array]:
    """1, 10, 50, 90 and 99 % of dry bulb and wet bulb, degC."""
    points = (1, 10, 50, 90, 99)
    return {what: np.percentile(getattr(weather, what), points) for what in ("dry_bulb_c", "wet_bulb_c")}


def annual(kind: str, preset: str, weather: Weather) -> tuple[float, float]:
    """(PUE, WUE in L/kWh) of a year at the preset's usual load."""
    chosen = presets.load(preset)
    site = presets.site(kind, chosen, 1e6)
    it_w = np.full(len(weather.dry_bulb_c), 1e6 * chosen.it_load_share)
    series = evaluate(it_w, 3600.0, site, weather)
    energy = series.energy_j()
    return energy["facility"] / energy["it"], float(series.withdrawn_l.sum()) * 3.6e6 / energy["it"]


def compare(folder: Path, *, normals: bool, draws: int = 5) -> None:
    """Print file and drawn years side by side; the drawn ones as the mean and the range of their seeds."""
    for name in PLACES:
        full = read(name, folder).weather
        climate = climates.load(name)
        if normals:
            climate = of_normals(full, climate)
        drawn = [climates.typical_year(climate, seeds.generator(seed, 0, "weather")).weather for seed in range(draws)]
        print(f"\n{name}")
        for what, values in quantiles(full).items():
            mean = np.mean([quantiles(each)[what] for each in drawn], axis=0)
            print(f"  {what:10s} 1 10 50 90 99 %: {np.round(values, 1)} drawn {np.round(mean, 1)}")
        for label, hours in hours_above(full).items():
            found = [hours_above(each)[label] for each in drawn]
            print(f"  {label:13s} {hours:5d} h, drawn {np.mean(found):5.0f} ({min(found)} to {max(found)})")
        for preset in PLANTS:
            for kind in plants.KINDS:
                _print_plant(kind, preset, full, drawn)


def of_normals(weather: Weather, climate: climates.Climate) -> climates.Climate:
    """The climate as it would be from monthly normals of the file: what such a climate loses."""
    days = weather.dry_bulb_c.reshape(-1, 24)
    humid = air.saturation_pressure_pa(weather.dew_point_c) / air.saturation_pressure_pa(weather.dry_bulb_c)
    month = MONTH_OF_HOUR[::24]
    high, low, rh = (
        np.array([values[month == m].mean() for m in range(12)])
        for values in (days.max(axis=1), days.min(axis=1), humid.reshape(-1, 24).mean(axis=1))
    )
    t, depression = climates.mean_days(high, low, rh)
    scores = np.tile(climates.NORMAL_SCORES, (12, 1))
    measures = [
        measure._replace(mean=mean, spread=np.repeat(measure.spread.mean(axis=1)[:, None], 24, axis=1), scores=scores)
        for measure, mean in ((climate.dry_bulb, t), (climate.depression, depression))
    ]
    return replace(climate, dry_bulb=measures[0], depression=measures[1], dew_point_c=None)


def _print_plant(kind: str, preset: str, full: Weather, drawn: list[Weather]) -> None:
    pue, wue = annual(kind, preset, full)
    found: Any = np.array([annual(kind, preset, each) for each in drawn])
    off = found - (pue, wue)
    worst = np.abs(off).max(axis=0)
    print(
        f"  {preset:10s} {kind:18s} PUE {pue:.4f} {found[:, 0].mean():.4f} (worst {worst[0]:.4f})"
        f"  WUE {wue:.3f} {found[:, 1].mean():.3f} (worst {worst[1]:.3f})"
    )


def main(arguments: list[str]) -> int:
    """Exit status 2 for a wrong call or without data."""
    if "DCSIM_DATA" not in os.environ or arguments not in (["print"], ["compare"], ["normals"]):
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(os.environ["DCSIM_DATA"]) / "data" / "weather"
    if arguments == ["print"]:
        print("\n\n".join(entry(name, read(name, folder)) for name in PLACES))
    else:
        compare(folder, normals=arguments == ["normals"])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
