"""`dcsim catalog`: every number with its unit, source and grade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcsim.cli import output

if TYPE_CHECKING:
    from dcsim.catalog import Entry, Quantity

app = typer.Typer(help="Every number with unit, source and grade.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_entries(as_json: _Json = False) -> None:
    """List all entries by kind: name, kind, title."""
    from dcsim import catalog

    known = catalog.load()
    rows = [known.get(name) for name in known.names()]
    if as_json:
        output.document([{"name": row.name, "kind": row.kind, "title": row.title} for row in rows])
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("name", "kind", "title", box=None)
    for row in sorted(rows, key=lambda row: catalog.KINDS.index(row.kind)):
        table.add_row(escape(row.name), row.kind, escape(row.title))
    output.table(table)


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name of an entry.")], as_json: _Json = False) -> None:
    """Show one entry: its facts, and every number with unit, source and grade."""
    from dcsim import catalog

    entry = catalog.load().get(name)
    if as_json:
        output.document(_document(entry))
        return
    print(f"{entry.name}: {entry.title} ({entry.kind})")
    for fact, value in entry.facts.items():
        print(f"  {fact}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    output.table(_table(entry))


def _document(entry: Entry) -> dict[str, Any]:
    numbers = {key: _number(entry.quantity(key)) for key in entry}
    return {
        "name": entry.name,
        "kind": entry.kind,
        "title": entry.title,
        "is": entry.facts,
        "numbers": numbers,
    }


def _number(quantity: Quantity) -> dict[str, Any]:
    """As the catalog file has it; low, high and note only where they are given."""
    keys = ("value", "unit", "source", "grade", "low", "high", "note")
    number = {key: getattr(quantity, key) for key in keys}
    return {key: value for key, value in number.items() if value not in (None, "")}


def _table(entry: Entry) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None)
    for column in ("number", "value", "unit", "grade", "source"):
        table.add_column(column, justify="right" if column == "value" else "left", overflow="fold")
    for key in entry:
        quantity = entry.quantity(key)
        source = f"{quantity.source} ({quantity.note})" if quantity.note else quantity.source
        table.add_row(key, _value(quantity), quantity.unit, quantity.grade, escape(source))
    return table


def _value(quantity: Quantity) -> str:
    if isinstance(quantity.value, list):
        return f"table of {len(quantity.value)}"
    text = f"{quantity.value:g}"
    if isinstance(quantity.low, (int, float)) and isinstance(quantity.high, (int, float)):
        text += f" ({quantity.low:g} to {quantity.high:g})"
    return text
