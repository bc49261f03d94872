"""The express lane: the start and the end of a job on one whole device, each in one piece.

In most runs every job passes here, so what `Dispatcher`, `ProfileServer` and `Cell` do for it in seven calls stands
here in two, line by line in their order. Whatever is not plain (a queue, a job on several devices, an event that has
moved) is left to them: the rules are theirs. A test runs both ways and compares them bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from heapq import heappush
from math import inf
from typing import cast

from dcsim.cluster.servers import ProfileServer
from dcsim.results.recorder import JobTable
from dcsim.scheduling.slots import Slots
from dcsim.service import Server
from dcsim.sim.clock import Clock
from dcsim.sim.lanes import Pool


def serves(pool: Pool) -> bool:
    """Whether the devices of `pool` run one job each, for a time that is known at its start."""
    placement = pool.placement
    return (
        isinstance(placement, Slots)
        and placement.slots == 1
        and all(type(server) is ProfileServer for server in placement.servers)
    )


def arrival(clock: Clock, table: JobTable, pool: Pool, wait: Callable[[int], None]) -> Callable[[int], None]:
    """What the clock calls when a job arrives that asks for one device of `pool` and no other pool."""
    assert isinstance(pool.placement, Slots)
    free, take_any, _ = pool.placement.ways()
    take = cast(Callable[[], ProfileServer | None], take_any)
    calls, ids = clock.timed_calls
    start_s, device, finish = table.start_s, table.device, pool.finish
    seconds, watts = table.demands[pool.name].seconds, table.demands[pool.name].watts

    def arrive(job: int) -> None:
        server = take() if free and not pool.queued else None
        if server is None:
            wait(job)
            return
        now = clock._now
        start_s[job] = now
        device[job] = server.index
        speed, cell = server.speed, server.cell
        server.power_w = power_w = watts[job] * speed
        cell.energy_j += cell.power_w * (now - cell.since_s)
        cell.since_s = now
        cell.use_moment_s -= now
        cell.holders += 1
        cell.power_w += power_w
        server.job = job
        server.next_event_s = due_s = now + seconds[job] / speed
        heappush(calls, (due_s, next(ids), finish, server))

    return arrive


def finisher(
    clock: Clock, table: JobTable, pool: Pool, held: Container[int], otherwise: Callable[[Server], None]
) -> tuple[Callable[[Server], None], Callable[[], int]]:
    """What the clock calls when a device of `pool` may be done, and how many jobs have ended in it.

    `held` are the jobs on several devices; `otherwise` is called when something else is to be done than the plain end.
    """
    assert isinstance(pool.placement, Slots)
    give, end_s, done = pool.placement.ways().give, table.end_s, 0

    def finish(server: ProfileServer) -> None:
        nonlocal done
        now, job = clock._now, server.job
        if pool.queued or server.next_event_s != now or (held and job in held):
            otherwise(server)
            return
        server.next_event_s = inf
        cell = server.cell
        cell.energy_j += cell.power_w * (now - cell.since_s)
        cell.since_s = now
        cell.use_moment_s += now
        cell.holders = holders = cell.holders - 1
        if holders:
            cell.power_w -= server.power_w
        else:
            cell.power_w = cell.idle_w
            cell.partly = 0.0
        server.power_w = 0.0
        server.job = -1
        end_s[job] = now
        done += 1
        give(server)

    return cast(Callable[[Server], None], finish), lambda: done
