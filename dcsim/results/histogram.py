"""A weighted histogram with bins of equal ratio: percentiles of far more values than anyone would keep."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from math import exp, log

_LEAST = 1e-6
_MOST = 1e5
_WIDTH = log(1.01)  # of a bin, on a logarithmic scale
_BINS = int(log(_MOST / _LEAST) / _WIDTH) + 1
_EDGES = [_LEAST * exp(number * _WIDTH) for number in range(_BINS + 1)]


class Histogram:
    """Positive values from 1e-6 to 1e5, in bins 1 % wide: a percentile is off by half a percent at most.

    The mean is exact. Values outside count in the first or the last bin.
    """

    __slots__ = ("bins", "count", "total")

    def __init__(self) -> None:
        self.bins = array("d", bytes(8 * _BINS))
        self.count = 0.0
        """sum of the weights"""
        self.total = 0.0
        """sum of the values times their weights"""

    def add(self, value: float, weight: float) -> None:
        """Count `value` with `weight`."""
        place = int(log(value / _LEAST) / _WIDTH) if value > _LEAST else 0
        self.bins[place if place < _BINS else _BINS - 1] += weight
        self.count += weight
        self.total += value * weight

    def add_ramp(self, first: float, step: float, number: int, weight: float) -> None:
        """Count the `number` values first, first + step, first + 2 step, ... (step >= 0), each with `weight`."""
        last = first + step * (number - 1)
        self.count += number * weight
        self.total += 0.5 * (first + last) * number * weight
        here = int(log(first / _LEAST) / _WIDTH) if first > _LEAST else 0
        here, done = here if here < _BINS else _BINS - 1, 0
        while last >= _EDGES[here + 1] and here < _BINS - 1:
            below = min(int((_EDGES[here + 1] - first) / step) + 1, number)
            if below > done:
                self.bins[here] += (below - done) * weight
                done = below
            here += 1
        self.bins[here] += (number - done) * weight

    def percentile(self, percent: float) -> float:
        """Value below which `percent` of the weight lies, by interpolation in its bin; NaN for an empty histogram."""
        if not self.count:
            return float("nan")
        wanted, below = self.count * percent / 100.0, 0.0
        place = 0
        for place, weight in enumerate(self.bins):
            if weight and below + weight >= wanted:
                return _LEAST * exp((place + (wanted - below) / weight) * _WIDTH)
            below += weight
        return _EDGES[-1]

    @property
    def mean(self) -> float:
        """Mean of the values; NaN for an empty histogram."""
        return self.total / self.count if self.count else float("nan")


def joined(parts: Iterable[Histogram]) -> Histogram:
    """One histogram of the values of all `parts`."""
    whole = Histogram()
    for part in parts:
        whole.bins = array("d", [mine + theirs for mine, theirs in zip(whole.bins, part.bins, strict=True)])
        whole.count += part.count
        whole.total += part.total
    return whole
