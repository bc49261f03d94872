"""Rows of a trace to columns of numbers, fast when all is well and exact about the first row that is not.

numpy's C reader takes the whole file; only when it or a bound refuses a value is the file read again, line by
line, to name the row and the column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
import numpy.typing as npt

from dcsim.errors import TraceError, nearest
from dcsim.workload.block import Block, FloatArray
from dcsim.workload.traces._text import opened

#: Most rows of a trace.
MAX_ROWS = 50_000_000

#: Largest time in a trace: 3,000 years.
MAX_S = 1e11

#: Most tokens of a request, as in a scenario.
MAX_TOKENS = 1e7

#: Most processors of a job.
MAX_PROCESSORS = 1e7

#: Largest job number that a float holds exactly.
MAX_ID = 2.0**53

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Column(Protocol):
    """What a column may hold."""

    @property
    def name(self) -> str:
        """as in the header"""

    @property
    def dtype(self) -> str:
        """numpy type that its cells are read as"""

    @property
    def wants(self) -> str:
        """what is allowed, in words"""

    def good(self, cells: npt.NDArray[Any], /) -> bool:
        """Whether all cells, as read, are allowed."""

    def accepts(self, cell: str, /) -> bool:
        """Whether the text of one cell is allowed."""


@dataclass(frozen=True)
class Number:
    """A number from `least` (or above it) to `most`."""

    name: str
    least: float = 0.0
    most: float = MAX_S
    above: bool = False
    """`least` itself is not allowed"""
    whole: bool = False
    dtype: str = "f8"

    @property
    def wants(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} {'above' if self.above else 'from'} {self.least:.17g} to {self.most:.17g}"

    def good(self, cells: FloatArray) -> bool:
        least = cells > self.least if self.above else cells >= self.least
        allowed = least & (cells <= self.most)  # NaN is neither
        if self.whole:
            allowed &= cells == np.floor(cells)
        return bool(allowed.all())

    def accepts(self, cell: str) -> bool:
        return _NUMBER.fullmatch(cell) is not None and self.good(np.array([float(cell)]))


@dataclass(frozen=True)
class Timestamp:
    """A date and time of day such as `2023-11-16 18:17:03.9799600`; `+00:00` may follow, no other zone."""

    name: str
    dtype: str = "S36"
    wants: str = "a time such as 2023-11-16 18:17:03.9799600, year 1700 to 2199"

    def good(self, cells: npt.NDArray[np.bytes_], /) -> bool:
        text = np.char.replace(cells, b"+00:00", b"").astype(self.dtype)
        places = text.view(np.uint8).reshape(len(text), -1)
        if not all(_PLACES[place][places[:, place]].all() for place in range(places.shape[1])):
            return False
        years = text.astype("S4").astype(np.int64)
        return bool(years.min() >= 1700 and years.max() < 2200) and not np.isnat(self.moments(cells)).any()

    def moments(self, cells: npt.NDArray[np.bytes_]) -> npt.NDArray[np.datetime64]:
        """Good cells as moments with a resolution of 1 ns; ValueError for a date that does not exist."""
        return np.char.replace(cells, b"+00:00", b"").astype("datetime64[ns]")

    def accepts(self, cell: str, /) -> bool:
        try:
            return len(cell) < 36 and self.good(np.array([cell.encode("ascii")], self.dtype))
        except ValueError:
            return False


def _allowed(characters: str) -> npt.NDArray[np.bool_]:
    """Which bytes are one of `characters`, shape (256,)."""
    return np.isin(np.arange(256), list(characters.encode()))


_DIGIT, _END = "0123456789", "\0"

#: Bytes allowed at each place of a timestamp without its zone: up to 9 decimals.
_PLACES = [
    *({"d": _allowed(_DIGIT), "_": _allowed(" T")}.get(c, _allowed(c)) for c in "dddd-dd-dd_dd:dd:dd"),
    _allowed("." + _END),
    *[_allowed(_DIGIT + _END)] * 9,
    *[_allowed(_END)] * 7,
]


@dataclass(frozen=True)
class Unread:
    """A column that is there but not used."""

    name: str
    dtype: str = "U1"
    wants: str = "anything"

    def good(self, _cells: npt.NDArray[Any], /) -> bool:
        return True

    def accepts(self, _cell: str, /) -> bool:
        return True


@dataclass(frozen=True)
class Layout:
    """How rows are written: what separates cells (None: blanks), what starts a comment, whether a header
    comes first.
    """

    delimiter: str | None = ","
    comment: str | None = None
    header: bool = True

    def rows(self, text: TextIO) -> Iterator[str]:
        """Lines with cells in them."""
        lines: Iterator[str] = filter(str.strip, text)
        if self.comment is not None:
            mark = self.comment
            lines = (line for line in lines if not line.lstrip().startswith(mark))
        if self.header:
            next(lines, None)
        return lines

    def cells(self, line: str) -> list[str]:
        """Cells of one line without blanks and quotes."""
        body = line.partition(self.comment)[0] if self.comment else line
        return [cell.strip().strip('"').strip() for cell in body.split(self.delimiter)]


def header(path: Path) -> list[str]:
    """Names in the first line that is not empty."""
    with opened(path) as text:
        line = next(filter(str.strip, text), None)
    if line is None:
        raise TraceError(f"{path}: the file is empty")
    return Layout().cells(line)


def choose(path: Path, names: Sequence[str], known: Iterable[Column], required: Iterable[str]) -> list[Column]:
    """Columns in the order of the header; TraceError for a name that is unknown, twice or missing."""
    by_name = {column.name: column for column in known}
    for name in names:
        if name not in by_name:
            raise TraceError(f"{path}, header: unknown column {name[:60]!r}{nearest(name[:60], by_name)}")
        if names.count(name) > 1:
            raise TraceError(f"{path}, header: column '{name}' is there twice")
    for name in required:
        if name not in names:
            raise TraceError(f"{path}, header: no column '{name}'; found: {', '.join(names)}")
    return [by_name[name] for name in names]


def read(path: Path, columns: Sequence[Column], layout: Layout) -> dict[str, npt.NDArray[Any]]:
    """Cells by column name, each of shape (rows,), rows >= 1; TraceError names the first bad row."""
    dtype = np.dtype([(column.name, column.dtype) for column in columns])
    table, refusal = None, ""
    with opened(path) as text:
        rows = layout.rows(text)
        first = next(rows, None)
        if first is None:
            raise TraceError(f"{path}: no rows")
        try:
            table = np.loadtxt(
                islice(chain([first], rows), MAX_ROWS + 1),
                dtype,
                comments=layout.comment,
                delimiter=layout.delimiter,
                ndmin=1,
                quotechar='"',
                encoding=None,
            )
            good = all(column.good(table[column.name]) for column in columns)
        except UnicodeDecodeError:
            raise
        except (ValueError, OverflowError) as error:
            good, refusal = False, str(error)
    if table is None or not good:
        raise _first_bad(path, columns, layout, refusal)
    if len(table) > MAX_ROWS:
        raise TraceError(f"{path}: more than {MAX_ROWS} rows; at most that many are read")
    return {column.name: table[column.name] for column in columns}


def _first_bad(path: Path, columns: Sequence[Column], layout: Layout, refusal: str) -> TraceError:
    """What to say about the first row that is not allowed."""
    skip = layout.header
    with opened(path) as text:
        for number, line in enumerate(text, start=1):
            comment = layout.comment is not None and line.lstrip().startswith(layout.comment)
            if comment or not line.strip():
                continue
            if skip:
                skip = False
                continue
            row, cells = f"{path}, row {number}", layout.cells(line)
            if len(cells) != len(columns):
                return TraceError(f"{row}: found {len(cells)} columns, want {len(columns)}")
            for column, cell in zip(columns, cells, strict=True):
                if not column.accepts(cell):
                    found = repr(cell[:60]) if cell else "nothing"
                    return TraceError(f"{row}, column '{column.name}': found {found}, want {column.wants}")
    return TraceError(f"{path}: not a table of {len(columns)} columns ({refusal[:200]})")


# ---------------------------------------------------------------- rows to jobs


def by_arrival(
    arrival_s: FloatArray, columns: dict[str, FloatArray], order: npt.NDArray[np.intp], dropped: dict[str, int]
) -> Block:
    """Block of the rows in `order` (which may leave some out)."""
    columns = {key: values[order] for key, values in columns.items()}
    return Block(arrival_s[order], columns, dropped={reason: count for reason, count in dropped.items() if count})
