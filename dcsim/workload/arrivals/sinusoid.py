"""A rate that swings like a sine."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dcsim.workload.arrivals.profile import DAY_S
from dcsim.workload.block import FloatArray

_NODES = 4096
_STEPS = 3


@dataclass(frozen=True)
class Sinusoid:
    """Factor 1 + a cos(2 pi (t - peak) / period) on a mean rate, 0 <= a <= 1."""

    amplitude: float
    peak_s: float
    """a moment at which the rate is highest, s"""
    period_s: float = DAY_S

    @property
    def _omega(self) -> float:
        return 2.0 * math.pi / self.period_s

    def factor(self, time_s: FloatArray) -> FloatArray:
        """Factor on the mean rate at each moment."""
        return 1.0 + self.amplitude * np.cos(self._omega * (time_s - self.peak_s))

    def integral(self, time_s: FloatArray) -> FloatArray:
        """Integral of the factor from 0 to each moment, s."""
        swing = self.amplitude / self._omega
        start = math.sin(-self._omega * self.peak_s)
        return np.asarray(time_s + swing * (np.sin(self._omega * (time_s - self.peak_s)) - start))

    def inverse(self, integral_s: FloatArray) -> FloatArray:
        """Moments at which the integral reaches sorted values: Newton's method from a table, kept in its bracket."""
        periods, rest = np.divmod(integral_s, self.period_s)
        nodes = np.linspace(0.0, self.period_s, _NODES + 1)
        reached = self.integral(nodes)
        reached[0], reached[-1] = 0.0, self.period_s
        k = np.clip(np.searchsorted(reached, rest, side="right") - 1, 0, _NODES - 1)
        low, high = nodes[k], nodes[k + 1]
        width = reached[k + 1] - reached[k]
        x = low + (high - low) * np.divide(rest - reached[k], width, out=np.zeros_like(rest), where=width > 0)
        for _ in range(_STEPS):
            slope = np.maximum(self.factor(x), 1e-9)
            x = np.clip(x - (self.integral(x) - rest) / slope, low, high)
        moments: FloatArray = np.maximum.accumulate(periods * self.period_s + x)
        return moments
