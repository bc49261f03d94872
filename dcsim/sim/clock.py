"""The clock: SimPy's environment with a fast lane for what happens once per job.

Beside SimPy's own queue stand two cheap sources: `call_at`, a heap of plain tuples, and `feed`, sorted moments read
from blocks and never pushed on a heap. Whichever of the three is earliest runs next, and `now` is exact for all of
them, so any SimPy process sees true state at every moment.

At one instant the order is: timed calls, fed arrivals, SimPy events, then the passes that `at_end_of_instant` asked
for; ties by order of scheduling. `run(until=t)` executes only what is strictly before t, as SimPy does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import count, islice
from math import inf
from operator import le
from typing import Any

import simpy
from simpy.core import EmptySchedule, SimTime, StopSimulation
from simpy.events import NORMAL, Event, EventPriority

_REBUILD = 64  # dead entries below which the heap is left alone

#: Moment [s], number in order of scheduling, what to call, and with what.
TimedCall = tuple[float, int, Callable[[Any], object], Any]

#: Sorted moments [s] and what to pass at each of them, of equal length.
Block = tuple[Sequence[float], Sequence[Any]]


class _Feed:
    """One sorted source: what is next, the rest of the block being read, and whom to call."""

    __slots__ = ("blocks", "call", "item", "last_s", "order", "rest")

    def __init__(self, blocks: Iterator[Block], call: Callable[[Any], object], order: int, start_s: float):
        self.blocks = blocks
        self.call = call
        self.order = order
        self.item: Any = None  # of the next moment, which the clock knows
        self.rest: Iterator[tuple[float, Any]] = iter(())  # of the block, behind that moment
        self.last_s = start_s

    def load(self) -> float:
        """Go to the next block that is not empty; return its first moment, infinity at the end.

        Until it is there the feed stands where it stood: an error in the blocks loses nothing.
        """
        for times, items in self.blocks:
            if len(times) != len(items):
                raise ValueError(f"a block of a feed has {len(times)} moments and {len(items)} items")
            if len(times):
                if not times[0] >= self.last_s or not all(map(le, times, islice(times, 1, None))):
                    raise ValueError(f"the moments of a feed must be sorted and not lie before {self.last_s!r} s")
                self.rest, self.last_s = zip(times, items, strict=True), times[-1]
                time_s, self.item = next(self.rest)
                return time_s
        return inf


class Clock(simpy.Environment):
    """SimPy environment with timed calls and feeds; a drop-in for `simpy.Environment`."""

    def __init__(self, initial_time: SimTime = 0) -> None:
        super().__init__(initial_time)
        self._calls: list[TimedCall] = []
        self._call_ids = count()
        self._dead: set[int] = set()
        self._no_feed = _Feed(iter(()), print, -1, 0.0)
        self._feed = self._no_feed  # whose next moment is the earliest
        self._arrival_s = inf  # that moment
        self._others: list[tuple[float, int, _Feed]] = []  # heap of the other feeds
        self._other_s = inf
        self._feed_ids = count()
        self._event_s = inf  # moment of SimPy's next event, right whenever the loop looks
        self._bound_s = -inf  # before it timed calls and arrivals need no look at events, passes and the end of the run
        self._passes: dict[Callable[[], object], None] = {}
        self._halted = False

    # ------------------------------------------------------------ scheduling

    def schedule(self, event: Event, priority: EventPriority = NORMAL, delay: SimTime = 0) -> None:
        """SimPy's own, which every event passes: keeps the moment of the next one at hand for the loop."""
        super().schedule(event, priority, delay)
        self._event_s = event_s = self._queue[0][0]
        if event_s < self._bound_s:  # noqa: PLR1730  (`min` is a call, and every event passes here)
            self._bound_s = event_s

    def call_at(self, time_s: float, call: Callable[[Any], object], argument: Any = None) -> int:
        """Call `call(argument)` at `time_s` [s]; return a token for `cancel`. A moment in the past is a ValueError."""
        if not time_s >= self._now:
            raise ValueError(f"call_at({time_s!r}) must not be before the current simulation time ({self._now!r})")
        token = next(self._call_ids)
        heappush(self._calls, (time_s, token, call, argument))
        return token

    @property
    def timed_calls(self) -> tuple[list[TimedCall], count[int]]:
        """The heap behind `call_at` and its counter, to push (time_s, next(counter), call, argument) on directly.

        For the dispatcher, which has no call to spare per job; the moment must not lie in the past.
        """
        return self._calls, self._call_ids

    def cancel(self, token: int) -> None:
        """Forget a timed call that has not run yet. The dead entry is skipped; mostly dead heaps are rebuilt."""
        self._dead.add(token)
        if len(self._dead) > _REBUILD and 2 * len(self._dead) > len(self._calls):
            self._calls[:] = [entry for entry in self._calls if entry[1] not in self._dead]
            heapify(self._calls)
            self._dead.clear()

    def feed(self, blocks: Iterable[Block], call: Callable[[Any], object]) -> None:
        """Call `call(item)` at each moment of `blocks` of (moments [s], items). A block is asked for when it is needed.

        Moments must not decrease and not lie in the past (ValueError when the block is read).
        """
        feed = _Feed(iter(blocks), call, next(self._feed_ids), self._now)
        self._enter(feed, feed.load())

    def at_end_of_instant(self, call: Callable[[], object]) -> None:
        """Call `call()` once when nothing else is left to do at the present instant (the dispatch pass).

        Several are called in the order in which they were asked for, each after all that the one before it has
        brought about at this instant.
        """
        self._passes[call] = None
        self._bound_s = -inf

    def halt(self) -> None:
        """Make `run` return before its next event. Safe in a signal handler; a later `run` goes on."""
        self._halted = True

    def _enter(self, feed: _Feed, time_s: float) -> None:
        """Put a feed whose next moment is `time_s` among the feeds; infinity drops it."""
        if time_s < inf:
            heappush(self._others, (time_s, feed.order, feed))
        if self._feed is not self._no_feed:
            heappush(self._others, (self._arrival_s, self._feed.order, self._feed))
        self._arrival_s, _, self._feed = heappop(self._others) if self._others else (inf, -1, self._no_feed)
        self._other_s = self._others[0][0] if self._others else inf

    # ------------------------------------------------------------ running

    def peek(self) -> float:
        """Moment of the next thing to do, over all sources; infinity when there is none."""
        if self._passes:
            return self._now
        self._drop_dead()
        return min(self._calls[0][0] if self._calls else inf, self._arrival_s, super().peek())

    def _drop_dead(self) -> None:
        while self._dead and self._calls and self._calls[0][1] in self._dead:
            self._dead.discard(heappop(self._calls)[1])

    def step(self) -> None:
        """Do the next single thing. EmptySchedule when nothing is left in any source."""
        self._drop_dead()
        call_s = self._calls[0][0] if self._calls else inf
        earliest = min(call_s, self._arrival_s, super().peek())
        if self._passes and earliest > self._now:
            self._pass()
        elif earliest == inf:
            raise EmptySchedule
        elif call_s == earliest:
            self._now, _, call, argument = heappop(self._calls)
            call(argument)
        elif self._arrival_s == earliest:
            self._arrive()
        else:
            self._event()

    def _event(self) -> None:
        """Run SimPy's next event. The one after it is found first: callbacks may look, an exception may come."""
        queue = self._queue
        if len(queue) > 2:  # one of the root's two children is next
            left_s, right_s = queue[1][0], queue[2][0]
            self._event_s = left_s if left_s < right_s else right_s
        else:
            self._event_s = queue[1][0] if len(queue) == 2 else inf
        super().step()

    def _arrive(self) -> None:
        """Run the earliest fed moment. The feed steps past it first, so that an exception loses nothing."""
        feed = self._feed
        item = feed.item
        self._now = self._arrival_s
        for time_s, feed.item in feed.rest:  # noqa: B007, B020  (one step, without a call)
            break
        else:
            time_s = feed.load()
        if time_s < self._other_s:
            self._arrival_s = time_s
        else:
            self._switch(feed, time_s)
        feed.call(item)

    def _switch(self, feed: _Feed, time_s: float) -> None:
        """The feed has ended, or another is at least as early as its next moment: ties go to the older feed."""
        self._feed = self._no_feed
        self._enter(feed, time_s)

    def _pass(self) -> None:
        call = next(iter(self._passes))
        del self._passes[call]
        call()

    def run(self, until: SimTime | Event | None = None) -> Any:
        """Run to the moment `until` (nothing at or after it), to the event `until` (returns its value), or to the end.

        As `simpy.Environment.run`: ValueError for a moment that is not in the future, RuntimeError when `until` is an
        event that never came. Resumable after a return or an exception.
        """
        stop_s: SimTime = inf
        event: Event | None = None
        if isinstance(until, Event):
            if until.callbacks is None:
                return until.value
            event = until
            until.callbacks.append(StopSimulation.callback)
        elif until is not None:
            stop_s = until if isinstance(until, int) else float(until)
            if not stop_s > self._now:
                raise ValueError(f"until ({stop_s}) must be greater than the current simulation time")
        # not `vars(self)`: once its dict has been asked for, an object's attributes are slower for good
        replaced = getattr(self.step, "__func__", None) is not Clock.step
        try:
            (self._steps if replaced else self._loop)(stop_s)
        except StopSimulation as stop:
            return stop.args[0]
        except EmptySchedule:
            if event is not None:
                raise RuntimeError(f'No scheduled events left but "until" event was not triggered: {event}') from None
        finally:
            halted, self._halted = self._halted, False
            self._bound_s = -inf  # another run, even one that this one was part of, ends elsewhere
            if event is not None and event.callbacks and StopSimulation.callback in event.callbacks:
                event.callbacks.remove(StopSimulation.callback)  # or it would end a later run
        if stop_s < inf and not halted:
            self._now = stop_s
        return None

    def _steps(self, stop_s: float) -> None:
        """`_loop` where `step` has been replaced, as SimPy's guide to monitoring does to trace events."""
        while not self._halted and (stop_s == inf or self.peek() < stop_s):
            self.step()

    def _loop(self, stop_s: float) -> None:  # noqa: PLR0912  (unrolled for speed)
        """`step` until `stop_s`, unrolled: at a million jobs per run every attribute and call that is saved shows."""
        calls, dead, passes = self._calls, self._dead, self._passes
        while True:  # with a condition here CPython 3.11 would not take the loop for one that runs often
            if self._halted:
                return
            time_s = calls[0][0] if calls else inf
            arrival_s = self._arrival_s
            if time_s <= arrival_s and time_s < self._bound_s:
                time_s, token, call, argument = heappop(calls)
                if dead and token in dead:
                    dead.discard(token)
                else:
                    self._now = time_s
                    call(argument)
            elif arrival_s < time_s and arrival_s < self._bound_s:  # `_arrive`, written out
                feed = self._feed
                call, item = feed.call, feed.item
                self._now = arrival_s
                for time_s, feed.item in feed.rest:  # noqa: B007, B020  (one step, without a call)
                    break
                else:
                    time_s = feed.load()
                if time_s < self._other_s:
                    self._arrival_s = time_s
                else:
                    self._switch(feed, time_s)
                call(item)
            else:
                event_s, now = self._event_s, self._now
                if event_s < time_s and event_s < arrival_s and event_s < stop_s and not (passes and event_s > now):
                    self._event()
                elif passes and event_s > now and time_s > now and arrival_s > now:
                    self._pass()
                elif stop_s < inf and self.peek() >= stop_s:
                    return
                else:
                    Clock.step(self)
                event_s = self._event_s
                self._bound_s = -inf if passes else event_s if event_s < stop_s else stop_s
