"""Markov-modulated Poisson process: the rate is that of a state, and the state changes at random.

Fischer and Meier-Hellstern, The Markov-modulated Poisson process (MMPP) cookbook, Performance Evaluation 18, 1993.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.workload.arrivals.cox import Piece, along
from dcsim.workload.arrivals.theory import Theory
from dcsim.workload.block import FloatArray

_JUMPS = 8192


@dataclass(frozen=True)
class States:
    """k states, each with its arrival rate and its rates of change to the others."""

    rate_hz: FloatArray
    """arrival rate in each state, shape (k,), 1/s"""
    change_hz: FloatArray
    """rate of change from state i to j, diagonal 0, shape (k, k), 1/s"""

    @staticmethod
    def of(rate_hz: Sequence[float], change_hz: Sequence[Sequence[float]]) -> States:
        """States from a table of rates of change; what stands on its diagonal is not read.

        Raises ValueError unless the table is square, no rate is negative, one arrival rate is above 0 and every state
        can be reached from every other.
        """
        rates, change = np.asarray(rate_hz, np.float64), np.array(change_hz, np.float64, ndmin=2)
        if change.shape != (len(rates), len(rates)):
            raise ValueError(f"want a table of {len(rates)} rows and columns, one for each rate")
        np.fill_diagonal(change, 0.0)
        if (rates < 0).any() or (change < 0).any() or not (rates > 0).any():
            raise ValueError("want rates that are 0 or more, at least one arrival rate above 0")
        reach = (change > 0) | np.eye(len(rates), dtype=bool)
        for _ in range(len(rates)):
            reach = reach @ reach
        if not reach.all():
            raise ValueError("want rates of change by which every state can be reached from every other")
        return States(rates, change)

    @staticmethod
    def of_stays(rate_hz: Sequence[float], stay_s: Sequence[float]) -> States:
        """States from their mean stays; each of the others is equally likely to follow. Raises ValueError."""
        if len(stay_s) != len(rate_hz) or len(rate_hz) < 2:
            raise ValueError(f"found {len(stay_s)} stays of {len(rate_hz)} states, want one for each, two or more")
        leave = 1.0 / np.asarray(stay_s, np.float64) / (len(stay_s) - 1)
        return States.of(rate_hz, np.repeat(leave[:, None], len(stay_s), axis=1).tolist())

    @property
    def generator(self) -> FloatArray:
        """Generator matrix Q: rows sum to 0, shape (k, k), 1/s."""
        return np.asarray(self.change_hz - np.diag(self.change_hz.sum(axis=1)))

    @property
    def share(self) -> FloatArray:
        """Share of time in each state in the long run, pi Q = 0, shape (k,)."""
        k = len(self.rate_hz)
        equations = np.vstack([self.generator.T, np.ones(k)])
        found: FloatArray = np.linalg.lstsq(equations, np.append(np.zeros(k), 1.0), rcond=None)[0]
        return found

    @property
    def mean_hz(self) -> float:
        """Mean arrival rate, 1/s."""
        return float(self.share @ self.rate_hz)


def draw(states: States, duration_s: float, generator: np.random.Generator) -> Iterator[FloatArray]:
    """Chunks of the moments in [0, duration_s) of the process, started in its steady state, s."""
    of_states, of_arrivals = generator.spawn(2)
    return along(_path(states, of_states), duration_s, of_arrivals)


def _path(states: States, generator: np.random.Generator) -> Iterator[Piece]:
    leave_hz = states.change_hz.sum(axis=1)
    next_state = [row.tolist() for row in np.cumsum(states.change_hz / leave_hz[:, None], axis=1)]
    last = len(leave_hz) - 1
    state = min(bisect(np.cumsum(states.share).tolist(), generator.random()), last)
    while True:
        visited = []
        for number in generator.random(_JUMPS).tolist():
            visited.append(state)
            state = min(bisect(next_state[state], number), last)
        at = np.array(visited)
        yield Piece(generator.standard_exponential(_JUMPS) / leave_hz[at], states.rate_hz[at])


def theory(states: States) -> Theory:
    """Figures of the process as a Markovian arrival process with D0 = Q - diag(rates) and D1 = diag(rates)."""
    q, rates, share, mean_hz = states.generator, states.rate_hz, states.share, states.mean_hz
    ones = np.ones(len(rates))
    inverse = np.linalg.inv(np.diag(rates) - q)
    at_arrival = share * rates / mean_hz
    first = float(at_arrival @ inverse @ ones)
    second = 2.0 * float(at_arrival @ inverse @ inverse @ ones)
    product = float(at_arrival @ inverse @ (inverse * rates) @ inverse @ ones)
    variance = second - first**2
    return Theory(
        mean_hz,
        math.sqrt(variance) / first,
        (product - first**2) / variance,
        lambda window_s: _dispersion(states, window_s),
    )


def _dispersion(states: States, window_s: float) -> float:
    """1 + 2 pi R (D - D^2 (I - exp(Q w)) / w) R 1 / mean, with the deviation matrix D = (1 pi - Q)^-1 - 1 pi."""
    every = np.tile(states.share, (len(states.share), 1))
    deviation = np.linalg.inv(every - states.generator) - every
    kernel = deviation
    if not math.isinf(window_s):
        from scipy.linalg import expm

        decay = np.eye(len(every)) - expm(states.generator * window_s)
        kernel = deviation - deviation @ deviation @ decay / window_s
    weighted = states.share * states.rate_hz
    return float(1.0 + 2.0 * (weighted @ kernel @ states.rate_hz) / states.mean_hz)
