"""Time zones, and a weather year laid along a run: around clock changes, 29 February and the turn of the year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.errors import ScenarioError
from dcsim.facility import local_time
from dcsim.facility.arrays import FloatArray
from dcsim.facility.local_time import aligned
from dcsim.facility.weather import WeatherYear, outdoor

BERLIN = ZoneInfo("Europe/Berlin")


def _numbered(hours: int = 8760, offset_h: float = 1.0) -> WeatherYear:
    """A year whose dry bulb tells the hour of the year: 0.005 degC for each."""
    return WeatherYear("here", offset_h, 0.0, outdoor(0.005 * np.arange(hours), relative_humidity=0.5))


def _hours(year: WeatherYear, start: datetime, hours: int) -> FloatArray:
    return aligned(year, start, 3600.0 * np.arange(hours + 1)).dry_bulb_c / 0.005


def test_start_of_the_year_in_local_standard_time() -> None:
    assert _hours(_numbered(), datetime(2023, 1, 1, tzinfo=timezone(timedelta(hours=1))), 3) == pytest.approx([0, 1, 2])
    assert _hours(_numbered(), datetime(2023, 1, 1, tzinfo=UTC), 3) == pytest.approx([1, 2, 3])
    assert _hours(_numbered(offset_h=-7.0), datetime(2023, 1, 1, 7, tzinfo=UTC), 2) == pytest.approx([0, 1], abs=1e-6)


def test_turn_of_the_year() -> None:
    assert _hours(_numbered(), datetime(2022, 12, 31, 22, tzinfo=UTC), 3) == pytest.approx([8759, 0, 1])
    assert _hours(_numbered(), datetime(2022, 12, 31, 23, tzinfo=UTC), 2) == pytest.approx([0, 1])


def test_clock_changes_move_nothing() -> None:
    """Noon of summer time is 11:00 standard time; the hours before and after each change follow each other."""
    summer = local_time.moment("2023-07-01T12:00", BERLIN)
    day = (datetime(2023, 7, 1) - datetime(2023, 1, 1)).days
    assert _hours(_numbered(), summer, 1) == pytest.approx([24 * day + 11])
    for change in ("2023-03-26T01:00+01:00", "2023-10-29T01:00+02:00"):
        found = _hours(_numbered(), local_time.moment(change, BERLIN), 6)
        assert np.diff(found) == pytest.approx(np.ones(5))


def test_leap_year_repeats_28_february() -> None:
    found = _hours(_numbered(offset_h=0.0), datetime(2024, 2, 28, tzinfo=UTC), 72)
    assert found == pytest.approx(np.concatenate([58 * 24 + np.arange(24)] * 2 + [59 * 24 + np.arange(24)]))
    whole = _hours(_numbered(offset_h=0.0), datetime(2024, 1, 1, tzinfo=UTC), 8784)
    assert whole[-1] == pytest.approx(8759)


def test_leap_day_of_the_file_is_left_out_of_common_years() -> None:
    leap = _numbered(8784, 0.0)
    assert _hours(leap, datetime(2023, 2, 28, 23, tzinfo=UTC), 2) == pytest.approx([58 * 24 + 23, 60 * 24])
    assert _hours(leap, datetime(2024, 2, 28, 23, tzinfo=UTC), 2) == pytest.approx([58 * 24 + 23, 59 * 24])
    assert _hours(leap, datetime(2023, 12, 31, 23, tzinfo=UTC), 2) == pytest.approx([8783, 0])


def test_start_within_an_hour_weighs_its_neighbours() -> None:
    start = datetime(2023, 1, 1, 5, 15, tzinfo=timezone(timedelta(hours=1)))
    assert _hours(_numbered(), start, 1) == pytest.approx([0.75 * 5 + 0.25 * 6])
    quarter = aligned(_numbered(), start, [0.0, 900.0, 1800.0]).dry_bulb_c / 0.005
    assert quarter == pytest.approx([5, 5])


def test_half_hour_zone() -> None:
    india = _numbered(offset_h=5.5)
    assert _hours(india, datetime(2022, 12, 31, 18, 30, tzinfo=UTC), 2) == pytest.approx([0, 1])


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.sampled_from([-8.0, 0.0, 1.0, 5.5]), st.booleans())
@settings(max_examples=40)
def test_every_hour_has_the_month_and_day_of_the_calendar(start: datetime, offset_h: float, leap: bool) -> None:
    start = start.replace(minute=0, second=0, microsecond=0)
    hour = np.datetime64(start, "h") + np.arange(48)
    at = local_time.hour_of_year(hour, leap)
    named = np.datetime64("2024-01-01T00" if leap else "2023-01-01T00", "h") + at
    for wanted, found in zip(hour.astype(datetime), named.astype(datetime), strict=True):
        day = 28 if (wanted.month, wanted.day) == (2, 29) and not leap else wanted.day
        assert (found.month, found.day, found.hour) == (wanted.month, day, wanted.hour)
    utc = start.replace(tzinfo=UTC) - timedelta(hours=offset_h)
    year = _numbered(8784 if leap else 8760, offset_h)
    assert _hours(year, utc, 48) == pytest.approx(at, abs=1e-6)


def test_standard_time_is_that_of_winter() -> None:
    assert local_time.standard_offset_h(BERLIN, 2023) == 1.0
    assert local_time.standard_offset_h(ZoneInfo("Australia/Sydney"), 2023) == 10.0
    assert local_time.standard_offset_h(ZoneInfo("Europe/Dublin"), 2023) == 0.0
    assert local_time.standard_offset_h(ZoneInfo("America/Phoenix"), 2023) == -7.0


def test_zones_by_name_and_offset() -> None:
    assert local_time.zone("UTC") is UTC
    assert local_time.zone("Europe/Berlin") == BERLIN
    assert local_time.zone("-07:30") == timezone(timedelta(hours=-7, minutes=-30))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Europe/Berlni", "did you mean 'Europe/Berlin'?"),
        ("+27:00", "allowed -12:00 to +14:00"),
        ("../etc/passwd", "is not known here"),
        ("Europe", "is not known here"),
        ("x" * 5000, "is not known here"),
    ],
)
def test_unknown_zone(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as error:
        local_time.zone(text)
    assert message in str(error.value)
    assert len(str(error.value)) < 400


def test_moments() -> None:
    assert local_time.moment("2023-07-01T12:00", BERLIN) == datetime(2023, 7, 1, 10, tzinfo=UTC)
    assert local_time.moment("2023-07-01", UTC) == datetime(2023, 7, 1, tzinfo=UTC)
    assert local_time.moment("2023-10-29T02:30+01:00", BERLIN) == datetime(2023, 10, 29, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2023-03-26T02:30", "clocks in Europe/Berlin go forward over this time"),
        ("2023-10-29T02:30", "clocks in Europe/Berlin show this time twice"),
        ("1 July", "want a date and time such as 2026-03-29T14:00"),
        ("0001-01-01", "year 1; allowed 1800 to 2200"),
        ("2023-02-29", "want a date and time"),
    ],
)
def test_bad_moments(text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=r"start|year") as error:
        local_time.moment(text, BERLIN)
    assert message in str(error.value)


def test_start_without_zone() -> None:
    with pytest.raises(ScenarioError, match="start 2023-01-01T00:00:00 has no time zone"):
        aligned(_numbered(), datetime(2023, 1, 1), [0.0, 1.0])


def test_run_too_long() -> None:
    with pytest.raises(ScenarioError, match="weather covers 0 to 100 years"):
        aligned(_numbered(), datetime(2023, 1, 1, tzinfo=UTC), [0.0, 4e9])
