"""The clock as a drop-in: models after the topics of SimPy's guide leave on it the trace that they leave on SimPy.

Every model runs on both, and on a clock whose own lane is busy all the while; by `run`, step by step, and in pieces.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import wraps
from math import inf

import pytest
import simpy
from simpy.events import PENDING, URGENT, AllOf, AnyOf, Condition, Event, Timeout
from simpy.util import start_delayed

from dcsim.sim.clock import Clock

MODELS: list[Callable] = []


def model(function):
    """Register a model: `function(env, log)` starts its processes; `log(...)` notes now and what it is given."""
    MODELS.append(function)
    return function


class Trace(list):
    def __init__(self, env):
        super().__init__()
        self.env = env

    def __call__(self, *what):
        self.append((self.env.now, *what))


def plain():
    return simpy.Environment()


def clock():
    return Clock()


def busy_clock():
    """Timed calls (some cancelled) and two feeds at whole, quarter and odd moments, which touch no SimPy event."""
    env = Clock()
    moments = [number / 4 for number in range(200)]
    env.feed([(moments[:7], moments[:7]), (moments[7:], moments[7:])], lambda _: None)
    env.feed([(moments, moments)], lambda _: env.at_end_of_instant(lambda: None))
    tokens = [env.call_at(moment, lambda _: None) for moment in [*moments, *(moment / 3 for moment in moments)]]
    for token in tokens[::3]:
        env.cancel(token)
    return env


def by_run(env, log):
    while True:
        try:
            env.run()
        except Exception as error:
            log("crash", repr(error), repr(error.__cause__))
        else:
            return


def by_step(env, log):
    while env.peek() < inf:
        try:
            env.step()
        except Exception as error:
            log("crash", repr(error), repr(error.__cause__))


def in_pieces(env, log):
    until = 0.0
    while env.peek() < inf:
        until += 0.75
        while env.now < until:
            try:
                env.run(until=until)
            except Exception as error:
                log("crash", repr(error), repr(error.__cause__))


def trace(make, start, drive=by_run):
    env = make()
    log = Trace(env)
    start(env, log)
    drive(env, log)
    return list(log)


# ---------------------------------------------------------------- events and processes


@model
def processes_return_values_and_wait_for_each_other(env, log):
    def child(value, delay):
        log("start", value)
        yield env.timeout(delay)
        return value

    def parent():
        log((yield env.process(child("a", 2))))
        first, second = env.process(child("b", 1)), env.process(child("c", 3))
        log((yield second), first.is_alive, second.is_alive, first.ok)
        log((yield first))  # over already: goes on at once
        nothing = yield env.process(child(None, 0))
        log(nothing, env.active_process is parent_process)

    parent_process = env.process(parent())
    log("set up", env.active_process, parent_process.name)


@model
def timeouts_carry_values_and_ties_keep_their_order(env, log):
    def wait(name, *delays):
        for delay in delays:
            log(name, (yield env.timeout(delay, value=f"{name}{delay}")))

    for name, delays in (("a", (1, 1, 2)), ("b", (2, 0, 0)), ("c", (1.0, 1.5)), ("d", (0, 0.0, 4))):
        env.process(wait(name, *delays))
    with pytest.raises(ValueError, match="Negative delay"):
        env.timeout(-1)


@model
def one_event_wakes_all_who_wait_in_order(env, log):
    bell = env.event()

    def wait(name):
        log(name, (yield bell), bell.triggered, bell.processed, bell.value)

    def ring():
        log("pending", bell.triggered)
        yield env.timeout(3)
        bell.succeed("ding")
        log("rung", bell.triggered, bell.processed)
        with pytest.raises(RuntimeError):
            bell.succeed()
        yield env.timeout(0)
        log("later", (yield bell))

    for name in "abc":
        env.process(wait(name))
    env.process(ring())


@model
def callbacks_run_in_order_and_may_be_removed(env, log):
    event = env.timeout(2, "value")
    event.callbacks += [
        lambda e: log("first", e.value),
        lambda e: log("second", e.callbacks),
        extra := lambda _: log("no"),
    ]
    event.callbacks.remove(extra)
    chained = env.event()
    chained.callbacks.append(lambda e: log("chained", e.value, e.ok))
    event.callbacks.append(chained.trigger)
    log("set up", len(event.callbacks))


@model
def urgent_events_go_first(env, log):
    def note(name):
        event = Event(env)
        event._ok, event._value = True, name
        event.callbacks.append(lambda e: log(e.value))
        return event

    env.schedule(note("normal"), delay=1)
    env.schedule(note("urgent"), priority=URGENT, delay=1)
    env.schedule(note("at once"))
    log("set up")


@model
def processes_that_begin_later(env, log):
    def work(name):
        log(name)
        yield env.timeout(1)

    start_delayed(env, work("late"), 2.5)
    env.process(work("now"))
    with pytest.raises(ValueError):
        start_delayed(env, work("never"), 0)
    env.timeout(1).callbacks.append(lambda _: env.process(work("from a callback")))


@model
def a_process_without_a_wait_and_one_that_waits_for_itself_being_over(env, log):
    def instant():
        log("here")
        return 7
        yield

    process = env.process(instant())
    process.callbacks.append(lambda e: log("over", e.value, e.is_alive))
    log("before")


# ---------------------------------------------------------------- failures


@model
def exceptions_travel_to_who_waits(env, log):
    def child():
        yield env.timeout(1)
        raise ValueError("onoes")

    def parent():
        try:
            yield env.process(child())
        except ValueError as error:
            log("caught", str(error))
        yield env.timeout(1)
        return "fine"

    def unlucky():
        yield env.timeout(5)
        yield env.process(child())  # not caught: crashes the run

    def bystander():
        while env.now < 9:
            yield env.timeout(1)
            log("tick")

    env.process(parent()).callbacks.append(lambda e: log(e.value))
    env.process(unlucky())
    env.process(bystander())


@model
def failed_events_crash_unless_someone_defuses_them(env, log):
    def wait(event):
        try:
            yield event
        except KeyError as error:
            log("caught", repr(error), event.ok, event.defused)

    caught, defused, ignored = env.event(), env.event(), env.event()
    env.process(wait(caught))

    def defuse(event):
        event.defused = True
        log("defused", repr(event.value))

    defused.callbacks.append(defuse)

    def fail():
        yield env.timeout(1)
        for event in (caught, defused, ignored):
            event.fail(KeyError("k"))
        with pytest.raises(TypeError):
            env.event().fail("not an exception")
        yield env.timeout(1)
        log("after")

    env.process(fail())


@model
def what_is_no_event_cannot_be_waited_for(env, log):
    def odd():
        log("start")
        yield 5

    def late():
        yield env.timeout(1)
        log("late")

    env.process(odd())
    env.process(late())
    with pytest.raises(ValueError, match="not a generator"):
        env.process(3)


# ---------------------------------------------------------------- interrupts


@model
def interrupts_end_a_wait_that_can_be_taken_up_again(env, log):
    def sleeper():
        wait = env.timeout(5, "slept")
        while True:
            try:
                log((yield wait))
                return
            except simpy.Interrupt as interrupt:
                log("interrupted", interrupt.cause, wait.processed)

    def nuisance(victim):
        for delay in (1, 0, 2):
            yield env.timeout(delay)
            victim.interrupt(f"at {env.now}")
            victim.interrupt("twice")
        yield victim
        with pytest.raises(RuntimeError, match="terminated"):
            victim.interrupt()
        log("dead", victim.is_alive)

    env.process(nuisance(env.process(sleeper())))


@model
def interrupts_and_the_awaited_event_at_one_moment(env, log):
    def sleeper(name):
        try:
            yield env.timeout(2)
            log(name, "slept")
            yield env.timeout(1)
            log(name, "slept more")
        except simpy.Interrupt:
            log(name, "interrupted", type(env.active_process.target).__name__)

    def nuisance(victim):
        yield env.timeout(2)
        if victim.is_alive:
            victim.interrupt()

    early = env.process(sleeper("early"))
    env.process(nuisance(early))
    start_delayed(env, nuisance(env.process(sleeper("late"))), 0.5)

    def selfish():
        with pytest.raises(RuntimeError, match="itself"):
            env.active_process.interrupt()
        yield env.timeout(0)

    env.process(selfish())


@model
def interrupt_before_the_first_step_and_uncaught(env, log):
    def fragile():
        log("began")
        yield env.timeout(1)

    def late():
        yield env.timeout(3)
        log("went on")

    env.process(fragile()).interrupt("early")
    env.process(late())


# ---------------------------------------------------------------- conditions


@model
def conditions_collect_values(env, log):
    def wait():
        a, b, c = (env.timeout(delay, value) for delay, value in ((1, "a"), (2, "b"), (3, "c")))
        log("any", list((yield a | b).values()))
        log("all", list((yield a & b).todict().values()))
        result = yield (a & b) | c
        log("nested", [result[event] for event in result], c in result)
        log("both", list((yield AllOf(env, [c, a])).values()))
        log("empty", len((yield env.all_of([]))), len((yield env.any_of([]))))
        log("over", list((yield AnyOf(env, [a, b, c])).values()))
        own = Condition(env, lambda _, count: count >= 2, [env.timeout(delay, delay) for delay in (3, 1, 2)])
        log("two of three", list((yield own).values()))

    env.process(wait())


@model
def conditions_with_failures(env, log):
    def wait(make):
        good, bad = env.timeout(2, "good"), env.event()
        env.timeout(1).callbacks.append(lambda _: bad.fail(OSError("bad")))
        try:
            log(list((yield make(good, bad)).values()))
        except OSError as error:
            log("caught", str(error))
        yield env.timeout(3)

    def after_the_condition():
        first, bad = env.timeout(1, "first"), env.event()
        env.timeout(2).callbacks.append(lambda _: bad.fail(OSError("too late to matter")))
        log(list((yield first | bad).values()))
        yield env.timeout(5)
        log("still here")

    for make in (lambda a, b: a & b, lambda a, b: a | b, lambda a, b: (a | b) & a):
        env.process(wait(make))
    env.process(after_the_condition())


# ---------------------------------------------------------------- resources


@model
def resource_in_order_with_reneging(env, log):
    counter = simpy.Resource(env, capacity=2)

    def customer(name, arrival, patience, stay):
        yield env.timeout(arrival)
        with counter.request() as request:
            result = yield request | env.timeout(patience)
            log(name, request in result, counter.count, len(counter.queue))
            if request in result:
                yield env.timeout(stay)
        log(name, "left", counter.count, len(counter.queue))

    draw = random.Random(3)
    for number in range(25):
        env.process(customer(number, draw.randrange(12), draw.choice([0, 1, 3, 9]), draw.choice([1, 2, 2.5])))


@model
def priorities(env, log):
    machine = simpy.PriorityResource(env, capacity=1)

    def job(name, delay, priority):
        yield env.timeout(delay)
        with machine.request(priority=priority) as request:
            yield request
            log(name, priority)
            yield env.timeout(2)

    for name, (delay, priority) in enumerate([(0, 5), (1, 3), (1, 1), (1, 3), (2, 0), (5, 0), (5, -1)]):
        env.process(job(name, delay, priority))


@model
def preemption(env, log):
    machine = simpy.PreemptiveResource(env, capacity=1)

    def job(name, delay, priority, preempt=True):
        yield env.timeout(delay)
        left = 3.0
        while left:
            with machine.request(priority=priority, preempt=preempt) as request:
                yield request
                began = env.now
                log(name, "has it")
                try:
                    yield env.timeout(left)
                    left = 0.0
                except simpy.Interrupt as interrupt:
                    left -= env.now - began
                    log(name, "lost it", interrupt.cause.usage_since, interrupt.cause.resource is machine, left)
        log(name, "done")

    env.process(job("low", 0, 2))
    env.process(job("high", 1, 0))
    env.process(job("patient", 1.5, -1, preempt=False))
    env.process(job("middle", 2, 1))
    env.process(job("late", 8, 0))


@model
def containers(env, log):
    tank = simpy.Container(env, capacity=10, init=4)

    def put(amount, every):
        for _ in range(6):
            yield env.timeout(every)
            yield tank.put(amount)
            log("put", amount, tank.level)

    def get(amount, every):
        for _ in range(4):
            yield tank.get(amount)
            log("got", amount, tank.level)
            yield env.timeout(every)

    env.process(put(3, 1.5))
    env.process(get(5, 1))
    env.process(get(1, 2))
    with pytest.raises(ValueError):
        tank.put(0)


@model
def stores(env, log):
    store, chosen = simpy.Store(env, capacity=2), simpy.FilterStore(env)
    ordered = simpy.PriorityStore(env)

    def produce():
        for item in range(6):
            yield store.put(item)
            log("stored", item, list(store.items))
            yield chosen.put(item)
            yield ordered.put(simpy.PriorityItem(-item, f"item {item}"))
            yield env.timeout(0.5)

    def consume(name, wait):
        while True:
            item = yield store.get()
            log(name, item)
            yield env.timeout(wait)

    def choose():
        for wanted in (4, 1, 5):
            log("chose", (yield chosen.get(lambda item, wanted=wanted: item == wanted)))
        yield env.timeout(3)
        for _ in range(3):
            log("first", (yield ordered.get()).item)

    for process in (produce(), consume("a", 1), consume("b", 3), choose()):
        env.process(process)


@model
def machine_shop(env, log):
    """After SimPy's example: machines that break down and are repaired by one man, who has other things to do."""
    draw = random.Random(42)
    repairman = simpy.PreemptiveResource(env, capacity=1)

    def working(number, state):
        while True:
            left = draw.gauss(10.0, 2.0)
            while left > 0:
                began = env.now
                try:
                    yield env.timeout(left)
                    left = 0
                except simpy.Interrupt:
                    left -= env.now - began
                    state["broken"] = True
                    with repairman.request(priority=1) as request:
                        yield request
                        yield env.timeout(3.0)
                    state["broken"] = False
            log("part", number)
            if env.now > 60:
                return

    def breaking(process, state):
        while True:
            yield env.timeout(draw.expovariate(1 / 30.0))
            if not process.is_alive:
                return
            if not state["broken"]:
                process.interrupt()

    def other_jobs():
        while env.now < 60:
            left = 30.0
            while left:
                with repairman.request(priority=2) as request:
                    yield request
                    began = env.now
                    try:
                        yield env.timeout(left)
                        left = 0
                    except simpy.Interrupt:
                        left -= env.now - began
                        log("called away", left)

    for number in range(4):
        state = {"broken": False}
        env.process(breaking(env.process(working(number, state)), state))
    env.process(other_jobs())


