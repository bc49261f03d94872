"""Which replica of a language model a request joins. Every replica has a waiting line of its own.

A route hands out replicas as `Slots` hands out devices; a replica is full only if its pool limits what it takes in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from heapq import heapify, heappop, heappush
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


class _Least(Slots):
    """The replica with the least load, the lowest number on a tie; O(log n).

    Replicas stand in a heap by their load when they were last seen. A load that has grown since is corrected when its
    entry surfaces; one that has shrunk has a newer entry.
    """

    def __init__(self, servers: Sequence[Server], slots: int) -> None:
        self._heap: list[tuple[int, int]] = []
        super().__init__(servers, slots)

    @abstractmethod
    def _load(self, place: int) -> int:
        """Load of a replica now."""

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
                heappop(heap)
                heappush(heap, (now, place))
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


@ROUTES.add("least-requests")
class LeastRequests(_Least):
    """Fewest requests that are not done."""

    def _load(self, place: int) -> int:
        return self.slots - self.free[place]


@ROUTES.add("least-tokens")
class LeastTokens(_Least):
    """Fewest prompt and output tokens of requests that are not done."""

    def _load(self, place: int) -> int:
        return cast(Outstanding, self.servers[place]).tokens
