"""Outdoor air over time, and the EPW reader.

An EPW file (EnergyPlus weather) gives hours in local standard time, each ending at the hour it names: hour 1 of
1 January is the time from 00:00 to 01:00. A year here starts at 0 s, local standard time; add the place's UTC offset
before it is joined with a grid signal, whose hours are UTC.
"""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.errors import ScenarioError, TraceError
from dcsim.facility import psychrometrics as air
from dcsim.facility.arrays import BoolArray, FloatArray, interval_means

if TYPE_CHECKING:
    import pandas as pd

HOUR_S = 3600.0
#: Gaps up to this are closed by straight lines and reported; longer ones are an error [h].
LONGEST_GAP_H = 6
#: Largest EPW file, unpacked; a year has 1.6 MB [bytes].
MAX_BYTES = 20_000_000

_COLUMNS = {1: "month", 2: "day", 3: "hour", 6: "dry_bulb_c", 7: "dew_point_c", 8: "humidity", 9: "pressure_pa"}
_HEADER_LINES = 8
#: column -> (code for missing, lowest, highest, unit): EnergyPlus, Auxiliary Programs, EPW data dictionary
_LIMITS = {
    "dry_bulb_c": (99.9, -90.0, 60.0, "degC"),
    "dew_point_c": (99.9, -90.0, 45.0, "degC"),
    "humidity": (999.0, 0.0, 110.0, "%"),
    "pressure_pa": (999_999.0, 31_000.0, 120_000.0, "Pa"),
}
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
#: A dew point may pass the dry bulb by the rounding of both.
_ROUNDING_K = 0.5


class Weather(NamedTuple):
    """Outdoor air; every array has shape (steps,)."""

    dry_bulb_c: FloatArray
    """dry-bulb temperature [degC]"""
    wet_bulb_c: FloatArray
    """wet-bulb temperature [degC]"""
    dew_point_c: FloatArray
    """dew point [degC]"""
    humidity_ratio: FloatArray
    """vapour over dry air [kg/kg]"""
    pressure_pa: FloatArray
    """air pressure [Pa]"""


@dataclass(frozen=True)
class WeatherYear:
    """Hours of one place in local standard time."""

    place: str
    utc_offset_h: float
    """local standard time minus UTC [h]"""
    altitude_m: float
    weather: Weather
    """shape (hours,): hour k lasts from k to k + 1 hours after the start of the year"""
    notes: tuple[str, ...] = ()
    """gaps that were closed"""

    def over(self, edges_s: npt.ArrayLike) -> Weather:
        """Means over intervals from the start of the year (local standard time), shape (steps,); it repeats yearly.

        Parameters:
            edges_s: boundaries of the intervals, ascending, from 0, shape (steps + 1,) [s]
        """
        edges = np.asarray(edges_s, dtype=np.float64)
        hours = len(self.weather.dry_bulb_c)
        repeats = max(1, math.ceil(float(edges[-1]) / (hours * HOUR_S)))
        starts = HOUR_S * np.arange(hours * repeats)
        t, w, p = (
            interval_means(edges, starts, np.tile(column, repeats))
            for column in (self.weather.dry_bulb_c, self.weather.humidity_ratio, self.weather.pressure_pa)
        )
        return _complete(t, w, p)


def outdoor(
    dry_bulb_c: npt.ArrayLike,
    *,
    relative_humidity: npt.ArrayLike | None = None,
    wet_bulb_c: npt.ArrayLike | None = None,
    pressure_pa: npt.ArrayLike = air.STANDARD_PA,
) -> Weather:
    """Weather from dry bulb and either relative humidity or wet bulb, each a number or shape (steps,).

    Parameters:
        dry_bulb_c: dry-bulb temperature [degC]
        relative_humidity: 0 to 1 [1]
        wet_bulb_c: wet-bulb temperature [degC]
        pressure_pa: air pressure [Pa]

    Raises ScenarioError for a value out of range (a temperature above 60 degC is likely in Fahrenheit), a wet bulb
    above the dry bulb, or not exactly one measure of humidity.
    """
    t = np.atleast_1d(np.asarray(dry_bulb_c, dtype=np.float64))
    p = np.broadcast_to(np.asarray(pressure_pa, dtype=np.float64), t.shape)
    _check_range("dry bulb", t, "dry_bulb_c")
    _check_range("pressure", p, "pressure_pa")
    if (relative_humidity is None) == (wet_bulb_c is None):
        raise ScenarioError("weather: want either the relative humidity or the wet bulb")
    if relative_humidity is not None:
        rh = np.broadcast_to(np.asarray(relative_humidity, dtype=np.float64), t.shape)
        if not ((rh >= 0.0) & (rh <= 1.0)).all():
            raise ScenarioError(f"weather: relative humidity {_worst(rh, 0.0, 1.0):g}; allowed 0 to 1")
        return _complete(t, air.humidity_ratio(t, rh, p), p)
    wet = np.broadcast_to(np.asarray(wet_bulb_c, dtype=np.float64), t.shape)
    above = ~(wet <= t)
    if above.any():
        step = int(np.argmax(above))
        raise ScenarioError(f"weather, step {step}: wet bulb {wet[step]:g} degC above dry bulb {t[step]:g} degC")
    ratio = np.maximum(air.ratio_at_wet_bulb(t, wet, p), 0.0)
    return _complete(t, ratio, p)


