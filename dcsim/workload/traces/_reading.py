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

    def bad(self, number: int, column: str, found: str, wants: str) -> None:
        """One row (line of the file from 1) breaks the format. Raises TraceError unless bad rows are skipped."""
        where = f"row {number}, column '{column}'" if column else f"row {number}"
        shown = repr(found[:60]) if found else "nothing"
        line = f"{where}: found {shown}, want {wants}"
        if self.reading.bad_rows == "refuse":
            raise TraceError(f"{self.path}, {line}")
        self.dropped[f"bad {column}" if column else "bad row"] += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(line)

    def leave_out(self, count: int, reason: str) -> None:
        """So many rows are no jobs by the rules of the format."""
        if count:
            self.dropped[reason] += count
