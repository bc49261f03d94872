"""Reads the HDF5 file of a Neuromorphic Intermediate Representation into nodes and edges, without trusting it.

Layout (package nir, version 1): group `node` is a graph with `nodes/NAME/...` and `edges` (E, 2), names of sender and
receiver; each node has its `type` and its parameters as datasets, and may itself be a graph. Sizes are checked before
anything is loaded; keys that a type does not have are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dcsim.chip.given import MOST_SYNAPSES, NetworkError
from dcsim.chip.nir.texts import Texts
from dcsim.errors import nearest

if TYPE_CHECKING:
    import h5py

#: Type of a node -> parameters that it must have, and those that it may have.
KINDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Input": ((), ("shape",)),
    "Output": ((), ("shape",)),
    "Affine": (("weight", "bias"), ()),
    "Linear": (("weight",), ()),
    "Conv1d": (("weight",), ("bias", "stride", "padding", "dilation", "groups", "input_shape")),
    "Conv2d": (("weight",), ("bias", "stride", "padding", "dilation", "groups", "input_shape")),
    "SumPool2d": (("kernel_size",), ("stride", "padding")),
    "AvgPool2d": (("kernel_size",), ("stride", "padding")),
    "Flatten": ((), ("start_dim", "end_dim", "input_type")),
    "Scale": (("scale",), ()),
    "Delay": (("delay",), ()),
    "Threshold": (("threshold",), ()),
    "I": (("r",), ()),
    "IF": (("r", "v_threshold"), ("v_reset",)),
    "LI": (("tau", "r", "v_leak"), ()),
    "LIF": (("tau", "r", "v_leak", "v_threshold"), ("v_reset",)),
    "CubaLI": (("tau_mem", "tau_syn", "r", "v_leak"), ("w_in",)),
    "CubaLIF": (("tau_mem", "tau_syn", "r", "v_leak", "v_threshold"), ("v_reset", "w_in")),
}

_MOST_NODES = 10_000
_MOST_EDGES = 100_000
_DEEPEST = 32
_LONGEST_NAME = 200


@dataclass(frozen=True, eq=False)
class Node:
    """A node that is no graph: where it is in words, its type, and its parameters as arrays, or texts."""

    where: str
    kind: str
    given: Mapping[str, npt.NDArray[Any] | str]


@dataclass
class Graph:
    """Nodes by name and edges from name to name. Nodes of nested graphs are named OUTER.INNER.

    An Input or Output of a nested graph only passes on what it gets.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)


def load(path: str | Path) -> Graph:
    """All nodes and edges of a file. Raises NetworkError, which names the file and the node."""
    try:
        import h5py
    except ImportError:
        raise NetworkError("reading NIR files needs the package nir; pip install 'dcsim[nir]'") from None
    name = Path(path).name
    if not Path(path).is_file():
        raise NetworkError(f"{name}: found no such file")
    try:
        with closing(Texts(Path(path))) as texts, h5py.File(path, "r") as file:
            root = file.get("node")
            if not isinstance(root, h5py.Group):
                raise NetworkError(f"{name}: no NIR file: it has no group 'node'")
            graph, source = Graph(), _Source(texts)
            kind = source.kind(root, name)
            if kind == "NIRGraph":
                _read_graph(root, name, "", graph, source)
            else:
                graph.nodes[kind.lower()] = _read_node(root, kind, f"{name}: node", source)
            return graph
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, MemoryError) as error:
        said = " ".join(str(error).split())[:120]
        raise NetworkError(f"{name}: cannot be read as a NIR file (HDF5): {said}") from None


@dataclass
class _Source:
    """Texts of a file, and how much may still be read of it."""

    texts: Texts
    nodes: int = _MOST_NODES
    numbers: int = 2 * MOST_SYNAPSES

    def kind(self, group: h5py.Group, where: str) -> str:
        """Type of a node."""
        return self.texts.of(_dataset(group, "type", where))[0]

    def spend(self, where: str, nodes: int = 0, numbers: int = 0) -> None:
        self.nodes -= nodes
        self.numbers -= numbers
        if self.nodes < 0:
            raise NetworkError(f"{where}: found more than {_MOST_NODES:,} nodes")
        if self.numbers < 0:
            raise NetworkError(f"{where}: found more than {2 * MOST_SYNAPSES:,} numbers in one file")


def _read_graph(group: h5py.Group, where: str, prefix: str, graph: Graph, source: _Source) -> tuple[str, str]:
    """Add a graph to `graph`; names of the nodes at which it is entered and left, for nested ones."""
    if where.count(": node ") > _DEEPEST:
        raise NetworkError(f"{where[:120]}: graphs nested more than {_DEEPEST} deep")
    ends: dict[str, tuple[str, str]] = {}
    for key, inner in _members(_group(group, "nodes", where), where):
        at, name = f"{where}: node {key!r}", prefix + key
        source.spend(at, nodes=1)
        kind = source.kind(inner, at)
        if kind == "NIRGraph":
            ends[key] = _read_graph(inner, at, f"{name}.", graph, source)
            continue
        if name in graph.nodes:
            raise NetworkError(f"{at}: found two nodes of the name {name!r}")
        graph.nodes[name] = _read_node(inner, kind, at, source)
        ends[key] = name, name
    edges = _edges(group, where, source)
    for ahead, behind in edges:
        for end in (ahead, behind):
            if end not in ends:
                raise NetworkError(f"{where}: an edge names the node {end[:60]!r}{nearest(end, ends)}")
        graph.edges.append((ends[ahead][1], ends[behind][0]))
    return ("", "") if not prefix else _doors(where, prefix, ends, edges, graph)


