"""Arrivals and columns of jobs that a scenario replays from a trace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from dcsim.catalog import Catalog
from dcsim.errors import ScenarioError, TraceError
from dcsim.results.account import AFTER_END
from dcsim.scenario.replay import Replay
from dcsim.scenario.streams import Stream
from dcsim.workload import moments, traces
from dcsim.workload.arrivals import Shape
from dcsim.workload.block import CHUNK, Block, FloatArray

#: Most jobs that a trace may become when it is repeated; all of them are held in memory.
MAX_JOBS = 50_000_000


def blocks(
    stream: Stream,
    spec: Replay,
    where: str,
    duration_s: float,
    catalog: Catalog,
    random: np.random.Generator,
    folder: Path | None,
) -> Iterator[Block]:
    """Jobs of the trace that `spec` names and that arrive in [0, duration_s), with the columns that `stream` uses.

    Times pass through these in turn: levelling by `warp.window`, `loop` or `resample`, `rate_scale`, `warp.profile`;
    or those of `moments` replace them. `where` is the stream's key path. All that can be wrong is found at once:
    TraceError, CatalogError, and ScenarioError when the stream wants run times that the trace has not.
    """
    moments.check(spec, f"{where}.arrivals")
    path = moments.find_file(spec.path, folder)
    jobs = _wanted(traces.read(path, spec.format, moments.reading(spec)), stream, where, path)
    if spec.moments is not None:
        source = moments.source(spec.moments, f"{where}.arrivals.moments", duration_s, catalog, folder)
        return _at(jobs, source, spec.order == "random", duration_s, random)
    again = spec.loop or spec.resample is not None
    period_s, shape = 0.0, None
    if again or (spec.warp is not None and spec.warp.window is not None):
        period_s = _period_s(jobs, spec, f"{where}.arrivals")
    if spec.warp is not None:
        shape = moments.hours(spec.warp.profile, f"{where}.arrivals.warp.profile", catalog)
        if spec.warp.window is not None:
            jobs = _levelled(jobs, spec.warp.window, period_s, f"{where}.arrivals.warp.window")
    if not again:
        return iter([_once(jobs, _placed(jobs.arrival_s, spec.rate_scale, shape), duration_s, path)])
    end_s = spec.rate_scale * (duration_s if shape is None else float(shape.integral(np.array([duration_s]))[0]))
    rounds = _rounds(jobs, period_s, spec, f"{where}.arrivals", end_s, random)
    return _cut(rounds, spec.rate_scale, shape, duration_s, jobs)


def _wanted(trace: Block, stream: Stream, where: str, path: Path) -> Block:
    """The trace with the columns that the stream uses."""
    columns = dict(trace.columns)
    if stream.service is None:
        columns.pop("run_s", None)
    elif stream.service.distribution == "trace" and "run_s" not in columns:
        raise ScenarioError(f"{where}.service.distribution: 'trace' wants run times, but {path} has none")
    return replace(trace, columns=columns)


def _placed(arrival_s: FloatArray, rate_scale: float, shape: Shape | None) -> FloatArray:
    scaled = arrival_s / rate_scale
    return scaled if shape is None else shape.inverse(scaled)


def _once(jobs: Block, arrival_s: FloatArray, duration_s: float, path: Path) -> Block:
    """The jobs at other moments, up to the end of the run; says how many come after it."""
    count = int(np.searchsorted(arrival_s, duration_s, side="left"))
    if count == 0:
        first = f"the first one would arrive at {arrival_s[0]:g} s"
        raise TraceError(f"{path}: no job arrives in the run of {duration_s:g} s; {first}")
    late = {AFTER_END: len(jobs) - count} if count < len(jobs) else {}
    kept = jobs.take(slice(count))
    return replace(kept, arrival_s=arrival_s[:count], dropped={**jobs.dropped, **late}, told=jobs.told)


def _cut(
    rounds: Iterator[Block], rate_scale: float, shape: Shape | None, duration_s: float, trace: Block
) -> Iterator[Block]:
    """The rounds up to the end of the run; the first says which rows the `trace` left out."""
    first = True
    for block in rounds:
        arrival_s = _placed(block.arrival_s, rate_scale, shape)
        count = int(np.searchsorted(arrival_s, duration_s, side="left"))
        if count:
            kept = block.take(slice(count))
            found = replace(kept, arrival_s=arrival_s[:count])
            yield replace(found, dropped=trace.dropped, told=trace.told) if first else found
            first = False


# ---------------------------------------------------------------- the trace again and again


def _rounds(
    jobs: Block, period_s: float, spec: Replay, where: str, end_s: float, random: np.random.Generator
) -> Iterator[Block]:
    """The jobs in further rounds to `end_s` of the trace's time."""
    if (expected := len(jobs) * end_s / period_s) > MAX_JOBS:
        raise ScenarioError(f"{where}: about {expected:.3g} jobs in the run; at most {MAX_JOBS:,} are allowed")
    if spec.resample is None:
        return _looped(jobs, period_s, end_s)
    if spec.resample > period_s:
        raise ScenarioError(
            f"{where}.resample: found {spec.resample:g} s, want at most the length of the trace, {period_s:g} s"
        )
    if (pieces := period_s / spec.resample) > MAX_JOBS:
        raise ScenarioError(f"{where}.resample: found {pieces:,.0f} blocks in the trace, want at most {MAX_JOBS:,}")
    return _resampled(jobs, int(pieces), spec.resample, end_s, random)


