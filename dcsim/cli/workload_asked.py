"""What `dcsim workload` is asked for: a trace, read as its options say, or a scenario, its streams drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dcsim.errors import DcsimError, ScenarioError, TraceError, nearest

if TYPE_CHECKING:
    from dcsim.scenario import Scenario
    from dcsim.workload import Block
    from dcsim.workload.arrivals import Theory
    from dcsim.workload.guess import Holds
    from dcsim.workload.traces import Machines, Rates, Reading

#: Jobs of a stream that are drawn at most to be described.
MOST_JOBS = 5_000_000

BAD_ROWS = ("refuse", "skip")


class Asked(NamedTuple):
    """How a trace is to be read; fields that are None were not said."""

    path: Path
    format: str | None
    select: str | None
    timezone: str | None
    bad_rows: str
    columns: list[str] | None

    def reading(self) -> Reading:
        """The same for the readers. DcsimError for an option that makes no sense."""
        from dcsim.workload.traces import Reading

        if self.bad_rows not in BAD_ROWS:
            raise DcsimError(f"--bad-rows: found '{self.bad_rows[:40]}'{nearest(self.bad_rows, BAD_ROWS)}")
        bad_rows = "skip" if self.bad_rows == "skip" else "refuse"
        return Reading(bad_rows, self.timezone, self.mapping(), self.select)  # type: ignore[arg-type]  # checked above

    def mapping(self) -> dict[str, str]:
        """dcsim's names of columns -> the file's."""
        pairs = [text.partition("=") for text in self.columns or ()]
        for text, (own, _, theirs) in zip(self.columns or (), pairs, strict=True):
            if not own or not theirs:
                raise DcsimError(f"--column: found '{text[:60]}', want NAME=NAME-IN-THE-FILE, such as run_s=duration")
        return {own: theirs for own, _, theirs in pairs}

    def only_of_traces(self) -> None:
        """Refuse options about a trace for a scenario."""
        given = {
            "--format": self.format,
            "--select": self.select,
            "--timezone": self.timezone,
            "--column": self.columns,
            "--bad-rows": None if self.bad_rows == "refuse" else self.bad_rows,
        }
        for option, value in given.items():
            if value:
                raise DcsimError(
                    f"{self.path}: found {option} with a scenario, which says itself how its traces are read"
                )


class Trace(NamedTuple):
    """What a file holds."""

    format: str
    holds: Holds
    content: Block | Rates | Machines


def read(asked: Asked) -> Trace:
    """The file, in the format that was given or that it must have. TraceError for everything that is wrong with it."""
    from dcsim.workload import guess, traces

    reading = asked.reading()
    format, holds = asked.format, None
    if format is None:
        format, holds = guess.guess(asked.path)
    elif format not in guess.all_formats():
        raise TraceError(f"--format: unknown trace format '{format[:40]}'{nearest(format, guess.all_formats())}")
    holds = holds or guess.holds(asked.path, format)
    content: Block | Rates | Machines = getattr(traces, holds)(asked.path, format, reading)
    return Trace(format, holds, content)


def jobs(asked: Asked) -> Block:
    """The jobs of a trace with times. TraceError when it holds something else."""
    from dcsim.workload import Block

    trace = read(asked)
    if trace.holds != "read" or not isinstance(trace.content, Block):
        words = {"items": "a list without times", "rates": "arrival rates", "machines": "nodes"}
        raise TraceError(f"{asked.path}: found {words[trace.holds]}, want jobs with arrival times")
    return trace.content


class Drawn(NamedTuple):
    """A stream of a scenario, drawn."""

    arrivals: str
    """kind of its process"""
    block: Block | None
    """None where jobs arrive by what happens in a run"""
    more: bool
    """whether it goes on after MOST_JOBS"""
    theory: Theory | None


def stream_names(scenario: Scenario, stream: str | None) -> list[str]:
    """The stream that was asked for, or all. ScenarioError for one that is not there."""
    if stream is None:
        return list(scenario.streams)
    if stream not in scenario.streams:
        raise ScenarioError(f"--stream: no stream '{stream[:64]}'{nearest(stream, scenario.streams)}")
    return [stream]


def draw(scenario: Scenario, name: str) -> Drawn:
    """The jobs of one stream with the scenario's seed, and what theory knows of its arrivals."""
    from dcsim import catalog, workload
    from dcsim.scenario.loops import Closed, Sessions
    from dcsim.scenario.replay import Replay
    from dcsim.workload import described, moments

    stream = scenario.streams[name]
    spec = stream.arrivals
    if isinstance(spec, Closed | Sessions):
        return Drawn(spec.kind, None, False, None)
    known = catalog.load([Path(path) for path in scenario.catalog])
    blocks = workload.blocks(stream, name, scenario.duration, known, scenario.seed, 0, None)
    block, more = described.joined(blocks, MOST_JOBS)
    theory = None
    if not isinstance(spec, Replay):
        theory = moments.source(spec, f"streams.{name}.arrivals", scenario.duration, known, None).theory
    return Drawn(spec.kind, block, more, theory)


def against(asked: Asked, fleet: Path, stream: str | None, block: Block) -> list[dict[str, Any]]:
    """Offered load of a trace whose jobs arrive as those of a stream of the scenario `fleet`."""
    from dcsim import units
    from dcsim.scenario import load
    from dcsim.workload import guess, statistics

    span_s = statistics.span_s(block.arrival_s)
    if span_s <= 0.0:
        raise TraceError(f"{asked.path}: all jobs arrive at {block.arrival_s[0]:g} s; want a span for an offered load")
    plain = load(fleet)
    names = stream_names(plain, stream)
    if len(names) > 1:
        raise ScenarioError(
            f"{fleet}: several streams; say with --stream as which one the jobs come: {', '.join(names)}"
        )
    name = names[0]
    spec = {"kind": "trace", "path": str(asked.path.absolute()), "bad_rows": asked.bad_rows}
    spec |= {"format": asked.format or guess.guess(asked.path).format}
    told = {"timezone": asked.timezone, "select": asked.select, "columns": asked.mapping()}
    changes: dict[str, Any] = {
        "duration": units.write(max(plain.duration, float(block.arrival_s[-1]) + span_s / len(block)), "time"),
        f"streams.{name}.arrivals": spec | {key: value for key, value in told.items() if value},
    }
    service = plain.streams[name].service
    if service is not None and "run_s" in block.columns:
        changes[f"streams.{name}.service"] = {"distribution": "trace", "utilisation": service.utilisation}
    if "input_tokens" in block.columns and plain.streams[name].sizes is not None:
        changes[f"streams.{name}.sizes"] = None
    changed = load(fleet, changes)
    return offered(changed, {name: draw(changed, name).block}, span_s)


def offered(scenario: Scenario, blocks: Mapping[str, Block | None], length_s: float) -> list[dict[str, Any]]:
    """Offered load of every pool and resource that the jobs ask for, largest first."""
    from dcsim import catalog
    from dcsim.sim.model import Model
    from dcsim.sim.offered import offered as loads

    model = Model(scenario, catalog.load([Path(path) for path in scenario.catalog]), scenario.seed)
    drawn = {name: block.pieces(65_536) for name, block in blocks.items() if block is not None}
    found = sorted((load for load in loads(model, drawn, length_s) if load.total), key=lambda load: -load.total)
    return [
        {
            "pool": one.pool,
            "resource": one.resource,
            "there": one.there,
            "load": one.total,
            "by_stream": dict(one.by_stream),
        }
        for one in found
    ]
