"""NIR files written with the package nir itself, read back and compared with a reference that works node by node."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcsim.chip.connections import Convolution, Dense, Sparse
from dcsim.chip.dynamics import simulate
from dcsim.chip.given import NetworkError
from dcsim.chip.network import SpikingNetwork

nir = pytest.importorskip("nir", reason="the package nir is not installed: pip install 'dcsim[nir]'")
h5py = pytest.importorskip("h5py", reason="the package h5py is not installed: pip install 'dcsim[nir]'")

Write = Callable[..., Path]
DRAW = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return DRAW.normal(size=shape).astype(np.float32)


def lif(*shape: int, threshold: float = 1.0) -> Any:
    one = np.ones(shape)
    return nir.LIF(tau=one * 2e-4, r=one * 2.0, v_leak=one * 0.0, v_threshold=one * threshold, v_reset=one * 0.0)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a graph of named nodes; without edges they follow each other. Input first, Output last."""

    def made(nodes: dict[str, Any], edges: list[tuple[str, str]] | None = None, name: str = "mine.nir") -> Path:
        names = list(nodes)
        chain = list(itertools.pairwise(names)) if edges is None else edges
        path = tmp_path / name
        nir.write(path, nir.NIRGraph(nodes=nodes, edges=chain, type_check=False), compression=None)
        return path

    return made


def ends(size: Any, out: Any) -> tuple[Any, Any]:
    return nir.Input(input_type={"input": np.atleast_1d(size)}), nir.Output(output_type={"output": np.atleast_1d(out)})


def through(write: Write, size: Any, out: Any, *nodes: Any, **options: Any) -> SpikingNetwork:
    """Network of input -> nodes -> LIF of shape `out`."""
    first, last = ends(size, out)
    inner = {f"n{index}": node for index, node in enumerate(nodes)}
    return SpikingNetwork.from_nir(
        write({"in": first, **inner, "cells": lif(*np.atleast_1d(out)), "out": last}), **options
    )


def weights(network: SpikingNetwork, layer: int = 1) -> np.ndarray:
    """All weights onto a layer, (targets, sources of layer 0), added up."""
    return sum(c.unrolled().toarray().T for c in network.connections if c.target == layer)


def same(network: SpikingNetwork, function: Callable[[np.ndarray], np.ndarray], *shape: int) -> None:
    """The weights do to an array of a shape what a function does."""
    for _ in range(3):
        x = DRAW.normal(size=shape)
        np.testing.assert_allclose(weights(network) @ x.ravel(), function(x).ravel(), atol=1e-5)


