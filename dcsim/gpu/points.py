"""Operating points: one model on some GPUs at one batch; seconds, watts, joules, bytes, what the time is spent on.

A point is of the GPUs alone, idle power included: J per token (or sample) = W / (tokens/s). At a lower clock, or under
a power cap, arithmetic takes longer and less energy (`dcsim.gpu.power`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import kernels, memory, power, split, vision
from dcsim.gpu.kernels import Kernel
from dcsim.gpu.roofline import Reached, choose_precision, reached
from dcsim.gpu.schedule import Limits
from dcsim.gpu.serving import Deployment, cache_blocks, deploy, room_bytes
from dcsim.gpu.steady import Load, phases_of, steady
from dcsim.gpu.steps import StepCost, step_cost
from dcsim.scenario.hardware import Serving


class Setting(NamedTuple):
    """How fast the GPUs may run; by default at full clock without a cap."""

    clock: float = 1.0
    """share of the full clock"""
    cap_w: float | None = None
    """of one GPU; below `clock`, the clock follows from it"""

    def of(self, gpu: Entry, watts: Callable[[float], float]) -> float:
        """The clock of work that draws `watts(clock)` on one GPU; PlacementError as `power.highest_clock`."""
        if self == FULL:
            return 1.0
        return power.highest_clock(gpu, watts, math.inf if self.cap_w is None else self.cap_w, self.clock)


#: Full clock, no cap.
FULL = Setting()


class Spot(NamedTuple):
    """A kernel on the roofline of one GPU."""

    name: str
    intensity: float
    """FLOP per byte of memory traffic; 0 without arithmetic"""
    flop_per_s: float


@dataclass(frozen=True)
class Point:
    """What all kinds of points have. Powers, rates and energies are of all GPUs together."""

    model: Entry
    gpu: Entry
    precision: str
    devices: int
    batch: int
    spent: tuple[Kernel, ...]
    """of the mean iteration, of a pass, or of a step, at the clock of the point; none where only their sum is known"""
    clock: float
    device_w: float
    """one GPU"""
    reached: Reached
    """at full clock"""
    weight_bytes: float
    largest_batch: int | None
    """that fits the memory"""
    notes: tuple[str, ...]

    @property
    def power_w(self) -> float:
        """All GPUs, W."""
        return self.devices * self.device_w

    @property
    def host_w(self) -> float:
        """What the host draws beside them for the work, W."""
        return self.devices * self.gpu["host_active_w"]

    def spots(self) -> list[Spot]:
        """Its kernels on the roofline, the whole of them last."""
        groups: dict[str, list[Kernel]] = defaultdict(list)
        for kernel in self.spent:
            if kernel.compute_s > 0.0:
                groups[f"{kernel.name}, {kernel.phase}".removesuffix(", ")].append(kernel)
        return [self._spot(name, group) for name, group in groups.items()] + [self._spot("whole", self.spent)]

    def _spot(self, name: str, group: Sequence[Kernel]) -> Spot:
        flop = math.fsum(kernel.compute_s for kernel in group) * self.clock * self.reached.flop_per_s
        moved = math.fsum(kernel.memory_s for kernel in group) * self.reached.bytes_per_s
        return Spot(name, flop / moved if moved else math.inf, flop / kernels.seconds(group))


# ---------------------------------------------------------------- language models


@dataclass(frozen=True)
class LanguagePoint(Point):
    """A replica that always runs `batch` requests of equal length."""

    input_tokens: int
    output_tokens: int
    ttft_s: float
    """from the moment that a request is admitted to its first token, beside the others"""
    prefill_s: float
    """the same on an empty replica"""
    step_s: float
    """mean iteration"""
    tpot_s: float
    """mean time per output token after the first: the mean iteration beside the prompts of others"""
    itl_s: float
    """median time between tokens"""
    tokens_per_s: float
    """output tokens"""
    cache_bytes: float
    """what the key-value cache may take"""
    request_bytes: float
    """of the cache at the end of a request, in whole blocks"""

    @property
    def latency_s(self) -> float:
        """A whole request, s: first token, then the others."""
        return self.ttft_s + (self.output_tokens - 1) * self.tpot_s

    @property
    def token_j(self) -> float:
        """Per output token, J."""
        return self.power_w / self.tokens_per_s


def language_point(
    model: Entry,
    gpu: Entry,
    serving: Serving,
    *,
    batch: int,
    input_tokens: int,
    output_tokens: int,
    setting: Setting = FULL,
) -> LanguagePoint:
    """A full engine in its steady state (`dcsim.gpu.steady`), all requests of `input_tokens` and `output_tokens`.

    serving: how a replica is set up; its limits on sequences and tokens are raised to what the batch needs. Raises
    PlacementError for a batch or a length below 1, a request longer than the model or the cache allows, a batch that
    the cache cannot hold at full length (with the largest that fits and the smallest count of GPUs that would do), and
    for all that `deploy` refuses.
    """
    for what, value in (("batch", batch), ("input tokens", input_tokens), ("output tokens", output_tokens)):
        if value < 1:
            raise PlacementError(f"{what}: found {value}, want at least 1")
    sequences = max(serving.max_sequences, batch)
    serving = serving.model_copy(
        update={"max_sequences": sequences, "max_batched_tokens": max(serving.max_batched_tokens, 2 * sequences)}
    )
    power.require_clock(gpu, setting.clock)
    replica = deploy(model, gpu, serving.model_copy(update={"clock": 1.0}))
    largest = _largest_batch(replica, batch, input_tokens + output_tokens)
    load, devices = _running(replica, batch, input_tokens, output_tokens), replica.devices
    found = Setting(min(setting.clock, serving.clock), setting.cap_w)
    clock = found.of(gpu, lambda share: steady(replica.cost, gpu, devices, load, share).power_w / devices)
    cost, full = replica.cost.at_clock(clock), steady(replica.cost, gpu, devices, load, clock)
    links_s = cost.fixed_s - step_cost(model, gpu, replica.precision).fixed_s  # all else is the same on one GPU
    spent = [kernel for phase in phases_of(cost, load, links_s=links_s) for kernel in phase]
    block = replica.limits.block_tokens * model["kv_bytes_per_token"] * split.cache_copies(model, devices)
    return LanguagePoint(
        model=model,
        gpu=gpu,
        precision=replica.precision,
        devices=devices,
        batch=batch,
        spent=tuple(spent),
        clock=clock,
        device_w=full.power_w / devices,
        reached=reached(gpu, replica.precision),
        weight_bytes=replica.weight_bytes,
        largest_batch=largest,
        notes=tuple(_language_notes(replica, load, batch)),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        ttft_s=_first_token_s(cost, replica.limits, load),
        prefill_s=_first_token_s(cost, replica.limits, load._replace(batch=1.0, filled=False)),
        step_s=full.step_s,
        tpot_s=_seconds_between(cost, load),
        itl_s=full.itl_s,
        tokens_per_s=full.tokens_per_s,
        cache_bytes=replica.limits.blocks * block,
        request_bytes=math.ceil((input_tokens + output_tokens) / replica.limits.block_tokens) * block,
    )


def _running(replica: Deployment, batch: int, input_tokens: int, output_tokens: int) -> Load:
    """What the engine serves at a time of `batch` requests: as many as leave room for the prompts that replace them.

    An iteration that computes T tokens at most decodes n sequences beside their n i / o tokens of prompts.
    """
    most = replica.limits.max_batched_tokens / (1.0 + input_tokens / output_tokens)
    return Load(min(float(batch), most), input_tokens, output_tokens, filled=batch > most)


def _seconds_between(cost: StepCost, load: Load) -> float:
    """Mean time between the tokens of a request: the mean iteration beside the prompts of the others."""
    others = load.prompts if load.filled else (load.batch - 1.0) / load.output_tokens
    return math.fsum(kernels.seconds(phase) for phase in phases_of(cost, load, prompts=others))


def _largest_batch(replica: Deployment, batch: int, tokens: int) -> int:
    """Requests of `tokens` tokens that the cache holds; PlacementError when that is less than the batch."""
    model, limits = replica.model, replica.limits
    own = model.get("context_tokens", math.inf)
    if tokens > own:
        raise PlacementError(
            f"model '{model.name}': found {tokens:,} input and output tokens, its context allows {own:,.0f}"
        )
    each = math.ceil(tokens / limits.block_tokens)
    largest = limits.blocks // each
    if batch > largest:
        held = f"hold {limits.blocks * limits.block_tokens:,} tokens"
        most = f"largest batch that fits: {largest:,}" if largest else "that is less than one request"
        options, room = replica.options, room_bytes(replica.gpu, replica.options)
        smallest = split.smallest(
            model, lambda count: cache_blocks(model, options, replica.weight_bytes, count, room) >= batch * each
        )
        raise PlacementError(
            f"model '{model.name}' at batch {batch:,} needs a cache of {batch * each * limits.block_tokens:,} tokens,"
            f" {replica.devices} x {replica.gpu.name} {held}; {most}; {smallest}"
        )
    return largest


def _first_token_s(cost: StepCost, limits: Limits, load: Load) -> float:
    """Time of the iterations that compute a prompt, and the others that begin with it, beside the decoding ones."""
    if load.filled:  # prompts come one after the other, so that one begins anywhere in the room of an iteration
        room = load.prompts * load.prompt_tokens
        return (1.0 + load.prompt_tokens / room) * _seconds_between(cost, load)
    others = load.batch - 1.0
    prompts = 1.0 + others / load.output_tokens
    count = math.ceil(prompts * load.prompt_tokens / (limits.max_batched_tokens - others))
    context = load.context * others / load.batch
    return count * kernels.seconds(kernels.iteration(cost, load.batch, context, prompts / count, load.prompt_tokens))


def _language_notes(replica: Deployment, load: Load, batch: int) -> list[str]:
    notes = []
    if load.filled:
        notes.append(
            f"prompts take all that an iteration computes: {load.batch:,.0f} of {batch:,} requests run at a time,"
            " the others wait to be admitted"
        )
    if replica.devices > 8:
        notes.append("the links between nodes are taken to be as fast as those in one")
    return notes


# ---------------------------------------------------------------- by the batch


@dataclass(frozen=True)
class BatchPoint(Point):
    """Full batches one after the other."""

    sample_bytes: float
    """memory that a sample takes while it runs"""

    @property
    def latency_s(self) -> float:
        """One batch, s."""
        return kernels.seconds(self.spent)

    @property
    def samples_per_s(self) -> float:
        return self.batch / self.latency_s

    @property
    def sample_j(self) -> float:
        """Per sample, J."""
        return self.power_w / self.samples_per_s


def batch_point(
    model: Entry,
    gpu: Entry,
    *,
    batch: int,
    precision: str | None = None,
    devices: int = 1,
    setting: Setting = FULL,
) -> BatchPoint:
    """Passes of `batch` samples (`dcsim.gpu.vision`).

    Raises PlacementError for a batch below 1 or one that does not fit the memory (with the largest that does, or the
    smallest count of GPUs), and for several GPUs and a model that cannot be split.
    """
    if batch < 1:
        raise PlacementError(f"batch: found {batch}, want at least 1")
    vision.require_splittable(model, devices)
    chosen = choose_precision(model, gpu, precision)
    weights, held = memory.weight_bytes(model, chosen), vision.held_per_sample(model, chosen)
    room = memory.room_bytes(gpu, devices) - weights
    largest = int(room / held) if held > 0.0 else None
    if not vision.splittable(model) and room < batch * held:
        most = "it cannot be split" if room < held else f"largest batch that fits: {largest:,}"
        raise PlacementError(
            f"model '{model.name}' at batch {batch:,} needs {(weights + batch * held) / 1e9:.1f} GB,"
            f" one {gpu.name} holds {memory.room_bytes(gpu, 1) / 1e9:.1f} GB; {most}"
        )
    memory.require_fit(f"model '{model.name}' at batch {batch:,}", weights + batch * held, gpu, devices)

    def watts(clock: float) -> float:
        return vision.busy_w(vision.batch_pass(model, gpu, chosen, batch, devices, clock), gpu)

    clock = setting.of(gpu, watts)
    return BatchPoint(
        model=model,
        gpu=gpu,
        precision=chosen,
        devices=devices,
        batch=batch,
        spent=tuple(vision.pass_kernels(model, gpu, chosen, batch, devices, clock)),
        clock=clock,
        device_w=watts(clock),
        reached=vision.reached_rates(model, gpu, chosen, batch),
        weight_bytes=weights,
        largest_batch=largest,
        notes=(),
        sample_bytes=held,
    )
