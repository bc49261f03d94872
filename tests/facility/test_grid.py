"""Profiles of grids, fuel mixes, and the files that they are read from."""

from __future__ import annotations

import os
import runpy
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dcsim import catalog
from dcsim.errors import CatalogError, ScenarioError
from dcsim.facility import fuel, grid, series_file
from dcsim.facility.series_file import Layout, read, read_rows
from dcsim.facility.water import EWIF_L_PER_KWH

DATA = os.environ.get("DCSIM_DATA")
HOUR = 3600.0
SCRIPT = Path(__file__).parents[2] / "docs" / "scripts" / "derive_grid_profiles.py"
KNOWN = catalog.load()
COUNTRIES = [name for name in KNOWN.names("place") if not name.startswith("us-")]


# ---------------------------------------------------------------- month and hour


def test_month_and_hour_are_those_of_utc() -> None:
    first = datetime(2022, 3, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    months, hours = grid.month_and_hour([first, first + 1, first + 1 + HOUR])
    assert months.tolist() == [2, 3, 3]
    assert hours.tolist() == [23, 0, 1]


def test_means_by_hour_leave_missing_rows_out() -> None:
    start = datetime(2022, 1, 1, tzinfo=UTC).timestamp()
    values = np.full(48, 10.0)
    values[24], values[25] = 30.0, np.nan  # the second day's first two hours
    means = grid.means_by_hour(start + np.arange(48) * HOUR, values)
    assert means.shape == (12, 24)
    assert means[0, :3].tolist() == [20.0, 10.0, 10.0]
    assert np.isnan(means[1:]).all()


def test_a_profile_starts_in_the_middle_of_an_hour_of_any_zone() -> None:
    table = np.arange(288.0).reshape(12, 24)
    start = datetime(2022, 2, 1, 0, 45, tzinfo=timezone(timedelta(hours=1)))  # 31 January 23:45 UTC
    steps = grid.over_time(table, start, 2 * HOUR)
    assert steps.start_s.tolist() == [-2700.0, 900.0, 4500.0]
    assert steps.levels.tolist() == [23.0, 24.0, 25.0]
    assert steps.covers(0.0, 2 * HOUR)
    assert steps.means([0.0, 1800.0]).tolist() == [23.5]


def test_a_year_of_a_profile_has_the_mean_of_its_hours() -> None:
    table = KNOWN.get("pjm-2022", "grid").array("lifecycle_g_per_kwh")
    steps = grid.over_time(table, datetime(2022, 1, 1, tzinfo=UTC), 365 * 24 * HOUR)
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    assert steps.means([0.0, 365 * 24 * HOUR])[0] == pytest.approx(float(days @ table.mean(axis=1)) / 365)


@pytest.mark.parametrize("name", KNOWN.names("grid"))
def test_shipped_profiles_are_whole_and_direct_is_below_life_cycle(name: str) -> None:
    entry = KNOWN.get(name, "grid")
    lifecycle, direct, water = (entry.array(key) for key in fuel.FACTORS.values())
    for table in (lifecycle, direct, water):
        assert table.shape == (12, 24)
        assert (table >= 0).all()
    assert (direct < lifecycle).all()
    assert entry.quantity("lifecycle_g_per_kwh").grade == "derived"


def test_californian_noon_is_cleaner_than_its_evening() -> None:
    april = KNOWN.get("ciso-2022", "grid").array("lifecycle_g_per_kwh")[3]
    assert april[20] < 0.6 * april[4]  # 12:00 and 20:00 of Pacific standard time


def test_more_than_twenty_countries_with_a_year_and_a_source() -> None:
    published = [KNOWN.get(name).quantity("carbon_g_per_kwh") for name in COUNTRIES]
    assert len(published) >= 25
    assert all("202" in number.source for number in published)
    order = {name: KNOWN.get(name)["carbon_g_per_kwh"] for name in ("norway", "france", "united-kingdom", "poland")}
    assert list(order) == sorted(order, key=order.__getitem__)


# ---------------------------------------------------------------- mixes


def test_factors_of_the_catalog() -> None:
    assert fuel.factors(KNOWN, "lifecycle_g_per_kwh", ["fuel-coal", "fuel-wind"]) == {"fuel-coal": 820, "fuel-wind": 11}
    water = fuel.factors(KNOWN, "ewif_l_per_kwh")
    assert {name.removeprefix("fuel-"): value for name, value in water.items()} == pytest.approx(dict(EWIF_L_PER_KWH))
    for name in KNOWN.names("fuel"):
        entry = KNOWN.get(name, "fuel")
        assert entry["direct_g_per_kwh"] <= entry["lifecycle_g_per_kwh"]
    with pytest.raises(CatalogError, match="no fuel 'fuel-cole'; did you mean 'fuel-coal'"):
        fuel.factors(KNOWN, "lifecycle_g_per_kwh", ["fuel-cole"])


def test_a_mix_by_hand() -> None:
    mix = {"fuel-coal": [1.0, 0.0, 0.0], "fuel-wind": [3.0, 2.0, 0.0], "fuel-hydro": [0.0, -1.0, 0.0]}
    found = fuel.intensity(mix, fuel.factors(KNOWN, "lifecycle_g_per_kwh", list(mix)))
    assert found[:2].tolist() == pytest.approx([(820 + 33) / 4, 11.0])  # pumped storage that fills counts as 0
    assert np.isnan(found[2])


def test_columns_by_code_and_by_name() -> None:
    assert fuel.columns(KNOWN, ["WND", "col", "avg_CI"]) == {"fuel-coal": "col", "fuel-wind": "WND"}
    with pytest.raises(ScenarioError, match="columns COL, coal are all fuel-coal"):
        fuel.columns(KNOWN, ["COL", "coal"])
    with pytest.raises(ScenarioError, match="no column of a fuel among price"):
        fuel.columns(KNOWN, ["price"])


def test_rows_far_below_their_day_are_outliers() -> None:
    total = np.full(60, 100.0)
    total[[10, 40]], total[30] = (30.0, 45.0), np.nan
    found = np.flatnonzero(fuel.outliers(total)).tolist()
    assert found == [10]
    assert fuel.outliers([0.0]).tolist() == [True]


def mix_of(path: Path, layout: Layout = series_file.PLAIN) -> series_file.Steps:
    return read_rows(path, layout, partial(fuel.columns, KNOWN), partial(fuel.mix_values, KNOWN, "lifecycle_g_per_kwh"))


def test_a_mix_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mix.csv"
    rows = [f"1970-01-01T{hour:02}:00Z,100,{300 if hour != 5 else -90}" for hour in range(24)]
    rows[7] = "1970-01-01T07:00Z,3,0"
    path.write_text("\n".join(["utc,COL,WND", *rows]) + "\n")
    with pytest.raises(ScenarioError, match=r"no value between 1970-01-01T05:00:00Z and .*06:00:00Z.* 2 are missing"):
        mix_of(path)
    levels = mix_of(path, Layout(gaps="interpolate")).levels
    assert levels.tolist() == pytest.approx([(820 + 33) / 4] * 24)


# ---------------------------------------------------------------- clocks, units, bounds


def file(folder: Path, *lines: str) -> Path:
    path = folder / "series.csv"
    path.write_text("\n".join(["t,v", *lines]) + "\n")
    return path


def test_local_standard_time_by_an_explicit_option(tmp_path: Path) -> None:
    path = file(tmp_path, "1970-01-01 00:00,5", "1970-01-01 01:00,6", "1970-01-01T07:00Z,7")
    assert read(path, Layout(clock="UTC-05:00")).start_s.tolist() == [5 * HOUR, 6 * HOUR, 7 * HOUR]
    assert (
        read(file(tmp_path, "1970-01-01 00:00,5", "1970-01-01 01:00,6"), Layout(clock="UTC+5:30")).start_s[0] == -19800
    )


def test_summer_time_of_a_zone(tmp_path: Path) -> None:
    spring = file(tmp_path, *(f"2023-03-26 0{hour}:00,5" for hour in (0, 1, 3, 4)))
    assert np.diff(read(spring, Layout(clock="Europe/Berlin")).start_s).tolist() == [HOUR] * 3
    autumn = file(tmp_path, *(f"2023-10-29 0{hour}:00,5" for hour in (1, 2, 2, 3)))
    assert np.diff(read(autumn, Layout(clock="Europe/Berlin")).start_s).tolist() == [HOUR] * 3


@pytest.mark.parametrize(
    ("lines", "clock", "says"),
    [
        (
            ["2023-03-26 01:00,5", "2023-03-26 02:00,5"],
            "Europe/Berlin",
            "row 2, .* does not exist, clocks were put forward",
        ),
        (
            ["2023-10-29 02:00,5", "2023-10-29 03:00,5"],
            "Europe/Berlin",
            "comes twice when clocks are put back, but 1 times",
        ),
        (
            ["2023-10-29 02:00,5", "2023-10-29 03:00,5"],
            "Europe/Berlim",
            "'Europe/Berlim' is none; did you mean 'Europe/Ber",
        ),
        (["2023-10-29 02:00,5", "2023-10-29 03:00,5"], "UTC+25:00", "want UTC-14:00 to"),
        (["2023-10-29 02:00,5", "2023-10-29 03:00,5"], "", "clock '' is none"),
    ],
)
def test_bad_clocks(tmp_path: Path, lines: list[str], clock: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says) as error:
        read(file(tmp_path, *lines), Layout(clock=clock))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "keys", "meaning", "says"),
    [
        ((300.0, -1.0), {}, series_file.CARBON, r"row 2: found -1 g/kWh, want 0 to 3000 g/kWh$"),
        ((0.3, 0.4), {}, series_file.CARBON, "half of the values are below 0.35, odd for g/kWh; want `unit`: g/kWh"),
        ((300.0, 5000.0), {}, series_file.CARBON, "found 5000 g/kWh, want 0 to 3000"),
        (
            (60.0, 70.0),
            {},
            series_file.PRICE,
            "found 60 USD/kWh, want -25 to 25 USD/kWh; want `unit`: USD/kWh, USD",
        ),
        ((5.0, 6.0), {}, series_file.PRICE, "odd for USD/kWh"),
        ((5.0, 6.0), {"unit": "EUR/MWh"}, series_file.PRICE, "unit 'EUR/MWh' is none of USD/kWh, USD/MWh"),
        ((0.2, 1.2), {}, series_file.SHARE, "found 1.2 1, want 0 to 1"),
        ((20.0, 2000.0), {}, series_file.IRRADIANCE, "found 2000 W/m2, want 0 to 1500"),
    ],
)
def test_units_mixed_up(
    tmp_path: Path, values: tuple[float, float], keys: dict[str, str], meaning: series_file.Meaning, says: str
) -> None:
    path = file(tmp_path, f"1970-01-01T00Z,{values[0]}", f"1970-01-01T01Z,{values[1]}")
    with pytest.raises(ScenarioError, match=says):
        read(path, meaning=meaning, unit=keys.get("unit"))


