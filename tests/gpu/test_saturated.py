"""The operating point against the engine that always has so many requests: rates, times and power."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from dcsim.catalog import Catalog
from dcsim.gpu.engine import Engine
from dcsim.gpu.points import language_point
from dcsim.gpu.serving import Deployment, deploy
from dcsim.results.histogram import Histogram
from dcsim.scenario.hardware import Serving


class _Seen(NamedTuple):
    power_w: float
    tokens_per_s: float
    ttft_s: float
    """from admission to the first token"""
    tpot_s: float


def _saturated(replica: Deployment, batch: int, prompt: int, output: int) -> _Seen:
    """Requests of one size, each replaced as it ends; the first ones are at different places of their output."""
    engine = Engine(replica.cost, replica.limits, Histogram())
    for job in range(batch):
        engine.admit(0.0, job, prompt, max(1, round((job + 0.5) / batch * output)))
    waiting_w = replica.resident_w + replica.devices * replica.gpu["idle_w"]
    jobs, warm, end = batch, 3 * batch, 9 * batch
    start_s = energy_j = tokens = first_s = later_s = 0.0
    while jobs < end:
        if jobs >= warm:
            start_s = start_s or engine.now_s
            watts = waiting_w + replica.power_w(engine.arithmetic, engine.reading)
            energy_j += watts * (engine.next_s - engine.now_s)
        engine.advance()
        for request in engine.ended:
            if start_s:
                tokens += request.output
                first_s += request.first_s - request.start_s
                later_s += (engine.now_s - request.first_s) / (output - 1)
            engine.admit(engine.now_s, jobs, prompt, output)
            jobs += 1
        engine.ended.clear()
    span_s, requests = engine.now_s - start_s, tokens / output
    return _Seen(energy_j / span_s, tokens / span_s, first_s / requests, later_s / requests)


@pytest.mark.parametrize(
    ("model", "gpu", "devices", "batch", "prompt", "output"),
    [
        ("llama-3.1-8b", "h100-sxm", 1, 8, 300, 400),
        ("llama-3.1-8b", "h100-sxm", 1, 64, 300, 400),
        ("llama-3.1-8b", "h100-sxm", 1, 256, 300, 400),
        ("llama-3.1-8b", "h100-sxm", 1, 32, 1000, 50),
        ("llama-3.1-70b", "h100-sxm", 8, 64, 512, 256),
        ("qwen3-32b", "b200-sxm", 1, 128, 300, 400),
        ("qwen3-30b-a3b", "h100-sxm", 1, 128, 300, 100),
    ],
)
def test_power_and_rates_are_those_of_a_full_engine(
    known: Catalog, model: str, gpu: str, devices: int, batch: int, prompt: int, output: int
) -> None:
    serving = Serving(devices=devices, max_sequences=max(256, batch))
    seen = _saturated(deploy(known.get(model), known.get(gpu), serving), batch, prompt, output)
    point = language_point(
        known.get(model), known.get(gpu), serving, batch=batch, input_tokens=prompt, output_tokens=output
    )
    assert point.power_w == pytest.approx(seen.power_w, rel=0.03)
    assert point.tokens_per_s == pytest.approx(seen.tokens_per_s, rel=0.04)
    assert point.tpot_s == pytest.approx(seen.tpot_s, rel=0.04)


@pytest.mark.parametrize(("batch", "output"), [(64, 10), (10, 10), (64, 100)])
def test_where_prompts_fill_every_iteration(known: Catalog, batch: int, output: int) -> None:
    """Only some of the requests run at a time; the others wait to be admitted."""
    model, gpu, serving = known.get("llama-3.1-8b"), known.get("h100-sxm"), Serving()
    seen = _saturated(deploy(model, gpu, serving), batch, 4000, output)
    point = language_point(model, gpu, serving, batch=batch, input_tokens=4000, output_tokens=output)
    assert (point.power_w, point.tokens_per_s, point.ttft_s, point.tpot_s) == pytest.approx(seen, rel=0.02)


def test_a_slower_clock_is_that_of_the_engine_too(known: Catalog) -> None:
    model, gpu, serving = known.get("llama-3.1-8b"), known.get("h100-sxm"), Serving(clock=0.7)
    seen = _saturated(deploy(model, gpu, serving), 64, 300, 400)
    point = language_point(model, gpu, serving, batch=64, input_tokens=300, output_tokens=400)
    assert point.clock == 0.7
    assert point.power_w == pytest.approx(seen.power_w, rel=0.03)
    assert point.tpot_s == pytest.approx(seen.tpot_s, rel=0.04)
