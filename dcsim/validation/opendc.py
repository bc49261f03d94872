"""Kind `opendc`: a few hosts under tasks of known demand, with exact joules, through the real simulator.

A task holds cores of a host (and of its accelerator) and asks for so many MHz of them; the power of the host
follows the share in use. Format and values after OpenDC's own experiments (atlarge-research/opendc, commit
691036d, MIT).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from dcsim.results import Result
from dcsim.scenario.models import Scenario
from dcsim.sim.simulate import simulate
from dcsim.validation.case import Case, CaseError, Effort, Heading, NonNegative, Number, Part, Positive
from dcsim.validation.report import Row, compare

if TYPE_CHECKING:
    import pandas as pd

Cores = Annotated[int, Field(ge=0, le=4096)]
Moment = Annotated[NonNegative, Field(le=1e9)]
Length = Annotated[Positive, Field(le=1e9)]


class Power(Part):
    """Power against the share in use."""

    model: Literal["linear", "sqrt"]
    idle_W: NonNegative
    max_W: NonNegative


class Processor(Part):
    """Cores of equal speed."""

    cores: Annotated[int, Field(ge=1, le=4096)]
    mhz: Positive


class Accelerator(Processor):
    """A processor with its own power."""

    power: Power


class Task(Part):
    """Work for a host; a fragment is [seconds, MHz of its cores, MHz of its accelerator cores (if any)]."""

    submit_s: Moment
    cores: Cores = 0
    gpu_cores: Cores = 0
    fragments: Annotated[list[Annotated[list[NonNegative], Field(min_length=2, max_length=3)]], Field(min_length=1)]


class Failure(Part):
    """All hosts are down for a while."""

    start_s: Moment
    duration_s: Length
    intensity: Annotated[NonNegative, Field(le=1.0)] = 1.0


class Input(Part):
    """The hosts and what they are asked to do."""

    hosts: Annotated[int, Field(ge=1, le=10_000)]
    cpu: Processor
    power: Power
    gpu: Accelerator | None = None
    tasks: Annotated[list[Task], Field(max_length=200)] = Field(default=[])
    failures: Annotated[list[Failure], Field(max_length=1_000)] = Field(default=[])
    workload: str | None = None
    mem_MiB: Positive | None = None
    start: str | None = None
    carbon: str | None = None
    carbon_g_per_kWh: list[list[Number]] | None = None


class Document(Heading):
    """A case of kind `opendc`."""

    input: Input
    expected: Annotated[dict[str, NonNegative], Field(min_length=1)]
    tolerance: NonNegative | dict[str, NonNegative] = 0.0
    """relative for all metrics, or absolute by metric"""

    def relative(self, metric: str) -> float:
        """Relative tolerance of one metric."""
        if not isinstance(self.tolerance, dict):
            return self.tolerance
        return self.tolerance.get(metric, 0.0) / (self.expected[metric] or 1.0)


METER_S = 60.0
#: metrics that follow from a run, beside those that ask for something the simulator does not have yet
NEEDS = {
    "carbon_g": "needs a carbon intensity that varies in time",
    "tasks_completed": "needs tasks whose demand varies in time",
    "mean_host_cpu_util": "needs tasks whose demand varies in time",
}


def check(case: Case, effort: Effort) -> Iterator[Row]:
    """Rows of one case, one per expected metric; skipped where the simulator cannot express it."""
    del effort
    document = case.read(Document)
    missing = _cannot(document.input)
    metrics = {} if missing else _measure(document.input)
    for metric, expected in document.expected.items():
        if missing or metric not in metrics:
            reason = missing or NEEDS.get(metric, f"metric {metric[:60]!r} is not computed")
            yield Row("datacenter", case.name, metric, "skipped", expected, note=reason)
        else:
            yield compare("datacenter", case.name, metric, expected, metrics[metric], document.relative(metric))


def _cannot(given: Input) -> str:
    """Why the simulator cannot run it; empty when it can. Raises CaseError for what makes no sense."""
    if given.workload is not None or any(len(task.fragments) > 1 for task in given.tasks):
        return "needs tasks whose demand varies in time"
    if not given.tasks:
        raise CaseError("input: tasks or a workload is wanted, found neither")
    if any(failure.intensity != 1.0 for failure in given.failures):
        return "needs outages of a random share of the hosts"
    shares = [_shares(task, given, index) for index, task in enumerate(given.tasks)]
    if any(len(set(share)) > 1 for share in shares):
        return "needs a task that asks different shares of its host and its accelerator"
    return ""


def _shares(task: Task, given: Input, index: int) -> list[float]:
    """Share of the cores it holds that the task keeps busy, on the host and on its accelerator."""
    demands = [*task.fragments[0][1:], 0.0]
    parts = [(task.cores, given.cpu, demands[0], "cpu"), (task.gpu_cores, given.gpu, demands[1], "gpu")]
    shares = []
    for cores, processor, demand, name in parts:
        capacity = cores * processor.mhz if processor is not None else 0.0
        if cores > (processor.cores if processor is not None else 0):
            raise CaseError(f"input.tasks.{index}: holds {cores} {name} cores, more than a host has")
        if demand > capacity:
            raise CaseError(f"input.tasks.{index}: asks for {demand:g} MHz of {capacity:g} MHz {name}")
        if cores:
            shares.append(demand / capacity)
    if not shares or shares[0] == 0:
        raise CaseError(f"input.tasks.{index}: a task holds cores and asks for more than 0 MHz of them")
    return shares


def _measure(given: Input) -> dict[str, float]:
    """Two runs: one surely long enough shows when the last task ends, one up to that moment the energy."""
    work_s = sum(task.fragments[0][0] for task in given.tasks)
    down_s = sum(failure.duration_s for failure in given.failures)
    last_s = max([task.submit_s for task in given.tasks] + [failure.start_s for failure in given.failures])
    attempts = 1 + len(given.failures)
    long_s = last_s + attempts * work_s + down_s + 1.0
    jobs = simulate(scenario(given, long_s)).jobs
    if not (jobs["status"] == "completed").all():
        raise CaseError(f"a task did not end within {long_s:g} s")
    makespan_s = float(jobs["end_s"].max())
    active_s = _cpu_active_s(given, jobs)
    return {
        "makespan_s": makespan_s,
        "cpu_active_s": active_s,
        "cpu_idle_s": given.hosts * makespan_s - active_s,
        **_energies(simulate(scenario(given, makespan_s))),
    }


def _cpu_active_s(given: Input, jobs: pd.DataFrame) -> float:
    """Time that the hosts' processors were in use, weighted by the share in use, s; lost work counts."""
    share = {}
    for index, task in enumerate(given.tasks):
        of_host = _shares(task, given, index)[0] * task.cores / given.cpu.cores
        share[f"task-{index}"] = of_host / max(task.gpu_cores, 1)  # busy_s counts every device slot
    return float((jobs["busy_s"] * jobs["stream"].map(share)).sum())