def test_units_are_turned_and_negative_prices_kept(tmp_path: Path) -> None:
    path = file(tmp_path, "1970-01-01T00Z,-484", "1970-01-01T01Z,524")
    assert read(path, unit="USD/MWh", meaning=series_file.PRICE).levels.tolist() == [-0.484, 0.524]
    euros = read(path, unit="USD/MWh", factor=1.1, meaning=series_file.PRICE)
    assert euros.levels.tolist() == pytest.approx([-0.5324, 0.5764])
    path = file(tmp_path, "1970-01-01T00Z,0.3", "1970-01-01T01Z,0.4")
    assert read(path, unit="kg/kWh", meaning=series_file.CARBON).levels.tolist() == [300.0, 400.0]


# ---------------------------------------------------------------- public files

needs_data = pytest.mark.skipif(not DATA, reason="DCSIM_DATA is not set")


@needs_data
@pytest.mark.parametrize("area", ["AZPS", "BPAT", "CISO"])
def test_intensities_of_published_mixes(area: str) -> None:
    path = Path(DATA or "") / "data" / "grid" / f"{area}_2022_hourly.csv.gz"
    np.testing.assert_allclose(mix_of(path).levels, read(path, column="avg_CI").levels, atol=0.06)


@needs_data
def test_the_raw_mix_is_refused_and_mended_as_published() -> None:
    folder = Path(DATA or "") / "data" / "grid"
    raw = folder / "PJM_2022_hourly_raw_with_gaps.csv.gz"
    with pytest.raises(ScenarioError, match=r"2022-03-13T07:00:00Z and 2022-03-14T05:00:00Z.* 28 are missing"):
        mix_of(raw)
    mended, cleaned = mix_of(raw, Layout(gaps="interpolate")), mix_of(folder / "PJM_2022_hourly.csv.gz")
    np.testing.assert_array_equal(mended.start_s, cleaned.start_s)
    assert float(np.abs(mended.levels - cleaned.levels).max()) < 2.0  # columns there were mended one by one


@needs_data
def test_german_weather_labels_are_no_clock_time() -> None:
    path = Path(DATA or "") / "data" / "weather" / "Frankfurt_2023_hourly.csv.gz"
    with pytest.raises(ScenarioError, match=r"2023-03-26T02:00.* does not exist"):
        read(path, Layout(clock="Europe/Berlin"), column="temperature_2m")
    assert read(path, Layout(clock="UTC+01:00"), column="temperature_2m").end_s - 8760 * HOUR == pytest.approx(
        datetime(2022, 12, 31, 23, tzinfo=UTC).timestamp()
    )


@needs_data
def test_shipped_profiles_can_be_measured_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert runpy.run_path(str(SCRIPT))["main"]([]) == 0, capsys.readouterr().out
