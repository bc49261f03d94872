"""Who starts when, and where: small scenarios whose every start and end can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dcsim.errors import PlacementError, ScenarioError
from dcsim.scenario.models import Scenario
from dcsim.scheduling.slots import PLACEMENTS, Slots
from dcsim.sim import simulate

GPU = {"count": 1, "power": {"idle": "100 W", "max": "300 W"}}


def pool(nodes=1, *, cores=0, memory="0 B", host=None, **devices):
    """`nodes` nodes; devices by kind as (count, slots), one plain `gpu` when none is named."""
    node = {"devices": {"gpu": GPU}, "cores": cores, "memory": memory, "host": host}
    if devices:
        kinds = {kind: {**GPU, "count": count, "slots": slots} for kind, (count, slots) in devices.items()}
        node["devices"] = {kind: device for kind, device in kinds.items() if device["count"]}
    return {"nodes": nodes, "node": node}


def stream(times, seconds, runs_on=("a",), *, limit=None, **needs):
    """Jobs at `times` [s] that each take `seconds`."""
    return {
        "arrivals": {"kind": "schedule", "times": [f"{time!r} s" for time in times]},
        "runs_on": list(runs_on),
        "service": {"distribution": "fixed", "mean": f"{seconds!r} s"},
        "needs": needs,
        "queue_limit": limit,
    }


def run(pools, streams, *, outages=(), placement="first-fit", duration_s=100.0, processes=None):
    """Run it; the jobs of each stream in order of arrival as (start, end, pool)."""
    scenario = Scenario.model_validate(
        {
            "name": "dispatch",
            "duration": f"{duration_s!r} s",
            "meter_interval": f"{duration_s!r} s",
            "sites": {"site": {}},
            "racks": {"rack": {"site": "site", "pools": pools}},
            "streams": streams,
            "scheduling": {"placement": placement},
            "outages": [
                {"pool": name, "node": node, "start": f"{start!r} s", "duration": f"{span!r} s"}
                for name, node, start, span in outages
            ],
        }
    )
    result = simulate(scenario, processes=processes)
    assert result.summary["trust"]["energy_ledger_error"] < 1e-9
    jobs = {}
    for row in result.jobs.itertuples():
        jobs.setdefault(row.stream, []).append((row.start_s, row.end_s, row.pool))
    return jobs, result


def times(jobs):
    return [(start, end) for start, end, _ in jobs]


WAITING = (math.nan, math.nan, None)


# ---------------------------------------------------------------- one instant


def test_job_that_arrives_as_another_ends_takes_its_place_at_once():
    jobs, _ = run({"a": pool()}, {"s": stream([0.0, 5.0, 5.0], 5.0, limit=1)})
    assert times(jobs["s"]) == [(0.0, 5.0), (5.0, 10.0), (10.0, 15.0)]


def test_job_that_ends_as_its_node_fails_has_ended_and_one_that_arrives_has_not():
    jobs, result = run({"a": pool()}, {"s": stream([0.0, 5.0], 5.0)}, outages=[("a", 0, 5.0, 2.0)])
    assert times(jobs["s"]) == [(0.0, 5.0), (7.0, 12.0)]
    assert result.jobs["attempts"].tolist() == [1, 2]
    assert result.jobs["lost_s"].tolist() == [0.0, 0.0]


def test_older_stream_first_when_two_arrive_together():
    streams = {"z": stream([1.0], 4.0), "b": stream([1.0], 4.0)}
    jobs, _ = run({"a": pool()}, streams)
    assert (times(jobs["z"]), times(jobs["b"])) == ([(1.0, 5.0)], [(5.0, 9.0)])


# ---------------------------------------------------------------- queues


def test_queue_limit_rejects_what_would_wait_beyond_it():
    jobs, result = run({"a": pool()}, {"s": stream([0.0, 1.0, 2.0, 3.0, 10.5], 10.0, limit=2)})
    assert result.jobs["status"].tolist() == ["completed", "completed", "completed", "rejected", "completed"]
    assert times(jobs["s"])[4] == (30.0, 40.0)
    _, result = run({"a": pool()}, {"s": stream([0.0, 1.0, 10.0], 10.0, limit=0)})
    assert result.jobs["status"].tolist() == ["completed", "rejected", "completed"]


def test_nobody_overtakes_a_gang_that_waits():
    streams = {"one": stream([0.0, 0.0, 2.0], 5.0), "gang": stream([1.0], 3.0, devices=3)}
    jobs, _ = run({"a": pool(4)}, streams)
    assert times(jobs["one"]) == [(0.0, 5.0), (0.0, 5.0), (5.0, 10.0)]
    assert times(jobs["gang"]) == [(5.0, 8.0)]


def test_first_pool_first_and_the_second_when_that_is_full():
    jobs, _ = run({"a": pool(), "b": pool()}, {"s": stream([0.0, 1.0, 2.0, 3.0], 4.0, "ba")})
    assert jobs["s"] == [(0.0, 4.0, "b"), (1.0, 5.0, "a"), (4.0, 8.0, "b"), (5.0, 9.0, "a")]


def test_streams_with_different_pools_keep_one_order_on_the_pool_they_share():
    streams = {"both": stream([0.0, 0.0, 2.0], 10.0, "ab"), "only": stream([1.0], 10.0, "b")}
    jobs, _ = run({"a": pool(), "b": pool()}, streams)
    # both pools end at 10 s; on `b` the job that came at 1 s is before the one of 2 s
    assert jobs["both"] == [(0.0, 10.0, "a"), (0.0, 10.0, "b"), (10.0, 20.0, "a")]
    assert jobs["only"] == [(10.0, 20.0, "b")]


def test_job_that_starts_on_one_pool_lets_go_those_behind_it_on_another():
    """The gang waits for both pools; what stands behind it on `b`, where there is room for one, starts with it."""
    streams = {
        "fill": stream([0.0, 0.0], 10.0, "a"),
        "half": stream([0.0], 50.0, "b"),
        "gang": stream([1.0], 10.0, "ab", devices=2),
        "behind": stream([2.0], 10.0, "b"),
    }
    jobs, _ = run({"a": pool(2), "b": pool(2)}, streams)
    assert jobs["gang"] == [(10.0, 20.0, "a")]
    assert jobs["behind"] == [(10.0, 20.0, "b")]


# ---------------------------------------------------------------- outages


def test_evicted_jobs_go_to_the_head_in_order_of_arrival_and_start_from_zero():
    jobs, result = run(
        {"a": pool(2)}, {"s": stream([0.0, 1.0, 2.0], 10.0)}, outages=[("a", 0, 4.0, 3.0), ("a", 1, 5.0, 9.0)]
    )
    # 4 s: job 0 is out and waits; 5 s: job 1 too; 7 s: node 0 is back for job 0; at 14 s node 1 for job 1; job 2 last
    assert times(jobs["s"]) == [(7.0, 17.0), (14.0, 24.0), (17.0, 27.0)]
    assert result.jobs["first_start_s"].tolist() == [0.0, 1.0, 17.0]
    assert result.jobs["attempts"].tolist() == [2, 2, 1]
    assert result.jobs["lost_s"].tolist() == [4.0, 4.0, 0.0]
    assert result.attempts["outcome"].tolist() == ["evicted", "completed", "evicted", "completed"]


def test_evicted_job_goes_on_at_once_on_another_pool_that_has_room():
    jobs, _ = run({"a": pool(), "b": pool()}, {"s": stream([0.0, 6.0], 10.0, "ab")}, outages=[("a", 0, 4.0, 50.0)])
    assert jobs["s"] == [(4.0, 14.0, "b"), (14.0, 24.0, "b")]


def test_evicted_job_that_cannot_go_on_does_not_hold_up_a_pool_that_it_does_not_use():
    streams = {"s": stream([0.0], 10.0, "a"), "t": stream([5.0], 3.0, "b")}
    jobs, _ = run({"a": pool(), "b": pool()}, streams, outages=[("a", 0, 4.0, 10.0)])
    assert (jobs["s"], jobs["t"]) == ([(14.0, 24.0, "a")], [(5.0, 8.0, "b")])


def test_gang_loses_all_its_devices_with_one_and_frees_the_others():
    streams = {"gang": stream([0.0], 10.0, devices=2), "one": stream([1.0], 2.0)}
    jobs, result = run({"a": pool(2)}, streams, outages=[("a", 1, 4.0, 2.0)])
    # the single job came later and may not overtake the gang, although a device is free
    assert (times(jobs["gang"]), times(jobs["one"])) == ([(6.0, 16.0)], [(16.0, 18.0)])
    energy_j = result.jobs.set_index("stream")["energy_chip_marginal_j"]
    assert energy_j["gang"] == 2 * 200.0 * 14.0


@pytest.mark.parametrize("placement", ["first-fit", "round-robin", "least-loaded"])
def test_outage_of_a_node_with_devices_that_nobody_uses(placement):
    """The node's other devices must not come back as devices of the placement."""
    jobs, _ = run(
        {"a": pool(2, gpu=(1, 1), npu=(2, 1))},
        {"s": stream([0.0, 1.0, 20.0, 20.0, 20.0], 10.0, kind="gpu")},
        outages=[("a", 0, 5.0, 3.0)],
        placement=placement,
    )
    assert times(jobs["s"]) == [(8.0, 18.0), (1.0, 11.0), (20.0, 30.0), (20.0, 30.0), (30.0, 40.0)]


