"""What a run took from the world beside energy: carbon, money, and what its sites made and gave away themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dcsim.facility import cost, embodied, kpi
from dcsim.facility.arrays import J_PER_KWH, YEAR_S
from dcsim.facility.embodied import Band
from dcsim.results.account import PoolAccount, RunAccount, SiteAccount
from dcsim.results.energy import Rates
from dcsim.service import FloatArray

Block = dict[str, Any]


def known(sites: Sequence[SiteAccount], what: str) -> bool:
    """Whether carbon, price or source (water of generation) of all the sites' grid energy is known."""
    return all(what in site.known for site in sites)


def pools_of(account: RunAccount, sites: Sequence[SiteAccount]) -> list[PoolAccount]:
    """Pools that stand in the sites."""
    names = {site.name for site in sites}
    return [pool for pool in account.pools if pool.site in names]


# ---------------------------------------------------------------- energy


def on_site_kwh(sites: Sequence[SiteAccount]) -> Block:
    """Energy of grid, solar plants and batteries [kWh]; empty where no site has any of its own."""
    if all(site.onsite is None for site in sites):
        return {}
    joules = dict.fromkeys(("grid_import", "grid_export", "solar", "curtailed", "battery_in", "battery_out"), 0.0)
    stored_j = 0.0
    for site in sites:
        spans = site.series.interval_s
        if site.onsite is None:
            joules["grid_import"] += float(site.series.facility_w @ spans)
            continue
        flows = site.onsite.flows
        for name, watts in (
            ("grid_import", flows.import_w),
            ("grid_export", flows.export_w),
            ("solar", site.onsite.solar_w),
            ("curtailed", flows.curtailed_w),
            ("battery_in", flows.charge_w),
            ("battery_out", flows.discharge_w),
        ):
            joules[name] += float(watts @ spans)
        if site.onsite.battery is not None:
            battery = site.onsite.battery
            stored_j += float(flows.stored_j[-1]) - battery.first * battery.capacity_j
    return {f"{name}_kwh": value / J_PER_KWH for name, value in {**joules, "battery_stored": stored_j}.items()}


def grid_w(site: SiteAccount) -> FloatArray:
    """Power that a site takes from the grid in each interval, shape (intervals,) [W]."""
    return site.series.facility_w if site.onsite is None else site.onsite.flows.import_w


def grid_peak_kw(sites: Sequence[SiteAccount]) -> Block:
    """Highest interval mean of what all sites take from the grid; empty where no site has energy of its own."""
    if all(site.onsite is None for site in sites):
        return {}
    return {"grid_peak_kw": float(np.sum([grid_w(site) for site in sites], axis=0).max()) / 1e3}


def reused_j(account: RunAccount, sites: Sequence[SiteAccount]) -> float:
    """Heat that the sites give away for use outside [J]."""
    return sum(_reused_j(account, site) for site in sites)


def _reused_j(account: RunAccount, site: SiteAccount) -> float:
    reuse = account.scenario.sites[site.name].heat_reuse
    return reuse.share * float(site.series.it_w @ site.series.interval_s) if reuse is not None else 0.0


# ---------------------------------------------------------------- carbon


def carbon(account: RunAccount, sites: Sequence[SiteAccount], it_j: float) -> Block:
    """The block `carbon`; what is not known is left out."""
    block: Block = {}
    operational = float(sum(site.series.carbon_g.sum() for site in sites)) / 1e3
    if known(sites, "carbon"):
        block["operational_kg"] = operational
        block["cue_kg_per_kwh"] = kpi.cue(operational, it_j)
    parts = _embodied(account, sites)
    if parts:
        total = embodied.ZERO.plus(*parts.values())
        block |= {"embodied_kg": total.mid, "embodied_low_kg": total.low, "embodied_high_kg": total.high}
        block["embodied_by_part"] = {name: band.mid for name, band in parts.items()}
        if "operational_kg" in block:
            block["total_kg"] = operational + total.mid
    return block


def _embodied(account: RunAccount, sites: Sequence[SiteAccount]) -> dict[str, Band]:
    """Embodied carbon of the run by part; empty where that of the racks is not known."""
    bands = {pool.name: pool.embodied_kg for pool in pools_of(account, sites)}
    if not bands or any(band is None for band in bands.values()):
        return {}
    made = {site.name: _racks_kg(account, site) for site in sites}
    parts = {"racks": embodied.amortised(_sum(made.values()), account.figures["it_lifetime_s"], account.until_s)}
    rates = {site.name: account.scenario.sites[site.name].replaced_per_year for site in sites}
    if any(rates.values()):
        anew = (embodied.replaced(made[name], rate, account.until_s) for name, rate in rates.items())
        parts["replaced"] = embodied.ZERO.plus(*anew)
    for site in sites:
        for name, share in site.shares.items():
            parts[name] = parts.get(name, embodied.ZERO).plus(share.embodied_kg)
    return parts


def _racks_kg(account: RunAccount, site: SiteAccount) -> Band:
    """Embodied carbon of all that stands in the racks of a site [kg CO2e]."""
    return _sum(pool.embodied_kg for pool in pools_of(account, [site]) if pool.embodied_kg is not None)


def _sum(bands: Any) -> Band:
    return embodied.ZERO.plus(*bands)


