"""A language model set up on the GPUs of one replica: does it fit, how much cache is left, what an iteration draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import power, split
from dcsim.gpu.memory import weight_bytes
from dcsim.gpu.roofline import choose_precision
from dcsim.gpu.schedule import Limits
from dcsim.gpu.steps import StepCost, step_cost
from dcsim.scenario.hardware import Serving
from dcsim.service import FloatArray


@dataclass(frozen=True)
class Deployment:
    """One replica of a model, ready to run. Powers are of all its GPUs together."""

    model: Entry
    gpu: Entry
    precision: str
    options: Serving
    cost: StepCost
    """at the clock of the options"""
    limits: Limits
    most_tokens: int
    """prompt and output tokens that one request may have"""
    weight_bytes: float
    resident_w: float
    """what a loaded model draws above empty GPUs, W"""
    host_w: float
    """what the host draws for it while it works, W"""
    power_w: power.BusyPower = field(compare=False)
    """mean power above `resident_w`, W, over iterations whose arithmetic and reading alone would take such shares"""

    @property
    def devices(self) -> int:
        """GPUs of the replica."""
        return self.options.devices

    @property
    def load_s(self) -> float:
        """Time to load the weights, s."""
        return self.weight_bytes / self.options.load_bandwidth

    def transfer_s(self, prompt: int) -> float:
        """Time to move the cache of a prompt to another replica, s: one copy of it, whatever each replica holds."""
        return prompt * self.model["kv_bytes_per_token"] / self.options.transfer_bandwidth

    def full_batch(self) -> int:
        """Sequences of the catalog's mean length that run at the same time."""
        cached = self.limits.blocks * self.limits.block_tokens
        return max(1, min(self.limits.max_sequences, int(cached / self.model["kv_tokens_per_sequence"])))

    def occupancy_s(self, prompt: FloatArray, output: FloatArray, *, decodes: bool = True) -> FloatArray:
        """Time of the replica that each request takes at a full batch, shapes (n,), s; not its latency."""
        batch, cost = self.full_batch(), self.cost
        each = cost.linear(batch, batch, batch)
        own = prompt * (1.0 - self.options.prefix_hit)
        seconds = own * (cost.token_s + cost.link_s + cost.attention_s * (prompt - 0.5 * own))
        if decodes:
            seconds = seconds + output * (each.seconds / batch + cost.context_s * (prompt + 0.5 * output))
        return seconds


def deploy(model: Entry, gpu: Entry, options: Serving) -> Deployment:
    """Set up one replica of `model` on `options.devices` GPUs.

    The cache gets what weights and workspace leave of the memory of each GPU. Raises PlacementError when they leave
    nothing (with the smallest count of GPUs that would do), for a count that cannot share the layers, a clock below the
    lowest, when a limit contradicts another, or for a model without a key-value cache; CatalogError when an entry lacks
    a number.
    """
    name, devices = model.name, options.devices
    if "kv_bytes_per_token" not in model:
        raise PlacementError(f"model '{name}' has no key-value cache; `serving` is for language models")
    if options.max_batched_tokens < options.max_sequences:
        raise PlacementError(
            f"serving.max_batched_tokens: found {options.max_batched_tokens}, want at least max_sequences, "
            f"{options.max_sequences}"
        )
    if options.expert_parallel and "experts" not in model:
        raise PlacementError(f"serving.expert_parallel: model '{name}' has no experts")
    split.require("serving.devices", model, devices)
    power.require_clock(gpu, options.clock)
    precision = choose_precision(model, gpu, options.precision)
    weights = weight_bytes(model, precision)
    room = room_bytes(gpu, options)
    blocks = cache_blocks(model, options, weights, devices, room)
    if blocks < 1:
        smallest = split.smallest(model, lambda count: cache_blocks(model, options, weights, count, room) > 0)
        raise PlacementError(
            f"model '{name}' needs {weights / 1e9:.1f} GB for its weights and some for its cache,"
            f" {devices} x {gpu.name} have {max(devices * room, 0.0) / 1e9:.1f} GB for both; {smallest}"
        )
    own = model.get("context_tokens", math.inf)
    if options.max_context is not None and options.max_context > own:
        raise PlacementError(f"serving.max_context: found {options.max_context}; model '{name}' allows {own:.0f}")
    most = min(options.max_context or own, blocks * options.block_tokens)
    states = power.states(gpu)
    return Deployment(
        model=model,
        gpu=gpu,
        precision=precision,
        options=options,
        cost=step_cost(
            model,
            gpu,
            precision,
            devices=devices,
            expert_parallel=options.expert_parallel,
            max_sequences=options.max_sequences,
            sampled=options.sampled,
        ).at_clock(options.clock),
        limits=Limits(
            blocks=blocks,
            block_tokens=options.block_tokens,
            max_sequences=options.max_sequences,
            max_batched_tokens=options.max_batched_tokens,
            prefix_caching=options.prefix_caching,
        ),
        most_tokens=int(most),
        weight_bytes=weights,
        resident_w=devices * (states.resident - states.idle),
        host_w=devices * gpu["host_active_w"],
        power_w=power.above(gpu, devices, options.clock),
    )


def room_bytes(gpu: Entry, options: Serving) -> float:
    """Memory of one GPU for weights and cache, B."""
    return options.memory_share * gpu["memory_bytes"] - options.workspace


def cache_blocks(model: Entry, options: Serving, weights: float, devices: int, room: float) -> int:
    """Blocks of the cache on so many GPUs, each with `room` bytes for its part of the weights and of the cache."""
    block = options.block_tokens * model["kv_bytes_per_token"] * split.cache_copies(model, devices)
    return int((devices * room - weights) / block)
