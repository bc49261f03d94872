"""Self-similar arrivals: swings on every time scale, from sources that stay on for a Pareto time.

Sources come as a Poisson process, stay on for a time with P(T > x) = (x0 / x)^a, 1 < a < 2, and send Poisson arrivals
of one rate while on: the limit of many ON/OFF sources with Pareto ON times (Cox 1984; Willinger, Taqqu, Sherman and
Wilson, IEEE/ACM Trans. Networking 5, 1997; the Poisson Pareto burst process of Zukerman, Neame and Addie, INFOCOM
2003). The counts are long-range dependent with Hurst parameter H = (3 - a) / 2. The process starts in its steady state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dcsim.workload.arrivals.cox import Piece, along
from dcsim.workload.arrivals.theory import Theory
from dcsim.workload.block import FloatArray

_SOURCES = 8192


def tail(hurst: float) -> float:
    """Exponent a of the Pareto law for a Hurst parameter: 3 - 2 H."""
    return 3.0 - 2.0 * hurst


def draw(
    rate_hz: float, hurst: float, sources: float, on_s: float, duration_s: float, generator: np.random.Generator
) -> Iterator[FloatArray]:
    """Chunks of the moments in [0, duration_s) of a process with mean rate `rate_hz`, s.

    On average `sources` sources are on, each for `on_s`: the fewer there are, the stronger the swings.
    """
    of_sources, of_arrivals = generator.spawn(2)
    return along(_path(rate_hz / sources, tail(hurst), sources, on_s, of_sources), duration_s, of_arrivals)


def _path(each_hz: float, alpha: float, sources: float, on_s: float, generator: np.random.Generator) -> Iterator[Piece]:
    """The number of sources that are on, times the rate of each; a piece ends at the last start that is drawn."""
    least_s = on_s * (alpha - 1.0) / alpha
    ends_s = _rest_s(alpha, on_s, generator.random(generator.poisson(sources)))
    now_s, on = 0.0, len(ends_s)
    while True:
        starts_s = now_s + np.cumsum(generator.standard_exponential(_SOURCES)) * (on_s / sources)
        stays_s = least_s * (1.0 - generator.random(_SOURCES)) ** (-1.0 / alpha)
        ends_s = np.sort(np.concatenate([ends_s, starts_s + stays_s]))
        over = int(np.searchsorted(ends_s, starts_s[-1], side="left"))
        events_s = np.concatenate([starts_s, ends_s[:over]])
        order = np.argsort(events_s, kind="stable")
        change = np.concatenate([np.ones(_SOURCES), -np.ones(over)])[order]
        before = on + np.concatenate([[0.0], np.cumsum(change[:-1])])
        yield Piece(np.diff(events_s[order], prepend=now_s), each_hz * before)
        now_s, on = float(starts_s[-1]), on + _SOURCES - over
        ends_s = ends_s[over:]


def _rest_s(alpha: float, on_s: float, uniform: FloatArray) -> FloatArray:
    """Rest of the stays that a moment meets: density P(T > x) / E[T], by inversion."""
    least_s = on_s * (alpha - 1.0) / alpha
    with np.errstate(over="ignore"):  # near H = 1 a stay may outlast every run
        beyond = least_s * (alpha * (1.0 - uniform)) ** (-1.0 / (alpha - 1.0))
    return np.where(uniform < (alpha - 1.0) / alpha, uniform * on_s, beyond)


def theory(rate_hz: float, hurst: float, sources: float, on_s: float) -> Theory:
    """Dispersion over w: 1 + 2 rate / (sources w) times the integral of (w - u) G(u), with G the tail of the rest of a
    stay; it grows like w^(2 H - 1) without limit.
    """
    alpha = tail(hurst)
    least_s = on_s * (alpha - 1.0) / alpha

    def twice(window_s: float) -> float:
        """Integral of (w - u) G(u) from 0 to w: G is 1 - u / E[T] up to x0, then (x0 / u)^(a - 1) / a."""
        near = min(window_s, least_s)
        inside = window_s * near - (1.0 + window_s / on_s) * near**2 / 2 + near**3 / (3.0 * on_s)
        if window_s <= least_s:
            return inside
        first = (window_s ** (2.0 - alpha) - least_s ** (2.0 - alpha)) / (2.0 - alpha)
        second = (window_s ** (3.0 - alpha) - least_s ** (3.0 - alpha)) / (3.0 - alpha)
        return inside + float(least_s ** (alpha - 1.0) / alpha * (window_s * first - second))

    def dispersion(window_s: float) -> float:
        if math.isinf(window_s):
            return math.inf
        return 1.0 + 2.0 * rate_hz / sources / window_s * twice(window_s)

    return Theory(rate_hz, dispersion=dispersion)
