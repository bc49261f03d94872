"""Batches of moments that overlap in time to chunks in order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dcsim.workload.block import FloatArray


def in_order(batches: Iterator[tuple[FloatArray, float]]) -> Iterator[FloatArray]:
    """Sorted chunks of the moments of (moments, horizon) batches; no later batch has any before its horizon.

    What lies behind the horizon waits. A chunk may be empty.
    """
    waiting = np.empty(0)
    for moments_s, horizon_s in batches:
        waiting = np.concatenate([waiting, moments_s])
        waiting.sort()
        count = int(np.searchsorted(waiting, horizon_s, side="left"))
        yield waiting[:count]
        waiting = waiting[count:].copy()
