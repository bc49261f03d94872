"""The summary: every number from the tables, every key filled or absent."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from dcsim import catalog
from dcsim.facility.cost import capital_recovery_factor
from dcsim.facility.embodied import chip_band
from dcsim.results.keys import SUMMARY
from dcsim.service import SampledProfile
from dcsim.sim import simulate

BLOCKS = ("energy", "power", "efficiency", "water", "carbon", "cost")
OWN_ENERGY = {
    "place": "us-east-virginia",
    "solar": {"peak": "10 kW"},
    "battery": {"capacity": "10 kWh"},
    "heat_reuse": {"share": 0.2, "price": "0.02 USD/kWh"},
    "building": "cost-default",
}
PRICED = {"carbon_intensity": "400 g/kWh", "energy_price": "0.1 USD/kWh", "water_intensity": "2 L/kWh"}


def leaves(tree, path=""):
    """Path -> value of everything that is not a mapping; a distribution counts as one."""
    if isinstance(tree, dict) and "p95" not in tree:
        return {key: value for name, part in tree.items() for key, value in leaves(part, f"{path}.{name}").items()}
    return {path.lstrip("."): tree}


@pytest.fixture
def busy(scenario, pool):
    """Two streams on a pool that is often full; one has an objective and a short queue."""
    stream = {"arrivals": {"kind": "poisson", "rate": "1.5/s"}, "runs_on": ["pool"]}
    return scenario(
        {"pool": pool(nodes=2, devices=2, idle="10 W", max="30 W") | {"price": "5000 USD"}},
        {
            "web": stream
            | {
                "service": {"distribution": "exponential", "mean": "2 s"},
                "slo": {"latency": "4 s"},
                "queue_limit": 2,
            },
            "batch": stream | {"service": {"distribution": "lognormal", "mean": "1 s", "cv": 2.0}},
        },
        duration="300 s",
    )


def test_counts_and_percentiles_are_those_of_the_jobs_table(busy):
    result = simulate(busy)
    jobs = result.jobs
    for block, table in (
        (result.summary["jobs"], jobs),
        *((result.summary["streams"][name], jobs[jobs["stream"] == name]) for name in ("web", "batch")),
    ):
        assert block["submitted"] == len(table)
        for status in ("completed", "rejected", "queued", "running"):
            assert block[status] == (table["status"] == status).sum()
        assert block["throughput_per_s"] == pytest.approx(block["completed"] / 300.0)
        for key in ("wait_s", "latency_s"):
            values = table[key].dropna().to_numpy()
            expected = {"mean": values.mean()} | {f"p{q}": np.percentile(values, q) for q in (50, 95, 99)}
            assert block[key] == pytest.approx(expected)
    assert result.summary["streams"]["web"]["rejected"] > 0


def test_what_is_rejected_or_unfinished_has_missed_its_objective(busy):
    result = simulate(busy)
    web = result.jobs[result.jobs["stream"] == "web"]
    in_time = int((web["latency_s"] <= 4.0).sum())
    block = result.summary["streams"]["web"]
    assert 0 < in_time < block["completed"] < len(web)
    assert web["slo_met"].sum() == in_time
    assert not web.loc[web["status"] != "completed", "slo_met"].any()
    assert block["slo_attainment"] == pytest.approx(in_time / len(web))
    assert block["goodput_per_s"] == pytest.approx(in_time / 300.0)
    # only streams with an objective are judged
    assert result.summary["jobs"]["slo_attainment"] == block["slo_attainment"]
    assert result.jobs.loc[result.jobs["stream"] == "batch", "slo_met"].isna().all()
    assert "slo_attainment" not in result.summary["streams"]["batch"]


def test_what_is_not_known_is_absent(busy):
    summary = simulate(busy).summary
    for block in (summary, summary["sites"]["hall"]):
        assert "carbon" not in block
        assert set(block["cost"]) == {"capex_amortised_usd", "maintenance_usd"}
        assert set(block["water"]) == {"withdrawn_l", "consumed_l", "wue_l_per_kwh"}
    for stream in summary["streams"].values():
        assert not {"carbon_g_per_job", "cost_usd_per_job", "ttft_s", "tpot_s", "itl_s"} & set(stream)
    facility = simulate(busy).facility
    assert facility["carbon_g"].isna().all()
    assert facility["cost_usd"].isna().all()


def test_no_catalog_number_no_share_of_estimates(scenario, pool, jobs_at):
    trust = simulate(scenario({"pool": pool()}, {"work": jobs_at(["pool"], [(0.0, 1.0)])})).summary["trust"]
    assert "estimate_share" not in trust
    assert "recalled_share" not in trust
    assert trust["warnings"] == []


def test_every_key_is_documented_and_a_full_run_has_nearly_all(scenario):
    rack = {"site": "hall", "pools": {"pool": {"nodes": 1, "system": "hgx-h100"}}}
    chat = {"arrivals": {"kind": "poisson", "rate": "2/s"}, "model": "llama-3.1-8b", "sizes": "azure-llm-conv-2023"}
    run = scenario(
        {},
        {"chat": chat | {"runs_on": ["pool"], "tenant": "lab", "slo": {"ttft": "1 s", "tpot": "50 ms"}}},
        sites={"hall": {"plant": {"kind": "constant", "pue": 1.3, "wue": "1 L/kWh"}} | PRICED | OWN_ENERGY},
        start="2022-06-21T12:00Z",
        racks={"rack": rack},
    )
    summary = simulate(run).summary
    patterns = {
        re.compile(re.escape(key.path).replace("NAME", r"\w+").replace("PART", r"\w+").replace("BOUNDARY", r"\w+")): key
        for key in SUMMARY
    }
    found = leaves({name: block for name, block in summary.items() if name != "sites"})
    unknown = [path for path in found if not any(pattern.fullmatch(path) for pattern in patterns)]
    assert unknown == []
    unfilled = {key.path for pattern, key in patterns.items() if not any(pattern.fullmatch(path) for path in found)}
    assert unfilled == set()
    assert set(summary["sites"]["hall"]) == set(BLOCKS)
    for path, value in found.items():
        for number in value.values() if isinstance(value, dict) else [value]:
            assert not isinstance(number, float) or math.isfinite(number), path


def test_water_carbon_and_money_by_hand(scenario, round_numbers, monkeypatch):
    # One job of 50 s at 10 W of chip on two boards of 15 W idle: 100 s x 30 W + 500 J = 3500 J; the switch: 2000 J.
    profile = SampledProfile(np.array([50.0]), np.array([500.0]))
    monkeypatch.setattr("dcsim.sim.demand.spiking_profile", lambda *_, **__: profile)
    pools = {"pool": {"nodes": 2, "system": "board-test", "price": "2 kUSD"}}
    rack = {"site": "hall", "frame": "frame-test", "psu": "none", "pools": pools}
    plant = {"kind": "constant", "pue": 1.2, "wue": "5 L/kWh", "consumed": 0.75}
    run = scenario(
        {},
        {"work": {"arrivals": {"kind": "schedule", "times": ["0 s"]}, "model": "kws", "runs_on": ["pool"]}},
        catalog=[round_numbers],
        sites={"hall": {"ups": "none", "transformer": "none", "plant": plant} | PRICED},
        racks={"rack": rack},
    )
    summary = simulate(run).summary
    it_kwh, facility_kwh = 5500.0 / 3.6e6, 6600.0 / 3.6e6
    assert summary["energy"]["it_kwh"] == pytest.approx(it_kwh)
    assert summary["efficiency"] == pytest.approx(
        {"pue": 1.2, "itue": 5500 / 3500, "tue": 6600 / 3500, "erf": 0.0, "ere": 1.2, "mlc": 0.2, "elc": 0.0}
    )
    withdrawn, source = 5.0 * it_kwh, 2.0 * facility_kwh
    assert summary["water"] == pytest.approx(
        {
            "withdrawn_l": withdrawn,
            "consumed_l": 0.75 * withdrawn,
            "wue_l_per_kwh": 5.0,
            "source_l": source,
            "wue_source_l_per_kwh": 5.0 + 1.2 * 2.0,
        }
    )
    # Embodied: four chips of 100 mm2 at 28 nm and a rack of 100 kg, over the life of the equipment.
    entry = catalog.load().get("cost-default", "cost")
    of_life = 100.0 / entry["it_lifetime_s"]
    chips = chip_band(100.0, 28.0).scaled(4)
    operational = 0.4 * facility_kwh
    assert summary["carbon"].pop("embodied_by_part") == {"racks": summary["carbon"]["embodied_kg"]}
    assert summary["carbon"] == pytest.approx(
        {
            "operational_kg": operational,
            "cue_kg_per_kwh": 0.4 * 1.2,
            "embodied_low_kg": (chips.low + 100.0) * of_life,
            "embodied_kg": (chips.mid + 100.0) * of_life,
            "embodied_high_kg": (chips.high + 100.0) * of_life,
            "total_kg": operational + (chips.mid + 100.0) * of_life,
        }
    )
    # Money: two boards and the rack, 5000 USD.
    years = 100.0 / (365 * 86400)
    capex = 5000.0 * capital_recovery_factor(entry["discount_rate_per_year"], entry["it_lifetime_s"]) * years
    upkeep = 5000.0 * entry["maintenance_share_per_year"] * years
    returned = 0.25 * withdrawn
    water = (withdrawn * entry["water_usd_per_m3"] + returned * entry["sewer_usd_per_m3"]) / 1000
    demand = 66.0 / 1000 * entry["demand_usd_per_kw_month"] * 100.0 / (365 * 86400 / 12)
    total = capex + upkeep + water + demand + 0.1 * facility_kwh
    assert summary["cost"] == pytest.approx(
        {
            "energy_usd": 0.1 * facility_kwh,
            "demand_usd": demand,
            "water_usd": water,
            "capex_amortised_usd": capex,
            "maintenance_usd": upkeep,
            "total_usd": total,
            "usd_per_1000_jobs": 1000 * total,
        }
    )
    # the only job of the only pool carries all of it
    stream = summary["streams"]["work"]
    assert stream["cost_usd_per_job"] == pytest.approx(total)
    assert stream["carbon_g_per_job"] == pytest.approx(1000 * operational)
    assert stream["water_ml_per_job"] == pytest.approx(1000 * withdrawn)


def test_sites_add_up(scenario, pool):
    stream = {
        "arrivals": {"kind": "poisson", "rate": "1/s"},
        "service": {"distribution": "exponential", "mean": "1 s"},
    }
    bare = {"frame": "none", "psu": "none"}
    run = scenario(
        {},
        {"north": stream | {"runs_on": ["a"]}, "south": stream | {"runs_on": ["b"]}},
        sites={
            "north": PRICED | {"plant": {"kind": "constant", "pue": 1.1}, "ups": "none", "transformer": "none"},
            "south": {"plant": {"kind": "constant", "pue": 1.5}, "ups": "none", "transformer": "none"},
            "empty": {},
        },
        racks={
            "n": bare | {"site": "north", "pools": {"a": pool(idle="10 W", max="30 W")}},
            "s": bare | {"site": "south", "pools": {"b": pool(idle="20 W", max="50 W")}},
        },
    )
    summary = simulate(run).summary
    sites = summary["sites"]
    for key in ("compute_kwh", "it_kwh", "facility_kwh"):
        assert summary["energy"][key] == pytest.approx(sum(site["energy"][key] for site in sites.values()))
    assert sites["north"]["efficiency"]["pue"] == pytest.approx(1.1)
    assert sites["south"]["efficiency"]["pue"] == pytest.approx(1.5)
    # the south's grid is unknown, so that of both together is
    assert "operational_kg" in sites["north"]["carbon"]
    assert "carbon" not in sites["south"]
    assert "carbon" not in summary
    # nothing stands in the empty site, so nothing can be said of its efficiency or its equipment
    assert sites["empty"]["energy"]["facility_kwh"] == 0.0
    assert not {"efficiency", "carbon", "cost"} & set(sites["empty"])


def test_offered_load_is_that_of_the_scarcest_resource(scenario, pool, jobs_at):
    # 40 of 100 s on one of two devices; 3 of 4 cores for 80 s beside it, whichever comes first.
    node = pool(devices=2, cores=4)
    run = scenario(
        {"pool": node},
        {
            "gpu": jobs_at(["pool"], [(0.0, 40.0)]),
            "cpu": jobs_at(["pool"], [(0.0, 80.0)], needs={"devices": 0, "cores": 3}),
        },
    )
    summary = simulate(run).summary
    assert summary["trust"]["offered_load"] == pytest.approx(0.75 * 0.8)
    assert summary["pools"]["pool"]["utilisation"] == pytest.approx(40.0 / 200.0)


def test_overload_and_unfinished_jobs_are_said(scenario, pool, jobs_at):
    run = scenario({"pool": pool()}, {"work": jobs_at(["pool"], [(0.0, 80.0), (0.0, 80.0)])})
    trust = simulate(run).summary["trust"]
    assert trust["offered_load"] == pytest.approx(1.6)
    assert trust["unfinished"] == 1
    assert [warning.partition(":")[0] for warning in trust["warnings"]] == [
        "offered load 1.6",
        "1 of 2 jobs unfinished",
    ]


def test_dealt_jobs_load_the_pool_that_they_are_dealt_to(scenario, pool):
    work = {
        "arrivals": {"kind": "poisson", "rate": "20/s"},
        "service": {"distribution": "fixed", "mean": "20 ms"},
        "runs_on": ["a", "b"],
        "route": "spread",
    }
    result = simulate(scenario({"a": pool(), "b": pool()}, {"work": work}))
    counts = result.jobs["pool"].value_counts()
    # 2000 jobs, half of them on each, within four standard deviations
    assert abs(counts["a"] - counts["b"]) < 4 * np.sqrt(counts.sum())
    assert result.summary["trust"]["offered_load"] == pytest.approx(0.02 * counts.max() / 100.0, rel=1e-3)


def test_hardware_that_draws_nothing_has_no_ratios(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool(max="0 W") | {"price": "1 USD"}},
        {"work": jobs_at(["pool"], [(0.0, 1.0)])},
        sites={"hall": PRICED | {"ups": "none", "transformer": "none"}},
    )
    summary = simulate(run).summary
    assert summary["energy"]["facility_kwh"] == 0.0
    assert "efficiency" not in summary
    assert set(summary["water"]) == {"withdrawn_l", "consumed_l", "source_l"}
    assert set(summary["carbon"]) == {"operational_kg"}
    assert summary["streams"]["work"]["cost_usd_per_job"] > 0.0