def convolve(x: np.ndarray, w: np.ndarray, stride: Any, pad: Any, dilation: Any, groups: int) -> np.ndarray:
    """2-D convolution by its definition; `pad` is ((before, after), (before, after))."""
    x = np.pad(x, ((0, 0), *pad))
    span = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
    rows, cols = ((n - s) // step + 1 for n, s, step in zip(x.shape[1:], span, stride, strict=True))
    out = np.zeros((w.shape[0], rows, cols))
    for c, r, k in np.ndindex(*out.shape):
        lo = c // (w.shape[0] // groups) * w.shape[1]
        y, z = r * stride[0], k * stride[1]
        seen = x[lo : lo + w.shape[1], y : y + span[0] : dilation[0], z : z + span[1] : dilation[1]]
        out[c, r, k] = (seen * w[c]).sum()
    return out


# ------------------------------------------------------------ linear nodes


def test_a_matrix_without_zeros_is_dense_and_its_bias_a_constant_current(write):
    weight, bias = normal(3, 4), normal(3)
    network = through(write, 4, 3, nir.Affine(weight=weight, bias=bias))
    assert [layer.name for layer in network.layers] == ["in", "cells"]
    assert isinstance(network.connections[0], Dense)
    assert network.connections[0].delay == 0
    np.testing.assert_allclose(weights(network), weight)
    np.testing.assert_allclose(network.layers[1].bias, bias)
    assert network.layers[1].bias.dtype == np.float64
    assert network.name == "mine"
    assert network.runs


def test_synapses_are_the_weights_other_than_zero(write):
    weight = normal(3, 4)
    weight[0, 1] = weight[2, 2] = 0.0
    network = through(write, 4, 3, nir.Linear(weight=weight))
    assert isinstance(network.connections[0], Sparse)
    assert network.synapses == 10
    assert network.layers[1].bias is None
    np.testing.assert_allclose(weights(network), weight)


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 2), (4, 3), "same", "valid"])
@pytest.mark.parametrize(("dilation", "groups"), [((1, 1), 1), ((2, 1), 2)])
def test_a_convolution_in_two_dimensions(write, stride, padding, dilation, groups):
    if padding == "same":
        stride = (1, 1)
    weight, bias = normal(4, 2 // groups * 2, 2, 3), normal(4)
    weight = weight[:, : 4 // groups]
    sides = [(0, 0), (0, 0)] if padding == "valid" else None
    if padding == "same":
        total = [(k - 1) * d for k, d in zip((2, 3), dilation, strict=True)]
        sides = [(t // 2, t - t // 2) for t in total]
    sides = sides or [(p, p) for p in padding]
    channels = weight.shape[1] * groups

    def wanted(x: np.ndarray) -> np.ndarray:
        return convolve(x, weight, stride, sides, dilation, groups)

    shape = wanted(np.zeros((channels, 7, 6))).shape
    node = nir.Conv2d(
        input_shape=(7, 6), weight=weight, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=bias
    )
    network = through(write, (channels, 7, 6), shape, node)
    same(network, wanted, channels, 7, 6)
    np.testing.assert_allclose(network.layers[1].bias, np.repeat(bias, shape[1] * shape[2]))
    assert network.layers[1].shape == shape
    assert isinstance(network.connections[0], Convolution if dilation == (1, 1) else Sparse)


@pytest.mark.parametrize("padding", [0, 2, "same", "valid"])
def test_a_convolution_in_one_dimension(write, padding):
    weight, bias = normal(3, 2, 4), normal(3)
    side = {"same": (1, 2), "valid": (0, 0)}.get(padding, (padding, padding))

    def wanted(x: np.ndarray) -> np.ndarray:
        return convolve(x[:, None], weight[:, :, None], (1, 1), ((0, 0), side), (1, 1), 1)

    shape = wanted(np.zeros((2, 9))).shape
    node = nir.Conv1d(input_shape=9, weight=weight, stride=1, padding=padding, dilation=1, groups=1, bias=bias)
    network = through(write, (2, 9), (3, shape[2]), node)
    same(network, wanted, 2, 9)
    assert network.layers[1].shape == shape


def test_what_a_convolution_does_not_say_is_inferred_and_other_keys_are_left_alone(write):
    first, last = ends((1, 5, 5), (2, 5, 5))
    path = write({"in": first, "conv": nir.Scale(scale=np.ones((1, 5, 5))), "cells": lif(2, 5, 5), "out": last})
    with h5py.File(path, "r+") as file:
        del file["node/nodes/conv"]
        group = file.create_group("node/nodes/conv")
        for key, value in {"type": "Conv2d", "weight": normal(2, 1, 3, 3), "padding": 1, "bias": np.zeros(2)}.items():
            group[key] = value
        group["extra"] = "from elsewhere"
        group["input_shape"] = h5py.Empty("i8")
        group.create_group("metadata")["note"] = "more"
    network = SpikingNetwork.from_nir(path)
    assert network.layers[1].shape == (2, 5, 5)
    assert network.synapses == 2 * 13 * 13


@pytest.mark.parametrize(("kind", "share"), [("SumPool2d", 1.0), ("AvgPool2d", 0.25)])
def test_pooling(write, kind, share):
    node = getattr(nir, kind)(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0]))
    network = through(write, (3, 4, 6), (3, 2, 3), node)
    x = DRAW.random((3, 4, 6))
    wanted = x.reshape(3, 2, 2, 3, 2).sum(axis=(2, 4)) * share
    np.testing.assert_allclose(weights(network) @ x.ravel(), wanted.ravel())
    assert network.synapses == 72
    assert network.connections[0].storage == "conv"


def test_scale_threshold_delay_and_flatten(write):
    factor = np.arange(1.0, 5.0).reshape(1, 2, 2)
    network = through(
        write, (1, 2, 2), 4, nir.Scale(scale=factor), nir.Flatten(input_type=np.array([1, 2, 2]), start_dim=0)
    )
    np.testing.assert_allclose(weights(network), np.diag(factor.ravel()))
    first, last = ends(2, 2)
    network = SpikingNetwork.from_nir(
        write({"in": first, "t": nir.Threshold(threshold=np.array([0.4, 0.6])), "out": last})
    )
    run = simulate(network, [[0.5, 0.5], [0.5, 0.7], [0.0, 0.0]])
    assert run.spikes(1)[0].astype(int).tolist() == [[1, 0], [1, 1], [0, 0]]


def test_a_delay_is_in_seconds_and_may_differ_from_number_to_number(write):
    delay = nir.Delay(delay=np.array([0.0, 2e-4, 2.04e-4]))
    network = through(write, 3, 3, delay, nir.Linear(weight=np.ones((3, 3))))
    assert sorted(c.delay for c in network.connections) == [0, 2]
    assert network.synapses == 9
    np.testing.assert_allclose(weights(network), np.ones((3, 3)))
    spikes = np.zeros((4, 3))
    spikes[0] = 1.0
    run = simulate(network, spikes)
    assert run.spikes(1)[0].any(axis=1).tolist() == [False, False, True, False]  # 1, then 0.5 + 2
    later = through(write, 3, 3, nir.Affine(weight=normal(3, 3), bias=np.ones(3)), nir.Delay(delay=np.full(3, 5e-4)))
    assert [c.delay for c in later.connections] == [5]
    assert isinstance(later.connections[0], Dense)


@pytest.mark.parametrize("between", [(), ("pool",), ("scale",), ("pool", "scale")])
def test_a_chain_of_nodes_is_one_connection(write, between):
    """Convolution, pooling, factor, flatten, matrix: compared with each after the other."""
    factor = DRAW.random((4, 3, 3) if "pool" in between else (4, 6, 6))
    kernel, bias, matrix, offset = normal(4, 2, 3, 3), normal(4), normal(5, factor.size), normal(5)
    nodes = [nir.Conv2d(input_shape=(6, 6), weight=kernel, stride=1, padding=1, dilation=1, groups=1, bias=bias)]
    if "pool" in between:
        nodes.append(nir.SumPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0])))
    if "scale" in between:
        nodes.append(nir.Scale(scale=factor))
    nodes += [nir.Flatten(input_type=np.array(factor.shape), start_dim=0), nir.Affine(weight=matrix, bias=offset)]

    def wanted(x: np.ndarray, constant: float) -> np.ndarray:
        y = convolve(x, kernel, (1, 1), ((1, 1), (1, 1)), (1, 1), 1) + constant * bias[:, None, None]
        if "pool" in between:
            y = y.reshape(4, 3, 2, 3, 2).sum(axis=(2, 4))
        if "scale" in between:
            y = y * factor
        return matrix.astype(float) @ y.ravel() + constant * offset

    network = through(write, (2, 6, 6), 5, *nodes)
    assert len(network.connections) == 1
    same(network, lambda x: wanted(x, 0.0), 2, 6, 6)
    np.testing.assert_allclose(network.layers[1].bias, wanted(np.zeros((2, 6, 6)), 1.0), rtol=1e-5)


