"""Clocks: time zones, and a weather year laid along a run that starts at any moment.

A run's seconds pass as UTC does, so clock changes never stretch a step. Weather is kept in local standard time, grid
signals in UTC: both meet at the run's moment of start.
"""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import numpy as np
import numpy.typing as npt

from dcsim.errors import ScenarioError, nearest
from dcsim.facility.weather import Weather, WeatherYear

HOUR_S = 3600.0
#: Longest run that a weather year is laid along [years].
LONGEST_YEARS = 100
#: Calendar years that a date may have.
YEARS = (1800, 2200)
_LONGEST_S = LONGEST_YEARS * 366 * 86400.0
#: Day of the year of 29 February, from 0.
_LEAP_DAY = 59

_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>[0-5]\d)")


def zone(text: str) -> tzinfo:
    """The time zone that `text` names: `UTC`, a fixed offset such as `+05:30`, or an IANA name such as `Europe/Berlin`.

    Raises ScenarioError with the nearest known name.
    """
    if text in ("UTC", "GMT", "Z"):
        return UTC
    offset = _OFFSET.fullmatch(text)
    if offset:
        minutes = 60 * int(offset["hours"]) + int(offset["minutes"])
        east = timedelta(minutes=minutes if offset["sign"] == "+" else -minutes)
        if timedelta(hours=-12) <= east <= timedelta(hours=14):
            return timezone(east)
        raise ScenarioError(f"time zone {text!r}: allowed -12:00 to +14:00")
    try:
        return zoneinfo.ZoneInfo(text[:80])
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        hint = nearest(text[:80], known) if known else ""
        raise ScenarioError(
            f"time zone {text[:80]!r} is not known here{hint}; a fixed offset such as +01:00 always works"
        ) from None


def standard_offset_h(place: tzinfo, year: int) -> float:
    """Local standard time minus UTC in a year [h]: the least offset of its months, for saving time is ahead of it.

    Parameters:
        place: time zone
        year: calendar year
    """
    offsets = [datetime(year, month, 1, 12, tzinfo=place).utcoffset() for month in range(1, 13)]
    return min(each for each in offsets if each is not None) / timedelta(hours=1)


def in_zone(clock: datetime, place: tzinfo, fold: int = 0) -> datetime | None:
    """The moment at which clocks of a place show `clock`, in UTC; None where clocks go forward over it.

    Parameters:
        clock: date and time without zone
        place: time zone
        fold: 1 for the second time, where clocks go back
    """
    moment = clock.replace(tzinfo=place, fold=fold).astimezone(UTC)
    return moment if moment.astimezone(place).replace(tzinfo=None, fold=0) == clock else None


def check_year(clock: datetime) -> None:
    """ScenarioError for a year beyond YEARS, at whose ends a zone may leave the calendar."""
    if not YEARS[0] <= clock.year <= YEARS[1]:
        raise ScenarioError(f"year {clock.year}; allowed {YEARS[0]} to {YEARS[1]}")


def moment(text: str, place: tzinfo) -> datetime:
    """The moment of a date and time as clocks of `place` show it, or with its own offset, in UTC.

    Parameters:
        text: such as `2026-03-29`, `2026-03-29T14:00` or `2026-03-29T14:00+02:00`
        place: time zone of a text without offset

    Raises ScenarioError for a text that is no date, and for a time that clocks of the place skip or show twice.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ScenarioError(f"start is {text[:40]!r}; want a date and time such as 2026-03-29T14:00") from None
    check_year(found)
    if found.tzinfo is not None:
        return found.astimezone(UTC)
    first, second = (in_zone(found, place, fold) for fold in (0, 1))
    if first is None:
        raise ScenarioError(f"start {text}: clocks in {place} go forward over this time; write the offset to UTC")
    if first != second:
        raise ScenarioError(f"start {text}: clocks in {place} show this time twice; write the offset to UTC")
    return first


def aligned(year: WeatherYear, start: datetime, edges_s: npt.ArrayLike) -> Weather:
    """Weather over a run's intervals, shape (steps,): each local standard hour takes that of the same date in `year`.

    A year without 29 February gives that day the hours of 28 February; one with it skips them in common years.

    Parameters:
        year: hours from 1 January, local standard time
        start: moment at which the run starts, with a time zone
        edges_s: boundaries of the intervals from the start of the run, ascending, from 0, shape (steps + 1,) [s]

    Raises ScenarioError for a start without time zone or beyond YEARS, or a run beyond LONGEST_YEARS.
    """
    edges = np.asarray(edges_s, dtype=np.float64)
    check_year(start)
    if start.tzinfo is None:
        raise ScenarioError(f"start {start.isoformat()} has no time zone; give one, such as UTC")
    if not 0.0 <= float(edges[0]) <= float(edges[-1]) <= _LONGEST_S:
        raise ScenarioError(f"run from {edges[0]:g} to {edges[-1]:g} s; weather covers 0 to {LONGEST_YEARS} years")
    local = start.astimezone(UTC).replace(tzinfo=None) + timedelta(hours=year.utc_offset_h)
    first = local.replace(minute=0, second=0, microsecond=0)
    into_hour_s = (local - first).total_seconds()
    hours = int(np.ceil((into_hour_s + float(edges[-1])) / HOUR_S)) + 1
    at = hour_of_year(np.datetime64(first, "h") + np.arange(hours), len(year.weather.dry_bulb_c) > 365 * 24)
    along = replace(year, weather=Weather(*(column[at] for column in year.weather)))
    return along.over(into_hour_s + edges)


def hour_of_year(hours: npt.NDArray[np.datetime64], leap_day: bool) -> npt.NDArray[np.int64]:
    """Index of hours in a year from 1 January, shape of `hours`.

    Parameters:
        hours: calendar hours, any shape, of type datetime64
        leap_day: whether the year has 29 February; else that day counts as 28 February
    """
    days = hours.astype("datetime64[D]")
    january = days.astype("datetime64[Y]")
    day = (days - january.astype("datetime64[D]")).astype(np.int64)
    next_january = (january + np.timedelta64(1, "Y")).astype("datetime64[D]")
    leap = (next_january - january.astype("datetime64[D]")).astype(np.int64) == 366
    if leap_day:
        day = np.where(~leap & (day >= _LEAP_DAY), day + 1, day)
    else:
        day = np.where(leap & (day >= _LEAP_DAY), day - 1, day)
    hour = (hours.astype("datetime64[h]") - days.astype("datetime64[h]")).astype(np.int64)
    return np.asarray(24 * day + hour)
