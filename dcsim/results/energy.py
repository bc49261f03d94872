"""Whose energy: the energy of each job at five boundaries, marginal and loaded.

**Marginal** is what the job added: at the chips their power above idle while it ran; at the board, the node and the
host what it added there; at the rack and the facility that, times what one more joule costs in conversion and cooling
at the mean load. **Loaded** is the marginal energy plus a share of everything else that the pool used up to that
boundary (idle power, hosts, switches, losses, cooling), by the device-seconds that the job kept in use. Over all jobs
of a pool the loaded energies add up to the pool's energy at that boundary. Work that an outage destroyed is charged to
its job.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.results.account import BOUNDARIES, RunAccount
from dcsim.results.recorder import JobBlock
from dcsim.service import FloatArray, IntArray, Service

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class JobParts:
    """Energy that each job of a block added on its last start, arrays of shape (n,); J and s."""

    pool: IntArray
    """-1 where the job never started"""
    worked_s: FloatArray
    """service that it has had, at full speed"""
    busy_s: FloatArray
    """device-seconds that it kept in use"""
    dynamic_j: FloatArray
    """energy at chips, boards and hosts, shape (3, n)"""


def parts(account: RunAccount, block: JobBlock) -> JobParts:
    """What each job of `block` added up to the end of the run, lost attempts left out."""
    table, rows, count = account.table, block.rows(), len(block.arrival_s)
    start_s, end_s = table.times("start_s", rows), table.times("end_s", rows)
    started, running = ~np.isnan(start_s), np.isnan(end_s)
    pool = np.where(started, account.pool_of(table.devices(rows)), -1)
    held_s = np.where(started, np.where(running, account.until_s, end_s) - start_s, 0.0)
    worked_s, dynamic_j = np.zeros(count), np.zeros((3, count))
    services = [(service, _where(pool == number), number) for number, service in _services(account, block)]
    for _, here, number in services:
        seconds = np.frombuffer(table.demands[account.pools[number].name].seconds)[rows][here]
        worked_s[here] = np.where(running[here], np.minimum(held_s[here], seconds), seconds)
    retimed, row = block.find(account.retimed[0])
    worked_s[row] = account.retimed[1][retimed]
    for service, here, _ in services:
        for level, watts in enumerate((service.chip_w, service.board_w, service.host_w)):
            dynamic_j[level, here] = watts[here] * worked_s[here]
    for level, column in ((0, table.curve_j), (2, table.host_j)):
        if column:
            dynamic_j[level] += np.frombuffer(column)[rows]
    booked_s = np.frombuffer(table.used_s)[rows] if table.used_s else np.zeros(count)
    return JobParts(pool, worked_s, account.used_s(rows, pool, held_s, booked_s), dynamic_j)


def _where(chosen: BoolArray) -> BoolArray | slice:
    """The same as an index; a slice where all are chosen, which they mostly are, because that copies nothing."""
    return slice(None) if chosen.all() else chosen


def _services(account: RunAccount, block: JobBlock) -> Iterator[tuple[int, Service]]:
    """Number of each pool that jobs of `block` may run on, and what they ask there."""
    for number, pool in enumerate(account.pools):
        if pool.name in block.services:
            yield number, block.services[pool.name]


class Lost(NamedTuple):
    """What the attempts that outages cut short added; arrays over the attempts."""

    job: IntArray
    stream: IntArray
    pool: IntArray
    energy_j: FloatArray
    """at chips, boards and hosts, shape (3, attempts), J"""
    busy_s: FloatArray
    """device-seconds"""


@dataclass(frozen=True)
class Rates:
    """How the energy of each pool is handed to its jobs, and what each stream added and used there."""

    rack_marginal: FloatArray
    """shape (pools,)"""
    facility_marginal: FloatArray
    """shape (pools,)"""
    overhead_w: FloatArray
    """everything that no job added, per device in use, shape (boundaries, pools), W"""
    dynamic_j: FloatArray
    """what jobs added at chips, boards and hosts, shape (streams, 3, pools), J"""
    busy_s: FloatArray
    """device-seconds in use, shape (streams, pools)"""
    ledger_error: float
    """largest relative gap between a pool's meters and the sum of its idle power and its jobs"""
    lost: Lost

    def marginal_j(self, dynamic_j: FloatArray, pool: IntArray) -> FloatArray:
        """Marginal energy at each boundary, shape (boundaries, n), of energies (3, n) added on `pool` (n,), J."""
        chip = dynamic_j[0]
        board = chip + dynamic_j[1]
        node = board + dynamic_j[2]
        rack = node * self.rack_marginal[pool]
        return np.stack([chip, board, node, rack, rack * self.facility_marginal[pool]])

    def loaded_j(self, marginal_j: FloatArray, busy_s: FloatArray, pool: IntArray) -> FloatArray:
        """Loaded energy at each boundary, shape (boundaries, n), J."""
        return marginal_j + self.overhead_w[:, pool] * busy_s


