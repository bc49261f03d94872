"""A device or a host under jobs whose demand varies while they run.

A job goes through its pieces one after the other. Each asks for a share of the server; power follows the curve of all
that the server gives at every moment. Where the jobs ask for more than there is, each gets the same at most (max-min
fairness), and a piece that gets a part of what it asks for takes longer in proportion, so that its work (demand x
length) is done in full.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from math import fsum, inf
from typing import NamedTuple

import numpy as np

from dcsim.cluster.ledger import Cell
from dcsim.cluster.servers import Column, SharedUse
from dcsim.service import FloatArray, IntArray

_FULL = 1.0 + 1e-9  # shares are sums of fractions such as 1/3


class Pieces:
    """The pieces of all jobs of a run that have any, in flat arrays."""

    def __init__(self) -> None:
        self.first = array("q")
        """number of the first piece of a job, -1 for a job without; shorter than the table when its last have none"""
        self.stop = array("q")
        self.seconds = array("d")
        """length of each piece at full speed, s"""
        self.demand = {"cores": array("d"), "devices": array("d")}
        """share of what its job holds that each piece asks for; 1 where the job's source does not say"""

    def extend(self, job: int, bounds: IntArray, seconds: FloatArray, demand: Mapping[str, FloatArray]) -> None:
        """Append the pieces of the jobs from number `job` on.

        The other parameters are the fields of `dcsim.workload.usage.Usage`.
        """
        none = array("q", [-1]) * (job - len(self.first))
        self.first.extend(none)
        self.stop.extend(none)
        at = len(self.seconds)
        self.first.frombytes((bounds[:-1] + at).astype(np.int64).tobytes())
        self.stop.frombytes((bounds[1:] + at).astype(np.int64).tobytes())
        self.seconds.frombytes(np.ascontiguousarray(seconds, np.float64).tobytes())
        for name, column in self.demand.items():
            values = demand.get(name)
            column.frombytes((np.ones(len(seconds)) if values is None else values).astype(np.float64).tobytes())

    def of(self, job: int) -> tuple[int, int]:
        """First piece of `job` and the one behind its last; (-1, -1) for a job without."""
        return (self.first[job], self.stop[job]) if job < len(self.first) else (-1, -1)


class FragmentColumns(NamedTuple):
    """What a server of one pool reads of its jobs, and the column that it writes."""

    seconds: Column
    """length of jobs without pieces, s"""
    job_class: array[int]
    curve_j: array[float]
    """energy by the curve, booked to the job as it is drawn, J"""
    pieces: Pieces
    demand: array[float]
    """of the pieces, for this sort of server"""


@dataclass(slots=True, eq=False)
class _Run:
    """One job on the server."""

    piece: int
    stop: int
    scale: float
    """share of the server that a demand of 1 is"""
    wants: float
    """share of the server that it asks for now"""
    gets: float
    due_s: float
    """end of the piece"""
    mark_j: float
    """`_charge_j` up to which it has been charged"""

    @property
    def pace(self) -> float:
        """Progress through the piece over that at full speed; a piece that asks for nothing just takes its time."""
        return self.gets / self.wants if self.wants > self.gets else 1.0


