"""Matrix products of aiconfigurator: the share of the peak and of the memory rate that large ones reach, and power."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dcsim.catalog import Catalog
from dcsim.gpu.roofline import BYTES_PER_VALUE, in_format, peak_flop_per_s
from gpu_fits.rows import FloatArray

_GPUS = {"NVIDIA H200": "h200-sxm", "NVIDIA B200": "b200-sxm"}
_FORMATS = {"bfloat16": "bf16", "fp8_block": "fp8", "nvfp4": "fp4"}


class Products(NamedTuple):
    """Products of one GPU in one format, shapes (n,)."""

    compute: FloatArray
    """share of the peak rate"""
    memory: FloatArray
    """share of the memory rate"""
    flop: FloatArray
    moved: FloatArray
    seconds: FloatArray
    watts: FloatArray


def read(path: Path, known: Catalog) -> dict[tuple[str, str], Products]:
    """(GPU, format) -> its products."""
    groups: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = (_GPUS[row["device"]], _FORMATS[row["gemm_dtype"]])
            groups[key].append([float(row[name]) for name in ("m", "n", "k", "latency", "power")])
    found = {}
    for (name, precision), rows in sorted(groups.items()):
        m, n, k, latency_ms, watts = np.array(rows).T
        gpu, seconds, width = known.get(name), latency_ms * 1e-3, BYTES_PER_VALUE[precision]
        flop, moved = 2.0 * m * n * k, width * (n * k + m * k) + 2.0 * m * n
        compute = flop / peak_flop_per_s(gpu, precision) / seconds
        found[name, precision] = Products(
            compute, moved / gpu["memory_bytes_per_s"] / seconds, flop, moved, seconds, watts
        )
    return found


def table(products: dict[tuple[str, str], Products]) -> list[str]:
    """Lines: GPU, format, rows, quartiles of both shares, median power of both classes."""
    lines = []
    for (name, precision), own in products.items():
        # large enough that neither launches nor the second-level cache decide
        by_compute = (own.flop > 2e11) & (own.compute > 3 * own.memory)
        by_memory = (own.moved > 150e6) & (own.memory > 3 * own.compute)
        lines.append(
            f"{name} {precision}: compute {_quartiles(own.compute[by_compute])} ({by_compute.sum()} products,"
            f" {np.median(own.watts[by_compute]):.0f} W), memory {_quartiles(own.memory[by_memory])}"
            f" ({by_memory.sum()} products, {np.median(own.watts[by_memory]):.0f} W)"
        )
    return lines


def shares(
    products: dict[tuple[str, str], Products], known: Catalog, name: str, least_s: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Shares of the time computing and reading, and W, of a GPU's products of at least so long; all formats."""
    gpu, kept = known.get(name), []
    for (own_name, precision), own in products.items():
        if own_name == name:
            long = own.seconds > least_s
            compute = own.compute / in_format(gpu, "compute_efficiency", precision)
            memory = own.memory / in_format(gpu, "memory_efficiency", precision)
            kept.append(np.stack([np.minimum(compute, 1.0), np.minimum(memory, 1.0), own.watts])[:, long])
    compute, memory, watts = np.concatenate(kept, axis=1)
    return compute, memory, watts


def _quartiles(values: FloatArray) -> str:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"
