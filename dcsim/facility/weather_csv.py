"""Hourly weather from CSV with the columns of Open-Meteo, for one year.

A row named T gives the hour from T to T + 1 h. Needed: `time`, `temperature_2m` and one measure of humidity
(`relative_humidity_2m`, `dew_point_2m` or `wet_bulb_temperature_2m`, the first that is there); `surface_pressure` may
be there. Units may follow a name in brackets. The lines on place and clock with which a download from Open-Meteo begins
are read when they are there: its local times keep one offset to UTC all year, whatever the clocks do (open-meteo issue
1255), and those lines name it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.errors import ScenarioError, TraceError
from dcsim.facility import local_time
from dcsim.facility import psychrometrics as air
from dcsim.facility.arrays import FloatArray
from dcsim.facility.weather import LONGEST_GAP_H, Weather, WeatherYear, file_text, outdoor

if TYPE_CHECKING:
    import pandas as pd

_HPA = 100.0
_ALTITUDES_M = (-500.0, 9000.0)


class _Column(NamedTuple):
    """What a column may hold."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    low: float
    high: float

    @property
    def name(self) -> str:
        return self.names[0]


_TIME = "time"
_TEMPERATURE = _Column(("temperature_2m",), ("°C", "C", "degC"), -90.0, 60.0)
_HUMIDITY = _Column(("relative_humidity_2m", "relativehumidity_2m"), ("%",), 0.0, 100.0)
_DEW_POINT = _Column(("dew_point_2m", "dewpoint_2m"), ("°C", "C", "degC"), -90.0, 45.0)
_WET_BULB = _Column(("wet_bulb_temperature_2m",), ("°C", "C", "degC"), -90.0, 45.0)
_PRESSURE = _Column(("surface_pressure",), ("hPa", "mbar"), 310.0, 1200.0)
_MOIST = (_HUMIDITY, _DEW_POINT, _WET_BULB)
_COLUMNS = (_TEMPERATURE, *_MOIST, _PRESSURE)

#: Numbers that stand for a missing value in many files.
_CODES = (999.0, -999.0, 9999.0, -9999.0)
#: A dew point or wet bulb may pass the dry bulb by the rounding of both [K].
_ROUNDING_K = 0.5
_MOST_ROWS = 366 * 24
_CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:?\d{2})?")
_UNIT = re.compile(r"(?P<name>[^(]*?)\s*(\((?P<unit>.*)\))?")


@dataclass(frozen=True)
class _Table:
    """A file: cells as text, the line of its first row, what its first lines say."""

    file: Path
    rows: pd.DataFrame
    first_line: int
    offset: tzinfo | None
    altitude_m: float | None

    def at(self, row: int) -> str:
        return f"{self.file} line {self.first_line + row}"


def read_csv(
    path: str | Path, *, zone: str | None = None, altitude_m: float | None = None, place: str = ""
) -> WeatherYear:
    """Read a year of hours from a CSV file, plain or gzip.

    The rows cover one year, from any date. Gaps (hours without row, empty cells, 999, 9999) of up to `LONGEST_GAP_H`
    are closed by straight lines and named in `notes`. So is where the pressure comes from when the file has none: from
    the altitude, or that of sea level.

    Parameters:
        path: the file
        zone: `UTC`, a fixed offset such as `+01:00` or an IANA name such as `Europe/Berlin`. It says how to read times
            without offset, daylight saving included, and what local standard time is; needed if the file says neither
        altitude_m: height of the place, for its pressure; by default what the file says [m]
        place: name of the place, by default the file's name

    Raises TraceError that names file and line: a column or the time zone is missing, another unit, a value out of range
    (Fahrenheit, Pa and humidity from 0 to 1 are recognised), a dew point or wet bulb above the dry bulb, a time that
    clocks skip, hours twice or out of order, a gap that is too long, less or more than a year, a file that is empty,
    damaged or too large. ScenarioError for an unknown zone or an altitude out of range.
    """
    if altitude_m is not None and not _ALTITUDES_M[0] <= altitude_m <= _ALTITUDES_M[1]:
        raise ScenarioError(f"altitude is {altitude_m:g} m; allowed {_ALTITUDES_M[0]:g} to {_ALTITUDES_M[1]:g} m")
    told = local_time.zone(zone) if zone is not None else None
    table = _open(Path(path))
    moments = _moments(table, told)
    standard_h = local_time.standard_offset_h(told or moments.zone, moments.utc[0].year)
    at, hours = _places(table, moments.utc, standard_h)
    notes = [f"hours of the year without a row: {hours - len(at)}"] if hours > len(at) else []
    values = {which.name: _values(table, which) for which in _COLUMNS if which.name in table.rows}
    _check_below_dry_bulb(table, values)
    moist = next(which for which in _MOIST if which.name in values)
    year = {
        which.name: _closed(table.file, which.name, _in_year(values[which.name], at, hours), notes)
        for which in (_TEMPERATURE, moist, _PRESSURE)
        if which.name in values
    }
    height_m = altitude_m if altitude_m is not None else table.altitude_m
    pressure_pa = _pressure_pa(year.get(_PRESSURE.name), height_m, hours, notes)
    weather = _weather(year[_TEMPERATURE.name], moist, year[moist.name], pressure_pa)
    if height_m is None:
        height_m = float(air.altitude_at_m(pressure_pa.mean()))
    return WeatherYear(place or table.file.name, standard_h, height_m, weather, tuple(notes))


