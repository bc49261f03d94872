"""How a user wants a trace read, and which of its rows could not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dcsim.errors import TraceError

#: Bad rows that are told one by one; the others are only counted.
MOST_TOLD = 20


@dataclass(frozen=True)
class Reading:
    """Options of a reader. A reader names those that it takes in its module's OPTIONS; all take `bad_rows`."""

    bad_rows: Literal["refuse", "skip"] = "refuse"
    """a row that breaks the format: TraceError, or left out and counted"""
    timezone: str | None = None
    """IANA name, such as Asia/Shanghai, of times that the file writes without a zone"""
    columns: Mapping[str, str] = field(default_factory=dict)
    """dcsim's name -> the name in the file"""
    select: str | None = None
    """the one of several series in the file that is meant"""


@dataclass
class Rows:
    """Rows of one file that become no jobs: bad ones, and those that the format's rules leave out."""

    path: Path
    reading: Reading
    dropped: Counter[str] = field(default_factory=Counter)
    """reason -> rows"""
    told: list[str] = field(default_factory=list)
    """the first bad rows in words, at most MOST_TOLD"""

    def bad(self, number: int, column: str, found: str, wants: str, *, quoted: bool = True) -> None:
        """One row (line of the file from 1) breaks the format. Raises TraceError unless bad rows are skipped.

        `found` is the text of a cell, or, where not `quoted`, words about the row.
        """
        theirs = self.reading.columns.get(column, column)
        named = f"column '{theirs}'" + (f" ({column})" if theirs != column else "")
        where = f"row {number}, {named}" if column else f"row {number}"
        shown = (repr(found[:60]) if quoted else found) if found else "nothing"
        line = f"{where}: found {shown}, want {wants}"
        if self.reading.bad_rows == "refuse":
            raise TraceError(f"{self.path}, {line}")
        if self.tells_more:
            self.told.append(line)
        self.leave_out(1, f"bad {column}" if column else "bad row")

    @property
    def tells_more(self) -> bool:
        """Whether the next bad row is refused or told in words; else it is only counted."""
        return self.reading.bad_rows == "refuse" or len(self.told) < MOST_TOLD

    def leave_out(self, count: int, reason: str) -> None:
        """So many rows are no jobs, for a rule of the format or because they are bad."""
        if count:
            self.dropped[reason] += int(count)
