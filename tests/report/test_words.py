"""Figures as text: three digits, honest rounding, absent when there is no figure."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dcsim.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.01234, "0.0123"),
        (4.56789, "4.57"),
        (78.0, "78.0"),
        (999.6, "1,000"),
        (12_345.0, "12,300"),
    ],
)
def test_three_digits_without_exponent(value: float, text: str) -> None:
    assert words.three(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.5, "50.0 %"),
        (0.9874, "98.7 %"),
        (0.99962, "99.96 %"),
        (0.999999, "99.9999 %"),
        (1 - 1e-9, "> 99.9999 %"),
        (1e-9, "< 0.0001 %"),
        (1.2, "120.0 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, text: str) -> None:
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("words_of", "value", "text"),
    [
        (words.kilowatt_hours, 1166.4, "1.17 MWh"),
        (words.kilowatts, 68.4, "68.4 kW"),
        (words.kilograms, 416.0, "416 kg"),
        (words.kilograms, 41_234.0, "41.2 t"),
        (words.grams, 0.00239, "2.39 mg"),
        (words.litres, 269.0, "269 L"),
        (words.litres, 12_340.0, "12.3 m³"),
        (words.millilitres, 0.0966, "96.6 µL"),
        (words.dollars, 1224.2, "$1,224"),
        (words.dollars, 93.678, "$93.68"),
        (words.dollars, -3.5, "-$3.50"),
        (words.dollars, 6.9e-5, "$0.0000690"),
        (words.dollars, 2.5e7, "$25.0 M"),
        (words.per_second, 12.5, "12.5/s"),
        (words.per_second, 0.0231, "83.2/h"),
        (words.per_second, 1 / 86_400, "1/d"),
        (words.less_or_more, 41.4, "41× less"),
        (words.less_or_more, 1.84, "1.8× less"),
        (words.less_or_more, 3210.0, "3,200× less"),
        (words.less_or_more, 0.5, "2.0× more"),
        (words.count, 1_234_567.0, "1,234,567"),
        (words.count, 12.25, "12.2"),
    ],
)
def test_units_suit_the_size(words_of: words.Formatter, value: float, text: str) -> None:
    assert words_of(value) == text


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, "12", True, {}, {"mean": math.nan}, [1.0]])
def test_what_is_no_figure_gives_no_cell(nothing: object) -> None:
    assert words.cell(nothing, words.ratio) is None


def test_a_replicated_figure_shows_its_mean_and_interval() -> None:
    value = {"mean": 1.22, "low": 1.2, "high": 1.24, "level": 0.95, "n": 10}
    assert words.cell(value, words.ratio) == words.Cell("1.220", "1.200 to 1.240")
    assert words.cell(np.float64(1.5), words.ratio) == words.Cell("1.500")


def test_a_path_that_is_not_there_gives_none() -> None:
    tree = {"energy": {"it_kwh": 3.0}}
    assert words.find(tree, "energy", "it_kwh") == 3.0
    assert words.find(tree, "energy", "facility_kwh") is None
    assert words.find(tree, "energy", "it_kwh", "mean") is None
