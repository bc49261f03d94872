"""Poisson arrivals: at a constant rate, and at one that follows a profile.

Random arrivals come from one Poisson process of rate 1 whose moments v are stretched: t = v / rate for a
constant rate, and t = L^-1(v / rate) for a rate that follows a profile, where L is the integral of the
profile (time rescaling: Cinlar, Introduction to Stochastic Processes, 1975, section 4.7). It needs one
exponential number per job, rejects none, and streams that differ only in their rate share their randomness.
Chunks have a fixed number of draws, so the moments do not depend on how a caller cuts them into blocks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dcsim.workload.arrivals.profile import Profile
from dcsim.workload.block import CHUNK, FloatArray, cut


def poisson(rate_hz: float, duration_s: float, generator: np.random.Generator) -> Iterator[FloatArray]:
    """Chunks of the moments in [0, duration_s) of a Poisson process, s."""
    return cut((moments / rate_hz for moments in _unit_process(generator)), duration_s)


def profiled(
    rate_hz: float, profile: Profile, duration_s: float, generator: np.random.Generator
) -> Iterator[FloatArray]:
    """Chunks of the moments in [0, duration_s) of a Poisson process of rate_hz * profile.factor(t), s."""
    return cut((profile.inverse(moments / rate_hz) for moments in _unit_process(generator)), duration_s)


def _unit_process(generator: np.random.Generator) -> Iterator[FloatArray]:
    """Endless chunks of the moments of a Poisson process of rate 1."""
    last = 0.0
    while True:
        moments = generator.standard_exponential(CHUNK)
        np.cumsum(moments, out=moments)
        moments += last
        last = float(moments[-1])
        yield moments
