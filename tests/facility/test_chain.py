"""Plant and chain: energy balance, PUE, marginal power, signals."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.errors import ScenarioError
from dcsim.facility.arrays import edges_s, interval_means
from dcsim.facility.carbon import operational_g
from dcsim.facility.chain import FacilitySeries, Site, evaluate
from dcsim.facility.plant import ConstantPlant
from dcsim.facility.power import Bank, LossCurve

UPS = Bank(LossCurve(0.010, 0.020, 0.010, "ups"), 1e6)
TRANSFORMER = Bank(LossCurve(0.0012, 0.0, 0.0055, "transformer"), 1.25e6)

powers = st.lists(st.floats(0, 1e6), min_size=1, max_size=20)
small = st.floats(0.0, 0.05)
banks = st.builds(
    lambda a0, a1, a2, n: Bank(LossCurve(a0, a1, a2), 2e6 / n, modules=n),
    small,
    small,
    small,
    st.integers(1, 4),
)
sites = st.builds(
    lambda ups, transformer, pue, wue: Site(ConstantPlant(pue, wue), ups, transformer),
    st.none() | banks,
    st.none() | banks,
    st.floats(1.0, 2.0),
    st.floats(0.0, 5.0),
)


def test_by_hand() -> None:
    site = Site(
        ConstantPlant(pue=1.2, wue=1.8, consumed=0.75),
        UPS,
        TRANSFORMER,
        carbon_g_per_kwh=400.0,
        price_usd_per_kwh=[0.10, -0.05],
        ewif_l_per_kwh=2.0,
    )
    series = evaluate([500e3, 1000e3], [1800.0, 900.0], site)
    # UPS: 10 kW + 0.02 P + 10 kW (P/1 MW)^2; transformer: 1.5 kW + 6.875 kW (P/1.25 MW)^2
    np.testing.assert_allclose(series.ups_w, [22.5e3, 40e3], rtol=1e-12)
    np.testing.assert_allclose(
        series.transformer_w, 1500 + 6875 * np.array([522.5 / 1250, 1040 / 1250]) ** 2, rtol=1e-12
    )
    np.testing.assert_allclose(series.facility_w, [600e3, 1200e3], rtol=1e-12)
    # 600 kW for half an hour and 1200 kW for a quarter: 300 kWh each, and 250 kWh of IT each
    np.testing.assert_allclose(series.carbon_g, [120e3, 120e3], rtol=1e-12)
    np.testing.assert_allclose(series.cost_usd, [30.0, -15.0], rtol=1e-12)
    np.testing.assert_allclose(series.source_l, [600.0, 600.0], rtol=1e-12)
    np.testing.assert_allclose(series.withdrawn_l, [450.0, 450.0], rtol=1e-12)
    np.testing.assert_allclose(series.consumed_l, [337.5, 337.5], rtol=1e-12)
    np.testing.assert_allclose(series.marginal, [1.2, 1.2], rtol=1e-12)
    energy_j = series.energy_j()
    assert energy_j["facility"] == pytest.approx(600 * 3.6e6)
    assert energy_j["it"] + energy_j["ups"] + energy_j["transformer"] + energy_j["plant"] == pytest.approx(
        energy_j["facility"], rel=1e-12
    )


def test_losses_above_the_pue_are_flagged_and_kept() -> None:
    series = evaluate([0.0, 20e3, 900e3], 300.0, Site(ConstantPlant(pue=1.1), UPS, TRANSFORMER))
    assert series.pue_below_losses.tolist() == [True, True, False]
    np.testing.assert_array_equal(series.plant_w[:2], [0.0, 0.0])
    np.testing.assert_allclose(series.facility_w[0], 10e3 + 1500 + 6875 * 0.008**2)
    assert series.facility_w[1] > 1.1 * 20e3
    assert series.facility_w[2] == pytest.approx(1.1 * 900e3, rel=1e-12)


@given(powers, sites, st.floats(1, 3600))
def test_invariants(it_w: list[float], site: Site, interval: float) -> None:
    series = evaluate(it_w, interval, site)
    parts = series.it_w + series.ups_w + series.transformer_w + series.plant_w
    np.testing.assert_allclose(series.facility_w, parts, rtol=1e-12, atol=1e-200)
    assert (series.facility_w >= series.it_w * (1 - 1e-12)).all()
    for loss in (series.ups_w, series.transformer_w, series.plant_w, series.withdrawn_l):
        assert (loss >= 0).all()
    assert (series.consumed_l <= series.withdrawn_l).all()
    assert (series.marginal >= 1 - 1e-12).all()
    plant = site.plant
    assert isinstance(plant, ConstantPlant)
    held = ~series.pue_below_losses
    np.testing.assert_allclose(series.facility_w[held], plant.pue * series.it_w[held], rtol=1e-12, atol=1e-200)
    assert (series.facility_w[~held] >= plant.pue * series.it_w[~held] * (1 - 1e-12)).all()


@pytest.mark.parametrize("pue", [1.0, 1.03, 1.2])
def test_marginal_against_finite_difference(pue: float) -> None:
    site = Site(ConstantPlant(pue), UPS, TRANSFORMER)
    it = np.linspace(10e3, 950e3, 37)
    below, at, above = (evaluate(it + step, 300.0, site) for step in (-1.0, 0.0, 1.0))
    slope = (above.facility_w - below.facility_w) / 2
    same_side = below.pue_below_losses == above.pue_below_losses
    assert same_side.sum() > 30
    np.testing.assert_allclose(at.marginal[same_side], slope[same_side], rtol=1e-8)


def test_no_chain_is_pure_pue() -> None:
    series = evaluate([100.0], 60.0, Site(ConstantPlant(pue=1.5)))
    assert series.plant_w[0] == 50.0
    assert not series.pue_below_losses[0]
    assert series.plant_parts["plant"][0] == 50.0


def test_no_steps() -> None:
    series = evaluate([], 300.0, Site(ConstantPlant(), UPS, TRANSFORMER))
    assert isinstance(series, FacilitySeries)
    assert series.energy_j()["facility"] == 0.0


@pytest.mark.parametrize("it", [-1.0, np.nan, np.inf])
@pytest.mark.parametrize("ups", [None, UPS])
def test_bad_it_power(it: float, ups: Bank | None) -> None:
    with pytest.raises(ScenarioError, match="IT power ranges"):
        evaluate([10.0, it], 300.0, Site(ups=ups))


def test_overload_names_the_stage() -> None:
    with pytest.raises(ScenarioError, match=r"^ups: load of 1.1 MW; allowed 0 W to its rating of 1 MW$"):
        evaluate([1.1e6], 300.0, Site(ups=UPS))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"pue": 0.9}, "plant.pue is 0.9; allowed: 1 and above"),
        ({"pue": np.nan}, "plant.pue is nan"),
        ({"wue": -0.1}, "plant.wue is -0.1; allowed: 0 and above"),
        ({"consumed": 1.1}, "plant.consumed is 1.1; allowed: 0 to 1"),
    ],
)
def test_bad_plant(keys: dict[str, float], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        ConstantPlant(**keys)


# ---------------------------------------------------------------- signals


def test_interval_means_by_hand() -> None:
    # 10 until 50 s, then 20, then 0 from 100 s: means over 0-60, 60-90, 90-200
    means = interval_means([0, 60, 90, 200], [0, 50, 100], [10, 20, 0])
    np.testing.assert_allclose(means, [700 / 60, 20, 200 / 110])


def test_signal_may_start_earlier_but_not_later() -> None:
    np.testing.assert_allclose(interval_means([5, 10], [-100, 7], [1, 6]), [(2 + 18) / 5])
    with pytest.raises(ValueError, match="after the first interval"):
        interval_means([0, 1], [0.5], [1])


@given(
    st.lists(st.floats(0.1, 500), min_size=1, max_size=20),
    st.lists(st.floats(-100, 900), min_size=1, max_size=9),
)
def test_interval_means_keep_the_integral(lengths: list[float], values: list[float]) -> None:
    edges = edges_s(lengths, len(lengths))
    starts = 37.0 * np.arange(len(values))
    means = interval_means(edges, starts, values)
    whole = interval_means(edges[[0, -1]], starts, values)
    assert means @ np.diff(edges) == pytest.approx(whole[0] * edges[-1], rel=1e-9, abs=1e-6)
    assert means.min() >= min(values) - 1e-6
    assert means.max() <= max(values) + 1e-6


def test_carbon_against_opendc() -> None:
    """OpenDC's CarbonTest, the Netherlands: 150 W for an hour under quarter-hourly intensities."""
    root = os.environ.get("DCSIM_DATA")
    if not root:
        pytest.skip("DCSIM_DATA is not set")
    cases = json.loads((Path(root) / "cases/datacenter/datacenter.json").read_text())
    case = next(case for case in cases if case["id"] == "opendc_carbon_nl_hour")
    starts, intensity = np.array(case["input"]["carbon_g_per_kWh"]).T
    # 7-minute steps share no breakpoint with the quarters of an hour
    lengths = np.array([420.0] * 8 + [240.0])
    means = interval_means(edges_s(lengths, 9), starts, intensity)
    grams = operational_g(np.full(9, case["expected"]["energy_J"] / 3600), lengths, means).sum()
    assert grams == pytest.approx(0.15 * intensity.mean(), rel=1e-12)
    assert grams == pytest.approx(case["expected"]["carbon_g"], abs=case["tolerance"])
