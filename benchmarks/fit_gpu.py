"""Fits the GPU numbers of the catalog to public measurements and prints them with their errors.

    DCSIM_DATA=FOLDER python benchmarks/fit_gpu.py [--leave-one-out]

FOLDER/data/gpu holds aic_gemm_power_sample.csv.gz (matrix products on H200 and B200 with latency and power;
ai-dynamo/aiconfigurator, Apache-2.0), mlenergy_v3.csv.gz (language models served by vLLM on H100 and B200;
ml-energy/leaderboard, 2026-02-16) and splitwise_perf_model.csv (Llama 2 70B and BLOOM on A100 and H100;
Mutinifni/splitwise-sim, MIT).

1. Matrix products: median efficiency of large ones, bound by compute and by memory, per GPU and format.
2. Decoding: overheads per step, layer and sequence, and power, from ML.ENERGY's rows of text tasks, with the
   efficiencies of step 1 as priors. The models in HELD_OUT are never fitted: `dcsim validate gpu` tests on them.
   With --leave-one-out every other network is left out in turn too, with all its sizes of tasks and formats.
3. The stack of 2023: efficiencies and launch times from Splitwise's rows; Llama 2 on 8 GPUs is never fitted.
4. Image generation: the share of the peak that image models reach, from ML.ENERGY's rows on one GPU.

The formulas are those of `dcsim.gpu.steps` over arrays of rows; a test compares the two.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.stats import poisson

from dcsim import catalog
from dcsim.catalog import Catalog, Entry
from dcsim.gpu.roofline import BYTES_PER_VALUE, peak_flop_per_s
from dcsim.validation.splitwise import KEYS, Stack, decode_s, prefill_s

FloatArray = npt.NDArray[np.float64]
Parameters = Mapping[str, float]

HELD_OUT = frozenset({"llama-3.1-8b", "llama-3.1-405b", "qwen3-32b"})
_GPUS = {"H100": "h100-sxm", "B200": "b200-sxm"}
_FORMATS = {"bfloat16": "bf16", "fp8": "fp8"}
_TASKS = ("lm-arena-chat", "gpqa", "sourcegraph-fim")
#: steps with more tokens than this run without a captured graph (vLLM's default)
_GRAPH_TOKENS = 512.0
#: p90 over median of the time between tokens, where fewer than a tenth of the steps hold a prompt: above this the
#: host stalls the engine
_STALL = 1.3


# ---------------------------------------------------------------- 1. matrix products


def gemm_table(path: Path, known: Catalog) -> list[str]:
    """Lines: device, format, rows, quartiles of both efficiencies, median power of both classes."""
    gpus = {"NVIDIA H200": known.get("h200-sxm"), "NVIDIA B200": known.get("b200-sxm")}
    formats = {"bfloat16": "bf16", "fp8_block": "fp8", "nvfp4": "fp4"}
    groups: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = (row["device"], formats[row["gemm_dtype"]])
            groups[key].append([float(row[name]) for name in ("m", "n", "k", "latency", "power")])
    lines = []
    for (device, precision), rows in sorted(groups.items()):
        m, n, k, latency_ms, watts = np.array(rows).T
        flop, width = 2.0 * m * n * k, BYTES_PER_VALUE[precision]
        moved = width * (n * k + m * k) + 2.0 * m * n
        compute = flop / peak_flop_per_s(gpus[device], precision) / (latency_ms * 1e-3)
        memory = moved / gpus[device]["memory_bytes_per_s"] / (latency_ms * 1e-3)
        # large enough that neither launches nor the second-level cache decide
        by_compute, by_memory = (flop > 2e11) & (compute > 3 * memory), (moved > 150e6) & (memory > 3 * compute)
        lines.append(
            f"{device} {precision}: compute {_quartiles(compute[by_compute])} ({by_compute.sum()} products,"
            f" {np.median(watts[by_compute]):.0f} W), memory {_quartiles(memory[by_memory])}"
            f" ({by_memory.sum()} products, {np.median(watts[by_memory]):.0f} W)"
        )
    return lines


def _quartiles(values: FloatArray) -> str:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


# ---------------------------------------------------------------- 2. decoding


@dataclass(frozen=True)
class Rows:
    """Measured configurations as columns of shape (n,), and what the catalog says of their model and GPU."""

    network: npt.NDArray[np.str_]
    gpu: npt.NDArray[np.str_]
    precision: npt.NDArray[np.str_]
    task: npt.NDArray[np.str_]
    stalled: npt.NDArray[np.bool_]
    column: Mapping[str, FloatArray]

    def __getitem__(self, name: str) -> FloatArray:
        return self.column[name]

    def __len__(self) -> int:
        return len(self.network)

    def where(self, keep: npt.NDArray[np.bool_]) -> Rows:
        """The rows of a mask."""
        return Rows(
            self.network[keep],
            self.gpu[keep],
            self.precision[keep],
            self.task[keep],
            self.stalled[keep],
            {name: values[keep] for name, values in self.column.items()},
        )


def read_rows(path: Path, known: Catalog) -> Rows:
    """Rows of text tasks whose model, GPU and format the catalog has, without data parallelism."""
    networks = {str(hub): name for name in known.names("model") for hub in _hub(known.get(name))}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        kept = [
            row
            for row in csv.DictReader(file)
            if row["task"] in _TASKS
            and row["model_id"] in networks
            and row["weight_precision"] in _FORMATS
            and float(row["data_parallel"]) == 1.0
        ]
    names = [networks[row["model_id"]] for row in kept]
    gpus = [_GPUS[row["gpu_model"]] for row in kept]
    precisions = [_FORMATS[row["weight_precision"]] for row in kept]
    columns = [
        _measured(row) | _shape(known.get(name), known.get(gpu), precision)
        for row, name, gpu, precision in zip(kept, names, gpus, precisions, strict=True)
    ]
    column = {key: np.array([line[key] for line in columns]) for key in columns[0]}
    rows = Rows(
        np.array(names),
        np.array(gpus),
        np.array(precisions),
        np.array([row["task"] for row in kept]),
        np.zeros(len(kept), bool),
        column,
    )
    return Rows(rows.network, rows.gpu, rows.precision, rows.task, _stalled(rows, kept), column)


def _hub(model: Entry) -> Sequence[object]:
    listed = model.facts.get("hub", [])
    return listed if isinstance(listed, list) else [listed]


def _measured(row: Mapping[str, str]) -> dict[str, float]:
    return {
        "devices": float(row["num_gpus"]),
        "cap": float(row["max_num_seqs"]),
        "batch": float(row["avg_batch_size"]),
        "output": float(row["avg_output_len"]),
        "power_w": float(row["avg_power_watts"]) / float(row["num_gpus"]),
        "itl_s": float(row["median_itl_ms"]) * 1e-3,
        "p90_s": float(row["p90_itl_ms"]) * 1e-3,
        "step_s": float(row["avg_batch_size"]) / float(row["output_throughput_tokens_per_sec"]),
    }


def _shape(model: Entry, gpu: Entry, precision: str) -> dict[str, float]:
    width, layers = BYTES_PER_VALUE[precision], model["layers"]
    expert_layers = model.get("expert_layers", 0.0)
    routed = expert_layers * model.get("experts", 0.0) * model.get("expert_parameters", 0.0)
    entry = model["vocabulary"] * model["model_width"]
    head = 0.0 if model.facts.get("tied_embeddings") else entry
    return {
        "layers": layers,
        "expert_layers": expert_layers,
        "experts": model.get("experts", 1.0),
        "chosen": model.get("experts_per_token", 1.0),
        "expert_bytes": expert_layers * model.get("expert_parameters", 0.0) * width,
        "dense_bytes": (model["parameters"] - routed - head) * width,
        "token_flop": 2.0 * (model.get("active_parameters", model["parameters"]) - head - entry),
        "output_flop": 2.0 * entry,
        "pair_flop": 4.0 * layers * model["attention_width"],
        "vocabulary": model["vocabulary"],
        "cache_bytes": model["kv_bytes_per_token"],
        "cache_split": model["kv_heads"],
        "state_bytes": model.get("state_bytes_per_sequence", 0.0),
        "reduce_bytes": 4.0 * layers * model["model_width"] * 2.0,
        "peak": peak_flop_per_s(gpu, precision),
        "bandwidth": gpu["memory_bytes_per_s"],
        "link": gpu["link_bytes_per_s"],
        "tdp_w": gpu["tdp_w"],
    }


def _stalled(rows: Rows, kept: Sequence[Mapping[str, str]]) -> npt.NDArray[np.bool_]:
    """Configurations (model, task, GPUs) whose steps without a prompt vary too much for decoding alone."""
    ratio: dict[tuple[str, ...], list[float]] = defaultdict(list)
    keys = [tuple(row[name] for name in ("model_id", "task", "gpu_model", "num_gpus")) for row in kept]
    for key, batch, output, p90, itl in zip(
        keys, rows["batch"], rows["output"], rows["p90_s"], rows["itl_s"], strict=True
    ):
        if batch / output < 0.1:
            ratio[key].append(p90 / itl)
    return np.array([bool(ratio[key]) and float(np.median(ratio[key])) > _STALL for key in keys])


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
_START = np.log([value for value, _ in _PRIOR.values()])
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
    compute_share: FloatArray
    memory_share: FloatArray


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
    mean_s, compute_s, memory_s = (
        (1.0 - some) * getattr(plain, part) + some * getattr(mixed, part)
        for part in ("seconds", "compute_s", "memory_s")
    )
    return Run(middle.seconds, mean_s, compute_s / mean_s, memory_s / mean_s)


def fit_times(rows: Rows, start: FloatArray = _START, evaluations: int = 40) -> FloatArray:
    """Logarithms of the parameters: least squares of the logarithms of both times, robust, with the priors."""

    def residual(x: FloatArray) -> FloatArray:
        got = run(rows, _named(x))
        prior = 0.3 * (x - _START) / _SPREAD
        return np.concatenate([np.log(got.itl_s / rows["itl_s"]), np.log(got.step_s / rows["step_s"]), prior])

    return np.asarray(least_squares(residual, start, loss="soft_l1", f_scale=0.1, max_nfev=evaluations).x)


def _named(x: FloatArray) -> dict[str, float]:
    return dict(zip(_NAMES, np.exp(x).tolist(), strict=True))


Power = Mapping[str, FloatArray]


def fit_power(rows: Rows, p: Parameters) -> dict[str, FloatArray]:
    """GPU -> (floor, compute, memory) in W: P = floor + compute u_c + memory u_m, at most the TDP."""
    got, fitted = run(rows, p), {}
    for gpu in sorted(set(rows.gpu.tolist())):
        own = rows.gpu == gpu
        shares = np.stack([np.ones(own.sum()), got.compute_share[own], got.memory_share[own]])
        fitted[gpu] = _fit_power(shares, rows["power_w"][own], rows["tdp_w"][own])
    return fitted


def _fit_power(shares: FloatArray, watts: FloatArray, tdp_w: FloatArray) -> FloatArray:
    start = np.array([0.2, 0.7, 0.5]) * tdp_w[0]

    def residual(x: FloatArray) -> FloatArray:
        return np.concatenate([np.log(np.minimum(x @ shares, tdp_w) / watts), 0.05 * (x - start) / (0.3 * tdp_w[0])])

    return np.asarray(least_squares(residual, start, loss="soft_l1", f_scale=0.1, bounds=(1.0, np.inf)).x)


def power_w(rows: Rows, got: Run, fitted: Power) -> FloatArray:
    """Predicted mean power of one GPU, W, shape (n,)."""
    floor, compute, memory = np.array([fitted[gpu] for gpu in rows.gpu]).T
    return np.minimum(floor + compute * got.compute_share + memory * got.memory_share, rows["tdp_w"])


def errors(rows: Rows, p: Parameters, fitted: Power) -> dict[str, FloatArray]:
    """Relative errors of the time between tokens, J/token and power, shapes (n,)."""
    got = run(rows, p)
    watts = power_w(rows, got, fitted)
    token_j, measured_j = watts * got.step_s, rows["power_w"] * rows["step_s"]
    return {
        "ITL": got.itl_s / rows["itl_s"] - 1.0,
        "J/token": token_j / measured_j - 1.0,
        "power": watts / rows["power_w"] - 1.0,
    }


def told(found: Mapping[str, FloatArray], keep: npt.NDArray[np.bool_]) -> str:
    """Median and 90th percentile of each absolute error."""
    parts = [
        f"{name} {100 * np.median(np.abs(values[keep])):.1f} / {100 * np.quantile(np.abs(values[keep]), 0.9):.1f} %"
        for name, values in found.items()
    ]
    return f"{keep.sum():4d} rows: {', '.join(parts)}"


def leave_one_out(rows: Rows, usable: npt.NDArray[np.bool_], start: FloatArray) -> dict[str, FloatArray]:
    """Errors of every row of the fitted networks, each from a fit without its network."""
    found: dict[str, FloatArray] = {name: np.full(len(rows), np.nan) for name in ("ITL", "J/token", "power")}
    for network in sorted(set(rows.network.tolist()) - HELD_OUT):
        train = rows.where(usable & (rows.network != network))
        p = _named(fit_times(train, start, 12))
        own = rows.network == network
        for name, values in errors(rows.where(own), p, fit_power(train, p)).items():
            found[name][own] = values
        sys.stdout.write(
            f"  without {network:22s} {told({n: v[own] for n, v in found.items()}, ~rows.stalled[own])}\n"
            if (~rows.stalled[own]).any()
            else ""
        )
    return found


def decoding(path: Path, known: Catalog, *, leave_out: bool) -> None:
    """Print the fit of step 2 and its errors."""
    rows = read_rows(path, known)
    held = np.isin(rows.network, sorted(HELD_OUT))
    usable = ~rows.stalled & ~held
    x = fit_times(rows.where(usable))
    p = _named(x)
    for name, value in p.items():
        sys.stdout.write(f"  {name:36s} {value:.4g}\n")
    fitted = fit_power(rows.where(usable), p)
    for gpu, (floor, compute, memory) in fitted.items():
        sys.stdout.write(f"  power {gpu}: {floor:.0f} + {compute:.0f} u_compute + {memory:.0f} u_memory W\n")
    found = errors(rows, p, fitted)
    for title, keep in (
        ("fitted", usable),
        ("held out", held & ~rows.stalled),
        ("held out, stalled", held & rows.stalled),
    ):
        for gpu in sorted(set(rows.gpu[keep].tolist())):
            sys.stdout.write(f"{title}, {gpu}: {told(found, keep & (rows.gpu == gpu))}\n")
    if leave_out:
        apart = leave_one_out(rows, usable, x)
        apart = {name: np.where(held, found[name], values) for name, values in apart.items()}
        for title, keep in (("steady", ~rows.stalled), ("stalled", rows.stalled), ("all", rows.stalled | True)):
            sys.stdout.write(f"models not used, {title}: {told(apart, keep)}\n")


# ---------------------------------------------------------------- 3. the stack of 2023


class Measured(NamedTuple):
    """Median of the repeats of one setting."""

    model: str
    gpu: str
    devices: int
    prompt: int
    batch: int
    prefill_s: float
    decode_s: float


_STACK_MODELS = {"llama2-70b": "llama-2-70b", "bloom-176b": "bloom-176b"}
_STACK_GPUS = {"a100-80gb": "a100-sxm-80", "h100-80gb": "h100-sxm"}
#: prompts up to the context of Llama 2
_LONGEST = 4096


def read_stack(path: Path) -> list[Measured]:
    """Settings with 128 output tokens; power-capped ones are the authors' model, not measured."""
    times: dict[tuple[str, str, int, int, int], list[tuple[float, float]]] = defaultdict(list)
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["hardware"] in _STACK_GPUS and row["token_size"] == "128":
                key = (_STACK_MODELS[row["model"]], _STACK_GPUS[row["hardware"]])
                sizes = (int(row["tensor_parallel"]), int(row["prompt_size"]), int(row["batch_size"]))
                times[*key, *sizes].append((float(row["prompt_time"]) * 1e-3, float(row["token_time"]) * 1e-3))
    return [Measured(*key, *np.median(values, axis=0).tolist()) for key, values in sorted(times.items())]


