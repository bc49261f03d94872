"""Towers, dry coolers and economizers, by hand."""

from __future__ import annotations

import numpy as np
import psychrolib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.errors import ScenarioError
from dcsim.facility import drycooler, economizer, tower
from dcsim.facility.weather import Weather, outdoor

psychrolib.SetUnitSystem(psychrolib.SI)
MILD = outdoor([20.0], relative_humidity=0.5)


def test_leaving_water() -> None:
    np.testing.assert_allclose(tower.leaving_c([20.0, 5.0], 0.5, 3.0, 2.0, 13.0), [24.0, 13.0])


def test_evaporation_by_three_methods() -> None:
    found = tower.evaporation([1e6], [0.8e6], [22.0], 5.6, 6.0, MILD)
    # all latent at 24.8 degC: 2500.5 - 2.3097 x 24.8 - 0.0013 x 24.8^2 = 2442.42 kJ/kg
    assert found.all_latent == pytest.approx([1e6 / 2442.42e3], rel=1e-5)
    # air leaves saturated at 24.8 degC, by psychrolib
    w_in, w_out = psychrolib.GetHumRatioFromRelHum(20.0, 0.5, 101325), psychrolib.GetSatHumRatio(24.8, 101325)
    gain = psychrolib.GetMoistAirEnthalpy(24.8, w_out) - psychrolib.GetMoistAirEnthalpy(20.0, w_in)
    assert found.saturated_exit == pytest.approx([1e6 / gain * (w_out - w_in)], rel=1e-3)
    assert found.low <= found.chosen("all-latent") <= found.high


def test_ren_by_hand() -> None:
    # wet bulb 15 degC = 59 degF: 12.32274 - 34.81 + 35.99 - 10.4 = 3.10274; withdrawn at 6 cycles: 3.7233 L/kWh
    weather = outdoor([15.0], relative_humidity=1.0)
    litres = tower.evaporation([1e6], [3.6e6], [20.0], 5.6, 6.0, weather).ren
    assert litres == pytest.approx([3.10274], rel=1e-4)
    withdrawn = litres + tower.blowdown_kg_per_s(litres, 0.0, 6.0)
    assert withdrawn == pytest.approx([3.7233], rel=1e-4)
    frost = outdoor([-25.0], relative_humidity=0.9)
    assert tower.evaporation([1e6], [3.6e6], [20.0], 5.6, 6.0, frost).ren == pytest.approx([0.05 * 5 / 6])


def test_drift_and_blowdown() -> None:
    # 1 MW over 5.6 K: 42.68 kg/s circulate
    assert tower.drift_kg_per_s(1e6, 5.6, 2e-5) == pytest.approx(42.68 * 2e-5, rel=1e-3)
    np.testing.assert_allclose(tower.blowdown_kg_per_s([4.0, 0.1], 0.2, 5.0), [0.8, 0.0])
    with pytest.raises(ScenarioError, match="cycles of concentration are 1; allowed above 1"):
        tower.blowdown_kg_per_s(1.0, 0.0, 1.0)
    with pytest.raises(ScenarioError, match="evaporation is 'dry'; allowed"):
        tower.evaporation([1.0], [1.0], [20.0], 5.0, 5.0, MILD).chosen("dry")


@given(st.floats(-20, 45), st.floats(0.05, 1.0), st.floats(0.5, 8.0))
def test_evaporation_is_positive_and_bounded(t: float, rh: float, approach: float) -> None:
    weather = outdoor([t], relative_humidity=rh)
    leaving = np.maximum(weather.wet_bulb_c + approach, 13.0)
    found = tower.evaporation([1e6], [1e6], leaving, 5.6, 5.0, weather)
    assert (np.array(found) >= 0.0).all()
    assert found.low <= found.high


# ---------------------------------------------------------------- economizers


def test_waterside_share() -> None:
    # supply 18, return 24, approach 1.5: nothing at 22.5, all at 16.5, half at 19.5
    found = economizer.waterside_share([25.0, 22.5, 19.5, 16.5, 5.0], 18.0, 24.0, 1.5)
    np.testing.assert_allclose(found, [0, 0, 0.5, 1, 1])


