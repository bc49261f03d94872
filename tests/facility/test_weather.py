"""EPW files, good and bad, and weather from arrays."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dcsim.errors import ScenarioError, TraceError
from dcsim.facility import psychrometrics as air
from dcsim.facility.weather import outdoor, read_epw

DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
Rows = list[list[str]]


def year(leap: bool = False) -> Rows:
    """Rows of a plain year: 10 degC plus the hour, 50 %, 100 kPa."""
    rows = []
    for month, days in enumerate(DAYS, start=1):
        for day in range(1, days + 1 + (leap and month == 2)):
            for hour in range(1, 25):
                dry = 10.0 + hour
                dew = float(air.dew_point_c(air.humidity_ratio(dry, 0.5, 100e3), 100e3))
                row = ["2021", str(month), str(day), str(hour), "0", "?9", f"{dry}", f"{dew:.1f}", "50", "100000"]
                rows.append([*row, "0"])
    return rows


@pytest.fixture(scope="session")
def plain() -> Rows:
    return year()


@pytest.fixture
def epw(tmp_path: Path, plain: Rows) -> Callable[..., Path]:
    """Write a file: `epw(changes={row: {column: text}}, drop=[rows])`."""

    def write(
        changes: dict[int, dict[int, str]] | None = None,
        drop: list[int] | None = None,
        first: str = "LOCATION,Testville,XX,YYY,src,1,33.4,-112.0,-7.0,337.4",
        rows: Rows | None = None,
    ) -> Path:
        lines = [list(row) for row in (rows or plain)]
        for at, columns in (changes or {}).items():
            for column, text in columns.items():
                lines[at][column] = text
        kept = [",".join(row) for at, row in enumerate(lines) if at not in (drop or [])]
        path = tmp_path / "a.epw"
        path.write_text("\n".join([first, *["HEADER"] * 7, *kept]) + "\n")
        return path

    return write


def test_hours_end_at_the_hour_they_name(epw: Callable[..., Path]) -> None:
    found = read_epw(epw())
    assert (found.place, found.utc_offset_h, found.altitude_m, found.notes) == ("Testville", -7.0, 337.4, ())
    # the first row is 00:00 to 01:00 on 1 January, local standard time
    assert found.weather.dry_bulb_c[:3].tolist() == [11.0, 12.0, 13.0]
    assert found.weather.humidity_ratio[0] == pytest.approx(float(air.humidity_ratio(11.0, 0.5, 1e5)))
    at = found.over([0.0, 1800.0, 7200.0, 366 * 86400.0]).dry_bulb_c
    assert at[:2].tolist() == pytest.approx([11.0, (0.5 * 11 + 12) / 1.5])  # and it repeats after a year


def test_leap_year_and_gzip(epw: Callable[..., Path], tmp_path: Path) -> None:
    path = epw(rows=year(leap=True))
    assert len(read_epw(path).weather.dry_bulb_c) == 8784
    packed = tmp_path / "b.epw.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert len(read_epw(packed).weather.dry_bulb_c) == 8784


def test_short_gaps_are_closed_and_named(epw: Callable[..., Path]) -> None:
    found = read_epw(epw({1: {6: "99.9"}, 2: {6: "99.9"}, 8759: {9: "999999"}}))
    assert found.weather.dry_bulb_c[:4] == pytest.approx([11.0, 12.0, 13.0, 14.0])
    assert found.weather.pressure_pa[-1] == 100e3
    assert found.notes[0].startswith(
        "dry_bulb_c: 2 missing hours in 1 gaps closed by straight lines, the first at line 10"
    )
    assert len(found.notes) == 2


def test_missing_humidity_comes_from_the_dew_point(epw: Callable[..., Path]) -> None:
    whole, holed = read_epw(epw()), read_epw(epw({5: {8: "999"}}))
    assert holed.notes == ()
    assert holed.weather.humidity_ratio[5] == pytest.approx(whole.weather.humidity_ratio[5], rel=5e-3)


def test_frost_is_no_fahrenheit(epw: Callable[..., Path]) -> None:
    assert read_epw(epw({0: {6: "-40", 7: "-45"}})).weather.dry_bulb_c[0] == -40.0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"changes": {k: {6: "99.9"} for k in range(10, 20)}}, r"a.epw line 19: dry_bulb_c is missing for 10 hours"),
        (
            {"changes": {3: {6: "104"}}},
            r"line 12: dry_bulb_c is 104; .* -90 to 60 degC; is it in Fahrenheit\? \(1 such",
        ),
        ({"changes": {3: {9: "1013"}}}, r"pressure_pa is 1013; .*; is it in hPa\?"),
        ({"changes": {3: {8: "140"}}}, r"humidity is 140; allowed 0 to 110 %"),
        ({"changes": {3: {7: "30"}}}, r"line 12: dew point 30 degC above dry bulb 14 degC, .* wet bulb .*1 such hour"),
        ({"changes": {3: {6: "warm"}}}, r"line 12: dry_bulb_c is 'warm'; want a number"),
        ({"drop": [100]}, r"line 109: found month-day-hour 1-5-6, want 1-5-5: an hour is missing"),
        ({"drop": [8759]}, r"8759 hours; want 8760, a whole year"),
        ({"first": "time,temperature_2m"}, r"line 1: found 'time,temperature_2m'; an EPW file begins with LOCATION"),
        ({"first": "LOCATION,a,b,c,d,e,f,g,x,1"}, r"line 1: UTC offset 'x' h"),
        ({"drop": list(range(8760))}, r"no hourly rows"),
    ],
)
def test_bad_files(epw: Callable[..., Path], kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        read_epw(epw(**kwargs))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot read the weather file: No such file"):
        read_epw(tmp_path / "no.epw")
    (tmp_path / "torn.gz").write_bytes(b"\x1f\x8b\x08torn")
    with pytest.raises(TraceError, match=r"torn.gz"):
        read_epw(tmp_path / "torn.gz")


def test_weather_from_arrays() -> None:
    wet = outdoor([30.0], relative_humidity=0.4).wet_bulb_c
    again = outdoor([30.0], wet_bulb_c=wet)
    assert again.humidity_ratio == pytest.approx([float(air.humidity_ratio(30.0, 0.4))], rel=1e-4)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"dry_bulb_c": [20.0, 95.0], "relative_humidity": 0.5}, r"dry bulb 95 degC; .*Fahrenheit"),
        ({"dry_bulb_c": [20.0], "relative_humidity": 50.0}, r"relative humidity 50; allowed 0 to 1"),
        ({"dry_bulb_c": [20.0, 20.0], "wet_bulb_c": [18.0, 21.0]}, r"step 1: wet bulb 21 degC above dry bulb 20 degC"),
        ({"dry_bulb_c": [np.nan], "relative_humidity": 0.5}, r"dry bulb nan"),
        ({"dry_bulb_c": [20.0], "relative_humidity": 0.5, "pressure_pa": 1013.0}, r"pressure 1013 Pa; .*hPa"),
        ({"dry_bulb_c": [20.0]}, r"either the relative humidity or the wet bulb"),
    ],
)
def test_bad_arrays(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        outdoor(**kwargs)


def test_public_years() -> None:
    root = os.environ.get("DCSIM_DATA")
    if not root:
        pytest.skip("DCSIM_DATA is not set")
    found = read_epw(Path(root) / "data/weather/USA_AZ_Phoenix-Sky.Harbor.epw.gz")
    assert (found.place, found.utc_offset_h, found.altitude_m) == ("Phoenix-Sky.Harbor.Intl.AP", -7.0, 337.4)
    assert found.weather.dry_bulb_c[0] == 8.3
    assert found.weather.dry_bulb_c.mean() == pytest.approx(24.67, abs=0.01)
