"""The clock's own lane: timed calls, passes, and the order of everything at one instant."""

from __future__ import annotations

import math

import pytest

from dcsim.sim.clock import Clock


class Log(list):
    """Names with the moments at which they were noted."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def __call__(self, name: object = None) -> None:
        self.append((self.clock.now, name))

    @property
    def names(self) -> list[object]:
        return [name for _, name in self]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(clock):
    return Log(clock)


def waiting(clock, delay_s, call, name):
    """A process that notes `name` after `delay_s`."""

    def process():
        yield clock.timeout(delay_s)
        call(name)

    return clock.process(process())


# ---------------------------------------------------------------- order


def test_order_at_one_instant(clock, log):
    """Completions, arrivals, SimPy events, passes; ties by order of scheduling, whatever was set up first."""
    for number in range(2):
        clock.timeout(5.0).callbacks.append(lambda _, n=number: log(f"event {n}"))
        clock.feed([([5.0, 5.0], [f"arrival {number}a", f"arrival {number}b"])], log)
        clock.call_at(5.0, log, f"call {number}")
    clock.call_at(5.0, lambda _: clock.at_end_of_instant(lambda: log("pass")))
    clock.call_at(5.0, log, "call 2")
    clock.run()
    arrivals = ["arrival 0a", "arrival 0b", "arrival 1a", "arrival 1b"]
    assert log.names == ["call 0", "call 1", "call 2", *arrivals, "event 0", "event 1", "pass"]
    assert {moment for moment, _ in log} == {5.0}


def test_what_an_instant_brings_about_is_done_within_it(clock, log):
    """A call asked for by an event at this instant comes before the events that are left, an arrival too."""

    def first(_):
        log("first event")
        clock.call_at(clock.now, log, "call")
        clock.feed([([clock.now, 9.0], ["arrival", "late"])], log)
        clock.at_end_of_instant(lambda: log("pass"))

    clock.timeout(5.0).callbacks.append(first)
    clock.timeout(5.0).callbacks.append(lambda _: log("second event"))
    clock.call_at(6.0, log, "next")
    clock.run()
    assert log.names == ["first event", "call", "arrival", "second event", "pass", "next", "late"]


def test_pass_once_per_instant_and_after_what_an_earlier_pass_caused(clock, log):
    def pass_a():
        log("a")
        clock.event().succeed().callbacks.append(lambda _: log("caused"))
        clock.call_at(clock.now, log, "called")
        clock.at_end_of_instant(pass_b)  # waits already: still once

    def pass_b():
        log("b")

    def ask(_):
        clock.at_end_of_instant(pass_a)
        clock.at_end_of_instant(pass_b)
        clock.at_end_of_instant(pass_a)

    clock.feed([([1.0, 1.0, 2.0], [None, None, None])], ask)
    clock.run()
    once = ["a", "called", "caused", "b"]
    assert log == [(1.0, name) for name in once] + [(2.0, name) for name in once]


def test_pass_may_ask_for_itself_and_sees_the_next_round(clock, log):
    rounds = iter(range(3))

    def again():
        log(next(rounds))
        if len(log) < 3:
            clock.call_at(clock.now, log, "between")
            clock.at_end_of_instant(again)

    clock.call_at(4.0, lambda _: clock.at_end_of_instant(again))
    clock.run()
    assert log == [(4.0, 0), (4.0, "between"), (4.0, 1)]


def test_pass_runs_at_its_own_instant_even_with_nothing_left_or_an_end_of_run(clock, log):
    clock.at_end_of_instant(lambda: log("at once"))
    assert clock.peek() == 0
    clock.run(until=3)
    assert log == [(0, "at once")]
    clock.call_at(5.0, lambda _: clock.at_end_of_instant(lambda: log("last")))
    clock.run(until=math.nextafter(5.0, 6.0))
    assert log[-1] == (5.0, "last")


# ---------------------------------------------------------------- call_at


@pytest.mark.parametrize("moment", [-1.0, 6.999, math.nan, -math.inf])
def test_call_in_the_past_or_at_no_time_is_refused(clock, moment):
    clock.run(until=7)
    with pytest.raises(ValueError, match=r"call_at\(.*\) must not be before the current simulation time"):
        clock.call_at(moment, print)
    assert clock.peek() == math.inf


def test_call_now_is_allowed_and_calls_never_coming_are_no_calls(clock, log):
    clock.run(until=7)
    clock.call_at(7, log, "now")
    clock.call_at(math.inf, log, "never")
    clock.run()
    assert log == [(7, "now")]
    assert clock.peek() == math.inf


def test_ties_follow_the_order_of_scheduling_across_calls_and_the_open_heap(clock, log):
    """`timed_calls` is the heap itself: what is pushed there and what `call_at` takes share one order."""
    calls, ids = clock.timed_calls
    clock.call_at(2.0, log, 0)
    calls.append((2.0, next(ids), log, 1))
    clock.call_at(2.0, log, 2)
    clock.run()
    assert log.names == [0, 1, 2]


# ---------------------------------------------------------------- cancel


def test_cancelled_call_is_skipped_and_not_seen(clock, log):
    tokens = [clock.call_at(float(number), log, number) for number in range(1, 6)]
    for number in (1, 2, 4):
        clock.cancel(tokens[number - 1])
    assert clock.peek() == 3.0  # not 1.0, where the dead entry stands
    clock.step()
    assert log == [(3.0, 3)]
    clock.run()
    assert log == [(3.0, 3), (5.0, 5)]
    assert clock.now == 5.0


def test_cancelled_call_moves_no_time_and_ends_no_instant(clock, log):
    dead = clock.call_at(2.0, log, "dead")
    clock.call_at(1.0, lambda _: clock.at_end_of_instant(lambda: log("pass")))
    clock.call_at(1.0, lambda _: clock.cancel(dead))
    clock.run()
    assert log == [(1.0, "pass")]
    assert clock.now == 1.0


def test_heap_of_mostly_dead_calls_is_rebuilt(clock, log):
    tokens = [clock.call_at(1.0 + number, log, number) for number in range(1000)]
    for token in tokens[:990]:
        clock.cancel(token)
    heap, _ = clock.timed_calls
    assert len(heap) < 200
    clock.run()
    assert log.names == list(range(990, 1000))
    assert not heap


def test_rebuild_during_a_run_loses_nothing(clock, log):
    tokens = [clock.call_at(10.0 + number, log, number) for number in range(300)]

    def cancel_odd(_):
        for number in range(1, 300, 2):
            clock.cancel(tokens[number])
        for number in range(0, 300, 4):
            clock.cancel(tokens[number])

    clock.call_at(5.0, cancel_odd)
    clock.run()
    assert log.names == list(range(2, 300, 4))


def test_re_timing_for_ever_needs_no_memory(clock):
    """One completion that is moved every second, as a throttled device's may be."""
    token = clock.call_at(1e9, lambda _: None)

    def move(_):
        nonlocal token
        clock.cancel(token)
        token = clock.call_at(1e9 - clock.now, lambda _: None)

    clock.feed([([float(second) for second in range(3000)], range(3000))], move)
    clock.run(until=3000)
    heap, _ = clock.timed_calls
    assert len(heap) < 200
    assert len(clock._dead) < 200


def test_cancel_of_a_call_that_has_run_harms_no_other(clock, log):
    done = clock.call_at(1.0, log, "done")
    clock.run()
    clock.cancel(done)
    clock.cancel(done)
    clock.call_at(2.0, log, "later")
    assert clock.peek() == 2.0
    clock.run()
    assert log.names == ["done", "later"]


def test_call_moved_to_an_earlier_and_a_later_moment(clock, log):
    """Re-timing is a cancel and a new call: what throttling does to a completion."""
    token = clock.call_at(10.0, log, "end")

    def move(moment):
        nonlocal token
        clock.cancel(token)
        token = clock.call_at(moment, log, "end")

    waiting(clock, 3.0, move, 20.0)
    waiting(clock, 12.0, move, 15.0)
    clock.run()
    assert log == [(15.0, "end")]
