"""Placement by node: several resources at once, against a brute force over all nodes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.scheduling.nodes import NODE_RULES, Node, Nodes, Request
from dcsim.scheduling.slots import PLACEMENTS


@dataclass(eq=False)
class Device:
    """A server as a placement sees it: what is free of it."""

    index: int
    node: int
    held: float = 0.0

    def room(self):
        return 1.0 - self.held


def build(count, rule="first-fit", *, gpus=2, npus=0, cores=8, memory=64.0, host=True):
    """Equal nodes with devices of up to two kinds."""
    nodes, index = [], 0
    for number in range(count):
        kinds = {}
        for kind, per_node in (("gpu", gpus), ("npu", npus)):
            if per_node:
                kinds[kind] = [Device(index + at, 10 + number) for at in range(per_node)]
                index += per_node
        server = Device(1000 + number, 10 + number) if host else None
        nodes.append(Node(10 + number, kinds, server, float(cores), memory))
    return Nodes(nodes, rule)


def start(nodes, request):
    """Take, and hold the devices as the dispatcher would by admitting the job; the devices' numbers."""
    servers = nodes.take(request)
    if servers is None:
        return None
    for server in servers:
        if server.index < 1000:
            server.held += request.share
    nodes.admitted(servers)
    return servers


def stop(nodes, request, servers):
    for server in servers:
        if server.index < 1000:
            server.held -= request.share
    nodes.give(request, servers)


def indices(servers):
    return servers and [server.index for server in servers]


def test_rules_are_names_of_slot_placements_too():
    assert set(NODE_RULES) <= set(PLACEMENTS.names())


