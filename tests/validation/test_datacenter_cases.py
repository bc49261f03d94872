"""The built-in cases of area `datacenter`, and the shared ones, through the real simulator."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dcsim.validation import run
from dcsim.validation.fifo import Recipe, drawn, write_csv
from dcsim.validation.report import Row

DATA = os.environ.get("DCSIM_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="DCSIM_DATA is not set")


def test_every_built_in_case_passes_without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DCSIM_DATA", raising=False)
    report = run(["datacenter"], strict=True)
    assert [row for row in report.rows if row.status != "passed"] == []
    assert report.exit_code == 0
    exact = [row for row in report.rows if row.tolerance == 0.0]
    wanted = {"makespan_s", "energy_J", "mean_wait_s", "frac_wait", "max_wait_s"}
    assert wanted <= {row.metric for row in exact}
    assert all(row.error == 0.0 for row in exact)


@needs_data
@pytest.mark.slow
@pytest.mark.usefixtures("files_only")
def test_every_shared_case_passes_and_none_is_skipped() -> None:
    report = run(["datacenter"], Path(DATA or "") / "cases" / "datacenter")
    assert [row for row in report.rows if row.status != "passed"] == []
    assert "opendc_demo1_surf_week_279" in {row.case for row in report.rows}


@needs_data
def test_the_recipe_gives_the_shared_trace_byte_for_byte(tmp_path: Path) -> None:
    recipe = Recipe(seed=42, jobs=100_000, mean_gap_s=600 / 990, mean_run_s=600, total_run_s=59_676_664)
    write_csv(tmp_path / "trace.csv", *drawn(recipe))
    shared = Path(DATA or "") / "cases" / "datacenter" / "fifo_100k.csv"
    drawn_text, shared_text = (path.read_bytes() for path in (tmp_path / "trace.csv", shared))
    assert hashlib.sha256(drawn_text).digest() == hashlib.sha256(shared_text).digest()


@pytest.mark.usefixtures("files_only")
def test_a_users_trace_beside_the_case(tmp_path: Path) -> None:
    # 3 jobs on 2 nodes: the third waits from 2 to 5; busy 5 + 4 + 2 s of 2 x 7 s
    (tmp_path / "mine.csv").write_text("job_id,submit_s,run_s\n1,0,5\n2,1,4\n3,2,2\n")
    case = {
        "kind": "fifo_replay",
        "id": "mine",
        "input": {"workload": "mine.csv", "nodes": 2, "policy": "FIFO", "power": {"idle_W": 10, "max_W": 30}},
        "expected": {
            "makespan_s": 7,
            "mean_wait_s": 1.0,
            "max_wait_s": 3,
            "frac_wait": 0.33,
            "energy_J": 360,
        },
        "tolerance": 0.0,
    }
    (tmp_path / "case.json").write_text(json.dumps(case))
    rows = run(["datacenter"], tmp_path).rows
    assert {row.metric: row.status for row in rows} == dict.fromkeys(case["expected"], "passed")


@pytest.mark.usefixtures("files_only")
def test_several_hosts_and_a_square_root_curve(tmp_path: Path) -> None:
    # two tasks at a quarter of one of 2 cores: sqrt(1/8) of the way from 100 to 200 W on each of two hosts
    each_w = 100 + 100 * 0.125**0.5
    case = {
        "kind": "opendc",
        "id": "mine",
        "input": {
            "hosts": 2,
            "cpu": {"cores": 2, "mhz": 1000},
            "power": {"model": "sqrt", "idle_W": 100, "max_W": 200},
            "tasks": [{"submit_s": 0, "cores": 2, "fragments": [[120, 250]]}] * 2,
        },
        "expected": {"makespan_s": 120, "energy_J": 2 * 120 * each_w, "energy_minute_1_J": 2 * 60 * each_w},
        "tolerance": 1e-12,
    }
    (tmp_path / "case.json").write_text(json.dumps(case))
    rows = run(["datacenter"], tmp_path).rows
    assert [row.status for row in rows] == ["passed"] * 3


def opendc(tmp_path: Path, expected: dict[str, float], tolerance: Any = 1e-12, **given: Any) -> list[Row]:
    """Rows of a case of one host of 2 cores of 1,000 MHz, 100 to 200 W, unless `given` says otherwise."""
    host = {"hosts": 1, "cpu": {"cores": 2, "mhz": 1000}, "power": {"model": "linear", "idle_W": 100, "max_W": 200}}
    case = {"kind": "opendc", "id": "mine", "input": host | given, "expected": expected, "tolerance": tolerance}
    (tmp_path / "case.json").write_text(json.dumps(case))
    return run(["datacenter"], tmp_path).rows


@pytest.mark.usefixtures("files_only")
def test_a_failure_is_an_outage_of_every_host(tmp_path: Path) -> None:
    # both hosts lose 4 s of work at half load, idle for 2 s, and do 10 s; the failure after the end is not waited for
    rows = opendc(
        tmp_path,
        {"makespan_s": 16, "energy_J": 2 * (14 * 150 + 2 * 100), "cpu_active_s": 14, "cpu_idle_s": 18},
        hosts=2,
        tasks=[{"submit_s": 0, "cores": 2, "fragments": [[10, 1000]]}] * 2,
        failures=[{"start_s": 4, "duration_s": 2}, {"start_s": 500, "duration_s": 2}],
    )
    assert [row.status for row in rows] == ["passed"] * 4


@pytest.mark.usefixtures("files_only")
def test_fragments_and_accelerators(tmp_path: Path) -> None:
    # host: 60 s at 1/4, 60 s at 3/4; half of the accelerator's 4 cores: 60 s at 1/2 of them, 60 s at none
    tasks = [{"submit_s": 30, "cores": 2, "gpu_cores": 2, "fragments": [[60, 500, 10], [60, 1500, 0]]}]
    gpu = {"cores": 4, "mhz": 10, "power": {"model": "linear", "idle_W": 0, "max_W": 80}}
    energy_j = 150 * 100 + 60 * 25 + 60 * 75 + 60 * 20
    rows = opendc(tmp_path, {"makespan_s": 150, "energy_J": energy_j, "tasks_completed": 1}, tasks=tasks, gpu=gpu)
    assert [row.status for row in rows] == ["passed"] * 3


@pytest.mark.usefixtures("files_only")
def test_a_workload_beside_the_case(tmp_path: Path) -> None:
    """Demands in MHz mean the same on hosts of another clock than the one the tasks' capacities were written for."""
    folder = tmp_path / "own"
    folder.mkdir()
    tasks = {"id": [1, 2], "submission_time": [10_000, 3_610_000], "cpu_count": [2, 1], "cpu_capacity": [4e3, 2e3]}
    pq.write_table(pa.table(tasks | {"mem_capacity": [10, 10]}), folder / "tasks.parquet")
    fragments = {"id": [1, 1, 2], "duration": [3_600_000, 3_600_000, 3_600_000], "cpu_usage": [500.0, 1500.0, 500.0]}
    pq.write_table(pa.table(fragments), folder / "fragments.parquet")
    carbon = {
        "timestamp": pa.array([0, 3_600_000, 7_200_000], pa.timestamp("ms")),
        "carbon_intensity": [100.0, 200.0, 0.0],
    }
    pq.write_table(pa.table(carbon), tmp_path / "grid.parquet")
    given = {"workload": "own (2 tasks)", "hosts": 2, "mem_MiB": 10}
    # loads just before the ends of both hours: 1/4; 3/4 and 1/4; then a row of 0
    expected = {"energy_J": 2 * 7200 * 100 + 3600 * 125, "mean_host_cpu_util": (0.25 + 1.0) / 2 / 3}
    rows = opendc(tmp_path, expected, **given)
    assert [row.status for row in rows] == ["passed"] * 2
    assert "end of every hour" in rows[1].note
    first_g = 3600 * 225 * 100 / 3.6e6 * 3590 / 3600 + 10 * 225 * 200 / 3.6e6
    second_g = 3590 * 300 * 200 / 3.6e6
    rows = opendc(tmp_path, {"carbon_g": first_g + second_g}, **given, carbon="grid.parquet")
    assert [row.status for row in rows] == ["passed"]


