"""Fits two numbers of a GPU, its compute and its memory efficiency, to a measured serving run; prints the residuals.

    python benchmarks/fit_serving.py FOLDER

FOLDER holds a case of `dcsim validate serving`. Every other number is the catalog's. The sum of the squared errors over
their tolerances is made small on a grid that is refined three times. Along a ridge the two numbers can be traded for
each other, so neither is sought above 0.9, which is more than large matrix products reach on any GPU of the catalog.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from dcsim.gpu.engine import Engine
from dcsim.gpu.roofline import in_format
from dcsim.gpu.steps import StepCost
from dcsim.results.histogram import Histogram
from dcsim.validation import serving
from dcsim.validation.case import Case

_STEPS = 9  # of the grid in each direction


def scaled(cost: StepCost, compute: float, memory: float) -> StepCost:
    """The same GPU with arithmetic and reading so many times as fast."""
    return replace(
        cost,
        token_s=cost.token_s / compute,
        output_s=cost.output_s / compute,
        attention_s=cost.attention_s / compute,
        weights_s=cost.weights_s / memory,
        cache_s=cost.cache_s / memory,
    )


def errors(setting: serving.Setting, compute: float, memory: float) -> Iterator[tuple[str, float, float]]:
    """(statistic, relative error, tolerance) of the run on a GPU so many times as fast."""
    engine = Engine(scaled(setting.cost, compute, memory), setting.limits, Histogram())
    for what, statistic, expected, seen in serving.outcome(setting, engine):
        yield f"{what} {statistic}", seen / expected - 1.0, setting.document.tolerance[statistic]


def loss(setting: serving.Setting, compute: float, memory: float) -> float:
    """What is made small."""
    return sum((error / tolerance) ** 2 for _, error, tolerance in errors(setting, compute, memory))


def main(folder: Path) -> None:
    """Fit and print."""
    body = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    setting = serving.setting(Case("serving", folder.name, body, folder))
    deployment = setting.deployment
    gpu, precision = deployment.gpu, deployment.precision
    now = np.array([in_format(gpu, f"{what}_efficiency", precision) for what in ("compute", "memory")])
    low, high = np.array([0.4, 0.6]), np.array([0.9, 0.9])
    best = now
    for _ in range(4):
        grid = [np.linspace(*ends, _STEPS) for ends in zip(low, high, strict=True)]
        pairs = [np.array([compute, memory]) for compute in grid[0] for memory in grid[1]]
        best = min(pairs, key=lambda pair: loss(setting, *(pair / now)))
        width = (high - low) / 4
        low, high = np.maximum(best - width, 0.1), np.minimum(best + width, 0.9)
    print(f"{gpu.name}: compute efficiency {best[0]:.2f}, memory efficiency {best[1]:.2f}")
    for name, error, tolerance in errors(setting, *(best / now)):
        print(f"  {name:14} {100 * error:+5.1f} %  (tolerance {100 * tolerance:.0f} %)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
