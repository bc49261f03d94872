"""The execution model against SANA-FE 2.2.9 on networks that it ran: exact rasters, messages, counts and rates."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from dcsim import catalog
from dcsim.chip import ChipSpec, Neurons, Placement, SpikingNetwork, execute, noc, place
from dcsim.chip.dynamics import simulate

FOLDER = Path(os.environ.get("DCSIM_DATA", "")) / "cases" / "sanafe"

pytestmark = pytest.mark.skipif(
    not (os.environ.get("DCSIM_DATA") and FOLDER.is_dir()),
    reason="DCSIM_DATA names no folder with cases/sanafe",
)

CASES = ["ff_small", "kws_2x256", "rand_1k", "lif_4k", "rand_8k", "mlp_wide", "rand_32k"]
LAYERED = ["ff_small", "kws_2x256", "mlp_wide"]
PARTS = {"neuron": "soma", "synapse": "synapse", "network": "network"}


class Case(NamedTuple):
    spec: dict
    results: dict
    tiles: int
    chip: ChipSpec
    network: SpikingNetwork
    placement: Placement
    spikes: np.ndarray
    """(T, neurons)"""
    updated: np.ndarray | str
    arrays: dict


@lru_cache(maxsize=2)
def load(name: str) -> Case:
    case = json.loads((FOLDER / f"{name}.json").read_text())
    chip = ChipSpec.of(catalog.load().get("loihi-sanafe", kind="chip"))
    with np.load(FOLDER / f"{name}.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    spikes = np.unpackbits(arrays["raster"], axis=1, count=int(arrays["raster_shape"][1])).astype(bool)
    network = SpikingNetwork.from_synapses(
        arrays["pre"], arrays["post"], neurons=len(arrays["core"]), inputs=arrays["kind"] == 0, steps=len(spikes)
    )
    updated = followed(arrays, len(spikes))[1] if (arrays["kind"] == 2).any() else "fired"
    placement = Placement(arrays["core"])
    return Case(case["spec"], case["results"], case["tiles_used"], chip, network, placement, spikes, updated, arrays)


def followed(arrays: dict, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Spikes and updates of leaky neurons without inputs, one step after the other: an oracle of its own."""
    neurons, pre, post = len(arrays["core"]), arrays["pre"], arrays["post"]
    v, current = np.zeros(neurons), np.zeros(neurons)
    touched = np.zeros(neurons, dtype=bool)
    spikes, updated = np.zeros((2, steps, neurons), dtype=bool)
    for step in range(steps):
        updated[step] = (v != 0.0) | touched | (arrays["bias"] != 0.0)
        v = v * arrays["leak"] + arrays["bias"] + current
        spikes[step] = v > arrays["threshold"]
        v[spikes[step]] = 0.0
        sent = spikes[step][pre]
        current = np.bincount(post[sent], arrays["weight"][sent], neurons)
        touched = np.bincount(post[sent], minlength=neurons) > 0
    return spikes, updated | spikes


def run(case: Case, **options):
    return execute(case.network, case.placement, case.chip, updates=case.updated, **options)


@pytest.mark.parametrize("name", CASES)
def test_energy_time_and_events_of_exact_rasters(name):
    case = load(name)
    found, expected = run(case, spikes=case.spikes), case.results["simple"]
    counts = found.counts
    assert found.wiring.tiles == case.tiles
    assert counts.synops.sum() == expected["spikes"]
    assert counts.received.sum() == counts.sent.sum() == expected["packets"]
    assert counts.hops_ew.sum() + counts.hops_ns.sum() == expected["hops"]
    assert counts.fired.sum() == expected["neurons_fired"]
    free = case.spikes[:, case.network.is_free].sum(axis=1)
    np.testing.assert_array_equal(counts.updated[0].sum(axis=1) + free, expected["per_step"]["updated"])
    np.testing.assert_allclose(found.steps.seconds[0], expected["per_step"]["sim_time"], rtol=1e-9)
    assert found.latency_s[0] == pytest.approx(expected["sim_time"], rel=1e-9)
    for cause, part in PARTS.items():
        assert found.energy_j[cause][0] == pytest.approx(expected["energy"][part], rel=1e-9), cause
    assert found.chip_j[0] == pytest.approx(expected["energy"]["total"], rel=1e-9)