def _complete(t: FloatArray, ratio: FloatArray, pressure_pa: FloatArray) -> Weather:
    # cooler than saturated air of a mean cannot be: means of humid hours may pass saturation by a trifle
    w = np.minimum(ratio, air.saturation_ratio(t, pressure_pa))
    return Weather(t, air.wet_bulb_c(t, w, pressure_pa), air.dew_point_c(w, pressure_pa), w, pressure_pa)


def _check_range(what: str, values: FloatArray, column: str) -> None:
    _, low, high, unit = _LIMITS[column]
    if not ((values >= low) & (values <= high)).all():
        worst = _worst(values, low, high)
        raise ScenarioError(
            f"weather: {what} {worst:g} {unit}; allowed {low:g} to {high:g} {unit}{_hint(column, worst)}"
        )


def _worst(values: FloatArray, low: float, high: float) -> float:
    return float(values[int(np.argmax(~((values >= low) & (values <= high))))])


def _hint(column: str, value: float) -> str:
    if column.endswith("_c") and 60.0 < value < 140.0:
        return "; is it in Fahrenheit?"
    if column == "pressure_pa" and 310.0 < value < 1200.0:
        return "; is it in hPa?"
    return ""


# ---------------------------------------------------------------- EPW


def read_epw(path: str | Path) -> WeatherYear:
    """Read a year of hours from an EPW file, plain or gzip.

    Humidity is taken from the column of relative humidity, and from the dew point where that is missing. A year has
    8760 hours, or 8784 with 29 February. Missing values (the codes 99.9, 999, 999999) of up to `LONGEST_GAP_H` hours
    are closed by straight lines and named in `notes`.

    Raises TraceError that names file and row: not an EPW file, an hour that is missing or there twice, a longer gap,
    a value out of range (Fahrenheit and hPa are recognised), a dew point (and so a wet bulb) above the dry bulb.
    """
    file = Path(path)
    text = file_text(file)
    name, offset_h, altitude_m = _location(file, text.partition("\n")[0])
    rows = _rows(file, text)
    _check_hours(file, rows)
    gaps = {column: _missing(file, rows, column) for column in _LIMITS}
    dry, dew, humid = (rows[column].to_numpy(np.float64) for column in ("dry_bulb_c", "dew_point_c", "humidity"))
    both = ~gaps["dry_bulb_c"] & ~gaps["dew_point_c"]
    above = both & (dew > dry + _ROUNDING_K)
    if above.any():
        row = int(np.argmax(above))
        raise TraceError(
            f"{_row(file, row)}: dew point {dew[row]:g} degC above dry bulb {dry[row]:g} degC, and so the "
            f"wet bulb ({int(above.sum())} such hours)"
        )
    from_dew = gaps["humidity"] & both
    ratio = air.saturation_pressure_pa(np.where(from_dew, dew, 0.0)) / air.saturation_pressure_pa(dry)
    humid = np.where(from_dew, 100.0 * ratio, humid)
    gaps["humidity"] = gaps["humidity"] & ~from_dew
    notes: list[str] = []
    t, rh, p = (
        _closed(file, column, values, gaps[column], notes)
        for column, values in (
            ("dry_bulb_c", dry),
            ("humidity", humid),
            ("pressure_pa", rows["pressure_pa"].to_numpy()),
        )
    )
    ratio = air.humidity_ratio(t, np.clip(rh, 0.0, 100.0) / 100.0, p)
    return WeatherYear(name, offset_h, altitude_m, _complete(t, ratio, p), tuple(notes))


def _row(file: Path, row: int) -> str:
    return f"{file} line {row + _HEADER_LINES + 1}"


