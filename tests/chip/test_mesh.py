"""Routes and link loads, against messages walked tile by tile."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.chip import ChipSpec, Placement, SpikingNetwork, mesh
from dcsim.chip.wiring import wire

CHIP = ChipSpec("mesh", "barrier", cores=24, neurons_per_core=8, static_w=0.0, cores_per_tile=2)  # 4 x 3 tiles


def walk(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int, str]]:
    """Tile and direction of every hop, along x first."""
    (x, y), taken = start, []
    while x != end[0]:
        taken.append((x, y, "east" if end[0] > x else "west"))
        x += 1 if end[0] > x else -1
    while y != end[1]:
        taken.append((x, y, "south" if end[1] > y else "north"))
        y += 1 if end[1] > y else -1
    return taken


points = st.tuples(st.integers(0, 5), st.integers(0, 3))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(points, points), max_size=8))
def test_routes_go_along_x_first_then_along_y(pairs):
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2, 2)
    found = mesh.routes(ends[:, :, 0].T, ends[:, :, 1].T, 4)
    for number, (start, end) in enumerate(pairs):
        links = found.link[found.first[number] : found.first[number + 1]]
        tile, direction = np.divmod(links, 4)
        taken = [(*divmod(int(t), 4), mesh.DIRECTIONS[d]) for t, d in zip(tile, direction, strict=True)]
        assert taken == walk(start, end)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(24, 90))
def test_link_loads_are_those_of_all_messages_walked_one_by_one(seed, synapses, cores):
    """Every neuron has a group to itself, so that its mean messages are its messages; over up to four chips."""
    generator = np.random.default_rng(seed)
    core = generator.permutation(cores)[:12]
    pre, post = generator.integers(0, 12, (2, synapses))
    wiring = wire(SpikingNetwork.from_synapses(pre, post, neurons=12), Placement(core), CHIP)
    fired = generator.integers(0, 3, (1, 2, 12)).astype(float)
    expected: list[Counter] = [Counter(), Counter()]
    place = list(zip(wiring.at.tile_x.tolist(), wiring.at.tile_y.tolist(), strict=True))
    for sender, receiver in sorted(set(zip(pre.tolist(), post.tolist(), strict=True))):
        for x, y, direction in walk(place[sender], place[receiver]):
            for step in (0, 1):
                expected[step][x, y, direction] += fired[0, step, sender]
    links, loads = mesh.link_loads(fired, wiring)
    names = list(zip(links.x.tolist(), links.y.tolist(), [mesh.DIRECTIONS[d] for d in links.direction], strict=True))
    assert set(names) == set(expected[0])
    for step in (0, 1):
        assert dict(zip(names, loads[0, step].tolist(), strict=True)) == dict(expected[step])
    assert mesh.busiest(fired, wiring)[0].tolist() == [max(load.values(), default=0.0) for load in expected]
    per_spike = mesh.per_spike(wiring)[1].sum(axis=1)
    np.testing.assert_allclose(per_spike, wiring.hops_ew + wiring.hops_ns)


def test_a_network_on_one_tile_takes_no_link():
    wiring = wire(SpikingNetwork.from_synapses([0], [1], neurons=2), Placement(np.array([0, 1])), CHIP)
    links, loads = mesh.link_loads(np.ones((3, 4, 2)), wiring)
    assert len(links.x) == 0
    assert loads.shape == (3, 4, 0)
    assert mesh.busiest(np.ones((3, 4, 2)), wiring).tolist() == [[0.0] * 4] * 3


def test_link_loads_are_the_same_when_the_table_is_made_in_parts_and_kept_sparse(monkeypatch):
    generator = np.random.default_rng(1)
    network = SpikingNetwork.from_synapses(*generator.integers(0, 60, (2, 300)), neurons=60)
    wiring = wire(network, Placement(generator.permutation(90)[:60]), CHIP)
    fired = generator.random((3, 4, 60))
    links, loads = mesh.link_loads(fired, wiring)
    busiest = mesh.busiest(fired, wiring)
    monkeypatch.setattr(mesh, "_BLOCK", 1000)
    mesh.per_spike.cache_clear()
    in_parts = mesh.link_loads(fired, wiring)
    assert not isinstance(mesh.per_spike(wiring)[1], np.ndarray)
    for one, other in zip(links, in_parts[0], strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(in_parts[1], loads, rtol=1e-12)
    np.testing.assert_allclose(mesh.busiest(fired, wiring), busiest, rtol=1e-12)
    mesh.per_spike.cache_clear()
