"""Arrivals at moments that are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dcsim.workload.block import CHUNK, FloatArray, cut


def draw(times_s: Sequence[float], every_s: float | None, duration_s: float) -> Iterator[FloatArray]:
    """Chunks of the given moments in [0, duration_s), s; with `every_s`, also of their copies every so many
    seconds.

    All moments must lie in [0, every_s) then: copies would overtake each other otherwise.
    """
    times = np.sort(np.asarray(times_s, dtype=np.float64))
    if every_s is None:
        return cut((times[start : start + CHUNK] for start in range(0, len(times), CHUNK)), duration_s)
    return cut(_copies(times, every_s), duration_s)


def _copies(times: FloatArray, every_s: float) -> Iterator[FloatArray]:
    """Endless chunks of `times`, then `times` + every_s, and so on."""
    periods, first = max(1, CHUNK // len(times)), 0
    last = 0.0
    while True:
        starts = every_s * np.arange(first, first + periods)
        moments = np.add.outer(starts, times).ravel()
        np.maximum.accumulate(moments, out=moments)  # a sum may round past the next period's start
        moments = np.maximum(moments, last)
        first, last = first + periods, float(moments[-1])
        yield moments
