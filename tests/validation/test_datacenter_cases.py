"""The built-in cases of area `datacenter`, and the shared ones, through the real simulator."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from dcsim.validation import run
from dcsim.validation.fifo import Recipe, drawn, write_csv
from dcsim.validation.opendc import Input, scenario

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
@pytest.mark.usefixtures("files_only")
def test_shared_cases_pass_or_say_what_they_need() -> None:
    report = run(["datacenter"], Path(DATA or "") / "cases" / "datacenter")
    assert report.exit_code == 0
    skipped = {row.case for row in report.rows if row.status == "skipped"}
    assert skipped == {"opendc_carbon_nl_hour", "opendc_demo1_surf_week_279", "opendc_demo2_carbon_AU"}


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


def test_a_failure_becomes_an_outage_of_every_host() -> None:
    given = Input.model_validate(
        {
            "hosts": 3,
            "cpu": {"cores": 1, "mhz": 1},
            "power": {"model": "linear", "idle_W": 1, "max_W": 2},
            "tasks": [{"submit_s": 0, "cores": 1, "fragments": [[10, 1]]}],
            "failures": [{"start_s": 4, "duration_s": 2}],
        }
    )
    outages = scenario(given, 30.0).outages
    assert [(o.node, o.start, o.duration) for o in outages] == [(node, 4.0, 2.0) for node in range(3)]
