"""What a model holds in GPU memory, and the error that tells how many GPUs would do."""

from __future__ import annotations

import math

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu.roofline import BYTES_PER_VALUE, native_precision

#: Share of the memory that weights, caches and samples may fill; the rest is workspace (vLLM's default).
USABLE = 0.9


def weight_bytes(model: Entry, precision: str) -> float:
    """All weights, B: `weight_bytes` (in the model's own format), else parameters x bytes per value."""
    if "weight_bytes" in model:
        own = BYTES_PER_VALUE[native_precision(model)]
        return model["weight_bytes"] * BYTES_PER_VALUE[precision] / own
    return model["parameters"] * BYTES_PER_VALUE[precision]


def room_bytes(gpu: Entry, devices: int) -> float:
    """Memory that a job may fill on `devices` GPUs, B."""
    return USABLE * gpu["memory_bytes"] * devices


def require_fit(what: str, needed_bytes: float, gpu: Entry, devices: int) -> None:
    """Raise PlacementError, with the smallest count of GPUs that would do, if `devices` are too few."""
    room = room_bytes(gpu, devices)
    if needed_bytes > room:
        count = math.ceil(needed_bytes / room_bytes(gpu, 1))
        raise PlacementError(
            f"{what} needs {needed_bytes / 1e9:.1f} GB, {devices} x {gpu.name} hold {room / 1e9:.1f} GB;"
            f" smallest count that fits: {count}"
        )


def fitting_batch(
    model: Entry, gpu: Entry, batch: int | None, *, fixed_bytes: float, per_job_bytes: float, devices: int
) -> int:
    """The batch asked for, or the model's `default_batch` cut to what the memory holds (1 if it has none).

    Memory: fixed_bytes (weights) + batch x per_job_bytes (caches, samples), spread evenly over `devices`.
    Raises PlacementError when not even one job fits, or not the batch that was asked for.
    """
    if batch is not None and batch < 1:
        raise PlacementError(f"batch is {batch}; want at least 1")
    require_fit(f"model '{model.name}' with one job", fixed_bytes + per_job_bytes, gpu, devices)
    if batch is None:
        most = (room_bytes(gpu, devices) - fixed_bytes) / per_job_bytes if per_job_bytes > 0 else math.inf
        return max(1, int(min(model.get("default_batch", 1.0), most)))
    require_fit(f"model '{model.name}' at batch {batch}", fixed_bytes + batch * per_job_bytes, gpu, devices)
    return batch