@pytest.mark.parametrize("make", [clock, busy_clock])
@pytest.mark.parametrize("start", MODELS)
def test_model_leaves_the_trace_of_simpy(start, make):
    expected = trace(plain, start)
    assert len(expected) >= 3
    for drive in (by_run, by_step, in_pieces):
        assert trace(make, start, drive) == expected


# ---------------------------------------------------------------- until


def ticking(env, log):
    def clock(name, tick):
        while True:
            log(name)
            yield env.timeout(tick)

    env.process(clock("fast", 0.5))
    env.process(clock("slow", 1))


def attempt(log, call):
    try:
        log("returned", call())
    except Exception as error:
        log("raised", repr(error))


@pytest.mark.parametrize("make", [clock, busy_clock])
def test_until_behaves_as_in_simpy(make):
    def drive(env, log):
        attempt(log, lambda: env.run(until=2))
        attempt(log, lambda: env.run(until=2))
        attempt(log, lambda: env.run(until=-1))
        attempt(log, lambda: env.run(until=env.timeout(1, "three")))
        attempt(log, lambda: env.run(until=4.5))

        def work(value):
            yield env.timeout(1)
            if isinstance(value, Exception):
                raise value
            return value

        process = env.process(work("result"))
        attempt(log, lambda: env.run(until=process))
        attempt(log, lambda: env.run(until=process))
        attempt(log, lambda: env.run(until=env.process(work(KeyError("bad")))))
        attempt(log, lambda: env.run(until=env.timeout(1) | env.timeout(2)) is not None)
        failed = env.event()
        env.timeout(1).callbacks.append(lambda _: failed.fail(OSError("failed")))
        attempt(log, lambda: env.run(until=failed))
        attempt(log, lambda: env.run(until="9.5"))
        attempt(log, lambda: env.run(until=10))

    assert trace(make, ticking, drive) == trace(plain, ticking, drive)


