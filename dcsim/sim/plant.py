"""The building of one site during a run: from the meters of its racks to the utility meter, a stretch at a time.

Without feedback the building does not act on the jobs, so it is booked by the day, vectorised over its intervals. A
process of a user's own may change `SitePlant.chain` before it books, to give the site another plant, tariff or grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np

from dcsim.catalog import Catalog
from dcsim.cluster.topology import Cluster
from dcsim.errors import ScenarioError
from dcsim.facility import chain, series_file
from dcsim.facility.plant import ConstantPlant
from dcsim.facility.power import Bank, from_entry
from dcsim.facility.series import Steps, utc
from dcsim.scenario import files
from dcsim.scenario.models import Scenario
from dcsim.scenario.sites import SeriesFile, Site
from dcsim.service import FloatArray
from dcsim.sim.meters import Meter

#: Power supplies of a node: two, each able to carry all of it (N+N).
SUPPLIES = 2
#: Rating of UPS and transformer over the most that the racks can draw, unless the scenario says otherwise.
HEADROOM = 1.25


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
        self.chain = _chain(scenario.sites[name], catalog, HEADROOM * (nameplate_w + float(self.switch_w.sum())))
        """what stands behind the racks' meters; may be replaced between two bookings"""
        self.carbon: Steps | None = _carbon(scenario, name, folder)
        """carbon intensity over the run where it varies, instead of the chain's [g/kWh]"""
        self.changes_s = [] if self.carbon is None else self.carbon.inside(0.0, inf).tolist()
        """moments at which it takes another value, s"""
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
        if self.carbon is not None:
            site = replace(site, carbon_g_per_kwh=self.carbon.means(edges_s))
            if edges_s[-1] > self.carbon.end_s:
                self.warnings.add(f"site {self.name}: the run outlasts its carbon intensity, whose last value is kept")
        if site.ups is not None:
            ups = self._fitting(site.ups, it_w, "UPS")
            site, feed_w = replace(site, ups=ups), it_w + ups.loss_w(it_w)
        if site.transformer is not None:
            site = replace(site, transformer=self._fitting(site.transformer, feed_w, "transformer"))
        series = chain.evaluate(it_w, spans_s, site)
        if series.pue_below_losses.any():
            self.warnings.add(f"site {self.name}: the plant's PUE leaves no room for the losses of UPS and transformer")
        return series

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
    rated_w = site.power_rating or rated_w

    def bank(name: str) -> Bank | None:
        return None if name == "none" or rated_w <= 0.0 else Bank(from_entry(catalog.get(name, "curve")), rated_w)

    def figure(given: float | None, key: str) -> float:
        return given if given is not None else place.get(key, 0.0) if place else 0.0

    return chain.Site(
        plant=ConstantPlant(site.plant.pue, site.plant.wue, site.plant.consumed),
        ups=bank(site.ups),
        transformer=bank(site.transformer),
        carbon_g_per_kwh=figure(
            None if isinstance(site.carbon_intensity, SeriesFile) else site.carbon_intensity, "carbon_g_per_kwh"
        ),
        price_usd_per_kwh=figure(site.energy_price, "price_usd_per_kwh"),
        ewif_l_per_kwh=figure(site.water_intensity, "ewif_l_per_kwh"),
    )


def _carbon(scenario: Scenario, name: str, folder: Path | None) -> Steps | None:
    """Carbon intensity of a site from a file, from the start of the run. ScenarioError where it does not cover it."""
    signal = scenario.sites[name].carbon_intensity
    if not isinstance(signal, SeriesFile):
        return None
    where = f"sites.{name}.carbon_intensity"
    if scenario.start is None:
        raise ScenarioError(f"{where}: a file over time needs the key 'start' of the scenario")
    path = Path(signal.path)
    try:
        if not path.is_absolute():  # a loaded scenario has no others
            path = files.resolve(signal.path, folder or Path.cwd(), own=folder is None)
    except files.FileProblem as error:
        raise ScenarioError(f"{where}.path: {error}") from None
    steps = series_file.read(path, time=signal.time, column=signal.column, hold=signal.gaps == "hold")
    first_s = scenario.start.timestamp()
    last_s = first_s + scenario.duration
    if not steps.covers(first_s, last_s):
        raise ScenarioError(
            f"{where}: {path} reaches from {utc(float(steps.start_s[0]))} to {utc(steps.end_s)}, "
            f"but the run lasts from {utc(first_s)} to {utc(last_s)}"
        )
    return steps.since(first_s)
