"""The sum of many clients, each with its share of the load and its own burstiness.

ServeGen (Xiang et al., NSDI 2026) found that the load of a served model is a sum of few large and many small clients,
the ten largest of which carry 63 to 93 % of it, and that most clients' gaps follow a Gamma or Weibull law with a
coefficient of variation of their own. Client i draws from a random stream of its own, so that a further client changes
no other's numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.workload.arrivals.renewal import LAWS, LawName
from dcsim.workload.arrivals.theory import Theory
from dcsim.workload.block import CHUNK, FloatArray

_DRAWS = 256  # gaps of one client that are drawn at once
_LEAST_JOBS = 64  # jobs of a mean client in a window of time


@dataclass(frozen=True)
class Clients:
    """n clients."""

    share: FloatArray
    """of the load, sum 1, shape (n,)"""
    cv: FloatArray
    """coefficient of variation of the gaps, shape (n,)"""
    law: LawName


def zipf(count: int, exponent: float) -> FloatArray:
    """Shares of `count` clients in proportion to 1 / rank^exponent, sum 1."""
    weight = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    return np.asarray(weight / weight.sum())


def draw(
    clients: Clients, rate_hz: float, generator: np.random.Generator
) -> Iterator[tuple[FloatArray, npt.NDArray[np.intp]]]:
    """Endless chunks of sorted moments [s] and the clients that they belong to, of all clients together.

    A chunk holds all that arrives in one window of time; its length depends on rate and number of clients only.
    """
    own = [
        _Client(clients, number, rate_hz, random) for number, random in enumerate(generator.spawn(len(clients.share)))
    ]
    window_s = max(CHUNK, _LEAST_JOBS * len(own)) / rate_hz
    windows = 0
    while True:
        windows += 1
        found = [client.before(windows * window_s) for client in own]
        moments = np.concatenate(found)
        order = np.argsort(moments, kind="stable")
        yield moments[order], np.repeat(np.arange(len(own)), [len(each) for each in found])[order]


class _Client:
    """The moments of one client that have been drawn and not yet handed out."""

    def __init__(self, clients: Clients, number: int, rate_hz: float, generator: np.random.Generator) -> None:
        self._rate_hz = rate_hz * float(clients.share[number])
        self._chunks = LAWS[clients.law](float(clients.cv[number])).moments(generator, _DRAWS)
        self._drawn: list[FloatArray] = [next(self._chunks) / self._rate_hz]

    def before(self, end_s: float) -> FloatArray:
        """Its further moments before `end_s`."""
        while self._drawn[-1][-1] < end_s:
            self._drawn.append(next(self._chunks) / self._rate_hz)
        *whole, last = self._drawn
        count = int(np.searchsorted(last, end_s, side="left"))
        self._drawn = [last[count:]]
        return np.concatenate([*whole, last[:count]])


def theory(clients: Clients, rate_hz: float) -> Theory:
    """Independent clients add their variances: the dispersion tends to the mean of cv^2, weighted by share."""
    limit = float(clients.share @ clients.cv**2)
    return Theory(rate_hz, dispersion=lambda window_s: limit if math.isinf(window_s) else None)