@pytest.mark.parametrize(
    ("height", "pool", "kernel", "padding", "merges"),
    [(8, 2, 3, 1, True), (9, 2, 3, 1, False), (9, 2, 3, 0, True), (9, 3, 2, 1, True)],
)
@pytest.mark.parametrize("pool_first", [True, False])
def test_pooling_and_convolution_are_one_convolution_where_that_is_the_same(
    write, height, pool, kernel, padding, merges, pool_first
):
    weight = normal(6, 1, kernel, kernel)
    small = height // pool if pool_first else height
    conv = nir.Conv2d(
        input_shape=(small, small), weight=weight, stride=1, padding=padding, dilation=1, groups=3, bias=np.zeros(6)
    )
    pooled = nir.SumPool2d(kernel_size=np.array([pool] * 2), stride=np.array([pool] * 2), padding=np.array([0, 0]))

    def sums(x: np.ndarray) -> np.ndarray:
        return convolve(x, np.ones((len(x), 1, pool, pool)), (pool,) * 2, ((0, 0),) * 2, (1, 1), len(x))

    def conved(x: np.ndarray) -> np.ndarray:
        return convolve(x, weight, (1, 1), ((padding, padding),) * 2, (1, 1), 3)

    def wanted(x: np.ndarray) -> np.ndarray:
        return conved(sums(x)) if pool_first else sums(conved(x))

    nodes = (pooled, conv) if pool_first else (conv, pooled)
    network = through(write, (3, height, height), wanted(np.zeros((3, height, height))).shape, *nodes)
    same(network, wanted, 3, height, height)
    assert isinstance(network.connections[0], Convolution) == (merges or not pool_first)


