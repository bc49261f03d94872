"""OpenDC's workload format: `tasks.parquet`, and beside it `fragments.parquet` with each task's demand over time.

tasks: `id`, `submission_time` (ms since 1970, or a timestamp), `cpu_count`, `cpu_capacity` (MHz of all its cores
together), `mem_capacity` (MiB); where tasks use accelerators also `gpu_count` and `gpu_capacity` (MHz).
fragments: `id` (of the task), `duration` (ms) and `cpu_usage` (MHz), `gpu_usage` (MHz) where there are accelerators;
a task's fragments follow one another in the order of the file.

A demand becomes a share of what the task holds: usage over capacity. So a core of the node that it runs on counts as
one of the clock that its capacity was written for. The tasks' own column `duration` is not read: a task is as long as
its fragments.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dcsim.errors import TraceError
from dcsim.service import FloatArray, IntArray
from dcsim.workload import usage
from dcsim.workload.block import Block
from dcsim.workload.traces._reading import Reading, Rows

if TYPE_CHECKING:
    import pyarrow as pa

FOLDERS = True

TASKS, FRAGMENTS = "tasks.parquet", "fragments.parquet"

#: Most rows of either file, and most bytes of it unpacked.
MAX_ROWS = 50_000_000
MAX_BYTES = 4 * 2**30

#: Longest fragment: 3,000 years.
MAX_MS = 1e14

MIB = 2.0**20

_ACCELERATED = ("gpu_count", "gpu_capacity")


def read(path: Path, reading: Reading) -> Block:
    """Tasks as jobs with `run_s`, `cores`, `memory_bytes` and their `usage`; `processors` where all use accelerators.

    `path` is the file of the tasks or the folder of both files. Arrivals count from the first task. Tasks without
    fragments are left out and counted. Raises TraceError.
    """
    import pyarrow as pa

    try:
        return _read(path, Rows(path, reading))
    except (pa.ArrowException, ValueError, OverflowError) as error:  # texts that are none, numbers beyond all bounds
        raise TraceError(f"{path}: a column cannot be read ({' '.join(str(error).split())[:120]})") from None


def _read(path: Path, rows: Rows) -> Block:
    tasks_path = path / TASKS if path.is_dir() else path
    tasks = _table(tasks_path, ("id", "submission_time", "cpu_count", "cpu_capacity", "mem_capacity"), _ACCELERATED)
    fragments = _table(tasks_path.parent / FRAGMENTS, ("id", "duration", "cpu_usage"), ("gpu_usage",))
    columns, good = _tasks(tasks, rows)
    used, present = _usage(tasks["id"], fragments, columns, good, tasks_path.parent / FRAGMENTS, rows)
    kept = np.flatnonzero(present)
    order = kept[np.argsort(columns["submit_ms"][kept], kind="stable")]
    if not len(order):
        raise TraceError(f"{path}: no task with fragments")
    place = np.cumsum(present) - 1
    used = used.take(place[order])
    submit_ms = columns.pop("submit_ms")[order]
    jobs = {name: values[order] for name, values in columns.items() if not name.endswith("_mhz")}
    jobs["run_s"] = used.run_s
    return Block((submit_ms - submit_ms[0]) / 1e3, jobs, dropped=dict(rows.dropped), usage=used, told=tuple(rows.told))


# ---------------------------------------------------------------- the two files


def _table(path: Path, wanted: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, pa.ChunkedArray]:
    """Columns of one file by name. Raises TraceError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise TraceError(f"{path}: no such file; the format is {TASKS} with {FRAGMENTS} beside it")
    try:
        with pq.ParquetFile(path) as file:
            meta, names = file.metadata, file.schema_arrow.names
            size = sum(meta.row_group(number).total_byte_size for number in range(meta.num_row_groups))
            if meta.num_rows > MAX_ROWS or size > MAX_BYTES:
                raise TraceError(f"{path}: {meta.num_rows} rows, {size} bytes; at most {MAX_ROWS} and {MAX_BYTES}")
            if not meta.num_rows:
                raise TraceError(f"{path}: no rows")
            for name in wanted:
                if name not in names:
                    raise TraceError(f"{path}: no column '{name}'; found: {', '.join(names)[:200]}")
            table = file.read([*wanted, *(name for name in optional if name in names)])
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise TraceError(
            f"{path}: not a Parquet file that can be read ({' '.join(str(error).split())[:120]})"
        ) from None
    return {name: table[name] for name in table.column_names}


def _numbers(values: pa.ChunkedArray, name: str, path: Path) -> FloatArray:
    """One column as floats, NaN where nothing stands; moments and durations in ms. Raises TraceError."""
    import pyarrow as pa

    kind = values.type
    if pa.types.is_timestamp(kind):
        values = values.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
    elif pa.types.is_duration(kind):
        values = values.cast(pa.duration("ms"), safe=False).cast(pa.int64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise TraceError(f"{path}, column '{name}': found {kind}, want numbers")
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), np.float64)