def airside(weather: Weather, **changes: float) -> economizer.Airside:
    keys = {"supply_c": 24.0, "mix_below_k": 6.0, "air_rise_k": 12.0, "effectiveness": 0.85}
    keys |= {"dew_point_max_c": 15.0, "dew_point_min_c": -9.0}
    return economizer.airside(weather, **(keys | changes))


def test_airside_by_hand() -> None:
    # -10, 10, 20, 30 degC and dry: mixed to 18 with return air of 30, open to 20, cooled by 6 K of 0.85 x (30 - T_wb)
    found = airside(outdoor([-10.0, 10.0, 20.0, 30.0], relative_humidity=[0.5, 0.5, 0.5, 0.15]))
    assert found.open.tolist() == [True] * 4
    np.testing.assert_allclose(found.supply_c, [18.0, 18.0, 20.0, 24.0])
    np.testing.assert_allclose(found.outdoor_share, [12 / 40, 12 / 20, 1.0, 1.0])
    np.testing.assert_allclose(found.cooled_k, [0.0, 0.0, 0.0, 6.0])
    assert found.humidified[0] > 0.0
    assert (found.humidified[1:] == 0.0).all()


def test_dew_point_lock_out() -> None:
    humid, moist, hot = outdoor([22.0], relative_humidity=0.8), outdoor([34.0], relative_humidity=0.25), [45.0]
    assert not airside(humid).open[0]  # dew point 18.4 degC
    assert airside(humid, dew_point_max_c=21.0).open[0]
    # outdoor dew point 11.2 degC, but 10 K of the stage would raise it to 17.4
    assert not airside(moist).open[0]
    assert moist.dew_point_c[0] < 15.0
    assert airside(moist, dew_point_max_c=21.0).open[0]
    dry = outdoor(hot, relative_humidity=0.25)
    assert not airside(dry, dew_point_max_c=24.0).open[0]  # 45 degC cannot be brought down to 24


# ---------------------------------------------------------------- dry cooler


def dry(heat_w: float, t: float, rh: float = 0.3, **changes: float) -> drycooler.Dry:
    keys = {"design_w": 1e6, "set_point_c": 36.0, "approach_k": 8.0, "fan_share": 0.018}
    keys |= {"air_rise_k": 8.0, "assist": 0.7}
    return drycooler.reject([heat_w], outdoor([t], relative_humidity=rh), **(keys | changes))


def test_dry_cooler_by_hand() -> None:
    # half load at 20 degC: s = 8 x 0.5/16 = 0.25
    found = dry(0.5e6, 20.0)
    assert found.fan_w == pytest.approx([18e3 * 0.25**3])
    assert (found.evaporated[0], found.leaving_c[0]) == (0.0, 36.0)


def test_dry_cooler_wets_its_air_only_as_much_as_it_needs() -> None:
    # full load at 30 degC needs inlet air of 28: 2 K, at full flow of 1e6/(1010 x 8) kg/s
    found = dry(1e6, 30.0)
    assert found.fan_w == pytest.approx([18e3])
    assert found.evaporated == pytest.approx([1e6 / (1010 * 8) * 1010 * 2 / 2.45e6])
    assert found.leaving_c[0] == pytest.approx(36.0)


def test_dry_cooler_shows_a_missed_set_point() -> None:
    found = dry(1e6, 40.0, assist=0.0)
    assert found.leaving_c == pytest.approx([48.0])
    assert dry(0.0, 40.0, assist=0.0).leaving_c == pytest.approx([36.0])
    assert dry(0.0, 40.0).fan_w[0] == 0.0


@given(st.floats(0, 1.2), st.floats(0, 1.2), st.floats(-20, 50), st.floats(0.05, 1.0))
def test_dry_cooler_is_monotone(a: float, b: float, t: float, rh: float) -> None:
    low, high = (dry(x * 1e6, t, rh) for x in sorted((a, b)))
    assert low.fan_w[0] <= high.fan_w[0] + 1e-9
    assert low.evaporated[0] <= high.evaporated[0] + 1e-12
    assert low.leaving_c[0] <= high.leaving_c[0] + 1e-9
