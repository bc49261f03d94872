"""Time of an operation on a GPU: the roofline with measured efficiencies; and the formats a GPU computes in.

t = max(FLOP / (peak x eta_c), bytes / (bandwidth x eta_m)) + t0

Efficiencies and launch times are per GPU and format. `benchmarks/fit_gpu.py` fits them to public measurements.
"""

from __future__ import annotations

from typing import NamedTuple

from dcsim.catalog import Entry
from dcsim.errors import PlacementError, nearest

#: Number format -> bytes per value.
BYTES_PER_VALUE = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5}


def precisions(gpu: Entry) -> list[str]:
    """Number formats for which the catalog has a peak rate of this GPU."""
    return [precision for precision in BYTES_PER_VALUE if _rate_key(precision) in gpu]


def peak_flop_per_s(gpu: Entry, precision: str) -> float:
    """Peak dense rate in that format, FLOP/s (operations per second for int8)."""
    return gpu[_rate_key(precision)]


class Reached(NamedTuple):
    """What kernels of one GPU reach of its roofline."""

    flop_per_s: float
    bytes_per_s: float


def reached(gpu: Entry, precision: str) -> Reached:
    """Rates of one GPU in that format; CatalogError for a missing number."""
    return Reached(
        peak_flop_per_s(gpu, precision) * in_format(gpu, "compute_efficiency", precision),
        gpu["memory_bytes_per_s"] * in_format(gpu, "memory_efficiency", precision),
    )


def in_format(gpu: Entry, key: str, precision: str) -> float:
    """The number `key` of this format (`layer_fp8_s`, `memory_efficiency_fp8`) when there is one, else `key`."""
    own = f"{key.removesuffix('_s')}_{precision}_s" if key.endswith("_s") else f"{key}_{precision}"
    return gpu[own] if own in gpu else gpu[key]


def choose_precision(model: Entry, gpu: Entry, precision: str | None) -> str:
    """The format asked for; else the model's own, or the 16-bit one of a GPU that lacks it.

    Raises PlacementError for a format that does not exist or that the GPU does not compute in.
    """
    offered = precisions(gpu)
    if precision is not None:
        if precision not in BYTES_PER_VALUE:
            raise PlacementError(f"precision '{precision}' is unknown{nearest(precision, BYTES_PER_VALUE)}")
        if precision not in offered:
            raise PlacementError(f"gpu '{gpu.name}' does not compute in {precision}; allowed: {', '.join(offered)}")
        return precision
    for candidate in (native_precision(model), "bf16", "fp16"):
        if candidate in offered:
            return candidate
    raise PlacementError(f"gpu '{gpu.name}' has no 16-bit rate for '{model.name}'; name a precision of it")


def native_precision(model: Entry) -> str:
    """Format in which the catalog's byte counts of the model are written: its `is.dtype`, else fp16."""
    dtype = str(model.facts.get("dtype", "fp16"))
    if dtype not in BYTES_PER_VALUE:
        raise PlacementError(f"model '{model.name}': is.dtype '{dtype}' is unknown{nearest(dtype, BYTES_PER_VALUE)}")
    return dtype


def _rate_key(precision: str) -> str:
    return "int8_op_per_s" if precision == "int8" else f"{precision}_flop_per_s"
