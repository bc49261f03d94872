"""Layers, their checks and their synapse counts, against synapses counted one by one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.chip.network import Layer, NetworkError, SpikingNetwork, fan_in, synapse_count
from dcsim.errors import PlacementError


def synapses_one_by_one(before: Layer, layer: Layer) -> dict[tuple[int, int], int]:
    """(source, target) -> synapses, by walking over every kernel tap of every output neuron."""
    found: dict[tuple[int, int], int] = {}
    per_in, per_out = before.channels // layer.groups, layer.channels // layer.groups
    for target in range(layer.neurons):
        channel, place = divmod(target, layer.plane)
        row, column = divmod(place, layer.width)
        for into in range(channel // per_out * per_in, (channel // per_out + 1) * per_in):
            for tap in range(layer.kernel**2):
                y = row * layer.stride - layer.padding + tap // layer.kernel
                x = column * layer.stride - layer.padding + tap % layer.kernel
                if 0 <= y < before.height and 0 <= x < before.width:
                    source = (into * before.height + y) * before.width + x
                    found[source, target] = found.get((source, target), 0) + 1
    return found


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Layer, Layer]:
    height, width, kernel = (draw(st.integers(1, n)) for n in (6, 6, 4))
    stride, padding = draw(st.integers(1, 3)), draw(st.integers(0, kernel - 1))
    groups = draw(st.sampled_from([1, 2, 3]))
    inputs, outputs = (groups * draw(st.integers(1, 2)) for _ in range(2))
    rows, columns = ((n + 2 * padding - kernel) // stride + 1 for n in (height, width))
    if min(rows, columns) < 1:
        return Layer(2, 3, 3), Layer(4, 1, 1, 3)
    return Layer(inputs, height, width), Layer(outputs, rows, columns, kernel, stride, padding, groups)


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_convolutions_have_exactly_the_synapses_that_a_walk_over_their_kernels_finds(pair):
    before, layer = pair
    found = synapses_one_by_one(before, layer)
    into = [sum(n for (_, target), n in found.items() if target == neuron) for neuron in range(layer.neurons)]
    assert synapse_count(before, layer) == sum(found.values())
    assert fan_in(before, layer) == max(into)


def test_dense_layers_connect_all_to_all():
    network = SpikingNetwork.layered([390, 256, 256, 29], steps=10, rates=[0.2, 0.1, 0.1, 0.05])
    assert network.neurons == 541
    assert network.synapses == 390 * 256 + 256 * 256 + 256 * 29 == 172_800
    assert network.rate_table().shape == (10, 4)
    assert network.rate_table()[9].tolist() == [0.2, 0.1, 0.1, 0.05]


def test_pooling_is_a_convolution_with_one_group_per_channel():
    network = SpikingNetwork.layered([[2, 8, 8, 0, 0, 0, 0], [2, 4, 4, 2, 2, 0, 2], 10])
    assert network.synapses == 2 * 64 + 32 * 10


def test_rates_may_change_from_step_to_step():
    network = SpikingNetwork.layered([4, 2], steps=3, rates=[[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    assert network.rate_table()[:, 1].tolist() == [0.2, 0.4, 0.6]


def test_a_model_without_a_spiking_form_is_refused_by_name(entry, model):
    assert SpikingNetwork.of(model([390, 10], [0.1, 0.1], 5)).synapses == 3900
    with pytest.raises(PlacementError, match=r"resnet: no spiking form \(the catalog has no snn_rates, snn_steps\)"):
        SpikingNetwork.of(entry("model", "resnet", snn_layers=[1.0, 2.0]))


CONVOLUTION = [4, 6, 6, 3, 1, 0, 1]


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        ([5], {}, "found 1 layers, want 2 to"),
        ([5, 0], {}, "layer 1: found channels 0, want a whole number from 1"),
        ([5, -3], {}, "layer 1: found channels -3"),
        ([5, 2.5], {}, "layer 1: found channels 2.5"),
        ([5, math.nan], {}, "layer 1: found channels nan"),
        ([5, ["many"]], {}, "layer 1: found channels 'many'"),
        ([5, [4, 6, 6]], {}, "layer 1: found 3 numbers, want 1 or 7: channels, height"),
        ([5, [2**16, 2**16, 1, 0, 0, 0, 0]], {}, "layer 1: found 4294967296 neurons, want at most"),
        (
            [[1, 2**12, 2**12, 0, 0, 0, 0], [1, 2**12, 2**12, 1, 1, 0, 1]],
            {},
            "16777216 positions to convolve",
        ),
        ([[2, 9, 9, 0, 0, 0, 0], CONVOLUTION], {}, "layer 1: found 6 x 6, but kernel 3, .* give 7 x 7"),
        ([[2, 8, 8, 0, 0, 0, 0], [4, 6, 6, 3, 0, 0, 1]], {}, "found stride 0"),
        ([[2, 8, 8, 0, 0, 0, 0], [4, 6, 6, 3, 1, 3, 1]], {}, "padding below the kernel"),
        (
            [[3, 8, 8, 0, 0, 0, 0], [4, 6, 6, 3, 1, 0, 2]],
            {},
            "found 2 groups, want a divisor of 3 channels in",
        ),
        ([5, 3], {"steps": 0}, "found 0 steps"),
        ([5, 3], {"steps": math.inf}, "found inf steps"),
        ([5, 3], {"steps": 1.5}, "found 1.5 steps"),
        ([5, 3], {"rates": [0.1, 1.2]}, "rates: found 1.2, want spikes per neuron and step from 0 to 1"),
        ([5, 3], {"rates": [0.1, -0.1]}, "rates: found -0.1"),
        ([5, 3], {"rates": math.nan}, "rates: found nan"),
        ([5, 3], {"rates": [0.1, 0.1, 0.1]}, r"rates: found 1 x 3, want one per layer \(2\)"),
        ([5, 3], {"steps": 2, "rates": [[0.1, 0.1], [0.1]]}, "rates: found no table of numbers"),
    ],
)
def test_a_description_that_cannot_be_right_is_refused_in_one_line(layers, options, message):
    with pytest.raises(NetworkError, match=message) as caught:
        SpikingNetwork.layered(layers, name="mine", **options)
    assert str(caught.value).startswith("mine")
    assert "\n" not in str(caught.value)