def test_until_an_event_that_never_comes_is_the_error_of_simpy():
    def drive(env, log):
        attempt(log, lambda: env.run(until=env.event().callbacks and env.timeout(3)))
        with pytest.raises(
            RuntimeError, match='No scheduled events left but "until" event was not triggered'
        ) as caught:
            env.run(until=env.event())
        log(str(caught.value).partition("<")[0])

    def start(env, log):
        env.timeout(2).callbacks.append(lambda _: log("event"))

    assert trace(clock, start, drive) == trace(plain, start, drive)


@pytest.mark.parametrize("make", [clock, busy_clock])
def test_callbacks_left_when_a_run_ends_are_run_by_the_next(make):
    """`run(until=event)` stops in the middle of the event's callbacks."""

    def drive(env, log):
        event = env.timeout(1, "value")
        event.callbacks.append(lambda _: log("before"))
        moved = env.process(waits(env, log, event))
        env.run(until=0.5)
        attempt(log, lambda: env.run(until=event))
        log(event.triggered, moved.is_alive)
        attempt(log, lambda: env.run(until=moved))

    def waits(env, log, event):
        yield env.timeout(0.75)
        log("woken by", (yield event))

    def start(env, log):
        log(env.peek() >= 0)

    assert trace(make, start, drive) == trace(plain, start, drive)


