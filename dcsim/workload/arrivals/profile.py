"""A rate that repeats: by the hour of the day, say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.workload.block import FloatArray

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S


@dataclass(frozen=True)
class Profile:
    """Periodic factor on a mean rate: linear between the middles of equal intervals (24 hours of a day, say).

    The mean over a period is 1. The factor of an interval is its value in the middle; its mean over the
    interval is (before + 6 own + after) / 8, so a profile measured as interval means comes out slightly
    smoothed.
    """

    edges_s: FloatArray
    """start, middles of the K intervals, end of the period; shape (K + 2,)"""
    factors: FloatArray
    """factor at every edge, shape (K + 2,)"""
    integral_s: FloatArray
    """integral of the factor from 0 to every edge, shape (K + 2,); the last is the period"""

    @staticmethod
    def of(factors: Sequence[float] | FloatArray, period_s: float = DAY_S) -> Profile:
        """Profile from the factors of K >= 1 equal intervals, scaled to mean 1.

        Raises ValueError when a factor is negative or not finite, or all are 0.
        """
        middle = np.asarray(factors, dtype=np.float64)
        if not 0 < period_s < np.inf:
            raise ValueError(f"found a period of {period_s:g} s, want one above 0")
        if middle.ndim != 1 or not len(middle) or not np.isfinite(middle).all() or (middle < 0).any():
            raise ValueError("want a list of factors that are 0 or more")
        if not (mean := float(middle.mean())) > 0:
            raise ValueError("all factors are 0; want at least one above 0")
        width = period_s / len(middle)
        edges = np.concatenate([[0.0], (np.arange(len(middle)) + 0.5) * width, [period_s]])
        border = (middle[0] + middle[-1]) / 2
        nodes = np.concatenate([[border], middle, [border]]) / mean
        integral = np.concatenate([[0.0], np.cumsum(np.diff(edges) * (nodes[1:] + nodes[:-1]) / 2)])
        return Profile(edges, nodes, integral * (period_s / integral[-1]))

    @property
    def period_s(self) -> float:
        """Time after which the profile repeats, s."""
        return float(self.edges_s[-1])

    def factor(self, time_s: FloatArray) -> FloatArray:
        """Factor on the mean rate at each moment."""
        return np.interp(np.mod(time_s, self.period_s), self.edges_s, self.factors)

    def integral(self, time_s: FloatArray) -> FloatArray:
        """Integral of the factor from 0 to each moment, s: expected arrivals over the mean rate."""
        periods, rest = np.divmod(time_s, self.period_s)
        k = self._segment(self.edges_s, rest)
        x = rest - self.edges_s[k]
        return periods * self.period_s + self.integral_s[k] + x * (self.factors[k] + self._slope()[k] * x / 2)

    def inverse(self, integral_s: FloatArray) -> FloatArray:
        """Moments at which the integral reaches sorted values: roots of a x + b x^2 / 2 = d, by segment."""
        periods, rest = np.divmod(integral_s, self.period_s)
        k = self._segment(self.integral_s, rest)
        a, b, d = self.factors[k], self._slope()[k], rest - self.integral_s[k]
        root = a + np.sqrt(np.maximum(a * a + 2 * b * d, 0.0))
        x = np.divide(2 * d, root, out=np.zeros_like(d), where=root > 0)
        inside = np.minimum(self.edges_s[k] + x, self.edges_s[k + 1])
        moments: FloatArray = np.maximum.accumulate(periods * self.period_s + inside)
        return moments

    def _slope(self) -> FloatArray:
        slope: FloatArray = np.diff(self.factors) / np.diff(self.edges_s)
        return slope

    @staticmethod
    def _segment(nodes: FloatArray, values: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        return np.clip(np.searchsorted(nodes, values, side="right") - 1, 0, len(nodes) - 2)
