"""The serving stack of 2023: efficiencies and launch times from Splitwise's rows; Llama 2 on 8 GPUs is never fitted."""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from dcsim.catalog import Catalog
from dcsim.validation.splitwise import KEYS, Stack, decode_s, prefill_s
from gpu_fits.rows import FloatArray


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
