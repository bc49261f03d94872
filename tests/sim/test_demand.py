"""What a stream asks of a pool: found out, and what is impossible said, before the run starts."""

from __future__ import annotations

import pytest

from dcsim.errors import CatalogError, DcsimError, PlacementError, ScenarioError
from dcsim.scenario.models import Scenario
from dcsim.sim import simulate
from dcsim.sim.demand import slots_of

FIXED = {"distribution": "fixed", "mean": "1 s"}
POISSON = {"kind": "poisson", "rate": "1/s"}


def stream(**keys):
    model = {} if "service" in keys or "model" in keys else {"service": FIXED}
    return {"arrivals": POISSON, "runs_on": ["pool"]} | model | keys


def unchecked(pools, **streams):
    """A scenario made past `dcsim.load`, which would have found what is wrong in it."""
    return Scenario.model_validate(
        {
            "name": "made-in-python",
            "duration": "10 s",
            "meter_interval": "10 s",
            "sites": {"hall": {}},
            "racks": {"rack": {"site": "hall", "pools": pools}},
            "streams": streams,
        }
    )


@pytest.mark.parametrize(
    ("error", "message", "pools", "keys"),
    [
        (CatalogError, "hgx-h10", {"nodes": 1, "system": "hgx-h10"}, {"model": "resnet-50"}),
        (CatalogError, "resnet-5", {"nodes": 1, "system": "hgx-h100"}, {"model": "resnet-5"}),
        (
            PlacementError,
            "streams.work: not on pool 'pool': model 'llama-3.1-70b' .* smallest count that fits: 2",
            {"nodes": 1, "system": "hgx-h100"},
            {"model": "llama-3.1-70b", "sizes": {"input_tokens": 10, "output_tokens": 10}},
        ),
        (
            PlacementError,
            "streams.work: not on pool 'pool': .*llama-3.1-8b",
            {"nodes": 1, "system": "spinnaker2-48"},
            {"model": "llama-3.1-8b", "sizes": {"input_tokens": 10, "output_tokens": 10}},
        ),
        (
            PlacementError,
            "streams.work: not on pool 'pool': training 'kws' on 'spinnaker2' is not modelled; use GPUs",
            {"nodes": 1, "system": "spinnaker2-48"},
            {"model": "kws", "training": {"samples": 10.0}},
        ),
        (
            PlacementError,
            "streams.work: not on pool 'pool': .*precision|streams.work: .*fp4",
            {"nodes": 1, "system": "hgx-h100"},
            {"model": "resnet-50", "precision": "fp4"},
        ),
        (
            PlacementError,
            "streams.work: a job needs 9 x h100-sxm at once; pool 'pool' has 1 nodes of 8 x h100-sxm",
            {"nodes": 1, "system": "hgx-h100"},
            {"model": "llama-3.1-8b", "training": {"samples": 1e9}, "needs": {"devices": 9}},
        ),
        (
            ScenarioError,
            "streams.work.sizes: missing; model 'llama-3.1-8b' needs input_tokens and output_tokens",
            {"nodes": 1, "system": "hgx-h100"},
            {"model": "llama-3.1-8b"},
        ),
        (
            ScenarioError,
            "streams.work.slo.ttft: model 'kws' generates no tokens on pool 'pool', want latency",
            {"nodes": 1, "system": "hgx-h100"},
            {"model": "kws", "slo": {"ttft": "1 s"}},
        ),
        (
            ScenarioError,
            "streams.work: `service` gives no power on catalog system 'hgx-h100'; describe the node in place",
            {"nodes": 1, "system": "hgx-h100"},
            {},
        ),
    ],
)
def test_what_a_catalog_system_cannot_do(error, message, pools, keys):
    with pytest.raises(error, match=message) as caught:
        simulate(unchecked({"pool": pools}, work=stream(**keys)))
    assert isinstance(caught.value, DcsimError)
    assert "\n" not in str(caught.value)


def two_kinds():
    power = {"power": {"max": "10 W"}}
    return {"nodes": 2, "node": {"devices": {"fast": power, "slow": power}, "cores": 2, "memory": "4 GiB"}}


@pytest.mark.parametrize(
    ("error", "message", "needs"),
    [
        (ScenarioError, r"streams.work.needs.kind: .*several device kinds \(fast, slow\); say which kind", {}),
        (ScenarioError, "no device kind 'fats' there; did you mean 'fast'", {"kind": "fats"}),
        (PlacementError, "a job needs 3 x fast at once; pool 'pool' has 2 nodes", {"kind": "fast", "devices": 3}),
        (PlacementError, "a job needs 1 x fast, 3 cores at once; pool 'pool' has", {"kind": "fast", "cores": 3}),
        (PlacementError, "5 GiB of memory at once; pool 'pool' has", {"kind": "fast", "memory": "5 GiB"}),
        (PlacementError, "a job needs 3 cores at once", {"devices": 0, "cores": 3}),
        (PlacementError, "a job without devices needs cores", {"devices": 0, "memory": "1 GiB"}),
    ],
)
def test_what_a_node_has_not(error, message, needs):
    with pytest.raises(error, match=message):
        simulate(unchecked({"pool": two_kinds()}, work=stream(needs=needs)))


def test_a_device_of_no_kind():
    with pytest.raises(ScenarioError, match=r"have no device; say which kind, or devices: 0"):
        simulate(unchecked({"pool": {"nodes": 1, "node": {"cores": 2}}}, work=stream()))


def test_a_model_on_a_node_described_in_place():
    with pytest.raises(ScenarioError, match="model 'kws' needs a catalog system; pool 'pool' is described in place"):
        simulate(unchecked({"pool": two_kinds()}, work=stream(model="kws", needs={"kind": "fast"})))
    with pytest.raises(ScenarioError, match="a job without devices needs `service`, not `model`"):
        simulate(unchecked({"pool": two_kinds()}, work=stream(model="kws", needs={"devices": 0, "cores": 1})))


