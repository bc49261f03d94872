"""Cores in an order in which spikes travel less: against the layer order, and against optima known by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from dcsim import seeds
from dcsim.chip import PORT, ChipSpec, SpikingNetwork, ordering, place
from dcsim.chip.limits import check
from dcsim.chip.ordering import Places, Traffic, arranged, cost, traffic_of
from dcsim.chip.wiring import wire

CHIP = ChipSpec("toy", "barrier", cores=64, neurons_per_core=16, static_w=0.0)


def spec(**changes: object) -> ChipSpec:
    return ChipSpec(**(vars(CHIP) | changes))


def generator() -> np.random.Generator:
    return seeds.generator(1, 0, "test")


def random_traffic(cores: int, seed: int, density: float = 0.2) -> Traffic:
    drawn = np.random.default_rng(seed)
    between = drawn.random((cores, cores)) * (drawn.random((cores, cores)) < density)
    between = np.triu(between, 1)
    return Traffic(sparse.csr_array(between + between.T), drawn.random(cores) * (drawn.random(cores) < 0.1))


def travelled(network: SpikingNetwork, placement, chip: ChipSpec) -> float:
    """Hops and 16 per border, of all spikes of a step, as the execution model counts them."""
    wiring = wire(network, placement, chip)
    spikes = network.rates.mean(axis=0)[wiring.layer] * wiring.neurons
    return float(spikes @ (wiring.hops_ew + wiring.hops_ns + ordering.CROSSING * wiring.crossings))


def test_the_cost_is_what_the_execution_model_counts():
    chip = spec(cores=8)
    network = SpikingNetwork.layered([4, 40, 30, 100], rates=[0.5, 0.1, 0.2, 0.3])
    placement = place(network, chip)
    wiring = wire(network, placement, chip)
    at = wiring.cores[wiring.cores != PORT]
    places = Places.of(chip, placement.chips_on(chip))
    assert placement.chips_on(chip) == 2
    assert cost(traffic_of(network, wiring), at, places) == pytest.approx(travelled(network, placement, chip))


@pytest.mark.parametrize("layers", [20, 60])
def test_a_chain_reaches_the_optimum_where_each_spike_takes_one_hop(layers):
    network = SpikingNetwork.layered([16] * (layers + 1), rates=0.5)
    straight, better = (place(network, CHIP, order=order) for order in ("layers", "communication"))
    assert travelled(network, better, CHIP) == 8.0 * (layers - 1)  # the first core stands at the port
    assert travelled(network, straight, CHIP) > 1.5 * travelled(network, better, CHIP)


def test_on_a_few_places_no_arrangement_is_better():
    places = Places.of(spec(cores=6), 1)
    for seed in range(10):
        traffic = random_traffic(6, seed, 0.6)
        best = min(cost(traffic, np.array(at), places) for at in permutations(range(6)))
        found = arranged(traffic, np.arange(6), places, None, generator())
        assert cost(traffic, found, places) == pytest.approx(best)


@pytest.mark.slow
def test_hops_of_random_traffic_fall():
    places = Places.of(spec(cores=128), 1)
    traffic = random_traffic(128, 3, 0.05)
    found = arranged(traffic, np.arange(128), places, None, generator())
    assert sorted(found.tolist()) == list(range(128))
    assert cost(traffic, found, places) < 0.8 * cost(traffic, np.arange(128), places)


@pytest.mark.parametrize("paired", [False, True])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), cores=st.integers(1, 24), chips=st.integers(1, 3))
def test_an_arrangement_is_never_worse_and_never_puts_two_cores_in_a_place(paired, seed, cores, chips):
    chip = spec(cores=24 // chips, cores_per_tile=2)
    places = Places.of(chip, chips)
    traffic = random_traffic(min(cores, len(places.column)), seed)
    start = np.random.default_rng(seed).permutation(len(places.column))[: len(traffic.from_port)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "FULL", 0 if paired else 512)
        patch.setattr(ordering, "_WORK_IN_PAIRS", 1e5)
        patch.setattr(ordering, "_MOST_SWAPS", 60)
        found = arranged(traffic, start, places, None, generator())
    assert len(set(found.tolist())) == len(start)
    assert 0 <= found.min() <= found.max() < len(places.column)
    assert cost(traffic, found, places) <= cost(traffic, start, places)


def test_the_gain_of_each_swap_is_the_change_of_the_cost():
    chip = spec(cores=12, cores_per_tile=2)
    places, traffic = Places.of(chip, 1), random_traffic(7, 5)
    at = np.array([3, 0, 11, 7, 5, 1, 2])
    distance = places.distance(np.arange(12)[:, None], np.arange(12))
    between = traffic.between.toarray()
    gains = ordering._gains(between @ distance[at] + np.outer(traffic.from_port, distance[0]), between, distance, at)
    for core in range(7):
        for place_number in range(12):
            changed = at.copy()
            ordering._swap(changed, core, place_number, None)
            change = cost(traffic, changed, places) - cost(traffic, at, places)
            assert gains[core, place_number] == pytest.approx(change, abs=1e-12)


@pytest.mark.slow
def test_many_places_are_arranged_in_pairs():
    network = SpikingNetwork.layered([16, *[160] * 150], rates=0.1)
    chip = spec(cores=2048)
    straight, better = (place(network, chip, order=order) for order in ("layers", "communication"))
    assert travelled(network, better, chip) < 0.75 * travelled(network, straight, chip)


def test_borders_between_chips_are_avoided():
    # two clusters of four cores that talk among themselves, mixed over two chips of four
    between = np.zeros((8, 8))
    clusters = [[0, 3, 5, 6], [1, 2, 4, 7]]
    for cluster in clusters:
        between[np.ix_(cluster, cluster)] = 1.0
    np.fill_diagonal(between, 0.0)
    chip = spec(cores=4)
    found = arranged(
        Traffic(sparse.csr_array(between), np.zeros(8)), np.arange(8), Places.of(chip, 2), None, generator()
    )
    assert {frozenset(np.flatnonzero(found // 4 == k).tolist()) for k in (0, 1)} == set(map(frozenset, clusters))


def test_cores_that_differ_keep_what_they_hold():
    chip = spec(cores=6, neurons_per_core=30, neurons_of_core=(60, 60, 20, 20, 10, 10))
    network = SpikingNetwork.layered([4, 50, 18, 10, 60, 8], rates=0.2)
    placement = place(network, chip, order="communication")
    check(network, placement, chip)
    assert travelled(network, placement, chip) <= travelled(network, place(network, chip), chip)


def test_the_order_follows_from_the_seed_alone():
    network = SpikingNetwork.from_synapses(*np.random.default_rng(2).integers(0, 300, (2, 2000)), rates=0.1)
    assert place(network, CHIP, order="communication") == place(network, CHIP, order="communication")


def test_a_network_without_rates_is_ordered_as_if_all_were_alike():
    network = SpikingNetwork.layered([16] * 30)
    assert place(network, CHIP, order="communication") == place(
        SpikingNetwork.layered([16] * 30, rates=0.25), CHIP, order="communication"
    )


def test_a_network_on_one_core_stays_where_it_is():
    network = SpikingNetwork.layered([4, 8], rates=0.1)
    assert place(network, CHIP, order="communication") == place(network, CHIP)
