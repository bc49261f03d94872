"""What no single field of a stream's arrivals can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel

from dcsim.scenario import processes
from dcsim.scenario.problems import Problem
from dcsim.scenario.replay import Replay
from dcsim.scenario.shape import Path
from dcsim.units import write

#: Keys under which arrivals hold further arrivals.
_INNER = ("moments", "starts")


def problems(path: Path, arrivals: BaseModel) -> Iterator[Problem]:
    """Everything in the arrivals at `path` that contradicts itself."""
    profile = getattr(arrivals, "profile", None)
    if profile is not None and not any(profile):
        yield Problem((*path, "profile"), "all factors are 0, want at least one above 0")
    for kind, check in _CHECKS.items():
        if isinstance(arrivals, kind):
            yield from check(path, arrivals)
    for key in _INNER:
        if isinstance(inner := getattr(arrivals, key, None), BaseModel):
            yield from problems((*path, key), inner)


def profiles(path: Path, arrivals: BaseModel) -> Iterator[tuple[Path, str]]:
    """Key path and name of every catalog profile that the arrivals at `path` take."""
    if isinstance(profile := getattr(arrivals, "profile", None), str):
        yield (*path, "profile"), profile
    for key in ("warp", *_INNER):
        if isinstance(inner := getattr(arrivals, key, None), BaseModel):
            yield from profiles((*path, key), inner)


def _scheduled(path: Path, arrivals: processes.Scheduled) -> Iterator[Problem]:
    last = max(arrivals.times)
    if arrivals.every is not None and last >= arrivals.every:
        position = arrivals.times.index(last)
        found, want = write(last, "time"), write(arrivals.every, "time")
        yield Problem((*path, "times", position), f"found {found}, want less than `every`, {want}")


def _periodic(path: Path, arrivals: processes.Periodic) -> Iterator[Problem]:
    if arrivals.jitter * arrivals.rate > 1.0:
        found, rate = write(arrivals.jitter, "time"), write(arrivals.rate, "rate")
        yield Problem((*path, "jitter"), f"found {found}, want at most the distance of two arrivals at {rate}")


def _weekly(path: Path, arrivals: processes.Weekly) -> Iterator[Problem]:
    yield from _one_of(path, arrivals, "days", "weekend")
    if arrivals.days is not None and not any(arrivals.days):
        yield Problem((*path, "days"), "all factors are 0, want at least one above 0")


def _mmpp(path: Path, arrivals: processes.Mmpp) -> Iterator[Problem]:
    yield from _one_of(path, arrivals, "stays", "changes")
    count = len(arrivals.rates)
    if not any(arrivals.rates):
        yield Problem((*path, "rates"), "all rates are 0/s, want at least one above")
    if arrivals.stays is not None and len(arrivals.stays) != count:
        yield Problem((*path, "stays"), f"found {len(arrivals.stays)} of them, want {count}, one for each rate")
    if arrivals.changes is not None and {len(arrivals.changes), *map(len, arrivals.changes)} != {count}:
        yield Problem((*path, "changes"), f"want {count} rows of {count} rates, one for each state")


def _clients(path: Path, arrivals: processes.ManyClients) -> Iterator[Problem]:
    yield from _one_of(path, arrivals, "zipf", "shares")
    if (arrivals.count is None) != (arrivals.zipf is None):
        found, missing = ("zipf", "count") if arrivals.count is None else ("count", "zipf")
        yield Problem((*path, found), f"'{found}' needs '{missing}' beside it")
    count = len(arrivals.shares) if arrivals.shares is not None else arrivals.count
    if count is not None and len(arrivals.cv) > count:
        yield Problem((*path, "cv"), f"found {len(arrivals.cv)} of them, want at most {count}, one for each client")


def _replay(path: Path, arrivals: Replay) -> Iterator[Problem]:
    if arrivals.moments is not None:
        for key in ("rate_scale", "period", "loop", "resample", "warp"):
            if getattr(arrivals, key) != Replay.model_fields[key].default:
                yield Problem((*path, key), f"'{key}' changes the trace's own times, which 'moments' replaces")
    elif arrivals.order != "trace":
        yield Problem((*path, "order"), f"found '{arrivals.order}', which needs 'moments' of another kind")
    if arrivals.warp is not None and not any(arrivals.warp.profile):
        yield Problem((*path, "warp", "profile"), "all factors are 0, want at least one above 0")
    if arrivals.loop and arrivals.resample is not None:
        yield Problem((*path, "loop"), "found both 'loop' and 'resample', want one of them")
    rounds = arrivals.loop or arrivals.resample is not None or (arrivals.warp and arrivals.warp.window)
    if arrivals.period is not None and not rounds and arrivals.moments is None:
        yield Problem((*path, "period"), "'period' needs 'loop', 'resample' or 'warp.window'")


def _one_of(path: Path, part: object, first: str, second: str) -> Iterator[Problem]:
    """Exactly one of two keys must be there."""
    given = [key for key in (first, second) if getattr(part, key) is not None]
    if len(given) != 1:
        found = f"both '{first}' and '{second}'" if given else f"neither '{first}' nor '{second}'"
        yield Problem(path, f"found {found}, want one of them")


_CHECKS: dict[type[BaseModel], Callable[[Path, Any], Iterator[Problem]]] = {
    processes.Scheduled: _scheduled,
    processes.Periodic: _periodic,
    processes.Weekly: _weekly,
    processes.Mmpp: _mmpp,
    processes.ManyClients: _clients,
    Replay: _replay,
}
