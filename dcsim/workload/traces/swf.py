"""Standard Workload Format 2.2 of the Parallel Workloads Archive: 18 fields per job, `;` starts a comment.

A value that is not positive is unknown. Processors are those requested (field 8), else those used (field 5);
a job with neither is left out and counted. A run time that is not positive becomes 1 s. The requested time
(field 9), where unknown, is the run time; a job is killed at its requested time. Jobs are sorted by submit
time, then job number. Times count from the log's start, as they are written.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcsim.errors import TraceError
from dcsim.workload.block import Block
from dcsim.workload.traces import _table
from dcsim.workload.traces._reading import Reading

_COLUMNS: tuple[_table.Column, ...] = (
    _table.Number("1 job number", least=-_table.MAX_ID, most=_table.MAX_ID, whole=True),
    _table.Number("2 submit time"),
    _table.Unread("3 wait time"),
    _table.Number("4 run time", least=-_table.MAX_S),
    _table.Number("5 processors used", least=-_table.MAX_S, most=_table.MAX_PROCESSORS, whole=True),
    _table.Unread("6 average CPU time"),
    _table.Unread("7 memory used"),
    _table.Number("8 processors requested", least=-_table.MAX_S, most=_table.MAX_PROCESSORS, whole=True),
    _table.Number("9 requested time", least=-_table.MAX_S),
    *(_table.Unread(f"{number}") for number in range(10, 19)),
)


def read(path: Path, reading: Reading) -> Block:
    """Jobs with columns run_s, processors, requested_s and trace_id (the job number); raises TraceError."""
    del reading
    table = _table.read(path, _COLUMNS, _table.Layout(delimiter=None, comment=";", header=False))
    number, submit_s, run, used, asked, limit = (
        table[column.name] for column in _COLUMNS if isinstance(column, _table.Number)
    )
    processors = np.where(asked > 0, asked, used)
    run_s = np.where(run > 0, run, 1.0)
    requested_s = np.where(limit > 0, limit, run_s)
    rows = np.flatnonzero(processors > 0)
    if not len(rows):
        raise TraceError(f"{path}: no job has processors (fields 8 and 5)")
    order = rows[np.lexsort((number[rows], submit_s[rows]))]
    columns = {
        "run_s": np.minimum(run_s, requested_s),
        "processors": processors,
        "requested_s": requested_s,
        "trace_id": number,
    }
    return _table.by_arrival(submit_s, columns, order, {"no processors": len(submit_s) - len(rows)})
