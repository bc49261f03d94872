"""Hawkes process with an exponential kernel: every arrival makes further ones more likely for a while.

Drawn by clusters (Hawkes and Oakes, J. Appl. Prob. 11, 1974): immigrants of a Poisson process of rate m have children
in a Poisson number of mean n (the branching ratio), each after an exponential time of rate b; children have children
likewise. Mean rate m / (1 - n). It starts in its steady state up to exp(-25): clusters that began up to
25 / (b (1 - n)) before 0 are drawn too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dcsim.workload.arrivals.ordered import in_order
from dcsim.workload.arrivals.theory import Theory
from dcsim.workload.block import CHUNK, FloatArray, cut

#: Memory times of the process that are drawn before time 0.
RUN_IN = 25.0


def run_in_s(branching: float, decay_s: float) -> float:
    """Time before 0 in which clusters are drawn, s."""
    return RUN_IN * decay_s / (1.0 - branching)


def draw(
    rate_hz: float, branching: float, decay_s: float, duration_s: float, generator: np.random.Generator
) -> Iterator[FloatArray]:
    """Chunks of the moments in [0, duration_s) of a process with mean rate `rate_hz`, s.

    `decay_s` = 1 / b is the mean time from an arrival to one that it causes.
    """
    start_s = -run_in_s(branching, decay_s)
    chunks = in_order(_clusters(rate_hz * (1.0 - branching), branching, decay_s, start_s, generator))
    return cut((moments[np.searchsorted(moments, 0.0) :] for moments in chunks), duration_s)


def _clusters(
    immigrants_hz: float, branching: float, decay_s: float, start_s: float, generator: np.random.Generator
) -> Iterator[tuple[FloatArray, float]]:
    """Whole clusters of a fixed number of immigrants, and the moment of the last of these."""
    count = max(1, round(CHUNK * (1.0 - branching)))
    while True:
        parents = start_s + np.cumsum(generator.standard_exponential(count)) / immigrants_hz
        start_s = float(parents[-1])
        generations = [parents]
        while len(parents):
            born = np.repeat(parents, generator.poisson(branching, len(parents)))
            parents = born + decay_s * generator.standard_exponential(len(born))
            generations.append(parents)
        yield np.concatenate(generations), start_s


def theory(rate_hz: float, branching: float, decay_s: float) -> Theory:
    """Dispersion from the covariance density of Hawkes (Biometrika 58, 1971); its limit is 1 / (1 - n)^2."""
    decay_hz = 1.0 / decay_s
    excite_hz, memory_hz = branching * decay_hz, (1.0 - branching) * decay_hz
    strength = excite_hz * (2.0 * decay_hz - excite_hz) / (2.0 * memory_hz)

    def dispersion(window_s: float) -> float:
        if math.isinf(window_s):
            return 1.0 / (1.0 - branching) ** 2
        settled = 1.0 + math.expm1(-memory_hz * window_s) / (memory_hz * window_s)
        return 1.0 + 2.0 * strength / memory_hz * settled

    poisson = branching == 0
    return Theory(rate_hz, 1.0 if poisson else None, 0.0 if poisson else None, dispersion)
