"""Building, power, cooling, solar plant and battery: their part of a run, in money and in embodied carbon."""

from __future__ import annotations

from typing import NamedTuple

from dcsim.catalog import Entry
from dcsim.facility import cost, embodied
from dcsim.facility.arrays import J_PER_KWH
from dcsim.facility.embodied import Band

_MW = 1e6
_KW = 1e3


class Share(NamedTuple):
    """What equipment costs over a run."""

    capital_usd: float
    """annuity [USD]"""
    maintenance_usd: float
    """[USD]"""
    embodied_kg: Band
    """in equal parts over its life [kg CO2e]"""

    @property
    def usd(self) -> float:
        """Both kinds of money together [USD]."""
        return self.capital_usd + self.maintenance_usd


def of_building(entry: Entry, rated_w: float, racks: int, duration_s: float) -> Share:
    """Shell, power and cooling of a building over a run.

    Capital by rated power, written off over the life of the plant for its electrical and mechanical part and over that
    of the building for the rest; carbon of the shell by floor area, of the UPS batteries by what they hold.

    Parameters:
        entry: catalog entry of kind `cost`
        rated_w: rated power of UPS and transformer [W]
        racks: racks that stand in it [1]
        duration_s: length of the run [s]
    """
    capital = entry["capex_usd_per_mw"] * rated_w / _MW
    technical = capital * (entry["electrical_share"] + entry["mechanical_share"])
    plant_s, shell_s = entry["plant_lifetime_s"], entry["building_lifetime_s"]
    rate = entry["discount_rate_per_year"]
    yearly = ((technical, plant_s), (capital - technical, shell_s))
    shell = embodied.of_number(entry, "building_per_m2_kg").times(embodied.of_number(entry, "area_per_rack_m2"))
    backup_kwh = rated_w * entry["battery_backup_s"] / J_PER_KWH
    cells = embodied.of_number(entry, "battery_kg_per_kwh").scaled(backup_kwh)
    return Share(
        capital_usd=sum(cost.capex_usd(price, life_s, rate, duration_s) for price, life_s in yearly),
        maintenance_usd=cost.maintenance_usd(capital, entry["maintenance_share_per_year"], duration_s),
        embodied_kg=embodied.amortised(shell.scaled(racks), shell_s, duration_s).plus(
            embodied.amortised(cells, plant_s, duration_s)
        ),
    )


def of_site_energy(entry: Entry, peak_w: float, capacity_j: float, duration_s: float) -> Share:
    """Solar plant and battery of a site over a run.

    Parameters:
        entry: catalog entry of kind `cost`
        peak_w: rated power of the modules [W]
        capacity_j: energy that the battery can hold [J]
        duration_s: length of the run [s]
    """
    rate, upkeep = entry["discount_rate_per_year"], entry["maintenance_share_per_year"]
    total = Share(0.0, 0.0, embodied.ZERO)
    for amount, what, carbon in (
        (peak_w / _KW, "solar_per_kw", "solar_per_kw_kg"),
        (capacity_j / J_PER_KWH, "battery_per_kwh", "battery_kg_per_kwh"),
    ):
        if not amount:
            continue
        price, life_s = amount * entry[f"{what}_usd"], entry[f"{what.partition('_')[0]}_lifetime_s"]
        made = embodied.of_number(entry, carbon).scaled(amount)
        total = Share(
            total.capital_usd + cost.capex_usd(price, life_s, rate, duration_s),
            total.maintenance_usd + cost.maintenance_usd(price, upkeep, duration_s),
            total.embodied_kg.plus(embodied.amortised(made, life_s, duration_s)),
        )
    return total
