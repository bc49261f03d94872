"""The summary of a run: the keys of `summary.json`. A key that the run has no answer for is absent, never zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from dcsim.facility import kpi
from dcsim.facility.arrays import J_PER_KWH
from dcsim.facility.onsite import BATTERY
from dcsim.results import footprint, tenants
from dcsim.results.account import AFTER_END, BOUNDARIES, PoolAccount, RunAccount, ServingAccount, SiteAccount
from dcsim.results.energy import Rates
from dcsim.results.histogram import joined
from dcsim.results.tables import COMPLETED, QUEUED, REJECTED, RUNNING, JobView
from dcsim.service import FloatArray

Block = dict[str, Any]

_PERCENTILES = (50, 95, 99)
_DOUBTFUL = ("estimate", "recalled")  # grades of catalog numbers
S_PER_H = 3600.0
_MANY = 0.01  # share of jobs that may be unfinished without a warning


def summarise(account: RunAccount, shares: Rates) -> Block:
    """All blocks of the summary, those of each site under `sites` as well."""
    streams = {name: _Stream(account, shares, name) for name in account.scenario.streams}
    pools = {pool.name: _pool(account, pool) for pool in account.pools}
    sites = {site.name: _site(account, [site]) for site in account.sites}
    whole = _site(account, account.sites)
    money = whole.get("cost", {})
    completed = sum(int(stream.counts[COMPLETED]) for stream in streams.values())
    speed = {"jobs_per_wall_s": completed / account.wall_s} if account.wall_s > 0 else {}
    if "total_usd" in money and completed:
        money["usd_per_1000_jobs"] = money["total_usd"] / completed * 1000.0
    tokens = sum(stream.tokens for stream in streams.values())
    shared = [stream.cost_usd for stream in streams.values() if stream.tokens]
    if tokens and all(value is not None for value in shared):
        money["usd_per_million_tokens"] = sum(value for value in shared if value is not None) / tokens * 1e6
    figures = {
        "jobs": _jobs(account, list(streams.values())),
        "streams": {name: stream.block for name, stream in streams.items()},
        **_tenants(account, shares),
        "pools": pools,
        "sites": sites,
        **whole,
        "per_year": footprint.per_year(whole, account.until_s),
        "trust": _trust(account, shares, list(streams.values())),
        "run": {
            "seed": account.manifest["seed"],
            "simulated_s": account.until_s,
            "wall_s": account.wall_s,
            "events": account.events,
            **speed,
            "version": account.manifest["version"],
        },
    }
    return _finite(figures)


def _finite(block: Block) -> Block:
    """The same without numbers that are none: a ratio to nothing, say."""
    found = {key: _finite(value) if isinstance(value, dict) else value for key, value in block.items()}
    return {key: value for key, value in found.items() if not isinstance(value, float) or isfinite(value)}


# ---------------------------------------------------------------- jobs


def _distribution(values: FloatArray) -> Block:
    """Mean and percentiles (linear interpolation) of finite values; empty without any."""
    values = values[~np.isnan(values)]
    if not len(values):
        return {}
    mean = float(values.mean())
    marks = np.percentile(values, _PERCENTILES, overwrite_input=True)  # a copy by now
    return {"mean": mean} | {f"p{mark}": float(value) for mark, value in zip(_PERCENTILES, marks, strict=True)}


class _Stream:
    """One stream gathered over its blocks."""

    def __init__(self, account: RunAccount, shares: Rates, name: str) -> None:
        scenario = account.scenario.streams[name]
        gathered: dict[str, list[FloatArray]] = {"wait_s": [], "latency_s": [], "ttft_s": [], "tpot_s": []}
        self.counts = np.zeros(4, dtype=np.int64)
        self.met: int | None = None
        self.tokens = 0.0
        served: set[str] = set()
        for block in account.table.blocks:
            if block.stream != name:
                continue
            view = JobView(account, block)
            served |= set(block.services)
            self.counts += np.bincount(view.status, minlength=4)
            for key, values in gathered.items():
                column = getattr(view, key)
                if column is not None:
                    values.append(column)
            if view.ttft_s is not None:
                self.tokens += float(view.sizes["output_tokens"][view.status == COMPLETED].sum())
            met = view.meets(scenario.slo)
            if met is not None:
                self.met = (self.met or 0) + int(met.sum())
        replicas = [pool.serving for pool in account.pools if pool.serving is not None and pool.name in served]
        self.gaps = [serving for serving in replicas if serving.gaps.count]
        self.times = {key: _join(gathered.pop(key)) for key in list(gathered) if gathered[key]}
        row = list(account.scenario.streams).index(name)
        pools = np.arange(len(account.pools))
        self.busy_s, self.all_busy_s = shares.busy_s[row], shares.busy_s.sum(axis=0)
        self.marginal_j = shares.marginal_j(shares.dynamic_j[row], pools)
        self.loaded_j = shares.loaded_j(self.marginal_j, self.busy_s, pools)
        self.cost_usd = footprint.cost_of(account, shares, self.loaded_j[-1], self.busy_s)
        self.block = self._block(account)

    def _block(self, account: RunAccount) -> Block:
        completed = int(self.counts[COMPLETED])
        block = _counts(self.counts, account.until_s) | _distributions(self.times)
        if self.gaps:
            block["itl_s"] = _gaps(self.gaps)
        if self.met is not None and self.counts.any():
            block["slo_attainment"] = self.met / int(self.counts.sum())
            block["goodput_per_s"] = self.met / account.until_s
        if completed:
            block["energy_j_per_job"] = {
                boundary: {"marginal": float(added) / completed, "loaded": float(shared) / completed}
                for boundary, added, shared in zip(
                    BOUNDARIES, self.marginal_j.sum(axis=1), self.loaded_j.sum(axis=1), strict=True
                )
            }
            block |= self._footprint(account, completed)
        return block

    def _footprint(self, account: RunAccount, completed: int) -> Block:
        """Carbon, water and money per completed job, by its loaded energy at the facility."""
        block: Block = {}
        site_of = {site.name: site for site in account.sites}
        carbon_g = water_l = 0.0
        for pool, joules in zip(account.pools, self.loaded_j[-1].tolist(), strict=True):
            series = site_of[pool.site].series
            used_j = float(series.facility_w @ series.interval_s)
            if used_j:
                carbon_g += joules / used_j * float(series.carbon_g.sum())
                water_l += joules / used_j * float(series.withdrawn_l.sum())
        if footprint.known(account.sites, "carbon"):
            block["carbon_g_per_job"] = carbon_g / completed
        block |= footprint.embodied_of(account, self.busy_s, self.all_busy_s, completed)
        block["water_ml_per_job"] = water_l / completed * 1000.0
        if self.cost_usd is not None:
            block["cost_usd_per_job"] = self.cost_usd / completed
        return block


def _join(pieces: list[FloatArray]) -> FloatArray:
    return np.concatenate(pieces) if pieces else np.zeros(0)


def _counts(counts: np.ndarray[Any, Any], until_s: float) -> Block:
    return {
        "submitted": int(counts.sum()),
        "completed": int(counts[COMPLETED]),
        "rejected": int(counts[REJECTED]),
        "failed": 0,
        "queued": int(counts[QUEUED]),
        "running": int(counts[RUNNING]),
        "throughput_per_s": float(counts[COMPLETED]) / until_s,
    }


def _distributions(times: Mapping[str, FloatArray]) -> Block:
    found = {key: _distribution(values) for key, values in times.items()}
    return {key: value for key, value in found.items() if value}


def _jobs(account: RunAccount, streams: list[_Stream]) -> Block:
    block = _counts(np.sum([stream.counts for stream in streams], axis=0), account.until_s)
    judged = [stream for stream in streams if "slo_attainment" in stream.block]
    if judged:
        submitted = sum(int(stream.counts.sum()) for stream in judged)
        block["slo_attainment"] = sum(stream.met or 0 for stream in judged) / submitted
    if len(streams) == 1:
        block |= {key: streams[0].block[key] for key in ("wait_s", "latency_s") if key in streams[0].block}
    else:
        times = {
            key: _join([stream.times[key] for stream in streams if key in stream.times])
            for key in ("wait_s", "latency_s")
        }
        block |= _distributions(times)
    block["dropped_rows"] = sum(sum(reasons.values()) for reasons in account.dropped.values())
    return block


def _tenants(account: RunAccount, shares: Rates) -> Block:
    blocks: Block = {}
    for name, columns in tenants.gather(account, shares).items():
        counts = np.bincount(columns["status"].astype(np.int64), minlength=4)
        times = {key: columns[key] for key in ("wait_s", "latency_s")}
        block = _counts(counts, account.until_s) | _distributions(times)
        judged = columns["met"][~np.isnan(columns["met"])]
        if len(judged):
            block["slo_attainment"] = float(judged.mean())
        block["device_hours"] = float(np.nansum(columns["busy_s"])) / S_PER_H
        block["energy_kwh"] = float(np.nansum(columns["energy_j"])) / J_PER_KWH
        blocks[name] = block
    return {"tenants": blocks} if blocks else {}


# ---------------------------------------------------------------- hardware


def _pool(account: RunAccount, pool: PoolAccount) -> Block:
    return {
        "devices": pool.devices,
        "utilisation": min(pool.busy_s / (pool.devices * account.until_s), 1.0),
        "energy_kwh": pool.compute_j / J_PER_KWH,
        "idle_energy_kwh": sum(pool.idle_j(account.until_s)) / J_PER_KWH,
        "availability": 1.0 - pool.down_s / (pool.nodes * account.until_s),
        **_replicas(pool),
    }


def _replicas(pool: PoolAccount) -> Block:
    if pool.serving is None:
        return {}
    serving = pool.serving
    gaps = {"itl_s": _gaps([serving])} if serving.gaps.count else {}
    return {**gaps, "preemptions": serving.preemptions, "recomputed_tokens": serving.recomputed_tokens}


def _gaps(parts: Sequence[ServingAccount]) -> Block:
    """Distribution of the times between tokens."""
    gaps = joined(part.gaps for part in parts)
    return {"mean": gaps.mean} | {f"p{mark}": gaps.percentile(mark) for mark in _PERCENTILES}


def _site(account: RunAccount, sites: Sequence[SiteAccount]) -> Block:
    """The blocks energy, power, efficiency, water, carbon and cost of one or several sites."""
    spans = sites[0].series.interval_s
    compute_j = sum(site.compute_j for site in sites)
    parts: dict[str, float] = {}
    for site in sites:
        for name, joules in site.series.energy_j().items():
            parts[name] = parts.get(name, 0.0) + joules
    it_j, facility_j = parts.pop("it"), parts.pop("facility")
    plant_j = parts.pop("plant")
    chain_j = parts["ups"] + parts["transformer"] + parts.get("pdu", 0.0)
    electric_j = chain_j + parts.get(BATTERY, 0.0)
    it_w = np.sum([site.series.it_w for site in sites], axis=0)
    facility_w = np.sum([site.series.facility_w for site in sites], axis=0)
    withdrawn, consumed, source = (
        float(sum(getattr(site.series, key).sum() for site in sites))
        for key in ("withdrawn_l", "consumed_l", "source_l")
    )
    named_j = sum(parts.values()) - chain_j
    switch_j = sum(site.switch_j for site in sites)
    racks = {"psu": it_j - compute_j - switch_j, "switches": switch_j}
    by_part = racks | parts | {"plant": plant_j - named_j}
    reused_j = footprint.reused_j(account, sites)
    blocks: Block = {
        "energy": {
            "compute_kwh": compute_j / J_PER_KWH,
            "it_kwh": it_j / J_PER_KWH,
            "facility_kwh": facility_j / J_PER_KWH,
            "by_part": {name: joules / J_PER_KWH for name, joules in by_part.items()},
            **footprint.on_site_kwh(sites),
        },
        "power": {
            "it_mean_kw": it_j / float(spans.sum()) / 1e3,
            "it_peak_kw": float(it_w.max()) / 1e3,
            "facility_peak_kw": float(facility_w.max()) / 1e3,
            **footprint.grid_peak_kw(sites),
        },
        "efficiency": kpi.efficiency(
            it_j=it_j,
            compute_j=compute_j,
            facility_j=facility_j,
            loss_j=electric_j,
            plant_j=plant_j + chain_j - electric_j,
            reused_j=reused_j,
        ),
        "water": {
            "withdrawn_l": withdrawn,
            "consumed_l": consumed,
            "wue_l_per_kwh": kpi.wue(withdrawn, it_j),
        },
    }
    if reused_j:
        blocks["energy"]["reused_kwh"] = reused_j / J_PER_KWH
    if footprint.known(sites, "source"):
        blocks["water"] |= {
            "source_l": source,
            "wue_source_l_per_kwh": kpi.wue_source(withdrawn, source, it_j),
        }
    blocks["carbon"] = footprint.carbon(account, sites, it_j)
    blocks["cost"] = footprint.money(account, sites)
    return {name: block for name, block in blocks.items() if block}


# ---------------------------------------------------------------- trust


def _trust(account: RunAccount, shares: Rates, streams: list[_Stream]) -> Block:
    counts = np.sum([stream.counts for stream in streams], axis=0)
    known = sum(account.grades.values())
    grades = {f"{grade}_share": account.grades.get(grade, 0) / known for grade in _DOUBTFUL} if known else {}
    warnings = list(account.warnings)
    if account.interrupted:
        warnings.append(f"interrupted at {account.until_s:g} s of {account.scenario.duration:g} s")
    load = _offered_load(account)
    if load >= 1.0:
        warnings.append(f"offered load {load:.3g}: a pool cannot keep up, and waits grow with the length of the run")
    for stream, reasons in account.dropped.items():
        left_out = [f"{count:,} {reason}" for reason, count in reasons.items() if reason != AFTER_END]
        if left_out:
            warnings.append(f"streams.{stream}: rows of its trace that became no job: {', '.join(left_out)}")
    unfinished = int(counts[QUEUED] + counts[RUNNING])
    if unfinished > _MANY * counts.sum():
        warnings.append(f"{unfinished} of {int(counts.sum())} jobs unfinished: means over finished jobs are too low")
    return {
        "unfinished": unfinished,
        "never_startable": 0,
        "offered_load": load,
        **grades,
        "energy_ledger_error": shares.ledger_error,
        "warnings": warnings,
    }


def _offered_load(account: RunAccount) -> float:
    """Largest share of the devices of one kind, the cores or the memory of a pool that all jobs together ask for.

    Jobs that may run on several pools count on the first of them.
    """
    classes = len(account.class_pool)
    asked_s = np.zeros(classes)
    for block in account.table.blocks:
        rows = block.rows(account.arrived(block))
        job_class = np.frombuffer(account.table.job_class, np.uint16)[rows]
        present = np.bincount(job_class, minlength=classes) > 0
        for number in set(account.class_pool[present].tolist()):
            seconds = np.frombuffer(account.table.demands[account.pools[number].name].seconds)[rows]
            on_pool = np.bincount(job_class, seconds, classes)
            asked_s += np.where(account.class_pool == number, on_pool, 0.0)
    return float((asked_s @ account.class_load).max()) / account.until_s
