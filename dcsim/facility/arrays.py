"""Arrays over time: the types, constants and resampling that the other facility modules share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

J_PER_KWH = 3.6e6
YEAR_S = 365 * 86400.0
MONTH_S = YEAR_S / 12


def edges_s(interval_s: npt.ArrayLike, steps: int) -> FloatArray:
    """Boundaries of `steps` intervals that start at 0, shape (steps + 1,) [s].

    Parameters:
        interval_s: length of the intervals, one number or shape (steps,) [s]
        steps: number of intervals [1]
    """
    lengths = np.broadcast_to(np.asarray(interval_s, dtype=np.float64), steps)
    return np.concatenate([[0.0], np.cumsum(lengths)])


def interval_means(edges: npt.ArrayLike, start_s: npt.ArrayLike, values: npt.ArrayLike) -> FloatArray:
    """Exact time means of a piecewise constant signal over intervals, shape (n,), in the signal's unit.

    Because power is constant within an interval, energy times this mean is the exact integral of power times
    signal, whatever the two sets of breakpoints are.

    Parameters:
        edges: boundaries of the intervals, ascending, shape (n + 1,) [s]
        start_s: moments at which the signal takes its next value, ascending, the first not after edges[0],
            shape (m,) [s]
        values: value of the signal from each moment on; the last one holds for ever, shape (m,)

    Raises ValueError when the signal starts after the first interval does.
    """
    at, start, value = (np.asarray(a, dtype=np.float64) for a in (edges, start_s, values))
    if start[0] > at[0]:
        raise ValueError(f"signal starts at {start[0]:g} s, after the first interval, at {at[0]:g} s")
    area = np.concatenate([[0.0], np.cumsum(value[:-1] * np.diff(start))])
    last = np.searchsorted(start, at, side="right") - 1
    return np.diff(area[last] + value[last] * (at - start[last])) / np.diff(at)
