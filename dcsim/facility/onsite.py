"""A site behind its meter: what solar plant and battery change in the series of a building."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dcsim.facility import battery, carbon, cost, water
from dcsim.facility.arrays import J_PER_KWH, FloatArray
from dcsim.facility.battery import Battery, Bounds, Flows
from dcsim.facility.chain import FacilitySeries

#: Name of the battery's losses among the parts of the plant.
BATTERY = "battery"


@dataclass(frozen=True)
class Tariff:
    """The grid behind the meter; arrays of shape (steps,)."""

    carbon_g_per_kwh: FloatArray
    price_usd_per_kwh: FloatArray
    ewif_l_per_kwh: FloatArray
    export_usd_per_kwh: float = 0.0
    """what exported energy earns"""


@dataclass(frozen=True)
class OnSite:
    """Solar plant, battery and grid of a site over time; flows of shape (steps,)."""

    solar_w: FloatArray
    """what the solar plant gave, curtailed power left out [W]"""
    flows: Flows
    battery: Battery | None


def apply(
    series: FacilitySeries,
    solar_w: npt.ArrayLike,
    store: Battery | None,
    bounds: Bounds | None,
    tariff: Tariff,
    *,
    export: bool = True,
) -> tuple[FacilitySeries, OnSite]:
    """The series of a building with its own solar plant and battery, and what those did.

    The building's energy grows by the battery's losses, which become the part `battery` of the plant. Carbon, cost and
    water of generation are those of the energy that the grid delivers; exported energy earns money and nothing else.

    Parameters:
        series: the building as if the grid fed all of it
        solar_w: what the solar plant could give, shape (steps,) [W]
        store: battery, None for none
        bounds: what its policy wants; self-consumption by default
        tariff: the grid
        export: whether the grid takes surplus
    """
    could_w = np.asarray(solar_w, dtype=np.float64)
    flows = battery.dispatch(series.facility_w, could_w, series.interval_s, store, bounds, export=export)
    seconds = series.interval_s
    parts, lost_w = dict(series.plant_parts), np.zeros_like(could_w)
    if store is not None:
        lost_w = battery.loss_w(flows, store)
        parts[BATTERY] = lost_w
    earned_usd = flows.export_w * seconds / J_PER_KWH * tariff.export_usd_per_kwh
    changed = replace(
        series,
        plant_w=series.plant_w + lost_w,
        facility_w=series.facility_w + lost_w,
        plant_parts=parts,
        source_l=water.source_l(flows.import_w * seconds, tariff.ewif_l_per_kwh),
        carbon_g=carbon.operational_g(flows.import_w, seconds, tariff.carbon_g_per_kwh),
        cost_usd=cost.energy_usd(flows.import_w, seconds, tariff.price_usd_per_kwh) - earned_usd,
    )
    return changed, OnSite(could_w - flows.curtailed_w, flows, store)
