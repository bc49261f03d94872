"""Which cases run, and what becomes of files that are broken, foreign or hostile. No simulation is needed."""

import json
from pathlib import Path
from typing import Any

import pytest

from dcsim.errors import DcsimError
from dcsim.validation import Row, run
from dcsim.validation.report import Report

FRONTIER: dict[str, Any] = {
    "kind": "frontier_power",
    "id": "mine",
    "input": {
        "system": "9472 nodes, 4 nodes + 1 switch (250 W) per rectifier, 2368 rectifiers, 2 CDUs x 105918 W",
        "node": "1 CPU 90/280 W, 4 GPU 88/560 W, mem 74.26 W, 4 NIC x 20 W, NVMe 30 W",
        "losses": "SIVOC in=(out+13)/0.98 per node; rectifier in=(out+17)/0.96 per rectifier",
    },
    "expected": {"avg_power_MW": 7.3065},
    "tolerance": 0.0002,
}


pytestmark = pytest.mark.usefixtures("files_only")


def validate(folder: Path, *areas: str, **files: Any) -> Report:
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return run(areas, folder)


def only(report: Report) -> Row:
    assert len(report.rows) == 1, report.rows
    return report.rows[0]


def test_a_users_own_case_runs_by_its_kind(tmp_path: Path) -> None:
    report = validate(tmp_path, "datacenter", whatever=FRONTIER)
    assert (only(report).case, only(report).status, report.exit_code) == ("mine", "passed", 0)


def test_a_single_file_may_be_named(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps([FRONTIER, FRONTIER]))
    assert run(["datacenter"], file).counts["passed"] == 2


def test_an_expected_value_that_is_missed_fails(tmp_path: Path) -> None:
    report = validate(tmp_path, "datacenter", a={**FRONTIER, "expected": {"avg_power_MW": 7.5}})
    assert (only(report).status, report.exit_code) == ("failed", 1)


def test_cases_of_areas_that_are_not_named_are_left_out(tmp_path: Path) -> None:
    assert validate(tmp_path, "queueing", a=FRONTIER).rows == ()


def test_an_area_to_come_is_skipped_unless_named(tmp_path: Path) -> None:
    report = validate(tmp_path, a=FRONTIER, b={"kind": "easy_nodes", "id": "small"})
    assert {row.status for row in report.rows} == {"passed", "skipped"}
    assert report.exit_code == 0
    named = run(["scheduling"], tmp_path)
    assert (only(named).status, named.exit_code) == ("failed", 1)
    assert "scheduling" in only(named).note


def test_an_area_to_come_without_cases_ran_nothing() -> None:
    report = run(["reliability"])
    assert (only(report).status, report.exit_code) == ("skipped", 1)


def test_unknown_area_names_the_nearest() -> None:
    with pytest.raises(DcsimError, match=r"'queuing'.*did you mean 'queueing'"):
        run(["queuing"])


def test_unknown_kind_names_the_nearest_and_fails_when_areas_are_named(tmp_path: Path) -> None:
    report = validate(tmp_path, "queueing", a={"kind": "queuing", "cases": {}})
    assert "did you mean 'queueing'" in only(report).note
    assert only(report).status == "failed"
    assert run((), tmp_path).rows[0].status == "skipped"


def test_a_file_without_kind_that_a_case_names_is_its_data(tmp_path: Path) -> None:
    report = validate(tmp_path, a={**FRONTIER, "config": "other.json"}, other={"anything": 1}, stray={"x": 1})
    assert sorted((row.case, row.status) for row in report.rows) == [
        ("mine", "failed"),
        ("stray.json", "skipped"),
    ]
    assert "config" in report.rows[0].note  # an unknown key of the case itself is refused


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not a JSON file"),
        ('{"kind": "opendc", "id": NaN}', "NaN"),
        ("[" * 100_000, "not a"),
        ("[]", "holds 0 cases"),
        ("\x00\xff", "not a JSON file"),
        ('{"kind": 7}', "has no `kind`"),
        ("3", "a case is an object"),
        ('{"a": ' + "9" * 5000 + "}", "not a JSON file"),
    ],
)
def test_files_that_cannot_be_read_become_one_clear_row(tmp_path: Path, text: str, says: str) -> None:
    report = validate(tmp_path, "datacenter", bad=text)
    assert only(report).status == "failed"
    assert says in only(report).note
    assert "\n" not in only(report).note


def test_a_broken_file_fails_even_when_no_area_is_named(tmp_path: Path) -> None:
    assert validate(tmp_path, bad="{", good=FRONTIER).exit_code == 1


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcsim.validation.files.MAX_BYTES", 100)
    assert "at most" in only(validate(tmp_path, "datacenter", a=FRONTIER)).note


