"""Spikes of networks worked out by hand, of random ones by a loop over neurons, and of SANA-FE's leaky neurons."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from dcsim.chip import dynamics
from dcsim.chip.connections import Connection, Convolution, Dense, Sparse
from dcsim.chip.dynamics import simulate
from dcsim.chip.encoding import InputError
from dcsim.chip.given import NetworkError
from dcsim.chip.network import Layer, SpikingNetwork
from dcsim.chip.neurons import Neurons


def single(cells: Neurons, bias: float | None = None, weight: float = 1.0, **ends: int) -> SpikingNetwork:
    """One input neuron onto one neuron."""
    dense = Dense(source=0, target=1, sources=1, targets=1, weights=np.array([[weight]]), **ends)
    current = None if bias is None else np.array([bias])
    return SpikingNetwork((Layer(1, is_input=True), Layer(1, dynamics=cells, bias=current)), (dense,))


def fired(network: SpikingNetwork, inputs: list[float]) -> list[int]:
    return simulate(network, np.array(inputs)[:, None]).spikes(1)[0, :, 0].astype(int).tolist()


def states(network: SpikingNetwork, inputs: list[float]) -> list[float]:
    return simulate(network, np.array(inputs)[:, None], values=True).values[1][0, :, 0].tolist()


def test_a_leaky_neuron_fires_above_its_threshold_and_is_set_back():
    # v: 0.6, 0.3 + 0.6 = 0.9, 0.45 + 0.6 = 1.05 > 1 fires, then from 0 again
    assert fired(single(Neurons(decay=0.5), weight=0.6), [1, 1, 1, 1, 1, 1]) == [0, 0, 1, 0, 0, 1]


def test_reaching_the_threshold_is_enough_only_when_that_is_said():
    assert fired(single(Neurons(decay=1.0), weight=0.5), [1, 1, 1]) == [0, 0, 1]
    assert fired(single(Neurons(decay=1.0, at_threshold=True), weight=0.5), [1, 1, 1]) == [0, 1, 0]


@pytest.mark.parametrize(
    ("reset", "v_reset", "wanted"),
    [
        # input 1.5, decay 0.5, threshold 1, no more input: what is left of 1.5 in the next step
        ("value", 0.0, [1, 0, 0]),
        ("value", 4.0, [1, 1, 1]),  # set to 4, decays to 2: fires again, and so on
        ("subtract", 0.0, [1, 0, 1]),  # 1.5; 0.75 - 1 = -0.25; -0.125 + 1.5 fires
        ("subtract-now", 0.0, [1, 0, 1]),  # 1.5 - 1 = 0.5; 0.25; 0.125 + 1.5 fires
    ],
)
def test_what_a_spike_does_to_the_potential(reset, v_reset, wanted):
    cells = Neurons(decay=0.5, reset=reset, v_reset=v_reset)
    assert fired(single(cells), [1.5, 0, 0 if reset == "value" else 1.5]) == wanted


def test_subtraction_at_once_decays_with_the_rest_and_a_step_later_does_not():
    # input 1.9 then 0.6: now: (1.9 - 1) / 2 + 0.6 = 1.05 fires; a step later: 0.95 - 1 + 0.6 = 0.55 does not
    assert fired(single(Neurons(decay=0.5, reset="subtract-now")), [1.9, 0.6]) == [1, 1]
    assert fired(single(Neurons(decay=0.5, reset="subtract")), [1.9, 0.6]) == [1, 0]


def test_the_current_of_a_synapse_decays_by_itself():
    # i: 1, 0.5, 0.25; v: 1, 0.25 + 0.5 = 0.75, 0.1875 + 0.25
    cells = Neurons(decay=0.25, current_decay=0.5, spiking=False)
    assert states(single(cells), [1, 0, 0]) == [1.0, 0.75, 0.4375]


def test_offset_and_bias_work_in_every_step():
    # i = 2 (0 + 0.5) = 1, v = 0.5 v + 3 * 1 - 1
    cells = Neurons(decay=0.5, gain=3.0, offset=-1.0, current_gain=2.0, spiking=False)
    assert states(single(cells, bias=0.5), [0, 0]) == [2.0, 3.0]


def test_a_delay_is_counted_in_steps():
    for delay in (0, 1, 3):
        assert fired(single(Neurons(threshold=0.5), delay=delay), [1, 0, 0, 0, 0]) == [
            int(t == delay) for t in range(5)
        ]


def test_an_input_may_be_a_current_and_may_be_negative():
    network = single(Neurons(threshold=0.4))
    run = simulate(network, [[0.5], [-0.5], [0.0]])
    assert run.spikes(1)[0, :, 0].tolist() == [True, False, False]
    assert run.spikes(0)[0, :, 0].tolist() == [True, True, False]
    assert run.counts.tolist() == [[2, 1]]


def test_layers_without_spikes_hand_on_their_state():
    layers = (
        Layer(1, is_input=True),
        Layer(1, dynamics=Neurons(decay=0.5, spiking=False)),
        Layer(1, dynamics=Neurons(threshold=0.3)),
    )
    links = [Dense(source=n, target=n + 1, sources=1, targets=1, weights=np.ones((1, 1))) for n in range(2)]
    run = simulate(SpikingNetwork(layers, tuple(links)), [[1.0], [0.0], [0.0]], values=True)
    assert run.values[1][0, :, 0].tolist() == [1.0, 0.5, 0.25]
    assert run.spikes(2)[0, :, 0].tolist() == [True, True, False]
    assert run.spikes(1).all()  # a value other than 0 is a message
    assert list(run.values) == [1]


def test_who_is_updated():
    # 0 drives 1 and 2, whose weights cancel; 3 has a bias; 4 gets nothing; integrators, spikes arrive a step later
    network = SpikingNetwork.from_synapses(
        [0, 0, 1, 1], [2, 2, 2, 0], neurons=5, weights=[1.0, -1.0, 0.5, 1.0], inputs=[0, 1],
        dynamics=Neurons(decay=1.0), bias=[0, 0, 0, 0.1, 0],
    )  # fmt: skip
    spikes = np.zeros((4, 2), dtype=bool)
    spikes[0, 0] = spikes[2, 1] = True
    run = simulate(network, spikes)
    assert run.updated[0].astype(int).tolist() == [
        [1, 0, 0, 1, 0],  # the input fires; the bias
        [0, 0, 1, 1, 0],  # the events arrive, though they cancel
        [0, 1, 0, 1, 0],
        [0, 0, 1, 1, 0],
    ]
    again = simulate(network, np.vstack([spikes, np.zeros((1, 2), dtype=bool)]))
    assert again.updated[0, 4].astype(int).tolist() == [0, 0, 1, 1, 0]  # it has a potential now
    assert simulate(network, spikes).counts.tolist() == [[2]]


def loop(network: SpikingNetwork, inputs: np.ndarray) -> np.ndarray:
    """Raster (T, N) by a loop over steps, layers and neurons, from tables of weights."""
    tables = [connection.unrolled().toarray() for connection in network.connections]
    out = np.zeros((len(inputs), network.size))
    v, i = np.zeros(network.size), np.zeros(network.size)
    for t, n in np.ndindex(len(inputs), len(network.layers)):
        number = network.order[n]
        layer, first = network.layers[number], network.bounds[number]
        for k in range(layer.neurons):
            at = first + k
            if layer.is_input:
                out[t, at] = inputs[t, k]
                continue
            cells = layer.dynamics
            assert cells is not None
            x = 0.0 if layer.bias is None else layer.bias[k]
            for connection, table in zip(network.connections, tables, strict=True):
                if connection.target == number and t >= connection.delay:
                    base = network.bounds[connection.source]
                    x += table[:, k] @ out[t - connection.delay, base : base + len(table)]
            i[at] = cells.current_decay * i[at] + cells.current_gain * x
            v[at] = cells.decay * v[at] + cells.gain * i[at] + cells.offset
            if cells.reset == "subtract" and t and out[t - 1, at]:
                v[at] -= cells.threshold
            out[t, at] = v[at] >= cells.threshold if cells.at_threshold else v[at] > cells.threshold
            if out[t, at]:
                lowered = v[at] - cells.threshold
                v[at] = {"value": cells.v_reset, "subtract": v[at], "subtract-now": lowered}[cells.reset]
    return out


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["value", "subtract", "subtract-now"]), st.booleans())
def test_a_random_network_does_what_a_loop_over_its_neurons_does(seed, reset, at_threshold):
    draw = np.random.default_rng(seed)
    cells = [
        Neurons(
            decay=draw.random(), gain=draw.random() + 0.5, offset=draw.normal() / 9, v_reset=draw.normal() / 9,
            current_decay=draw.choice([0.0, 0.6]), reset=reset, at_threshold=at_threshold, threshold=0.6,
        )
        for _ in range(3)
    ]  # fmt: skip
    kernel = Convolution(
        source=0,
        target=1,
        shape_in=(1, 4, 4),
        shape_out=(2, 3, 3),
        kernel=(2, 2),
        weights=draw.normal(size=(2, 1, 2, 2)),
    )
    back = sparse.csr_array(draw.normal(size=(5, 18)) * (draw.random((5, 18)) < 0.3))
    links: tuple[Connection, ...] = (
        kernel,
        Dense(source=1, target=3, sources=18, targets=5, weights=draw.normal(size=(5, 18))),
        Sparse(source=3, target=1, delay=2, matrix=back),
        Dense(source=3, target=3, delay=1, sources=5, targets=5, weights=draw.normal(size=(5, 5))),
        Dense(source=0, target=2, delay=1, sources=16, targets=3, weights=draw.normal(size=(3, 16))),
        Dense(source=2, target=3, sources=3, targets=5, weights=draw.normal(size=(5, 3))),
    )
    layers = (
        Layer(1, 4, 4, is_input=True), Layer(2, 3, 3, dynamics=cells[0], bias=draw.normal(size=18)),
        Layer(3, dynamics=cells[1]), Layer(5, dynamics=cells[2]),
    )  # fmt: skip
    network = SpikingNetwork(layers, links)
    inputs = draw.random((2, 12, 16)) < 0.3
    run = simulate(network, inputs)
    for sample in range(2):
        np.testing.assert_array_equal(run.raster[sample], loop(network, inputs[sample]) != 0)


def test_samples_in_blocks_are_the_same_as_all_at_once(monkeypatch):
    draw = np.random.default_rng(4)
    dense = Dense(source=0, target=1, sources=6, targets=4, weights=draw.normal(size=(4, 6)))
    network = SpikingNetwork((Layer(6, is_input=True), Layer(4, dynamics=Neurons(decay=0.9))), (dense,))
    inputs = draw.random((7, 9, 6)) < 0.4
    whole = simulate(network, inputs)
    monkeypatch.setattr(dynamics, "_BLOCK_BYTES", 1300)
    parts = simulate(network, inputs)
    assert (whole.raster == parts.raster).all()
    assert (whole.updated == parts.updated).all()


def test_a_network_without_inputs_runs_for_its_steps():
    network = SpikingNetwork.from_synapses(
        [0], [1], dynamics=Neurons(decay=1.0), bias=[0.6, 0.0], weights=[2.0], steps=4
    )
    assert simulate(network).raster[0].astype(int).tolist() == [[0, 0], [1, 0], [0, 1], [1, 0]]
    assert simulate(network, steps=2).raster.shape == (1, 2, 2)


NETWORK = single(Neurons())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: simulate(NETWORK), InputError, "found no inputs, want spikes or currents of 1 input neurons"),
        (lambda: simulate(NETWORK, np.zeros((2, 3, 4))), InputError, "found 2 x 3 x 4, want samples x steps x 1"),
        (lambda: simulate(NETWORK, np.zeros((0, 3, 1))), InputError, "found 0 x 3 x 1"),
        (lambda: simulate(NETWORK, np.zeros(3)), InputError, "found 3, want samples x steps"),
        (lambda: simulate(NETWORK, [[np.nan]]), InputError, "a value that is not finite"),
        (lambda: simulate(NETWORK, [["a"]]), InputError, "want spikes"),
        (lambda: simulate(NETWORK, np.zeros((5, 1)), steps=4), InputError, "inputs of 5 steps and steps 4"),
        (lambda: simulate(NETWORK, np.broadcast_to(np.uint8(0), (2**16, 2**16, 1))), InputError, "bins, want at most"),
        (lambda: simulate(SpikingNetwork.layered([2, 3]), np.zeros((1, 2))), NetworkError, "layer 1 has no dynamics"),
        (
            lambda: simulate(SpikingNetwork.from_synapses([0], [1], dynamics=Neurons())),
            NetworkError,
            "a connection has no weights",
        ),
        (
            lambda: simulate(single(Neurons(decay=np.ones(3))), np.zeros((2, 1))),
            NetworkError,
            r"layer 1: decay: found shape \(3,\), want a number or 1 of them",
        ),
        (
            lambda: simulate(single(Neurons(threshold=np.nan)), np.zeros((2, 1))),
            NetworkError,
            "threshold: .* not finite",
        ),
        (lambda: simulate(single(Neurons(), delay=10**9), np.zeros((2, 1))), InputError, "GiB of state per sample"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_values_are_kept_only_as_far_as_there_is_room():
    network = single(Neurons(spiking=False))
    with pytest.raises(InputError, match="values to keep"):
        simulate(network, np.broadcast_to(np.uint8(0), (2**15, 2**13, 1)), values=True)


DATA = Path(os.environ.get("DCSIM_DATA", "")) / "cases" / "sanafe"


@pytest.mark.skipif(not (os.environ.get("DCSIM_DATA") and DATA.is_dir()), reason="DCSIM_DATA names no cases/sanafe")
def test_spikes_and_updates_of_the_leaky_neurons_of_sanafe():
    expected = json.loads((DATA / "lif_4k.json").read_text())["results"]["simple"]
    with np.load(DATA / "lif_4k.npz") as arrays:
        case = dict(arrays)
    raster = np.unpackbits(case["raster"], axis=1, count=int(case["raster_shape"][1])).astype(bool)
    network = SpikingNetwork.from_synapses(
        case["pre"], case["post"], neurons=4096, weights=case["weight"], bias=case["bias"], delay=1, steps=len(raster),
        dynamics=Neurons(decay=float(case["leak"]), threshold=float(case["threshold"])),
    )  # fmt: skip
    run = simulate(network)
    assert (run.raster[0] != raster).sum() == 0
    assert run.raster.sum() == expected["neurons_fired"]
    assert run.updated.sum() == expected["neurons_updated"] == 1_182_495
    twice = simulate(replace(network, steps=20))
    assert (twice.raster[0] == raster[:20]).all()
