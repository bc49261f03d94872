"""Neurons to cores: limits, slices, coordinates, copies."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.chip import ChipSpec, LimitError, SpikingNetwork, place
from dcsim.chip.spec import chip_grid
from dcsim.errors import CatalogError, PlacementError

CHIP = ChipSpec("toy", "barrier", cores=8, neurons_per_core=16, static_w=0.0)


def spec(**changes: object) -> ChipSpec:
    return ChipSpec(**(vars(CHIP) | changes))


def test_each_layer_takes_the_fewest_cores_in_equal_slices():
    placement = place(SpikingNetwork.layered([100, 35, 16, 3]), CHIP)
    assert placement.layer.tolist() == [0, 1, 1, 1, 2, 3]
    assert placement.neurons.tolist() == [100, 12, 12, 11, 16, 3]
    assert placement.core.tolist() == [-1, 0, 1, 2, 3, 4]
    assert placement.paid.tolist() == [0, 1, 1, 1, 1, 1]
    assert placement.fan_out.tolist() == [3, 1, 1, 1, 1, 0]
    assert (placement.cores, placement.tiles, placement.chips, placement.copies) == (5, 5, 1, 1)


def test_the_input_layer_takes_cores_when_asked():
    placement = place(SpikingNetwork.layered([20, 4]), CHIP, inputs="cores")
    assert placement.core.tolist() == [0, 1, 2]
    assert placement.neurons.tolist() == [10, 10, 4]
    assert placement.cores == 3


def test_hops_are_manhattan_distances_on_the_mesh():
    # 8 tiles of one core: 4 columns of 2 rows, numbered down each column; core 5 is at column 2, row 1
    assert CHIP.mesh_height == 2
    placement = place(SpikingNetwork.layered([4, 16, 20]), CHIP, core_order=[5, 0, 7])
    assert placement.hops_ew.tolist() == [2, 2 + 1, 0, 0]  # port at column 0; then to columns 0 and 3
    assert placement.hops_ns.tolist() == [1, 1 + 0, 0, 0]


def test_cores_of_one_tile_share_its_coordinates_and_its_barrier():
    chip = spec(cores=32, cores_per_tile=4, sync=((1.0, 0.6), (2.0, 1.0), (4.0, 1.4)))
    placement = place(SpikingNetwork.layered([4, 64, 16]), chip)
    assert placement.tiles == 2
    assert placement.hops_ns.tolist() == [0, 1, 1, 1, 1, 0]
    assert [chip.sync_s(tiles, 1) for tiles in (0, 1, 2, 3, 4, 32)] == [0.0, 0.6, 1.0, 1.0, 1.4, 1.4]


def test_a_small_network_fits_several_times_and_a_large_one_takes_several_chips():
    assert place(SpikingNetwork.layered([9, 16, 2]), CHIP).copies == 4
    large = place(SpikingNetwork.layered([9, 16 * 19]), CHIP)
    assert (large.chips, large.cores, large.copies, large.tiles) == (3, 19, 1, 19)
    assert place(SpikingNetwork.layered([9, 16 * 19]), CHIP, max_chips=3).chips == 3
    with pytest.raises(LimitError, match=r"network on chip toy: needs 19 cores, has 16") as caught:
        place(SpikingNetwork.layered([9, 16 * 19]), CHIP, max_chips=2)
    assert (caught.value.resource, caught.value.need, caught.value.have) == ("cores", 19, 16)


def test_chips_stand_in_a_square():
    assert [chip_grid(chips) for chips in (1, 2, 3, 4, 5, 9, 32)] == [
        (1, 1), (2, 1), (2, 2), (2, 2), (3, 2), (3, 3), (6, 6)
    ]  # fmt: skip
    two = place(SpikingNetwork.layered([1, 16 * 8, 1]), CHIP)  # 8 cores on the first chip, 1 on the second
    assert two.chips == 2
    assert two.hops_ew[1:9].tolist() == [4, 4, 3, 3, 2, 2, 1, 1]
    assert two.crossings.tolist() == [0, *[1] * 8, 0]
    four = place(SpikingNetwork.layered([1, 16 * 24, 1]), CHIP)  # the last core is on the fourth chip
    assert four.crossings[[1, 9, 17]].tolist() == [2, 1, 1]


def test_the_barrier_of_several_chips_grows_with_their_columns_and_rows():
    chip = spec(sync=((0.0, 5.0),), sync_chip_s=2.0)
    assert [chip.sync_s(8, chips) for chips in (1, 2, 4, 9)] == [5.0, 6.0, 8.0, 12.0]


def test_fan_in_is_limited():
    with pytest.raises(LimitError, match=r"mine, layer 2 on chip toy: needs 30 synapses into one neuron, has 20"):
        place(SpikingNetwork.layered([9, 30, 2], name="mine"), spec(fan_in_max=20))
    assert place(SpikingNetwork.layered([9, 20, 2]), spec(fan_in_max=20)).chips == 1


def test_synapse_memory_spreads_a_layer_over_more_cores():
    # 8 neurons x 10 weights x 8 bits are 80 bytes; 25 bytes hold 2 neurons
    network = SpikingNetwork.layered([10, 8])
    assert place(network, spec(synapse_bytes_per_core=80.0)).cores == 1
    assert place(network, spec(synapse_bytes_per_core=25.0)).neurons.tolist() == [10, 2, 2, 2, 2]
    assert place(network, spec(synapse_bytes_per_core=25.0, weight_bits=4)).cores == 2
    with pytest.raises(LimitError, match="needs 10 bytes of synapse memory in one core, has 9"):
        place(network, spec(synapse_bytes_per_core=9.0))


def test_a_shared_kernel_is_stored_once_per_channel():
    # 4 channels of 6 x 6, kernels of 2 x 3 x 3 bytes; a slice of 12 neurons lies in at most 2 channels
    network = SpikingNetwork.layered([[2, 8, 8, 0, 0, 0, 0], [4, 6, 6, 3, 1, 0, 1]])
    assert place(network, spec(synapse_bytes_per_core=36.0, shared_kernels=True)).cores == 9
    apart = place(network, spec(synapse_bytes_per_core=36.0))
    assert apart.cores == 72  # 2 neurons x 18 bytes fill a core


@pytest.mark.parametrize("order", [[0], [0, 0, 1], [-1, 1, 2], [0, 1, 8]])
def test_a_core_order_names_different_cores_of_the_chip(order):
    with pytest.raises(PlacementError, match="core_order: want 3 different cores from 0 to 7"):
        place(SpikingNetwork.layered([2, 48]), CHIP, core_order=order)


def test_cores_per_layer_are_one_number_per_layer():
    network = SpikingNetwork.layered([2, 8, 4])
    assert place(network, CHIP, cores_per_layer=[1, 2, 4]).neurons.tolist() == [2, 4, 4, 1, 1, 1, 1]
    with pytest.raises(PlacementError, match="cores_per_layer: found 2 numbers, want one per layer: 3"):
        place(network, CHIP, cores_per_layer=[1, 2])
    with pytest.raises(PlacementError, match="layer 2 on chip toy: found 5 cores, want 1 to 4"):
        place(network, CHIP, cores_per_layer=[1, 2, 5])


def test_a_network_beyond_all_bounds_is_refused_before_memory_is_taken():
    with pytest.raises(LimitError, match="cores for one copy of the network"):
        place(SpikingNetwork.layered([5, 2**31 - 1]), CHIP)
    with pytest.raises(LimitError, match="layer 2 on chip toy: needs 400,000,000 pairs of cores to connect"):
        place(SpikingNetwork.layered([5, 320_000, 320_000]), CHIP)


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
        ({"mode": "analog"}, "chip toy: mode analog is not simulated; modes that are: barrier, tick"),
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


@pytest.mark.parametrize(
    ("words", "bits"), [(["int8"], 8), (["ternary", "int8"], 2), (["fp32"], 32), ([], 8), (["?"], 8)]
)
def test_weights_are_stored_in_the_first_precision_of_the_list(entry, words, bits):
    facts = {"mode": "barrier", "nets": ["snn"], "precision": words}
    numbers = {"cores": 1.0, "neurons_per_core": 1.0, "static_w": 0.0, "synapse_j": 1.0}
    assert ChipSpec.of(entry("chip", "toy", facts, **numbers)).weight_bits == bits


def test_the_mesh_is_as_square_as_whole_rows_allow():
    heights = {(128, 4): 4, (4096, 1): 64, (152, 4): 2, (17, 1): 1}
    assert {key: spec(cores=key[0], cores_per_tile=key[1]).mesh_height for key in heights} == heights
    assert np.prod([8, 4]) == 128 // 4
