"""Figures of a stream of jobs, computed from arrays: rate, burstiness, shape over the day, sizes, distances of laws.

Windows are counted from the first arrival, and only full ones: a last window that is partly after the end of the trace
would count as a lull.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.workload.block import FloatArray

HOUR_S, DAY_S, WEEK_S = 3600.0, 86_400.0, 604_800.0

#: Windows whose counts are looked at, s.
WINDOWS_S = (1.0, 10.0, 60.0, 600.0, HOUR_S, DAY_S)

#: Fewest full windows of which a dispersion is given.
LEAST_WINDOWS = 10

#: Fewest arrivals in a mean window: in shorter ones there is next to nothing to see.
LEAST_MEAN = 0.1

#: Smallest variation that is given: what is below is the rounding of values that are all alike.
LEAST_CV = 1e-6

#: Windows over which counts are compared.
LAGS = 10

#: Shares at which sizes are given.
QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class Windows:
    """Counts of arrivals in windows of one length, in figures."""

    window_s: float
    windows: int
    """full windows in the span"""
    mean: float
    """arrivals in a window"""
    dispersion: float
    """variance over mean of the counts: 1 for a Poisson process of constant rate"""
    peak_over_mean: float
    autocorrelation: tuple[float, ...]
    """correlation of each count with those 1, 2, ... LAGS windows later; none where all are equal"""


def span_s(arrival_s: FloatArray) -> float:
    """Time from the first to the last of sorted arrivals, s."""
    return float(arrival_s[-1] - arrival_s[0]) if len(arrival_s) else 0.0


def rate_hz(arrival_s: FloatArray) -> float | None:
    """Arrivals after the first, over the span, 1/s; None where all come at one instant."""
    span = span_s(arrival_s)
    return (len(arrival_s) - 1) / span if span > 0.0 else None


def variation(values: FloatArray) -> float | None:
    """Standard deviation over mean (of the gaps, say); None without values, with mean 0, or below LEAST_CV."""
    mean = float(values.mean()) if len(values) else 0.0
    found = float(values.std()) / mean if mean > 0.0 else 0.0
    return found if found >= LEAST_CV else None


def correlation(first: FloatArray, second: FloatArray) -> float | None:
    """Pearson's correlation of two arrays of shape (n,); None where one of them is constant."""
    if len(first) < 2:
        return None
    a, b = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0.0 else None


def counts(arrival_s: FloatArray, window_s: float) -> npt.NDArray[np.intp]:
    """Arrivals in each full window from the first arrival on, shape (windows,); empty where none is full."""
    whole = span_s(arrival_s) / window_s
    if whole < 1.0:
        return np.zeros(0, np.intp)
    number = ((arrival_s - arrival_s[0]) / window_s).astype(np.intp)
    return np.bincount(number, minlength=int(whole))[: int(whole)]


def dispersion(arrival_s: FloatArray, window_s: float) -> float | None:
    """Variance over mean of the counts in full windows; None without a full window. Empty windows cost nothing."""
    whole = int(span_s(arrival_s) / window_s)
    number = np.floor((arrival_s - arrival_s[0]) / window_s) if whole else np.zeros(0)
    number = number[: int(np.searchsorted(number, whole))]
    if not len(number):
        return None
    edges = np.flatnonzero(np.diff(number)) + 1
    found = np.diff(np.concatenate([[0], edges, [len(number)]])).astype(np.float64)
    mean = len(number) / whole
    return float((found @ found) / whole - mean**2) / mean


def windows(arrival_s: FloatArray, window_s: float) -> Windows | None:
    """Figures of the counts in windows of `window_s`.

    None with fewer than LEAST_WINDOWS full windows or fewer than LEAST_MEAN arrivals in a mean one.
    """
    if LEAST_MEAN * span_s(arrival_s) > len(arrival_s) * window_s:
        return None
    number = counts(arrival_s, window_s).astype(np.float64)
    if len(number) < LEAST_WINDOWS or not number.any():
        return None
    mean = float(number.mean())
    variance, peak = float(number.var()), float(number.max())
    known = autocorrelation(number, min(LAGS, len(number) - 1)).tolist() if variance else ()
    return Windows(window_s, len(number), mean, variance / mean, peak / mean, tuple(known))


