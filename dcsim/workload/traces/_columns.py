"""What the columns of a table may hold, and their cells as numbers, all rows at once.

A column takes cells as an Arrow array: text, as a CSV file has it, or one of the types of a Parquet file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Moments = npt.NDArray[np.int64]

#: Largest time in a trace: 3,000 years.
MAX_S = 1e11

#: Most tokens of a request, as in a scenario.
MAX_TOKENS = 1e7

#: Most processors of a job.
MAX_PROCESSORS = 1e7

#: Most bytes of memory of a job.
MAX_BYTES = 1e18

#: Largest job number that a float holds exactly.
MAX_ID = 2.0**53

#: Most characters of a name.
MAX_NAME_BYTES = 1000

#: Words for a value that is not there, in formats that know such.
MISSING = frozenset({"", "None", "none", "NA", "N/A", "NaN", "nan", "NaT", "null", "NULL", "Unknown", "unknown"})

#: The moment of a time that is missing.
NO_TIME = int(np.iinfo(np.int64).min)

#: Unix times from here on are milliseconds: as seconds they would lie after the year 5000.
_LEAST_MS = 1e11

#: Unix time of the year 2199, s.
_MOST_UNIX_S = 7.25e9

#: Characters of a moment with neither decimals nor a zone.
_UNZONED = len("2023-11-16 18:17:03")

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_DATE = (
    r"(?:1[7-9]|2[01])\d\d-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|[12]\d))"
)
_ZONE = r"(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)"
_MOMENT = rf"^{_DATE}[ T](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{{1,9}})?{_ZONE}?$"


class Cells(NamedTuple):
    """Cells of one column as numbers."""

    values: npt.NDArray[Any]
    """float64 with NaN, moments with NO_TIME, where a value is missing or bad; int32 for labels; shape (n,)"""
    bad: Mask
    """which cells are not allowed, shape (n,)"""


class Column(Protocol):
    """What a column may hold."""

    @property
    def name(self) -> str:
        """as in the header"""

    @property
    def wants(self) -> str:
        """what is allowed, in words"""

    def convert(self, cells: Any, names: dict[str, int], /) -> Cells:
        """Numbers of an Arrow array. `names`, name -> number, is what a column of labels has met and adds to."""


@dataclass(frozen=True)
class Number:
    """A number from `least` (or above it) to `most`."""

    name: str
    least: float = 0.0
    most: float = MAX_S
    above: bool = False
    """`least` itself is not allowed"""
    whole: bool = False
    missing: frozenset[str] = frozenset()
    """words that stand for no value, which gives NaN"""

    @property
    def wants(self) -> str:
        """What is allowed, in words."""
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} {'above' if self.above else 'from'} {self.least:.17g} to {self.most:.17g}"

    def convert(self, cells: Any, _names: dict[str, int], /) -> Cells:
        """Numbers, NaN where they are missing."""
        values, absent = numbers(cells, self.missing)
        allowed = (values > self.least if self.above else values >= self.least) & (values <= self.most)
        if self.whole:
            allowed &= values == np.floor(values)
        return Cells(np.where(allowed, values, np.nan), ~(allowed | absent))


@dataclass(frozen=True)
class Moment:
    """A moment: `2023-11-16 18:17:03.9799600`, up to 9 decimals, with a zone (Z, +08:00, +0800) or without one.

    A time without a zone is one of `timezone`; None refuses it. Where clocks are put back, a time that comes twice is
    the first of the two; where they are put forward, a time that never comes is the moment of the change.
    """

    name: str
    timezone: str | None = "UTC"
    unix: bool = False
    """whether Unix times are allowed too: seconds, or milliseconds from 1e11 on"""
    missing: frozenset[str] = frozenset()

    @property
    def wants(self) -> str:
        """What is allowed, in words."""
        zone = "" if self.timezone else " with a zone such as Z or +08:00, or the option timezone, such as UTC"
        unix = ", or Unix seconds or milliseconds" if self.unix else ""
        return f"a time such as 2023-11-16 18:17:03.9799600{zone}, year 1700 to 2199{unix}"

    def convert(self, cells: Any, _names: dict[str, int], /) -> Cells:
        """Nanoseconds since 1970 in UTC, NO_TIME where there is none."""
        import pyarrow as pa

        if pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type):
            return self._of_type(cells)
        if not pa.types.is_string(cells.type):
            return self._of_unix(*numbers(cells, self.missing))
        return self._of_text(cells)

    def _of_text(self, cells: Any) -> Cells:
        import pyarrow.compute as pc

        text, good = cells, _well_formed(cells)
        absent = np.zeros(len(text), np.bool_)
        if not good.all():
            text = pc.utf8_trim_whitespace(cells)
            good, absent = _well_formed(text), _is_in(text, self.missing)
        zoned = good & _zoned(text)
        local = good & ~zoned
        values = np.full(len(text), NO_TIME, np.int64)
        bad = ~good & ~absent
        values[zoned] = _parsed(text, zoned, "UTC")
        if self.timezone is None:
            bad |= local
        else:
            values[local] = to_utc(_parsed(text, local, None), self.timezone)
        if self.unix and bad.any():
            unix = self._of_unix(*numbers(text.filter(_to_arrow(bad)), frozenset()))
            values[bad], bad[bad] = unix.values, unix.bad
        return Cells(values, bad)

    def _of_unix(self, values: npt.NDArray[np.float64], absent: Mask) -> Cells:
        seconds = (values >= 0.0) & (values < _MOST_UNIX_S)
        good = self.unix & (seconds | ((values >= _LEAST_MS) & (values < _MOST_UNIX_S * 1e3)))
        scale = np.where(seconds, 10**9, 10**6)
        usable = np.where(good, values, 0.0)
        whole = np.floor(usable)
        moments = whole.astype(np.int64) * scale + np.rint((usable - whole) * scale).astype(np.int64)
        return Cells(np.where(good, moments, NO_TIME), ~(good | absent))

    def _of_type(self, cells: Any) -> Cells:
        import pyarrow as pa
        import pyarrow.compute as pc

        zone = getattr(cells.type, "tz", None)
        absent = _to_numpy(pc.is_null(cells))
        try:
            moments = _to_numpy(pc.fill_null(cells.cast(pa.timestamp("ns", zone)).cast(pa.int64()), 0))
        except pa.ArrowInvalid:  # years that nanoseconds do not reach
            return Cells(np.full(len(cells), NO_TIME, np.int64), np.ones(len(cells), np.bool_))
        bad = absent & (not self.missing)
        if zone is None and self.timezone is None:
            bad = bad | ~absent
        elif zone is None:
            moments = to_utc(moments, str(self.timezone))
        return Cells(np.where(absent | bad, NO_TIME, moments), bad)


@dataclass(frozen=True)
class Label:
    """A name; a cell without text is the name ''."""

    name: str
    allowed: frozenset[str] = frozenset()
    """names that may stand there; empty for any"""
    missing: frozenset[str] = frozenset()
    """words that stand for no name, which gives ''"""

    @property
    def wants(self) -> str:
        """What is allowed, in words."""
        return (
            f"one of {', '.join(sorted(self.allowed))}"
            if self.allowed
            else f"a name of at most {MAX_NAME_BYTES} characters"
        )

    def convert(self, cells: Any, names: dict[str, int], /) -> Cells:
        """Numbers of names."""
        words, places = distinct(cells)
        codes = np.array([names[word] if word in names else self._number(word, names) for word in words], np.int32)
        return Cells(codes[places], codes[places] < 0)

    def _number(self, word: str, names: dict[str, int]) -> int:
        """Number of a word that may have blanks around it, or -1 for one that is not allowed."""
        name = word.strip()
        if name in self.missing:
            name = ""
        if len(name) > MAX_NAME_BYTES or (self.allowed and name not in self.allowed):
            return -1
        return names.setdefault(name, len(names))


@dataclass(frozen=True)
class Identifier:
    """The number in an identifier, such as 12 of `pod-0012`, as text; NaN for one without, or one too long."""

    name: str
    pattern: str = r"^[^0-9]*(?P<number>\d{1,15})$"
    """expression with a group `number`"""
    wants: str = "anything"

    def convert(self, cells: Any, _names: dict[str, int], /) -> Cells:
        """Numbers of identifiers; none is refused."""
        import pyarrow as pa
        import pyarrow.compute as pc

        values = np.full(len(cells), np.nan)
        found = pc.struct_field(pc.extract_regex(pc.utf8_trim_whitespace(cells), self.pattern), "number")
        known = _to_numpy(pc.is_valid(found))
        values[known] = _to_numpy(pc.cast(found.filter(_to_arrow(known)), pa.float64()))
        return Cells(values, np.zeros(len(cells), np.bool_))


def distinct(cells: Any) -> tuple[list[str], npt.NDArray[np.intp]]:
    """The different texts of an Arrow array, '' for null, and for each cell the number of its text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        encoded = pc.fill_null(cells.cast(pa.string()), "").dictionary_encode()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return ["?" * (MAX_NAME_BYTES + 1)], np.zeros(len(cells), np.intp)  # no text: every cell is refused
    return encoded.dictionary.to_pylist(), _to_numpy(encoded.indices).astype(np.intp)


