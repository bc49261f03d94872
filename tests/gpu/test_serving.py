"""Language-model serving: hand-worked numbers of the toys, invariants, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.catalog import Catalog
from dcsim.errors import PlacementError
from dcsim.gpu import gpu_profile
from dcsim.gpu.serving import Replica, decode_roofline_s, decode_step_s, prefill


def _sizes(tokens_in: float, tokens_out: float) -> dict[str, np.ndarray]:
    return {"input_tokens": np.array([tokens_in]), "output_tokens": np.array([tokens_out])}


def test_prefill_by_hand(known: Catalog) -> None:
    replica = Replica(known.get("toy-talker"), known.get("toy-gpu"), "fp16", 1)
    got = prefill(replica)
    # 100 us call + 10 launches of 10 us; 2 x 1e8 / 0.5e12 per token; 2 x 10 x 1000 / 0.5e12 per squared token
    assert got == pytest.approx((200e-6, 400e-6, 40e-9))


def test_prefill_over_two_gpus_halves_the_compute_and_pays_for_the_link(known: Catalog) -> None:
    replica = Replica(known.get("toy-talker"), known.get("toy-gpu"), "fp16", 2)
    got = prefill(replica)
    # 20 all-reduces: 5 us each, and 2 x 1/2 x 1000 x 2 B per token over 10 GB/s each
    assert got == pytest.approx((200e-6 + 100e-6, 200e-6 + 20 * 2000 / 10e9, 20e-9))


def test_decode_roofline_by_hand(known: Catalog) -> None:
    replica = Replica(known.get("toy-talker"), known.get("toy-gpu"), "fp16", 1)
    # 10 launches + (200 MB of weights + 4 x 500 x 40 kB) / 50 GB/s + 4 x 2e8 / 0.5e12
    assert decode_roofline_s(replica, 4, 500) == pytest.approx(100e-6 + 5.6e-3 + 1.6e-3)
    eight = Replica(known.get("toy-talker"), known.get("toy-gpu"), "fp8", 1)  # half the weights, twice the rate
    assert decode_roofline_s(eight, 4, 500) == pytest.approx(100e-6 + 3.6e-3 + 0.8e-3)


def test_measured_time_between_tokens_goes_before_the_roofline(known: Catalog) -> None:
    fitted, gpu = known.get("toy-fitted"), known.get("toy-gpu")
    assert decode_step_s(Replica(fitted, gpu, "fp16", 1), 8, 500) == pytest.approx(10e-3)
    for other in (Replica(fitted, gpu, "fp16", 2), Replica(fitted, gpu, "fp8", 1)):
        assert decode_step_s(other, 8, 500) == decode_roofline_s(other, 8, 500)


def test_profile_by_hand(known: Catalog) -> None:
    profile = gpu_profile(known.get("toy-talker"), known.get("toy-gpu"), batch=4)
    assert (profile.slots, profile.devices) == (4, 1)
    # .4 of 100 W up to 2 sequences, .6 at 4, less 10 W idle
    assert profile.chip_curve_w == pytest.approx([0.0, 30.0, 30.0, 40.0, 50.0])
    service = profile.draw(_sizes(100, 50), 1, np.random.default_rng(0))
    own = 100 * 400e-6 + 100**2 * 40e-9
    step = 7.3e-3
    assert service.first_s == pytest.approx(200e-6 + own + step)
    assert service.seconds == pytest.approx(200e-6 + 4 * own + 50 * step)
    assert service.chip_w == pytest.approx(12.5)
    assert service.host_w == pytest.approx(2.0)


def test_measured_power_of_the_model_goes_first(known: Catalog) -> None:
    profile = gpu_profile(known.get("toy-fitted"), known.get("toy-gpu"), batch=3)
    assert profile.chip_curve_w == pytest.approx([0.0, 40.0, 50.0, 60.0])


def test_full_batch_uses_all_the_time_of_the_device(known: Catalog) -> None:
    """slots / residence = requests per second that there is time for: 1 / (prefill + m steps / batch)."""
    profile = gpu_profile(known.get("toy-fitted"), known.get("toy-gpu"), batch=8)
    seconds = float(profile.draw(_sizes(200, 30), 1, np.random.default_rng(0)).seconds[0])
    own, base = 200 * 400e-6 + 200**2 * 40e-9, 200e-6
    assert 8 / (seconds - base) == pytest.approx(1 / (own + 30 * 10e-3 / 8))


def test_default_batch_is_cut_to_the_memory(known: Catalog) -> None:
    # 0.9 GB - 0.2 GB of weights = 0.7 GB = 35 caches of 500 x 40 kB
    assert gpu_profile(known.get("toy-talker"), known.get("toy-gpu")).slots == 35
    assert gpu_profile(known.get("toy-talker"), known.get("toy-gpu"), context_tokens=1000).slots == 17
    assert gpu_profile(known.get("toy-talker"), known.get("toy-gpu"), devices=2).slots == 64


def test_too_big_names_the_smallest_count(known: Catalog) -> None:
    talker, gpu = known.get("toy-talker"), known.get("toy-gpu")
    with pytest.raises(PlacementError, match=r"at batch 100 needs 2\.2 GB, 1 x toy-gpu hold 0\.9 GB; .* fits: 3$"):
        gpu_profile(talker, gpu, batch=100)
    assert gpu_profile(talker, gpu, batch=100, devices=3).slots == 100
    with pytest.raises(PlacementError, match=r"needs 812\.2 GB.*smallest count that fits: 11"):
        gpu_profile(known.get("llama-3.1-405b"), known.get("h100-sxm"), batch=1, devices=8)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"precision": "fp7"}, "precision 'fp7' is unknown; did you mean 'fp"),
        ({"precision": "bf16"}, "does not compute in bf16; allowed: fp16, fp8"),
        ({"batch": 0}, "batch is 0; want at least 1"),
        ({"devices": 0}, "devices is 0; want at least 1"),
        ({"context_tokens": float("nan")}, "context_tokens is nan"),
        ({"context_tokens": -1.0}, "context_tokens is -1"),
    ],
)
def test_bad_requests_are_one_clear_line(known: Catalog, options: dict[str, object], says: str) -> None:
    with pytest.raises(PlacementError) as raised:
        gpu_profile(known.get("toy-talker"), known.get("toy-gpu"), **options)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_gpu_without_bf16_takes_fp16_by_itself(known: Catalog) -> None:
    eight_billion = known.get("llama-3.1-8b")
    v100 = gpu_profile(eight_billion, known.get("v100-sxm2-32"), batch=1)
    assert v100.per_input_s == pytest.approx(2 * 8.03e9 / (125e12 * 0.45), rel=1e-6)
    with pytest.raises(PlacementError, match="smallest count that fits: 2"):
        gpu_profile(eight_billion, known.get("t4"))


@pytest.mark.parametrize("gpu", ["h100-sxm", "h200-sxm", "b200-sxm", "mi300x", "rtx-pro-6000", "a100-sxm-80"])
def test_invariants_on_shipped_gpus(known: Catalog, gpu: str) -> None:
    previous = None
    for batch in (1, 8, 64):
        profile = gpu_profile(known.get("llama-3.1-8b"), known.get(gpu), batch=batch)
        curve = profile.chip_curve_w
        assert curve.shape == (batch + 1,)
        assert curve[0] == 0
        assert np.all(np.diff(curve) >= 0)
        assert curve[-1] <= known.get(gpu)["tdp_w"]
        token_j = profile.detail["output_token_j"]
        assert previous is None or token_j < previous  # batching always saves energy per token here
        previous = token_j


def test_more_gpus_are_faster_but_less_than_in_proportion(known: Catalog) -> None:
    model, gpu = known.get("llama-3.1-70b"), known.get("h100-sxm")
    steps = [gpu_profile(model, gpu, batch=16, devices=n).per_output_s for n in (4, 8)]
    assert steps[1] < steps[0] < 2 * steps[1]
