"""Networks of one sample, one answer (images, keywords, gestures, ranked items) on GPUs, by the batch.

A batch of B samples is one pass of the whole network: roofline over its FLOP and bytes, a launch per layer,
one host call. Waiting for a batch to fill is the queue's matter, not part of this time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import memory, power
from dcsim.gpu.roofline import (
    BYTES_PER_VALUE,
    choose_precision,
    native_precision,
    operation_s,
    peak_flop_per_s,
)
from dcsim.service import FloatArray, SampledProfile


def batch_profile(
    model: Entry, gpu: Entry, *, precision: str | None, batch: int | None, devices: int
) -> SampledProfile:
    """Samples of a network at a fixed batch, one slot per sample; see `dcsim.gpu.gpu_profile`.

    Latency is that of the full batch. With n of B slots in use the device does n / B of the work per second,
    so its power follows the power law at n / B of the full batch's utilisation.
    """
    if devices > 1 and "gather_bytes_per_sample" not in model:
        raise PlacementError(
            f"model '{model.name}' cannot be split over {devices} GPUs, only embedding tables can; allowed: 1"
        )
    chosen = choose_precision(model, gpu, precision)
    slots = memory.fitting_batch(
        model,
        gpu,
        batch,
        fixed_bytes=memory.weight_bytes(model, chosen),
        per_job_bytes=_work(model, chosen, 1).moved_per_sample + _work(model, chosen, 1).gathered,
        devices=devices,
    )
    done = batch_pass(model, gpu, chosen, slots, devices)
    share = np.arange(1, slots + 1) / slots
    curve = power.curve_above_idle_w(gpu, power.law_w(gpu, done.utilisation * share))
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


class Pass(NamedTuple):
    """One pass of a batch through the network."""

    seconds: float
    utilisation: float
    """larger of FLOP/s over the best that the model reaches, and B/s over the best of the GPU"""


def batch_pass(model: Entry, gpu: Entry, precision: str, batch: int, devices: int) -> Pass:
    """Time and utilisation of one pass of `batch` samples.

    Gathers from embedding tables come before the dense part. With several devices, tables and samples are
    split evenly and the gathered rows cross the links once (all to all).
    """
    work = _work(model, precision, batch)
    peak, bandwidth = peak_flop_per_s(gpu, precision), gpu["memory_bytes_per_s"]
    table = _compute_efficiency(model, gpu)
    efficiency = float(np.interp(np.log(batch), np.log(table[:, 0]), table[:, 1]))
    seconds = operation_s(
        work.flop / devices,
        work.weights + work.moved_per_sample * batch / devices,
        flop_per_s=peak * efficiency,
        bytes_per_s=bandwidth * gpu["memory_efficiency"],
        fixed_s=gpu["host_call_s"] + model["layers"] * gpu["launch_s"],
    )
    gather_s = _gather_s(gpu, work.gathered, devices)
    seconds += gather_s
    compute = work.flop / devices / seconds / (peak * float(table[:, 1].max()))
    moved = (work.weights + work.moved_per_sample * batch / devices) / (bandwidth * gpu["memory_efficiency"])
    return Pass(seconds, min(1.0, max(compute, (moved + gather_s) / seconds)))


class _Work(NamedTuple):
    flop: float
    weights: float
    """bytes of weights that every pass reads: all, or only the dense part beside embedding tables"""
    moved_per_sample: float
    """bytes of activations written and read per sample"""
    gathered: float
    """bytes of table rows that the batch gathers"""


def _work(model: Entry, precision: str, batch: int) -> _Work:
    width = BYTES_PER_VALUE[precision]
    scale = width / BYTES_PER_VALUE[native_precision(model)]
    active = "active_parameters" in model
    weights = model["active_parameters"] * width if active else memory.weight_bytes(model, precision)
    return _Work(
        flop=model["flop_per_sample"] * batch,
        weights=weights,
        moved_per_sample=model.get("activation_bytes_per_sample", 0.0) * scale,
        gathered=model.get("gather_bytes_per_sample", 0.0) * scale * batch,
    )


def _compute_efficiency(model: Entry, gpu: Entry) -> FloatArray:
    """Rows (batch, share of the peak rate), linear in log batch: the model's own, else the GPU's number."""
    if "compute_efficiency" in model:
        return model.array("compute_efficiency")
    return np.array([[1.0, gpu["compute_efficiency"]]])


def _gather_s(gpu: Entry, gathered: float, devices: int) -> float:
    """Time to gather so many bytes from tables that are split over the devices, s."""
    if not gathered:
        return 0.0
    own = gathered / devices
    reading = own / (gpu["memory_bytes_per_s"] * gpu["gather_efficiency"])
    if devices == 1:
        return reading
    return reading + gpu["link_latency_s"] + own * (devices - 1) / devices / gpu["link_bytes_per_s"]
