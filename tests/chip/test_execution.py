"""Counts, seconds and joules: one network worked out by hand, published identities, invariants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dcsim import catalog
from dcsim.chip import ChipSpec, Costs, Placement, SpikingNetwork, execution, place
from dcsim.chip.wiring import reach, wire

HAND = ChipSpec(
    "hand",
    "barrier",
    cores=8,
    neurons_per_core=4,
    static_w=2.0,
    sync=((1.0, 64.0), (2.0, 128.0), (3.0, 256.0)),
    host_w=0.5,
    costs=Costs(
        access_j=1.0, update_j=2.0, spike_j=4.0, packet_j=8.0, synapse_j=16.0, hop_ew_j=1000.0, hop_ns_j=32.0,
        access_s=1.0, update_s=2.0, spike_s=4.0, packet_s=8.0, receive_s=16.0, synapse_s=0.5,
        input_spike_s=3.0, input_spike_j=5.0, output_spike_s=7.0, output_spike_j=11.0, host_step_s=0.25,
        reset_s=10.0, reset_j=100.0,
    ),
)  # fmt: skip


def run(network, chip, fired, **options):
    wiring = wire(network, place(network, chip), chip)
    counts = execution.count(np.asarray(fired, dtype=float), wiring, **options)
    steps = execution.step_times(counts, wiring, chip)
    return wiring, counts, steps, execution.energy(counts, steps, wiring, chip)


def test_a_network_worked_out_by_hand_to_the_last_digit():
    """2 inputs, 3 neurons on core 0 (tile 0, 0) and 2 on core 1 (tile 0, 1); one sample of two steps.

    Step 1: 2 input spikes, 1 hidden, 1 output. Step 2: none.
    """
    network = SpikingNetwork.layered([2, 3, 2], steps=2)
    wiring, counts, steps, energy = run(network, HAND, [[[2, 1, 1], [0, 0, 0]]])
    assert counts.received.tolist() == [[[0, 2, 1], [0, 0, 0]]]
    assert counts.synops.tolist() == [[[0, 6, 2], [0, 0, 0]]]
    assert counts.updated.tolist() == [[[0, 3, 2], [0, 3, 2]]]
    # step 1. port: 2 packets = 16; core 0 sends: 3 + 3 x 2 + 4 + 8 = 21; core 1: 2 + 2 x 2 + 4 = 10
    #         core 0 receives: 2 x 16 + 6 / 2 = 35; core 1: 16 + 2 / 2 = 17; I/O: 2 x 3 + 7 + 1/4 = 13.25
    # step 2. core 0: 3 + 6 = 9. Both end with the barrier of two tiles, 128
    assert steps.seconds.tolist() == [[35 + 128, 9 + 128]]
    assert steps.io_s.tolist() == [[13.25, 0.25]]
    assert execution.latency(steps, HAND).tolist() == [300 + 10]
    assert {cause: joules.tolist() for cause, joules in energy.items()} == {
        "static": [2 * 310],
        "neuron": [2 * 5 * (1 + 2) + 2 * 4 + 100],
        "synapse": [8 * 16],
        "network": [3 * 8 + 32],  # three messages; only the hidden spike hops, one row south
        "learning": [0],
        "io": [2 * 5 + 11],
        "host": [310 * 0.5],
    }
    assert wiring.copies == 4
    assert execution.core_times(counts, wiring, HAND).tolist() == [[[16, 35, 17], [0, 9, 6]]]


def test_the_same_from_the_spikes_of_each_neuron():
    network = SpikingNetwork.layered([2, 3, 2], steps=2)
    wiring, *expected = run(network, HAND, [[[2, 1, 1], [0, 0, 0]]])
    spikes = np.zeros((1, 2, 7), dtype=bool)
    spikes[0, 0, [0, 1, 3, 6]] = True
    counts = execution.count_spikes(spikes, reach(network, wiring), wiring, "all")
    steps = execution.step_times(counts, wiring, HAND)
    for field in ("fired", "updated", "sent", "received", "synops", "hops_ew", "hops_ns", "crossings"):
        np.testing.assert_array_equal(getattr(counts, field), getattr(expected[0], field), field)
    assert steps.seconds.tolist() == expected[1].seconds.tolist()
    assert execution.energy(counts, steps, wiring, HAND) == expected[2]


def test_updates_are_of_the_neurons_that_a_mask_names():
    network = SpikingNetwork.layered([2, 3, 2], steps=2)
    wiring = wire(network, place(network, HAND), HAND)
    mask = np.zeros((1, 2, 7), dtype=bool)
    mask[0, 0, [1, 2, 4, 5]] = mask[0, 1, 6] = True  # neuron 1 is an input, whose updates cost nothing
    counts = execution.count_spikes(np.zeros((1, 2, 7), dtype=bool), reach(network, wiring), wiring, mask)
    assert counts.updated.tolist() == [[[0, 2, 1], [0, 0, 1]]]
    given = execution.count(np.zeros((1, 2, 3)), wiring, updates=np.array([[[1, 2, 1], [0, 0, 1]]]))
    assert given.updated.tolist() == [[[0, 2, 1], [0, 0, 1]]]


def test_groups_need_not_be_ranges_of_neurons():
    """Neurons 0, 2 and 4 on core 5, the others on core 1; each sends to the next one."""
    network = SpikingNetwork.from_synapses([0, 1, 2, 3], [1, 2, 3, 4], neurons=5, steps=1)
    wiring = wire(network, Placement(np.array([5, 1, 5, 1, 5])), HAND)
    spikes = np.array([[[1, 1, 0, 0, 1]]], dtype=bool)
    counts = execution.count_spikes(spikes, reach(network, wiring), wiring, spikes | np.array([0, 0, 0, 1, 0], bool))
    assert counts.fired.tolist() == [[[2, 1]]]
    assert counts.updated.tolist() == [[[2, 2]]]
    assert counts.sent.tolist() == [[[1, 1]]]  # neuron 4 leads nowhere
    assert counts.received.tolist() == [[[1, 1]]]


def test_a_replayed_raster_updates_only_the_neurons_that_fire():
    network = SpikingNetwork.layered([2, 3, 2], steps=2)
    _, counts, _, energy = run(network, HAND, [[[2, 1, 1], [0, 0, 0]]], updates="fired")
    assert counts.updated.tolist() == [[[0, 1, 1], [0, 0, 0]]]
    assert energy["neuron"].tolist() == [2 * 5 * 1 + 2 * 2 + 2 * 4 + 100]


def test_input_and_output_bound_a_step_that_the_cores_do_not():
    slow = replace(HAND, costs=replace(HAND.costs, host_step_s=500.0))
    _, _, steps, _ = run(SpikingNetwork.layered([2, 3, 2], steps=1), slow, [[[2, 1, 1]]])
    assert steps.seconds.tolist() == [[500 + 6 + 7 + 128]]
    assert execution.LIMITS[steps.limit[0, 0]] == "io"


def test_the_peak_of_synaptic_operations_bounds_a_step():
    slow = replace(HAND, peak_sop_per_s=0.01)
    _, _, steps, _ = run(SpikingNetwork.layered([2, 3, 2], steps=1), slow, [[[2, 1, 1]]])
    assert steps.seconds.tolist() == [[800 + 128]]


def test_the_busiest_link_bounds_a_step():
    """Port and core 0 are on tile 0, core 1 is on the tile south of it: only the hidden spike takes a link."""
    network = SpikingNetwork.layered([2, 3, 2], steps=2)
    fired = [[[2, 3, 1], [0, 1, 0]]]
    _, _, steps, _ = run(network, replace(HAND, link_spikes_per_s=0.01), fired)
    assert steps.seconds.tolist() == [[300 + 128, 100 + 128]]
    assert [execution.LIMITS[limit] for limit in steps.limit[0]] == ["link", "sync"]
    _, _, steps, _ = run(network, replace(HAND, link_spikes_per_s=1.0), fired)
    assert "link" not in {execution.LIMITS[limit] for limit in steps.limit[0]}


def test_a_tick_lasts_its_time_and_is_stretched_when_the_work_does_not_fit():
    chip = replace(HAND, mode="tick", tick_s=150.0)
    _, _, steps, energy = run(SpikingNetwork.layered([2, 3, 2], steps=2), chip, [[[2, 1, 1], [0, 0, 0]]])
    assert steps.seconds.tolist() == [[35 + 128, 150]]
    assert steps.overrun.tolist() == [[True, False]]
    assert energy["static"].tolist() == [2 * (163 + 150 + 10)]


def test_messages_pay_for_the_borders_between_chips_that_they_cross():
    chip = replace(HAND, neurons_per_core=1, costs=Costs(chip_crossing_j=3.0, packet_j=1.0))
    network = SpikingNetwork.layered([2, 9, 1], steps=1)
    wiring = wire(network, place(network, chip), chip)
    assert wiring.chips == 2
    fired = np.zeros((1, 1, 11))
    # two input spikes to nine cores, one of them on the second chip; one spike to it
    fired[0, 0, [0, 1]] = [2, 1]
    counts = execution.count(fired, wiring)
    energy = execution.energy(counts, execution.step_times(counts, wiring, chip), wiring, chip)
    assert energy["network"].tolist() == [2 * (9 + 3) + 1 + 3]


# ---------------------------------------------------------------- published identities


@pytest.mark.parametrize(
    ("synapse_j", "update_j"),
    [(23.6e-12 + 3.5e-12, 81e-12), (13.3e-9, 26e-9), (450e-12, 2.19e-9)],
    ids=["loihi", "spinnaker", "spinnaker2"],
)
def test_keras_spiking_energy_is_synops_and_neuron_updates(synapse_j, update_j):
    """keras-spiking 0.3.0: E = synops e_syn + neurons steps e_neuron, with its constants for three chips."""
    chip = ChipSpec("ks", "barrier", 128, 1024, 0.0, costs=Costs(synapse_j=synapse_j, update_j=update_j))
    network = SpikingNetwork.layered([784, 128, 10], steps=20)
    fired = np.zeros((1, 20, 3))
    fired[0] = [[80, 12, 1]] * 20
    *_, energy = run(network, chip, fired)
    total = sum(float(joules[0]) for joules in energy.values())
    synops = 20 * (80 * 128 + 12 * 10)
    assert total == pytest.approx(synops * synapse_j + 20 * 138 * update_j, rel=1e-12)


@pytest.fixture(scope="module")
def truenorth():
    """A full chip whose 2^20 neurons have 128 synapses each: rate in Hz -> power, W."""
    chip = ChipSpec.of(catalog.load().get("truenorth", kind="chip"))
    # in the recurrent networks measured no spike enters or leaves, and a synapse is one bit
    chip = replace(chip, weight_bits=1, costs=replace(chip.costs, input_spike_s=0.0, output_spike_s=0.0))
    network = SpikingNetwork.layered([2**20, [2**20, 1, 1, 1, 1, 0, 2**20 // 128]], steps=10)
    assert network.synapses == 2**20 * 128
    wiring = wire(network, place(network, chip), chip)
    assert (wiring.cores_in_use, wiring.chips, wiring.fan_out[0]) == (4096, 1, 1.0)

    def power_w(rate_hz: float) -> float:
        fired = np.tile(wiring.neurons * rate_hz * 1e-3, (1, 10, 1))
        counts = execution.count(fired, wiring)
        steps = execution.step_times(counts, wiring, chip)
        assert not steps.overrun.any()
        energy = execution.energy(counts, steps, wiring, chip)
        return sum(float(joules[0]) for joules in energy.values()) / execution.latency(steps, chip)[0]

    return power_w


@pytest.mark.parametrize(("rate_hz", "published_w"), [(11.58, 68e-3), (95.93, 94e-3)])
def test_truenorth_power_at_its_two_published_operating_points(truenorth, rate_hz, published_w):
    """Akopyan et al. 2015, Fig. 17 at 0.8 V, 1 ms ticks.

    Both points set the constants, so that this checks the equations, not the constants.
    """
    assert truenorth(rate_hz) == pytest.approx(published_w, rel=1e-3)


# ---------------------------------------------------------------- sampling


CONVOLUTIONAL = SpikingNetwork.layered(
    [[2, 16, 16, 0, 0, 0, 0], [8, 14, 14, 3, 1, 0, 1], [8, 7, 7, 2, 2, 0, 8], 11],
    steps=20,
    rates=[0.1, 0.2, 0.3, 0.4],
)
SMALL_CORES = ChipSpec("c", "barrier", 128, 128, 0.0, costs=Costs(synapse_j=1.0, synapse_s=1.0))


def test_spikes_are_binomial_with_the_rate_of_their_layer():
    network = SpikingNetwork.layered([100, 40], steps=4, rates=[[0.5, 0.1], [0.5, 0.2], [0.5, 0.0], [0.5, 1.0]])
    wiring = wire(network, place(network, SMALL_CORES), SMALL_CORES)
    rates = execution.group_rates(network.rates, wiring)
    fired = execution.sample_fired(rates, wiring, 4, 20_000, np.random.default_rng(1))
    assert fired.shape == (20_000, 4, 2)
    mean, sigma = fired.mean(axis=0), fired.std(axis=0)
    np.testing.assert_allclose(mean[:, 0], 50, atol=4 * 5 / 20_000**0.5)
    np.testing.assert_allclose(mean[:, 1], [4, 8, 0, 40], atol=0.08)
    np.testing.assert_allclose(sigma[:, 1], np.sqrt([40 * 0.1 * 0.9, 40 * 0.2 * 0.8, 0, 0]), rtol=0.03)


def test_rates_of_neurons_are_those_of_their_groups():
    network = SpikingNetwork.from_synapses([0, 1], [1, 2], neurons=4, steps=2)
    wiring = wire(network, Placement(np.array([3, 3, 0, 3])), SMALL_CORES)
    rates = execution.group_rates(np.array([[0.1, 0.2, 0.9, 0.6], [0.0, 0.0, 1.0, 0.3]]), wiring)
    np.testing.assert_allclose(rates, [[0.3, 0.9], [0.1, 1.0]])


@pytest.fixture(scope="module")
def wiring():
    return wire(CONVOLUTIONAL, place(CONVOLUTIONAL, SMALL_CORES), SMALL_CORES)


def test_a_spike_of_every_neuron_uses_every_synapse_once(wiring):
    fired = np.broadcast_to(wiring.neurons.astype(float), (1, 1, len(wiring.layer)))
    counts = execution.count(fired, wiring)
    assert counts.synops.sum() == pytest.approx(CONVOLUTIONAL.synapses)
    assert counts.received.sum() == pytest.approx(float(wiring.neurons @ wiring.fan_out))
    everyone = np.ones((1, 1, CONVOLUTIONAL.size), dtype=bool)
    exact = execution.count_spikes(everyone, reach(CONVOLUTIONAL, wiring), wiring, "all")
    for field in ("fired", "updated", "sent", "received", "synops", "hops_ew", "hops_ns"):
        np.testing.assert_allclose(getattr(counts, field), getattr(exact, field), err_msg=field)


def test_random_messages_keep_the_mean_and_spread_like_a_binomial(wiring):
    fired = np.broadcast_to(np.round(wiring.neurons * 0.2), (4000, 1, len(wiring.layer)))
    exact = execution.count(fired[:1], wiring)
    drawn = execution.count(fired, wiring, generator=np.random.default_rng(2))
    np.testing.assert_allclose(drawn.synops.mean(axis=0), exact.synops[0], rtol=0.02)
    link = wiring.links[0]
    variance = fired[0, 0, 0] * (link.messages * (1 - link.messages))[0]
    np.testing.assert_allclose(drawn.received[:, 0, link.target].var(axis=0), variance, rtol=0.15)
    assert (drawn.received >= 0).all()
    assert (drawn.received[:, 0, link.target] <= fired[0, 0, 0]).all()


def test_the_slowest_of_random_cores_is_slower_than_the_mean_core():
    network = SpikingNetwork(CONVOLUTIONAL.layers[:3], CONVOLUTIONAL.connections[:2], 20, np.array([[0.1, 0.2, 0.3]]))
    wiring = wire(network, place(network, SMALL_CORES), SMALL_CORES)
    rates = execution.group_rates(network.rates, wiring)
    fired = execution.sample_fired(rates, wiring, 20, 50, np.random.default_rng(3))
    smooth = execution.step_times(execution.count(fired, wiring), wiring, SMALL_CORES)
    rough_counts = execution.count(fired, wiring, generator=np.random.default_rng(4))
    rough = execution.step_times(rough_counts, wiring, SMALL_CORES)
    assert rough.seconds.mean() > smooth.seconds.mean()


def test_rates_of_single_neurons_weigh_where_the_spikes_of_a_group_go():
    """Neurons 0 and 1 share core 0; only neuron 1 fires, and it reaches core 1, not core 2."""
    network = SpikingNetwork.from_synapses([0, 1], [3, 2], neurons=4, steps=1)
    rates = np.array([0.0, 0.5, 0.1, 0.1])
    wiring = wire(network, Placement(np.array([0, 0, 1, 2])), SMALL_CORES, rates)
    counts = execution.count(np.array([[[4.0, 0.0, 0.0]]]), wiring)
    assert counts.received.tolist() == [[[0, 4, 0]]]


def test_silence_costs_only_access_updates_and_time():
    network = SpikingNetwork.layered([2, 3, 2], steps=3)
    _, _, steps, energy = run(network, HAND, np.zeros((1, 3, 3)))
    assert energy["synapse"][0] == energy["network"][0] == energy["io"][0] == 0.0
    assert energy["neuron"][0] == 3 * 5 * 3 + 100
    assert steps.seconds.tolist() == [[137.0] * 3]
