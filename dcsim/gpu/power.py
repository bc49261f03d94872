"""Power of one GPU while it works, from measured curves.

Two forms: a power law of utilisation for any kernels, and tables of mean power against the batch for language
models that are being served. Both end as `chip_curve_w`: power above idle against the number of jobs on the
device.
"""

from __future__ import annotations

import numpy as np

from dcsim.catalog import Entry
from dcsim.service import FloatArray


def law_w(gpu: Entry, utilisation: FloatArray) -> FloatArray:
    """Power at utilisation u (0..1), W, same shape: P = P_floor + (P_peak - P_floor) u^g.

    u is the larger of compute and memory rate, each over the highest rate that kernels reach. Fits to
    measured GEMMs (aiconfigurator): H200 143 + 536 u^1.36 W (R2 .69), B200 302 + 611 u^.85 W (R2 .49).
    Without an exponent in the catalog the law is linear.
    """
    floor = gpu["power_floor_w"] if "power_floor_w" in gpu else gpu["awake_w"]
    return floor + (gpu["peak_w"] - floor) * np.clip(utilisation, 0.0, 1.0) ** gpu.get("power_exponent", 1.0)


def decode_w(model: Entry, gpu: Entry, operating_point: str, sequences: FloatArray) -> FloatArray:
    """Mean power of one GPU that serves so many sequences of a language model, W, same shape.

    Rows (batch, share of TDP), linear between them and constant beyond: of this model on these GPUs where the
    catalog has them, else the median over models of this GPU. The measured means include the prefills of the
    run.
    """
    key = f"decode_power_share_{operating_point}"
    table = model.array(key) if key in model else gpu.array("decode_power_share")
    return gpu["tdp_w"] * np.interp(sequences, table[:, 0], table[:, 1])


def curve_above_idle_w(gpu: Entry, watts: FloatArray) -> FloatArray:
    """Power above idle with 0..n jobs, W, shape (n + 1,), non-decreasing, from the power with 1..n jobs."""
    above = np.maximum.accumulate(np.maximum(watts - gpu["idle_w"], 0.0))
    return np.concatenate(([0.0], above))