@pytest.mark.parametrize(
    ("tolerance", "status"), [(0.05, "failed"), (0.2, "passed"), (1500.0, "passed"), ({"energy_J": 900.0}, "failed")]
)
@pytest.mark.usefixtures("files_only")
def test_one_number_as_tolerance_is_relative_up_to_1_and_absolute_above(
    tmp_path: Path, tolerance: Any, status: str
) -> None:
    tasks = [{"submit_s": 0, "cores": 2, "fragments": [[60, 1000]]}]  # 9,000 J
    (row,) = opendc(tmp_path, {"energy_J": 10_000}, tolerance, tasks=tasks)
    assert row.status == status


TASK = {"submit_s": 0, "cores": 1, "fragments": [[60, 1000]]}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tasks": [TASK], "workload": "own"}, "found both"),
        ({"workload": "own (2 tasks)"}, "file 'own/tasks.parquet' is neither"),
        ({"workload": "../own"}, "leads out of the case's folder"),
        ({"tasks": [TASK], "carbon": "x.parquet"}, "needs to know when the run begins"),
        ({"tasks": [TASK], "carbon": "x.parquet", "carbon_g_per_kWh": [[0, 1]]}, "found both"),
        ({"tasks": [TASK], "carbon": "x.parquet", "start": "2022-01-01"}, "file 'x.parquet' is neither"),
        ({"tasks": [TASK], "start": "yesterday"}, "input.start: found 'yesterday'"),
        ({"tasks": [TASK], "carbon_g_per_kWh": [[60, 1], [0, 1]]}, "moments must ascend"),
        ({"tasks": [TASK], "carbon_g_per_kWh": [[60, 1]]}, "reaches from"),
        ({"tasks": [{"submit_s": 0, "fragments": [[60, 1000]]}]}, "a task holds cores"),
        ({"tasks": [TASK | {"fragments": [[0, 1000]]}]}, "take no time"),
    ],
)
@pytest.mark.usefixtures("files_only")
def test_a_case_that_makes_no_sense_says_why(tmp_path: Path, given: dict[str, Any], says: str) -> None:
    (row,) = opendc(tmp_path, {"energy_J": 1.0}, **given)
    assert row.status == "failed"
    assert says in row.note