# ---------------------------------------------------------------- looking on


def test_events_can_be_traced_as_in_the_guide():
    def drive(env, log):
        def traced(step):
            @wraps(step)
            def tracing():
                if env._queue:
                    moment, priority, number, event = env._queue[0]
                    log(moment, priority, number, type(event).__name__)
                return step()

            return tracing

        env.step = traced(env.step)
        env.run()

    def start(env, log):
        def process():
            yield env.timeout(1)
            yield env.timeout(2) & env.event().succeed()
            log("done")

        env.process(process())

    expected = trace(plain, start, drive)
    assert [entry[4] for entry in expected if len(entry) == 5][:2] == ["Initialize", "Timeout"]
    assert trace(clock, start, drive) == expected


def test_peek_from_within_an_event_sees_the_next():
    """Also while the callbacks of an event run, and after they have scheduled something or nothing."""

    def start(env, log):
        def process():
            for delay in (1, 0, 2):
                log(env.peek())
                yield env.timeout(delay)
                log(env.peek())
                env.timeout(0.5)
                log(env.peek())
                env.event().succeed()
                log(env.peek())

        env.process(process())
        env.timeout(1.25).callbacks.append(lambda _: log(env.peek()))
        env.timeout(9).callbacks.append(lambda _: log(env.peek()))

    expected = trace(plain, start)
    assert expected[-1] == (9, inf)
    for drive in (by_run, by_step):
        assert trace(clock, start, drive) == expected


