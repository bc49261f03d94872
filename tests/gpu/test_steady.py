"""The steady state of a full engine: by hand, its identity, its limits, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from dcsim.catalog import Catalog
from dcsim.errors import PlacementError
from dcsim.gpu.steady import Load, _poisson_median, prompt_s, steady
from dcsim.gpu.steps import StepCost, step_cost

_COST = StepCost(
    fixed_s=1e-3,
    sequence_s=1e-4,
    weights_s=10e-3,
    token_s=1e-3,
    output_s=0.0,
    link_s=0.0,
    cache_s=1e-6,
    attention_s=0.0,
)


def test_long_answers_are_decoding_alone(known: Catalog) -> None:
    got = steady(_COST, known.get("toy-gpu"), 1, Load(4, 100, 1e9, 0.0))
    step = 1e-3 + 4e-4 + 10e-3 + 4 * (100 + 0.5e9) * 1e-6
    assert got.itl_s == pytest.approx(step)
    assert got.tokens_per_s == pytest.approx(4 / step, rel=1e-4)


def test_prompts_by_hand(known: Catalog) -> None:
    # 8 sequences of 8 tokens: one prompt of 50 tokens in the mean iteration, 1 - 1/e of them have any
    got = steady(_COST, known.get("toy-gpu"), 1, Load(8, 50, 8))
    some = 1 - np.exp(-1)
    attention = 8 * 54 * 1e-6
    plain = 1.8e-3 + 10e-3 + attention
    mixed = 1.8e-3 + (8 + 50 / some) * 1e-3 + attention + 50e-6 / some  # each prompt reads its own 50 tokens
    assert got.step_s == pytest.approx((1 - some) * plain + some * mixed)
    assert got.itl_s == pytest.approx(1.8e-3 + 58e-3 + attention + 50e-6)  # the median iteration begins one prompt
    assert got.prefill_s == pytest.approx(1e-3 + 1e-4 + 50e-3 + 50e-6)


def test_energy_per_token_is_power_over_throughput(known: Catalog) -> None:
    for batch in (1, 16, 256):
        cost = step_cost(known.get("llama-3.1-8b"), known.get("h100-sxm"), "bf16", sampled=True)
        got = steady(cost, known.get("h100-sxm"), 1, Load(batch, 300, 400))
        assert got.token_j == got.power_w / got.tokens_per_s
        assert got.power_w <= 700


def test_batches_raise_throughput_and_lower_energy_per_token(known: Catalog) -> None:
    h100 = known.get("h100-sxm")
    cost = step_cost(known.get("llama-3.1-70b"), h100, "bf16", devices=8)
    points = [steady(cost, h100, 8, Load(batch, 300, 400)) for batch in (1, 8, 64, 512)]
    assert [p.tokens_per_s for p in points] == sorted(p.tokens_per_s for p in points)
    assert [p.token_j for p in points] == sorted((p.token_j for p in points), reverse=True)
    assert [p.itl_s for p in points] == sorted(p.itl_s for p in points)


def test_experts_are_read_as_the_batch_grows(known: Catalog) -> None:
    """One token takes 8 of 128 experts; many take nearly all: the step grows faster than a dense model's."""
    h100 = known.get("h100-sxm")
    sparse, dense = (step_cost(known.get(name), h100, "bf16", devices=2) for name in ("qwen3-30b-a3b", "qwen3-32b"))
    growth = [cost.linear(64, 64, 64).seconds / cost.linear(1, 1, 1).seconds for cost in (sparse, dense)]
    assert growth[0] > 1.5 * growth[1]


def test_whole_experts_wait_for_the_busiest_gpu(known: Catalog) -> None:
    model, h100 = known.get("qwen3-235b-a22b"), known.get("h100-sxm")
    split, whole = (step_cost(model, h100, "fp8", devices=8, expert_parallel=flag) for flag in (False, True))
    for tokens in (8, 64):
        one, other = (cost.linear(tokens, tokens, tokens) for cost in (whole, split))
        assert one.seconds > other.seconds
        assert one.memory_s == pytest.approx(other.memory_s)


def test_prompt_alone_uses_whole_tokens() -> None:
    assert prompt_s(_COST, 10.9) == prompt_s(_COST, 10)


@given(st.floats(1e-3, 40))
def test_median_of_a_poisson_number(mean: float) -> None:
    assert _poisson_median(mean) == int(poisson.ppf(0.5, mean))


def test_median_of_a_large_poisson_number() -> None:
    assert abs(_poisson_median(500.0) - int(poisson.ppf(0.5, 500.0))) <= 1


@pytest.mark.parametrize(
    ("load", "says"),
    [
        (Load(0, 10, 10), "batch is 0; want more than 0"),
        (Load(1, 0, 10), "prompt_tokens is 0"),
        (Load(1, 10, -1), "output_tokens is -1"),
        (Load(float("nan"), 10, 10), "batch is nan"),
    ],
)
def test_bad_loads(known: Catalog, load: Load, says: str) -> None:
    with pytest.raises(PlacementError, match=says):
        steady(_COST, known.get("toy-gpu"), 1, load)
