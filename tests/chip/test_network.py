"""Layers, their checks and their synapse counts, against synapses counted one by one."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.chip.connections import Convolution, Dense, Sparse
from dcsim.chip.given import MOST_NEURONS, MOST_SYNAPSES, NetworkError
from dcsim.chip.network import Layer, SpikingNetwork
from dcsim.chip.neurons import Neurons
from dcsim.errors import PlacementError


def synapses_one_by_one(before: list[int], row: list[int]) -> dict[tuple[int, int], int]:
    """(source, target) -> synapses, by walking over every kernel tap of every output neuron."""
    channels_in, height_in, width_in = before[:3]
    channels, height, width, kernel, stride, padding, groups = row
    found: dict[tuple[int, int], int] = {}
    per_in, per_out = channels_in // groups, channels // groups
    for target in range(channels * height * width):
        channel, place = divmod(target, height * width)
        line, column = divmod(place, width)
        for into in range(channel // per_out * per_in, (channel // per_out + 1) * per_in):
            for tap in range(kernel**2):
                y = line * stride - padding + tap // kernel
                x = column * stride - padding + tap % kernel
                if 0 <= y < height_in and 0 <= x < width_in:
                    source = (into * height_in + y) * width_in + x
                    found[source, target] = found.get((source, target), 0) + 1
    return found


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    height, width, kernel = (draw(st.integers(1, n)) for n in (6, 6, 4))
    stride, padding = draw(st.integers(1, 3)), draw(st.integers(0, kernel - 1))
    groups = draw(st.sampled_from([1, 2, 3]))
    inputs, outputs = (groups * draw(st.integers(1, 2)) for _ in range(2))
    rows, columns = ((n + 2 * padding - kernel) // stride + 1 for n in (height, width))
    if min(rows, columns) < 1:
        return [2, 3, 3], [4, 1, 1, 3, 1, 0, 1]
    return [inputs, height, width], [outputs, rows, columns, kernel, stride, padding, groups]


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_convolutions_have_exactly_the_synapses_that_a_walk_over_their_kernels_finds(pair):
    before, row = pair
    found = synapses_one_by_one(before, row)
    network = SpikingNetwork.layered([before, row])
    (connection,) = network.connections
    into = [sum(n for (_, target), n in found.items() if target == neuron) for neuron in range(math.prod(row[:3]))]
    assert network.synapses == sum(found.values())
    assert connection.fan_in().tolist() == into


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
        ([5], {}, "found 1 layers, want at least 2, input included"),
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


# ---------------------------------------------------------------- explicit synapses


def test_explicit_synapses_are_the_ones_that_were_listed():
    network = SpikingNetwork.from_synapses([0, 0, 2, 2], [1, 2, 0, 0], weights=[1.0, -2.0, 0.5, 0.25], inputs=[0])
    (connection,) = network.connections
    assert (network.size, network.neurons, network.synapses) == (3, 2, 4)
    assert connection.fan_in().tolist() == [2, 1, 1]
    assert connection.fan_out().tolist() == [2, 0, 2]
    assert connection.unrolled().toarray().tolist() == [[0, 1, -2], [0, 0, 0], [0.75, 0, 0]]
    assert network.is_free.tolist() == [True, False, False]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40))
def test_the_order_in_which_synapses_are_listed_does_not_matter(pairs):
    pre, post = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    network = SpikingNetwork.from_synapses(pre, post, neurons=7)
    counts = np.zeros((7, 7), dtype=int)
    np.add.at(counts, (pre, post), 1)
    assert network.connections[0].onto(np.arange(7), 7).toarray().tolist() == counts.tolist()
    assert network.digest == SpikingNetwork.from_synapses(pre[::-1], post[::-1], neurons=7).digest


class Endless:
    """A list that says how long it is and breaks when it is read."""

    def __len__(self) -> int:
        return 10**9

    def __getitem__(self, index: int) -> int:
        raise AssertionError("read")


@pytest.mark.parametrize(
    "ends", [range(10**9), np.broadcast_to(np.int8(0), (10**9,)), Endless()], ids=["range", "broadcast", "list"]
)
def test_a_billion_explicit_synapses_are_refused_before_they_are_copied(ends):
    start = time.perf_counter()
    with pytest.raises(NetworkError, match=f"mine: found 1,000,000,000 synapses one by one, .*{MOST_SYNAPSES:,}"):
        SpikingNetwork.from_synapses(ends, ends, name="mine")
    assert time.perf_counter() - start < 1.0


def test_a_generator_of_unknown_length_is_refused():
    with pytest.raises(NetworkError, match="mine: pre: found generator, want a list or an array"):
        SpikingNetwork.from_synapses((k for k in range(3)), [0, 1, 2], name="mine")


@pytest.mark.parametrize(
    ("pre", "post", "options", "message"),
    [
        ([], [], {}, "found 0 neurons, want 1 to"),
        ([0], [1], {"neurons": 0}, "found 0 neurons"),
        ([0], [1], {"neurons": 2.5}, "found neurons 2.5, want a whole number"),
        ([0], [1], {"neurons": math.nan}, "found neurons nan, want a whole number"),
        ([0], [1], {"neurons": 2 * MOST_NEURONS}, "found 268,435,456 neurons, want 1 to"),
        ([0, 1], [1], {}, r"found pre \(2,\) and post \(1,\), want two equal lists"),
        ([[0]], [[1]], {}, "want two equal lists"),
        ([0, 5], [1, 1], {"neurons": 3}, "pre: found neuron 5, want a whole number from 0 to 2"),
        ([0], [-1], {}, "post: found neuron -1"),
        ([0.5], [1], {}, "pre: found neuron 0.5"),
        ([math.nan], [1], {}, "pre: found neuron nan"),
        (["a"], ["b"], {}, "pre: found <U1 values, want neuron numbers"),
        ([0], [1], {"weights": [math.nan]}, "weights: found nan, want finite numbers"),
        ([0], [1], {"weights": [-math.inf]}, "weights: found -inf, want finite numbers"),
        ([0], [1], {"weights": [1.0, 2.0]}, r"weights: found shape \(2,\), want one per synapse"),
        ([0], [1], {"weights": ["heavy"]}, "weights: found no numbers"),
        ([0], [1], {"bias": [math.nan, 0.0]}, "bias: found nan, want finite numbers"),
        ([0], [1], {"bias": [1.0, 2.0, 3.0]}, r"bias: found shape \(3,\), want one number or 2"),
        ([0], [1], {"inputs": [7]}, "inputs: found neuron 7, want 0 to 1"),
        ([0], [1], {"inputs": [0.5]}, "inputs: found neuron 0.5"),
        ([0], [1], {"inputs": [True]}, r"inputs: found a mask of shape \(1,\), want \(2,\)"),
        ([0], [1], {"storage": "packed"}, "found storage 'packed', want one of dense, sparse, conv"),
        ([0], [1], {"rates": -0.5}, "rates: found -0.5, want spikes per neuron and step from 0 to 1"),
        ([0], [1], {"rates": math.nan}, "rates: found nan"),
        ([0], [1], {"rates": 1.5}, "rates: found 1.5"),
        ([0], [1], {"delay": -1}, "found a delay of -1 steps"),
        ([0], [1], {"delay": 0.5}, "found a delay of 0.5 steps"),
        ([0], [1], {"delay": math.nan}, "found a delay of nan steps"),
    ],
)
def test_explicit_synapses_that_cannot_be_right_are_refused_in_one_line(pre, post, options, message):
    with pytest.raises(NetworkError, match=message) as caught:
        SpikingNetwork.from_synapses(pre, post, name="mine", **options)
    assert str(caught.value).startswith("mine")
    assert "\n" not in str(caught.value)


def test_a_cycle_without_delay_is_refused_and_one_with_delay_is_not():
    message = "mine: layer neurons -> layer neurons is a cycle without delay; want at least 1 step in it"
    with pytest.raises(NetworkError, match=message):
        SpikingNetwork.from_synapses([0, 1], [1, 0], delay=0, name="mine")
    assert SpikingNetwork.from_synapses([0, 1], [1, 0], delay=1).synapses == 2


def test_a_cycle_over_several_layers_is_told_layer_by_layer():
    layers = (Layer(2, name="a"), Layer(2, name="b"))
    there, back = (Dense(source=s, target=1 - s, sources=2, targets=2) for s in (0, 1))
    with pytest.raises(NetworkError, match="layer a -> layer b -> layer a is a cycle without delay"):
        SpikingNetwork(layers, (there, back))
    delayed = Dense(source=1, target=0, sources=2, targets=2, delay=1)
    assert SpikingNetwork(layers, (there, delayed)).order == (0, 1)


def test_a_network_of_no_neurons_is_refused():
    with pytest.raises(NetworkError, match="mine: found 0 neurons, want 1 to"):
        SpikingNetwork((Layer(0),), (), name="mine")


@pytest.mark.parametrize("weights", [[[math.nan]], [[math.inf]]])
def test_weights_of_any_connection_are_finite(weights):
    layers = (Layer(1, is_input=True), Layer(1))
    dense = Dense(source=0, target=1, sources=1, targets=1, weights=np.array(weights))
    kernel = Convolution(
        source=0,
        target=1,
        shape_in=(1, 1, 1),
        shape_out=(1, 1, 1),
        kernel=(1, 1),
        weights=np.array(weights)[None, None],
    )
    for connection in (dense, kernel):
        with pytest.raises(NetworkError, match="mine, layer 0 to layer 1: weights: found"):
            SpikingNetwork(layers, (connection,), name="mine")


def test_a_connection_has_the_sizes_of_its_layers():
    layers = (Layer(3, is_input=True), Layer(2))
    wrong = Dense(source=0, target=1, sources=2, targets=2)
    with pytest.raises(NetworkError, match="found a connection of 2 to 2 neurons, want 3 to 2"):
        SpikingNetwork(layers, (wrong,))


def test_a_bias_is_finite():
    with pytest.raises(NetworkError, match="mine, layer 0: bias: found inf"):
        SpikingNetwork((Layer(1, dynamics=Neurons(), bias=np.array([math.inf])),), (), name="mine")


def test_inhibitory_weights_are_as_good_as_others():
    network = SpikingNetwork.from_synapses([0], [1], weights=[-16.0])
    assert isinstance(network.connections[0], Sparse)
    assert network.connections[0].unrolled().data.tolist() == [-16.0]
