"""Saves the jobs of a stream, so that another scenario, or another tool, replays the same ones byte for byte."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dcsim import catalog
from dcsim.errors import DcsimError, ScenarioError, nearest
from dcsim.scenario.models import Scenario
from dcsim.workload.block import Block
from dcsim.workload.streams import blocks

_ENDINGS = (".parquet", ".csv")


def save(
    scenario: Scenario,
    stream: str,
    path: str | Path,
    *,
    seed: int | None = None,
    replication: int = 0,
    folder: Path | None = None,
) -> int:
    """Draw the jobs of a stream of `scenario` and write them with all their columns; return how many there are.

    The file has `arrival_s` and the columns of `dcsim.workload.columns` that the jobs have, as float64, labels as their
    names: Parquet for a name that ends in `.parquet`, CSV for `.csv`. The formats `parquet` and `csv` read it back:

        arrivals: {kind: trace, path: jobs.parquet, format: parquet}

    `seed` replaces the scenario's; `folder` is where relative paths of traces are looked up first. Nothing stands at
    `path` unless all jobs were written. Raises ScenarioError for a stream that does not exist or has no jobs in the
    run, DcsimError for a file that cannot be written, and what drawing the jobs raises.
    """
    if stream not in scenario.streams:
        raise ScenarioError(f"no stream '{stream}'{nearest(stream, scenario.streams)}")
    target = Path(path)
    if target.suffix not in _ENDINGS:
        raise DcsimError(f"{target}: found ending '{target.suffix}', want {' or '.join(_ENDINGS)}")
    known = catalog.load([Path(name) for name in scenario.catalog])
    root = scenario.seed if seed is None else seed
    jobs = blocks(scenario.streams[stream], stream, scenario.duration, known, root, replication, folder)
    with _whole(target) as file:
        count = _write(jobs, file, target.suffix)
        if not count:
            raise ScenarioError(f"streams.{stream}: no job arrives in the run; there is nothing to save")
    return count


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """An open file beside `path` that takes its name when all went well."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise DcsimError(f"{path}: cannot write: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)


def _cells(block: Block) -> dict[str, Any]:
    """The columns of the file: numbers as they are, labels as names."""
    cells: dict[str, Any] = {"arrival_s": block.arrival_s}
    for name, values in block.columns.items():
        names = block.labels.get(name)
        cells[name] = values if names is None else np.array(names, dtype=object)[values.astype(np.intp)]
    return cells


def _write(jobs: Iterable[Block], file: BinaryIO, ending: str) -> int:
    import pyarrow as pa
    from pyarrow import csv, parquet

    writer, count = None, 0
    try:
        for block in jobs:
            table = pa.table({name: pa.array(values) for name, values in _cells(block).items()})
            if writer is None:
                make = parquet.ParquetWriter if ending == ".parquet" else csv.CSVWriter
                writer = make(file, table.schema)
            writer.write_table(table)
            count += len(block)
    finally:
        if writer is not None:
            writer.close()
    return count