def autocorrelation(number: FloatArray, lags: int) -> FloatArray:
    """Correlation of counts with those 1, 2, ... `lags` windows later, fewer than counts; NaN where all are equal.

    The usual estimate: every sum is over the variance of all counts (Box and Jenkins, 1970).
    """
    centred = number - number.mean()
    total = float(centred @ centred)
    sums = [float(centred[:-lag] @ centred[lag:]) for lag in range(1, lags + 1)]
    return np.array(sums) / total if total > 0.0 else np.full(lags, np.nan)


def profile(arrival_s: FloatArray, period_s: float, parts: int) -> FloatArray | None:
    """Mean rate in each of `parts` equal parts of a period, over the mean rate; None for a span below two periods.

    The period starts at time 0, and whole periods from the first arrival on are used.
    """
    periods = int(span_s(arrival_s) / period_s)
    if periods < 2:
        return None
    inside = arrival_s[arrival_s < arrival_s[0] + periods * period_s]
    number = np.bincount((np.mod(inside, period_s) / (period_s / parts)).astype(np.intp) % parts, minlength=parts)
    return np.asarray(number * (parts / len(inside)), np.float64)


def table_profile(rate_hz: FloatArray, interval_s: float) -> FloatArray | None:
    """Mean rate in each hour of the day over the mean, of rates in equal intervals from time 0, shape (24,).

    Over whole days; None for less than two of them, or intervals that do not divide an hour.
    """
    in_hour = HOUR_S / interval_s
    days = int(len(rate_hz) * interval_s / DAY_S + 1e-9)
    if days < 2 or abs(in_hour - round(in_hour)) > 1e-9 or not rate_hz.any():
        return None
    inside = rate_hz[: days * 24 * round(in_hour)]
    found: FloatArray = inside.reshape(days, 24, round(in_hour)).mean(axis=(0, 2)) / inside.mean()
    return found


def ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1, the mean of theirs for equal values, shape (n,)."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(np.append(starts, len(values)))
    found = np.empty(len(values))
    found[order] = np.repeat(starts + (sizes + 1) / 2.0, sizes)
    return found


def spearman(first: FloatArray, second: FloatArray) -> float | None:
    """Spearman's rank correlation; None where one of them is constant."""
    return correlation(ranks(first), ranks(second))


def distance(first: FloatArray, second: FloatArray) -> float:
    """Kolmogorov-Smirnov distance of two samples, shapes (n,) and (m,): the largest difference of their CDFs."""
    a, b = np.sort(first), np.sort(second)
    at = np.concatenate([a, b])
    difference = np.searchsorted(a, at, side="right") / len(a) - np.searchsorted(b, at, side="right") / len(b)
    return float(np.abs(difference).max())


def distance_to(values: FloatArray, cdf: Callable[[FloatArray], FloatArray]) -> float:
    """Kolmogorov-Smirnov distance of a sample and a continuous law, on both sides of every step of the sample."""
    ordered = np.sort(values)
    share, steps = cdf(ordered), np.arange(len(ordered) + 1) / len(ordered)
    return float(max((steps[1:] - share).max(), (share - steps[:-1]).max()))


def shares(numbers: FloatArray, names: Sequence[str]) -> list[tuple[str, float]]:
    """Names of a column of labels with their shares of the jobs, largest first; names without a job are left out."""
    found = np.bincount(numbers.astype(np.intp), minlength=len(names))
    order = np.argsort(-found, kind="stable")
    return [(names[place], float(found[place] / len(numbers))) for place in order.tolist() if found[place]]
