"""The job table while it grows: columns by job number, no object per job.

Rows are reserved by the block when a stream's arrivals are read. What changes during the run (start, end, device) stands
in flat arrays; what is known beforehand stays in the blocks, and a column that is constant in a block costs no memory.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np

from dcsim.service import FloatArray, IntArray, Service


class Attempt(NamedTuple):
    """One start of a job that an outage cut short: where, from when to when, and the service that was lost."""

    job: int
    device: int
    start_s: float
    end_s: float
    work_s: float


@dataclass(frozen=True)
class JobBlock:
    """Consecutive jobs of one stream; every array has shape (count,)."""

    stream: str
    first: int
    """number of its first job"""
    arrival_s: FloatArray
    sizes: Mapping[str, FloatArray]
    services: Mapping[str, Service]
    """pool -> what the jobs ask of it"""

    @property
    def rows(self) -> slice:
        """Place of the block in the columns of the table."""
        return slice(self.first, self.first + len(self.arrival_s))


class Demand:
    """What each job asks of one pool: hot columns by job number, NaN where the job may not run there."""

    def __init__(self) -> None:
        self.seconds = array("d")
        self.watts = array("d")
        """power on each device that the job holds, above idle, W"""

    def extend(self, service: Service | None, count: int, devices: int | FloatArray) -> None:
        """Append one block; None for a stream that does not run on the pool."""
        if service is None:
            gap = array("d", [nan]) * count
            self.seconds.extend(gap)
            self.watts.extend(gap)
        else:
            watts = (service.chip_w + service.board_w + service.host_w) / devices
            self.seconds.frombytes(np.ascontiguousarray(service.seconds, np.float64).tobytes())
            self.watts.frombytes(np.ascontiguousarray(watts, np.float64).tobytes())


class JobTable:
    """All jobs of a run. Times are seconds from its start; NaN is "not yet"."""

    def __init__(self, pools: Sequence[str], curved: bool) -> None:
        self.start_s = array("d")
        self.end_s = array("d")
        self.device = array("i")
        """number of the (first) device that the job holds or held, -1 before"""
        self.job_class = array("H")
        """number of the class in the dispatcher"""
        self.curve_j = array("d")
        """energy at the chips [J] of jobs on devices whose power is a curve of their whole load; empty without such"""
        self.curved = curved
        self.demands = {pool: Demand() for pool in pools}
        self.blocks: list[JobBlock] = []
        self.attempts: list[Attempt] = []
        self.rejected: list[int] = []

    def __len__(self) -> int:
        return len(self.start_s)

    def reserve(
        self,
        stream: str,
        job_class: int | IntArray,
        arrival_s: FloatArray,
        sizes: Mapping[str, FloatArray],
        services: Mapping[str, Service],
        devices: Mapping[str, int | FloatArray],
    ) -> int:
        """Append one block of `stream`; `devices` are those that a job holds on each pool. Return its first job's number."""
        first, count = len(self.start_s), len(arrival_s)
        unknown = array("d", [nan]) * count
        self.start_s.extend(unknown)
        self.end_s.extend(unknown)
        self.device.extend(array("i", [-1]) * count)
        self.job_class.frombytes(np.broadcast_to(np.asarray(job_class, np.uint16), count).tobytes())
        if self.curved:
            self.curve_j.extend(array("d", [0.0]) * count)
        for pool, demand in self.demands.items():
            demand.extend(services.get(pool), count, devices.get(pool, 1))
        kept = {pool: _lean(service) for pool, service in services.items()}
        self.blocks.append(JobBlock(stream, first, arrival_s, sizes, kept))
        return first

    def block_of(self, job: int) -> JobBlock:
        """The block that a job stands in."""
        return self.blocks[bisect_right(self.blocks, job, key=lambda block: block.first) - 1]

    def arrival_of(self, job: int) -> float:
        """Arrival of one job, s."""
        block = self.block_of(job)
        return float(block.arrival_s[job - block.first])

    def times(self, name: str, rows: slice) -> FloatArray:
        """Copy of a part of `start_s` or `end_s`."""
        return np.array(np.frombuffer(getattr(self, name), dtype=np.float64)[rows])

    def devices(self, rows: slice) -> IntArray:
        """Copy of a part of `device`."""
        return np.array(np.frombuffer(self.device, dtype=np.int32)[rows], dtype=np.int64)


def _lean(service: Service) -> Service:
    """The same block with every constant column stored once, and without the seconds, which the demand keeps."""
    return service._replace(
        seconds=np.broadcast_to(np.float64(nan), service.seconds.shape),
        chip_w=_constant_once(service.chip_w),
        board_w=_constant_once(service.board_w),
        host_w=_constant_once(service.host_w),
    )


def _constant_once(values: FloatArray) -> FloatArray:
    return np.broadcast_to(values[0], values.shape) if len(values) and np.ptp(values) == 0.0 else values
