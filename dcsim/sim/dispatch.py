"""The per-job path: arrivals, queues, placement, completions.

A job is a number. A stream's jobs may run on one or several pools, best first; streams with the same list of pools
share one lane, a queue in order of arrival. Plain first come, first served is decided at the arrival or the completion
itself. A scheduler process that is replaced by a user's generator switches that off: then jobs only queue up,
`Dispatcher.wake` fires once at the end of every instant at which something changed, and the generator calls `start`.

Devices are known only as `Server`, so batching, throttling and preemption never touch this file.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappush
from math import fsum, inf
from typing import cast

from simpy.events import Event

from dcsim.cluster.replicas import ReplicaServer
from dcsim.errors import ScenarioError, nearest
from dcsim.results.recorder import JobTable
from dcsim.scheduling.nodes import Node, Nodes
from dcsim.scheduling.slots import Slots
from dcsim.service import Server
from dcsim.sim import express
from dcsim.sim.clock import Clock
from dcsim.sim.lanes import Holding, JobClass, Lane, Pool


def _placed_by_node(server: Server) -> None:
    raise AssertionError(f"device {server.index} was not taken as a slot")


class Dispatcher:
    """Starts and ends jobs on the clock and keeps their columns."""

    def __init__(
        self,
        clock: Clock,
        table: JobTable,
        pools: Sequence[Pool],
        classes: list[JobClass],
        followed: Mapping[str, Callable[[int], None]] | None = None,
    ) -> None:
        """`followed`: pool -> what is called with each job that ended there, or was rejected before it could."""
        self.clock, self.table, self.pools, self.classes = clock, table, list(pools), classes
        self._followed = followed or {}
        self.ahead: Callable[[], int] = lambda: 0
        """how many jobs of the table have not arrived and may never do so"""
        self._in_order = False
        self.wake: Event = clock.event()
        """fires at the end of an instant at which jobs arrived or devices came free, unless `in_order`"""
        self._held: dict[int, Holding] = {}  # jobs on several servers, or placed by node
        self._plain = {pool for pool in self.pools if pool.name not in self._followed and express.serves(pool)}
        self._arrivals: dict[int, Callable[[int], None]] = {}  # by number of the class
        for pool in self.pools:
            pool.finish = self._finisher(pool)
            if pool.decode is not None:
                pool.pass_on = self._passer(pool, pool.decode)

    @property
    def in_order(self) -> bool:
        """Serve first come, first served without a pass; the default scheduler process switches it on."""
        return self._in_order

    @in_order.setter
    def in_order(self, value: bool) -> None:
        for pool in self.pools:
            pool.queued += int(self._in_order) - int(value)
        self._in_order = value
        if value:
            for pool in self.pools:
                self._serve(pool)

    @property
    def finished(self) -> int:
        """Jobs that have ended."""
        return sum(pool.finished() for pool in self.pools)

    @property
    def unfinished(self) -> int:
        """Jobs that have been read from their streams and have neither ended nor been rejected."""
        return len(self.table) - self.ahead() - self.finished - len(self.table.rejected)

    # ------------------------------------------------------------ what a scheduler may use

    def waiting(self) -> Iterator[int]:
        """Jobs that wait, in order of arrival."""
        lanes = {id(lane): lane for pool in self.pools for lane in pool.lanes}.values()
        yield from (job for _, job in sorted(entry for lane in lanes for entry in lane.waiting))

    def start(self, job: int, pool: str | None = None) -> bool:
        """Start a waiting job on the first of its pools (or on `pool`) that has room now; False when none has.

        ScenarioError for a job that does not wait or may not run on `pool`.
        """
        if not 0 <= job < len(self.table):
            raise ScenarioError(f"start({job}): no such job")
        kind = self.classes[self.table.job_class[job]]
        entry, names = (self.table.arrival_of(job), job), [each.name for each in kind.lane.pools]
        if entry not in kind.lane.waiting:
            raise ScenarioError(f"start({job}): the job does not wait")
        if pool is not None and pool not in names:
            raise ScenarioError(f"start({job}): the job may not run on pool '{pool}'{nearest(pool, names)}")
        for candidate in kind.lane.pools:
            if pool in {None, candidate.name} and self._place(candidate, kind, job):
                kind.lane.waiting.remove(entry)
                self._left_queue(kind)
                return True
        return False

    # ------------------------------------------------------------ arrivals

    def arrival(self, kind: JobClass | None) -> Callable[[int], None]:
        """What the clock calls with the number of each job of a stream when it arrives.

        `kind` is the class of all its jobs; None when the stream's jobs are of several classes.
        """
        if kind is None:
            return self._arrive_by_class
        pool = kind.lane.pools[0]
        placement = pool.placement
        if len(kind.lane.pools) > 1 or not isinstance(placement, Slots) or kind.requests[pool.name].devices > 1:
            return lambda job: self._arrive(kind, job)
        if pool in self._plain:
            return express.arrival(self.clock, self.table, pool, lambda job: self._wait(kind, job))
        clock, finish = self.clock, pool.finish
        free, take, _ = placement.ways()
        calls, ids = clock.timed_calls
        start_s, device = self.table.start_s, self.table.device

        def arrive(job: int) -> None:
            """`_arrive` and `_admit` for one slot on one pool, in one piece."""
            server = take() if free and not pool.queued else None
            if server is None:
                self._wait(kind, job)
                return
            now = clock._now
            start_s[job] = now
            device[job] = server.index
            before_s = server.next_event_s
            server.admit(now, job)
            due_s = server.next_event_s
            if due_s != before_s:
                heappush(calls, (due_s, next(ids), finish, server))

        return arrive

    def _arrive_by_class(self, job: int) -> None:
        number = self.table.job_class[job]
        arrive = self._arrivals.get(number)
        if arrive is None:
            arrive = self._arrivals[number] = self.arrival(self.classes[number])
        arrive(job)

    def _arrive(self, kind: JobClass, job: int) -> None:
        for pool in kind.lane.pools:
            if not pool.queued and self._place(pool, kind, job):
                return
        self._wait(kind, job)

    def _wait(self, kind: JobClass, job: int) -> None:
        if kind.queue.waiting >= kind.queue.limit:
            self.table.rejected.append(job)
            follow = self._followed.get(kind.lane.pools[0].name)
            if follow is not None:
                follow(job)
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
        elif request.devices == 1:
            server = placement.take()
            servers = None if server is None else [server]
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
            devices = self.classes[self.table.job_class[job]].requests[pool.name].devices
            self._held[job] = Holding(pool, servers, devices or 1)
        for server in servers:
            before_s = server.next_event_s
            server.admit(now, job)
            self._arm(pool, server, before_s)

    def _arm(self, pool: Pool, server: Server, before_s: float) -> None:
        """Call `finish` at the server's next event if that has changed; the call for the former one dies unheeded."""
        if server.next_event_s != before_s and server.next_event_s < inf:
            self.clock.call_at(server.next_event_s, pool.finish, server)

    def set_speed(self, pool: Pool, server: Server, factor: float) -> None:
        """Run one device at `factor` > 0 of full speed and dynamic power from now on (throttling, power caps).

        A job on several devices ends when the slowest of them has done its part.
        """
        before_s = server.next_event_s
        server.set_speed(self.clock._now, factor)
        self._arm(pool, server, before_s)

    def left(self, job: int, server: Server) -> float:
        """Service that a job which runs on `server` still lacks, s at full speed: the mean over its devices."""
        now, holding = self.clock._now, self._held.get(job)
        if holding is None:
            return server.left(now, job)
        devices = holding.servers[: holding.devices]
        lacks = [0.0 if device in holding.done else device.left(now, job) for device in devices]
        return lacks[0] if min(lacks) == max(lacks) else fsum(lacks) / len(lacks)

    # ------------------------------------------------------------ completions

    def _finisher(self, pool: Pool) -> Callable[[Server], None]:
        """What the clock calls when a server of `pool` may have something to do."""
        if isinstance(pool.placement, Slots) and all(
            isinstance(server, ReplicaServer) for server in pool.placement.servers
        ):
            return self._turner(pool, pool.placement)
        clock, end_s, held = self.clock, self.table.end_s, self._held
        # jobs that are placed by node are held, and so never given back here
        give = pool.placement.ways().give if isinstance(pool.placement, Slots) else _placed_by_node
        calls, ids = clock.timed_calls
        follow = self._followed.get(pool.name)

        done = 0

        def finish(server: Server) -> None:
            nonlocal done
            now = clock._now
            if server.next_event_s != now:  # the event has moved since this call was armed
                return
            queued = pool.queued
            job = server.advance(now, queued > 0)
            due_s = server.next_event_s
            if due_s < inf:
                heappush(calls, (due_s, next(ids), finish, server))
            if job < 0:
                return
            if held and job in held:
                if queued:
                    server.release(now)
                over = self._part_done(job, server)
                if over:
                    end_s[job] = now
                    done += 1
                self._serve(pool)
                if over and follow is not None:
                    follow(job)
                return
            end_s[job] = now
            done += 1
            if queued:
                self._succeed(pool, server)
            else:
                give(server)
            if follow is not None:
                follow(job)

        if pool not in self._plain:
            pool.finished = lambda: done
            return finish
        plain, plain_done = express.finisher(clock, self.table, pool, held, finish)
        pool.finished = lambda: done + plain_done()
        return plain

    def _turner(self, pool: Pool, route: Slots) -> Callable[[Server], None]:
        """What the clock calls when a replica of `pool` may be at the end of some iterations: several jobs may end."""
        clock, end_s, give = self.clock, self.table.end_s, route.ways().give
        calls, ids = clock.timed_calls
        follow = self._followed.get(pool.name)
        done = 0

        def turn(server: ReplicaServer) -> None:
            nonlocal done
            now = clock._now
            if server.next_event_s != now:  # the event has moved since this call was armed
                return
            ended = server.turn(now)
            due_s = server.next_event_s
            if due_s < inf:
                heappush(calls, (due_s, next(ids), finish, server))
            for job in ended:
                end_s[job] = now
                done += 1
                if pool.queued:
                    self._succeed(pool, server)
                else:
                    give(server)
                if follow is not None:
                    follow(job)

        pool.finished = lambda: done
        finish = cast(Callable[[Server], None], turn)
        return finish

    def _part_done(self, job: int, server: Server) -> bool:
        """One server of several is done with a job, which ends with the last of them; whether that was it."""
        now, holding = self.clock._now, self._held[job]
        done, placement = holding.done, holding.pool.placement
        for other in holding.servers:
            if other is server or (done and other in done):
                continue
            if other.next_event_s > now or other.left(now, job) > 0.0:
                break
        else:
            self._let_go(job, server)
            return True
        done.append(server)
        if isinstance(placement, Nodes):
            placement.admitted([server])
        else:
            placement.give(server)
        return False

    def _let_go(self, job: int, gone_from: Server | None) -> None:
        """Free everything that a held job holds; it may have left one of its servers already."""
        holding, now = self._held.pop(job), self.clock._now
        pool, servers = holding.pool, holding.servers
        if holding.done:
            servers = [server for server in servers if server not in holding.done]
        for server in servers:
            if server is not gone_from:
                before_s = server.next_event_s
                server.evict(now, job)
                if server.next_event_s < inf:
                    self._arm(pool, server, before_s)
        if isinstance(pool.placement, Nodes):
            pool.placement.give(self.classes[self.table.job_class[job]].requests[pool.name], holding.servers)
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
                for other in lane.pools:
                    if other is not pool:
                        self._serve(other)
                return
        server.release(self.clock._now)
        assert isinstance(pool.placement, Slots)  # jobs that are placed by node are held
        pool.placement.give(server)
        self._serve(pool)

    def _serve(self, pool: Pool) -> None:
        """Start waiting jobs of `pool` in order of arrival until the first that does not fit.

        A job that starts here may be what others waited behind on another pool of its lane, so that one is served too.
        """
        if not self.in_order:
            self._changed()
            return
        agenda = [pool]
        while agenda:
            current = agenda.pop()
            while current.queued:
                lane = self._next_lane(current)
                job = lane.waiting[0][1]
                kind = self.classes[self.table.job_class[job]]
                if not self._place(current, kind, job):
                    break
                lane.waiting.popleft()
                self._left_queue(kind)
                agenda += [other for other in lane.pools if other is not current and other not in agenda]

    def _next_lane(self, pool: Pool) -> Lane:
        return min((lane for lane in pool.lanes if lane.waiting), key=lambda lane: lane.waiting[0])

    # ------------------------------------------------------------ from a prefill pool to a decode pool

    def _passer(self, pool: Pool, decode: Pool) -> Callable[[ReplicaServer, int], None]:
        """What a prefill replica of `pool` calls with a job that has its first token: its cache moves to `decode`."""
        table, clock, placements = self.table, self.clock, (pool.placement, decode.placement)
        prefill, route = (placement for placement in placements if isinstance(placement, Slots))

        def receive(job: int) -> None:
            server = route.take()
            if server is None:  # all of them are down
                self._requeue(job)
                self._serve(pool)
            else:
                self._admit(decode, job, [server])

        def pass_on(server: ReplicaServer, job: int) -> None:
            table.pass_on(job, clock._now, table.demands[pool.name].seconds[job])
            clock.call_at(clock._now + server.deployment.transfer_s(table.input_tokens[job]), receive, job)
            prefill.give(server)
            if pool.queued:
                self._serve(pool)

        return pass_on

    # ------------------------------------------------------------ outages

    def take_down(self, pool: Pool, node: Node) -> None:
        """Evict the jobs of a node, to the head of their queues and to start from zero; offer it no more."""
        concerned = [pool]  # a job may go on at once on another pool of its lane
        for server in node.servers:
            for job in server.jobs():
                self._evict(pool, server, job)
                lane = self.classes[self.table.job_class[job]].lane
                concerned += [other for other in lane.pools if other not in concerned]
        if isinstance(pool.placement, Nodes):
            pool.placement.withdraw(node)
        else:
            pool.placement.withdraw(node.servers)
        for each in concerned:
            self._serve(each)

    def bring_up(self, pool: Pool, node: Node) -> None:
        """Offer a node again."""
        if isinstance(pool.placement, Nodes):
            pool.placement.restore(node)
        else:
            pool.placement.restore(node.servers)
        self._serve(pool)

    def _evict(self, pool: Pool, server: Server, job: int) -> None:
        table, now = self.table, self.clock._now
        work_s = table.demands[pool.name].seconds[job] - self.left(job, server)
        if job in self._held:
            self._let_go(job, None)
        elif isinstance(pool.placement, Slots):
            before_s = server.next_event_s
            server.evict(now, job)
            self._arm(pool, server, before_s)
            pool.placement.give(server)
        table.cut_short(job, now, work_s)
        self._requeue(job)

    def _requeue(self, job: int) -> None:
        """A job that has started waits again, where its arrival puts it."""
        kind = self.classes[self.table.job_class[job]]
        insort(kind.lane.waiting, (self.table.arrival_of(job), job))
        self._entered_queue(kind)
