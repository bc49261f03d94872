"""Close the books of a run: from the model as it stands at its end to a `Result`."""

from __future__ import annotations

import platform
from math import inf

import numpy as np

from dcsim import __version__
from dcsim.cluster.replicas import ReplicaServer
from dcsim.facility.building import Share, of_building, of_site_energy
from dcsim.facility.chain import FacilitySeries
from dcsim.facility.embodied import ZERO, Band, of_entry
from dcsim.results.account import Cells, PoolAccount, RunAccount, ServingAccount, SiteAccount
from dcsim.results.result import Result
from dcsim.service import FloatArray, IntArray
from dcsim.sim.fleet import more_cores
from dcsim.sim.model import Model
from dcsim.sim.offered import holdings
from dcsim.sim.plant import SitePlant

COST_ENTRY = "cost-default"
LITRES_PER_M3 = 1000.0

_SAME = 1e-9  # of the time: two moments that differ by less differ by rounding

#: what may be known of a site's grid energy: key of the scenario, key of its place, column of the series
_GRID = {
    "carbon": ("carbon_intensity", "carbon_g_per_kwh", "carbon_g"),
    "price": ("energy_price", "price_usd_per_kwh", "cost_usd"),
    "source": ("water_intensity", "ewif_l_per_kwh", "source_l"),
}