def _tasks(table: dict[str, pa.ChunkedArray], rows: Rows) -> tuple[dict[str, FloatArray], npt.NDArray[np.bool_]]:
    """Columns of the jobs in the order of the file, and which of them are sound."""
    count = len(table["id"])
    bounds = {
        "submission_time": (-1e15, 1e15, "a time in ms"),
        "cpu_count": (0.0, 1e7, "a number of cores"),
        "cpu_capacity": (0.0, 1e12, "a speed in MHz"),
        "mem_capacity": (0.0, 1e13, "a size in MiB"),
        "gpu_count": (0.0, 1e7, "a number of accelerators"),
        "gpu_capacity": (0.0, 1e12, "a speed in MHz"),
    }
    good = np.ones(count, np.bool_)
    found: dict[str, FloatArray] = {}
    for name, (least, most, wants) in bounds.items():
        if name in table:
            found[name] = _numbers(table[name], name, rows.path)
            good &= _sound(found[name], least, most, wants, name, good, rows)
    good &= _first_of_each(table["id"], good, rows)
    jobs = {
        "submit_ms": found["submission_time"],
        "cores": found["cpu_count"],
        "memory_bytes": found["mem_capacity"] * MIB,
        "cores_mhz": found["cpu_capacity"],
        "devices_mhz": found.get("gpu_capacity", np.zeros(count)),
    }
    accelerators = found.get("gpu_count")
    if accelerators is not None and (accelerators[good] >= 1.0).all():
        jobs["processors"] = accelerators
    ids = table["id"].type
    if str(ids) in {"int32", "int64", "uint32"}:
        jobs["trace_id"] = _numbers(table["id"], "id", rows.path)
    return jobs, good


def _sound(
    values: FloatArray,
    least: float,
    most: float,
    wants: str,
    name: str,
    concerned: npt.NDArray[np.bool_],
    rows: Rows,
) -> npt.NDArray[np.bool_]:
    """Which values lie within the bounds; those `concerned` that do not are counted as bad rows."""
    good = (values >= least) & (values <= most)  # NaN is neither
    bad = np.flatnonzero(~good & concerned)
    _count(
        bad,
        name,
        lambda row: "" if np.isnan(values[row]) else f"{values[row]:g}",
        f"{wants}, {least:g} to {most:g}",
        rows,
    )
    return good


def _count(bad: IntArray, name: str, found: Callable[[int], str], wants: str, rows: Rows) -> None:
    """Refuse the first of the bad rows, or count all of them."""
    for told, row in enumerate(bad.tolist()):
        if not rows.tells_more:
            rows.leave_out(len(bad) - told, f"bad {name}")
            return
        rows.bad(row + 1, name, found(row), wants)


def _first_of_each(ids: pa.ChunkedArray, good: npt.NDArray[np.bool_], rows: Rows) -> npt.NDArray[np.bool_]:
    """Which rows are the first with their id."""
    codes = _codes(ids, ids)
    first: npt.NDArray[np.bool_] = codes == np.arange(len(codes))
    _count(np.flatnonzero(~first & good), "id", lambda row: str(ids[row].as_py()), "an id, and every task once", rows)
    return first


def _codes(ids: pa.ChunkedArray, among: pa.ChunkedArray) -> IntArray:
    """Place of the first of `among` that is equal, -1 where there is none, shape of `ids`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if ids.type != among.type:
        try:
            ids = ids.cast(among.type)
        except pa.ArrowException:
            return np.full(len(ids), -1, np.int64)
    found: Any = pc.index_in(ids, value_set=among, skip_nulls=True)
    return np.asarray(pc.fill_null(found, -1).to_numpy(), np.int64)


def _usage(
    ids: pa.ChunkedArray,
    table: dict[str, pa.ChunkedArray],
    tasks: dict[str, FloatArray],
    good: npt.NDArray[np.bool_],
    path: Path,
    rows: Rows,
) -> tuple[usage.Usage, npt.NDArray[np.bool_]]:
    """Usage of the sound tasks that have fragments, in the order of their file, and which tasks those are."""
    rows = Rows(path, rows.reading, rows.dropped, rows.told)
    task = _codes(table["id"], ids)
    length = _numbers(table["duration"], "duration", path)
    sound = np.ones(len(task), np.bool_)
    _count(
        np.flatnonzero(task < 0), "id", lambda row: str(table["id"][row].as_py()), f"the id of a task of {TASKS}", rows
    )
    sound &= task >= 0
    sound &= _sound(length, 0.0, MAX_MS, "a time in ms", "duration", sound, rows)
    demand: dict[str, FloatArray] = {}
    for name, resource in (("cpu_usage", "cores"), ("gpu_usage", "devices")):
        if name in table:
            values = _numbers(table[name], name, path)
            capacity = tasks[f"{resource}_mhz"][task]
            sound &= _sound(values, 0.0, 1e12, "a speed in MHz", name, sound, rows)
            with np.errstate(divide="ignore", over="ignore"):  # no capacity: more than allowed
                share = np.divide(values, capacity, out=np.zeros_like(values), where=values > 0.0)
            sound &= _sound(share, 0.0, usage.MAX_DEMAND, f"{name} over the task's capacity", name, sound, rows)
            demand[resource] = share
    present = np.zeros(len(good), np.bool_)
    kept = np.flatnonzero(sound & (length > 0.0))
    present[task[kept]] = True
    rows.leave_out(int((good & ~present).sum()), "no fragments")
    present &= good
    kept = kept[present[task[kept]]]
    if not len(kept):
        raise TraceError(f"{path}: no fragment of a sound task")
    job = (np.cumsum(present) - 1)[task[kept]]
    if (job[1:] < job[:-1]).any():
        order = np.argsort(job, kind="stable")
        kept, job = kept[order], job[order]
    pieces = {name: values[kept] for name, values in demand.items()}
    return usage.merged(job, length[kept], pieces, int(present.sum())), present
