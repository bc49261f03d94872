"""The shipped workload tables are what the script measures, and have the statistics of the traces they come from."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from dcsim import catalog
from dcsim.workload import laws, traces
from dcsim.workload.mixes import JobMix
from dcsim.workload.sizes import SizeTable

ROOT = Path(__file__).parents[2]
KNOWN = catalog.load()
LLM = {
    "azure-llm-conv-2023": ("azure_llm_2023_conv.csv.gz", "azure-llm"),
    "mooncake-conv-2024": ("mooncake_conversation.jsonl.gz", "mooncake"),
}
needs_data = pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set")


def data() -> Path:
    return Path(os.environ["DCSIM_DATA"]) / "data"


def drawn(name, count=200_000):
    return SizeTable.of(KNOWN.get(name, "sizes")).draw(count, np.random.default_rng(1))


def jobs(name, count=400_000):
    return JobMix.of(KNOWN.get(name, "mix")).draw(count, np.random.default_rng(1))


# ---------------------------------------------------------------- against the traces


@needs_data
@pytest.mark.parametrize("which", ["requests", "jobs"])
def test_the_script_prints_exactly_the_shipped_file(which):
    spec = importlib.util.spec_from_file_location("measure_traces", ROOT / "benchmarks" / "measure_traces.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shipped = Path(catalog.__file__).parent / "data" / f"{which}.yaml"
    assert getattr(module, which)(data()) == shipped.read_text(encoding="utf-8")


@needs_data
@pytest.mark.parametrize("name", LLM)
def test_a_size_table_reproduces_its_trace(name):
    file, form = LLM[name]
    trace, table = traces.read(data() / "traces" / file, form).columns, drawn(name)
    for key in ("input_tokens", "output_tokens"):
        assert distance(table[key], trace[key]) < 0.02  # Kolmogorov-Smirnov; Azure: a lognormal has 0.16 to 0.18
        assert table[key].mean() == pytest.approx(trace[key].mean(), rel=0.015)
        assert table[key].std() == pytest.approx(trace[key].std(), rel=0.04)
    assert spearman(table) == pytest.approx(spearman(trace), abs=0.02)


@needs_data
def test_prompts_of_about_1060_tokens_get_400_back():
    """The dependence that a correlation does not see."""
    file, form = LLM["azure-llm-conv-2023"]
    for columns in (traces.read(data() / "traces" / file, form).columns, drawn("azure-llm-conv-2023")):
        near = np.abs(columns["input_tokens"] - 1060) < 50
        assert np.median(columns["output_tokens"][near]) == pytest.approx(406, abs=6)
        assert np.median(columns["output_tokens"][columns["input_tokens"] > 4080]) < 70


@needs_data
def test_the_philly_mix_reproduces_the_run_times_of_each_size():
    trace, table = traces.read(data() / "traces" / "philly_sia.csv.gz", "philly-sia").columns, jobs("philly-jobs-2017")
    for size, most in ((1, 0.03), (2, 0.04), (4, 0.03), (8, 0.03)):
        ours, theirs = (x["run_s"][x["processors"] == size] for x in (table, trace))
        assert distance(ours, theirs) < most


def distance(ours, theirs):
    at = np.union1d(ours, theirs)
    shares = [np.searchsorted(np.sort(x), at, side="right") / len(x) for x in (ours, theirs)]
    return np.abs(shares[0] - shares[1]).max()


def spearman(columns):
    import pandas as pd

    ranks = [pd.Series(columns[key]).rank() for key in ("input_tokens", "output_tokens")]
    return ranks[0].corr(ranks[1])


# ---------------------------------------------------------------- against published statistics


@pytest.mark.parametrize(
    ("name", "key", "mean", "p50", "p90", "p99"),
    [
        ("azure-llm-conv-2023", "input_tokens", 1155, 1020, 2735, 4142),
        ("azure-llm-conv-2023", "output_tokens", 211, 129, 424, 601),
        ("mooncake-conv-2024", "input_tokens", 12035, 6909, 27367, 85401),
        ("mooncake-conv-2024", "output_tokens", 343, 350, 597, 1119),
    ],
)
def test_lengths_have_the_means_and_quantiles_of_the_traces(name, key, mean, p50, p90, p99):
    tokens = drawn(name)[key]
    assert tokens.mean() == pytest.approx(mean, rel=0.02)
    assert np.percentile(tokens, (50, 90, 99)) == pytest.approx((p50, p90, p99), rel=0.055)  # linear between quantiles


def test_philly_jobs_have_the_shares_and_run_times_of_the_trace():
    found = jobs("philly-jobs-2017")
    gpus, run_s, time = found["processors"], found["run_s"], found["processors"] * found["run_s"]
    jobs_share = {1: 0.932, 2: 0.022, 4: 0.023, 8: 0.020, 16: 0.0024, 32: 0.0008}
    time_share = {1: 0.18, 2: 0.032, 4: 0.17, 8: 0.48, 16: 0.115, 32: 0.018}
    for size, share in jobs_share.items():
        assert (gpus == size).mean() == pytest.approx(share, abs=0.001)
        assert time[gpus == size].sum() / time.sum() == pytest.approx(time_share[size], abs=0.03)
    assert np.percentile(run_s, (50, 90)) == pytest.approx((1144, 11265), rel=0.03)
    assert np.percentile(run_s, 99) == pytest.approx(254_758, rel=0.06)
    assert run_s.mean() == pytest.approx(13_136, rel=0.05)
    assert (run_s < 600).mean() == pytest.approx(0.40, abs=0.015)
    assert np.bincount(found["state"].astype(int)) / len(run_s) == pytest.approx([0.605, 0.09, 0.305], abs=0.003)


def test_openb_pods_have_the_shares_of_the_list():
    entry = KNOWN.get("openb-gpu-share", "quantiles")
    assert entry["pods_share"] == pytest.approx(0.378, abs=5e-4)
    assert entry["whole_gpu_share"] == pytest.approx(0.480, abs=5e-4)
    assert entry["cpu_only_share"] == pytest.approx(0.134, abs=1e-3)
    shares, values = laws.quantiles(entry)
    assert np.interp(0.5, shares, values) == pytest.approx(0.47)
    run_s = jobs("openb-pods-2023")["run_s"]
    assert np.percentile(run_s, 50) == pytest.approx(616, rel=0.15)  # of all pods; these hold a GPU


def test_recommendation_instances_live_as_published():
    entry = KNOWN.get("dlrm-instances-2025", "quantiles")
    shares, seconds = laws.quantiles(entry)
    assert np.interp(0.5, shares, seconds) == pytest.approx(8409, rel=0.02)
    assert (entry["hn_cores"], entry["cn_cores"]) == (8, 64)
    assert (entry["hn_memory_bytes"], entry["cn_memory_bytes"]) == (40 * 2**30, pytest.approx(320 * 2**30))
    assert entry["hn_share"] == pytest.approx(7386 / 23871, abs=1e-4)


@pytest.mark.parametrize(
    ("model", "rate_hz", "low", "high", "peak"),
    [
        ("m-large", 196, 0.79, 1.14, 2.98),
        ("m-small", 1174, 0.66, 1.46, 3.3),
        ("m-mid", 1790, None, None, None),
        ("mm-image", 9.5, 0.59, 1.35, None),
        ("deepseek-r1", 16.0, 0.45, 2.19, None),
    ],
)
def test_rates_have_the_means_and_hours_of_the_service(model, rate_hz, low, high, peak):
    entry = KNOWN.get(f"servegen-{model}", "profile")
    assert entry["rate_hz"] == pytest.approx(rate_hz, rel=0.005)
    if low is not None:
        factors = entry.array("factors")
        assert (factors.min(), factors.max()) == pytest.approx((low, high), abs=0.006)
    if peak is not None:
        assert entry["peak"] == pytest.approx(peak, abs=0.02)


def test_days_swing_as_published_and_the_trend_is_theirs():
    entry = KNOWN.get("servegen-m-large", "profile")
    days, week = entry.array("day_factors"), entry.array("week_factors")
    assert (days.min(), days.max()) == pytest.approx((0.54, 1.43), abs=0.005)
    assert week == pytest.approx((days[:7] + days[7:]) / 2, abs=1e-4)
    assert entry["trend"] == pytest.approx(np.polyfit(np.arange(14), days, 1)[0], abs=2e-5)


PROFILES = ["azure-llm-conv-2023-hour", "philly-jobs-2017-day", *(n for n in KNOWN.names("profile") if "servegen" in n)]


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_have_mean_one_and_their_source(name):
    entry = KNOWN.get(name, "profile")
    factors = entry.quantity("factors")
    assert entry.array("factors").mean() == pytest.approx(1.0, abs=5e-5)
    assert factors.grade == "measured"
    assert "benchmarks/measure_traces.py" in factors.source
    assert str(entry.facts["licence"]) in factors.source
