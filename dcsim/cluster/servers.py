"""What one device does with jobs over time. `dcsim.sim.dispatch` knows a device only as a `Server`.

`ProfileServer` runs one job at a time for a time that is known at its start. `SharedServer` runs several, each for its
own time, and draws power by a curve of how much of it is in use: batched GPUs, chips with several resident networks,
host processors.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf
from typing import NamedTuple, Protocol

from dcsim.cluster.ledger import Cell

_FULL = 1.0 + 1e-9  # shares are sums of fractions such as 1/3


class ProfileServer:
    """One job at a time, for a time that is known at its start. `dcsim.sim.express` writes the plain case out."""

    __slots__ = (
        "cell",
        "index",
        "job",
        "next_event_s",
        "node",
        "place",
        "power_w",
        "seconds",
        "speed",
        "watts",
    )

    def __init__(self, index: int, node: int, cell: Cell, seconds: array[float], watts: array[float]) -> None:
        self.index, self.node, self.cell, self.place = index, node, cell, -1
        self.seconds, self.watts = seconds, watts  # of the pool's demand, by job number
        self.job = -1  # stays through a hand-over at one instant, while power stays
        self.next_event_s = inf
        self.power_w = 0.0
        self.speed = 1.0

    def admit(self, time_s: float, job: int) -> None:
        """Start `job`; at a hand-over power is integrated only if the new job draws another power."""
        watts = self.watts[job] * self.speed
        if self.job < 0:
            self.cell.change(time_s, watts, 1, 0.0)
            self.power_w = watts
        elif watts != self.power_w:
            self.cell.change(time_s, watts - self.power_w, 0, 0.0)
            self.power_w = watts
        self.job = job
        self.next_event_s = time_s + self.seconds[job] / self.speed

    def advance(self, time_s: float, hand_over: bool) -> int:
        """Finish the job that is due; at a hand-over power stays until the next `admit` at the same instant."""
        job = self.job
        self.next_event_s = inf
        if not hand_over:
            self.cell.change(time_s, -self.power_w, -1, 0.0)
            self.power_w = 0.0
            self.job = -1
        return job

    def release(self, time_s: float) -> None:
        """Go back to idle power after a hand-over that did not come."""
        self.advance(time_s, False)

    def set_speed(self, time_s: float, factor: float) -> None:
        """Run at `factor` > 0 of full speed and dynamic power."""
        if self.job >= 0:
            left = (self.next_event_s - time_s) * self.speed
            watts = self.watts[self.job] * factor
            self.cell.change(time_s, watts - self.power_w, 0, 0.0)
            self.power_w = watts
            self.next_event_s = time_s + left / factor
        self.speed = factor

    def left(self, time_s: float, job: int) -> float:  # noqa: ARG002  (there is but one)
        """Service that the job still lacks, s at full speed."""
        return (self.next_event_s - time_s) * self.speed

    def evict(self, time_s: float, job: int) -> float:
        """Take the job out; return the service that it still lacks, s at full speed."""
        left = self.left(time_s, job)
        if self.advance(time_s, False) != job:
            raise ValueError(f"job {job} does not run on device {self.index}")
        return left

    def jobs(self) -> list[int]:
        """The job, if any."""
        return [self.job] if self.job >= 0 else []

    def room(self) -> float:
        """1 when idle, else 0."""
        return 0.0 if self.job >= 0 else 1.0

    def charge(self, time_s: float) -> None:
        """Nothing to book: a job's energy is its watts times its seconds."""


class Column(Protocol):
    """A number for each job."""

    def __getitem__(self, job: int, /) -> float:
        """The number for `job`."""


class NoWatts:
    """Column of zeros: the job's own watts are drawn elsewhere."""

    def __getitem__(self, job: int, /) -> float:
        return 0.0


@dataclass(frozen=True)
class SharedUse:
    """How the jobs of one stream use a device that they share."""

    share: float
    """of the device that one job holds, 0 to 1: what admission counts"""
    activity: float
    """of the device that one job keeps busy, at most `share`: what the power curve sees"""
    curve: Callable[[float], float] | None
    """power of the device above idle at a total activity of 0 to 1, W; None: jobs add their own watts and no more"""


class SharedColumns(NamedTuple):
    """Columns by job number that a shared server reads, and the one that it writes."""

    seconds: Column
    watts: Column
    """power that the job adds whatever else runs, W"""
    job_class: array[int]
    curve_j: array[float]
    """energy by the curve, booked to the job when it ends, J"""


