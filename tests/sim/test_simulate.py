"""A scenario to a result: whole runs, with theory and plain numbers to hold them against."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim import catalog
from dcsim.sim import simulate

FIXED = {"distribution": "fixed", "mean": "1 s"}


@pytest.fixture(scope="module")
def hybrid(scenario):
    """Ten minutes of chat on H100s, keywords dealt to L4s and SpiNNaker2, and one training run."""
    run = scenario(
        {},
        {
            "chat": {
                "arrivals": {"kind": "poisson", "rate": "20/s"},
                "model": "llama-3.1-8b",
                "sizes": "azure-llm-conv-2023",
                "runs_on": ["chat"],
                "slo": {"ttft": "1 s", "tpot": "100 ms"},
            },
            "keywords": {
                "arrivals": {"kind": "poisson", "rate": "10/s"},
                "model": "kws",
                "runs_on": ["vision", "spinnaker"],
                "route": "spread",
            },
            "training": {
                "arrivals": {"kind": "schedule", "times": ["60 s"]},
                "model": "llama-3.1-8b",
                "training": {"samples": 1e7},
                "needs": {"devices": 8},
                "runs_on": ["training"],
            },
        },
        duration="600 s",
        meter_interval="60 s",
        sites={"hall": {"place": "us-east-virginia", "plant": {"kind": "constant", "pue": 1.25}}},
        racks={
            "gpu": {
                "site": "hall",
                "pools": {
                    "chat": {"nodes": 1, "system": "hgx-h100"},
                    "training": {"nodes": 1, "system": "hgx-h100"},
                    "vision": {"nodes": 1, "system": "server-8x-l4"},
                },
            },
            "neuro": {
                "site": "hall",
                "frame": "rack-42u-1gbe",
                "pools": {"spinnaker": {"nodes": 1, "system": "spinnaker2-48"}},
            },
        },
    )
    return simulate(run)


def test_chat_costs_what_chat_costs(hybrid):
    chat = hybrid.jobs[hybrid.jobs["stream"] == "chat"]
    done = chat[chat["status"] == "completed"]
    assert len(done) > 10_000
    per_token = chat["energy_facility_loaded_j"].sum() / done["output_tokens"].sum()
    added = chat["energy_chip_marginal_j"].sum() / done["output_tokens"].sum()
    # an 8B model on H100s that mostly wait with the model loaded, idle power and cooling included
    assert 0.05 < added < per_token < 3.0
    assert (done["ttft_s"] < done["latency_s"]).all()
    assert done["ttft_s"].median() == pytest.approx(0.04, abs=0.03)
    # tokens after the first take what is left of the latency
    several = done[done["output_tokens"] > 1]
    after_s = several["tpot_s"] * (several["output_tokens"] - 1)
    np.testing.assert_allclose(several["ttft_s"] + after_s, several["latency_s"], rtol=1e-9)


def test_only_language_models_have_tokens(hybrid):
    streams = hybrid.summary["streams"]
    assert {"ttft_s", "tpot_s", "goodput_per_s", "slo_attainment"} <= set(streams["chat"])
    for name in ("keywords", "training"):
        assert not {"ttft_s", "tpot_s", "goodput_per_s", "slo_attainment"} & set(streams[name])
        assert hybrid.jobs.loc[hybrid.jobs["stream"] == name, ["ttft_s", "tpot_s", "output_tokens"]].isna().all().all()


def test_families_are_told_apart(hybrid):
    families = hybrid.jobs.groupby("pool")["family"].unique().map(list).to_dict()
    assert families == {"chat": ["gpu"], "training": ["gpu"], "vision": ["gpu"], "spinnaker": ["neuromorphic"]}
    keywords = hybrid.jobs[hybrid.jobs["stream"] == "keywords"]
    means = keywords.groupby("family")["energy_chip_marginal_j"].mean()
    # millijoules and less; the spiking chip adds less than the GPU
    assert 1e-6 < means["neuromorphic"] < means["gpu"] < 0.1
    # nearly idle hardware: what a job carries of it is orders of magnitude more
    carried = keywords.groupby("family")["energy_facility_loaded_j"].mean()
    assert (carried > 1e3 * means).all()


def test_a_training_run_keeps_its_gpus_at_their_power(hybrid):
    job = hybrid.jobs[hybrid.jobs["stream"] == "training"].iloc[0]
    assert job["status"] == "completed"
    assert job["busy_s"] == pytest.approx(8 * (job["end_s"] - job["start_s"]))
    gpu = catalog.load().get("h100-sxm", "gpu")
    added_w = job["energy_chip_marginal_j"] / job["busy_s"]
    assert 0.5 * gpu["tdp_w"] < added_w + gpu["idle_w"] <= gpu["tdp_w"]
    # 6 FLOP per parameter and token
    utilisation = 6 * 8.03e9 * 1e7 / (job["busy_s"] * gpu["bf16_flop_per_s"])
    assert utilisation == pytest.approx(catalog.load().get("llama-3.1-8b", "model")["training_mfu"], rel=0.02)


def test_idle_racks_draw_idle_power(hybrid):
    known = catalog.load()
    idle_w = 48 * known.get("spinnaker2", "chip")["static_w"] + known.get("spinnaker2-48", "system")["board_idle_w"]
    idle_w += known.get("host-embedded-arm", "host")["idle_w"]
    neuro = hybrid.racks[hybrid.racks["pool"] == "spinnaker"]
    assert neuro["compute_w"].to_numpy() == pytest.approx(idle_w, rel=1e-3)
    assert (neuro["compute_w"] >= idle_w * (1 - 1e-12)).all()
    assert hybrid.summary["pools"]["spinnaker"]["idle_energy_kwh"] == pytest.approx(idle_w * 600 / 3.6e6)


def test_the_facility_adds_up(hybrid):
    summary = hybrid.summary
    assert summary["efficiency"]["pue"] == pytest.approx(1.25)
    assert summary["efficiency"]["tue"] == pytest.approx(1.25 * summary["efficiency"]["itue"])
    intensity = catalog.load().get("us-east-virginia", "place")["carbon_g_per_kwh"]
    assert summary["carbon"]["operational_kg"] == pytest.approx(summary["energy"]["facility_kwh"] * intensity / 1000)
    assert summary["trust"]["energy_ledger_error"] < 1e-9
    assert 0.0 < summary["trust"]["estimate_share"] < 1.0
    # prices of the boards are not known, those of the GPUs are
    assert not {"capex_amortised_usd", "total_usd", "usd_per_1000_jobs"} & set(summary["cost"])
    assert summary["cost"]["usd_per_million_tokens"] > 0.0
    assert "cost_usd_per_job" in summary["streams"]["chat"]
    assert "cost_usd_per_job" not in summary["streams"]["keywords"]


def test_what_a_run_rests_on_is_in_its_manifest(hybrid):
    manifest = hybrid.manifest
    assert manifest["seed"] == 1
    assert manifest["catalog_sha256"] == catalog.load().hash()
    assert not manifest["interrupted"]
    assert {"version", "python", "numpy", "machine", "scenario"} <= set(manifest)


# ---------------------------------------------------------------- theory


def test_waits_of_a_single_server(scenario, pool):
    # M/D/1 at load 0.7: mean wait = rho s / (2 (1 - rho)) = 0.7 / 0.6 s
    work = {"arrivals": {"kind": "poisson", "rate": "0.7/s"}, "service": FIXED, "runs_on": ["pool"]}
    run = scenario({"pool": pool()}, {"work": work}, duration="100000 s", meter_interval="50000 s")
    summary = simulate(run).summary
    assert summary["jobs"]["wait_s"]["mean"] == pytest.approx(0.7 / 0.6, rel=0.05)
    assert summary["pools"]["pool"]["utilisation"] == pytest.approx(0.7, rel=0.02)
    assert summary["trust"]["offered_load"] == pytest.approx(summary["pools"]["pool"]["utilisation"], rel=1e-3)


def test_a_queue_of_no_places_loses_as_erlang_says(scenario, pool):
    # Erlang B at 2 erlang on 3 servers: (8/6) / (1 + 2 + 2 + 8/6) = 4/19
    work = {
        "arrivals": {"kind": "poisson", "rate": "2/s"},
        "service": {"distribution": "exponential", "mean": "1 s"},
        "runs_on": ["pool"],
        "queue_limit": 0,
    }
    run = scenario({"pool": pool(devices=3)}, {"work": work}, duration="20000 s", meter_interval="10000 s")
    jobs = simulate(run).summary["jobs"]
    assert jobs["rejected"] / jobs["submitted"] == pytest.approx(4 / 19, rel=0.04)
    assert jobs["wait_s"]["mean"] == 0.0


# ---------------------------------------------------------------- pools


def test_the_first_of_several_pools_is_taken_while_it_has_room(scenario, pool, jobs_at):
    run = scenario(
        {"a": pool(), "b": pool(devices=2)},
        {"work": jobs_at(["b", "a"], [(0.0, 10.0), (1.0, 10.0), (2.0, 10.0), (3.0, 1.0), (4.0, 1.0)])},
    )
    jobs = simulate(run).jobs
    assert jobs["pool"].tolist() == ["b", "b", "a", "b", "b"]
    assert jobs["first_start_s"].tolist() == [0.0, 1.0, 2.0, 10.0, 11.0]


def test_streams_that_share_a_pool_wait_in_one_line(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool()},
        {
            "one": jobs_at(["pool"], [(0.0, 10.0), (3.0, 1.0)]),
            "two": jobs_at(["pool"], [(1.0, 2.0), (4.0, 1.0)]),
        },
    )
    jobs = simulate(run).jobs.sort_values("arrival_s")
    assert jobs["stream"].tolist() == ["one", "two", "one", "two"]
    assert jobs["first_start_s"].tolist() == [0.0, 10.0, 12.0, 13.0]


def test_one_pool_in_several_racks(scenario, pool, jobs_at):
    group = {"site": "hall", "frame": "none", "psu": "none", "pools": {"pool": pool(idle="10 W", max="30 W")}}
    run = scenario(
        {},
        {"work": jobs_at(["pool"], [(0.0, 10.0)] * 3)},
        racks={"left": group | {"count": 2}, "right": group},
    )
    result = simulate(run)
    assert result.summary["pools"]["pool"]["devices"] == 3
    first = result.racks[result.racks["time_s"] == 0.0]
    assert first["rack"].tolist() == ["left-0", "left-1", "right-0"]
    assert first["group"].tolist() == ["left", "left", "right"]
    assert first["compute_w"].tolist() == [30.0, 30.0, 30.0]


def test_rows_of_a_trace_after_the_end_are_counted(scenario, pool, jobs_at):
    run = scenario({"pool": pool()}, {"work": jobs_at(["pool"], [(0.0, 1.0), (99.0, 1.0), (100.0, 1.0), (500.0, 1.0)])})
    jobs = simulate(run).summary["jobs"]
    assert (jobs["submitted"], jobs["dropped_rows"]) == (2, 2)


def test_power_that_no_supply_can_give_is_a_warning(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool(idle="10 W", max="30 W")},
        {"work": jobs_at(["pool"], [(0.0, 50.0)])},
        sites={"hall": {"transformer": "none", "power_rating": "15 W", "plant": {"kind": "constant", "pue": 2.0}}},
    )
    warnings = simulate(run).summary["trust"]["warnings"]
    assert "site hall: UPS overloaded: 30 W, rated 15 W" in warnings


def test_a_plant_that_leaves_no_room_for_the_losses_is_a_warning(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool(idle="10 W", max="30 W")},
        {"work": jobs_at(["pool"], [(0.0, 50.0)])},
        sites={"hall": {"plant": {"kind": "constant", "pue": 1.0}}},
    )
    summary = simulate(run).summary
    assert any("leaves no room for the losses" in warning for warning in summary["trust"]["warnings"])
    parts = summary["energy"]["by_part"]
    assert parts["plant"] == 0.0
    facility_kwh = summary["energy"]["it_kwh"] + parts["ups"] + parts["transformer"]
    assert summary["energy"]["facility_kwh"] == pytest.approx(facility_kwh)


def test_rows_that_became_no_job_are_told_with_their_reasons(scenario, pool, tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0,5,5\n1,0,5\n2,5,0\n3,5,5\n500,5,5\n")
    stream = {
        "arrivals": {"kind": "trace", "path": str(trace), "format": "azure-llm"},
        "service": {"distribution": "fixed", "mean": "1 s"},
        "runs_on": ["a"],
    }
    summary = simulate(scenario({"a": pool()}, {"s": stream})).summary
    assert summary["jobs"]["dropped_rows"] == 3
    (warning,) = summary["trust"]["warnings"]
    assert warning.startswith("streams.s: rows of its trace that became no job: 2 ")
    assert "after the end" not in warning


def test_the_first_bad_rows_are_told(scenario, pool, tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0,5,5\n" + "1,x,5\n" * 5)
    stream = {
        "arrivals": {"kind": "trace", "path": str(trace), "format": "azure-llm", "bad_rows": "skip"},
        "service": {"distribution": "fixed", "mean": "1 s"},
        "runs_on": ["a"],
    }
    warnings = simulate(scenario({"a": pool()}, {"s": stream})).summary["trust"]["warnings"]
    told = [warning for warning in warnings if "bad row left out" in warning]
    assert [warning.split(",")[0] for warning in told] == [
        f"streams.s: bad row left out: row {row}" for row in (3, 4, 5)
    ]
