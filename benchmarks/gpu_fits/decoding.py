"""Decoding: overheads per step, layer and sequence, from ML.ENERGY's rows, with efficiencies of products as priors.

The formulas are those of `dcsim.gpu.steps` over arrays of rows; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import poisson

from gpu_fits.rows import FloatArray, Rows

Parameters = Mapping[str, float]

#: steps with more tokens than this run without a captured graph (vLLM's default)
_GRAPH_TOKENS = 512.0

#: parameter -> (prior value, standard deviation of its logarithm)
_PRIOR: dict[str, tuple[float, float]] = {
    "memory_efficiency h100-sxm bf16": (0.83, 0.04),
    "memory_efficiency h100-sxm fp8": (0.73, 0.08),
    "memory_efficiency b200-sxm bf16": (0.79, 0.04),
    "memory_efficiency b200-sxm fp8": (0.73, 0.1),
    "compute_efficiency h100-sxm bf16": (0.70, 0.04),
    "compute_efficiency h100-sxm fp8": (0.51, 0.08),
    "compute_efficiency b200-sxm bf16": (0.62, 0.04),
    "compute_efficiency b200-sxm fp8": (0.44, 0.08),
    "layer_s h100-sxm bf16": (20e-6, 0.7),
    "layer_s h100-sxm fp8": (30e-6, 0.7),
    "layer_s b200-sxm bf16": (20e-6, 0.7),
    "layer_s b200-sxm fp8": (30e-6, 0.7),
    "expert_layer_s h100-sxm bf16": (20e-6, 0.7),
    "expert_layer_s h100-sxm fp8": (80e-6, 0.7),
    "expert_layer_s b200-sxm bf16": (20e-6, 0.7),
    "expert_layer_s b200-sxm fp8": (80e-6, 0.7),
    "sample_s h100-sxm": (0.25e-9, 0.7),
    "sample_s b200-sxm": (0.25e-9, 0.7),
    "expert_efficiency": (0.6, 0.3),
    "routing_exponent": (0.65, 0.2),
    "hop_s": (6e-6, 0.7),
    "eager_layer_s": (350e-6, 0.15),
    "eager_expert_layer_s": (300e-6, 0.3),
    "step_s": (1e-3, 0.5),
    "prompt lm-arena-chat": (300.0, 0.05),
    "prompt gpqa": (250.0, 0.5),
    "prompt sourcegraph-fim": (1500.0, 0.7),
    "short prompt": (0.3, 0.3),
}
_NAMES = tuple(_PRIOR)
START = np.log([value for value, _ in _PRIOR.values()])
_SPREAD = np.array([spread for _, spread in _PRIOR.values()])


@dataclass(frozen=True)
class Step:
    """Iterations of all rows, shapes (n,)."""

    seconds: FloatArray
    compute_s: FloatArray
    memory_s: FloatArray


def step(rows: Rows, p: Parameters, prompt_tokens: FloatArray | float) -> Step:
    """One iteration of each row's batch that also computes so many prompt tokens (`dcsim.gpu.steps.StepCost`)."""
    batch, devices = rows["batch"], rows["devices"]
    tokens = batch + prompt_tokens
    flop_per_s = rows["peak"] * _of(rows, p, "compute_efficiency") * devices
    bytes_per_s = rows["bandwidth"] * _of(rows, p, "memory_efficiency")
    compute = (rows["token_flop"] * tokens + rows["output_flop"] * batch) / flop_per_s
    memory = rows["dense_bytes"] / devices / bytes_per_s + rows["expert_layers"] * _of(rows, p, "expert_layer_s")
    mean, most = _experts(rows, p, tokens)
    expert_s = rows["expert_bytes"] / (bytes_per_s * p["expert_efficiency"])
    memory = memory + mean * expert_s
    sequence = batch * (rows["vocabulary"] * _of_gpu(rows, p, "sample_s") + rows["state_bytes"] / devices / bytes_per_s)
    fixed = p["step_s"] + rows["layers"] * (_of(rows, p, "layer_s") + 2.0 * p["hop_s"] * np.log2(devices))
    link = rows["reduce_bytes"] * (devices - 1.0) / devices / rows["link"] * tokens
    seconds = fixed + sequence + link + np.maximum(compute, memory + (most - mean) * expert_s)
    eager = tokens > np.minimum(2.0 * rows["cap"], _GRAPH_TOKENS)
    seconds = np.where(eager, np.maximum(seconds, _eager_s(rows, p)), seconds)
    context = _by_task(rows, p) + 0.5 * rows["output"]
    read = batch * context * rows["cache_bytes"] / np.minimum(devices, rows["cache_split"]) / bytes_per_s
    pairs = batch * context * rows["pair_flop"] / flop_per_s
    return Step(seconds + np.maximum(read, pairs), compute + pairs, memory + read)