class FragmentServer:
    """Jobs whose demand may vary, each from piece to piece by one timed call."""

    __slots__ = (
        "_charge_j",
        "_crowded",
        "_curve_j",
        "_demand",
        "_due",
        "_held",
        "_lengths",
        "_pieces",
        "_rate_w",
        "_running",
        "_since_s",
        "activity",
        "cell",
        "curve",
        "devices",
        "index",
        "job_class",
        "next_event_s",
        "node",
        "place",
        "power_w",
        "seconds",
        "speed",
        "uses",
    )

    def __init__(
        self,
        index: int,
        node: int,
        cell: Cell,
        columns: FragmentColumns,
        uses: Mapping[int, SharedUse],
        curve: Callable[[float], float] | None,
        devices: float,
    ) -> None:
        """A server without jobs.

        Parameters:
            uses: class of jobs -> what each holds, and the share of the server that a demand of 1 is (`activity`)
            curve: power above idle at an activity of 0 to 1 [W]; None: it draws nothing
            devices: 1 for a device, 0 for a host beside devices, which utilisation leaves out
        """
        self.index, self.node, self.cell, self.place = index, node, cell, -1
        self.seconds, self.job_class, self._curve_j, self._pieces, self._demand = columns
        self._lengths = self._pieces.seconds
        self.uses, self.curve, self.devices = uses, curve, devices
        self.next_event_s = inf
        self.power_w = 0.0
        self.speed = 1.0
        self.activity = 0.0  # share of the server that jobs keep busy now
        self._since_s = 0.0
        self._held = 0.0
        self._rate_w = 0.0  # power per activity now
        self._charge_j = 0.0  # integral of it
        self._crowded = False  # jobs ask for more than there is
        self._running: dict[int, _Run] = {}
        self._due: list[tuple[float, int]] = []

    def admit(self, time_s: float, job: int) -> None:
        """Start `job` with its first piece, beside the others."""
        self._settle(time_s)
        use = self.uses[self.job_class[job]]
        piece, stop = self._pieces.of(job)
        seconds, demand = self.seconds[job], 1.0
        if piece >= 0:
            seconds, demand = self._lengths[piece], self._demand[piece]
        wants = demand * use.activity
        due_s = time_s + seconds / self.speed
        self._running[job] = _Run(piece, stop, use.activity, wants, wants, due_s, self._charge_j)
        heappush(self._due, (due_s, job))
        self._held += use.share
        self._share_out(time_s)
        first = len(self._running) == 1
        self._repower(time_s, int(first), use.share * self.devices - first)

    def advance(self, time_s: float, hand_over: bool) -> int:  # noqa: ARG002  (power follows every change)
        """Go on to the next piece of every job whose piece is over; stop at a job that has ended and return it."""
        due, running, lengths, demand, curve_j = self._due, self._running, self._lengths, self._demand, self._curve_j
        speed = self.speed
        self._charge_j = charge_j = self._charge_j + self._rate_w * (time_s - self._since_s)
        self._since_s = time_s
        due_s, job = due[0]
        while due_s == time_s:
            run = running[job]
            piece = run.piece + 1
            if piece >= run.stop:  # 0 >= -1 for a job without pieces
                heappop(due)
                self._take_out(time_s, job)
                return job
            curve_j[job] += run.gets * (charge_j - run.mark_j)
            run.mark_j = charge_j
            run.piece = piece
            run.wants = run.gets = demand[piece] * run.scale
            run.due_s = due_s = time_s + lengths[piece] / speed
            heapreplace(due, (due_s, job))
            due_s, job = due[0]
        if len(running) == 1 and not self._crowded and run.wants <= _FULL:  # `_share_out` for a job that is alone
            self.activity = run.wants
        else:
            self._share_out(time_s)
        self._repower(time_s, 0, 0.0)
        return -1

    def release(self, time_s: float) -> None:
        """Nothing to do: power follows every change."""

    def set_speed(self, time_s: float, factor: float) -> None:
        """Run at `factor` > 0 of full speed and dynamic power."""
        self._settle(time_s)
        stretch = self.speed / factor
        for run in self._running.values():
            run.due_s = time_s + (run.due_s - time_s) * stretch
        self.speed = factor
        self._sort()
        self._repower(time_s, 0, 0.0)

    def left(self, time_s: float, job: int) -> float:
        """Length at full speed that `job` still lacks when it gets all that it asks for, s."""
        run = self._running[job]
        later = self._lengths[run.piece + 1 : run.stop] if run.piece >= 0 else ()
        return (run.due_s - time_s) * self.speed * run.pace + fsum(later)

    def evict(self, time_s: float, job: int) -> float:
        """Take `job` out before its end; return the service that it still lacks, s at full speed."""
        left = self.left(time_s, job)
        self._settle(time_s)
        self._due.remove((self._running[job].due_s, job))
        heapify(self._due)
        self._take_out(time_s, job)
        return left

    def jobs(self) -> list[int]:
        """Jobs on the server, oldest first."""
        return list(self._running)

    def room(self) -> float:
        """Share of the server that no job holds."""
        return _FULL - self._held if self._running else _FULL

    def charge(self, time_s: float) -> None:
        """Book the energy that the running jobs have drawn so far."""
        self._settle(time_s)
        for job, run in self._running.items():
            self._book(job, run)

    def _settle(self, time_s: float) -> None:
        self._charge_j += self._rate_w * (time_s - self._since_s)
        self._since_s = time_s

    def _book(self, job: int, run: _Run) -> None:
        self._curve_j[job] += run.gets * (self._charge_j - run.mark_j)
        run.mark_j = self._charge_j

    def _take_out(self, time_s: float, job: int) -> None:
        run = self._running.pop(job)
        self._book(job, run)
        share = self.uses[self.job_class[job]].share
        if self._running:
            self._held -= share
        else:  # summed afresh whenever it goes idle
            self._held = self._charge_j = 0.0
        self._share_out(time_s)
        last = not self._running
        self._repower(time_s, -int(last), last - share * self.devices)

    def _share_out(self, time_s: float) -> None:
        """Give every job what it asks for, or a fair part of the server when that is too much."""
        runs = self._running.values()
        total = sum([run.wants for run in runs])
        if total <= _FULL and not self._crowded:
            self.activity = total
            return
        self._crowded = total > _FULL
        parts = fair([run.wants for run in runs]) if self._crowded else [run.wants for run in runs]
        for (job, run), part in zip(self._running.items(), parts, strict=True):
            self._book(job, run)
            before = run.pace
            run.gets = part
            run.due_s = time_s + (run.due_s - time_s) * before / run.pace
        self.activity = min(total, 1.0)
        self._sort()

    def _sort(self) -> None:
        self._due = [(run.due_s, job) for job, run in self._running.items()]
        heapify(self._due)

    def _repower(self, time_s: float, holders: int, partly: float) -> None:
        """Set the power that follows from what the jobs get now."""
        curve, activity, watts = self.curve, self.activity, 0.0
        if curve is not None and activity > 0.0:
            watts = curve(activity) * self.speed
            self._rate_w = watts / activity
        else:
            self._rate_w = 0.0
        if watts != self.power_w or holders or partly:
            self.cell.change(time_s, watts - self.power_w, holders, partly)
            self.power_w = watts
        self.next_event_s = self._due[0][0] if self._due else inf


def fair(wants: Sequence[float]) -> list[float]:
    """Parts of 1 for demands that add up to more: nobody gets more than asked for, the others get equal parts."""
    parts, left = [0.0] * len(wants), 1.0
    order = sorted(range(len(wants)), key=wants.__getitem__)
    for number, place in enumerate(order):
        parts[place] = min(wants[place], left / (len(order) - number))
        left -= parts[place]
    return parts
