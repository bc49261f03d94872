"""What a rate that varies in time must tell: the interface of `Profile`, `Steps` and `Sinusoid`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from dcsim.workload.block import FloatArray

_PHASES = 4096


class Shape(Protocol):
    """Periodic factor on a mean rate; its mean over a period is 1."""

    @property
    def period_s(self) -> float:
        """Time after which it repeats, s."""

    def factor(self, time_s: FloatArray, /) -> FloatArray:
        """Factor on the mean rate at each moment."""

    def integral(self, time_s: FloatArray, /) -> FloatArray:
        """Integral of the factor from 0 to each moment, s: expected arrivals over the mean rate."""

    def inverse(self, integral_s: FloatArray, /) -> FloatArray:
        """Moments at which the integral reaches sorted values, sorted, s."""


def dispersion(rate_hz: float, shape: Shape) -> Callable[[float], float | None]:
    """Variance over mean of the counts in windows of w s of a Poisson process of rate_hz * shape.factor(t).

    Law of total variance over windows that start anywhere in the period: 1 + rate Var[L(t + w) - L(t)] / w. It is 1
    for whole periods and in the limit.
    """

    def over(window_s: float) -> float:
        if math.isinf(window_s):
            return 1.0
        start_s = shape.period_s * (np.arange(_PHASES) + 0.5) / _PHASES
        expected_s = shape.integral(start_s + window_s) - shape.integral(start_s)
        return float(1.0 + rate_hz * expected_s.var() / window_s)

    return over
