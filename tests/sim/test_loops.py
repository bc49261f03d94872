"""Closed loops and sessions: the machine-repair queue, turns and think times, prompts that grow, rejections, drains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dcsim
from dcsim.scenario import Scenario

Build = Callable[..., Scenario]


def _users(users: int, think: str = "10 s", **keys: Any) -> dict[str, Any]:
    return {
        "arrivals": {"kind": "closed", "users": users, "think": {"mean": think}},
        "service": {"distribution": "exponential", "mean": "1 s"},
    } | keys


def _repair(users: int, think_s: float, mean_s: float) -> float:
    """Jobs per second of a closed loop with one server: Erlang's machine-repair model (Gross & Harris, section 2.6)."""
    weights = [1.0]
    for present in range(users):
        weights.append(weights[-1] * (users - present) * mean_s / think_s)
    return (1.0 - 1.0 / sum(weights)) / mean_s


@pytest.mark.parametrize(("users", "think_s"), [(1, 2.0), (10, 10.0), (40, 10.0)])
def test_throughput_of_a_closed_loop(scenario: Build, pool: Callable[..., Any], users: int, think_s: float) -> None:
    stream = _users(users, f"{think_s} s", runs_on=["a"])
    summary = dcsim.simulate(scenario({"a": pool(1)}, {"s": stream}, duration="20000 s")).summary
    exact = _repair(users, think_s, 1.0)
    found = summary["jobs"]["completed"] / 20000
    assert found == pytest.approx(exact, abs=3 * np.sqrt(exact / 20000))
    # the response-time law of closed systems: users = throughput x (response + think)
    assert found * (summary["jobs"]["latency_s"]["mean"] + think_s) == pytest.approx(users, rel=0.03)


def test_a_user_has_one_job_at_a_time_and_thinks(scenario: Build, pool: Callable[..., Any]) -> None:
    think = {"distribution": "fixed", "mean": "3 s"}
    stream = _users(5, runs_on=["a"]) | {"arrivals": {"kind": "closed", "users": 5, "think": think}}
    jobs = dcsim.simulate(scenario({"a": pool(2)}, {"s": stream}, duration="500 s")).jobs
    assert sorted(jobs["session"].unique()) == [0, 1, 2, 3, 4]
    assert jobs["arrival_s"].is_monotonic_increasing
    for _, own in jobs.groupby("session"):
        assert own["turn"].tolist() == list(range(1, len(own) + 1))
        gaps = own["arrival_s"].to_numpy()[1:] - own["end_s"].to_numpy()[:-1]
        assert gaps == pytest.approx(np.full(len(own) - 1, 3.0))
        assert own["arrival_s"].iloc[0] == pytest.approx(3.0)


def test_a_rejected_user_thinks_and_comes_again(scenario: Build, pool: Callable[..., Any]) -> None:
    stream = _users(20, "1 s", runs_on=["a"], queue_limit=0)
    summary = dcsim.simulate(scenario({"a": pool(1)}, {"s": stream}, duration="2000 s")).summary
    counts = summary["jobs"]
    assert counts["rejected"] > counts["completed"] > 1000
    assert counts["submitted"] == counts["completed"] + counts["rejected"] + counts["running"]


def test_an_outage_ends_no_session(scenario: Build, pool: Callable[..., Any]) -> None:
    stream = _users(3, "1 s", runs_on=["a"])
    outages = [{"pool": "a", "node": 0, "start": f"{start} s", "duration": "5 s"} for start in range(10, 100, 20)]
    result = dcsim.simulate(scenario({"a": pool(1)}, {"s": stream}, duration="1000 s", outages=outages))
    assert result.jobs["attempts"].max() > 1
    assert set(result.jobs[result.jobs["arrival_s"] > 900]["session"]) == {0, 1, 2}


def test_drain_runs_the_last_jobs_and_no_more(scenario: Build, pool: Callable[..., Any]) -> None:
    stream = _users(200, "1 s", runs_on=["a"])
    result = dcsim.simulate(scenario({"a": pool(1)}, {"s": stream}, duration="100 s", drain=True))
    counts = result.summary["jobs"]
    assert counts["submitted"] == counts["completed"] == len(result.jobs)
    assert result.jobs["arrival_s"].max() < 100
    assert result.summary["run"]["simulated_s"] > 100


def _sessions(turns: float, rate: float, **keys: Any) -> dict[str, Any]:
    start = {"kind": "poisson", "rate": f"{rate}/s"}
    return {"kind": "sessions", "starts": start, "turns": turns, "think": {"mean": "5 s"}} | keys


def test_turns_of_sessions(scenario: Build, pool: Callable[..., Any]) -> None:
    stream = _users(1, runs_on=["a"]) | {"arrivals": _sessions(4.0, 0.5)}
    result = dcsim.simulate(scenario({"a": pool(10)}, {"s": stream}, duration="20000 s"))
    turns = result.jobs.groupby("session")["turn"].agg(["max", "count"]).iloc[:-200]
    assert (turns["max"] == turns["count"]).all()
    error = np.sqrt(4.0 * 3.0 / len(turns))  # of a geometric number: its variance is m (m - 1)
    assert turns["max"].mean() == pytest.approx(4.0, abs=3 * error)
    assert len(turns) + 200 == pytest.approx(10000, abs=300)


def test_prompts_grow_with_the_conversation(scenario: Build) -> None:
    pools = {"chat": {"system": "hgx-h100", "nodes": 1, "serving": {"max_context": 3000}}}
    stream = {
        "arrivals": _sessions(30.0, 2.0, history=True),
        "sizes": {"input_tokens": 100, "output_tokens": 50},
        "model": "llama-3.1-8b",
        "runs_on": ["chat"],
    }
    result = dcsim.simulate(scenario(pools, {"chat": stream}, duration="300 s"))
    jobs = result.jobs
    assert (jobs["input_tokens"] == 100 + 150 * (jobs["turn"] - 1)).all()
    assert jobs["turn"].max() == 20  # the 20th asks for 2950 + 50 tokens, the next one would be over
    assert result.summary["trust"]["energy_ledger_error"] < 1e-9


def test_the_same_seed_gives_the_same_jobs(scenario: Build, pool: Callable[..., Any]) -> None:
    stream = _users(30, "2 s", runs_on=["a"])
    runs = [dcsim.simulate(scenario({"a": pool(3)}, {"s": stream}, duration="300 s")).jobs for _ in range(2)]
    assert runs[0].equals(runs[1])


def test_an_open_stream_beside_a_loop_is_undisturbed(scenario: Build, pool: Callable[..., Any]) -> None:
    steady = {
        "arrivals": {"kind": "poisson", "rate": "1/s"},
        "service": {"distribution": "exponential", "mean": "0.5 s"},
        "runs_on": ["b"],
    }
    pools = {"a": pool(1), "b": pool(1)}
    alone = dcsim.simulate(scenario(pools, {"b": steady}, duration="500 s")).jobs
    beside = dcsim.simulate(scenario(pools, {"b": steady, "a": _users(5, runs_on=["a"])}, duration="500 s")).jobs
    beside = beside[beside["stream"] == "b"]
    for column in ("arrival_s", "start_s", "end_s"):
        assert alone[column].tolist() == beside[column].tolist()
