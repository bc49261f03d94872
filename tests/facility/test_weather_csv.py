"""Hourly weather from CSV: columns, clocks, pressure, gaps, and every kind of bad file."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcsim.errors import ScenarioError, TraceError
from dcsim.facility import psychrometrics as air
from dcsim.facility.local_time import aligned, moment, zone
from dcsim.facility.weather import MAX_BYTES
from dcsim.facility.weather_csv import read_csv

HEADER = "time,temperature_2m,relative_humidity_2m"


@cache
def _times(first: str = "2023-01-01T00", hours: int = 8760) -> list[str]:
    return [f"{hour}:00" for hour in np.datetime64(first, "h") + np.arange(hours)]


def _rows(times: list[str] | None = None, cells: str = "{t:g},60") -> list[str]:
    """Rows whose temperature tells their number: 0.004 degC for each."""
    return [f"{time},{cells.format(t=0.004 * number)}" for number, time in enumerate(times or _times())]


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def made(rows: list[str], header: str = HEADER, end: str = "\n") -> Path:
        file = tmp_path / "weather.csv"
        file.write_text("\n".join([header, *rows]) + end, encoding="utf-8")
        return file

    return made


def test_a_year(write: Write) -> None:
    year = read_csv(write(_rows()), zone="+01:00", altitude_m=112, place="Here")
    assert (year.place, year.utc_offset_h, year.altitude_m) == ("Here", 1.0, 112)
    assert year.weather.dry_bulb_c == pytest.approx(0.004 * np.arange(8760))
    humid = air.humidity_ratio(year.weather.dry_bulb_c, 0.6, air.pressure_at_pa(112))
    assert year.weather.humidity_ratio == pytest.approx(humid)
    assert year.notes == ("no surface_pressure: pressure is 99987 Pa, from the altitude of 112 m",)


def test_gzip_is_the_same(write: Write, tmp_path: Path) -> None:
    plain = write(_rows())
    packed = tmp_path / "weather.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    one, other = read_csv(plain, zone="UTC"), read_csv(packed, zone="UTC")
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one.weather, other.weather, strict=True))


# ---------------------------------------------------------------- columns


def test_older_names_units_and_other_columns(write: Write) -> None:
    header = "time,cloudcover,temperature_2m (°C),relativehumidity_2m (%)"
    year = read_csv(write(_rows(cells="99,{t:g},60"), header), zone="UTC")
    assert year.weather.dry_bulb_c[-1] == pytest.approx(35.036)


def test_dew_point_and_wet_bulb_give_the_humidity(write: Write) -> None:
    """At 20 degC and 101325 Pa: dew point 12.007 degC or wet bulb 15.1 degC is about 60 % (ASHRAE chart)."""
    for column, value in (("dew_point_2m", 12.0), ("wet_bulb_temperature_2m", 15.17)):
        year = read_csv(write(_rows(cells=f"20,{value}"), f"time,temperature_2m,{column}"), zone="UTC")
        humid = air.saturation_pressure_pa(year.weather.dew_point_c) / air.saturation_pressure_pa(20.0)
        assert humid == pytest.approx(np.full(8760, 0.6), abs=0.01)


def test_surface_pressure_is_in_hpa(write: Write) -> None:
    year = read_csv(write(_rows(cells="{t:g},60,835.2"), HEADER + ",surface_pressure (hPa)"), zone="UTC")
    assert year.weather.pressure_pa == pytest.approx(np.full(8760, 83_520.0))
    assert year.altitude_m == pytest.approx(1600, abs=30)
    assert year.notes == ()


def test_sea_level_without_pressure_and_altitude_is_said(write: Write) -> None:
    year = read_csv(write(_rows()), zone="UTC")
    assert year.weather.pressure_pa[0] == 101_325.0
    assert "pressure is that of sea level, 101325 Pa" in year.notes[0]


# ---------------------------------------------------------------- clocks


def test_download_with_its_own_place_and_clock(write: Write) -> None:
    """A summer's download: its labels are two hours ahead of UTC all year."""
    header = (
        "latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation\n"
        f"50.1,8.7,112.0,7200,Europe/Berlin,GMT+2\n\n{HEADER}"
    )
    times = _times("2023-01-01T01")
    year = read_csv(write(_rows(times), header), zone="Europe/Berlin")
    assert (year.utc_offset_h, year.altitude_m) == (1.0, 112.0)
    assert year.weather.dry_bulb_c == pytest.approx(0.004 * np.arange(8760))