def _in_year(values: FloatArray, at: npt.NDArray[np.int64], hours: int) -> FloatArray:
    found = np.full(hours, np.nan)
    found[at] = values
    return found


def _weather(t: FloatArray, moist: _Column, values: FloatArray, pressure_pa: FloatArray) -> Weather:
    if moist is _WET_BULB:
        return outdoor(t, wet_bulb_c=np.minimum(values, t), pressure_pa=pressure_pa)
    share = values / 100.0
    if moist is _DEW_POINT:
        share = np.minimum(air.saturation_pressure_pa(values) / air.saturation_pressure_pa(t), 1.0)
    return outdoor(t, relative_humidity=share, pressure_pa=pressure_pa)


def _pressure_pa(hpa: FloatArray | None, altitude_m: float | None, hours: int, notes: list[str]) -> FloatArray:
    if hpa is not None:
        return _HPA * hpa
    if altitude_m is None:
        notes.append(f"no surface_pressure and no altitude: pressure is that of sea level, {air.STANDARD_PA:.0f} Pa")
        return np.full(hours, air.STANDARD_PA)
    pressure_pa = float(air.pressure_at_pa(altitude_m))
    notes.append(f"no surface_pressure: pressure is {pressure_pa:.0f} Pa, from the altitude of {altitude_m:g} m")
    return np.full(hours, pressure_pa)


# ---------------------------------------------------------------- the table


def _open(file: Path) -> _Table:
    text = file_text(file)
    lines = text.split("\n", 8)[:8]
    if not text.strip():
        raise TraceError(f"{file}: the file is empty")
    told, header = {}, 0
    if lines[0].startswith("latitude,") and len(lines) > 2:
        told = dict(zip(*(next(csv.reader([line])) for line in lines[:2]), strict=False))
        header = next((row for row, line in enumerate(lines[2:], start=2) if line.strip()), 2)
    rows = _parsed(file, text, header)
    offset_s, altitude_m = _told(file, told, "utc_offset_seconds"), _told(file, told, "elevation")
    offset = None if offset_s is None else timezone(timedelta(seconds=offset_s))
    return _Table(file, rows, header + 2, offset, altitude_m)


def _told(file: Path, told: dict[str, str], key: str) -> float | None:
    try:
        found = float(told.get(key, "nan"))
    except ValueError:
        found = np.inf
    low, high = (-43_200.0, 50_400.0) if key == "utc_offset_seconds" else _ALTITUDES_M
    if np.isnan(found):
        return None
    if not low <= found <= high:
        raise TraceError(f"{file} line 2: {key} is {told[key][:20]!r}; allowed {low:g} to {high:g}")
    return found


