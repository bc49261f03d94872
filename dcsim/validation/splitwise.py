"""Prefill and decoding on the serving stack of 2023 that Splitwise measured: no captured graphs, slow all-reduces.

    prefill = max(layers launch, FLOP / (N peak eta_c) + all-reduces / (link eta_l))
    step    = hypot(max(layers launch, weights / (N bandwidth eta_m)), batch host)

Its six constants per GPU stand in the catalog beside those of today's engines (`..._2023`). They were fitted on tensor
parallelism over 2 and 4 GPUs (and BLOOM on A100) by benchmarks/fit_gpu.py.
"""

from __future__ import annotations

from math import hypot
from typing import NamedTuple

from dcsim.catalog import Entry
from dcsim.gpu.memory import weight_bytes
from dcsim.gpu.roofline import peak_flop_per_s

_PRECISION = "fp16"
_BYTES = 2.0


class Stack(NamedTuple):
    """What the stack of 2023 reached on one GPU."""

    compute_efficiency: float
    link_efficiency: float
    """share of the link's rate in the all-reduces of a prompt"""
    prefill_layer_s: float
    """least time of one layer in a prefill"""
    memory_efficiency: float
    """share of the memory rate in a decode step"""
    decode_layer_s: float
    """least time of one layer in a decode step"""
    sequence_s: float
    """host work per sequence and step"""


def stack(gpu: Entry) -> Stack:
    """The constants of a GPU; CatalogError when it was not measured."""
    return Stack(*(gpu[key] for key in KEYS))


#: Catalog keys in the order of Stack.
KEYS = (
    *("compute_efficiency_2023", "link_efficiency_2023", "prefill_layer_2023_s"),
    *("memory_efficiency_2023", "decode_layer_2023_s", "sequence_2023_s"),
)


def prefill_s(model: Entry, gpu: Entry, devices: int, tokens: float, reached: Stack) -> float:
    """Time of one prompt, s: FLOP = 2 P n + 2 L d n^2 (causal mask); two all-reduces per layer."""
    layers, width = model["layers"], model["model_width"]
    weights = model["parameters"] - 2.0 * model["vocabulary"] * width
    flop = 2.0 * weights * tokens + 2.0 * layers * width * tokens**2
    moved = 2.0 * layers * 2.0 * (devices - 1) / devices * width * _BYTES * tokens
    compute_s = flop / (devices * peak_flop_per_s(gpu, _PRECISION) * reached.compute_efficiency)
    link_s = moved / (gpu["link_bytes_per_s"] * reached.link_efficiency)
    return max(layers * reached.prefill_layer_s, compute_s + link_s)


def decode_s(model: Entry, gpu: Entry, devices: int, batch: float, reached: Stack) -> float:
    """Time of one decode step, s; the host's work on the sequences overlaps the GPU's in part, hence the hypotenuse."""
    rate = devices * gpu["memory_bytes_per_s"] * reached.memory_efficiency
    read_s = weight_bytes(model, _PRECISION) / rate
    return hypot(max(model["layers"] * reached.decode_layer_s, read_s), batch * reached.sequence_s)
