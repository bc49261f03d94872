"""Kind `opendc`: hosts under tasks of known demand, with exact joules, through the real simulator.

A task holds cores of a host (and of its accelerator) and asks for so many MHz of them, fragment by fragment; the power
of the host follows the share in use. Format and values after OpenDC's own experiments (atlarge-research/opendc, commit
691036d, MIT).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from dcsim.cluster.fragments import FragmentServer
from dcsim.results import Result
from dcsim.scenario.models import Scenario
from dcsim.scenario.moments import Moment as Calendar
from dcsim.sim import Model
from dcsim.sim.control import SimPyProcess
from dcsim.sim.simulate import simulate
from dcsim.validation import opendc_files
from dcsim.validation.case import Case, CaseError, Effort, Heading, NonNegative, Number, Part, Positive
from dcsim.validation.report import Row, compare

Cores = Annotated[int, Field(ge=0, le=4096)]
Moment = Annotated[NonNegative, Field(le=1e9)]
Length = Annotated[Positive, Field(le=1e9)]


Step = Annotated[list[Number], Field(min_length=2, max_length=2)]


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
    fragments: Annotated[
        list[Annotated[list[NonNegative], Field(min_length=2, max_length=3)]], Field(min_length=1, max_length=100_000)
    ]


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
    """folder of a workload; what follows its name is for the reader"""
    mem_MiB: Positive | None = None
    start: str | None = None
    """when the run begins; a workload begins with its first task"""
    carbon: str | None = None
    """file of the grid's carbon intensity over time"""
    carbon_g_per_kWh: Annotated[list[Step], Field(min_length=1, max_length=100_000)] | None = None
    """[s from the start, g/kWh]"""


class Document(Heading):
    """A case of kind `opendc`."""

    input: Input
    expected: Annotated[dict[str, NonNegative], Field(min_length=1)]
    tolerance: NonNegative | dict[str, NonNegative] = 0.0
    """one number for all metrics, relative up to 1 and absolute above; or absolute by metric"""

    def relative(self, metric: str) -> float:
        """Relative tolerance of one metric."""
        if not isinstance(self.tolerance, dict) and self.tolerance <= 1.0:
            return self.tolerance
        absolute = self.tolerance.get(metric, 0.0) if isinstance(self.tolerance, dict) else self.tolerance
        return absolute / (self.expected[metric] or 1.0)


METER_S = 60.0
SAMPLE_S = 3600.0
J_PER_KWH = 3.6e6
G_PER_KG = 1000.0
#: a workload's name in front of what the case says about it
_NAME_END = " ("
_LEAST_MEMORY = "1 B"  # what each task really holds is in its trace
#: the start of a case that does not say and does not need to
_SOME_DAY = "2000-01-01"
_SAMPLED = "mean of samples just before the end of every hour and one row of 0 after the last task, not over time"


def check(case: Case, effort: Effort) -> Iterator[Row]:
    """Rows of one case, one per expected metric; skipped where the simulator cannot express it."""
    del effort
    document = case.read(Document)
    missing = _cannot(document.input)
    metrics: dict[str, float] = {} if missing else _measure(case, document)
    for metric, expected in document.expected.items():
        if missing or metric not in metrics:
            reason = missing or f"metric {metric[:60]!r} is not computed"
            yield Row("datacenter", case.name, metric, "skipped", expected, note=reason)
            continue
        row = compare("datacenter", case.name, metric, expected, metrics[metric], document.relative(metric))
        yield replace(row, note=_SAMPLED) if metric == "mean_host_cpu_util" else row


def _cannot(given: Input) -> str:
    """Why the simulator cannot run it; empty when it can. Raises CaseError for what makes no sense."""
    if not given.tasks and given.workload is None:
        raise CaseError("input: tasks or a workload is wanted, found neither")
    if given.tasks and given.workload is not None:
        raise CaseError("input: tasks or a workload is wanted, found both")
    if given.carbon is not None and given.carbon_g_per_kWh is not None:
        raise CaseError("input: carbon or carbon_g_per_kWh is wanted, found both")
    for index, task in enumerate(given.tasks):
        _check_task(task, given, index)
    if any(failure.intensity != 1.0 for failure in given.failures):
        return "needs outages of a random share of the hosts"
    return ""


