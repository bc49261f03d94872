"""A full language-model engine in its steady state: what one operating point shows, without simulating requests.

Every iteration decodes the batch and begins a Poisson number of prompts, in the mean batch / output tokens. The time
between tokens that a client sees most often is that of the iteration with the median number of typical prompts; the
throughput follows from the mean iteration. Power is that of the iterations with and without prompts, each by its time:
it is concave, so that their mean shares would draw more. Prompts are taken whole; one that takes several iterations
costs the same arithmetic, and the launches of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, expm1, fsum
from typing import NamedTuple

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import kernels, power
from dcsim.gpu.kernels import Kernel
from dcsim.gpu.steps import StepCost


class Load(NamedTuple):
    """What the engine serves. Tokens are means over requests."""

    batch: float
    """sequences that run at the same time"""
    prompt_tokens: float
    output_tokens: float
    typical_prompt: float | None = None
    """of the median request; None: as the mean"""
    filled: bool = False
    """whether prompts take all that an iteration computes beside the sequences that decode, in every one"""

    @property
    def prompts(self) -> float:
        """Prompts that an iteration begins, on the mean."""
        return self.batch / self.output_tokens

    @property
    def median_prompts(self) -> float:
        """Prompts that the median iteration begins."""
        return self.prompts if self.filled else _poisson_median(self.prompts)

    @property
    def context(self) -> float:
        """Tokens in the cache of a sequence, on the mean: half of the output is there already."""
        return self.prompt_tokens + 0.5 * self.output_tokens


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


def steady(cost: StepCost, gpu: Entry, devices: int, load: Load, clock: float = 1.0) -> Steady:
    """The operating point of a replica on `devices` GPUs; PlacementError for a load without sequences or tokens.

    cost: at full clock, whatever the share `clock` of it.
    """
    slowed = cost.at_clock(clock)
    phases = phases_of(slowed, load)
    typical = load.prompt_tokens if load.typical_prompt is None else load.typical_prompt
    median = kernels.iteration(slowed, load.batch, load.context, load.median_prompts, typical)
    seconds = fsum(kernels.seconds(phase) for phase in phases)
    rate = load.batch / seconds
    watts = devices * mean_w(phases, power.busy(gpu, clock))
    return Steady(
        itl_s=kernels.seconds(median),
        step_s=seconds,
        tokens_per_s=rate,
        prefill_s=prompt_s(slowed, load.prompt_tokens),
        power_w=watts,
        token_j=watts / rate,
    )


def phases_of(
    cost: StepCost, load: Load, *, links_s: float = 0.0, prompts: float | None = None
) -> tuple[list[Kernel], ...]:
    """Kernels of the mean iteration: of those that only decode, and of those with prompts, each by its share.

    links_s: as in `kernels.iteration`. prompts: that an iteration begins, instead of `load.prompts`. Where prompts fill
    every iteration, each is alike, so that there is one phase. PlacementError for a load without sequences or tokens.
    """
    for what in ("batch", "prompt_tokens", "output_tokens"):
        if not getattr(load, what) > 0.0:
            raise PlacementError(f"{what} is {getattr(load, what):g}; want more than 0")
    begun = load.prompts if prompts is None else prompts
    if load.filled:
        return (kernels.iteration(cost, load.batch, load.context, begun, load.prompt_tokens, links_s),)
    some = -expm1(-begun)
    plain = kernels.iteration(cost, load.batch, load.context, links_s=links_s)
    if not some:
        return (plain,)
    mixed = kernels.iteration(cost, load.batch, load.context, begun / some, load.prompt_tokens, links_s)
    return [kernel.times(1.0 - some) for kernel in plain], [kernel.times(some) for kernel in mixed]


def mean_w(phases: Sequence[Sequence[Kernel]], busy: power.BusyPower) -> float:
    """Mean power of one GPU over phases, W: each draws that of its own shares, as the engine's iterations do."""
    energy_j = total_s = 0.0
    for phase in phases:
        seconds = kernels.seconds(phase)
        compute_s, memory_s = fsum(kernel.compute_s for kernel in phase), fsum(kernel.memory_s for kernel in phase)
        energy_j += busy(compute_s / seconds, memory_s / seconds) * seconds
        total_s += seconds
    return energy_j / total_s


def prompt_s(cost: StepCost, tokens: float) -> float:
    """Time of one prompt alone in one iteration, s."""
    whole = int(tokens)
    return cost.linear(whole, 1, 1).seconds + cost.chunk(0, whole).seconds


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
