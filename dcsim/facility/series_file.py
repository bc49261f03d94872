"""Reads a signal over time from a file: CSV (plain or gzip) or Parquet, a moment and a value in every row."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dcsim.errors import ScenarioError, nearest
from dcsim.facility.arrays import FloatArray
from dcsim.facility.series import Gaps, Steps, stamped, utc

if TYPE_CHECKING:
    import pandas as pd

#: Most rows of a file, and most bytes of it unpacked: a minute's values of 19 years.
MAX_ROWS = 10_000_000
MAX_BYTES = 512 * 2**20

#: Largest magnitude of a value, before its unit is looked at.
MAX_VALUE = 1e6

_HOUR_S = 3600.0
_OFFSET = re.compile(r"UTC(?:([+-])(\d{1,2})(?::([0-5]\d))?)?")
_ZONED = re.compile(r"(?:[Zz]|[+-]\d\d:?\d\d|[+-]\d\d)$")


class Meaning(NamedTuple):
    """What the values of a signal are, and between which bounds they make sense."""

    unit: str
    """unit inside dcsim"""
    factors: Mapping[str, float]
    """unit of a file -> factor to the unit inside"""
    low: float
    high: float
    usual: tuple[float, float]
    """the median magnitude of a real signal lies here; outside, a file without a stated unit is refused"""


class Layout(NamedTuple):
    """Where the moments of a file are, how they are to be read, and what to do where some are missing."""

    time: str | None = None
    """column of the moments, by default the first"""
    clock: str = "UTC"
    """what moments without a zone of their own are: `UTC`, `UTC-05:00` (standard time, no summer time) or a zone with
    its summer time, `Europe/Berlin`"""
    gaps: Gaps = "refuse"


#: Moments in the first column, in UTC or with zones, none missing.
PLAIN = Layout()

CARBON = Meaning("g/kWh", {"g/kWh": 1.0, "kg/MWh": 1.0, "kg/kWh": 1e3}, 0.0, 3000.0, (1.0, 3000.0))
PRICE = Meaning("USD/kWh", {"USD/kWh": 1.0, "USD/MWh": 1e-3}, -25.0, 25.0, (0.0, 1.5))
WATER = Meaning("L/kWh", {"L/kWh": 1.0, "mL/kWh": 1e-3}, 0.0, 100.0, (0.0, 20.0))
IRRADIANCE = Meaning("W/m2", {"W/m2": 1.0, "kW/m2": 1e3}, 0.0, 1500.0, (0.0, 1500.0))
SHARE = Meaning("1", {"1": 1.0, "%": 0.01}, 0.0, 1.0, (0.0, 1.0))
ANY = Meaning("its own unit", {}, -MAX_VALUE, MAX_VALUE, (0.0, MAX_VALUE))


def read(
    path: Path,
    layout: Layout = PLAIN,
    *,
    column: str | None = None,
    unit: str | None = None,
    factor: float = 1.0,
    meaning: Meaning = ANY,
) -> Steps:
    """The signal in `path`, moments in seconds since 1970 (UTC), values in the unit of `meaning`.

    Moments carry a zone (`2022-01-01T00:00Z`, `... 00:00:00+01:00`) or are those of the layout's clock.

    Parameters:
        path: file
        layout: its moments and gaps
        column: that of the values, by default the only other one
        unit: unit of the file, by default that of `meaning`
        factor: every value is multiplied by it, such as the price of a euro in dollars
        meaning: bounds and units

    Raises ScenarioError that names the file, the row (the first one below the header is 1) and what is allowed.
    """
    table = opened(path)
    time, column = _columns(path, list(map(str, table.columns)), layout.time, column)
    found, where = _values(path, table[column], column), f"{path}, column '{column}'"
    values = found * _factor(where, unit, meaning) * factor
    _plausible(where, found, values, unit, meaning)
    return _steps(where, _moments(path, table[time], time, layout.clock), values, layout.gaps)


def read_rows(
    path: Path,
    layout: Layout,
    choose: Callable[[list[str]], Mapping[str, str]],
    combine: Callable[[Mapping[str, FloatArray]], FloatArray],
) -> Steps:
    """A signal that several columns of each row give together.

    Parameters:
        path: file
        layout: its moments and gaps
        choose: names of the columns beside the moments -> what each wanted one is called -> its column
        combine: values by what they are called, arrays of shape (rows,) -> values, NaN where a row gives none

    Raises ScenarioError as `read`.
    """
    table = opened(path)
    names = list(map(str, table.columns))
    time = _time(path, names, layout.time)
    try:
        chosen = choose([name for name in names if name != time])
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from None
    for name in chosen.values():
        if name not in names:
            raise ScenarioError(f"{path}: no column '{name}'{nearest(name, names)}")
    values = combine({what: _values(path, table[name], name) for what, name in chosen.items()})
    return _steps(str(path), _moments(path, table[time], time, layout.clock), values, layout.gaps)


def opened(path: Path) -> pd.DataFrame:
    """The table in `path`, cells of a CSV as text. ScenarioError when it is none, or too large."""
    table = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    if not 0 < len(table) <= MAX_ROWS:
        raise ScenarioError(f"{path}: found {len(table)} rows, want 1 to {MAX_ROWS:,}")
    return table


def _csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ScenarioError(f"{path}: more than {MAX_BYTES:,} bytes; at most that many are read")
        table: pd.DataFrame = pd.read_csv(io.BytesIO(data), dtype=str, skip_blank_lines=False, encoding="utf-8-sig")
        return table
    except (OSError, EOFError, ValueError, zlib.error) as error:  # a parser's error is a ValueError
        raise ScenarioError(f"{path}: not a CSV file that can be read ({' '.join(str(error).split())[:120]})") from None


def _parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise ScenarioError(f"{path}: found {file.metadata.num_rows:,} rows, want 1 to {MAX_ROWS:,}")
            table: pd.DataFrame = file.read().to_pandas(ignore_metadata=True)
            return table
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:
        shown = " ".join(str(error).split())[:120]
        raise ScenarioError(f"{path}: not a Parquet file that can be read ({shown})") from None


def _time(path: Path, names: list[str], time: str | None) -> str:
    if time is not None and time not in names:
        raise ScenarioError(f"{path}: no column '{time}'{nearest(time, names)}")
    return names[0] if time is None else time


def _columns(path: Path, names: list[str], time: str | None, column: str | None) -> tuple[str, str]:
    time = _time(path, names, time)
    if column is not None and column not in names:
        raise ScenarioError(f"{path}: no column '{column}'{nearest(column, names)}")
    others = [name for name in names if name != time]
    if column is None and len(others) != 1:
        raise ScenarioError(
            f"{path}: found {len(others)} columns beside '{time}', want `column` with the one that is meant: "
            f"{', '.join(others)[:200]}"
        )
    return time, others[0] if column is None else column


def _steps(where: str, moments_s: FloatArray, values: FloatArray, gaps: Gaps) -> Steps:
    try:
        return stamped(moments_s, values, gaps=gaps)
    except ValueError as error:
        hint = "; `gaps: interpolate` or `hold` fills them" if gaps == "refuse" and "missing" in str(error) else ""
        raise ScenarioError(f"{where}: {error}{hint}") from None


# ---------------------------------------------------------------- moments


def _moments(path: Path, cells: pd.Series, name: str, clock: str) -> FloatArray:
    """Seconds since 1970, UTC."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(cells):
        raise ScenarioError(f"{path}, column '{name}': found numbers, want moments such as 2022-01-01T00:00Z")
    stamps = cells.dtype.kind == "M"
    moments = pd.to_datetime(cells, utc=True, format=None if stamps else "ISO8601", errors="coerce")
    if moments.isna().any():
        row = int(np.argmax(moments.isna()))
        raise _bad_cell(path, cells, row, name, "one such as 2022-01-01T00:00Z")
    seconds = _seconds(moments)
    if clock == "UTC":
        return seconds
    bare = np.full(len(cells), cells.dt.tz is None) if stamps else ~cells.str.strip().str.contains(_ZONED).to_numpy()
    try:
        seconds[bare] = _from_clock(seconds[bare], clock)
    except _NoMoment as problem:
        row = int(np.flatnonzero(bare)[problem.row])
        raise _bad_cell(path, cells, row, name, f"a moment of {clock}: {problem.reason}") from None
    return seconds


