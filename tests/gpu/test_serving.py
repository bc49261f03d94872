"""A model set up on the GPUs of a replica: what fits, what is left for the cache, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dcsim.catalog import Catalog
from dcsim.errors import PlacementError
from dcsim.gpu.serving import Deployment, deploy
from dcsim.scenario.hardware import Serving


def _deploy(known: Catalog, model: str = "toy-talker", gpu: str = "toy-gpu", **options: Any) -> Deployment:
    if gpu == "toy-gpu":
        options = {"workspace": "100 MB", **options}
    return deploy(known.get(model), known.get(gpu), Serving(**options))


def test_the_cache_gets_what_weights_and_workspace_leave(known: Catalog) -> None:
    # .9 x 1 GB - .1 GB of workspace - .2 GB of weights = .6 GB: blocks of 16 x 40 kB
    assert _deploy(known).limits.blocks == int(0.6e9 / 640e3)
    assert _deploy(known, devices=2).limits.blocks == int((2 * 0.8e9 - 0.2e9) / 640e3)
    assert _deploy(known, precision="fp8").limits.blocks == int(0.7e9 / 640e3)
    assert _deploy(known, memory_share=0.5, block_tokens=32).limits.blocks == int(0.2e9 / 1280e3)


def test_a_request_may_fill_the_cache_or_the_context(known: Catalog) -> None:
    assert _deploy(known).most_tokens == 937 * 16
    assert _deploy(known, max_context=1000).most_tokens == 1000
    assert _deploy(known, "llama-3.1-8b", "h200-sxm").most_tokens == 131072


def test_too_big_names_the_smallest_count(known: Catalog) -> None:
    with pytest.raises(PlacementError, match=r"needs 141\.1 GB .* 1 x h100-sxm have .* smallest count that fits: 2$"):
        _deploy(known, "llama-3.1-70b", "h100-sxm")
    assert _deploy(known, "llama-3.1-70b", "h100-sxm", devices=2).limits.blocks > 0
    with pytest.raises(PlacementError, match="no count fits"):
        _deploy(known, workspace="1 GB")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"precision": "fp7"}, "precision 'fp7' is unknown; did you mean 'fp"),
        ({"precision": "bf16"}, "does not compute in bf16; allowed: fp16, fp8"),
        ({"max_batched_tokens": 100}, "max_batched_tokens: found 100, want at least max_sequences, 256"),
        ({"expert_parallel": True}, "expert_parallel: model 'toy-talker' has no experts"),
        ({"devices": 3}, "serving.devices: found 3; the layers of model 'toy-talker' split over 1, 2, 4, 5, 8, 10, 20"),
        ({"devices": 1_000_000}, "serving.devices: found 1,000,000; the layers of model 'toy-talker' split over 1, 2,"),
        ({"clock": 0.3}, "gpu 'toy-gpu': clock is 0.3; allowed: 0.4 to 1"),
    ],
)
def test_bad_options_are_one_clear_line(known: Catalog, options: dict[str, object], says: str) -> None:
    with pytest.raises(PlacementError) as raised:
        _deploy(known, **options)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_only_language_models_are_served(known: Catalog) -> None:
    with pytest.raises(PlacementError, match="model 'toy-image' has no key-value cache"):
        _deploy(known, "toy-image")


def test_a_context_beyond_the_models_own_is_refused(known: Catalog) -> None:
    with pytest.raises(PlacementError, match=r"max_context: found 200000; model 'llama-3.1-8b' allows 131072"):
        _deploy(known, "llama-3.1-8b", "h100-sxm", max_context=200_000)


def test_times_of_loading_and_of_moving_a_cache(known: Catalog) -> None:
    replica = _deploy(known, load_bandwidth="1 GB/s", transfer_bandwidth="2 GB/s")
    assert replica.load_s == pytest.approx(0.2)
    assert replica.transfer_s(500) == pytest.approx(500 * 40e3 / 2e9)


def test_a_head_that_several_gpus_need_takes_memory_of_each(known: Catalog) -> None:
    """70B has 8 key-value heads: 16 GPUs hold the cache twice; DeepSeek's latent one is on every GPU."""
    model, h200 = known.get("llama-3.1-70b"), known.get("h200-sxm")
    room = 0.9 * h200["memory_bytes"] - 1.5 * 2**30
    for devices, copies in ((4, 1), (8, 1), (16, 2), (32, 4)):
        block = 16 * model["kv_bytes_per_token"]
        blocks = _deploy(known, "llama-3.1-70b", "h200-sxm", devices=devices).limits.blocks
        assert blocks == int((devices * room - 2 * model["parameters"]) / (copies * block))
    one, two = (_deploy(known, "deepseek-v3", "h200-sxm", devices=n).limits.blocks for n in (8, 16))
    assert one == int((8 * room - 671e9) / (8 * 16 * 70272))
    assert one < two < 2.2 * one