def _parsed(file: Path, text: str, header: int) -> pd.DataFrame:
    import pandas as pd

    try:
        rows = pd.read_csv(
            io.StringIO(text),
            skiprows=header,
            dtype=str,
            skip_blank_lines=False,
            nrows=_MOST_ROWS + 25,
        )
    except (ValueError, pd.errors.ParserError):
        raise TraceError(f"{file}: not a table of comma-separated values with a header") from None
    if not isinstance(rows.index, pd.RangeIndex):
        raise TraceError(f"{file}: rows have more cells than the header on line {header + 1}")
    rows = rows.rename(columns=lambda name: _plain(file, str(name)))
    filled = rows.notna().any(axis=1).to_numpy()
    rows = rows.iloc[: int(np.flatnonzero(filled)[-1]) + 1 if filled.any() else 0]
    missing = [name for name in (_TIME, _TEMPERATURE.name) if name not in rows]
    if not missing and not any(which.name in rows for which in _MOIST):
        missing = [" or ".join(which.name for which in _MOIST)]
    if missing:
        found = [name[:30] for name in rows.columns][:8]
        raise TraceError(f"{file} line {header + 1}: no column {missing[0]}; found {', '.join(found)}")
    if not len(rows):
        raise TraceError(f"{file}: no rows under the header")
    if len(rows) > _MOST_ROWS:
        raise TraceError(f"{file}: more than {_MOST_ROWS} rows; want the hours of one year")
    return rows


def _plain(file: Path, heading: str) -> str:
    """Name of a column without its unit, which is checked."""
    parts = _UNIT.fullmatch(heading.strip().lstrip("\ufeff"))
    name, unit = (parts["name"], parts["unit"]) if parts else (heading, None)
    for which in _COLUMNS:
        if name in which.names:
            if unit is not None and unit not in which.units:
                raise TraceError(f"{file}: {name} is in {unit[:20]}; want {which.units[0]}")
            return which.name
    return name


# ---------------------------------------------------------------- times


class _Moments(NamedTuple):
    """Moments of the rows, and the zone that they were read in."""

    utc: list[datetime]
    zone: tzinfo


def _moments(table: _Table, told: tzinfo | None) -> _Moments:
    clocks = [_clock(table, row, str(text)) for row, text in enumerate(table.rows[_TIME])]
    own = clocks[0].tzinfo is not None
    mixed = [(clock.tzinfo is not None) != own for clock in clocks]
    if any(mixed):
        row = mixed.index(True)
        which = "without" if own else "with"
        raise TraceError(
            f"{table.at(row)}: {table.rows[_TIME].iloc[row]} is {which} offset to UTC, unlike the first row"
        )
    if own:
        least = min(clock.utcoffset() or timedelta() for clock in clocks)
        return _Moments([clock.astimezone(UTC) for clock in clocks], timezone(least))
    zone = table.offset or told
    if zone is None:
        raise TraceError(
            f"{table.file}: times have no offset to UTC and the file names no zone; give one, such as Europe/Berlin or "
            "+01:00"
        )
    utc, seen = [], set[datetime]()
    for row, clock in enumerate(clocks):
        moment = local_time.in_zone(clock, zone, fold=int(clock in seen))
        if moment is None:
            raise TraceError(
                f"{table.at(row)}: {clock.isoformat(timespec='minutes')} does not exist in {zone}, where clocks go "
                "forward; if the file keeps one offset all year, give that, such as +01:00"
            )
        seen.add(clock)
        utc.append(moment)
    return _Moments(utc, zone)


def _clock(table: _Table, row: int, text: str) -> datetime:
    try:
        if _CLOCK.fullmatch(text):
            clock = datetime.fromisoformat(text)
            local_time.check_year(clock)
            return clock
    except (ValueError, ScenarioError):
        pass
    raise TraceError(f"{table.at(row)}: time is {text[:30]!r}; want a date and time such as 2023-01-01T00:00")


