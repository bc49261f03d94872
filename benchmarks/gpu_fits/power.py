"""Power of a GPU from the shares of its time computing and reading: served models, long products, Splitwise's decoding.

    P = waiting + s (1 - exp(-(compute c + memory m) / s)),  s = TDP - waiting

Iterations of served models with and without prompts draw their own power, each by its time. Two numbers per GPU;
waiting is the catalog's `awake_w`. A line of c and m that the TDP cuts, with a floor of its own as a third number, errs
more on networks left out (energy per token at the 90th percentile 31 % for 29 %, both from mean shares).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from dcsim.catalog import Catalog, Entry
from dcsim.gpu.roofline import peak_flop_per_s
from gpu_fits.decoding import Parameters, Run, run
from gpu_fits.rows import FloatArray, Rows

#: GPU -> (compute, memory) in W
Power = Mapping[str, FloatArray]

#: the counter's mean over shorter products has the pauses between them
LONG_S = 1e-4
_SPLITWISE = {"llama2-70b": "llama-2-70b", "bloom-176b": "bloom-176b"}
_LONGEST_PROMPT, _LARGEST_BATCH = 2048, 4


def form(gpu: Entry, numbers: FloatArray, compute: FloatArray, memory: FloatArray) -> FloatArray:
    """The equation, W; shapes (n,). `dcsim.gpu.power.busy` is the same for one point."""
    span_w = gpu["tdp_w"] - gpu["awake_w"]
    return np.asarray(gpu["awake_w"] - span_w * np.expm1(-(numbers[0] * compute + numbers[1] * memory) / span_w))


def mean_w(gpu: Entry, numbers: FloatArray, got: Run) -> FloatArray:
    """The equation over both kinds of iterations, W; shape (n,)."""
    return np.asarray((got.weight * form(gpu, numbers, got.compute, got.memory)).sum(axis=0))


def fit(gpu: Entry, compute: FloatArray, memory: FloatArray, watts: FloatArray) -> FloatArray:
    """(compute, memory) in W of work of one kind: robust least squares of the logarithm of the power."""
    return _fit(gpu, lambda numbers: form(gpu, numbers, compute, memory), watts)


def _fit(gpu: Entry, power_w: Callable[[FloatArray], FloatArray], watts: FloatArray) -> FloatArray:
    def residual(x: FloatArray) -> FloatArray:
        return np.log(power_w(np.exp(x)) / watts)

    start = np.log(np.array([4.0, 1.0]) * gpu["tdp_w"])
    return np.asarray(np.exp(least_squares(residual, start, loss="soft_l1", f_scale=0.1).x))


def fit_served(rows: Rows, p: Parameters, known: Catalog) -> dict[str, FloatArray]:
    """GPU -> its numbers from served models."""
    return {gpu: _fit_served(rows.where(rows.gpu == gpu), p, known.get(gpu)) for gpu in sorted(set(rows.gpu.tolist()))}


def _fit_served(rows: Rows, p: Parameters, gpu: Entry) -> FloatArray:
    got = run(rows, p)
    return _fit(gpu, lambda numbers: mean_w(gpu, numbers, got), rows["power_w"])


def served_w(rows: Rows, p: Parameters, fitted: Power, known: Catalog) -> FloatArray:
    """Predicted mean power of one GPU, W, shape (n,)."""
    watts = np.empty(len(rows))
    for gpu in set(rows.gpu.tolist()):
        own = rows.gpu == gpu
        watts[own] = mean_w(known.get(gpu), fitted[gpu], run(rows.where(own), p))
    return watts


def fit_old_decoding(path: Path, known: Catalog) -> tuple[float, FloatArray]:
    """Memory power of A100, W, from Splitwise's runs of which decoding is most; and the relative errors.

    Its compute power stays the catalog's: one sequence hardly computes.
    """
    gpu = known.get("a100-sxm-80")
    taken: dict[tuple[str, int, int, int], list[tuple[float, float]]] = defaultdict(list)
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            prompt, batch, power = int(row["prompt_size"]), int(row["batch_size"]), float(row["average_power"])
            few = prompt <= _LONGEST_PROMPT and batch <= _LARGEST_BATCH and row["token_size"] == "128"
            if row["hardware"] == "a100-80gb" and power > 0.0 and few:
                key = (_SPLITWISE[row["model"]], int(row["tensor_parallel"]), batch, prompt)
                taken[key].append((float(row["token_time"]) * 1e-3, power * gpu["tdp_w"]))
    columns = []
    for (name, devices, batch, _), runs in taken.items():
        model, (step_s, watts) = known.get(name), np.median(runs, axis=0)
        rate = peak_flop_per_s(gpu, "fp16") * gpu["compute_efficiency"]
        compute = 2.0 * model["parameters"] * batch / devices / rate / step_s
        reading_s = 2.0 * model["parameters"] / devices / (gpu["memory_bytes_per_s"] * gpu["memory_efficiency"])
        columns.append((compute, min(1.0, reading_s / step_s), watts))
    compute, memory, watts = np.array(columns).T

    def residual(x: FloatArray) -> FloatArray:
        return np.log(form(gpu, np.array([gpu["power_compute_w"], x[0]]), compute, memory) / watts)

    best = least_squares(residual, [gpu["tdp_w"]]).x
    return float(best[0]), np.expm1(residual(best))
