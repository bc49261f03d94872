"""Kind `fifo_replay`: a batch trace on equal nodes in order of submission, against other simulators."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.results import Result
from dcsim.sim.replay import replay
from dcsim.validation.case import Case, CaseError, Effort, Heading, NonNegative, Part, Positive
from dcsim.validation.report import Row, compare

JOULES_PER_KWH = 3.6e6


class Power(Part):
    """Power of a node."""

    idle_W: NonNegative
    max_W: NonNegative


class Recipe(Part):
    """A trace that is drawn instead of read: gaps and run times exponential, both in whole seconds."""

    seed: Annotated[int, Field(ge=0)]
    jobs: Annotated[int, Field(ge=1, le=1_000_000)]
    mean_gap_s: Positive
    mean_run_s: Positive
    total_run_s: Positive
    """sum of the run times behind the expected values: tells whether numpy still draws the same trace"""


class Input(Part):
    """A trace (a file or a recipe), the nodes and their power."""

    workload: str | None = None
    recipe: Recipe | None = None
    nodes: Annotated[int, Field(ge=1, le=1_000_000)]
    policy: Annotated[str, Field(pattern="^FIFO")]
    power: Power


class Document(Heading):
    """A case of kind `fifo_replay`."""

    input: Input
    expected: Annotated[dict[str, NonNegative], Field(min_length=1)]
    tolerance: NonNegative = 0.0
    """relative"""


def drawn(recipe: Recipe) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(submission times, run times) of a recipe in s, both of shape (jobs,).

    The generator is numpy's own with the recipe's seed, not a named stream: other simulators were given these
    numbers.
    """
    generator = np.random.default_rng(recipe.seed)
    submit = np.floor(np.cumsum(generator.exponential(recipe.mean_gap_s, recipe.jobs)))
    return submit, np.maximum(np.rint(generator.exponential(recipe.mean_run_s, recipe.jobs)), 1.0)


def write_csv(path: Path, submit: npt.NDArray[np.float64], run: npt.NDArray[np.float64]) -> None:
    """Write a trace of one-node jobs with columns job_id, submit_s, run_s (whole seconds)."""
    rows = (f"{index},{int(at)},{int(length)}\n" for index, (at, length) in enumerate(zip(submit, run, strict=True), 1))
    path.write_text("job_id,submit_s,run_s\n" + "".join(rows), encoding="utf-8")


@contextmanager
def _trace(case: Case, given: Input) -> Iterator[Path | None]:
    """The trace file; None when the recipe no longer gives the same trace."""
    if given.recipe is None:
        if given.workload is None:
            raise CaseError("input: a workload or a recipe is wanted, found neither")
        yield case.locate(given.workload)
        return
    submit, run = drawn(given.recipe)
    if float(run.sum()) != given.recipe.total_run_s:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.csv"
        write_csv(path, submit, run)
        yield path


def check(case: Case, effort: Effort) -> Iterator[Row]:
    """Rows of one case: makespan, waits and energy, as far as the case expects them."""
    del effort
    document = case.read(Document)
    given = document.input
    with _trace(case, given) as path:
        metrics = (
            {}
            if path is None
            else _metrics(
                replay(
                    path,
                    format="csv",
                    policy="fcfs",
                    nodes=given.nodes,
                    idle_power_w=given.power.idle_W,
                    busy_power_w=given.power.max_W,
                )
            )
        )
    for metric, expected in document.expected.items():
        if metric in metrics:
            yield compare("datacenter", case.name, metric, expected, metrics[metric], document.tolerance)
        else:
            reason = (
                f"metric {metric[:60]!r} is not computed" if metrics else "this numpy draws another trace from the seed"
            )
            yield Row("datacenter", case.name, metric, "skipped", expected, note=reason)


def _metrics(result: Result) -> dict[str, float]:
    jobs = result.jobs
    wait = jobs["wait_s"].to_numpy(np.float64)
    return {
        "makespan_s": float(jobs["end_s"].max()),
        "mean_wait_s": float(wait.mean()),
        "frac_wait": float((wait > 0).mean()),
        "max_wait_s": float(wait.max()),
        "energy_J": float(result.summary["energy"]["compute_kwh"]) * JOULES_PER_KWH,
    }