@pytest.mark.parametrize(
    ("scheduling", "message"),
    [
        ({"policy": "fcsf"}, "scheduling.policy: no policy 'fcsf'; did you mean 'fcfs'"),
        ({"placement": "round robin"}, "scheduling.placement: no placement 'round robin'; did you mean 'round-robin'"),
    ],
)
def test_names_of_policies(scenario, pool, scheduling, message):
    with pytest.raises(ScenarioError, match=message):
        simulate(scenario({"pool": pool()}, {"work": stream()}, scheduling=scheduling))


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds(scenario, pool, seed):
    with pytest.raises(ScenarioError, match=f"seed: found {seed}, want 0 to"):
        simulate(scenario({"pool": pool()}, {"work": stream()}), seed=seed)


# ---------------------------------------------------------------- traces


def test_a_job_of_a_trace_that_fits_nowhere_is_said_before_the_run(scenario, pool, jobs_at):
    run = scenario({"pool": pool(nodes=3)}, {"work": jobs_at(["pool"], [(0.0, 10.0, 2), (1.0, 10.0, 4)])})
    with pytest.raises(PlacementError, match="a job needs 4 x device at once; pool 'pool' has 3 nodes of 1 x device"):
        simulate(run)


def test_a_size_that_first_comes_late_in_a_long_trace_fits_a_busy_pool(scenario, pool, jobs_at):
    # more jobs than one block holds; the gang of 3 comes in the second block, while devices are busy
    jobs = [(0.0, 500.0, 1)] + [(0.001 * number, 0.0005, 1) for number in range(1, 66_000)] + [(66.0, 10.0, 3)]
    run = scenario({"pool": pool(nodes=3)}, {"work": jobs_at(["pool"], jobs)}, duration="600 s")
    last = simulate(run).jobs.iloc[-1]
    assert (last["first_start_s"], last["end_s"], last["busy_s"]) == (500.0, 510.0, 30.0)


def test_processors_of_a_trace_need_devices(scenario, pool, jobs_at):
    work = jobs_at(["pool"], [(0.0, 10.0, 2)], needs={"devices": 0, "cores": 1})
    with pytest.raises(ScenarioError, match=r"streams.work.needs.devices: found 0, but the trace says"):
        simulate(scenario({"pool": pool(cores=4)}, {"work": work}))


def test_tokens_that_a_trace_has_not(scenario, jobs_at):
    work = jobs_at(["pool"], [(0.0, 10.0)]) | {"model": "llama-3.1-8b"}
    del work["service"]
    with pytest.raises(ScenarioError, match="want a trace with them, or the name of a size table"):
        simulate(scenario({"pool": {"nodes": 1, "system": "hgx-h100"}}, {"work": work}))


# ---------------------------------------------------------------- sharing


@pytest.mark.parametrize(("share", "slots"), [(1.0, 1), (0.5, 2), (1 / 3, 3), (0.4, 2), (0.35, 2), (0.001, 1000)])
def test_jobs_never_hold_more_than_the_device(scenario, pool, jobs_at, share, slots):
    assert slots_of(share) == slots
    count = min(slots + 1, 20)
    run = scenario({"pool": pool()}, {"work": jobs_at(["pool"], [(0.0, 10.0)] * count, needs={"share": share})})
    result = simulate(run)
    assert (result.jobs["first_start_s"] == 0.0).sum() == min(count, slots)
    assert result.racks["busy"].max() <= 1.0


@pytest.mark.parametrize("rule", ["first-fit", "round-robin", "least-loaded"])
@pytest.mark.parametrize("gang", [2, 3, 6])
def test_a_gang_on_shared_devices_holds_that_many_of_them(scenario, pool, jobs_at, rule, gang):
    seen = []

    def probe(model):
        yield model.clock.timeout(1.0)
        for node in model.fleet.nodes["pool"]:
            seen.append([len(server.jobs()) for server in node.servers])

    run = scenario(
        {"pool": pool(nodes=2, devices=3, slots=2, max="60 W")},
        {"work": jobs_at(["pool"], [(0.0, 10.0)] * 5, needs={"devices": gang})},
        scheduling={"placement": rule},
    )
    result = simulate(run, processes={"probe": probe})
    # each job on each of its devices once, never more than two jobs on one device
    running = int((result.jobs["first_start_s"] == 0.0).sum())
    assert running == {2: 4, 3: 4, 6: 2}[gang]
    assert sum(map(sum, seen)) == running * gang
    assert max(map(max, seen)) <= 2
    assert result.jobs["busy_s"].tolist() == pytest.approx([gang * 5.0] * 5)
    assert result.summary["trust"]["energy_ledger_error"] < 1e-12


def test_a_language_model_over_several_gpus(scenario):
    work = stream(
        model="llama-3.1-70b", sizes={"input_tokens": 500, "output_tokens": 200}, batch=4, needs={"devices": 4}
    )
    run = scenario({"pool": {"nodes": 1, "system": "hgx-h100"}}, {"work": work}, duration="60 s")
    result = simulate(run)
    jobs = result.jobs[result.jobs["status"] == "completed"]
    assert len(jobs) > 20
    # four GPUs for as long as they have work, shared by tokens
    used_s = result.summary["pools"]["pool"]["utilisation"] * 8 * 60.0
    assert result.jobs["busy_s"].sum() == pytest.approx(used_s)
    assert (jobs["busy_s"] <= 4 * (jobs["end_s"] - jobs["start_s"]) * (1 + 1e-9)).all()
    assert result.summary["trust"]["energy_ledger_error"] < 1e-12
