"""A stream of a scenario to blocks of jobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from dcsim.catalog import Catalog
from dcsim.errors import ScenarioError
from dcsim.scenario.arrivals import Daily, Poisson, Scheduled
from dcsim.scenario.replay import Replay
from dcsim.scenario.sizes import FixedSizes
from dcsim.scenario.streams import Stream
from dcsim.seeds import generator
from dcsim.workload import arrivals, replay, run_times, sizes
from dcsim.workload.block import BLOCK_ROWS, Block, FloatArray

#: Most jobs that one stream may be expected to draw: ten times what fits in the memory of a large machine.
MAX_JOBS = 1e9

_Draw = Callable[[int], dict[str, FloatArray]]


def blocks(
    stream: Stream,
    name: str,
    duration_s: float,
    catalog: Catalog,
    seed: int,
    replication: int,
    folder: Path | None,
    *,
    rows: int = BLOCK_ROWS,
) -> Iterator[Block]:
    """Jobs of `stream` that arrive in [0, duration_s), in sorted, never empty blocks of at most `rows` rows.

    Columns: `input_tokens` and `output_tokens` where the stream has sizes or its trace brings them (given
    sizes replace those of the trace); `run_s` where the stream has a `service`; from a trace also its other
    columns. Trace rows at or after the end are left out; the first block's `dropped` counts them and those that
    the reader left out.

    The same seed and replication give the same bytes whatever `rows` is. `folder` is where a scenario stands
    that was not loaded from a file and names a trace by a relative path. All that can be wrong is found
    before the first block: ScenarioError, CatalogError or TraceError.
    """
    where = f"streams.{name}"
    source = _source(
        stream, where, duration_s, catalog, generator(seed, replication, f"stream/{name}/arrivals"), folder
    )
    draws: list[_Draw] = []
    if stream.sizes is not None:
        draws.append(_size_draw(stream.sizes, catalog, generator(seed, replication, f"stream/{name}/sizes")))
    if stream.service is not None:
        run_times.check(stream.service, f"{where}.service")
        if stream.service.distribution != "trace":
            service, random = stream.service, generator(seed, replication, f"stream/{name}/service")
            draws.append(lambda count: {"run_s": run_times.draw(service, count, random)})
    return _fill(source, draws, rows)


def _fill(source: Iterable[Block], draws: list[_Draw], rows: int) -> Iterator[Block]:
    for whole in source:
        for block in whole.pieces(rows):
            columns = dict(block.columns)
            for draw in draws:
                columns |= draw(len(block))
            yield dataclasses.replace(block, columns=columns)


# ---------------------------------------------------------------- where jobs come from


def _source(
    stream: Stream,
    where: str,
    duration_s: float,
    catalog: Catalog,
    random: np.random.Generator,
    folder: Path | None,
) -> Iterable[Block]:
    """Blocks with arrival times, and with the columns of the trace if it is one."""
    spec = stream.arrivals
    if isinstance(spec, Replay):
        return [replay.read(stream, spec, where, duration_s, folder)]
    if stream.service is not None and stream.service.distribution == "trace":
        raise ScenarioError(f"{where}.service.distribution: 'trace' wants arrivals of kind trace, found '{spec.kind}'")
    return (Block(times_s) for times_s in _times(spec, f"{where}.arrivals", duration_s, catalog, random))


def _times(
    spec: Poisson | Daily | Scheduled,
    where: str,
    duration_s: float,
    catalog: Catalog,
    random: np.random.Generator,
) -> Iterator[FloatArray]:
    if isinstance(spec, Scheduled):
        if spec.every is not None:
            _check_count(f"{where}.every", len(spec.times) * duration_s / spec.every)
            if max(spec.times) >= spec.every:
                raise ScenarioError(
                    f"{where}.times: found {max(spec.times):g} s, want all below `every`, {spec.every:g} s"
                )
        return arrivals.scheduled(spec.times, spec.every, duration_s)
    _check_count(f"{where}.rate", spec.rate * duration_s)
    if isinstance(spec, Poisson):
        return arrivals.poisson(spec.rate, duration_s, random)
    return arrivals.profiled(spec.rate, _profile(spec.profile, where, catalog), duration_s, random)


def _check_count(where: str, expected: float) -> None:
    if expected > MAX_JOBS:
        raise ScenarioError(f"{where}: about {expected:.3g} jobs in the run; at most {MAX_JOBS:g} are allowed")


def _profile(profile: str | list[float], where: str, catalog: Catalog) -> arrivals.Profile:
    try:
        if not isinstance(profile, str):
            return arrivals.Profile.of(profile)
        entry = catalog.get(profile, "profile")
        return arrivals.Profile.of(entry.array("factors"), entry.get("period_s", arrivals.DAY_S))
    except ValueError as error:
        raise ScenarioError(f"{where}.profile: {error}") from None


def most_tokens(spec: str | FixedSizes, catalog: Catalog) -> int:
    """Input and output tokens of the longest request of fixed or drawn sizes; CatalogError for an unsound table."""
    if isinstance(spec, FixedSizes):
        return spec.input_tokens + spec.output_tokens
    return sizes.SizeTable.of(catalog.get(spec, "sizes")).most_tokens


def _size_draw(spec: str | FixedSizes, catalog: Catalog, random: np.random.Generator) -> _Draw:
    if isinstance(spec, FixedSizes):
        return lambda count: sizes.fixed(spec.input_tokens, spec.output_tokens, count)
    table = sizes.SizeTable.of(catalog.get(spec, "sizes"))
    return lambda count: table.draw(count, random)
