"""Image generation in ML.ENERGY's runs on one GPU: the share of the peak that each model reaches.

share(model, GPU) = level of the GPU x factor of the model. The level is the median of the models' shares; the factor is
fitted on H100 alone, over its level, so that the rows of B200 say what it is worth on another GPU.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dcsim.catalog import Catalog
from dcsim.gpu.points import batch_point
from gpu_fits.rows import GPUS, FloatArray, hub

#: GPU whose rows give the factors
_FITTED_ON = "h100-sxm"


class Image(NamedTuple):
    """One batch size of one model."""

    model: str
    gpu: str
    batch: int
    seconds: float
    """of a batch"""
    image_j: float


def read(path: Path, known: Catalog) -> list[Image]:
    """Rows on one GPU of models that the catalog has."""
    networks = {str(published): name for name in known.names("model") for published in hub(known.get(name))}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [
            Image(
                networks[row["model_id"]],
                GPUS[row["gpu_model"]],
                int(float(row["batch_size"])),
                float(row["batch_latency_s"]),
                float(row["energy_per_image_joules"]),
            )
            for row in csv.DictReader(file)
            if row["task"] == "text-to-image" and float(row["num_gpus"]) == 1 and row["model_id"] in networks
        ]


def shares(images: list[Image], known: Catalog) -> dict[str, dict[str, float]]:
    """GPU -> model that calibrates -> median share of the peak over its batches, launches taken off."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for image in images:
        model, gpu = known.get(image.model), known.get(image.gpu)
        if model.facts.get("calibrates"):
            seconds = image.seconds - model["passes"] * model["layers"] * gpu["eager_layer_s"]
            share = image.batch * model["flop_per_sample"] / seconds / gpu["bf16_flop_per_s"]
            found[image.gpu][image.model].append(share)
    return {gpu: {name: float(np.median(each)) for name, each in own.items()} for gpu, own in found.items()}


def fit(found: dict[str, dict[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """(level of each GPU, factor of each model)."""
    levels = {gpu: float(np.median(list(own.values()))) for gpu, own in found.items()}
    return levels, {name: share / levels[_FITTED_ON] for name, share in found[_FITTED_ON].items()}


def errors(images: list[Image], known: Catalog) -> dict[tuple[str, str], tuple[FloatArray, FloatArray]]:
    """(model, GPU) -> relative errors of the time and of J per image with the catalog's numbers, shapes (batches,)."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for image in images:
        point = batch_point(known.get(image.model), known.get(image.gpu), batch=image.batch)
        errors_ = point.latency_s / image.seconds - 1.0, point.sample_j / image.image_j - 1.0
        found[image.model, image.gpu].append(errors_)
    return {key: tuple(np.array(each).T) for key, each in found.items()}  # type: ignore[misc]  # two rows


def table(images: list[Image], known: Catalog) -> list[str]:
    """Lines: levels and factors of the fit, then the median errors with the catalog's numbers."""
    found = shares(images, known)
    levels, factors = fit(found)
    lines = [f"{gpu}: {level:.3f} of the peak" for gpu, level in levels.items()]
    lines += [f"{name}: factor {factor:.3f}" for name, factor in factors.items()]
    for (name, gpu), (seconds, joules) in sorted(errors(images, known).items()):
        calibrated = known.get(name).facts.get("calibrates") and gpu == _FITTED_ON
        status = "fitted" if calibrated else "factor of H100" if name in factors else "not used"
        lines.append(
            f"{name} on {gpu} ({status}): time {100 * np.median(seconds):+.0f} %, J {100 * np.median(joules):+.0f} %"
        )
    return lines
