"""Moist air by hand and against psychrolib."""

from __future__ import annotations

import time

import numpy as np
import psychrolib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.facility import psychrometrics as air

psychrolib.SetUnitSystem(psychrolib.SI)


def test_saturation_pressure_of_the_ashrae_tables() -> None:
    # Fundamentals 2017, table 3: kPa at -20, 0.01 (triple point), 25, 50 degC
    found = air.saturation_pressure_pa([-20.0, 0.01, 25.0, 50.0])
    np.testing.assert_allclose(found, [103.26, 611.7, 3169.2, 12350.0], rtol=2e-4)


def test_half_saturated_air_by_hand() -> None:
    # p_w = 1584.6 Pa; W = 0.621945 x 1584.6/(101325 - 1584.6); h = 1006 x 25 + W (2501e3 + 1860 x 25)
    ratio = air.humidity_ratio(25.0, 0.5)
    assert ratio == pytest.approx(0.009881, rel=1e-4)
    assert air.enthalpy_j_per_kg(25.0, ratio) == pytest.approx(50.32e3, rel=1e-3)
    assert air.dew_point_c(ratio) == pytest.approx(13.86, abs=0.02)
    assert air.wet_bulb_c(25.0, ratio) == pytest.approx(17.9, abs=0.05)
    assert air.vaporisation_j_per_kg(25.0) == pytest.approx(2441.9e3, rel=1e-4)


def test_against_psychrolib() -> None:
    rng = np.random.default_rng(3)
    t, rh, p = rng.uniform(-25, 50, 150), rng.uniform(0.02, 1.0, 150), rng.uniform(70e3, 105e3, 150)
    w = air.humidity_ratio(t, rh, p)
    found = {"wet": air.wet_bulb_c(t, w, p), "dew": air.dew_point_c(w, p), "w": w}
    for k in range(150):
        assert found["w"][k] == pytest.approx(psychrolib.GetHumRatioFromRelHum(t[k], rh[k], p[k]), rel=2e-4)
        wet = psychrolib.GetTWetBulbFromHumRatio(t[k], max(w[k], 1e-7), p[k])
        # around freezing the equations over ice and over water leave a gap
        near_ice = abs(wet) < 0.7
        assert found["wet"][k] == pytest.approx(wet, abs=0.7 if near_ice else 1e-3)
        if abs(found["dew"][k]) > 0.05:
            assert found["dew"][k] == pytest.approx(psychrolib.GetTDewPointFromHumRatio(t[k], w[k], p[k]), abs=5e-3)


@given(st.floats(-60, 60), st.floats(0.001, 1.0), st.floats(60e3, 105e3))
def test_wet_bulb_lies_between_dew_point_and_dry_bulb(t: float, rh: float, p: float) -> None:
    w = air.humidity_ratio(t, rh, p)
    wet, dew = air.wet_bulb_c(t, w, p), air.dew_point_c(w, p)
    assert wet <= t
    assert wet >= dew - 0.6  # the gap at freezing
    assert air.saturation_ratio(dew, p) == pytest.approx(float(w), rel=1e-6) or dew < -89.9


@given(st.floats(5, 45), st.floats(0.05, 1.0))
def test_wet_bulb_gives_the_humidity_back(t: float, rh: float) -> None:
    w = air.humidity_ratio(t, rh)
    wet = air.wet_bulb_c(t, w)
    if wet > 0.5:
        assert air.ratio_at_wet_bulb(np.array(t), wet, np.array(air.STANDARD_PA)) == pytest.approx(float(w), abs=2e-6)


def test_a_year_of_wet_bulbs_takes_milliseconds() -> None:
    rng = np.random.default_rng(1)
    t = rng.uniform(-10, 40, 8760)
    w = air.humidity_ratio(t, rng.uniform(0.1, 1.0, 8760))
    seconds = []
    for _ in range(3):
        start = time.process_time()
        air.wet_bulb_c(t, w)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.05
