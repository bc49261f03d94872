"""The engine against the loop over tokens, against numbers worked out by hand, and what it keeps whatever happens."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.gpu.engine import Engine
from dcsim.gpu.schedule import Limits
from dcsim.gpu.steps import Experts, StepCost
from dcsim.results.histogram import Histogram
from dcsim.validation.serving import replay

_spec = importlib.util.spec_from_file_location("oracle", Path(__file__).with_name("oracle.py"))
assert _spec is not None
assert _spec.loader is not None
oracle = sys.modules["oracle"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(oracle)

# an iteration takes 1 s, and 1 s more for each token beyond the tenth; attention costs nothing
_ROUND = StepCost(-9.0, 0.0, 10.0, 1.0, 0.0, 0.0, 0.0, 0.0)


def _engine(cost: StepCost = _ROUND, blocks: int = 1000, **limits: int) -> Engine:
    return Engine(cost, Limits(blocks, **limits), Histogram())


def _until_idle(engine: Engine) -> dict[int, tuple[float, float]]:
    """Job -> (first token, last token)."""
    found: dict[int, tuple[float, float]] = {}
    while engine.next_s < inf:
        engine.advance()
        found |= {request.job: (request.first_s, engine.now_s) for request in engine.ended}
        engine.ended.clear()
    return found


# ---------------------------------------------------------------- against the loop over tokens

_COSTS = st.builds(
    StepCost,
    fixed_s=st.sampled_from([1e-4, 1e-3]),
    sequence_s=st.sampled_from([0.0, 1e-5]),
    weights_s=st.just(0.01),
    token_s=st.just(1e-4),
    output_s=st.just(1e-5),
    link_s=st.sampled_from([0.0, 1e-6]),
    cache_s=st.sampled_from([0.0, 1e-6, 1e-5]),
    attention_s=st.sampled_from([0.0, 1e-7, 2e-5]),
    experts=st.sampled_from([None, Experts(8, 2, 0.001), Experts(8, 2, 0.001, groups=4, exponent=0.7)]),
    graph_tokens=st.sampled_from([inf, 16.0]),
    eager_s=st.just(0.02),
)


@st.composite
def _runs(draw: st.DrawFn) -> tuple[list[float], list[int], list[int], Limits]:
    count = draw(st.integers(1, 40))
    prompt = draw(st.lists(st.integers(1, 100), min_size=count, max_size=count))
    output = draw(st.lists(st.integers(1, 60), min_size=count, max_size=count))
    size = draw(st.sampled_from([1, 4, 16]))
    budget = draw(st.sampled_from([8, 32, 128]))
    most = min(draw(st.sampled_from([1, 4, 8, 32])), budget)
    longest = max(-(-(a + b) // size) for a, b in zip(prompt, output, strict=True))
    blocks = longest + draw(st.integers(0, 3 * longest))
    gaps = st.floats(0, draw(st.sampled_from([0.0, 0.01, 0.3, 2.0])))  # 0: all at once
    arrival = np.cumsum(draw(st.lists(gaps, min_size=count, max_size=count))).tolist()
    return arrival, prompt, output, Limits(blocks, size, most, budget, draw(st.booleans()))


def _same(engine: Engine, times: tuple[np.ndarray, np.ndarray], expected: Any) -> None:
    assert times[0] == pytest.approx(np.array(expected.first), rel=1e-9, abs=1e-9)
    assert times[1] == pytest.approx(np.array(expected.last), rel=1e-9, abs=1e-9)
    assert (engine.iterations, engine.preemptions, engine.recomputed) == (
        expected.iterations,
        expected.preemptions,
        expected.recomputed,
    )
    assert engine.gaps.count == len(expected.gaps)
    assert engine.gaps.total == pytest.approx(sum(expected.gaps), rel=1e-9)


@settings(max_examples=150, deadline=None)
@given(run=_runs(), cost=_COSTS)
def test_equals_the_loop_over_tokens(run: tuple[list[float], list[int], list[int], Limits], cost: StepCost) -> None:
    arrival, prompt, output, limits = run
    engine = Engine(cost, limits, Histogram())
    times = replay(engine, np.array(arrival), np.array(prompt), np.array(output))
    _same(engine, times, oracle.serve(arrival, prompt, output, cost, limits))
    assert not engine.requests
    assert engine.tokens == 0


@pytest.mark.parametrize("rate", [2.0, 6.0, 9.0])
def test_equals_it_below_at_and_above_saturation(rate: float) -> None:
    """Chat lengths on a cache of 20 of them, which holds up to some 7 requests/s: every time, so every percentile."""
    random = np.random.default_rng(7)
    arrival = np.cumsum(random.exponential(1 / rate, 150))
    prompt, output = random.integers(50, 2000, 150), random.integers(20, 300, 150)
    cost = StepCost(5e-4, 1e-5, 8e-3, 2e-5, 1e-6, 0.0, 1.4e-7, 5e-9)
    limits = Limits(1500)
    engine = Engine(cost, limits, Histogram())
    times = replay(engine, arrival, prompt, output)
    expected = oracle.serve(arrival.tolist(), prompt.tolist(), output.tolist(), cost, limits)
    _same(engine, times, expected)
    for mark in (50, 90, 99):
        assert engine.gaps.percentile(mark) == pytest.approx(np.percentile(expected.gaps, mark), rel=0.01)


def test_equals_it_on_a_measured_run() -> None:
    """300 requests to one RTX 4090 whose cache is full for most of the time."""
    folder = Path(os.environ.get("DCSIM_DATA", "")) / "cases" / "serving" / "RTX4090_Llama-3.1-8B"
    if "DCSIM_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("DCSIM_DATA names no folder with cases/serving")
    rows = [json.loads(line) for line in (folder / "requests.jsonl").read_text(encoding="utf-8").splitlines()]
    rows.sort(key=lambda row: row["queued_ts"])
    arrival = np.array([row["queued_ts"] for row in rows])
    arrival -= arrival[0]
    prompt, output = (np.array([row[key] for row in rows]) for key in ("input_toks", "output_toks"))
    cost = StepCost(5e-4, 0.0, 0.0162, 1.2e-4, 1e-5, 0.0, 1.4e-7, 4.5e-9)
    engine = Engine(cost, Limits(2588), Histogram())
    times = replay(engine, arrival, prompt, output)
    _same(engine, times, oracle.serve(arrival.tolist(), prompt.tolist(), output.tolist(), cost, Limits(2588)))
    assert engine.preemptions > 100


# ---------------------------------------------------------------- by hand


def test_one_request() -> None:
    engine = _engine()
    engine.admit(2.0, 0, 15, 4)
    # 15 tokens of prompt take 1 - 10 + 15 s; three more tokens take 1 s each
    assert _until_idle(engine) == {0: (8.0, 11.0)}
    assert (engine.iterations, engine.gaps.count, engine.gaps.mean) == (4, 3.0, 1.0)


def test_a_long_prompt_is_computed_in_chunks_beside_decoding() -> None:
    engine = _engine(max_batched_tokens=12, max_sequences=4)
    engine.admit(0.0, 0, 5, 5)
    engine.admit(0.5, 1, 25, 1)
    # 0-1 first prompt; then 1 token decoded and 11, 11, 3 of the prompt: 3 s, 3 s, 1 s; then the last decode
    assert _until_idle(engine) == {0: (1.0, 9.0), 1: (8.0, 8.0)}


def test_requests_that_come_at_one_instant_share_an_iteration() -> None:
    engine = _engine()
    for job in range(3):
        engine.admit(0.0, job, 3, 2)
    assert _until_idle(engine) == dict.fromkeys(range(3), (1.0, 2.0))


def test_arrival_waits_for_the_end_of_the_iteration() -> None:
    engine = _engine()
    engine.admit(0.0, 0, 5, 100)
    engine.advance()
    engine.admit(10.2, 1, 3, 1)
    engine.admit(10.4, 2, 3, 1)
    found = _until_idle(engine)
    assert found[1] == found[2] == (12.0, 12.0)
    assert found[0][1] == 100.0


def test_admission_needs_blocks_for_the_whole_prompt() -> None:
    engine = _engine(blocks=4, block_tokens=10)
    engine.admit(0.0, 0, 11, 9)  # holds 2 blocks to its end, at 10 s
    engine.admit(0.0, 1, 25, 2)  # wants 3
    assert _until_idle(engine) == {0: (2.0, 10.0), 1: (26.0, 27.0)}


@pytest.mark.parametrize(("caching", "last", "recomputed"), [(False, 15.0, 10), (True, 14.0, 0)])
def test_a_full_cache_preempts_the_youngest(caching: bool, last: float, recomputed: int) -> None:
    """Two sequences hold 1 block each of 3, and at 6 s, with 10 tokens in them, both want a second.

    The old one takes the third and ends at 11 s. The young one has made 6 tokens and is put back; at 11 s it computes
    11 tokens in 2 s or, when its block has stayed as it was, 1 in 1 s; 2 s later it has its 9 tokens.
    """
    engine = Engine(_ROUND, Limits(3, block_tokens=10, prefix_caching=caching), Histogram())
    engine.admit(0.0, 0, 5, 11)
    engine.admit(0.0, 1, 5, 9)
    assert _until_idle(engine) == {0: (1.0, 11.0), 1: (1.0, last)}
    assert (engine.preemptions, engine.recomputed) == (1, recomputed)
    assert engine.gaps.count == 10 + 8


def test_the_work_of_a_request_does_not_grow_with_its_length() -> None:
    events = []
    for output in (100, 1_000_000):
        engine = _engine(blocks=100_000)
        engine.admit(0.0, 0, 10, output)
        count = 0
        while engine.next_s < inf:
            engine.advance()
            count += 1
        assert engine.iterations == output
        events.append(count)
    assert events == [2, 2]


# ---------------------------------------------------------------- what callers do besides


def test_shared_prefix_needs_blocks_but_no_computing() -> None:
    engine = _engine(blocks=4, block_tokens=10)
    engine.admit(0.0, 0, 30, 1, shared=20)
    engine.admit(0.0, 1, 20, 1)
    # 10 of 30 tokens in 1 s; the other request finds 1 free block and wants 2
    assert _until_idle(engine) == {0: (1.0, 1.0), 1: (12.0, 12.0)}


def test_a_request_from_a_prefill_engine_only_decodes() -> None:
    engine = _engine()
    engine.admit(5.0, 0, 500, 4, first_s=3.0)
    assert _until_idle(engine)[0][1] == 8.0
    assert engine.gaps.total == pytest.approx(5.0)  # 3 s to 6 s, then 1 s and 1 s


def test_half_speed_takes_twice_as_long() -> None:
    engine = _engine()
    engine.admit(0.0, 0, 5, 11)
    engine.advance()
    engine.set_speed(3.5, 0.5)  # 2.5 of 10 decode iterations are done
    assert engine.next_s == pytest.approx(3.5 + 7.5 / 0.5)
    engine.admit(4.0, 1, 5, 1)
    found = _until_idle(engine)
    assert found[1] == pytest.approx((6.5, 6.5))  # the iteration under way ends at 4.5 s, its own takes 2 s
    assert found[0][1] == pytest.approx(18.5)


def test_an_evicted_request_leaves_its_blocks_and_the_others_go_on() -> None:
    engine = _engine(blocks=4, block_tokens=10)
    for job in range(3):
        engine.admit(0.0, job, 3, 12)  # from 8 s on a sequence wants two blocks: three would not go
    engine.advance()
    assert engine.evict(3.5, 1).job == 1
    assert list(engine.requests) == [0, 2]
    assert engine.progress(3.5, engine.requests[0]) == pytest.approx(5 / 15)
    found = _until_idle(engine)
    assert {job: last for job, (_, last) in found.items()} == {0: 12.0, 2: 12.0}
    assert engine.preemptions == 0


def test_with_the_last_request_all_work_stops() -> None:
    engine = _engine()
    engine.admit(0.0, 0, 5, 100)
    engine.advance()
    engine.evict(7.5, 0)
    assert engine.next_s == inf
    engine.admit(9.0, 1, 5, 1)
    assert _until_idle(engine) == {1: (10.0, 10.0)}


@settings(max_examples=60, deadline=None)
@given(run=_runs(), seed=st.integers(0, 2**32 - 1))
def test_what_is_booked_is_split_without_a_rest(
    run: tuple[list[float], list[int], list[int], Limits], seed: int
) -> None:
    """Every iteration's time and energy end at its requests, evicted ones included; and all blocks come back."""
    arrival, prompt, output, limits = run
    random = np.random.default_rng(seed)
    engine = Engine(StepCost(1e-3, 0.0, 0.01, 1e-4, 0.0, 0.0, 1e-6, 0.0), limits, Histogram())
    booked_s = booked_j = used_s = used_j = 0.0
    following, since_s = 0, 0.0

    def book(now_s: float) -> None:
        nonlocal booked_s, booked_j, since_s
        if engine.next_s < inf and now_s > since_s:
            watts = random.uniform(1, 100)
            engine.book(now_s - since_s, watts * (now_s - since_s))
            booked_s, booked_j = booked_s + now_s - since_s, booked_j + watts * (now_s - since_s)
        since_s = now_s

    while following < len(arrival) or engine.next_s < inf:
        if following < len(arrival) and arrival[following] < engine.next_s:
            book(arrival[following])
            engine.admit(arrival[following], following, prompt[following], output[following])
            following += 1
            if random.random() < 0.2 and engine.requests:
                gone = engine.evict(since_s, int(random.choice(list(engine.requests))))
                used_s, used_j = used_s + engine.used(gone)[0], used_j + engine.used(gone)[1]
        else:
            book(engine.next_s)
            engine.advance()
            for request in engine.ended:
                used_s, used_j = used_s + request.busy_s, used_j + request.energy_j
            engine.ended.clear()
    assert used_s == pytest.approx(booked_s, rel=1e-9, abs=1e-12)
    assert used_j == pytest.approx(booked_j, rel=1e-9, abs=1e-12)
    assert engine.tokens == 0
    # nothing is left of anybody: a request for the whole cache is admitted at once
    tokens = limits.blocks * limits.block_tokens
    engine.admit(since_s + 1.0, -1, tokens - 1, 1)
    assert _until_idle(engine)
