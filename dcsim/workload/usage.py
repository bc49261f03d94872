"""Demand that varies inside jobs: pieces of time, each with the share of what the job holds that it keeps busy.

All pieces of a block of jobs stand in flat arrays, one job after the other; nothing exists per piece but a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.service import FloatArray, IntArray

#: What a piece may ask for a share of.
RESOURCES = ("cores", "devices")

#: Most that a piece may ask for, in shares of what its job holds.
MAX_DEMAND = 1e3


@dataclass(frozen=True)
class Usage:
    """The pieces of n jobs: those of job k are at `bounds[k]` to `bounds[k + 1]`."""

    bounds: IntArray
    """shape (n + 1,), from 0 to the number of pieces, every job with one piece at least"""
    seconds: FloatArray
    """length of each piece at full speed, above 0, shape (pieces,), s"""
    demand: Mapping[str, FloatArray]
    """one of RESOURCES -> share of what the job holds of it that the piece asks for, shape (pieces,). Above 1 the job
    asks for more than it holds."""

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def run_s(self) -> FloatArray:
        """Length of each job when it gets all that it asks for, shape (n,), s."""
        return np.add.reduceat(self.seconds, self.bounds[:-1])

    def take(self, rows: slice | npt.NDArray[np.intp]) -> Usage:
        """The pieces of the jobs in `rows`."""
        first, count = self.bounds[:-1][rows], np.diff(self.bounds)[rows]
        bounds = np.concatenate([[0], np.cumsum(count)])
        if not len(first) or np.array_equal(first, first[0] + bounds[:-1]):  # neighbours: a view is enough
            pieces: slice | IntArray = slice(first[0], first[0] + bounds[-1]) if len(first) else slice(0)
        else:
            pieces = np.repeat(first - bounds[:-1], count) + np.arange(bounds[-1])
        demand = {name: values[pieces] for name, values in self.demand.items()}
        return Usage(bounds, self.seconds[pieces], demand)


def merged(job: IntArray, milliseconds: FloatArray, demand: Mapping[str, FloatArray], jobs: int) -> Usage:
    """Usage of jobs 0 to jobs - 1 from rows in the order of their job and then of time; every job has a row.

    Neighbouring rows of a job that ask for the same become one piece.

    Parameters:
        job: number of the job of each row, ascending, shape (rows,)
        milliseconds: length of each row, above 0, shape (rows,) [ms]
        demand: share that each row asks for by resource, shape (rows,) each
        jobs: number of jobs
    """
    new = np.ones(len(job), np.bool_)
    new[1:] = job[1:] != job[:-1]
    for values in demand.values():
        new[1:] |= values[1:] != values[:-1]
    first = np.flatnonzero(new)
    seconds = np.add.reduceat(milliseconds, first) / 1e3  # whole numbers add up without rounding
    bounds = np.searchsorted(job[first], np.arange(jobs + 1))
    return Usage(bounds, seconds, {name: values[first] for name, values in demand.items()})
