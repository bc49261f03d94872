"""Placement of slots: the order of each rule, against a brute force over all devices."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.scheduling.slots import PLACEMENTS, FirstFit, LeastLoaded, RoundRobin, Slots


@dataclass(eq=False)
class Device:
    """All that a placement of slots sees of a server."""

    index: int
    node: int
    place: int = -1


def devices(nodes: int, per_node: int = 1):
    return [Device(number, number // per_node) for number in range(nodes * per_node)]


def numbers(placement: Slots, count: int):
    """Numbers of the devices that the next `count` takes hand out, None where there is none."""
    taken = [placement.take() for _ in range(count)]
    return [server and server.index for server in taken]


# ---------------------------------------------------------------- by hand


def test_first_fit_takes_the_lowest_number():
    placement = FirstFit(devices(4), 1)
    assert numbers(placement, 5) == [0, 1, 2, 3, None]
    for number in (3, 1, 2):
        placement.give(placement.servers[number])
    assert numbers(placement, 4) == [1, 2, 3, None]


def test_first_fit_fills_a_device_before_the_next():
    placement = FirstFit(devices(2), 3)
    assert numbers(placement, 4) == [0, 0, 0, 1]
    placement.give(placement.servers[0])
    assert numbers(placement, 4) == [0, 1, 1, None]


def test_round_robin_takes_the_one_that_is_free_longest():
    placement = RoundRobin(devices(3), 1)
    assert numbers(placement, 3) == [0, 1, 2]
    for number in (2, 0, 1):
        placement.give(placement.servers[number])
    assert numbers(placement, 4) == [2, 0, 1, None]


def test_round_robin_goes_round_over_devices_with_several_slots():
    placement = RoundRobin(devices(3), 2)
    assert numbers(placement, 7) == [0, 1, 2, 0, 1, 2, None]
    placement.give(placement.servers[1])
    placement.give(placement.servers[1])
    placement.give(placement.servers[0])
    assert numbers(placement, 4) == [1, 0, 1, None]


def test_round_robin_keeps_its_turn_through_an_outage():
    placement = RoundRobin(devices(4), 1)
    assert numbers(placement, 2) == [0, 1]
    placement.give(placement.servers[1])
    placement.give(placement.servers[0])  # turn: 2, 3, 1, 0
    placement.withdraw([placement.servers[3]])
    assert numbers(placement, 1) == [2]
    placement.restore([placement.servers[3]])
    assert numbers(placement, 4) == [1, 0, 3, None]


def test_least_loaded_spreads_over_nodes():
    placement = LeastLoaded(devices(3, per_node=2), 1)
    assert numbers(placement, 7) == [0, 2, 4, 1, 3, 5, None]
    placement.give(placement.servers[4])
    placement.give(placement.servers[5])
    placement.give(placement.servers[2])
    assert numbers(placement, 4) == [4, 2, 5, None]


def test_devices_of_another_kind_are_not_of_the_placement():
    """An outage takes a whole node, of which the placement may know only some devices."""
    for rule in (FirstFit, RoundRobin, LeastLoaded):
        placement = rule(devices(2), 1)
        stranger = Device(99, 0)
        placement.withdraw([placement.servers[0], stranger])
        assert placement.available == 1
        placement.restore([placement.servers[0], stranger])
        assert placement.available == 2
        assert sorted(numbers(placement, 2)) == [0, 1]
        assert placement.take() is None


@pytest.mark.parametrize("rule", [FirstFit, RoundRobin, LeastLoaded])
@pytest.mark.parametrize("slots", [1, 4])
def test_memory_does_not_grow_with_the_jobs(rule, slots):
    """On a cluster that is almost idle nothing may pile up behind the best device."""
    placement = rule(devices(8, per_node=4), slots)
    for _ in range(5000):
        first, second = placement.take(), placement.take()
        placement.give(first)
        placement.give(second)
    kept = [value for value in vars(placement).values() if hasattr(value, "__len__")]
    assert max(len(value) for value in kept) < 200


# ---------------------------------------------------------------- against brute force


@dataclass
class Brute:
    """Every rule by its definition: a look at all devices for every job."""

    rule: str
    nodes: list[int]
    """node of each device"""
    slots: int
    free: list[int] = field(init=False)
    turn: list[int] = field(init=False)
    """devices that are offered, the one that is longest ago in its turn first"""

    def __post_init__(self):
        self.free = [self.slots] * len(self.nodes)
        self.turn = list(range(len(self.nodes)))

    def load(self, node):
        own = [place for place, of in enumerate(self.nodes) if of == node]
        return -sum(self.free[place] for place in own) / len(own)

    def take(self):
        if not self.turn:
            return None
        if self.rule == "round-robin":
            place = self.turn[0]
        elif self.rule == "first-fit":
            place = min(self.turn)
        else:
            place = min(self.turn, key=lambda place: (self.load(self.nodes[place]), self.nodes[place], place))
        self.turn.remove(place)
        self.free[place] -= 1
        if self.free[place]:
            self.turn.append(place)
        return place

    def give(self, place):
        self.free[place] += 1
        if self.free[place] == 1:
            self.turn.append(place)

    def withdraw(self, node):
        self.turn = [place for place in self.turn if self.nodes[place] != node]

    def restore(self, node):
        self.turn += [place for place, of in enumerate(self.nodes) if of == node]


STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "take", "give", "fail", "repair"]), st.integers(0, 50)), max_size=80
)


@pytest.mark.parametrize("rule", ["first-fit", "round-robin", "least-loaded"])
@settings(deadline=None)
@given(nodes=st.integers(1, 5), per_node=st.integers(1, 3), slots=st.integers(1, 3), steps=STEPS)
def test_rule_against_brute_force(rule, nodes, per_node, slots, steps):
    """Takes, gives, and outages of nodes, whose jobs are given back before they are withdrawn."""
    placement = PLACEMENTS.get(rule)(devices(nodes, per_node), slots)
    brute = Brute(rule, [server.node for server in placement.servers], slots)
    held: list[int] = []
    down: set[int] = set()
    for what, number in steps:
        node = number % nodes
        of_node = [server for server in placement.servers if server.node == node]
        if what == "take":
            server = placement.take()
            assert (server and server.index) == brute.take()
            if server is not None:
                held.append(server.index)
        elif what == "give" and held:
            place = held.pop(number % len(held))
            placement.give(placement.servers[place])
            brute.give(place)
        elif what == "fail" and node not in down:
            for place in [place for place in held if brute.nodes[place] == node]:
                held.remove(place)
                placement.give(placement.servers[place])
                brute.give(place)
            placement.withdraw(of_node)
            brute.withdraw(node)
            down.add(node)
        elif what == "repair" and node in down:
            placement.restore(of_node)
            brute.restore(node)
            down.remove(node)
        assert placement.available == sum(brute.free[place] for place in brute.turn)