def test_a_convolutional_network_spikes_as_it_does_node_by_node(write):
    """conv, IF, pool, conv, IF, flatten, matrix, LIF, against arrays that go through each node in each step."""
    first_kernel, second_kernel, matrix, bias = normal(3, 2, 3, 3), normal(4, 3, 3, 3), normal(5, 36), normal(5)
    firing = {"r": np.array(1e4), "v_threshold": np.array(1.0), "v_reset": np.array(0.0)}
    conv = {"stride": 1, "dilation": 1, "groups": 1}
    first, last = ends((2, 6, 6), 5)
    path = write({
        "in": first,
        "c1": nir.Conv2d(input_shape=(6, 6), weight=first_kernel, padding="same", bias=np.full(3, 0.1), **conv),
        "s1": nir.IF(**firing),
        "pool": nir.AvgPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0])),
        "c2": nir.Conv2d(input_shape=(3, 3), weight=second_kernel, padding=(1, 1), bias=np.zeros(4), **conv),
        "s2": nir.IF(**firing),
        "flat": nir.Flatten(input_type=np.array([4, 3, 3]), start_dim=0),
        "fc": nir.Affine(weight=matrix, bias=bias),
        "s3": lif(5),
        "out": last,
    })  # fmt: skip
    network = SpikingNetwork.from_nir(path)
    assert [layer.shape for layer in network.layers] == [(2, 6, 6), (3, 6, 6), (4, 3, 3), (5, 1, 1)]
    assert [type(connection) for connection in network.connections] == [Convolution, Convolution, Dense]
    spikes = DRAW.random((25, 2, 6, 6)) < 0.3
    run = simulate(network, spikes.reshape(25, -1))
    v = [np.zeros((3, 6, 6)), np.zeros((4, 3, 3)), np.zeros(5)]
    around = ((1, 1), (1, 1))
    for t in range(25):
        v[0] += convolve(spikes[t], first_kernel, (1, 1), around, (1, 1), 1) + 0.1
        out = [v[0] > 1.0]
        pooled = out[0].reshape(3, 3, 2, 3, 2).mean(axis=(2, 4))
        v[1] += convolve(pooled, second_kernel, (1, 1), around, (1, 1), 1)
        out.append(v[1] > 1.0)
        v[2] = 0.5 * v[2] + matrix @ out[1].ravel() + bias
        out.append(v[2] > 1.0)
        for layer in range(3):
            v[layer][out[layer]] = 0.0
            np.testing.assert_array_equal(run.spikes(layer + 1)[0, t], out[layer].ravel())
    assert all(0.02 < run.spikes(layer).mean() < 0.9 for layer in (1, 2, 3))


# ------------------------------------------------------------ neurons


def step(kind: str, p: dict[str, float], x: float, state: list[float], dt: float) -> None:
    """One forward Euler step of the equations in the specification; state is [i, v]."""
    if kind.startswith("Cuba"):
        state[0] += dt / p["tau_syn"] * (p["w_in"] * x - state[0])
        state[1] += dt / p["tau_mem"] * (p["v_leak"] - state[1] + p["r"] * state[0])
    elif "LI" in kind:
        state[1] += dt / p["tau"] * (p["v_leak"] - state[1] + p["r"] * x)
    else:
        state[1] += dt * p["r"] * x