def _period_s(jobs: Block, spec: Replay, where: str) -> float:
    """Length of the trace, longer than its last arrival."""
    first_s, last_s = float(jobs.arrival_s[0]), float(jobs.arrival_s[-1])
    if spec.period is None:
        if last_s <= first_s:
            raise ScenarioError(f"{where}: missing key 'period'; all jobs of the trace arrive at {first_s:g} s")
        return last_s + (last_s - first_s) / (len(jobs) - 1)
    if spec.period <= last_s:
        raise ScenarioError(
            f"{where}.period: found {spec.period:g} s, want more than the last arrival of the trace, {last_s:g} s"
        )
    return spec.period


def _levelled(jobs: Block, window_s: float, period_s: float, where: str) -> Block:
    """The jobs moved so that all windows of the trace have the same mean rate."""
    windows = int(np.ceil(period_s / window_s))
    if windows > MAX_JOBS:
        raise ScenarioError(f"{where}: found {windows:,} windows, want at most {MAX_JOBS:,}")
    lengths_s = np.full(windows, window_s)
    lengths_s[-1] = period_s - window_s * (windows - 1)
    counts = np.bincount(np.minimum((jobs.arrival_s / window_s).astype(np.intp), windows - 1), minlength=windows)
    edges_s = np.concatenate([[0.0], np.cumsum(lengths_s)])
    share = np.concatenate([[0.0], np.cumsum(counts)]) / len(jobs)
    moved = np.maximum.accumulate(np.interp(jobs.arrival_s, edges_s, share * period_s))
    return replace(jobs, arrival_s=moved)


def _looped(jobs: Block, period_s: float, end_s: float) -> Iterator[Block]:
    """The jobs, and again every period."""
    at_once, rows = max(1, CHUNK // len(jobs)), np.arange(len(jobs))
    for first in range(0, int(end_s / period_s) + 1, at_once):
        starts_s = period_s * np.arange(first, first + at_once)
        arrival_s = np.maximum.accumulate(np.add.outer(starts_s, jobs.arrival_s).ravel())
        yield replace(jobs.take(np.tile(rows, at_once)), arrival_s=arrival_s)


def _resampled(jobs: Block, count: int, length_s: float, end_s: float, random: np.random.Generator) -> Iterator[Block]:
    """Blocks of the trace one after the other, drawn with replacement out of `count` (Efron 1979; Kuensch 1989).

    Jobs and their columns stay together; a rest of the trace that is shorter than a block is left out.
    """
    borders = np.searchsorted(jobs.arrival_s, length_s * np.arange(count + 1), side="left")
    jobs_each = np.diff(borders)
    at_once = max(1, int(CHUNK / max(float(jobs_each.mean()), 1.0)))
    for first in range(0, int(end_s / length_s) + 1, at_once):
        drawn = random.integers(0, count, at_once)
        many = jobs_each[drawn]
        place = np.repeat(np.arange(at_once), many)
        rows = np.arange(len(place)) - np.repeat(np.cumsum(many) - many, many) + borders[drawn][place]
        moved_s = length_s * (first + place - drawn[place])
        yield replace(jobs.take(rows), arrival_s=np.maximum.accumulate(jobs.arrival_s[rows] + moved_s))


# ---------------------------------------------------------------- the trace's jobs at other moments


def _at(
    jobs: Block, source: moments.Source, shuffled: bool, duration_s: float, random: np.random.Generator
) -> Iterator[Block]:
    """The jobs of the trace at the moments of a process; what the process itself knows of them counts."""
    of_moments, of_rows = random.spawn(2)
    taken = 0
    for block in source.draw(duration_s, of_moments):
        count = len(block)
        rows = of_rows.integers(0, len(jobs), count) if shuffled else (taken + np.arange(count)) % len(jobs)
        own = jobs.take(rows)
        columns, labels = {**own.columns, **block.columns}, {**own.labels, **block.labels}
        drawn = replace(own, arrival_s=block.arrival_s, columns=columns, labels=labels)
        yield drawn if taken else replace(drawn, dropped=jobs.dropped, told=jobs.told)
        taken += count
