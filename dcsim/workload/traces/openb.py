"""Alibaba openb pods (alibaba/clusterdata, cluster-trace-gpu-v2023; FGD, ATC 2023), one pod per row.

`name, cpu_milli, memory_mib, num_gpu, gpu_milli` and, where the list has times, `gpu_spec, qos, pod_phase,
creation_time, deletion_time, scheduled_time` in s from the start of the trace. `gpu_milli` is the share of one GPU in
thousandths where `num_gpu` is 1, and 1000 of each where there are more. `gpu_spec` holds the GPU models that a pod
accepts, joined by `|`; empty: any, here "gpu". A pod without GPU holds its cores; the option `select`, gpu or cpu,
takes one sort.

`read` takes pods of every phase that were scheduled and deleted: wait = scheduled - created, run = deleted - scheduled.
Pods that never were scheduled (Pending), are not deleted, or were deleted at once are left out. Lists without times are
no traces: `items` gives all pods of any list in its order.
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
    Identifier("name"),
    Number("cpu_milli", most=MAX_PROCESSORS),
    Number("memory_mib", most=MAX_S),
    Number("num_gpu", most=MAX_PROCESSORS, whole=True),
    Number("gpu_milli", most=1000.0, whole=True),
)
_LABELS: tuple[Column, ...] = (Label("gpu_spec"), Label("qos"), Label("pod_phase"))
_TIMES: tuple[Column, ...] = (
    Number("creation_time"),
    Number("deletion_time", missing=MISSING),
    Number("scheduled_time", missing=MISSING),
)


def read(path: Path, reading: Reading) -> Block:
    """Pods with the columns of `items`, wait_s and run_s. Raises TraceError."""
    kept = load(path, reading, (*_SIZES, *_LABELS, *_TIMES), [column.name for column in (*_SIZES[1:], *_TIMES)])
    _describe(kept)
    created, scheduled, deleted = (kept.table[f"{what}_time"] for what in ("creation", "scheduled", "deletion"))
    _fleet.spans(kept, scheduled - created, deleted - scheduled, ("scheduled_time", "deletion_time"))
    return kept.block(created)


def items(path: Path, reading: Reading) -> Block:
    """Pods with processors, share, cores, memory_bytes, device_kind, slo_class (the QoS), state (the phase)."""
    times = [column.name for column in _TIMES]
    kept = load(path, reading, (*_SIZES, *_LABELS), [column.name for column in _SIZES[1:]], not_read=times)
    _describe(kept)
    return kept.block(np.zeros(len(kept.table)))


def _describe(kept: Kept) -> None:
    table = kept.table
    count, milli = table["num_gpu"], table["gpu_milli"]
    kept.bad((count > 0.0) & (milli == 0.0), "gpu_milli", milli, "a number above 0 for a pod with GPUs")
    models = (table["gpu_spec"], [*table.names["gpu_spec"]]) if "gpu_spec" in table else None
    _fleet.hold(kept, count * milli / 1000.0, table["cpu_milli"] / 1000.0, models=models)
    kept.columns["memory_bytes"] = table["memory_mib"] * _fleet.MIB
    kept.label("slo_class", "qos")
    kept.label("state", "pod_phase")
    if "name" in table:
        _fleet.number_all(kept, table["name"])
