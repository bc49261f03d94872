"""Training steps on H100 in fp8: what a GPU reaches while it computes, from NVIDIA's published recipes.

Rows of NeMo 24.07's performance summary (DGX H100, dense models that the catalog does not have, so that its own models
are a test): each gives the share of the peak at which `dcsim.gpu.gang` takes as long as was measured.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from dcsim.catalog import Catalog, Entry
from dcsim.catalog.entries import Quantity, Record
from dcsim.gpu.gang import NODE, Gang, Layout, model_step
from dcsim.gpu.roofline import in_format
from gpu_fits.rows import FloatArray

#: GB/s of one GPU to other nodes, and share of the communication that computing hides: the command's defaults
NETWORK, OVERLAP = 50e9, 0.8


class Recipe(NamedTuple):
    """One row: model as (parameters, layers, width), sequences of a step, and what was measured."""

    name: str
    parameters: float
    layers: int
    width: int
    devices: int
    sequences: int
    tokens: int
    layout: Layout
    flop_per_s: float
    """model FLOP per GPU"""


RECIPES = (
    Recipe("GPT3-5B", 5.2e9, 24, 4096, 64, 2048, 2048, Layout(1, 1, 1, 4 * 2048), 770e12),
    Recipe("GPT3-20B", 20e9, 44, 6144, 64, 256, 2048, Layout(2, 1, 1, 2 * 2048), 755e12),
    Recipe("LLAMA2-7B", 6.74e9, 32, 4096, 8, 128, 4096, Layout(1, 1, 1, 4096), 767e12),
    Recipe("LLAMA2-13B", 13.0e9, 40, 5120, 16, 128, 4096, Layout(1, 4, 10, 4096), 760e12),
    Recipe("Nemotron-8B", 8.5e9, 32, 4096, 64, 256, 4096, Layout(2, 1, 1, 4 * 4096), 643e12),
    Recipe("Nemotron-22B", 22e9, 40, 6144, 64, 256, 4096, Layout(2, 4, 10, 2 * 4096), 559e12),
    Recipe("Nemotron-340B", 340e9, 96, 18432, 128, 32, 4096, Layout(8, 8, 12, 4096), 691e12),
)


def shares(known: Catalog) -> FloatArray:
    """Share of the peak while a GPU computes, of each recipe, shape (n,)."""
    gpu = known.get("h100-sxm")
    return np.array([_share(recipe, gpu) for recipe in RECIPES])


def efficiency(known: Catalog) -> float:
    """The median of them over what large matrix products reach: `training_efficiency_fp8`."""
    return float(np.median(shares(known))) / in_format(known.get("h100-sxm"), "compute_efficiency", "fp8")


def _share(recipe: Recipe, gpu: Entry) -> float:
    model, measured = _model(recipe), recipe.flop_per_s / gpu["fp8_flop_per_s"]
    link = gpu["link_bytes_per_s"] if recipe.devices <= NODE else NETWORK
    gang = Gang(recipe.devices, 1.0, overlap=OVERLAP, link_bytes_per_s=link)

    def off(share: float) -> float:
        own = replace(gang, compute_share=share)
        step = model_step(model, gpu, own, recipe.sequences * recipe.tokens, "fp8", recipe.layout)
        return step.mfu - measured

    return float(brentq(off, 0.05, 1.0))


def _model(recipe: Recipe) -> Entry:
    numbers = {
        key: Quantity(value, "1", "NeMo 24.07", "published", value)
        for key, value in (
            ("parameters", recipe.parameters),
            ("layers", float(recipe.layers)),
            ("model_width", float(recipe.width)),
            ("kv_bytes_per_token", 1.0),  # counted in tokens
        )
    }
    return Entry(recipe.name, "model", Record(recipe.name, {}, numbers), set())
