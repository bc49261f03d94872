"""Training: arithmetic by hand, gangs, checkpoints, published runs, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.catalog import Catalog
from dcsim.errors import PlacementError
from dcsim.gpu import gpu_profile
from dcsim.gpu.training import (
    Gang,
    best_interval_s,
    checkpoint_s,
    energy_kwh,
    expected_maximum,
    mfu,
    model_step,
    run_flop,
    run_s,
    step,
    useful_share,
)


def test_training_by_hand(known: Catalog) -> None:
    profile = gpu_profile(known.get("toy-talker"), known.get("toy-gpu"), devices=4, training_samples=1e9)
    # 6 x 1e8 x 1e9 FLOP / (4 x 1e12 x .4); 4 GPUs at 90 W less 10 W idle
    seconds = 6e17 / 1.6e12
    assert profile.latency_s == pytest.approx([seconds])
    assert profile.chip_j == pytest.approx([4 * 80 * seconds])
    assert profile.chip_curve_w == pytest.approx([0, 80])
    assert (profile.devices, profile.slots, profile.host_w) == (4, 1, 32)
    half = gpu_profile(known.get("toy-talker"), known.get("toy-gpu"), devices=4, training_samples=1e9, utilisation=0.2)
    assert half.latency_s == pytest.approx([2 * seconds])


def test_images_train_with_three_forward_passes(known: Catalog) -> None:
    assert run_flop(known.get("toy-image"), 1000) == pytest.approx(3 * 100e6 * 1000)


def test_gpt3_arithmetic(known: Catalog) -> None:
    """Patterson et al. 2021: 10,000 V100 at 24.6 TFLOP/s for 14.8 days; 330 W, PUE 1.10: 1,287 MWh."""
    flop = run_flop(known.get("gpt-3-175b"), 300e9)
    assert flop == pytest.approx(3.14e23, rel=0.005)
    seconds = run_s(flop, 10_000, 125e12, 24.6 / 125)
    assert seconds / 86400 == pytest.approx(14.8, rel=0.005)
    assert 10_000 * 330 * 1.10 * seconds / 3.6e9 == pytest.approx(1287, rel=0.02)
    profile = gpu_profile(known.get("gpt-3-175b"), known.get("v100-sxm2-32"), devices=10_000, training_samples=300e9)
    assert float(profile.latency_s[0]) == pytest.approx(seconds, rel=0.005)
    assert 10_000 * profile.detail["device_w"] < 10_000 * 330  # the published 330 W hold a share of the node


@pytest.mark.parametrize(
    ("model", "tokens", "hours"),
    [("llama-3.1-8b", 15e12, 1.46e6), ("llama-3.1-70b", 15e12, 7.0e6), ("llama-3.1-405b", 15.6e12, 30.84e6)],
)
def test_llama_device_hours_follow_from_the_whole_run_mfu(
    known: Catalog, model: str, tokens: float, hours: float
) -> None:
    """The catalog's MFU was derived from these hours: an identity, not a prediction."""
    profile = gpu_profile(known.get(model), known.get("h100-sxm"), devices=16_384, training_samples=tokens)
    assert profile.detail["device_hours"] == pytest.approx(hours, rel=0.005)


def test_training_needs_room_for_the_optimizer(known: Catalog) -> None:
    # 405.85e9 x 16 B / (.9 x 80 GiB) = 83.99
    with pytest.raises(PlacementError, match="smallest count that fits: 84"):
        gpu_profile(known.get("llama-3.1-405b"), known.get("h100-sxm"), devices=64, training_samples=1e9)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"training_samples": 0.0}, "training samples are 0"),
        ({"training_samples": float("nan")}, "training samples are nan"),
        ({"training_samples": 1e9, "utilisation": 1.5}, "utilisation is 1.5"),
    ],
)
def test_bad_training_requests(known: Catalog, options: dict[str, float], says: str) -> None:
    with pytest.raises(PlacementError, match=says):
        gpu_profile(known.get("toy-talker"), known.get("toy-gpu"), devices=4, **options)


def test_training_without_mfu_says_so(known: Catalog) -> None:
    with pytest.raises(PlacementError, match="no training_mfu"):
        gpu_profile(known.get("toy-image"), known.get("toy-gpu"), training_samples=10)


# ---------------------------------------------------------------- gangs


def test_a_step_of_a_gang_by_hand() -> None:
    gang = Gang(4, 0.5, step_spread=0.1, overlap=0.75, link_bytes_per_s=1e9)
    got = step(gang, 2e12, 1e12, 2e9)
    # 2e12 / (4 x 1e12 x .5) = 1 s; largest of four: 1.05 deviations; 2 x 3/4 x 2 GB at 1 GB/s, a quarter of it seen
    assert got.compute_s == pytest.approx(1.0)
    assert got.straggler_s == pytest.approx(0.1 * 1.0491, rel=1e-3)
    assert got.exposed_s == pytest.approx(0.75)
    assert mfu(got) == pytest.approx(1 / got.seconds)


