"""A stream of a scenario to blocks of jobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from dcsim.catalog import Catalog
from dcsim.errors import ScenarioError
from dcsim.scenario.loops import Closed, Sessions
from dcsim.scenario.replay import Replay
from dcsim.scenario.streams import Stream
from dcsim.seeds import generator
from dcsim.workload import draws, moments, replay
from dcsim.workload.block import BLOCK_ROWS, Block


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
    columns = draws.column_draws(stream, name, catalog, seed, replication)
    return _fill(source, columns, draws.labels(stream, catalog), rows)


def _fill(
    source: Iterable[Block], drawn: list[draws.Draw], labels: Mapping[str, tuple[str, ...]], rows: int
) -> Iterator[Block]:
    for whole in source:
        for block in whole.pieces(rows):
            columns = dict(block.columns)
            for draw in drawn:
                columns |= draw(len(block))
            yield dataclasses.replace(block, columns=columns, labels={**block.labels, **labels})


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
        return replay.blocks(stream, spec, where, duration_s, catalog, random, folder)
    if stream.service is not None and stream.service.distribution == "trace":
        raise ScenarioError(f"{where}.service.distribution: 'trace' wants arrivals of kind trace, found '{spec.kind}'")
    if isinstance(spec, Closed | Sessions):
        raise ScenarioError(f"{where}.arrivals.kind: found '{spec.kind}', whose jobs arrive by what happens in a run")
    return moments.source(spec, f"{where}.arrivals", duration_s, catalog, folder).draw(duration_s, random)
