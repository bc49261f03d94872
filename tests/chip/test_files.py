"""Networks by name: files of every kind, and models of the catalog."""

from __future__ import annotations

import struct
import zipfile

import numpy as np
import pytest

from dcsim.chip import NetworkError, files
from dcsim.errors import CatalogError


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def lif(path):
    """Three neurons in a chain, the first an input."""
    return saved(
        path, pre=np.array([0, 1]), post=np.array([1, 2]), weight=np.array([2.0, -1.0]), bias=np.array([0.0, 0.5, 0.0]),
        threshold=1.5, leak=0.9, kind=np.array([0, 2, 2], dtype=np.int8), core=np.array([4, 4, 7], dtype=np.int16),
    )  # fmt: skip


def test_explicit_synapses_with_dynamics_and_a_placement(tmp_path):
    network, placement = files.load_npz(lif(tmp_path / "chain.npz"))
    (layer,) = network.layers
    assert (network.name, network.size, network.synapses, network.runs) == ("chain", 3, 2, True)
    assert network.is_free.tolist() == [True, False, False]
    assert (float(layer.dynamics.threshold), float(layer.dynamics.decay)) == (1.5, 0.9)
    assert layer.bias.tolist() == [0.0, 0.5, 0.0]
    assert network.connections[0].delay == 1
    assert placement.core_of_neuron.tolist() == [4, 4, 7]


