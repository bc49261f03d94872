"""The public traces, which are not shipped: their rows and what was measured from them. DCSIM_DATA says where."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dcsim.workload import traces

pytestmark = pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set")


def data(name):
    return Path(os.environ["DCSIM_DATA"]) / name


def load(name, format, function="read", **options):
    return getattr(traces, function)(data(f"data/traces/{name}"), format, traces.Reading(**options))


def quantiles(block, column, *shares):
    return np.percentile(block.columns[column], shares)


def shares(block, column):
    """Name -> share of the jobs."""
    count = np.bincount(block.columns[column].astype(int))
    return dict(zip(block.labels[column], count / len(block), strict=True))


def test_azure_conversations():
    block = load("azure_llm_2023_conv.csv.gz", "azure-llm")
    assert len(block) == 19_366
    assert block.dropped_rows == 0
    assert block.arrival_s[-1] == pytest.approx(3501.7, abs=0.05)
    gaps = np.diff(block.arrival_s)
    assert 1 / gaps.mean() == pytest.approx(5.530, abs=5e-4)
    assert gaps.std() / gaps.mean() == pytest.approx(1.09, abs=5e-3)
    for key, mean, wants in (("input_tokens", 1155, [1020, 2735, 4142]), ("output_tokens", 211, [129, 424, 601])):
        assert block.columns[key].mean() == pytest.approx(mean, abs=0.5)
        np.testing.assert_allclose(quantiles(block, key, 50, 90, 99), wants, atol=0.5)


def test_azure_counts_are_dispersed_as_measured():
    arrival_s = load("azure_llm_2023_conv.csv.gz", "azure-llm").arrival_s
    for bin_s, dispersion, peak in ((1, 1.39, 2.9), (10, 4.0, 1.8), (60, 20.6, 1.5)):
        count = np.bincount((arrival_s // bin_s).astype(int))
        assert count.var() / count.mean() == pytest.approx(dispersion, rel=0.01)
        assert count.max() / count.mean() == pytest.approx(peak, abs=0.05)


def test_swf_case_and_its_log_agree():
    case = traces.read(data("cases/scheduling/swf_lublin256_1_2000.swf"), "swf")
    log = load("lublin_256.swf", "swf")
    assert (len(case), len(log)) == (2000, 10_000)
    np.testing.assert_array_equal(case.arrival_s, log.arrival_s[:2000])
    for key, values in case.columns.items():
        if key not in case.labels:
            np.testing.assert_array_equal(values, log.columns[key][:2000])
    assert log.arrival_s[-1] / 86_400 == pytest.approx(89.2, abs=0.1)
    offered = (log.columns["run_s"] * log.columns["processors"]).sum() / 256 / log.arrival_s[-1]
    assert offered == pytest.approx(1.06, abs=0.01)


def test_fifo_case_is_read_whole():
    block = traces.read(data("cases/datacenter/fifo_100k.csv"), "csv")
    assert len(block) == 100_000
    assert block.arrival_s[:3].tolist() == [1.0, 2.0, 4.0]
    assert block.columns["run_s"][:3].tolist() == [475.0, 90.0, 297.0]


def test_philly_as_of_sia():
    block = load("philly_sia.csv.gz", "philly-sia")
    assert len(block) == 82_247
    assert block.dropped_rows == 0
    assert len(block.labels["tenant"]) == 15
    run_s, gpus = block.columns["run_s"], block.columns["processors"]
    assert run_s.mean() == pytest.approx(13_136, abs=0.5)
    assert run_s.std() / run_s.mean() == pytest.approx(6.4, abs=0.05)
    np.testing.assert_allclose(quantiles(block, "run_s", 50, 90, 99), [1144, 11_265, 254_758], atol=0.5)
    gpu_s = run_s * gpus
    for count, jobs, time in (
        *((1, 93.2, 18.0), (2, 2.2, 3.2), (4, 2.3, 17.0)),
        *((8, 2.0, 48.0), (16, 0.24, 11.5), (32, 0.08, 1.8)),
    ):
        assert 100 * (gpus == count).mean() == pytest.approx(jobs, rel=0.03)
        assert 100 * gpu_s[gpus == count].sum() / gpu_s.sum() == pytest.approx(time, rel=0.03)
    assert 100 * (run_s < 600).mean() == pytest.approx(40, abs=0.6)
    assert 100 * (run_s > 86_400).mean() == pytest.approx(3.2, abs=0.05)
    assert np.sort(gpu_s)[-len(block) // 100 :].sum() / gpu_s.sum() == pytest.approx(0.67, abs=0.006)


def test_openb_pods_with_times():
    block = load("openb_pod_list_default.csv", "openb")
    assert (len(block), block.dropped) == (7255, {"never started": 897})
    np.testing.assert_allclose(quantiles(block, "run_s", 50, 90), [616, 7764], atol=0.5)
    np.testing.assert_allclose(quantiles(block, "wait_s", 50, 90), [2, 106], atol=0.5)
    assert len(load("openb_pod_list_cpu200.csv", "openb")) == 7905


@pytest.mark.parametrize(
    ("name", "pods", "cpu_only", "eight"),
    [("default", 8152, 13.4, 0.54), ("cpu200", 8832, 20.0, 0.50), ("multigpu20", 8324, 13.1, 1.69)],
)
def test_openb_lists(name, pods, cpu_only, eight):
    block = load(f"openb_pod_list_{name}.csv", "openb", "items")
    assert len(block) == pods
    kinds = shares(block, "device_kind")
    assert set(kinds) == {"cpu", "gpu"}
    assert 100 * kinds["cpu"] == pytest.approx(cpu_only, abs=0.06)
    gpus = load(f"openb_pod_list_{name}.csv", "openb", "items", select="gpu")
    assert 100 * (gpus.columns["processors"] == 8).sum() / pods == pytest.approx(eight, abs=0.006)


def test_openb_default_list():
    block = load("openb_pod_list_default.csv", "openb", "items")
    phases = shares(block, "state")
    for phase, share in (("Failed", 22.9), ("Pending", 11.0), ("Running", 63.7), ("Succeeded", 2.4)):
        assert 100 * phases[phase] == pytest.approx(share, abs=0.06)
    count = {name: round(share * len(block)) for name, share in shares(block, "slo_class").items()}
    assert count == {"LS": 4647, "BE": 3398, "Burstable": 100, "Guaranteed": 7}
    gpus = load("openb_pod_list_default.csv", "openb", "items", select="gpu")
    share, processors = gpus.columns["share"], gpus.columns["processors"]
    assert 100 * (share < 1).sum() / len(block) == pytest.approx(37.8, abs=0.06)
    assert 1000 * np.median(share[share < 1]) == pytest.approx(470)
    whole = processors[share == 1.0]
    for devices, pods in ((1, 48.0), (2, 0.20), (4, 0.18), (8, 0.54)):
        assert 100 * (whole == devices).sum() / len(block) == pytest.approx(pods, abs=0.06 if devices == 1 else 0.006)


def test_openb_nodes():
    cluster = load("openb_node_list_gpu_node.csv", "openb-nodes", "machines")
    assert (cluster.nodes, cluster.devices, len(cluster.kinds)) == (1213, 6212, 15)
    assert cluster.kinds[0] == (549, 96.0, 393_216 * 2.0**20, 8, "G2")
    assert cluster.kinds[1] == (387, 104.0, 524_288 * 2.0**20, 2, "T4")


def test_alibaba_dlrm():
    everything = load("alibaba_dlrm_2025.csv.gz", "alibaba-dlrm", "items")
    assert len(everything) == 23_871
    assert len(everything.labels["tenant"]) == 156
    roles = {name: round(share * len(everything)) for name, share in shares(everything, "kind").items()}
    assert roles == {"CN": 16_485, "HN": 7386}
    for select, cores, gib in (("gpu", 8.0, 40.0), ("cpu", 64.0, 320.0)):
        block = load("alibaba_dlrm_2025.csv.gz", "alibaba-dlrm", "items", select=select)
        assert np.median(block.columns["cores"]) == cores
        assert np.median(block.columns["memory_bytes"]) == gib * 2**30
    block = load("alibaba_dlrm_2025.csv.gz", "alibaba-dlrm")
    before = block.dropped["created before the trace"]
    assert 100 * before / len(everything) == pytest.approx(30.5, abs=0.05)
    assert len(block) + block.dropped_rows == len(everything)
    lifetime_s = block.columns["wait_s"] + block.columns["run_s"]
    assert np.median(lifetime_s) == pytest.approx(8409, abs=25)  # with those that had no run time


@pytest.mark.parametrize(
    ("model", "windows", "mean_hz", "peak"),
    [
        *(("m-large", 2016, 196.0, 2.98), ("m-small", 2016, 1174.0, 3.3), ("m-mid", 2016, 1790.0, None)),
        *(("deepseek-r1", 144, 16.0, None), ("mm-image", 144, 9.5, None)),
    ],
)
def test_servegen_rates(model, windows, mean_hz, peak):
    rates = load("servegen_rates_10min.csv.gz", "servegen-rates", "rates", select=model)
    assert (rates.interval_s, len(rates.rate_hz)) == (600.0, windows)
    assert rates.rate_hz.mean() == pytest.approx(mean_hz, rel=0.005)
    if peak is not None:
        assert rates.rate_hz.max() / rates.rate_hz.mean() == pytest.approx(peak, rel=0.01)
