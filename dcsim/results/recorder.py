"""The job table while it grows: columns by job number, no object per job.

Rows are reserved by the block when a stream's arrivals are read. What changes during the run (start, end, device)
stands in flat arrays; what is known beforehand stays in the blocks, and a column that is constant in a block costs no
memory.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    curve_j: float
    """what curves charged it for meanwhile, at the chips, J"""
    host_j: float
    """the same in the host, J"""
    used_s: float
    """device-seconds that it was booked, where the device books them"""
    passed_on: bool
    """it was not cut short: the job went on elsewhere with what this start had done"""


@dataclass(frozen=True)
class JobBlock:
    """Jobs of one stream in the order of their arrival; every array has shape (count,)."""

    stream: str
    first: int
    """number of its first job"""
    arrival_s: FloatArray
    sizes: Mapping[str, FloatArray]
    services: Mapping[str, Service]
    """pool -> what the jobs ask of it"""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """sizes that are numbers of names -> the names"""
    numbers: IntArray | None = None
    """numbers of its jobs, ascending, where they are not consecutive"""

    def rows(self, count: int | None = None) -> slice | IntArray:
        """Places of its jobs, or of the first `count` of them, in the columns of the table."""
        if self.numbers is not None:
            return self.numbers[:count]
        return slice(self.first, self.first + (len(self.arrival_s) if count is None else count))

    def jobs(self, count: int) -> IntArray:
        """Numbers of its first `count` jobs."""
        return np.arange(self.first, self.first + count) if self.numbers is None else self.numbers[:count]

    def find(self, jobs: IntArray, count: int | None = None) -> tuple[IntArray, IntArray]:
        """Which of `jobs` are among its first `count`: their places in `jobs`, and their rows in the block."""
        last = len(self.arrival_s) if count is None else count
        if self.numbers is None:
            inside = np.flatnonzero((jobs >= self.first) & (jobs < self.first + last))
            return inside, jobs[inside] - self.first
        rows = np.searchsorted(self.numbers, jobs)
        inside = np.flatnonzero(rows < last)
        inside = inside[self.numbers[rows[inside]] == jobs[inside]]
        return inside, rows[inside]


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


class Attempts(NamedTuple):
    """Starts that were cut short, in the order of their ends; arrays of shape (n,) as in `Attempt`."""

    job: IntArray
    device: IntArray
    start_s: FloatArray
    end_s: FloatArray
    work_s: FloatArray
    curve_j: FloatArray
    host_j: FloatArray
    used_s: FloatArray
    passed_on: FloatArray
    """1 or 0"""


class JobTable:
    """All jobs of a run. Times are seconds from its start; NaN is "not yet"."""

    def __init__(self, pools: Sequence[str], shared: bool, hosted: bool, served: bool = False) -> None:
        """Whether devices are shared, hosts' cores held, language models served: which columns are kept."""
        self.start_s = array("d")
        self.end_s = array("d")
        self.device = array("i")
        """number of the (first) device that the job holds or held, -1 before"""
        self.job_class = array("H")
        """number of the class in the dispatcher"""
        self.curve_j = array("d")
        """energy by the power curves of devices that jobs share, at the chips, J; empty without such devices"""
        self.host_j = array("d")
        """energy by the power curves of hosts, J; empty where no job holds cores"""
        self.first_s = array("d")
        """when a request got its first token; this and the next three are empty where no language model is served"""
        self.used_s = array("d")
        """device-seconds that its tokens kept in use"""
        self.input_tokens = array("i")
        self.output_tokens = array("i")
        self._shared, self._hosted, self._served = shared, hosted, served
        self.demands = {pool: Demand() for pool in pools}
        self._read: list[JobBlock] = []  # by number
        self._singles: dict[int, JobBlock] = {}  # jobs that were submitted one by one
        self._gathered: list[JobBlock] = []
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
        labels: Mapping[str, tuple[str, ...]],
    ) -> int:
        """Append one block of `stream`; return its first job's number. `devices` are those a job holds on each pool."""
        first, count = len(self.start_s), len(arrival_s)
        unknown = array("d", [nan]) * count
        self.start_s.extend(unknown)
        self.end_s.extend(unknown)
        self.device.extend(array("i", [-1]) * count)
        self.job_class.frombytes(np.broadcast_to(np.asarray(job_class, np.uint16), count).tobytes())
        nothing = array("d", [0.0]) * count
        if self._shared or self._served:
            self.curve_j.extend(nothing)
        if self._hosted or self._served:
            self.host_j.extend(nothing)
        if self._served:
            self.first_s.extend(unknown)
            self.used_s.extend(nothing)
            for key, column in (("input_tokens", self.input_tokens), ("output_tokens", self.output_tokens)):
                column.frombytes(np.broadcast_to(sizes.get(key, np.zeros(1)), count).astype(np.int32).tobytes())
        for pool, demand in self.demands.items():
            demand.extend(services.get(pool), count, devices.get(pool, 1))
        kept = {pool: _lean(service) for pool, service in services.items()}
        block = JobBlock(stream, first, arrival_s, sizes, kept, labels)
        if count == 1:
            self._singles[first] = block
        else:
            self._read.append(block)
        return first

    @property
    def blocks(self) -> list[JobBlock]:
        """All jobs, after `gather`."""
        return self._read + self._gathered

    def gather(self) -> None:
        """Join the blocks of one job each, so that the tables are made from few and large blocks."""
        alike: dict[tuple[object, ...], list[JobBlock]] = {}
        for block in self._singles.values():
            alike.setdefault((block.stream, *block.sizes), []).append(block)
        self._gathered = [_joined(blocks) for blocks in alike.values()]

    def arrival_of(self, job: int) -> float:
        """Arrival of one job, s."""
        if job in self._singles:
            return float(self._singles[job].arrival_s[0])
        block = self._read[bisect_right(self._read, job, key=lambda block: block.first) - 1]
        return float(block.arrival_s[job - block.first])

    def cut_short(self, job: int, time_s: float, work_s: float) -> None:
        """Book the attempt of a job that has just been evicted after `work_s` of service; it waits again."""
        self._book_attempt(job, time_s, work_s, False)

    def pass_on(self, job: int, time_s: float, work_s: float) -> None:
        """Book the part of a job that has just ended on its device after `work_s` of service; it goes on elsewhere."""
        self._book_attempt(job, time_s, work_s, True)

    def _book_attempt(self, job: int, time_s: float, work_s: float, passed_on: bool) -> None:
        work_s = max(work_s, 0.0)  # rounding may leave less than nothing of a job evicted as it starts
        curve_j, host_j, used_s = (_emptied(column, job) for column in (self.curve_j, self.host_j, self.used_s))
        device, start_s = self.device[job], self.start_s[job]
        self.attempts.append(Attempt(job, device, start_s, time_s, work_s, curve_j, host_j, used_s, passed_on))
        self.start_s[job] = nan

    def attempt_columns(self) -> Attempts:
        """Every start that was cut short."""
        columns = np.array(self.attempts, np.float64).reshape(-1, len(Attempts._fields)).T
        return Attempts(columns[0].astype(np.int64), columns[1].astype(np.int64), *columns[2:])

    def times(self, name: str, rows: slice | IntArray) -> FloatArray:
        """Copy of a part of `start_s`, `end_s`, `first_s` or `used_s`."""
        return np.array(np.frombuffer(getattr(self, name), dtype=np.float64)[rows])

    def devices(self, rows: slice | IntArray) -> IntArray:
        """Copy of a part of `device`."""
        return np.array(np.frombuffer(self.device, dtype=np.int32)[rows], dtype=np.int64)


def _emptied(column: array[float], job: int) -> float:
    """What stands in the column, which is 0 from now on; 0 for a column that is not kept."""
    if not column:
        return 0.0
    value, column[job] = column[job], 0.0
    return value


def _joined(blocks: Sequence[JobBlock]) -> JobBlock:
    """One block of blocks of one stream that have the same columns."""
    first = blocks[0]
    services: dict[str, Service] = {}
    for pool in first.services:
        parts = [block.services[pool] for block in blocks]
        services[pool] = _lean(Service(*map(np.concatenate, zip(*parts, strict=True))))
    return JobBlock(
        first.stream,
        first.first,
        np.concatenate([block.arrival_s for block in blocks]),
        {name: np.concatenate([block.sizes[name] for block in blocks]) for name in first.sizes},
        services,
        first.labels,
        np.array([block.first for block in blocks]),
    )


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