def test_ends_are_enough_and_empty_arrays_say_nothing(tmp_path):
    path = saved(tmp_path / "bare.npz", pre=[0, 1], post=[1, 4], weight=[], bias=[], raster=np.zeros((2, 5)))
    network, placement = files.load_npz(path)
    assert (network.size, network.runs, placement) == (5, False, None)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pre": [0]}, "found no array 'post'"),
        ({"post": [0], "pr": [0]}, "found no array 'pre', want pre and post"),
        ({"pre": [0], "post": ["x"]}, "post: found <U1 values, want numbers"),
        ({"pre": [[0]], "post": [1]}, "pre: found shape (1, 1), want a list of at most 100,000,000 numbers"),
        ({"pre": [0], "post": [1], "weight": [np.nan]}, "weights: found nan, want finite numbers"),
        (
            {"pre": [0], "post": [1], "weight": [1.0, 2.0]},
            "weight: found 2 numbers, want one per synapse: the others have 1",
        ),
        ({"pre": [0, 1, 2], "post": [1], "weight": [1.0]}, "pre: found 3 numbers, want one per synapse"),
        (
            {"pre": [0], "post": [1], "threshold": [1.0, 1.0], "core": [0, 1, 1]},
            "want one number per neuron in each: core 3, threshold 2",
        ),
        ({"pre": [0], "post": [1], "threshold": np.inf}, "threshold: found inf, want finite numbers"),
        ({"pre": [0], "post": [1], "core": [0, 0, 1], "kind": [1, 1]}, "one number per neuron in each: kind 2, core 3"),
        (
            {"pre": [0], "post": [1], "core": [0, 1], "kind": [0, 1], "bias": [0.0] * 3},
            "bias: found 3 numbers, want",
        ),
        (
            {"pre": [0], "post": [1], "core": [0, 1], "kind": [0, 1, 1], "bias": [0.0] * 2},
            "kind: found 3 numbers",
        ),
        ({"pre": [0], "post": [1], "kind": 1}, "kind: found a single number, want one per neuron"),
        ({"pre": 0, "post": [1]}, "pre: found a single number, want one per synapse"),
        ({"pre": [0], "post": [1], "kind": [0, 3]}, "kind: found 3, want 0 (only sends spikes), 1 or 2"),
        ({"pre": [0], "post": [1], "kind": [0, -1]}, "kind: found -1, want 0"),
        ({"pre": [0], "post": [1], "kind": [0.5, 1]}, "kind: found 0.5, want 0"),
        ({"pre": [0], "post": [5], "core": [0, 0, 1]}, "post: found neuron 5, want a whole number from 0 to 2"),
        ({"pre": [], "post": []}, "found 0 neurons"),
    ],
)
def test_arrays_that_cannot_be_right_are_refused_in_one_line(tmp_path, arrays, message):
    path = tmp_path / "net.npz"
    np.savez(path, **arrays)
    with pytest.raises(NetworkError) as caught:
        files.load_npz(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_number_that_is_astray_makes_no_millions_of_neurons(tmp_path):
    path = tmp_path / "stray.npz"
    np.savez(path, pre=np.array([0, 1, 2]), post=np.array([1, 2, 10_000_000]))
    with pytest.raises(NetworkError, match=r"stray.npz: names neuron 10,000,000, but only 4 neurons have a synapse"):
        files.load_npz(path)


def test_an_array_that_would_be_ignored_is_refused(tmp_path):
    path = tmp_path / "more.npz"
    np.savez(path, pre=np.array([0]), post=np.array([1]), weights=np.array([1.0]))
    with pytest.raises(NetworkError, match=r"more.npz: unknown array 'weights'; did you mean 'weight'\?"):
        files.load_npz(path)


def test_pickled_objects_are_refused(tmp_path):
    path = tmp_path / "net.npz"
    np.savez(path, pre=np.array([{}], dtype=object), post=np.array([1]))
    with pytest.raises(NetworkError, match="pre: found object values, want numbers"):
        files.load_npz(path)


def npy(shape: str, data: bytes) -> bytes:
    head = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (npy("(1000000000000,)", b""), "want a list of at most 100,000,000 numbers"),
        (npy("(90000000,)", b"12345678"), "bytes, want those of 90,000,000 numbers"),
        (npy("(2,)", b"12345678"), "bytes, want those of 2 numbers"),
        (npy("(2, ", b""), "is no sound .npz file"),
        (b"\x93NUMPY\x09\x00", "found an array of version (9, 0)"),
        (b"nonsense", "is no sound .npz file"),
        (b"", "is no sound .npz file"),
    ],
)
def test_a_member_that_lies_about_its_size_is_refused_before_memory_is_taken(tmp_path, member, message):
    path = tmp_path / "net.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pre.npy", member)
        archive.writestr("post.npy", npy("(1,)", b"12345678"))
    with pytest.raises(NetworkError) as caught:
        files.load_npz(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused(tmp_path):
    path = lif(tmp_path / "net.npz")
    whole = path.read_bytes()
    for content in (b"", b"PK", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(NetworkError, match=r"net\.npz: is no sound \.npz file"):
            files.load_npz(path)
    with pytest.raises(NetworkError, match=r"none\.npz: cannot be read: No such file"):
        files.load_npz(tmp_path / "none.npz")


def test_the_ending_tells_how_a_file_is_read(tmp_path):
    (tmp_path / "a.yml").write_text("layers: [4, 2]")
    assert files.load(tmp_path / "a.yml").size == 6
    assert files.load(str(lif(tmp_path / "chain.npz"))).size == 3
    assert files.load("kws").name == "kws"


def test_steps_and_rates_take_the_place_of_those_of_the_source(tmp_path):
    network = files.load(lif(tmp_path / "chain.npz"), steps=7, rates=0.25)
    assert (network.steps, network.rates.tolist()) == (7, [[0.25]])
    assert files.load("kws", rates=[0.5, 0.1, 0.1, 0.1]).rates.tolist() == [[0.5, 0.1, 0.1, 0.1]]
    with pytest.raises(NetworkError, match="rates: found 2, want spikes per neuron and step from 0 to 1"):
        files.load("kws", rates=2.0)
    with pytest.raises(NetworkError, match="found 0 steps"):
        files.load("kws", steps=0)


def test_an_unknown_name_or_ending_is_told_with_what_is_read(tmp_path):
    with pytest.raises(CatalogError, match=r"no model 'kwss'; did you mean 'kws'\?; a file of a network ends in \.nir"):
        files.load("kwss")
    (tmp_path / "net.onnx").write_text("")
    with pytest.raises(NetworkError, match=r"net\.onnx: want a file that ends in \.nir, \.yaml, \.yml, \.npz"):
        files.load(tmp_path / "net.onnx")
    with pytest.raises(NetworkError, match=r"found options of a \.nir file: dt"):
        files.load("kws", dt=1e-3)
