"""Built-in climates: the statistics, the draw, and the draw against the full weather files."""

from __future__ import annotations

import importlib.util
import os
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import catalog, seeds
from dcsim.errors import CatalogError
from dcsim.facility import climates
from dcsim.facility import psychrometrics as air
from dcsim.facility.climates import MONTH_OF_HOUR, Climate, typical_year
from dcsim.facility.weather import Weather, WeatherYear

NAMES = climates.names()
MEASURED = ("climate-chicago", "climate-frankfurt", "climate-leesburg", "climate-phoenix", "climate-seattle")


@cache
def _year(name: str, seed: int = 1) -> WeatherYear:
    return typical_year(climates.load(name), seeds.generator(seed, 0, "weather"))


def test_there_are_eight() -> None:
    assert len(NAMES) == 8
    assert set(MEASURED) < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_drawn_year_is_whole_and_possible(name: str) -> None:
    year = _year(name)
    t, wet, dew, ratio, pressure = year.weather
    assert all(column.shape == (8760,) and np.isfinite(column).all() for column in year.weather)
    assert ((dew <= t) & (wet <= t + 1e-9) & (dew <= wet + 0.6)).all()  # 0.6: gap between ice and water
    assert ((ratio > 0.0) & (pressure == pressure[0])).all()
    assert -40.0 < t.min() < t.max() < 52.0
    assert wet.max() < 34.0
    assert name in year.notes[0]


@pytest.mark.parametrize("name", NAMES)
def test_mean_and_spread_by_month_and_hour(name: str) -> None:
    """Of an hour's mean within three standard errors; days that persist with 0.7 count as 1 in (1 + 0.7)/(1 - 0.7)."""
    climate = climates.load(name)
    t = _year(name).weather.dry_bulb_c
    for month in range(12):
        hours = t[month == MONTH_OF_HOUR].reshape(-1, 24)
        spread = climate.dry_bulb.spread[month]
        off = hours.mean(axis=0) - climate.dry_bulb.mean[month]
        assert np.abs(off / spread).max() < 3.0 * np.sqrt((1.7 / 0.3) / len(hours))
        assert abs(hours.mean() - climate.dry_bulb.mean[month].mean()) < 0.25 * spread.mean()
        assert hours.std() == pytest.approx(
            np.sqrt(climate.dry_bulb.mean[month].std() ** 2 + (spread**2).mean()), rel=0.15
        )


def test_same_seed_same_bytes_and_other_seed_other_weather() -> None:
    first, other = _year("climate-seattle"), _year("climate-seattle", seed=2)
    again = typical_year(climates.load("climate-seattle"), seeds.generator(1, 0, "weather"))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first.weather, again.weather, strict=True))
    assert np.abs(first.weather.dry_bulb_c - other.weather.dry_bulb_c).mean() > 1.0
    assert first.weather.dry_bulb_c.mean() == pytest.approx(other.weather.dry_bulb_c.mean(), abs=0.15)


@pytest.mark.parametrize("name", MEASURED)
def test_dew_points_have_the_months_quantiles(name: str) -> None:
    climate, dew = climates.load(name), _year(name).weather.dew_point_c
    assert climate.dew_point_c is not None
    for month in range(12):
        found, wanted = np.median(dew[month == MONTH_OF_HOUR]), climate.dew_point_c[month]
        assert wanted[6] <= found <= wanted[7] + 0.1  # saturation may lower a dew point, never raise it
        assert dew[month == MONTH_OF_HOUR].max() <= wanted[-1]


def test_days_persist_as_they_should() -> None:
    """The correlation of daily means of the anomalies with the next day's is near that of the process."""
    climate = climates.load("climate-frankfurt")
    found = []
    for seed in range(8):
        anomaly = _year("climate-frankfurt", seed).weather.dry_bulb_c - climates._at_hours(climate.dry_bulb.mean)
        days = anomaly.reshape(365, 24).mean(axis=1)
        found.append(np.corrcoef(days[:-1], days[1:])[0, 1])
    assert np.mean(found) == pytest.approx(climate.dry_bulb.day_persistence, abs=0.08)


def test_year_runs_on_into_itself() -> None:
    steps = np.abs(np.diff(_year("climate-chicago").weather.dry_bulb_c))
    across = [
        abs(year.weather.dry_bulb_c[-1] - year.weather.dry_bulb_c[0])
        for year in (_year("climate-chicago", seed) for seed in range(6))
    ]
    assert np.mean(across) < 5 * steps.mean()


def test_persistent_noise_is_a_circular_ar1() -> None:
    noise = np.array([1.0, 0.0, 0.0, 0.0])
    whole = 1.0 - 0.5**4
    assert climates._persistent(noise, 0.5) == pytest.approx(np.array([1.0, 0.5, 0.25, 0.125]) / whole)


def test_between_days_at_noon_is_the_days_value() -> None:
    hours = climates.between_days(np.array([0.0, 24.0]))
    assert hours[[11, 12, 35]] == pytest.approx([0.5, 0.5, 23.5])
    assert hours[[0, -1]] == pytest.approx([11.5, 12.5])  # half an hour after and before midnight, between two noons


@given(st.lists(st.floats(-5, 5), min_size=12, max_size=12), st.integers(0, 2**31))
@settings(max_examples=5)
def test_ranks_give_each_month_its_quantiles(shift: list[float], seed: int) -> None:
    quantiles = np.sort(np.random.default_rng(seed).normal(size=(12, 15)), axis=1) + np.array(shift)[:, None]
    found = climates._by_rank(np.random.default_rng(seed + 1).normal(size=8760), quantiles)
    for month in range(12):
        at = found[month == MONTH_OF_HOUR]
        assert ((at >= quantiles[month, 0]) & (at <= quantiles[month, -1])).all()
        assert np.median(at) == pytest.approx(quantiles[month, 7], abs=0.02 + np.ptp(quantiles[month]) / 50)