@pytest.mark.parametrize("name", LAYERED)
def test_layers_cut_into_slices_are_the_same_network(name):
    """No synapse is built: the analytic fan-out gives every step that the explicit synapses give."""
    case = load(name)
    chip = replace(case.chip, synapse_bytes_per_core=None)  # a limit that SANA-FE does not know
    network = SpikingNetwork.layered(case.spec["sizes"], steps=len(case.spikes))
    assert network.synapses == case.network.synapses
    order = case.arrays["core"][np.flatnonzero(np.diff(case.arrays["core"], prepend=-1))].tolist()
    placement = place(network, chip, cores_per_layer=case.spec["cores_per_layer"], core_order=order, inputs="cores")
    assert placement == case.placement
    fired = np.stack([np.bincount(case.arrays["core"], row, 128)[order] for row in case.spikes])
    found = execute(network, placement, chip, fired=fired, updates="fired")
    expected = case.results["simple"]
    np.testing.assert_allclose(found.steps.seconds[0], expected["per_step"]["sim_time"], rtol=1e-9)
    assert found.chip_j[0] == pytest.approx(expected["energy"]["total"], rel=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_time_message_by_message(name):
    if not noc.compiled() and name not in ("ff_small", "rand_1k"):
        pytest.skip("numba is not installed: half a minute")
    case = load(name)
    found, expected = run(case, spikes=case.spikes, timing="message"), case.results["detailed"]
    assert found.latency_s[0] == pytest.approx(expected["sim_time"], rel=2e-3)
    error = found.steps.seconds[0] / np.array(expected["per_step"]["sim_time"]) - 1.0
    # SANA-FE sends the messages of a spike in the order of addresses in its memory, which differs from run to run
    assert np.quantile(np.abs(error), 0.95) < 0.03
    assert found.chip_j[0] == pytest.approx(expected["energy"]["total"], rel=1e-9)


def grouped(case: Case, table: np.ndarray) -> np.ndarray:
    """Sum over the neurons of each group, (T, groups), in order of the groups' first neurons."""
    core = case.arrays["core"].astype(int) * 2 + (case.arrays["kind"] == 0)
    _, first, group = np.unique(core, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[group]
    return np.stack([np.bincount(rank, row, len(first)) for row in table])


@pytest.mark.parametrize("name", CASES)
def test_energy_and_time_of_counts_per_core_and_step(name):
    """Exact spikes per core, random messages: several samples, whose mean is compared."""
    case = load(name)
    updates = "fired" if isinstance(case.updated, str) else grouped(case, case.updated)
    fired = np.repeat(grouped(case, case.spikes)[None], 8, axis=0)
    found = execute(case.network, case.placement, case.chip, fired=fired, updates=updates, seed=3)
    expected = case.results["simple"]
    assert found.chip_j.mean() == pytest.approx(expected["energy"]["total"], rel=0.005)
    assert found.latency_s.mean() == pytest.approx(expected["sim_time"], rel=0.02)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_energy_and_time_of_spikes_drawn_at_rates(name, seed):
    """Rates of each neuron in phases of four steps: its own mean times the activity of its core in the phase."""
    case = load(name)
    starts = np.arange(0, len(case.spikes), 4)
    lengths = np.diff(np.append(starts, len(case.spikes)))[:, None]

    def phased(table):
        return np.repeat(np.add.reduceat(table, starts, axis=0) / lengths, lengths[:, 0], axis=0)

    _, core = np.unique(case.arrays["core"], return_inverse=True)
    of_core = np.stack([np.bincount(core, row) for row in case.spikes])
    mean = np.maximum(of_core.mean(axis=0), 1e-12)
    rates = np.minimum(case.spikes.mean(axis=0) * phased(of_core / mean)[:, core], 1.0)
    updates = "fired" if isinstance(case.updated, str) else phased(grouped(case, case.updated))
    found = execute(case.network, case.placement, case.chip, rates=rates, updates=updates, samples=16, seed=seed)
    expected = case.results["simple"]
    assert found.chip_j.mean() == pytest.approx(expected["energy"]["total"], rel=0.01)
    assert found.latency_s.mean() == pytest.approx(expected["sim_time"], rel=0.06)


@pytest.mark.parametrize("name", LAYERED)
def test_energy_and_time_of_spikes_drawn_at_the_mean_rates_of_layers(name):
    case = load(name)
    chip = replace(case.chip, synapse_bytes_per_core=None)
    sizes = case.spec["sizes"]
    rates = np.add.reduceat(case.spikes.mean(axis=0), np.cumsum([0, *sizes[:-1]])) / sizes
    network = SpikingNetwork.layered(sizes, steps=len(case.spikes), rates=rates.tolist())
    found = execute(network, case.placement, chip, updates="fired", samples=8, seed=5)
    expected = case.results["simple"]
    assert found.chip_j.mean() == pytest.approx(expected["energy"]["total"], rel=0.01)
    assert found.latency_s.mean() == pytest.approx(expected["sim_time"], rel=0.02)


def test_leaky_neurons_fire_spike_for_spike():
    case = load("lif_4k")
    arrays = case.arrays
    spikes, updated = followed(arrays, len(case.spikes))
    np.testing.assert_array_equal(spikes, case.spikes)
    assert (updated.sum(), spikes.sum()) == (1_182_495, 26_633)
    network = SpikingNetwork.from_synapses(
        arrays["pre"], arrays["post"], neurons=len(arrays["core"]), weights=arrays["weight"], bias=arrays["bias"],
        dynamics=Neurons(decay=float(arrays["leak"]), threshold=float(arrays["threshold"])), steps=len(spikes),
    )  # fmt: skip
    made = simulate(network)
    np.testing.assert_array_equal(made.raster[0], spikes)
    np.testing.assert_array_equal(made.updated[0], updated)
