"""Alibaba spot GPUs (alibaba/clusterdata, cluster-trace-v2026-spot-gpu; GFS, ASPLOS 2026).

Jobs, `job_info_df.csv`: `job_name, organization, gpu_model, cpu_request, gpu_request, worker_num, submit_time,
duration, job_type`. `submit_time` counts in s from the first job, `duration` is the run time in s. A job has
`worker_num` workers; the requests are taken to be those of one worker. `slo_class` is the type, HP (high priority) or
Spot; `tenant` is the organisation. Jobs without GPUs hold their cores; the option `select`, gpu or cpu, takes one sort.
Jobs without run time or workers are left out.

Nodes, `node_info_df.csv`: `node_name, gpu_model, gpu_capacity_num, cpu_num`; memory is not said.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcsim.workload.block import Block
from dcsim.workload.traces import _fleet
from dcsim.workload.traces._columns import MAX_PROCESSORS, MISSING, Column, Identifier, Label, Number
from dcsim.workload.traces._kept import grouped, load
from dcsim.workload.traces._reading import Reading
from dcsim.workload.traces._tables import Machines

OPTIONS = ("select",)

_JOBS: tuple[Column, ...] = (
    Identifier("job_name"),
    Label("organization"),
    Label("gpu_model", missing=MISSING),
    Number("cpu_request", most=MAX_PROCESSORS),
    Number("gpu_request", most=MAX_PROCESSORS),
    Number("worker_num", most=MAX_PROCESSORS, whole=True),
    Number("submit_time"),
    Number("duration"),
    Label("job_type", allowed=frozenset({"HP", "Spot"})),
)
_NODES: tuple[Column, ...] = (
    Label("gpu_model", missing=MISSING),
    Number("gpu_capacity_num", most=MAX_PROCESSORS, whole=True),
    Number("cpu_num", most=MAX_PROCESSORS),
)


def read(path: Path, reading: Reading) -> Block:
    """Jobs with processors, share, cores, run_s, device_kind, tenant and slo_class. Raises TraceError."""
    required = ("gpu_request", "worker_num", "submit_time", "duration")
    kept = load(path, reading, _JOBS, required)
    table = kept.table
    models = (table["gpu_model"], [*table.names["gpu_model"]]) if "gpu_model" in table else None
    kept.leave_out(table["worker_num"] == 0.0, "no workers")
    cores = table.values.get("cpu_request")
    _fleet.hold(kept, table["gpu_request"], cores, table["worker_num"], models)
    kept.leave_out(table["duration"] == 0.0, "no run time")
    kept.columns["run_s"] = table["duration"]
    kept.label("tenant", "organization")
    kept.label("slo_class", "job_type")
    if "job_name" in table:
        _fleet.number_all(kept, table["job_name"])
    return kept.block(table["submit_time"])


def machines(path: Path, reading: Reading) -> Machines:
    """Nodes by kind, most first. Raises TraceError."""
    kept = load(path, reading, _NODES, [column.name for column in _NODES], not_read=("node_name",))
    table = kept.table
    return grouped(kept, table["cpu_num"], np.zeros(len(table)), table["gpu_capacity_num"], "gpu_model")
