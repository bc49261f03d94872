"""OpenDC's workload format: what is read, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.errors import TraceError
from dcsim.workload import traces
from dcsim.workload.traces import Reading
from dcsim.workload.traces.opendc import FRAGMENTS, TASKS

DATA = os.environ.get("DCSIM_DATA")

TASK_ROWS = {
    "id": [7, 5, 6],
    "submission_time": [2_000, 1_000, 61_000],
    "cpu_count": [2, 4, 1],
    "cpu_capacity": [2000.0, 4000.0, 1000.0],
    "mem_capacity": [10, 20, 0],
}
FRAGMENT_ROWS = {
    "id": [5, 5, 7, 5, 6],
    "duration": [1000, 500, 3000, 250, 10],
    "cpu_usage": [1000.0, 1000.0, 500.0, 4000.0, 0.0],
}


def write(folder: Path, tasks: dict | None = None, fragments: dict | None = None) -> Path:
    pq.write_table(pa.table(TASK_ROWS | (tasks or {})), folder / TASKS)
    pq.write_table(pa.table(FRAGMENT_ROWS | (fragments or {})), folder / FRAGMENTS)
    return folder / TASKS


@pytest.mark.parametrize("place", ["file", "folder"])
def test_tasks_in_order_of_submission_with_their_fragments(tmp_path: Path, place: str) -> None:
    path = write(tmp_path)
    block = traces.read(path if place == "file" else tmp_path, "opendc")
    assert block.arrival_s.tolist() == [0.0, 1.0, 60.0]
    assert block.columns["trace_id"].tolist() == [5, 7, 6]
    assert block.columns["cores"].tolist() == [4, 2, 1]
    assert block.columns["memory_bytes"].tolist() == [20 * 2**20, 10 * 2**20, 0]
    assert block.columns["run_s"].tolist() == [1.75, 3.0, 0.01]
    assert "processors" not in block.columns
    usage = block.usage
    assert usage is not None
    assert usage.bounds.tolist() == [0, 2, 3, 4]
    assert usage.seconds.tolist() == [1.5, 0.25, 3.0, 0.01]  # two equal fragments are one piece
    assert usage.demand["cores"].tolist() == [0.25, 1.0, 0.25, 0.0]


def test_texts_and_timestamps_as_older_files_have_them(tmp_path: Path) -> None:
    moments = pa.array([2_000, 1_000, 61_000], pa.timestamp("ms"))
    path = write(
        tmp_path,
        {"id": ["7", "5", "6"], "submission_time": moments},
        {"id": ["5", "5", "7", "5", "6"], "duration": pa.array(FRAGMENT_ROWS["duration"], pa.duration("ms"))},
    )
    block = traces.read(path, "opendc")
    assert block.arrival_s.tolist() == [0.0, 1.0, 60.0]
    assert block.columns["run_s"].tolist() == [1.75, 3.0, 0.01]
    assert "trace_id" not in block.columns


def test_accelerators(tmp_path: Path) -> None:
    tasks = {"gpu_count": [1, 2, 1], "gpu_capacity": [100.0, 200.0, 100.0]}
    path = write(tmp_path, tasks, {"gpu_usage": [50.0, 50.0, 100.0, 0.0, 0.0]})
    block = traces.read(path, "opendc")
    assert block.columns["processors"].tolist() == [2, 1, 1]
    assert block.usage is not None
    assert block.usage.demand["devices"].tolist() == [0.25, 0.0, 1.0, 0.0]


BAD = [
    ({"cpu_count": [2, -4, 1]}, {}, "row 2, column 'cpu_count': found '-4', want a number of cores"),
    ({"submission_time": [None, 1, 2]}, {}, "row 1, column 'submission_time': found nothing"),
    ({"id": [7, 5, 5]}, {}, "row 3, column 'id': found '5', want an id, and every task once"),
    ({}, {"id": [5, 5, 7, 8, 6]}, "row 4, column 'id': found '8', want the id of a task"),
    ({}, {"duration": [1000, 500, -3000, 250, 10]}, "row 3, column 'duration': found '-3000'"),
    ({}, {"cpu_usage": [np.nan, 0, 0, 0, 0]}, "row 1, column 'cpu_usage': found nothing"),
    ({}, {"cpu_usage": [0, 0, 1e9, 0, 0]}, "row 3, column 'cpu_usage': found '500000', want cpu_usage over"),
    ({"cpu_capacity": [0.0, 4000.0, 1000.0]}, {}, "row 3, column 'cpu_usage': found 'inf'"),
]


@pytest.mark.parametrize(("tasks", "fragments", "says"), BAD)
def test_a_bad_row_is_named_or_skipped(tmp_path: Path, tasks: dict, fragments: dict, says: str) -> None:
    path = write(tmp_path, tasks, fragments)
    with pytest.raises(TraceError) as error:
        traces.read(path, "opendc")
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    block = traces.read(path, "opendc", Reading(bad_rows="skip"))
    assert block.dropped_rows >= 1
    assert block.usage is not None
    assert len(block.usage) == len(block)


def test_tasks_without_fragments_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path, None, {"id": [5, 5, 7, 5, 6], "duration": [1000, 500, 3000, 250, 0]})
    block = traces.read(path, "opendc")
    assert block.columns["trace_id"].tolist() == [5, 7]
    assert dict(block.dropped) == {"no fragments": 1}


@pytest.mark.parametrize(
    ("tasks", "fragments", "says"),
    [
        ({"cpu_count": ["two", "four", "one"]}, {}, "column 'cpu_count': found string, want numbers"),
        ({"id": [[7], [5], [6]]}, {}, "a column cannot be read"),
        ({"id": [], "submission_time": [], "cpu_count": [], "cpu_capacity": [], "mem_capacity": []}, {}, "no rows"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, tasks: dict, fragments: dict, says: str) -> None:
    with pytest.raises(TraceError) as error:
        traces.read(write(tmp_path, tasks, fragments), "opendc")
    assert says in str(error.value)


def test_files_that_are_not_there_or_no_parquet(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / FRAGMENTS).unlink()
    with pytest.raises(TraceError, match="no such file; the format is"):
        traces.read(path, "opendc")
    path.write_text("id,submission_time")
    with pytest.raises(TraceError, match="not a Parquet file"):
        traces.read(path, "opendc")
    pq.write_table(pa.table({"id": [1]}), path)
    with pytest.raises(TraceError, match="no column 'submission_time'; found: id"):
        traces.read(path, "opendc")


def test_a_file_above_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcsim.workload.traces.opendc.MAX_ROWS", 2)
    with pytest.raises(TraceError, match="at most 2"):
        traces.read(write(tmp_path), "opendc")


anything = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), min_size=3, max_size=3),
    st.lists(st.one_of(st.none(), st.floats()), min_size=3, max_size=3),
    st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=3, max_size=3),
)


@given(st.sampled_from([*TASK_ROWS]), anything, st.sampled_from([*FRAGMENT_ROWS]), anything, st.booleans())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_column_gives_jobs_or_a_trace_error(tmp_path, task, cells, fragment, rows, skip) -> None:
    fragments = {name: values[:3] for name, values in FRAGMENT_ROWS.items()} | {fragment: rows}
    path = write(tmp_path, {task: cells}, fragments)
    try:
        block = traces.read(path, "opendc", Reading(bad_rows="skip" if skip else "refuse"))
    except TraceError:
        return
    assert len(block)
    assert (np.diff(block.arrival_s) >= 0.0).all()
    assert (block.columns["run_s"] > 0.0).all()


@pytest.mark.skipif(not DATA, reason="DCSIM_DATA is not set")
def test_the_surf_week() -> None:
    block = traces.read(Path(DATA or "") / "cases" / "datacenter" / "surf_week" / TASKS, "opendc")
    usage = block.usage
    assert usage is not None
    assert (len(block), len(usage.seconds)) == (6295, 1_166_906)  # 2,323,475 fragments, equal neighbours joined
    assert float(usage.seconds.sum()) == 2_323_475 * 30.0
    assert float(block.arrival_s[-1]) == 604_747.0
    busy_s = float(usage.seconds @ usage.demand["cores"])
    assert 279 * 604_800 * 32 + 148 * busy_s == pytest.approx(12_112_554_100.1, abs=0.1)