def _eager_s(rows: Rows, p: Parameters) -> FloatArray:
    return np.asarray(rows["layers"] * p["eager_layer_s"] + rows["expert_layers"] * p["eager_expert_layer_s"])


def _experts(rows: Rows, p: Parameters, tokens: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Experts of a layer that a GPU reads, in the mean and in the expectation of the busiest."""
    hit = 1.0 - (1.0 - rows["chosen"] / rows["experts"]) ** (tokens ** p["routing_exponent"])
    own = rows["experts"] / rows["devices"]
    excess = np.sqrt(2.0 * np.log(rows["devices"]) * own * hit * (1.0 - hit))
    return own * hit, np.minimum(own, own * hit + excess)


def _of(rows: Rows, p: Parameters, name: str) -> FloatArray:
    return np.array([p[f"{name} {g} {f}"] for g, f in zip(rows.gpu, rows.precision, strict=True)])


def _of_gpu(rows: Rows, p: Parameters, name: str) -> FloatArray:
    return np.array([p[f"{name} {g}"] for g in rows.gpu])


def _by_task(rows: Rows, p: Parameters) -> FloatArray:
    return np.array([p[f"prompt {task}"] for task in rows.task])


@dataclass(frozen=True)
class Run:
    """What a run of each row shows, shapes (n,)."""

    itl_s: FloatArray
    """median time between tokens"""
    step_s: FloatArray
    """mean time of an iteration"""
    compute: FloatArray
    """share of the time computing in iterations without prompts and in those with, shape (2, n)"""
    memory: FloatArray
    """the same of reading"""
    weight: FloatArray
    """share of the time that each kind takes, shape (2, n)"""


def run(rows: Rows, p: Parameters) -> Run:
    """A full engine: every iteration begins a number of prompts that is Poisson with mean batch / output tokens.

    The median iteration holds the median number of prompts of typical (not mean) length.
    """
    mean_prompts = rows["batch"] / rows["output"]
    some = -np.expm1(-mean_prompts)
    prompt = _by_task(rows, p)
    plain, mixed = step(rows, p, 0.0), step(rows, p, prompt * mean_prompts / some)
    typical = np.where(rows.task == "lm-arena-chat", p["short prompt"], 1.0)
    median = poisson.ppf(0.5, mean_prompts)
    middle = step(rows, p, median * prompt * typical)
    seconds, compute_s, memory_s = (
        np.stack([getattr(plain, part), getattr(mixed, part)]) for part in ("seconds", "compute_s", "memory_s")
    )
    spent_s = np.stack([1.0 - some, some]) * seconds
    mean_s = spent_s.sum(axis=0)
    return Run(middle.seconds, mean_s, compute_s / seconds, memory_s / seconds, spent_s / mean_s)


def fit_times(rows: Rows, start: FloatArray = START, evaluations: int = 40) -> FloatArray:
    """Logarithms of the parameters: least squares of the logarithms of both times, robust, with the priors."""

    def residual(x: FloatArray) -> FloatArray:
        got = run(rows, named(x))
        prior = 0.3 * (x - START) / _SPREAD
        return np.concatenate([np.log(got.itl_s / rows["itl_s"]), np.log(got.step_s / rows["step_s"]), prior])

    return np.asarray(least_squares(residual, start, loss="soft_l1", f_scale=0.1, max_nfev=evaluations).x)


def named(x: FloatArray) -> dict[str, float]:
    """Parameters by their names, from their logarithms."""
    return dict(zip(_NAMES, np.exp(x).tolist(), strict=True))
