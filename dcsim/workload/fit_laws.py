"""Laws of sizes and times fitted to samples: parameters as a scenario writes them, and tables of quantiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, special

from dcsim.workload.arrivals.renewal import weibull_shape
from dcsim.workload.block import FloatArray

Cdf = Callable[[FloatArray, float, float], FloatArray]

#: Largest spread of a lognormal law that a scenario takes: a coefficient of variation of 100.
_MOST_SIGMA = math.sqrt(math.log1p(100.0**2))
_LEAST_SIGMA = 0.01

#: Largest sample on which a mixture is fitted; of a larger one, evenly spaced quantiles.
_MOST_MIXED = 20_000
_ROUNDS = 200
_POINTS = 1024
_TIE = 1e-3  # weight of the mean distance, where the largest one cannot be helped

#: Part of a sample from which one value is kept apart in a table, instead of being spread to its neighbour.
_ATOM = 1.0 / 512


def lognormal(values: FloatArray) -> dict[str, Any]:
    """Mean and cv of the lognormal law with the mean and deviation of the logarithms."""
    logs = np.log(positive(values))
    return _lognormal(float(logs.mean()), float(logs.std()))


def _lognormal(mu: float, sigma: float) -> dict[str, Any]:
    sigma = min(max(sigma, _LEAST_SIGMA), _MOST_SIGMA)
    return {
        "distribution": "lognormal",
        "mean": number(math.exp(mu + sigma**2 / 2)),
        "cv": number(math.sqrt(math.expm1(sigma**2))),
    }


def mixture(values: FloatArray) -> dict[str, Any]:
    """Two lognormal laws by expectation and maximisation on the logarithms (Dempster et al. 1977)."""
    logs = np.sort(np.log(positive(values)))
    if len(logs) > _MOST_MIXED:
        logs = logs[np.linspace(0, len(logs) - 1, _MOST_MIXED).astype(np.intp)]
    low, high = np.array_split(logs, 2)
    share = np.array([0.5, 0.5])
    mu = np.array([low.mean(), high.mean()])
    sigma = np.maximum([low.std(), high.std()], _LEAST_SIGMA)
    for _ in range(_ROUNDS):
        density = share / sigma * np.exp(-0.5 * ((logs[:, None] - mu) / sigma) ** 2) + 1e-300
        weight = density / density.sum(axis=1, keepdims=True)
        total = weight.sum(axis=0) + 1e-12
        before, mu = mu, (weight * logs[:, None]).sum(axis=0) / total
        sigma = np.maximum(np.sqrt((weight * (logs[:, None] - mu) ** 2).sum(axis=0) / total), _LEAST_SIGMA)
        share = total / total.sum()
        if np.abs(mu - before).max() < 1e-7:
            break
    parts = [
        {"share": number(max(part, 1e-6)), **_lognormal(*both)} for part, *both in zip(share, mu, sigma, strict=True)
    ]
    return {"distribution": "mixture", "parts": parts}


def pareto(values: FloatArray) -> dict[str, Any]:
    """Least value, and the tail index that is most likely (Hill 1975), cut off at the largest value."""
    known = positive(values)
    least = float(known.min())
    shape = len(known) / max(float(np.log(known / least).sum()), 1e-9)
    return {"distribution": "pareto", "least": number(least), "shape": number(min(max(shape, 0.1), 100.0))}


def exponential(values: FloatArray) -> dict[str, Any]:
    """The exponential law of the same mean."""
    return {"distribution": "exponential", "mean": number(float(values.mean()))}


def nearest(law: str, values: FloatArray) -> dict[str, Any]:
    """The gamma or Weibull law of the same mean whose CDF is nearest."""
    return {"distribution": law, "mean": number(float(values.mean())), "cv": nearest_cv(values)[law]}


def positive(values: FloatArray) -> FloatArray:
    """Values with zeros raised to the smallest value above 0."""
    above = values[values > 0.0]
    return np.maximum(values, float(above.min()) if len(above) else 1.0)


def _gamma_cdf(x: FloatArray, mean: float, cv: float) -> FloatArray:
    return np.asarray(special.gammainc(cv**-2, x / (mean * cv**2)))


def _weibull_cdf(x: FloatArray, mean: float, cv: float) -> FloatArray:
    shape = weibull_shape(cv)
    return -np.expm1(-((x / mean * math.exp(math.lgamma(1.0 + 1.0 / shape))) ** shape))


def _lognormal_cdf(x: FloatArray, mean: float, cv: float) -> FloatArray:
    sigma = math.sqrt(math.log1p(cv**2))
    with np.errstate(divide="ignore"):
        return np.asarray(special.ndtr((np.log(x / mean)) / sigma + sigma / 2))


#: Law -> its CDF at some values, for a mean and a coefficient of variation.
CDFS: dict[str, Cdf] = {"gamma": _gamma_cdf, "weibull": _weibull_cdf, "lognormal": _lognormal_cdf}


def cdf(law: str, mean: float, cv: float) -> Callable[[FloatArray], FloatArray]:
    """CDF of the gamma, Weibull or lognormal law."""
    return lambda x: CDFS[law](x, mean, cv)


class Marks(NamedTuple):
    """Some of the steps of a sample's CDF."""

    points: FloatArray
    below: FloatArray
    """share of the sample below each point"""
    upto: FloatArray
    """share at or below it"""

    def distance(self, shares: FloatArray) -> float:
        """Kolmogorov-Smirnov distance from a law with these shares at the points."""
        return float(max((self.upto - shares).max(), (shares - self.below).max()))


