"""The tables of a run, made from its account a piece at a time: ten million jobs need not fit in memory twice."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.results import energy
from dcsim.results.account import BOUNDARIES, RunAccount, SiteAccount
from dcsim.results.energy import Rates
from dcsim.results.recorder import JobBlock
from dcsim.scenario.streams import Slo
from dcsim.service import FloatArray


class Words(NamedTuple):
    """A text column by the numbers of its words; a negative number stands for none."""

    numbers: npt.NDArray[np.int32]
    words: tuple[str, ...]

    def spelt(self) -> npt.NDArray[np.object_]:
        """The text of each row."""
        return np.array([*self.words, None], dtype=object)[np.where(self.numbers < 0, len(self.words), self.numbers)]


Table = dict[str, npt.NDArray[np.generic] | Words]

#: Columns of a stream's jobs that the jobs table shows as they came.
KEPT = ("trace_id", "input_tokens", "output_tokens")

#: The same, shown where any stream has them: numbers, and words by their name in a block of jobs.
KEPT_NUMBERS = ("session", "turn", "priority", "deadline_s")
KEPT_WORDS = {
    "user": "user",
    "tenant": "tenant",
    "queue": "queue",
    "kind": "kind",
    "state": "outcome",
    "slo_class": "slo_class",
}

#: All of them, by their names in a block of jobs.
SHOWN = frozenset((*KEPT, *KEPT_NUMBERS, *KEPT_WORDS))

STATUS = np.array(["completed", "rejected", "queued", "running"], dtype=object)
COMPLETED, REJECTED, QUEUED, RUNNING = range(4)


class JobView:
    """Times and states of the jobs of one block that had arrived when the run stopped; arrays of shape (n,)."""

    def __init__(self, account: RunAccount, block: JobBlock) -> None:
        table = account.table
        self.count = account.arrived(block)
        rows = block.rows(self.count)
        self.job = block.jobs(self.count)
        self.arrival_s = block.arrival_s[: self.count]
        self.start_s = table.times("start_s", rows)
        self.end_s = table.times("end_s", rows)
        self.first_start_s = self.start_s.copy()
        self.attempts = (~np.isnan(self.start_s)).astype(np.int64)
        self.lost_s = np.zeros(self.count)
        cut, row = block.find(account.attempts.job, self.count)
        self.first_start_s[row[::-1]] = account.attempts.start_s[cut][::-1]  # the first one is written last
        np.add.at(self.attempts, row, 1)
        np.add.at(self.lost_s, row, np.where(account.attempts.passed_on[cut], 0.0, account.attempts.work_s[cut]))
        self.status = np.where(~np.isnan(self.end_s), COMPLETED, np.where(np.isnan(self.start_s), QUEUED, RUNNING))
        self.status[block.find(np.array(table.rejected, np.int64), self.count)[1]] = REJECTED
        self.wait_s = self.first_start_s - self.arrival_s
        self.latency_s = self.end_s - self.arrival_s
        self.sizes = {name: values[: self.count] for name, values in block.sizes.items()}
        self.labels = block.labels
        self.pool = account.pool_of(table.devices(rows))
        self.ttft_s, self.tpot_s = self._tokens(account, block)

    def words(self, name: str) -> Words:
        """A column of names, none where the stream has no such column."""
        if name not in self.sizes:
            return Words(np.full(self.count, -1, np.int32), ())
        return Words(self.sizes[name].astype(np.int32), self.labels[name])

    def _tokens(self, account: RunAccount, block: JobBlock) -> tuple[FloatArray | None, FloatArray | None]:
        """TTFT and TPOT (undefined for one token) of completed jobs, None where no pool of the block makes tokens."""
        if not any(pool.serving is not None and pool.name in block.services for pool in account.pools):
            return None, None
        done = self.status == COMPLETED
        ttft_s = np.where(done, account.table.times("first_s", block.rows(self.count)) - self.arrival_s, np.nan)
        after = self.sizes["output_tokens"] - 1.0
        tpot_s = np.divide(self.latency_s - ttft_s, after, out=np.full(self.count, np.nan), where=after > 0)
        return ttft_s, tpot_s

    def meets(self, slo: Slo) -> npt.NDArray[np.bool_] | None:
        """Whether each job met the objective and its deadline; rejected and unfinished ones missed them.

        None where there is neither; a job without a deadline among others cannot miss it.
        """
        limits = [(self.latency_s, slo.latency), (self.ttft_s, slo.ttft), (self.tpot_s, slo.tpot)]
        asked = [(values, limit) for values, limit in limits if limit is not None]
        if not asked and "deadline_s" not in self.sizes:
            return None
        met: npt.NDArray[np.bool_] = self.status == COMPLETED
        if "deadline_s" in self.sizes:
            met &= ~(self.latency_s > self.sizes["deadline_s"])
        for values, limit in asked:
            if values is None:
                return np.zeros(self.count, dtype=bool)
            # one token has no time per output token, and so cannot miss it
            met &= (values <= limit) | (np.isnan(values) & (values is self.tpot_s))
        return met


def job_pieces(account: RunAccount, shares: Rates) -> Iterator[Table]:
    """The jobs table, a block at a time, streams in the scenario's order and jobs by arrival within each."""
    systems = np.array([*(pool.system for pool in account.pools), None], dtype=object)
    names = np.array([*(pool.name for pool in account.pools), None], dtype=object)
    families = np.array([*(pool.family for pool in account.pools), None], dtype=object)
    sites = np.array([*(pool.site for pool in account.pools), None], dtype=object)
    for stream in account.scenario.streams:
        for block in account.table.blocks:
            if block.stream != stream:
                continue
            view = JobView(account, block)
            if not view.count:
                continue
            found, marginal, loaded = energy.per_job(account, block, shares)
            met = view.meets(account.scenario.streams[stream].slo)
            unknown = np.full(view.count, np.nan)
            piece: Table = {
                "job": view.job,
                "site": sites[view.pool],
                "stream": np.full(view.count, stream, dtype=object),
                "pool": names[view.pool],
                "device": systems[view.pool],
                "family": families[view.pool],
                "arrival_s": view.arrival_s,
                "first_start_s": view.first_start_s,
                "start_s": view.start_s,
                "end_s": view.end_s,
                "wait_s": view.wait_s,
                "latency_s": view.latency_s,
                "ttft_s": unknown if view.ttft_s is None else view.ttft_s,
                "tpot_s": unknown if view.tpot_s is None else view.tpot_s,
                "attempts": view.attempts,
                "lost_s": view.lost_s,
                "busy_s": found.busy_s[: view.count],
                "status": STATUS[view.status],
                "slo_met": np.full(view.count, None, dtype=object) if met is None else met.astype(object),
            }
            shown = (*KEPT, *(name for name in KEPT_NUMBERS if name in account.kept))
            piece |= {name: view.sizes.get(name, unknown) for name in shown}
            piece |= {column: view.words(name) for name, column in KEPT_WORDS.items() if name in account.kept}
            for level, boundary in enumerate(BOUNDARIES):
                piece[f"energy_{boundary}_marginal_j"] = marginal[level, : view.count]
                piece[f"energy_{boundary}_loaded_j"] = loaded[level, : view.count]
            yield piece


