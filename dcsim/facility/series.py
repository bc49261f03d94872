"""Signals of a place over time, such as the carbon intensity of its grid: constant from one moment to the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

import numpy as np
import numpy.typing as npt

from dcsim.facility.arrays import FloatArray, interval_means


@dataclass(frozen=True)
class Steps:
    """A piecewise constant signal."""

    start_s: FloatArray
    """moments at which it takes its next value, strictly ascending, shape (n,), n >= 1 [s]"""
    levels: FloatArray
    """value from each moment on, shape (n,)"""
    end_s: float
    """moment at which the last value ends, infinity where it holds on [s]"""

    def since(self, origin_s: float) -> Steps:
        """The same signal with its moments counted from `origin_s` [s]."""
        return Steps(self.start_s - origin_s, self.levels, self.end_s - origin_s)

    def covers(self, first_s: float, last_s: float) -> bool:
        """Whether it has a value at every moment from `first_s` to `last_s` [s]."""
        return bool(self.start_s[0] <= first_s and last_s <= self.end_s)

    def inside(self, first_s: float, last_s: float) -> FloatArray:
        """Moments strictly between `first_s` and `last_s` [s] at which the value changes, shape (changes,) [s]."""
        changes: FloatArray = self.start_s[1:][self.levels[1:] != self.levels[:-1]]
        inside: FloatArray = changes[(changes > first_s) & (changes < last_s)]
        return inside

    def means(self, edges: npt.ArrayLike) -> FloatArray:
        """Exact time means between `edges`, ascending, shape (n + 1,) [s]; shape (n,). The last value holds on.

        Raises ValueError when the signal starts after the first edge.
        """
        return interval_means(edges, self.start_s, self.levels)


def stamped(start_s: npt.ArrayLike, values: npt.ArrayLike, *, hold: bool) -> Steps:
    """The signal of a table with a moment and a value in every row, which holds until the next row.

    The step of the table is the most frequent distance of two rows. Rows without a value (NaN) are left out. Where the
    next row is more than one step away there is a gap; with `hold` the value before it fills it, and the last value
    holds on. Without, the last value lasts one step.

    Parameters:
        start_s: moments, shape (rows,) [s since 1970, UTC]
        values: shape (rows,)
        hold: whether values hold through gaps and behind the end

    Raises ValueError for fewer than 2 rows with a value (1 with `hold`), moments that do not ascend, and, without
    `hold`, for the first gap.
    """
    moments, found = np.asarray(start_s, np.float64), np.asarray(values, np.float64)
    there = ~np.isnan(found)
    moments, found = moments[there], found[there]
    least = 1 if hold else 2
    if len(moments) < least:
        raise ValueError(f"{len(moments)} rows with a value; at least {least} are wanted")
    distance = np.diff(moments)
    if (distance <= 0.0).any():
        at = int(np.argmax(distance <= 0.0))
        raise ValueError(f"{utc(moments[at + 1])} comes after {utc(moments[at])}; moments must ascend")
    if hold:
        return Steps(moments, found, inf)
    lengths, counts = np.unique(distance, return_counts=True)
    step_s = float(lengths[np.argmax(counts)])
    if (distance > step_s).any():
        at = int(np.argmax(distance > step_s))
        more = int((distance > step_s).sum()) - 1
        also = f" (and {more} more gaps)" if more else ""
        gap = f"no value between {utc(moments[at] + step_s)} and {utc(moments[at + 1])}"
        raise ValueError(f"{gap}, rows are {step_s:g} s apart{also}")
    return Steps(moments, found, float(moments[-1]) + step_s)


def utc(moment_s: float) -> str:
    """A moment [s since 1970, UTC] as people write it; `ever` for infinity."""
    if moment_s == inf:
        return "ever"
    return datetime.fromtimestamp(moment_s, UTC).isoformat().replace("+00:00", "Z")