def file_text(file: Path) -> str:
    """Text of a file, plain or gzip; TraceError when it cannot be read, is cut short or has more than MAX_BYTES."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
        if raw[:2] == b"\x1f\x8b":
            unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            raw = unpacker.decompress(raw, MAX_BYTES + 1)
            if not unpacker.eof and len(raw) <= MAX_BYTES:
                raise gzip.BadGzipFile
    except (OSError, zlib.error, gzip.BadGzipFile) as error:
        reason = getattr(error, "strerror", None) or "it is a damaged gzip file"
        raise TraceError(f"{file}: cannot read the weather file: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise TraceError(f"{file}: a weather file may have at most {MAX_BYTES} bytes")
    return raw.decode("utf-8", errors="replace").replace("\r\n", "\n")


def _location(file: Path, line: str) -> tuple[str, float, float]:
    fields = line.strip().split(",")
    if fields[0] != "LOCATION" or len(fields) < 10:
        raise TraceError(f"{file} line 1: found {line[:40]!r}; an EPW file begins with LOCATION and nine fields")
    try:
        offset_h, altitude_m = float(fields[8]), float(fields[9])
    except ValueError:
        offset_h = altitude_m = math.nan
    if not (-12.0 <= offset_h <= 14.0 and -500.0 <= altitude_m <= 9000.0):
        raise TraceError(
            f"{file} line 1: UTC offset {fields[8][:20]!r} h, altitude {fields[9][:20]!r} m; "
            "allowed -12 to 14 h, -500 to 9000 m"
        )
    return fields[1].strip()[:80], offset_h, altitude_m


def _rows(file: Path, text: str) -> pd.DataFrame:
    import io

    import pandas as pd

    try:
        table = pd.read_csv(
            io.StringIO(text),
            skiprows=_HEADER_LINES,
            header=None,
            usecols=list(_COLUMNS),
            dtype=str,
            encoding_errors="replace",
        )
    except (ValueError, pd.errors.ParserError):
        raise TraceError(
            f"{file}: no hourly rows with ten columns or more after the eight lines of the header"
        ) from None
    table = table.rename(columns=_COLUMNS)
    for column in table.columns:
        numbers = pd.to_numeric(table[column].str.strip(), errors="coerce")
        wrong = numbers.isna() & table[column].notna()
        if column not in _LIMITS:
            wrong |= numbers.isna()
        if wrong.any():
            row = int(np.argmax(wrong.to_numpy()))
            raise TraceError(f"{_row(file, row)}: {column} is {str(table[column].iloc[row])[:20]!r}; want a number")
        table[column] = numbers.astype(np.float64)
    return table


def _check_hours(file: Path, rows: pd.DataFrame) -> None:
    """Every hour of a year of 365 or 366 days, in order."""
    leap = bool(((rows["month"] == 2) & (rows["day"] == 29)).any())
    wanted = [
        (month, day, hour)
        for month, days in enumerate(_DAYS, start=1)
        for day in range(1, days + 1 + (leap and month == 2))
        for hour in range(1, 25)
    ]
    found = rows[["month", "day", "hour"]].to_numpy()
    shared = min(len(found), len(wanted))
    differs = np.any(found[:shared] != np.array(wanted[:shared], dtype=np.float64), axis=1)
    if differs.any():
        row = int(np.argmax(differs))
        month, day, hour = wanted[row]
        there = "-".join(f"{value:g}" for value in found[row])
        raise TraceError(
            f"{_row(file, row)}: found month-day-hour {there}, want {month}-{day}-{hour}: an hour is missing "
            "or there twice"
        )
    if len(found) != len(wanted):
        raise TraceError(f"{file}: {len(found)} hours; want {len(wanted)}, a whole year")


def _missing(file: Path, rows: pd.DataFrame, column: str) -> BoolArray:
    """Where a column has no value; TraceError for values out of range."""
    code, low, high, unit = _LIMITS[column]
    values = rows[column].to_numpy(np.float64)
    missing = np.isnan(values) | (values == code)
    if column.endswith("_c"):
        missing |= values == 999.0
    wrong = ~missing & ((values < low) | (values > high))
    if column == "pressure_pa":
        missing |= values == 9999.0
        wrong &= ~missing
    if wrong.any():
        row = int(np.argmax(wrong))
        raise TraceError(
            f"{_row(file, row)}: {column} is {values[row]:g}; allowed {low:g} to {high:g} {unit}"
            f"{_hint(column, float(values[row]))} ({int(wrong.sum())} such hours)"
        )
    return np.asarray(missing)


def _closed(file: Path, column: str, values: FloatArray, missing: BoolArray, notes: list[str]) -> FloatArray:
    """`values` with short gaps closed by straight lines, around the turn of the year too."""
    if not missing.any():
        return values
    padded = np.concatenate([[False], missing, [False]])
    starts, ends = np.flatnonzero(padded[1:] & ~padded[:-1]), np.flatnonzero(padded[:-1] & ~padded[1:])
    longest = int(np.argmax(ends - starts))
    hours = int(ends[longest] - starts[longest])
    if hours > LONGEST_GAP_H:
        raise TraceError(
            f"{_row(file, int(starts[longest]))}: {column} is missing for {hours} hours; allowed are gaps of up to "
            f"{LONGEST_GAP_H} h ({int(missing.sum())} hours are missing in all)"
        )
    known = np.flatnonzero(~missing)
    notes.append(
        f"{column}: {int(missing.sum())} missing hours in {len(starts)} gaps closed by straight lines, "
        f"the first at line {int(starts[0]) + _HEADER_LINES + 1}"
    )
    return np.interp(np.arange(len(values)), known, values[known], period=len(values))
