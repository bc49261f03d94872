"""A rate that is constant in every interval of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.workload.block import FloatArray


@dataclass(frozen=True)
class Steps:
    """Periodic factor on a mean rate: constant in each of K equal intervals, so their means are kept exactly."""

    edges_s: FloatArray
    """borders of the intervals, shape (K + 1,)"""
    factors: FloatArray
    """factor in every interval, mean 1, shape (K,)"""
    integral_s: FloatArray
    """integral of the factor from 0 to every border, shape (K + 1,)"""

    @staticmethod
    def of(factors: Sequence[float] | FloatArray, interval_s: float) -> Steps:
        """Steps from the factors of K >= 1 intervals, scaled to mean 1.

        Raises ValueError when a factor is negative or not finite, or all are 0.
        """
        given = np.asarray(factors, dtype=np.float64)
        if given.ndim != 1 or not len(given) or not np.isfinite(given).all() or (given < 0).any():
            raise ValueError("want a list of rates that are 0 or more")
        if not (mean := float(given.mean())) > 0:
            raise ValueError("all rates are 0; want at least one above 0")
        scaled = given / mean
        edges = np.arange(len(given) + 1, dtype=np.float64) * interval_s
        integral = np.concatenate([[0.0], np.cumsum(scaled * interval_s)])
        return Steps(edges, scaled, integral * (edges[-1] / integral[-1]))

    @property
    def period_s(self) -> float:
        """Length of the table, s."""
        return float(self.edges_s[-1])

    def factor(self, time_s: FloatArray) -> FloatArray:
        """Factor on the mean rate at each moment."""
        rest = np.mod(time_s, self.period_s)
        k = np.clip(np.searchsorted(self.edges_s, rest, side="right") - 1, 0, len(self.factors) - 1)
        return self.factors[k]

    def integral(self, time_s: FloatArray) -> FloatArray:
        """Integral of the factor from 0 to each moment, s."""
        periods, rest = np.divmod(time_s, self.period_s)
        return np.asarray(periods * self.period_s + np.interp(rest, self.edges_s, self.integral_s))

    def inverse(self, integral_s: FloatArray) -> FloatArray:
        """Moments at which the integral reaches sorted values."""
        periods, rest = np.divmod(integral_s, self.period_s)
        inside = np.interp(rest, self.integral_s, self.edges_s)
        moments: FloatArray = np.maximum.accumulate(periods * self.period_s + inside)
        return moments
