"""`dcsim run`: one simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcsim.cli import output
from dcsim.cli.folder import claimed, clear
from dcsim.cli.progress import progress

if TYPE_CHECKING:
    from dcsim.results import Result

_INTERRUPTED = 130


def command(
    scenario: Annotated[Path, typer.Argument(help="Scenario file.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Replace a value of the file.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Root seed, instead of the scenario's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.", show_default="runs/NAME-SEED")] = None,
    report: Annotated[bool, typer.Option("--report", help="Write report.html into the run folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no table.")] = False,
) -> int:
    """Run one simulation and write its run folder."""
    from dcsim.scenario import load, parse_setting

    overrides = dict(parse_setting(text) for text in settings or ())
    loaded = load(scenario, overrides if seed is None else overrides | {"seed": seed})
    with claimed(out or Path("runs") / f"{loaded.name}-{loaded.seed}") as folder:
        from dcsim.sim import simulate

        with progress(loaded.duration, quiet=quiet) as tick:
            result = simulate(loaded, progress=tick)
        save(result, folder, report=report)
    show(result, folder, report=report, as_json=as_json, quiet=quiet)
    return _INTERRUPTED if result.interrupted else 0


def save(result: Result, folder: Path, *, report: bool = False) -> None:
    """Write the run into `folder`, in place of an earlier one."""
    clear(folder)
    result.save(folder)
    if report:
        result.report(folder / "report.html")


def show(result: Result, folder: Path | None, *, report: bool, as_json: bool, quiet: bool) -> None:
    """Print the summary and say where the run is."""
    if as_json:
        output.document(result.summary)
    elif not quiet:
        from dcsim.report import summary_table

        output.table(summary_table(result))
        if folder is not None:
            print(f"run folder: {folder}" + (f", report: {folder / 'report.html'}" if report else ""))
    if result.interrupted:
        where = f"; what is finished is in {folder}" if folder is not None else ""
        output.note(f"interrupted{where}")