def test_outages_of_one_node_nest():
    """A user's process that takes a node down during a scheduled outage of it."""

    def fault(model):
        yield model.clock.timeout(5.0)
        model.take_down("a", 0)
        yield model.clock.timeout(10.0)
        model.bring_up("a", 0)

    outages, jobs_at = [("a", 0, 4.0, 3.0)], stream([0.0], 10.0)
    jobs, result = run({"a": pool()}, {"s": jobs_at}, outages=outages, processes={"fault": fault})
    assert times(jobs["s"]) == [(15.0, 25.0)]
    assert result.summary["pools"]["a"]["availability"] == pytest.approx(1.0 - 11.0 / 100.0)


# ---------------------------------------------------------------- several resources


def test_slots_of_a_device_run_side_by_side():
    jobs, _ = run({"a": pool(gpu=(1, 2))}, {"s": stream([0.0, 1.0, 2.0], 10.0)})
    assert times(jobs["s"]) == [(0.0, 10.0), (1.0, 11.0), (10.0, 20.0)]


@pytest.mark.parametrize("placement", ["first-fit", "round-robin", "least-loaded"])
def test_gang_on_shared_devices_holds_a_slot_of_each(placement):
    """Devices with two slots, jobs of two devices: two jobs side by side on both devices, not four on one."""
    jobs, result = run({"a": pool(gpu=(2, 2))}, {"s": stream([0.0, 0.0, 1.0], 10.0, devices=2)}, placement=placement)
    assert times(jobs["s"]) == [(0.0, 10.0), (0.0, 10.0), (10.0, 20.0)]
    # a linear curve: half of a device draws 100 W, and each job has half of two
    assert result.jobs["energy_chip_marginal_j"].tolist() == pytest.approx([2000.0] * 3)
    assert result.racks["busy"].tolist() == pytest.approx([(10.0 + 10.0 / 2) / 100.0])


