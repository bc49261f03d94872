"""The building of one site during a run: from the meters of its racks to the utility meter, a stretch at a time.

Without feedback the building does not act on the jobs, so it is booked by the day, vectorised over its intervals. A
process of a user's own may change `SitePlant.chain` before it books, to give the site another plant, tariff or grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from dcsim.catalog import Catalog
from dcsim.cluster.topology import Cluster
from dcsim.errors import ScenarioError
from dcsim.facility import chain, onsite
from dcsim.facility.battery import Battery, Bounds, by_signal, peak_shaving, self_consumption
from dcsim.facility.onsite import OnSite, Tariff
from dcsim.facility.plant import ConstantPlant
from dcsim.facility.power import Bank, from_entry
from dcsim.scenario.models import Scenario
from dcsim.scenario.onsite import CarbonThreshold, PeakShaving, PriceThreshold, SelfConsumption, Storage
from dcsim.scenario.signals import Varying
from dcsim.scenario.sites import Site
from dcsim.service import FloatArray
from dcsim.sim.meters import Meter
from dcsim.sim.signals import Reader

#: Power supplies of a node: two, each able to carry all of it (N+N).
SUPPLIES = 2
#: Rating of UPS and transformer over the most that the racks can draw, unless the scenario says otherwise.
HEADROOM = 1.25

#: Key of a site -> field of its chain.
_FIELD: Mapping[str, str] = {
    "carbon_intensity": "carbon_g_per_kwh",
    "energy_price": "price_usd_per_kwh",
    "water_intensity": "ewif_l_per_kwh",
}
_WORDS: Mapping[str, str] = {
    "carbon_g_per_kwh": "carbon intensity",
    "price_usd_per_kwh": "energy price",
    "ewif_l_per_kwh": "water intensity",
}


class SitePlant:
    """Racks' supplies, UPS, transformer and cooling of one site, and what they have used so far."""

    def __init__(
        self,
        scenario: Scenario,
        catalog: Catalog,
        cluster: Cluster,
        meter: Meter,
        name: str,
        folder: Path | None = None,
    ) -> None:
        """`folder` is where relative paths of a scenario that was not loaded from a file are looked up."""
        self.name, self.meter = name, meter
        number = cluster.sites.index(name)
        self.cells = np.flatnonzero(cluster.rack_site[cluster.cell_rack] == number)
        """numbers of the cells that stand here"""
        self._nodes = cluster.cell_nodes[self.cells]
        self._supplies = [_supplies(scenario, catalog, cluster, cell) for cell in self.cells.tolist()]
        self.switch_w = _switches(scenario, catalog, cluster)[self.cells]
        """power of each cell's part of its rack's switches, W"""
        specs = [cluster.pools[pool].spec for pool in cluster.cell_pool[self.cells].tolist()]
        nameplate_w = float(sum(spec.max_w * nodes for spec, nodes in zip(specs, self._nodes, strict=True)))
        site = self._site = scenario.sites[name]
        _check_policy(site, catalog, name)
        self.rating_w = site.power_rating or HEADROOM * (nameplate_w + float(self.switch_w.sum()))
        """rated output of UPS and transformer, by which the building is sized too, W"""
        self.chain = _chain(site, catalog, self.rating_w)
        """what stands behind the racks' meters; may be replaced between two bookings"""
        reader = Reader(scenario, catalog, name, folder)
        self.signals = {_FIELD[key]: signal for key, signal in reader.grid().items()}
        """field of the chain -> what it is over the run where it varies"""
        self.solar_w = reader.solar_w()
        """power that the photovoltaics can give, W; None without any"""
        self.changes_s = sorted({at for signal in self.signals.values() for at in signal.inside(0.0, inf).tolist()})
        """moments at which a signal takes another value, s"""
        self.tariff: list[dict[str, FloatArray]] = []
        """the signals' means over the intervals of each booking, shape (intervals,)"""
        self.series: list[chain.FacilitySeries] = []
        self.it_w: list[FloatArray] = []
        """power at the racks' meters of each cell, one array of shape (intervals, cells) a booking, W"""
        self.rack_marginal: list[FloatArray] = []
        """what one more watt in a node costs at the rack's meter, as `it_w`"""
        self.warnings: set[str] = set()
        self._booked = 0

    def book(self) -> None:
        """Account for the intervals that the meters have closed since the last booking."""
        first = self._booked
        spans = self.meter.spans_s(first)
        if not len(spans):
            return
        compute_w = self.meter.power_w(first)[:, self.cells]
        it_w = compute_w + self.switch_w
        marginal = np.ones_like(compute_w)
        for column, (bank, nodes) in enumerate(zip(self._supplies, self._nodes.tolist(), strict=True)):
            if bank is not None:
                node_w = compute_w[:, column] / nodes
                fitting = self._fitting(bank, node_w, "power supplies")
                it_w[:, column] += nodes * fitting.loss_w(node_w)
                marginal[:, column] = fitting.marginal(node_w)
        self.it_w.append(it_w)
        self.rack_marginal.append(marginal)
        self.series.append(self._evaluate(it_w.sum(axis=1), spans, self.meter.edges_s[first:]))
        self._booked += len(spans)

    def _evaluate(self, it_w: FloatArray, spans_s: FloatArray, edges_s: list[float]) -> chain.FacilitySeries:
        site, feed_w = self.chain, it_w
        means: dict[str, Any] = {field: signal.means(edges_s) for field, signal in self.signals.items()}
        site = replace(site, **means)
        for field, signal in self.signals.items():
            if edges_s[-1] > signal.end_s:
                kept = f"the run outlasts its {_WORDS[field]}, whose last value is kept"
                self.warnings.add(f"site {self.name}: {kept}")
        self.tariff.append({field: np.broadcast_to(getattr(site, field), it_w.shape) for field in _FIELD.values()})
        if site.ups is not None:
            ups = self._fitting(site.ups, it_w, "UPS")
            site, feed_w = replace(site, ups=ups), it_w + ups.loss_w(it_w)
        if site.transformer is not None:
            site = replace(site, transformer=self._fitting(site.transformer, feed_w, "transformer"))
        series = chain.evaluate(it_w, spans_s, site)
        if series.pue_below_losses.any():
            self.warnings.add(f"site {self.name}: the plant's PUE leaves no room for the losses of UPS and transformer")
        return series

    def behind_the_meter(self, series: chain.FacilitySeries) -> tuple[chain.FacilitySeries, OnSite | None]:
        """The series of the whole run with the site's solar plant and battery, and what those did; None without any."""
        site = self._site
        if self.solar_w is None and site.battery is None:
            return series, None
        edges_s = self.meter.edges_s
        solar_w = np.zeros_like(series.facility_w)
        if self.solar_w is not None:
            solar_w = self.solar_w.means(edges_s)
            if edges_s[-1] > self.solar_w.end_s:
                self.warnings.add(f"site {self.name}: the run outlasts its sunlight, whose last value is kept")
        signals = {field: np.concatenate([part[field] for part in self.tariff]) for field in _FIELD.values()}
        store, bounds = None, None
        if site.battery is not None:
            store, bounds = _battery(site.battery), _bounds(site.battery.policy, signals, len(solar_w))
        tariff = Tariff(**signals, export_usd_per_kwh=site.export_price)
        return onsite.apply(series, solar_w, store, bounds, tariff, export=site.export)

    def _fitting(self, bank: Bank, out_w: FloatArray, what: str) -> Bank:
        """The same bank, or one just large enough, with a warning: an overload must not cost a finished run."""
        peak = float(out_w.max())
        if peak <= bank.rated_w * bank.modules:
            return bank
        self.warnings.add(
            f"site {self.name}: {what} overloaded: {peak:.0f} W, rated {bank.rated_w * bank.modules:.0f} W"
        )
        return replace(bank, rated_w=peak / bank.modules)


