"""The seam between devices and dispatcher: Servers that dcsim does not ship, run by its own dispatcher as it is.

`Sharing` divides itself evenly among its jobs (processor sharing), so that every arrival and departure re-times every
other job's end. `Phased` has events of its own that end no job.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf

import numpy as np
import pytest

from dcsim.cluster.ledger import Cell
from dcsim.cluster.servers import ProfileServer
from dcsim.results.recorder import JobTable
from dcsim.scheduling.nodes import Node, Request
from dcsim.scheduling.slots import FirstFit, RoundRobin
from dcsim.service import Server, Service
from dcsim.sim.clock import Clock
from dcsim.sim.dispatch import Dispatcher
from dcsim.sim.lanes import JobClass, Lane, Pool, Queue

ROOMY = 1_000_000  # slots of a device that takes everybody


class Sharing:
    """Processor sharing in virtual time: V grows by speed / n while n jobs share; a job ends at V(start) + work."""

    def __init__(self, index, seconds, node=0):
        self.index, self.node, self.place = index, node, -1
        self.seconds = seconds
        self.next_event_s = inf
        self.power_w = 0.0
        self.speed = 1.0
        self.virtual, self.since_s = 0.0, 0.0
        self.due: list[tuple[float, int]] = []

    def move(self, time_s):
        if self.due:
            self.virtual += (time_s - self.since_s) * self.speed / len(self.due)
        self.since_s = time_s

    def retime(self):
        self.power_w = 100.0 * self.speed if self.due else 0.0
        left = max(self.due[0][0] - self.virtual, 0.0) if self.due else inf
        self.next_event_s = self.since_s + left * len(self.due) / self.speed if self.due else inf

    def admit(self, time_s, job):
        self.move(time_s)
        heappush(self.due, (self.virtual + self.seconds[job], job))
        self.retime()

    def advance(self, time_s, hand_over):  # noqa: ARG002  (the seam's signature)
        self.move(time_s)
        self.virtual, job = heappop(self.due)  # exactly, so that rounding does not gather
        self.retime()
        return job

    def release(self, time_s):
        pass

    def set_speed(self, time_s, factor):
        self.move(time_s)
        self.speed = factor
        self.retime()

    def left(self, time_s, job):
        self.move(time_s)
        return next(due for due, running in self.due if running == job) - self.virtual

    def evict(self, time_s, job):
        lacks = self.left(time_s, job)
        self.due = [entry for entry in self.due if entry[1] != job]
        heapify(self.due)
        self.retime()
        return lacks

    def jobs(self):
        return [job for _, job in sorted(self.due, key=lambda entry: entry[1])]

    def room(self):
        return 1.0

    def charge(self, time_s):
        pass


class Phased(Sharing):
    """One job at a time in three equal phases; the end of the first two is an event of the server alone."""

    def admit(self, time_s, job):
        self.job, self.phase = job, 0
        self.next_event_s = time_s + self.seconds[job] / 3

    def advance(self, time_s, hand_over):  # noqa: ARG002  (the seam's signature)
        self.phase += 1
        self.next_event_s = time_s + self.seconds[self.job] / 3 if self.phase < 3 else inf
        return -1 if self.phase < 3 else self.job


def bench(servers_of, seconds, *, slots=1, placement=FirstFit):
    """Clock, dispatcher and pool over servers that `servers_of(demand)` makes; how to let jobs of `seconds` arrive."""
    clock, count = Clock(), len(seconds)
    table = JobTable(["pool"], shared=False, hosted=False)
    servers = servers_of(table.demands["pool"])
    pool = Pool("pool", 0, placement(servers, slots))
    lane = Lane([pool])
    pool.lanes.append(lane)
    kind = JobClass("jobs", lane, {"pool": Request()}, Queue())
    dispatcher = Dispatcher(clock, table, [pool], [kind])
    dispatcher.in_order = True

    def arrive(arrival_s):
        nothing = np.zeros(count)
        service = Service(np.asarray(seconds, float), nothing + 100.0, nothing, nothing)
        first = table.reserve("jobs", 0, np.asarray(arrival_s, float), {}, {"pool": service}, {"pool": 1}, {})
        clock.feed([(list(arrival_s), range(first, first + count))], dispatcher.arrival(kind))

    return clock, dispatcher, pool, arrive


def sharing(demand):
    return [Sharing(0, demand.seconds)]


def test_toys_are_servers():
    server: Server = Sharing(0, [])
    assert {name for name in vars(Server) if not name.startswith("_")} <= set(dir(server))


def test_processor_sharing_by_hand():
    """Jobs of 4, 2 and 1 s at 0, 1 and 2 s.

    From 1 s two share, from 2 s three: left at 2 s are 2.5, 1.5 and 1. The third ends 3 s later, the second another
    0.5 x 2 s later, and the first has 1 s left for itself.
    """
    clock, dispatcher, _, arrive = bench(sharing, [4.0, 2.0, 1.0], slots=ROOMY)
    arrive([0.0, 1.0, 2.0])
    clock.run()
    assert list(dispatcher.table.end_s) == pytest.approx([7.0, 6.0, 5.0])
    assert list(dispatcher.table.start_s) == [0.0, 1.0, 2.0]
    assert dispatcher.finished == 3


def test_jobs_that_end_together_end_at_one_instant():
    clock, dispatcher, _, arrive = bench(sharing, [3.0] * 5, slots=ROOMY)
    arrive([1.0] * 5)
    clock.run()
    assert list(dispatcher.table.end_s) == [16.0] * 5


def brute_force(arrival_s, seconds):
    """Ends under processor sharing, by going from event to event over all jobs."""
    ends = [inf] * len(seconds)
    left: dict[int, float] = {}
    now, following = 0.0, 0
    while left or following < len(arrival_s):
        due_s = now + min(left.values()) * len(left) if left else inf
        moment = min(due_s, arrival_s[following] if following < len(arrival_s) else inf)
        for job in left:
            left[job] -= (moment - now) / len(left)
        now = moment
        if moment == due_s:
            job = min(left, key=lambda candidate: left[candidate])
            del left[job]
            ends[job] = now
        else:
            left[following] = seconds[following]
            following += 1
    return ends


def test_random_jobs_against_brute_force():
    random = np.random.default_rng(2)
    arrival_s = np.cumsum(random.exponential(1.0, 300)).tolist()
    seconds = random.lognormal(-0.6, 1.0, 300).tolist()
    clock, dispatcher, _, arrive = bench(sharing, seconds, slots=ROOMY)
    arrive(arrival_s)
    clock.run()
    assert list(dispatcher.table.end_s) == pytest.approx(brute_force(arrival_s, seconds), rel=1e-9)


@pytest.mark.parametrize("cv2", [0.0, 4.0])
def test_mean_sojourn_is_insensitive_to_the_service(cv2):
    """M/G/1 with processor sharing: E[T] = E[S] / (1 - rho), for fixed and for very uneven services alike."""
    random, count, rho, parts = np.random.default_rng(11), 30_000, 0.6, 20
    arrival_s = np.cumsum(random.exponential(1.0 / rho, count))
    if cv2:
        sigma2 = np.log(1.0 + cv2)
        seconds = random.lognormal(-sigma2 / 2, np.sqrt(sigma2), count)
    else:
        seconds = np.ones(count)
    clock, dispatcher, _, arrive = bench(sharing, seconds, slots=ROOMY)
    arrive(arrival_s.tolist())
    clock.run()
    sojourn_s = np.array(dispatcher.table.end_s) - arrival_s
    means = sojourn_s[count // 20 :].reshape(parts - 1, -1).mean(axis=1)
    error = means.std(ddof=1) / np.sqrt(len(means))
    assert error < 0.1
    assert abs(means.mean() - 1.0 / (1.0 - rho)) < 3.5 * error


def test_a_queue_in_front_of_limited_sharing():
    """Two may share; the third waits until one has gone."""
    clock, dispatcher, pool, arrive = bench(sharing, [4.0, 2.0, 1.0], slots=2)
    arrive([0.0, 0.0, 0.0])
    clock.run(until=3.0)
    assert pool.queued == 1
    clock.run()
    assert list(dispatcher.table.start_s) == [0.0, 0.0, 4.0]
    assert list(dispatcher.table.end_s) == pytest.approx([7.0, 4.0, 6.0])


def test_events_that_end_no_job():
    clock, dispatcher, _, arrive = bench(lambda demand: [Phased(0, demand.seconds)], [3.0, 6.0])
    arrive([0.0, 1.0])
    moments = []
    while clock.peek() < inf:
        clock.step()
        moments.append(clock.now)
    assert list(dispatcher.table.end_s) == [3.0, 9.0]
    assert moments == [0.0, 1.0, 1.0, 2.0, 3.0, 5.0, 7.0, 9.0]


# ---------------------------------------------------------------- throttling and failure through the seam


def at(clock, moment, call):
    clock.call_at(moment, lambda _: call())


@pytest.mark.parametrize("slots", [1, ROOMY])
def test_throttling_moves_the_end_later_and_earlier(slots):
    """10 s of work: 2 s at full speed, 4 s at half, the rest at double."""
    cell = Cell(0, 0, 50.0)
    servers = sharing if slots > 1 else lambda demand: [ProfileServer(0, 0, cell, demand.seconds, demand.watts)]
    clock, dispatcher, pool, arrive = bench(servers, [10.0, 1.0], slots=slots)
    arrive([0.0, 20.0])
    (server,) = pool.placement.servers
    at(clock, 2.0, lambda: dispatcher.set_speed(pool, server, 0.5))
    at(clock, 6.0, lambda: dispatcher.set_speed(pool, server, 2.0))
    clock.run(until=15.0)
    assert dispatcher.table.end_s[0] == 9.0
    clock.run()
    assert list(dispatcher.table.end_s) == [9.0, 20.5]
    if slots == 1:
        assert cell.energy_at(20.5) == pytest.approx(50.0 * 20.5 + 100.0 * 11.0)


def test_throttled_job_hands_over_at_its_new_end():
    """What waits starts when the throttled job ends, not when it would have."""
    cell = Cell(0, 0, 0.0)
    devices = lambda demand: [ProfileServer(n, 0, cell, demand.seconds, demand.watts) for n in range(2)]  # noqa: E731
    clock, dispatcher, pool, arrive = bench(devices, [10.0, 4.0, 1.0, 1.0], placement=RoundRobin)
    arrive([0.0, 0.0, 1.0, 1.0])
    slow = pool.placement.servers[1]
    at(clock, 2.0, lambda: dispatcher.set_speed(pool, slow, 0.25))
    at(clock, 9.0, lambda: dispatcher.set_speed(pool, slow, 0.5))
    clock.run()
    # left at 2 s: 2 s; at 9 s: 0.25 s, done at 9.5 s; then a second of work takes 2 s there
    assert list(dispatcher.table.end_s) == [10.0, 9.5, 11.5, 11.0]
    assert list(dispatcher.table.start_s) == [0.0, 0.0, 9.5, 10.0]


def test_throttling_back_and_forth_ends_every_job_once():
    random = np.random.default_rng(4)
    arrival_s = np.cumsum(random.exponential(1.0, 200))
    clock, dispatcher, pool, arrive = bench(sharing, random.exponential(0.7, 200), slots=ROOMY)
    arrive(arrival_s.tolist())
    (server,) = pool.placement.servers
    for moment in np.arange(0.5, 300.0, 0.5).tolist():
        factor = float(random.choice([0.5, 1.0, 1.5]))
        at(clock, moment, lambda factor=factor: dispatcher.set_speed(pool, server, factor))
    clock.run()
    assert dispatcher.finished == 200
    assert (np.array(dispatcher.table.end_s) > arrival_s).all()
    assert server.jobs() == []


def test_outage_evicts_every_sharer_which_starts_again_from_zero():
    clock, dispatcher, pool, arrive = bench(sharing, [4.0, 2.0, 1.0], slots=ROOMY)
    arrive([0.0, 1.0, 6.0])
    node = Node(0, {"device": pool.placement.servers}, None, 0.0, 0.0)
    at(clock, 2.0, lambda: dispatcher.take_down(pool, node))
    at(clock, 5.0, lambda: dispatcher.bring_up(pool, node))
    clock.run()
    assert list(dispatcher.table.start_s) == [5.0, 5.0, 6.0]
    # from 5 s two share; at 6 s 3.5, 1.5 and 1 s are left: third ends at 9, second at 10, first at 12
    assert list(dispatcher.table.end_s) == pytest.approx([12.0, 10.0, 9.0])
    assert [(attempt.job, attempt.start_s, attempt.end_s, attempt.work_s) for attempt in dispatcher.table.attempts] == [
        (0, 0.0, 2.0, 1.5),
        (1, 1.0, 2.0, 0.5),
    ]
