"""Seconds of one iteration of a language-model engine, from the model, the GPU and how the model is split.

    t = fixed + sequence S + link T + max(weights, token T + output O) + sum_i max(cache (c_i + t_i), attention p_i)

for T tokens of S sequences of which O sample an output token; sequence i computes t_i tokens after c_i that are in
the cache already: p_i = t_i c_i + t_i (t_i + 1) / 2 pairs of query and key (causal mask). The linear layers read the
weights or compute, whichever takes longer; the attention of each sequence reads its cache or computes, whichever
takes longer. With more tokens than the captured graphs are for, the host launches every kernel, and all but the
attention takes no less than that. Every coefficient is a time, so that the engine never sees a byte or a FLOP.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, log, log2, sqrt
from typing import NamedTuple

from dcsim.catalog import Entry
from dcsim.gpu import split
from dcsim.gpu.memory import weight_bytes
from dcsim.gpu.roofline import BYTES_PER_VALUE, in_format, reached

_ACTIVATION_BYTES = 2.0  # activations and the cache stay in 16 bits whatever the format of the weights
_GRAPH_TOKENS = 512.0  # most tokens of a captured graph (vLLM's default, or twice the sequences if that is less)


class Work(NamedTuple):
    """One iteration, or the sum of several."""

    seconds: float
    compute_s: float
    """what its arithmetic alone would take at the rates that kernels reach"""
    memory_s: float
    """what its reading of memory alone would take"""


@dataclass(frozen=True, slots=True)
class Experts:
    """Mixture of experts: which weights an iteration reads depends on how many tokens it has."""

    count: float
    """experts of a layer"""
    chosen: float
    """experts that each token takes"""
    read_s: float
    """time to read one expert of every layer, or each GPU's part of it"""
    groups: int = 1
    """GPUs among which whole experts are dealt; 1: each holds a part of every one"""
    exponent: float = 1.0
    """tokens choose alike: T of them take as many distinct experts as T^exponent that choose at random"""

    def weights_s(self, tokens: float) -> float:
        """Expected time of a GPU to read the experts that `tokens` tokens take.

        Of E experts, E (1 - (1 - k / E)^T) distinct ones are taken.
        """
        return self.read_s * self.count / self.groups * self._taken(tokens)

    def wait_s(self, tokens: float) -> float:
        """How much longer the GPU that reads most takes, s.

        Of n = E / groups on a GPU, each taken with probability h, the largest of the groups has about
        n h + sqrt(2 ln(groups) n h (1 - h)).
        """
        if self.groups == 1:
            return 0.0
        own, taken = self.count / self.groups, self._taken(tokens)
        return self.read_s * min(own * (1.0 - taken), sqrt(2.0 * log(self.groups) * own * taken * (1.0 - taken)))

    def _taken(self, tokens: float) -> float:
        """Probability that an expert is taken."""
        alike = float(tokens**self.exponent)
        return 1.0 - float((1.0 - self.chosen / self.count) ** alike)


@dataclass(frozen=True, slots=True)
class StepCost:
    """Coefficients of an iteration, all in s unless they say otherwise."""

    fixed_s: float
    """launches, host work and latency of the links, per iteration"""
    sequence_s: float
    """per sequence in the iteration"""
    weights_s: float
    """reading the weights that every iteration reads"""
    token_s: float
    """arithmetic of the linear layers per token"""
    output_s: float
    """arithmetic of the output layer per token that is sampled"""
    link_s: float
    """per token on the links between the GPUs of the replica"""
    cache_s: float
    """reading the cache of one token"""
    attention_s: float
    """arithmetic of one pair of query and key"""
    experts: Experts | None = None
    graph_tokens: float = inf
    """most tokens of an iteration that runs as a captured graph"""
    eager_s: float = 0.0
    """least time of one that does not, attention left out"""

    def at_clock(self, clock: float) -> StepCost:
        """At a share of the full clock: arithmetic takes longer; reading, links and the host take as long as ever."""
        if clock == 1.0:
            return self
        return replace(
            self,
            token_s=self.token_s / clock,
            output_s=self.output_s / clock,
            attention_s=self.attention_s / clock,
        )

    @property
    def context_s(self) -> float:
        """Attention of a decoding sequence per token of its context, itself included."""
        return max(self.cache_s, self.attention_s)

    def linear(self, tokens: float, sequences: float, outputs: float) -> Work:
        """Everything but attention, for `tokens` tokens of `sequences` sequences of which `outputs` sample one."""
        return Work(*self.base(tokens, sequences, outputs))

    def base(self, tokens: float, sequences: float, outputs: float) -> tuple[float, float, float]:
        """`linear` as a plain tuple, for the engine's inner loop."""
        compute_s = self.token_s * tokens + self.output_s * outputs
        memory_s, wait_s = self.weights_s, 0.0
        if self.experts is not None:
            memory_s += self.experts.weights_s(tokens)
            wait_s = self.experts.wait_s(tokens)
        seconds = (
            self.fixed_s
            + self.sequence_s * sequences
            + self.link_s * tokens
            + (compute_s if compute_s > memory_s + wait_s else memory_s + wait_s)
        )
        if tokens > self.graph_tokens and seconds < self.eager_s:
            seconds = self.eager_s
        return seconds, compute_s, memory_s

    def chunk(self, cached: int, tokens: int) -> Work:
        """Attention of one sequence that computes `tokens` after `cached`."""
        compute_s = self.attention_s * tokens * (cached + 0.5 * (tokens + 1))
        memory_s = self.cache_s * (cached + tokens)
        return Work(max(compute_s, memory_s), compute_s, memory_s)


