"""`dcsim workload kinds`: which devices can serve which kinds of work, and with which model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcsim.cli import output

if TYPE_CHECKING:
    from dcsim.workload.kinds import Coverage


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the kinds of work of an AI data center, and which devices serve each with which model."""
    from dcsim import catalog
    from dcsim.workload.kinds import coverage

    rows = coverage(catalog.load())
    if as_json:
        output.document([{**row._asdict(), "devices": list(row.devices), "models": list(row.models)} for row in rows])
        return
    output.table(_table(rows))
    print("`dcsim catalog show NAME` shows the stream of a kind; a scenario takes it with `workload: NAME`.")


def _table(rows: list[Coverage]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None)
    for column in ("kind of work", "devices", "models", "how known, or why none"):
        table.add_column(column, overflow="fold")
    last = ""
    for row in rows:
        devices = "GPUs" if row.family == "gpu" and row.models else ", ".join(row.devices)
        kind = row.workload if row.workload != last else ""
        table.add_row(kind, devices, ", ".join(row.models) or "-", escape(row.reason))
        last = row.workload
    return table
