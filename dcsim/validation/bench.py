"""Speed and memory of the whole simulate path, alone and against yardsticks timed in the same process.

`python -m dcsim.validation.bench JOBS` simulates once and prints its peak memory as JSON: `run` starts it as
a child so that nothing else counts.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np

from dcsim.results import Result
from dcsim.scenario.models import Scenario
from dcsim.sim.simulate import simulate
from dcsim.validation.bench_loops import TutorialModel, heap_loop

RACKS = 100
NODES_PER_RACK = 25
DEVICES_PER_NODE = 4
DEVICES = RACKS * NODES_PER_RACK * DEVICES_PER_NODE
LOAD = 0.9
MEAN_SERVICE_S = 60.0
IDLE_W, BUSY_W = 100.0, 200.0


def scenario(jobs: int) -> Scenario:
    """10,000 devices in 100 racks, about `jobs` jobs in order of arrival, placed in turn on the devices."""
    rate = LOAD * DEVICES / MEAN_SERVICE_S
    power = {"idle": f"{IDLE_W} W", "max": f"{BUSY_W} W"}
    node = {"devices": {"device": {"count": DEVICES_PER_NODE, "power": power}}}
    return Scenario.model_validate(
        {
            "name": "bench",
            "duration": f"{jobs / rate!r} s",
            "meter_interval": "60 s",
            "sites": {"site": {}},
            "racks": {
                "rack": {
                    "site": "site",
                    "count": RACKS,
                    "pools": {"devices": {"nodes": NODES_PER_RACK, "node": node}},
                }
            },
            "streams": {
                "jobs": {
                    "arrivals": {"kind": "poisson", "rate": f"{rate!r}/s"},
                    "runs_on": ["devices"],
                    "service": {"distribution": "exponential", "mean": f"{MEAN_SERVICE_S} s"},
                }
            },
            "scheduling": {"policy": "fcfs", "placement": "round-robin"},
        }
    )


def run(
    jobs: int = 1_000_000, tutorial_jobs: int = 100_000, repeats: int = 3, memory_jobs: int | None = None
) -> dict[str, float]:
    """Time everything in turn, `repeats` times, and report medians of the CPU time, imports aside.

    Keys, where "simulate" covers demand, records, power, facility and summary:

    - jobs_per_s: simulate, `jobs` jobs;
    - heapq_jobs_per_s, ratio_to_heapq: the heap loop on the same arrivals and completions, and how many times
      as long simulate takes;
    - simpy_jobs_per_s, speedup_over_simpy_tutorial: the tutorial model on `tutorial_jobs` jobs, and how many
      times as long it takes as simulate;
    - jobs_table_s: making the jobs table as a frame, which simulate leaves until it is asked for;
    - peak_mb, peak_saved_mb: memory of a fresh process after simulate, and after it has written the run
      folder, for `memory_jobs` jobs (by default `jobs`);
    - jobs, tutorial_jobs, memory_jobs, devices, racks, repeats.
    """
    big, small = scenario(jobs), scenario(tutorial_jobs)
    _timed(_demand, simulate(small))  # warms caches and lazy imports
    seconds: dict[str, list[float]] = {"simulate": [], "heap": [], "table": [], "short": [], "simpy": []}
    counts = {"simulate": 0, "short": 0}
    for _ in range(repeats):
        for given, own, other, yardstick in (
            (big, "simulate", "heap", _loop),
            (small, "short", "simpy", _tutorial),
        ):
            spent, result = _timed(simulate, given)
            table_s, (arrival, service) = _timed(_demand, result)
            counts[own] = len(arrival)
            seconds[own].append(spent)
            if own == "simulate":
                seconds["table"].append(table_s)
            del result  # its frame would make the garbage collector slower for the yardstick
            seconds[other].append(_timed(yardstick, arrival, service)[0])
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "jobs_per_s": counts["simulate"] / median["simulate"],
        "heapq_jobs_per_s": counts["simulate"] / median["heap"],
        "ratio_to_heapq": median["simulate"] / median["heap"],
        "simpy_jobs_per_s": counts["short"] / median["simpy"],
        "speedup_over_simpy_tutorial": median["simpy"] / median["short"],
        "jobs_table_s": median["table"],
        **child_peaks_mb(memory_jobs or jobs),
        "jobs": counts["simulate"],
        "tutorial_jobs": counts["short"],
        "devices": DEVICES,
        "racks": RACKS,
        "repeats": repeats,
    }


Given = ParamSpec("Given")
Value = TypeVar("Value")


def _timed(call: Callable[Given, Value], *args: Given.args, **kwargs: Given.kwargs) -> tuple[float, Value]:
    gc.collect()
    begin = time.process_time()  # CPU time: other work on the machine disturbs it least
    value = call(*args, **kwargs)
    return time.process_time() - begin, value


def _demand(result: Result) -> tuple[list[float], list[float]]:
    """(arrivals, service times) of the jobs in the result, s; one cut off by the end gets the mean time."""
    jobs = result.jobs
    service = (jobs["end_s"] - jobs["first_start_s"]).to_numpy(np.float64)
    return jobs["arrival_s"].tolist(), np.where(np.isnan(service), MEAN_SERVICE_S, service).tolist()


def _loop(arrival_s: list[float], service_s: list[float]) -> float:
    return heap_loop(arrival_s, service_s, DEVICES)[0]


def _tutorial(arrival_s: list[float], service_s: list[float]) -> float:
    return TutorialModel(arrival_s, service_s, RACKS, DEVICES // RACKS, IDLE_W, BUSY_W).run()


def child_peaks_mb(jobs: int) -> dict[str, float]:
    """peak_mb, peak_saved_mb (1e6 bytes) and memory_jobs of one run in a fresh process, imports included."""
    command = [sys.executable, "-m", "dcsim.validation.bench", str(jobs)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: float(value) for name, value in json.loads(answer.stdout).items()}


def own_peak_mb() -> float:
    """Peak resident memory of this process, MB.

    Linux counts in `getrusage` what the parent held when it started this process, so /proc is asked first.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024 / 1e6
    import resource  # not on every system

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main() -> None:
    """Simulate as many jobs as the command line says, write the run folder, print both peaks as JSON."""
    jobs = int(sys.argv[1])
    result = simulate(scenario(jobs))
    after_run = own_peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        result.save(Path(folder) / "run")
    print(json.dumps({"peak_mb": after_run, "peak_saved_mb": own_peak_mb(), "memory_jobs": jobs}))


if __name__ == "__main__":
    main()