def test_cores_and_memory_bound_what_runs_on_a_node():
    host = {"idle": "50 W", "max": "150 W"}
    node = pool(1, cores=4, memory="8 GiB", host=host, gpu=(4, 1))
    streams = {
        "cores": stream([0.0, 0.0], 10.0, cores=3),
        "memory": stream([1.0], 10.0, memory="8 GiB"),
        "cpu": stream([2.0], 10.0, devices=0, cores=1),
    }
    jobs, result = run({"a": node}, streams)
    assert times(jobs["cores"]) == [(0.0, 10.0), (10.0, 20.0)]
    # no one overtakes the second job, which waits for cores
    assert (times(jobs["memory"]), times(jobs["cpu"])) == ([(10.0, 20.0)], [(10.0, 20.0)])
    node_j = result.jobs.set_index("stream")["energy_node_marginal_j"]
    assert node_j["cores"].tolist() == pytest.approx([(200.0 + 75.0) * 10.0] * 2)
    assert node_j["cpu"] == pytest.approx(25.0 * 10.0)


def test_outage_frees_cores_and_memory():
    host = {"idle": "50 W", "max": "150 W"}
    jobs, result = run(
        {"a": pool(2, cores=4, memory="8 GiB", host=host)},
        {"s": stream([0.0, 0.0, 1.0], 10.0, cores=4, memory="8 GiB")},
        outages=[("a", 0, 4.0, 3.0)],
    )
    assert times(jobs["s"]) == [(7.0, 17.0), (0.0, 10.0), (10.0, 20.0)]
    assert result.jobs["energy_node_marginal_j"].tolist() == pytest.approx([300.0 * 14.0, 300.0 * 10.0, 300.0 * 10.0])