def test_a_missing_folder_is_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(DcsimError, match="found no file or folder"):
        run((), tmp_path / "nowhere")


OPENDC: dict[str, Any] = {
    "kind": "opendc",
    "id": "host",
    "input": {
        "hosts": 1,
        "cpu": {"cores": 1, "mhz": 2000},
        "power": {"model": "linear", "idle_W": 100, "max_W": 200},
        "tasks": [{"submit_s": 0, "cores": 1, "fragments": [[600, 1000]]}],
    },
    "expected": {"makespan_s": 600},
    "tolerance": 0.0,
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """OPENDC with one value replaced."""
    document = json.loads(json.dumps(OPENDC))
    *parents, last = path.split(".")
    part = document
    for key in parents:
        part = part[int(key)] if key.isdigit() else part[key]
    part[last] = value
    return document  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("input", {}, "input.hosts: Field required"),
        ("input.hosts", "one", "input.hosts"),
        ("input.hosts", 10**9, "less than or equal to 10000"),
        ("input.hosts", True, "input.hosts"),
        ("input.power.idle_W", -1, "greater than or equal to 0"),
        ("input.power.model", "cubic", "'linear' or 'sqrt'"),
        ("input.power.max_W", 1e999, "input.power.max_W"),
        ("input.colour", "red", "input.colour"),
        ("input.tasks", [], "found neither"),
        ("input.tasks.0.cores", 2, "more than a host has"),
        ("input.tasks.0.fragments", [[600, 9000]], "asks for 9000 MHz"),
        ("input.tasks.0.fragments", [[600]], "input.tasks.0.fragments"),
        ("input.tasks.0.gpu_cores", 1, "more than a host has"),
        ("expected", {}, "expected"),
        ("expected", {"makespan_s": "long"}, "expected.makespan_s"),
        ("tolerance", -1, "tolerance"),
    ],
)
def test_a_case_with_a_wrong_part_fails_with_its_place(tmp_path: Path, path: str, value: Any, says: str) -> None:
    document = json.dumps(changed(path, value)).replace("Infinity", "1e999")
    found = only(validate(tmp_path, "datacenter", a=document))
    assert found.status == "failed"
    assert says in found.note
    assert len(found.note) < 300


def test_what_the_simulator_cannot_express_is_skipped_with_the_reason(tmp_path: Path) -> None:
    failures = [{"start_s": 1, "duration_s": 1, "intensity": 0.5}]
    found = only(validate(tmp_path, "datacenter", a=changed("input.failures", failures)))
    assert found.status == "skipped"
    assert "random share" in found.note


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/hostname", "missing.csv"])
def test_a_trace_outside_of_the_case_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DCSIM_DATA", raising=False)
    (tmp_path / "secret.csv").write_text("job_id,submit_s,run_s\n1,0,1\n")
    (tmp_path / "cases").mkdir()
    document = {
        "kind": "fifo_replay",
        "id": "x",
        "expected": {"makespan_s": 1},
        "tolerance": 0.0,
        "input": {"workload": name, "nodes": 1, "policy": "FIFO", "power": {"idle_W": 1, "max_W": 2}},
    }
    found = only(validate(tmp_path / "cases", "datacenter", a=document))
    assert found.status == "failed"
    assert "neither beside the case" in found.note or "leads out" in found.note


@pytest.mark.parametrize(
    ("cases", "status", "says"),
    [
        ({"MMc": [{"lam": 2, "mu": 1, "c": 1, "Wq": 1}]}, "failed", "only below 1"),
        ({"MMc": [{"lam": 0.999, "mu": 1, "c": 1, "Wq": 1}]}, "skipped", "jobs to be measured"),
        ({"MMc": [{"lam": 0.5, "mu": 1, "c": 1.5, "Wq": 1}]}, "failed", "c: "),
        ({"MMc": [{"lam": 0.5, "mu": 1, "c": 1, "Wait": 1}]}, "failed", "Wait"),
        ({"MMc": [{"lam": 0.5, "mu": 0, "c": 1, "Wq": 1}]}, "failed", "mu: "),
        ({"MM1_SRPT": [{"lam": 0.7}]}, "skipped", "shortest remaining time"),
        ({"MMK": [{}]}, "failed", "did you mean 'MMc'"),
        ({}, "failed", "cases"),
    ],
)
def test_queueing_files_that_cannot_run(tmp_path: Path, cases: Any, status: str, says: str) -> None:
    found = only(validate(tmp_path, "queueing", a={"kind": "queueing", "name": "q", "cases": cases}))
    assert found.status == status
    assert says in found.note
