"""Cost and key figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.errors import ScenarioError
from dcsim.facility import cost, kpi
from dcsim.facility.arrays import MONTH_S, YEAR_S

DAY_S = 86400.0


def test_capital_recovery_factor() -> None:
    # 8 % over 5 years: 0.08/(1 - 1.08^-5) = 0.250456
    assert cost.capital_recovery_factor(0.08, 5 * YEAR_S) == pytest.approx(0.2504565, rel=1e-6)
    assert cost.capital_recovery_factor(0.0, 5 * YEAR_S) == pytest.approx(0.2)
    assert cost.capital_recovery_factor(1e-12, 5 * YEAR_S) == pytest.approx(0.2)


@given(st.floats(0, 0.5), st.floats(1, 30))
def test_payments_have_the_present_value_of_the_price(rate: float, years: float) -> None:
    payment = cost.capital_recovery_factor(rate, years * YEAR_S)
    assert payment >= 1 / years * (1 - 1e-9)
    whole = math.ceil(years)
    payment = cost.capital_recovery_factor(rate, whole * YEAR_S)
    assert sum(payment / (1 + rate) ** year for year in range(1, whole + 1)) == pytest.approx(1.0)


@pytest.mark.parametrize(("rate", "life"), [(-0.01, 1.0), (math.nan, 1.0), (0.1, 0.0), (0.1, math.nan)])
def test_bad_annuity(rate: float, life: float) -> None:
    with pytest.raises(ScenarioError, match="discount rate"):
        cost.capital_recovery_factor(rate, life)


def test_capex_and_maintenance_of_a_run() -> None:
    assert cost.capex_usd(300e3, 5 * YEAR_S, 0.08, YEAR_S / 365) == pytest.approx(300e3 * 0.2504565 / 365, rel=1e-6)
    assert cost.maintenance_usd(11.7e6, 0.03, YEAR_S / 2) == pytest.approx(175.5e3)


def test_energy_keeps_negative_prices() -> None:
    np.testing.assert_allclose(cost.energy_usd([1e6, 1e6], 3600.0, [0.10, -0.484]), [100.0, -484.0])


def test_monthly_peak_is_the_mean_of_a_quarter_of_an_hour() -> None:
    power = np.full(288, 1000.0)
    power[100:103] = [4000.0, 1000.0, 1000.0]  # 100 x 5 min is 33 1/3 windows: one third of a window each
    assert cost.monthly_peaks_w(power, 300.0) == pytest.approx([2000.0])
    power[101] = 4000.0  # second and third thirds of window 33
    assert cost.monthly_peaks_w(power, 300.0) == pytest.approx([3000.0])


def test_demand_of_a_year_and_of_a_part() -> None:
    hours = np.arange(8760)
    power = 1e6 * (1 + hours // 730)  # month k draws k MW
    assert cost.monthly_peaks_w(power, 3600.0) == pytest.approx(1e6 * np.arange(1, 13))
    assert cost.demand_usd(power, 3600.0, 10.0) == pytest.approx(10.0 * 1000 * 78)
    part = cost.demand_usd(np.full(24, 2e6), 3600.0, 10.0)
    assert part == pytest.approx(10.0 * 2000 * DAY_S / MONTH_S)


def test_demand_of_odd_runs() -> None:
    assert cost.monthly_peaks_w([5.0], 60.0) == pytest.approx([5.0])
    # a sliver after the last whole window joins it
    assert cost.monthly_peaks_w([5.0, 50.0], [1800.0, 1e-6]) == pytest.approx([5.0], rel=1e-6)
    assert cost.monthly_peaks_w([5.0, 50.0], [1800.0, 300.0]) == pytest.approx([50.0])


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(60, 7200))
def test_peak_lies_between_mean_and_maximum(power: list[float], interval: float) -> None:
    peak = cost.monthly_peaks_w(power, interval).max()
    assert np.mean(power) * (1 - 1e-9) - 1e-6 <= peak <= max(power) * (1 + 1e-9) + 1e-6


def test_water() -> None:
    assert cost.water_usd(1000.0, 800.0, 0.0025, 0.004) == pytest.approx(2.5 + 0.8)


# ---------------------------------------------------------------- key figures

joules = st.floats(1.0, 1e12)


def test_key_figures_by_hand() -> None:
    kwh = 3.6e6
    assert kpi.pue(1.2 * kwh, kwh) == pytest.approx(1.2)
    assert kpi.wue(1.8, 2 * kwh) == pytest.approx(0.9)
    assert kpi.wue_source(1.8, 2.4, 2 * kwh) == pytest.approx(2.1)
    assert kpi.cue(0.8, 2 * kwh) == pytest.approx(0.4)
    assert kpi.erf(0.3, 1.2) == pytest.approx(0.25)
    assert kpi.mlc(0.1, 1.0) == pytest.approx(0.1)
    assert kpi.elc(0.25, 1.0) == pytest.approx(0.2)


@given(joules, joules, joules, joules)
def test_identities(compute: float, supply: float, loss: float, plant: float) -> None:
    it = compute + supply
    facility = it + loss + plant
    figures = kpi.efficiency(it_j=it, compute_j=compute, facility_j=facility, loss_j=loss, plant_j=plant)
    assert figures["tue"] == pytest.approx(figures["itue"] * figures["pue"])
    # PUE - 1 = MLC + ELC/(1 - ELC), without the cancellation of 1 - ELC
    assert figures["pue"] == pytest.approx(1 + figures["mlc"] + loss / it)
    assert 0 <= figures["elc"] <= 1
    assert figures["pue"] >= 1
    ewif, water = 2.5, 1.3 * it / 3.6e6
    source = ewif * facility / 3.6e6
    expected = kpi.wue(water, it) + figures["pue"] * ewif
    assert kpi.wue_source(water, source, it) == pytest.approx(expected)


def test_pue_from_mlc_and_elc() -> None:
    figures = kpi.efficiency(it_j=100.0, compute_j=90.0, facility_j=130.0, loss_j=10.0, plant_j=20.0)
    assert figures["pue"] == pytest.approx(1 / (1 - figures["elc"]) + figures["mlc"])


def test_no_answer_without_it_energy() -> None:
    figures = kpi.efficiency(it_j=0.0, compute_j=0.0, facility_j=10.0, loss_j=10.0, plant_j=0.0)
    assert figures == {"erf": 0.0, "elc": 1.0}
    assert math.isnan(kpi.pue(1.0, 0.0))
