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
        self._fill(range(len(self.servers)))

    def take(self) -> Server | None:
        """A device with a free slot, which is then taken; None when there is none."""
        if not self.available:
            return None
        self.available -= 1
        place = self._next()
        self.free[place] = left = self.free[place] - 1
        if left:
            self._offer(place)
        return self.servers[place]

    def give(self, server: Server) -> None:
        """Free one slot of `server`."""
        place = server.place
        self.free[place] = free = self.free[place] + 1
        if self._down and place in self._down:
            return
        self.available += 1
        self._gave(place)
        if free == 1:
            self._offer(place)

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
    def _fill(self, places: Iterable[int]) -> None:
        """Start afresh with these devices, which have free slots, in order."""

    @abstractmethod
    def _next(self) -> int:
        """Remove and return the device to use next; there is one."""

    @abstractmethod
    def _offer(self, place: int) -> None:
        """Add a device that has a free slot and is not on offer."""

    def _gave(self, place: int) -> None:
        """One more slot of a device is free."""


PLACEMENTS: Registry[type[Slots]] = Registry("placement")


@PLACEMENTS.add("first-fit")
class FirstFit(Slots):
    """The free device with the lowest number."""

    def _fill(self, places: Iterable[int]) -> None:
        self._heap = list(places)  # sorted, so a heap

    def _next(self) -> int:
        return heappop(self._heap)

    def _offer(self, place: int) -> None:
        heappush(self._heap, place)


@PLACEMENTS.add("round-robin")
class RoundRobin(Slots):
    """Free devices in rotation: the one whose last turn is longest ago."""

    def _fill(self, places: Iterable[int]) -> None:
        self._turn = deque(places)

    def _next(self) -> int:
        return self._turn.popleft()

    def _offer(self, place: int) -> None:
        self._turn.append(place)


@PLACEMENTS.add("least-loaded")
class LeastLoaded(Slots):
    """A free device on the node with the smallest share of its slots in use, lowest numbers first on a tie.

    Nodes stand in a heap by load, with entries that may be out of date and are skipped when they surface.
    """

    def _fill(self, places: Iterable[int]) -> None:
        self._node = [server.node for server in self.servers]
        self._size = Counter(self._node)
        self._left: Counter[int] = Counter()  # free slots of each node
        self._devices: dict[int, list[int]] = {node: [] for node in self._size}  # heaps of devices with free slots
        for place in places:
            self._devices[self._node[place]].append(place)
            self._left[self._node[place]] += self.free[place]
        self._heap = [self._entry(node) for node, left in self._left.items() if left]
        heapify(self._heap)

    def _entry(self, node: int) -> tuple[float, int]:
        return -self._left[node] / self._size[node], node

    def _next(self) -> int:
        entry = heappop(self._heap)
        while entry != self._entry(entry[1]):
            entry = heappop(self._heap)
        node = entry[1]
        self._left[node] -= 1
        if self._left[node]:
            heappush(self._heap, self._entry(node))
        return heappop(self._devices[node])

    def _offer(self, place: int) -> None:
        heappush(self._devices[self._node[place]], place)

    def _gave(self, place: int) -> None:
        node = self._node[place]
        self._left[node] += 1
        heappush(self._heap, self._entry(node))