def test_pressure_is_that_of_the_altitude() -> None:
    year = _year("climate-phoenix")
    assert year.weather.pressure_pa[0] == pytest.approx(97_337, abs=1)  # by hand: 101325 (1 - 2.25577e-5 337.4)^5.2559
    assert float(air.altitude_at_m(air.pressure_at_pa(337.4))) == pytest.approx(337.4)


def test_normals_have_their_range_and_humidity() -> None:
    climate = climates.load("climate-singapore")
    april = climate.dry_bulb.mean[3]
    assert (april.min(), april.max()) == pytest.approx((25.3, 32.4))
    dew = climate.dry_bulb.mean - climate.depression.mean
    humid = air.saturation_pressure_pa(dew) / air.saturation_pressure_pa(climate.dry_bulb.mean)
    assert humid.mean(axis=1) == pytest.approx(
        catalog.load().get("climate-singapore").array("relative_humidity"), abs=1e-3
    )
    assert np.ptp(dew[:10], axis=1) == pytest.approx(np.zeros(10), abs=1e-6)  # later, nights are saturated


# ---------------------------------------------------------------- bad entries


def _changed(tmp_path: Path, old: str, new: str) -> Climate:
    """The climate of Singapore under another name, with `old` replaced by `new` and without bands."""
    text = (Path(catalog.__file__).parent / "data" / "climates.yaml").read_text(encoding="utf-8")
    entry = text[text.index("climate-singapore:") : text.index("climate-stockholm:")]
    entry = re.sub(r"low: [^,]*, high: [^,]*, grade: recalled", "grade: recalled", entry)
    assert old in entry
    file = tmp_path / "climate.yaml"
    file.write_text(entry.replace("climate-singapore", "mine").replace(old, new), encoding="utf-8")
    return climates.load("mine", catalog.load([file]))


def test_own_climate_of_monthly_normals(tmp_path: Path) -> None:
    assert _changed(tmp_path, "value: 7,", "value: 2000,").altitude_m == 2000.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("30.6, 31.5,", "30.6,", "daily_high_c has shape (11,); want (12,)"),
        ("[30.6,", "[86.6,", "daily_high_c holds 86.6; allowed -90 to 60"),
        ("[30.6,", "[20.6,", "daily_low_c is above daily_high_c in month 1"),
        ("[0.83, 0.81,", "[83, 0.81,", "relative_humidity holds 83; allowed 0.01 to 1"),
        ("value: 8, unit: h", "value: 19, unit: h", "utc_offset_h holds 19; allowed -12 to 14"),
        ("dry_bulb_day_share", "dry_bulb_share", "has no number 'dry_bulb_day_share'"),
    ],
)
def test_bad_climate(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(CatalogError) as error:
        _changed(tmp_path, old, new)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_climate() -> None:
    with pytest.raises(CatalogError, match=r"no climate 'climate-seatle'; did you mean 'climate-seattle'\?"):
        climates.load("climate-seatle")


def test_falling_quantiles() -> None:
    entry = catalog.load().get("climate-seattle")

    class Falling:
        name = "mine"

        def array(self, key: str) -> np.ndarray:
            return entry.array(key)[:, ::-1]

    with pytest.raises(CatalogError, match="mine: dew_point_c falls within a month"):
        climates._quantiles(Falling(), "dew_point_c", -90.0, 45.0)  # type: ignore[arg-type]


# ---------------------------------------------------------------- against the full files


@cache
def _script() -> ModuleType:
    path = Path(__file__).parents[2] / "docs" / "scripts" / "derive_climates.py"
    spec = importlib.util.spec_from_file_location("derive_climates", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    if not os.environ.get("DCSIM_DATA"):
        pytest.skip("DCSIM_DATA is not set")
    return _script()


@cache
def _full(name: str) -> Weather:
    year: WeatherYear = _script().read(name, Path(os.environ["DCSIM_DATA"]) / "data" / "weather")
    return year.weather


@pytest.mark.parametrize("name", MEASURED)
def test_tables_are_those_of_the_file(script: ModuleType, name: str) -> None:
    entry = catalog.load().get(name)
    for key, values in script.tables(_full(name)).items():
        rounding = 0.051 if key in script._UNITS else 0.0051
        assert np.abs(entry.array(key) - values).max() <= rounding, key


@pytest.mark.parametrize("name", MEASURED)
def test_drawn_year_against_the_file(script: ModuleType, name: str) -> None:
    """Dry bulb and wet bulb at 10, 50 and 90 % within 0.6 K and at 1 and 99 % within 1.2 K; hours above limits."""
    full, drawn = _full(name), _year(name).weather
    wanted, found = script.quantiles(full), script.quantiles(drawn)
    for what in wanted:
        assert np.abs(found[what] - wanted[what])[[1, 2, 3]].max() < 0.6, what
        assert np.abs(found[what] - wanted[what])[[0, 4]].max() < 1.2, what
    for label, hours in script.hours_above(full).items():
        assert abs(script.hours_above(drawn)[label] - hours) < 0.05 * hours + 90, label


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("preset", ["hyperscale", "colo", "small"])
def test_annual_pue_and_wue_against_the_file(script: ModuleType, name: str, preset: str) -> None:
    full, drawn = _full(name), _year(name).weather
    for kind in ("water-economizer", "air-economizer", "air-chiller", "liquid-dry"):
        pue, wue = script.annual(kind, preset, full)
        found_pue, found_wue = script.annual(kind, preset, drawn)
        assert found_pue == pytest.approx(pue, abs=0.004), kind
        assert found_wue == pytest.approx(wue, abs=0.04), kind
