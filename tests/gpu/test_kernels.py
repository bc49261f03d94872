"""Kernels by class: hand-worked iterations, and that they add up to what the engine takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.catalog import Catalog
from dcsim.gpu import kernels, vision
from dcsim.gpu.kernels import Kernel, iteration
from dcsim.gpu.steady import Load, phases_of, steady
from dcsim.gpu.steps import StepCost, step_cost

_COST = StepCost(
    fixed_s=1e-3,
    sequence_s=1e-4,
    weights_s=10e-3,
    token_s=1e-3,
    output_s=0.0,
    link_s=2e-4,
    cache_s=1e-6,
    attention_s=1e-8,
)


def _by_name(parts: list[Kernel]) -> dict[tuple[str, str], Kernel]:
    return {(part.name, part.phase): part for part in parts}


def test_roofline_takes_the_slower_side() -> None:
    assert kernels.roofline("linear", "", 2.0, 1.0)[2:4] == ("compute", 2.0)
    assert kernels.roofline("linear", "", 2.0, 3.0)[2:4] == ("memory", 3.0)
    assert kernels.roofline("linear", "", 2.0, 1.5, wait_s=1.0)[2:4] == ("memory", 2.5)


def test_an_iteration_that_decodes_by_hand() -> None:
    parts = _by_name(iteration(_COST, batch=4, context=100))
    assert parts["linear", "decode"] == ("linear", "decode", "memory", 10e-3, pytest.approx(4e-3), 10e-3, 0.0)
    assert parts["attention", "decode"].seconds == pytest.approx(4e-4)
    assert parts["attention", "prompt"].seconds == 0.0
    assert parts["sampling", "decode"].seconds == pytest.approx(4e-4)
    assert parts["links", "decode"].seconds == pytest.approx(8e-4)
    assert parts["launches", "decode"].seconds == pytest.approx(1e-3)


def test_an_iteration_with_a_prompt_is_bound_by_compute() -> None:
    parts = _by_name(iteration(_COST, batch=4, context=100, prompts=1, prompt_tokens=50, links_s=3e-4))
    assert parts["linear", "prompt"].limit == "compute"
    assert parts["linear", "prompt"].seconds == pytest.approx(54e-3)
    assert parts["attention", "prompt"].seconds == pytest.approx(50e-6)  # reading; computing takes 50 x 51 / 2 x 10 ns
    assert parts["links", "prompt"].seconds == pytest.approx(54 * 2e-4 + 3e-4)
    assert parts["launches", "prompt"].seconds == pytest.approx(0.7e-3)


@given(
    batch=st.integers(1, 512),
    context=st.floats(1, 1e5),
    prompts=st.floats(0, 8),
    tokens=st.integers(1, 4000),
    name=st.sampled_from(["llama-3.1-8b", "qwen3-30b-a3b", "nemotron-nano-9b-v2"]),
)
def test_kernels_add_up_to_the_iteration(
    known: Catalog, batch: int, context: float, prompts: float, tokens: int, name: str
) -> None:
    cost = step_cost(known.get(name), known.get("h100-sxm"), "bf16", devices=2, expert_parallel=True, sampled=True)
    parts = iteration(cost, batch, context, prompts, tokens)
    chunk = cost.chunk(0, tokens)
    whole = cost.linear(batch + prompts * tokens, batch, batch)
    assert kernels.seconds(parts) == pytest.approx(
        whole.seconds + batch * context * cost.context_s + prompts * chunk.seconds
    )
    assert all(part.seconds >= -1e-12 for part in parts)


def test_the_mean_iteration_is_that_of_the_steady_state(known: Catalog) -> None:
    cost, load = step_cost(known.get("llama-3.1-8b"), known.get("h100-sxm"), "bf16"), Load(64, 300, 400)
    parts = [kernel for phase in phases_of(cost, load) for kernel in phase]
    assert kernels.seconds(parts) == pytest.approx(steady(cost, known.get("h100-sxm"), 1, load).step_s)
    assert sum(kernels.shares(parts, "name").values()) == pytest.approx(1.0)
    assert sum(kernels.shares(parts, "limit").values()) == pytest.approx(1.0)


def test_a_slower_clock_slows_the_arithmetic_of_every_kernel() -> None:
    compute, memory = kernels.roofline("linear", "", 2.0, 1.0), kernels.roofline("linear", "", 1.0, 1.5, wait_s=0.5)
    fixed = Kernel("launches", "", "fixed", 3.0)
    assert compute.at_clock(0.5) == kernels.roofline("linear", "", 4.0, 1.0)
    assert memory.at_clock(0.8).seconds == 2.0
    assert memory.at_clock(0.25) == ("linear", "", "compute", 4.0, 4.0, 1.5, 0.5)  # from half the clock on it computes
    assert fixed.at_clock(0.5) == fixed


def test_a_pass_by_hand(known: Catalog) -> None:
    parts = _by_name(vision.pass_kernels(known.get("toy-image"), known.get("toy-gpu"), "fp16", 8, 1))
    assert parts["linear", ""].limit == "compute"
    assert parts["linear", ""].seconds == pytest.approx(1.6e-3)
    assert parts["linear", ""].memory_s == pytest.approx(0.68e-3)
    assert parts["launches", ""].seconds == pytest.approx(0.2e-3)


def test_a_pass_with_tables_on_two_gpus_by_hand(known: Catalog) -> None:
    parts = _by_name(vision.pass_kernels(known.get("toy-ranker"), known.get("toy-gpu"), "fp16", 100, 2))
    # 100 x 50 kB of rows, half of them on each GPU at 100 GB/s x .25; half of those cross at 10 GB/s after 5 us
    assert parts["gathers", ""].seconds == pytest.approx(2.5e6 / 25e9)
    assert parts["links", ""].seconds == pytest.approx(5e-6 + 1.25e6 / 10e9)
    assert vision.batch_pass(known.get("toy-ranker"), known.get("toy-gpu"), "fp16", 100, 2).seconds == pytest.approx(
        kernels.seconds(parts.values())
    )