def test_one_gpu_waits_for_nobody(known: Catalog) -> None:
    got = model_step(known.get("toy-talker"), known.get("toy-gpu"), Gang(1, 0.5, step_spread=0.3), 1000)
    assert got.straggler_s == got.exposed_s == 0
    assert got.seconds == pytest.approx(6 * 1e8 * 1000 / 0.5e12)


@pytest.mark.parametrize(("count", "exact"), [(1, 0.0), (2, 0.5642), (8, 1.4236), (100, 2.5076), (16_384, 3.9714)])
def test_expected_largest_of_normals(count: int, exact: float) -> None:
    assert expected_maximum(count) == pytest.approx(exact, abs=0.03)


def test_expected_largest_against_drawn_numbers() -> None:
    drawn = np.random.default_rng(1).standard_normal((20_000, 64)).max(axis=1)
    assert expected_maximum(64) == pytest.approx(drawn.mean(), abs=4 * drawn.std() / np.sqrt(len(drawn)) + 0.01)


# ---------------------------------------------------------------- checkpoints


def test_checkpoint_and_interval_by_hand(known: Catalog) -> None:
    assert checkpoint_s(known.get("toy-talker"), 1e9) == pytest.approx(1.4)
    gang = Gang(100, 0.4, checkpoint_s=50, failure_s=1e6)  # one failure in 10,000 s
    assert best_interval_s(gang) == pytest.approx(math.sqrt(2 * 50 * 1e4) - 50)


def test_useful_share_has_its_best_near_the_best_interval() -> None:
    gang = Gang(1000, 0.4, checkpoint_s=60, failure_s=2e7, restart_s=600)
    best = best_interval_s(gang)
    around = [useful_share(gang, best * factor) for factor in (0.5, 0.8, 1.0, 1.25, 2.0)]
    assert max(around) == pytest.approx(around[2], rel=2e-3)
    assert around[0] < around[2] > around[4]
    assert useful_share(gang) == around[2]


def test_useful_share_against_simulated_failures() -> None:
    """Failures of an exponential clock; what was done since the last checkpoint is lost."""
    gang = Gang(10, 0.4, checkpoint_s=5, failure_s=4000, restart_s=20)
    interval, mean = 40.0, 400.0
    generator, elapsed, done = np.random.default_rng(3), 0.0, 0
    while done < 20_000:
        left = generator.exponential(mean)
        segments = int(left // (interval + 5))
        done += segments
        elapsed += left
        # a failure while it restarts begins the restart anew
        while (pause := generator.exponential(mean)) < 20:
            elapsed += pause
        elapsed += 20
    assert useful_share(gang, interval) == pytest.approx(done * interval / elapsed, rel=0.02)


def test_without_failures_only_checkpoints_cost() -> None:
    assert useful_share(Gang(8, 0.4, checkpoint_s=10), 90.0) == pytest.approx(0.9)
    assert useful_share(Gang(8, 0.4, checkpoint_s=10)) == 1.0
    assert useful_share(Gang(8, 0.4, failure_s=1e6)) == 1.0


@given(st.integers(1, 10_000), st.floats(0, 100), st.floats(1e5, 1e9), st.floats(0, 1e3))
def test_useful_share_is_a_share(devices: int, cost: float, failure: float, restart: float) -> None:
    gang = Gang(devices, 0.4, checkpoint_s=cost, failure_s=failure, restart_s=restart)
    assert 0.0 <= useful_share(gang) <= 1.0 + 1e-12


def test_energy_of_gpt3() -> None:
    """Patterson et al. 2021, table 4: 1,287 MWh."""
    assert energy_kwh(10_000, 14.8 * 86400, 330, 1.10) / 1e3 == pytest.approx(1287, rel=0.02)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"devices": 0, "compute_share": 0.5}, "devices is 0"),
        ({"devices": 1, "compute_share": 0.0}, "compute_share is 0"),
        ({"devices": 1, "compute_share": 1.5}, "compute_share is 1.5"),
        ({"devices": 1, "compute_share": 0.5, "overlap": -0.5}, "overlap is -0.5"),
        ({"devices": 1, "compute_share": 0.5, "step_spread": float("nan")}, "step_spread is nan"),
    ],
)
def test_bad_gangs(options: dict[str, float], says: str) -> None:
    with pytest.raises(PlacementError, match=says):
        Gang(**options)


def test_checkpoint_to_nowhere(known: Catalog) -> None:
    with pytest.raises(PlacementError, match="storage rate is 0"):
        checkpoint_s(known.get("toy-talker"), 0.0)