def _places(table: _Table, utc: list[datetime], standard_h: float) -> tuple[npt.NDArray[np.int64], int]:
    """(index of each row's hour in the year from 1 January, hours of that year)."""
    minutes = np.array([each.replace(tzinfo=None) for each in utc], dtype="datetime64[m]") + round(60 * standard_h)
    hours = minutes.astype("datetime64[h]")
    if (off := hours != minutes).any():
        row = int(np.argmax(off))
        raise TraceError(f"{table.at(row)}: {table.rows[_TIME].iloc[row]} is not on the hour of local standard time")
    back = np.diff(hours.astype(np.int64)) <= 0
    if back.any():
        row = int(np.argmax(back)) + 1
        raise TraceError(f"{table.at(row)}: hour {table.rows[_TIME].iloc[row]} is there twice or out of order")
    days = hours.astype("datetime64[D]")
    leap = (days.astype("datetime64[M]").astype(np.int64) % 12 == 1) & (
        days - days.astype("datetime64[M]") == np.timedelta64(28, "D")
    )
    year_hours = 24 * (366 if leap.any() else 365)
    span = int((hours[-1] - hours[0]).astype(np.int64)) + 1
    if not year_hours - LONGEST_GAP_H <= span <= year_hours:
        raise TraceError(f"{table.file}: rows span {span} hours; want {year_hours}, one year")
    return local_time.hour_of_year(hours, bool(leap.any())), year_hours


# ---------------------------------------------------------------- values


def _values(table: _Table, which: _Column) -> FloatArray:
    """Numbers of a column, nan where missing; TraceError for text and for values out of range."""
    import pandas as pd

    cells = table.rows[which.name].str.strip()
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)
    text = np.isnan(numbers) & cells.notna().to_numpy() & ~cells.str.lower().isin(("", "nan", "null")).to_numpy()
    if text.any():
        row = int(np.argmax(text))
        raise TraceError(f"{table.at(row)}: {which.name} is {str(cells.iloc[row])[:20]!r}; want a number")
    values = np.where(np.isin(numbers, _CODES), np.nan, numbers)
    wrong = (values < which.low) | (values > which.high)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise TraceError(
            f"{table.at(row)}: {which.name} is {values[row]:g}; allowed {which.low:g} to {which.high:g} "
            f"{which.units[0]}{_hint(which, float(values[row]))} ({int(wrong.sum())} such hours)"
        )
    if which is _HUMIDITY and 0.0 < np.nanmax(values, initial=0.0) <= 1.0:
        most = np.nanmax(values, initial=0.0)
        raise TraceError(f"{table.file}: {which.name} is at most {most:g}; want percent, 0 to 100")
    return values


def _hint(which: _Column, value: float) -> str:
    if which.units[0] == "°C" and which.high < value < 140.0:
        return "; is it in Fahrenheit?"
    if which.units[0] == "°C" and 200.0 < value < 335.0:
        return "; is it in kelvin?"
    if which is _PRESSURE and 31_000.0 < value < 120_000.0:
        return "; is it in Pa?"
    return ""


def _check_below_dry_bulb(table: _Table, values: Mapping[str, FloatArray]) -> None:
    t = values[_TEMPERATURE.name]
    for which, what in ((_DEW_POINT, "dew point"), (_WET_BULB, "wet bulb")):
        wet = values.get(which.name, t)
        above = wet > t + _ROUNDING_K
        if above.any():
            row = int(np.argmax(above))
            raise TraceError(
                f"{table.at(row)}: {what} {wet[row]:g} degC above dry bulb {t[row]:g} degC "
                f"({int(above.sum())} such hours)"
            )


def _closed(file: Path, name: str, values: FloatArray, notes: list[str]) -> FloatArray:
    """`values` of a year with short gaps closed by straight lines, around the turn of the year too."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    known = np.flatnonzero(~missing)
    if not len(known):
        raise TraceError(f"{file}: {name} has no value in any row")
    lengths = np.diff(known, append=known[0] + len(values)) - 1
    longest = int(np.argmax(lengths))
    if lengths[longest] > LONGEST_GAP_H:
        after = int(known[longest]) + 1
        raise TraceError(
            f"{file}: {name} is missing for {lengths[longest]} hours from hour {after % len(values) + 1} of the year; "
            f"allowed are gaps of up to {LONGEST_GAP_H} h"
        )
    notes.append(
        f"{name}: {int(missing.sum())} missing hours in {int((lengths > 0).sum())} gaps closed by straight lines"
    )
    return np.interp(np.arange(len(values)), known, values[known], period=len(values))
