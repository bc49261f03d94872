"""Dynamic batching: batches by hand, against a step-by-step server, limits of the curve, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.catalog import Catalog
from dcsim.errors import PlacementError
from dcsim.gpu import gpu_profile
from dcsim.gpu.batching import serve, throughput_latency


def test_batches_by_hand() -> None:
    # at 0 the first waits 1 s with the second; the third fills nothing and waits 1 s from 1.5; two more fill a batch
    got = serve(np.array([0.0, 0.5, 1.5, 10.0, 10.1, 10.2]), np.array([1.0, 2.0]), 1.0)
    assert got.start_s.tolist() == [0.5, 2.5, 10.1, 12.1]
    assert got.size.tolist() == [2, 1, 2, 1]
    assert got.latency_s == pytest.approx([2.5, 2.0, 2.0, 2.1, 2.0, 2.9])


def test_without_waiting_a_free_engine_starts_at_once() -> None:
    got = serve(np.array([0.0, 0.1, 0.2, 5.0]), np.array([1.0, 1.0, 1.0]), 0.0)
    assert got.start_s.tolist() == [0.0, 1.0, 5.0]
    assert got.size.tolist() == [1, 2, 1]


def _step_by_step(arrivals: list[float], pass_s: list[float], wait: float) -> list[float]:
    """Looks at the clock only at arrivals, deadlines and ends of batches."""
    latency, queue, free, k = [0.0] * len(arrivals), [], 0.0, 0
    while k < len(arrivals) or queue:
        if not queue:
            queue.append(k)
            k += 1
            continue
        start = max(free, arrivals[queue[0]] + wait)
        while k < len(arrivals) and len(queue) < len(pass_s) and arrivals[k] <= start:
            queue.append(k)
            k += 1
        if len(queue) == len(pass_s):
            start = max(free, min(start, arrivals[queue[-1]]))
        end = start + pass_s[len(queue) - 1]
        for job in queue:
            latency[job] = end - arrivals[job]
        queue, free = [], end
    return latency


@given(
    st.lists(st.floats(0, 2), min_size=1, max_size=40),
    st.lists(st.floats(0.01, 1), min_size=1, max_size=6),
    st.floats(0, 2),
)
def test_against_a_server_step_by_step(gaps: list[float], extra: list[float], wait: float) -> None:
    arrivals, pass_s = np.cumsum(gaps), np.cumsum(extra)
    got = serve(arrivals, pass_s, wait)
    assert got.latency_s == pytest.approx(_step_by_step(arrivals.tolist(), pass_s.tolist(), wait))
    assert got.size.sum() == len(gaps)
    assert np.all(np.diff(got.start_s) >= 0)


def test_single_requests_are_an_m_d_1_queue(known: Catalog) -> None:
    """Pollaczek-Khinchine: mean wait rho s / (2 (1 - rho)) without batches."""
    service = float(gpu_profile(known.get("toy-image"), known.get("toy-gpu"), batch=1).latency_s[0])
    [point] = throughput_latency(
        known.get("toy-image"),
        known.get("toy-gpu"),
        np.array([0.6 / service]),
        max_batch=1,
        max_wait_s=0.0,
        requests=200_000,
    )
    assert point.latency_mean_s == pytest.approx(service * (1 + 0.6 / (2 * 0.4)), rel=0.02)
    assert point.busy == pytest.approx(0.6, rel=0.01)


def test_the_curve_saturates_at_the_full_batch(known: Catalog) -> None:
    model, gpu = known.get("resnet-50"), known.get("h100-sxm")
    full = gpu_profile(model, gpu, batch=32).detail["samples_per_s"]
    low, middle, over = throughput_latency(model, gpu, np.array([0.05, 0.6, 1.5]) * full, max_batch=32, max_wait_s=2e-3)
    assert low.latency_mean_s < middle.latency_mean_s + 2e-3
    assert low.mean_batch < middle.mean_batch <= over.mean_batch <= 32
    assert over.served_per_s == pytest.approx(full, rel=0.01)
    assert over.latency_p99_s > 10 * middle.latency_p99_s
    assert [point.grows for point in (low, middle, over)] == [False, False, True]
    assert low.sample_j > middle.sample_j > over.sample_j
    assert gpu["idle_w"] < low.device_w < over.device_w <= gpu["tdp_w"]


def test_what_starts_after_the_last_arrival_is_left_out(known: Catalog) -> None:
    """With a wait of ten minutes every batch is full: the last, which is not, would wait in vain."""
    model, gpu = known.get("resnet-50"), known.get("l4")
    [point] = throughput_latency(model, gpu, np.array([10.0]), max_batch=64, max_wait_s=600.0)
    assert point.mean_batch == 64
    assert point.latency_mean_s == pytest.approx(63 / 2 / 10, rel=0.02)
    assert point.latency_p99_s < 10.0
    assert not point.grows


def test_a_batch_larger_than_the_usual_count_of_arrivals_fills(known: Catalog) -> None:
    [point] = throughput_latency(
        known.get("toy-image"), known.get("toy-gpu"), np.array([1e3]), max_batch=2000, max_wait_s=1e3
    )
    assert point.mean_batch == 2000


def test_launches_bind_small_recommendation_batches(known: Catalog) -> None:
    """DLRM: 16 times the batch takes far less than 16 times as long."""
    model, gpu = known.get("dlrm"), known.get("h100-sxm")
    small, large = (float(gpu_profile(model, gpu, batch=b, devices=1).latency_s[0]) for b in (128, 2048))
    assert large < 4 * small


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_batch": 0}, "max_batch is 0; want at least 1"),
        ({"max_wait_s": -1.0}, "max_wait is -1 s"),
        ({"rates_per_s": np.array([0.0])}, "arrival rates are 0 /s"),
        ({"precision": "fp4"}, "does not compute in fp4; allowed"),
    ],
)
def test_bad_batching(known: Catalog, options: dict[str, object], says: str) -> None:
    asked = {"rates_per_s": np.array([10.0]), "max_batch": 4, "max_wait_s": 0.0} | options
    with pytest.raises(PlacementError, match=says):
        throughput_latency(known.get("toy-image"), known.get("toy-gpu"), **asked)