def _supplies(scenario: Scenario, catalog: Catalog, cluster: Cluster, cell: int) -> Bank | None:
    group = scenario.racks[cluster.rack_group[cluster.cell_rack[cell]]]
    rated_w = cluster.pools[cluster.cell_pool[cell]].spec.max_w
    if group.psu == "none" or rated_w <= 0.0:
        return None
    return Bank(from_entry(catalog.get(group.psu, "curve")), rated_w, SUPPLIES)


def _switches(scenario: Scenario, catalog: Catalog, cluster: Cluster) -> FloatArray:
    """Power of each cell's part of its rack's switches, by nodes, shape (cells,), W."""
    frames: Mapping[str, float] = {
        name: catalog.get(group.frame, "rack")["switch_w"] if group.frame != "none" else 0.0
        for name, group in scenario.racks.items()
    }
    rack_w = np.array([frames[group] for group in cluster.rack_group])
    return np.asarray(rack_w[cluster.cell_rack] * cluster.cell_nodes / cluster.rack_nodes[cluster.cell_rack])


def _chain(site: Site, catalog: Catalog, rated_w: float) -> chain.Site:
    place = catalog.get(site.place, "place") if site.place else None

    def bank(name: str) -> Bank | None:
        return None if name == "none" or rated_w <= 0.0 else Bank(from_entry(catalog.get(name, "curve")), rated_w)

    def figure(given: float | Varying | None, key: str) -> float:
        if isinstance(given, Varying):
            return 0.0  # its signal stands in for it
        return given if given is not None else place.get(key, 0.0) if place else 0.0

    return chain.Site(
        plant=ConstantPlant(site.plant.pue, site.plant.wue, site.plant.consumed),
        ups=bank(site.ups),
        transformer=bank(site.transformer),
        carbon_g_per_kwh=figure(site.carbon_intensity, "carbon_g_per_kwh"),
        price_usd_per_kwh=figure(site.energy_price, "price_usd_per_kwh"),
        ewif_l_per_kwh=figure(site.water_intensity, "ewif_l_per_kwh"),
    )


