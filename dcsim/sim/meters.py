"""Meters: what each part of a rack has used at the end of every interval. Exact, as power is integrated exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.cluster.ledger import Cell
from dcsim.service import FloatArray
from dcsim.sim.clock import Clock


class Meter:
    """Energy and use of all cells, read at the end of every interval."""

    def __init__(self, clock: Clock, cells: Sequence[Cell], interval_s: float) -> None:
        self.clock, self.cells, self.interval_s = clock, list(cells), interval_s
        self.edges_s = [0.0]
        self._energy_j = [np.zeros(len(self.cells))]
        self._busy_s = [np.zeros(len(self.cells))]
        self.tick = clock.event()
        """fires after every reading, with the moment as its value"""

    def read(self) -> None:
        """Read all meters now; a second reading at the same moment changes nothing."""
        now = float(self.clock.now)
        if now <= self.edges_s[-1]:
            return
        self.edges_s.append(now)
        self._energy_j.append(np.array([cell.energy_at(now) for cell in self.cells]))
        self._busy_s.append(np.array([cell.busy_at(now) for cell in self.cells]))
        tick, self.tick = self.tick, self.clock.event()
        tick.succeed(now)

    def spans_s(self, first: int = 0) -> FloatArray:
        """Lengths of the intervals from number `first` on, shape (intervals,), s."""
        return np.diff(np.array(self.edges_s[first:]))

    def power_w(self, first: int = 0) -> FloatArray:
        """Mean power of each cell in each interval from `first` on, shape (intervals, cells), W."""
        used_j = np.diff(np.array(self._energy_j[first:]), axis=0)
        return np.maximum(used_j, 0.0) / self.spans_s(first)[:, None]  # rounding of a sum may leave -1e-17 W

    def busy(self, first: int = 0) -> FloatArray:
        """Mean number of devices in use of each cell in each interval from `first` on, shape (intervals, cells)."""
        return np.asarray(np.diff(np.array(self._busy_s[first:]), axis=0) / self.spans_s(first)[:, None])

    def energy_j(self) -> FloatArray:
        """Energy of each cell up to the last reading, shape (cells,), J."""
        return self._energy_j[-1]

    def busy_s(self) -> FloatArray:
        """Device-seconds in use of each cell up to the last reading, shape (cells,)."""
        return self._busy_s[-1]
