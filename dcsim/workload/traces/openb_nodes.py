"""Alibaba openb nodes (alibaba/clusterdata, cluster-trace-gpu-v2023): `sn,cpu_milli,memory_mib,gpu,model`."""

from __future__ import annotations

from pathlib import Path

from dcsim.workload.traces import _fleet
from dcsim.workload.traces._columns import MAX_PROCESSORS, MAX_S, Column, Label, Number
from dcsim.workload.traces._kept import grouped, load
from dcsim.workload.traces._reading import Reading
from dcsim.workload.traces._tables import Machines

_COLUMNS: tuple[Column, ...] = (
    Number("cpu_milli", most=MAX_PROCESSORS),
    Number("memory_mib", most=MAX_S),
    Number("gpu", most=MAX_PROCESSORS, whole=True),
    Label("model"),
)


def machines(path: Path, reading: Reading) -> Machines:
    """Nodes by kind, most first. Raises TraceError."""
    kept = load(path, reading, _COLUMNS, [column.name for column in _COLUMNS], not_read=("sn",))
    table = kept.table
    memory_bytes = table["memory_mib"] * _fleet.MIB
    return grouped(kept, table["cpu_milli"] / 1000.0, memory_bytes, table["gpu"], "model")
