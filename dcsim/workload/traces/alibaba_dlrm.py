"""Alibaba recommendation models, disaggregated (alibaba/clusterdata, cluster-trace-gpu-v2025; Prism, NSDI 2025).

One instance per row: `instance_sn, role, app_name`, request and limit of `cpu`, `gpu`, `rdma` (per cent of a network
card), `memory` and `disk` (GiB), `max_instance_per_node` (-1: any) and `creation_time, scheduled_time, deletion_time`
in s from the start of the trace. The requests are read. `kind` is the role, CN (CPU node) or HN (heterogeneous node);
`tenant` is the application. An instance without GPU holds its cores; the option `select`, gpu or cpu, takes one sort.

A time that is missing lies before or after the trace. `read` takes the instances that were created, scheduled and
deleted within it, and leaves out the others: wait = scheduled - created, run = deleted - scheduled. `items` gives all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcsim.workload.block import Block
from dcsim.workload.traces import _fleet
from dcsim.workload.traces._columns import MAX_PROCESSORS, MAX_S, MISSING, Column, Identifier, Label, Number
from dcsim.workload.traces._kept import Kept, load
from dcsim.workload.traces._reading import Reading

OPTIONS = ("select",)

_SIZES: tuple[Column, ...] = (
    Identifier("instance_sn"),
    Label("role", allowed=frozenset({"CN", "HN"})),
    Label("app_name"),
    Number("cpu_request", most=MAX_PROCESSORS),
    Number("gpu_request", most=MAX_PROCESSORS),
    Number("memory_request", most=MAX_S),
)
_TIMES: tuple[Column, ...] = (
    *(Number(f"{what}_time", missing=MISSING) for what in ("creation", "scheduled", "deletion")),
)
_NOT_READ = (
    *(f"{what}_limit" for what in ("cpu", "gpu", "rdma", "memory", "disk")),
    *("rdma_request", "disk_request", "max_instance_per_node"),
)


def read(path: Path, reading: Reading) -> Block:
    """Instances with the columns of `items`, wait_s and run_s. Raises TraceError."""
    required = [column.name for column in (*_SIZES[1:], *_TIMES)]
    kept = load(path, reading, (*_SIZES, *_TIMES), required, not_read=_NOT_READ)
    _describe(kept)
    created, scheduled, deleted = (kept.table[column.name] for column in _TIMES)
    kept.leave_out(np.isnan(created), "created before the trace")
    kept.leave_out(np.isnan(deleted), "deleted after the trace")
    _fleet.spans(kept, scheduled - created, deleted - scheduled, ("scheduled_time", "deletion_time"))
    return kept.block(created)


def items(path: Path, reading: Reading) -> Block:
    """Instances with processors, share, cores, memory_bytes, device_kind, kind and tenant. Raises TraceError."""
    required = [column.name for column in _SIZES[1:]]
    kept = load(path, reading, _SIZES, required, not_read=(*_NOT_READ, *(column.name for column in _TIMES)))
    _describe(kept)
    return kept.block(np.zeros(len(kept.table)))


def _describe(kept: Kept) -> None:
    table = kept.table
    _fleet.hold(kept, table["gpu_request"], table["cpu_request"])
    kept.columns["memory_bytes"] = table["memory_request"] * _fleet.GIB
    kept.label("kind", "role")
    kept.label("tenant", "app_name")
    if "instance_sn" in table:
        _fleet.number_all(kept, table["instance_sn"])
