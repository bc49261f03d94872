"""Quantities to SI floats and back."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import units
from dcsim.units import UnitError, in_words, parse, write

DIMENSIONS = st.sampled_from(sorted(units.DIMENSIONS))


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("90 s", "time", 90.0),
        ("1.5h", "time", 5400.0),
        (" 1 d ", "time", 86400.0),
        ("1 week", "time", 604800.0),
        ("1 y", "time", 31_536_000.0),
        ("250 ms", "time", 0.25),
        ("3 µs", "time", 3e-6),
        ("20/s", "rate", 20.0),
        ("36 /h", "rate", 0.01),
        ("2 kHz", "rate", 2000.0),
        ("250 kW", "power", 250e3),
        ("1_000 W", "power", 1000.0),
        (".5 MW", "power", 5e5),
        ("-1e-3 W", "power", -1e-3),
        ("1 kWh", "energy", 3.6e6),
        ("5 pJ", "energy", 5e-12),
        ("2 t", "mass", 2000.0),
        ("1 m3", "volume", 1000.0),
        ("300 kUSD", "money", 3e5),
        ("64 GiB", "bytes", 64 * 2.0**30),
        ("64 GB", "bytes", 64e9),
        ("2 TB/s", "bandwidth", 2e12),
        ("400 mm2", "area", 4e-4),
        ("0.35 kg/kWh", "carbon_intensity", 350.0),
        ("80 USD/MWh", "energy_price", 0.08),
        ("300 mL/kWh", "water_intensity", 0.3),
        ("4 USD/m3", "water_price", 0.004),
        ("95 %", "ratio", 0.95),
        ("0.95", "ratio", 0.95),
        (0.95, "ratio", 0.95),
        (2, "ratio", 2.0),
    ],
)
def test_parse(text: object, dimension: str, value: float) -> None:
    assert parse(text, dimension) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("3 kW", "rate", "found unit 'kW', want a rate in /s"),
        ("3 k W", "power", "found unit 'k W', want a power in W"),
        ("3", "time", "found 3 without a unit, want a time in s"),
        (3600, "time", "found 3600 without a unit"),
        ("kW", "power", "found 'kW', want a power in W"),
        ("", "energy", "found '', want an energy in J"),
        ("nan W", "power", "found 'nan W'"),
        ("inf s", "time", "found 'inf s'"),
        (math.nan, "ratio", "finite"),
        (math.inf, "ratio", "finite"),
        ("1e400 s", "time", "finite"),
        ("1e308 y", "time", "finite"),
        (10**400, "ratio", "found 'a huge number', want a ratio"),
        ("1__0 W", "power", "found unit '__0 W'"),
        ("1 " + " " * 200 + "W", "power", "want a power"),
        (True, "ratio", "found 'True', want a ratio"),
        (None, "time", "found nothing, want a time"),
        (["1 s"], "time", "found a list, want a time"),
        ({"s": 1}, "time", "found a mapping, want a time"),
    ],
)
def test_parse_refuses(text: object, dimension: str, message: str) -> None:
    with pytest.raises(UnitError) as error:
        parse(text, dimension)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@given(DIMENSIONS, st.floats(allow_nan=False, allow_infinity=False))
def test_write_is_read_back_exactly(dimension: str, value: float) -> None:
    assert parse(write(value, dimension), dimension) == value


@given(st.text(), DIMENSIONS)
def test_any_text_is_read_or_refused(text: str, dimension: str) -> None:
    with contextlib.suppress(UnitError):
        assert math.isfinite(parse(text, dimension))


@pytest.mark.parametrize("dimension", sorted(units.DIMENSIONS))
def test_every_dimension_has_a_unit_of_factor_one(dimension: str) -> None:
    assert 1.0 in units.DIMENSIONS[dimension].values()


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (86400.0, "time", "1 d"),
        (600.0, "time", "10 min"),
        (90.0, "time", "90 s"),
        (20.0, "rate", "20/s"),
        (250e3, "power", "250 kW"),
        (64 * 2.0**30, "bytes", "64 GiB"),
        (350.0, "carbon_intensity", "350 g/kWh"),
        (0.0, "power", "0 W"),
    ],
)
def test_write_has_few_digits(value: float, dimension: str, text: str) -> None:
    assert write(value, dimension) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2300.0, "W", "2.3 kW"),
        (999.7, "W", "1 kW"),
        (0.0, "J", "0 J"),
        (-5.0, "W", "-5 W"),
        (4.2e-11, "J", "42 pJ"),
        (3.2e20, "J", "320000 PJ"),
        (119.0, "s", "119 s"),
        (7200.0, "s", "2 h"),
        (86400.0 * 400, "s", "400 d"),
        (math.inf, "s", "inf s"),
    ],
)
def test_in_words(value: float, unit: str, text: str) -> None:
    assert in_words(value, unit) == text
