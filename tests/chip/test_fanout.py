"""Fan-out between slices, against synapses counted one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.chip import fanout
from dcsim.chip.network import Layer, synapse_count


def fanout_one_by_one(before: Layer, layer: Layer, sources: np.ndarray, targets: np.ndarray):
    """Synapses of every neuron into every slice, by walking over every pair of neurons."""
    into = np.zeros((before.neurons, len(targets) - 1))
    for source in range(before.neurons):
        c, y, x = np.unravel_index(source, (before.channels, before.height, before.width))
        for target in range(layer.neurons):
            k, row, column = np.unravel_index(target, (layer.channels, layer.height, layer.width))
            together = c * layer.groups // before.channels == k * layer.groups // layer.channels
            down = 0 <= y + layer.padding - row * layer.stride < layer.kernel
            right = 0 <= x + layer.padding - column * layer.stride < layer.kernel
            into[source, np.searchsorted(targets, target, "right") - 1] += together and down and right
    pieces = [slice(a, b) for a, b in pairwise(sources)]
    return tuple(np.array([table[piece].mean(axis=0) for piece in pieces]) for table in (into, into > 0))


def cut(draw: st.DrawFn, neurons: int) -> np.ndarray:
    inner = draw(st.lists(st.integers(1, max(1, neurons - 1)), max_size=4)) if neurons > 1 else []
    return np.unique([0, *inner, neurons])


@st.composite
def cases(draw: st.DrawFn):
    height, width, kernel = (draw(st.integers(2, n)) for n in (5, 5, 3))
    shape = Layer(1, 1, 1, kernel, draw(st.integers(1, 3)), draw(st.integers(0, kernel - 1)), draw(st.integers(1, 3)))
    if min(height, width) + 2 * shape.padding < kernel:
        shape = replace(shape, padding=1)
    rows, columns = ((n + 2 * shape.padding - kernel) // shape.stride + 1 for n in (height, width))
    before = Layer(shape.groups * draw(st.integers(1, 2)), height, width)
    layer = replace(shape, channels=shape.groups * draw(st.integers(1, 2)), height=rows, width=columns)
    return before, layer, cut(draw, before.neurons), cut(draw, layer.neurons)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_synapses_and_messages_between_slices_are_edge_exact(case):
    before, layer, sources, targets = case
    synapses, messages = fanout_one_by_one(before, layer, sources, targets)
    found = fanout.between(before, layer, sources, targets)
    np.testing.assert_allclose(found.synapses, synapses, atol=1e-12)
    np.testing.assert_allclose(found.messages, messages, atol=1e-12)


def test_blocks_of_target_slices_do_not_change_the_answer(monkeypatch):
    before, layer = Layer(4, 9, 7), Layer(6, 5, 4, 3, 2, 1, 2)
    sources, targets = np.array([0, 50, 170, 252]), np.arange(0, 121, 10)
    whole = fanout.between(before, layer, sources, targets)
    monkeypatch.setattr(fanout, "_BLOCK", 2 * before.plane)
    parts = fanout.between(before, layer, sources, targets)
    np.testing.assert_array_equal(whole.synapses, parts.synapses)
    np.testing.assert_array_equal(whole.messages, parts.messages)


def test_a_dense_spike_reaches_every_core_of_the_next_layer():
    found = fanout.between(Layer(10), Layer(7), np.array([0, 6, 10]), np.array([0, 4, 7]))
    assert found.synapses.tolist() == [[4, 3], [4, 3]]
    assert found.messages.tolist() == [[1, 1], [1, 1]]


def test_a_large_convolution_keeps_all_its_synapses():
    before, layer = Layer(16, 64, 64), Layer(32, 32, 32, 5, 2, 2)
    sources, targets = (
        np.linspace(0, before.neurons, 9, dtype=int),
        np.linspace(0, layer.neurons, 33, dtype=int),
    )
    found = fanout.between(before, layer, sources, targets)
    total = (found.synapses * np.diff(sources)[:, None]).sum()
    assert round(total) == synapse_count(before, layer)
