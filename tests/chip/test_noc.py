"""Message timing: steps worked out by hand, compiled and uncompiled alike, limits that it must keep."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.chip import PORT, ChipSpec, Costs, Placement, SpikingNetwork, execute, execution, noc
from dcsim.chip.wiring import reach, wire
from dcsim.errors import PlacementError

HAND = ChipSpec(
    "hand",
    "barrier",
    cores=8,
    neurons_per_core=16,
    static_w=0.0,
    cores_per_tile=1,  # 4 x 2 tiles: core 2 is east of core 0, core 1 south of it
    link_buffer=16.0,
    costs=Costs(
        access_s=1.0, update_s=2.0, spike_s=4.0, packet_s=8.0, receive_s=100.0, synapse_s=10.0, hop_ew_s=3.0,
        hop_ns_s=5.0,
    ),
)  # fmt: skip

has_numba = importlib.util.find_spec("numba") is not None
both_ways = pytest.mark.usefixtures("kernel")


@pytest.fixture(params=["plain", "compiled"])
def kernel(request, monkeypatch):
    """Both ways to run."""
    if request.param == "plain":
        monkeypatch.setattr(noc, "_compiled", lambda: None)
    elif not has_numba:
        pytest.skip("numba is not installed")


def times(synapses, core, spikes, chip=HAND, updated="fired", inputs=None):
    spikes = np.atleast_2d(np.asarray(spikes, dtype=bool))
    pre, post = np.array(synapses).reshape(-1, 2).T
    network = SpikingNetwork.from_synapses(pre, post, neurons=len(core), inputs=inputs)
    wiring = wire(network, Placement(np.array(core)), chip)
    traffic = noc.traffic(wiring, reach(network, wiring), chip)
    found = noc.message_times(spikes[None], updated, traffic, chip)
    return tuple(array[0].tolist() for array in found)


@both_ways
def test_a_single_message():
    """Neuron 0 on core 0 to both neurons of core 2, one hop east.

    Sent at 1 + 2 + 4 + 8 = 15, arrives at 18, takes 100 + 2 x 10. Core 2 alone needs 2 x 1.
    """
    seconds, blocked, queued = times([(0, 1), (0, 2)], [0, 2, 2], [[1, 0, 0], [0, 0, 0]])
    assert seconds == [138.0, 2.0]
    assert blocked == [0.0, 0.0]
    assert queued == [0.0, 0.0]


@both_ways
def test_updated_neurons_and_work_after_the_last_message_count():
    """Core 0: 15 to the first message, then neuron 2 with 1 + 2; core 2 receives at 18."""
    seconds, *_ = times([(0, 1)], [0, 2, 0], [[1, 0, 0]], updated=np.array([[[0, 0, 1]]], dtype=bool))
    assert seconds == [18 + 110]
    slow = replace(HAND, costs=replace(HAND.costs, update_s=200.0))
    seconds, *_ = times([(0, 1)], [0, 2, 0], [[1, 0, 0]], slow, updated="all")
    assert seconds == [1 + 200 + 4 + 8 + 1 + 200]


@both_ways
def test_a_spike_sends_to_one_core_after_the_other():
    """To cores 1 and 2: sent at 15 and 23; south takes 5, east 3."""
    seconds, *_ = times([(0, 1), (0, 2)], [0, 1, 2], [[1, 0, 0]])
    assert seconds == [23 + 3 + 110]


@both_ways
def test_a_receiver_takes_one_message_at_a_time():
    """Cores 1 and 2 send to core 0 at 15: arrivals at 18 (from the east) and 20. One waits for the other."""
    seconds, _, queued = times([(0, 2), (1, 2)], [1, 2, 0], [[1, 1, 0]])
    # core 1 goes first: arrives at 20, done at 130; core 2's arrives at 18, meets nothing on its way, waits till 130
    assert seconds == [130 + 110]
    assert queued == [130 - 18]


@both_ways
def test_senders_are_blocked_beyond_the_buffer():
    """Three neurons of core 0 to core 2, sent at 15, 30, 45 if nothing is in the way; the buffer holds 1/8 per tile.

    1: meets nothing, taken up at 18. 2: at 30 nothing is under way; arrives at 33, taken up at 128.
    3: at 45, the second is under way with 1/3 in each of the 2 tiles: flow 2/3, capacity 2/8, mean 110, so blocked for
    (2/3 - 1/4) 110; then flow mean / 2 = 36.7 is more than the hop.
    """
    chip = replace(HAND, link_buffer=0.125)
    seconds, blocked, queued = times([(0, 3), (1, 3), (2, 3)], [0, 0, 0, 2], [[1, 1, 1, 0]], chip)
    assert blocked == pytest.approx([(2 / 3 - 1 / 4) * 110])
    arrival = 45 + (2 / 3 - 1 / 4) * 110 + 2 / 3 * 110 / 2
    assert queued == pytest.approx([(128 - 33) + (238 - arrival)])
    assert seconds == pytest.approx([18 + 330])


@both_ways
def test_what_is_under_way_delays_what_follows_on_its_way():
    """As before without a limit of the buffer: sent at 45, under way for flow mean / 2 = 36.7 instead of 3."""
    chip = replace(HAND, link_buffer=None)
    seconds, blocked, queued = times([(0, 3), (1, 3), (2, 3)], [0, 0, 0, 2], [[1, 1, 1, 0]], chip)
    assert blocked == [0.0]
    assert queued == pytest.approx([(128 - 33) + (238 - 45 - 2 / 3 * 110 / 2)])
    assert seconds == pytest.approx([18 + 330])


@both_ways
def test_inputs_at_the_port_send_from_tile_0_and_cost_no_neuron_time():
    """Two input spikes: sent at 8 and 16, one hop east."""
    seconds, *_ = times([(0, 2), (1, 2)], [PORT, PORT, 2], [[1, 1, 0]], inputs=[0, 1])
    assert seconds == [8 + 3 + 2 * 110]


@both_ways
def test_borders_between_chips_take_their_time():
    """Core 8 is core 0 of the second of two chips, four tiles east."""
    chip = replace(HAND, costs=replace(HAND.costs, chip_crossing_s=1000.0))
    seconds, *_ = times([(0, 1)], [0, 8], [[1, 0]], chip)
    assert seconds == [15 + 4 * 3 + 1000 + 110]


@both_ways
def test_nothing_takes_no_time():
    free = replace(HAND, costs=replace(HAND.costs, access_s=0.0))
    assert times([(0, 1)], [0, 1], [[0, 0]], free) == ([0.0], [0.0], [0.0])
    assert times([], [0, 1], [[0, 0]]) == ([1.0], [0.0], [0.0])
    assert times([], [0, 1], [[1, 0]]) == ([7.0], [0.0], [0.0])  # a spike that leads nowhere


# ---------------------------------------------------------------- random networks


def drawn(seed, chips=1, neurons=60, synapses=400):
    generator = np.random.default_rng(seed)
    core = generator.integers(0, HAND.cores * chips, neurons)
    inputs = np.flatnonzero(generator.random(neurons) < 0.2)
    core[inputs[::2]] = PORT
    pre, post = generator.integers(0, neurons, (2, synapses))
    network = SpikingNetwork.from_synapses(pre, post, neurons=neurons, inputs=inputs, steps=3)
    spikes = generator.random((2, 3, neurons)) < 0.3
    return network, Placement(core), spikes


@pytest.mark.skipif(not has_numba, reason="numba is not installed")
@pytest.mark.parametrize(("seed", "buffer"), [(1, 16.0), (2, 0.25), (3, 0.05), (4, None)])
def test_compiled_and_uncompiled_agree_to_the_last_bit(monkeypatch, seed, buffer):
    network, placement, spikes = drawn(seed, chips=2)
    chip = replace(HAND, link_buffer=buffer)
    compiled = execute(network, placement, chip, spikes=spikes, timing="message").messages
    monkeypatch.setattr(noc, "_compiled", lambda: None)
    plain = execute(network, placement, chip, spikes=spikes, timing="message").messages
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([None, 16.0, 0.3]), st.sampled_from(["all", "fired"]))
def test_a_step_is_at_least_as_long_as_its_slowest_core_and_at_most_everything_in_turn(seed, buffer, updates):
    network, placement, spikes = drawn(seed)
    chip = replace(HAND, link_buffer=buffer)
    found = execute(network, placement, chip, spikes=spikes, timing="message", updates=updates)
    seconds, blocked, _ = found.messages
    cores = execution.core_times(found.counts, found.wiring, chip).max(axis=2)
    assert (seconds >= cores * (1 - 1e-12)).all()
    assert (
        seconds >= execute(network, placement, chip, spikes=spikes, updates=updates).core_s.max(axis=2) - 1e-9
    ).all()
    assert np.array_equal(found.steps.seconds, seconds + chip.sync_s(found.wiring.tiles, 1))
    if buffer is None:
        assert (blocked == 0.0).all()


@both_ways
def test_samples_do_not_meet():
    network, placement, spikes = drawn(7)
    both = execute(network, placement, HAND, spikes=spikes, timing="message").messages
    for sample in (0, 1):
        alone = execute(network, placement, HAND, spikes=spikes[sample], timing="message").messages
        np.testing.assert_array_equal(alone.seconds[0], both.seconds[sample])


@both_ways
def test_synapses_that_learn_take_longer():
    chip = replace(HAND, learns=True, costs=replace(HAND.costs, learning_s=7.0, learning_j=1.0))
    network = SpikingNetwork.from_synapses([0, 0], [1, 2], neurons=3)
    run = {"spikes": [[1, 0, 0]], "timing": "message", "updates": "fired"}
    found = execute(network, Placement(np.array([0, 2, 2])), chip, learning=0.5, **run)
    assert found.messages.seconds.tolist() == [[138 + 2 * 0.5 * 7]]


def test_message_timing_needs_spikes():
    network, placement, _ = drawn(1)
    with pytest.raises(PlacementError, match='timing: "message" needs spikes'):
        execute(network, placement, HAND, rates=0.1, timing="message")


def test_times_that_are_equal_on_paper_are_equal():
    assert noc._decimal(6.0 * 1e-9) == 6e-9
    assert 6.0 * 1e-9 != 6e-9
    assert noc._decimal(float("inf")) == float("inf")
