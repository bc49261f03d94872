"""Neurons to cores: slices, limits, coordinates, copies."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.chip import PORT, ChipSpec, LimitError, NetworkError, Placement, SpikingNetwork, place
from dcsim.chip.limits import check
from dcsim.chip.placement import chips_needed, copies_on, replicate
from dcsim.chip.spec import chip_grid
from dcsim.chip.wiring import wire
from dcsim.errors import CatalogError, PlacementError

CHIP = ChipSpec("toy", "barrier", cores=8, neurons_per_core=16, static_w=0.0)


def spec(**changes: object) -> ChipSpec:
    return ChipSpec(**(vars(CHIP) | changes))


def wired(network: SpikingNetwork, chip: ChipSpec = CHIP, **options: object):
    return wire(network, place(network, chip, **options), chip)


def sizes(network: SpikingNetwork, chip: ChipSpec = CHIP, **options: object) -> list[int]:
    """Neurons of each core in turn, the port left out."""
    core = place(network, chip, **options).core_of_neuron
    return np.bincount(core[core >= 0]).tolist()


def test_each_layer_takes_the_fewest_cores_in_equal_slices():
    found = wired(SpikingNetwork.layered([100, 35, 16, 3]))
    assert found.layer.tolist() == [0, 1, 1, 1, 2, 3]
    assert found.neurons.tolist() == [100, 12, 12, 11, 16, 3]
    assert found.cores[found.core].tolist() == [PORT, 0, 1, 2, 3, 4]
    assert found.paid.tolist() == [0, 1, 1, 1, 1, 1]
    assert found.fan_out.tolist() == [3, 1, 1, 1, 1, 0]
    assert (found.cores_in_use, found.tiles, found.chips, found.copies) == (5, 5, 1, 1)


def test_the_input_layer_takes_cores_when_asked():
    found = wired(SpikingNetwork.layered([20, 4]), inputs="cores")
    assert found.cores[found.core].tolist() == [0, 1, 2]
    assert found.neurons.tolist() == [10, 10, 4]
    assert found.cores_in_use == 3


def test_hops_are_manhattan_distances_on_the_mesh():
    # 8 tiles of one core: 4 columns of 2 rows, numbered down each column; core 5 is at column 2, row 1
    assert CHIP.mesh_height == 2
    found = wired(SpikingNetwork.layered([4, 16, 20]), core_order=[5, 0, 7])
    assert found.hops_ew.tolist() == [2, 2 + 1, 0, 0]  # port at column 0; then to columns 0 and 3
    assert found.hops_ns.tolist() == [1, 1 + 0, 0, 0]


def test_cores_of_one_tile_share_its_coordinates_and_its_barrier():
    chip = spec(cores=32, cores_per_tile=4, sync=((1.0, 0.6), (2.0, 1.0), (4.0, 1.4)))
    found = wired(SpikingNetwork.layered([4, 64, 16]), chip)
    assert found.tiles == 2
    assert found.hops_ns.tolist() == [0, 1, 1, 1, 1, 0]
    assert [chip.sync_s(tiles, 1) for tiles in (0, 1, 2, 3, 4, 32)] == [0.0, 0.6, 1.0, 1.0, 1.4, 1.4]


def test_a_small_network_fits_several_times_and_a_large_one_takes_several_chips():
    assert wired(SpikingNetwork.layered([9, 16, 2])).copies == 4
    network = SpikingNetwork.layered([9, 16 * 19])
    large = wired(network)
    assert (large.chips, large.cores_in_use, large.copies, large.tiles) == (3, 19, 1, 19)
    assert chips_needed(network, CHIP) == place(network, CHIP, max_chips=3).chips_on(CHIP) == 3
    with pytest.raises(LimitError, match=r"network on chip toy: needs 19 cores, has 16") as caught:
        place(network, CHIP, max_chips=2)
    assert (caught.value.resource, caught.value.need, caught.value.have) == ("cores", 19, 16)


def test_chips_stand_in_a_square():
    assert [chip_grid(chips) for chips in (1, 2, 3, 4, 5, 9, 32)] == [
        (1, 1), (2, 1), (2, 2), (2, 2), (3, 2), (3, 3), (6, 6)
    ]  # fmt: skip
    two = wired(SpikingNetwork.layered([1, 16 * 8, 1]))  # 8 cores on the first chip, 1 on the second
    assert two.chips == 2
    assert two.hops_ew[1:9].tolist() == [4, 4, 3, 3, 2, 2, 1, 1]
    assert two.crossings.tolist() == [0, *[1] * 8, 0]
    four = wired(SpikingNetwork.layered([1, 16 * 24, 1]))  # the last core is on the fourth chip
    assert four.crossings[[1, 9, 17]].tolist() == [2, 1, 1]


def test_the_barrier_of_several_chips_grows_with_their_columns_and_rows():
    chip = spec(sync=((0.0, 5.0),), sync_chip_s=2.0)
    assert [chip.sync_s(8, chips) for chips in (1, 2, 4, 9)] == [5.0, 6.0, 8.0, 12.0]


@pytest.mark.parametrize("order", [[0], [0, 0, 1], [-1, 1, 2], [0, 1, 8]])
def test_a_core_order_names_different_cores_of_the_chip(order):
    with pytest.raises(PlacementError, match="core_order: want 3 different cores from 0 to 7"):
        place(SpikingNetwork.layered([2, 48]), CHIP, core_order=order)


def test_cores_per_layer_are_one_number_per_layer():
    network = SpikingNetwork.layered([2, 8, 4])
    assert sizes(network, cores_per_layer=[1, 2, 4]) == [4, 4, 1, 1, 1, 1]
    with pytest.raises(PlacementError, match="cores_per_layer: found 2 numbers, want one per layer: 3"):
        place(network, CHIP, cores_per_layer=[1, 2])
    with pytest.raises(PlacementError, match="layer 2 on chip toy: found 5 cores, want 1 to 4"):
        place(network, CHIP, cores_per_layer=[1, 2, 5])


def test_an_unknown_order_is_refused_with_the_nearest():
    with pytest.raises(PlacementError, match="order: found 'layer'; did you mean 'layers'"):
        place(SpikingNetwork.layered([2, 8]), CHIP, order="layer")


def test_a_network_beyond_all_bounds_is_refused_before_memory_is_taken():
    with pytest.raises(LimitError, match="needs 2,000,000 cores for one copy of the network, has 1,048,576"):
        place(SpikingNetwork.layered([5, 2_000_000]), spec(neurons_per_core=1))
    network = SpikingNetwork.layered([5, 320_000, 320_000])
    with pytest.raises(PlacementError, match="layer 2: 400,000,000 pairs of cores to connect"):
        wire(network, place(network, CHIP), CHIP)


@pytest.mark.parametrize(
    ("cores", "message"),
    [
        ([], "found shape"),
        ([[0]], "found shape"),
        ([-2], "found -2"),
        ([0.5], "found 0.5"),
        ([np.nan], "found nan"),
        ([2**31], "found 2147483648"),
        (["a"], "want core numbers"),
    ],
)
def test_a_placement_holds_core_numbers(cores, message):
    with pytest.raises(PlacementError, match=f"core_of_neuron: .*{message}"):
        Placement(np.array(cores))


# ---------------------------------------------------------------- limits of a core


def test_fan_in_is_limited():
    with pytest.raises(LimitError, match=r"mine, layer 2 on chip toy: needs 30 synapses into one neuron, has 20"):
        place(SpikingNetwork.layered([9, 30, 2], name="mine"), spec(fan_in_max=20))
    assert place(SpikingNetwork.layered([9, 20, 2]), spec(fan_in_max=20)).chips_on(CHIP) == 1


def test_synapse_memory_spreads_a_layer_over_more_cores():
    # 8 neurons x 10 weights x 8 bits are 80 bytes; 25 bytes hold 2 neurons
    network = SpikingNetwork.layered([10, 8])
    assert sizes(network, spec(synapse_bytes_per_core=80.0)) == [8]
    assert sizes(network, spec(synapse_bytes_per_core=25.0)) == [2, 2, 2, 2]
    assert sizes(network, spec(synapse_bytes_per_core=25.0, weight_bits=4)) == [4, 4]
    with pytest.raises(LimitError, match="needs 10 bytes of synapse memory in one core, has 9"):
        place(network, spec(synapse_bytes_per_core=9.0))


def test_listed_synapses_take_an_index_beside_their_weight():
    network = SpikingNetwork.layered([10, {"sparse": 8, "fan_in": 5}])  # 40 synapses
    assert len(sizes(network, spec(synapse_bytes_per_core=40.0))) == 1
    assert len(sizes(network, spec(synapse_bytes_per_core=40.0, synapse_index_bits=8))) == 2


def test_a_shared_kernel_is_stored_once_per_channel():
    # 4 channels of 6 x 6, kernels of 2 x 3 x 3 bytes; two kernels fit, and 16 neurons lie in at most 2 channels
    network = SpikingNetwork.layered([[2, 8, 8, 0, 0, 0, 0], [4, 6, 6, 3, 1, 0, 1]])
    assert len(sizes(network, spec(synapse_bytes_per_core=36.0, shared_kernels=True))) == 9
    apart = sizes(network, spec(synapse_bytes_per_core=36.0))
    assert apart == [2] * 72  # 2 neurons x 18 bytes fill a core


def test_taps_on_the_padding_are_not_stored():
    network = SpikingNetwork.layered([[1, 3, 3], {"conv": 1, "kernel": 3, "padding": 1}])
    assert network.synapses == 49
    assert sizes(network, spec(synapse_bytes_per_core=49.0)) == [9]


def test_a_crossbar_has_a_weight_for_each_pair_of_axon_and_neuron():
    # a 1 x 1 kernel on two channels of 16: each neuron has 2 inputs, 16 of one channel have 32
    network = SpikingNetwork.layered([[2, 4, 4], {"conv": 2, "kernel": 1}])
    assert sizes(network, spec(synapse_bytes_per_core=32.0)) == [16, 16]
    assert sizes(network, spec(synapse_bytes_per_core=32.0, crossbar=True)) == [4] * 8  # 8 axons x 4 neurons


def test_input_axons_are_different_sources():
    # rows of 4 under a 3 x 3 kernel see 2 or 3 rows of 4 inputs
    network = SpikingNetwork.layered([[1, 4, 4], {"conv": 1, "kernel": 3, "padding": 1}])
    assert sizes(network, spec(axons_in_max=16)) == [16]
    assert sizes(network, spec(axons_in_max=12)) == [8, 8]
    assert sizes(network, spec(axons_in_max=11)) == [3, 3, 2, 2, 2, 2, 2]  # the second: 8 of two rows, 3 of the third
    with pytest.raises(LimitError, match="needs 9 input axons, has 8"):
        place(network, spec(axons_in_max=8))


def test_output_edges_are_pairs_of_a_neuron_and_a_core():
    # 16 neurons send to 3 cores each; 20 edges let 6 of them share a core
    network = SpikingNetwork.layered([4, 16, 48])
    assert sizes(network, spec(fan_out_max=48)) == [16, 16, 16, 16]
    assert sizes(network, spec(fan_out_max=20)) == [6, 5, 5, 16, 16, 16]
    with pytest.raises(LimitError, match="layer 1 on chip toy: needs 3 output edges, has 2"):
        place(network, spec(fan_out_max=2))


def test_a_neuron_of_one_axon_is_copied_for_every_further_core():
    # 8 neurons that send to 2 cores need 16 places; 16 neurons need 32
    assert sizes(SpikingNetwork.layered([4, 8, 32]), spec(axons_per_neuron=1)) == [8, 16, 16]
    assert sizes(SpikingNetwork.layered([4, 16, 32]), spec(axons_per_neuron=1)) == [8, 8, 16, 16]
    assert sizes(SpikingNetwork.layered([4, 16, 32]), spec(axons_per_neuron=2)) == [16, 16, 16]
    with pytest.raises(LimitError, match="needs 17 neurons in one core, copies that send to further cores included"):
        place(SpikingNetwork.layered([4, 2, 16 * 17]), spec(axons_per_neuron=1))


def test_a_loop_that_needs_ever_more_cores_is_refused():
    loop = SpikingNetwork.layered([2, {"dense": 40, "recurrent": True}])
    with pytest.raises(LimitError, match="layer 1 on chip toy: needs"):
        place(loop, spec(axons_per_neuron=1))
    assert sizes(SpikingNetwork.layered([2, {"dense": 16, "recurrent": True}]), spec(axons_per_neuron=1)) == [16]


def test_cores_that_differ_are_filled_by_their_own_size():
    chip = spec(cores=3, neurons_per_core=20, neurons_of_core=(32, 16, 12))
    network = SpikingNetwork.layered([4, 10, 30, 16])
    assert place(network, chip).core_of_neuron[[4, 14, 44]].tolist() == [2, 0, 1]
    with pytest.raises(LimitError, match=r"core_order on chip toy, core 1: needs 30 neurons in one core, has 16"):
        place(network, chip, core_order=[0, 1, 2])
    assert place(SpikingNetwork.layered([4, 30, 30]), chip).chips_on(chip) == 2


def test_the_cores_that_one_core_sends_to_are_limited():
    with pytest.raises(LimitError, match=r"chip toy, core 0: needs 3 cores to send to from one core, has 2"):
        place(SpikingNetwork.layered([4, 4, 40]), spec(fan_out_layers=2))
    assert sizes(SpikingNetwork.layered([4, 4, 32]), spec(fan_out_layers=2)) == [4, 16, 16]


@st.composite
def networks(draw: st.DrawFn) -> SpikingNetwork:
    written: list[object] = [[draw(st.integers(1, 3)), draw(st.integers(3, 8)), draw(st.integers(3, 8))]]
    for _ in range(draw(st.integers(1, 3))):
        written.append(
            draw(
                st.sampled_from(
                    [
                        {"conv": 4, "kernel": 3, "padding": 1},
                        {"conv": 3, "kernel": 2, "stride": 2, "padding": 1},
                        {"pool": 2, "stride": 1},
                    ]
                )
            )
        )
    written.append(draw(st.sampled_from([12, {"sparse": 40, "fan_in": 5}, {"dense": 9, "recurrent": True}])))
    try:
        return SpikingNetwork.layered(written)
    except NetworkError:  # planes that shrank away
        return SpikingNetwork.layered([9, 40, 12])


LIMITS = {
    "synapse_bytes_per_core": [None, 400.0, 2000.0],
    "axons_in_max": [None, 60, 200],
    "fan_out_max": [None, 40, 400],
    "axons_per_neuron": [None, 1, 4],
    "crossbar": [False, True],
    "shared_kernels": [False, True],
    "synapse_index_bits": [0, 6],
    "neurons_per_core": [16, 50],
}


def check_if_placed(network: SpikingNetwork, chip: ChipSpec) -> Placement | None:
    try:
        placement = place(network, chip)
    except LimitError:
        return None
    check(network, placement, chip)
    return placement


@settings(max_examples=120, deadline=None)
@given(networks(), st.fixed_dictionaries({key: st.sampled_from(values) for key, values in LIMITS.items()}))
def test_what_is_placed_passes_the_check(network, limits):
    check_if_placed(network, spec(**limits))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.fixed_dictionaries({key: st.sampled_from(values) for key, values in LIMITS.items()}))
def test_explicit_synapses_are_placed_so_that_they_pass_the_check(seed, limits):
    generator = np.random.default_rng(seed)
    pre, post = generator.integers(0, 60, (2, 300))
    network = SpikingNetwork.from_synapses(pre, post, neurons=60, inputs=[0, 3], storage="sparse")
    placement = check_if_placed(network, spec(**limits))
    if placement is not None:
        assert placement.core_of_neuron[[0, 3]].tolist() == [PORT, PORT]


# ---------------------------------------------------------------- explicit synapses


def ring(neurons: int, reach: int = 1) -> SpikingNetwork:
    every = np.arange(neurons)
    pre = np.repeat(every, reach)
    return SpikingNetwork.from_synapses(pre, (pre + np.tile(np.arange(1, reach + 1), neurons)) % neurons)


def test_explicit_neurons_fill_core_after_core():
    assert sizes(ring(40)) == [16, 16, 8]
    assert sizes(ring(40), cores_per_layer=[5]) == [8] * 5


def test_explicit_neurons_keep_the_axons_of_their_core():
    # n neurons of a ring with 3 sources each have n + 2 different ones
    assert sizes(ring(40, 3), spec(axons_in_max=12)) == [10] * 4
    with pytest.raises(LimitError, match="network, neuron 0 on chip toy: needs 3 input axons, has 2"):
        place(ring(40, 3), spec(axons_in_max=2))


def test_explicit_neurons_keep_the_memory_and_the_fan_in_of_their_core():
    assert sizes(ring(40, 3), spec(synapse_bytes_per_core=30.0)) == [10] * 4
    with pytest.raises(LimitError, match="neuron 0 on chip toy: needs 3 bytes of synapse memory in one core, has 2"):
        place(ring(40, 3), spec(synapse_bytes_per_core=2.0))
    with pytest.raises(LimitError, match="neuron 0 on chip toy: needs 3 synapses into one neuron, has 2"):
        place(ring(40, 3), spec(fan_in_max=2))


def test_explicit_neurons_keep_the_output_edges_of_their_core():
    chip = spec(fan_out_max=12)
    placement = place(ring(60, 3), chip)
    assert check(ring(60, 3), placement, chip).fan_out.max() <= 12


def test_explicit_neurons_fill_cores_that_differ():
    chip = spec(cores=3, neurons_per_core=20, neurons_of_core=(32, 16, 12))
    assert sizes(ring(70), chip) == [32, 16, 12, 10]


def test_explicit_inputs_are_at_the_port_or_on_cores():
    network = SpikingNetwork.from_synapses([0, 2], [1, 3], inputs=[0, 2])
    assert place(network, CHIP).core_of_neuron.tolist() == [PORT, 0, PORT, 0]
    assert place(network, CHIP, inputs="cores").core_of_neuron.tolist() == [0, 0, 0, 0]


def test_neurons_without_synapses_can_be_placed():
    network = SpikingNetwork.from_synapses([], [], neurons=20)
    assert sizes(network, spec(axons_in_max=4, fan_out_max=4, crossbar=True, synapse_bytes_per_core=8.0)) == [16, 4]


# ---------------------------------------------------------------- copies


def test_copies_take_the_free_cores_of_a_chip_and_then_the_next_chip():
    placement = place(SpikingNetwork.layered([9, 16, 20]), CHIP, core_order=[5, 0, 2])
    assert (copies_on(placement, CHIP), copies_on(placement, CHIP, 3)) == (2, 6)
    found = replicate(placement, CHIP, 5)
    assert found[0] == placement
    used = [set(copy.core_of_neuron[9:].tolist()) for copy in found]
    assert used[:3] == [{5, 0, 2}, {1, 3, 4}, {13, 8, 10}]
    assert len(set().union(*used)) == 15
    assert all((copy.core_of_neuron[:9] == PORT).all() for copy in found)
    assert found[1].core_of_neuron[[9, 25, 35]].tolist() == [4, 1, 3]  # in the order of the cores of the first


def test_copies_of_a_large_network_take_whole_chips():
    placement = place(SpikingNetwork.layered([9, 16 * 19]), CHIP)
    assert (copies_on(placement, CHIP, 2), copies_on(placement, CHIP, 7)) == (0, 2)
    second = replicate(placement, CHIP, 2)[1]
    assert (second.core_of_neuron[9:] - placement.core_of_neuron[9:]).tolist() == [24] * 304
    with pytest.raises(LimitError, match="5 of chip toy: needs 2 copies of the network, has 1"):
        replicate(placement, CHIP, 2, chips=5)


def test_copies_of_cores_that_differ_take_whole_chips():
    chip = spec(cores=3, neurons_per_core=20, neurons_of_core=(32, 16, 12))
    placement = place(SpikingNetwork.layered([4, 10]), chip)
    assert copies_on(placement, chip, 2) == 2
    assert set(replicate(placement, chip, 2)[1].core_of_neuron.tolist()) == {PORT, 3}


@pytest.mark.parametrize("copies", [0, -1, 1.5])
def test_a_number_of_copies_that_cannot_be_is_refused(copies):
    with pytest.raises(PlacementError, match=f"copies: found {copies}, want a whole number from 1"):
        replicate(place(SpikingNetwork.layered([9, 16]), CHIP), CHIP, copies)


# ---------------------------------------------------------------- size


@pytest.mark.parametrize("neurons", [100_000, 1_000_000, 2_000_000])
def test_large_layered_networks_are_placed_in_seconds(neurons):
    chip = ChipSpec.of(catalog.load().get("loihi"))
    network = SpikingNetwork.layered([1000, *[2000] * (neurons // 2000)])
    start = time.process_time()
    placement = place(network, chip)
    assert time.process_time() - start < 4.0
    assert placement.chips_on(chip) * chip.cores * 1024 >= neurons


def test_a_million_neurons_of_convolutions_are_placed_in_seconds():
    chip = ChipSpec.of(catalog.load().get("loihi"))
    layer = {"conv": 32, "kernel": 3, "padding": 1}
    network = SpikingNetwork.layered([[2, 128, 128], layer, layer, {"pool": 8}])
    start = time.process_time()
    placement = place(network, chip)
    assert time.process_time() - start < 4.0
    used = check(network, placement, chip)
    assert used.axons_in.max() <= 4096
    assert network.neurons > 1_000_000


def test_a_limit_error_survives_the_way_between_processes():
    with pytest.raises(LimitError) as caught:
        place(SpikingNetwork.layered([9, 30, 2], name="mine"), spec(fan_in_max=20))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.need, again.hint) == (str(caught.value), 30, caught.value.hint)


# ---------------------------------------------------------------- chips of the catalog


def test_a_chip_is_read_from_the_catalog(chip):
    read = ChipSpec.of(chip(fan_in_max=64.0, cores_per_tile=4.0, sync_s=[[4, 3e-6], [1, 1e-6]], access_j=2e-12))
    assert (read.cores, read.neurons_per_core, read.fan_in_max, read.weight_bits) == (8, 16, 64, 8)
    assert read.sync == ((1.0, 1e-6), (4.0, 3e-6))
    assert (read.costs.access_j, read.costs.synapse_j, read.costs.hop_ew_j) == (2e-12, 1e-12, 0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nets": ("ann",)}, "chip toy: runs no spiking networks, only ann"),
        ({"mode": "dreaming"}, "chip toy: mode dreaming is not simulated; modes that are: barrier, tick"),
    ],
)
def test_a_chip_that_cannot_run_spiking_nets_is_refused_with_the_reason(chip, options, message):
    with pytest.raises(PlacementError, match=message):
        ChipSpec.of(chip(**options))


def test_a_chip_without_event_energies_is_refused(entry):
    bare = entry("chip", "bare", {"mode": "barrier", "nets": ["snn"]}, cores=8.0, neurons_per_core=4.0, static_w=1.0)
    with pytest.raises(PlacementError, match="chip bare: the catalog has no energy per event"):
        ChipSpec.of(bare)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"cores": 2.5}, "chip toy: cores is 2.5, want a whole number from 1"),
        ({"neurons_per_core": 0.0}, "neurons_per_core is 0"),
        ({"update_j": -1.0}, "update_j is -1, want 0 or more"),
        ({"sync_s": [1.0, 2.0, 3.0]}, "sync_s is neither one time nor rows of"),
        ({"mode": "tick"}, "no number 'tick_s'"),
    ],
)
def test_wrong_numbers_of_a_chip_are_named(chip, numbers, message):
    with pytest.raises(CatalogError, match=message):
        ChipSpec.of(chip(**numbers))


@pytest.mark.parametrize(("words", "bits"), [(["int8"], 8), (["ternary", "int8"], 2), (["fp32"], 32), ([], 8)])
def test_weights_are_stored_in_the_first_precision_of_the_list(entry, words, bits):
    facts = {"mode": "barrier", "nets": ["snn"], "precision": words}
    numbers = {"cores": 1.0, "neurons_per_core": 1.0, "static_w": 0.0, "synapse_j": 1.0}
    assert ChipSpec.of(entry("chip", "toy", facts, **numbers)).weight_bits == bits


def test_the_mesh_is_as_square_as_whole_rows_allow():
    heights = {(128, 4): 4, (4096, 1): 64, (152, 4): 2, (17, 1): 1}
    assert {key: spec(cores=key[0], cores_per_tile=key[1]).mesh_height for key in heights} == heights
    assert np.prod([8, 4]) == 128 // 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cores_per_layer": [1, 1.5]}, "found 1.5 cores, want 1 to 8"),
        ({"core_order": ["a", "b"]}, "core_order: want 1 different cores from 0 to 7"),
        ({"inputs": "ports"}, "inputs: found 'ports'; did you mean 'port'?"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(options, message):
    with pytest.raises(PlacementError, match=message):
        place(SpikingNetwork.layered([4, 8]), CHIP, **options)
