"""Mixes of batch jobs: devices, run time and outcome, drawn together from a table measured on a cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcsim.catalog import Entry
from dcsim.errors import CatalogError
from dcsim.workload.block import FloatArray


@dataclass(frozen=True)
class JobMix:
    """Classes of jobs by the devices that they hold, each with its run times and, where known, its outcomes."""

    processors: FloatArray
    """devices of a job of each class, shape (k,)"""
    share: FloatArray
    """part of the jobs in each class, relative to the others, shape (k,)"""
    probabilities: FloatArray
    """rising from 0 to 1, shape (n,)"""
    run_s: FloatArray
    """quantiles of the run time of each class, shape (k, n), s"""
    outcomes: tuple[str, ...]
    """how jobs end, m names; none where it is not known"""
    outcome_share: FloatArray
    """part of the jobs of each class that end so, shape (k, m)"""

    @staticmethod
    def of(entry: Entry) -> JobMix:
        """Mix of a catalog entry of kind `mix`; CatalogError when it is not sound."""
        known = "outcome_share" in entry
        processors = entry.array("processors")
        mix = JobMix(
            processors,
            entry.array("share"),
            entry.array("probabilities"),
            entry.array("run_s"),
            tuple(str(entry.facts.get("outcomes", "")).split("|")) if known else (),
            entry.array("outcome_share") if known else np.zeros((len(processors), 0)),
        )
        mix._check(f"mix '{entry.name}'")
        return mix

    @property
    def most_processors(self) -> int:
        """Devices of the widest job."""
        return int(self.processors.max())

    def draw(self, count: int, generator: np.random.Generator) -> dict[str, FloatArray]:
        """Columns `processors`, `run_s` and, where known, `state` (numbers of `outcomes`), shape (count,).

        Three uniform numbers per job: class, run time, outcome.
        """
        first, second, third = generator.random((count, 3)).T
        row = _choose(np.cumsum(self.share / self.share.sum()), first)
        grid = self.probabilities
        k = np.clip(np.searchsorted(grid, second, side="right") - 1, 0, len(grid) - 2)
        low, high = self.run_s[row, k], self.run_s[row, k + 1]
        run_s = low + (high - low) * (second - grid[k]) / (grid[k + 1] - grid[k])
        drawn = {"processors": self.processors[row], "run_s": run_s}
        if self.outcomes:
            ends = np.cumsum(self.outcome_share, axis=1)
            ends /= ends[:, -1:]
            state = (third[:, None] >= ends[row]).sum(axis=1)
            drawn["state"] = np.minimum(state, len(self.outcomes) - 1).astype(np.float64)
        return drawn

    def _check(self, where: str) -> None:
        rows, grid = len(self.processors), self.probabilities
        if self.share.shape != (rows,) or (self.share < 0).any() or not self.share.any():
            raise CatalogError(f"{where}: want a share of 0 or more for each number of processors")
        if (self.processors < 1).any() or (self.processors != np.floor(self.processors)).any():
            raise CatalogError(f"{where}: processors must be whole numbers from 1")
        if grid.ndim != 1 or len(grid) < 2 or grid[0] != 0 or grid[-1] != 1 or (np.diff(grid) <= 0).any():
            raise CatalogError(f"{where}: probabilities must rise from 0 to 1")
        if self.run_s.shape != (rows, len(grid)) or (np.diff(self.run_s) < 0).any() or self.run_s.min() <= 0:
            raise CatalogError(f"{where}: run_s must have a row per class of rising times above 0")
        if self.outcome_share.shape != (rows, len(self.outcomes)) or (self.outcome_share < 0).any():
            raise CatalogError(f"{where}: outcome_share must have a row per class and a column per outcome")


def _choose(ends: FloatArray, uniform: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Rows in which uniform numbers fall, by the ends of their shares."""
    return np.minimum(np.searchsorted(ends, uniform, side="right"), len(ends) - 1)
