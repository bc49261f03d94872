"""Job tables of GPU clusters with submit, start and end times: what Helios and Acme share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcsim.workload.block import Block
from dcsim.workload.traces import _fleet
from dcsim.workload.traces._columns import MAX_PROCESSORS, MISSING, Column, Identifier, Label, Moment, Number
from dcsim.workload.traces._kept import load, since_first
from dcsim.workload.traces._reading import Reading


def read(
    path: Path, reading: Reading, timezone: str | None, labels: dict[str, str], not_read: tuple[str, ...]
) -> Block:
    """Jobs of such a table. `labels` are dcsim's names -> the file's; times without a zone are of `timezone`."""
    columns: tuple[Column, ...] = (
        Identifier("job_id"),
        Moment("submit_time", timezone),
        Moment("start_time", timezone, missing=MISSING),
        Moment("end_time", timezone, missing=MISSING),
        Number("gpu_num", most=MAX_PROCESSORS),
        Number("cpu_num", most=MAX_PROCESSORS, missing=MISSING),
        Number("node_num", most=MAX_PROCESSORS, missing=MISSING),
        *(Label(name, missing=MISSING) for name in labels.values()),
    )
    required = ("submit_time", "start_time", "end_time", "gpu_num")
    kept = load(path, reading, columns, required, not_read=not_read)
    table = kept.table
    cores = np.nan_to_num(table["cpu_num"]) if "cpu_num" in table else None
    _fleet.hold(kept, table["gpu_num"], cores)
    submit = table["submit_time"]
    _fleet.times(kept, submit, table["start_time"], table["end_time"], ("start_time", "end_time"))
    if "node_num" in table and (table["node_num"][kept.which] >= 1.0).all():
        kept.columns["nodes"] = table["node_num"]
    if "job_id" in table:
        _fleet.number_all(kept, table["job_id"])
    for ours, theirs in labels.items():
        kept.label(ours, theirs)
    return kept.block(since_first(submit, kept.which))
