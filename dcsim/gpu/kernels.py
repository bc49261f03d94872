"""What the time of an iteration or a pass is spent on: kernels by class, and what bounds each.

Classes: `linear` (layers with weights), `attention`, `gathers` (rows of embedding tables), `sampling` (drawing output
tokens, states of recurrent layers), `links` (between GPUs), `launches` (host calls and launches); in training also
`stages` (waiting for other stages of a pipeline), `stragglers` (for the slowest GPU) and `checkpoints` (with what
failures throw away).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dcsim.gpu.steps import StepCost

#: Classes in the order in which they are shown.
CLASSES = ("linear", "attention", "gathers", "sampling", "links", "launches", "stages", "stragglers", "checkpoints")
#: What a kernel can be bound by.
LIMITS = ("compute", "memory", "communication", "fixed")


class Kernel(NamedTuple):
    """All kernels of one class in one phase of the work."""

    name: str
    """one of CLASSES"""
    phase: str
    """`decode` or `prompt` of a language model, else empty"""
    limit: str
    """one of LIMITS"""
    seconds: float
    compute_s: float = 0.0
    """what its arithmetic alone would take at the rates that kernels reach"""
    memory_s: float = 0.0
    """what its reading of memory alone would take"""
    wait_s: float = 0.0
    """how long it then waits for other GPUs to read"""

    def times(self, share: float) -> Kernel:
        """The kernel in that share of iterations."""
        return self._replace(
            seconds=share * self.seconds,
            compute_s=share * self.compute_s,
            memory_s=share * self.memory_s,
            wait_s=share * self.wait_s,
        )

    def at_clock(self, clock: float) -> Kernel:
        """The kernel at a share of the clock: its arithmetic takes longer, its reading and all else as before."""
        if clock == 1.0 or self.compute_s == 0.0:
            return self
        return roofline(self.name, self.phase, self.compute_s / clock, self.memory_s, self.wait_s)


def roofline(name: str, phase: str, compute_s: float, memory_s: float, wait_s: float = 0.0) -> Kernel:
    """A kernel that computes or reads (and waits for other GPUs to read), whichever takes longer."""
    reading = memory_s + wait_s
    limit = "compute" if compute_s > reading else "memory"
    return Kernel(name, phase, limit, max(compute_s, reading), compute_s, memory_s, wait_s)


def iteration(
    cost: StepCost, batch: float, context: float, prompts: float = 0.0, prompt_tokens: float = 0.0, links_s: float = 0.0
) -> list[Kernel]:
    """One iteration that decodes `batch` sequences and computes `prompts` prompts (a mean, so not whole).

    context: tokens in the cache of a sequence, on the mean. links_s: part of `cost.fixed_s` that is latency of the
    links, to be shown as such. The seconds add up to those of the equation in `dcsim.gpu.steps`.
    """
    tokens, phase = batch + prompts * prompt_tokens, "prompt" if prompts > 0.0 else "decode"
    whole = cost.linear(tokens, batch, batch)
    wait_s = 0.0 if cost.experts is None else cost.experts.wait_s(tokens)
    linear = roofline("linear", phase, whole.compute_s, whole.memory_s, wait_s)
    sampling = Kernel("sampling", phase, "memory", cost.sequence_s * batch)
    links = Kernel("links", phase, "communication", cost.link_s * tokens + links_s)
    rest_s = whole.seconds - linear.seconds - sampling.seconds - links.seconds
    cached, chunk = batch * context, cost.chunk(0, round(prompt_tokens))
    return [
        linear,
        roofline("attention", "decode", cached * cost.attention_s, cached * cost.cache_s),
        roofline("attention", "prompt", prompts * chunk.compute_s, prompts * chunk.memory_s),
        sampling,
        links,
        Kernel("launches", phase, "fixed", rest_s),
    ]


def seconds(kernels: Iterable[Kernel]) -> float:
    """Time of all of them, one after the other."""
    return math.fsum(kernel.seconds for kernel in kernels)


def shares(kernels: Sequence[Kernel], by: str) -> dict[str, float]:
    """Share of the time of each class (`by` is `name`) or of each limit (`limit`); those without any are left out."""
    total = seconds(kernels) or 1.0
    order = CLASSES if by == "name" else LIMITS
    spent = {part: math.fsum(k.seconds for k in kernels if getattr(k, by) == part) for part in order}
    return {part: value / total for part, value in spent.items() if value > 0.0}
