"""Feeds: sorted moments read from blocks, block by block, several at once."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from dcsim.sim.clock import Clock

WHO = ["call", "arrival", "event", "process"]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log():
    return []


def noting(clock, log):
    return lambda item: log.append((clock.now, item))


def test_blocks_follow_each_other_and_empty_ones_are_passed_over(clock, log):
    blocks = [([], []), ([1.0, 2.0], "ab"), ([], []), ([], []), ([2.0, 5.5], "cd"), ([], [])]
    clock.feed(blocks, noting(clock, log))
    clock.run()
    assert log == [(1.0, "a"), (2.0, "b"), (2.0, "c"), (5.5, "d")]
    assert clock.peek() == math.inf


@pytest.mark.parametrize("blocks", [[], [([], [])], [([], []), ([], [])]])
def test_feed_without_moments_is_no_feed(clock, log, blocks):
    clock.feed(blocks, noting(clock, log))
    assert clock.peek() == math.inf
    clock.call_at(1.0, noting(clock, log), "call")
    clock.run()
    assert log == [(1.0, "call")]


def test_feeds_are_merged_and_ties_go_to_the_older(clock, log):
    clock.feed([([1.0, 3.0, 3.0], ["a1", "a3", "a3'"]), ([3.0, 7.0], ["a3''", "a7"])], noting(clock, log))
    clock.feed([([3.0, 7.0], ["b3", "b7"])], noting(clock, log))
    clock.feed([([0.5, 1.0, 3.0, 8.0], ["c0", "c1", "c3", "c8"])], noting(clock, log))
    clock.run()
    assert [item for _, item in log] == ["c0", "a1", "c1", "a3", "a3'", "a3''", "b3", "c3", "a7", "b7", "c8"]
    assert [moment for moment, _ in log] == sorted(moment for moment, _ in log)


def test_many_feeds_against_a_sort(clock, log):
    random = np.random.default_rng(5)
    expected = []
    for feed in range(20):
        moments = sorted(random.integers(0, 30, 40).tolist())
        cut = sorted(random.integers(0, 41, 3).tolist())
        items = [(feed, number) for number in range(40)]
        edges = [0, *cut, 40]
        blocks = [(moments[a:b], items[a:b]) for a, b in pairwise(edges)]
        clock.feed(blocks, noting(clock, log))
        expected += [(moment, item) for moment, item in zip(moments, items, strict=True)]
    clock.run()
    assert log == sorted(expected, key=lambda entry: (entry[0], entry[1]))


def test_block_is_asked_for_when_it_is_needed(clock, log):
    asked = []

    def blocks():
        for number in range(4):
            asked.append((clock.now, number))
            yield [10.0 * number, 10.0 * number + 5.0], [number, number]

    clock.feed(blocks(), noting(clock, log))
    assert asked == [(0, 0)]
    clock.run(until=20.0)
    assert asked == [(0, 0), (5.0, 1), (15.0, 2)]
    clock.run()
    assert asked[-1] == (25.0, 3)
    assert len(log) == 8


def test_items_may_be_any_sequence(clock, log):
    clock.feed([([1.0, 2.0, 3.0], range(7, 10))], noting(clock, log))
    clock.run()
    assert log == [(1.0, 7), (2.0, 8), (3.0, 9)]


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    "times",
    [
        [3.0, 2.0],
        [1.0, 5.0, 4.999],
        [-0.5],
        [math.nan],
        [math.nan, 1.0],
        [1.0, math.nan],
        [1.0, math.nan, 2.0],
        [-math.inf],
    ],
)
def test_unsorted_past_or_nan_moments_are_refused_at_once(clock, log, times):
    with pytest.raises(ValueError, match="must be sorted and not lie before 0"):
        clock.feed([(times, times)], noting(clock, log))
    clock.run()
    assert log == []


def test_moments_before_now_are_refused_during_a_run(clock, log):
    clock.run(until=5)
    with pytest.raises(ValueError, match="not lie before 5"):
        clock.feed([([4.0, 6.0], "ab")], noting(clock, log))
    clock.feed([([5.0], "c")], noting(clock, log))
    clock.run()
    assert log == [(5.0, "c")]


@pytest.mark.parametrize("block", [([1.0], []), ([], ["a"]), ([1.0, 2.0], ["a"]), ([1.0], ["a", "b"])])
def test_moments_and_items_must_be_as_many(clock, block):
    with pytest.raises(ValueError, match=r"has \d moments and \d items"):
        clock.feed([block], print)


@pytest.mark.parametrize("second", [[1.9], [math.nan], [4.0, 3.0]])
def test_later_block_out_of_order_is_refused_when_read_and_loses_nothing(clock, log, second):
    clock.feed([([1.0, 2.0], "ab"), (second, range(len(second))), ([9.0], "z")], noting(clock, log))
    with pytest.raises(ValueError, match="not lie before 2"):
        clock.run()
    clock.run()
    assert log == [(1.0, "a"), (2.0, "b"), (9.0, "z")]


def test_error_in_the_blocks_loses_no_moment_and_repeats_none(clock, log):
    def blocks():
        yield [1.0, 2.0], "ab"
        raise OSError("disk")

    clock.feed(blocks(), noting(clock, log))
    clock.feed([([2.0, 3.0], "xy")], noting(clock, log))
    with pytest.raises(OSError, match="disk"):
        clock.run()
    assert log == [(1.0, "a")]
    assert clock.peek() == 2.0
    clock.run()
    assert log == [(1.0, "a"), (2.0, "b"), (2.0, "x"), (3.0, "y")]


# ---------------------------------------------------------------- feeds that begin during a run


def test_feed_added_by_a_call_an_arrival_an_event_and_a_process(clock, log):
    note = noting(clock, log)

    def add(name):
        note(name)
        clock.feed([([clock.now, clock.now + 10.0], [f"{name} now", f"{name} +10"])], note)

    def process():
        yield clock.timeout(4.0)
        add("process")

    clock.call_at(1.0, add, "call")
    clock.feed([([2.0, 20.0], ["arrival", "old"])], lambda item: add(item) if item == "arrival" else note(item))
    clock.timeout(3.0).callbacks.append(lambda _: add("event"))
    clock.process(process())
    clock.run()
    began = [(float(at), name) for at, who in enumerate(WHO, 1) for name in (who, f"{who} now")]
    ended = [(10.0 + at, f"{who} +10") for at, who in enumerate(WHO, 1)]
    assert log == began + ended + [(20.0, "old")]


def test_feed_added_while_another_reads_its_next_block(clock, log):
    """The blocks of a feed may themselves begin a feed, an event or a call."""
    note = noting(clock, log)

    def blocks():
        yield [1.0], ["outer 1"]
        clock.feed([([1.0, 2.5], ["inner 1", "inner 2"])], note)
        clock.event().succeed().callbacks.append(lambda _: note("event"))
        clock.call_at(1.0, note, "call")
        yield [2.0, 3.0], ["outer 2", "outer 3"]

    clock.feed(blocks(), note)
    clock.feed([([1.0, 4.0], ["other 1", "other 4"])], note)
    clock.run()
    assert [item for _, item in log] == [
        *("outer 1", "call", "other 1", "inner 1", "event"),
        *("outer 2", "inner 2", "outer 3", "other 4"),
    ]


def test_feed_that_is_replaced_at_its_end_goes_on_for_ever(clock, log):
    """A chain of feeds, each begun by the last moment of the one before."""

    def go(item):
        log.append(clock.now)
        if item == "last" and clock.now < 50.0:
            clock.feed([([clock.now + 1.0, clock.now + 2.0], ["", "last"])], go)

    clock.feed([([1.0], ["last"])], go)
    clock.run()
    assert log == [float(moment) for moment in range(1, 52)]
