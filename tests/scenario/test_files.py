"""Files that a scenario names may not lead out of its folder or the data folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dcsim.scenario import files, load, read_back
from dcsim.scenario.files import FileProblem, resolve
from dcsim.scenario.text import dump

SERVICE = "service: {distribution: lognormal, mean: 2 s, cv: 0.5}"
ARRIVALS = "arrivals: {kind: poisson, rate: 20/s}"


@pytest.fixture
def trace(changed):
    """Writes a scenario whose stream kws replays the file that is named."""

    def write(name: str) -> Path:
        return changed((ARRIVALS, f"arrivals: {{kind: trace, format: csv, path: {name!r}}}"))

    return write


def path_of(scenario) -> Path:
    return Path(scenario.streams["kws"].arrivals.path)


def test_beside_the_scenario(trace, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "jobs.csv").touch()
    for name in ("sub/jobs.csv", "./sub/../sub/jobs.csv", str(tmp_path / "sub" / "jobs.csv")):
        assert path_of(load(trace(name))) == (tmp_path / "sub" / "jobs.csv").resolve()


@pytest.mark.parametrize("place", ["", "data", "data/traces", "cases"])
def test_in_the_data_folder(trace, tmp_path_factory, monkeypatch, place):
    data = tmp_path_factory.mktemp("data")
    (data / place).mkdir(parents=True, exist_ok=True)
    (data / place / "jobs.csv").touch()
    monkeypatch.setenv("DCSIM_DATA", str(data))
    assert path_of(load(trace("jobs.csv"))) == (data / place / "jobs.csv").resolve()
    assert path_of(load(trace(str(data / place / "jobs.csv")))) == (data / place / "jobs.csv").resolve()


def test_beside_the_scenario_comes_first(trace, tmp_path, tmp_path_factory, monkeypatch):
    data = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("DCSIM_DATA", str(data))
    for folder in (tmp_path, data):
        (folder / "jobs.csv").touch()
    assert path_of(load(trace("jobs.csv"))) == (tmp_path / "jobs.csv").resolve()


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside.csv", "../../etc/passwd", "sub/../../outside.csv", "/"])
def test_leaving_is_refused(trace, tmp_path, complaint, name):
    (tmp_path.parent / "outside.csv").touch()
    (line,) = complaint(trace(name))
    assert line.startswith(
        f"small.yaml:27: streams.kws.arrivals.path: found '{name}', which leads out of the scenario's "
    )


def test_leaving_the_data_folder_is_refused(trace, complaint, tmp_path_factory, monkeypatch):
    data = tmp_path_factory.mktemp("data")
    (data.parent / "secret.csv").touch()
    monkeypatch.setenv("DCSIM_DATA", str(data))
    assert "leads out of the scenario's folder and the data folder" in complaint(trace("../secret.csv"))[0]


def test_a_link_that_leaves_is_refused(trace, complaint, tmp_path, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "jobs.csv").touch()
    (tmp_path / "jobs.csv").symlink_to(outside / "jobs.csv")
    (tmp_path / "folder").symlink_to(outside)
    for name in ("jobs.csv", "folder/jobs.csv"):
        assert "which leads out of the scenario's folder" in complaint(trace(name))[0]


def test_a_link_that_stays_is_followed(trace, tmp_path):
    (tmp_path / "real.csv").touch()
    (tmp_path / "jobs.csv").symlink_to(tmp_path / "real.csv")
    assert path_of(load(trace("jobs.csv"))) == (tmp_path / "real.csv").resolve()


def test_a_trace_may_be_a_folder_but_no_link_in_it_may_leave(trace, complaint, tmp_path, tmp_path_factory):
    (tmp_path / "clients").mkdir()
    (tmp_path / "clients" / "chunk-0-trace.csv").touch()
    (tmp_path / "clients" / "again.csv").symlink_to(tmp_path / "clients" / "chunk-0-trace.csv")
    assert path_of(load(trace("clients"))) == (tmp_path / "clients").resolve()
    assert "which leads out of the scenario's folder" in complaint(trace(".."))[0]
    outside = tmp_path_factory.mktemp("outside") / "secret.csv"
    outside.touch()
    (tmp_path / "clients" / "chunk-1-trace.csv").symlink_to(outside)
    assert "which leads out of the scenario's folder" in complaint(trace("clients"))[0]


def test_what_is_not_there(trace, complaint, tmp_path_factory, monkeypatch):
    where = "small.yaml:27: streams.kws.arrivals.path:"
    assert complaint(trace("jobs.csv")) == [f"{where} no file 'jobs.csv' beside the scenario and DCSIM_DATA is not set"]
    monkeypatch.setenv("DCSIM_DATA", str(tmp_path_factory.mktemp("data")))
    assert complaint(trace("jobs.csv")) == [f"{where} no file 'jobs.csv' beside the scenario or under DCSIM_DATA"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".", "found '.', which is a folder, want a file"),
        ("", "found '', which is a folder"),
        ("x" * 5000, "cannot be a path"),
        ("a\0b", "cannot be a path"),
    ],
)
def test_what_is_no_file(tmp_path, name, reason):
    with pytest.raises(FileProblem, match=reason):
        resolve(name, tmp_path)


def test_a_path_of_the_user_may_lead_anywhere(changed, tmp_path_factory, monkeypatch, tmp_path):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "jobs.csv").touch()
    arrivals = {"kind": "trace", "format": "csv"}
    scenario = load(changed(), {"streams.kws.arrivals": arrivals | {"path": str(outside / "jobs.csv")}})
    assert path_of(scenario) == outside / "jobs.csv"
    monkeypatch.chdir(outside)
    assert (
        path_of(load(tmp_path / "small.yaml", {"streams.kws.arrivals": arrivals | {"path": "jobs.csv"}}))
        == outside / "jobs.csv"
    )


def test_a_path_of_the_user_that_is_not_there(changed, complaint):
    lines = complaint(changed(), {"streams.kws.arrivals": {"kind": "trace", "format": "csv", "path": "/no/such.csv"}})
    assert lines == [
        "--set streams.kws.arrivals.path: found '/no/such.csv', which leads out of the scenario's "
        "folder and the data "
        "folder; on the command line it may be anywhere"
    ]


def test_catalog_files_are_bound_in_the_same_way(changed, complaint, tmp_path):
    path = changed(("duration: 1 h", "duration: 1 h\ncatalog: [mine.yaml, ../yours.yaml]"))
    assert [line.split(": ", 2)[1] for line in complaint(path)] == ["catalog.0", "catalog.1"]
    (tmp_path / "mine.yaml").write_text("nonsense: 3\n")
    line = complaint(changed(("duration: 1 h", "duration: 1 h\ncatalog: [mine.yaml]")))[0]
    assert line.startswith("small.yaml:3: catalog: ")
    assert "mine.yaml" in line


def test_a_run_folder_can_be_read_when_its_trace_is_gone(trace, tmp_path, tmp_path_factory):
    (tmp_path / "jobs.csv").touch()
    scenario = load(trace("jobs.csv"))
    (tmp_path / "jobs.csv").unlink()
    resolved = tmp_path_factory.mktemp("run") / "scenario.yaml"
    resolved.write_text(dump(scenario))
    assert read_back(resolved) == scenario


def test_a_dataset_that_was_not_fetched_is_told_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setenv("DCSIM_CACHE", str(tmp_path))
    with pytest.raises(files.FileProblem, match="dcsim data get azure-llm-2023-conv"):
        files.resolve("dataset:azure-llm-2023-conv", tmp_path)


def test_an_unknown_dataset(tmp_path):
    with pytest.raises(files.FileProblem, match="did you mean"):
        files.resolve("dataset:azure-llm-2032-conv", tmp_path)


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(files.FileProblem, match="no regular file"):
        files.resolve("pipe.csv", tmp_path)