class SharedServer:
    """Several jobs at once, each for its own time. Power follows a curve of the total activity.

    With jobs of several classes on the device, each class draws its own curve's power at the total activity, in
    proportion to its part of that activity. A job is charged its part of the curve's power for as long as it runs: for
    requests of one class in a batch that is an equal split over the requests at every moment.
    """

    def __init__(
        self,
        index: int,
        node: int,
        cell: Cell,
        columns: SharedColumns,
        uses: Mapping[int, SharedUse],
        devices: float,
    ) -> None:
        self.index, self.node, self.cell, self.place = index, node, cell, -1
        self.seconds, self.watts, self.job_class, self.curve_j = columns
        self.uses = uses
        self.devices = devices  # 1 for a device, 0 for a host beside devices, which utilisation leaves out
        self.next_event_s = inf
        self.power_w = 0.0
        self.speed = 1.0
        self._since_s = 0.0
        self._held = 0.0
        self._fixed_w = 0.0  # sum of the jobs' own watts
        self._active: dict[int, float] = {}  # class -> total activity of its jobs
        self._rate_w: dict[int, float] = {}  # class -> curve power per unit of activity now
        self._charge_j: dict[int, float] = {}  # class -> integral of that rate
        self._running: dict[int, tuple[float, float]] = {}  # job -> (due, charge at its start)
        self._due: list[tuple[float, int]] = []

    def admit(self, time_s: float, job: int) -> None:
        """Start `job` beside the others."""
        self._settle(time_s)
        kind = self.job_class[job]
        use = self.uses[kind]
        due = time_s + self.seconds[job] / self.speed
        self._active[kind] = self._active.get(kind, 0.0) + use.activity
        self._held += use.share
        self._fixed_w += self.watts[job]
        self._running[job] = (due, self._charge_j.setdefault(kind, 0.0))
        heappush(self._due, (due, job))
        first = len(self._running) == 1
        self._repower(time_s, int(first), use.share * self.devices - first)

    def advance(self, time_s: float, hand_over: bool) -> int:  # noqa: ARG002  (power follows every start and end)
        """Finish the job that is due first."""
        _, job = heappop(self._due)
        self._take_out(time_s, job)
        return job

    def release(self, time_s: float) -> None:
        """Nothing to do: power follows every start and end."""

    def set_speed(self, time_s: float, factor: float) -> None:
        """Run at `factor` > 0 of full speed and dynamic power."""
        self._settle(time_s)
        stretch = self.speed / factor
        for job, (due, charge) in self._running.items():
            self._running[job] = (time_s + (due - time_s) * stretch, charge)
        self._due = [(due, job) for job, (due, _) in self._running.items()]
        heapify(self._due)
        self.speed = factor
        self._repower(time_s, 0, 0.0)

    def left(self, time_s: float, job: int) -> float:
        """Service that `job` still lacks, s at full speed."""
        return (self._running[job][0] - time_s) * self.speed

    def evict(self, time_s: float, job: int) -> float:
        """Take `job` out before its end; return the service that it still lacks, s at full speed."""
        left = self.left(time_s, job)
        self._due.remove((self._running[job][0], job))
        heapify(self._due)
        self._take_out(time_s, job)
        return left

    def jobs(self) -> list[int]:
        """Jobs on the device, oldest first."""
        return list(self._running)

    def room(self) -> float:
        """Share of the device that no job holds."""
        return _FULL - self._held if self._running else _FULL

    def charge(self, time_s: float) -> None:
        """Book the curve energy that the running jobs have drawn so far."""
        self._settle(time_s)
        for job, (due, before) in self._running.items():
            self._book(job, before)
            self._running[job] = (due, self._charge_j[self.job_class[job]])

    def _settle(self, time_s: float) -> None:
        span = time_s - self._since_s
        if span:
            for kind, watts in self._rate_w.items():
                self._charge_j[kind] += watts * span
            self._since_s = time_s

    def _book(self, job: int, before: float) -> None:
        kind = self.job_class[job]
        self.curve_j[job] += self.uses[kind].activity * (self._charge_j[kind] - before)

    def _take_out(self, time_s: float, job: int) -> None:
        self._settle(time_s)
        kind = self.job_class[job]
        use = self.uses[kind]
        self._book(job, self._running.pop(job)[1])
        self._active[kind] -= use.activity
        self._held -= use.share
        self._fixed_w -= self.watts[job]
        if not self._running:  # summed afresh whenever the device goes idle
            self._active.clear()
            self._held = self._fixed_w = 0.0
        last = not self._running
        self._repower(time_s, -int(last), last - use.share * self.devices)

    def _repower(self, time_s: float, holders: int, partly: float) -> None:
        """Set the power that follows from who runs now."""
        total = sum(self._active.values())
        self._rate_w.clear()
        watts = self._fixed_w
        for kind, activity in self._active.items():
            curve = self.uses[kind].curve
            if curve is not None and activity > 0.0:
                rate = curve(total) / total
                self._rate_w[kind] = rate * self.speed
                watts += rate * activity
        watts *= self.speed
        self.cell.change(time_s, watts - self.power_w, holders, partly)
        self.power_w = watts
        self.next_event_s = self._due[0][0] if self._due else inf