def test_stepping_on_from_within_an_event():
    """A callback that does the next things itself, as a model that looks ahead may."""
    env = Clock()
    log = Trace(env)
    for moment in (1.5, 2.5, 3.5):
        env.call_at(moment, log, "call")
    env.feed([([1.25, 3.25], ["arrival", "arrival"])], log)

    def ahead(_):
        log("first")
        while env.peek() < 4:
            env.step()
        log("ahead")

    env.timeout(1).callbacks.append(ahead)
    for moment in (2, 3, 4):
        env.timeout(moment).callbacks.append(lambda _: log("event"))
    env.run()
    within = [
        (1.25, "arrival"),
        (1.5, "call"),
        (2, "event"),
        (2.5, "call"),
        (3, "event"),
        (3.25, "arrival"),
        (3.5, "call"),
    ]
    assert log == [(1, "first"), *within, (3.5, "ahead"), (4, "event")]


def test_a_process_sees_true_state_between_fed_arrivals_and_timed_calls():
    """A SimPy process that looks every second at a counter that the fast lane keeps."""
    env, seen, count = Clock(), [], [0]

    def up(_):
        count[0] += 1

    env.feed([([0.5 * number for number in range(20)], range(20))], up)
    for number in range(10):
        env.call_at(float(number), up)

    def look():
        while True:
            seen.append(count[0])
            yield env.timeout(1)

    env.process(look())
    env.run(until=10)
    # at a whole second its own call and arrival have run: 1 call and 2 arrivals a second, the second arrival later
    assert seen == [3 * second + 2 for second in range(10)]


def test_events_belong_to_simpy():
    env = Clock()
    assert isinstance(env.timeout(1), Timeout)
    assert env.event()._value is PENDING
    assert env.active_process is None
