"""Random programs of timed calls, feeds, SimPy events, passes and cancellations against a sorted list."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.sim.clock import Clock

SETTINGS = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])

DELAYS = st.sampled_from([0.0, 0.0, 0.5, 1.0, 1.0, 2.0, 3.5])


@dataclass(frozen=True)
class Do:
    """Something to start now: when it comes, it is noted and starts `then`."""

    kind: str
    """call, event, last (a pass), or cancel (of an earlier call)"""
    delay_s: float = 0.0
    number: int = 0
    then: tuple = ()


@dataclass(frozen=True)
class Feed:
    """Blocks of (gap to the moment before, what the moment starts)."""

    blocks: tuple[tuple[tuple[float, tuple], ...], ...]


def starting(children):
    then = st.lists(children, max_size=3).map(tuple)
    moments = st.lists(st.tuples(DELAYS, then), max_size=3).map(tuple)
    return st.one_of(
        st.builds(Do, st.sampled_from(["call", "call", "event", "last"]), DELAYS, then=then),
        st.builds(Feed, st.lists(moments, max_size=3).map(tuple)),
    )


LEAVES = st.one_of(
    st.builds(Do, st.sampled_from(["call", "event", "last"]), DELAYS),
    st.builds(Do, st.just("cancel"), number=st.integers(0, 7)),
)
PROGRAMS = st.lists(st.recursive(LEAVES, starting, max_leaves=12), min_size=1, max_size=6)


class Machine:
    """Runs a program on an engine and notes what comes when, by a path that names it."""

    def __init__(self) -> None:
        self.log: list[tuple[float, tuple]] = []

    def begin(self, program):
        self.start_all(program, ())

    def start_all(self, things, path):
        for number, thing in enumerate(things):
            self.start(thing, (*path, number))

    def start(self, thing, path):
        if isinstance(thing, Feed):
            moment, blocks = self.now, []
            for at, block in enumerate(thing.blocks):
                moments, items = [], []
                for place, (gap_s, then) in enumerate(block):
                    moment += gap_s
                    moments.append(moment)
                    items.append((then, (*path, at, place)))
                blocks.append((moments, items))
            self.feed(blocks)
        elif thing.kind == "cancel":
            self.cancel(thing.number)
        else:
            getattr(self, thing.kind)(thing.delay_s, (thing.then, path))

    def come(self, item):
        then, path = item
        self.log.append((self.now, path))
        self.start_all(then, path)


class OnClock(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.tokens: dict[tuple, int] = {}

    @property
    def now(self):
        return self.clock.now

    def call(self, delay_s, item):
        self.tokens[item[1]] = self.clock.call_at(self.now + delay_s, self.called, item)

    def called(self, item):
        del self.tokens[item[1]]
        self.come(item)

    def event(self, delay_s, item):
        self.clock.timeout(delay_s).callbacks.append(lambda _: self.come(item))

    def feed(self, blocks):
        self.clock.feed(iter(blocks), self.come)

    def cancel(self, number):
        if self.tokens:
            path = sorted(self.tokens)[number % len(self.tokens)]
            self.clock.cancel(self.tokens.pop(path))

    def last(self, _, item):
        self.clock.at_end_of_instant(lambda: self.come(item))


CALL, ARRIVAL, EVENT, PASS = range(4)


@dataclass
class Oracle(Machine):
    """Everything in one list; the next thing is its minimum by (moment, kind, order)."""

    now: float = 0
    number: int = 0
    waiting: list[tuple] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def add(self, moment_s, kind, item, order=None):
        self.number += 1
        self.waiting.append((moment_s, kind, order or (self.number,), item))

    def call(self, delay_s, item):
        self.add(self.now + delay_s, CALL, item)

    def event(self, delay_s, item):
        self.add(self.now + delay_s, EVENT, item)

    def feed(self, blocks):
        self.number += 1
        feed = self.number
        for moments, items in blocks:
            for moment, item in zip(moments, items, strict=True):
                self.add(moment, ARRIVAL, item, (feed, self.number))

    def cancel(self, number):
        calls = sorted(entry[3][1] for entry in self.waiting if entry[1] == CALL)
        if calls:
            path = calls[number % len(calls)]
            self.waiting = [entry for entry in self.waiting if entry[1] != CALL or entry[3][1] != path]

    def last(self, _, item):
        self.add(self.now, PASS, item)

    def run(self):
        """Yields the moment of everything that comes, before it comes."""
        while self.waiting:
            first = min(self.waiting, key=lambda entry: entry[:3])
            self.waiting.remove(first)
            yield first[0]
            self.now = first[0]
            self.come(first[3])


def expected(program):
    oracle = Oracle()
    oracle.begin(program)
    moments = list(oracle.run())
    return oracle.log, moments


@settings(SETTINGS)
@given(PROGRAMS)
def test_order_is_that_of_a_sorted_list(program):
    log, moments = expected(program)
    machine = OnClock()
    machine.begin(program)
    machine.clock.run()
    assert machine.log == log
    assert machine.clock.now == (moments[-1] if moments else 0)
    assert machine.clock.peek() == inf


@settings(SETTINGS)
@given(PROGRAMS, st.lists(st.sampled_from(["step", 0.25, 0.5, 1.0, "run to the next"]), max_size=8))
def test_steps_and_pieces_are_the_same_run(program, pieces):
    log, moments = expected(program)
    machine = OnClock()
    machine.begin(program)
    clock = machine.clock
    for piece in pieces:
        if piece == "step":
            if clock.peek() < inf:
                assert clock.peek() == moments[len(machine.log)]
                clock.step()
        elif piece == "run to the next":
            if inf > clock.peek() > clock.now:
                clock.run(until=clock.peek())
        else:
            until = clock.now + piece
            clock.run(until=until)
            assert len(machine.log) == sum(moment < until for moment in moments)
    while clock.peek() < inf:
        assert clock.peek() == moments[len(machine.log)]
        clock.step()
    assert machine.log == log
