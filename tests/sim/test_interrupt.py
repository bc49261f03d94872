"""Ctrl-C, threads, and runs that end early or late."""

from __future__ import annotations

import os
import signal
import threading
import time
from itertools import pairwise

import pytest

from dcsim.results import Result
from dcsim.sim import simulate


@pytest.fixture
def work(scenario, pool):
    stream = {
        "arrivals": {"kind": "poisson", "rate": "3/s"},
        "service": {"distribution": "exponential", "mean": "1 s"},
        "runs_on": ["pool"],
    }
    limited = stream | {"queue_limit": 1, "slo": {"latency": "2 s"}}
    return scenario({"pool": pool(nodes=2, devices=2, idle="10 W", max="30 W")}, {"work": stream, "limited": limited})


def press(moment_s):
    def interrupt(model):
        yield model.clock.timeout(moment_s)
        os.kill(os.getpid(), signal.SIGINT)

    return interrupt


def test_ctrl_c_keeps_what_is_finished(work, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    result = simulate(work, processes={"press": press(42.5)})
    assert signal.getsignal(signal.SIGINT) is before
    assert result.interrupted
    assert result.summary["run"]["simulated_s"] == 42.5
    counts = result.summary["jobs"]
    assert counts["submitted"] == len(result.jobs)
    assert counts["submitted"] == sum(counts[key] for key in ("completed", "rejected", "failed", "queued", "running"))
    assert "interrupted at 42.5 s of 100 s" in result.summary["trust"]["warnings"]
    assert result.racks["time_s"].tolist() == [0.0, 10.0, 20.0, 30.0, 40.0]
    assert result.summary["trust"]["energy_ledger_error"] < 1e-12
    assert result.jobs["energy_facility_loaded_j"].sum() == pytest.approx(
        3.6e6 * result.summary["energy"]["facility_kwh"], rel=1e-12
    )
    # what had ended by then is as in the whole run
    whole = simulate(work).jobs.set_index("job")
    ended = result.jobs[result.jobs["status"] == "completed"].set_index("job")
    assert len(ended) > 100
    for column in ("arrival_s", "first_start_s", "end_s", "energy_chip_marginal_j"):
        assert ended[column].equals(whole.loc[ended.index, column])
    assert Result.load(result.save(tmp_path / "run")).interrupted


def test_ctrl_c_at_the_moment_of_an_arrival(scenario, pool, jobs_at):
    run = scenario({"pool": pool()}, {"work": jobs_at(["pool"], [(5.0, 10.0), (7.0, 10.0)])})
    result = simulate(run, processes={"press": press(7.0)})
    assert result.jobs["status"].tolist() == ["running", "queued"]


def test_ctrl_c_before_anything_has_happened(work):
    with pytest.raises(KeyboardInterrupt):
        simulate(work, processes={"press": press(0.0)})


def test_a_second_ctrl_c_ends_a_process_that_never_yields(work):
    def stuck(model):
        yield model.clock.timeout(10.0)
        end = time.monotonic() + 5.0
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        while time.monotonic() < end:
            pass
        raise AssertionError("still running")

    result = simulate(work, processes={"stuck": stuck})
    assert result.interrupted
    assert result.summary["run"]["simulated_s"] == 10.0


def test_ctrl_c_while_draining(scenario, pool, jobs_at):
    run = scenario({"pool": pool()}, {"work": jobs_at(["pool"], [(0.0, 500.0)])}, drain=True)
    result = simulate(run, processes={"press": press(300.0)})
    assert result.interrupted
    assert result.summary["run"]["simulated_s"] == 300.0
    assert result.jobs["status"].tolist() == ["running"]


def test_the_handler_is_put_back_after_a_failure(work):
    before = signal.getsignal(signal.SIGINT)

    def fails(model):
        yield model.clock.timeout(1.0)
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        simulate(work, processes={"fails": fails})
    assert signal.getsignal(signal.SIGINT) is before


def test_threads(work):
    expected = simulate(work).jobs
    found = []

    def run():
        found.append(simulate(work).jobs)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert all(jobs.equals(expected) for jobs in found)


def test_progress_is_told_and_changes_nothing(work):
    seen = []
    result = simulate(work, progress=lambda moment_s, finished: seen.append((moment_s, finished)))
    assert 100 < len(seen) < 1000
    assert seen == sorted(seen)
    assert seen[-1][0] <= 100.0
    assert seen[-1][1] <= result.summary["jobs"]["completed"]
    assert result.jobs.equals(simulate(work).jobs)


def test_draining_ends_with_the_last_job(scenario, pool, jobs_at):
    run = scenario({"pool": pool()}, {"work": jobs_at(["pool"], [(99.0, 30.5), (99.5, 30.5)])}, drain=True)
    result = simulate(run)
    assert result.summary["run"]["simulated_s"] == 160.0
    assert result.jobs["status"].tolist() == ["completed"] * 2
    assert result.racks["time_s"].tolist() == [10.0 * number for number in range(16)]
    # with nothing to wait for it ends where it would
    early = scenario({"pool": pool()}, {"work": jobs_at(["pool"], [(1.0, 2.0)])}, drain=True)
    assert simulate(early).summary["run"]["simulated_s"] == 100.0


@pytest.mark.parametrize(("interval", "duration"), [("0.35 s", "1.05 s"), ("0.1 s", "0.7 s"), ("0.3 s", "1 s")])
def test_rounding_makes_no_sliver_of_a_last_interval(scenario, pool, jobs_at, interval, duration):
    run = scenario(
        {"pool": pool(idle="10 W", max="30 W")},
        {"work": jobs_at(["pool"], [(0.1, 0.05)])},
        duration=duration,
        meter_interval=interval,
    )
    result = simulate(run)
    span, end = (float(text.removesuffix(" s")) for text in (interval, duration))
    edges = [*result.facility["time_s"], end]
    widths = [later - earlier for earlier, later in pairwise(edges)]
    assert len(widths) == round(end / span + 0.4)
    assert min(widths) > 0.09
    assert result.racks["compute_w"].between(10.0 - 1e-9, 30.0).all()
