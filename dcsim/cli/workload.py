"""`dcsim workload`: a trace or a scenario's demand in figures, fits of traces, drawn jobs as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcsim.cli import figure as figures
from dcsim.cli import output, workload_kinds
from dcsim.cli.options import FigureFile
from dcsim.cli.workload_asked import Asked
from dcsim.errors import DcsimError, ScenarioError, TraceError, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

app = typer.Typer(help="Job streams: a trace or a scenario's demand in figures, fits, drawn jobs as files.")
app.command("kinds")(workload_kinds.command)

_Format = Annotated[str | None, typer.Option(help="Format of the trace.", show_default="told from the file")]
_Select = Annotated[str | None, typer.Option(help="The one of several series in the file that is meant.")]
_Zone = Annotated[str | None, typer.Option(metavar="NAME", help="Zone of times without one, such as Asia/Shanghai.")]
_BadRows = Annotated[str, typer.Option("--bad-rows", metavar="refuse|skip", help="What becomes of bad rows.")]
_Columns = Annotated[
    list[str] | None, typer.Option("--column", metavar="NAME=FILE'S", help="A column of a csv or parquet file.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Stream = Annotated[str | None, typer.Option(metavar="NAME", help="Stream of the scenario.")]

_HALVES = ("first", "second", "all")


@app.command()
def show(
    source: Annotated[Path, typer.Argument(metavar="TRACE-or-SCENARIO", help="A trace, or a scenario to draw.")],
    format: _Format = None,
    stream: _Stream = None,
    select: _Select = None,
    timezone: _Zone = None,
    bad_rows: _BadRows = "refuse",
    column: _Columns = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="SCENARIO", help="Fleet on which the trace's jobs come as those of a stream."),
    ] = None,
    figure: FigureFile = None,
    as_json: _Json = False,
) -> None:
    """Rate, burstiness, sizes and states of the jobs of a trace, or of what a scenario draws; its offered load."""
    figures.check(figure)
    asked = Asked(source, format, select, timezone, bad_rows, column)
    from dcsim.workload import guess

    if guess.is_scenario(source):
        if against is not None:
            raise DcsimError(f"--against: found it with a scenario; {source} has its own fleet")
        document, page = _scenario(asked, stream, draws=figure is not None)
    else:
        if stream is not None and against is None:
            raise DcsimError("--stream: names a stream of a scenario, or of the one of --against; found a trace alone")
        document, page = _trace(asked, against, stream, draws=figure is not None)
    if as_json:
        output.document(document)
    else:
        from dcsim.report.workload_table import shown

        output.table(shown(document))
    if figure is not None and page is not None:
        figures.write(page, figure)
        if not as_json:
            print(f"figures: {figure}")


def _trace(
    asked: Asked, fleet: Path | None, stream: str | None, *, draws: bool
) -> tuple[dict[str, Any], Figure | None]:
    from dcsim.cli import workload_asked
    from dcsim.report import workload as pages
    from dcsim.workload import Block, described
    from dcsim.workload.traces import Machines

    trace = workload_asked.read(asked)
    document: dict[str, Any] = {"source": str(asked.path), "holds": trace.holds, "format": trace.format}
    content = trace.content
    if fleet is not None and trace.holds != "read":
        raise TraceError(f"{asked.path}: --against wants jobs with arrival times, which it does not hold")
    if isinstance(content, Machines):
        if draws:
            raise DcsimError(f"--figure: {asked.path} holds nodes, of which there is no figure")
        return document | described.machines(content), None
    if not isinstance(content, Block):
        page = pages.rates_page(content.rate_hz, content.interval_s) if draws else None
        return document | described.rates(content), page
    timed = trace.holds == "read"
    document |= {"holds": "jobs" if timed else "items"} | described.jobs(content, timed=timed)
    if fleet is not None:
        document["offered"] = workload_asked.against(asked, fleet, stream, content)
    return document, pages.page(content, timed=timed) if draws else None


def _scenario(asked: Asked, stream: str | None, *, draws: bool) -> tuple[dict[str, Any], Figure | None]:
    from dcsim.cli import workload_asked
    from dcsim.report import workload as pages
    from dcsim.scenario import load
    from dcsim.workload import described

    asked.only_of_traces()
    scenario = load(asked.path)
    names = workload_asked.stream_names(scenario, stream)
    if draws and len(names) > 1:
        raise ScenarioError(f"--figure: the scenario has several streams; say which with --stream: {', '.join(names)}")
    drawn = {name: workload_asked.draw(scenario, name) for name in names}
    streams: dict[str, dict[str, Any]] = {}
    for name, one in drawn.items():
        streams[name] = {"arrivals": one.arrivals}
        if one.block is None:
            why = "no job arrives in the run" if one.theory else "jobs arrive by what happens in a run"
            streams[name]["note"] = why
            continue
        streams[name] |= described.jobs(one.block) | {"theory": described.theory(one.theory)}
        if one.more:
            streams[name]["note"] = f"the first {len(one.block):,} of them"
    document = {
        "source": str(asked.path),
        "holds": "streams",
        "name": scenario.name,
        "seed": scenario.seed,
        "duration_s": scenario.duration,
        "streams": streams,
    }
    blocks = {name: one.block for name, one in drawn.items()}
    if not any(one.more for one in drawn.values()):
        document["offered"] = workload_asked.offered(scenario, blocks, scenario.duration)
    block = blocks[names[0]]
    if not draws:
        return document, None
    if block is None:
        raise ScenarioError(f"--figure: streams.{names[0]}: {streams[names[0]]['note']}; there is nothing to draw")
    return document, pages.page(block, drawn[names[0]].theory)


@app.command()
def fit(
    trace: Annotated[Path, typer.Argument(help="Trace of jobs.")],
    format: _Format = None,
    half: Annotated[str, typer.Option(metavar="first|second|all", help="Part of the trace's time.")] = "all",
    name: Annotated[
        str | None, typer.Option(help="Name of the stream and its tables.", show_default="from the file's name")
    ] = None,
    select: _Select = None,
    timezone: _Zone = None,
    bad_rows: _BadRows = "refuse",
    column: _Columns = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the block, .yaml, and beside it its catalog file.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Fit arrivals and sizes, and write the part of a scenario that best reproduces the trace."""
    from dcsim.cli import workload_asked
    from dcsim.workload import fit as fits

    if half not in _HALVES:
        raise DcsimError(f"--half: found '{half[:40]}'{nearest(half, _HALVES)}")
    if out is not None and out.suffix not in (".yaml", ".yml"):
        raise DcsimError(f"--out {out}: want a name that ends in .yaml")
    if out is not None and not out.absolute().parent.is_dir():
        raise DcsimError(f"--out {out}: cannot be written: there is no folder {out.parent}")
    named = fits.name_of(trace.name) if name is None else name
    if named != fits.name_of(named):
        raise DcsimError(
            f"--name: found '{named[:64]}', want lower-case letters, digits and '-', such as {fits.name_of(named)}"
        )
    block = workload_asked.jobs(Asked(trace, format, select, timezone, bad_rows, column))
    part: fits.Half = "first" if half == "first" else "second" if half == "second" else "all"
    source = trace.name + ("" if part == "all" else f", {part} half")
    try:
        found = fits.fit(fits.half(block, part), named, f"{source}; measured by dcsim workload fit")
    except TraceError as error:
        raise TraceError(f"{trace}: {error}") from None
    catalog_file = f"{out.stem if out else named}.catalog.yaml"
    if out is not None:
        _write(out, found.block_text(catalog_file))
        if found.entries:
            _write(out.with_name(catalog_file), found.catalog_text())
    if as_json:
        output.document(found.document(catalog_file))
        return
    from dcsim.report.workload_table import fitted

    output.table(fitted(found.document(catalog_file)))
    if out is None:
        print(f"\n{found.block_text(catalog_file)}", end="")
        if found.entries:
            print(f"# The tables that it names: dcsim workload fit {trace} --out {named}.yaml")
    else:
        print(f"block: {out}" + (f", tables: {out.with_name(catalog_file)}" if found.entries else ""))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DcsimError(f"--out {path}: cannot write: {error.strerror or error}") from None


@app.command()
def save(
    scenario: Annotated[Path, typer.Argument(help="Scenario file.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write, .parquet or .csv.")],
    stream: _Stream = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Root seed, instead of the scenario's.")] = None,
) -> None:
    """Draw the jobs of a stream and write them to a file that other scenarios replay byte for byte."""
    from dcsim.cli import workload_asked
    from dcsim.scenario import load
    from dcsim.workload import saved

    loaded = load(scenario)
    names = workload_asked.stream_names(loaded, stream)
    if len(names) > 1:
        raise ScenarioError(f"{scenario}: several streams; say which with --stream: {', '.join(names)}")
    count = saved.save(loaded, names[0], out, seed=seed)
    print(f"{count:,} jobs: {out}")
