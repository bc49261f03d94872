"""Chips without steps: waiting times by hand, what fits their cores, saturation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.chip import ChipSpec, Costs, LimitError, SpikingNetwork, events, execute, place
from dcsim.chip.spec import Pipeline
from dcsim.errors import PlacementError

PIPELINE = Pipeline(
    neurons=(64.0, 64.0, 16.0),
    kernel_bytes=(600.0, 200.0, 50.0),
    synapse_s=(1e-6, 2e-6, 3e-6),
    layer_s=1e-6,
    entry_s=5e-6,
    fan_out=2,
)
CHIP = ChipSpec(
    "async",
    "event",
    cores=3,
    neurons_per_core=64,
    static_w=0.5,
    tick_s=1e-2,
    shared_kernels=True,
    costs=Costs(synapse_j=1e-6),
    pipeline=PIPELINE,
)


def fired(steps: int, *spikes: float) -> np.ndarray:
    return np.tile(np.array(spikes), (steps, 1))


def test_an_inference_worked_out_by_hand():
    """8 inputs, 40 and 10 neurons; both layers need a core that holds 320 and 400 bytes: only the first one does."""
    network = SpikingNetwork.layered([5, 40, 4], steps=3)  # 200 bytes and 160 bytes of kernels
    chip = replace(CHIP, pipeline=replace(PIPELINE, kernel_bytes=(200.0, 160.0, 50.0)))
    run = execute(network, place(network, chip), chip, fired=fired(3, 5, 10, 0))
    # layer 1 on core 0: 5 events of 40 operations, 1 us each: 40 us an event, load 200 us / 10 ms = .02
    # layer 2 on core 1: 10 events of 4 operations, 2 us each: 8 us an event, load 80 us / 10 ms = .008
    waits = [40e-6 * 0.02 / (2 * 0.98), 8e-6 * 0.008 / (2 * 0.992)]
    assert run.latency_s[0] == pytest.approx(3e-2 + 5e-6 + 2 * 1e-6 + 40e-6 + 8e-6 + sum(waits), rel=1e-12)
    assert run.interval_s[0] == pytest.approx(3e-2)
    assert run.energy_j["static"][0] == pytest.approx(0.5 * run.latency_s[0])
    assert run.energy_j["synapse"][0] == pytest.approx(3 * (200 + 40) * 1e-6)
    assert run.core_s[0, 0].tolist() == pytest.approx([0.0, 200e-6, 80e-6])
    assert "real time" in run.notes[0]


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 39.0), st.floats(0.0, 1.0))
def test_more_events_never_take_less_time(spikes, more):
    network = SpikingNetwork.layered([40, 5], steps=2)
    placement = place(network, CHIP)
    quiet, loud = (execute(network, placement, CHIP, fired=fired(2, n, 0)) for n in (spikes, spikes + more))
    assert loud.latency_s[0] >= quiet.latency_s[0] - 1e-15
    assert loud.total_j[0] >= quiet.total_j[0]
    assert quiet.latency_s[0] >= 2 * CHIP.tick_s


def test_a_layer_whose_events_outrun_it_is_refused():
    network = SpikingNetwork.layered([40, 5], steps=2)
    slow = replace(CHIP, tick_s=1e-4)  # 40 x 5 operations need 200 us
    with pytest.raises(PlacementError, match=r"layer 1 on chip async: events bring 2 times the synaptic operations"):
        execute(network, place(network, slow), slow, fired=fired(2, 40, 0))


def test_a_burst_is_marked_and_worked_off():
    network = SpikingNetwork.layered([40, 5], steps=4)
    slow = replace(CHIP, tick_s=1e-4)
    burst = np.array([[40.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    run = execute(network, place(network, slow), slow, fired=burst)
    assert run.steps.overrun[0].tolist() == [True, False, False, False]


def test_layers_go_to_cores_that_hold_them():
    """The layer with the large kernel takes the core with the large memory, whatever its place in the network."""
    network = SpikingNetwork.layered([5, 8, 60], steps=1)  # 40 and 480 bytes; 8 and 60 neurons
    events.check(network, CHIP)
    seconds = events._synapse_times(network, CHIP)
    assert seconds[2] == 1e-6
    assert seconds[1] in (2e-6, 3e-6)


def test_pooling_needs_no_core():
    rows = [[1, 8, 8, 0, 1, 0, 1], {"conv": 1, "kernel": 1}, {"pool": 2}, {"conv": 1, "kernel": 1}, {"pool": 2}, 4]
    network = SpikingNetwork.layered(rows, steps=1)
    events.check(network, CHIP)
    assert events._held(network) == [1, 3, 5]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([5, 4, 4, 4, 4], "net on chip async: needs 4 cores, one per layer, has 3"),
        ([5, 70], "net on chip async, layer 1: needs 70 neurons in one core, has 64"),
        ([40, 20], "net on chip async, layer 1: needs 800 bytes of kernels in one core, has 600"),
        ([10, 40, 8], "large cores"),
        ([5, {"dense": 4, "recurrent": True}], "a layer cannot send to itself there"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(layers, message):
    network = SpikingNetwork.layered(layers, steps=1, name="net")
    with pytest.raises(PlacementError, match=message):
        events.check(network, replace(CHIP, pipeline=replace(PIPELINE, neurons=(64.0, 30.0, 16.0))))


def test_a_layer_sends_to_few_others():
    network = SpikingNetwork.layered([5, 4, 4], steps=1)
    narrow = replace(CHIP, pipeline=replace(PIPELINE, fan_out=0))
    with pytest.raises(LimitError, match="layer 0: needs 1 layers to send to, has 0"):
        events.check(network, narrow)


def test_a_layer_on_two_cores_is_refused():
    network = SpikingNetwork.layered([5, 8], steps=1)
    spread = place(network, CHIP, cores_per_layer=[1, 2])
    with pytest.raises(LimitError, match="layer 1 on chip async: needs 2 cores, has 1"):
        execute(network, spread, CHIP, fired=fired(1, 1, 0, 0))


def test_speck_has_its_published_times():
    """1.58 us through one layer, 3.36 us through nine, operations included."""
    chip = ChipSpec.of(catalog.load().get("speck", "chip"))
    assert chip.pipeline is not None
    assert chip.pipeline.entry_s + chip.pipeline.layer_s == pytest.approx(1.58e-6)
    assert chip.pipeline.entry_s + 9 * chip.pipeline.layer_s == pytest.approx(3.36e-6)
    assert sum(chip.pipeline.kernel_bytes) == 272 * 1024
    assert sum(chip.pipeline.neurons) == 327_680
