"""Slices of a GPU and jobs side by side: hand-worked numbers, Gavel's pairs, bad input."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.catalog import Catalog, Entry
from dcsim.errors import PlacementError
from dcsim.gpu import power, sharing
from dcsim.gpu.points import batch_point, language_point
from dcsim.gpu.sharing import beside_others, check_slices, colocated, mean_colocated, mig_slice, on_slice
from dcsim.scenario.hardware import Serving


def test_a_slice_by_hand(known: Catalog) -> None:
    part = mig_slice(known.get("h100-sxm"), "3g.40gb")
    assert part == (pytest.approx(3 / 7), 0.5)
    assert part.seconds(3.0, 2.0, 0.5) == pytest.approx(7.5)
    assert part.seconds(1.0, 2.0, 0.5) == pytest.approx(4.5)


def test_slices_of_one_gpu() -> None:
    check_slices(["3g.40gb", "2g.20gb", "2g.20gb"])
    with pytest.raises(PlacementError, match="want 9 parts of compute; one GPU has 7"):
        check_slices(["3g.40gb", "3g.40gb", "3g.40gb"])


def test_bad_slices(known: Catalog) -> None:
    with pytest.raises(PlacementError, match="'v100-sxm2-32' has no isolated slices"):
        mig_slice(known.get("v100-sxm2-32"), "1g.10gb")
    with pytest.raises(PlacementError, match=r"profile '3g\.40g' is unknown.*3g\.40gb"):
        mig_slice(known.get("a100-sxm-80"), "3g.40g")


def test_jobs_side_by_side_by_hand(known: Catalog) -> None:
    rates = colocated(np.array([1.0, 0.5, 0.0]), np.array([0.2, 0.4, 1.0]))
    assert rates == pytest.approx([1 / 2.4, 1 / 1.6, 1.0])
    assert colocated(np.array([1.0]), np.array([3.0])) == pytest.approx([1.0])
    assert mean_colocated(known.get("toy-gpu"), 1) == 1.0
    assert mean_colocated(known.get("toy-gpu"), 3) == pytest.approx(0.5)
    with pytest.raises(PlacementError, match="found 0"):
        mean_colocated(known.get("toy-gpu"), 0)


@pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set: no measured pairs")
def test_two_average_jobs_run_as_gavels_pairs(known: Catalog) -> None:
    path = Path(os.environ["DCSIM_DATA"]) / "data" / "gpu" / "gavel_simulation_throughputs.json.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        table = json.load(file)["v100"]
    alone = {job: rates["null"] for job, rates in table.items() if job.endswith(", 1)")}
    sums = [
        pair[0] / alone[job] + pair[1] / alone[other]
        for job in alone
        for other, pair in table[job].items()
        if other in alone and min(pair) > 0
    ]
    assert len(sums) == 636
    assert 2 * mean_colocated(known.get("v100-sxm2-32"), 2) == pytest.approx(float(np.median(sums)), rel=0.01)


# ---------------------------------------------------------------- a part as a GPU


def test_a_slice_is_a_smaller_gpu(known: Catalog) -> None:
    whole = known.get("h100-sxm")
    part = on_slice(whole, "3g.40gb")
    assert part["bf16_flop_per_s"] == pytest.approx(whole["bf16_flop_per_s"] * 3 / 7)
    assert (part["memory_bytes"], part["memory_bytes_per_s"]) == (whole["memory_bytes"] / 2, 3350e9 / 2)
    assert part["layer_s"] == whole["layer_s"]
    assert power.busy(part)(0.2, 0.4) == pytest.approx(power.busy(whole)(0.2, 0.4) * 3 / 7)
    assert sharing.notes(whole) == ()
    assert sharing.notes(part) == ("power is its part of a GPU whose other parts do the same work",)


def test_a_model_on_a_slice(known: Catalog) -> None:
    """Decoding is bound by memory: half of the bandwidth takes less than twice as long, for the launches stay."""
    model, whole = known.get("llama-3.1-8b"), known.get("h100-sxm")
    alone, part = (
        language_point(model, gpu, Serving(), batch=8, input_tokens=512, output_tokens=256)
        for gpu in (whole, on_slice(whole, "4g.40gb"))
    )
    assert 1.5 < part.step_s / alone.step_s < 2.0
    assert part.largest_batch is not None
    assert alone.largest_batch is not None
    assert part.largest_batch < alone.largest_batch / 2  # the weights take the same
    with pytest.raises(PlacementError, match=r"needs 16\.1 GB for its weights"):
        language_point(model, on_slice(whole, "1g.10gb"), Serving(), batch=8, input_tokens=512, output_tokens=256)


@given(st.floats(0.02, 1.0))
def test_jobs_beside_each_other_take_longer_by_the_law(share: float) -> None:
    known = catalog.load()
    model, whole = known.get("resnet-50"), known.get("a100-sxm-80")
    alone, part = (batch_point(model, gpu, batch=8) for gpu in (whole, beside_others(whole, share)))
    jobs = int(1 / share + 1e-9)
    assert part.latency_s == pytest.approx(alone.latency_s * (1 + whole["colocation_slowdown"] * (jobs - 1)))
    # n jobs at a rate r do n r times the work of one, and the GPU draws the power of that
    done = jobs * mean_colocated(whole, jobs)
    shares = [done * sum(getattr(k, what) for k in alone.spent) / alone.latency_s for what in ("compute_s", "memory_s")]
    assert jobs * part.device_w == pytest.approx(power.busy(whole)(*_of_gpu(shares, whole, model)), rel=1e-6)


def _of_gpu(shares: list[float], gpu: Entry, model: Entry) -> list[float]:
    """Shares of the time at what the model reaches, in what large matrix products reach."""
    reached = batch_point(model, gpu, batch=8).reached.flop_per_s
    return [shares[0] * reached / (gpu["fp16_flop_per_s"] * gpu["compute_efficiency"]), shares[1]]


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, float("nan")])
def test_a_share_that_cannot_be(known: Catalog, share: float) -> None:
    with pytest.raises(PlacementError, match="allowed: above 0, at most 1"):
        beside_others(known.get("h100-sxm"), share)


def test_power_of_another_form_is_not_divided(known: Catalog) -> None:
    with pytest.raises(PlacementError, match="'toy-gpu' has no power_compute_w"):
        beside_others(known.get("toy-gpu"), 0.5)
