"""Jobs of a table whose columns have dcsim's own names, or names that the user maps to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcsim.errors import TraceError, nearest
from dcsim.workload import columns
from dcsim.workload.block import Block
from dcsim.workload.traces import _table
from dcsim.workload.traces._columns import (
    MAX_BYTES,
    MAX_ID,
    MAX_PROCESSORS,
    MAX_TOKENS,
    MISSING,
    NO_TIME,
    Column,
    Label,
    Moment,
    Number,
)
from dcsim.workload.traces._kept import Kept, between, since_first
from dcsim.workload.traces._reading import Reading

#: Names of the column of arrivals, one of which there is: seconds from the start of the run, or moments.
ARRIVALS = ("submit_s", "arrival_s", "submit_time")

_TOKENS = ("input_tokens", "output_tokens")
_COUNT = {"least": 1.0, "most": MAX_PROCESSORS}
_ALLOWED: dict[str, Number] = {
    number.name: number
    for number in (
        Number("run_s", above=True),
        Number("requested_s", above=True),
        Number("deadline_s", above=True),
        Number("processors", least=1.0, most=MAX_PROCESSORS, whole=True),
        Number("nodes", least=1.0, most=MAX_PROCESSORS, whole=True),
        Number("share", above=True, most=1.0),
        Number("cores", most=MAX_PROCESSORS),
        Number("memory_bytes", most=MAX_BYTES),
        Number("input_tokens", least=1.0, most=MAX_TOKENS, whole=True),
        Number("output_tokens", least=1.0, most=MAX_TOKENS, whole=True),
        Number("prefix_tokens", most=MAX_TOKENS, whole=True),
        Number("images", most=MAX_TOKENS, whole=True),
        Number("priority", least=-MAX_ID, most=MAX_ID),
        Number("trace_id", least=-MAX_ID, most=MAX_ID, whole=True),
        Number("turn", least=1.0, most=MAX_ID, whole=True),
    )
}


def known(reading: Reading) -> dict[str, Column]:
    """dcsim's names -> what their columns may hold."""
    found: dict[str, Column] = {
        name: Label(name, missing=MISSING) if column.unit == "label" else _ALLOWED.get(name, Number(name))
        for name, column in columns.COLUMNS.items()
    }
    found |= {name: Number(name) for name in ARRIVALS[:2]}
    found |= {"submit_time": Moment("submit_time", reading.timezone, unix=True)}
    found |= {name: Moment(name, reading.timezone, unix=True, missing=MISSING) for name in ("start_time", "end_time")}
    return found | {"job_id": Number("job_id", least=-MAX_ID, most=MAX_ID, whole=True)}


def chosen(path: Path, names: Sequence[str], reading: Reading, *, timed: bool) -> tuple[list[str], list[Column]]:
    """The names of the file's columns by dcsim's names, '' for those that are not used, and the used columns.

    Raises TraceError for a header or a map that does not do.
    """
    native = known(reading)
    ours = _renamed(path, names, reading, native) if reading.columns else list(names)
    columns_ = _table.choose(path, ours, native.values(), (), others=bool(reading.columns))
    found = [name for name in ARRIVALS if name in ours]
    if timed and not found:
        raise TraceError(
            f"{path}, header: no column 'submit_s', 'arrival_s' or 'submit_time'; found: {_table.few(names)}"
        )
    if len(found) > 1:
        raise TraceError(f"{path}, header: found both '{found[0]}' and '{found[1]}', want one of them")
    for one, other in (_TOKENS, _TOKENS[::-1], ("start_time", "end_time"), ("end_time", "start_time")):
        if one in ours and other not in ours:
            raise TraceError(f"{path}, header: no column '{other}', which '{one}' wants beside it")
    for one, other in (("run_s", "start_time"), ("trace_id", "job_id")):
        if one in ours and other in ours:
            raise TraceError(f"{path}, header: found both '{one}' and '{other}', want one of them")
    return ours, columns_


def jobs(read: Kept, *, timed: bool) -> Block:
    """Jobs of a table of such columns, all at 0 unless `timed`. Raises TraceError.

    Run and waiting times come from start and end times where these are given: a row without one of them is left out,
    one that ends before it starts, or starts before it is submitted, is bad. A job that runs longer than it requested
    is killed at the requested time.
    """
    table = read.table
    numbers = {name: table[name] for name in columns.COLUMNS if name in table and name not in table.names}
    read.columns |= {name: values for name, values in numbers.items() if columns.COLUMNS[name].unit != "label"}
    for name in table.names:
        read.label(name, name)
    if "job_id" in table:
        read.columns["trace_id"] = table["job_id"]
    if "start_time" in table:
        _from_moments(read)
    if {"requested_s", "run_s"} <= set(read.columns):
        read.columns["run_s"] = np.minimum(read.columns["run_s"], read.columns["requested_s"])
    if not timed:
        return read.block(np.zeros(len(table)))
    name = next(name for name in ARRIVALS if name in table)
    return read.block(since_first(table[name], read.which) if name == "submit_time" else table[name])


def _from_moments(read: Kept) -> None:
    start, end = read.table["start_time"], read.table["end_time"]
    read.leave_out((start == NO_TIME) | (end == NO_TIME), "no start or end")
    run_s = between(start, end)
    read.bad(run_s <= 0.0, "end_time", run_s, "an end after the start; this many seconds lie between them")
    read.columns["run_s"] = run_s
    if "submit_time" in read.table:
        wait_s = between(read.table["submit_time"], start)
        read.bad(wait_s < 0.0, "start_time", wait_s, "a start after the submission; this many seconds lie between them")
        read.columns["wait_s"] = wait_s


def _renamed(path: Path, names: Sequence[str], reading: Reading, native: dict[str, Column]) -> list[str]:
    for ours, theirs in reading.columns.items():
        if ours not in native:
            raise TraceError(f"{path}, option columns: unknown name '{ours}'{nearest(ours, native)}")
        if theirs not in names:
            raise TraceError(f"{path}, option columns: the file has no column '{theirs}'{nearest(theirs, names)}")
        if names.count(theirs) > 1:
            raise TraceError(f"{path}, header: column '{theirs}' is there twice")
    by_theirs = {theirs: ours for ours, theirs in reading.columns.items()}
    if len(by_theirs) < len(reading.columns):
        raise TraceError(f"{path}, option columns: a column of the file is given to two names")
    return [by_theirs.get(name, "") for name in names]