def _check_task(task: Task, given: Input, index: int) -> None:
    """CaseError for a task that holds nothing, holds more than a host has, or asks for more than it holds."""
    where = f"input.tasks.{index}"
    if not task.cores and not task.gpu_cores:
        raise CaseError(f"{where}: a task holds cores, of its host or of an accelerator")
    parts = [(task.cores, given.cpu, 1, "cpu"), (task.gpu_cores, given.gpu, 2, "gpu")]
    for cores, processor, column, name in parts:
        if cores > (processor.cores if processor is not None else 0):
            raise CaseError(f"{where}: holds {cores} {name} cores, more than a host has")
        capacity = cores * processor.mhz if processor is not None else 0.0
        demand = max((row[column] for row in task.fragments if len(row) > column), default=0.0)
        if cores and demand > capacity:
            raise CaseError(f"{where}: asks for {demand:g} MHz of {capacity:g} MHz {name}")
    if not sum(row[0] for row in task.fragments):
        raise CaseError(f"{where}: its fragments take no time")


# ---------------------------------------------------------------- what is run


@dataclass(frozen=True)
class Demand:
    """Streams of a case and what they tell about its time."""

    streams: dict[str, Any]
    start: datetime | None
    """None where neither the case nor its workload says"""
    last_s: float
    """when the last task is submitted, s"""


