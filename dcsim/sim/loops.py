"""Streams whose next job waits for an answer: closed loops of users, and sessions of several turns.

Jobs are numbered as they arrive, in blocks that are reserved in the job table ahead of them. A row that no job has
taken yet arrives at infinity, so whoever reads the table takes it for a job that has not come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from dcsim import seeds, workload
from dcsim.scenario.loops import Closed, Sessions
from dcsim.service import FloatArray
from dcsim.sim import clock
from dcsim.workload.draws import labels, law_of
from dcsim.workload.laws import Law

if TYPE_CHECKING:
    from dcsim.sim.model import Model

_FIRST_ROWS, _MOST_ROWS = 64, 8192  # reserved at a time
_THOUGHTS = 4096  # think times drawn at a time


class _Session:
    """One user of a closed loop, or one conversation."""

    __slots__ = ("left", "number", "tokens", "turn")

    def __init__(self, number: int, turns: float) -> None:
        self.number, self.left = number, turns
        self.turn = 0
        self.tokens = 0.0  # of its prompts and answers so far, where prompts grow with them


class Loop:
    """The jobs of one stream of kind `closed` or `sessions`."""

    def __init__(self, model: Model, name: str, spec: Closed | Sessions) -> None:
        self._model, self._name, self._spec = model, name, spec
        stream = model.scenario.streams[name]
        self._draws = workload.column_draws(stream, name, model.catalog, model.seed, 0)
        self._labels = labels(stream, model.catalog)
        self._thoughts = _thoughts(
            law_of(spec.think, f"streams.{name}.arrivals.think", model.catalog),
            seeds.generator(model.seed, 0, f"stream/{name}/think"),
        )
        self._history = isinstance(spec, Sessions) and spec.history
        replicas = [use.replica for use in model.uses[name].values() if use.replica is not None]
        self._most_tokens = min((replica.most_tokens for replica in replicas), default=inf)
        self._running: dict[int, _Session] = {}
        self._first = self._next = self._end = 0  # numbers of the jobs of the block at hand
        self._rows = _FIRST_ROWS
        self._arrival_s: FloatArray = np.zeros(0)
        self._columns: dict[str, FloatArray] = {}
        self._arrive: Callable[[int], None]

    @property
    def ahead(self) -> int:
        """Jobs that are reserved and have not arrived."""
        return self._end - self._next

    def start(self, arrive: Callable[[int], None]) -> None:
        """Let all users begin to think, or sessions begin; `arrive` takes each job in."""
        self._arrive, spec = arrive, self._spec
        if isinstance(spec, Closed):
            for number in range(spec.users):
                self._think(_Session(number, inf))
        else:
            self._model.clock.feed(self._sessions(spec), self._come)

    def ended(self, job: int) -> None:
        """A job has ended or was rejected: its session thinks, then its next job arrives."""
        session = self._running.pop(job)
        session.left -= 1
        if session.left > 0:
            self._think(session)

    def _think(self, session: _Session) -> None:
        time_s = self._model.clock.now + next(self._thoughts)
        if time_s < self._model.scenario.duration:
            self._model.clock.call_at(time_s, self._come, session)

    def _come(self, session: _Session) -> None:
        """The next job of a session arrives, unless its prompt has grown too long."""
        if self._next == self._end:
            self._reserve()
        job, row = self._next, self._next - self._first
        if self._history and not self._grow(session, job, row):
            return
        session.turn += 1
        self._columns["session"][row] = session.number
        self._columns["turn"][row] = session.turn
        self._arrival_s[row] = self._model.clock.now
        self._next += 1
        self._running[job] = session
        self._arrive(job)

    def _grow(self, session: _Session, job: int, row: int) -> bool:
        """Put what was said so far before the prompt; False when a replica takes no such request."""
        prompt = self._columns["input_tokens"][row] + session.tokens
        tokens = prompt + self._columns["output_tokens"][row]
        if tokens > self._most_tokens:
            return False
        if session.tokens:
            self._columns["input_tokens"][row] = prompt
            self._model.resize(self._name, job, {key: self._columns[key][row : row + 1] for key in self._columns})
        session.tokens = float(tokens)
        return True

    def _reserve(self) -> None:
        rows, self._rows = self._rows, min(2 * self._rows, _MOST_ROWS)
        columns = {key: values for draw in self._draws for key, values in draw(rows).items()}
        columns |= {"session": np.zeros(rows), "turn": np.zeros(rows)}
        self._columns, self._arrival_s = columns, np.full(rows, inf)
        self._first = self._next = self._model.reserve(self._name, self._arrival_s, columns, self._labels)
        self._end = self._first + rows

    def _sessions(self, spec: Sessions) -> Iterator[clock.Block]:
        """When sessions start, and each with its number of turns: geometric from 1."""
        model, first = self._model, 0
        stream = model.scenario.streams[self._name]
        starts = stream.model_copy(update={"arrivals": spec.starts, "sizes": None, "service": None})
        turns = seeds.generator(model.seed, 0, f"stream/{self._name}/turns")
        for block in workload.blocks(
            starts, self._name, model.scenario.duration, model.catalog, model.seed, 0, model.folder
        ):
            lengths = turns.geometric(1.0 / spec.turns, len(block)).tolist()
            yield block.arrival_s.tolist(), [_Session(first + row, length) for row, length in enumerate(lengths)]
            first += len(block)


def _thoughts(think: Law, generator: np.random.Generator) -> Iterator[float]:
    while True:
        yield from think.draw(generator, _THOUGHTS).tolist()