def numbers(cells: Any, missing: frozenset[str]) -> tuple[npt.NDArray[np.float64], Mask]:
    """Cells as numbers, NaN where there is none, and which of them are missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(cells.type):
        absent = _to_numpy(pc.is_null(cells, nan_is_null=pa.types.is_floating(cells.type))) & bool(missing)
        try:
            return _to_numpy(pc.fill_null(cells.cast(pa.float64(), safe=False), np.nan)), absent
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return np.full(len(cells), np.nan), absent
    try:
        values = _to_numpy(pc.cast(cells, pa.float64()))
    except pa.ArrowInvalid:
        return _mixed_numbers(pc.utf8_trim_whitespace(cells), missing)
    return (values, np.zeros(len(values), np.bool_)) if not np.isnan(values).any() else _mixed_numbers(cells, missing)


def to_utc(local: Moments, timezone: str) -> Moments:
    """Moments of the clock of a zone that exists, as of `Moment`, in UTC."""
    if timezone == "UTC" or not len(local):
        return local
    import pandas as pd

    times = pd.DatetimeIndex(local.view("datetime64[ns]"))
    first = np.ones(len(local), np.bool_)  # summer time, where both are possible
    zoned = times.tz_localize(timezone, ambiguous=first, nonexistent="shift_forward")
    return np.asarray(zoned.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]").view(np.int64))


def _mixed_numbers(text: Any, missing: frozenset[str]) -> tuple[npt.NDArray[np.float64], Mask]:
    """As `numbers`, of cells that are not all numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    absent = _is_in(text, missing)
    good = _matches(text, _NUMBER) & ~absent
    values = np.full(len(text), np.nan)
    values[good] = _to_numpy(pc.cast(pc.utf8_ltrim(text.filter(_to_arrow(good)), characters="+"), pa.float64()))
    return values, absent