@contextmanager
def _written(case: Case, given: Input) -> Iterator[tuple[Demand, dict[str, Any]]]:
    """The demand of a case and the carbon intensity of its grid, whose files stand for as long as this lasts."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        demand = _own(case, given, folder) if given.workload is not None else _listed(given, folder)
        yield demand, _carbon(case, given, demand, folder)


def _own(case: Case, given: Input, folder: Path) -> Demand:
    """The demand of a workload in files of its own."""
    name = (given.workload or "").partition(_NAME_END)[0].strip()
    found = opendc_files.copy(case.locate(f"{name}/{opendc_files.TASKS}"), given.cpu.mhz, folder / "workload")
    if given.start is not None and _start(given.start) != found.start:
        raise CaseError(f"input.start: found {given.start[:40]!r}, but the first task comes at {found.start:%FT%TZ}")
    needs = {"devices": 0, "cores": found.cores} | ({"memory": _LEAST_MEMORY} if given.mem_MiB is not None else {})
    arrivals = {"kind": "trace", "format": "opendc", "path": str(found.path)}
    return Demand({"tasks": _stream(arrivals, needs)}, found.start, found.last_s)


def _listed(given: Input, folder: Path) -> Demand:
    """The demand of tasks that the case lists: one stream for each."""
    streams: dict[str, Any] = {}
    for index, task in enumerate(given.tasks):
        gpu = given.gpu if task.gpu_cores else None
        gpu_mhz = task.gpu_cores * gpu.mhz if gpu is not None else 0.0
        path = opendc_files.write_task(
            folder / f"task-{index}",
            task.fragments,
            task.cores * given.cpu.mhz,
            gpu_mhz,
            task.cores,
            gpu=gpu is not None,
        )
        moments = {"kind": "schedule", "times": [f"{task.submit_s!r} s"]}
        arrivals = {"kind": "trace", "format": "opendc", "path": str(path), "moments": moments}
        part = {"share": task.gpu_cores / gpu.cores} if gpu is not None else {}
        needs = {"devices": 0 if gpu is None else 1, "cores": task.cores, **part}
        streams[f"task-{index}"] = _stream(arrivals, needs)
    start = None if given.start is None else _start(given.start)
    return Demand(streams, start, max(task.submit_s for task in given.tasks))


def _stream(arrivals: dict[str, Any], needs: dict[str, Any]) -> dict[str, Any]:
    return {"arrivals": arrivals, "runs_on": ["hosts"], "service": {"distribution": "trace"}, "needs": needs}


def _start(text: str) -> datetime:
    try:
        return TypeAdapter(Calendar).validate_python(text)
    except ValidationError as error:
        raise CaseError(f"input.start: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def _carbon(case: Case, given: Input, demand: Demand, folder: Path) -> dict[str, Any]:
    """What the site knows of the carbon intensity of its grid."""
    if given.carbon_g_per_kWh is not None:
        path = folder / "carbon.parquet"
        opendc_files.write_steps(path, demand.start or _start(_SOME_DAY), given.carbon_g_per_kWh)
        return {"carbon_intensity": {"path": str(path), "gaps": "hold"}}
    if given.carbon is None:
        return {}
    if demand.start is None:
        raise CaseError("input.start: a carbon file needs to know when the run begins")
    return {"carbon_intensity": {"path": str(case.locate(given.carbon))}}


def scenario(given: Input, demand: Demand, site: dict[str, Any], until_s: float | None = None) -> Scenario:
    """The case as a scenario, up to `until_s` [s] or to the end of its last task.

    One rack of custom nodes without any loss; outages that start before the end.
    """
    begins_s = [failure.start_s for failure in given.failures if until_s is None or failure.start_s < until_s]
    last_s = math.nextafter(max([demand.last_s, *begins_s]), math.inf)
    node: dict[str, Any] = {"cores": given.cpu.cores, "host": _curve(given.power)}
    if given.mem_MiB is not None:
        node["memory"] = f"{given.mem_MiB!r} MiB"
    if given.gpu is not None:
        node["devices"] = {"gpu": {"power": _curve(given.gpu.power)}}
    return Scenario.model_validate(
        {
            "name": "opendc",
            "start": demand.start or _SOME_DAY,
            "duration": f"{last_s if until_s is None else until_s!r} s",
            "drain": until_s is None,
            "meter_interval": f"{METER_S} s",
            "sites": {"site": {"plant": {"pue": 1.0}, "ups": "none", "transformer": "none", **site}},
            "racks": {
                "rack": {
                    "site": "site",
                    "frame": "none",
                    "psu": "none",
                    "pools": {"hosts": {"nodes": given.hosts, "node": node}},
                }
            },
            "streams": demand.streams,
            "outages": [
                {
                    "pool": "hosts",
                    "node": host,
                    "start": f"{failure.start_s!r} s",
                    "duration": f"{failure.duration_s!r} s",
                }
                for failure in given.failures
                for host in range(given.hosts)
                if until_s is None or failure.start_s < until_s
            ],
        }
    )


def _curve(power: Power) -> dict[str, str]:
    return {"shape": power.model, "idle": f"{power.idle_W!r} W", "max": f"{power.max_W!r} W"}


# ---------------------------------------------------------------- what is measured


def _measure(case: Case, document: Document) -> dict[str, float]:
    """All metrics of a case; the time in use costs a run of its own and is only measured where it is expected."""
    given, wanted = document.input, set(document.expected)
    with _written(case, given) as (demand, site):
        samples: list[float] = []
        result = simulate(scenario(given, demand, site), processes={"samples": _sampler(samples)})
        makespan_s = float(result.jobs["end_s"].max())
        if float(result.summary["run"]["simulated_s"]) > makespan_s:  # an outage began after the last task's end
            result = simulate(scenario(given, demand, site, makespan_s))
        found = {
            "makespan_s": makespan_s,
            "tasks_completed": float((result.jobs["end_s"] <= makespan_s).sum()),
            **_energies(result),
        }
        if site:
            found["carbon_g"] = float(result.summary["carbon"]["operational_kg"]) * G_PER_KG
        samples = samples[: int(makespan_s / SAMPLE_S)]
        found["mean_host_cpu_util"] = sum(samples) / (len(samples) + 1)
        if wanted & {"cpu_active_s", "cpu_idle_s"}:
            active_s = _cpu_active_s(given, demand, makespan_s)
            found["cpu_active_s"], found["cpu_idle_s"] = active_s, given.hosts * makespan_s - active_s
    return found


def _sampler(samples: list[float]) -> Any:
    """A process that notes the mean share in use of all hosts just before the end of every hour."""

    def sample(model: Model) -> SimPyProcess:
        hosts = [node.host for node in model.fleet.nodes["hosts"] if isinstance(node.host, FragmentServer)]

        def note(_: None) -> None:
            samples.append(sum(host.activity for host in hosts) / len(model.fleet.nodes["hosts"]))

        hour = 1
        while True:
            model.clock.call_at(math.nextafter(hour * SAMPLE_S, 0.0), note)
            yield model.clock.timeout(hour * SAMPLE_S - model.clock.now)
            hour += 1

    return sample


def _cpu_active_s(given: Input, demand: Demand, makespan_s: float) -> float:
    """Time that the hosts' processors were in use, weighted by the share in use, s; lost work counts.

    It is the energy of hosts that draw 1 W at full use and nothing else.
    """
    nothing = Power(model="linear", idle_W=0.0, max_W=0.0)
    gpu = None if given.gpu is None else given.gpu.model_copy(update={"power": nothing})
    unit = given.model_copy(update={"power": nothing.model_copy(update={"max_W": 1.0}), "gpu": gpu})
    return _energies(simulate(scenario(unit, demand, {}, makespan_s)))["energy_J"]


def _energies(result: Result) -> dict[str, float]:
    """Energy of all hosts in total and in each minute, J."""
    racks = result.racks
    begin = racks["time_s"].to_numpy(np.float64)
    width = np.diff(np.append(begin, float(result.summary["run"]["simulated_s"])))
    energy = racks["it_w"].to_numpy(np.float64) * width
    minute = np.floor(begin / METER_S).astype(np.int64)
    minutes = {f"energy_minute_{number}_J": float(energy[minute == number].sum()) for number in np.unique(minute)}
    total = float(result.summary["energy"]["compute_kwh"]) * J_PER_KWH
    return {"energy_J": total, "energy_first_minute_J": minutes["energy_minute_0_J"], **minutes}
