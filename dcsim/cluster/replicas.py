"""A replica of a language model as a server: its engine, its power, and the energy that each request is charged.

Power is constant over the iterations that the engine has planned together, so energy is integrated exactly. What they
cost, energy and time, is split over the requests in them by the tokens that each computes: over all requests it adds up
to what the replica used.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan, nan

from dcsim.cluster.ledger import Cell
from dcsim.gpu.decoding import Request
from dcsim.gpu.engine import Engine
from dcsim.gpu.serving import Deployment
from dcsim.results.histogram import Histogram


@dataclass(frozen=True, slots=True)
class ReplicaColumns:
    """Columns by job number: those that a replica reads, and those that it writes."""

    input_tokens: array[int]
    output_tokens: array[int]
    occupancy_s: array[float]
    """what the job asks for, s of the replica"""
    start_s: array[float]
    """when the job was first in an iteration"""
    first_s: array[float]
    """when it got its first token"""
    curve_j: array[float]
    """energy at the chips, J"""
    host_j: array[float]
    """energy in the host, J"""
    used_s: array[float]
    """device-seconds in use"""


PassOn = Callable[["ReplicaServer", int], None]


class ReplicaServer:
    """One engine on GPUs of a node. Every request joins its waiting line, whoever runs.

    Slower than full speed (`set_speed`) its iterations take longer and its dynamic power is lower, both by the factor;
    what the host draws for it stays. With `unload_after` an idle replica unloads its model, and the next request waits
    until it is loaded again.
    """

    __slots__ = (
        "_chip_w",
        "_continues",
        "_devices",
        "_draw_w",
        "_ended",
        "_held",
        "_host_w",
        "_loaded_since_s",
        "_pass_on",
        "_prefix_hit",
        "_resident_j",
        "_runs",
        "_since_s",
        "_turn_s",
        "_unload_after_s",
        "cell",
        "columns",
        "deployment",
        "engine",
        "index",
        "next_event_s",
        "node",
        "place",
        "power_w",
    )

    def __init__(
        self,
        index: int,
        node: int,
        cell: Cell,
        deployment: Deployment,
        columns: ReplicaColumns,
        gaps: Histogram,
        *,
        continues: bool = False,
        pass_on: PassOn | None = None,
    ) -> None:
        """`gaps` counts times between tokens.

        pass_on: makes this a prefill replica; it is called with every request that wants more than its first token.
        continues: a decode replica, whose requests come with the cache of their prompt and with their first token.
        """
        self.index, self.node, self.cell, self.place = index, node, cell, -1
        self.deployment, self.columns, self._continues, self._pass_on = deployment, columns, continues, pass_on
        self.engine = Engine(deployment.cost, deployment.limits, gaps)
        self.next_event_s = inf
        self.power_w = 0.0
        self._chip_w = 0.0  # part of it at the chips
        self._runs = False
        self._since_s = 0.0  # of what has not been booked
        self._ended: list[int] = []  # jobs that have ended at this instant and have not been told, the first last
        self._held: list[int] = []  # jobs that wait for the model to be loaded
        self._turn_s = inf  # when the model will be loaded, or unloaded for want of jobs
        self._loaded_since_s = nan  # nan: it is not
        self._resident_j = 0.0
        self._unload_after_s = deployment.options.unload_after or inf
        self._draw_w, self._host_w, self._devices = deployment.power_w, deployment.host_w, deployment.devices
        self._prefix_hit = deployment.options.prefix_hit
        self._load(0.0)

    # ------------------------------------------------------------ the Server protocol

    def admit(self, time_s: float, job: int) -> None:
        """`job` joins the waiting line; it starts when it is first in an iteration."""
        self.columns.start_s[job] = nan
        if isnan(self._loaded_since_s):
            if not self._held and self._turn_s == inf:
                self._turn_s = time_s + self.deployment.load_s
            self._held.append(job)
            self._update(time_s)
        elif self._join(time_s, job):
            self._update(time_s)
        else:
            self.next_event_s = self.engine.next_s

    def advance(self, time_s: float, hand_over: bool) -> int:  # noqa: ARG002  (power follows every start and end)
        """Do what is due; return one of the jobs that have ended at this instant, -1 when there is none."""
        ended = self._ended
        if not ended:
            ended.extend(reversed(self.turn(time_s)))
            if not ended:
                return -1
        job = ended.pop()
        self.next_event_s = time_s if ended else min(self.engine.next_s, self._turn_s)
        return job

    def turn(self, time_s: float) -> list[int]:
        """Do what is due; return the jobs that have ended: `advance` for all of them at once."""
        engine = self.engine
        if time_s < engine.next_s:
            if isnan(self._loaded_since_s):
                self._load(time_s)
            else:
                self._unload(time_s)
            self._update(time_s)
            return []
        span = time_s - self._since_s
        self._since_s = time_s
        engine.advance(span, self._chip_w * span)
        next_s = engine.next_s
        if next_s == inf:
            self._start_or_stop(time_s)
        else:  # `_update`, written out: every iteration with a prompt is here
            self._chip_w = chip_w = self._draw_w(engine.arithmetic, engine.reading) * engine.speed
            before_w, cell = self.power_w, self.cell
            self.power_w = power_w = chip_w + self._host_w
            cell.energy_j += cell.power_w * (time_s - cell.since_s)  # `Cell.change`
            cell.since_s = time_s
            cell.power_w += power_w - before_w
            self.next_event_s = next_s
        ended = engine.ended
        jobs: list[int] = []
        if not ended:
            return jobs
        engine.ended = []
        for request in ended:
            self._write(request, request.busy_s, request.energy_j)
            jobs.append(request.job)
        return jobs if self._pass_on is None else self._passed_on(jobs, self._pass_on)

    def release(self, time_s: float) -> None:
        """Nothing to do: power follows every start and end."""

    def set_speed(self, time_s: float, factor: float) -> None:
        """Run at `factor` > 0 of full speed and dynamic power."""
        self._book(time_s)
        self.engine.set_speed(time_s, factor)
        self._update(time_s)

    def left(self, time_s: float, job: int) -> float:
        """What `job` still asks for by its tokens, s of the replica at a full batch."""
        asked_s = self.columns.occupancy_s[job]
        request = self.engine.requests.get(job)
        return asked_s if request is None else asked_s * (1.0 - self.engine.progress(time_s, request))

    def evict(self, time_s: float, job: int) -> float:
        """Take `job` out before its end; return what it still asks for, s of the replica at a full batch."""
        left_s, columns = self.left(time_s, job), self.columns
        if job in self._held:
            self._held.remove(job)
        else:
            self._book(time_s)
            request = self.engine.evict(time_s, job)
            self._write(request, *self.engine.used(request))
        if isnan(columns.start_s[job]):  # it never ran
            columns.start_s[job] = time_s
        columns.first_s[job] = nan
        self._update(time_s)
        return left_s

    def jobs(self) -> list[int]:
        """Jobs that run or wait here, oldest first."""
        return [*self.engine.requests, *self._held]

    def room(self) -> float:
        """Its waiting line takes in whatever comes."""
        return 1.0

    def charge(self, time_s: float) -> None:
        """Book what the jobs have used so far."""
        self._book(time_s)
        for request in self.engine.requests.values():
            self._write(request, *self.engine.used(request))

    # ------------------------------------------------------------ what else can be asked

    @property
    def tokens(self) -> int:
        """Prompt and output tokens of its jobs."""
        columns = self.columns
        return self.engine.tokens + sum(columns.input_tokens[job] + columns.output_tokens[job] for job in self._held)

    def resident_j(self, time_s: float) -> float:
        """Energy that the loaded model has drawn up to `time_s` above that of empty GPUs, J."""
        if isnan(self._loaded_since_s):
            return self._resident_j
        return self._resident_j + self.deployment.resident_w * (time_s - self._loaded_since_s)

    # ------------------------------------------------------------ jobs

    def _join(self, time_s: float, job: int) -> bool:
        """Give `job` to the engine; whether that has planned its iterations anew."""
        columns = self.columns
        prompt, output = columns.input_tokens[job], columns.output_tokens[job]
        if self._continues:
            return self.engine.admit(time_s, job, prompt, output, 0, columns.first_s[job])
        if self._pass_on is not None:
            output = 1
        return self.engine.admit(time_s, job, prompt, output, int(self._prefix_hit * prompt))

    def _passed_on(self, jobs: list[int], pass_on: PassOn) -> list[int]:
        """Pass on those of `jobs` that want more than a token; the others have ended."""
        output = self.columns.output_tokens
        for job in jobs:
            if output[job] > 1:
                pass_on(self, job)
        return [job for job in jobs if output[job] <= 1]

    def _write(self, request: Request, busy_s: float, energy_j: float) -> None:
        columns, job = self.columns, request.job
        columns.start_s[job] = request.start_s
        columns.first_s[job] = request.first_s
        columns.used_s[job] = busy_s * self._devices
        columns.curve_j[job] = energy_j
        columns.host_j[job] = busy_s * self._host_w

    # ------------------------------------------------------------ the model in memory

    def _load(self, time_s: float) -> None:
        """The model is in memory now."""
        self._loaded_since_s, self._turn_s = time_s, inf
        self._reside(time_s, self.deployment.resident_w)
        held, self._held = self._held, []
        for job in held:
            self._join(time_s, job)
        if not held:
            self._turn_s = time_s + self._unload_after_s

    def _unload(self, time_s: float) -> None:
        self._resident_j = self.resident_j(time_s)
        self._loaded_since_s, self._turn_s = nan, inf
        self._reside(time_s, -self.deployment.resident_w)

    def _reside(self, time_s: float, watts: float) -> None:
        """A resident model is idle power: the cell has it whoever runs."""
        self.cell.idle_w += watts
        self.cell.change(time_s, watts, 0, 0.0)

    # ------------------------------------------------------------ power

    def _update(self, time_s: float) -> None:
        """Set the power and the next event that follow from what the engine does now."""
        engine = self.engine
        if not (self._runs and engine.next_s < inf):
            self._start_or_stop(time_s)
            return
        before_w = self.power_w
        self._chip_w = self._draw_w(engine.arithmetic, engine.reading) * engine.speed
        self.power_w = self._chip_w + self._host_w
        self.cell.change(time_s, self.power_w - before_w, 0, 0.0)
        self.next_event_s = engine.next_s

    def _start_or_stop(self, time_s: float) -> None:
        """`_update` for a replica that was idle, or is."""
        engine, before_w, ran = self.engine, self.power_w, self._runs
        self._runs = runs = engine.next_s < inf
        if not ran:
            self._since_s = time_s
        self._chip_w = self._draw_w(engine.arithmetic, engine.reading) * engine.speed if runs else 0.0
        self.power_w = self._chip_w + self._host_w if runs else 0.0
        change = int(runs) - int(ran)
        if change:
            self.cell.change(time_s, self.power_w - before_w, change, change * (self._devices - 1.0))
            if self._unload_after_s < inf and not isnan(self._loaded_since_s):
                self._turn_s = inf if runs else time_s + self._unload_after_s
        self.next_event_s = min(engine.next_s, self._turn_s)

    def _book(self, time_s: float) -> None:
        """Split what the iterations under way have used since the last call over their requests."""
        span = time_s - self._since_s
        self._since_s = time_s
        if self._runs and span > 0.0:
            self.engine.book(span, self._chip_w * span)
