"""Workloads of Pollux and Sia: `name,time,application,num_replicas,batch_size`.

`time` is the submission in s from the start, `num_replicas` the GPUs, `kind` the application. How long a job runs
follows from the application and its batch size, which the scenario must know: there are no run times, and `batch_size`
is not read. A job with 0 replicas is left out.
"""

from __future__ import annotations

from pathlib import Path

from dcsim.workload.block import Block
from dcsim.workload.traces._columns import MAX_PROCESSORS, Column, Label, Number
from dcsim.workload.traces._kept import load
from dcsim.workload.traces._reading import Reading

_COLUMNS: tuple[Column, ...] = (
    Number("time"),
    Label("application"),
    Number("num_replicas", whole=True, most=MAX_PROCESSORS),
)


def read(path: Path, reading: Reading) -> Block:
    """Jobs with processors and kind. Raises TraceError."""
    kept = load(path, reading, _COLUMNS, [column.name for column in _COLUMNS], not_read=("name", "batch_size"))
    table = kept.table
    kept.leave_out(table["num_replicas"] == 0.0, "no GPUs")
    kept.columns["processors"] = table["num_replicas"]
    kept.label("kind", "application")
    return kept.block(table["time"])
