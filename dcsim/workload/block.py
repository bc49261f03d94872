"""What every source of jobs yields: a block of arrivals with their columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from dcsim.workload.usage import Usage

FloatArray = npt.NDArray[np.float64]

#: Draws per chunk of arrivals. A part of the definition of the moments: sums are rounded chunk by chunk.
CHUNK = 65_536

#: Most rows of a block that `workload.blocks` yields.
BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class Block:
    """n jobs in the order of their arrival."""

    arrival_s: FloatArray
    """moments of arrival, sorted, shape (n,), s"""
    columns: Mapping[str, FloatArray] = field(default_factory=dict)
    """those of `dcsim.workload.columns.COLUMNS` that the source has, shape (n,)"""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """column of kind label -> names; the column holds their numbers, from 0"""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """reason -> rows of the trace that are no jobs of this run; the first block of a stream carries them"""
    usage: Usage | None = None
    """what the jobs ask for over time, where the source knows it"""
    told: tuple[str, ...] = ()
    """the first of the bad rows among those dropped: row, column, what was found and what is allowed"""

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def dropped_rows(self) -> int:
        """Rows of the trace that are no jobs of this run."""
        return sum(self.dropped.values())

    def take(self, rows: slice | npt.NDArray[np.intp]) -> Block:
        """The jobs in `rows`, which must keep them sorted; nothing counts as dropped."""
        columns = {key: values[rows] for key, values in self.columns.items()}
        usage = None if self.usage is None else self.usage.take(rows)
        return replace(self, arrival_s=self.arrival_s[rows], columns=columns, dropped={}, told=(), usage=usage)

    def pieces(self, rows: int) -> Iterator[Block]:
        """The same jobs in blocks of at most `rows`; the first carries `dropped` and `told`."""
        for start in range(0, len(self), rows):
            piece = self.take(slice(start, start + rows))
            yield piece if start else replace(piece, dropped=self.dropped, told=self.told)


def cut(chunks: Iterable[FloatArray], end_s: float) -> Iterator[FloatArray]:
    """Sorted chunks of moments up to the first that is not before `end_s`; empty chunks are left out."""
    for moments_s in chunks:
        count = int(np.searchsorted(moments_s, end_s, side="left"))
        if count:
            yield moments_s[:count]
        if count < len(moments_s):
            return
