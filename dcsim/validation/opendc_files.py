"""Tasks of an OpenDC case as files: its own workload, or the tasks that the case lists, one trace for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.validation.case import CaseError
from dcsim.workload.traces import opendc

TASKS, FRAGMENTS = opendc.TASKS, opendc.FRAGMENTS
MS_PER_S = 1000


@dataclass(frozen=True)
class Workload:
    """A workload that has been copied for hosts of another clock."""

    path: Path
    """of its tasks"""
    start: datetime
    """when the first task is submitted"""
    last_s: float
    """when the last one is, from the first, s"""
    cores: int
    """most that a task holds"""


def copy(source: Path, mhz: float, folder: Path) -> Workload:
    """The workload with tasks at `source`, its capacities as so many cores of `mhz`, so that its demands stay in MHz.

    Raises CaseError.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    fragments = source.parent / FRAGMENTS
    if not fragments.is_file():
        raise CaseError(f"input.workload: no {FRAGMENTS} beside {source.name}")
    try:
        tasks = pq.read_table(source)
        moments = np.asarray(tasks["submission_time"].cast(pa.int64()).to_numpy())
        cores = np.asarray(tasks["cpu_count"].to_numpy(), np.float64)
        place = tasks.column_names.index("cpu_capacity")
        tasks = tasks.set_column(place, "cpu_capacity", pa.array(cores * mhz))
        first_ms, last_ms, most = int(moments.min()), int(moments.max()), int(cores.max())
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise CaseError(f"input.workload: {source.name} cannot be read ({str(error)[:80]})") from None
    folder.mkdir()
    pq.write_table(tasks, folder / TASKS)
    (folder / FRAGMENTS).symlink_to(fragments.resolve())
    start = datetime.fromtimestamp(first_ms / MS_PER_S, UTC)
    return Workload(folder / TASKS, start, (last_ms - first_ms) / MS_PER_S, most)


def write_task(
    folder: Path, fragments: Sequence[Sequence[float]], cores_mhz: float, gpu_mhz: float, cores: int, *, gpu: bool
) -> Path:
    """A trace of one task, whose fragments are (s, MHz, MHz of its accelerator); returns the path of its tasks.

    `cores_mhz` and `gpu_mhz` are the capacities of what the task holds.
    """
    folder.mkdir()
    task: dict[str, list[float]] = {"id": [1], "submission_time": [0], "mem_capacity": [0]}
    task |= {"cpu_count": [cores], "cpu_capacity": [cores_mhz]}
    rows = np.array([[*row, 0.0][:3] for row in fragments], np.float64)
    pieces: dict[str, npt.NDArray[np.generic]] = {
        "id": np.ones(len(rows), np.int64),
        "duration": rows[:, 0] * MS_PER_S,
        "cpu_usage": rows[:, 1] if cores else np.zeros(len(rows)),
    }
    _write(folder / TASKS, task | ({"gpu_capacity": [gpu_mhz]} if gpu else {}))
    _write(folder / FRAGMENTS, pieces | ({"gpu_usage": rows[:, 2]} if gpu else {}))
    return folder / TASKS


def write_steps(path: Path, start: datetime, steps: Sequence[Sequence[float]]) -> None:
    """A file of values over time from (s after `start`, value)."""
    moments = np.array([row[0] for row in steps]) * 1e6 + np.float64(start.timestamp()) * 1e6
    _write(path, {"timestamp": moments.astype("datetime64[us]"), "value": np.array([row[1] for row in steps])})


def _write(path: Path, columns: Mapping[str, Sequence[float] | npt.NDArray[np.generic]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), path)
