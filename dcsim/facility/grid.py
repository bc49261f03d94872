"""Grids over the year: the mean of a signal by month and hour of the day, and the signal that such means give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from dcsim.facility.arrays import FloatArray
from dcsim.facility.series import Steps

MONTHS, HOURS = 12, 24
_HOUR_S = 3600.0


def month_and_hour(moments_s: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Month (0 to 11) and hour of the day (0 to 23), both in UTC, of moments [s since 1970], each of their shape."""
    seconds = np.floor(np.asarray(moments_s, dtype=np.float64)).astype("int64")
    stamps = seconds.astype("datetime64[s]")
    months = stamps.astype("datetime64[M]").astype(np.int64) % MONTHS
    return months, (seconds // int(_HOUR_S)) % HOURS


def means_by_hour(moments_s: npt.ArrayLike, values: npt.ArrayLike) -> FloatArray:
    """Mean of a signal in each month and hour of the day (UTC), shape (12, 24), in its unit; NaN where there is none.

    Parameters:
        moments_s: shape (rows,) [s since 1970, UTC]
        values: shape (rows,); rows without a value (NaN) are left out
    """
    known = ~np.isnan(np.asarray(values, dtype=np.float64))
    months, hours = month_and_hour(np.asarray(moments_s)[known])
    cells = months * HOURS + hours
    found = np.asarray(values, dtype=np.float64)[known]
    counts = np.bincount(cells, minlength=MONTHS * HOURS)
    sums = np.bincount(cells, found, minlength=MONTHS * HOURS)
    with np.errstate(invalid="ignore"):
        return np.asarray((sums / counts).reshape(MONTHS, HOURS))


def over_time(means: npt.ArrayLike, start: datetime, duration_s: float) -> Steps:
    """The signal of a table of means by month and hour of the day (UTC), from `start` on; moments from `start` [s].

    Parameters:
        means: shape (12, 24)
        start: first moment, with its zone
        duration_s: for how long [s]
    """
    first = start.astimezone(UTC)
    hour = first.replace(minute=0, second=0, microsecond=0)
    before_s = (first - hour) / timedelta(seconds=1)
    count = int(np.ceil((duration_s + before_s) / _HOUR_S)) or 1
    starts = np.arange(count, dtype=np.float64) * _HOUR_S
    months, hours = month_and_hour(hour.timestamp() + starts)
    table = np.asarray(means, dtype=np.float64)
    return Steps(starts - before_s, table[months, hours], count * _HOUR_S - before_s)
