"""Parts, buildings and time: embodied carbon, waste, depletion, and when equipment pays."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.errors import CatalogError
from dcsim.facility import building, cost, embodied, kpi, materials
from dcsim.facility.arrays import YEAR_S
from dcsim.facility.embodied import Band, chip_band

KNOWN = catalog.load()
ENTRY = KNOWN.get("cost-default", "cost")


# ---------------------------------------------------------------- against published figures


def test_a_gpu_by_three_methods() -> None:
    # H100, 814 mm2 at 5 nm: die 24 kg by ACT, 35 kg by Boavizta's factor per area; stacks of 80 GB: 4 to 18 kg
    die = chip_band(814, 5)
    assert die.mid == pytest.approx(24.1 + 0.15, abs=0.05)
    assert die.high == pytest.approx(34.7 + 0.15, abs=0.05)
    stacks = materials.bill(KNOWN, {"hbm": 80.0}).made_kg
    assert (stacks.low, stacks.high) == pytest.approx((4.0, 18.0))
    # product footprint of HGX H100, 1312 kg for eight: what the catalog has, between ACT and Boavizta's 575 kg
    listed = embodied.of_number(KNOWN.get("h100-sxm"), "embodied_kg")
    assert listed.mid == pytest.approx(1312 / 8)
    assert die.mid + stacks.low <= listed.mid <= listed.high
    assert listed.low == pytest.approx(24.0, abs=5.0)
    assert listed.high == pytest.approx(575.0, rel=0.05)


def test_carbon_per_watt_of_neuromorphic_and_gpu() -> None:
    # Hala Point: 1152 dies in 2.6 kW, about 470 kg/kW; H100: 24.25 kg in 0.7 kW, 35 kg/kW, like for like
    hala, h100 = 1152 * chip_band(31, 4).mid / 2.6, chip_band(814, 5).mid / 0.7
    assert hala == pytest.approx(470, rel=0.02)
    assert h100 == pytest.approx(35, rel=0.02)


def test_a_server_from_its_parts_lies_under_boavizta() -> None:
    # 2 x 32 cores, 1 TB of memory, 7.7 TB of SSD: Boavizta 2600 kg (1594 to 5148); ACT's factors give far less
    parts = {
        "server-case": 1.0,
        "server-assembly": 1.0,
        "motherboard": 1.0,
        "power-supply": 6.0,
        "dram": 1024.0,
        "ssd": 7700.0,
    }
    made = materials.bill(KNOWN, parts).made_kg
    by_hand = 150 + 6.68 + 66.1 + 6 * 24.3 + 1024 * 0.065 + 7700 * 0.016
    assert made.mid == pytest.approx(by_hand)
    assert made.low < made.mid < 1594 < made.high < 5148


# ---------------------------------------------------------------- bills


def test_depletion_and_mass_are_sums_or_nothing() -> None:
    whole = materials.bill(KNOWN, {"server-case": 2.0, "motherboard": 1.0})
    assert whole.depletion_sb_kg == pytest.approx((2 * 2.02e-2 + 3.69e-3,) * 3)
    assert whole.mass_kg == pytest.approx((17.0, 26.0, 44.0))
    partial = materials.bill(KNOWN, {"server-case": 1.0, "ssd": 1000.0})
    assert partial.depletion_sb_kg is None
    assert partial.mass_kg is None
    assert materials.bill(KNOWN, {}).made_kg == embodied.ZERO


def test_bad_bills() -> None:
    with pytest.raises(CatalogError, match="no material 'sdd'; did you mean 'ssd'"):
        materials.bill(KNOWN, {"sdd": 1.0})
    for amount in (-1.0, math.nan):
        with pytest.raises(CatalogError, match=r"material 'ssd': amount .*; want 0 or more"):
            materials.bill(KNOWN, {"ssd": amount})


def test_waste_is_what_ends_and_what_fails() -> None:
    waste = materials.ewaste_kg(Band(80.0, 100.0, 120.0), 5 * YEAR_S, 0.1, 2 * YEAR_S)
    assert waste == pytest.approx((48.0, 60.0, 72.0))


# ---------------------------------------------------------------- time


@given(st.floats(0.01, 1.0), st.floats(0.0, 10.0))
def test_use_costs_its_share_of_a_life(utilisation: float, years: float) -> None:
    total, life_s = Band(20.0, 160.0, 570.0), 5 * YEAR_S
    by_life = embodied.amortised(total, life_s, years * YEAR_S)
    by_use = embodied.per_use(total, life_s, utilisation * years * YEAR_S)
    assert by_use == pytest.approx(by_life.scaled(utilisation))


def test_failures_by_mean_time_between_them() -> None:
    # 80,000 h between failures: 11 % a year
    anew = embodied.replaced(Band(24.0, 164.0, 575.0), 8760 / 80e3, YEAR_S)
    assert anew.mid == pytest.approx(164 * 0.1095)


def test_payback() -> None:
    assert embodied.payback_s(100.0, 1e-5) == pytest.approx(1e7)
    assert embodied.payback_s(100.0, 0.0) == math.inf
    assert embodied.payback_s(100.0, -1.0) == math.inf


def test_break_even_utilisation_by_hand() -> None:
    # 100 kUSD over 5 years at 8 %: 25,046 USD a year; upkeep 3,000; a full year saves 56,092 USD: half a year pays
    share = cost.break_even_utilisation(100e3, 5 * YEAR_S, 0.08, 3000.0, 56_091.3)
    assert share == pytest.approx(0.5, rel=1e-5)
    assert cost.break_even_utilisation(100e3, 5 * YEAR_S, 0.08, 0.0, 0.0) == math.inf


@given(st.floats(1.0, 1e6), st.floats(0.0, 0.3), st.floats(0.0, 1e5), st.floats(1.0, 1e6))
def test_at_break_even_saving_pays_for_all(price: float, rate: float, upkeep: float, saved: float) -> None:
    share = cost.break_even_utilisation(price, 4 * YEAR_S, rate, upkeep, saved)
    yearly = cost.capex_usd(price, 4 * YEAR_S, rate, YEAR_S) + upkeep
    assert share * saved == pytest.approx(yearly)


def test_energy_reuse_effectiveness() -> None:
    assert kpi.ere(1.3, 0.3, 1.0) == pytest.approx(1.0)
    assert kpi.ere(1.3, 0.3, 1.0) == pytest.approx(kpi.pue(1.3, 1.0) * (1 - kpi.erf(0.3, 1.3)))


# ---------------------------------------------------------------- buildings


def test_a_building_by_hand() -> None:
    share = building.of_building(ENTRY, 2e6, 100, YEAR_S)
    annuity = 23.4e6 * (
        0.625 * cost.capital_recovery_factor(0.08, 12.5 * YEAR_S)
        + 0.375 * cost.capital_recovery_factor(0.08, 15 * YEAR_S)
    )
    assert share.capital_usd == pytest.approx(annuity)
    assert share.maintenance_usd == pytest.approx(0.03 * 23.4e6)
    assert share.usd == pytest.approx(annuity + 702e3)
    # 100 racks on 5 m2 of 1.5 t each over 15 years; 5 minutes of 2 MW in batteries over 12.5 years
    assert share.embodied_kg.mid == pytest.approx(750e3 / 15 + 2000 / 12 * 75 / 12.5)
    assert share.embodied_kg.low == pytest.approx(100 * 2.5 * 1000 / 15 + 2000 / 12 * 75 / 12.5)


def test_solar_plant_and_battery_by_hand() -> None:
    share = building.of_site_energy(ENTRY, 500e3, 1000 * 3.6e6, YEAR_S)
    solar, battery = 500 * 1200.0, 1000 * 350.0
    annuity = solar * cost.capital_recovery_factor(0.08, 25 * YEAR_S)
    annuity += battery * cost.capital_recovery_factor(0.08, 12 * YEAR_S)
    assert share.capital_usd == pytest.approx(annuity)
    assert share.maintenance_usd == pytest.approx(0.03 * (solar + battery))
    assert share.embodied_kg.mid == pytest.approx(500 * 1350 / 25 + 1000 * 75 / 12)
    assert building.of_site_energy(ENTRY, 0.0, 0.0, YEAR_S) == building.Share(0.0, 0.0, embodied.ZERO)