@pytest.mark.parametrize("cores", [0, 2])
def test_gang_over_several_nodes(cores):
    """Five devices on nodes of two: with cores it takes them, and the cores, on three nodes."""
    node = pool(3, cores=4, host={"idle": "50 W", "max": "150 W"}, gpu=(2, 1))
    streams = {"gang": stream([0.0, 1.0], 10.0, devices=5, cores=cores), "one": stream([2.0], 1.0, cores=cores)}
    jobs, result = run({"a": node}, streams)
    assert times(jobs["gang"]) == [(0.0, 10.0), (10.0, 20.0)]
    assert times(jobs["one"]) == [(10.0, 11.0)]
    first = result.jobs.iloc[0]
    assert first["energy_chip_marginal_j"] == pytest.approx(5 * 200.0 * 10.0)
    assert first["energy_node_marginal_j"] == pytest.approx(5 * 200.0 * 10.0 + (3 * 50.0 * 10.0 if cores else 0.0))


# ---------------------------------------------------------------- throttling


def speeds(*changes):
    """A process that sets the speed of one device of pool `a`: (moment, number of its node, number on it, factor)."""

    def throttle(model):
        for moment, node, number, factor in changes:
            yield model.clock.timeout(moment - model.clock.now)
            server = model.fleet.nodes["a"][node].servers[number]
            model.dispatcher.set_speed(model.fleet.pool("a"), server, factor)

    return {"throttle": throttle}


def test_gang_ends_with_its_slowest_device():
    """Half speed from 4 s to 8 s on one of two: its part ends at 12 s, and the other is free from 10 s on."""
    streams = {"gang": stream([0.0], 10.0, devices=2), "one": stream([5.0, 5.0], 3.0)}
    jobs, result = run({"a": pool(2)}, streams, processes=speeds((4.0, 0, 0, 0.5), (8.0, 0, 0, 1.0)))
    assert times(jobs["gang"]) == [(0.0, 12.0)]
    assert times(jobs["one"]) == [(10.0, 13.0), (12.0, 15.0)]
    energy_j = result.jobs.set_index("stream")["energy_chip_marginal_j"]
    assert energy_j["gang"] == pytest.approx(2 * 200.0 * 10.0)
    assert energy_j["one"].tolist() == pytest.approx([600.0, 600.0])