Policy = SelfConsumption | CarbonThreshold | PriceThreshold | PeakShaving


def _check_policy(site: Site, catalog: Catalog, name: str) -> None:
    """ScenarioError where the battery follows a signal that nothing is known of, or charges and discharges at once."""
    if site.battery is None or not isinstance(site.battery.policy, CarbonThreshold | PriceThreshold):
        return
    where, policy = f"sites.{name}.battery.policy", site.battery.policy
    key, field = (
        ("carbon_intensity", "carbon_g_per_kwh")
        if isinstance(policy, CarbonThreshold)
        else ("energy_price", "price_usd_per_kwh")
    )
    if getattr(site, key) is None and (site.place is None or field not in catalog.get(site.place, "place")):
        raise ScenarioError(f"{where}: it follows the {_WORDS[field]}, want the key '{key}' of the site")
    if not policy.charge_below < policy.discharge_above:
        raise ScenarioError(f"{where}: charge_below must lie below discharge_above")


def _battery(given: Storage) -> Battery:
    return Battery(
        capacity_j=given.capacity,
        charge_w=given.charge_rate * given.capacity,
        discharge_w=given.discharge_rate * given.capacity,
        efficiency_in=given.efficiency_in,
        efficiency_out=given.efficiency_out,
        least=given.least,
        first=given.first,
    )


def _bounds(policy: Policy, signals: Mapping[str, FloatArray], steps: int) -> Bounds:
    if isinstance(policy, CarbonThreshold):
        return by_signal(signals["carbon_g_per_kwh"], policy.charge_below, policy.discharge_above)
    if isinstance(policy, PriceThreshold):
        return by_signal(signals["price_usd_per_kwh"], policy.charge_below, policy.discharge_above)
    return peak_shaving(steps, policy.limit) if isinstance(policy, PeakShaving) else self_consumption(steps)
