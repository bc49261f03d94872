"""Placement of jobs that ask a node for several resources: device shares by kind, host cores, memory.

Free resources stand in a tree of maxima over the nodes, so that the first node that fits is found in O(log n). A job
with more devices than one node has takes the first nodes whose devices are all free; those that it does not need on
the last of them stay free for others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import ceil

from dcsim.service import Server

#: Rules by which `Nodes` chooses among the nodes that fit; each is also the name of a placement of slots.
NODE_RULES = ("first-fit", "round-robin", "least-loaded")


@dataclass(frozen=True)
class Request:
    """What a job holds from start to end."""

    devices: int = 1
    kind: str | None = None
    share: float = 1.0
    """of each device"""
    cores: int = 0
    memory_bytes: float = 0.0
    span: int = 1
    """devices behind each of those that it asks for: the GPUs of one replica"""

    @property
    def simple(self) -> bool:
        """Nothing but devices."""
        return self.cores == 0 and self.memory_bytes == 0.0 and self.devices >= 1


@dataclass
class Node:
    """One node: its servers and what is free on it."""

    number: int
    devices: dict[str, list[Server]]
    host: Server | None
    cores: float
    memory_bytes: float
    up: bool = True

    @property
    def servers(self) -> list[Server]:
        """All servers of the node, the host's last."""
        devices = [server for kind in self.devices.values() for server in kind]
        return devices + ([self.host] if self.host else [])


