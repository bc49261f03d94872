"""Parts that the tables of `dcsim chip` and `dcsim gpu` share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from dcsim.report.words import percent

if TYPE_CHECKING:
    from rich.table import Table as RichTable

#: Name, figure, remark.
Line: TypeAlias = tuple[str, str, str]


def numbers(summary: Mapping[str, Any]) -> str:
    """How many catalog numbers an answer rests on, and the share of each grade."""
    read = summary["numbers"]
    shares = ", ".join(f"{percent(share)} {grade}" for grade, share in read["shares"].items())
    return f"rests on {read['read']} catalog numbers" + (f": {shares}" if shares else "")


def grid(lines: Iterable[Line]) -> RichTable:
    """Lines one below the other, figures to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    return table
