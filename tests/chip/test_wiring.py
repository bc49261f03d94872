"""A placed network as groups and cores: means against each neuron's own reach, weights, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.chip import PORT, ChipSpec, Costs, Placement, SpikingNetwork, place
from dcsim.chip.wiring import reach, synapses_onto, wire
from dcsim.errors import PlacementError

CHIP = ChipSpec("w", "barrier", cores=16, neurons_per_core=32, static_w=0.0, cores_per_tile=2)


def means(wiring, table):
    """Mean over the neurons of each group of a table with one row per neuron."""
    return np.stack([table[wiring.group == group].mean(axis=0) for group in range(len(wiring.layer))])


@pytest.mark.parametrize("inputs", ["port", "cores"])
def test_the_analytic_means_of_layers_are_those_of_their_neurons(inputs):
    network = SpikingNetwork.layered(
        [
            (2, 9, 8),
            {"conv": 4, "kernel": 3, "stride": [2, 1], "padding": 1},
            {"pool": 2},
            {"sparse": 60, "fan_in": 5},
            9,
        ]
    )
    wiring = wire(network, place(network, CHIP, inputs=inputs), CHIP)
    found = reach(network, wiring)
    synapses, messages = (np.zeros((len(wiring.layer), len(wiring.cores))) for _ in range(2))
    for link in wiring.links:
        synapses[link.source, link.target] += link.synapses
        messages[link.source, link.target] += link.messages
    onto = found.synapses.toarray()
    np.testing.assert_allclose(synapses, means(wiring, onto), atol=1e-12)
    np.testing.assert_allclose(messages, means(wiring, onto > 0), atol=1e-12)
    assert onto.sum() == network.synapses
    for field in ("hops_ew", "hops_ns", "crossings"):
        np.testing.assert_allclose(getattr(wiring, field), means(wiring, getattr(found, field)), atol=1e-12)
    np.testing.assert_allclose(wiring.fan_out, means(wiring, found.messages))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 80))
def test_any_neurons_on_any_cores(seed, synapses):
    generator = np.random.default_rng(seed)
    pre, post = generator.integers(0, 20, (2, synapses))
    inputs = generator.random(20) < 0.3
    core = np.where(inputs & (generator.random(20) < 0.5), PORT, generator.integers(0, 40, 20))
    network = SpikingNetwork.from_synapses(pre, post, neurons=20, inputs=inputs)
    placement = Placement(core)
    wiring = wire(network, placement, CHIP)
    assert (wiring.cores[wiring.core[wiring.group]] == core).all()
    assert (wiring.paid[wiring.group] == ~inputs).all()
    assert wiring.neurons.sum() == 20
    used = np.unique(core[core != PORT])
    assert wiring.cores_in_use == len(used)
    assert wiring.tiles == len(np.unique(used // 2))
    assert wiring.chips == placement.chips_on(CHIP) == max(used.max(initial=0) // 16 + 1, 1)
    found = reach(network, wiring)
    for neuron in range(20):
        targets = core[post[pre == neuron]]
        reached = set(targets.tolist())
        assert found.messages[neuron] == len(reached)
        row = found.synapses.toarray()[neuron]
        assert {int(c): int((targets == c).sum()) for c in reached} == {
            int(wiring.cores[c]): int(row[c]) for c in np.flatnonzero(row)
        }


def test_coordinates_of_tiles_and_chips():
    """Two chips side by side, each 4 tiles wide and 2 high with 2 cores per tile; tiles run down the columns."""
    network = SpikingNetwork.from_synapses([0, 0, 1, 3], [1, 2, 3, 0], neurons=4, inputs=[0])
    wiring = wire(network, Placement(np.array([PORT, 2, 5, 16 + 3])), CHIP)
    assert wiring.cores.tolist() == [PORT, 2, 5, 19]
    assert wiring.at.tile_x.tolist() == [0, 0, 1, 4]
    assert wiring.at.tile_y.tolist() == [0, 1, 0, 1]
    assert wiring.at.chip_x.tolist() == [0, 0, 0, 1]
    assert wiring.hops_ew.tolist() == [1, 4, 0, 4]
    assert wiring.hops_ns.tolist() == [1, 0, 0, 1]
    assert wiring.crossings.tolist() == [0, 1, 0, 1]
    assert (wiring.chips, wiring.copies) == (2, 1)


def test_synapses_cost_what_their_format_costs_and_the_mean_where_formats_meet():
    costs = Costs(synapse_j=1.0, synapse_s=2.0, synapse_sparse_j=4.0, synapse_conv_s=8.0)
    chip = ChipSpec("f", "barrier", cores=8, neurons_per_core=64, static_w=0.0, costs=costs)
    network = SpikingNetwork.layered([(1, 4, 4), {"conv": 2, "kernel": 3}, {"sparse": 6, "fan_in": 2}, 3])
    wiring = wire(network, place(network, chip), chip)
    assert wiring.synapse_j.tolist()[1:] == [1.0, 4.0, 1.0]
    assert wiring.synapse_s.tolist()[1:] == [8.0, 2.0, 2.0]
    together = np.concatenate([np.full(16, PORT), np.zeros(8), np.ones(9)])
    wiring = wire(network, Placement(together.astype(int)), chip)
    assert wiring.synapse_j.tolist()[2] == pytest.approx((6 * 2 * 4.0 + 3 * 6 * 1.0) / (12 + 18))


def test_rates_weigh_the_neurons_of_a_group():
    network = SpikingNetwork.from_synapses([0, 1, 1], [2, 2, 3], neurons=4)
    placement = Placement(np.array([0, 0, 1, 2]))
    assert wire(network, placement, CHIP).fan_out.tolist() == [1.5, 0, 0]
    assert wire(network, placement, CHIP, np.array([0.3, 0.1, 0.0, 0.0])).fan_out.tolist() == [1.25, 0, 0]


def test_synapses_between_the_same_neurons_add_up():
    network = SpikingNetwork.from_synapses([0, 0, 0], [1, 1, 2], neurons=3)
    assert synapses_onto(network, np.array([0, 1, 1]), 2).toarray().tolist() == [[0, 3], [0, 0], [0, 0]]


def test_a_placement_of_another_network_is_refused():
    network = SpikingNetwork.layered([2, 3])
    with pytest.raises(PlacementError, match="found 4 neurons, want the 5 of the network"):
        wire(network, Placement(np.array([PORT, PORT, 0, 0])), CHIP)


def test_neurons_cannot_be_at_the_port():
    network = SpikingNetwork.layered([2, 3])
    with pytest.raises(PlacementError, match="neuron 3 is at the port, where only inputs can be"):
        wire(network, Placement(np.array([PORT, PORT, 0, PORT, 0])), CHIP)
