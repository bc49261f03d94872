"""The express lane against the general path that it stands for: the same run, bit for bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dcsim.scenario.models import Scenario
from dcsim.sim import express, simulate

NODES, DEVICES = 6, 2


def scenario(rule: str, seed: int, load: float, seconds: dict, needs: dict | None = None) -> Scenario:
    """Two streams on one pool that draw different powers, one on either of two pools, and outages."""
    node = {"devices": {"gpu": {"count": DEVICES, "power": {"idle": "61.7 W", "max": "712.3 W"}}}}
    pools = {name: {"nodes": NODES, "node": node} for name in ("a", "b")}
    rate = load * NODES * DEVICES / 7.0

    def stream(share, runs_on, utilisation):
        return {
            "arrivals": {"kind": "poisson", "rate": f"{share * rate!r}/s"},
            "runs_on": runs_on,
            "service": seconds | {"utilisation": utilisation},
            "needs": needs or {},
        }

    return Scenario.model_validate(
        {
            "name": "express",
            "duration": "400 s",
            "seed": seed,
            "meter_interval": "10 s",
            "sites": {"site": {}},
            "racks": {"rack": {"site": "site", "count": 2, "pools": pools}},
            "streams": {
                "full": stream(0.9, ["a"], 1.0),
                "part": stream(0.8, ["a"], 0.37),
                "dealt": stream(0.5, ["a", "b"], 0.6) | {"route": "spread"},
            },
            "scheduling": {"placement": rule},
            "outages": [
                {"pool": "a", "node": node, "start": f"{30 + 17.3 * node!r} s", "duration": "21 s"} for node in range(9)
            ],
        }
    )


def throttling(seen):
    """Slow some devices down and look at the live power, now and then."""

    def process(model):
        pool = model.fleet.pool("a")
        for turn in range(60):
            yield model.clock.timeout(6.25)
            for server in pool.placement.servers[turn % 5 :: 5]:
                model.dispatcher.set_speed(pool, server, (0.5, 0.9, 1.0)[turn % 3])
            seen.append((model.clock.now, pool.queued, model.dispatcher.finished, model.site_power_w("site")))

    return process


@pytest.mark.parametrize("rule", ["first-fit", "round-robin", "least-loaded"])
@pytest.mark.parametrize("load", [0.3, 0.6])
@pytest.mark.parametrize(
    "seconds",
    [{"distribution": "exponential", "mean": "7 s"}, {"distribution": "fixed", "mean": "5 s"}],
    ids=["exponential", "fixed"],
)
def test_the_general_path_gives_the_same(monkeypatch, rule, load, seconds):
    given = scenario(rule, 3, load, seconds)
    express_seen, general_seen = [], []
    found = simulate(given, processes={"throttling": throttling(express_seen)})
    monkeypatch.setattr(express, "serves", lambda pool: False)  # noqa: ARG005
    want = simulate(given, processes={"throttling": throttling(general_seen)})
    assert express_seen == general_seen
    pd.testing.assert_frame_equal(found.jobs, want.jobs, check_exact=True)
    pd.testing.assert_frame_equal(found.racks, want.racks, check_exact=True)
    assert found.summary["energy"] == want.summary["energy"]
    assert np.isfinite(found.jobs["end_s"]).sum() > 200
    assert (found.jobs["lost_s"] > 0.0).any()


@pytest.mark.parametrize(("needs", "served"), [({}, True), ({"share": 0.5}, False)])
def test_only_devices_with_one_job_each_are_served(needs, served):
    seen = []

    def look(model):
        seen.extend(express.serves(pool) for pool in model.fleet.pools)
        yield model.clock.event()

    simulate(scenario("first-fit", 1, 0.5, {"distribution": "fixed", "mean": "5 s"}, needs), processes={"look": look})
    assert seen == [served, served]