def test_first_fit_fills_node_after_node():
    nodes = build(3)
    request = Request(1, "gpu", cores=3)
    started = [start(nodes, request) for _ in range(6)]
    # 8 cores are two jobs of 3 cores, which is all of the two devices too
    assert [indices(servers) for servers in started] == [[n, 1000 + n // 2] for n in range(6)]
    assert nodes.take(request) is None
    stop(nodes, request, started[2])
    assert indices(start(nodes, request)) == [2, 1001]


def test_cores_memory_and_devices_each_may_be_what_is_short():
    nodes = build(2)
    assert nodes.take(Request(0, cores=9)) is None
    assert nodes.take(Request(1, "gpu", memory_bytes=65.0)) is None
    first = start(nodes, Request(0, cores=8))
    assert indices(first) == [1000]
    assert indices(start(nodes, Request(1, "gpu", cores=1))) == [2, 1001]  # node 0 has devices, but no cores
    assert indices(start(nodes, Request(1, "gpu"))) == [0]  # which this job does not need
    assert indices(start(nodes, Request(1, "gpu", memory_bytes=64.0))) == [1]
    assert nodes.take(Request(0, cores=8)) is None
    assert nodes.take(Request(1, "gpu", memory_bytes=65.0)) is None
    stop(nodes, Request(0, cores=8), first)
    assert indices(start(nodes, Request(0, cores=8))) == [1000]


def test_kinds_do_not_stand_in_for_each_other():
    nodes = build(2, gpus=1, npus=2)
    assert indices(start(nodes, Request(1, "gpu"))) == [0]
    assert indices(start(nodes, Request(2, "npu"))) == [1, 2]
    assert indices(start(nodes, Request(1, "gpu"))) == [3]
    assert nodes.take(Request(1, "gpu")) is None
    assert indices(start(nodes, Request(1))) is None  # without a kind: the first one
    assert indices(start(nodes, Request(1, "npu"))) == [4]


def test_shares_fill_a_device_before_the_next():
    nodes = build(1)
    half, most = Request(1, "gpu", share=0.5), Request(1, "gpu", share=0.75)
    assert [indices(start(nodes, request)) for request in (half, most, half)] == [[0], [1], [0]]
    assert nodes.take(half) is None
    assert indices(start(nodes, Request(1, "gpu", share=0.25))) == [1]


def test_gang_on_shared_devices_takes_each_of_them_once():
    """Two devices, each with room for two: the same slot of a device is never taken twice by one job."""
    nodes = build(2)
    gang = Request(2, "gpu", share=0.5)
    one = start(nodes, Request(1, "gpu", share=0.75))
    assert indices(one) == [0]
    assert indices(start(nodes, gang)) == [2, 3]  # node 0 has one such device only
    assert indices(start(nodes, gang)) == [2, 3]
    assert nodes.take(gang) is None
    stop(nodes, Request(1, "gpu", share=0.75), one)
    assert indices(start(nodes, gang)) == [0, 1]


@pytest.mark.parametrize("cores", [0, 4])
def test_gang_larger_than_a_node_takes_free_nodes(cores):
    nodes = build(4)
    single = start(nodes, Request(1, "gpu"))
    gang = Request(5, "gpu", cores=cores)
    servers = start(nodes, gang)
    held = [index for index in indices(servers) if index < 1000]
    assert held == [2, 3, 4, 5, 6]  # five devices, on the nodes that were wholly free
    assert [index for index in indices(servers) if index >= 1000] == ([1001, 1002, 1003] if cores else [])
    assert nodes.take(gang) is None
    assert indices(start(nodes, Request(1, "gpu"))) == [1]
    assert indices(start(nodes, Request(1, "gpu", cores=4))) == [7, 1003]  # what is left over stays free for others
    stop(nodes, gang, servers)
    assert indices(start(nodes, Request(6, "gpu", cores=8))) is None
    stop(nodes, Request(1, "gpu"), single)
    assert [index for index in indices(start(nodes, Request(4, "gpu", cores=8))) if index < 1000] == [2, 3, 4, 5]


def test_gang_larger_than_the_pool_never_fits():
    assert build(3).take(Request(7, "gpu")) is None
    assert build(3, gpus=0).take(Request(1, "gpu")) is None


def test_round_robin_goes_on_after_the_node_of_the_last_job():
    nodes = build(3, "round-robin")
    request = Request(1, "gpu")
    assert [indices(start(nodes, request)) for _ in range(5)] == [[0], [2], [4], [1], [3]]
    big = Request(2, "gpu")
    assert nodes.take(big) is None
    assert indices(start(nodes, request)) == [5]


def test_least_loaded_takes_the_emptiest_node_that_fits():
    nodes = build(3, "least-loaded")
    request = Request(1, "gpu", cores=1)
    first = start(nodes, request)
    assert indices(first) == [0, 1000]
    assert [indices(start(nodes, request)) for _ in range(3)] == [[2, 1001], [4, 1002], [1, 1000]]
    stop(nodes, request, first)
    nodes.withdraw(nodes.nodes[1])
    assert indices(start(nodes, request)) == [0, 1000]
    assert indices(start(nodes, request)) == [5, 1002]
    assert nodes.take(request) is None


def test_node_that_is_down_offers_nothing():
    nodes = build(2)
    nodes.withdraw(nodes.nodes[0])
    assert indices(start(nodes, Request(1, "gpu"))) == [2]
    assert nodes.take(Request(4, "gpu")) is None
    nodes.restore(nodes.nodes[0])
    assert indices(start(nodes, Request(1, "gpu"))) == [0]


# ---------------------------------------------------------------- against brute force


class Brute:
    """The rules by their definition, over plain lists."""

    def __init__(self, nodes, rule):
        self.nodes, self.rule, self.turn = nodes, rule, 0

    def fits(self, node, request, devices):
        free = [device for device in node.devices.get(request.kind, ()) if device.room() >= request.share]
        return (
            node.up
            and len(free) >= devices
            and node.cores >= request.cores
            and node.memory_bytes >= request.memory_bytes
        )

    def load(self, node):
        rooms = [device.room() for kind in node.devices.values() for device in kind]
        return -sum(rooms) / len(rooms)

    def choose(self, request):
        """The nodes and device numbers for one job, or None."""
        count, per_node = len(self.nodes), len(self.nodes[0].devices[request.kind])
        if request.devices > per_node:
            wanted = ceil(request.devices / per_node)
            places = [place for place, node in enumerate(self.nodes) if self.fits(node, request, per_node)][:wanted]
            if len(places) < wanted:
                return None
        else:
            places = [place for place, node in enumerate(self.nodes) if self.fits(node, request, request.devices)]
            if not places:
                return None
            if self.rule == "round-robin":
                places = [min(places, key=lambda place: (place - self.turn) % count)]
                self.turn = (places[0] + 1) % count
            elif self.rule == "least-loaded":
                places = [min(places, key=lambda place: (self.load(self.nodes[place]), place))]
            else:
                places = places[:1]
        left, chosen, hosts = request.devices, [], []
        for place in places:
            devices = self.nodes[place].devices[request.kind]
            free = [device.index for device in devices if device.room() >= request.share]
            chosen += free[: min(left, per_node)]
            left -= per_node
            if request.cores:
                hosts.append(1000 + place)
        return chosen + hosts


REQUESTS = st.builds(
    Request,
    devices=st.integers(0, 7),
    kind=st.sampled_from(["gpu", "gpu", "npu"]),
    share=st.sampled_from([1.0, 1.0, 0.5, 0.25, 0.125]),
    cores=st.integers(1, 5),
    memory_bytes=st.sampled_from([0.0, 0.0, 8.0, 40.0]),
) | st.builds(Request, devices=st.integers(1, 7), kind=st.just("gpu"), share=st.sampled_from([1.0, 0.5]))
STEPS = st.lists(
    st.tuples(st.sampled_from(["start", "start", "stop", "fail", "repair"]), REQUESTS, st.integers(0, 50)), max_size=50
)


@pytest.mark.parametrize("rule", NODE_RULES)
@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 6), gpus=st.integers(1, 3), steps=STEPS)
def test_rule_against_brute_force(rule, count, gpus, steps):
    nodes = build(count, rule, gpus=gpus, npus=1)
    brute = Brute(nodes.nodes, rule)
    running: list[tuple[Request, list[Device]]] = []
    for what, request, number in steps:
        if what == "start":
            expected = brute.choose(request)
            servers = start(nodes, request)
            assert indices(servers) == expected
            if servers is not None:
                running.append((request, servers))
        elif what == "stop" and running:
            stop(nodes, *running.pop(number % len(running)))
        else:
            node = nodes.nodes[number % count]
            if what == "fail" and node.up:
                for job in [job for job in running if any(server.node == node.number for server in job[1])]:
                    running.remove(job)
                    stop(nodes, *job)
                nodes.withdraw(node)
            elif what == "repair" and not node.up:
                nodes.restore(node)
    for job in running:
        stop(nodes, *job)
    assert all(node.cores == 8.0 and node.memory_bytes == 64.0 for node in nodes.nodes)
    assert all(device.held == 0.0 for node in nodes.nodes for kind in node.devices.values() for device in kind)