def _well_formed(text: Any) -> Mask:
    """Which texts are a date that exists and a time of day."""
    import pyarrow as pa
    import pyarrow.compute as pc

    good = _matches(text, _MOMENT)
    leap = good & _to_numpy(pc.match_substring(text, "-02-29"))
    if leap.any():
        year = _to_numpy(pc.cast(pc.utf8_slice_codeunits(text.filter(_to_arrow(leap)), 0, 4), pa.int64()))
        good[leap] = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return good


def _zoned(text: Any) -> Mask:
    """Which of the texts, where they are well formed, end with a zone."""
    import pyarrow.compute as pc

    if (pc.max(pc.binary_length(text)).as_py() or 0) <= _UNZONED:
        return np.zeros(len(text), np.bool_)
    east = pc.or_(pc.match_substring(text, "Z"), pc.match_substring(text, "+"))
    return _to_numpy(pc.or_(east, pc.greater(pc.count_substring(text, "-"), 2)))


def _parsed(text: Any, which: Mask, zone: str | None) -> Moments:
    import pyarrow as pa
    import pyarrow.compute as pc

    chosen = text if which.all() else text.filter(_to_arrow(which))
    return np.asarray(_to_numpy(pc.cast(chosen, pa.timestamp("ns", zone)).cast(pa.int64())))


def _matches(text: Any, pattern: str) -> Mask:
    import pyarrow.compute as pc

    return _to_numpy(pc.match_substring_regex(text, pattern))


def _is_in(text: Any, words: frozenset[str]) -> Mask:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not words:
        return np.zeros(len(text), np.bool_)
    return _to_numpy(pc.is_in(text, value_set=pa.array(sorted(words), pa.string())))


def _to_numpy(array: Any) -> npt.NDArray[Any]:
    return np.array(array.to_numpy(zero_copy_only=False))


def _to_arrow(mask: Mask) -> Any:
    import pyarrow as pa

    return pa.array(mask)
