"""Jobs that a reader finds one by one, on their way to a block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.errors import TraceError
from dcsim.workload.block import Block, FloatArray
from dcsim.workload.traces._reading import Rows

#: Most jobs that are taken from a file record by record.
MAX_JOBS = 10_000_000

#: Longest name that is kept.
MAX_NAME_CHARS = 1000


class BadRecord(Exception):
    """A record breaks the format: its key, what was found, what is wanted."""

    def __init__(self, key: str, found: str, wants: str) -> None:
        super().__init__(key, found, wants)
        self.key, self.found, self.wants = key, found, wants


class Job(NamedTuple):
    """What one record gives."""

    arrival_s: float
    columns: dict[str, float | None]
    """a column that any job has no value for is left out of the block"""
    labels: dict[str, str]


class Jobs:
    """Jobs in the order of their file. Every one has the same columns and labels."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._arrival_s: list[float] = []
        self._columns: dict[str, list[float | None]] = {}
        self._labels: dict[str, list[int]] = {}
        self._names: dict[str, dict[str, int]] = {}

    def __len__(self) -> int:
        return len(self._arrival_s)

    def add(self, job: Job) -> None:
        """One more job. Raises TraceError when there are too many."""
        if len(self) >= MAX_JOBS:
            raise TraceError(f"{self._rows.path}: more than {MAX_JOBS} jobs; at most that many are read")
        self._arrival_s.append(job.arrival_s)
        for key, value in job.columns.items():
            self._columns.setdefault(key, []).append(value)
        for key, name in job.labels.items():
            names = self._names.setdefault(key, {})
            self._labels.setdefault(key, []).append(names.setdefault(name, len(names)))

    def moments(self) -> FloatArray:
        """Arrivals as they were added, shape (n,)."""
        return np.array(self._arrival_s, dtype=np.float64)

    def block(self, arrival_s: FloatArray) -> Block:
        """The jobs sorted by `arrival_s`, shape (n,), equal moments in the order of the file. Raises TraceError."""
        if not len(self):
            raise TraceError(f"{self._rows.path}: {none_left(self._rows)}")
        order = np.argsort(arrival_s, kind="stable")
        columns = {key: _taken(values, order) for key, values in self._columns.items() if None not in values}
        labels: dict[str, tuple[str, ...]] = {}
        for key, names in self._names.items():
            if set(names) != {""}:
                labels[key] = tuple(sorted(names))
                place = {name: float(number) for number, name in enumerate(labels[key])}
                columns[key] = np.array([place[name] for name in names])[_taken(self._labels[key], order).astype(int)]
        return Block(arrival_s[order], columns, labels, dict(self._rows.dropped), told=tuple(self._rows.told))


def none_left(rows: Rows) -> str:
    """What to say of a file without a job."""
    if not rows.dropped:
        return "no jobs"
    told = f" (first: {rows.told[0]})" if rows.told else ""
    return "no jobs; left out: " + ", ".join(f"{count} {why}" for why, count in rows.dropped.items()) + told


def a_name(value: object) -> str | None:
    """A name as a label may have it: text of bounded length that can be written as UTF-8; else None."""
    if not isinstance(value, str) or len(value) > MAX_NAME_CHARS:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value


def _taken(values: Sequence[float | None] | Sequence[int], order: npt.NDArray[np.intp]) -> FloatArray:
    return np.array(values, dtype=np.float64)[order]
