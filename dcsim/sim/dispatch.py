"""The per-job path: arrivals, queues, placement, completions.

A job is a number. A stream's jobs may run on one or several pools, best first; streams with the same list of pools
share one lane, a queue in order of arrival. Plain first come, first served is decided at the arrival or the completion
itself. A scheduler process that is replaced by a user's generator switches that off: then jobs only queue up,
`Dispatcher.wake` fires once at the end of every instant at which something changed, and the generator calls `start`.

Devices are known only as `Server`, so batching, throttling and preemption never touch this file.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappush
from math import inf, nan

from simpy.events import Event

from dcsim.results.recorder import Attempt, JobTable
from dcsim.scheduling.nodes import Node, Nodes, Request
from dcsim.scheduling.slots import Slots
from dcsim.service import Server
from dcsim.sim.clock import Clock


class Pool:
    """Equal nodes, what is free on them, and how many jobs wait for them."""

    def __init__(self, name: str, number: int, placement: Slots | Nodes) -> None:
        self.name, self.number, self.placement = name, number, placement
        self.queued = 0
        """jobs that wait in any lane of this pool"""
        self.lanes: list[Lane] = []
        self.finish: Callable[[Server], None]


class Lane:
    """Jobs that wait for the same pools, in order of arrival."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        self.pools = list(pools)
        self.waiting: deque[tuple[float, int]] = deque()
        """(arrival, job)"""


def _placed_by_node(server: Server) -> None:
    raise AssertionError(f"device {server.index} was not taken as a slot")


@dataclass
class Queue:
    """How many jobs of one stream wait, and how many may."""

    limit: float = inf
    waiting: int = 0


@dataclass(frozen=True)
class JobClass:
    """Jobs of one stream that ask for the same resources. `JobTable.job_class` holds its number in `Dispatcher.classes`."""

    stream: str
    lane: Lane
    requests: Mapping[str, Request]
    """pool -> what a job holds there"""
    queue: Queue


