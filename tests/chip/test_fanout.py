"""Fan-out between slices, against synapses counted one by one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from dcsim.chip import Convolution, Dense, Sparse, fanout


def fanout_one_by_one(convolution: Convolution, sources: np.ndarray, targets: np.ndarray):
    """Synapses of every neuron into every slice, by walking over every pair of neurons."""
    into = np.zeros((convolution.sources, len(targets) - 1))
    of_group = convolution.shape_in[0] // convolution.groups, convolution.shape_out[0] // convolution.groups
    for source in range(convolution.sources):
        c, *place = np.unravel_index(source, convolution.shape_in)
        for target in range(convolution.targets):
            k, *window = np.unravel_index(target, convolution.shape_out)
            seen = [
                0 <= at + padding - start * stride < kernel
                for at, start, padding, stride, kernel in zip(
                    place, window, convolution.padding, convolution.stride, convolution.kernel, strict=True
                )
            ]
            together = c // of_group[0] == k // of_group[1]
            into[source, np.searchsorted(targets, target, "right") - 1] += together and all(seen)
    pieces = [slice(a, b) for a, b in pairwise(sources)]
    return tuple(np.array([table[piece].mean(axis=0) for piece in pieces]) for table in (into, into > 0))


def cut(draw: st.DrawFn, neurons: int) -> np.ndarray:
    inner = draw(st.lists(st.integers(1, max(1, neurons - 1)), max_size=4)) if neurons > 1 else []
    return np.unique([0, *inner, neurons])


@st.composite
def cases(draw: st.DrawFn):
    size, kernel, stride, padding = [], [], [], []
    for _ in range(2):
        kernel.append(draw(st.integers(1, 3)))
        padding.append(draw(st.integers(0, kernel[-1] - 1)))
        stride.append(draw(st.integers(1, 3)))
        size.append(draw(st.integers(max(1, kernel[-1] - 2 * padding[-1]), 5)))
    groups = draw(st.integers(1, 3))
    out = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(size, padding, kernel, stride, strict=True)]
    convolution = Convolution(
        source=0,
        target=1,
        shape_in=(groups * draw(st.integers(1, 2)), *size),
        shape_out=(groups * draw(st.integers(1, 2)), *out),
        kernel=tuple(kernel),
        stride=tuple(stride),
        padding=tuple(padding),
        groups=groups,
    )
    return convolution, cut(draw, convolution.sources), cut(draw, convolution.targets)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_synapses_and_messages_between_slices_are_edge_exact(case):
    convolution, sources, targets = case
    synapses, messages = fanout_one_by_one(convolution, sources, targets)
    found = fanout.between(convolution, sources, targets)
    np.testing.assert_allclose(found.synapses, synapses, atol=1e-12)
    np.testing.assert_allclose(found.messages, messages, atol=1e-12)
    assert convolution.synapses == round((synapses * np.diff(sources)[:, None]).sum())


@settings(max_examples=30, deadline=None)
@given(cases())
def test_the_general_way_over_single_synapses_gives_the_same(case):
    """`averaged` serves explicit synapses and cores of any neurons; slices are a case of these."""
    convolution, sources, targets = case
    group = np.repeat(np.arange(len(sources) - 1), np.diff(sources))
    part = np.repeat(np.arange(len(targets) - 1), np.diff(targets))
    onto = convolution.onto(part, len(targets) - 1)
    found = fanout.averaged(onto, group, len(sources) - 1, np.ones(convolution.sources))
    wanted = fanout.between(convolution, sources, targets)
    np.testing.assert_allclose(found.synapses, wanted.synapses, atol=1e-12)
    np.testing.assert_allclose(found.messages, wanted.messages, atol=1e-12)


def test_blocks_of_target_slices_do_not_change_the_answer(monkeypatch):
    convolution = Convolution(
        source=0, target=1, shape_in=(4, 9, 7), shape_out=(6, 5, 4), kernel=(3, 3), stride=(2, 2), padding=(1, 1),
        groups=2,
    )  # fmt: skip
    sources, targets = np.array([0, 50, 170, 252]), np.arange(0, 121, 10)
    whole = fanout.between(convolution, sources, targets)
    monkeypatch.setattr(fanout, "_BLOCK", 2 * 9 * 7)
    parts = fanout.between(convolution, sources, targets)
    np.testing.assert_array_equal(whole.synapses, parts.synapses)
    np.testing.assert_array_equal(whole.messages, parts.messages)


def test_a_dense_spike_reaches_every_core_of_the_next_layer():
    dense = Dense(source=0, target=1, sources=10, targets=7)
    found = fanout.between(dense, np.array([0, 6, 10]), np.array([0, 4, 7]))
    assert found.synapses.tolist() == [[4, 3], [4, 3]]
    assert found.messages.tolist() == [[1, 1], [1, 1]]


def test_neurons_weigh_by_their_rates_and_alike_where_a_group_has_none():
    """Neurons 0, 1 and 2 have 1, 3 and 2 synapses into part 0; neuron 3 has one into part 1."""
    ends = ([0, 1, 1, 1, 2, 2, 3], [0, 0, 1, 2, 0, 1, 3])
    connection = Sparse(source=0, target=1, matrix=sparse.csr_array((np.ones(7), ends), shape=(4, 4)))
    onto = connection.onto(np.array([0, 0, 0, 1]), 2)
    assert onto.toarray().tolist() == [[1, 0], [3, 0], [2, 0], [0, 1]]
    group = np.array([0, 0, 1, 1])
    found = fanout.averaged(onto, group, 2, np.array([3.0, 1.0, 0.0, 0.0]))
    assert found.synapses.tolist() == [[1.5, 0], [1, 0.5]]
    assert found.messages.tolist() == [[1, 0], [0.5, 0.5]]
