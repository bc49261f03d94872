"""Rows of a table to the jobs of a block, by the rules of a format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.errors import TraceError
from dcsim.workload.block import Block, FloatArray
from dcsim.workload.traces import _table
from dcsim.workload.traces._columns import NO_TIME, Column, Label, Mask, Moments
from dcsim.workload.traces._lines import Layout
from dcsim.workload.traces._reading import Reading, Rows
from dcsim.workload.traces._tables import Machine, Machines

Codes = npt.NDArray[np.int32]


@dataclass
class Kept:
    """Which rows of a table become jobs, and what these have."""

    rows: Rows
    table: _table.Table
    which: Mask = field(init=False)
    """shape (n,)"""
    columns: dict[str, FloatArray] = field(default_factory=dict)
    """by name of `dcsim.workload.columns`, each of shape (n,)"""
    labels: dict[str, tuple[Codes, list[str]]] = field(default_factory=dict)
    """numbers and names by name of `dcsim.workload.columns`"""

    def __post_init__(self) -> None:
        self.which = np.ones(len(self.table), np.bool_)

    def leave_out(self, which: Mask, reason: str) -> None:
        """Rows that are no jobs by a rule of the format."""
        self.rows.leave_out(int((which & self.which).sum()), reason)
        self.which &= ~which

    def bad(self, which: Mask, column: str, values: FloatArray, wants: str) -> None:
        """Rows that break the format by what several of their cells, together `values`, say. Raises TraceError."""
        for row in np.flatnonzero(which & self.which).tolist():
            self.rows.bad(int(self.table.lines[row]), column, f"{values[row]:.15g}", wants)
        self.which &= ~which

    def label(self, name: str, column: str) -> None:
        """The labels `name` from the file's `column`, where the file has it."""
        if column in self.table.names:
            self.labels[name] = (self.table[column].astype(np.int32), [*self.table.names[column]])

    def block(self, arrival_s: FloatArray, then_by: FloatArray | None = None) -> Block:
        """Sorted by arrival, `then_by` and place in the file. Raises TraceError when no row is a job."""
        rows = np.flatnonzero(self.which)
        if not len(rows):
            why = "; ".join(f"{reason}: {count}" for reason, count in sorted(self.rows.dropped.items()))
            raise TraceError(f"{self.rows.path}: no row is a job ({why})")
        order = _order(arrival_s, then_by, rows)
        columns = {name: np.asarray(values[order], np.float64) for name, values in self.columns.items()}
        names = {}
        for name, (codes, words) in self.labels.items():
            numbers, used = _used(codes[order], words)
            if used != ("",):
                columns[name], names[name] = numbers, used
        dropped, told = dict(self.rows.dropped), tuple(self.rows.told)
        return Block(np.asarray(arrival_s[order], np.float64), columns, names, dropped, told=told)


def _order(
    arrival_s: FloatArray, then_by: FloatArray | None, rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp] | slice:
    """`rows` in the order of their arrival; a file that is sorted is not sorted again."""
    keys = (arrival_s[rows],) if then_by is None else (then_by[rows], arrival_s[rows])
    if then_by is None and bool((keys[0][1:] >= keys[0][:-1]).all()):
        return slice(None) if len(rows) == len(arrival_s) else rows
    return rows[np.lexsort(keys)]


def load(
    path: Path,
    reading: Reading,
    columns: Sequence[Column],
    required: Iterable[str],
    *,
    not_read: Iterable[str] = (),
    others: bool = False,
    layout: Layout = _table.COMMA,
) -> Kept:
    """The rows of a file by those of `columns` that it has. Raises TraceError.

    `required` columns must be there, those `not_read` and, where allowed, `others` may be.
    """
    names = _table.header(path, layout)
    ignored = tuple(Label(name) for name in not_read)
    chosen = _table.choose(path, names, (*columns, *ignored), required, layout=layout, others=others)
    rows = Rows(path, reading)
    return Kept(rows, _table.read(rows, names, [column for column in chosen if column not in ignored], layout))


def _used(codes: Codes, words: list[str]) -> tuple[FloatArray, tuple[str, ...]]:
    """Numbers of the names that occur, sorted by name, and these names."""
    present = sorted({words[code] for code in np.unique(codes).tolist()})
    number = {word: place for place, word in enumerate(present)}
    return np.array([number.get(word, 0) for word in words], np.float64)[codes], tuple(present)


def since_first(moments: Moments, which: Mask) -> FloatArray:
    """Seconds since the earliest of the moments of the rows `which`; NaN where there is none."""
    known = moments != NO_TIME
    chosen = moments[which & known]
    first = int(chosen.min()) if len(chosen) else 0
    return np.asarray(np.where(known, (np.where(known, moments, first) - first) / 1e9, np.nan))


def between(start: Moments, end: Moments) -> FloatArray:
    """Seconds from one moment to the other, NaN where one is missing."""
    known = (start != NO_TIME) & (end != NO_TIME)
    return np.asarray(np.where(known, (np.where(known, end, 0) - np.where(known, start, 0)) / 1e9, np.nan))


def grouped(kept: Kept, cores: FloatArray, memory_bytes: FloatArray, devices: FloatArray, model: str) -> Machines:
    """Nodes, one per row, by kind, most first; the file's column `model` names their devices. Raises TraceError."""
    if not len(cores):
        raise TraceError(f"{kept.rows.path}: no row is a node")
    codes, names = kept.table[model], kept.table.names[model]
    rows = np.column_stack((cores, memory_bytes, devices, codes))
    kinds, count = np.unique(rows, axis=0, return_counts=True)
    found = [
        Machine(number, kind[0], kind[1], int(kind[2]), names[int(kind[3])] if kind[2] else "")
        for number, kind in zip(count.tolist(), kinds.tolist(), strict=True)
    ]
    found.sort(key=lambda kind: (-kind.nodes, kind.device_kind, kind.devices, kind.cores, kind.memory_bytes))
    return Machines(tuple(found), dict(kept.rows.dropped), tuple(kept.rows.told))
