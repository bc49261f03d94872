"""Poisson arrivals: at a constant rate, and at one that varies in time.

Random arrivals come from one Poisson process of rate 1 whose moments v are stretched: t = v / rate for a
constant rate, and t = L^-1(v / rate) for a rate that follows a shape, where L is the integral of the
shape (time rescaling: Cinlar, Introduction to Stochastic Processes, 1975, section 4.7). It needs one
exponential number per job, rejects none, and streams that differ only in their rate share their randomness.
Chunks have a fixed number of draws, so the moments do not depend on how a caller cuts them into blocks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dcsim.workload.arrivals import shape as shapes
from dcsim.workload.arrivals.shape import Shape
from dcsim.workload.arrivals.theory import Theory
from dcsim.workload.block import CHUNK, FloatArray, cut


def draw(
    rate_hz: float, duration_s: float, generator: np.random.Generator, shape: Shape | None = None
) -> Iterator[FloatArray]:
    """Chunks of the moments in [0, duration_s) of a Poisson process, s; with a shape, of rate rate_hz * factor(t)."""
    moments = (chunk / rate_hz for chunk in unit_process(generator))
    return cut(moments if shape is None else map(shape.inverse, moments), duration_s)


def unit_process(generator: np.random.Generator) -> Iterator[FloatArray]:
    """Endless chunks of the moments of a Poisson process of rate 1."""
    last = 0.0
    while True:
        moments = generator.standard_exponential(CHUNK)
        np.cumsum(moments, out=moments)
        moments += last
        last = float(moments[-1])
        yield moments


def theory(rate_hz: float, shape: Shape | None = None) -> Theory:
    """At a constant rate, gaps are exponential and independent; a shape adds its swings to the counts."""
    if shape is None:
        return Theory(rate_hz, 1.0, 0.0, lambda _window_s: 1.0)
    return Theory(rate_hz, dispersion=shapes.dispersion(rate_hz, shape))
