"""Networks of one sample, one answer (images, ranked items, generated images, speech) on GPUs, by the batch.

A batch of B samples is one pass of the whole network, or several (steps of a diffusion): roofline over its FLOP
and bytes, a launch per layer, one host call. Waiting for a batch to fill is not part of this time:
`dcsim.gpu.batching` has it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import kernels, memory, power
from dcsim.gpu.kernels import Kernel
from dcsim.gpu.roofline import (
    BYTES_PER_VALUE,
    Reached,
    choose_precision,
    in_format,
    native_precision,
    peak_flop_per_s,
)
from dcsim.service import FloatArray, SampledProfile


def batch_profile(
    model: Entry, gpu: Entry, *, precision: str | None, batch: int | None, devices: int
) -> SampledProfile:
    """Samples of a network at a fixed batch, one slot per sample; see `dcsim.gpu.gpu_profile`.

    Latency is that of the full batch. With n of B slots in use the device does n / B of the work per second,
    so its power is that of n / B of the full batch's shares of computing and reading.
    """
    require_splittable(model, devices)
    chosen = choose_precision(model, gpu, precision)
    slots = memory.fitting_batch(
        model,
        gpu,
        batch,
        fixed_bytes=memory.weight_bytes(model, chosen),
        per_job_bytes=held_per_sample(model, chosen),
        devices=devices,
    )
    done = batch_pass(model, gpu, chosen, slots, devices)
    busy = power.busy(gpu)
    share = np.arange(1, slots + 1) / slots
    watts = np.array([busy(done.compute * part, done.memory * part) for part in share.tolist()])
    curve = power.curve_above_idle_w(gpu, watts)
    sample_j = devices * float(curve[-1]) / slots * done.seconds
    return SampledProfile(
        latency_s=np.array([done.seconds]),
        chip_j=np.array([sample_j]),
        host_w=gpu["host_active_w"] * devices / slots,
        devices=devices,
        slots=slots,
        chip_curve_w=curve,
        detail={
            "batch": float(slots),
            "utilisation": done.utilisation,
            "samples_per_s": slots / done.seconds,
            "device_w": float(curve[-1]) + gpu["idle_w"],
            "chip_j": sample_j,
        },
    )


def splittable(model: Entry) -> bool:
    """Whether several GPUs can share the model: those with embedding tables."""
    return "gather_bytes_per_sample" in model


def require_splittable(model: Entry, devices: int) -> None:
    """Raise PlacementError for several GPUs and a model that only one can run."""
    if devices > 1 and not splittable(model):
        raise PlacementError(
            f"model '{model.name}' cannot be split over {devices} GPUs, only embedding tables can; allowed: 1"
        )


class Pass(NamedTuple):
    """One pass of a batch through the network."""

    seconds: float
    compute: float
    """FLOP/s over what large matrix products reach on this GPU, or the model if that is more"""
    memory: float
    """B/s over the best of the GPU"""
    clock: float = 1.0
    """at which it ran; the shares are of what the GPU reaches at it"""

    @property
    def utilisation(self) -> float:
        """The larger of the two."""
        return max(self.compute, self.memory)


def batch_pass(model: Entry, gpu: Entry, precision: str, batch: int, devices: int, clock: float = 1.0) -> Pass:
    """Time and utilisation of one pass of `batch` samples.

    Gathers from embedding tables come before the dense part. With several devices, tables and samples are
    split evenly and the gathered rows cross the links once (all to all).
    """
    parts = pass_kernels(model, gpu, precision, batch, devices, clock)
    seconds, own = kernels.seconds(parts), float(_compute_efficiency(model, gpu, precision)[:, 1].max())
    highest = max(own, in_format(gpu, "compute_efficiency", precision))
    flop = model["flop_per_sample"] * batch / devices
    compute = flop / seconds / (clock * peak_flop_per_s(gpu, precision) * highest)
    moving = sum(part.memory_s for part in parts) + sum(part.seconds for part in parts if part.name == "links")
    return Pass(seconds, min(1.0, compute), min(1.0, moving / seconds), clock)


def busy_w(done: Pass, gpu: Entry) -> float:
    """Power of one GPU during passes, W."""
    return power.busy(gpu, done.clock)(done.compute, done.memory)


def pass_kernels(
    model: Entry, gpu: Entry, precision: str, batch: int, devices: int, clock: float = 1.0
) -> list[Kernel]:
    """Kernels of one pass of `batch` samples on one of `devices` GPUs, at a share of the full clock."""
    work, reached = _work(model, precision, batch), reached_rates(model, gpu, precision, batch)
    moved = work.weights + work.moved_per_sample * batch / devices
    launch_s = gpu["eager_layer_s" if _eager(model) else "launch_s"]
    parts = [
        kernels.roofline("linear", "", work.flop / devices / reached.flop_per_s, moved / reached.bytes_per_s),
        Kernel("launches", "", "fixed", gpu["host_call_s"] + work.passes * model["layers"] * launch_s),
    ]
    if work.gathered:
        own = work.gathered / devices
        parts.append(kernels.roofline("gathers", "", 0.0, own / (gpu["memory_bytes_per_s"] * gpu["gather_efficiency"])))
        if devices > 1:
            crossing_s = gpu["link_latency_s"] + own * (devices - 1) / devices / gpu["link_bytes_per_s"]
            parts.append(Kernel("links", "", "communication", crossing_s))
    return [part.at_clock(clock) for part in parts]


def reached_rates(model: Entry, gpu: Entry, precision: str, batch: int) -> Reached:
    """What the layers of the network reach at that batch."""
    table = _compute_efficiency(model, gpu, precision)
    efficiency = float(np.interp(np.log(batch), np.log(table[:, 0]), table[:, 1]))
    return Reached(
        peak_flop_per_s(gpu, precision) * efficiency,
        gpu["memory_bytes_per_s"] * in_format(gpu, "memory_efficiency", precision),
    )


class _Work(NamedTuple):
    flop: float
    weights: float
    """bytes of weights that every pass reads: all, or only the dense part beside embedding tables"""
    moved_per_sample: float
    """bytes of activations written and read per sample"""
    gathered: float
    """bytes of table rows that the batch gathers"""
    passes: float
    """times that a sample goes through the layers: steps of a diffusion, word pieces of a transcript"""


def _work(model: Entry, precision: str, batch: int) -> _Work:
    width = BYTES_PER_VALUE[precision]
    scale = width / BYTES_PER_VALUE[native_precision(model)]
    active, passes = "active_parameters" in model, model.get("passes", 1.0)
    weights = model["active_parameters"] * width if active else memory.weight_bytes(model, precision)
    return _Work(
        flop=model["flop_per_sample"] * batch,
        weights=weights * passes,
        moved_per_sample=model.get("activation_bytes_per_sample", 0.0) * scale,
        gathered=model.get("gather_bytes_per_sample", 0.0) * scale * batch,
        passes=passes,
    )


def held_per_sample(model: Entry, precision: str) -> float:
    """Memory that a sample needs while it runs, B: the activations of a layer on the mean, and the gathered rows."""
    work = _work(model, precision, 1)
    return work.moved_per_sample / (work.passes * model["layers"]) + work.gathered


def _eager(model: Entry) -> bool:
    """Whether a framework launches its kernels one by one, as image models are run; else a compiled engine does."""
    return bool(model.facts.get("eager", False))


def _compute_efficiency(model: Entry, gpu: Entry, precision: str) -> FloatArray:
    """Rows (batch, share of the peak rate), linear in log batch: the model's own, else the GPU's number.

    Image models differ by `diffusion_factor`; one that nobody measured is as the median of those that were.
    """
    if "compute_efficiency" in model:
        return model.array("compute_efficiency")
    if _eager(model):
        return np.array([[1.0, min(1.0, gpu["diffusion_efficiency"] * model.get("diffusion_factor", 1.0))]])
    return np.array([[1.0, in_format(gpu, "compute_efficiency", precision)]])
