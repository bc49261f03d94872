"""Batches of images, ranked items and generated images: hand-worked numbers, invariants, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.catalog import Catalog
from dcsim.errors import PlacementError
from dcsim.gpu import gpu_profile, power
from dcsim.gpu.roofline import precisions


def test_batch_of_images_by_hand(known: Catalog) -> None:
    profile = gpu_profile(known.get("toy-image"), known.get("toy-gpu"))
    # compute 8 x 100 MFLOP / 0.5 TFLOP/s = 1.6 ms, bytes (2 + 8 x 4) MB / 50 GB/s = 0.68 ms, fixed 0.2 ms
    assert profile.latency_s == pytest.approx([1.8e-3])
    assert (profile.slots, profile.devices) == (8, 1)
    busy = 1.6 / 1.8
    watts = [20 + 80 * (busy * n / 8) ** 2 - 10 for n in range(1, 9)]
    assert profile.chip_curve_w == pytest.approx([0.0, *watts])
    assert profile.chip_j == pytest.approx([watts[-1] * 1.8e-3 / 8])
    assert profile.host_w == pytest.approx(1.0)
    service = profile.draw({}, 3, np.random.default_rng(0))
    assert service.chip_w * profile.slots == pytest.approx([watts[-1]] * 3)


def test_memory_bound_batch_by_hand(known: Catalog) -> None:
    profile = gpu_profile(known.get("toy-image"), known.get("toy-gpu"), precision="fp8", batch=1)
    # compute 100 MFLOP / 1 TFLOP/s = 0.1 ms, bytes (1 MB + 2 MB) / 50 GB/s = 0.06 ms, fixed 0.2 ms
    assert profile.latency_s == pytest.approx([0.3e-3])
    assert profile.detail["utilisation"] == pytest.approx(1 / 3)


def test_embedding_gathers_by_hand(known: Catalog) -> None:
    ranker, gpu = known.get("toy-ranker"), known.get("toy-gpu")
    with pytest.raises(PlacementError, match=r"needs 1\.2 GB, .* smallest count that fits: 2"):
        gpu_profile(ranker, gpu, batch=100)
    got = gpu_profile(ranker, gpu, batch=100, devices=2)
    dense = 100e-6 + 50e-6 + max(100 * 2e6 / 2 / 0.5e12, 2e6 / 50e9)
    # 2.5 MB per GPU at 25 GB/s, then half of it over 10 GB/s
    gather = 2.5e6 / 25e9 + 5e-6 + 1.25e6 / 10e9
    assert got.latency_s == pytest.approx([dense + gather])
    assert got.devices == 2
    assert got.chip_j == pytest.approx([2 * got.chip_curve_w[-1] / 100 * (dense + gather)])


def test_curve_never_falls_below_idle_or_decreases(known: Catalog) -> None:
    curve = power.curve_above_idle_w(known.get("toy-gpu"), np.array([5.0, 30.0, 25.0, 40.0]))
    assert curve == pytest.approx([0.0, 0.0, 20.0, 20.0, 30.0])


def test_diffusion_by_hand(known: Catalog) -> None:
    profile = gpu_profile(known.get("toy-painter"), known.get("toy-gpu"), batch=2)
    # 20 GFLOP at a quarter of 1 TFLOP/s; 4 passes of 10 layers launched one by one at 0.3 ms; one host call
    assert profile.latency_s == pytest.approx([0.08 + 4 * 10 * 300e-6 + 100e-6])
    assert profile.detail["samples_per_s"] == pytest.approx(2 / float(profile.latency_s[0]))


@pytest.mark.parametrize("gpu", ["h100-sxm", "b200-sxm"])
def test_image_models_cost_what_they_weigh(known: Catalog, gpu: str) -> None:
    small, large = (gpu_profile(known.get(name), known.get(gpu), batch=4) for name in ("pixart-sigma", "flux-1-dev"))
    assert small.detail["chip_j"] < large.detail["chip_j"] / 5


@pytest.mark.parametrize(("gpu", "images_per_s"), [("a100-sxm-80", 30_814), ("h100-sxm", 81_292)])
def test_resnet_int8_near_published_throughput(known: Catalog, gpu: str, images_per_s: float) -> None:
    """TensorRT figures quoted beside NorthPole's; the efficiency table was set from their mean, so 15 %."""
    profile = gpu_profile(known.get("resnet-50"), known.get(gpu), precision="int8", batch=128)
    assert 128 / float(profile.latency_s[0]) == pytest.approx(images_per_s, rel=0.15)


@pytest.mark.parametrize("gpu", ["t4", "l4", "a100-sxm-80", "h100-sxm", "b200-sxm"])
def test_bigger_batches_cost_time_and_save_energy(known: Catalog, gpu: str) -> None:
    profiles = [gpu_profile(known.get("resnet-50"), known.get(gpu), batch=b) for b in (1, 8, 64)]
    latency = [float(p.latency_s[0]) for p in profiles]
    energy = [float(p.chip_j[0]) for p in profiles]
    assert latency == sorted(latency)
    assert energy[2] < energy[0]
    idle_w = known.get(gpu)["idle_w"]
    whole = [e + idle_w * t / p.slots for e, t, p in zip(energy, latency, profiles, strict=True)]
    assert whole == sorted(whole, reverse=True)
    for profile in profiles:
        assert np.all(np.diff(profile.chip_curve_w) >= 0)
        assert (
            profile.chip_curve_w[-1]
            <= max(known.get(gpu)["peak_w"], known.get(gpu)["tdp_w"]) - known.get(gpu)["idle_w"]
        )


def test_image_networks_are_not_split(known: Catalog) -> None:
    with pytest.raises(PlacementError, match="cannot be split over 2 GPUs"):
        gpu_profile(known.get("resnet-50"), known.get("h100-sxm"), devices=2)


def test_spiking_only_and_wrong_kinds_are_refused(known: Catalog) -> None:
    gpu = known.get("toy-gpu")
    with pytest.raises(PlacementError, match=r"'toy-spiker' has no form that a GPU runs \(forms: spiking\)"):
        gpu_profile(known.get("toy-spiker"), gpu)
    with pytest.raises(PlacementError, match="'toy-gpu' is a gpu; want a model"):
        gpu_profile(gpu, gpu)


def test_every_shipped_model_runs_somewhere_or_says_why(known: Catalog) -> None:
    """No combination of shipped entries ends in anything but a profile or a PlacementError."""
    ran = 0
    for name in known.names("model"):
        for gpu in known.names("gpu"):
            for precision in precisions(known.get(gpu)):
                try:
                    profile = gpu_profile(known.get(name), known.get(gpu), precision=precision)
                except PlacementError:
                    continue
                ran += 1
                assert profile.chip_curve_w is not None
                assert profile.chip_curve_w.shape == (profile.slots + 1,)
    assert ran > 100