def _clock_times(place: str) -> list[str]:
    """What clocks of a place show at each hour of local standard time of 2023."""
    from datetime import UTC, datetime, timedelta
    from zoneinfo import ZoneInfo

    first = moment("2023-01-01T00:00", ZoneInfo(place))
    hours = [first + timedelta(hours=hour) for hour in range(8760)]
    assert isinstance(hours[0], datetime)
    assert hours[0].tzinfo is UTC
    return [f"{hour.astimezone(ZoneInfo(place)).replace(tzinfo=None).isoformat(timespec='minutes')}" for hour in hours]


@pytest.mark.parametrize("place", ["Europe/Berlin", "America/New_York"])
def test_clock_time_with_daylight_saving(write: Write, place: str) -> None:
    """Labels skip an hour in spring and show one twice in autumn; the hours are continuous."""
    times = _clock_times(place)
    assert len(set(times)) == 8759
    year = read_csv(write(_rows(times)), zone=place)
    assert year.weather.dry_bulb_c == pytest.approx(0.004 * np.arange(8760))


def test_southern_clock_time(write: Write) -> None:
    times = _clock_times("Australia/Sydney")  # begins in summer time: 31 December 23:00 standard time
    year = read_csv(write(_rows(times)), zone="Australia/Sydney")
    assert year.utc_offset_h == 10.0
    assert year.weather.dry_bulb_c == pytest.approx(0.004 * np.roll(np.arange(8760), -1))


def test_times_with_offsets(write: Write) -> None:
    times = _times()
    for suffix, offset_h in (("Z", 0.0), ("+01:00", 1.0), ("-0700", -7.0)):
        year = read_csv(write(_rows([f"{time}{suffix}" for time in times])))
        assert year.utc_offset_h == offset_h
        assert year.weather.dry_bulb_c[0] == 0.0


def test_utc_times_and_local_zone_roll_the_year(write: Write) -> None:
    year = read_csv(write(_rows([f"{time}Z" for time in _times()])), zone="-08:00")
    assert year.utc_offset_h == -8.0
    assert year.weather.dry_bulb_c[0] == pytest.approx(0.004 * 8)  # local midnight is 08:00 UTC
    run = aligned(year, moment("2023-01-01T00:00", zone("UTC")), [0.0, 3600.0])
    assert run.dry_bulb_c == pytest.approx([0.0])


def test_year_from_july_with_29_february(write: Write) -> None:
    year = read_csv(write(_rows(_times("2023-07-01T00", 8784))), zone="UTC")
    assert len(year.weather.dry_bulb_c) == 8784
    assert year.weather.dry_bulb_c[0] == pytest.approx(0.004 * 184 * 24)
    run = aligned(year, moment("2024-02-29T00:00", zone("UTC")), [0.0, 3600.0])
    assert run.dry_bulb_c == pytest.approx([0.004 * (184 + 59) * 24])


# ---------------------------------------------------------------- gaps


def test_short_gaps_are_closed_and_named(write: Write) -> None:
    rows = _rows()
    rows[100] = f"{_times()[100]},,60"
    rows[101] = f"{_times()[101]},999,nan"
    del rows[3000:3004]
    year = read_csv(write(rows), zone="UTC")
    assert year.weather.dry_bulb_c == pytest.approx(0.004 * np.arange(8760))
    assert year.notes[0] == "hours of the year without a row: 4"
    assert year.notes[1] == "temperature_2m: 6 missing hours in 2 gaps closed by straight lines"
    assert year.notes[2] == "relative_humidity_2m: 5 missing hours in 2 gaps closed by straight lines"


def test_gap_around_the_turn_of_the_year(write: Write) -> None:
    rows = [f"{time},20,60" for time in _times()[2:-3]]
    year = read_csv(write(rows), zone="UTC")
    assert year.weather.dry_bulb_c == pytest.approx(np.full(8760, 20.0))


