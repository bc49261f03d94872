"""The weighted histogram against the values themselves."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.results.histogram import Histogram, joined


def test_mean_is_exact_and_percentiles_are_within_a_bin() -> None:
    values = np.random.default_rng(1).lognormal(-4.0, 1.0, 20_000)
    histogram = Histogram()
    for value in values.tolist():
        histogram.add(value, 2.0)
    assert histogram.count == 40_000
    assert histogram.mean == pytest.approx(values.mean(), rel=1e-12)
    for mark in (1, 50, 90, 99, 99.9):
        assert histogram.percentile(mark) == pytest.approx(np.percentile(values, mark), rel=0.01)


@given(first=st.floats(1e-4, 10.0), step=st.floats(0.0, 0.5), number=st.integers(1, 300), weight=st.integers(1, 9))
def test_a_ramp_is_the_sum_of_its_values(first: float, step: float, number: int, weight: int) -> None:
    ramp, one_by_one = Histogram(), Histogram()
    ramp.add_ramp(first, step, number, weight)
    for place in range(number):
        one_by_one.add(first + step * place, weight)
    assert ramp.count == one_by_one.count
    assert ramp.total == pytest.approx(one_by_one.total, rel=1e-12)
    # a value at an edge may fall to either side of it by rounding
    assert np.abs(np.cumsum(ramp.bins) - np.cumsum(one_by_one.bins)).max() <= weight


def test_joined_histograms_count_together() -> None:
    short, long = Histogram(), Histogram()
    short.add(0.01, 3.0)
    long.add(1.0, 1.0)
    both = joined([short, long])
    assert both.count == 4.0
    assert both.mean == pytest.approx(0.2575)
    assert both.percentile(50) == pytest.approx(0.01, rel=0.01)
    assert both.percentile(99) == pytest.approx(1.0, rel=0.01)


def test_values_outside_count_at_the_ends() -> None:
    histogram = Histogram()
    histogram.add(0.0, 1.0)
    histogram.add(1e9, 1.0)
    assert histogram.percentile(10) < 1.1e-6
    assert histogram.percentile(90) > 9e4


def test_an_empty_histogram_has_no_percentile() -> None:
    assert isnan(Histogram().percentile(50))
    assert isnan(Histogram().mean)
