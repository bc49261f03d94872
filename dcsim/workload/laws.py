"""Laws of random quantities: how to draw from each, and its quantiles.

A law with a mean m and a coefficient of variation c has the parameters that give them: gamma of shape 1 / c^2;
lognormal of sigma^2 = ln(1 + c^2) and mu = ln m - sigma^2 / 2; Weibull of the shape k with Gamma(1 + 2/k) /
Gamma(1 + 1/k)^2 = 1 + c^2. Pareto's has P(X > x) = (least / x)^shape, cut off at `most` by leaving out the tail.
Other bounds raise and cut what was drawn, so a mean holds before them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dcsim.catalog import Catalog, Entry
from dcsim.errors import CatalogError
from dcsim.scenario.laws import Times, Tokens
from dcsim.workload.arrivals.renewal import weibull_shape
from dcsim.workload.block import FloatArray

Spec = Times | Tokens

#: Strata of a mixture's quantiles: what is known of its tails ends at half of one.
_STRATA = 8192


@dataclass(frozen=True)
class Law:
    """A law, ready to be drawn from."""

    draw: Callable[[np.random.Generator, int], FloatArray]
    """so many independent values"""
    quantile: Callable[[FloatArray], FloatArray]
    """value below which a share of the values lies"""


def of(spec: Spec, catalog: Catalog) -> Law:
    """The law that a scenario gives. Raises CatalogError for a table that is not there or not sound."""
    law = _LAWS[spec.distribution](spec, catalog)
    if spec.distribution == "pareto" or (spec.least is None and spec.most is None):
        return law
    low, high = spec.least, spec.most
    return Law(
        lambda generator, count: np.clip(law.draw(generator, count), low, high),
        lambda share: np.clip(law.quantile(share), low, high),
    )


def _fixed(spec: Spec, _: Catalog) -> Law:
    mean = float(spec.mean or 0.0)
    return Law(lambda _, count: np.full(count, mean), lambda share: np.full(share.shape, mean))


def _exponential(spec: Spec, _: Catalog) -> Law:
    mean = float(spec.mean or 0.0)
    return Law(
        lambda generator, count: mean * generator.standard_exponential(count), lambda share: -mean * np.log1p(-share)
    )


def _gamma(spec: Spec, _: Catalog) -> Law:
    mean, cv = _mean_cv(spec)
    shape = 1.0 / cv**2

    def quantile(share: FloatArray) -> FloatArray:
        from scipy.special import gammaincinv

        return np.asarray(mean / shape * gammaincinv(shape, share))

    return Law(lambda generator, count: mean / shape * generator.standard_gamma(shape, count), quantile)


def _weibull(spec: Spec, _: Catalog) -> Law:
    mean, cv = _mean_cv(spec)
    power = 1.0 / weibull_shape(cv)
    scale = mean * math.exp(-math.lgamma(1.0 + power))
    return Law(
        lambda generator, count: scale * generator.standard_exponential(count) ** power,
        lambda share: scale * (-np.log1p(-share)) ** power,
    )


def _lognormal(spec: Spec, _: Catalog) -> Law:
    mean, cv = _mean_cv(spec)
    sigma2 = math.log1p(cv**2)
    mu, sigma = math.log(mean) - sigma2 / 2, math.sqrt(sigma2)

    def quantile(share: FloatArray) -> FloatArray:
        from scipy.special import ndtri

        return np.asarray(np.exp(mu + sigma * ndtri(share)))

    return Law(lambda generator, count: np.exp(mu + sigma * generator.standard_normal(count)), quantile)


def _pareto(spec: Spec, _: Catalog) -> Law:
    least, shape = float(spec.least or 0.0), float(spec.shape or 0.0)
    inside = 1.0 if spec.most is None else 1.0 - (least / spec.most) ** shape

    def quantile(share: FloatArray) -> FloatArray:
        return np.asarray(least * (1.0 - inside * share) ** (-1.0 / shape))

    return Law(lambda generator, count: quantile(generator.random(count)), quantile)


def _table(spec: Spec, catalog: Catalog) -> Law:
    entry = catalog.get(str(spec.table), "quantiles")
    shares, values = quantiles(entry)

    def quantile(share: FloatArray) -> FloatArray:
        return np.interp(share, shares, values)

    return Law(lambda generator, count: quantile(generator.random(count)), quantile)


def quantiles(entry: Entry) -> tuple[FloatArray, FloatArray]:
    """Probabilities and values (of times: `values_s`) of a catalog entry of kind `quantiles`.

    CatalogError when they are not sound.
    """
    shares, values = entry.array("probabilities"), entry.array("values_s" if "values_s" in entry else "values")
    if shares.ndim != 1 or len(shares) < 2 or shares[0] != 0 or shares[-1] != 1 or (np.diff(shares) <= 0).any():
        raise CatalogError(f"quantiles '{entry.name}': probabilities must rise from 0 to 1")
    if values.shape != shares.shape or (np.diff(values) < 0).any() or values[0] < 0:
        raise CatalogError(f"quantiles '{entry.name}': want one value of 0 or more per probability, none falling")
    return shares, values


def _mixture(spec: Spec, catalog: Catalog) -> Law:
    parts = [of(part, catalog) for part in spec.parts or ()]
    shares = np.array([part.share for part in spec.parts or ()])
    ends = np.cumsum(shares / shares.sum())

    def draw(generator: np.random.Generator, count: int) -> FloatArray:
        # two numbers per row, so that rows do not depend on how many are drawn at a time
        first, second = generator.random((count, 2)).T
        chosen = np.minimum(np.searchsorted(ends, first, side="right"), len(parts) - 1)
        values = np.empty(count)
        for number, part in enumerate(parts):
            rows = np.flatnonzero(chosen == number)
            values[rows] = part.quantile(second[rows])
        return values

    middles = (np.arange(_STRATA) + 0.5) / _STRATA
    values = np.concatenate([part.quantile(middles) for part in parts])
    weights = np.repeat(shares / shares.sum() / _STRATA, _STRATA)
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) - weights[order] / 2
    return Law(draw, lambda share: np.interp(share, below, values[order]))


def _mean_cv(spec: Spec) -> tuple[float, float]:
    return float(spec.mean or 0.0), float(spec.cv or 0.0)


_LAWS: Mapping[str, Callable[[Spec, Catalog], Law]] = {
    "fixed": _fixed,
    "exponential": _exponential,
    "gamma": _gamma,
    "weibull": _weibull,
    "lognormal": _lognormal,
    "pareto": _pareto,
    "table": _table,
    "mixture": _mixture,
}
