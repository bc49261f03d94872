"""Arrival processes fitted to the moments of a trace, and how far each of them stays from it.

Every candidate is judged by drawing from what would be written into a scenario:

- the Kolmogorov-Smirnov (KS) distance of its gaps from those of the trace
- its dispersion error: |ln(its dispersion / the trace's)|, as far as it is beyond chance, mean over windows. The
  logarithm of the variance of n counts strays by sqrt(2 / n), on both sides, so 2 / sqrt(n) is left to chance
- of a trace of two days and more, its rhythm error: the share of its arrivals at other hours of the day than the
  trace's, as far as it is beyond that between the even and the odd days of the trace

Its score is the sum KS distance + DISPERSION_WEIGHT x dispersion error + RHYTHM_WEIGHT x rhythm error. Scores less than
1 / sqrt(jobs) above the lowest differ by chance alone (the mean KS distance of a sample from its own law is
0.87 / sqrt(jobs)): of those candidates the one with the fewest parameters is the best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter
from scipy import optimize

from dcsim.errors import TraceError
from dcsim.scenario.replay import Process
from dcsim.seeds import generator
from dcsim.workload import arrivals, fit_entries, fit_laws, moments, statistics
from dcsim.workload.arrivals import Shape, hawkes
from dcsim.workload.block import FloatArray

DISPERSION_WEIGHT, RHYTHM_WEIGHT = 0.1, 0.2

#: Jobs without which there is nothing to fit, and of each half for a held-out check.
LEAST_JOBS, LEAST_HELD_OUT = 50, 500

STEP_S = 600.0

_LEAST_STEPS, _MOST_STEPS = 4, 288
_DRAWN, _MOST_COPIES = 100_000, 100
_LEAST_BINS = 20
_BUNCHED = 1.05
_EQUAL = 0.05  # dispersion below which counts are as good as equal
_SHORTEST = 0.05  # time constant of a rate, in mean gaps
_MOST_RUN_IN = 2e6  # jobs before the start of a Hawkes process
_PROCESS: TypeAdapter[Any] = TypeAdapter(Process)


class Seen(NamedTuple):
    """The counts of the trace in windows of one length."""

    window_s: float
    dispersion: float
    chance: float
    """difference of logarithms of dispersions that chance alone makes"""


@dataclass(frozen=True)
class Candidate:
    """One process with its parameters and its distances from the trace."""

    name: str
    block: dict[str, Any]
    """the `arrivals` of a scenario"""
    parameters: int
    entries: dict[str, fit_entries.Raw] = field(default_factory=dict)
    """catalog entries that the block names"""
    gap_ks: float = math.nan
    dispersion_error: float = math.nan
    rhythm_error: float = 0.0
    score: float = math.nan
    held_out_ks: float | None = None
    """KS distance of gaps from the second half, fitted to the first; None where it cannot be had"""


def fit(arrival_s: FloatArray, name: str, source: str, seed: int = 1) -> list[Candidate]:
    """All candidates for sorted moments, best first. Raises TraceError when there is too little to fit.

    `name` is the prefix of catalog entries, `source` what they say of their origin.
    """
    check(arrival_s)
    windows = seen(arrival_s)
    made = [_judged(one, arrival_s, windows, seed) for one in _candidates(arrival_s, windows, name, source)]
    middle = arrival_s[0] + statistics.span_s(arrival_s) / 2
    first, second = arrival_s[arrival_s < middle], arrival_s[arrival_s >= middle]
    if min(len(first), len(second)) >= LEAST_HELD_OUT and min(map(statistics.span_s, (first, second))) > 0.0:
        halves = _candidates(first, seen(first), name, source)
        other = {one.name: one for one in halves if "steps" not in one.name}
        gaps_s = np.diff(second)
        made = [
            replace(one, held_out_ks=statistics.distance(np.diff(_drawn(other[one.name], first, seed)), gaps_s))
            if one.name in other
            else one
            for one in made
        ]
    return _ordered(made, len(arrival_s))


def check(arrival_s: FloatArray) -> None:
    """TraceError unless there are enough jobs at enough moments."""
    if len(arrival_s) < LEAST_JOBS:
        raise TraceError(f"found {len(arrival_s)} job{'s' * (len(arrival_s) != 1)}, want at least {LEAST_JOBS} to fit")
    different = len(np.unique(arrival_s))
    if different < 3:
        where = f"all at {arrival_s[0]:g} s" if different == 1 else f"at {different} moments only"
        raise TraceError(f"found {len(arrival_s)} jobs {where}, which gives no gaps to fit")


# ---------------------------------------------------------------- how good a candidate is


def _judged(one: Candidate, arrival_s: FloatArray, windows: list[Seen], seed: int) -> Candidate:
    """The candidate with its distances, by drawing from it."""
    drawn_s = _drawn(one, arrival_s, seed)
    if len(drawn_s) < LEAST_JOBS:
        return replace(one, gap_ks=1.0, dispersion_error=math.inf, score=math.inf)
    gap_ks = statistics.distance(np.diff(drawn_s), np.diff(arrival_s))
    error = dispersion_error([statistics.dispersion(drawn_s, one.window_s) for one in windows], windows)
    rhythm = _rhythm_error(drawn_s, arrival_s)
    score = gap_ks + DISPERSION_WEIGHT * error + RHYTHM_WEIGHT * rhythm
    return replace(one, gap_ks=gap_ks, dispersion_error=error, rhythm_error=rhythm, score=score)


def _ordered(found: list[Candidate], jobs: int) -> list[Candidate]:
    """The best candidate, then the others by score."""
    by_score = sorted(found, key=lambda one: one.score)
    equal = [one for one in by_score if one.score <= by_score[0].score + 1.0 / math.sqrt(jobs)]
    best = min(equal, key=lambda one: (one.parameters, one.score))
    return [best, *(one for one in by_score if one is not best)]


def _drawn(one: Candidate, arrival_s: FloatArray, seed: int) -> FloatArray:
    """Moments drawn from the candidate over the span of the trace, or many of them for a short one."""
    duration_s = min(math.ceil(_DRAWN / len(arrival_s)), _MOST_COPIES) * statistics.span_s(arrival_s)
    process = _PROCESS.validate_python(one.block)
    source = moments.source(process, "arrivals", duration_s, fit_entries.catalog(one.entries), None)
    chunks = [block.arrival_s for block in source.draw(duration_s, generator(seed, 0, f"fit/{one.name}"))]
    return np.concatenate(chunks) if chunks else np.zeros(0)


def seen(arrival_s: FloatArray) -> list[Seen]:
    """Windows in which there is something to see."""
    span, mean_gap_s = statistics.span_s(arrival_s), statistics.span_s(arrival_s) / len(arrival_s)
    steps = [mantissa * 10.0**power for power in range(-6, 9) for mantissa in (1, 2, 5)]
    inside = [step for step in steps if 0.5 * mean_gap_s <= step <= span / _LEAST_BINS]
    found = [(step, statistics.dispersion(arrival_s, step)) for step in inside]
    return [Seen(step, value, 2.0 / math.sqrt(int(span / step))) for step, value in found if value]


def _rhythm_error(drawn_s: FloatArray, arrival_s: FloatArray) -> float:
    """Share of drawn arrivals at other hours of the day than the trace's, beyond what its days differ in; 0 for a trace
    of less than two days.
    """
    theirs, ours = (statistics.profile(each, statistics.DAY_S, 24) for each in (arrival_s, drawn_s))
    if theirs is None or ours is None:
        return 0.0
    odd = ((arrival_s - arrival_s[0]) / statistics.DAY_S).astype(np.intp) % 2
    hour = (np.mod(arrival_s, statistics.DAY_S) / statistics.HOUR_S).astype(np.intp) % 24
    by_day = [np.bincount(hour[odd == which], minlength=24) for which in (0, 1)]
    first, second = (number * (24.0 / max(number.sum(), 1)) for number in by_day)
    return max(float(np.abs(ours - theirs).mean() - np.abs(first - second).mean()) / 2.0, 0.0)


def dispersion_error(model: Iterable[float | None], trace: list[Seen]) -> float:
    """Mean over windows of |ln(model / trace)| beyond chance, where the model has an answer; 0 without any."""
    pairs = [(value, one) for value, one in zip(model, trace, strict=True) if value is not None]
    misses = [abs(math.log(max(value, _EQUAL) / max(one.dispersion, _EQUAL))) - one.chance for value, one in pairs]
    return float(np.mean(np.maximum(misses, 0.0))) if misses else 0.0


# ---------------------------------------------------------------- the candidates


def _candidates(arrival_s: FloatArray, windows: list[Seen], name: str, source: str) -> list[Candidate]:
    rate_hz = statistics.rate_hz(arrival_s) or 0.0
    rate = f"{rate_hz:.6g}/s"
    gaps_s = np.diff(arrival_s)
    found = [Candidate("poisson", {"kind": "poisson", "rate": rate}, 1)]
    laws = fit_laws.nearest_cv(gaps_s)
    found += [Candidate(law, {"kind": law, "rate": rate, "cv": cv}, 2) for law, cv in laws.items()]
    found += _regular(gaps_s, rate_hz)
    found += _mmpp(arrival_s, windows, rate_hz)
    found += _hawkes(windows, rate_hz)
    for shape_name, parameters, block, entries, shape, start_s in _shapes(arrival_s, name, source):
        found.append(Candidate(f"poisson, {shape_name}", {"kind": "daily", "rate": rate, **block}, parameters, entries))
        stretched = np.diff(shape.integral(arrival_s - start_s))
        found += [
            Candidate(f"{law}, {shape_name}", {"kind": law, "rate": rate, "cv": cv, **block}, parameters + 1, entries)
            for law, cv in fit_laws.nearest_cv(stretched).items()
        ]
    return found + _weekly(arrival_s, rate)


def _regular(gaps_s: FloatArray, rate_hz: float) -> list[Candidate]:
    """Periodic arrivals, each late by a uniform time: gaps differ by up to its length, so var = jitter^2 / 6."""
    jitter_s = math.sqrt(6.0) * float(gaps_s.std())
    if jitter_s * rate_hz > 1.0:
        return []
    block = {"kind": "periodic", "rate": f"{rate_hz:.6g}/s"}
    return [Candidate("periodic", block | ({"jitter": f"{0.999 * jitter_s:.4g} s"} if jitter_s else {}), 2)]


@dataclass(frozen=True)
class _TwoStates:
    """A process of two states, one fast and one slow."""

    fast_hz: float
    slow_hz: float
    fast_share: float
    """of the time"""
    tau_s: float
    """time constant of the covariance of the rate: 1 / sum of the rates of change"""

    @staticmethod
    def of(x: FloatArray, rate_hz: float) -> _TwoStates:
        """From the logit of the share, the logarithm of (ratio of rates - 1), and that of tau."""
        share, ratio = 1.0 / (1.0 + math.exp(-x[0])), 1.0 + math.exp(x[1])
        slow_hz = rate_hz / (share * ratio + 1.0 - share)
        return _TwoStates(slow_hz * ratio, slow_hz, share, math.exp(x[2]))

    @property
    def stays_s(self) -> tuple[float, float]:
        """Mean time in the fast and in the slow state, s."""
        return self.tau_s / (1.0 - self.fast_share), self.tau_s / self.fast_share

    def gaps(self, x: FloatArray) -> FloatArray:
        """CDF of the gaps: 1 - a exp(D0 x) 1, D0 = Q - diag(rates), a the states as arrivals see them."""
        leave_fast, leave_slow = (1.0 / stay_s for stay_s in self.stays_s)
        d0 = np.array([[-leave_fast - self.fast_hz, leave_fast], [leave_slow, -leave_slow - self.slow_hz]])
        values, vectors = np.linalg.eig(d0)
        seen_by = np.array([self.fast_share * self.fast_hz, (1.0 - self.fast_share) * self.slow_hz])
        weights = (seen_by / seen_by.sum() @ vectors) * np.linalg.solve(vectors, np.ones(2))
        return np.asarray(1.0 - np.exp(np.outer(x, values)) @ weights, np.float64)

    def dispersion(self, window_s: float) -> float:
        """1 + 2 p (1 - p) (difference of rates)^2 tau / mean x (1 - tau / w (1 - exp(-w / tau)))."""
        p, tau_s = self.fast_share, self.tau_s
        mean_hz = p * self.fast_hz + (1.0 - p) * self.slow_hz
        strength = 2.0 * p * (1.0 - p) * (self.fast_hz - self.slow_hz) ** 2 * tau_s / mean_hz
        return 1.0 + strength * (1.0 + tau_s / window_s * math.expm1(-window_s / tau_s))


def _mmpp(arrival_s: FloatArray, windows: list[Seen], rate_hz: float) -> list[Candidate]:
    """Two states by the CDF of their gaps and their dispersion, both in closed form; none for regular arrivals."""
    if not windows or max(one.dispersion for one in windows) < _BUNCHED:
        return []
    known = fit_laws.marks(np.diff(arrival_s))
    lengths_s = [one.window_s for one in windows]
    longest = math.log(statistics.span_s(arrival_s))

    def miss(x: FloatArray) -> float:
        if np.abs(x[:2]).max() > 9.0 or not math.log(_SHORTEST / rate_hz) < x[2] < longest:
            return 10.0
        both = _TwoStates.of(x, rate_hz)
        error = dispersion_error([both.dispersion(window_s) for window_s in lengths_s], windows)
        return known.distance(both.gaps(known.points)) + DISPERSION_WEIGHT * error

    times = [math.log(lengths_s[place]) for place in (0, len(windows) // 2, -1)]
    starts = [np.array([place, 0.5, time]) for place in (-2.0, 0.0) for time in times]
    runs = [optimize.minimize(miss, start, method="Nelder-Mead", options={"maxiter": 250}) for start in starts]
    best = _TwoStates.of(min(runs, key=lambda run: float(run.fun)).x, rate_hz)
    block = {"kind": "mmpp", "rates": [f"{rate:.6g}/s" for rate in (best.fast_hz, best.slow_hz)]}
    return [Candidate("mmpp", block | {"stays": [f"{stay_s:.6g} s" for stay_s in best.stays_s]}, 4)]


def _hawkes(windows: list[Seen], rate_hz: float) -> list[Candidate]:
    """Branching ratio and decay by the dispersion; none where arrivals are no more bunched than at random."""
    if not windows or max(one.dispersion for one in windows) < _BUNCHED:
        return []
    lengths_s = [one.window_s for one in windows]

    def miss(x: FloatArray) -> float:
        if abs(x[0]) > 4.0 or abs(x[1] + math.log(rate_hz)) > 12.0:
            return 10.0
        branching, decay_s = 1.0 / (1.0 + math.exp(-x[0])), math.exp(x[1])
        if rate_hz * hawkes.run_in_s(branching, decay_s) > _MOST_RUN_IN:
            return 10.0
        known = hawkes.theory(rate_hz, branching, decay_s)
        return dispersion_error([known.dispersion(window_s) for window_s in lengths_s], windows)

    starts = [np.array([0.0, math.log(times / rate_hz)]) for times in (1.0, 30.0)]
    best = min((optimize.minimize(miss, start, method="Nelder-Mead") for start in starts), key=lambda run: run.fun).x
    branching, decay_s = 1.0 / (1.0 + math.exp(-best[0])), math.exp(best[1])
    block = {"kind": "hawkes", "rate": f"{rate_hz:.6g}/s", "branching": float(f"{branching:.4g}")}
    return [Candidate("hawkes", block | {"decay": f"{decay_s:.4g} s"}, 3)]


# ---------------------------------------------------------------- rates that vary

_Shaped = tuple[str, int, dict[str, Any], dict[str, fit_entries.Raw], Shape, float]


def _shapes(arrival_s: FloatArray, name: str, source: str) -> list[_Shaped]:
    """Rate profiles: hours of the day for two days and more, else steps of ten minutes over the whole trace."""
    span = statistics.span_s(arrival_s)
    hours = statistics.profile(arrival_s, statistics.DAY_S, 24)
    if hours is not None:
        factors = [float(f"{factor:.4g}") for factor in hours]
        return [("hours of the day", 24, {"profile": factors}, {}, arrivals.Profile.of(factors), 0.0)]
    steps = round(span / STEP_S)
    if not _LEAST_STEPS <= steps <= _MOST_STEPS:
        return []
    start_s, end_s = float(arrival_s[0]), float(arrival_s[-1])
    number = np.histogram(arrival_s, steps, (start_s, end_s))[0]
    found = fit_entries.rounded(number / number.mean(), 4)
    entry = fit_entries.entry(
        "profile",
        f"Rate of {name} in steps of {span / steps:.4g} s",
        source,
        {"factors": ("1", found), "period_s": ("s", span)},
    )
    made = f"{name}-rate"
    return [("10-minute steps", steps, {"profile": made}, {made: entry}, arrivals.Profile.of(found, span), start_s)]


def _weekly(arrival_s: FloatArray, rate: str) -> list[Candidate]:
    """Hours and days; the first day of the trace stands for Monday."""
    days = statistics.profile(arrival_s, statistics.WEEK_S, 7)
    hours = statistics.profile(arrival_s, statistics.DAY_S, 24)
    if days is None or hours is None:
        return []
    factors = {key: [float(f"{one:.4g}") for one in values] for key, values in (("profile", hours), ("days", days))}
    return [Candidate("poisson, hours and days", {"kind": "weekly", "rate": rate, **factors}, 31)]
