"""`dcsim bench`: speed and memory of the event loop."""

from __future__ import annotations

from typing import Annotated

import typer

from dcsim.cli import output


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Speed and memory, beside a bare heap loop and plain SimPy."""
    from dcsim.validation import bench

    figures = bench.run()
    if as_json:
        output.document(figures)
        return
    width = max(len(name) for name in figures)
    for name, value in figures.items():
        print(f"{name:<{width}}  {value:,.0f}" if value >= 1000 else f"{name:<{width}}  {value:.4g}")
