"""Run times that a scenario gives by a distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dcsim.errors import ScenarioError
from dcsim.workload.block import FloatArray

if TYPE_CHECKING:
    from dcsim.scenario.sizes import GivenService


def check(service: GivenService, where: str) -> None:
    """ScenarioError that names the key when the distribution lacks its mean or coefficient of variation."""
    if service.distribution == "trace":
        return
    if service.mean is None:
        raise ScenarioError(f"{where}.mean: missing; '{service.distribution}' wants it, such as 10 s")
    if service.distribution == "lognormal" and service.cv is None:
        raise ScenarioError(f"{where}.cv: missing; 'lognormal' wants it, such as 1.5")


def draw(service: GivenService, count: int, generator: np.random.Generator) -> FloatArray:
    """Run times of `count` jobs, shape (count,), s; a fixed time uses no random number.

    The lognormal has the given mean m and coefficient of variation c: sigma^2 = ln(1 + c^2), mu = ln m -
    sigma^2 / 2.
    """
    mean_s = float(service.mean or 0.0)
    if service.distribution == "exponential":
        return mean_s * generator.standard_exponential(count)
    if service.distribution == "lognormal":
        sigma2 = math.log1p(float(service.cv or 0.0) ** 2)
        return np.exp(math.log(mean_s) - sigma2 / 2 + math.sqrt(sigma2) * generator.standard_normal(count))
    return np.full(count, mean_s)
