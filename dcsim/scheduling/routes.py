"""Which replica of a language model a request joins. Every replica has a waiting line of its own.

A route hands out replicas as `Slots` hands out devices; a replica is full only if its pool limits what it takes in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Protocol, cast

from dcsim.scheduling.registry import Registry
from dcsim.scheduling.slots import RoundRobin, Slots
from dcsim.service import Server

ROUTES: Registry[type[Slots]] = Registry("route")
ROUTES.add("round-robin")(RoundRobin)

#: Places on a replica that takes in whatever comes.
UNLIMITED = 2**60


class Outstanding(Protocol):
    """A server that knows how much it has to do."""

    @property
    def tokens(self) -> int:
        """Prompt and output tokens of its requests that are not done."""


@ROUTES.add("least-requests")
class LeastRequests(Slots):
    """The replica with the fewest requests that are not done, the lowest number on a tie; O(log n).

    Replicas stand in a heap by requests x replicas + number. Each that is up and not full has its entry of now, and
    entries of former times, which are dropped when they surface.
    """

    def __init__(self, servers: Sequence[Server], slots: int) -> None:
        self._entry = list(range(len(servers)))  # of now, by replica
        self._up: list[bool] = []
        self._heap: list[int] = []
        super().__init__(servers, slots)

    def _fill(self, places: list[int]) -> None:
        self._up = [False] * len(self.servers)
        for place in places:
            self._up[place] = True
        self._sort()

    def _sort(self) -> None:
        most = self.slots * len(self.servers)
        self._heap = [entry for entry, up in zip(self._entry, self._up, strict=True) if up and entry < most]
        heapify(self._heap)

    def _offered(self) -> Collection[int]:
        return [place for place, up in enumerate(self._up) if up]

    @property
    def available(self) -> int:
        """Free places on replicas that are up."""
        return sum(self.slots - self._entry[place] // len(self.servers) for place in self._offered())

    def take(self) -> Server | None:
        """The least loaded replica that has a place."""
        heap, entries, count = self._heap, self._entry, len(self.servers)
        while heap:
            entry = heap[0]
            place = entry % count
            if entries[place] != entry:
                heappop(heap)
                continue
            entries[place] = entry = entry + count
            if entry < self.slots * count:
                heapreplace(heap, entry)
            else:
                heappop(heap)
            return self.servers[place]
        return None

    def give(self, server: Server) -> None:
        """A request has left."""
        place, count = server.place, len(self.servers)
        self._entry[place] = entry = self._entry[place] - count
        if self._up[place]:
            heappush(self._heap, entry)
            if len(self._heap) > 64 + 4 * count:  # mostly out of date
                self._sort()


@ROUTES.add("least-tokens")
class LeastTokens(Slots):
    """The replica with the fewest prompt and output tokens of requests that are not done; O(log n).

    Replicas stand in a heap by their load when they were last seen. A load that has grown since is corrected when its
    entry surfaces; one that has shrunk has a newer entry. The lowest number goes first on a tie.
    """

    def __init__(self, servers: Sequence[Server], slots: int) -> None:
        self._heap: list[tuple[int, int]] = []
        super().__init__(servers, slots)

    def _load(self, place: int) -> int:
        return cast(Outstanding, self.servers[place]).tokens

    def _fill(self, places: list[int]) -> None:
        self._up = set(places)
        self._heap = [(self._load(place), place) for place in places]
        heapify(self._heap)

    def _offered(self) -> Collection[int]:
        return self._up

    def take(self) -> Server | None:
        """The least loaded replica that has a place."""
        heap = self._heap
        while heap:
            load, place = heap[0]
            now = self._load(place)
            if place not in self._up or not self.free[place] or now < load:
                heappop(heap)
            elif now > load:
                heapreplace(heap, (now, place))
            else:
                self.free[place] -= 1
                return self.servers[place]
        return None

    def give(self, server: Server) -> None:
        """A request has left."""
        place = server.place
        self.free[place] += 1
        heappush(self._heap, (self._load(place), place))
        if len(self._heap) > 64 + 4 * len(self.servers):  # mostly out of date
            self._fill(list(self._up))
