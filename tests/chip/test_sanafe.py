"""Count formulas against SANA-FE 2.2.9 on rasters that it ran: "simple" timing and energy."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from dcsim import catalog
from dcsim.chip import ChipSpec, Placement, SpikingNetwork, execution, place

FOLDER = Path(os.environ.get("DCSIM_DATA", "")) / "cases" / "sanafe"

pytestmark = pytest.mark.skipif(
    not (os.environ.get("DCSIM_DATA") and FOLDER.is_dir()),
    reason="DCSIM_DATA names no folder with cases/sanafe",
)


LAYERED = ["ff_small", "kws_2x256", "mlp_wide"]


class Case(NamedTuple):
    expected: dict
    chip: ChipSpec
    network: SpikingNetwork
    placement: Placement
    fired: np.ndarray
    """spikes per step and slice, (1, T, K)"""


def load(name: str) -> Case:
    case = json.loads((FOLDER / f"{name}.json").read_text())
    chip = ChipSpec.of(catalog.load().get("loihi-sanafe", kind="chip"))
    chip = replace(chip, synapse_bytes_per_core=None)  # a limit that SANA-FE does not know
    with np.load(FOLDER / f"{name}.npz") as arrays:
        core, shape = arrays["core"], arrays["raster_shape"]
        spikes = np.unpackbits(arrays["raster"], axis=1, count=int(shape[1]))
    first = np.flatnonzero(np.diff(core, prepend=-1))
    fired = np.add.reduceat(spikes, first, axis=1, dtype=float)
    network = SpikingNetwork.layered(case["spec"]["sizes"], steps=len(spikes), name=name)
    cores, order = case["spec"]["cores_per_layer"], core[first].tolist()
    placement = place(network, chip, cores_per_layer=cores, core_order=order, inputs="cores")
    assert network.synapses == case["synapses"]
    assert placement.tiles == case["tiles_used"]
    return Case(case["results"]["simple"], chip, network, placement, fired[None])


def run(case: Case, fired: np.ndarray, generator: np.random.Generator | None = None):
    counts = execution.count(fired, case.placement, updates="fired", generator=generator)
    steps = execution.step_times(counts, case.placement, case.chip)
    energy = execution.energy(counts, steps, case.placement, case.chip)
    del energy["static"]  # SANA-FE has none
    return counts, steps, {cause: float(joules.mean()) for cause, joules in energy.items()}


@pytest.mark.parametrize("name", LAYERED)
def test_energy_and_time_of_exact_rasters(name):
    case = load(name)
    counts, steps, energy = run(case, case.fired)
    expected = case.expected
    assert counts.synops.sum() == expected["spikes"]
    assert counts.received.sum() == expected["packets"]
    np.testing.assert_allclose(steps.seconds[0], expected["per_step"]["sim_time"], rtol=1e-6)
    assert steps.seconds.sum() == pytest.approx(expected["sim_time"], rel=1e-6)
    for cause, part in {"neuron": "soma", "synapse": "synapse", "network": "network"}.items():
        assert energy[cause] == pytest.approx(expected["energy"][part], rel=1e-6), cause
    assert sum(energy.values()) == pytest.approx(expected["energy"]["total"], rel=1e-6)


@pytest.mark.parametrize("name", LAYERED)
def test_energy_and_time_of_spikes_drawn_at_the_mean_rates(name):
    case = load(name)
    layer, neurons = case.placement.layer, case.placement.neurons
    rates = np.bincount(layer, case.fired.mean(axis=(0, 1))) / np.bincount(layer, neurons)
    network = replace(case.network, rates=(tuple(rates.tolist()),))
    generator = np.random.default_rng(5)
    _, steps, energy = run(case, execution.sample_fired(network, case.placement, 4, generator), generator)
    assert sum(energy.values()) == pytest.approx(case.expected["energy"]["total"], rel=0.01)
    assert steps.seconds.sum(axis=1).mean() == pytest.approx(case.expected["sim_time"], rel=0.02)
