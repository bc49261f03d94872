"""What a validation run hands back: one row per case and metric, counts, a table, JSON and an exit code."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

#: every status that a row can end with, in the order of the counts
STATUSES = ("passed", "failed", "calibration", "consistency", "skipped")
_STYLE = {
    "passed": "green",
    "failed": "bold red",
    "calibration": "cyan",
    "consistency": "cyan",
    "skipped": "yellow",
}


@dataclass(frozen=True)
class Row:
    """One metric of one case.

    `error` and `tolerance` are relative to `expected`; where `expected` is 0 they are absolute. A case with
    tolerance 0 is compared in the decimals that its file gives, so that its error is 0 when all of them
    agree.
    """

    area: str
    case: str
    metric: str
    status: str
    expected: float | None = None
    simulated: float | None = None
    error: float | None = None
    tolerance: float | None = None
    note: str = ""
    """why it was skipped or failed, or how it was measured"""


#: differences below this, relative, are rounding of floats
ROUNDING = 1e-12


def compare(
    area: str,
    case: str,
    metric: str,
    expected: float,
    simulated: float,
    tolerance: float,
    note: str = "",
    *,
    printed: bool = False,
    holds: str = "passed",
) -> Row:
    """Row with status `holds` when `simulated` is within the relative `tolerance` of `expected`, else failed.

    `printed` (and tolerance 0) means that `expected` was printed with as many decimals as it has: a value
    that rounds to it has error 0.
    """
    if not math.isfinite(simulated):
        return Row(
            area,
            case,
            metric,
            "failed",
            expected,
            None,
            None,
            tolerance,
            note or "the simulation gave no number",
        )
    seen = round(simulated, decimals(expected)) if printed or tolerance == 0 else simulated
    error = (seen - expected) / (abs(expected) or 1.0)
    if not math.isfinite(error):
        return Row(area, case, metric, "failed", expected, simulated, None, tolerance, "the error has no number")
    error = 0.0 if abs(error) < ROUNDING else error
    return Row(
        area,
        case,
        metric,
        holds if abs(error) <= tolerance else "failed",
        expected,
        simulated,
        error,
        tolerance,
        note,
    )


def decimals(value: float) -> int:
    """Digits after the point in the shortest text of a number, at least 1: 9.93267 has 5, 90000 has 1."""
    digits = repr(float(value)).partition(".")[2]
    return len(digits) if digits.isdigit() else 12


class Report:
    """All rows of one run. `strict` makes skipped rows count as failures in the exit code."""

    def __init__(self, rows: Iterable[Row], *, strict: bool = False) -> None:
        self.rows = tuple(rows)
        self.strict = strict

    @property
    def counts(self) -> dict[str, int]:
        """Rows by status, every status present."""
        return {status: sum(row.status == status for row in self.rows) for status in STATUSES}

    @property
    def exit_code(self) -> int:
        """0 good; 1 when a row failed, when nothing ran, or, if strict, when a row was skipped."""
        counts = self.counts
        nothing_ran = counts["skipped"] == len(self.rows)
        return int(counts["failed"] > 0 or nothing_ran or (self.strict and counts["skipped"] > 0))

    def document(self) -> dict[str, object]:
        """{"cases": [one object per row], "passed": n, "failed": n, ...}, made of JSON types only."""
        return {"cases": [asdict(row) for row in self.rows], **self.counts}

    def json(self) -> str:
        """The document as JSON text."""
        return json.dumps(self.document(), indent=1, allow_nan=False)

    def line(self) -> str:
        """The counts in one line: `12 passed, 0 failed, 0 calibration, 4 consistency, 2 skipped`."""
        return ", ".join(f"{count} {status}" for status, count in self.counts.items())

    def table(self) -> Table:
        """The rows as a rich table: case, metric, expected, simulated, error, tolerance, status."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for column in ("case", "metric", "expected", "simulated", "error", "tolerance", "status"):
            right = column in ("expected", "simulated", "error", "tolerance")
            table.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=right)
        for row in self.rows:
            told = f": {_plain(row.note)}" if row.note and row.status in ("failed", "skipped") else ""
            table.add_row(
                _plain(f"{row.area}/{row.case}"),
                _plain(row.metric),
                _figure(row.expected),
                _figure(row.simulated),
                _share(row, row.error),
                _share(row, row.tolerance),
                f"[{_STYLE[row.status]}]{row.status}[/]{told}",
            )
        return table


def _plain(text: str) -> str:
    """Untrusted text for a terminal: no markup, no control characters, at most 300 characters."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "?" for c in text[:300]))


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.12g}" if float(value).is_integer() else f"{value:.6g}"


def _share(row: Row, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2g}" if not row.expected else f"{100 * value:.3g} %"
