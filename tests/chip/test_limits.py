"""What a placement asks of its cores, counted by hand, and the system that would hold a network."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.chip import PORT, ChipSpec, Dense, Layer, LimitError, Placement, SpikingNetwork, place
from dcsim.chip.files import load_npz
from dcsim.chip.limits import check, smallest_system, usage
from dcsim.errors import PlacementError

CHIP = ChipSpec("toy", "barrier", cores=8, neurons_per_core=16, static_w=0.0)
CATALOG = catalog.load()
CASES = Path(os.environ.get("DCSIM_DATA", "")) / "cases" / "sanafe"


def spec(**changes: object) -> ChipSpec:
    return ChipSpec(**(vars(CHIP) | changes))


def catalog_chip(name: str) -> ChipSpec:
    return ChipSpec.of(CATALOG.get(name, kind="chip"))


#: Six neurons: 0 and 1 on core 4, 2 and 3 on core 1, 4 at the port, 5 on core 6.
NETWORK = SpikingNetwork.from_synapses(
    [0, 0, 0, 1, 1, 4, 4, 2], [2, 3, 5, 2, 2, 0, 5, 5], neurons=6, inputs=[4], storage="sparse", name="mine"
)
PLACEMENT = Placement(np.array([4, 4, 1, 1, PORT, 6]))


def test_what_cores_hold_by_hand():
    used = usage(NETWORK, PLACEMENT, spec(synapse_index_bits=4, fan_out_layers=9, router_entries=9))
    assert used.cores.tolist() == [1, 4, 6]
    assert used.neurons.tolist() == [2, 2, 1]
    assert used.synapses_of_neuron.tolist() == [3, 1, 3]  # into neuron 2: from 0 and twice from 1
    assert used.axons_in.tolist() == [2, 1, 3]
    assert used.fan_out.tolist() == [1, 3, 0]  # neuron 0 sends to cores 1 and 6, neuron 1 to core 1
    assert used.targets.tolist() == [1, 2, 0]
    assert used.synapse_bytes.tolist() == [4 * 1.5, 1 * 1.5, 3 * 1.5]  # 8 bits and 4 of index each
    assert used.routes.tolist() == [3]


def test_crossbars_and_copies_by_hand():
    used = usage(NETWORK, PLACEMENT, spec(crossbar=True, axons_per_neuron=1))
    assert used.neurons.tolist() == [2, 3, 1]  # neuron 0 twice
    assert used.synapse_bytes.tolist() == [2 * 2, 1 * 3, 3 * 1]


@pytest.mark.parametrize(
    ("limits", "message", "core"),
    [
        ({"neurons_per_core": 1}, "core 1: needs 2 neurons in one core, has 1", 1),
        (
            {"neurons_per_core": 2, "axons_per_neuron": 1},
            "core 4: needs 3 neurons in one core, copies that send to further cores included, has 2",
            4,
        ),
        ({"axons_in_max": 2}, "core 6: needs 3 input axons, has 2", 6),
        ({"fan_out_max": 2}, "core 4: needs 3 output edges, has 2", 4),
        ({"fan_out_layers": 1}, "core 4: needs 2 cores to send to from one core, has 1", 4),
        ({"fan_in_max": 2}, "core 1: needs 3 synapses into one neuron, has 2", 1),
        ({"synapse_bytes_per_core": 3.0}, "core 1: needs 4 bytes of synapse memory in one core, has 3", 1),
        (
            {"neurons_of_core": (16, 1, 16, 16, 16, 16, 16, 16)},
            "core 1: needs 2 neurons in one core, has 1",
            1,
        ),
    ],
)
def test_a_placement_that_exceeds_a_limit_is_refused_by_core_resource_need_and_have(limits, message, core):
    with pytest.raises(LimitError) as caught:
        check(NETWORK, PLACEMENT, spec(**limits))
    assert str(caught.value) == f"mine on chip toy, {message}"
    assert caught.value.core == core
    assert caught.value.need > caught.value.have


def test_the_number_of_chips_can_be_limited():
    far = Placement(np.array([4, 4, 1, 1, PORT, 17]))
    assert check(NETWORK, far, CHIP, max_chips=3).cores.tolist() == [1, 4, 17]
    with pytest.raises(LimitError, match="mine on chip toy: needs 3 chips, has 2"):
        check(NETWORK, far, CHIP, max_chips=2)


def test_a_placement_of_another_network_is_refused():
    with pytest.raises(PlacementError, match="found 3 neurons, want the 6 of the network"):
        check(NETWORK, Placement(np.zeros(3)), CHIP)


def test_router_entries_are_counted_where_a_spike_starts_turns_and_ends():
    # four chips of one core in a square, numbered down each column: 0 and 1 in the first, 2 and 3 in the second
    chip = spec(cores=1, router_entries=2)
    network = SpikingNetwork.from_synapses([0], [3], neurons=4)
    assert usage(network, Placement(np.arange(4)), chip).routes.tolist() == [1, 0, 1, 1]
    everyone = SpikingNetwork.from_synapses([0, 1, 2], [3, 3, 3], neurons=4, name="all")
    with pytest.raises(LimitError, match="all on chip toy 3: needs 3 router entries, has 2"):
        check(everyone, Placement(np.arange(4)), chip)


def test_a_neuron_that_two_connections_bring_to_a_core_counts_once():
    layers = (Layer(3, is_input=True), Layer(2), Layer(2))
    connections = (
        Dense(source=0, target=1, sources=3, targets=2),
        Dense(source=0, target=2, sources=3, targets=2),
    )
    network = SpikingNetwork(layers, connections)
    together = usage(network, Placement(np.array([0, 0, 0, 1, 1, 1, 1])), CHIP)
    apart = usage(network, Placement(np.array([0, 0, 0, 1, 1, 2, 2])), CHIP)
    assert (together.axons_in.tolist(), together.fan_out.tolist()) == ([0, 3], [3, 0])
    assert (apart.axons_in.tolist(), apart.fan_out.tolist()) == ([0, 3, 3], [6, 0, 0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_any_placement_is_counted_synapse_by_synapse(seed):
    generator = np.random.default_rng(seed)
    network = SpikingNetwork.layered(
        [[2, 4, 4], {"conv": 3, "kernel": 2}, {"sparse": 7, "fan_in": 4}, {"dense": 5, "recurrent": True}]
    )
    core = generator.integers(0, 4, network.size)
    if seed % 2:  # slices in order, which are counted another way
        core = np.sort(core)
    pattern = np.zeros((network.size, network.size), dtype=int)
    for connection in network.connections:
        rows, columns = (slice(*network.bounds[[end, end + 1]]) for end in (connection.source, connection.target))
        targets = network.layers[connection.target].neurons
        pattern[rows, columns] += connection.onto(np.arange(targets), targets).toarray()
    cores, part = np.unique(core, return_inverse=True)
    onto = np.stack([pattern[:, part == k].sum(axis=1) > 0 for k in range(len(cores))], axis=1)
    used = usage(network, Placement(core), spec(fan_out_layers=99))
    assert used.axons_in.tolist() == onto.sum(axis=0).tolist()
    assert used.fan_out.tolist() == [int(onto[part == k].sum()) for k in range(len(cores))]
    assert used.targets.tolist() == [int(onto[part == k].any(axis=0).sum()) for k in range(len(cores))]
    assert used.synapse_bytes.tolist() == [int(pattern[:, part == k].sum()) for k in range(len(cores))]


# ---------------------------------------------------------------- chips and systems of the catalog


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("loihi", {"axons_in_max": 4096, "fan_out_max": 4096, "synapse_index_bits": 10, "shared_kernels": True}),
        ("truenorth", {"axons_in_max": 256, "axons_per_neuron": 1, "crossbar": True, "fan_in_max": 256}),
        ("tianjic", {"axons_in_max": 256, "crossbar": True}),
        ("spinnaker", {"router_entries": 1023, "synapse_index_bits": 16}),
        ("speck", {"fan_out_layers": 2, "shared_kernels": True}),
    ],
)
def test_limits_are_data_of_the_catalog(name, limits):
    chip = catalog_chip(name)
    assert {key: getattr(chip, key) for key in limits} == limits


def test_speck_has_cores_of_three_sizes():
    chip = catalog_chip("speck")
    assert chip.capacities[0] == chip.capacities[2] == 65_536
    network = SpikingNetwork.layered([[2, 64, 64], {"conv": 15, "kernel": 3, "padding": 1}, {"pool": 4}, 10])
    core = place(network, chip).core_of_neuron
    assert core[2 * 64 * 64] < 3  # 61,440 neurons


def test_loihi_keeps_its_input_axon_lists():
    chip = catalog_chip("loihi")
    network = SpikingNetwork.layered([[5, 32, 32], {"conv": 1, "kernel": 1}], name="wide")
    one_core = Placement(np.concatenate([np.full(5120, PORT), np.full(1024, 3)]))
    with pytest.raises(LimitError, match=r"wide on chip loihi, core 3: needs 5,120 input axons, has 4,096"):
        check(network, one_core, chip)
    assert len(check(network, place(network, chip), chip).cores) == 2


def test_a_network_too_big_for_its_board_is_told_the_smallest_system_of_the_same_chip():
    loihi = catalog_chip("loihi")
    network = SpikingNetwork.layered([1000, *[2000] * 200], name="deep")
    message = (
        r"deep on chip loihi: needs [\d,]+ cores, has 4,096; the smallest system that holds it: pohoiki-springs \(768"
    )
    with pytest.raises(LimitError, match=message):
        place(network, loihi, max_chips=32)
    assert smallest_system(SpikingNetwork.layered([100, 20]), loihi).name == "nahuku-32"


def test_a_network_that_a_chip_cannot_run_is_told_a_system_of_another():
    kws = SpikingNetwork.of(CATALOG.get("kws"))
    truenorth = catalog_chip("truenorth")
    with pytest.raises(LimitError) as caught:
        place(kws, truenorth)
    found = smallest_system(kws, truenorth)
    assert found.facts["device"] != "truenorth"
    start = "kws, layer 1 on chip truenorth: needs 390 synapses into one neuron, has 256"
    assert (
        str(caught.value) == f"{start}; the smallest system that holds it: {found.name} ({found['devices']:.0f} chips)"
    )
    placed = place(kws, catalog_chip(str(found.facts["device"])))
    assert placed.chips_on(catalog_chip(str(found.facts["device"]))) <= found["devices"]


def test_a_network_that_nothing_holds_is_told_so():
    network = SpikingNetwork.layered([9_000_000, 10], name="wide")  # 18 MB into one neuron at 16 bits
    start = time.process_time()
    with pytest.raises(LimitError, match=r"needs 9,000,000 synapses .*; no system of the catalog holds it"):
        place(network, catalog_chip("truenorth"))
    assert time.process_time() - start < 4.0


@pytest.mark.slow
def test_no_system_is_looked_for_where_that_would_take_long():
    network = SpikingNetwork.layered([1000, 20_000_000], name="huge")
    with pytest.raises(LimitError, match=r"needs 1,000 synapses into one neuron, has 256$"):
        place(network, catalog_chip("truenorth"))


@pytest.mark.skipif(
    not (os.environ.get("DCSIM_DATA") and CASES.is_dir()), reason="DCSIM_DATA names no folder with cases/sanafe"
)
@pytest.mark.parametrize("name", ["ff_small", "kws_2x256", "lif_4k", "rand_1k", "rand_8k", "rand_32k"])
def test_cases_of_sanafe_keep_the_limits_of_loihi(name):
    network, placement = load_npz(CASES / f"{name}.npz")
    check(network, placement, catalog_chip("loihi-sanafe"), max_chips=1)
