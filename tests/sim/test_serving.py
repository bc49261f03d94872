"""Language models served in whole runs: mixed pools, prefill and decode apart, several models, outages, bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dcsim
from dcsim.catalog import load
from dcsim.errors import DcsimError, PlacementError, ScenarioError
from dcsim.gpu.engine import Engine
from dcsim.gpu.serving import deploy
from dcsim.results.histogram import Histogram
from dcsim.results.result import Result
from dcsim.scenario import Scenario
from dcsim.scenario.hardware import Serving
from dcsim.validation.serving import replay

Build = Callable[..., Scenario]

_SIZES = {"input_tokens": 700, "output_tokens": 150}


def _pool(system: str = "hgx-h100", nodes: int = 1, **serving: Any) -> dict[str, Any]:
    return {"system": system, "nodes": nodes, "serving": serving}


def _stream(rate: float, runs_on: list[str], model: str = "llama-3.1-8b", **keys: Any) -> dict[str, Any]:
    return {
        "arrivals": {"kind": "poisson", "rate": f"{rate}/s"},
        "sizes": "azure-llm-conv-2023",
        "model": model,
        "runs_on": runs_on,
    } | keys


def _check(result: Result) -> None:
    """What holds in every run."""
    summary, jobs = result.summary, result.jobs
    assert summary["trust"]["energy_ledger_error"] < 1e-9
    assert jobs["busy_s"].sum() == pytest.approx(
        sum(pool["utilisation"] * pool["devices"] for pool in summary["pools"].values())
        * summary["run"]["simulated_s"],
        rel=1e-9,
    )
    done = jobs[jobs["status"] == "completed"]
    assert (done["ttft_s"] > 0).all()
    assert (done["start_s"] >= done["arrival_s"]).all()
    assert (done["arrival_s"] + done["ttft_s"] <= done["end_s"]).all()
    assert done["energy_chip_marginal_j"].sum() > 0
    counts = summary["jobs"]
    ends = sum(counts[key] for key in ("completed", "rejected", "failed", "queued", "running"))
    assert counts["submitted"] == ends


def test_one_replica_is_its_engine(scenario: Build) -> None:
    """The run gives the times of the engine alone on the same arrivals."""
    pools = {"chat": _pool(devices=8)}
    result = dcsim.simulate(scenario(pools, {"chat": _stream(20, ["chat"])}, drain=True))
    _check(result)
    known = load()
    deployment = deploy(known.get("llama-3.1-8b"), known.get("h100-sxm"), Serving(devices=8))
    gaps = Histogram()
    jobs = result.jobs
    columns = [jobs[key].to_numpy(np.float64) for key in ("arrival_s", "input_tokens", "output_tokens")]
    first, last = replay(
        Engine(deployment.cost, deployment.limits, gaps), columns[0], *(c.astype(int) for c in columns[1:])
    )
    assert (jobs["arrival_s"] + jobs["ttft_s"]).to_numpy() == pytest.approx(first, rel=1e-12)
    assert jobs["end_s"].to_numpy() == pytest.approx(last, rel=1e-12)
    assert result.summary["streams"]["chat"]["itl_s"]["mean"] == pytest.approx(gaps.mean, rel=1e-12)


def test_the_same_seed_gives_the_same_bytes(scenario: Build) -> None:
    runs = [
        dcsim.simulate(scenario({"chat": _pool(devices=4)}, {"chat": _stream(30, ["chat"])}, duration="30 s"))
        for _ in range(2)
    ]
    assert runs[0].jobs.equals(runs[1].jobs)


def test_a_mixed_fleet_with_several_models_and_prefill_apart(scenario: Build) -> None:
    """A100 and H100 pools behind one stream, a second model, and a third whose prompts have GPUs of their own."""
    pools = {
        "fast": _pool(max_outstanding=8),
        "slow": _pool("hgx-a100", route="round-robin"),
        "large": _pool(devices=4, route="least-tokens"),
        "prompts": _pool(devices=4, decode_pool="answers"),
        "answers": _pool("hgx-a100", devices=8),
    }
    streams = {
        "chat": _stream(60, ["fast", "slow"]),
        "think": _stream(3, ["large"], "qwen3-32b"),
        "write": _stream(2, ["prompts"], "llama-3.1-70b"),
    }
    result = dcsim.simulate(scenario(pools, streams, drain=True))
    _check(result)
    jobs = result.jobs.set_index("stream")
    assert set(jobs.loc["chat", "pool"]) == {"fast", "slow"}
    assert set(jobs.loc["write", "pool"]) == {"answers"}
    write = jobs.loc["write"]
    assert (write["attempts"] == 2).all()
    assert (write["lost_s"] == 0).all()
    passed = result.attempts[result.attempts["outcome"] == "passed on"]
    assert set(passed["pool"]) == {"prompts"}
    for name in ("prompts", "answers"):
        assert result.summary["pools"][name]["energy_kwh"] > result.summary["pools"][name]["idle_energy_kwh"]
    assert result.summary["streams"]["write"]["itl_s"]["p50"] > 0


def test_the_cache_of_a_prompt_takes_time_to_move(scenario: Build) -> None:
    def run(bandwidth: str) -> Result:
        pools = {
            "prompts": _pool(decode_pool="answers", transfer_bandwidth=bandwidth),
            "answers": _pool(),
        }
        stream = _stream(1, ["prompts"], arrivals={"kind": "schedule", "times": ["1 s"]}, sizes=_SIZES)
        return dcsim.simulate(scenario(pools, {"chat": stream}))

    slow, fast = run("131072 kB/s"), run("131072 MB/s")
    # 700 tokens of 131,072 B
    assert slow.jobs["end_s"][0] - fast.jobs["end_s"][0] == pytest.approx(0.7 - 0.0007)
    assert slow.jobs["ttft_s"][0] == fast.jobs["ttft_s"][0]


def test_an_outage_sends_requests_elsewhere_from_zero(scenario: Build) -> None:
    pools = {"chat": _pool(nodes=2, devices=8)}
    outage = {"pool": "chat", "node": 0, "start": "20 s", "duration": "30 s"}
    result = dcsim.simulate(scenario(pools, {"chat": _stream(20, ["chat"])}, outages=[outage], drain=True))
    _check(result)
    again = result.jobs[result.jobs["attempts"] > 1]
    assert len(again) > 3
    assert (again["start_s"] >= 20.0).all()
    assert (again["lost_s"] > 0).any()
    assert (result.attempts["outcome"].isin(["evicted", "completed"])).all()


def test_an_outage_of_all_decode_replicas_sends_requests_back(scenario: Build) -> None:
    pools = {"prompts": _pool(devices=8, decode_pool="answers"), "answers": _pool(devices=8)}
    outage = {"pool": "answers", "node": 0, "start": "5 s", "duration": "1 s"}
    stream = _stream(5, ["prompts"], sizes=_SIZES)
    result = dcsim.simulate(scenario(pools, {"chat": stream}, duration="20 s", outages=[outage], drain=True))
    _check(result)
    assert result.summary["jobs"]["completed"] == len(result.jobs)
    assert result.jobs["attempts"].max() > 2


def test_a_stopped_run_counts_what_waits_in_replicas(scenario: Build) -> None:
    pools = {"chat": _pool("workstation-4x-rtx-4090", max_outstanding=200)}
    stream = _stream(400, ["chat"], sizes=_SIZES, queue_limit=50)
    result = dcsim.simulate(scenario(pools, {"chat": stream}, duration="20 s", meter_interval="5 s"))
    _check(result)
    counts = result.summary["jobs"]
    assert min(counts[key] for key in ("completed", "queued", "running", "rejected")) > 0
    assert result.summary["pools"]["chat"]["preemptions"] > 0
    assert result.summary["trust"]["offered_load"] > 1


def test_an_idle_model_is_unloaded(scenario: Build) -> None:
    arrivals = {"kind": "schedule", "times": ["1 s", "60 s"]}
    stream = _stream(1, ["chat"], arrivals=arrivals, sizes=_SIZES)
    results = [
        dcsim.simulate(scenario({"chat": _pool(devices=8, **extra)}, {"chat": stream}))
        for extra in ({}, {"unload_after": "10 s", "load_bandwidth": "8.03 GB/s"})
    ]
    kept, unloaded = (result.jobs["ttft_s"] for result in results)
    assert unloaded[0] == kept[0]
    assert unloaded[1] == pytest.approx(kept[1] + 2.0)  # 16.06 GB
    kept_kwh, unloaded_kwh = (result.summary["pools"]["chat"]["idle_energy_kwh"] for result in results)
    assert unloaded_kwh < kept_kwh
    for result in results:
        _check(result)


def test_what_streams_say_makes_replicas_too(scenario: Build) -> None:
    """Without `serving`, devices and batch of the stream are those of the replica."""
    plain = {"system": "hgx-h100", "nodes": 1}
    stream = _stream(20, ["chat"], batch=16, needs={"devices": 2})
    written = {"chat": _pool(devices=2, max_sequences=16)}
    runs = [
        dcsim.simulate(scenario(pools, {"chat": each}, duration="20 s"))
        for pools, each in (({"chat": plain}, stream), (written, _stream(20, ["chat"])))
    ]
    assert runs[0].jobs.equals(runs[1].jobs)


@pytest.mark.parametrize(
    ("pools", "streams", "error", "says"),
    [
        (
            {"chat": _pool(max_context=1000)},
            {"chat": _stream(1, ["chat"], sizes={"input_tokens": 900, "output_tokens": 200})},
            PlacementError,
            "found a request of 1,100 tokens (input and output), want at most 1,000: the context is limited",
        ),
        (
            {"chat": _pool("workstation-4x-rtx-4090")},
            {"chat": _stream(1, ["chat"], sizes={"input_tokens": 90_000, "output_tokens": 200})},
            PlacementError,
            "tokens (input and output), want at most",
        ),
        (  # the longest that the table holds, whether it would be drawn or not
            {"chat": _pool(max_context=4000)},
            {"chat": _stream(0.001, ["chat"])},
            PlacementError,
            "tokens (input and output), want at most 4,000: the context is limited",
        ),
        (
            {"chat": _pool("workstation-4x-rtx-4090", devices=4)},
            {"chat": _stream(1, ["chat"], "llama-3.1-70b")},
            PlacementError,
            "smallest count that fits: 8",
        ),
        (
            {"chat": _pool(devices=16)},
            {"chat": _stream(1, ["chat"])},
            PlacementError,
            "a replica on 16 GPUs does not fit a node of 8 x h100-sxm",
        ),
        (
            {"chat": _pool()},
            {"a": _stream(1, ["chat"]), "b": _stream(1, ["chat"], "qwen3-32b")},
            ScenarioError,
            "streams.b: found other jobs than those of streams.a on pool 'chat'",
        ),
        (
            {"chat": _pool()},
            {"a": _stream(1, ["chat"]) | {"training": {"samples": 1e6}, "sizes": None}},
            ScenarioError,
            "pool 'chat' serves a language model; give other jobs a pool of their own",
        ),
        (
            {"chat": _pool(decode_pool="elsewhere")},
            {"a": _stream(1, ["chat"])},
            ScenarioError,
            "serving.decode_pool: no pool 'elsewhere'",
        ),
        (
            {"chat": _pool(decode_pool="more"), "more": _pool()},
            {"a": _stream(1, ["chat", "more"])},
            ScenarioError,
            "'more' must be a pool of replicas that only decodes",
        ),
        (
            {"chat": _pool(decode_pool="more"), "more": _pool(max_outstanding=3)},
            {"a": _stream(1, ["chat"])},
            ScenarioError,
            "'more' must take in whatever comes",
        ),
        (
            {"chat": _pool(devices=2)},
            {"a": _stream(1, ["chat"], needs={"devices": 4})},
            ScenarioError,
            "streams.a.needs.devices: found 4, but pool 'chat' says it in its `serving`",
        ),
        (
            {"chat": _pool()},
            {"a": _stream(1, ["chat"], needs={"devices": 1, "cores": 4})},
            ScenarioError,
            "streams.a.needs: requests of a language model hold nothing but their replica",
        ),
        (
            {"chat": _pool()},
            {"a": _stream(1, ["chat"], "resnet-50", sizes=None)},
            PlacementError,
            "model 'resnet-50' has no key-value cache",
        ),
    ],
)
def test_bad_input_is_one_clear_line(
    scenario: Build, pools: Any, streams: Any, error: type[DcsimError], says: str
) -> None:
    with pytest.raises(error) as raised:
        dcsim.simulate(scenario(pools, streams))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("tokens", [{"input_tokens": 0}, {"output_tokens": 0}])
def test_a_request_without_tokens_is_refused(scenario: Build, tokens: dict[str, int]) -> None:
    def own(model: Any) -> Any:
        yield model.clock.timeout(1.0)
        model.submit("chat", **({"input_tokens": 10, "output_tokens": 10} | tokens))

    with pytest.raises(PlacementError, match="found a request without input or output tokens"):
        dcsim.simulate(scenario({"chat": _pool()}, {"chat": _stream(1, ["chat"])}), processes={"own": own})


def test_no_stream_starts_on_a_decode_pool_of_another(scenario: Build) -> None:
    pools = {"prompts": _pool(decode_pool="answers"), "answers": _pool()}
    streams = {"one": _stream(1, ["prompts"]), "two": _stream(1, ["answers"])}
    with pytest.raises(ScenarioError, match=r"streams.two.runs_on: pool 'answers' only decodes"):
        dcsim.simulate(scenario(pools, streams))


def test_tokens_for_a_model_that_takes_none(scenario: Build) -> None:
    pools = {"a": {"system": "hgx-h100", "nodes": 1}}
    stream = _stream(1, ["a"], "resnet-50")
    with pytest.raises(ScenarioError, match=r"streams.chat.sizes: found tokens, but model 'resnet-50' takes none"):
        dcsim.simulate(scenario(pools, {"chat": stream}))


_SIX = """
server-of-six:
  kind: system
  title: A server of six GPUs
  is: {device: h100-sxm, host: host-gpu-2-socket, family: gpu}
  numbers:
    devices: {value: 6, unit: "1", source: test, grade: published}
    board_idle_w: {value: 100, unit: W, source: test, grade: published}
    board_active_w: {value: 100, unit: W, source: test, grade: published}
"""


def test_gpus_that_no_replica_uses_are_told(scenario: Build, tmp_path: Path) -> None:
    (tmp_path / "six.yaml").write_text(_SIX)
    pools = {"chat": {"system": "server-of-six", "nodes": 1, "serving": {"devices": 4}}}
    run = scenario(pools, {"chat": _stream(1, ["chat"])}, catalog=[str(tmp_path / "six.yaml")])
    warnings = dcsim.simulate(run).summary["trust"]["warnings"]
    assert "pool 'chat': 2 of the 6 GPUs of each node are in no replica and stay idle" in warnings
