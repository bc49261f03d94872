"""Outages: jobs start again from zero, at once where there is room, and what was lost is on record."""

from __future__ import annotations

import pytest

from dcsim.sim import simulate


def table(result, *columns):
    return result.jobs.set_index("job")[list(columns)].to_numpy().tolist()


def test_a_lost_job_goes_on_elsewhere_at_once(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool(nodes=2)},
        {"work": jobs_at(["pool"], [(0.0, 30.0)])},
        outages=[{"pool": "pool", "start": "10 s", "duration": "60 s"}],
    )
    assert table(simulate(run), "first_start_s", "start_s", "end_s") == [[0.0, 10.0, 40.0]]


def test_a_lost_job_goes_to_the_head_of_the_queue(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool()},
        {"work": jobs_at(["pool"], [(0.0, 10.0), (1.0, 5.0), (2.0, 5.0)])},
        outages=[{"pool": "pool", "start": "8 s", "duration": "4 s"}],
    )
    assert table(simulate(run), "start_s", "end_s") == [[12.0, 22.0], [22.0, 27.0], [27.0, 32.0]]


def test_a_node_that_is_down_is_not_used(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool(nodes=2)},
        {"work": jobs_at(["pool"], [(5.0, 10.0), (6.0, 10.0)])},
        outages=[{"pool": "pool", "node": 0, "start": "0 s", "duration": "50 s"}],
    )
    result = simulate(run)
    assert table(result, "start_s", "end_s") == [[5.0, 15.0], [15.0, 25.0]]
    assert result.summary["pools"]["pool"]["availability"] == pytest.approx(0.75)


@pytest.mark.parametrize("rule", ["first-fit", "round-robin", "least-loaded"])
@pytest.mark.parametrize("hardware", [{}, {"slots": 2}, {"cores": 4}], ids=["slots", "shared", "nodes"])
def test_a_failing_node_takes_all_its_jobs_and_no_other(scenario, pool, jobs_at, rule, hardware):
    needs = {"cores": 1} if "cores" in hardware else {}
    run = scenario(
        {"pool": pool(nodes=3, devices=2, **hardware)},
        {"work": jobs_at(["pool"], [(0.0, 50.0)] * 5, needs=needs)},
        scheduling={"placement": rule},
        outages=[{"pool": "pool", "node": node, "start": f"{10 + node} s", "duration": "1 s"} for node in range(3)],
    )
    result = simulate(run)
    counts = result.summary["jobs"]
    assert counts["submitted"] == counts["completed"] + counts["queued"] + counts["running"] == 5
    # every job sits on some node when that fails, unless it has moved to one that failed before
    assert (result.jobs["attempts"] >= 2).all()
    evicted = result.attempts[result.attempts["outcome"] == "evicted"]
    assert set(evicted["end_s"]) <= {10.0, 11.0, 12.0}
    assert (evicted["work_s"] == evicted["end_s"] - evicted["start_s"]).all()
    assert result.jobs["lost_s"].sum() == pytest.approx(evicted["work_s"].sum())
    assert result.summary["trust"]["energy_ledger_error"] < 1e-12


def test_a_gang_dies_as_one_and_frees_the_nodes_that_live(scenario, pool, jobs_at):
    # Four of six devices for 50 s, then the node of two of them fails; the two others on another node are free again.
    run = scenario(
        {"pool": pool(nodes=3, devices=2)},
        {"work": jobs_at(["pool"], [(0.0, 50.0, 4), (5.0, 10.0, 3)])},
        outages=[{"pool": "pool", "node": 0, "start": "20 s", "duration": "10 s"}],
    )
    result = simulate(run)
    # the first starts again at once: nodes 1 and 2 have four devices
    assert table(result, "start_s", "end_s") == [[20.0, 70.0], [70.0, 80.0]]
    assert table(result, "attempts", "lost_s") == [[2, 20.0], [1, 0.0]]


def test_a_job_that_fits_on_the_second_pool_does_not_wait_for_the_first(scenario, pool, jobs_at):
    run = scenario(
        {"a": pool(), "b": pool()},
        {
            "either": jobs_at(["a", "b"], [(0.0, 30.0)]),
            "second": jobs_at(["b"], [(15.0, 10.0)]),
        },
        outages=[{"pool": "a", "start": "10 s", "duration": "80 s"}],
    )
    result = simulate(run)
    assert result.jobs["pool"].tolist() == ["b", "b"]
    assert table(result, "start_s", "end_s") == [[10.0, 40.0], [40.0, 50.0]]


def test_waiting_again_does_not_count_against_the_queue_limit(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool()},
        {"work": jobs_at(["pool"], [(0.0, 20.0), (1.0, 20.0), (12.0, 20.0)], queue_limit=1)},
        outages=[{"pool": "pool", "start": "10 s", "duration": "5 s"}],
    )
    result = simulate(run)
    # the first is back in the queue beside the second, none of them is thrown out; the third finds it full
    assert result.jobs["status"].tolist() == ["completed", "completed", "rejected"]
    assert result.jobs["end_s"].tolist()[:2] == [35.0, 55.0]


def test_outages_nest(scenario, pool, jobs_at):
    def strike(model):
        yield model.clock.timeout(20.0)
        model.take_down("pool", 0)
        yield model.clock.timeout(30.0)
        model.bring_up("pool", 0)

    run = scenario(
        {"pool": pool()},
        {"work": jobs_at(["pool"], [(0.0, 15.0)])},
        outages=[{"pool": "pool", "start": "10 s", "duration": "20 s"}],
    )
    result = simulate(run, processes={"strike": strike})
    # down from 10 to 30 and from 20 to 50 s
    assert table(result, "start_s", "end_s") == [[50.0, 65.0]]
    assert result.summary["pools"]["pool"]["availability"] == pytest.approx(0.6)


def test_an_outage_at_the_very_start_and_one_past_the_end(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool(idle="10 W", max="30 W")},
        {"work": jobs_at(["pool"], [(0.0, 10.0)])},
        outages=[
            {"pool": "pool", "start": "0 s", "duration": "5 s"},
            {"pool": "pool", "start": "90 s", "duration": "1 h"},
        ],
    )
    result = simulate(run)
    job = result.jobs.iloc[0]
    assert (job["start_s"], job["end_s"], job["lost_s"]) == (5.0, 15.0, 0.0)
    assert result.summary["pools"]["pool"]["availability"] == pytest.approx(0.85)
    # the host of a failed node draws idle power: 100 s x 10 W + 10 s x 20 W
    assert result.summary["energy"]["it_kwh"] * 3.6e6 == pytest.approx(1200.0)
