"""Arrivals and columns of jobs that a scenario replays from a trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dcsim.errors import ScenarioError, TraceError
from dcsim.scenario import files
from dcsim.scenario.replay import Replay
from dcsim.scenario.streams import Stream
from dcsim.workload import traces
from dcsim.workload.block import Block


def read(stream: Stream, spec: Replay, where: str, duration_s: float, folder: Path | None) -> Block:
    """Jobs of the trace that `spec` names and that arrive in [0, duration_s), with the columns that `stream` uses.

    Raises TraceError, and ScenarioError when the stream wants run times that the trace has not.
    """
    path = find_trace(spec.path, folder)
    trace = traces.read(path, spec.format, reading(spec))
    arrival_s = trace.arrival_s / spec.rate_scale
    count = int(np.searchsorted(arrival_s, duration_s, side="left"))
    if count == 0:
        first = f"the first one would arrive at {arrival_s[0]:g} s"
        raise TraceError(f"{path}: no job arrives in the run of {duration_s:g} s; {first}")
    jobs = trace.take(slice(count))
    columns = dict(jobs.columns)
    if stream.service is None:
        columns.pop("run_s", None)
    elif stream.service.distribution == "trace" and "run_s" not in columns:
        raise ScenarioError(f"{where}.service.distribution: 'trace' wants run times, but {path} has none")
    late = {"after the end": len(trace) - count} if count < len(trace) else {}
    return replace(jobs, arrival_s=arrival_s[:count], columns=columns, dropped={**trace.dropped, **late})


def reading(spec: Replay) -> traces.Reading:
    """How the scenario wants its trace read."""
    return traces.Reading(spec.bad_rows, spec.timezone, spec.columns, spec.select)


def find_trace(path: str, folder: Path | None) -> Path:
    """File of a trace path: absolute ones as they are (a loaded scenario has no others); others as a scenario
    in `folder` would name them, or, for None, a script in the working folder. Raises TraceError.
    """
    if Path(path).is_absolute():
        return Path(path)
    try:
        return files.resolve(path, folder or Path.cwd(), own=folder is None)
    except files.FileProblem as error:
        raise TraceError(f"trace: {error}") from None
