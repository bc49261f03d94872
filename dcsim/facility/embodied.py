"""Embodied carbon: what making the equipment emitted, spread over its life.

Published figures for one GPU differ 24-fold with the boundary (die, module, share of the server), so every
figure is a band: low, mid, high.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from dcsim.catalog import Entry
from dcsim.errors import CatalogError
from dcsim.facility.arrays import YEAR_S


class Band(NamedTuple):
    """Low, mid and high estimate of one amount [kg CO2e]."""

    low: float
    mid: float
    high: float

    def scaled(self, factor: float) -> Band:
        """Each end times `factor` >= 0."""
        return Band(*(factor * end for end in self))

    def times(self, other: Band) -> Band:
        """Low times low, mid times mid, high times high: the widest band, ends >= 0."""
        return Band(*(mine * its for mine, its in zip(self, other, strict=True)))

    def plus(self, *others: Band) -> Band:
        """Sum; the lows add up and so do the highs: errors of method are common to all equipment."""
        return Band(*(sum(ends) for ends in zip(self, *others, strict=True)))


ZERO = Band(0.0, 0.0, 0.0)


class FabNode(NamedTuple):
    """What a wafer fab uses and emits per area of one process node."""

    energy_kwh_per_cm2: float
    gas95_g_per_cm2: float
    """direct emissions with 95 % of the process gases abated"""
    gas99_g_per_cm2: float
    """direct emissions with 99 % abated"""


#: ACT: U. Gupta et al., "ACT: Designing Sustainable Computer Systems With An Architectural Carbon Modeling
#: Tool", ISCA 2022 (figures of version 2 of its code).
NODES_NM: Mapping[float, FabNode] = {
    28: FabNode(0.90, 175, 100),
    20: FabNode(1.2, 190, 110),
    14: FabNode(1.2, 200, 125),
    10: FabNode(1.475, 240, 150),
    8: FabNode(1.52, 240, 150),
    7: FabNode(2.15, 350, 200),
    5: FabNode(2.75, 430, 225),
    3: FabNode(3.25, 470, 275),
}
FAB_YIELD = 0.875
MATERIALS_G_PER_CM2 = 500.0
PACKAGE_KG = 0.15
FAB_CARBON_G_PER_KWH = 642.0
"""carbon intensity of Taiwan's grid in 2023, as in ACT"""
DIE_HIGH_KG_PER_MM2 = 0.0426
"""wafer loss and other steps included: Boavizta (boaviztapi 2.5.0, GPU dies)"""
_COARSEST_NM, _COARSE_FACTOR = 40.0, 0.7


def fab_kg_per_cm2(process_nm: float, abatement: float = 0.97, carbon_g_per_kwh: float = FAB_CARBON_G_PER_KWH) -> float:
    """Carbon per die area, CPA = (CI_fab EPA + GPA + MPA)/Y after ACT [kg/cm2].

    The node is the closest one that ACT knows, at equal distance the older one (12 nm: 14 nm; Intel 4: 5 nm).
    Above 40 nm ACT has no data: 0.7 times the 28 nm figure, a guess that stands for fewer and simpler process
    steps.

    Parameters:
        process_nm: process node [nm]
        abatement: share of the process gases that is destroyed, 0.95..0.99 [1]
        carbon_g_per_kwh: grid intensity at the fab [g/kWh]

    Raises CatalogError when process_nm is not in 2..1000 or abatement not in 0.95..0.99.
    """
    if not (2 <= process_nm <= 1000 and 0.95 <= abatement <= 0.99):
        raise CatalogError(
            f"process node {process_nm:g} nm, abatement {abatement:g}; allowed: 2 to 1000 nm, 0.95 to 0.99"
        )
    node = NODES_NM[min(NODES_NM, key=lambda nm: (abs(nm - process_nm), -nm))]
    share = (abatement - 0.95) / 0.04
    gas = node.gas95_g_per_cm2 + share * (node.gas99_g_per_cm2 - node.gas95_g_per_cm2)
    grams = (carbon_g_per_kwh * node.energy_kwh_per_cm2 + gas + MATERIALS_G_PER_CM2) / FAB_YIELD
    return grams / 1000 * (_COARSE_FACTOR if process_nm > _COARSEST_NM else 1.0)


def chip_band(die_area_mm2: float, process_nm: float, packages: int = 1) -> Band:
    """Embodied carbon of a packaged chip from its die area [kg CO2e].

    Low: ACT with 99 % abatement; mid: with 97 %; high: Boavizta's factor per area (never below mid). Each
    with 0.15 kg per package. Memory stacks, boards and the share of the server are not in it.

    Parameters:
        die_area_mm2: area of all dies [mm2]
        process_nm: process node [nm]
        packages: number of packages [1]
    """
    cm2, package_kg = die_area_mm2 / 100, packages * PACKAGE_KG
    low, mid = (cm2 * fab_kg_per_cm2(process_nm, abatement) + package_kg for abatement in (0.99, 0.97))
    return Band(low, mid, max(mid, DIE_HIGH_KG_PER_MM2 * die_area_mm2 + package_kg))


def of_number(entry: Entry, key: str) -> Band:
    """A number of the catalog with its band; low and high are the number itself where it has none."""
    mid, found = entry[key], entry.quantity(key)
    low, high = (end if isinstance(end, float) else mid for end in (found.si_low, found.si_high))
    return Band(low, mid, high)


def of_entry(entry: Entry) -> Band | None:
    """Embodied carbon of a catalog entry [kg CO2e]: `embodied_kg`, or `chip_band` of its die, or None."""
    if "embodied_kg" in entry:
        return of_number(entry, "embodied_kg")
    if "die_area_mm2" in entry and "process_nm" in entry:
        return chip_band(entry["die_area_mm2"], entry["process_nm"])
    return None


def per_use(total: Band, lifetime_s: float, used_s: float) -> Band:
    """The part of a total that falls on a time of use, if the equipment were in use all its life [kg CO2e].

    The least that use can cost; `amortised` charges the idle time too. Their ratio is the utilisation.

    Parameters:
        total: embodied carbon of one piece of equipment [kg CO2e]
        lifetime_s: service life [s]
        used_s: time in use [s]
    """
    return total.scaled(used_s / lifetime_s)


def replaced(total: Band, share_per_year: float, duration_s: float) -> Band:
    """Embodied carbon of what fails during a run and is made anew [kg CO2e].

    Parameters:
        total: embodied carbon of the equipment [kg CO2e]
        share_per_year: share of it that fails in a year; 8760 h over its mean time between failures [1/y]
        duration_s: length of the run [s]
    """
    return total.scaled(share_per_year * duration_s / YEAR_S)


def payback_s(extra_kg: float, saved_kg_per_s: float) -> float:
    """Time after which equipment has saved what making it emitted [s]; infinite where it saves nothing.

    Parameters:
        extra_kg: embodied carbon over that of what it replaces [kg CO2e]
        saved_kg_per_s: carbon of operation that it saves [kg CO2e/s]
    """
    return extra_kg / saved_kg_per_s if saved_kg_per_s > 0.0 else math.inf


def amortised(total: Band, lifetime_s: float, duration_s: float) -> Band:
    """The part of a total that falls on a run: straight line over the service life [kg CO2e].

    Parameters:
        total: embodied carbon of the equipment [kg CO2e]
        lifetime_s: service life [s]
        duration_s: length of the run [s]
    """
    return total.scaled(duration_s / lifetime_s)
