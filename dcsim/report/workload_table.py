"""What `dcsim workload show` and `fit` print for people: their documents in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dcsim.report import grids
from dcsim.report.axes import time_words
from dcsim.report.grids import Line
from dcsim.report.words import count, per_second, percent, seconds, significant, small
from dcsim.units import in_words

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Document = Mapping[str, Any]

_TOLD = 5
_NAMES = 5


def shown(document: Document) -> RenderableType:
    """The answer of `dcsim workload show`, for `rich.print`."""
    from rich.console import Group
    from rich.text import Text

    blocks: list[RenderableType] = [Text(_head(document), style="bold"), Text()]
    blocks += _BODY[document["holds"]](document)
    if document.get("offered"):
        blocks += [Text(), _offered(document["offered"])]
    return Group(*blocks)


def _head(document: Document) -> str:
    if document["holds"] == "streams":
        return f"{document['source']}: scenario '{document['name']}', seed {document['seed']}"
    words = {"jobs": "jobs", "items": "list to pack, no times", "rates": "arrival rates", "machines": "nodes"}
    return f"{document['source']}: {words[document['holds']]}, format {document['format']}"


# ---------------------------------------------------------------- jobs


def _jobs(document: Document) -> list[RenderableType]:
    from rich.text import Text

    blocks: list[RenderableType] = [grids.grid(_lines(document))]
    if document.get("windows"):
        blocks += [Text(), _windows(document)]
    if document["columns"]:
        blocks += [Text(), _columns(document["columns"])]
    if document["labels"]:
        blocks += [Text(), grids.grid(_labels(document["labels"]))]
    if "hour_factors" in document:
        blocks += [
            Text(),
            _profile("by hour", document["hour_factors"], "hours from time 0 of the trace, over the mean"),
        ]
    if "day_factors" in document:
        blocks.append(_profile("by day", document["day_factors"], "days from time 0 of the trace, over the mean"))
    return [*blocks, *_told(document)]


def _told(document: Document) -> list[RenderableType]:
    from rich.text import Text

    return [Text(f"bad row: {line}", style="yellow") for line in document["told"][:_TOLD]]


def _left_out(document: Document) -> str:
    reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in document["dropped"].items())
    return f"left out: {reasons}" if reasons else ""


def _lines(document: Document) -> Iterator[Line]:
    yield "jobs", f"{document['rows']:,}", "; ".join(filter(None, (document.get("note", ""), _left_out(document))))
    if "span_s" not in document:
        return
    theory = document.get("theory", {})
    yield "span", seconds(document["span_s"]), f"first at {seconds(document['first_s'])}"
    if document["rate_hz"] is not None:
        yield "rate", per_second(document["rate_hz"]), _expected(theory.get("rate_hz"), per_second)
    if document["gap_cv"] is not None:
        same = f"{percent(document['at_the_same_time'])} of gaps are 0" if document["at_the_same_time"] else ""
        expected = _expected(theory.get("gap_cv"), significant)
        yield "CV of gaps", significant(document["gap_cv"]), "; ".join(filter(None, (expected, same)))
    if document["gap_lag1"] is not None:
        expected = _expected(theory.get("gap_lag1"), small)
        yield "gap and next", small(document["gap_lag1"]), f"correlation{'; ' if expected else ''}{expected}"
    for law, one in document.get("gap_laws", {}).items():
        cv = f" of CV {significant(one['cv'])}" if "cv" in one else ""
        yield f"{law} gaps", f"{one['ks']:.3f}", f"Kolmogorov-Smirnov distance of the law{cv}"
    if document.get("spearman_input_output") is not None:
        yield "input and output", small(document["spearman_input_output"]), "Spearman's rank correlation of tokens"
    if "sessions" in document:
        yield "sessions", f"{document['sessions']:,}", ""


def _expected(value: float | None, words: Callable[[float], str]) -> str:
    return "" if value is None else f"in theory {words(value)}"


def _windows(document: Document) -> Table:
    theory = document.get("theory", {}).get("dispersion_by_window_s", {})
    heads = ["counts in", "windows", "mean", "dispersion", "peak/mean", "lag 1", "lag 10"]
    rows = []
    for one in document["windows"]:
        lags = one["autocorrelation"]
        row = [time_words(one["window_s"]), f"{one['windows']:,}", significant(one["mean"])]
        row += [significant(one["dispersion"]), significant(one["peak_over_mean"])]
        row += [f"{lags[place]:.2f}" if place < len(lags) else "" for place in (0, 9)]
        if theory:
            known = theory.get(f"{one['window_s']:g}")
            row.append("" if known is None else significant(known))
        rows.append(row)
    return _table([*heads, *(["in theory"] if theory else [])], rows)


def _columns(columns: Document) -> Table:
    marks = ("mean", "cv", "least", "p50", "p90", "p99", "most")
    rows = []
    for name, one in columns.items():
        words = _UNITS.get(one["unit"], _number)
        cells = ["" if one.get(mark) is None else (significant if mark == "cv" else words)(one[mark]) for mark in marks]
        rows.append([name, *cells])
    return _table(["", "mean", "CV", "least", "p50", "p90", "p99", "most"], rows)


def _number(value: float) -> str:
    """Whole from 100 on: tokens are read digit by digit."""
    return f"{value:,.0f}" if value >= 100.0 else significant(value)


_UNITS: dict[str, Callable[[float], str]] = {"s": seconds, "B": lambda value: in_words(value, "B")}


def _labels(labels: Document) -> Iterator[Line]:
    for name, one in labels.items():
        listed = ", ".join(f"{label} {percent(share)}" for label, share in list(one["shares"].items())[:_NAMES])
        more = f"; top 10 {percent(one['top_10_share'])}" if one["names"] > 10 else ""
        yield name, f"{one['names']:,}", listed + more


def _profile(name: str, factors: Sequence[float], note: str) -> Table:
    return grids.grid([(name, f"{min(factors):.2f} to {max(factors):.2f}", note)])


# ---------------------------------------------------------------- what is no trace of jobs


def _rates(document: Document) -> list[RenderableType]:
    lines: list[Line] = [
        (
            "intervals",
            count(document["intervals"]),
            f"of {time_words(document['interval_s'])}; {_left_out(document)}".rstrip("; "),
        ),
        ("span", seconds(document["span_s"]), ""),
        ("rate", per_second(document["mean_hz"]), "mean"),
        (
            "peak/mean",
            significant(document["peak_over_mean"]),
            f"least/mean {significant(document['least_over_mean'])}",
        ),
    ]
    blocks: list[RenderableType] = [grids.grid(lines)]
    if "hour_factors" in document:
        blocks.append(_profile("by hour", document["hour_factors"], "hours from time 0 of the table, over the mean"))
    return [*blocks, *_told(document)]


def _machines(document: Document) -> list[RenderableType]:
    rows = [
        [
            f"{one['nodes']:,}",
            significant(one["cores"]),
            in_words(one["memory_bytes"], "B") if one["memory_bytes"] else "",
            f"{one['devices']:,}",
            one["device_kind"],
        ]
        for one in document["kinds"]
    ]
    lines: list[Line] = [
        ("nodes", f"{document['nodes']:,}", _left_out(document)),
        ("devices", f"{document['devices']:,}", ""),
    ]
    heads = ["nodes", "cores each", "memory each", "devices each", "kind"]
    return [grids.grid(lines), _table(heads, rows, left=(4,)), *_told(document)]


def _streams(document: Document) -> list[RenderableType]:
    from rich.text import Text

    blocks: list[RenderableType] = []
    for name, stream in document["streams"].items():
        blocks.append(Text(f"{name}: {stream['arrivals']}", style="bold"))
        blocks += _jobs(stream) if "rows" in stream else [Text(stream["note"])]
        blocks.append(Text())
    return blocks[:-1]


_BODY: dict[str, Callable[[Document], list[RenderableType]]] = {
    "jobs": _jobs,
    "items": _jobs,
    "rates": _rates,
    "machines": _machines,
    "streams": _streams,
}


def _offered(loads: Sequence[Document]) -> Table:
    rows = []
    for one in loads:
        parts = ", ".join(f"{name} {percent(load)}" for name, load in one["by_stream"].items() if load)
        rows.append([one["pool"], one["resource"], percent(one["load"]), parts])
    return _table(["pool", "resource", "offered load", "of streams"], rows, left=(0, 1, 3))


# ---------------------------------------------------------------- fits


def fitted(document: Document) -> RenderableType:
    """The candidates of a fit, best first, for `rich.print`."""
    from rich.console import Group
    from rich.text import Text

    blocks: list[RenderableType] = [Text(f"{document['source']}: {document['jobs']:,} jobs", style="bold"), Text()]
    rows = [
        [
            one["name"],
            f"{one['gap_ks']:.4f}",
            "" if one["dispersion_error"] is None else f"{one['dispersion_error']:.3f}",
            f"{one['rhythm_error']:.3f}",
            f"{one['parameters']}",
            "" if one["score"] is None else f"{one['score']:.4f}",
            f"{one['held_out_gap_ks']:.4f}" if "held_out_gap_ks" in one else "",
        ]
        for one in document["arrivals"]
    ]
    heads = ["arrivals", "KS of gaps", "dispersion error", "rhythm error", "parameters", "score", "held-out KS"]
    blocks.append(_table(heads, rows))
    if document["sizes"]:
        names = list(document["sizes"][0]["ks"])
        heads = [document["sizes"][0]["key"], *(f"KS of {name}" for name in names), "parameters", "score"]
        rows = [
            [
                one["name"],
                *(f"{one['ks'][name]:.4f}" for name in names),
                f"{one['parameters']:,}",
                f"{one['score']:.4f}",
            ]
            for one in document["sizes"]
        ]
        blocks += [Text(), _table(heads, rows)]
    return Group(*blocks)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for place, head in enumerate(heads):
        table.add_column(Text(head), justify="left" if place in left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
