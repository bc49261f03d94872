"""Arrival processes against theory: rate, dispersion, profiles, and the moments that are given."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dcsim.seeds import generator
from dcsim.workload import arrivals
from dcsim.workload.arrivals import DAY_S, Profile
from dcsim.workload.block import CHUNK


def collect(chunks):
    parts = list(chunks)
    moments = np.concatenate(parts) if parts else np.empty(0)
    assert (np.diff(moments) >= 0).all()
    return moments


def test_poisson_has_its_rate_exponential_gaps_and_dispersion_one():
    moments = collect(arrivals.poisson(5.0, 40_000.0, generator(1, 0, "x")))
    expected = 200_000
    assert abs(len(moments) - expected) < 4 * math.sqrt(expected)
    assert moments[0] >= 0
    assert moments[-1] < 40_000
    gaps = np.diff(moments)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.01)
    counts = np.bincount(moments.astype(int), minlength=40_000)
    # The index of dispersion of n Poisson counts has variance 2 / (n - 1).
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=4 * math.sqrt(2 / 39_999))


def test_streams_that_differ_in_rate_share_their_randomness():
    slow = collect(arrivals.poisson(1.0, 1000.0, generator(3, 0, "x")))
    fast = collect(arrivals.poisson(2.0, 500.0, generator(3, 0, "x")))
    np.testing.assert_allclose(fast, slow / 2, rtol=1e-15)


def test_moments_do_not_depend_on_the_end_of_the_run():
    short = collect(arrivals.poisson(100.0, 500.0, generator(3, 0, "x")))
    long = collect(arrivals.poisson(100.0, 5000.0, generator(3, 0, "x")))
    np.testing.assert_array_equal(short, long[: len(short)])


def test_flat_profile_is_a_constant_rate():
    flat = collect(arrivals.profiled(2.0, Profile.of([3.0] * 24), 2 * DAY_S, generator(3, 0, "x")))
    constant = collect(arrivals.poisson(2.0, 2 * DAY_S, generator(3, 0, "x")))
    np.testing.assert_allclose(flat, constant, rtol=1e-12)


def test_sinusoidal_day_has_the_expected_counts():
    # rate 0.1 (1 + 0.6 sin(2 pi (t - 6 h) / 24 h)): 8,640 a day, 1,334.94 in the first 6 hours.
    hours = np.arange(24) + 0.5
    factors = 1 + 0.6 * np.sin(2 * np.pi * (hours - 6) / 24)
    profile = Profile.of(factors)
    assert 0.1 * profile.integral(np.array([DAY_S]))[0] == pytest.approx(8640, rel=1e-12)
    # Chords cut at most 1 - cos(pi / 24) of the sine off: 0.9 % of 0.6.
    assert 0.1 * profile.integral(np.array([21_600.0]))[0] == pytest.approx(1334.94, rel=0.005)
    days = 50
    moments = collect(arrivals.profiled(0.1, profile, days * DAY_S, generator(11, 0, "x")))
    assert abs(len(moments) - 8640 * days) < 4 * math.sqrt(8640 * days)
    early = np.count_nonzero(moments % DAY_S < 21_600)
    expected = 0.1 * days * profile.integral(np.array([21_600.0]))[0]
    assert abs(early - expected) < 4 * math.sqrt(expected)


def test_two_interval_profile_by_hand():
    # Middles 0 at 25 s and 2 at 75 s of 100 s; the border value is 1. Areas: 12.5, 50, 37.5.
    profile = Profile.of([0.0, 5.0], period_s=100.0)
    np.testing.assert_allclose(profile.factor(np.array([0.0, 25.0, 50.0, 75.0, 100.0])), [1, 0, 1, 2, 1])
    np.testing.assert_allclose(profile.integral(np.array([25.0, 50.0, 75.0, 100.0])), [12.5, 25, 62.5, 100])
    np.testing.assert_allclose(profile.inverse(np.array([12.5, 25.0, 62.5, 112.5])), [25, 50, 75, 125])


@pytest.mark.parametrize(
    "factors",
    [[1.0], [1, 0, 0, 0, 0, 0, 0, 3], [0, 0, 1, 0, 0], list(range(24)), [1e-9, 1e9], [5] * 7 + [0] * 10],
)
def test_inverse_undoes_the_integral(factors):
    profile = Profile.of(factors, period_s=1000.0)
    values = np.linspace(0.0, 3500.0, 10_001)
    moments = profile.inverse(values)
    assert (np.diff(moments) >= 0).all()
    np.testing.assert_allclose(profile.integral(moments), values, rtol=1e-9, atol=1e-6)


def test_no_arrivals_while_the_profile_is_zero():
    profile = Profile.of([0] * 8 + [1] * 8 + [0] * 8)
    moments = collect(arrivals.profiled(0.5, profile, 3 * DAY_S, generator(2, 0, "x"))) % DAY_S / 3600
    assert len(moments) > 100_000
    assert moments.min() >= 7.5
    assert moments.max() <= 16.5


def test_hour_counts_of_a_shipped_profile():
    from dcsim import catalog

    entry = catalog.load().get("servegen-m-small", "profile")
    profile = Profile.of(entry.array("factors"))
    moments = collect(arrivals.profiled(5.0, profile, DAY_S, generator(5, 0, "x")))
    counts = np.bincount((moments // 3600).astype(int), minlength=24)
    expected = 5.0 * np.diff(profile.integral(3600.0 * np.arange(25)))
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert chi2 < 51.2  # 99.9 % quantile with 24 degrees of freedom
    assert expected.max() / expected.min() > 1.8


@pytest.mark.parametrize("factors", [[], [0, 0], [1, -1], [1, math.nan], [1, math.inf], [[1, 2], [3, 4]]])
def test_bad_factors_are_refused(factors):
    with pytest.raises(ValueError, match="factor"):
        Profile.of(factors)


def test_bad_period_is_refused():
    with pytest.raises(ValueError, match="period"):
        Profile.of([1.0], period_s=0.0)


def test_scheduled_moments_are_sorted_and_end_before_the_end():
    assert collect(arrivals.scheduled([30.0, 10.0, 20.0, 10.0], None, 30.0)).tolist() == [10.0, 10.0, 20.0]
    assert list(arrivals.scheduled([30.0], None, 30.0)) == []


def test_scheduled_moments_repeat():
    moments = collect(arrivals.scheduled([5.0, 0.0], 10.0, 31.0))
    assert moments.tolist() == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]


def test_periodic_moments_are_multiples_of_the_period():
    moments = collect(arrivals.scheduled([0.0], 1 / 30, 10_000.0))  # 30 frames per second
    assert len(moments) == pytest.approx(300_000, abs=1)
    np.testing.assert_allclose(moments, np.arange(len(moments)) / 30, rtol=1e-12)


def test_many_moments_with_a_short_period_stay_sorted_in_bounded_chunks():
    times = np.linspace(0.0, 0.1, 1000, endpoint=False)
    chunks = list(arrivals.scheduled(times.tolist(), 0.1, 20.0))
    assert max(map(len, chunks)) <= CHUNK
    assert len(collect(chunks)) == pytest.approx(200_000, abs=2)
