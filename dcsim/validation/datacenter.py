"""Area `datacenter`: hosts, clusters and a power chain against the published values of other simulators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dcsim.validation import fifo, frontier, opendc
from dcsim.validation.case import Area, Case

_HOST = {
    "hosts": 1,
    "cpu": {"cores": 1, "mhz": 2000},
    "power": {"model": "linear", "idle_W": 100, "max_W": 200},
}
_GPU = {"cores": 1, "mhz": 2000, "power": {"model": "linear", "idle_W": 200, "max_W": 400}}
_HALF_LOAD = {"submit_s": 0, "cores": 1, "fragments": [[600, 1000]]}

#: name -> (what is added to the host, expected); OpenDC's unit experiments, commit 691036d:
#: ScenarioRunnerTest and FailuresAndCheckpointingTest. Each joule can be worked out by hand: half load on
#: 100-200 W is 150 W.
_OPENDC: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "one task at half load": (
        {"tasks": [_HALF_LOAD]},
        {
            "makespan_s": 600,
            "energy_J": 90e3,
            "energy_first_minute_J": 9e3,
            "cpu_active_s": 300,
            "cpu_idle_s": 300,
        },
    ),
    "second task waits": (
        {"tasks": [_HALF_LOAD, {"submit_s": 0, "cores": 1, "fragments": [[300, 2000]]}]},
        {"makespan_s": 900, "energy_J": 150e3},
    ),
    "idle between two tasks": (
        {"tasks": [_HALF_LOAD, {"submit_s": 1200, "cores": 1, "fragments": [[300, 2000]]}]},
        {"makespan_s": 1500, "energy_J": 210e3},
    ),
    "accelerator only": (
        {"gpu": _GPU, "tasks": [{"submit_s": 0, "gpu_cores": 1, "fragments": [[600, 0, 1000]]}]},
        {"makespan_s": 600, "energy_J": 240e3},
    ),
    "host and accelerator": (
        {
            "gpu": _GPU,
            "tasks": [{"submit_s": 0, "cores": 1, "gpu_cores": 1, "fragments": [[600, 1000, 1000]]}],
        },
        {"makespan_s": 600, "energy_J": 270e3},
    ),
    "failure, work is lost": (
        {"tasks": [_HALF_LOAD], "failures": [{"start_s": 300, "duration_s": 300}]},
        {"makespan_s": 1200, "energy_J": 165e3, "energy_minute_5_J": 6e3},
    ),
}

#: The same host under demand that varies, and a grid whose carbon intensity does; worked out by hand: 600 s at 150 W,
#: 300 s at 200 W, 300 s at 100 W; and half an hour each of 150 W at 100 and at 200 g/kWh.
_VARYING: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "demand in fragments": (
        {"tasks": [{"submit_s": 0, "cores": 1, "fragments": [[600, 1000], [300, 2000], [300, 0]]}]},
        {"makespan_s": 1200, "energy_J": 180e3, "energy_minute_12_J": 12e3, "cpu_active_s": 600},
    ),
    "carbon in steps": (
        {
            "tasks": [{"submit_s": 0, "cores": 1, "fragments": [[3600, 1000]]}],
            "carbon_g_per_kWh": [[0, 100], [1800, 200]],
        },
        {"energy_J": 540e3, "carbon_g": 22.5},
    ),
}

#: Configuration of Frontier in ExaDigiT RAPS, version 6c142bf, and what `raps run` prints for an idle and a
#: full machine.
_FRONTIER = {
    "system": "9472 nodes, 4 nodes + 1 switch (250 W) per rectifier, 2368 rectifiers, 25 CDUs x 8473.47 W",
    "node": "1 CPU 90/280 W, 4 GPU 88/560 W, mem 74.26 W, 4 NIC x 20 W, NVMe 30 W",
    "losses": "SIVOC in=(out+13)/0.98 per node; rectifier in=(out+17)/0.96 per rectifier",
}
_RAPS = {
    "Frontier idle": ("idle", {"avg_power_MW": 7.3065, "loss_MW": 0.57, "efficiency_pct": 92.18}),
    "Frontier peak": (
        "all CPUs and GPUs 100 %",
        {"avg_power_MW": 28.2279, "loss_MW": 1.81, "efficiency_pct": 93.59},
    ),
}

#: SimGrid (C++ and Python) and AccaSim agree on this schedule to the last digit. Load 0.99 of 1,000 nodes.
_FIFO: dict[str, Any] = {
    "input": {
        "recipe": {
            "seed": 42,
            "jobs": 100_000,
            "mean_gap_s": 600 / 990,
            "mean_run_s": 600,
            "total_run_s": 59_676_664,
        },
        "nodes": 1000,
        "policy": "FIFO",
        "power": {"idle_W": 100, "max_W": 200},
    },
    "expected": {
        "makespan_s": 64978,
        "mean_wait_s": 9.93267,
        "frac_wait": 0.36964,
        "max_wait_s": 106,
        "energy_J": 12465466400.0,
    },
}


def builtin() -> Iterator[Case]:
    """Unit cases, demand and carbon that vary, the power chain of Frontier, 100,000 jobs in order of submission.

    No file is needed.
    """
    for name, (added, expected) in _OPENDC.items():
        yield _case("opendc", f"OpenDC {name}", {"input": {**_HOST, **added}, "expected": expected})
    for name, (added, expected) in _VARYING.items():
        yield _case("opendc", name, {"input": {**_HOST, **added}, "expected": expected})
    for name, (util, figures) in _RAPS.items():
        yield _case(
            "frontier_power",
            name,
            {"input": {**_FRONTIER, "util": util}, "expected": figures, "tolerance": 0.0002},
        )
    yield _case("fifo_replay", "FIFO 100k jobs", _FIFO)


def _case(kind: str, name: str, body: dict[str, Any]) -> Case:
    return Case(kind, name, {"id": name, "kind": kind, **body})


AREA = Area(
    "datacenter",
    {"opendc": opendc.check, "frontier_power": frontier.check, "fifo_replay": fifo.check},
    builtin,
)