def test_the_label_that_clocks_show_twice_is_there_once(write: Write) -> None:
    times = _clock_times("Europe/Berlin")
    rows = _rows(times)
    del rows[times.index("2023-10-29T02:00") + 1]
    year = read_csv(write(rows), zone="Europe/Berlin")
    assert year.weather.dry_bulb_c == pytest.approx(0.004 * np.arange(8760))
    assert year.notes[0] == "hours of the year without a row: 1"


# ---------------------------------------------------------------- bad files


def _fails(file: Path, **options: Any) -> str:
    with pytest.raises((TraceError, ScenarioError)) as error:
        read_csv(file, **({"zone": "UTC"} | options))
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def _with(row: int, cells: str) -> list[str]:
    rows = _rows()
    rows[row] = f"{_times()[row]},{cells}"
    return rows


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("95,60", "line 12: temperature_2m is 95; allowed -90 to 60 °C; is it in Fahrenheit? (1 such hours)"),
        ("293.1,60", "line 12: temperature_2m is 293.1; allowed -90 to 60 °C; is it in kelvin?"),
        ("20,104", "line 12: relative_humidity_2m is 104; allowed 0 to 100 %"),
        ("20,-3", "line 12: relative_humidity_2m is -3; allowed 0 to 100 %"),
        ("warm,60", "line 12: temperature_2m is 'warm'; want a number"),
        ("inf,60", "line 12: temperature_2m is inf; allowed -90 to 60"),
    ],
)
def test_bad_value(write: Write, cells: str, message: str) -> None:
    assert message in _fails(write(_with(10, cells)))


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ("2023-13-01T00:00", "line 12: time is '2023-13-01T00:00'; want a date and time"),
        ("0001-01-01T00:00", "line 12: time is '0001-01-01T00:00'; want a date and time"),
        ("1672531200", "line 12: time is '1672531200'; want a date and time such as 2023-01-01T00:00"),
        ("", "line 12: time is 'nan'; want a date and time"),
        ("2023-01-01T09:00", "line 12: hour 2023-01-01T09:00 is there twice or out of order"),
        ("2023-01-01T10:30", "line 12: 2023-01-01T10:30 is not on the hour of local standard time"),
        ("2023-01-01T10:00Z", "line 12: 2023-01-01T10:00Z is with offset to UTC, unlike the first row"),
    ],
)
def test_bad_time(write: Write, time: str, message: str) -> None:
    rows = _rows()
    rows[10] = f"{time},20,60"
    assert message in _fails(write(rows))


def test_time_that_clocks_skip(write: Write) -> None:
    text = _fails(write(_rows()), zone="Europe/Berlin")
    assert "2023-03-26T02:00 does not exist in Europe/Berlin, where clocks go forward" in text
    assert "give that, such as +01:00" in text


def test_no_zone(write: Write) -> None:
    assert "the file names no zone; give one, such as Europe/Berlin" in _fails(write(_rows()), zone=None)


def test_unknown_zone(write: Write) -> None:
    assert "did you mean 'Europe/Berlin'?" in _fails(write(_rows()), zone="Europe/Berln")


def test_humidity_from_0_to_1(write: Write) -> None:
    assert "relative_humidity_2m is at most 0.6; want percent, 0 to 100" in _fails(write(_rows(cells="{t:g},0.6")))


def test_fahrenheit_named_by_the_header(write: Write) -> None:
    text = _fails(write(_rows(), "time,temperature_2m (°F),relative_humidity_2m (%)"))
    assert "temperature_2m is in °F; want °C" in text


@pytest.mark.parametrize(("column", "what"), [("dew_point_2m", "dew point"), ("wet_bulb_temperature_2m", "wet bulb")])
def test_wet_above_dry(write: Write, column: str, what: str) -> None:
    rows = _rows(cells="20,60,10")
    rows[10] = f"{_times()[10]},20,60,22.5"
    assert f"line 12: {what} 22.5 degC above dry bulb 20 degC (1 such hours)" in _fails(
        write(rows, f"{HEADER},{column}")
    )


def test_pressure_in_pa(write: Write) -> None:
    text = _fails(write(_rows(cells="{t:g},60,101325"), f"{HEADER},surface_pressure"))
    assert "surface_pressure is 101325; allowed 310 to 1200 hPa; is it in Pa?" in text


