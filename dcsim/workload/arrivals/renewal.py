"""Renewal arrivals: independent gaps of one law, more or less regular than those of a Poisson process.

The process starts in its steady state, so that the expected count of any window is rate times its length: the first
arrival comes after the rest of a gap that covers time 0. A gap is met in proportion to its length and its rest is
uniform in it (Cox, Renewal Theory, 1962, section 5.4); without this a law with a coefficient of variation c brings
(c^2 - 1) / 2 jobs too many. Gaps have mean 1 and are stretched like those of a Poisson process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dcsim.workload.arrivals.shape import Shape
from dcsim.workload.arrivals.theory import Theory
from dcsim.workload.block import CHUNK, FloatArray, cut

_Gaps = Callable[[np.random.Generator, int], FloatArray]


@dataclass(frozen=True)
class Law:
    """Law of gaps with mean 1."""

    gaps: _Gaps
    met: _Gaps
    """gaps as a moment in time meets them: in proportion to their length"""

    def moments(self, generator: np.random.Generator, chunk: int = CHUNK) -> Iterator[FloatArray]:
        """Endless chunks of the moments of a stationary renewal process of rate 1."""
        rest, last = float(self.met(generator, 1)[0] * generator.random()), 0.0
        while True:
            moments = self.gaps(generator, chunk)
            if not last:
                moments[0] = rest
            np.cumsum(moments, out=moments)
            moments += last
            last = float(moments[-1])
            yield moments


def gamma(cv: float) -> Law:
    """Gamma law: shape 1 / cv^2; exponential for cv 1."""
    shape = 1.0 / cv**2
    return Law(
        lambda generator, count: generator.standard_gamma(shape, count) / shape,
        lambda generator, count: generator.standard_gamma(shape + 1.0, count) / shape,
    )


def weibull(cv: float) -> Law:
    """Weibull law of the shape k for which Gamma(1 + 2/k) / Gamma(1 + 1/k)^2 = 1 + cv^2."""
    shape = weibull_shape(cv)
    scale = math.exp(-math.lgamma(1.0 + 1.0 / shape))
    return Law(
        lambda generator, count: scale * generator.standard_exponential(count) ** (1.0 / shape),
        lambda generator, count: scale * generator.standard_gamma(1.0 + 1.0 / shape, count) ** (1.0 / shape),
    )


def lognormal(cv: float) -> Law:
    """Lognormal law: sigma^2 = ln(1 + cv^2), median exp(-sigma^2 / 2)."""
    sigma2 = math.log1p(cv**2)
    sigma = math.sqrt(sigma2)
    return Law(
        lambda generator, count: np.exp(sigma * generator.standard_normal(count) - sigma2 / 2),
        lambda generator, count: np.exp(sigma * generator.standard_normal(count) + sigma2 / 2),
    )


LawName = Literal["gamma", "weibull", "lognormal"]
LAWS: dict[LawName, Callable[[float], Law]] = {"gamma": gamma, "weibull": weibull, "lognormal": lognormal}


def draw(
    law: Law, rate_hz: float, duration_s: float, generator: np.random.Generator, shape: Shape | None = None
) -> Iterator[FloatArray]:
    """Chunks of the moments in [0, duration_s) of a renewal process, s; with a shape, its rate is rate * factor(t)."""
    moments = (chunk / rate_hz for chunk in law.moments(generator))
    return cut(moments if shape is None else map(shape.inverse, moments), duration_s)


def theory(rate_hz: float, cv: float, shape: Shape | None = None) -> Theory:
    """Gaps are independent; the dispersion of counts tends to cv^2 (Cox and Lewis 1966, section 4.2)."""
    if shape is not None:
        return Theory(rate_hz, dispersion=lambda window_s: cv**2 if math.isinf(window_s) else None)
    exponential = cv == 1.0
    return Theory(rate_hz, cv, 0.0, lambda window_s: cv**2 if math.isinf(window_s) or exponential else None)


def weibull_shape(cv: float) -> float:
    """Shape of the Weibull law with this coefficient of variation, by bisection of its logarithm."""
    wanted, low, high = math.log1p(cv**2), math.log(0.02), math.log(1e4)
    for _ in range(100):
        middle = (low + high) / 2
        inverse = math.exp(-middle)
        if math.lgamma(1.0 + 2.0 * inverse) - 2.0 * math.lgamma(1.0 + inverse) > wanted:
            low = middle
        else:
            high = middle
    return math.exp(low)
