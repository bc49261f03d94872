"""Placement where every job takes slots of equal devices and nothing else: O(1) or O(log n) per job.

A placement hands out servers one slot at a time. A full device is not offered, a node that is down is withdrawn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence, Sized
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from dcsim.scheduling.registry import Registry
from dcsim.service import Server


class Ways(NamedTuple):
    """How to take a slot and to give one back."""

    free: Sized
    """empty when there is none to take for certain"""
    take: Callable[[], Server | None]
    give: Callable[[Server], None]


class Slots(ABC):
    """Free slots of equal devices. Subclasses choose which device comes next."""

    def __init__(self, servers: Sequence[Server], slots: int) -> None:
        self.servers = list(servers)
        self.slots = slots
        self.free = [slots] * len(self.servers)
        """free slots of each device; kept only where devices have several"""
        for place, server in enumerate(self.servers):
            server.place = place
        self._fill(list(range(len(self.servers))))

    @property
    def available(self) -> int:
        """Free slots on devices that are up."""
        places = self._offered()
        return len(places) if self.slots == 1 else sum(self.free[place] for place in places)

    def withdraw(self, servers: Iterable[Server]) -> None:
        """Offer none of these until `restore`. Nothing runs on them: their jobs have been evicted and given back."""
        gone = {server.place for server in servers}
        self._fill([place for place in self._offered() if place not in gone])

    def restore(self, servers: Iterable[Server]) -> None:
        """Offer them again, after all others. A node's servers of other kinds are none of this placement's."""
        offered = list(self._offered())
        back = {server.place for server in servers if server.place >= 0}.difference(offered)
        self._fill([*offered, *sorted(back)])

    @abstractmethod
    def take(self) -> Server | None:
        """A device with a free slot, which is then taken; None when there is none."""

    @abstractmethod
    def give(self, server: Server) -> None:
        """Free one slot of `server`."""

    def ways(self) -> Ways:
        """`take` and `give`, or something that does the same for less: the dispatcher calls each once per job."""
        return Ways((True,), self.take, self.give)

    @abstractmethod
    def _fill(self, places: list[int]) -> None:
        """Start afresh with these devices, which have free slots; the ones offered longest come first."""

    @abstractmethod
    def _offered(self) -> Collection[int]:
        """Devices that have free slots and are up."""


PLACEMENTS: Registry[type[Slots]] = Registry("placement")


@PLACEMENTS.add("first-fit")
class FirstFit(Slots):
    """The free device with the lowest number."""

    def _fill(self, places: list[int]) -> None:
        self._heap = sorted(places)

    def _offered(self) -> Collection[int]:
        return self._heap

    def take(self) -> Server | None:
        """The lowest number in the heap; it stays there while it has a free slot."""
        if not self._heap:
            return None
        if self.slots == 1:
            return self.servers[heappop(self._heap)]
        place = self._heap[0]
        self.free[place] = left = self.free[place] - 1
        if not left:
            heappop(self._heap)
        return self.servers[place]

    def give(self, server: Server) -> None:
        """Back into the heap if it was full."""
        if self.slots > 1:
            self.free[server.place] += 1
            if self.free[server.place] > 1:
                return
        heappush(self._heap, server.place)


@PLACEMENTS.add("round-robin")
class RoundRobin(Slots):
    """Free devices in rotation: the one that has been free, or back from an outage, for longest."""

    def __init__(self, servers: Sequence[Server], slots: int) -> None:
        self._turn: deque[Server] = deque()
        super().__init__(servers, slots)

    def ways(self) -> Ways:
        """With one slot a device, no more than the two ends of the rotation."""
        return super().ways() if self.slots > 1 else Ways(self._turn, self._turn.popleft, self._turn.append)

    def _fill(self, places: list[int]) -> None:
        self._turn.clear()
        self._turn.extend([self.servers[place] for place in places])

    def _offered(self) -> Collection[int]:
        return [server.place for server in self._turn]

    @property
    def available(self) -> int:
        """Free slots on devices that are up."""
        return len(self._turn) if self.slots == 1 else super().available

    def take(self) -> Server | None:
        """The head of the rotation; it goes to the tail while it has a free slot."""
        if not self._turn:
            return None
        server = self._turn.popleft()
        if self.slots > 1:
            self.free[server.place] = left = self.free[server.place] - 1
            if left:
                self._turn.append(server)
        return server

    def give(self, server: Server) -> None:
        """To the tail if it was full."""
        if self.slots > 1:
            self.free[server.place] += 1
            if self.free[server.place] > 1:
                return
        self._turn.append(server)


@PLACEMENTS.add("least-loaded")
class LeastLoaded(Slots):
    """A free device on the node with the smallest share of its slots in use, lowest numbers first on a tie.

    Nodes stand in a heap by load, with entries that may be out of date and are skipped when they surface.
    """

    def _fill(self, places: list[int]) -> None:
        self._node = [server.node for server in self.servers]
        self._size = Counter(self._node)
        self._left: Counter[int] = Counter()  # free slots of each node
        self._devices: dict[int, list[int]] = {node: [] for node in self._size}  # heaps of devices with free slots
        for place in sorted(places):
            self._devices[self._node[place]].append(place)
            self._left[self._node[place]] += self.free[place]
        self._total = sum(self._left.values())
        self._sort()

    def _sort(self) -> None:
        self._heap = [self._entry(node) for node, left in self._left.items() if left]
        heapify(self._heap)

    def _offered(self) -> Collection[int]:
        return [place for places in self._devices.values() for place in places]

    @property
    def available(self) -> int:
        """Free slots on devices that are up."""
        return self._total

    def _entry(self, node: int) -> tuple[float, int]:
        return -self._left[node] / self._size[node], node  # as load orders: the most free of its devices first

    def take(self) -> Server | None:
        """The lowest free device of the least loaded node."""
        heap = self._heap
        while heap and heap[0] != self._entry(heap[0][1]):
            heappop(heap)
        if not heap:
            return None
        node = heappop(heap)[1]
        self._total -= 1
        self._left[node] -= 1
        if self._left[node]:
            heappush(heap, self._entry(node))
        place = self._devices[node][0]
        self.free[place] = left = self.free[place] - 1
        if not left:
            heappop(self._devices[node])
        return self.servers[place]

    def give(self, server: Server) -> None:
        """Its node is less loaded by one slot."""
        place = server.place
        node = self._node[place]
        self.free[place] = free = self.free[place] + 1
        self._total += 1
        self._left[node] += 1
        heappush(self._heap, self._entry(node))
        if len(self._heap) > 64 + 2 * len(self._size):  # mostly out of date
            self._sort()
        if free == 1:
            heappush(self._devices[node], place)
