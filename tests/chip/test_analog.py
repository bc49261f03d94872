"""Analogue chips: model time over speed-up, several chips, and parts in turn on one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.chip import ChipSpec, Costs, Placement, SpikingNetwork, execute, place
from dcsim.errors import PlacementError

CHIP = ChipSpec(
    "analog",
    "analog",
    cores=2,
    neurons_per_core=8,
    static_w=0.5,
    tick_s=1e-3,
    speedup=1000.0,
    chip_hop_s=1.3e-6,
    load_s=1e-3,
    costs=Costs(input_spike_s=2e-7, output_spike_s=3e-7),
)


def run(layers, fired, **options):
    network = SpikingNetwork.layered(layers, steps=len(fired))
    return execute(network, place(network, CHIP), CHIP, fired=fired, **options)


def test_model_time_is_compressed_unless_spikes_cannot_come_as_fast():
    run_ = run([8, 6, 4], np.array([[2.0, 3.0, 1.0], [8.0, 0.0, 0.0]]))
    # a step of 1 ms is 1 us; 2 x .2 + .3 us fit, 8 x .2 us do not
    assert run_.steps.seconds[0].tolist() == pytest.approx([1e-6, 1.6e-6])
    assert run_.steps.limit[0].tolist() == [0, 2]
    assert run_.latency_s[0] == pytest.approx(2.6e-6)
    assert run_.total_j[0] == run_.energy_j["static"][0] == pytest.approx(0.5 * 2.6e-6)
    assert run_.interval_s[0] == run_.latency_s[0]


def test_several_chips_add_a_hop_and_their_power():
    found = run([4, 20], np.zeros((10, 4)))  # 20 neurons on three cores, two chips
    assert found.wiring.chips == 2
    assert found.latency_s[0] == pytest.approx(10e-6 + 1.3e-6)
    assert found.energy_j["static"][0] == pytest.approx(2 * 0.5 * 11.3e-6)


def test_parts_in_turn_take_their_time_each_on_one_chip():
    layers, fired = [4, 8, 8, 8], np.tile([1.0, 2.0, 2.0, 0.0], (10, 1))
    found = run(layers, fired, in_turn=True)
    # layers 1 and 2 are the first part; layer 2's spikes go out and in again: 2 x .5 us a step, beside 1 x .2 us
    assert found.wiring.chips == 1
    assert found.steps.io_s[0].tolist() == pytest.approx([1.2e-6] * 10)
    assert found.steps.seconds[0].tolist() == pytest.approx([2e-6] * 10)
    assert found.latency_s[0] == pytest.approx(20e-6 + 1e-3)
    assert found.energy_j["static"][0] == pytest.approx(0.5 * found.latency_s[0])
    assert "2 parts run one after another" in found.notes[1]
    together = run(layers, fired)
    assert together.wiring.chips == 2


def test_parts_that_depend_on_each_other_cannot_run_in_turn():
    network = SpikingNetwork.layered([4, 8, 8, 8], steps=1, name="net")
    core = np.repeat([-1, 2, 0, 1], [4, 8, 8, 8])
    with pytest.raises(PlacementError, match="net on chip analog: layer 1 sends to an earlier part"):
        execute(network, Placement(core), CHIP, fired=np.zeros((1, 4)), in_turn=True)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 1.0), st.integers(1, 20))
def test_energy_is_power_times_time_whatever_happens(rate, steps):
    network = SpikingNetwork.layered([8, 6, 4], steps=steps, rates=rate)
    found = execute(network, place(network, CHIP), CHIP, samples=3)
    np.testing.assert_allclose(found.total_j, 0.5 * found.latency_s)
    assert (found.latency_s >= steps * 1e-6 * (1 - 1e-12)).all()


def test_learning_needs_its_energy():
    network, learns = SpikingNetwork.layered([8, 6], steps=1, rates=0.1), replace(CHIP, learns=True)
    with pytest.raises(PlacementError, match="no energy of a learning synapse on chip analog"):
        execute(network, place(network, learns), learns, learning=0.1)