def test_gap_too_long(write: Write) -> None:
    rows = _rows()
    del rows[100:107]
    assert "temperature_2m is missing for 7 hours from hour 101 of the year; allowed are gaps of up to 6 h" in _fails(
        write(rows)
    )


def test_column_without_a_value(write: Write) -> None:
    assert "temperature_2m has no value in any row" in _fails(write(_rows(cells="999,60")))
    assert "relative_humidity_2m has no value in any row" in _fails(write(_rows(cells="20,")))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (_rows()[:5000], "rows span 5000 hours; want 8760, one year"),
        (_rows(_times("2024-01-01T00", 8760)), None),
        (_rows(_times("2024-01-01T00", 8700)), "rows span 8700 hours; want 8784, one year"),
        (_rows(_times(hours=8784)), "rows span 8784 hours; want 8760, one year"),
        (_rows(_times(hours=9000)), "more than 8784 rows; want the hours of one year"),
        ([], "no rows under the header"),
    ],
)
def test_not_a_year(write: Write, rows: list[str], message: str | None) -> None:
    text = _fails(write(rows))
    assert (message or "rows span 8760 hours; want 8784, one year") in text


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("date,temperature_2m,relative_humidity_2m", "line 1: no column time; found date, temperature_2m"),
        ("time,temperature,relative_humidity_2m", "no column temperature_2m; found time, temperature, relative"),
        ("time,temperature_2m,cloudcover", "no column relative_humidity_2m or dew_point_2m or wet_bulb_temperature_2m"),
        ("time,temperature_2m", "rows have more cells than the header on line 1"),
        ("time;temperature_2m;relative_humidity_2m", "line 1"),
    ],
)
def test_wrong_columns(write: Write, header: str, message: str) -> None:
    assert message in _fails(write(_rows(), header))


def test_empty(tmp_path: Path) -> None:
    file = tmp_path / "weather.csv"
    for text in ("", "\n\n"):
        file.write_text(text, encoding="utf-8")
        assert "the file is empty" in _fails(file)


def test_missing_file(tmp_path: Path) -> None:
    assert "cannot read the weather file: No such file" in _fails(tmp_path / "none.csv")


def test_not_text(tmp_path: Path) -> None:
    file = tmp_path / "weather.csv"
    file.write_bytes(bytes(range(256)) * 50)
    assert "weather.csv" in _fails(file)


@pytest.mark.parametrize("kept", [3, 200, -20])
def test_truncated_gzip(write: Write, tmp_path: Path, kept: int) -> None:
    packed = gzip.compress(write(_rows()).read_bytes())
    file = tmp_path / "weather.csv.gz"
    file.write_bytes(packed[:kept])
    assert "it is a damaged gzip file" in _fails(file)


def test_too_large_when_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "weather.csv.gz"
    file.write_bytes(gzip.compress(b"0" * (MAX_BYTES + 1)))
    assert f"may have at most {MAX_BYTES} bytes" in _fails(file)


def test_altitude_out_of_range(write: Write) -> None:
    assert "altitude is 12000 m; allowed -500 to 9000 m" in _fails(write(_rows()), altitude_m=12_000)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("50.1,8.7,112.0,x,Europe/Berlin,GMT", "line 2: utc_offset_seconds is 'x'; allowed -43200 to 50400"),
        ("50.1,8.7,99999,0,GMT,GMT", "line 2: elevation is '99999'; allowed -500 to 9000"),
    ],
)
def test_bad_first_lines(write: Write, told: str, message: str) -> None:
    names = "latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation"
    assert message in _fails(write(_rows(), f"{names}\n{told}\n\n{HEADER}"))


# ---------------------------------------------------------------- the file of Frankfurt


def test_frankfurt() -> None:
    if not os.environ.get("DCSIM_DATA"):
        pytest.skip("DCSIM_DATA is not set")
    file = Path(os.environ["DCSIM_DATA"]) / "data" / "weather" / "Frankfurt_2023_hourly.csv.gz"
    year = read_csv(file, zone="+01:00")
    assert year.weather.dry_bulb_c.mean() == pytest.approx(12.088, abs=1e-3)
    assert "2023-03-26T02:00 does not exist in Europe/Berlin" in _fails(file, zone="Europe/Berlin")