def is_tested(setting: Measured) -> bool:
    """Llama 2 on 8 GPUs is what the cases of `dcsim validate gpu` hold: never fitted."""
    return setting.model == "llama-2-70b" and setting.devices == 8


def fit_stack(settings: Sequence[Measured], known: Catalog) -> Stack:
    """Least squares of the logarithms of prefills (one prompt) and decode steps of one GPU."""
    prompts = [s for s in settings if s.batch == 1 and s.prompt <= _LONGEST]
    batches = [s for s in settings if s.prompt == 512 and s.decode_s > 0]

    def residual(x: FloatArray) -> FloatArray:
        errors_ = stack_errors(prompts, batches, known, Stack(*np.exp(x).tolist()))
        return np.log1p(np.concatenate(errors_))

    # the larger of two times has plateaus: several starts
    starts = [(0.6, 0.25, 0.8e-3, memory, layer_s, 0.8e-3) for memory in (0.45, 0.6) for layer_s in (0.35e-3, 0.55e-3)]
    fits = [least_squares(residual, np.log(start)) for start in starts]
    return Stack(*np.exp(min(fits, key=lambda fit: float(fit.cost)).x).tolist())


def stack_errors(
    prompts: Sequence[Measured], batches: Sequence[Measured], known: Catalog, reached: Stack
) -> tuple[FloatArray, FloatArray]:
    """Relative errors of prefills and of decode steps."""
    prefill = [
        prefill_s(known.get(s.model), known.get(s.gpu), s.devices, s.prompt, reached) / s.prefill_s for s in prompts
    ]
    decode = [decode_s(known.get(s.model), known.get(s.gpu), s.devices, s.batch, reached) / s.decode_s for s in batches]
    return np.array(prefill) - 1.0, np.array(decode) - 1.0