def result(model: Model, *, interrupted: bool, wall_s: float) -> Result:
    """Result of a run that has stopped; its meters and plants have been read."""
    now = float(model.clock.now)
    model.table.gather()
    sites = [_site(model, plant) for plant in model.plants.values()]
    account = RunAccount(
        scenario=model.scenario,
        table=model.table,
        until_s=now,
        pools=_pools(model, sites),
        sites=sites,
        cells=_cells(model),
        device_pool=model.cluster.cell_pool[model.cluster.node_cell[model.cluster.device_node]],
        retimed=_charged(model, now),
        class_devices=_class_devices(model),
        class_pool=np.array([kind.lane.pools[0].number for kind in model.fleet.classes]),
        class_load=holdings(model).share,
        figures=_figures(model, sites),
        manifest={
            "version": __version__,
            "scenario": model.scenario.name,
            "seed": model.seed,
            "catalog_sha256": model.catalog.hash(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "machine": f"{platform.system()} {platform.machine()}",
            "interrupted": interrupted,
        },
        grades=model.catalog.grades_used(),
        warnings=[
            *sorted(text for plant in model.plants.values() for text in plant.warnings),
            *model.fleet.warnings,
            *model.told,
        ],
        dropped=model.dropped,
        events=model.dispatcher.finished + len(model.table),
        wall_s=wall_s,
        interrupted=interrupted,
    )
    return Result.of(account)


def _charged(model: Model, now: float) -> tuple[IntArray, FloatArray]:
    """Charge the running jobs; return those whose device has changed its speed, and their service so far, s."""
    table, worked_s, seen = model.table, dict[int, float](), set[int]()
    for pool, nodes in model.fleet.nodes.items():
        seconds = table.demands[pool].seconds
        for server in (server for node in nodes for server in node.servers):
            if server.next_event_s == inf:  # idle
                continue
            server.charge(now)
            for job in set(server.jobs()) - seen:
                seen.add(job)
                done_s = seconds[job] - model.dispatcher.left(job, server)
                if abs(table.start_s[job] + done_s - now) > _SAME * now:
                    worked_s[job] = done_s
    return np.array(list(worked_s), np.int64), np.array(list(worked_s.values()))


def _class_devices(model: Model) -> FloatArray:
    """Devices that a job of each class keeps in use on each pool."""
    devices = np.zeros((len(model.fleet.classes), len(model.cluster.pools)))
    for row, kind in enumerate(model.fleet.classes):
        for pool in kind.lane.pools:
            use, request = model.uses[kind.stream][pool.name], kind.requests[pool.name]
            share = use.share if request.devices else use.share * more_cores(use.request, request)
            devices[row, pool.number] = share * max(request.devices, 1) * request.span
    return devices


def _cells(model: Model) -> Cells:
    cluster, meter = model.cluster, model.meter
    racks = cluster.cell_rack.tolist()
    specs = [cluster.pools[pool].spec for pool in cluster.cell_pool.tolist()]
    slots = np.array([spec.devices for spec in specs]) * cluster.cell_nodes
    return Cells(
        edges_s=np.array(meter.edges_s),
        rack=[cluster.racks[rack] for rack in racks],
        group=[cluster.rack_group[rack] for rack in racks],
        pool=cluster.cell_pool,
        site=[cluster.sites[cluster.rack_site[rack]] for rack in racks],
        compute_w=meter.power_w(),
        busy_share=np.clip(meter.busy() / slots, 0.0, 1.0),  # rounding apart it lies there
    )


def _site(model: Model, plant: SitePlant) -> SiteAccount:
    series, onsite = plant.behind_the_meter(_joined(plant.series))
    return SiteAccount(
        name=plant.name,
        series=series,
        onsite=onsite,
        shares=_shares(model, plant),
        compute_j=float(model.meter.energy_j()[plant.cells].sum()),
        cells=plant.cells,
        cell_it_w=np.concatenate(plant.it_w),
        switch_j=float(plant.switch_w.sum() * series.interval_s.sum()),
        known=frozenset(what for what in _GRID if _is_known(model, plant.name, series, *_GRID[what])),
    )


def _shares(model: Model, plant: SitePlant) -> dict[str, Share]:
    """What building and on-site energy cost over the run, as far as the scenario has them."""
    site, now = model.scenario.sites[plant.name], float(model.clock.now)
    found: dict[str, Share] = {}
    if site.building is not None:
        racks = len(np.unique(model.cluster.cell_rack[plant.cells]))
        found["building"] = of_building(model.catalog.get(site.building, "cost"), plant.rating_w, racks, now)
    peak_w = site.solar.peak if site.solar is not None else 0.0
    capacity_j = site.battery.capacity if site.battery is not None else 0.0
    if peak_w or capacity_j:
        entry = model.catalog.get(site.building or COST_ENTRY, "cost")
        found["onsite"] = of_site_energy(entry, peak_w, capacity_j, now)
    return found


def _is_known(model: Model, name: str, series: FacilitySeries, own: str, of_place: str, found: str) -> bool:
    """Whether the scenario, the place or a process of the user's own has said so much about the grid."""
    site = model.scenario.sites[name]
    if getattr(site, own) is not None or getattr(series, found).any():
        return True
    return site.place is not None and of_place in model.catalog.get(site.place, "place")


def _joined(series: list[FacilitySeries]) -> FacilitySeries:
    """One series from those of consecutive stretches; a part that a stretch has not draws nothing there."""
    values = {
        name: np.concatenate([getattr(part, name) for part in series])
        for name in FacilitySeries.__dataclass_fields__
        if name != "plant_parts"
    }
    names = dict.fromkeys(name for part in series for name in part.plant_parts)
    parts = {
        name: np.concatenate([part.plant_parts.get(name, np.zeros_like(part.plant_w)) for part in series])
        for name in names
    }
    return FacilitySeries(**values, plant_parts=parts)


def _figures(model: Model, sites: list[SiteAccount]) -> dict[str, float]:
    """Tariffs, rates and lifetimes, as far as something is known to which they apply."""
    entry = model.catalog.get(COST_ENTRY, "cost")
    specs = [pool.spec for pool in model.cluster.pools]
    priced = any(spec.price_usd is not None for spec in specs)
    keys = ["it_lifetime_s"] if priced or any(spec.embodied_kg is not None for spec in specs) else []
    keys += ["discount_rate_per_year", "maintenance_share_per_year"] if priced else []
    figures = {key: entry[key] for key in keys}
    if any("price" in site.known for site in sites):
        figures["demand_usd_per_kw_month"] = entry["demand_usd_per_kw_month"]
        for bill in ("water", "sewer"):
            figures[f"{bill}_usd_per_l"] = entry[f"{bill}_usd_per_m3"] / LITRES_PER_M3
    return figures


def _pools(model: Model, sites: list[SiteAccount]) -> list[PoolAccount]:
    cluster, meter = model.cluster, model.meter
    power_w = meter.power_w()
    site_of = {site.name: site for site in sites}
    accounts: list[PoolAccount] = []
    for number, pool in enumerate(cluster.pools):
        site, plant = site_of[pool.site], model.plants[pool.site]
        own = cluster.cell_pool[plant.cells] == number
        spans = site.series.interval_s
        it_w = site.cell_it_w[:, own].sum(axis=1)
        it_j, all_j = float(it_w @ spans), float(site.series.it_w @ spans)
        compute_w = power_w[:, plant.cells[own]]
        facility_j = float(site.series.facility_w @ spans) * (it_j / all_j if all_j else 0.0)
        nodes, spec = len(pool.nodes), pool.spec
        price, embodied = _racks_of(model, number)
        accounts.append(
            PoolAccount(
                name=pool.name,
                site=pool.site,
                system=spec.system,
                family=spec.family,
                nodes=nodes,
                devices=spec.devices * nodes,
                idle_w=(spec.chip_idle_w * nodes, spec.board_idle_w * nodes, spec.host_idle_w * nodes),
                compute_j=float(meter.energy_j()[plant.cells[own]].sum()),
                it_j=it_j,
                facility_j=facility_j,
                rack_marginal=_weighted(np.concatenate(plant.rack_marginal)[:, own], compute_w * spans[:, None]),
                facility_marginal=_weighted(site.series.marginal, site.series.it_w * spans),
                busy_s=float(meter.busy_s()[plant.cells[own]].sum()),
                down_s=model.node_down_s(pool.name),
                price_usd=None if spec.price_usd is None else spec.price_usd * nodes + price,
                embodied_kg=None if spec.embodied_kg is None else spec.embodied_kg.scaled(nodes).plus(embodied),
                serving=_serving(model, pool.name),
            )
        )
    return accounts


def _serving(model: Model, pool: str) -> ServingAccount | None:
    """What the replicas of a pool have done; None for a pool without."""
    if pool not in model.fleet.gaps:
        return None
    now = float(model.clock.now)
    replicas = [
        server for node in model.fleet.nodes[pool] for server in node.servers if isinstance(server, ReplicaServer)
    ]
    return ServingAccount(
        gaps=model.fleet.gaps[pool],
        preemptions=sum(replica.engine.preemptions for replica in replicas),
        recomputed_tokens=sum(replica.engine.recomputed for replica in replicas),
        resident_j=sum(replica.resident_j(now) for replica in replicas),
    )


def _weighted(values: FloatArray, weights: FloatArray) -> float:
    total = float(weights.sum())
    return float((values * weights).sum()) / total if total else float(values.mean())


def _racks_of(model: Model, pool: int) -> tuple[float, Band]:
    """Price and embodied carbon of the racks that a pool stands in, by its part of their nodes."""
    cluster = model.cluster
    price, embodied = 0.0, ZERO
    for cell in np.flatnonzero(cluster.cell_pool == pool).tolist():
        rack = cluster.cell_rack[cell]
        frame = model.scenario.racks[cluster.rack_group[rack]].frame
        if frame == "none":
            continue
        entry = model.catalog.get(frame, "rack")
        part = float(cluster.cell_nodes[cell] / cluster.rack_nodes[rack])
        price += part * entry.get("price_usd", 0.0)
        embodied = embodied.plus((of_entry(entry) or ZERO).scaled(part))
    return price, embodied
