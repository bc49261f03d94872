"""`dcsim validate`: published and peer results, and a user's own measurements, against the simulator."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dcsim.cli import output


def command(
    areas: Annotated[list[str] | None, typer.Argument(metavar="[AREA]...", help="Areas; all by default.")] = None,
    cases: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of further cases.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A skipped case fails too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the cases as JSON.")] = False,
) -> int:
    """Run validation cases; exit 1 when one fails or nothing ran."""
    from dcsim import validation

    report = validation.run(areas or [], cases, strict, progress=_say if sys.stderr.isatty() else None)
    if as_json:
        print(report.json())
    else:
        output.table(report.table())
        print(report.line())
    return report.exit_code


def _say(area: str, case: str) -> None:
    print(f"{area}: {case}", file=sys.stderr)