PARAMETERS = {
    "I": {"r": 3e3},
    "IF": {"r": 3e3, "v_threshold": 0.8, "v_reset": -0.2},
    "LI": {"tau": 5e-4, "r": 2.0, "v_leak": 0.1},
    "LIF": {"tau": 5e-4, "r": 2.0, "v_leak": 0.1, "v_threshold": 0.6, "v_reset": 0.2},
    "CubaLI": {"tau_mem": 5e-4, "tau_syn": 3e-4, "r": 2.0, "v_leak": 0.1, "w_in": 3.0},
    "CubaLIF": {
        "tau_mem": 5e-4, "tau_syn": 3e-4, "r": 2.0, "v_leak": 0.1, "v_threshold": 0.6, "v_reset": -0.1, "w_in": 3.0,
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", PARAMETERS)
@pytest.mark.parametrize("scalar", [False, True])
def test_every_neuron_follows_its_equation(write, kind, scalar):
    given = PARAMETERS[kind]
    node = getattr(nir, kind)(**{key: np.array(value) if scalar else np.full(3, value) for key, value in given.items()})
    first, last = ends(3, () if scalar else 3)
    path = write({"in": first, "w": nir.Linear(weight=np.diag([1.0, 0.5, 0.25])), "cells": node, "out": last})
    network = SpikingNetwork.from_nir(path, dt_s=2e-4)
    assert network.layers[1].neurons == 3
    spikes = DRAW.random((30, 3)) < 0.6
    run = simulate(network, spikes, values=True)
    for neuron, gain in enumerate((1.0, 0.5, 0.25)):
        state = [0.0, 0.0]
        for t in range(30):
            step(kind, given, gain * spikes[t, neuron], state, 2e-4)
            if "v_threshold" in given:
                above = state[1] > given["v_threshold"]
                assert run.spikes(1)[0, t, neuron] == above, (neuron, t)
                state[1] = given["v_reset"] if above else state[1]
            else:
                assert run.values[1][0, t, neuron] == pytest.approx(state[1], abs=1e-12)
    assert run.spikes(1).any() == ("v_threshold" in given)


def test_options_say_what_the_file_cannot(write):
    first, last = ends(1, 1)
    path = write({"in": first, "cells": lif(1, threshold=0.5), "out": last})
    cells = SpikingNetwork.from_nir(path, dt_s=1e-4, reset="subtract", at_threshold=True).layers[1].dynamics
    assert (cells.decay, cells.gain, cells.reset, cells.at_threshold) == (0.5, 1.0, "subtract", True)
    exact = SpikingNetwork.from_nir(path, dt_s=1e-4, integration="exponential").layers[1].dynamics
    assert exact.decay == pytest.approx(math.exp(-0.5))
    network = SpikingNetwork.from_nir(path, steps=7, rates=[0.1, 0.2], name="other")
    assert (network.steps, network.name, network.rate_table()[6].tolist()) == (7, "other", [0.1, 0.2])


# ------------------------------------------------------------ graphs


def test_neither_names_nor_the_order_of_edges_matter(write):
    first, last = ends(2, 4)
    a, b = normal(3, 2), normal(4, 3)
    nodes = {
        "10": lif(4),
        "9.x": nir.Linear(weight=b),
        "out": last,
        "2": lif(3),
        "z/y": first,
        "1": nir.Linear(weight=a),
    }
    path = write(nodes, [("10", "out"), ("2", "9.x"), ("z/y", "1"), ("9.x", "10"), ("1", "2")])
    network = SpikingNetwork.from_nir(path)
    assert [layer.name for layer in network.layers] == ["z/y", "2", "10"]
    np.testing.assert_allclose(weights(network, 2), b)


def test_a_node_gets_the_sum_of_what_leads_to_it_and_branches_come_by_name(write):
    first, last = ends(2, 2)
    a, b = normal(2, 2), normal(2, 2)
    nodes = {
        "in": first, "b": nir.Linear(weight=a), "a": nir.Affine(weight=b, bias=np.array([1.0, 2.0])), "sum": lif(2),
        "p": lif(2), "o": lif(2), "out": last,
    }  # fmt: skip
    edges = [
        ("in", "a"),
        ("in", "b"),
        ("a", "sum"),
        ("b", "sum"),
        ("sum", "p"),
        ("sum", "o"),
        ("p", "out"),
        ("o", "out"),
    ]
    network = SpikingNetwork.from_nir(write(nodes, edges))
    assert [layer.name for layer in network.layers] == ["in", "sum", "o", "p", "out"]
    np.testing.assert_allclose(weights(network), a.astype(float) + b)
    assert network.layers[1].bias.tolist() == [1.0, 2.0]
    np.testing.assert_allclose(weights(network, 4), np.eye(2) * 2)  # the output is the sum of both
    assert not network.layers[4].dynamics.spiking


def test_two_inputs_are_taken_by_name(write):
    one, last = ends(1, 2)
    two, _ = ends(2, 2)
    nodes = {"y": two, "x": one, "w": nir.Linear(weight=np.ones((2, 1))), "cells": lif(2, threshold=0.7), "out": last}
    network = SpikingNetwork.from_nir(write(nodes, [("x", "w"), ("w", "cells"), ("y", "cells"), ("cells", "out")]))
    assert [layer.name for layer in network.layers] == ["x", "y", "cells"]
    run = simulate(network, [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert run.spikes(2)[0].astype(int).tolist() == [[1, 0], [1, 1]]


def test_a_chain_behind_the_last_neurons_is_a_layer_that_does_not_spike(write):
    first, last = ends(2, 2)
    tail = nir.Affine(weight=np.array([[2.0, 0.0], [1.0, 3.0]]), bias=np.array([0.5, 0.0]))
    network = SpikingNetwork.from_nir(write({"in": first, "cells": lif(2, threshold=0.5), "tail": tail, "out": last}))
    assert [layer.name for layer in network.layers] == ["in", "cells", "out"]
    run = simulate(network, [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], values=True)
    assert run.values[2][0].tolist() == [[2.5, 1.0], [2.5, 4.0], [0.5, 0.0]]
    assert network.outputs == (2,)


def test_missing_inputs_and_outputs_are_added(write):
    path = write({"w": nir.Linear(weight=normal(3, 2)), "cells": lif(3), "tail": nir.Linear(weight=normal(1, 3))})
    assert [layer.name for layer in SpikingNetwork.from_nir(path).layers] == ["input_w", "cells", "output_tail"]


def recurrent(write: Write, delay: float | None = None, **options: Any) -> SpikingNetwork:
    """One neuron that starts on a spike and keeps itself going."""
    first, last = ends(1, 1)
    nodes = {
        "in": first,
        "cells": lif(1, threshold=0.9),
        "back": nir.Affine(weight=np.eye(1), bias=np.zeros(1)),
        "out": last,
    }
    edges = [("in", "cells"), ("cells", "back"), ("cells", "out")]
    if delay is None:
        return SpikingNetwork.from_nir(write(nodes, [*edges, ("back", "cells")]), **options)
    nodes["wait"] = nir.Delay(delay=np.array([delay]))
    return SpikingNetwork.from_nir(write(nodes, [*edges, ("back", "wait"), ("wait", "cells")]), **options)


@pytest.mark.parametrize(
    ("delay", "options", "period"),
    [
        (None, {}, 1),
        (None, {"recurrent_delay": 3}, 3),
        (2e-4, {}, 2),
        (2e-4, {"recurrent_delay": 3}, 2),
        (1e-6, {}, 1),  # less than half a step is none
        (2e-4, {"layer_delay": 1}, 3),
        (None, {"layer_delay": 4}, 1),
    ],
)
def test_an_edge_that_closes_a_cycle_carries_earlier_spikes(write, delay, options, period):
    network = recurrent(write, delay, **options)
    spikes = np.zeros((9, 1))
    spikes[0] = 1.0
    run = simulate(network, spikes)
    assert np.flatnonzero(run.spikes(1)[0, :, 0]).tolist() == list(range(0, 9, period))


def test_the_bias_of_recurrent_weights_counts_from_the_first_step_on(write):
    first, last = ends(1, 1)
    back = nir.Affine(weight=np.zeros((1, 1)), bias=np.array([1.0]))
    nodes = {"in": first, "cells": lif(1, threshold=0.9), "back": back, "out": last}
    edges = [("in", "cells"), ("cells", "back"), ("back", "cells"), ("cells", "out")]
    assert simulate(SpikingNetwork.from_nir(write(nodes, edges)), np.zeros((2, 1))).spikes(1).all()


def test_in_a_longer_cycle_the_edge_back_is_the_one_with_delay(write):
    first, last = ends(1, 1)
    nodes = {"in": first, "b": lif(1), "a": lif(1), "back": nir.Linear(weight=np.eye(1)), "out": last}
    edges = [("in", "b"), ("b", "a"), ("a", "back"), ("back", "b"), ("a", "out")]
    network = SpikingNetwork.from_nir(write(nodes, edges))
    assert [layer.name for layer in network.layers] == ["in", "b", "a"]
    assert {(c.source, c.target): c.delay for c in network.connections} == {(0, 1): 0, (1, 2): 0, (2, 1): 1}


def test_layer_delay_is_between_layers_of_neurons(write):
    first, last = ends(1, 1)
    path = write({"in": first, "a": lif(1), "b": lif(1), "out": last})
    network = SpikingNetwork.from_nir(path, layer_delay=2)
    assert [c.delay for c in network.connections] == [0, 2]


def test_nested_graphs_are_opened(write):
    first, last = ends(2, 2)
    inside = nir.NIRGraph(
        nodes={
            "input": ends(2, 2)[0],
            "lif": lif(2),
            "w_rec": nir.Linear(weight=normal(2, 2)),
            "output": ends(2, 2)[1],
        },
        edges=[("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )
    bare = nir.NIRGraph(
        nodes={"w": nir.Linear(weight=normal(2, 2)), "lif": lif(2)}, edges=[("w", "lif")], type_check=False
    )
    outer = nir.NIRGraph(
        nodes={"input": ends(2, 2)[0], "deep": inside, "output": ends(2, 2)[1]},
        edges=[("input", "deep"), ("deep", "output")],
    )
    network = SpikingNetwork.from_nir(write({"in": first, "one": outer, "two": bare, "out": last}))
    assert [layer.name for layer in network.layers] == ["in", "one.deep.lif", "two.lif"]
    assert sorted((c.source, c.target, c.delay) for c in network.connections) == [(0, 1, 0), (1, 1, 1), (1, 2, 0)]


def test_a_file_with_the_default_compression_and_one_node(tmp_path):
    nir.write(tmp_path / "one.nir", lif(3))
    network = SpikingNetwork.from_nir(tmp_path / "one.nir")
    assert [layer.name for layer in network.layers] == ["input_lif", "lif"]
    assert network.synapses == 3


# ------------------------------------------------------------ what cannot be read


def refused(path: Path, message: str, **options: Any) -> None:
    with pytest.raises(NetworkError, match=message) as caught:
        SpikingNetwork.from_nir(path, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(path.name)


@pytest.fixture
def good(write: Write) -> Path:
    first, last = ends(2, 3)
    return write({"in": first, "w": nir.Affine(weight=normal(3, 2), bias=normal(3)), "cells": lif(3), "out": last})


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "found no such file"), (b"", "cannot be read"), (b"no HDF5 at all", "cannot be read")],
)
def test_a_file_that_is_none(tmp_path, content, message):
    path = tmp_path / "bad.nir"
    if content is not None:
        path.write_bytes(content)
    refused(path, message)


def test_a_file_cut_short_or_with_wrong_bytes(good):
    content = good.read_bytes()
    for keep in (len(content) // 3, len(content) - 200):
        good.write_bytes(content[:keep])
        refused(good, "cannot be read as a NIR file")
    good.write_bytes(content[:4] + b"XXXX" + content[8:])
    refused(good, "cannot be read as a NIR file")


def test_damaged_texts_in_which_the_library_would_hang_or_crash(good):
    content = good.read_bytes()
    place = content.index(b"GCOL") + 16
    for size in (0, 2**40):
        good.write_bytes(content[: place + 8] + size.to_bytes(8, "little") + content[place + 16 :])
        refused(good, "a text is damaged")
    reference = content.rindex(content.index(b"GCOL").to_bytes(8, "little")) - 4  # length, address, index of a text
    good.write_bytes(content[:reference] + b"\xff" * 4 + content[reference + 4 :])
    refused(good, "a text is damaged")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("w/type", "Sigmoid", "node 'w': unknown type 'Sigmoid'; known are Input, Output, Affine"),
        ("w/weight", None, "node 'w': Affine without weight"),
        ("w/weight", np.array([[1.0, np.nan]] * 3), "node 'w': weight: found a value that is not finite"),
        ("w/weight", np.ones((3, 5)), r"node 'w' \(Affine\): found an input of shape \(2,\), its weight is \(3, 5\)"),
        ("w/weight", np.ones(3), r"found shape \(3,\), want \(numbers out, numbers in\)"),
        ("w/weight", "text", "weight: found 'text', want numbers"),
        ("w/weight", np.array(["a", "b"], dtype="S1"), "weight: found .*S1, want numbers"),
        ("w/weight", np.ones((4, 2)), r"bias: found shape \(3,\), want one number or the layer's shape \(4,\)"),
        ("w/bias", np.ones(2), r"node 'w' \(Affine\): bias: found shape \(2,\)"),
        ("cells/tau", np.zeros(3), r"node 'cells' \(LIF\): tau: found 0, want seconds above 0"),
        (
            "cells/tau",
            np.full(3, 1e-6),
            "unstable in steps of 0.0001 s; want a time step of at most 2e-06 s, or exponential",
        ),
        ("cells/r", np.ones(7), r"r: found shape \(7,\)"),
        ("cells/v_threshold", np.full(3, np.inf), "v_threshold: found a value that is not finite"),
        ("in/shape", np.array([-2]), r"want 1 to 134,217,728 numbers"),
        ("in/shape", np.array([2**40]), r"want 1 to 134,217,728 numbers"),
        ("in/type", 5, "cannot be read as a NIR file"),
        ("in/type", None, "node 'in': found no type"),
    ],
)
def test_a_node_that_cannot_be_right(good, key, value, message):
    with h5py.File(good, "r+") as file:
        del file["node/nodes"][key]
        if value is not None:
            file["node/nodes"][key] = value
    refused(good, message)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([("in", "w"), ("w", "celsl")], "an edge names the node 'celsl'; did you mean 'cells'"),
        ([("in", "w"), ("w", "w"), ("w", "cells")], "w -> w is a cycle without neurons"),
        ([("in", "cells"), ("w", "cells")], r"node 'cells' .*: found inputs of different shapes, \(2,\), \(3,\)"),
    ],
)
def test_edges_that_cannot_be_right(good, edges, message):
    with h5py.File(good, "r+") as file:
        del file["node/edges"]
        file["node"].create_dataset("edges", data=np.array(edges, dtype=object), dtype=h5py.string_dtype())
    refused(good, message)


def test_names_are_printable(good):
    with h5py.File(good, "r+") as file:
        file["node/nodes"].move("w", "w\nx")
    refused(good, r"node 'w\\nx': want a printable name")


def test_sizes_are_checked_before_anything_is_loaded(good):
    with h5py.File(good, "r+") as file:
        del file["node/nodes/w/weight"]
        file["node/nodes/w"].create_dataset("weight", shape=(2**20, 2**20), dtype="f8", chunks=True, compression="gzip")
    refused(good, "node 'w': weight.*found 1048576 x 1048576 numbers, want at most 100,000,000")


def test_links_out_of_the_file_are_not_followed(good, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weight"] = np.ones((3, 2))
    with h5py.File(good, "r+") as file:
        del file["node/nodes/w/weight"]
        file["node/nodes/w/weight"] = h5py.ExternalLink("other.h5", "weight")
    refused(good, "found no data in the file itself")


def test_a_graph_within_itself(good):
    with h5py.File(good, "r+") as file:
        file["node/nodes/loop"] = file["node"]
    refused(good, "graphs nested more than 32 deep")


def test_other_files(write, tmp_path):
    with h5py.File(tmp_path / "empty.nir", "w") as file:
        file["version"] = "1.0"
    refused(tmp_path / "empty.nir", "it has no group 'node'")
    refused(write({}, []), "a graph without nodes")
    first, last = ends(2, 2)
    refused(write({"in": first, "out": last}), "found no neurons")
    pool = nir.SumPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0]))
    refused(write({"pool": pool, "cells": lif(2, 2, 2)}), r"nothing leads to it, and it does not say the shape")
    refused(
        write({"in": first, "pool": pool, "cells": lif(2)}), r"found an input of shape \(2,\), want channels x height"
    )
    wide = ends((2, 8, 8), 3)[0]
    refused(write({"in": wide, "big": nir.Scale(scale=np.ones((2, 8, 8))), "cells": lif(3)}), r"its own is|found shape")


