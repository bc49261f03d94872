"""Tenants, users, deadlines and outcomes: columns of the jobs table and blocks of the summary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dcsim
from dcsim.results.result import Result
from dcsim.scenario import Scenario
from dcsim.workload import traces
from dcsim.workload.block import Block

Build = Callable[..., Scenario]


@pytest.fixture
def replayed(scenario: Build, pool: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Four jobs of two tenants on one device of 100 W: 10 s each, all arriving at 0; one deadline is missed."""
    columns = {
        "run_s": np.full(4, 10.0),
        "tenant": np.array([0.0, 1.0, 0.0, -1.0]),
        "user": np.array([1.0, 0.0, 1.0, 0.0]),
        "deadline_s": np.array([15.0, 15.0, np.nan, 50.0]),
        "priority": np.array([0.0, 2.0, 0.0, 0.0]),
        "state": np.array([0.0, 0.0, 1.0, 0.0]),
    }
    labels = {"tenant": ("vision", "speech"), "user": ("ann", "bob"), "state": ("passed", "killed")}
    block = Block(np.zeros(4), columns, labels)
    monkeypatch.setattr(traces, "read", lambda *_: block)
    (tmp_path / "trace.csv").write_text("")
    stream = {
        "arrivals": {"kind": "trace", "path": str(tmp_path / "trace.csv"), "format": "csv"},
        "service": {"distribution": "trace"},
        "runs_on": ["a"],
    }
    return dcsim.simulate(scenario({"a": pool()}, {"s": stream}))


def test_columns_of_the_jobs_table(replayed: Result) -> None:
    jobs = replayed.jobs
    assert jobs["tenant"].tolist()[:3] == ["vision", "speech", "vision"]
    assert jobs["tenant"].isna().tolist() == [False, False, False, True]
    assert jobs["user"].tolist() == ["bob", "ann", "bob", "ann"]
    assert jobs["outcome"].tolist() == ["passed", "passed", "killed", "passed"]
    assert jobs["priority"].tolist() == [0, 2, 0, 0]
    assert jobs["slo_met"].tolist() == [True, False, True, True]
    assert "session" not in jobs
    assert "queue" not in jobs


def test_summary_by_tenant(replayed: Result) -> None:
    tenants = replayed.summary["tenants"]
    assert sorted(tenants) == ["speech", "vision"]
    vision = tenants["vision"]
    assert (vision["submitted"], vision["completed"]) == (2, 2)
    assert vision["wait_s"]["mean"] == pytest.approx(10.0)
    assert vision["slo_attainment"] == 1.0
    assert tenants["speech"]["slo_attainment"] == 0.0
    assert vision["device_hours"] == pytest.approx(20 / 3600)
    assert vision["energy_kwh"] == pytest.approx(2 * 1000 / 3.6e6)


def test_the_run_folder_keeps_them(replayed: Result, tmp_path: Path) -> None:
    again = Result.load(replayed.save(tmp_path / "run"))
    assert again.jobs.equals(replayed.jobs)


def test_a_stream_may_name_its_tenant(scenario: Build, pool: Callable[..., Any]) -> None:
    stream = {
        "arrivals": {"kind": "poisson", "rate": "1/s"},
        "service": {"distribution": "fixed", "mean": "0.5 s"},
        "runs_on": ["a"],
    }
    streams = {"mine": stream | {"tenant": "lab"}, "other": stream}
    result = dcsim.simulate(scenario({"a": pool(2)}, streams))
    assert list(result.summary["tenants"]) == ["lab"]
    assert result.summary["tenants"]["lab"]["submitted"] == result.summary["streams"]["mine"]["submitted"]
    assert set(result.jobs["tenant"].dropna()) == {"lab"}


def test_a_mix_brings_devices_and_outcomes(scenario: Build, pool: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mix.yaml").write_text(_MIX)
    stream = {
        "arrivals": {"kind": "poisson", "rate": "0.2/s"},
        "service": {"distribution": "mix", "table": "small-mix"},
        "runs_on": ["a"],
    }
    pools = {"a": pool(4)}
    result = dcsim.simulate(scenario(pools, {"s": stream}, duration="2000 s", catalog=[str(tmp_path / "mix.yaml")]))
    jobs = result.jobs[result.jobs["status"] == "completed"]
    assert set(jobs["outcome"]) == {"passed", "failed"}
    held = jobs["busy_s"] / (jobs["end_s"] - jobs["start_s"])
    assert sorted(set(held.round(6))) == [1.0, 4.0]
    assert result.summary["trust"]["energy_ledger_error"] < 1e-9


_MIX = """
small-mix:
  kind: mix
  title: two classes
  is: {outcomes: passed|failed}
  numbers:
    processors: {unit: "1", grade: estimate, source: made up for a test, low: 1, high: 4, value: [1, 4]}
    share: {unit: "1", grade: estimate, source: made up for a test, low: 0, high: 1, value: [0.7, 0.3]}
    probabilities: {unit: "1", grade: estimate, source: made up for a test, low: 0, high: 1, value: [0, 1]}
    run_s: {unit: s, grade: estimate, source: made up for a test, low: 1, high: 9, value: [[1, 9], [2, 5]]}
    outcome_share:
      {unit: "1", grade: estimate, source: made up for a test, low: 0, high: 1, value: [[0.5, 0.5], [0.25, 0.75]]}
"""