def _seconds(moments: pd.Series | pd.DatetimeIndex) -> FloatArray:
    import pandas as pd

    return np.array((moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1), np.float64)


class _NoMoment(Exception):
    """A row whose local time is no moment, or two."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row, self.reason = row, reason


def _from_clock(local_s: FloatArray, clock: str) -> FloatArray:
    """Moments of the times that a clock on the wall shows, both in s since 1970.

    In the hour that a zone has twice, the first of two equal rows is summer time and the second standard time.
    """
    import pandas as pd

    offset_s = _offset_s(clock)
    if offset_s is not None:
        return local_s - offset_s
    shown = pd.to_datetime(pd.Series(local_s), unit="s").dt
    summer, standard = (
        shown.tz_localize(clock, ambiguous=np.full(len(local_s), flag), nonexistent="NaT") for flag in (True, False)
    )
    if summer.isna().any():
        reason = "it does not exist, clocks were put forward (`clock: UTC+01:00` for a file without summer time)"
        raise _NoMoment(int(np.argmax(summer.isna())), reason)
    first, second = _seconds(summer.dt.tz_convert("UTC")), _seconds(standard.dt.tz_convert("UTC"))
    twice = np.flatnonzero(first != second)
    same = local_s[twice]
    for row, moment in zip(twice.tolist(), same.tolist(), strict=True):
        rows = twice[same == moment]
        if len(rows) != 2:
            raise _NoMoment(row, f"it comes twice when clocks are put back, but {len(rows)} times in the file")
        first[rows[1]] = second[rows[1]]
    return first


def _offset_s(clock: str) -> float | None:
    """Seconds that a fixed clock (`UTC`, `UTC-05:00`) is ahead of UTC, None for a zone with rules of its own."""
    match = _OFFSET.fullmatch(clock)
    if match is None:
        from zoneinfo import ZoneInfo, available_timezones

        try:
            ZoneInfo(clock)
        except (KeyError, ValueError, OSError):
            hint = nearest(clock, sorted(available_timezones()))
            want = "want UTC, UTC-05:00 or a zone such as Europe/Berlin"
            raise ScenarioError(f"clock '{clock[:60]}' is none{hint}; {want}") from None
        return None
    sign, hours, minutes = match[1] or "+", int(match[2] or 0), int(match[3] or 0)
    if hours > 14:
        raise ScenarioError(f"clock '{clock}' is none; want UTC-14:00 to UTC+14:00")
    return (hours + minutes / 60) * _HOUR_S * (-1.0 if sign == "-" else 1.0)


# ---------------------------------------------------------------- values


def _values(path: Path, cells: pd.Series, name: str) -> FloatArray:
    """Numbers; NaN where a cell is empty."""
    import pandas as pd

    numbers = np.asarray(pd.to_numeric(cells, errors="coerce"), np.float64)
    bad = (np.isnan(numbers) & cells.notna().to_numpy()) | (np.abs(numbers) > MAX_VALUE)
    if bad.any():
        want = f"a number, -{MAX_VALUE:g} to {MAX_VALUE:g}"
        raise _bad_cell(path, cells, int(np.argmax(bad)), name, want)
    return numbers


def _factor(where: str, unit: str | None, meaning: Meaning) -> float:
    if unit is None:
        return 1.0
    if unit not in meaning.factors:
        raise ScenarioError(f"{where}: unit '{unit}' is none of {', '.join(meaning.factors)}")
    return meaning.factors[unit]


def _plausible(where: str, found: FloatArray, values: FloatArray, unit: str | None, meaning: Meaning) -> None:
    """Refuse values out of bounds, and a file whose magnitude speaks for another unit than the one assumed."""
    shown = unit or meaning.unit
    hint = f"; want `unit`: {', '.join(meaning.factors)}" if meaning.factors and unit is None else ""
    known = ~np.isnan(values)
    outside = known & ((values < meaning.low) | (values > meaning.high))
    if outside.any():
        row = int(np.argmax(outside))
        raise ScenarioError(
            f"{where}, row {row + 1}: found {found[row]:g} {shown}, want {meaning.low:g} to {meaning.high:g} "
            f"{meaning.unit}{hint if values[row] > 0 else ''}"
        )
    median = float(np.median(np.abs(values[known]))) if known.any() else 0.0
    if unit is None and not meaning.usual[0] <= median <= meaning.usual[1]:
        raise ScenarioError(f"{where}: half of the values are below {median:g}, odd for {shown}{hint}")


def _bad_cell(path: Path, cells: pd.Series, row: int, name: str, want: str) -> ScenarioError:
    found = repr(str(cells.iloc[row])[:60])
    return ScenarioError(f"{path}, row {row + 1}, column '{name}': found {found}, want {want}")


def coverage(steps: Steps) -> str:
    """From when to when a signal reaches, in words."""
    return f"from {utc(float(steps.start_s[0]))} to {utc(steps.end_s)}"
