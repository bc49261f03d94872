"""Built-in climates: compact statistics of a place's air, from which a typical year of hours is drawn.

A climate (catalog kind `climate`) holds by month and hour of the day the mean and the spread of two measures: the dry
bulb T, and the dew-point depression D = T - dew point, whose root is nearly normal and which cannot be negative:

    T = mean + spread * score,    sqrt(D / mean) = sqrt(1 - spread^2) + spread * score

The scores of T follow the month's quantiles, those of D are normal; their order follows two persistent processes, one
of days and one of hours, with the month's correlations between T and D. The dew points so found keep their order but
take the month's own quantiles, which bounds wet bulbs on hot days, and never pass T. Scores and dew points are taken by
rank within a month, so that every drawn year has the climate's own months and a seed only moves its weather from day to
day: it is a typical year, not a chance one.

A climate may be given by monthly normals instead (`daily_high_c`, `daily_low_c`, `relative_humidity`): then the day has
ASHRAE's shape, the dew point is constant over a mean day, scores are normal and dew points stay as found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dcsim import catalog
from dcsim.catalog import Catalog, Entry
from dcsim.errors import CatalogError, nearest
from dcsim.facility import psychrometrics as air
from dcsim.facility.arrays import FloatArray
from dcsim.facility.weather import Weather, WeatherYear

KIND = "climate"
#: Probabilities of the quantiles `dry_bulb_scores` and `dew_point_c` [1].
PROBABILITIES = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.995, 1.0)
#: Standard normal quantiles at PROBABILITIES, the ends those of the least and most of 720 hours.
NORMAL_SCORES = (
    -3.0,
    -2.576,
    -2.054,
    -1.645,
    -1.282,
    -0.842,
    -0.385,
    0.0,
    0.385,
    0.842,
    1.282,
    1.645,
    2.054,
    2.576,
    3.0,
)

_NORMAL_MONTHS = np.broadcast_to(np.array(NORMAL_SCORES), (12, len(NORMAL_SCORES)))

MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS = 365
_HOURS = 24
#: Month of each day and of each hour, 0 to 11.
_MONTH_OF_DAY = np.repeat(np.arange(12), MONTH_DAYS)
MONTH_OF_HOUR = np.repeat(_MONTH_OF_DAY, _HOURS)
_HOUR_OF_DAY = np.tile(np.arange(_HOURS), _DAYS)

#: Share of the daily range by which air is below the day's highest, at 1 to 24 h: ASHRAE Fundamentals 2017, chapter 14.
_BELOW_HIGH = (
    *(0.88, 0.92, 0.95, 0.98, 1.00, 0.98, 0.91, 0.74, 0.55, 0.38, 0.23, 0.13),
    *(0.05, 0.00, 0.00, 0.06, 0.14, 0.24, 0.39, 0.50, 0.59, 0.68, 0.75, 0.82),
)


class Measure(NamedTuple):
    """One measure of the air by month and hour of the day."""

    mean: FloatArray
    """shape (12, 24): hour h lasts from h to h + 1, local standard time"""
    spread: FloatArray
    """standard deviation of T [K], or of sqrt(D / mean) [1]; shape (12, 24)"""
    scores: FloatArray
    """quantiles of the standardised deviations at PROBABILITIES, shape (12, 15) [1]"""
    day_share: float
    """part of the scores' variance that is of whole days [1]"""
    day_persistence: float
    """correlation of one day with the next [1]"""
    hour_persistence: float
    """correlation of one hour with the next, of what is not of whole days [1]"""


@dataclass(frozen=True)
class Climate:
    """Statistics of a place's outdoor air."""

    name: str
    title: str
    utc_offset_h: float
    """local standard time minus UTC [h]"""
    altitude_m: float
    dry_bulb: Measure
    """dry-bulb temperature [degC]"""
    depression: Measure
    """dry bulb minus dew point [K]"""
    day_correlation: FloatArray
    """between dry bulb and depression, of whole days, shape (12,) [1]"""
    hour_correlation: FloatArray
    """the same of what is not of whole days, shape (12,) [1]"""
    dew_point_c: FloatArray | None
    """quantiles of the dew point at PROBABILITIES, shape (12, 15); None where only normals are known [degC]"""


def names(known: Catalog | None = None) -> list[str]:
    """Names of all climates."""
    return (known or catalog.load()).names(KIND)


def load(name: str, known: Catalog | None = None) -> Climate:
    """The climate of this name.

    Raises CatalogError for an unknown name, or an entry with tables of another shape or values out of range.
    """
    entries = known or catalog.load()
    if name not in entries.names(KIND):
        raise CatalogError(f"no climate {name[:40]!r}{nearest(name[:40], entries.names(KIND))}")
    return from_entry(entries.get(name, KIND))