def old_stack(path: Path, known: Catalog) -> None:
    """Print the fit of step 3 and its errors on the settings that were not fitted."""
    everything = read_stack(path)
    for gpu in sorted(set(_STACK_GPUS.values())):
        own = [s for s in everything if s.gpu == gpu and not (s.devices == 2 and s.batch == 64)]  # ran out of memory
        reached = fit_stack([s for s in own if not is_tested(s)], known)
        told_ = ", ".join(f"{key} {value:.4g}" for key, value in zip(KEYS, reached, strict=True))
        sys.stdout.write(f"{gpu}: {told_}\n")
        for title, tested in (("fitted", False), ("not used", True)):
            chosen = [s for s in own if is_tested(s) is tested]
            prompts = [s for s in chosen if s.batch == 1]
            batches = [s for s in chosen if s.prompt == 512]
            for what, values in zip(("prefill", "decode"), stack_errors(prompts, batches, known, reached), strict=True):
                size = np.abs(values)
                sys.stdout.write(
                    f"  {title} {what}: {100 * np.median(size):.0f} % (median), {100 * size.max():.0f} % (largest)\n"
                )


# ---------------------------------------------------------------- 4. image generation


def diffusion(path: Path, known: Catalog) -> None:
    """Print the share of the peak rate that image models reach, per GPU and model, launches taken off."""
    networks = {str(hub): name for name in known.names("model") for hub in _hub(known.get(name))}
    shares: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["task"] == "text-to-image" and float(row["num_gpus"]) == 1 and row["model_id"] in networks:
                model, gpu = known.get(networks[row["model_id"]]), known.get(_GPUS[row["gpu_model"]])
                launch_s = model["passes"] * model["layers"] * gpu["eager_layer_s"]
                seconds = float(row["batch_latency_s"]) - launch_s
                flop = float(row["batch_size"]) * model["flop_per_sample"]
                shares[gpu.name][model.name].append(flop / seconds / gpu["bf16_flop_per_s"])
    for gpu_name, models in shares.items():
        middle = {name: float(np.median(values)) for name, values in models.items()}
        sys.stdout.write(f"{gpu_name}: {np.median(list(middle.values())):.3f} of the peak;")
        sys.stdout.write("".join(f" {name} {value:.3f}" for name, value in middle.items()) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; 2 without the data."""
    parser = argparse.ArgumentParser(description="Fit the GPU numbers of the catalog to public measurements.")
    parser.add_argument("--leave-one-out", action="store_true", help="also fit without each network in turn")
    wanted = parser.parse_args(argv)
    if "DCSIM_DATA" not in os.environ:
        sys.stderr.write("set DCSIM_DATA to the folder with data/gpu\n")
        return 2
    folder, known = Path(os.environ["DCSIM_DATA"]) / "data" / "gpu", catalog.load()
    sys.stdout.write("\n".join(["matrix products", *gemm_table(folder / "aic_gemm_power_sample.csv.gz", known), ""]))
    sys.stdout.write("decoding\n")
    decoding(folder / "mlenergy_v3.csv.gz", known, leave_out=wanted.leave_one_out)
    sys.stdout.write("\nserving stack of 2023\n")
    old_stack(folder / "splitwise_perf_model.csv", known)
    sys.stdout.write("\nimage generation\n")
    diffusion(folder / "mlenergy_v3.csv.gz", known)
    return 0


if __name__ == "__main__":
    sys.exit(main())
