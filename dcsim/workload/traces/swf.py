"""Standard Workload Format 2.2 of the Parallel Workloads Archive: 18 fields per job, `;` starts a comment line.

A number below 0 is unknown, of processors and requested times 0 too.

- Processors are those requested (field 8), else those used (field 5). A job with neither is left out.
- A run time that is 0 or unknown becomes 1 s: such jobs held processors, if only for a moment.
- The requested time (field 9), where unknown, is the run time. A job is killed at its requested time.
- `state` is the status (field 11): failed 0, completed 1, partial 2 to 4, cancelled 5, else unknown. All of them are
  jobs, since all of them held processors.
- `user`, `tenant` (the group), `kind` (the executable) and `queue` are the numbers of fields 12 to 15, where known.
- Memory (field 10, else 7) is kB per processor.

Jobs are sorted by submit time, then job number. Times count from the log's start, as they are written.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.workload.block import Block, FloatArray
from dcsim.workload.traces import _table
from dcsim.workload.traces._columns import MAX_BYTES, MAX_ID, MAX_PROCESSORS, MAX_S, Number
from dcsim.workload.traces._kept import Kept
from dcsim.workload.traces._lines import Layout
from dcsim.workload.traces._reading import Reading, Rows

_NUMBER, _SUBMIT, _WAIT, _RUN = "1 job number", "2 submit time", "3 wait time", "4 run time"
_USED, _ASKED, _LIMIT = "5 processors used", "8 processors requested", "9 requested time"
_MEMORY_USED, _MEMORY_ASKED, _STATUS = "7 memory used", "10 memory requested", "11 status"
_LABELS = {"user": "12 user", "tenant": "13 group", "kind": "14 executable", "queue": "15 queue"}

_NAMES = (
    *(_NUMBER, _SUBMIT, _WAIT, _RUN, _USED, "6 average CPU time", _MEMORY_USED, _ASKED, _LIMIT, _MEMORY_ASKED, _STATUS),
    *_LABELS.values(),
    *("16 partition", "17 preceding job", "18 think time"),
)
_COLUMNS = (
    Number(_NUMBER, least=-MAX_ID, most=MAX_ID, whole=True),
    Number(_SUBMIT),
    Number(_WAIT, least=-MAX_S),
    Number(_RUN, least=-MAX_S),
    Number(_USED, least=-MAX_S, most=MAX_PROCESSORS, whole=True),
    Number(_MEMORY_USED, least=-MAX_S, most=MAX_BYTES / 1024),
    Number(_ASKED, least=-MAX_S, most=MAX_PROCESSORS, whole=True),
    Number(_LIMIT, least=-MAX_S),
    Number(_MEMORY_ASKED, least=-MAX_S, most=MAX_BYTES / 1024),
    Number(_STATUS, least=-1, most=99, whole=True),
    *(Number(name, least=-1, most=MAX_ID, whole=True) for name in _LABELS.values()),
)
_LAYOUT = Layout(delimiter=" ", quotes=False, comment=";", header=False)
_STATES = ["unknown", "failed", "completed", "partial", "cancelled"]
_STATE_OF_STATUS = np.array([0, 1, 2, 3, 3, 3, 4], np.int32)  # of status -1, 0, 1, ..., 5


def read(path: Path, reading: Reading) -> Block:
    """Jobs with run_s, requested_s, processors, trace_id, and what else is known of them all. Raises TraceError."""
    rows = Rows(path, reading)
    jobs = Kept(rows, _table.read(rows, _NAMES, _COLUMNS, _LAYOUT))
    table = jobs.table
    processors = np.where(table[_ASKED] > 0, table[_ASKED], table[_USED])
    jobs.leave_out(processors <= 0, "no processors")
    run_s = np.where(table[_RUN] > 0, table[_RUN], 1.0)
    requested_s = np.where(table[_LIMIT] > 0, table[_LIMIT], run_s)
    jobs.columns |= {
        "run_s": np.minimum(run_s, requested_s),
        "processors": processors,
        "requested_s": requested_s,
        "trace_id": table[_NUMBER],
    }
    if _known(table[_WAIT], jobs):
        jobs.columns["wait_s"] = table[_WAIT]
    memory = np.where(table[_MEMORY_ASKED] > 0, table[_MEMORY_ASKED], table[_MEMORY_USED])
    if _known(memory, jobs):
        jobs.columns["memory_bytes"] = memory * 1024.0 * processors
    status = np.where(table[_STATUS] <= 5, table[_STATUS], -1).astype(np.int64)
    jobs.labels["state"] = (_STATE_OF_STATUS[status + 1], _STATES)
    for name, column in _LABELS.items():
        if (table[column] >= 0).any():
            jobs.labels[name] = _names(table[column])
    return jobs.block(table[_SUBMIT], table[_NUMBER])


def _known(values: FloatArray, jobs: Kept) -> bool:
    return bool((values[jobs.which] >= 0).all())


def _names(numbers: FloatArray) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Numbers as names, '' where unknown."""
    known, codes = np.unique(numbers, return_inverse=True)
    return codes.astype(np.int32), ["" if number < 0 else f"{number:.0f}" for number in known.tolist()]