def from_entry(entry: Entry) -> Climate:
    """A climate from its catalog entry, given by tables of hours or by monthly normals.

    Raises CatalogError that names entry and key for a table of another shape or a value out of range.
    """
    by_normals = "daily_high_c" in entry
    dry_bulb, depression = _from_normals(entry) if by_normals else _from_tables(entry)
    return Climate(
        name=entry.name,
        title=entry.title,
        utc_offset_h=_number(entry, "utc_offset_h", -12.0, 14.0),
        altitude_m=_number(entry, "altitude_m", -500.0, 9000.0),
        dry_bulb=dry_bulb,
        depression=depression,
        day_correlation=_table(entry, "day_correlation", (12,), -1.0, 1.0),
        hour_correlation=_table(entry, "hour_correlation", (12,), -1.0, 1.0),
        dew_point_c=None if by_normals else _quantiles(entry, "dew_point_c", -90.0, 45.0),
    )


def typical_year(climate: Climate, generator: np.random.Generator) -> WeatherYear:
    """Draw 8760 hours; the same generator state gives the same year. 31 December runs on into 1 January.

    The pressure is constant, that of the standard atmosphere at the climate's altitude.

    Parameters:
        climate: statistics of the place
        generator: source of randomness, such as `dcsim.seeds.generator(root, replication, "weather")`
    """
    dry_z, depression_z = _scores(climate, generator)
    t = _at_hours(climate.dry_bulb.mean) + _at_hours(climate.dry_bulb.spread) * dry_z
    spread = _at_hours(climate.depression.spread)
    root = np.maximum(np.sqrt(1.0 - spread**2) + spread * depression_z, 0.0)
    dew = t - _at_hours(climate.depression.mean) * root**2
    if climate.dew_point_c is not None:
        dew = np.minimum(_by_rank(dew, climate.dew_point_c), t)
    pressure_pa = np.full(t.shape, air.pressure_at_pa(climate.altitude_m))
    ratio = air.saturation_ratio(dew, pressure_pa)
    weather = Weather(t, air.wet_bulb_c(t, ratio, pressure_pa), dew, ratio, pressure_pa)
    note = f"a typical year drawn from the built-in climate {climate.name}"
    return WeatherYear(climate.title, climate.utc_offset_h, climate.altitude_m, weather, (note,))


def _at_hours(table: FloatArray) -> FloatArray:
    return np.asarray(table[MONTH_OF_HOUR, _HOUR_OF_DAY])


