"""Connections against synapses that are walked over one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from dcsim.chip.connections import Connection, Convolution, Dense, Sparse


def check(connection: Connection, counts: np.ndarray, weights: np.ndarray, seed: int) -> None:
    """Every answer of a connection from tables of synapses and weights, (sources, targets)."""
    generator = np.random.default_rng(seed)
    assert connection.synapses == counts.sum()
    assert connection.fan_in().tolist() == counts.sum(axis=0).tolist()
    assert connection.fan_out().tolist() == counts.sum(axis=1).tolist()
    part = generator.integers(0, 3, counts.shape[1])
    onto = connection.onto(part, 4)
    assert onto.shape == (counts.shape[0], 4)
    wanted = np.stack([counts[:, part == number].sum(axis=1) for number in range(4)], axis=1)
    np.testing.assert_array_equal(onto.toarray(), wanted)
    np.testing.assert_allclose(connection.unrolled().toarray(), weights, atol=1e-12)
    for density in (0.02, 0.9):
        spikes = generator.random((3, counts.shape[0])) < density
        values = spikes * generator.normal(size=spikes.shape)
        np.testing.assert_allclose(connection.current(values), values @ weights, atol=1e-9)
        np.testing.assert_array_equal(connection.reached(spikes), spikes.astype(int) @ counts > 0)


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    size, kernel, stride, padding = (
        (draw(st.integers(low, high)), draw(st.integers(low, high))) for low, high in ((1, 6), (1, 4), (1, 3), (0, 4))
    )
    groups = draw(st.integers(1, 3))
    inputs, outputs = (groups * draw(st.integers(1, 2)) for _ in range(2))
    most = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(size, padding, kernel, stride, strict=True)]
    if min(most) < 1:
        kernel, most = (1, 1), [(n + 2 * p - 1) // s + 1 for n, p, s in zip(size, padding, stride, strict=True)]
    rows, columns = (draw(st.integers(1, n)) for n in most)
    weights = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(outputs, inputs // groups, *kernel))
    return Convolution(
        source=0, target=1, shape_in=(inputs, *size), shape_out=(outputs, rows, columns), kernel=kernel, stride=stride,
        padding=padding, groups=groups, weights=weights,
    )  # fmt: skip


def walked(convolution: Convolution) -> tuple[np.ndarray, np.ndarray]:
    """Synapses and weights by walking over every kernel tap of every output neuron."""
    weights = convolution.weights
    assert weights is not None
    (_, height, width), out = convolution.shape_in, convolution.shape_out
    counts = np.zeros((convolution.sources, convolution.targets), dtype=int)
    summed = np.zeros(counts.shape)
    for target, (channel, row, column) in enumerate(np.ndindex(*out)):
        for local, tap_row, tap_column in np.ndindex(*weights.shape[1:]):
            into = channel // (out[0] // convolution.groups) * weights.shape[1] + local
            y = row * convolution.stride[0] - convolution.padding[0] + tap_row
            x = column * convolution.stride[1] - convolution.padding[1] + tap_column
            if 0 <= y < height and 0 <= x < width:
                source = (into * height + y) * width + x
                counts[source, target] += 1
                summed[source, target] += weights[channel, local, tap_row, tap_column]
    return counts, summed


@settings(max_examples=80, deadline=None)
@given(convolutions())
def test_a_convolution_is_what_a_walk_over_its_taps_finds(convolution):
    assert convolution.storage == "conv"
    check(convolution, *walked(convolution), seed=1)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_a_dense_connection_has_one_synapse_for_each_pair(sources, targets, seed):
    weights = np.random.default_rng(seed).normal(size=(targets, sources))
    dense = Dense(source=0, target=1, sources=sources, targets=targets, weights=weights)
    assert dense.storage == "dense"
    check(dense, np.ones((sources, targets), dtype=int), weights.T, seed)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 60), st.integers(0, 99))
def test_a_sparse_connection_has_the_synapses_that_were_listed(sources, targets, synapses, seed):
    generator = np.random.default_rng(seed)
    pre, post = generator.integers(0, sources, synapses), generator.integers(0, targets, synapses)
    weights = generator.integers(-2, 3, synapses).astype(float)
    counts, summed = np.zeros((sources, targets), dtype=int), np.zeros((sources, targets))
    np.add.at(counts, (pre, post), 1)
    np.add.at(summed, (pre, post), weights)
    shape = (sources, targets)
    connection = Sparse(
        source=0, target=1, stored="dense",
        matrix=sparse.csr_array(sparse.coo_array((weights, (pre, post)), shape=shape)),
        multiplicity=sparse.csr_array(sparse.coo_array((np.ones(synapses, int), (pre, post)), shape=shape)),
    )  # fmt: skip
    assert connection.storage == "dense"
    check(connection, counts, summed, seed)


def test_counting_leaves_a_matrix_whose_entries_are_not_in_order_as_it_is():
    matrix = sparse.csr_array((np.array([1.0, 2.0, 3.0]), np.array([2, 0, 1]), np.array([0, 2, 3])), shape=(2, 3))
    before = matrix.toarray()
    connection = Sparse(source=0, target=1, matrix=matrix)
    assert connection.fan_in().tolist() == [1, 1, 1]
    np.testing.assert_array_equal(connection.unrolled().toarray(), before)


def test_weights_that_cancel_still_reach_the_neuron():
    matrix = sparse.csr_array(np.array([[2.0, 0.0], [-2.0, 0.0], [1.0, 1.0]]))
    connection = Sparse(source=0, target=1, matrix=matrix)
    spikes = np.array([[True, True, False]])
    assert connection.current(spikes.astype(float)).tolist() == [[0.0, 0.0]]
    assert connection.reached(spikes).tolist() == [[True, False]]


def test_a_kernel_of_a_large_plane_is_counted_without_its_synapses():
    convolution = Convolution(
        source=0, target=1, shape_in=(64, 2048, 2048), shape_out=(64, 2048, 2048), kernel=(3, 3), padding=(1, 1)
    )
    assert convolution.synapses == 64 * 64 * (3 * 2048 - 2) ** 2
    assert not convolution.weighted
    assert not Dense(source=0, target=1, sources=2, targets=2).weighted


@pytest.mark.parametrize("stored", ["dense", "sparse", "conv"])
def test_how_listed_synapses_are_stored_is_a_choice(stored):
    assert Sparse(source=0, target=0, matrix=sparse.csr_array((2, 2)), stored=stored).storage == stored
