"""What every source of jobs yields: a block of arrivals with their columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: Most rows of a block that `workload.blocks` yields.
BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class Block:
    """n jobs in the order of their arrival."""

    arrival_s: FloatArray
    """moments of arrival, sorted, shape (n,), s"""
    columns: Mapping[str, FloatArray] = field(default_factory=dict)
    """those that the source has of input_tokens, output_tokens, run_s, processors, requested_s, trace_id,
    shape (n,)
    """
    dropped_rows: int = 0
    """rows of the trace that are no jobs of this run; the first block of a stream carries the count"""

    def __len__(self) -> int:
        return len(self.arrival_s)

    def pieces(self, rows: int) -> Iterator[Block]:
        """The same jobs in blocks of at most `rows`; the first carries `dropped_rows`."""
        for start in range(0, len(self), rows):
            part = slice(start, start + rows)
            columns = {key: values[part] for key, values in self.columns.items()}
            yield Block(self.arrival_s[part], columns, self.dropped_rows if start == 0 else 0)


def cut(chunks: Iterable[FloatArray], end_s: float) -> Iterator[FloatArray]:
    """Sorted chunks of moments up to the first that is not before `end_s`; empty chunks are left out."""
    for moments_s in chunks:
        count = int(np.searchsorted(moments_s, end_s, side="left"))
        if count:
            yield moments_s[:count]
        if count < len(moments_s):
            return
