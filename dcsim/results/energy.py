"""Whose energy: the energy of each job at five boundaries, marginal and loaded.

**Marginal** is what the job added: at the chips their power above idle while it ran; at the board, the node and the host
what it added there; at the rack and the facility that, times what one more joule costs in conversion and cooling at the
mean load. **Loaded** is the marginal energy plus a share of everything else that the pool used up to that boundary (idle
power, hosts, switches, losses, cooling), by the device-seconds that the job kept in use. Over all jobs of a pool the
loaded energies add up to the pool's energy at that boundary. Work that an outage destroyed is charged to its job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dcsim.results.account import BOUNDARIES, RunAccount
from dcsim.results.recorder import JobBlock
from dcsim.service import FloatArray, IntArray


@dataclass(frozen=True)
class JobParts:
    """Energy that each job of a block added on its last start, arrays of shape (n,); J and s."""

    pool: IntArray
    """-1 where the job never started"""
    worked_s: FloatArray
    """service that it has had"""
    busy_s: FloatArray
    """device-seconds that it kept in use"""
    dynamic_j: FloatArray
    """energy at chips, boards and hosts, shape (3, n)"""


def parts(account: RunAccount, block: JobBlock) -> JobParts:
    """What each job of `block` added up to the end of the run, lost attempts left out."""
    table = account.table
    start_s, end_s = table.times("start_s", block.rows), table.times("end_s", block.rows)
    pool = account.pool_of(table.devices(block.rows))
    pool = np.where(np.isnan(start_s), -1, pool)
    count = len(block.arrival_s)
    worked_s, dynamic_j = np.zeros(count), np.zeros((3, count))
    for name, service in block.services.items():
        number = next(index for index, candidate in enumerate(account.pools) if candidate.name == name)
        here = pool == number
        if not here.any():
            continue
        seconds = np.frombuffer(table.demands[name].seconds)[block.rows][here]
        running = np.isnan(end_s[here])
        worked_s[here] = np.where(running, np.minimum(account.until_s - start_s[here], seconds), seconds)
        for level, watts in enumerate((service.chip_w, service.board_w, service.host_w)):
            dynamic_j[level, here] = watts[here] * worked_s[here]
    if table.curved:
        dynamic_j[0] += np.frombuffer(table.curve_j)[block.rows]
    job_class = np.frombuffer(table.job_class, np.uint16)[block.rows]
    devices = np.where(pool >= 0, account.class_devices[job_class, np.maximum(pool, 0)], 0.0)
    return JobParts(pool, worked_s, devices * worked_s, dynamic_j)


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
    lost: dict[int, tuple[FloatArray, float, int]]
    """job -> energy of its lost attempts (3 levels) [J], their device-seconds, their pool"""

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
        started = found.pool >= 0
        pool = found.pool if started.all() else found.pool[started]
        busy_s[row] += np.bincount(pool, found.busy_s[started], pools)
        for level in range(3):
            dynamic_j[row, level] += np.bincount(pool, found.dynamic_j[level, started], pools)
    lost = _lost(account)
    for job, (energy_j, seconds, number) in lost.items():
        row = streams.index(account.table.block_of(job).stream)
        dynamic_j[row, :, number] += energy_j
        busy_s[row, number] += seconds
    added_j, used_s = dynamic_j.sum(axis=0), busy_s.sum(axis=0)
    idle_j = np.array([pool.idle_w for pool in account.pools]).T * account.until_s
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
    for job, (energy_j, seconds, lost_on) in shares.lost.items():
        if block.first <= job < block.first + len(block.arrival_s):
            row, where = job - block.first, np.array([lost_on])
            added = shares.marginal_j(energy_j[:, None], where)
            marginal[:, row] += added[:, 0]
            loaded[:, row] += shares.loaded_j(added, np.array([seconds]), where)[:, 0]
            found.busy_s[row] += seconds
    return found, marginal, loaded


def _lost(account: RunAccount) -> dict[int, tuple[FloatArray, float, int]]:
    """Energy of attempts that came to nothing; what a curve charged stands in the job's own column already."""
    table = account.table
    lost: dict[int, tuple[FloatArray, float, int]] = {}
    for attempt in table.attempts:
        block = table.block_of(attempt.job)
        pool = int(account.device_pool[attempt.device])
        service = block.services[account.pools[pool].name]
        row = attempt.job - block.first
        watts = np.array([service.chip_w[row], service.board_w[row], service.host_w[row]])
        seconds = attempt.work_s * float(account.class_devices[table.job_class[attempt.job], pool])
        before = lost.get(attempt.job)
        energy_j = watts * attempt.work_s + (before[0] if before else 0.0)
        lost[attempt.job] = (energy_j, seconds + (before[1] if before else 0.0), pool)
    return lost