class Dispatcher:
    """Starts and ends jobs on the clock and keeps their columns."""

    def __init__(self, clock: Clock, table: JobTable, pools: Sequence[Pool], classes: list[JobClass]) -> None:
        self.clock, self.table, self.pools, self.classes = clock, table, list(pools), classes
        self.in_order = False
        """serve first come, first served without a pass; the default scheduler process switches it on"""
        self.wake: Event = clock.event()
        """fires at the end of an instant at which jobs arrived or devices came free, unless `in_order`"""
        self.finished = 0
        self._held: dict[int, tuple[Pool, list[Server]]] = {}  # jobs on several servers, or placed by node
        for pool in self.pools:
            pool.finish = self._finisher(pool)

    @property
    def unfinished(self) -> int:
        """Jobs that have been read from their streams and have neither ended nor been rejected."""
        return len(self.table) - self.finished - len(self.table.rejected)

    # ------------------------------------------------------------ what a scheduler may use

    def waiting(self) -> Iterator[int]:
        """Jobs that wait, in order of arrival."""
        lanes = {id(lane): lane for pool in self.pools for lane in pool.lanes}.values()
        yield from (job for _, job in sorted(entry for lane in lanes for entry in lane.waiting))

    def start(self, job: int, pool: str | None = None) -> bool:
        """Start a waiting job on the first of its pools (or on `pool`) that has room now; False when none has."""
        kind = self.classes[self.table.job_class[job]]
        for candidate in kind.lane.pools:
            if pool in {None, candidate.name} and self._place(candidate, kind, job):
                kind.lane.waiting.remove(next(entry for entry in kind.lane.waiting if entry[1] == job))
                self._left_queue(kind)
                return True
        return False

    # ------------------------------------------------------------ arrivals

    def arrival(self, kind: JobClass | None) -> Callable[[int], None]:
        """What the clock calls with the number of each job of a stream when it arrives.

        `kind` is the class of all its jobs; None when the stream's jobs are of several classes.
        """
        if kind is None:
            return lambda job: self._arrive(self.classes[self.table.job_class[job]], job)
        pool = kind.lane.pools[0]
        placement = pool.placement
        if (
            len(kind.lane.pools) > 1
            or not isinstance(placement, Slots)
            or kind.requests[pool.name].devices > 1
        ):
            return lambda job: self._arrive(kind, job)
        clock, take, finish = self.clock, placement.take, pool.finish
        calls, ids = clock.timed_calls
        start_s, device = self.table.start_s, self.table.device

        def arrive(job: int) -> None:
            """`_arrive` and `_admit` for one slot on one pool, in one piece: every job passes here."""
            server = None if pool.queued or not self.in_order else take()
            if server is None:
                self._wait(kind, job)
                return
            now = clock._now
            start_s[job] = now
            device[job] = server.index
            server.admit(now, job)
            due_s = server.next_event_s
            if due_s < server.armed_s:
                server.armed_s = due_s
                heappush(calls, (due_s, next(ids), finish, server))

        return arrive

    def _arrive(self, kind: JobClass, job: int) -> None:
        if self.in_order:
            for pool in kind.lane.pools:
                if not pool.queued and self._place(pool, kind, job):
                    return
        self._wait(kind, job)

    def _wait(self, kind: JobClass, job: int) -> None:
        if kind.queue.waiting >= kind.queue.limit:
            self.table.rejected.append(job)
            return
        kind.lane.waiting.append((self.clock._now, job))
        self._entered_queue(kind)

    def _entered_queue(self, kind: JobClass) -> None:
        kind.queue.waiting += 1
        for pool in kind.lane.pools:
            pool.queued += 1
        self._changed()

    def _left_queue(self, kind: JobClass) -> None:
        kind.queue.waiting -= 1
        for pool in kind.lane.pools:
            pool.queued -= 1

    def _changed(self) -> None:
        if not self.in_order:
            self.clock.at_end_of_instant(self._notify)

    def _notify(self) -> None:
        event, self.wake = self.wake, self.clock.event()
        event.succeed()

    # ------------------------------------------------------------ starts

    def _place(self, pool: Pool, kind: JobClass, job: int) -> bool:
        """Start `job` on `pool` if there is room for it."""
        placement, request = pool.placement, kind.requests[pool.name]
        if isinstance(placement, Nodes):
            servers = placement.take(request)
        elif placement.available < request.devices:
            servers = None
        else:
            taken = [placement.take() for _ in range(request.devices)]
            servers = [server for server in taken if server is not None]
        if servers is None:
            return False
        self._admit(pool, job, servers)
        if isinstance(placement, Nodes):
            placement.admitted(servers)
        return True

    def _admit(self, pool: Pool, job: int, servers: list[Server]) -> None:
        now = self.clock._now
        self.table.start_s[job] = now
        self.table.device[job] = servers[0].index
        if len(servers) > 1 or isinstance(pool.placement, Nodes):
            self._held[job] = (pool, servers)
        for server in servers:
            server.admit(now, job)
            self._arm(pool, server)

    def _arm(self, pool: Pool, server: Server) -> None:
        """Keep one timed call at or before the server's next event; an older call for a later moment dies unheeded."""
        if server.next_event_s < server.armed_s:
            server.armed_s = server.next_event_s
            self.clock.call_at(server.armed_s, pool.finish, server)

    # ------------------------------------------------------------ completions

    def _finisher(self, pool: Pool) -> Callable[[Server], None]:
        """What the clock calls when a server of `pool` may have something to do."""
        clock, end_s, held = self.clock, self.table.end_s, self._held
        # jobs that are placed by node are held, and so never given back here
        give = pool.placement.give if isinstance(pool.placement, Slots) else _placed_by_node
        calls, ids = clock.timed_calls

        def finish(server: Server) -> None:
            now = clock._now
            if server.armed_s != now:
                return
            server.armed_s = inf
            if server.next_event_s <= now:
                queued = pool.queued > 0
                job = server.advance(now, queued)
                if job >= 0:
                    end_s[job] = now
                    self.finished += 1
                    if held and job in held:
                        if queued:
                            server.release(now)
                        self._let_go(job, server)
                        self._serve(pool)
                    elif queued:
                        self._succeed(pool, server)
                    else:
                        give(server)
            due_s = server.next_event_s
            if due_s < server.armed_s:
                server.armed_s = due_s
                heappush(calls, (due_s, next(ids), finish, server))

        return finish

    def _let_go(self, job: int, gone_from: Server) -> None:
        """Free everything that a job on several servers (or placed by node) holds; it has left one of them already."""
        pool, servers = self._held.pop(job)
        now = self.clock._now
        for server in servers:
            if server is not gone_from:
                server.evict(now, job)
        if isinstance(pool.placement, Nodes):
            pool.placement.give(self.classes[self.table.job_class[job]].requests[pool.name], servers)
        else:
            for server in servers:
                pool.placement.give(server)

    def _succeed(self, pool: Pool, server: Server) -> None:
        """A slot came free while jobs wait: hand it over if the next job is content with it."""
        if self.in_order and isinstance(pool.placement, Slots):
            lane = self._next_lane(pool)
            kind = self.classes[self.table.job_class[lane.waiting[0][1]]]
            if kind.requests[pool.name].devices == 1:
                _, job = lane.waiting.popleft()
                self._left_queue(kind)
                self._admit(pool, job, [server])
                return
        server.release(self.clock._now)
        assert isinstance(pool.placement, Slots)  # jobs that are placed by node are held
        pool.placement.give(server)
        self._serve(pool)

    def _serve(self, pool: Pool) -> None:
        """Start waiting jobs of `pool` in order of arrival until the first that does not fit."""
        if not self.in_order:
            self._changed()
            return
        while pool.queued:
            lane = self._next_lane(pool)
            job = lane.waiting[0][1]
            kind = self.classes[self.table.job_class[job]]
            if not self._place(pool, kind, job):
                return
            lane.waiting.popleft()
            self._left_queue(kind)

    def _next_lane(self, pool: Pool) -> Lane:
        return min((lane for lane in pool.lanes if lane.waiting), key=lambda lane: lane.waiting[0])

    def serve_all(self) -> None:
        """Serve what waits everywhere: after `in_order` is switched on."""
        for pool in self.pools:
            self._serve(pool)

    # ------------------------------------------------------------ outages

    def take_down(self, pool: Pool, node: Node) -> None:
        """Evict the jobs of a node, to the head of their queues and to start from zero; offer it no more."""
        for server in node.servers:
            for job in server.jobs():
                self._evict(pool, server, job)
        if isinstance(pool.placement, Nodes):
            pool.placement.withdraw(node)
        else:
            pool.placement.withdraw(node.servers)
        self._serve(pool)

    def bring_up(self, pool: Pool, node: Node) -> None:
        """Offer a node again."""
        if isinstance(pool.placement, Nodes):
            pool.placement.restore(node)
        else:
            pool.placement.restore(node.servers)
        self._serve(pool)

    def _evict(self, pool: Pool, server: Server, job: int) -> None:
        table, now = self.table, self.clock._now
        work_s = table.demands[pool.name].seconds[job] - server.evict(now, job)
        table.attempts.append(Attempt(job, table.device[job], table.start_s[job], now, work_s))
        table.start_s[job] = nan
        if job in self._held:
            self._let_go(job, server)
        elif isinstance(pool.placement, Slots):
            pool.placement.give(server)
        kind = self.classes[table.job_class[job]]
        insort(kind.lane.waiting, (table.arrival_of(job), job))
        self._entered_queue(kind)