def step_cost(
    model: Entry,
    gpu: Entry,
    precision: str,
    *,
    devices: int = 1,
    expert_parallel: bool = False,
    max_sequences: int = 256,
    sampled: bool = False,
) -> StepCost:
    """Coefficients for `model` in `precision` on `devices` GPUs of one node, from what its kernels reach.

    Weights, cache and arithmetic are split evenly over the devices, the cache over at most as many as there are
    key-value heads. Each layer ends its attention and its MLP with an all-reduce of the activations, whose latency
    grows with every doubling of the devices; with `expert_parallel` the experts stand whole on the devices. Embeddings
    are looked up, so neither read nor computed; the output layer is read in every iteration and computed for output
    tokens only. With `sampled` each output token is drawn from the most likely ones of the whole vocabulary (top-p);
    without, it is the likeliest. CatalogError for a missing number.
    """
    width, layers = BYTES_PER_VALUE[precision], model["layers"]
    vocabulary = model.get("vocabulary", 0.0)
    head = vocabulary * model["model_width"]
    looked_up = 0.0 if model.facts.get("tied_embeddings", False) else head
    active = model.get("active_parameters", model["parameters"])
    flop_per_s, bytes_per_s = (rate * devices for rate in reached(gpu, precision))
    experts, routed, routing_s, eager_s = None, 0.0, 0.0, layers * gpu["eager_layer_s"]
    if "experts" in model:
        expert_layers = model["expert_layers"]
        one = expert_layers * model["expert_parameters"]  # of every layer
        routed, routing_s = one * model["experts"], expert_layers * in_format(gpu, "expert_layer_s", precision)
        eager_s += expert_layers * gpu["eager_expert_layer_s"]
        groups = devices if expert_parallel else 1
        read_s = one * width * groups / (gpu["expert_memory_efficiency"] * bytes_per_s)
        experts = Experts(model["experts"], model["experts_per_token"], read_s, groups, model["routing_exponent"])
    latency_s, link_s = _links(model, gpu, devices)
    return StepCost(
        fixed_s=gpu["step_s"] + layers * in_format(gpu, "layer_s", precision) + latency_s,
        sequence_s=model.get("state_bytes_per_sequence", 0.0) / bytes_per_s
        + (gpu["sample_s"] * vocabulary if sampled else 0.0),
        weights_s=(weight_bytes(model, precision) / width - routed - looked_up) * width / bytes_per_s + routing_s,
        token_s=2.0 * (active - looked_up - head) / flop_per_s,
        output_s=2.0 * head / flop_per_s,
        link_s=link_s,
        cache_s=model["kv_bytes_per_token"] * split.cache_copies(model, devices) / bytes_per_s,
        attention_s=4.0 * layers * model.get("attention_width", model["model_width"]) / flop_per_s,
        experts=experts,
        graph_tokens=min(_GRAPH_TOKENS, 2.0 * max_sequences),
        eager_s=eager_s,
    )


def _links(model: Entry, gpu: Entry, devices: int) -> tuple[float, float]:
    """(latency of one iteration, time per token) of two all-reduces per layer, s.

    Experts that stand whole on the devices exchange tokens by the second one: every device has the activations of all
    tokens, and the answers are summed. That is what vLLM does when attention is split over the same devices, and what
    the latency was fitted to. An all-to-all there and back would move 2 (D - 1) / D of a token's width for each share
    of the D devices that hold one of its experts, so no more.
    """
    calls = 2.0 * model["layers"]
    moved = 2.0 * (devices - 1) / devices * model["model_width"] * _ACTIVATION_BYTES
    return calls * gpu["link_latency_s"] * log2(devices), calls * moved / gpu["link_bytes_per_s"]
