"""Dense networks on a fixed schedule: stages, intervals and transfers by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.chip import ChipSpec, Costs, LimitError, SpikingNetwork, execute, place, scheduled
from dcsim.chip.execution import LIMITS
from dcsim.chip.spec import DenseCosts
from dcsim.errors import PlacementError

DENSE = DenseCosts(op_per_s=((8, 1e6), (4, 2e6)), utilisation=0.5, by_chip=True)
CHIP = ChipSpec(
    "dense",
    "scheduled",
    cores=4,
    neurons_per_core=100,
    static_w=2.0,
    synapse_bytes_per_core=1000.0,
    host_w=1.0,
    chip_hop_s=1e-6,
    costs=Costs(op_j=1e-9),
    nets=("ann",),
    dense=DENSE,
)
LAYERS = [20, 40, 10]  # 800 and 400 products


def run(chip=CHIP, layers=LAYERS, **options):
    network = SpikingNetwork.layered(layers)
    return execute(network, place(network, chip), chip, form="dense", **options)


def test_a_chip_that_works_on_one_layer_at_a_time():
    found = run()
    assert found.latency_s.tolist() == pytest.approx([2 * 1200 / 0.5e6])
    assert found.interval_s.tolist() == found.latency_s.tolist()  # one chip, one stage
    assert found.energy_j["synapse"][0] == pytest.approx(2400e-9)
    assert found.energy_j["static"][0] == pytest.approx(2.0 * found.latency_s[0])
    assert found.energy_j["host"][0] == pytest.approx(found.latency_s[0])
    assert found.wiring.copies == 1
    assert "8-bit weights, 50% of the peak rate" in found.notes[0]
    assert 0.0 < found.utilisation <= 1.0


def test_frames_of_an_inference_follow_each_other_through_the_stages():
    chip = replace(CHIP, dense=replace(DENSE, by_chip=False))
    network = replace(SpikingNetwork.layered(LAYERS), frames=5)
    found = execute(network, place(network, chip), chip, form="dense")
    assert found.latency_s[0] == pytest.approx((1600 + 800 + 4 * 1600) / 0.125e6)
    assert found.interval_s[0] == pytest.approx(5 * 1600 / 0.125e6)
    assert found.energy_j["synapse"][0] == pytest.approx(5 * 2400e-9)
    gesture = SpikingNetwork.of(catalog.load().get("dvs-gesture"))
    assert gesture.frames == 20


def test_layers_with_cores_of_their_own_are_stages():
    found = run(replace(CHIP, dense=replace(DENSE, by_chip=False)))
    # each core does .125 M operations/s; layer 1 is on one core (800 bytes), layer 2 on another
    assert found.latency_s[0] == pytest.approx((1600 + 800) / 0.125e6)
    assert found.interval_s[0] == pytest.approx(1600 / 0.125e6)
    seconds, energy_j = found.batch(2)  # two copies fit on four cores
    assert seconds == pytest.approx(found.latency_s[0])
    assert energy_j["static"] == pytest.approx(2.0 * seconds / 2)


def test_chips_are_stages_and_latency_is_their_sum():
    found = run(replace(CHIP, cores=1))
    assert found.wiring.chips == 2
    assert found.latency_s[0] == pytest.approx(2400 / 0.5e6 + 1e-6)
    assert found.interval_s[0] == pytest.approx(1600 / 0.5e6)
    assert found.energy_j["static"][0] == pytest.approx(2 * 2.0 * found.latency_s[0])


def test_zeros_that_are_skipped_fewer_bits_and_layers_to_start():
    assert run(replace(CHIP, dense=replace(DENSE, density=0.5))).latency_s[0] == pytest.approx(1200 / 0.5e6)
    assert run(replace(CHIP, weight_bits=4)).latency_s[0] == pytest.approx(2400 / 1e6)
    started = run(replace(CHIP, dense=replace(DENSE, layer_s=0.01)))
    assert started.latency_s[0] == pytest.approx(2400 / 0.5e6 + 0.02)


def test_input_and_output_bound_the_interval():
    found = run(replace(CHIP, dense=replace(DENSE, io_bytes_per_s=1000.0)))  # 30 bytes in and out
    assert found.interval_s[0] == pytest.approx(0.03)
    assert found.latency_s[0] == pytest.approx(0.03 + 2400 / 0.5e6)
    assert found.steps.limit[0, 0] == 2


def test_weights_that_do_not_fit_are_refused():
    network = SpikingNetwork.layered([200, 400])
    with pytest.raises(LimitError, match="chip dense"):
        place(network, CHIP, max_chips=1)


def test_a_spiking_chip_runs_no_dense_network():
    chip = replace(CHIP, dense=None, nets=("snn",))
    with pytest.raises(PlacementError, match="chip dense runs no dense networks, only snn"):
        run(chip)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60))
def test_wider_layers_never_take_less(narrow, more):
    small, large = (run(layers=[10, width, 4]) for width in (narrow, narrow + more))
    assert large.latency_s[0] >= small.latency_s[0]
    assert large.total_j[0] >= small.total_j[0]
    assert all((joules >= 0.0).all() for joules in small.energy_j.values())


def test_a_model_of_which_only_operations_are_known(entry):
    model = entry("model", "big", parameters=3e6, flop_per_sample=1e6)
    found = scheduled.profile(model, CHIP, 1e6, None)
    assert (found.devices, found.slots) == (3, 3)
    assert found.latency_s[0] == pytest.approx(2.0 + 2e-6)
    assert found.detail["interval_s"] == pytest.approx(found.latency_s[0] / 3)
    assert found.chip_j[0] == pytest.approx(1e-3)
    with pytest.raises(PlacementError, match="big on chip dense: needs 3 chips for its weights, has 2"):
        scheduled.profile(model, CHIP, 1e6, 2)


@pytest.mark.parametrize(("chip_name", "model_name"), [("tianjic", "mnist-256"), ("spinnaker2", "mnist-cnn")])
def test_hybrid_chips_run_both_forms(chip_name, model_name):
    view = catalog.load()
    chip = ChipSpec.of(view.get(chip_name, "chip"))
    network = SpikingNetwork.of(view.get(model_name, "model"))
    placement = place(network, chip)
    dense, spiking = (execute(network, placement, chip, form=form) for form in ("dense", "spiking"))
    assert dense.latency_s[0] < spiking.latency_s[0]
    assert np.isfinite(dense.total_j).all()


def test_a_call_that_takes_longer_than_all_layers_is_what_an_inference_waits_for():
    """2400 operations at .5 M/s take 4.8 ms; input and output of the layers wait for nothing."""
    for host_step_s, limit in ((4.7e-3, "compute"), (4.9e-3, "io")):
        found = run(replace(CHIP, costs=replace(CHIP.costs, host_step_s=host_step_s)))
        assert LIMITS[found.steps.limit[0, 0]] == limit
        assert found.steps.io_s.tolist() == [[0.0]]  # copies do not share the host's call
        assert found.interval_s[0] == pytest.approx(4.8e-3)
