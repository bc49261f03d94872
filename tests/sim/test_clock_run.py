"""run, step, peek and halt over all three sources: where a run stops, and that it can be resumed anywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
import simpy
from simpy.core import EmptySchedule

from dcsim.sim.clock import Clock


@pytest.fixture
def clock():
    return Clock()


def load(clock, log, *, raising=()):
    """All three sources and passes on colliding moments; what is named in `raising` raises once it has been noted."""
    raising = set(raising)

    def note(name):
        log.append((clock.now, name))
        if name in raising:
            raising.discard(name)
            raise RuntimeError(name)

    def asking(name):
        if name.endswith("2"):
            clock.at_end_of_instant(lambda: note(f"pass after {name}"))
        note(name)

    def process(name, delays):
        for number, delay in enumerate(delays):
            yield clock.timeout(delay)
            asking(f"{name} {number}")

    clock.process(process("process", [0.0, 1.0, 1.0, 0.0, 2.0]))
    clock.process(process("other", [2.0, 2.0, 3.0]))
    for number, moment in enumerate([0.0, 1.0, 2.0, 2.0, 4.0, 9.0]):
        clock.call_at(moment, asking, f"call {number}")
    clock.feed([([0.0, 2.0], ["feed 0", "feed 1"]), ([2.0, 4.0, 6.0], ["feed 2", "feed 3", "feed 4"])], asking)
    clock.feed([([1.0, 2.0, 8.0], ["more 0", "more 1", "more 2"])], asking)
    dead = clock.call_at(3.0, asking, "dead")
    clock.cancel(dead)


def whole():
    clock, log = Clock(), []
    load(clock, log)
    clock.run()
    return log


def test_the_load_has_everything_in_order():
    log = whole()
    assert len(log) == 8 + 6 + 8 + 5
    assert [moment for moment, _ in log] == sorted(moment for moment, _ in log)
    assert [name for moment, name in log if moment == 2.0] == [
        *("call 2", "call 3", "feed 1", "feed 2", "more 1", "other 0", "process 2", "process 3"),
        *("pass after call 2", "pass after feed 2", "pass after process 2"),
    ]


# ---------------------------------------------------------------- step and peek


def test_step_by_step_is_run(clock):
    log = []
    load(clock, log)
    moments = []
    while (moment := clock.peek()) < math.inf:
        moments.append(moment)
        clock.step()
        assert clock.now == moment
    assert log == whole()
    assert moments == sorted(moments)


def test_step_and_run_may_be_mixed(clock):
    log = []
    load(clock, log)
    for _ in range(7):
        clock.step()
    clock.run(until=2.5)
    for _ in range(3):
        clock.step()
    clock.run()
    assert log == whole()


def test_peek_sees_all_sources(clock):
    assert clock.peek() == math.inf
    clock.timeout(9.0)
    assert clock.peek() == 9.0
    clock.feed([([8.0], "a")], lambda _: None)
    assert clock.peek() == 8.0
    token = clock.call_at(7.0, lambda _: None)
    assert clock.peek() == 7.0
    clock.cancel(token)
    assert clock.peek() == 8.0
    clock.run(until=7.5)
    assert clock.peek() == 8.0
    clock.at_end_of_instant(lambda: None)
    assert clock.peek() == 7.5


def test_empty_schedule_only_when_all_sources_are_empty(clock):
    for add in (
        lambda: clock.call_at(clock.now + 1, lambda _: None),
        lambda: clock.feed([([clock.now + 1], "a")], lambda _: None),
        lambda: clock.timeout(1),
        lambda: clock.at_end_of_instant(lambda: None),
    ):
        add()
        clock.step()
        with pytest.raises(EmptySchedule):
            clock.step()
    assert clock.run() is None


# ---------------------------------------------------------------- run until a moment


@pytest.mark.parametrize("until", [0.5, 1, 2, 2.0, 3, 4, 8.5, 9, 100])
def test_run_stops_strictly_before_and_goes_on(clock, until):
    log = []
    load(clock, log)
    clock.run(until=until)
    assert clock.now == until
    assert type(clock.now) is type(until)
    assert log == [entry for entry in whole() if entry[0] < until]
    clock.run()
    assert log == whole()


def test_run_in_many_pieces_is_one_run(clock):
    log = []
    load(clock, log)
    for until in np.linspace(0.25, 10.0, 40):
        clock.run(until=until)
        assert clock.now == float(until)
        assert type(clock.now) is float
    assert log == whole()


@pytest.mark.parametrize("until", [0, -1, 4.999, 5, 5.0, math.nan, -math.inf])
def test_end_that_is_not_in_the_future_is_refused(clock, until):
    clock.run(until=5)
    with pytest.raises(ValueError, match="must be greater than the current simulation time"):
        clock.run(until=until)
    assert clock.now == 5


def test_run_with_nothing_to_do_still_comes_to_its_end(clock):
    clock.run(until=3)
    assert clock.now == 3
    clock.call_at(4.0, lambda _: None)
    clock.run(until=10)
    assert clock.now == 10
    clock.run()
    assert clock.now == 10


def test_infinite_end_is_no_end(clock):
    clock.call_at(4.0, lambda _: None)
    clock.run(until=math.inf)
    assert clock.now == 4.0


def test_moment_of_the_end_is_exact(clock):
    """Not now + (end - now), which rounding may move."""
    clock.run(until=0.3)
    clock.run(until=1.1)
    assert clock.now == 1.1


def test_initial_time(clock):
    clock = Clock(100.0)
    seen = []
    clock.feed([([100.0, 101.0], "ab")], lambda item: seen.append((clock.now, item)))
    clock.call_at(100.5, lambda _: seen.append(clock.now))
    with pytest.raises(ValueError):
        clock.call_at(99.0, print)
    with pytest.raises(ValueError):
        clock.feed([([99.0], "a")], print)
    clock.run(until=101.0)
    assert seen == [(100.0, "a"), 100.5]


# ---------------------------------------------------------------- run until an event


def test_run_until_an_event_returns_its_value_and_can_go_on(clock):
    log = []
    load(clock, log)
    event = clock.event()
    clock.call_at(2.0, lambda _: event.succeed("value"))
    assert clock.run(until=event) == "value"
    assert clock.now == 2.0
    assert log == whole()[: len(log)]
    assert log[-1] == (2.0, "process 2")  # scheduled before the event; `process 3` and the passes of 2.0 are left
    assert clock.run(until=event) == "value"  # has been processed: at once
    clock.run()
    assert log == whole()


def test_run_until_a_failed_event_raises_its_exception(clock):
    event = clock.event()
    clock.call_at(2.0, lambda _: event.fail(KeyError("gone")))
    with pytest.raises(KeyError, match="gone"):
        clock.run(until=event)
    assert clock.now == 2.0


def test_event_that_never_comes_is_an_error_when_all_sources_are_empty(clock):
    log = []
    load(clock, log)
    event = clock.event()
    with pytest.raises(RuntimeError, match='No scheduled events left but "until" event was not triggered'):
        clock.run(until=event)
    assert log == whole()


def test_event_that_a_run_did_not_reach_ends_no_later_run(clock):
    """Neither after the error that it never came, nor after an exception, nor after a halt."""
    event, log = clock.event(), []
    clock.call_at(1.0, lambda _: 1 / 0)
    clock.call_at(2.0, lambda _: clock.halt())
    with pytest.raises(ZeroDivisionError):
        clock.run(until=event)
    clock.run(until=event)  # halted
    assert clock.now == 2.0
    with pytest.raises(RuntimeError):
        clock.run(until=event)
    clock.call_at(3.0, lambda _: event.succeed())
    clock.call_at(4.0, log.append, "later")
    clock.run()
    assert log == ["later"]


def test_run_until_a_process_that_feeds_and_calls(clock):
    arrived = []

    def process():
        done = clock.event()
        clock.feed([([1.0, 2.0, 3.0], range(3))], arrived.append)
        clock.call_at(2.5, done.succeed)
        yield done
        return arrived.copy()

    assert clock.run(until=clock.process(process())) == [0, 1]
    assert clock.now == 2.5


# ---------------------------------------------------------------- resume after an exception, halt


@pytest.mark.parametrize("stepping", [False, True])
def test_exception_anywhere_loses_nothing_and_repeats_nothing(clock, stepping):
    """Every call, arrival and pass may raise once; the run is resumed each time."""
    log = []
    names = {name for _, name in whole() if not name.startswith(("process", "other"))}
    load(clock, log, raising=names)
    raised = 0
    while clock.peek() < math.inf:
        try:
            clock.step() if stepping else clock.run()
        except RuntimeError:
            raised += 1
    assert raised == len(names)
    assert log == whole()


def test_exception_in_a_process_crashes_the_run_which_can_go_on(clock):
    log = []
    load(clock, log, raising={"other 0"})
    with pytest.raises(RuntimeError, match="other 0"):
        clock.run()
    clock.run()
    assert [entry for entry in log if "other" not in entry[1]] == [e for e in whole() if "other" not in e[1]]
    assert [name for _, name in log if "other" in name] == ["other 0"]


@pytest.mark.parametrize("until", [None, 5.0])
def test_halt_stops_before_the_next_event_and_a_later_run_goes_on(clock, until):
    log = []
    load(clock, log)
    clock.feed([([1.0, 2.0], "ab")], lambda _: clock.halt())
    for expected in (1.0, 2.0):
        clock.run(until=until)
        assert clock.now == expected  # not the end of the run
        assert log == whole()[: len(log)]
    clock.run()
    assert log == whole()


def test_halt_before_a_run_ends_it_at_once_and_only_it(clock):
    log = []
    load(clock, log)
    clock.halt()
    clock.run(until=5.0)
    assert (clock.now, log) == (0, [])
    clock.run()
    assert log == whole()


def test_halt_that_came_with_the_end_of_a_run_does_not_stop_the_next(clock):
    log = []
    load(clock, log)
    event = clock.timeout(1.5)
    event.callbacks.append(lambda _: clock.halt())
    clock.run(until=event)
    assert clock.now == 1.5
    clock.run()
    assert log == whole()


# ---------------------------------------------------------------- subclasses


def test_a_step_that_was_replaced_is_used(clock):
    """SimPy's guide to monitoring traces events by replacing `step`."""
    log, steps = [], []
    load(clock, log)
    own = clock.step

    def step():
        steps.append(clock.peek())
        own()

    clock.step = step
    clock.run(until=2.0)
    assert clock.now == 2.0
    assert steps
    assert max(steps) < 2.0
    clock.run()
    assert log == whole()
    event = clock.event()
    with pytest.raises(RuntimeError, match="not triggered"):
        clock.run(until=event)


def test_a_subclass_may_extend_step():
    class Counting(Clock):
        steps = 0

        def step(self):
            self.steps += 1
            super().step()

    clock, log = Counting(), []
    load(clock, log)
    clock.run()
    assert log == whole()
    assert clock.steps > len(log)


def test_clock_is_a_simpy_environment(clock):
    assert isinstance(clock, simpy.Environment)
    assert simpy.Resource(clock, 1).capacity == 1
