"""Close the books of a run: from the model as it stands at its end to a `Result`."""

from __future__ import annotations

import platform

import numpy as np

from dcsim import __version__
from dcsim.facility.chain import FacilitySeries
from dcsim.facility.embodied import ZERO, Band, of_entry
from dcsim.results.account import Cells, PoolAccount, RunAccount, SiteAccount
from dcsim.results.result import Result
from dcsim.service import FloatArray
from dcsim.sim.model import Model
from dcsim.sim.plant import SitePlant

COST_ENTRY = "cost-default"
LITRES_PER_M3 = 1000.0
_FIGURES = (
    "it_lifetime_s",
    "discount_rate_per_year",
    "maintenance_share_per_year",
    "demand_usd_per_kw_month",
)


def result(model: Model, *, interrupted: bool, wall_s: float) -> Result:
    """Result of a run that has stopped; its meters and plants have been read."""
    now = float(model.clock.now)
    for nodes in model.fleet.nodes.values():
        for node in nodes:
            for server in node.servers:
                server.charge(now)
    sites = [_site(model, plant) for plant in model.plants.values()]
    account = RunAccount(
        scenario=model.scenario,
        table=model.table,
        until_s=now,
        pools=_pools(model, sites),
        sites=sites,
        cells=_cells(model),
        device_pool=model.cluster.cell_pool[model.cluster.node_cell[model.cluster.device_node]],
        class_devices=_class_devices(model),
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
        warnings=sorted(text for plant in model.plants.values() for text in plant.warnings),
        dropped_rows=model.dropped_rows,
        events=model.dispatcher.finished + len(model.table),
        wall_s=wall_s,
        interrupted=interrupted,
    )
    return Result.of(account)


def _class_devices(model: Model) -> FloatArray:
    """Devices that a job of each class keeps in use on each pool."""
    devices = np.zeros((len(model.fleet.classes), len(model.cluster.pools)))
    for row, kind in enumerate(model.fleet.classes):
        for column, pool in enumerate(model.cluster.pools):
            if pool.name in kind.requests:
                share = model.uses[kind.stream][pool.name].share
                devices[row, column] = share * max(kind.requests[pool.name].devices, 1)
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
        busy_share=meter.busy() / slots,
    )


def _site(model: Model, plant: SitePlant) -> SiteAccount:
    site = model.scenario.sites[plant.name]
    entry = model.catalog.get(COST_ENTRY, "cost")
    figures = {key: entry[key] for key in _FIGURES}
    figures |= {
        f"{bill}_usd_per_l": entry[f"{bill}_usd_per_m3"] / LITRES_PER_M3 for bill in ("water", "sewer")
    }
    place = model.catalog.get(site.place, "place") if site.place else None
    figures["has_carbon"] = float(
        site.carbon_intensity is not None or (place is not None and "carbon_g_per_kwh" in place)
    )
    figures["has_price"] = float(
        site.energy_price is not None or (place is not None and "price_usd_per_kwh" in place)
    )
    return SiteAccount(
        name=plant.name,
        series=_joined(plant.series),
        compute_j=float(model.meter.energy_j()[plant.cells].sum()),
        cells=plant.cells,
        cell_it_w=np.concatenate(plant.it_w),
        figures=figures,
    )


def _joined(series: list[FacilitySeries]) -> FacilitySeries:
    """One series from those of consecutive stretches."""
    values = {
        name: np.concatenate([getattr(part, name) for part in series])
        for name in FacilitySeries.__dataclass_fields__
        if name != "plant_parts"
    }
    parts = {
        name: np.concatenate([part.plant_parts[name] for part in series]) for name in series[0].plant_parts
    }
    return FacilitySeries(**values, plant_parts=parts)


def _pools(model: Model, sites: list[SiteAccount]) -> list[PoolAccount]:
    cluster, meter = model.cluster, model.meter
    site_of = {site.name: site for site in sites}
    accounts: list[PoolAccount] = []
    for number, pool in enumerate(cluster.pools):
        site, plant = site_of[pool.site], model.plants[pool.site]
        own = cluster.cell_pool[plant.cells] == number
        spans = site.series.interval_s
        it_w = site.cell_it_w[:, own].sum(axis=1)
        it_j, all_j = float(it_w @ spans), float(site.series.it_w @ spans)
        compute_w = meter.power_w()[:, plant.cells[own]]
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
                rack_marginal=_weighted(
                    np.concatenate(plant.rack_marginal)[:, own], compute_w * spans[:, None]
                ),
                facility_marginal=_weighted(site.series.marginal, site.series.it_w * spans),
                down_s=model.node_down_s(pool.name),
                price_usd=None if spec.price_usd is None else spec.price_usd * nodes + price,
                embodied_kg=None
                if spec.embodied_kg is None
                else spec.embodied_kg.scaled(nodes).plus(embodied),
            )
        )
    return accounts


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