def marks(values: FloatArray) -> Marks:
    """At most _POINTS steps of the CDF of a sample, the first and the last among them."""
    ordered = np.sort(values)
    points = np.unique(ordered[np.unique(np.linspace(0, len(ordered) - 1, _POINTS).astype(np.intp))])
    below, upto = (np.searchsorted(ordered, points, side=side) / len(ordered) for side in ("left", "right"))
    return Marks(points, below, upto)


def nearest_cv(values: FloatArray) -> dict[str, float]:
    """Law -> coefficient of variation at which its CDF is nearest to that of the values, its mean being theirs."""
    known, mean = marks(values), float(values.mean())
    return {law: _nearest(shape, known, mean) for law, shape in CDFS.items()}


def _nearest(shape: Cdf, known: Marks, mean: float) -> float:
    middle = (known.below + known.upto) / 2.0

    def miss(log_cv: float) -> float:
        shares = shape(known.points, mean, math.exp(log_cv))
        return known.distance(shares) + _TIE * float(np.abs(shares - middle).mean())

    grid = np.linspace(math.log(0.02), math.log(50.0), 60)
    best = int(np.argmin([miss(one) for one in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return float(f"{math.exp(optimize.minimize_scalar(miss, bounds=(low, high), method='bounded').x):.4g}")


def number(value: float) -> float:
    """Five significant digits."""
    return float(f"{value:.5g}")


def grid(count: int) -> FloatArray:
    """Shares of a table for so many values: finer for more, never fewer than five, and the tail in detail."""
    steps = int(min(max(count // 32, 4), 256))
    tail = [share for share in (0.99, 0.995, 0.999, 0.9999) if share > 1.0 - 1.0 / steps and (1.0 - share) * count >= 1]
    return np.array([*(step / steps for step in range(steps)), *tail, 1.0])


def table(values: FloatArray, shares: FloatArray, *, whole: bool = False) -> FloatArray:
    """Quantiles at `shares` of the law through all steps of the sample's CDF, linear between them, shape as `shares`.

    Values that a part of at least _ATOM of the sample share are not spread over the gap below them. With `whole`, draws
    will be rounded up, so that a value v stands for everything above v - 1.
    """
    known, sizes = np.unique(values, return_counts=True)
    ends = np.cumsum(sizes) / len(values)
    below = np.concatenate([[0.0], ends[:-1]])
    heavy = sizes >= max(_ATOM * len(values), 2)
    feet = known[heavy] - (1.0 if whole else 0.0)
    feet = np.maximum(feet, np.concatenate([[known[0]], known[:-1]])[heavy])
    at = np.concatenate([[0.0], below[heavy] + 1e-12, ends])
    quantiles = np.concatenate([known[:1], feet, known])
    order = np.lexsort((quantiles, at))
    return np.maximum.accumulate(np.interp(shares, at[order], quantiles[order]))
