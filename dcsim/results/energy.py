"""Whose energy: the energy of each job at five boundaries, marginal and loaded.

**Marginal** is what the job added: at the chips their power above idle while it ran; at the board, the node and the host
what it added there; at the rack and the facility that, times what one more joule costs in conversion and cooling at the
mean load. **Loaded** is the marginal energy plus a share of everything else that the pool used up to that boundary (idle
power, hosts, switches, losses, cooling), by the device-seconds that the job kept in use. Over all jobs of a pool the
loaded energies add up to the pool's energy at that boundary. Work that an outage destroyed is charged to its job.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    start_s, end_s = table.column("start_s", block.rows), table.column("end_s", block.rows)
    pool = account.pool_of(table.column("device", block.rows))
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
    """How a pool's energy is handed to its jobs."""

    marginal: FloatArray
    """factor on the energy that a job added inside, shape (boundaries, 3 levels, pools)"""
    overhead_w: FloatArray
    """everything else, per device in use, shape (boundaries, pools), W"""
    dynamic_j: FloatArray
    """what the jobs of a pool added at chips, boards and hosts, shape (3, pools), J"""
    busy_s: FloatArray
    """device-seconds in use of a pool, shape (pools,)"""
    ledger_error: float
    """largest relative gap between a pool's meters and the sum of its idle power and its jobs"""
    lost: dict[int, tuple[FloatArray, float, int]]
    """job -> energy of its lost attempts (3 levels) [J], their device-seconds, their pool"""


def rates(account: RunAccount) -> Rates:
    """First pass over the jobs: totals by pool, and from them the rates."""
    pools = len(account.pools)
    dynamic_j, busy_s = np.zeros((3, pools)), np.zeros(pools)
    for block in account.table.blocks:
        found = parts(account, block)
        started = found.pool >= 0
        busy_s += np.bincount(found.pool[started], found.busy_s[started], pools)
        for level in range(3):
            dynamic_j[level] += np.bincount(found.pool[started], found.dynamic_j[level, started], pools)
    lost = _lost(account)
    for energy_j, seconds, pool in lost.values():
        dynamic_j[:, pool] += energy_j
        busy_s[pool] += seconds
    marginal = np.zeros((len(BOUNDARIES), 3, pools))
    totals = np.zeros((len(BOUNDARIES), pools))
    error = 0.0
    for number, pool in enumerate(account.pools):
        inside = np.tril(np.ones((3, 3)))
        factors = [inside[0], inside[1], inside[2], inside[2] * pool.rack_marginal,
                   inside[2] * pool.rack_marginal * pool.facility_marginal]
        marginal[:, :, number] = factors
        idle_j = np.array(pool.idle_w) * account.until_s
        inner = np.cumsum(idle_j + dynamic_j[:, number])
        totals[:, number] = [*inner, pool.it_j, pool.facility_j]
        if pool.compute_j:
            error = max(error, abs(inner[2] - pool.compute_j) / pool.compute_j)
    added = np.einsum("blp,lp->bp", marginal, dynamic_j)
    overhead_w = np.divide(totals - added, busy_s, out=np.zeros_like(totals), where=busy_s > 0)
    return Rates(marginal, overhead_w, dynamic_j, busy_s, error, lost)


def per_job(account: RunAccount, block: JobBlock, shares: Rates) -> tuple[JobParts, FloatArray, FloatArray]:
    """Second pass: parts, marginal and loaded energy of each job of `block`, shapes (boundaries, n), J."""
    found = parts(account, block)
    pool = np.maximum(found.pool, 0)
    marginal = np.einsum("bln,ln->bn", shares.marginal[:, :, pool], found.dynamic_j)
    loaded = marginal + shares.overhead_w[:, pool] * found.busy_s
    for job, (energy_j, seconds, lost_on) in shares.lost.items():
        if block.first <= job < block.first + len(block.arrival_s):
            row = job - block.first
            added = shares.marginal[:, :, lost_on] @ energy_j
            marginal[:, row] += added
            loaded[:, row] += added + shares.overhead_w[:, lost_on] * seconds
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
