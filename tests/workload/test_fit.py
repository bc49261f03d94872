"""Fits of traces: known processes and laws are found again, and what is written draws as was promised."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.errors import TraceError
from dcsim.scenario import build
from dcsim.sim import simulate
from dcsim.workload import Block, blocks, fit, fit_arrivals, fit_entries, fit_laws, fit_sizes, statistics, traces
from dcsim.workload.arrivals import Profile, mmpp, poisson, renewal

needs_data = pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set")

HARDWARE = {
    "duration": "1 h",
    "sites": {"hall": {}},
    "racks": {
        "rack": {
            "site": "hall",
            "pools": {
                "gpus": {
                    "nodes": 40,
                    "node": {"devices": {"gpu": {"count": 8, "power": {"idle": "50 W", "max": "300 W"}}}},
                },
                "servers": {"system": "hgx-h100", "nodes": 2},
            },
        }
    },
}


def generator(seed=1):
    return np.random.default_rng(seed)


def drawn(chunks):
    return np.concatenate(list(chunks))


def best(arrival_s):
    return fit_arrivals.fit(arrival_s, "x", "made up")[0]


def scenario_of(found, folder, **stream):
    """The written files, put together with hardware and loaded as a user would."""
    (folder / "x.catalog.yaml").write_text(found.catalog_text() or "# none\n")
    block = yaml.safe_load(found.block_text("x.catalog.yaml"))
    block["streams"][found.name] |= {"runs_on": ["gpus"]} | stream
    return build(HARDWARE | block | {"name": "fitted"}, folder=folder)


def jobs_of(scenario, name):
    known = catalog.load([Path(path) for path in scenario.catalog])
    found = list(blocks(scenario.streams[name], name, scenario.duration, known, 7, 0, None))
    columns = {key: np.concatenate([block.columns[key] for block in found]) for key in found[0].columns}
    return np.concatenate([block.arrival_s for block in found]), columns


# ---------------------------------------------------------------- arrivals


def test_poisson_arrivals_are_found_as_such():
    found = best(drawn(poisson.draw(3.0, 4000.0, generator())))
    assert found.name == "poisson"
    assert float(found.block["rate"].removesuffix("/s")) == pytest.approx(3.0, rel=0.05)
    assert found.gap_ks < 0.015
    assert found.held_out_ks < 0.03


@pytest.mark.slow
def test_the_variation_of_renewals_is_found():
    arrival_s = drawn(renewal.draw(renewal.gamma(2.5), 2.0, 6000.0, generator()))
    found = {one.name: one for one in fit_arrivals.fit(arrival_s, "x", "made up")}
    assert found["gamma"].block["cv"] == pytest.approx(2.5, rel=0.06)
    assert found["gamma"].gap_ks < 0.02
    assert found["poisson"].gap_ks > 0.2


@pytest.mark.slow
def test_two_states_are_found():
    """Fast and slow for 100 s each: bursts that no law of independent gaps has."""
    states = mmpp.States.of_stays([9.0, 1.0], [100.0, 100.0])
    found = best(drawn(mmpp.draw(states, 20_000.0, generator(2))))
    assert found.name == "mmpp"
    fast, slow = (float(rate.removesuffix("/s")) for rate in found.block["rates"])
    assert (fast, slow) == (pytest.approx(9.0, rel=0.1), pytest.approx(1.0, rel=0.25))
    assert found.dispersion_error < 0.1


def test_the_closed_forms_of_two_states_are_those_of_the_process():
    states = mmpp.States.of_stays([6.0, 0.5], [20.0, 60.0])
    known = mmpp.theory(states)
    ours = fit_arrivals._TwoStates(6.0, 0.5, 0.25, 15.0)
    assert ours.stays_s == pytest.approx((20.0, 60.0))
    for window_s in (0.5, 10.0, 300.0):
        assert ours.dispersion(window_s) == pytest.approx(known.dispersion(window_s), rel=1e-9)
    gaps_s = np.diff(drawn(mmpp.draw(states, 50_000.0, generator(3))))
    assert statistics.distance_to(gaps_s, ours.gaps) < 0.01


@pytest.mark.slow
def test_hours_of_the_day_are_found():
    shape = Profile.of([0.1] * 12 + [1.9] * 12)
    found = best(drawn(poisson.draw(0.05, 5 * 86_400.0, generator(), shape)))
    assert found.name == "poisson, hours of the day"
    factors = np.array(found.block["profile"])
    assert factors[14:22] == pytest.approx(1.9, rel=0.15)
    assert factors[2:10].max() < 0.3


@pytest.mark.slow
def test_steps_of_ten_minutes_come_with_their_table():
    shape = Profile.of([0.4, 0.7, 1.1, 1.6, 1.3, 0.9], 3600.0)
    found = {one.name: one for one in fit_arrivals.fit(drawn(poisson.draw(3.0, 3600.0, generator(), shape)), "x", "-")}
    one = found["poisson, 10-minute steps"]
    assert one.held_out_ks is None
    profile = fit_entries.catalog(one.entries).get(one.block["profile"], "profile")
    assert profile["period_s"] == pytest.approx(3600.0, rel=0.01)
    assert profile.array("factors")[[0, 3]] == pytest.approx([0.4, 1.6], rel=0.25)
    assert one.gap_ks < 0.03


def test_frames_of_a_camera_are_periodic():
    found = best(np.arange(3000) / 30.0 + generator().random(3000) * 0.005)
    assert found.name == "periodic"
    assert float(found.block["rate"].removesuffix("/s")) == pytest.approx(30.0, rel=1e-4)
    assert float(found.block["jitter"].removesuffix(" s")) == pytest.approx(0.005, rel=0.05)


@pytest.mark.parametrize(
    ("arrival_s", "line"),
    [
        (np.zeros(0), "found 0 jobs, want at least 50 to fit"),
        (np.zeros(1), "found 1 job, want at least 50 to fit"),
        (np.full(60, 5.0), "found 60 jobs all at 5 s, which gives no gaps to fit"),
        (np.repeat([5.0, 9.0], 30), "found 60 jobs at 2 moments only, which gives no gaps to fit"),
    ],
)
def test_too_little_to_fit(arrival_s, line):
    with pytest.raises(TraceError, match=f"^{line}$"):
        fit.fit(Block(arrival_s), "x", "-")


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1e-6, 0.5, 1.0, 7.0, 1e4, 1e7]), min_size=60, max_size=80),
    st.floats(0.0, 1e6),
)
def test_any_gaps_give_a_block_that_a_scenario_takes(gaps_s, start_s):
    arrival_s = start_s + np.cumsum(gaps_s)
    try:
        found = fit_arrivals.fit(arrival_s, "x", "-")
    except TraceError:
        assert len(np.unique(arrival_s)) < 3
        return
    assert 0.0 <= found[0].gap_ks <= 1.0
    assert np.isfinite(found[0].score)


# ---------------------------------------------------------------- sizes


def test_tables_follow_their_sample():
    values = np.ceil(generator().lognormal(5.0, 1.0, 20_000))
    values[::4] = 300.0  # an atom that must not be spread
    shares = fit_laws.grid(len(values))
    quantiles = fit_laws.table(values, shares, whole=True)
    drawn_values = np.ceil(np.interp(generator(2).random(200_000), shares, quantiles))
    assert statistics.distance(drawn_values, values) < 0.008
    assert (drawn_values == 300.0).mean() == pytest.approx(0.25, abs=0.006)
    assert (quantiles[0], quantiles[-1]) == (values.min(), values.max())


@given(st.lists(st.integers(1, 40), min_size=1, max_size=200))
def test_tables_are_sound(values):
    sample = np.array(values, np.float64)
    shares = fit_laws.grid(len(sample))
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert (np.diff(shares) > 0).all()
    quantiles = fit_laws.table(sample, shares, whole=True)
    assert (np.diff(quantiles) >= 0).all()
    assert quantiles.min() >= sample.min()
    assert quantiles.max() <= sample.max()


def test_parameters_of_laws_are_found_again():
    random = generator(4)
    law = fit_laws.lognormal(random.lognormal(2.0, 0.7, 100_000))
    assert law["mean"] == pytest.approx(np.exp(2.0 + 0.245), rel=0.02)
    assert law["cv"] == pytest.approx(np.sqrt(np.expm1(0.49)), rel=0.03)
    least = 3.0 * (1.0 - random.random(100_000)) ** (-1 / 1.6)
    law = fit_laws.pareto(least)
    assert (law["least"], law["shape"]) == (pytest.approx(3.0, rel=1e-3), pytest.approx(1.6, rel=0.02))
    two = np.concatenate([random.lognormal(0.0, 0.3, 30_000), random.lognormal(4.0, 0.5, 70_000)])
    parts = fit_laws.mixture(two)["parts"]
    assert [part["share"] for part in parts] == pytest.approx([0.3, 0.7], abs=0.01)
    assert [part["mean"] for part in parts] == pytest.approx([np.exp(0.045), np.exp(4.125)], rel=0.02)


@pytest.mark.parametrize(
    ("law", "draw"),
    [
        ("lognormal", lambda random, n: random.lognormal(4.0, 1.2, n)),
        ("exponential", lambda random, n: random.exponential(50.0, n)),
        ("weibull", lambda random, n: 20.0 * random.weibull(0.6, n)),
    ],
)
def test_a_law_of_run_times_is_preferred_to_a_table_that_is_no_better(law, draw):
    found = fit_sizes.fit(Block(np.arange(8000.0), {"run_s": draw(generator(5), 8000)}), "x", "-")
    assert found[0].name == law
    assert found[0].ks["run_s"] < 0.02
    assert {one.name for one in found} >= {"table of quantiles", "mixture of two lognormal laws", "pareto"}


def test_equal_sizes_are_written_as_numbers():
    same = {"input_tokens": np.full(100, 2048.0), "output_tokens": np.full(100, 32.0)}
    (found,) = fit_sizes.fit(Block(np.arange(100.0), same), "x", "-")
    assert (found.block, found.entries) == ({"input_tokens": 2048, "output_tokens": 32}, {})
    (found,) = fit_sizes.fit(Block(np.arange(100.0), {"run_s": np.full(100, 1.25)}), "x", "-")
    assert found.block == {"distribution": "fixed", "mean": "1.25 s"}


@pytest.mark.slow
def test_tokens_depend_on_each_other_as_in_the_trace():
    random = generator(6)
    tokens_in = np.ceil(random.lognormal(6.0, 1.0, 12_000))
    tokens_out = np.ceil(np.where(tokens_in > 400, 50.0, 300.0) * random.lognormal(0.0, 0.3, 12_000))
    columns = {"input_tokens": tokens_in, "output_tokens": tokens_out}
    found = {one.name: one for one in fit_sizes.fit(Block(np.arange(12_000.0), columns), "x", "-")}
    table = found["table of quantiles"]
    assert max(table.ks.values()) < 0.01
    assert max(table.held_out_ks.values()) < 0.03
    jobs = fit_sizes._drawn(table, 3)
    long = jobs["input_tokens"] > 600
    assert np.median(jobs["output_tokens"][long]) == pytest.approx(50.0, rel=0.05)
    assert np.median(jobs["output_tokens"][jobs["input_tokens"] < 300]) == pytest.approx(300.0, rel=0.05)


def test_a_mix_has_classes_states_and_times():
    random = generator(7)
    devices = random.choice([1.0, 2.0, 8.0], 6000, p=[0.7, 0.2, 0.1])
    devices[:3] = 7.0  # too rare for a class of its own
    columns = {"processors": devices, "run_s": devices * random.lognormal(3.0, 1.0, 6000)}
    columns["state"] = (devices == 8.0).astype(np.float64)
    block = Block(np.arange(6000.0), columns, {"state": ("done", "failed|killed")})
    (found,) = fit_sizes.fit(block, "x", "-")
    assert found.block == {"distribution": "mix", "table": "x-mix"}
    jobs = fit_sizes._drawn(found, 1)
    assert set(jobs["processors"]) == {1.0, 2.0, 8.0}
    assert (jobs["processors"] == 1.0).mean() == pytest.approx(0.7, abs=0.01)
    assert np.median(jobs["run_s"][jobs["processors"] == 8.0]) == pytest.approx(8 * np.exp(3.0), rel=0.1)
    assert ((jobs["state"] == 1.0) == (jobs["processors"] == 8.0)).mean() > 0.99


@pytest.mark.slow
def test_jobs_without_sizes_have_arrivals_only():
    found = fit.fit(Block(drawn(poisson.draw(3.0, 300.0, generator()))), "x", "-")
    assert found.sizes == []
    assert list(found.stream) == ["arrivals"]
    assert found.catalog_text() == ""


# ---------------------------------------------------------------- what is written


def test_what_is_written_runs_and_draws_as_promised(tmp_path):
    random = generator(8)
    arrival_s = drawn(renewal.draw(renewal.weibull(1.8), 3.0, 3600.0, random))
    block = Block(
        arrival_s, {"run_s": random.choice([5.0, 20.0, 60.0], len(arrival_s)) * random.random(len(arrival_s))}
    )
    found = fit.fit(block, "batch", "made up")
    scenario = scenario_of(found, tmp_path)
    moments, columns = jobs_of(scenario, "batch")
    noise = 1.5 / np.sqrt(len(moments))
    assert statistics.distance(np.diff(moments), np.diff(arrival_s)) < found.arrivals[0].gap_ks + 2 * noise
    assert statistics.distance(columns["run_s"], block.columns["run_s"]) < found.sizes[0].ks["run_s"] + 2 * noise
    result = simulate(scenario)
    assert result.summary["jobs"]["submitted"] == pytest.approx(len(arrival_s), rel=0.05)
    assert result.summary["jobs"]["completed"] > 0.9 * result.summary["jobs"]["submitted"]


@pytest.mark.slow
def test_a_mix_runs(tmp_path):
    random = generator(9)
    count = 4000
    columns = {"processors": random.choice([1.0, 4.0], count), "run_s": random.exponential(30.0, count)}
    found = fit.fit(Block(np.sort(random.random(count) * 3600.0), columns), "gangs", "made up")
    result = simulate(scenario_of(found, tmp_path))
    assert result.summary["jobs"]["submitted"] == pytest.approx(count, rel=0.1)


def test_entries_name_their_source_and_grade():
    random = generator(10)
    block = Block(np.cumsum(random.exponential(1.0, 2000)), {"run_s": random.choice([1.0, 9.0], 2000)})
    raw = yaml.safe_load(fit.fit(block, "x", "jobs.csv; measured here").catalog_text())
    assert {number["grade"] for entry in raw.values() for number in entry["numbers"].values()} == {"measured"}
    assert {number["source"] for entry in raw.values() for number in entry["numbers"].values()} == {
        "jobs.csv; measured here"
    }


@pytest.mark.parametrize(
    ("file", "name"),
    [("Azure_Conv.csv.gz", "azure-conv"), ("---.swf", "trace"), ("x" * 80 + ".csv", "x" * 48), ("7 Ü.csv", "7")],
)
def test_names_from_files(file, name):
    assert fit.name_of(file) == name


def test_halves_are_of_the_time():
    block = Block(np.array([10.0, 11.0, 12.0, 20.0, 30.0]))
    assert fit.half(block, "first").arrival_s.tolist() == [10.0, 11.0, 12.0]
    assert fit.half(block, "second").arrival_s.tolist() == [20.0, 30.0]
    assert len(fit.half(block, "all")) == 5


# ---------------------------------------------------------------- the real thing


@needs_data
def test_the_first_half_of_the_azure_trace_foretells_the_second(tmp_path):
    path = Path(os.environ["DCSIM_DATA"]) / "data" / "traces" / "azure_llm_2023_conv.csv.gz"
    trace = traces.read(path, "azure-llm")
    first, second = fit.half(trace, "first"), fit.half(trace, "second")
    found = fit.fit(first, "conv", "Azure LLM 2023")
    scenario = scenario_of(found, tmp_path, model="llama-3.1-8b", runs_on=["servers"])
    moments, columns = jobs_of(scenario.model_copy(update={"duration": 36_000.0}), "conv")
    assert statistics.distance(np.diff(moments), np.diff(second.arrival_s)) < 0.04
    for key in ("input_tokens", "output_tokens"):
        own = statistics.distance(first.columns[key], second.columns[key])
        assert statistics.distance(columns[key], second.columns[key]) < max(0.06, own)
        assert statistics.distance(columns[key], first.columns[key]) < 0.01
    result = simulate(scenario.model_copy(update={"duration": 120.0}))
    assert result.summary["jobs"]["completed"] > 300