def attempts(account: RunAccount) -> Table:
    """A row for every start of every job that an outage cut short, or that went on elsewhere, at least once."""
    rows: list[tuple[int, int, str, int, float, float, float, str]] = []
    numbers: dict[int, int] = {}
    names = [pool.name for pool in account.pools]
    for attempt in account.table.attempts:
        numbers[attempt.job] = numbers.get(attempt.job, 0) + 1
        pool = names[account.device_pool[attempt.device]]
        rows.append(
            (
                attempt.job,
                numbers[attempt.job],
                pool,
                attempt.device,
                attempt.start_s,
                attempt.end_s,
                attempt.work_s,
                "passed on" if attempt.passed_on else "evicted",
            )
        )
    table = account.table
    for job, number in numbers.items():
        start_s, end_s, device = table.start_s[job], table.end_s[job], table.device[job]
        if isnan(start_s):  # it waits for another start
            continue
        pool = names[account.device_pool[device]]
        if isnan(end_s):
            work_s, outcome = account.until_s - start_s, "running"
        else:
            work_s, outcome = table.demands[pool].seconds[job], "completed"
        rows.append((job, number + 1, pool, device, start_s, end_s, work_s, outcome))
    rows.sort(key=lambda row: row[:2])
    columns = list(zip(*rows, strict=True)) if rows else [()] * 8
    kinds: list[npt.DTypeLike] = [np.int64, np.int64, object, np.int64, float, float, float, object]
    keys = ("job", "attempt", "pool", "device", "start_s", "end_s", "work_s", "outcome")
    return {key: np.array(values, dtype=kind) for key, values, kind in zip(keys, columns, kinds, strict=True)}


def racks(account: RunAccount) -> Table:
    """Power and use of each part of a rack in each interval, by time and then by cell."""
    cells = account.cells
    steps, count = cells.compute_w.shape
    it_w = np.zeros((steps, count))
    for site in account.sites:
        it_w[:, site.cells] = site.cell_it_w

    def spread(values: list[str]) -> npt.NDArray[np.generic]:
        return np.tile(np.array(values, dtype=object), steps)

    pools = [account.pools[number] for number in cells.pool.tolist()]
    return {
        "time_s": np.repeat(cells.edges_s[:-1], count),
        "site": spread(list(cells.site)),
        "rack": spread(list(cells.rack)),
        "group": spread(list(cells.group)),
        "pool": spread([pool.name for pool in pools]),
        "system": spread([pool.system for pool in pools]),
        "family": spread([pool.family for pool in pools]),
        "compute_w": cells.compute_w.ravel(),
        "it_w": it_w.ravel(),
        "busy": cells.busy_share.ravel(),
    }


def _on_site(site: SiteAccount) -> Table:
    """Grid, solar plant and battery of a site; zeros where it has none of its own."""
    if site.onsite is None:
        own = dict.fromkeys(("export_w", "solar_w", "battery_w", "stored_j"), np.zeros_like(site.series.facility_w))
        return {"grid_w": site.series.facility_w, **own}
    flows = site.onsite.flows
    return {
        "grid_w": flows.import_w,
        "export_w": flows.export_w,
        "solar_w": site.onsite.solar_w,
        "battery_w": flows.discharge_w - flows.charge_w,
        "stored_j": flows.stored_j,
    }


def facility(account: RunAccount) -> Table:
    """Power, water, carbon and cost of each site in each interval, by site and then by time."""
    starts = account.cells.edges_s[:-1]
    unknown = np.full(len(starts), np.nan)
    pieces: list[Table] = []
    for site in account.sites:
        series = site.series
        pieces.append(
            {
                "time_s": starts,
                "site": np.full(len(starts), site.name, dtype=object),
                "it_w": series.it_w,
                "ups_w": series.ups_w,
                "transformer_w": series.transformer_w,
                "plant_w": series.plant_w,
                "facility_w": series.facility_w,
                "water_l": series.withdrawn_l,
                "carbon_g": series.carbon_g if "carbon" in site.known else unknown,
                "cost_usd": series.cost_usd if "price" in site.known else unknown,
            }
        )
        if any(each.onsite is not None for each in account.sites):
            pieces[-1] |= _on_site(site)
    return {key: np.concatenate([piece[key] for piece in pieces]) for key in pieces[0]}