def _energies(result: Result) -> dict[str, float]:
    """Energy of all hosts in total and in each minute, J."""
    racks = result.racks
    begin = racks["time_s"].to_numpy(np.float64)
    width = np.minimum(begin + METER_S, result.scenario.duration) - begin
    energy = racks["it_w"].to_numpy(np.float64) * width
    minutes = {f"energy_minute_{int(t / METER_S)}_J": float(energy[begin == t].sum()) for t in np.unique(begin)}
    return {"energy_J": float(energy.sum()), "energy_first_minute_J": minutes["energy_minute_0_J"], **minutes}


def scenario(given: Input, duration_s: float) -> Scenario:
    """The case as a scenario: one rack of custom nodes without any loss, one stream per task."""
    node: dict[str, Any] = {"cores": given.cpu.cores, "host": _curve(given.power)}
    if given.gpu is not None:
        slots = given.gpu.cores
        node["devices"] = {"gpu": {"count": 1, "slots": slots, "power": _curve(given.gpu.power)}}
    outages = [
        {
            "pool": "hosts",
            "node": host,
            "start": f"{failure.start_s!r} s",
            "duration": f"{failure.duration_s!r} s",
        }
        for failure in given.failures
        for host in range(given.hosts)
    ]
    return Scenario.model_validate(
        {
            "name": "opendc",
            "duration": f"{duration_s!r} s",
            "meter_interval": f"{METER_S} s",
            "sites": {"site": {"ups": "none", "transformer": "none"}},
            "racks": {
                "rack": {
                    "site": "site",
                    "frame": "none",
                    "psu": "none",
                    "pools": {"hosts": {"nodes": given.hosts, "node": node}},
                }
            },
            "streams": {
                f"task-{index}": _stream(task, _shares(task, given, index)[0]) for index, task in enumerate(given.tasks)
            },
            "outages": outages,
        }
    )


def _curve(power: Power) -> dict[str, str]:
    return {"shape": power.model, "idle": f"{power.idle_W!r} W", "max": f"{power.max_W!r} W"}


def _stream(task: Task, share: float) -> dict[str, Any]:
    return {
        "arrivals": {"kind": "schedule", "times": [f"{task.submit_s!r} s"]},
        "runs_on": ["hosts"],
        "service": {"distribution": "fixed", "mean": f"{task.fragments[0][0]!r} s", "utilisation": share},
        "needs": {"devices": task.gpu_cores, "cores": task.cores},
    }
