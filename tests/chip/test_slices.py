"""Distinct neurons on either side of slices, against synapses that were built."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.chip import slices
from dcsim.chip.connections import Connection, Convolution, Dense, Sparse
from dcsim.chip.network import SpikingNetwork


@st.composite
def cut(draw: st.DrawFn, neurons: int) -> np.ndarray:
    return np.unique([0, neurons, *draw(st.lists(st.integers(0, neurons), max_size=6))])


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Convolution, np.ndarray]:
    groups = draw(st.integers(1, 3))
    channels_in, channels_out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 3))
    kernel, stride = (tuple(draw(st.integers(1, 4)) for _ in range(2)) for _ in range(2))
    padding = tuple(draw(st.integers(0, size - 1)) for size in kernel)
    size = tuple(draw(st.integers(max(1, k - 2 * p), 7)) for k, p in zip(kernel, padding, strict=True))
    rows, columns = ((size[n] + 2 * padding[n] - kernel[n]) // stride[n] + 1 for n in (0, 1))
    convolution = Convolution(
        source=0, target=1, shape_in=(channels_in, *size), shape_out=(channels_out, rows, columns), kernel=kernel,
        stride=stride, padding=padding, groups=groups,
    )  # fmt: skip
    return convolution, draw(cut(convolution.targets))


def counted(connection: Connection, bounds: np.ndarray) -> tuple[list[int], list[int]]:
    pattern = connection.onto(slices.part_of(bounds), len(bounds) - 1).toarray() > 0
    return pattern.sum(axis=0).tolist(), pattern.sum(axis=1).tolist()


@settings(max_examples=200, deadline=None)
@given(convolutions())
def test_slices_of_a_convolution_are_counted_as_if_its_synapses_were_built(case):
    into, reached = counted(*case)
    assert slices.sources_into(*case).tolist() == into
    assert slices.slices_reached(*case).tolist() == reached


def test_slices_of_dense_and_listed_synapses():
    bounds = np.array([0, 2, 5])
    dense = Dense(source=0, target=1, sources=3, targets=5)
    listed = SpikingNetwork.from_synapses([0, 0, 0, 3], [1, 1, 4, 0], neurons=5).connections[0]
    assert isinstance(listed, Sparse)
    for connection in (dense, listed):
        into, reached = counted(connection, bounds)
        assert slices.sources_into(connection, bounds).tolist() == into
        assert slices.slices_reached(connection, bounds).tolist() == reached


def test_a_pooled_plane_by_hand():
    # 4 x 4 inputs, 2 x 2 pools: slice 0 is the first pool, slice 1 the other three
    pool = Convolution(source=0, target=1, shape_in=(1, 4, 4), shape_out=(1, 2, 2), kernel=(2, 2), stride=(2, 2))
    assert slices.sources_into(pool, np.array([0, 1, 4])).tolist() == [4, 12]
    assert slices.slices_reached(pool, np.array([0, 1, 4])).tolist() == [1] * 16


@given(st.integers(1, 1000), st.integers(1, 50))
def test_equal_slices_differ_by_one_neuron_at_most(neurons, count):
    count = min(count, neurons)
    sizes = np.diff(slices.equal(neurons, count))
    assert (len(sizes), sizes.sum()) == (count, neurons)
    assert sizes.max() - sizes.min() <= 1
    assert (np.diff(sizes) <= 0).all()