def embodied_of(account: RunAccount, busy_s: FloatArray, all_busy_s: FloatArray, jobs: int) -> Block:
    """Embodied carbon per job of a stream [g]: with the idle time, by device-seconds, and of the use alone.

    Parameters:
        account: the run
        busy_s: device-seconds of the stream on each pool, shape (pools,)
        all_busy_s: those of all streams, shape (pools,)
        jobs: completed jobs of the stream
    """
    run, use = embodied.ZERO, embodied.ZERO
    for number, pool in enumerate(account.pools):
        if not busy_s[number]:
            continue
        if pool.embodied_kg is None:
            return {}
        life_s, rate = account.figures["it_lifetime_s"], account.scenario.sites[pool.site].replaced_per_year
        spent = embodied.amortised(pool.embodied_kg, life_s, account.until_s)
        spent = spent.plus(embodied.replaced(pool.embodied_kg, rate, account.until_s))
        run = run.plus(spent.scaled(float(busy_s[number]) / float(all_busy_s[number])))
        use = use.plus(embodied.per_use(pool.embodied_kg, life_s, float(busy_s[number]) / pool.devices))
    run, use = run.scaled(1e3 / jobs), use.scaled(1e3 / jobs)
    return {
        "embodied_g_per_job": run.mid,
        "embodied_low_g_per_job": run.low,
        "embodied_high_g_per_job": run.high,
        "embodied_by_use_g_per_job": use.mid,
    }


# ---------------------------------------------------------------- money


def _capital_usd(account: RunAccount, pool: PoolAccount) -> tuple[float, float] | None:
    """Capital and upkeep of a pool over the run, USD; None where its price is unknown."""
    if pool.price_usd is None:
        return None
    life_s, rate, share = (
        account.figures[key] for key in ("it_lifetime_s", "discount_rate_per_year", "maintenance_share_per_year")
    )
    capex = cost.capex_usd(pool.price_usd, life_s, rate, account.until_s)
    return capex, cost.maintenance_usd(pool.price_usd, share, account.until_s)


def _running_usd(account: RunAccount, site: SiteAccount) -> dict[str, float]:
    """Energy, demand, water and what else a site costs by the run, USD; empty where its energy has no price."""
    series, figures, given = site.series, account.figures, account.scenario.sites[site.name]
    if "price" not in site.known:
        return {}
    withdrawn, consumed = float(series.withdrawn_l.sum()), float(series.consumed_l.sum())
    charge = figures["demand_usd_per_kw_month"] if given.demand_charge is None else given.demand_charge
    block = {
        "energy_usd": float(series.cost_usd.sum()),
        "demand_usd": cost.demand_usd(grid_w(site), series.interval_s, charge),
        "water_usd": cost.water_usd(withdrawn, consumed, figures["water_usd_per_l"], figures["sewer_usd_per_l"]),
    }
    if given.heat_reuse is not None:
        block["heat_usd"] = -_reused_j(account, site) / J_PER_KWH * given.heat_reuse.price
    return block | {f"{name}_usd": share.usd for name, share in site.shares.items()}


def money(account: RunAccount, sites: Sequence[SiteAccount]) -> Block:
    """The block `cost`: equipment in the racks, what it uses, its upkeep, and the building where it is counted."""
    block: Block = {}
    running = [_running_usd(account, site) for site in sites]
    if all(running):
        keys = dict.fromkeys(key for part in running for key in part)
        block |= {key: sum(part.get(key, 0.0) for part in running) for key in keys}
    capital = [_capital_usd(account, pool) for pool in pools_of(account, sites)]
    priced = [value for value in capital if value is not None]
    if priced and len(priced) == len(capital):
        block["capex_amortised_usd"] = sum(capex for capex, _ in priced)
        block["maintenance_usd"] = sum(upkeep for _, upkeep in priced)
        if all(running):
            block["total_usd"] = sum(block.values())
    return block


def cost_of(account: RunAccount, shares: Rates, site_j: FloatArray, busy_s: FloatArray) -> float | None:
    """What a stream's jobs cost: running costs by facility energy, equipment by device-seconds; None if unknown."""
    total = 0.0
    site_of = {site.name: site for site in account.sites}
    for number, pool in enumerate(account.pools):
        if not busy_s[number]:
            continue
        site = site_of[pool.site]
        running, capital = _running_usd(account, site), _capital_usd(account, pool)
        if not running or capital is None:
            return None
        used_j = float(site.series.facility_w @ site.series.interval_s)
        if used_j:
            total += sum(running.values()) * float(site_j[number]) / used_j
        total += sum(capital) * float(busy_s[number]) / float(shares.busy_s[:, number].sum())
    return total


# ---------------------------------------------------------------- per year

#: key of the block `per_year` -> block and key of the run
_YEARLY: Mapping[str, tuple[str, str]] = {
    "energy_kwh": ("energy", "facility_kwh"),
    "water_l": ("water", "withdrawn_l"),
    "operational_kg": ("carbon", "operational_kg"),
    "embodied_kg": ("carbon", "embodied_kg"),
    "embodied_low_kg": ("carbon", "embodied_low_kg"),
    "embodied_high_kg": ("carbon", "embodied_high_kg"),
    "cost_usd": ("cost", "total_usd"),
}


def per_year(blocks: Block, duration_s: float) -> Block:
    """The run's totals times a year of 365 days over its length: what it would be if every day were like it."""
    factor = YEAR_S / duration_s
    return {
        name: factor * blocks[block][key]
        for name, (block, key) in _YEARLY.items()
        if block in blocks and key in blocks[block]
    }
