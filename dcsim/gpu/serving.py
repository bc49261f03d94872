"""Language models on GPUs at one operating point: prefill, decode, power.

Prefill: FLOP = 2 P n + 2 L d n^2 (causal mask) at the prefill efficiency, plus two all-reduces per layer
under tensor parallelism. Decode: the measured time between tokens of this model on these GPUs where the
catalog has a fit, else the roofline. The operating point is a full batch: engines with fewer sequences answer
sooner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.catalog import Entry
from dcsim.gpu import memory, power
from dcsim.gpu.roofline import BYTES_PER_VALUE, choose_precision, peak_flop_per_s
from dcsim.service import Service, TokenProfile

_ACTIVATION_BYTES = 2.0  # activations stay in 16 bits whatever the format of the weights


@dataclass(frozen=True)
class ServingProfile(TokenProfile):
    """TokenProfile of a full batch, in which the prompts of the others interrupt every request."""

    stall: float = 0.0
    """how many prefills like its own a request waits for while it decodes: slots - 1 at a full batch"""

    def draw(self, sizes: Mapping[str, npt.NDArray[np.float64]], count: int, generator: np.random.Generator) -> Service:
        """As TokenProfile, held longer by `stall` times its own prefill (prompts of its like, on the mean).

        A batch of B then completes B requests per B prefills and m decode steps, which is all that the device
        has time for; the time to the first token is not changed.
        """
        service = super().draw(sizes, count, generator)
        tokens_in = sizes["input_tokens"]
        own_s = (self.per_input_s + self.per_input2_s * tokens_in) * tokens_in
        return service._replace(seconds=service.seconds + self.stall * own_s)


class Replica(NamedTuple):
    """One copy of a language model on `devices` GPUs (tensor parallel)."""

    model: Entry
    gpu: Entry
    precision: str
    devices: int

    @property
    def operating_point(self) -> str:
        """End of the keys of this replica's measured numbers in the model's entry."""
        return f"{self.gpu.name}_x{self.devices}_{self.precision}"

    @property
    def active_parameters(self) -> float:
        return self.model.get("active_parameters", self.model["parameters"])


class Prefill(NamedTuple):
    """Seconds of a prompt of n tokens: base_s + per_token_s n + per_token2_s n^2."""

    base_s: float
    per_token_s: float
    per_token2_s: float


def prefill(replica: Replica) -> Prefill:
    """Compute-bound prefill; its reading of the weights is shared with the decode step that it rides on.

    Valid for an engine of today (prefill efficiency .5-.7 of peak on large GPUs, from memory); Splitwise's of
    2023 took 1.2-2.5 times as long on A100 and H100.
    """
    model, gpu, precision, devices = replica
    rate = peak_flop_per_s(gpu, precision) * gpu["prefill_efficiency"] * devices
    latency, per_token = _all_reduce(replica)
    base = gpu["host_call_s"] + model["layers"] * gpu["launch_s"] + latency
    quadratic = 2.0 * model["layers"] * model["model_width"] / rate
    return Prefill(base, 2.0 * replica.active_parameters / rate + per_token, quadratic)


def decode_step_s(replica: Replica, sequences: float, context_tokens: float) -> float:
    """Time of one decode step = time between tokens, s, at so many sequences of mean length context_tokens.

    From the measured fit base + per_sequence x B (at chat lengths; fits hold up to 256 sequences), else
    `decode_roofline_s`.
    """
    base, slope = (f"itl_{part}_{replica.operating_point}_s" for part in ("base", "per_sequence"))
    if base in replica.model:
        return replica.model[base] + replica.model[slope] * sequences
    return decode_roofline_s(replica, sequences, context_tokens)


def decode_roofline_s(replica: Replica, sequences: float, context_tokens: float) -> float:
    """Decode step without a measurement, s: t0 + (weights + KV) / bandwidth + FLOP / peak + all-reduce.

    Reading and computing are added, not overlapped: the step alternates between kernels that wait for memory
    and kernels that wait for arithmetic, and the measured growth with the batch is the sum of both.
    """
    model, gpu, precision, devices = replica
    weights = memory.weight_bytes(model, precision)
    touched = min(weights, sequences * replica.active_parameters * BYTES_PER_VALUE[precision])
    cache = sequences * context_tokens * model["kv_bytes_per_token"]
    read_s = (touched + cache) / (gpu["memory_bytes_per_s"] * gpu["decode_memory_efficiency"] * devices)
    rate = peak_flop_per_s(gpu, precision) * gpu["compute_efficiency"] * devices
    latency, per_token = _all_reduce(replica)
    fixed_s = model["layers"] * gpu["launch_s"] + latency
    return fixed_s + read_s + sequences * (2.0 * replica.active_parameters / rate + per_token)


def _all_reduce(replica: Replica) -> tuple[float, float]:
    """(latency of one pass, time per token) of the ring all-reduces after attention and after the MLP, s."""
    model, gpu, _, devices = replica
    if devices == 1:
        return 0.0, 0.0
    calls = 2.0 * model["layers"]
    moved = 2.0 * (devices - 1) / devices * model["model_width"] * _ACTIVATION_BYTES
    return calls * gpu["link_latency_s"], calls * moved / gpu["link_bytes_per_s"]


def serving_profile(
    model: Entry,
    gpu: Entry,
    *,
    precision: str | None,
    batch: int | None,
    devices: int,
    context_tokens: float | None,
) -> ServingProfile:
    """Requests of a language model at a full batch on `devices` GPUs; see `dcsim.gpu.gpu_profile`."""
    replica = Replica(model, gpu, choose_precision(model, gpu, precision), devices)
    context = model["kv_tokens_per_sequence"] if context_tokens is None else context_tokens
    weights, cache = memory.weight_bytes(model, replica.precision), context * model["kv_bytes_per_token"]
    slots = memory.fitting_batch(model, gpu, batch, fixed_bytes=weights, per_job_bytes=cache, devices=devices)
    step_s = decode_step_s(replica, slots, context)
    jobs = np.arange(1, slots + 1, dtype=np.float64)
    curve = power.curve_above_idle_w(gpu, power.decode_w(model, gpu, replica.operating_point, jobs))
    prompt = prefill(replica)
    chip_w = devices * float(curve[-1]) / slots
    detail = {
        "batch": float(slots),
        "decode_step_s": step_s,
        "prefill_1000_tokens_s": prompt.base_s + 1e3 * prompt.per_token_s + 1e6 * prompt.per_token2_s,
        "device_w": float(curve[-1]) + gpu["idle_w"],
        "output_token_j": chip_w * step_s,
        "weight_bytes": weights,
        "cache_bytes": slots * cache,
    }
    return ServingProfile(
        base_s=prompt.base_s,
        per_input_s=prompt.per_token_s,
        per_input2_s=prompt.per_token2_s,
        per_output_s=step_s,
        chip_w=chip_w,
        slots=slots,
        chip_curve_w=curve,
        host_w=gpu["host_active_w"] * devices / slots,
        devices=devices,
        detail=detail,
        stall=slots - 1.0,
    )