def _doors(
    where: str, prefix: str, ends: Mapping[str, tuple[str, str]], edges: list[tuple[str, str]], graph: Graph
) -> tuple[str, str]:
    """Where a nested graph is entered and left: its Input and Output, or else its only first and last node."""
    found = []
    for kind, side in (("Input", 1), ("Output", 0)):
        named = [key for key in ends if prefix + key in graph.nodes and graph.nodes[prefix + key].kind == kind]
        met = {edge[side] for edge in edges}
        doors = named or [key for key in ends if key not in met]
        if len(doors) != 1:
            raise NetworkError(f"{where}: found {len(doors)} nodes to serve as {kind} of a nested graph, want one")
        found.append(doors[0])
    return ends[found[0]][0], ends[found[1]][1]


def _edges(group: h5py.Group, where: str, source: _Source) -> list[tuple[str, str]]:
    dataset = _dataset(group, "edges", where)
    if dataset.shape in ((0,), (0, 2)):
        return []
    if len(dataset.shape) != 2 or dataset.shape[1] != 2 or dataset.shape[0] > _MOST_EDGES:
        raise NetworkError(f"{where}: edges: found shape {dataset.shape}, want up to {_MOST_EDGES:,} pairs of names")
    names = source.texts.of(dataset)
    return sorted(set(zip(names[::2], names[1::2], strict=True)))


def _read_node(group: h5py.Group, kind: str, where: str, source: _Source) -> Node:
    import h5py

    if kind not in KINDS:
        raise NetworkError(f"{where}: unknown type {kind[:60]!r}; known are {', '.join(KINDS)} and NIRGraph")
    must, may = KINDS[kind]
    given: dict[str, npt.NDArray[Any] | str] = {}
    for key in (*must, *may):
        if key not in group:
            if key in must:
                raise NetworkError(f"{where}: {kind} without {key}")
            continue
        dataset = _dataset(group, key, f"{where}: {key}")
        if dataset.shape is None:  # HDF5's empty dataset: not given
            continue
        source.spend(where, numbers=dataset.size)
        if h5py.check_string_dtype(dataset.dtype) is not None and dataset.size == 1:
            given[key] = source.texts.of(dataset)[0]
        else:
            given[key] = _numbers(dataset, f"{where}: {key}")
    return Node(f"{where} ({kind})", kind, given)


def _numbers(dataset: h5py.Dataset, where: str) -> npt.NDArray[Any]:
    if dataset.dtype.kind not in "biuf":
        raise NetworkError(f"{where}: found {dataset.dtype}, want numbers")
    array = np.asarray(dataset[()])
    if not np.isfinite(array).all():
        raise NetworkError(f"{where}: found a value that is not finite")
    return array


def _members(group: h5py.Group, where: str, prefix: str = "") -> Iterator[tuple[str, h5py.Group]]:
    """Nodes of a graph by name. HDF5 splits names at slashes: a group of groups is the first part of a name."""
    import h5py

    for key in group:
        inner = _group(group, key, where)
        if not key.isprintable() or len(key) > _LONGEST_NAME:
            raise NetworkError(
                f"{where}: node {key[:40]!r}: want a printable name of at most {_LONGEST_NAME} characters"
            )
        if "type" in inner:
            yield prefix + key, inner
        elif (
            len(inner)
            and prefix.count("/") < _DEEPEST
            and all(inner.get(k, getclass=True) is h5py.Group for k in inner)
        ):
            yield from _members(inner, where, f"{prefix}{key}/")
        else:
            raise NetworkError(f"{where}: node {prefix + key!r}: found no type")


def _group(group: h5py.Group, key: str, where: str) -> h5py.Group:
    import h5py

    if not isinstance(group.get(key, getlink=True), h5py.HardLink) or not isinstance(group[key], h5py.Group):
        raise NetworkError(f"{where}: {key!r}: found no group of its own")
    return group[key]


def _dataset(group: h5py.Group, key: str, where: str) -> h5py.Dataset:
    """A dataset whose data lie in this very file."""
    import h5py

    if key not in group:
        raise NetworkError(f"{where}: found no {key!r}")
    linked = not isinstance(group.get(key, getlink=True), h5py.HardLink)
    dataset = None if linked else group[key]
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
        raise NetworkError(f"{where}: {key!r}: found no data in the file itself")
    if dataset.shape is not None and dataset.size > MOST_SYNAPSES:
        found = " x ".join(map(str, dataset.shape))
        raise NetworkError(f"{where}: {key!r}: found {found} numbers, want at most {MOST_SYNAPSES:,}")
    return dataset
