"""dcsim beside other simulators on the same 100,000 jobs: SimGrid (C++) and LEAF (SimPy), where installed.

    python benchmarks/peers.py [--repeats N] [--leaf-python PATH] [--json]

SimGrid: Debian's libsimgrid-dev and a C++ compiler; the driver `simgrid_fifo.cpp` is compiled here. LEAF:
leafsim from the package index, in the Python of `--leaf-python` (by default this one). What is missing is
skipped with a line. Each simulator counts energy and keeps the start of every job; imports and reading the
trace are not in its time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dcsim.sim.replay import replay
from dcsim.validation.fifo import Recipe, drawn, write_csv
from dcsim.workload import traces

HERE = Path(__file__).parent
RECIPE = Recipe(seed=42, jobs=100_000, mean_gap_s=600 / 990, mean_run_s=600.0, total_run_s=59_676_664.0)
NODES, IDLE_W, BUSY_W = 1000, 100.0, 200.0

Answer = dict[str, float]


def dcsim(trace: Path) -> Answer:
    """One replay; the time that reading the trace takes is measured beside it and taken off."""
    begin = time.perf_counter()
    traces.read(trace, "csv")
    reading = time.perf_counter() - begin
    begin = time.perf_counter()
    result = replay(trace, format="csv", policy="fcfs", nodes=NODES, idle_power_w=IDLE_W, busy_power_w=BUSY_W)
    jobs = result.jobs
    spent = time.perf_counter() - begin - reading
    return {
        "seconds": spent,
        "jobs": len(jobs),
        "makespan_s": float(jobs["end_s"].max()),
        "mean_wait_s": float(jobs["wait_s"].mean()),
        "energy_J": result.summary["energy"]["compute_kwh"] * 3.6e6,
    }


def external(command: list[str], trace: Path) -> Answer:
    """One run of another simulator's driver, which prints its answer as JSON."""
    arguments = [*command, str(trace), str(NODES), str(IDLE_W), str(BUSY_W)]
    answer = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(answer.stdout)


def compiled(folder: Path) -> tuple[list[str], str]:
    """(command of the SimGrid driver, or nothing; why not)."""
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        return [], "no C++ compiler"
    program = folder / "simgrid_fifo"
    command = [compiler, "-O2", "-std=c++17", str(HERE / "simgrid_fifo.cpp"), "-lsimgrid", "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (
        ([str(program)], "")
        if done.returncode == 0
        else ([], "libsimgrid-dev is not installed (the driver does not compile)")
    )


def leaf(python: str) -> tuple[list[str], str]:
    """(command of the LEAF driver, or nothing; why not)."""
    found = subprocess.run([python, "-c", "import leaf.infrastructure"], capture_output=True, check=False)
    return ([python, str(HERE / "leaf_fifo.py")], "") if found.returncode == 0 else ([], "leafsim is not installed")


def measure(repeats: int, leaf_python: str) -> dict[str, Answer]:
    """Run all simulators in turn, `repeats` times; returns the answer of each with its median time."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.csv"
        write_csv(trace, *drawn(RECIPE))
        runners: dict[str, Callable[[], Answer]] = {"dcsim": lambda: dcsim(trace)}
        for name, (command, missing) in {
            "SimGrid": compiled(Path(folder)),
            "LEAF": leaf(leaf_python),
        }.items():
            if missing:
                print(f"{name}: skipped, {missing}", file=sys.stderr)
            else:
                runners[name] = lambda command=command: external(command, trace)
        dcsim(trace)  # imports and caches
        runs: dict[str, list[Answer]] = {name: [] for name in runners}
        for _ in range(repeats):
            for name, runner in runners.items():
                runs[name].append(runner())
    answers = {}
    for name, each in runs.items():
        seconds = statistics.median(answer["seconds"] for answer in each)
        answers[name] = {**each[0], "seconds": seconds, "jobs_per_s": each[0]["jobs"] / seconds}
    for answer in answers.values():
        answer["dcsim_is_faster_by"] = answers["dcsim"]["jobs_per_s"] / answer["jobs_per_s"]
    return answers


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--leaf-python", default=sys.executable, help="Python that has leafsim")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    answers = measure(given.repeats, given.leaf_python)
    if given.json:
        print(json.dumps(answers, indent=1))
        return
    print(f"{'':10}{'jobs/s':>12}{'dcsim is x':>12}{'makespan s':>14}{'mean wait s':>14}{'energy J':>20}")
    for name, a in answers.items():
        print(
            f"{name:10}{a['jobs_per_s']:12,.0f}{a['dcsim_is_faster_by']:12.2f}{a['makespan_s']:14,.1f}"
            f"{a['mean_wait_s']:14.5f}{a['energy_J']:20,.1f}"
        )


if __name__ == "__main__":
    main()
