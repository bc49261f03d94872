"""Solar plant, battery and grid of a site: by hand, and as laws that hold for any run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.errors import ScenarioError
from dcsim.facility import battery, onsite, pv
from dcsim.facility.battery import Battery, Bounds, by_signal, dispatch, peak_shaving, self_consumption
from dcsim.facility.chain import Site, evaluate
from dcsim.facility.onsite import Tariff
from dcsim.facility.plant import ConstantPlant

HOUR = 3600.0
KWH = 3.6e6


# ---------------------------------------------------------------- sun


def test_sun_at_the_equator_at_the_equinox() -> None:
    # n = 81: declination 23.45 deg sin(360 deg x 365/365) = 0, so cos z = cos h
    midnight = 80 * 86400.0
    cosine = pv.cos_zenith(midnight + np.array([6.0, 9.0, 12.0, 18.0]) * HOUR, 0.0, 0.0)
    assert cosine.tolist() == pytest.approx([0.0, math.sqrt(0.5), 1.0, 0.0], abs=1e-12)
    clear = pv.clear_sky_w_per_m2(cosine)
    assert clear[2] == pytest.approx(1098 * math.exp(-0.059))
    assert clear[1] == pytest.approx(1098 * math.sqrt(0.5) * math.exp(-0.059 / math.sqrt(0.5)))
    assert pv.clear_sky_w_per_m2([-0.3, 0.0]).tolist() == [0.0, 0.0]


def test_noon_is_at_twelve_of_local_standard_time() -> None:
    hours = np.arange(24)
    cosine = pv.cos_zenith(172 * 86400.0 + hours * HOUR, 33.43, -7.0)
    assert int(hours[np.argmax(cosine)]) == 19  # UTC
    assert cosine.max() == pytest.approx(math.cos(math.radians(33.43 - 23.45)), abs=1e-4)


def test_a_clear_year_is_near_what_is_measured() -> None:
    steps = pv.clear_sky(1640995200.0, 365 * 86400.0, 33.43, -7.0, 0.9)
    watts = pv.output_w(steps.levels, 1000.0, 0.8)
    # a flat plant in Phoenix: 1.6 to 1.8 MWh per kW at this performance ratio
    assert 0.17 < watts.mean() / 1000.0 < 0.22
    dark = pv.clear_sky(1640995200.0, 86400.0, 70.0, 0.0, 1.0)
    assert dark.levels.max() == 0.0  # polar night


def test_inverter_and_ratio() -> None:
    assert pv.output_w([0.0, 500.0, 1000.0], 100.0, 0.8, 60.0).tolist() == [0.0, 40.0, 60.0]


# ---------------------------------------------------------------- battery by hand

STORE = Battery(10 * KWH, 5e3, 4e3, efficiency_in=0.9, efficiency_out=0.8, least=0.1, first=0.5)


def test_a_day_by_hand() -> None:
    # demand 2 kW; sun 0, 8, 8, 8, 0, 0, 0 kW; store 5 of 10 kWh, 1 kWh stays
    sun = np.array([0.0, 8e3, 8e3, 8e3, 0.0, 0.0, 0.0])
    flows = dispatch(np.full(7, 2e3), sun, np.full(7, HOUR), STORE)
    # hour 0: 2 kW out, 2.5 kWh less; hour 1: 5 kW in (limit), 4.5 kWh more; hour 2: room for 3 kWh, 10/3 kW in
    assert (flows.stored_j / KWH).tolist() == pytest.approx([2.5, 7.0, 10.0, 10.0, 7.5, 5.0, 2.5])
    assert (flows.charge_w / 1e3).tolist() == pytest.approx([0, 5, 10 / 3, 0, 0, 0, 0])
    assert (flows.discharge_w / 1e3).tolist() == pytest.approx([2, 0, 0, 0, 2, 2, 2])
    assert (flows.export_w / 1e3).tolist() == pytest.approx([0, 1, 6 - 10 / 3, 6, 0, 0, 0])
    assert flows.import_w.tolist() == [0.0] * 7
    assert battery.loss_w(flows, STORE)[:2].tolist() == pytest.approx([500.0, 500.0])


def test_an_empty_battery_leaves_the_rest_to_the_grid() -> None:
    flows = dispatch([3e3, 3e3], [0.0, 0.0], [HOUR, HOUR], STORE)
    # 4 kWh above the least: 3.2 kWh out, 3 in the first hour
    assert flows.discharge_w.tolist() == pytest.approx([3e3, 200.0])
    assert flows.import_w.tolist() == pytest.approx([0.0, 2.8e3])
    assert flows.stored_j[-1] == pytest.approx(0.1 * 10 * KWH)


def test_by_signal_charges_from_the_grid_when_it_is_low() -> None:
    bounds = by_signal([100.0, 300.0, 500.0], 200.0, 400.0)
    flows = dispatch(np.full(3, 1e3), np.zeros(3), np.full(3, HOUR), STORE, bounds)
    assert flows.charge_w.tolist() == [5e3, 0.0, 0.0]
    assert flows.discharge_w.tolist() == [0.0, 0.0, 1e3]
    assert flows.import_w.tolist() == [6e3, 1e3, 0.0]
    with pytest.raises(ScenarioError, match="want the first below the second"):
        by_signal([1.0], 400.0, 200.0)


def test_peak_shaving_holds_the_limit_while_it_lasts() -> None:
    flows = dispatch([1e3, 5e3, 8e3], np.zeros(3), np.full(3, HOUR), STORE, peak_shaving(3, 3e3))
    # 5 + 1.8 - 2.5 kWh are left for the last hour, of which 3.3 kWh x 0.8 come out
    assert flows.import_w.tolist() == pytest.approx([3e3, 3e3, 8e3 - 2640.0])
    assert flows.charge_w[0] == 2e3


def test_no_export_means_curtailed() -> None:
    flows = dispatch([1e3], [4e3], [HOUR], None, export=False)
    assert (flows.export_w[0], flows.curtailed_w[0], flows.import_w[0]) == (0.0, 3e3, 0.0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"capacity_j": -1.0}, "battery.capacity_j is -1"),
        ({"efficiency_in": 1.1}, "battery.efficiency_in is 1.1; allowed: 0.01 to 1"),
        ({"efficiency_out": 0.0}, "battery.efficiency_out is 0"),
        ({"first": 0.05}, "battery.first is 0.05; allowed: 0.1 to 1"),
        ({"charge_w": math.nan}, "battery.charge_w is nan"),
    ],
)
def test_impossible_batteries(change: dict[str, float], says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        Battery(**{"capacity_j": KWH, "charge_w": 1e3, "discharge_w": 1e3, "least": 0.1} | change)


# ---------------------------------------------------------------- laws

watts = st.floats(0.0, 1e7)
steps = st.lists(st.tuples(watts, watts, st.floats(1.0, 7200.0), st.floats(-50.0, 900.0)), min_size=1, max_size=40)
stores = st.builds(
    Battery,
    capacity_j=st.floats(0.0, 1e11),
    charge_w=watts,
    discharge_w=watts,
    efficiency_in=st.floats(0.5, 1.0),
    efficiency_out=st.floats(0.5, 1.0),
    least=st.floats(0.0, 0.5),
    first=st.floats(0.5, 1.0),
)


def policy(number: int, signal: np.ndarray) -> Bounds:
    return (self_consumption(len(signal)), by_signal(signal, 100.0, 400.0), peak_shaving(len(signal), 2e6))[number]


@given(steps, stores, st.integers(0, 2), st.booleans())
@settings(max_examples=150)
def test_power_balances_and_the_battery_keeps_its_limits(
    rows: list[tuple[float, float, float, float]], store: Battery, number: int, export: bool
) -> None:
    demand, sun, span, signal = np.array(rows).T
    flows = dispatch(demand, sun, span, store, policy(number, signal), export=export)
    given_w = flows.import_w + sun + flows.discharge_w
    taken_w = demand + flows.charge_w + flows.export_w + flows.curtailed_w
    np.testing.assert_allclose(given_w, taken_w, rtol=1e-9, atol=1e-6)
    before = np.concatenate([[store.first * store.capacity_j], flows.stored_j[:-1]])
    moved_j = (flows.charge_w * store.efficiency_in - flows.discharge_w / store.efficiency_out) * span
    np.testing.assert_allclose(flows.stored_j, before + moved_j, rtol=1e-9, atol=1e-9 * max(store.capacity_j, 1.0))
    lost_j = battery.loss_w(flows, store) @ span
    rest_j = (flows.charge_w - flows.discharge_w) @ span - (flows.stored_j[-1] - before[0])
    assert lost_j == pytest.approx(rest_j, rel=1e-9, abs=1e-9 * max(store.capacity_j, float(given_w @ span), 1.0))
    assert (flows.stored_j >= store.least * store.capacity_j * (1 - 1e-12)).all()
    assert (flows.stored_j <= store.capacity_j).all()
    assert (flows.charge_w >= 0).all()
    assert (flows.charge_w <= store.charge_w).all()
    assert (flows.discharge_w >= 0).all()
    assert (flows.discharge_w <= store.discharge_w).all()
    assert not ((flows.charge_w > 0) & (flows.discharge_w > 0)).any()
    assert not ((flows.import_w > 0) & (flows.export_w + flows.curtailed_w > 0)).any()
    assert not ((flows.discharge_w > 0) & (flows.export_w > 1e-6)).any()


def building(demand_w: np.ndarray, span_s: np.ndarray) -> onsite.FacilitySeries:
    return evaluate(demand_w, span_s, Site(plant=ConstantPlant(pue=1.25)))


@given(steps, st.floats(0.0, 10.0), st.floats(-1.0, 1.0))
@settings(max_examples=50)
def test_cost_is_linear_in_price(rows: list[tuple[float, float, float, float]], times: float, price: float) -> None:
    demand, sun, span, signal = np.array(rows).T
    one, many = (
        onsite.apply(
            building(demand, span),
            sun,
            STORE,
            None,
            Tariff(signal, np.full(len(rows), factor * price), np.zeros(len(rows)), factor * 0.05),
        )[0].cost_usd
        for factor in (1.0, times)
    )
    np.testing.assert_allclose(many, times * one, rtol=1e-9, atol=1e-9)


def test_the_series_of_a_building_with_its_own_energy() -> None:
    series = building(np.array([4e3, 4e3]), np.array([HOUR, HOUR]))  # 5 kW each
    tariff = Tariff(np.array([400.0, 100.0]), np.array([0.2, -0.1]), np.array([2.0, 2.0]), 0.05)
    changed, own = onsite.apply(series, [8e3, 0.0], STORE, None, tariff)
    # hour 0: 3 kW into the battery; hour 1: 4 kW out (the limit), 1 kW from the grid
    assert own.flows.import_w.tolist() == pytest.approx([0.0, 1e3])
    assert changed.facility_w.tolist() == pytest.approx([5e3 + 300.0, 5e3 + 1e3])
    assert changed.carbon_g.tolist() == pytest.approx([0.0, 100.0])
    assert changed.cost_usd.tolist() == pytest.approx([0.0, -0.1])
    assert changed.source_l.tolist() == pytest.approx([0.0, 2.0])
    parts = changed.energy_j()
    assert parts["facility"] == pytest.approx(parts["it"] + parts["ups"] + parts["transformer"] + parts["plant"])
    assert parts["battery"] == pytest.approx(1.3 * KWH)


def test_a_year_of_five_minutes_is_quick() -> None:
    import time

    count = 105_120
    began = time.perf_counter()
    dispatch(np.full(count, 1e6), np.linspace(0, 2e6, count), np.full(count, 300.0), STORE)
    assert time.perf_counter() - began < 2.0
