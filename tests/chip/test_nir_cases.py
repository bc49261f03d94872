"""Networks that other frameworks trained: the same spikes and predictions, from the file and the input alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from dcsim.chip.dynamics import simulate
from dcsim.chip.network import SpikingNetwork

pytest.importorskip("h5py", reason="the package nir is not installed: pip install 'dcsim[nir]'")

FOLDER = Path(os.environ.get("DCSIM_DATA", "")) / "cases" / "nir"

pytestmark = pytest.mark.skipif(
    not (os.environ.get("DCSIM_DATA") and FOLDER.is_dir()), reason="DCSIM_DATA names no folder with cases/nir"
)

CASES = ["digits_norse", "digits_snntorch", "digits_snntorch_rec", "digits_snntorch_subtract"]


def differing(name: str, **changed: object) -> tuple[SpikingNetwork, int, int, int]:
    """Network, and how many raster bins, spike counts and predictions differ; `changed` are options of the reader."""
    case = json.loads((FOLDER / f"{name}.json").read_text())
    options = {"dt_s": case["dt"], "reset": "subtract" if case["reset"] == "subtract" else "value"} | changed
    network = SpikingNetwork.from_nir(FOLDER / f"{name}.nir", **options)
    with np.load(FOLDER / f"{name}.npz") as arrays:
        saved = dict(arrays)
    run = simulate(network, saved["input"].reshape(*saved["input"].shape[:2], -1))
    numbers = [[layer.name for layer in network.layers].index(label) for label in saved["layers"]]
    bins = 0
    for index, number in enumerate(numbers):
        shape = saved[f"raster_{index}_shape"]
        raster = np.unpackbits(saved[f"raster_{index}"], count=int(np.prod(shape))).reshape(shape)
        bins += int((run.spikes(number)[: shape[0]] != raster).sum())
    outputs = run.spikes(numbers[-1]).sum(axis=1)
    assert network.synapses == case["synapses_total"]
    predicted = int((outputs.argmax(axis=1) != saved["predictions"]).sum())
    return network, bins, int((run.counts[:, numbers] != saved["counts"]).sum()), predicted


@pytest.mark.parametrize("name", CASES)
def test_a_trained_network_gives_the_spikes_of_its_framework(name):
    network, *different = differing(name)
    assert different == [0, 0, 0]
    assert network.layers[0].is_input
    assert network.outputs == (2,)


def test_a_misreading_is_as_far_off_as_it_should_be():
    # the shares of wrong bins that the case states for these misreadings of `digits_norse`, of 22,200 bins
    assert differing("digits_norse", integration="exponential")[1] == pytest.approx(0.1155 * 22_200, abs=1)
    assert differing("digits_norse", layer_delay=1)[1] == pytest.approx(0.0068 * 22_200, abs=1)
    assert differing("digits_norse", reset="subtract")[1] == pytest.approx(0.06095 * 22_200, abs=1)
    assert differing("digits_norse", dt_s=1e-4)[1] == pytest.approx(0.11707 * 22_200, abs=1)
