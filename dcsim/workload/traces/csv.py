"""dcsim's own plain table of jobs, one job per row.

Header and columns in any order: `submit_s` (from the start of the run), and `run_s` or both of `input_tokens`
and `output_tokens`, or all three; optionally `job_id` (a whole number), `processors` and `requested_s`. Every
cell is filled. Rows need not be sorted; jobs submitted at the same time keep the order of the file. A job
that runs longer than it requested is killed at the requested time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcsim.workload.block import Block
from dcsim.workload.traces import _table
from dcsim.workload.traces._reading import Reading

_COLUMNS: tuple[_table.Column, ...] = (
    _table.Number("submit_s"),
    _table.Number("run_s", above=True),
    _table.Number("requested_s", above=True),
    _table.Number("processors", least=1, most=_table.MAX_PROCESSORS, whole=True),
    _table.Number("input_tokens", least=1, most=_table.MAX_TOKENS, whole=True),
    _table.Number("output_tokens", least=1, most=_table.MAX_TOKENS, whole=True),
    _table.Number("job_id", least=-_table.MAX_ID, most=_table.MAX_ID, whole=True),
)


def read(path: Path, reading: Reading) -> Block:
    """Jobs with the columns of the file; `job_id` becomes `trace_id`. Raises TraceError."""
    del reading
    names = _table.header(path)
    tokens = {"input_tokens", "output_tokens"}
    required = ["submit_s", *(sorted(tokens) if tokens & set(names) else ["run_s"])]
    table = _table.read(path, _table.choose(path, names, _COLUMNS, required), _table.Layout())
    submit_s = table.pop("submit_s")
    if "job_id" in table:
        table["trace_id"] = table.pop("job_id")
    if "requested_s" in table and "run_s" in table:
        table["run_s"] = np.minimum(table["run_s"], table["requested_s"])
    return _table.by_arrival(submit_s, table, np.argsort(submit_s, kind="stable"), {})
