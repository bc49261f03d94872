"""Demand inside jobs: pieces that are alike become one, and any choice of jobs keeps its own."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.workload.block import Block
from dcsim.workload.usage import merged

jobs = st.lists(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0.0, 0.5, 1.0])), min_size=1), min_size=1)


def usage_of(rows):
    job = np.repeat(np.arange(len(rows)), [len(pieces) for pieces in rows])
    flat = np.array([piece for pieces in rows for piece in pieces], np.float64)
    return merged(job, 1000.0 * flat[:, 0], {"cores": flat[:, 1]}, len(rows))


def signal(usage, job):
    """Demand of one job second by second."""
    pieces = slice(*usage.bounds[job : job + 2])
    return np.repeat(usage.demand["cores"][pieces], usage.seconds[pieces].astype(int)).tolist()


@given(jobs)
@settings(max_examples=100, deadline=None)
def test_merging_changes_no_moment_and_leaves_no_equal_neighbours(rows):
    usage = usage_of(rows)
    for job, pieces in enumerate(rows):
        assert signal(usage, job) == [demand for seconds, demand in pieces for _ in range(seconds)]
        own = usage.demand["cores"][slice(*usage.bounds[job : job + 2])]
        assert not (own[1:] == own[:-1]).any()
    assert usage.run_s.tolist() == [sum(seconds for seconds, _ in pieces) for pieces in rows]


@given(jobs, st.data())
@settings(max_examples=100, deadline=None)
def test_any_choice_of_jobs_keeps_its_pieces(rows, data):
    usage = usage_of(rows)
    count = len(rows)
    chosen = data.draw(st.lists(st.integers(0, count - 1), max_size=8)) if data.draw(st.booleans()) else None
    index = slice(*sorted(data.draw(st.tuples(st.integers(0, count), st.integers(0, count)))))
    taken = usage.take(index if chosen is None else np.array(chosen, np.intp))
    wanted = list(range(count))[index] if chosen is None else chosen
    assert len(taken) == len(wanted)
    assert [signal(taken, place) for place in range(len(taken))] == [signal(usage, job) for job in wanted]


def test_a_block_takes_its_usage_along():
    usage = usage_of([[(1, 0.5)], [(2, 1.0), (3, 0.0)], [(4, 0.5)]])
    block = Block(np.array([0.0, 1.0, 2.0]), usage=usage)
    pieces = list(block.pieces(2))
    assert [len(piece.usage) for piece in pieces if piece.usage is not None] == [2, 1]
    assert pieces[1].usage is not None
    assert pieces[1].usage.seconds.tolist() == [4.0]
