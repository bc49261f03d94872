"""Random small data centers, looked at while they run: what must hold whatever the jobs, outages and throttling.

A SimPy process looks at every pool again and again: nobody holds more than there is, and nobody waits who could start.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.errors import PlacementError
from dcsim.scenario.models import Scenario
from dcsim.scheduling.slots import Slots
from dcsim.sim import simulate

LOOKS = 60
SECONDS = st.sampled_from([1.0, 2.0, 3.0, 7.5])


@st.composite
def pools(draw):
    devices = {
        "gpu": {"count": draw(st.integers(1, 3)), "slots": draw(st.sampled_from([1, 1, 2, 3]))},
        "npu": {"count": draw(st.integers(1, 2))},
    }
    for device in devices.values():
        device["power"] = {"shape": draw(st.sampled_from(["linear", "sqrt"])), "idle": "50 W", "max": "300 W"}
    node = {"devices": devices, "cores": 4, "memory": "8 B", "host": {"shape": "sqrt", "idle": "20 W", "max": "90 W"}}
    return {"nodes": draw(st.integers(1, 3)), "node": node}


@st.composite
def streams(draw):
    kind = draw(st.sampled_from(["gpu", "gpu", "npu", None]))
    if kind is None:
        needs = {"devices": 0, "cores": draw(st.integers(1, 4)), "memory": draw(st.sampled_from(["0 B", "4 B"]))}
    else:
        needs = {"kind": kind, "devices": draw(st.sampled_from([1, 1, 1, 2, 3, 4]))}
        needs["cores"] = draw(st.sampled_from([0, 0, 1, 3]))
        if needs["devices"] == 1:
            needs["share"] = draw(st.sampled_from([1.0, 1.0, 0.5, 0.3]))
    times = draw(st.lists(st.integers(0, 12).map(float), min_size=3, max_size=20))
    return {
        "arrivals": {"kind": "schedule", "times": [f"{time} s" for time in times]},
        "runs_on": draw(st.sampled_from([["a"], ["a"], ["b"], ["a", "b"], ["b", "a"]])),
        "service": {
            "distribution": "fixed",
            "mean": f"{draw(SECONDS)} s",
            "utilisation": draw(st.sampled_from([1.0, 0.4])),
        },
        "needs": needs,
    }


OUTAGES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.integers(1, 15), SECONDS), max_size=5)


@st.composite
def scenarios(draw):
    hardware = {"a": draw(pools()), "b": draw(pools())}
    outages, seen = [], set()
    for pool, node, start, span in draw(OUTAGES):
        if node < hardware[pool]["nodes"] and (pool, node) not in seen:
            seen.add((pool, node))
            outages.append({"pool": pool, "node": node, "start": f"{start} s", "duration": f"{span} s"})
    return Scenario.model_validate(
        {
            "name": "random",
            "duration": "2000 s",
            "meter_interval": "250 s",
            "sites": {"site": {}},
            "racks": {"rack": {"site": "site", "pools": hardware}},
            "streams": {f"s{number}": draw(streams()) for number in range(draw(st.integers(2, 4)))},
            "scheduling": {"placement": draw(st.sampled_from(["first-fit", "round-robin", "least-loaded"]))},
            "outages": outages,
        }
    )


def fits(model, pool, request):
    """Whether a job could start on the pool now, by a look at every node."""
    placement, nodes = pool.placement, [node for node in model.fleet.nodes[pool.name] if node.up]
    if isinstance(placement, Slots):
        return placement.available >= request.devices
    per_node = len(nodes[0].devices.get(request.kind, ())) if nodes else 0

    def good(node, devices):
        free = sum(server.room() >= request.share for server in node.devices.get(request.kind, ()))
        return free >= devices and node.cores >= request.cores and node.memory_bytes >= request.memory_bytes

    if request.devices <= per_node or not request.devices:
        return any(good(node, request.devices) for node in nodes)
    return sum(good(node, per_node) for node in nodes) * per_node >= request.devices


def look(model):
    """Assert what must hold at any moment."""
    dispatcher, table = model.dispatcher, model.table
    for pool in dispatcher.pools:
        assert pool.queued == sum(len(lane.waiting) for lane in pool.lanes)
        for node in model.fleet.nodes[pool.name]:
            assert node.cores >= 0
            assert node.memory_bytes >= 0
            for server in node.servers:
                assert server.room() > -1e-6
                assert len(server.jobs()) == len(set(server.jobs()))
        waiting = sorted(entry for lane in pool.lanes for entry in lane.waiting)
        if waiting:
            kind = dispatcher.classes[table.job_class[waiting[0][1]]]
            assert not fits(model, pool, kind.requests[pool.name]), "the first in the queue could start"
    for job in dispatcher.waiting():
        assert np.isnan(table.start_s[job])
    for lane in {id(lane): lane for pool in dispatcher.pools for lane in pool.lanes}.values():
        assert list(lane.waiting) == sorted(lane.waiting)


def looking(model):
    for _ in range(LOOKS):
        yield model.clock.timeout(0.75)
        look(model)


def throttling(seed):
    """A process that runs some device at another speed now and then, and all at full speed in the end."""

    def throttle(model):
        random = np.random.default_rng(seed)
        known = [(pool, server) for pool in model.dispatcher.pools
                 for node in model.fleet.nodes[pool.name] for server in node.servers]  # fmt: skip
        for _ in range(25):
            yield model.clock.timeout(float(random.choice([0.5, 1.0, 1.7])))
            pool, server = known[random.integers(len(known))]
            model.dispatcher.set_speed(pool, server, float(random.choice([0.25, 0.5, 1.0, 1.5])))
        for pool, server in known:
            model.dispatcher.set_speed(pool, server, 1.0)

    return throttle


def check(result):
    jobs, summary = result.jobs, result.summary
    assert set(jobs["status"]) == {"completed"}
    assert summary["trust"]["energy_ledger_error"] < 1e-9
    assert (jobs["first_start_s"] >= jobs["arrival_s"]).all()
    assert result.racks["busy"].between(-1e-9, 1.0 + 1e-9).all()
    for boundary in ("node", "rack", "facility"):
        added = jobs[f"energy_{boundary}_marginal_j"]
        assert (jobs[f"energy_{boundary}_loaded_j"] >= added * (1 - 1e-12)).all()


SETTINGS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@SETTINGS
@given(scenarios())
def test_every_job_runs_to_its_end_and_nobody_waits_who_could_start(scenario):
    try:
        result = simulate(scenario, processes={"look": looking})
    except PlacementError:
        return  # said before the run
    check(result)
    jobs = result.jobs
    mean_s = {name: stream.service.mean for name, stream in scenario.streams.items()}
    assert (jobs["end_s"] == jobs["start_s"] + jobs["stream"].map(mean_s)).all()
    assert jobs["attempts"].sum() - len(jobs) == (result.attempts["outcome"] == "evicted").sum()


@SETTINGS
@given(scenarios(), st.integers(0, 1000))
def test_the_same_under_throttling(scenario, seed):
    try:
        result = simulate(scenario, processes={"look": looking, "throttle": throttling(seed)})
    except PlacementError:
        return
    check(result)


def test_the_look_sees_a_job_that_could_start():
    """The look itself: it fails when a job is kept waiting."""
    scenario = Scenario.model_validate(
        {
            "name": "late",
            "duration": "10 s",
            "sites": {"site": {}},
            "racks": {
                "rack": {
                    "site": "site",
                    "pools": {"a": {"nodes": 1, "node": {"devices": {"gpu": {"power": {"max": "9 W"}}}}}},
                }
            },
            "streams": {
                "s": {
                    "arrivals": {"kind": "schedule", "times": ["1 s"]},
                    "runs_on": ["a"],
                    "service": {"distribution": "fixed", "mean": "1 s"},
                }
            },
        }
    )

    def lazy(model):
        yield model.clock.event()

    def one_look(model):
        yield model.clock.timeout(2.0)
        model.dispatcher.pools[0].queued -= 1  # the mark of a pool that is not served in order
        look(model)

    with pytest.raises(AssertionError, match="could start"):
        simulate(scenario, processes={"scheduler": lazy, "look": one_look})
