"""Placement where every job takes slots of equal devices and nothing else: O(1) or O(log n) per job.

A placement hands out servers one slot at a time. A device that is full is not offered, a node that is down is withdrawn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from dcsim.scheduling.registry import Registry
from dcsim.service import Server


class Slots(ABC):
    """Free slots of equal devices. Subclasses choose which device comes next."""

    def __init__(self, servers: Sequence[Server], slots: int) -> None:
        self.servers = list(servers)
        self.slots = slots
        self.free = [slots] * len(self.servers)
        self.available = slots * len(self.servers)
        """free slots on devices that are up"""
        self._down: set[int] = set()
        for place, server in enumerate(self.servers):
            server.place = place
        self._fill(list(range(len(self.servers))))

    @abstractmethod
    def take(self) -> Server | None:
        """A device with a free slot, which is then taken; None when there is none."""

    @abstractmethod
    def give(self, server: Server) -> None:
        """Free one slot of `server`."""

    def withdraw(self, servers: Iterable[Server]) -> None:
        """Offer none of these until `restore`."""
        self._down.update(server.place for server in servers)
        self._recount()

    def restore(self, servers: Iterable[Server]) -> None:
        """Offer them again."""
        self._down.difference_update(server.place for server in servers)
        self._recount()

    def _recount(self) -> None:
        places = [place for place, free in enumerate(self.free) if free and place not in self._down]
        self.available = sum(self.free[place] for place in places)
        self._fill(places)

    @abstractmethod
    def _fill(self, places: list[int]) -> None:
        """Start afresh with these devices, which have free slots, in order."""


PLACEMENTS: Registry[type[Slots]] = Registry("placement")


@PLACEMENTS.add("first-fit")
class FirstFit(Slots):
    """The free device with the lowest number."""

    def _fill(self, places: list[int]) -> None:
        self._heap = places  # sorted, so a heap

    def take(self) -> Server | None:
        """The lowest number in the heap; it stays there while it has a free slot."""
        if not self._heap:
            return None
        place = self._heap[0]
        self.available -= 1
        self.free[place] = left = self.free[place] - 1
        if not left:
            heappop(self._heap)
        return self.servers[place]

    def give(self, server: Server) -> None:
        """Back into the heap if it was full."""
        place = server.place
        self.free[place] = free = self.free[place] + 1
        if place not in self._down:
            self.available += 1
            if free == 1:
                heappush(self._heap, place)


@PLACEMENTS.add("round-robin")
class RoundRobin(Slots):
    """Free devices in rotation: the one whose last turn is longest ago."""

    def _fill(self, places: list[int]) -> None:
        self._turn = deque(places)

    def take(self) -> Server | None:
        """The head of the rotation; it goes to the tail while it has a free slot."""
        if not self._turn:
            return None
        place = self._turn.popleft()
        self.available -= 1
        self.free[place] = left = self.free[place] - 1
        if left:
            self._turn.append(place)
        return self.servers[place]

    def give(self, server: Server) -> None:
        """To the tail if it was full."""
        place = server.place
        self.free[place] = free = self.free[place] + 1
        if place not in self._down:
            self.available += 1
            if free == 1:
                self._turn.append(place)


@PLACEMENTS.add("least-loaded")
class LeastLoaded(Slots):
    """A free device on the node with the smallest share of its slots in use, lowest numbers first on a tie.

    Nodes stand in a heap by load, with entries that may be out of date and are skipped when they surface.
    """

    def _fill(self, places: list[int]) -> None:
        self._node = [server.node for server in self.servers]
        self._size = Counter(self._node)
        self._left: Counter[int] = Counter()  # free slots of each node
        self._devices: dict[int, list[int]] = {
            node: [] for node in self._size
        }  # heaps of devices with free slots
        for place in places:
            self._devices[self._node[place]].append(place)
            self._left[self._node[place]] += self.free[place]
        self._heap = [self._entry(node) for node, left in self._left.items() if left]
        heapify(self._heap)

    def _entry(self, node: int) -> tuple[float, int]:
        return -self._left[node] / self._size[node], node  # as load orders: most free of its devices first

    def take(self) -> Server | None:
        """The lowest free device of the least loaded node."""
        if not self.available:
            return None
        entry = heappop(self._heap)
        while entry != self._entry(entry[1]):
            entry = heappop(self._heap)
        node = entry[1]
        self.available -= 1
        self._left[node] -= 1
        if self._left[node]:
            heappush(self._heap, self._entry(node))
        place = self._devices[node][0]
        self.free[place] = left = self.free[place] - 1
        if not left:
            heappop(self._devices[node])
        return self.servers[place]

    def give(self, server: Server) -> None:
        """Its node is less loaded by one slot."""
        place = server.place
        self.free[place] = free = self.free[place] + 1
        if place in self._down:
            return
        node = self._node[place]
        self.available += 1
        self._left[node] += 1
        heappush(self._heap, self._entry(node))
        if free == 1:
            heappush(self._devices[node], place)
