"""Signals of a place over time, such as the carbon intensity of its grid: constant from one moment to the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dcsim.facility.arrays import FloatArray, interval_means

#: What to do where rows or values are missing.
Gaps: TypeAlias = Literal["refuse", "hold", "interpolate"]
#: Longest gap that is interpolated.
LONGEST_FILLED_S = 7 * 86400.0

_GAPS_SHOWN = 3
IntArray = npt.NDArray[np.int64]


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


def stamped(start_s: npt.ArrayLike, values: npt.ArrayLike, *, gaps: Gaps = "refuse") -> Steps:
    """The signal of a table with a moment and a value in every row, which holds until the next row.

    The step of the table is the most frequent distance of two rows. Rows without a value (NaN) are left out. Where the
    next row is more than one step away there is a gap. With `hold` the value before it fills it, and the last value
    holds on. With `interpolate` rows on the straight line between its two sides fill it, and the last value lasts one
    step, as it does without gaps.

    Parameters:
        start_s: moments, shape (rows,) [s since 1970, UTC]
        values: shape (rows,)
        gaps: what to do with gaps

    Raises ValueError for fewer than 2 rows with a value (1 with `hold`), moments that do not ascend, gaps that are
    refused, and gaps of more than a week that are to be interpolated.
    """
    moments, found = np.asarray(start_s, np.float64), np.asarray(values, np.float64)
    there = ~np.isnan(found)
    moments, found = moments[there], found[there]
    least = 1 if gaps == "hold" else 2
    if len(moments) < least:
        raise ValueError(f"{len(moments)} rows with a value; at least {least} are wanted")
    distance = np.diff(moments)
    if (distance <= 0.0).any():
        at = int(np.argmax(distance <= 0.0))
        raise ValueError(f"{utc(moments[at + 1])} comes after {utc(moments[at])}; moments must ascend")
    if gaps == "hold":
        return Steps(moments, found, inf)
    lengths, counts = np.unique(distance, return_counts=True)
    step_s = float(lengths[np.argmax(counts)])
    wide = np.flatnonzero(distance > step_s)
    if gaps == "refuse" and len(wide):
        raise ValueError(_missing(moments, wide, step_s))
    too_wide = wide[distance[wide] > LONGEST_FILLED_S]
    if len(too_wide):
        raise ValueError(f"{_missing(moments, too_wide, step_s)}: more than a week, too long to interpolate")
    if len(wide):
        between = [np.arange(moments[at] + step_s, moments[at + 1], step_s) for at in wide.tolist()]
        whole = np.sort(np.concatenate([moments, *between]))
        moments, found = whole, np.interp(whole, moments, found)
    return Steps(moments, found, float(moments[-1]) + step_s)


def _missing(moments_s: FloatArray, wide: IntArray, step_s: float) -> str:
    """The gaps after the rows `wide`, in words: the first of them, and how much is missing in all."""
    shown = " and between ".join(
        f"{utc(moments_s[at] + step_s)} and {utc(moments_s[at + 1])}" for at in wide[:_GAPS_SHOWN].tolist()
    )
    more = f", {len(wide) - _GAPS_SHOWN} more gaps" if len(wide) > _GAPS_SHOWN else ""
    rows = sum(round((moments_s[at + 1] - moments_s[at]) / step_s) - 1 for at in wide.tolist())
    return f"no value between {shown}{more}; rows are {step_s:g} s apart, {rows} are missing"


def utc(moment_s: float) -> str:
    """A moment [s since 1970, UTC] as people write it; `ever` for infinity."""
    if moment_s == inf:
        return "ever"
    return datetime.fromtimestamp(moment_s, UTC).isoformat().replace("+00:00", "Z")