def test_the_smallest_count_can_share_the_layers(known: Catalog) -> None:
    with pytest.raises(PlacementError, match=r"smallest count that fits: 16$"):  # 12 GPUs would hold the weights
        _deploy(known, "llama-3.1-405b", "h100-sxm")


def test_a_lower_clock_slows_arithmetic_alone(known: Catalog) -> None:
    full, slow = (_deploy(known, clock=clock).cost for clock in (1.0, 0.5))
    assert (slow.token_s, slow.output_s, slow.attention_s) == (
        2 * full.token_s,
        2 * full.output_s,
        2 * full.attention_s,
    )
    assert (slow.weights_s, slow.cache_s, slow.fixed_s) == (full.weights_s, full.cache_s, full.fixed_s)


def test_power_is_above_that_of_a_resting_model(known: Catalog) -> None:
    replica = _deploy(known, devices=2)
    assert replica.resident_w == 2 * (20.0 - 10.0)
    assert replica.host_w == 2 * 8.0
    # at half of what kernels reach: 20 W + 80 W / 4, less the 20 W of a resting GPU
    assert replica.power_w(0.5, 0.25) == pytest.approx(2 * 20.0)
    assert replica.power_w(0.0, 0.0) == 0.0


def test_occupancy_is_the_time_at_a_full_batch(known: Catalog) -> None:
    replica = _deploy(known, max_sequences=4)
    cost = replica.cost
    asked = replica.occupancy_s(np.array([100.0]), np.array([50.0]))
    prompt = 100 * (cost.token_s + cost.link_s + cost.attention_s * 50)
    decode = 50 * (cost.linear(4, 4, 4).seconds / 4 + cost.context_s * 125)
    assert asked == pytest.approx([prompt + decode])
    assert replica.occupancy_s(np.array([100.0]), np.array([50.0]), decodes=False) == pytest.approx([prompt])


@pytest.mark.parametrize("gpu", ["h100-sxm", "h200-sxm", "b200-sxm", "mi300x", "rtx-pro-6000", "a100-sxm-80"])
def test_batching_saves_energy_on_shipped_gpus(known: Catalog, gpu: str) -> None:
    replica = _deploy(known, "llama-3.1-8b", gpu)
    works = {n: replica.cost.linear(n, n, n) for n in (1, 8, 64)}
    watts = [replica.power_w(work.compute_s / work.seconds, work.memory_s / work.seconds) for work in works.values()]
    token_j = [power_w * work.seconds / n for power_w, (n, work) in zip(watts, works.items(), strict=True)]
    assert token_j == sorted(token_j, reverse=True)
    assert watts[-1] + replica.resident_w <= known.get(gpu)["tdp_w"]


def test_more_gpus_are_faster_but_less_than_in_proportion(known: Catalog) -> None:
    four, eight = (
        _deploy(known, "llama-3.1-70b", "h100-sxm", devices=n).cost.linear(16, 16, 16).seconds for n in (4, 8)
    )
    assert eight < four < 2 * eight
