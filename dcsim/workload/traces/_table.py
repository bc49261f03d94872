"""Rows of a trace to columns of numbers, part by part, exact about every row that is not allowed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcsim.errors import TraceError, nearest
from dcsim.workload.traces import _lines, _text
from dcsim.workload.traces._columns import Column, Label, Mask
from dcsim.workload.traces._lines import Layout
from dcsim.workload.traces._reading import Rows

#: Most rows of a trace: 4 GB for each wanted column, which all stay in memory.
MAX_ROWS = 500_000_000

#: Most names in one column of labels.
MAX_NAMES = 4_000_000

#: How most tables are written.
COMMA = Layout()

_DELIMITERS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'", " ": "blanks"}


@dataclass
class Table:
    """n rows of a file without bad ones."""

    lines: npt.NDArray[np.int64]
    """line of the file, from 1, that each row starts on, shape (n,)"""
    values: Mapping[str, npt.NDArray[Any]]
    """by column: numbers, moments in ns or numbers of labels, each of shape (n,)"""
    names: Mapping[str, Sequence[str]]
    """by column of labels: its names"""

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, column: str) -> bool:
        return column in self.values

    def __getitem__(self, column: str) -> npt.NDArray[Any]:
        return self.values[column]


@dataclass
class Gathering:
    """Columns of a table that grow part by part."""

    rows: Rows
    columns: Sequence[Column]
    _lines: list[npt.NDArray[np.int64]] = field(default_factory=list)
    _values: list[list[npt.NDArray[Any]]] = field(default_factory=list)
    _names: list[dict[str, int]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self._values = [[] for _ in self.columns]
        self._names = [{} for _ in self.columns]

    def add(self, arrays: Sequence[Any], lines: npt.NDArray[np.int64], troubles: Sequence[Trouble] = ()) -> None:
        """Rows whose cells are `arrays`, by column. `troubles` are further rows that are bad. Raises TraceError."""
        good = np.ones(len(lines), np.bool_)
        found = [*troubles]
        converted = []
        for column, cells, names in zip(self.columns, arrays, self._names, strict=True):
            values, bad = column.convert(cells, names)
            converted.append(values)
            new = np.flatnonzero(bad & good)
            found += [Trouble(int(lines[row]), column, cells, row) for row in new.tolist()]
            good &= ~bad
            if len(names) > MAX_NAMES:
                raise TraceError(f"{self.rows.path}, column '{column.name}': more than {MAX_NAMES} different names")
        for trouble in sorted(found, key=lambda each: each.line):
            trouble.tell(self.rows)
        for kept, values in zip(self._values, converted, strict=True):
            kept.append(values if good.all() else values[good])
        self._lines.append(lines[good])
        self._count += int(good.sum())
        if self._count > MAX_ROWS:
            why = "all are held in memory; cut the file into parts"
            raise TraceError(f"{self.rows.path}: more than {MAX_ROWS:,} rows: {why}")

    def table(self) -> Table:
        """All rows."""
        values = {column.name: _joined(parts) for column, parts in zip(self.columns, self._values, strict=True)}
        labels = {
            column.name: [*names]
            for column, names in zip(self.columns, self._names, strict=True)
            if isinstance(column, Label)
        }
        return Table(_joined(self._lines), values, labels)


@dataclass(frozen=True)
class Trouble:
    """A bad row: a cell of it, or, without a column, its shape."""

    line: int
    column: Column | None
    cells: Any = None
    row: int = 0
    found: str = ""
    wants: str = ""
    lines: int = 1
    """lines of the file that it takes with it"""

    def tell(self, rows: Rows) -> None:
        """Count it, and say what is wrong where that is still wanted. Raises TraceError where bad rows are refused."""
        if self.column is None:
            rows.bad(self.line, "", self.found, self.wants, quoted=False)
            rows.leave_out(self.lines - 1, "bad row")
        elif rows.tells_more:
            rows.bad(self.line, self.column.name, _shown(self.cells[self.row]), self.column.wants)
        else:
            rows.leave_out(1, f"bad {self.column.name}")


def _shown(cell: Any) -> str:
    """Text of an Arrow cell for a message."""
    try:
        value = cell.as_py()
    except (OverflowError, ValueError):
        return f"a {cell.type} beyond all years"
    return "" if value is None else str(value).strip()


def header(path: Path, layout: Layout = COMMA) -> list[str]:
    """Names in the first record, or, of a table without header, its first cells. Raises TraceError."""
    with _text.unpacked(path) as data:
        part = next((part for part in _lines.parts(data, layout, path, 2**16) if len(part)), None)
    if part is None:
        raise TraceError(f"{path}: the file is empty")
    if 0 in part.unsound:
        found, wants = part.unsound[0]
        raise TraceError(f"{path}, row {part.lines[0]}: found {found}, want {wants}")
    return [" ".join(name.splitlines()) for name in _lines.cells(part.record(0), layout)]


def choose(
    path: Path,
    names: Sequence[str],
    known: Iterable[Column],
    required: Iterable[str],
    *,
    layout: Layout = COMMA,
    others: bool = False,
) -> list[Column]:
    """Columns of the header that are known, in its order.

    TraceError for a name that is twice or missing, and, unless `others` are allowed, for one that is unknown.
    """
    by_name = {column.name: column for column in known}
    _check_delimiter(path, names, by_name, layout)
    for name in names:
        if name not in by_name and not others:
            raise TraceError(f"{path}, header: unknown column {name[:60]!r}{nearest(name[:60], by_name)}")
        if name in by_name and names.count(name) > 1:
            raise TraceError(f"{path}, header: column '{name}' is there twice")
    for name in required:
        if name not in names:
            raise TraceError(f"{path}, header: no column '{name}'; found: {few(names)}")
    return [by_name[name] for name in names if name in by_name]


def read(rows: Rows, names: Sequence[str], columns: Sequence[Column], layout: Layout = COMMA) -> Table:
    """The wanted `columns` of a file whose columns have these `names`. Raises TraceError."""
    gathering, total, first = Gathering(rows, columns), 0, layout.header
    with _text.unpacked(rows.path) as data:
        for part in _lines.parts(data, layout, rows.path):
            if not len(part):
                continue
            sound = part.cells == len(names)
            sound[list(part.unsound)] = False
            troubles = [_trouble(part, row, len(names)) for row in (np.flatnonzero(~sound[first:]) + first).tolist()]
            sound[0] &= not first
            total += len(part) - first
            first = False
            gathering.add(_parse(part, sound, names, columns, layout, rows.path), part.lines[sound], troubles)
    if not total:
        raise TraceError(f"{rows.path}: no rows")
    return gathering.table()


def _trouble(part: _lines.Part, row: int, width: int) -> Trouble:
    line = int(part.lines[row])
    if row in part.unsound:
        found, wants = part.unsound[row]
        lines = part.record(row).count(b"\n") + 1
        return Trouble(line, None, found=found, wants=wants, lines=lines)
    return Trouble(line, None, found=f"{part.cells[row]} columns", wants=str(width))


def _parse(
    part: _lines.Part, sound: Mask, names: Sequence[str], columns: Sequence[Column], layout: Layout, path: Path
) -> list[Any]:
    """Cells of sound rows as Arrow arrays of text, by column."""
    import pyarrow as pa
    from pyarrow import csv

    if not sound.any():
        return [pa.array([], pa.string()) for _ in columns]
    text = part.joined(sound)
    wanted = [str(names.index(column.name)) for column in columns]
    table = csv.read_csv(
        pa.BufferReader(text),
        csv.ReadOptions(column_names=[str(i) for i in range(len(names))], block_size=len(text) + 1),
        csv.ParseOptions(
            delimiter=layout.delimiter,
            quote_char='"' if part.quoted else False,
            newlines_in_values=part.quoted,
            ignore_empty_lines=False,
        ),
        csv.ConvertOptions(column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, check_utf8=False),
    )
    if table.num_rows != int(sound.sum()):
        raise TraceError(f"{path}, row {part.lines[0]} or later: the quotes do not match")
    return [table.column(name).combine_chunks() for name in wanted]


def _check_delimiter(path: Path, names: Sequence[str], known: Collection[str], layout: Layout) -> None:
    """TraceError when the header would be right with another delimiter."""
    line = layout.delimiter.join(names)
    if any(name in known for name in names):
        return
    for delimiter, words in _DELIMITERS.items():
        other = [cell.strip().strip('"') for cell in line.split(delimiter)]
        if delimiter != layout.delimiter and len(other) > 1 and any(name in known for name in other):
            want = _DELIMITERS[layout.delimiter]
            raise TraceError(f"{path}, header: found {words} between the columns, want {want}")


def few(names: Sequence[str]) -> str:
    """The first names in one line, for a message."""
    shown = ", ".join(" ".join(name[:60].split()) for name in names[:30])
    return shown + (", ..." if len(names) > 30 else "")


def _joined(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """One array; the parts are given up."""
    joined = np.concatenate(parts) if parts else np.empty(0)
    parts.clear()
    return joined
