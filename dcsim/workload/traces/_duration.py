"""A column of times as Slurm prints them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from dcsim.workload.traces._columns import MAX_S, Cells, distinct

_TIME = re.compile(r"(?:(?:(\d{1,7})-)?(\d{1,9}):)?(\d{1,9}):([0-5]?\d)", re.ASCII)
_MINUTES = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True)
class Duration:
    """`D-HH:MM:SS`, `HH:MM:SS` or `MM:SS`, s."""

    name: str
    minutes: bool = False
    """whether a bare number, of minutes, is allowed too"""
    missing: frozenset[str] = frozenset()
    """words that stand for no value, which gives NaN"""

    @property
    def wants(self) -> str:
        """What is allowed, in words."""
        return f"a time such as 1-02:30:00, 02:30:00 or 30:00{', or minutes' if self.minutes else ''}"

    def convert(self, cells: object, _names: dict[str, int], /) -> Cells:
        """Seconds, NaN where they are missing."""
        words, places = distinct(cells)
        texts = [word.strip() for word in words]
        values = np.array([self._seconds(text) for text in texts])
        values[values > MAX_S] = np.nan
        absent = np.array([text in self.missing for text in texts], np.bool_)
        return Cells(values[places], (np.isnan(values) & ~absent)[places])

    def _seconds(self, text: str) -> float:
        if self.minutes and _MINUTES.fullmatch(text):
            return float(text) * 60.0
        found = _TIME.fullmatch(text)
        if found is None:
            return np.nan
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return days * 86_400.0 + hours * 3600.0 + minutes * 60.0 + seconds
