"""CPU time and peak memory of drawing arrivals of every kind, each in a process of its own.

    python benchmarks/arrivals.py [--jobs 10000000] [--json] [KIND ...]

Moments only: no sizes, no run times. Memory is that of the whole process at its peak and, of it, what drawing added to
the imports.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

RATE = 1000.0

#: label -> the arrivals of a scenario, all at a mean rate of RATE
CASES: dict[str, dict[str, Any]] = {
    "poisson": {"kind": "poisson"},
    "periodic": {"kind": "periodic", "jitter": "0.5 ms"},
    "daily": {"kind": "daily", "profile": "servegen-m-large"},
    "weekly": {"kind": "weekly", "profile": "servegen-m-large", "weekend": 0.7},
    "sinusoid": {"kind": "sinusoid", "amplitude": 0.6, "peak": "1 h", "period": "2 h"},
    "gamma": {"kind": "gamma", "cv": 2},
    "gamma, daily": {"kind": "gamma", "cv": 2, "profile": "servegen-m-large"},
    "weibull": {"kind": "weibull", "cv": 2},
    "lognormal": {"kind": "lognormal", "cv": 2},
    "mmpp": {"kind": "mmpp", "rates": ["1800/s", "200/s"], "stays": ["60 s", "60 s"]},
    "mmpp, fast": {"kind": "mmpp", "rates": ["1800/s", "200/s"], "stays": ["10 ms", "10 ms"]},
    "hawkes": {"kind": "hawkes", "branching": 0.5, "decay": "1 s"},
    "hawkes, near 1": {"kind": "hawkes", "branching": 0.95, "decay": "1 s"},
    "self-similar": {"kind": "self-similar", "hurst": 0.8, "sources": 20, "on": "1 s"},
    "clients, 422": {"kind": "clients", "count": 422, "zipf": 1.1, "cv": [3, 1.2]},
    "clients, 10000": {"kind": "clients", "count": 10_000, "zipf": 1.1, "cv": [3, 1.2]},
    "schedule": {"kind": "schedule", "times": ["0 s"], "every": "1 ms"},
}


def measure(label: str, jobs: float) -> dict[str, float]:
    """Draw about so many arrivals here: jobs drawn, CPU time [s], peak memory and what it grew by [MiB]."""
    from pydantic import TypeAdapter

    from dcsim import catalog
    from dcsim.scenario.replay import Process
    from dcsim.seeds import generator
    from dcsim.workload import moments

    keys = dict(CASES[label])
    if keys["kind"] not in ("mmpp", "schedule"):
        keys["rate"] = f"{RATE}/s"
    spec, known, before = TypeAdapter(Process).validate_python(keys), catalog.load(), _peak_mib()
    begin = time.process_time()
    source = moments.source(spec, "arrivals", jobs / RATE, known, None)
    drawn = sum(len(block) for block in source.draw(jobs / RATE, generator(1, 0, "arrivals")))
    return {
        "jobs": drawn,
        "cpu_s": time.process_time() - begin,
        "peak_mib": _peak_mib(),
        "added_mib": _peak_mib() - before,
    }


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("labels", nargs="*", metavar="KIND", help="some of: " + "; ".join(CASES))
    parser.add_argument("--jobs", type=float, default=1e7)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    for label in given.labels:
        if label not in CASES:
            parser.error(f"unknown kind {label!r}; allowed: {'; '.join(CASES)}")
    if given.here:
        print(json.dumps(measure(given.labels[0], given.jobs)))
        return
    found = {}
    for label in given.labels or CASES:
        command = [sys.executable, __file__, label, "--here", "--jobs", repr(given.jobs)]
        found[label] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if not given.json:
            row = found[label]
            print(
                f"{label:16s} {row['jobs']:>12,} jobs  {row['cpu_s']:6.2f} s"
                f"  peak {row['peak_mib']:4.0f} MiB, {row['added_mib']:3.0f} of it drawing",
                flush=True,
            )
    if given.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
