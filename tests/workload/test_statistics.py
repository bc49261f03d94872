"""Figures of streams of jobs: small ones by hand, large ones against theory and against other libraries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dcsim.workload import statistics

BY_HAND = np.array([0.0, 1.0, 1.5, 4.0, 9.0])

samples = st.lists(st.floats(0.0, 100.0), min_size=2, max_size=40).map(np.array)


def poisson(count=200_000, seed=1):
    return np.cumsum(np.random.default_rng(seed).standard_exponential(count))


def test_rate_and_span_count_from_the_first_arrival():
    later = BY_HAND + 1000.0
    assert statistics.span_s(later) == 9.0
    assert statistics.rate_hz(later) == pytest.approx(4 / 9)
    assert statistics.rate_hz(np.array([5.0, 5.0])) is None


def test_variation_of_gaps_by_hand():
    """Gaps 1, 0.5, 2.5, 5: mean 2.25, variance (1.5625 + 3.0625 + 0.0625 + 7.5625) / 4 = 3.0625."""
    assert statistics.variation(np.diff(BY_HAND)) == pytest.approx(1.75 / 2.25)
    assert statistics.variation(np.zeros(0)) is None
    assert statistics.variation(np.zeros(3)) is None
    assert statistics.variation(np.arange(100) * 1e-9 + 1.0) is None
    assert statistics.variation(np.arange(100) * 1e-6 + 1.0) == pytest.approx(2.8866e-5, rel=1e-3)


def test_counts_leave_out_the_last_window_that_is_not_full():
    assert statistics.counts(BY_HAND, 2.0).tolist() == [3, 0, 1, 0]
    assert statistics.counts(BY_HAND, 10.0).tolist() == []


def test_dispersion_by_hand_and_without_making_the_empty_windows():
    """Counts 3, 0, 1, 0: mean 1, variance 1.5."""
    assert statistics.dispersion(BY_HAND, 2.0) == pytest.approx(1.5)
    assert statistics.dispersion(BY_HAND, 10.0) is None
    far = np.array([0.0, 0.1, 1e9])
    assert statistics.dispersion(far, 1.0) == pytest.approx(2.0, rel=1e-6)  # one window of 2 among 1e9


@given(st.lists(st.floats(0.0, 50.0), min_size=2, max_size=60), st.floats(0.1, 20.0))
def test_both_ways_to_the_dispersion_agree(moments, window_s):
    arrival_s = np.sort(np.array(moments))
    number = statistics.counts(arrival_s, window_s)
    found = statistics.dispersion(arrival_s, window_s)
    if number.any():
        assert found == pytest.approx(number.var() / number.mean(), abs=1e-9)


def test_poisson_arrivals_have_dispersion_1_and_no_memory():
    for window_s in (1.0, 10.0, 60.0):
        found = statistics.windows(poisson(), window_s)
        assert found.dispersion == pytest.approx(1.0, abs=4 * np.sqrt(2 / found.windows))
        assert abs(found.autocorrelation[0]) < 4 / np.sqrt(found.windows)
        assert found.mean == pytest.approx(window_s, rel=0.01)


def test_windows_with_nothing_to_see_are_left_out():
    arrival_s = poisson(1000)
    assert statistics.windows(arrival_s, 0.05) is None  # 0.05 arrivals in a mean one
    assert statistics.windows(arrival_s, 200.0) is None  # fewer than ten of them


def test_autocorrelation_of_a_moving_sum_by_theory():
    """x_i = e_i + e_{i+1}: correlation 1/2 at lag 1, none further."""
    noise = np.random.default_rng(3).poisson(20.0, 100_001).astype(np.float64)
    found = statistics.autocorrelation(noise[1:] + noise[:-1], 3)
    assert found == pytest.approx([0.5, 0.0, 0.0], abs=0.015)
    assert np.isnan(statistics.autocorrelation(np.ones(5), 2)).all()


def test_profile_by_hand():
    """Two days, three jobs in hour 0 and one in hour 12 of each: 24 x 3/4 and 24 x 1/4."""
    day = np.array([0.0, 60.0, 120.0, 12.5 * 3600.0])
    arrival_s = np.concatenate([day, day + 86_400.0, [2 * 86_400.0]])
    found = statistics.profile(arrival_s, 86_400.0, 24)
    assert found[[0, 12]].tolist() == [18.0, 6.0]
    assert found.sum() == 24.0
    assert statistics.profile(arrival_s[:-1], 86_400.0, 24) is None


def test_profile_of_a_table_of_rates():
    rates = np.tile(np.repeat(np.arange(24.0), 6), 2)
    found = statistics.table_profile(rates, 600.0)
    assert found == pytest.approx(np.arange(24.0) / 11.5)
    assert statistics.table_profile(rates[:-1], 600.0) is None
    assert statistics.table_profile(np.ones(1000), 5000.0) is None


@given(samples, samples)
def test_distance_of_samples_is_scipys(first, second):
    assert statistics.distance(first, second) == pytest.approx(
        stats.ks_2samp(first, second, method="asymp").statistic, abs=1e-12
    )


def test_distance_to_a_law_is_scipys():
    values = np.random.default_rng(5).exponential(2.0, 500)
    expected = stats.kstest(values, lambda x: -np.expm1(-x / 2.0)).statistic
    assert statistics.distance_to(values, lambda x: -np.expm1(-x / 2.0)) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=40))
def test_spearman_is_scipys(pairs):
    first, second = np.array(pairs, np.float64).T
    found = statistics.spearman(first, second)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-9)


def test_shares_of_labels():
    found = statistics.shares(np.array([2.0, 0.0, 2.0, 2.0]), ("a", "b", "c"))
    assert found == [("c", 0.75), ("a", 0.25)]