class Nodes:
    """Equal nodes and what is free on them. `rule` is first-fit, round-robin or least-loaded over nodes."""

    def __init__(self, nodes: Sequence[Node], rule: str) -> None:
        self.nodes = list(nodes)
        self.rule = rule
        self.kinds = list(self.nodes[0].devices)
        self._place = {node.number: place for place, node in enumerate(self.nodes)}
        self._size = 1 << (len(self.nodes) - 1).bit_length()
        self._offers: dict[tuple[str, float], int] = {}  # (kind, share) -> column of its count
        self._tree = [self._empty(), self._empty()]  # by column: cores, memory, then the offers
        self._turn = 0
        self._load = [0.0] * len(self.nodes)
        # heap of (load, place, version), with entries out of date
        self._loads: list[tuple[float, int, int]] = []
        self._version = [0] * len(self.nodes)
        for place in range(len(self.nodes)):
            self._refresh(place)

    def take(self, request: Request) -> list[Server] | None:
        """Servers for one job, the hosts' last; None when nothing fits now. The caller admits the job on each."""
        kind = request.kind or (self.kinds[0] if self.kinds else "")
        per_node = len(self.nodes[0].devices.get(kind, ()))
        if request.devices > per_node:
            return self._whole_nodes(request, kind, per_node)
        place = self._find(self._needs(request, kind, request.devices))
        if place < 0:
            return None
        return self._hold(place, request, kind, request.devices)

    def give(self, request: Request, servers: Sequence[Server]) -> None:
        """Take back what a job held; its servers have already let go of it."""
        for place in {self._place[server.node] for server in servers}:
            self.nodes[place].cores += request.cores
            self.nodes[place].memory_bytes += request.memory_bytes
            self._refresh(place)

    def withdraw(self, node: Node) -> None:
        """Offer nothing on a node that is down."""
        node.up = False
        self._refresh(self._place[node.number])

    def restore(self, node: Node) -> None:
        """Offer it again."""
        node.up = True
        self._refresh(self._place[node.number])

    def admitted(self, servers: Sequence[Server]) -> None:
        """The job of the last `take` now runs on these servers, or has left them: their free shares have changed."""
        for place in {self._place[server.node] for server in servers}:
            self._refresh(place)

    def _needs(self, request: Request, kind: str, devices: int) -> list[tuple[int, float]]:
        needs = [(0, float(request.cores)), (1, request.memory_bytes)]
        if devices:
            needs.append((self._offer(kind, request.share), float(devices)))
        return [(column, need) for column, need in needs if need > 0.0] or [(0, 0.0)]

    def _offer(self, kind: str, share: float) -> int:
        """Column of the devices of `kind` that have `share` free on each node; made when it is first asked for."""
        if (kind, share) not in self._offers:
            self._offers[kind, share] = len(self._tree)
            self._tree.append(self._empty())
            for place in range(len(self.nodes)):
                self._refresh(place)
        return self._offers[kind, share]

    def _empty(self) -> list[float]:
        return [-1.0] * (2 * self._size)

    def _whole_nodes(self, request: Request, kind: str, per_node: int) -> list[Server] | None:
        needs = self._needs(request, kind, per_node)
        places: list[int] = []
        start = 0
        for _ in range(ceil(request.devices / per_node) if per_node else 0):
            place = self._leftmost(needs, start)
            if place < 0:
                return None
            places.append(place)
            start = place + 1
        servers: list[Server] = []
        for before, place in enumerate(places):
            servers += self._hold(place, request, kind, min(per_node, request.devices - before * per_node))
        servers.sort(key=lambda server: server is self.nodes[self._place[server.node]].host)
        return servers or None

    def _hold(self, place: int, request: Request, kind: str, devices: int) -> list[Server]:
        node = self.nodes[place]
        node.cores -= request.cores
        node.memory_bytes -= request.memory_bytes
        fits = (server for server in node.devices.get(kind, ()) if server.room() >= request.share)
        servers = [server for server, _ in zip(fits, range(devices), strict=False)]
        if node.host is not None and request.cores:
            servers.append(node.host)
        return servers

    # ------------------------------------------------------------ choice of the node

    def _find(self, needs: list[tuple[int, float]]) -> int:
        if self.rule == "round-robin":
            place = self._leftmost(needs, self._turn)
            place = place if place >= 0 else self._leftmost(needs, 0)
            self._turn = (place + 1) % len(self.nodes) if place >= 0 else self._turn
            return place
        if self.rule == "least-loaded":
            return self._emptiest(needs)
        return self._leftmost(needs, 0)

    def _leftmost(self, needs: list[tuple[int, float]], start: int) -> int:
        """First node from `start` on that has all that is needed, -1 when there is none."""
        size, tree = self._size, self._tree
        stack = [(1, 0, size)]
        while stack:
            branch, low, width = stack.pop()
            if low + width <= start or any(tree[column][branch] < need for column, need in needs):
                continue
            if width == 1:
                return low
            half = width // 2
            stack.append((2 * branch + 1, low + half, half))
            stack.append((2 * branch, low, half))
        return -1

    def _emptiest(self, needs: list[tuple[int, float]]) -> int:
        """Node with the smallest load that has all that is needed: entries out of date are dropped on the way."""
        passed: list[tuple[float, int, int]] = []
        found = -1
        while self._loads and found < 0:
            load, place, version = heappop(self._loads)
            if version != self._version[place]:
                continue
            passed.append((load, place, version))
            if all(self._tree[column][self._size + place] >= need for column, need in needs):
                found = place
        for entry in passed:
            heappush(self._loads, entry)
        return found

    def _refresh(self, place: int) -> None:
        """Bring the tree and the loads up to date with one node."""
        node = self.nodes[place]
        free = {kind: [server.room() for server in servers] for kind, servers in node.devices.items()}
        values = [node.cores, node.memory_bytes]
        values += [float(sum(room >= share for room in free[kind])) for kind, share in self._offers]
        if not node.up:
            values = [-1.0] * len(values)
        for column, value in zip(self._tree, values, strict=True):
            branch = self._size + place
            column[branch] = value
            while branch > 1:
                branch //= 2
                column[branch] = max(column[2 * branch], column[2 * branch + 1])
        if self.rule == "least-loaded":
            rooms = [room for kind in self.kinds for room in free[kind]]
            self._load[place] = -sum(rooms) / len(rooms) if rooms else -node.cores
            self._version[place] += 1
            heappush(self._loads, (self._load[place], place, self._version[place]))
            if len(self._loads) > 64 + 2 * len(self.nodes):  # mostly out of date: start afresh
                self._loads = [(load, at, self._version[at]) for at, load in enumerate(self._load)]
                heapify(self._loads)
