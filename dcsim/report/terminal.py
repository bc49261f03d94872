"""What a run ends with on the terminal: streams, pools and what it all took, in 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dcsim.report import tables, words
from dcsim.report.kinds import ResultLike
from dcsim.report.tables import Column, Table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table as RichTable

# Headings of two lines: the upper words of neighbours read on, as "latency" over p50 to p99.
_STREAMS = [
    Column("jobs\ndone", ("completed",), words.count),
    Column("SLO\nmet", ("slo_attainment",), words.percent),
    Column("p50", ("latency_s", "p50"), words.seconds),
    Column("latency\np95", ("latency_s", "p95"), words.seconds),
    Column("p99", ("latency_s", "p99"), words.seconds),
    Column("energy\nmarginal", ("energy_j_per_job", "facility", "marginal"), words.joules),
    Column("per job\nloaded", ("energy_j_per_job", "facility", "loaded"), words.joules),
]
_TOKENS = [
    Column("p50", ("ttft_s", "p50"), words.seconds),
    Column("first token\np95", ("ttft_s", "p95"), words.seconds),
    Column("p99", ("ttft_s", "p99"), words.seconds),
    Column("p50", ("tpot_s", "p50"), words.seconds),
    Column("each further\np95", ("tpot_s", "p95"), words.seconds),
    Column("p99", ("tpot_s", "p99"), words.seconds),
    Column("within\nSLO", ("goodput_per_s",), words.per_second),
]
_TENANTS = [
    Column("jobs\ndone", ("completed",), words.count),
    Column("SLO\nmet", ("slo_attainment",), words.percent),
    Column("wait\nmean", ("wait_s", "mean"), words.seconds),
    Column("\np99", ("wait_s", "p99"), words.seconds),
    Column("device\nhours", ("device_hours",), words.significant),
    Column("\nenergy", ("energy_kwh",), words.kilowatt_hours),
]
_SHOWN_TENANTS = 10
_POOLS = [column for column in tables.POOL_COLUMNS if column.title != "idle energy"]


def summary_table(result: ResultLike) -> RenderableType:
    """Streams, pools, totals and warnings of a run, for `rich.print`; long names are folded."""
    from rich.console import Group
    from rich.text import Text

    summary = result.summary
    blocks: list[RenderableType] = []
    streams = tables.table("stream", _STREAMS, words.find(summary, "streams"))
    served = {
        name: block for name, block in (words.find(summary, "streams") or {}).items() if words.find(block, "ttft_s")
    }
    tokens = tables.table("tokens", _TOKENS, served)
    for table in (streams, tokens, _tenants(summary), tables.pools(summary, _POOLS)):
        if table.rows:
            blocks += [_rich(table), Text()]
    if any(column.title.startswith("energy\n") for column in streams.columns):
        blocks.insert(1, Text("energy per job at the facility boundary", style="dim"))
    cards = tables.cards(summary)
    if cards:
        blocks.append(_totals(cards))
    blocks += [Text(f"warning: {line}", style="yellow") for line in tables.warnings(summary)]
    return Group(*blocks)


def _tenants(summary: Mapping[str, Any]) -> Table:
    """The tenants with the most device time."""
    found = summary.get("tenants", {})
    largest = sorted(found, key=lambda name: -found[name].get("device_hours", 0.0))[:_SHOWN_TENANTS]
    more = f", {len(largest)} of {len(found)}" if len(found) > len(largest) else ""
    return tables.table(f"tenant{more}", _TENANTS, {name: found[name] for name in largest})


def _grid(*, header: bool) -> RichTable:
    from rich.table import Table as RichTable

    return RichTable(box=None, show_header=header, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)


def _rich(table: Table) -> RichTable:
    from rich.text import Text

    grid = _grid(header=True)
    grid.add_column(Text(table.first), overflow="fold", style="bold", vertical="bottom")
    for column in table.columns:
        grid.add_column(Text(column.title), justify="right", no_wrap=True, vertical="bottom")
    for name, cells in table.rows:
        grid.add_row(Text(name), *(Text(cell.text if cell else "") for cell in cells))
    return grid


def _totals(cards: Sequence[tables.Card]) -> RichTable:
    """One line per key figure: what, how much, details."""
    from rich.text import Text

    grid = _grid(header=False)
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(style="dim", overflow="fold")
    for card in cards:
        note = [card.value.note] if card.value.note else []
        grid.add_row(Text(card.label), Text(card.value.text), Text("; ".join([*note, *card.details])))
    return grid
