"""Arrivals at equal distances, such as the frames of a camera."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dcsim.workload.arrivals.theory import Theory
from dcsim.workload.block import CHUNK, FloatArray, cut


def draw(
    rate_hz: float, phase_s: float, jitter_s: float, duration_s: float, generator: np.random.Generator
) -> Iterator[FloatArray]:
    """Chunks of the moments phase + k / rate + a uniform number in [0, jitter), k >= 0, before duration_s.

    The jitter is at most the period, so nothing overtakes.
    """
    return cut(_moments(rate_hz, phase_s, jitter_s, generator), duration_s)


def _moments(rate_hz: float, phase_s: float, jitter_s: float, generator: np.random.Generator) -> Iterator[FloatArray]:
    first, last = 0, 0.0
    while True:
        moments = np.arange(first, first + CHUNK) / rate_hz + phase_s
        if jitter_s:
            moments += jitter_s * generator.random(CHUNK)
            moments = np.maximum(np.maximum.accumulate(moments), last)  # a sum may round past the next
        first, last = first + CHUNK, float(moments[-1])
        yield moments


def theory(rate_hz: float, jitter_s: float) -> Theory:
    """Var of a gap = jitter^2 / 6; the jitter that lengthens one gap shortens the next: correlation -1/2.

    Counts in long windows do not vary with their length: the dispersion goes to 0.
    """
    cv = jitter_s * rate_hz / math.sqrt(6.0)
    return Theory(rate_hz, cv, -0.5 if jitter_s else None, lambda window_s: 0.0 if math.isinf(window_s) else None)