def _scores(climate: Climate, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Scores of dry bulb and depression at each hour of the year, shape (8760,) each."""
    days = _correlated(generator.standard_normal((2, _DAYS)), climate.day_correlation[_MONTH_OF_DAY])
    hours = _correlated(generator.standard_normal((2, _DAYS * _HOURS)), climate.hour_correlation[MONTH_OF_HOUR])
    found = []
    for measure, day_noise, hour_noise in zip((climate.dry_bulb, climate.depression), days, hours, strict=True):
        day = _unit(between_days(_persistent(day_noise, measure.day_persistence)))
        hour = _unit(_persistent(hour_noise, measure.hour_persistence))
        found.append(
            _by_rank(np.sqrt(measure.day_share) * day + np.sqrt(1.0 - measure.day_share) * hour, measure.scores)
        )
    return found[0], found[1]


def _correlated(noise: FloatArray, correlation: FloatArray) -> FloatArray:
    return np.stack([noise[0], correlation * noise[0] + np.sqrt(1.0 - correlation**2) * noise[1]])


def _persistent(noise: FloatArray, persistence: float) -> FloatArray:
    """AR(1) on a circle, so that the end of the year runs on into its start."""
    turn = np.exp(-2j * np.pi * np.arange(len(noise) // 2 + 1) / len(noise))
    return np.asarray(np.fft.irfft(np.fft.rfft(noise) / (1.0 - persistence * turn), len(noise)), dtype=np.float64)


def between_days(at_noon: FloatArray) -> FloatArray:
    """Values at noon to each hour's middle by straight lines, around the turn of the year too, shape (days * 24,)."""
    hours = _HOURS * len(at_noon)
    noons = 12.0 + _HOURS * np.arange(len(at_noon))
    return np.asarray(np.interp(np.arange(hours) + 0.5, noons, at_noon, period=hours))


def _unit(values: FloatArray) -> FloatArray:
    return np.asarray((values - values.mean()) / values.std())


def _by_rank(values: FloatArray, quantiles: FloatArray) -> FloatArray:
    """Give each month's hours its quantiles in the order of their values."""
    found = np.empty_like(values)
    for month in range(12):
        at = np.flatnonzero(month == MONTH_OF_HOUR)
        rank = np.empty(len(at))
        rank[np.argsort(values[at], kind="stable")] = (np.arange(len(at)) + 0.5) / len(at)
        found[at] = np.interp(rank, PROBABILITIES, quantiles[month])
    return found


# ---------------------------------------------------------------- entries


def _from_tables(entry: Entry) -> tuple[Measure, Measure]:
    dry_bulb = _measure(
        entry,
        "dry_bulb",
        _table(entry, "dry_bulb_c", (12, 24), -90.0, 60.0),
        _table(entry, "dry_bulb_spread_k", (12, 24), 0.0, 30.0),
        _quantiles(entry, "dry_bulb_scores", -20.0, 20.0),
    )
    depression = _measure(
        entry,
        "depression",
        _table(entry, "depression_k", (12, 24), 0.0, 60.0),
        _table(entry, "depression_spread", (12, 24), 0.0, 1.0),
        _NORMAL_MONTHS,
    )
    return dry_bulb, depression


def _from_normals(entry: Entry) -> tuple[Measure, Measure]:
    high_c, low_c = (_table(entry, key, (12,), -90.0, 60.0) for key in ("daily_high_c", "daily_low_c"))
    if not (low_c <= high_c).all():
        raise CatalogError(f"{entry.name}: daily_low_c is above daily_high_c in month {np.argmax(low_c > high_c) + 1}")
    t, depression = mean_days(high_c, low_c, _table(entry, "relative_humidity", (12,), 0.01, 1.0))
    spread_k = np.repeat(_table(entry, "dry_bulb_spread_k", (12,), 0.0, 30.0)[:, None], _HOURS, axis=1)
    spread = np.repeat(_table(entry, "depression_spread", (12,), 0.0, 1.0)[:, None], _HOURS, axis=1)
    return (
        _measure(entry, "dry_bulb", t, spread_k, _NORMAL_MONTHS),
        _measure(entry, "depression", depression, spread, _NORMAL_MONTHS),
    )


def mean_days(high_c: FloatArray, low_c: FloatArray, relative_humidity: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean days of months from their normals: (dry bulb [degC], depression [K]), shape (12, 24) each.

    Parameters:
        high_c: mean of the days' highest dry bulb, shape (12,) [degC]
        low_c: mean of the days' lowest, shape (12,) [degC]
        relative_humidity: mean over all hours, 0 to 1, shape (12,) [1]
    """
    high, low = high_c[:, None], low_c[:, None]
    t = high - np.array(_BELOW_HIGH) * (high - low)
    # one dew point per month: the vapour whose share of saturation has the given mean over the hours
    saturated = air.saturation_pressure_pa(t)
    vapour_pa = relative_humidity[:, None] / (1.0 / saturated).mean(axis=1, keepdims=True)
    dew = air.dew_point_c(air.humidity_ratio(t, vapour_pa / saturated))
    return t, np.maximum(t - dew, 0.0)


def _measure(entry: Entry, key: str, mean: FloatArray, spread: FloatArray, scores: FloatArray) -> Measure:
    share = _number(entry, f"{key}_day_share", 0.0, 1.0)
    persistence = [_number(entry, f"{key}_{scale}_persistence", 0.0, 0.999) for scale in ("day", "hour")]
    return Measure(mean, spread, scores, share, *persistence)


def _number(entry: Entry, key: str, low: float, high: float) -> float:
    return float(_table(entry, key, (), low, high))


def _quantiles(entry: Entry, key: str, low: float, high: float) -> FloatArray:
    found = _table(entry, key, (12, len(PROBABILITIES)), low, high)
    if (np.diff(found, axis=1) < 0.0).any():
        raise CatalogError(f"{entry.name}: {key} falls within a month; quantiles rise with their probability")
    return found


def _table(entry: Entry, key: str, shape: tuple[int, ...], low: float, high: float) -> FloatArray:
    found = entry.array(key)
    if found.shape != shape:
        raise CatalogError(f"{entry.name}: {key} has shape {found.shape}; want {shape}")
    if not ((found >= low) & (found <= high)).all():
        worst = float(found[~((found >= low) & (found <= high))].flat[0])
        raise CatalogError(f"{entry.name}: {key} holds {worst:g}; allowed {low:g} to {high:g}")
    return found
