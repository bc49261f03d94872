"""A full language-model engine in its steady state: what one operating point shows, without simulating requests.

Every iteration decodes the batch and begins a Poisson number of prompts, in the mean batch / output tokens. The time
between tokens that a client sees most often is that of the iteration with the median number of typical prompts; the
throughput follows from the mean iteration.
"""

from __future__ import annotations

from math import exp, expm1
from typing import NamedTuple

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import power
from dcsim.gpu.steps import StepCost, Work


class Load(NamedTuple):
    """What the engine serves. Tokens are means over requests."""

    batch: float
    """sequences that run at the same time"""
    prompt_tokens: float
    output_tokens: float
    typical_prompt: float | None = None
    """of the median request; None: as the mean"""


class Steady(NamedTuple):
    """One operating point. Power and energy are of all GPUs of the replica, idle power included."""

    itl_s: float
    """median time between tokens"""
    step_s: float
    """mean iteration"""
    tokens_per_s: float
    """output tokens"""
    prefill_s: float
    """one prompt of mean length alone"""
    power_w: float
    token_j: float
    """power_w / tokens_per_s, per output token"""


def steady(cost: StepCost, gpu: Entry, devices: int, load: Load) -> Steady:
    """The operating point of a replica on `devices` GPUs; PlacementError for a load without sequences or tokens."""
    for what, value, least in (
        ("batch", load.batch, 0.0),
        ("prompt_tokens", load.prompt_tokens, 0.0),
        ("output_tokens", load.output_tokens, 0.0),
    ):
        if not value > least:
            raise PlacementError(f"{what} is {value:g}; want more than 0")
    prompts = load.batch / load.output_tokens
    some = -expm1(-prompts)
    plain, mixed = _step(cost, load, 0.0), _step(cost, load, load.prompt_tokens * prompts / some)
    seconds, compute, memory = ((1.0 - some) * a + some * b for a, b in zip(plain, mixed, strict=True))
    typical = load.prompt_tokens if load.typical_prompt is None else load.typical_prompt
    rate = load.batch / seconds
    watts = devices * power.busy(gpu)(compute / seconds, memory / seconds)
    return Steady(
        itl_s=_step(cost, load, _poisson_median(prompts) * typical).seconds,
        step_s=seconds,
        tokens_per_s=rate,
        prefill_s=prompt_s(cost, load.prompt_tokens),
        power_w=watts,
        token_j=watts / rate,
    )


def prompt_s(cost: StepCost, tokens: float) -> float:
    """Time of one prompt alone in one iteration, s."""
    whole = int(tokens)
    return cost.linear(whole, 1, 1).seconds + cost.chunk(0, whole).seconds


def _step(cost: StepCost, load: Load, prompt_tokens: float) -> Work:
    """One iteration at the mean context: half of the output is there already."""
    linear = cost.linear(load.batch + prompt_tokens, load.batch, load.batch)
    cached = load.batch * (load.prompt_tokens + 0.5 * load.output_tokens)
    return Work(
        linear.seconds + cached * cost.context_s,
        linear.compute_s + cached * cost.attention_s,
        linear.memory_s + cached * cost.cache_s,
    )


def _poisson_median(mean: float) -> int:
    """Smallest k with a probability of at least one half of no more than k events."""
    if mean > 50.0:
        return round(mean - 1.0 / 3.0)
    count, chance = 0, exp(-mean)
    below = chance
    while below < 0.5:
        count += 1
        chance *= mean / count
        below += chance
    return count
