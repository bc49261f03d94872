"""dcsim's own plain table of jobs, one per row, and any other CSV file whose columns the option `columns` names.

The header has the names of `dcsim.workload.columns` in any order, and `submit_s` or `arrival_s` (from the start of the
run), or `submit_time` (a date and time with a zone, or Unix time; arrivals then count from the first job). `job_id` is
`trace_id`. `start_time` and `end_time`, of the same form, give run and waiting times; a row without one of them is left
out. Every other cell is filled. A job that runs longer than it requested is killed at the requested time. Jobs
submitted at the same time keep the order of the file.

With `columns`, dcsim's name -> the file's, the other columns of the file are left out; without it, a column with an
unknown name is refused. `timezone` is the zone of times that are written without one.
"""

from __future__ import annotations

from pathlib import Path

from dcsim.workload.block import Block
from dcsim.workload.traces import _native, _table
from dcsim.workload.traces._kept import Kept
from dcsim.workload.traces._reading import Reading, Rows

OPTIONS = ("columns", "timezone")


def read(path: Path, reading: Reading) -> Block:
    """Jobs with the columns of the file. Raises TraceError."""
    return _native.jobs(_rows(path, reading, timed=True), timed=True)


def items(path: Path, reading: Reading) -> Block:
    """Jobs of a list; arrival times, where it has them, are not read. Raises TraceError."""
    return _native.jobs(_rows(path, reading, timed=False), timed=False)


def _rows(path: Path, reading: Reading, *, timed: bool) -> Kept:
    names, columns = _native.chosen(path, _table.header(path), reading, timed=timed)
    rows = Rows(path, reading)
    return Kept(rows, _table.read(rows, names, columns))
