"""The processes of a scenario's arrivals: what theory knows of each, and its moments in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dcsim.catalog import Catalog
from dcsim.errors import ScenarioError, TraceError
from dcsim.scenario import check_arrivals, files, processes
from dcsim.scenario.replay import Process, Rates, Replay, TraceFile
from dcsim.scenario.shape import dotted
from dcsim.workload import arrivals, traces
from dcsim.workload.arrivals import (
    Shape,
    Theory,
    clients,
    given,
    hawkes,
    mmpp,
    periodic,
    poisson,
    renewal,
    self_similar,
)
from dcsim.workload.block import Block, FloatArray

#: Most that one stream may be expected to draw. A job takes about 90 bytes of a run, so these fill a machine of 16 GB;
#: of what a process draws besides (sources, changes of state), nothing is kept.
MOST = {"jobs": 2e8}
MOST_DRAWN = 1e9

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WORKING_DAYS, _WEEKEND_DAYS = 5, 2


@dataclass(frozen=True)
class Source:
    """A process whose parameters are known to be sound."""

    theory: Theory | None
    """None for moments that are written down once"""
    draw: Callable[[float, np.random.Generator], Iterator[Block]]
    """end of the run [s] and random stream -> blocks of the arrivals before it"""


@dataclass(frozen=True)
class _Place:
    """Where a process stands, for messages, and what its names mean."""

    where: str
    duration_s: float
    catalog: Catalog
    folder: Path | None

    def allow(self, key: str, expected: float, what: str = "jobs") -> None:
        """ScenarioError when the run would draw too many."""
        most = MOST.get(what, MOST_DRAWN)
        if expected > most:
            raise ScenarioError(
                f"{self.where}.{key}: about {expected:.3g} {what} in the run; at most {most:g} are allowed"
            )

    def rate(self, rate_hz: float, key: str = "rate") -> float:
        """The rate, when it does not bring too many jobs."""
        self.allow(key, rate_hz * self.duration_s)
        return rate_hz


def source(spec: Process, where: str, duration_s: float, catalog: Catalog, folder: Path | None) -> Source:
    """The process that `spec` describes. Raises ScenarioError, CatalogError or TraceError for all that can be wrong."""
    check(spec, where)
    place = _Place(where, duration_s, catalog, folder)
    return _KINDS[spec.kind](spec, place)


def check(spec: Process | Replay, where: str) -> None:
    """ScenarioError for arrivals that contradict themselves; `where` is their key path."""
    for problem in check_arrivals.problems((where,), spec):
        raise ScenarioError(f"{dotted(problem.path)}: {problem.reason}")


def hours(profile: str | list[float], where: str, catalog: Catalog) -> arrivals.Profile:
    """Profile of a scenario: the catalog's of that name, or factors of the hours of a day. `where` is its key path."""
    try:
        if not isinstance(profile, str):
            return arrivals.Profile.of(profile)
        entry = catalog.get(profile, "profile")
        return arrivals.Profile.of(entry.array("factors"), entry.get("period_s", arrivals.DAY_S))
    except ValueError as error:
        raise ScenarioError(f"{where}: {error}") from None


def reading(spec: TraceFile) -> traces.Reading:
    """How the scenario wants its file read."""
    return traces.Reading(spec.bad_rows, spec.timezone, spec.columns, spec.select)


def find_file(path: str, folder: Path | None) -> Path:
    """File or folder of a trace path: absolute ones as they are (a loaded scenario has no others); others as a scenario
    in `folder` would name them, or, for None, a script in the working folder. Raises TraceError.
    """
    if Path(path).is_absolute():
        return Path(path)
    try:
        return files.resolve(path, folder or Path.cwd(), own=folder is None, folder_ok=True)
    except files.FileProblem as error:
        raise TraceError(f"trace: {error}") from None


# ---------------------------------------------------------------- one function per kind


def _plain(chunks: Iterator[FloatArray]) -> Iterator[Block]:
    return (Block(moments_s) for moments_s in chunks)


def _poisson(spec: processes.Poisson, place: _Place) -> Source:
    rate_hz = place.rate(spec.rate)
    return Source(poisson.theory(rate_hz), lambda end_s, random: _plain(poisson.draw(rate_hz, end_s, random)))


def _periodic(spec: processes.Periodic, place: _Place) -> Source:
    rate_hz = place.rate(spec.rate)
    return Source(
        periodic.theory(rate_hz, spec.jitter),
        lambda end_s, random: _plain(periodic.draw(rate_hz, spec.phase, spec.jitter, end_s, random)),
    )


def _varying(rate_hz: float, shape: Shape) -> Source:
    return Source(
        poisson.theory(rate_hz, shape),
        lambda end_s, random: _plain(poisson.draw(rate_hz, end_s, random, shape)),
    )


def _daily(spec: processes.Daily, place: _Place) -> Source:
    return _varying(place.rate(spec.rate), hours(spec.profile, f"{place.where}.profile", place.catalog))


def _weekly(spec: processes.Weekly, place: _Place) -> Source:
    return _varying(place.rate(spec.rate), week(spec, place.where, place.catalog))


def week(spec: processes.Weekly, where: str, catalog: Catalog) -> arrivals.Profile:
    """Profile of a week: every hour of the day times the factor of its day, from the day on which the run starts."""
    if isinstance(spec.profile, str):
        day = catalog.get(spec.profile, "profile")
        factors, period_s = day.array("factors"), day.get("period_s", arrivals.DAY_S)
        if period_s != arrivals.DAY_S:
            raise ScenarioError(f"{where}.profile: found '{spec.profile}' of {period_s:g} s, want the profile of a day")
    else:
        factors = np.asarray(spec.profile)
    days = spec.days or [1.0] * _WORKING_DAYS + [float(spec.weekend or 0.0)] * _WEEKEND_DAYS
    try:
        return arrivals.Profile.of(np.outer(np.roll(days, -_DAYS.index(spec.start)), factors).ravel(), arrivals.WEEK_S)
    except ValueError as error:
        raise ScenarioError(f"{where}.profile: {error}") from None


