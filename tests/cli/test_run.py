"""`dcsim run`: from a scenario file to a run folder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pandas as pd
import pytest

from dcsim.scenario import load


def test_run_writes_a_folder_and_says_where(dcsim, small, tmp_path):
    outcome = dcsim("run", small)
    folder = tmp_path / "runs" / "small-1"
    assert outcome.code == 0
    assert "chat" in outcome.out
    assert outcome.out.splitlines()[-1] == "run folder: runs/small-1"
    names = {
        "scenario.yaml",
        "manifest.json",
        "summary.json",
        "jobs.parquet",
        "racks.parquet",
        "facility.parquet",
    }
    assert names <= {path.name for path in folder.iterdir()}
    jobs = json.loads((folder / "summary.json").read_text())["jobs"]
    assert jobs["submitted"] == len(pd.read_parquet(folder / "jobs.parquet"))
    assert jobs["submitted"] == sum(jobs[key] for key in ("completed", "rejected", "failed", "queued", "running"))
    assert load(folder / "scenario.yaml") == load(small)


def test_json_is_the_summary_and_nothing_else(dcsim, small, tmp_path):
    outcome = dcsim("run", small, "--json", "--out", "here")
    assert outcome.code == 0
    summary = json.loads(outcome.out)
    assert summary == json.loads((tmp_path / "here" / "summary.json").read_text())
    assert summary["run"]["seed"] == 1


def test_set_seed_quiet_and_report(dcsim, small, tmp_path):
    outcome = dcsim("run", small, "--seed", 7, "--set", "streams.chat.arrivals.rate=1/s", "--quiet", "--report")
    assert outcome == (0, "", "")
    folder = tmp_path / "runs" / "small-7"
    resolved = load(folder / "scenario.yaml")
    assert (resolved.seed, resolved.streams["chat"].arrivals.rate) == (7, 1.0)
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")


def test_same_seed_same_bytes(dcsim, small, tmp_path):
    for name in ("a", "b"):
        assert dcsim("run", small, "--quiet", "--out", name).code == 0
    for name in ("jobs.parquet", "racks.parquet", "facility.parquet", "scenario.yaml"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    first, second = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("a", "b"))
    assert {**first, "run": None} == {**second, "run": None}


def test_a_second_run_replaces_the_first(dcsim, small, tmp_path):
    assert dcsim("run", small, "--quiet", "--report").code == 0
    assert dcsim("run", small, "--quiet").code == 0
    assert not (tmp_path / "runs" / "small-1" / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nothing.yaml",), "error: nothing.yaml: no such file"),
        (("small.yaml", "--set", "duratoin=1 h"), "error: --set duratoin: unknown key 'duratoin'; did"),
        (("small.yaml", "--set", "duration"), "error: --set 'duration': want path=value"),
        (("small.yaml", "--out", "small.yaml"), "error: --out small.yaml: found a file, want a folder"),
        (("small.yaml", "--set", "scheduling.policy=fcfz"), "did you mean 'fcfs'?"),
        (("small.yaml", "--set", "streams.chat.needs.devices=9999"), "error: streams.chat"),
    ],
)
@pytest.mark.usefixtures("small")
def test_wrong_input_is_told_before_the_run(dcsim, tmp_path, arguments, line):
    outcome = dcsim("run", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert line in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith("error: ")
    assert not list((tmp_path / "runs").glob("*"))


def test_every_error_of_a_file_has_its_line(dcsim, small):
    small.write_text(small.read_text().replace("duration: 60 s", "duration: 60 kg").replace("seed: 1", "sead: 1"))
    outcome = dcsim("run", small)
    assert outcome.code == 2
    lines = outcome.err.splitlines()
    assert "small.yaml:13: sead: unknown key 'sead'; did you mean 'seed'?" in lines[0]
    assert "small.yaml:12: duration: found unit 'kg', want a time in s" in lines[1]


TICKING = """
import sys
from contextlib import contextmanager
from dcsim.cli import main, run

@contextmanager
def progress(duration_s, quiet):
    yield lambda simulated_s, jobs: print("tick", file=sys.stderr, flush=True)

run.progress = progress
main()
"""


def test_ctrl_c_writes_what_is_finished_and_ends_with_130(small, tmp_path):
    """Interrupted at the first of 400 calls of its progress function."""
    command = [sys.executable, "-c", TICKING, "run", str(small), "--set", "outages=[]"]
    command += ["--set", "duration=400 d", "--set", "meter_interval=1 d"]
    command += ["--set", "streams.chat.arrivals.rate=1/h", "--set", "streams.windows.arrivals.rate=1/min"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "tick\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "interrupted; what is finished is in runs/small-1"
    assert "Traceback" not in err
    folder = tmp_path / "runs" / "small-1"
    jobs = json.loads((folder / "summary.json").read_text())["jobs"]
    assert jobs["completed"] > 0
    assert len(pd.read_parquet(folder / "jobs.parquet")) == jobs["submitted"]
    assert "chat" in out


def test_ctrl_c_before_the_run_is_130_too(dcsim, small, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dcsim.scenario.load", interrupt)
    assert dcsim("run", small) == (130, "", "")