def test_chains_that_would_have_too_many_synapses(write):
    first, last = ends((1, 2000, 2000), 1)
    conv = nir.Conv2d(
        input_shape=(2000, 2000),
        weight=np.ones((1, 1, 5, 5)),
        stride=1,
        padding=2,
        dilation=2,
        groups=1,
        bias=np.zeros(1),
    )
    path = write(
        {
            "in": first,
            "c": conv,
            "pool": nir.SumPool2d(np.array([3, 3]), np.array([1, 1]), np.array([1, 1])),
            "out": last,
        }
    )
    refused(path, "want at most 100,000,000")


def test_two_thin_matrices_that_would_make_a_large_one(write):
    first, last = ends(20_000, 20_000)
    thin = {"a": nir.Linear(weight=np.ones((1, 20_000))), "b": nir.Linear(weight=np.ones((20_000, 1)))}
    refused(write({"in": first, **thin, "out": last}), "node 'b' .*it has up to 400,000,000 synapses; want at most")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reset": "hard"}, "found reset 'hard'; allowed: subtract, subtract-now, value"),
        ({"integration": "eulr"}, "found integration 'eulr'; did you mean 'euler'"),
        ({"dt_s": 0.0}, "found a time step of 0.0 s"),
        ({"dt_s": math.nan}, "found a time step of nan s"),
        ({"layer_delay": -1}, "found layer delay -1"),
        ({"recurrent_delay": 1.5}, "found recurrent delay 1.5"),
    ],
)
def test_options_that_cannot_be(good, options, message):
    refused(good, message, **options)


def test_without_delay_a_cycle_is_refused(write):
    with pytest.raises(NetworkError, match=r"layer cells -> layer cells is a cycle without delay"):
        recurrent(write, recurrent_delay=0)


def test_without_the_package_the_error_says_how_to_get_it(good, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(NetworkError, match=r"needs the package nir; pip install 'dcsim\[nir\]'"):
        SpikingNetwork.from_nir(good)
