"""Networks written as lists of layers, in Python and in files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import seeds
from dcsim.chip import Convolution, Dense, NetworkError, Sparse, SpikingNetwork, layers


def test_mappings_and_rows_say_the_same():
    rows = SpikingNetwork.layered([[2, 8, 8], [4, 4, 4, 3, 2, 1, 2], [4, 2, 2, 2, 2, 0, 4], 10])
    mappings = SpikingNetwork.layered(
        [[2, 8, 8], {"conv": 4, "kernel": 3, "stride": 2, "padding": 1, "groups": 2}, {"pool": 2}, {"dense": 10}]
    )
    assert rows.digest == mappings.digest
    assert [layer.shape for layer in rows.layers] == [(2, 8, 8), (4, 4, 4), (4, 2, 2), (10, 1, 1)]
    kinds = [type(connection) for connection in rows.connections]
    assert kinds == [Convolution, Convolution, Dense]


def test_kernels_may_have_rows_and_columns_of_their_own():
    network = SpikingNetwork.layered([[1, 6, 9], {"conv": 2, "kernel": [3, 1], "stride": [1, 2], "padding": [1, 0]}])
    assert network.layers[1].shape == (2, 6, 5)
    assert network.synapses == 2 * (6 * 3 - 2) * 5


def test_a_recurrent_layer_reaches_itself_a_step_later():
    network = SpikingNetwork.layered([3, {"dense": 4, "recurrent": True, "name": "loop"}])
    forward, back = network.connections
    assert (back.source, back.target, back.delay) == (1, 1, 1)
    assert (forward.synapses, back.synapses) == (12, 16)
    assert network.label(1) == "layer loop"


def test_drawn_synapses_are_different_sources_and_follow_from_the_seed():
    def drawn(seed: int) -> SpikingNetwork:
        return SpikingNetwork.layered([50, {"sparse": 30, "fan_in": 20, "seed": seed}])

    (connection,) = drawn(1).connections
    assert isinstance(connection, Sparse)
    assert connection.matrix.nnz == 600
    assert connection.fan_in().tolist() == [20] * 30
    assert drawn(1).digest == drawn(1).digest != drawn(2).digest


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 100))
def test_rows_of_different_numbers(among, rows, seed):
    columns = 1 + seed % among
    found = layers.different(seeds.generator(seed, 0, "test"), among, rows, columns)
    assert found.shape == (rows, columns)
    assert all(len(set(row)) == columns and min(row) >= 0 and max(row) < among for row in found.tolist())


@pytest.mark.parametrize("columns", [3, 7])
def test_every_source_is_drawn_as_often_as_any_other(columns):
    found = layers.different(seeds.generator(5, 0, "test"), 10, 20_000, columns)
    counts = np.bincount(found.ravel(), minlength=10)
    expected = 20_000 * columns / 10
    assert np.abs(counts / expected - 1.0).max() < 5.0 / np.sqrt(expected)


def test_a_large_drawn_layer_takes_no_time_per_neuron():
    network = SpikingNetwork.layered([10_000, {"sparse": 50_000, "fan_in": 16}])
    assert network.synapses == 800_000


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ([], "found 0 layers, want at least 2"),
        ([{"dense": 3}, 2], "layer 0: the input is a number of neurons or"),
        ([[1, 2], 2], "layer 0: found 2 numbers, want 1, 3 or 7"),
        ([0, 2], "layer 0: found channels 0"),
        ([5, {"dens": 3}], "layer 1: found dens, want one of dense, conv, pool, sparse"),
        ([5, {"dense": 3, "conv": 2}], "layer 1: found dense, conv, want one of"),
        ([5, {"dense": 3, "kernal": 2}], "layer 1: unknown key 'kernal' of a dense layer"),
        ([5, {"dense": -3}], "layer 1: found dense -3"),
        ([5, {"dense": True}], "layer 1: found dense True"),
        ([5, {"dense": 3, "recurrent": "yes"}], "layer 1: found recurrent 'yes', want true or false"),
        ([5, {"dense": 3, "name": 7}], "layer 1: found name 7, want a text"),
        ([[1, 4, 4], {"conv": 3}], "layer 1: found kernel None, want a whole number"),
        ([[1, 4, 4], {"conv": 3, "kernel": [1, 2, 3]}], r"found kernel \[1, 2, 3\], want a whole number or"),
        ([[1, 4, 4], {"conv": 3, "kernel": 9}], "kernel 9 is larger than 4 x 4"),
        ([[3, 4, 4], {"conv": 4, "kernel": 1, "groups": 2}], "found 2 groups, want a divisor of 3 channels in and 4"),
        ([5, {"sparse": 3, "fan_in": 6}], "found fan_in 6, want at most the 5 neurons of the layer before"),
        ([2**20, {"sparse": 2**20, "fan_in": 1000}], "found 1,048,576,000 drawn synapses, want at most"),
        ([5, 2**30], "layer 1: found 1073741824 neurons, want at most"),
    ],
)
def test_a_list_that_cannot_be_right_is_refused_in_one_line(written, message):
    with pytest.raises(NetworkError, match=message) as caught:
        SpikingNetwork.layered(written, name="mine")
    assert str(caught.value).startswith("mine")
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- files


def test_a_file_holds_a_network(tmp_path):
    path = tmp_path / "gesture.yaml"
    path.write_text(
        "steps: 20\nrates: [0.1, 0.05, 0.02]\nlayers:\n- [2, 8, 8]\n- {conv: 4, kernel: 3, padding: 1}\n- 10\n"
    )
    network = layers.load(path)
    assert (network.name, network.steps, network.neurons) == ("gesture", 20, 4 * 64 + 10)
    assert network.rates.tolist() == [[0.1, 0.05, 0.02]]
    path.write_text("{name: other, layers: [4, 2]}")
    assert layers.load(path).name == "other"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no 'layers', want name, steps, rates, layers"),
        ("[1, 2]", "found no 'layers'"),
        ("layers: [4, 2]\nstep: 3", "unknown key 'step'; did you mean 'steps'?"),
        ("layers: [4, 2]\nlayers: [4, 3]", "line 2: 'layers' is there twice"),
        ("layers: [4, 2", "expected ',' or ']'"),
        ("layers: &a [4, *a]", "line 1: YAML anchors and aliases are not allowed"),
        ("layers: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("layers: " + "[" * 40 + "]" * 40, "nested deeper than 12 levels"),
        ("layers: 4", "want a text as name and a list as layers"),
        ("layers: [4, null]", "layer 1: found None, want a number, a list or a mapping"),
        ("layers: [4, 2]\nname: 3", "want a text as name"),
        ("layers: [4, 2]\nsteps: many", "found steps 'many', want a whole number"),
        ("layers: [4, 2]\nsteps: 0", "found 0 steps"),
        ("layers: [4, 2]\nrates: high", "rates: found no table of numbers"),
        ("layers: [4, 2]\nrates: -0.1", "rates: found -0.1"),
        ("layers: [4, 2]\nrates: .nan", "rates: found nan"),
        ("layers: [4, .inf]", "layer 1: found channels inf"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "net.yaml"
    path.write_text(text)
    with pytest.raises(NetworkError) as caught:
        layers.load(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(NetworkError, match=r"none\.yaml: cannot be read: No such file"):
        layers.load(tmp_path / "none.yaml")
    with pytest.raises(NetworkError, match="cannot be read: Is a directory"):
        layers.load(tmp_path)
    (tmp_path / "wide.yaml").write_bytes(b"layers: [4, 2]\nname: \xff\xfe")
    with pytest.raises(NetworkError, match=r"wide\.yaml: is not UTF-8 text"):
        layers.load(tmp_path / "wide.yaml")
    (tmp_path / "large.yaml").write_text("# " + "x" * 1_000_000)
    with pytest.raises(NetworkError, match=r"large\.yaml: found more than 1,000,000 bytes"):
        layers.load(tmp_path / "large.yaml")


def test_sizes_may_be_numbers_of_numpy():
    made = SpikingNetwork.layered([np.array([2, 4, 4]), np.int64(5), np.float64(3)])
    assert [layer.shape for layer in made.layers] == [(2, 4, 4), (5, 1, 1), (3, 1, 1)]


@pytest.mark.parametrize("written", [[5, None], [None, 5], [5, {3}]])
def test_a_layer_that_is_no_number_list_or_mapping_is_refused(written):
    with pytest.raises(NetworkError, match="want a number, a list or a mapping"):
        SpikingNetwork.layered(written)


@pytest.mark.parametrize("steps", ["ten", None])
def test_steps_that_are_no_number_are_refused(steps):
    with pytest.raises(NetworkError, match=r"found steps .*, want a whole number from 1"):
        SpikingNetwork.layered([5, 5], steps=steps)
