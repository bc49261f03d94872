"""Arrival processes against theory: rate, variation, dispersion, correlation, and the moments that are given."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from scipy import special

from dcsim.seeds import generator
from dcsim.workload import arrivals
from dcsim.workload.arrivals import (
    DAY_S,
    Profile,
    Sinusoid,
    Steps,
    clients,
    given,
    hawkes,
    mmpp,
    periodic,
    poisson,
    renewal,
    self_similar,
)
from dcsim.workload.arrivals.clients import Clients, zipf
from dcsim.workload.arrivals.mmpp import States
from dcsim.workload.block import CHUNK, cut


def collect(chunks):
    parts = list(chunks)
    moments = np.concatenate(parts) if parts else np.empty(0)
    assert (np.diff(moments) >= 0).all()
    return moments


def random(seed=1):
    return generator(seed, 0, "x")


def counts(moments, window_s, duration_s):
    return np.bincount((moments / window_s).astype(int), minlength=int(duration_s / window_s))


def batches(values, statistic, many=20):
    """Mean and standard error of a statistic over independent parts of a sample."""
    found = [statistic(part) for part in np.array_split(values, many)]
    return np.mean(found), np.std(found, ddof=1) / math.sqrt(many)


def cv(gaps):
    return gaps.std() / gaps.mean()


def lag1(gaps):
    return np.corrcoef(gaps[:-1], gaps[1:])[0, 1]


def near(found, wanted, errors=4.0):
    mean, error = found
    assert abs(mean - wanted) <= errors * error, (mean, wanted, error)
    return error


# ---------------------------------------------------------------- every process

FIVE = States.of_stays([9.0, 1.0, 5.0], [20.0, 20.0, 20.0])
MANY = Clients(zipf(50, 1.0), np.full(50, 2.0), "weibull")
SINE = Sinusoid(0.6, 40.0, 400.0)
#: draw(duration_s, generator) and theory of each, all at a mean rate of 5/s
PROCESSES = {
    "poisson": (lambda end, g: poisson.draw(5.0, end, g), poisson.theory(5.0)),
    "sinusoid": (lambda end, g: poisson.draw(5.0, end, g, SINE), poisson.theory(5.0, SINE)),
    "periodic": (lambda end, g: periodic.draw(5.0, 0.0, 0.1, end, g), periodic.theory(5.0, 0.1)),
    "gamma": (lambda end, g: renewal.draw(renewal.gamma(2.0), 5.0, end, g), renewal.theory(5.0, 2.0)),
    "regular": (lambda end, g: renewal.draw(renewal.gamma(0.5), 5.0, end, g), renewal.theory(5.0, 0.5)),
    "weibull": (lambda end, g: renewal.draw(renewal.weibull(2.0), 5.0, end, g), renewal.theory(5.0, 2.0)),
    "lognormal": (lambda end, g: renewal.draw(renewal.lognormal(1.5), 5.0, end, g), renewal.theory(5.0, 1.5)),
    "mmpp": (lambda end, g: mmpp.draw(FIVE, end, g), mmpp.theory(FIVE)),
    "hawkes": (lambda end, g: hawkes.draw(5.0, 0.5, 1.0, end, g), hawkes.theory(5.0, 0.5, 1.0)),
    "self-similar": (
        lambda end, g: self_similar.draw(5.0, 0.7, 50.0, 2.0, end, g),
        self_similar.theory(5.0, 0.7, 50.0, 2.0),
    ),
    "clients": (
        lambda end, g: (moments for moments, _ in _until(clients.draw(MANY, 5.0, g), end)),
        clients.theory(MANY, 5.0),
    ),
}  # fmt: skip
LENGTH_S = 80_000.0


def _until(chunks, end_s):
    for moments, owner in chunks:
        count = int(np.searchsorted(moments, end_s))
        yield moments[:count], owner[:count]
        if count < len(moments):
            return


@pytest.fixture(scope="module")
def drawn():
    return {name: collect(draw(LENGTH_S, random(7))) for name, (draw, _) in PROCESSES.items()}


@pytest.mark.parametrize("name", PROCESSES)
def test_mean_rate(name, drawn):
    theory, moments = PROCESSES[name][1], drawn[name]
    assert theory.rate_hz == pytest.approx(5.0)
    assert moments[0] >= 0
    assert moments[-1] < LENGTH_S
    near(batches(counts(moments, 400.0, LENGTH_S), np.mean), 5.0 * 400.0)


@pytest.mark.parametrize("name", [name for name, (_, theory) in PROCESSES.items() if theory.gap_cv is not None])
def test_variation_and_correlation_of_gaps(name, drawn):
    theory, gaps = PROCESSES[name][1], np.diff(drawn[name])
    assert near(batches(gaps, cv), theory.gap_cv, errors=4.5) < 0.05 * theory.gap_cv
    if theory.gap_lag1 is not None:
        near(batches(gaps, lag1), theory.gap_lag1)


@pytest.mark.parametrize("window_s", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("name", [name for name, (_, theory) in PROCESSES.items() if theory.dispersion(10.0)])
def test_dispersion_of_counts(name, window_s, drawn):
    wanted = PROCESSES[name][1].dispersion(window_s)
    found = batches(counts(drawn[name], window_s, LENGTH_S), lambda n: n.var(ddof=1) / n.mean(), many=10)
    near(found, wanted, errors=4.5)
    assert found[0] == pytest.approx(wanted, rel=0.25)


@pytest.mark.parametrize("name", ["gamma", "regular", "weibull", "lognormal", "clients"])
def test_dispersion_of_long_windows(name, drawn):
    wanted = PROCESSES[name][1].dispersion(math.inf)
    found = batches(counts(drawn[name], 100.0, LENGTH_S), lambda n: n.var(ddof=1) / n.mean(), many=10)
    near(found, wanted, errors=4.5)


@pytest.mark.parametrize("name", PROCESSES)
def test_moments_do_not_depend_on_the_end_of_the_run(name):
    draw = PROCESSES[name][0]
    short, long = collect(draw(600.0, random(3))), collect(draw(30_000.0, random(3)))
    np.testing.assert_array_equal(short, long[: len(short)])
    assert long[len(short)] >= 600.0


@pytest.mark.parametrize("name", PROCESSES)
def test_same_seed_same_bytes_and_bounded_chunks(name):
    draw = PROCESSES[name][0]
    one, other = list(draw(50_000.0, random(5))), list(draw(50_000.0, random(5)))
    assert [part.tobytes() for part in one] == [part.tobytes() for part in other]
    assert max(map(len, one)) <= 2.1 * CHUNK
    assert not np.array_equal(one[0][:5], collect(draw(100.0, random(6)))[:5])


# ---------------------------------------------------------------- Poisson


def test_poisson_has_its_rate_exponential_gaps_and_dispersion_one():
    moments = collect(poisson.draw(5.0, 40_000.0, random()))
    assert abs(len(moments) - 200_000) < 4 * math.sqrt(200_000)
    assert cv(np.diff(moments)) == pytest.approx(1.0, abs=0.01)
    found = counts(moments, 1.0, 40_000.0)
    # The index of dispersion of n Poisson counts has variance 2 / (n - 1).
    assert found.var() / found.mean() == pytest.approx(1.0, abs=4 * math.sqrt(2 / 39_999))


def test_streams_that_differ_in_rate_share_their_randomness():
    slow = collect(poisson.draw(1.0, 1000.0, random(3)))
    fast = collect(poisson.draw(2.0, 500.0, random(3)))
    np.testing.assert_allclose(fast, slow / 2, rtol=1e-15)


def test_flat_profile_is_a_constant_rate():
    flat = collect(poisson.draw(2.0, 2 * DAY_S, random(3), Profile.of([3.0] * 24)))
    constant = collect(poisson.draw(2.0, 2 * DAY_S, random(3)))
    np.testing.assert_allclose(flat, constant, rtol=1e-12)


# ---------------------------------------------------------------- shapes


def test_two_interval_profile_by_hand():
    # Middles 0 at 25 s and 2 at 75 s of 100 s; the border value is 1. Areas: 12.5, 50, 37.5.
    profile = Profile.of([0.0, 5.0], period_s=100.0)
    np.testing.assert_allclose(profile.factor(np.array([0.0, 25.0, 50.0, 75.0, 100.0])), [1, 0, 1, 2, 1])
    np.testing.assert_allclose(profile.integral(np.array([25.0, 50.0, 75.0, 100.0])), [12.5, 25, 62.5, 100])
    np.testing.assert_allclose(profile.inverse(np.array([12.5, 25.0, 62.5, 112.5])), [25, 50, 75, 125])


def test_two_steps_by_hand():
    steps = Steps.of([1.0, 3.0], 10.0)
    assert steps.factor(np.array([0.0, 9.9, 10.0, 25.0, 39.0])).tolist() == [0.5, 0.5, 1.5, 0.5, 1.5]
    np.testing.assert_allclose(steps.integral(np.array([5.0, 10.0, 20.0, 30.0])), [2.5, 5, 20, 25])
    np.testing.assert_allclose(steps.inverse(np.array([2.5, 5.0, 12.5, 20.0, 35.0])), [5, 10, 15, 20, 20 + 10 + 20 / 3])


SHAPES = [
    *(
        Profile.of(factors, period_s=1000.0)
        for factors in ([1.0], [1, 0, 0, 0, 0, 0, 0, 3], [0, 0, 1, 0, 0], range(24), [1e-9, 1e9], [5] * 7 + [0] * 10)
    ),
    *(Steps.of(factors, 250.0) for factors in ([1.0], [1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 5.0, 0.0])),
    *(Sinusoid(a, peak, 1000.0) for a in (0.0, 0.6, 1.0) for peak in (0.0, 300.0, 5300.0)),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_inverse_undoes_the_integral(shape):
    values = np.linspace(0.0, 3500.0, 10_001)
    moments = shape.inverse(values)
    assert (np.diff(moments) >= 0).all()
    np.testing.assert_allclose(shape.integral(moments), values, rtol=1e-9, atol=1e-6)
    assert shape.integral(np.array([shape.period_s]))[0] == pytest.approx(shape.period_s)


@pytest.mark.parametrize("shape", SHAPES)
def test_factor_is_the_slope_of_the_integral(shape):
    at = np.linspace(0.0, 2000.0, 3001)[1:] + 0.123
    slope = (shape.integral(at + 1e-3) - shape.integral(at - 1e-3)) / 2e-3
    np.testing.assert_allclose(slope, shape.factor(at), rtol=1e-4, atol=1e-2)


def test_sinusoidal_day_has_the_expected_counts():
    # rate 0.1 (1 + 0.6 sin(2 pi (t - 6 h) / 24 h)): 8,640 a day, 1,334.94 in the first 6 hours.
    shape = Sinusoid(0.6, 12 * 3600.0)
    assert 0.1 * shape.integral(np.array([DAY_S]))[0] == pytest.approx(8640, rel=1e-12)
    assert 0.1 * shape.integral(np.array([21_600.0]))[0] == pytest.approx(1334.9407750116143, rel=1e-12)
    days = 50
    moments = collect(poisson.draw(0.1, days * DAY_S, random(11), shape))
    assert abs(len(moments) - 8640 * days) < 4 * math.sqrt(8640 * days)
    early = np.count_nonzero(moments % DAY_S < 21_600)
    assert abs(early - 1334.94 * days) < 4 * math.sqrt(1334.94 * days)


def test_no_arrivals_while_the_profile_is_zero():
    profile = Profile.of([0] * 8 + [1] * 8 + [0] * 8)
    moments = collect(poisson.draw(0.5, 3 * DAY_S, random(2), profile)) % DAY_S / 3600
    assert len(moments) > 100_000
    assert moments.min() >= 7.5
    assert moments.max() <= 16.5


def test_hour_counts_of_a_shipped_profile():
    from dcsim import catalog

    entry = catalog.load().get("servegen-m-small", "profile")
    profile = Profile.of(entry.array("factors"))
    moments = collect(poisson.draw(5.0, DAY_S, random(5), profile))
    found = counts(moments, 3600.0, DAY_S)
    expected = 5.0 * np.diff(profile.integral(3600.0 * np.arange(25)))
    assert ((found - expected) ** 2 / expected).sum() < 51.2  # 99.9 % quantile with 24 degrees of freedom
    assert expected.max() / expected.min() > 1.8


@pytest.mark.parametrize("factors", [[], [0, 0], [1, -1], [1, math.nan], [1, math.inf], [[1, 2], [3, 4]]])
def test_bad_factors_are_refused(factors):
    with pytest.raises(ValueError, match="factor"):
        Profile.of(factors)
    with pytest.raises(ValueError, match="rate"):
        Steps.of(factors, 1.0)


def test_bad_period_is_refused():
    with pytest.raises(ValueError, match="period"):
        Profile.of([1.0], period_s=0.0)


# ---------------------------------------------------------------- renewal


@for_all(st.floats(0.02, 50.0))
@settings(max_examples=50)
def test_weibull_shape_gives_the_variation(variation):
    k = renewal.weibull_shape(variation)
    squared = math.exp(math.lgamma(1 + 2 / k) - 2 * math.lgamma(1 + 1 / k)) - 1
    assert math.sqrt(squared) == pytest.approx(variation, rel=1e-5)


def test_weibull_of_variation_one_is_exponential():
    assert renewal.weibull_shape(1.0) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("law", renewal.LAWS)
def test_bursty_renewal_processes_start_in_their_steady_state(law):
    # Without the rest of a gap at the start, cv 3 would bring (9 - 1) / 2 = 4 more jobs than 10.
    bursty = renewal.LAWS[law](3.0)
    found = [int(np.searchsorted(next(bursty.moments(random(seed), 400)), 10.0)) for seed in range(2000)]
    assert max(found) < 400
    near((np.mean(found), np.std(found) / math.sqrt(2000)), 10.0)


def test_first_gap_of_the_gamma_law_by_hand():
    # A moment meets a gap of mean E[X^2] / E[X] = 1 + cv^2 and waits for half of it.
    law = renewal.gamma(2.0)
    met = law.met(random(), 200_000)
    assert met.mean() == pytest.approx(5.0, rel=0.02)
    first = [float(next(law.moments(random(seed), 1))[0]) for seed in range(3000)]
    near((np.mean(first), np.std(first) / math.sqrt(3000)), 2.5)


def test_renewal_along_a_profile():
    profile = Profile.of([0.0, 5.0], period_s=100.0)
    moments = collect(renewal.draw(renewal.gamma(0.3), 2.0, 100_000.0, random(), profile))
    assert len(moments) == pytest.approx(200_000, rel=0.01)
    assert np.mean(moments % 100.0 < 50.0) == pytest.approx(0.25, abs=0.005)


# ---------------------------------------------------------------- MMPP


def test_states_by_hand():
    states = States.of([4.0, 1.0], [[9.0, 0.2], [0.1, 9.0]])  # the diagonal is not read
    np.testing.assert_allclose(states.share, [1 / 3, 2 / 3])
    assert states.mean_hz == pytest.approx(2.0)
    # 1 + 2 p1 p2 (l1 - l2)^2 / (mean (r12 + r21)) = 1 + 2 (2/9) 9 / 0.6
    assert mmpp.theory(states).dispersion(math.inf) == pytest.approx(1 + 4 / 0.6)
    # The excess falls short by 1 - (1 - exp(-x)) / x in windows of x = 0.3 w.
    assert mmpp.theory(states).dispersion(10.0) == pytest.approx(1 + 4 / 0.6 * (1 - (1 - math.exp(-3)) / 3))


def test_equal_rates_are_a_poisson_process():
    theory = mmpp.theory(States.of([0.7, 0.7], [[0, 0.1], [0.1, 0]]))
    assert theory.gap_cv == pytest.approx(1.0)
    assert theory.gap_lag1 == pytest.approx(0.0, abs=1e-12)
    assert theory.dispersion(5.0) == pytest.approx(1.0)


def test_on_off_process_is_a_renewal_process():
    # Interrupted Poisson process: gaps are hyperexponential and independent.
    states = States.of([2.0, 0.0], [[0, 0.5], [0.25, 0]])
    theory = mmpp.theory(states)
    assert theory.gap_lag1 == pytest.approx(0.0, abs=1e-12)
    assert theory.gap_cv**2 == pytest.approx(1 + 2 * 2.0 * 0.5 / 0.75**2)  # Kuczura 1973
    near(batches(np.diff(collect(mmpp.draw(states, 100_000.0, random()))), cv), theory.gap_cv)


def test_stays_and_share_of_time():
    states = States.of_stays([1000.0, 0.0, 0.0], [2.0, 1.0, 1.0])
    np.testing.assert_allclose(states.share, [0.5, 0.25, 0.25])
    assert states.change_hz.tolist() == [[0.0, 0.25, 0.25], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]
    first = [float(next(mmpp.draw(states, 100.0, random(seed)))[0]) for seed in range(150)]
    assert np.mean(np.array(first) < 0.01) == pytest.approx(0.5, abs=0.13)  # started in the steady state


@pytest.mark.parametrize(
    ("rates", "changes", "match"),
    [
        ([1.0, 2.0], [[0.0, 1.0]], "2 rows and columns"),
        ([0.0, 0.0], [[0, 1], [1, 0]], "one arrival rate above 0"),
        ([1.0, 2.0], [[0, 1], [0, 0]], "reached from every other"),
        ([1.0, -2.0], [[0, 1], [1, 0]], "0 or more"),
    ],
)
def test_bad_states_are_refused(rates, changes, match):
    with pytest.raises(ValueError, match=match):
        States.of(rates, changes)
    with pytest.raises(ValueError, match="one for each"):
        States.of_stays([1.0, 2.0], [1.0])


# ---------------------------------------------------------------- Hawkes, self-similar


def test_hawkes_without_children_is_a_poisson_process():
    moments = collect(hawkes.draw(5.0, 0.0, 1.0, 40_000.0, random()))
    assert cv(np.diff(moments)) == pytest.approx(1.0, abs=0.01)
    assert hawkes.theory(5.0, 0.0, 1.0).dispersion(3.0) == 1.0


def test_hawkes_starts_in_its_steady_state():
    found = [len(collect(hawkes.draw(2.0, 0.8, 5.0, 10.0, random(seed)))) for seed in range(150)]
    near((np.mean(found), np.std(found) / math.sqrt(150)), 20.0)


def test_hawkes_dispersion_limit():
    theory = hawkes.theory(2.0, 0.8, 5.0)
    assert theory.dispersion(math.inf) == pytest.approx(25.0)
    assert theory.dispersion(1e9) == pytest.approx(25.0, rel=1e-6)


@pytest.mark.parametrize("hurst", [0.6, 0.75, 0.9])
def test_self_similar_dispersion_grows_like_its_hurst_parameter(hurst):
    dispersion = self_similar.theory(100.0, hurst, 10.0, 1.0).dispersion
    excess = [dispersion(window) - 1.0 for window in (1e9, 1e10)]
    assert math.log10(excess[1] / excess[0]) == pytest.approx(2 * hurst - 1, abs=0.03)
    assert dispersion(math.inf) == math.inf


def test_self_similar_dispersion_by_numbers():
    alpha, on_s, window_s = 1.6, 2.0, 7.0
    least_s = on_s * (alpha - 1) / alpha
    u = (np.arange(1_000_000) + 0.5) * window_s / 1_000_000
    rest = np.where(u < least_s, 1 - u / on_s, (least_s / u) ** (alpha - 1) / alpha)
    wanted = 1 + 2 * 30.0 / 4.0 / window_s * np.sum((window_s - u) * rest) * window_s / 1_000_000
    assert self_similar.theory(30.0, 0.7, 4.0, on_s).dispersion(window_s) == pytest.approx(wanted, rel=1e-6)


def test_self_similar_starts_in_its_steady_state():
    found = [len(collect(self_similar.draw(50.0, 0.8, 3.0, 10.0, 2.0, random(seed)))) for seed in range(150)]
    near((np.mean(found), np.std(found) / math.sqrt(150)), 100.0)


def test_measured_hurst_parameter():
    moments = collect(self_similar.draw(20.0, 0.85, 5.0, 1.0, 200_000.0, random(4)))
    windows = [2.0**k for k in range(3, 11)]
    spread = [counts(moments, window, 200_000.0)[:-1].var() / window for window in windows]
    slope = np.polyfit(np.log(windows), np.log(spread), 1)[0]
    assert (slope + 1) / 2 == pytest.approx(0.85, abs=0.08)


# ---------------------------------------------------------------- clients


def test_zipf_by_hand():
    np.testing.assert_allclose(zipf(3, 1.0), np.array([6, 3, 2]) / 11)
    np.testing.assert_allclose(zipf(4, 0.0), [0.25] * 4)


def test_clients_have_their_shares_and_variation():
    group = Clients(np.array([0.5, 0.3, 0.2]), np.array([3.0, 1.0, 0.5]), "gamma")
    parts = list(_until(clients.draw(group, 10.0, random()), 40_000.0))
    moments, owner = (np.concatenate(each) for each in zip(*parts, strict=True))
    for number, (share, variation) in enumerate(zip(group.share, group.cv, strict=True)):
        own = moments[owner == number]
        assert len(own) / len(moments) == pytest.approx(share, abs=0.02)
        assert cv(np.diff(own)) == pytest.approx(variation, rel=0.05)


def test_a_further_client_changes_no_other():
    few = Clients(np.array([0.6, 0.4]), np.array([2.0, 2.0]), "gamma")
    more = Clients(np.array([0.3, 0.2, 0.5]), np.array([2.0, 2.0, 1.0]), "gamma")
    one, other = (
        list(_until(clients.draw(group, rate, random()), 5000.0)) for group, rate in ((few, 5.0), (more, 10.0))
    )
    (moments, owner), (grown, owners) = (
        [np.concatenate(each) for each in zip(*parts, strict=True)] for parts in (one, other)
    )
    for number in (0, 1):
        np.testing.assert_allclose(moments[owner == number], grown[owners == number], rtol=1e-14)


def test_bursts_of_clients_stay_visible_in_their_sum():
    assert clients.theory(MANY, 5.0).dispersion(math.inf) == pytest.approx(4.0)


# ---------------------------------------------------------------- periodic, given


def test_periodic_with_phase_and_jitter():
    plain = collect(periodic.draw(30.0, 0.5, 0.0, 100.0, random()))
    np.testing.assert_allclose(plain, 0.5 + np.arange(2985) / 30, rtol=1e-12)
    jittered = collect(periodic.draw(30.0, 0.5, 1 / 30, 100.0, random()))
    late = jittered - plain[: len(jittered)]
    assert late.min() >= -1e-12
    assert late.max() <= 1 / 30 + 1e-12
    assert late.mean() == pytest.approx(1 / 60, rel=0.05)


def test_scheduled_moments_are_sorted_and_end_before_the_end():
    assert collect(given.draw([30.0, 10.0, 20.0, 10.0], None, 30.0)).tolist() == [10.0, 10.0, 20.0]
    assert list(given.draw([30.0], None, 30.0)) == []


def test_scheduled_moments_repeat():
    moments = collect(given.draw([5.0, 0.0], 10.0, 31.0))
    assert moments.tolist() == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]


def test_scheduled_moments_of_one_period_are_its_multiples():
    moments = collect(given.draw([0.0], 1 / 30, 10_000.0))  # 30 frames per second
    assert len(moments) == pytest.approx(300_000, abs=1)
    np.testing.assert_allclose(moments, np.arange(len(moments)) / 30, rtol=1e-12)


def test_many_moments_with_a_short_period_stay_sorted_in_bounded_chunks():
    times = np.linspace(0.0, 0.1, 1000, endpoint=False)
    chunks = list(given.draw(times.tolist(), 0.1, 20.0))
    assert max(map(len, chunks)) <= CHUNK
    assert len(collect(chunks)) == pytest.approx(200_000, abs=2)


# ---------------------------------------------------------------- the parts that they share


def test_cut_ends_before_the_end():
    chunks = [np.array([1.0, 2.0]), np.array([]), np.array([3.0, 4.0, 5.0]), np.array([6.0])]
    assert [part.tolist() for part in cut(chunks, 4.0)] == [[1.0, 2.0], [3.0]]


@for_all(st.lists(st.lists(st.floats(0.0, 10.0), max_size=20), min_size=1, max_size=10))
@settings(max_examples=100)
def test_overlapping_batches_come_out_in_order(offsets):
    batches_ = [(np.array(own) + number, float(number + 1)) for number, own in enumerate(offsets)]
    parts = list(arrivals.ordered.in_order(iter(batches_)))
    out = np.concatenate(parts)
    assert (np.diff(out) >= 0).all()
    wanted = np.sort(np.concatenate([moments for moments, _ in batches_]))
    np.testing.assert_array_equal(out, wanted[wanted < len(offsets)])
    assert all(not len(one) or not len(two) or one[-1] <= two[0] for one, two in pairwise(parts))


def test_weibull_draws_have_the_law():
    gaps = renewal.weibull(2.0).gaps(random(), 100_000)
    k = renewal.weibull_shape(2.0)
    share = -np.expm1(-((gaps * special.gamma(1 + 1 / k)) ** k))
    assert abs(np.sort(share) - (np.arange(100_000) + 0.5) / 100_000).max() < 1.63 / math.sqrt(100_000)  # KS, 1 %