def rates(account: RunAccount) -> Rates:
    """First pass over the jobs: totals by stream and pool, and from them the rates."""
    pools, streams = len(account.pools), list(account.scenario.streams)
    dynamic_j, busy_s = np.zeros((len(streams), 3, pools)), np.zeros((len(streams), pools))
    for block in account.table.blocks:
        row = streams.index(block.stream)
        found = parts(account, block)
        started = _where(found.pool >= 0)
        pool = found.pool[started]
        busy_s[row] += np.bincount(pool, found.busy_s[started], pools)
        for level in range(3):
            dynamic_j[row, level] += np.bincount(pool, found.dynamic_j[level, started], pools)
    lost = _lost(account)
    np.add.at(busy_s, (lost.stream, lost.pool), lost.busy_s)
    for level in range(3):
        np.add.at(dynamic_j[:, level], (lost.stream, lost.pool), lost.energy_j[level])
    added_j, used_s = dynamic_j.sum(axis=0), busy_s.sum(axis=0)
    idle_j = np.array([pool.idle_j(account.until_s) for pool in account.pools]).T
    inside_j = np.cumsum(idle_j + added_j, axis=0)
    outside_j = np.array([[pool.it_j, pool.facility_j] for pool in account.pools]).T
    compute_j = np.array([pool.compute_j for pool in account.pools])
    gaps = np.divide(np.abs(inside_j[2] - compute_j), compute_j, out=np.zeros(pools), where=compute_j > 0)
    found_rates = Rates(
        np.array([pool.rack_marginal for pool in account.pools]),
        np.array([pool.facility_marginal for pool in account.pools]),
        np.zeros((len(BOUNDARIES), pools)),
        dynamic_j,
        busy_s,
        float(gaps.max()),
        lost,
    )
    rest_j = np.concatenate([inside_j, outside_j]) - found_rates.marginal_j(added_j, np.arange(pools))
    overhead_w = np.divide(rest_j, used_s, out=np.zeros_like(rest_j), where=used_s > 0)
    return replace(found_rates, overhead_w=overhead_w)


def per_job(account: RunAccount, block: JobBlock, shares: Rates) -> tuple[JobParts, FloatArray, FloatArray]:
    """Second pass: parts, marginal and loaded energy of each job of `block`, shapes (boundaries, n), J."""
    found = parts(account, block)
    pool = np.maximum(found.pool, 0)
    marginal = shares.marginal_j(found.dynamic_j, pool)
    loaded = shares.loaded_j(marginal, found.busy_s, pool)
    attempts, rows = block.find(shares.lost.job)
    pool, busy_s = shares.lost.pool[attempts], shares.lost.busy_s[attempts]
    added = shares.marginal_j(shares.lost.energy_j[:, attempts], pool)
    np.add.at(marginal.T, rows, added.T)
    np.add.at(loaded.T, rows, shares.loaded_j(added, busy_s, pool).T)
    np.add.at(found.busy_s, rows, busy_s)
    return found, marginal, loaded


def _lost(account: RunAccount) -> Lost:
    attempts, streams = account.attempts, list(account.scenario.streams)
    pool = account.pool_of(attempts.device)
    energy_j = np.stack([attempts.curve_j, np.zeros(len(pool)), attempts.host_j])
    stream = np.zeros(len(pool), np.int64)
    for block in account.table.blocks:
        inside, rows = block.find(attempts.job)
        stream[inside] = streams.index(block.stream)
        for number, service in _services(account, block):
            here = pool[inside] == number
            row, attempt = rows[here], inside[here]
            for level, watts in enumerate((service.chip_w, service.board_w, service.host_w)):
                energy_j[level, attempt] += watts[row] * attempts.work_s[attempt]
    held_s = attempts.end_s - attempts.start_s
    return Lost(attempts.job, stream, pool, energy_j, account.used_s(attempts.job, pool, held_s, attempts.used_s))
