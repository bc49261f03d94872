"""Alibaba PAI 2020 (alibaba/clusterdata, cluster-trace-gpu-v2020, CC-BY-4.0): the task table or the job table.

The published tables have no header: six columns are a job table (`job_name, inst_id, user, status, start_time,
end_time`), ten a task table (`job_name, task_name, inst_num, status, start_time, end_time, plan_cpu, plan_mem,
plan_gpu, gpu_type`). One with a header may have its columns in any order. Times are in s; arrivals are as written.

- A row of the task table is a job of `inst_num` equal instances; `plan_cpu` and `plan_gpu` are per cent of a core and
  of a GPU, `plan_mem` GB of one instance. It arrives when it was launched and runs to its end: the table does not say
  how long it waited. Without GPUs it holds its cores; the option `select`, gpu or cpu, takes one sort. `kind` is the
  task's name, `device_kind` the GPU type.
- A row of the job table is a job that arrives when it was submitted. Its end says nothing about its run time, since it
  waited before: no column but user and state.

Tasks of every status (Terminated, Failed, Running, Waiting) are jobs if they have a start and an end; the others are
left out, and so are those that end in the second of their start.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcsim.workload.block import Block
from dcsim.workload.traces import _fleet, _table
from dcsim.workload.traces._columns import MAX_PROCESSORS, MAX_S, MISSING, Column, Label, Number
from dcsim.workload.traces._kept import Kept
from dcsim.workload.traces._lines import Layout
from dcsim.workload.traces._reading import Reading, Rows

OPTIONS = ("select",)

_JOB = ("job_name", "inst_id", "user", "status", "start_time", "end_time")
_TASK = (
    *("job_name", "task_name", "inst_num", "status", "start_time", "end_time"),
    *("plan_cpu", "plan_mem", "plan_gpu", "gpu_type"),
)
_NOT_READ: tuple[Column, ...] = (Label("job_name"), Label("inst_id"))
_JOB_COLUMNS: tuple[Column, ...] = (
    Label("user"),
    Label("status", missing=MISSING),
    Number("start_time", missing=MISSING),
)
_TASK_COLUMNS: tuple[Column, ...] = (
    Label("task_name"),
    Number("inst_num", most=MAX_PROCESSORS, whole=True, missing=MISSING),
    Label("status", missing=MISSING),
    Number("start_time", missing=MISSING),
    Number("end_time", missing=MISSING),
    Number("plan_cpu", most=MAX_PROCESSORS, missing=MISSING),
    Number("plan_mem", most=MAX_S, missing=MISSING),
    Number("plan_gpu", most=MAX_PROCESSORS, missing=MISSING),
    Label("gpu_type", missing=MISSING),
)


def read(path: Path, reading: Reading) -> Block:
    """Tasks with processors, share, cores, memory_bytes, run_s, kind, state, device_kind; or jobs."""
    first = _table.header(path)
    headed = bool(set(first) & {*_JOB, *_TASK})
    bare = {len(_JOB): _JOB, len(_TASK): _TASK}
    names: Sequence[str] = first if headed else bare.get(len(first), first)
    if "plan_gpu" in names:
        return _tasks(_load(path, reading, names, _TASK_COLUMNS, ("start_time", "end_time", "plan_gpu"), headed))
    return _jobs(_load(path, reading, names, _JOB_COLUMNS, ("start_time", "user"), headed))


def _load(
    path: Path, reading: Reading, names: Sequence[str], columns: Sequence[Column], required: Sequence[str], headed: bool
) -> Kept:
    others = (*_NOT_READ, *(() if "plan_gpu" in names else (Label("end_time"),)))
    chosen = _table.choose(path, names, (*columns, *others), required)
    rows = Rows(path, reading)
    wanted = [column for column in chosen if column not in others]
    return Kept(rows, _table.read(rows, names, wanted, Layout(header=headed)))


def _tasks(kept: Kept) -> Block:
    table = kept.table
    count = np.nan_to_num(table["inst_num"], nan=1.0) if "inst_num" in table else np.ones(len(table))
    gpus = np.nan_to_num(table["plan_gpu"]) / 100.0
    cores = np.nan_to_num(table["plan_cpu"]) / 100.0 if "plan_cpu" in table else None
    models = (table["gpu_type"], [*table.names["gpu_type"]]) if "gpu_type" in table else None
    _fleet.hold(kept, gpus, cores, count, models)
    start_s, run_s = table["start_time"], table["end_time"] - table["start_time"]
    _fleet.spans(kept, start_s - start_s, run_s, ("start_time", "end_time"))
    del kept.columns["wait_s"]
    if "plan_mem" in table:
        kept.columns["memory_bytes"] = np.nan_to_num(table["plan_mem"]) * _fleet.GIB * count
    kept.label("kind", "task_name")
    kept.label("state", "status")
    return kept.block(start_s)


def _jobs(kept: Kept) -> Block:
    start_s = kept.table["start_time"]
    kept.leave_out(np.isnan(start_s), "no start")
    kept.label("user", "user")
    kept.label("state", "status")
    return kept.block(start_s)