def test_gang_that_loses_a_node_has_done_the_mean_work_of_its_devices():
    """At 6 s one device has done 6 s of work and the throttled one 4.5 s."""
    _, result = run(
        {"a": pool(2)},
        {"gang": stream([0.0], 10.0, devices=2)},
        outages=[("a", 1, 6.0, 1.0)],
        processes=speeds((3.0, 0, 0, 0.5), (6.5, 0, 0, 1.0)),
    )
    assert result.jobs["lost_s"].tolist() == [5.25]
    assert result.jobs["end_s"].tolist() == [17.0]
    assert result.jobs["energy_chip_marginal_j"].tolist() == pytest.approx([400.0 * 15.25])


def test_device_and_cores_of_one_job_each_at_their_speed():
    """The job ends with its throttled device; its cores are busy no longer than their own work, and held to the end."""
    node = pool(1, cores=2, host={"idle": "50 W", "max": "150 W"}, gpu=(2, 1))
    streams = {"s": stream([0.0, 1.0], 10.0, cores=2)}
    jobs, result = run({"a": node}, streams, processes=speeds((4.0, 0, 0, 0.5)))
    assert times(jobs["s"]) == [(0.0, 16.0), (16.0, 36.0)]
    assert result.jobs["energy_node_marginal_j"].tolist() == pytest.approx([2000.0 + 1000.0] * 2)


def test_run_that_stops_in_the_middle_of_throttled_jobs():
    _, result = run({"a": pool(3)}, {"s": stream([0.0], 90.0, devices=3)}, duration_s=40.0,
                    processes=speeds((10.0, 0, 0, 0.5), (20.0, 1, 0, 0.25)))  # fmt: skip
    assert result.jobs["status"].tolist() == ["running"]
    assert result.jobs["energy_chip_marginal_j"].tolist() == pytest.approx([200.0 * (25.0 + 25.0 + 40.0)])


# ---------------------------------------------------------------- impossible


def test_job_that_never_fits_is_refused_before_the_run():
    with pytest.raises(PlacementError, match=r"streams\.s: a job needs 3 x gpu at once; pool 'a' has 2 nodes"):
        run({"a": pool(2)}, {"s": stream([0.0], 1.0, devices=3)})


# ---------------------------------------------------------------- other policies


def test_unknown_placement_is_refused_with_the_nearest_name():
    with pytest.raises(
        ScenarioError, match=r"scheduling\.placement: no placement 'frist-fit'; did you mean 'first-fit'\?"
    ):
        run({"a": pool()}, {"s": stream([0.0], 1.0)}, placement="frist-fit")


def test_own_placement_by_name(monkeypatch):
    """A class registered by name is all it takes; a pool whose jobs ask for more than slots refuses it."""

    class LastFit(Slots):
        def _fill(self, places):
            self.stack = places

        def _offered(self):
            return self.stack

        def take(self):
            return self.servers[self.stack.pop()] if self.stack else None

        def give(self, server):
            self.stack.append(server.place)

    monkeypatch.setitem(PLACEMENTS._policies, "last-fit", LastFit)
    models = []

    def probe(model):
        models.append(model)
        yield model.clock.event()

    run({"a": pool(4)}, {"s": stream([0.0, 1.0, 4.5], 4.0)}, placement="last-fit", processes={"probe": probe})
    assert np.array(models[0].table.device).tolist() == [3, 2, 3]
    with pytest.raises(PlacementError, match="'last-fit' places equal slots only"):
        run({"a": pool(4, cores=2)}, {"s": stream([0.0], 1.0, cores=1)}, placement="last-fit")


def test_own_scheduler_takes_the_shortest_wait_last():
    """Last come, first served, by a generator in place of the scheduler process."""

    def scheduler(model):
        dispatcher = model.dispatcher
        while True:
            yield dispatcher.wake
            for job in reversed(list(dispatcher.waiting())):
                dispatcher.start(job)

    jobs, _ = run({"a": pool()}, {"s": stream([0.0, 1.0, 2.0, 11.0], 5.0)}, processes={"scheduler": scheduler})
    assert times(jobs["s"]) == [(0.0, 5.0), (10.0, 15.0), (5.0, 10.0), (15.0, 20.0)]
