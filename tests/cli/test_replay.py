"""`dcsim replay`: a trace small enough to follow by hand."""

from __future__ import annotations

import json

import pandas as pd
import pytest

TRACE = "submit_s,run_s,processors\n0,10,1\n1,10,2\n2,5,1\n"
ARGUMENTS = ("replay", "jobs.csv", "--format", "csv", "--policy", "fcfs", "--nodes", 2)


@pytest.fixture(autouse=True)
def _trace(tmp_path):
    (tmp_path / "jobs.csv").write_text(TRACE)


def test_starts_and_energy(dcsim, tmp_path):
    """Two nodes: the job of two waits for the first to end at 10 s, the third, behind it, for 20 s.

    35 busy and 15 idle node-seconds are 35 x 200 W + 15 x 100 W = 8500 J.
    """
    outcome = dcsim(*ARGUMENTS, "--idle-power", "100 W", "--busy-power", "0.2 kW", "--out", "out", "--json")
    summary = json.loads(outcome.out)
    assert (outcome.code, outcome.err) == (0, "")
    assert summary["jobs"]["wait_s"]["mean"] == pytest.approx((0 + 9 + 18) / 3)
    assert summary["energy"]["it_kwh"] == pytest.approx(8500 / 3.6e6, rel=1e-12)
    jobs = pd.read_parquet(tmp_path / "out" / "jobs.parquet").sort_values("arrival_s")
    assert jobs["first_start_s"].tolist() == [0.0, 10.0, 20.0]
    assert jobs["end_s"].tolist() == [10.0, 20.0, 25.0]


def test_table_for_people_and_no_folder_unless_asked(dcsim, tmp_path):
    outcome = dcsim(*ARGUMENTS)
    assert outcome.code == 0
    assert "jobs done" in outcome.out
    assert "run folder" not in outcome.out
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.csv"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--idle-power", "100"), "error: --idle-power: found 100 without a unit, want a power in W, "),
        (("--idle-power", "5 s"), "error: --idle-power: found unit 's', want a power in W, "),
        (("--busy-power", "50 W"), "error: --busy-power: found '50 W', want at least --idle-power, '100 W'"),
        (("--idle-power", "-5 W"), "error: --idle-power: found '-5 W', want 0 W or more"),
        (("--policy", "fcsf"), "did you mean 'fcfs'?"),
        (("--format", "cvs"), "did you mean 'csv'?"),
        (("--nodes", 1), "error: "),
        (("--nodes", 0), "error: invalid value for '--nodes'"),
        (("--out", "jobs.csv"), "error: --out jobs.csv: found a file, want a folder"),
    ],
)
def test_wrong_input_is_one_line(dcsim, arguments, line):
    outcome = dcsim(*ARGUMENTS, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert line in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_bad_row_is_named(dcsim, tmp_path):
    (tmp_path / "jobs.csv").write_text(TRACE + "3,-5,1\n")
    outcome = dcsim(*ARGUMENTS)
    assert outcome.code == 2
    assert "jobs.csv" in outcome.err
    assert "5" in outcome.err
    assert outcome.err.count("\n") == 1


def test_missing_trace(dcsim):
    outcome = dcsim("replay", "no.csv", "--format", "csv", "--nodes", 2)
    assert outcome.code == 2
    assert "no.csv" in outcome.err