def _sinusoid(spec: processes.Sinusoid, place: _Place) -> Source:
    return _varying(place.rate(spec.rate), arrivals.Sinusoid(spec.amplitude, spec.peak, spec.period))


def _rates(spec: Rates, place: _Place) -> Source:
    path = find_file(spec.path, place.folder)
    table = traces.rates(path, spec.format, reading(spec))
    try:
        shape = arrivals.Steps.of(table.rate_hz, table.interval_s)
    except ValueError as error:
        raise TraceError(f"{path}: {error}") from None
    rate_hz = place.rate(spec.rate or float(table.rate_hz.mean()))
    last_s = np.inf if spec.repeat else table.duration_s
    whole = _varying(rate_hz, shape)
    return Source(whole.theory, lambda end_s, random: whole.draw(min(end_s, last_s), random))


def _renewal(spec: processes.Gamma | processes.Weibull | processes.Lognormal, place: _Place) -> Source:
    rate_hz, shape = place.rate(spec.rate), _optional(spec.profile, place)
    law = renewal.LAWS[spec.kind](spec.cv)
    return Source(
        renewal.theory(rate_hz, spec.cv, shape),
        lambda end_s, random: _plain(renewal.draw(law, rate_hz, end_s, random, shape)),
    )


def _optional(profile: str | list[float] | None, place: _Place) -> arrivals.Profile | None:
    return None if profile is None else hours(profile, f"{place.where}.profile", place.catalog)


def _mmpp(spec: processes.Mmpp, place: _Place) -> Source:
    key = "changes" if spec.changes is not None else "stays"
    try:
        states = (
            mmpp.States.of(spec.rates, spec.changes)
            if spec.changes is not None
            else mmpp.States.of_stays(spec.rates, spec.stays or [])
        )
    except ValueError as error:
        raise ScenarioError(f"{place.where}.{key}: {error}") from None
    place.rate(states.mean_hz, "rates")
    place.allow(key, float(states.share @ states.change_hz.sum(axis=1)) * place.duration_s, "changes of state")
    return Source(mmpp.theory(states), lambda end_s, random: _plain(mmpp.draw(states, end_s, random)))


def _hawkes(spec: processes.Hawkes, place: _Place) -> Source:
    rate_hz = place.rate(spec.rate)
    run_in = rate_hz * hawkes.run_in_s(spec.branching, spec.decay)
    place.allow("decay", rate_hz * place.duration_s + run_in, "jobs with those before the start")
    return Source(
        hawkes.theory(rate_hz, spec.branching, spec.decay),
        lambda end_s, random: _plain(hawkes.draw(rate_hz, spec.branching, spec.decay, end_s, random)),
    )


def _self_similar(spec: processes.SelfSimilar, place: _Place) -> Source:
    rate_hz = place.rate(spec.rate)
    place.allow("on", spec.sources / spec.on * place.duration_s, "sources")
    parameters = (rate_hz, spec.hurst, spec.sources, spec.on)
    return Source(
        self_similar.theory(*parameters),
        lambda end_s, random: _plain(self_similar.draw(*parameters, end_s, random)),
    )


def _clients(spec: processes.ManyClients, place: _Place) -> Source:
    rate_hz, shape = place.rate(spec.rate), _optional(spec.profile, place)
    shares = np.asarray(spec.shares, np.float64) if spec.shares else clients.zipf(spec.count or 1, spec.zipf or 0.0)
    cv = np.array((spec.cv + [spec.cv[-1]] * (len(shares) - len(spec.cv)))[: len(shares)])
    group = clients.Clients(shares / shares.sum(), cv, spec.law)
    known = clients.theory(group, rate_hz)
    return Source(
        known if shape is None else Theory(rate_hz),
        lambda end_s, random: _labelled(group, rate_hz, shape, end_s, random),
    )


def _labelled(
    group: clients.Clients, rate_hz: float, shape: Shape | None, end_s: float, random: np.random.Generator
) -> Iterator[Block]:
    """Blocks with the label `user`: clients are numbered from 1, largest share of a Zipf law first."""
    digits = len(str(len(group.share)))
    names = tuple(f"client-{number:0{digits}}" for number in range(1, len(group.share) + 1))
    for chunk, owner in clients.draw(group, rate_hz, random):
        moments_s = chunk if shape is None else shape.inverse(chunk)
        count = int(np.searchsorted(moments_s, end_s, side="left"))
        if count:
            yield Block(moments_s[:count], {"user": owner[:count].astype(np.float64)}, {"user": names})
        if count < len(moments_s):
            return


def _scheduled(spec: processes.Scheduled, place: _Place) -> Source:
    known = None
    if spec.every is not None:
        place.allow("every", len(spec.times) * place.duration_s / spec.every)
        known = Theory(len(spec.times) / spec.every)
    return Source(known, lambda end_s, _random: _plain(given.draw(spec.times, spec.every, end_s)))


_KINDS: dict[str, Callable[[Any, _Place], Source]] = {
    "poisson": _poisson,
    "periodic": _periodic,
    "daily": _daily,
    "weekly": _weekly,
    "sinusoid": _sinusoid,
    "rates": _rates,
    "gamma": _renewal,
    "weibull": _renewal,
    "lognormal": _renewal,
    "mmpp": _mmpp,
    "hawkes": _hawkes,
    "self-similar": _self_similar,
    "clients": _clients,
    "schedule": _scheduled,
}
