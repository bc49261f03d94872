"""Philly jobs as published with Sia (siasosp23/artifacts, from msr-fiddle/philly-traces): `timestamp,duration,num_gpus,
gpu_time,cluster`.

It is not the whole Philly log: 93 % of its jobs have one GPU, and replaying it gives no contention. `timestamp` is the
local time of submission without a zone; unless the option `timezone` names one, the clock is taken to run through.
`duration` is the run time in s; `gpu_time`, its product with the GPUs, is not read. `tenant` is the virtual cluster. A
job without GPUs or without run time is left out.
"""

from __future__ import annotations

from pathlib import Path

from dcsim.workload.block import Block
from dcsim.workload.traces._columns import MAX_PROCESSORS, Column, Label, Moment, Number
from dcsim.workload.traces._kept import load, since_first
from dcsim.workload.traces._reading import Reading

OPTIONS = ("timezone",)


def read(path: Path, reading: Reading) -> Block:
    """Jobs with processors, run_s and tenant. Raises TraceError."""
    columns: tuple[Column, ...] = (
        Moment("timestamp", reading.timezone or "UTC"),
        Number("duration"),
        Number("num_gpus", whole=True, most=MAX_PROCESSORS),
        Label("cluster"),
    )
    kept = load(path, reading, columns, [column.name for column in columns], not_read=("gpu_time",))
    table = kept.table
    kept.leave_out(table["num_gpus"] == 0.0, "no GPUs")
    kept.leave_out(table["duration"] == 0.0, "no run time")
    kept.columns |= {"processors": table["num_gpus"], "run_s": table["duration"]}
    kept.label("tenant", "cluster")
    return kept.block(since_first(table["timestamp"], kept.which))
