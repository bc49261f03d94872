"""Spiking networks: layers of neurons, connections between them, steps and rates.

Neurons are numbered layer by layer, and within a layer channel by channel, row by row: index = (channel x height + row)
x width + column. Input neurons only send spikes; they cost a chip neither energy nor time for themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dcsim.catalog import Entry
from dcsim.chip.connections import STORAGES, Connection, Convolution, Dense, Sparse, Storage
from dcsim.chip.given import (
    MOST_NEURONS,
    BoolArray,
    NetworkError,
    Rates,
    check_finite,
    check_length,
    mask,
    numbers_of,
    rate_table,
    whole,
    whole_range,
    whole_steps,
)
from dcsim.chip.neurons import Neurons
from dcsim.errors import PlacementError
from dcsim.service import FloatArray, IntArray

_MOST_LAYERS = 10_000


@dataclass(frozen=True, eq=False)
class Layer:
    """Neurons in channels x height x width; without rows and columns, all of them are channels."""

    channels: int
    height: int = 1
    width: int = 1
    name: str = ""
    is_input: bool = False
    """its neurons only send spikes: they come from outside"""
    dynamics: Neurons | None = None
    """what its neurons do in a step; None: only their spikes are known, or their rates"""
    bias: FloatArray | None = None
    """constant current into each neuron in every step, shape (neurons,)"""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)"""
        return self.channels, self.height, self.width

    @property
    def plane(self) -> int:
        """neurons of one channel"""
        return self.height * self.width

    @property
    def neurons(self) -> int:
        """neurons of the layer"""
        return self.channels * self.plane


@dataclass(frozen=True, eq=False)
class SpikingNetwork:
    """Layers, connections, steps per inference and firing rates. Arrays are not to be changed once it is made.

    Raises NetworkError when the parts do not fit together, or when connections without delay close a cycle.
    """

    layers: tuple[Layer, ...]
    connections: tuple[Connection, ...]
    steps: int = 1
    rates: FloatArray = field(default_factory=lambda: np.zeros((1, 0)))
    """mean spikes per neuron and step: one row for all steps or one per step, one column per layer; no columns: not
    known"""
    name: str = "network"
    free: BoolArray | None = None
    """input neurons, shape (all neurons,), where that is not a matter of whole layers"""
    frames: int = 1
    """passes through the layers that one inference takes in dense form, which has no steps"""

    def __post_init__(self) -> None:
        _check_sizes(self)
        for number, layer in enumerate(self.layers):
            if layer.bias is not None:
                check_finite(f"{self.name}, {self.label(number)}", "bias", layer.bias)
        try:
            self.order  # noqa: B018  (finds cycles)
        except CycleError as error:
            names = " -> ".join(self.label(number) for number in reversed(error.args[1]))
            raise NetworkError(f"{self.name}: {names} is a cycle without delay; want at least 1 step in it") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpikingNetwork) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    # ------------------------------------------------------------ made from

    @classmethod
    def layered(
        cls,
        layers: Sequence[int | Sequence[float] | Mapping[str, object]],
        *,
        steps: float = 1,
        rates: Rates = 0.0,
        name: str = "network",
    ) -> SpikingNetwork:
        """Network from layer sizes (an int is a dense layer), rows of seven numbers or mappings, input first.

        Rows and mappings are described in `dcsim.chip.layers`. `rates` is one rate for all layers, one per layer, or a
        table of shape (steps, layers). Raises NetworkError.
        """
        from dcsim.chip.layers import built

        made, connections = built(layers, name)
        count = whole_steps(name, steps)
        return cls(made, connections, count, rate_table(name, rates, count, len(made)), name)

    @classmethod
    def from_synapses(
        cls,
        pre: npt.ArrayLike,
        post: npt.ArrayLike,
        *,
        neurons: int | None = None,
        weights: npt.ArrayLike | None = None,
        inputs: npt.ArrayLike | None = None,
        dynamics: Neurons | None = None,
        bias: npt.ArrayLike | None = None,
        delay: int = 1,
        storage: Storage = "dense",
        steps: float = 1,
        rates: Rates = 0.0,
        name: str = "network",
    ) -> SpikingNetwork:
        """Network of explicit synapses from neuron `pre[k]` to neuron `post[k]`, in one layer.

        `inputs` are the numbers of the neurons that only send spikes, or a mask of shape (neurons,); `delay` the steps
        that every spike takes, at least 1 where there are cycles; `storage` how a chip stores the synapses. Raises
        NetworkError for a number outside the network, a weight that is not finite and more than `MOST_SYNAPSES`.
        """
        for end, given in (("pre", pre), ("post", post)):
            check_length(name, end, given)
        sources, targets = (np.asarray(ends) for ends in (pre, post))
        if sources.shape != targets.shape or sources.ndim != 1:
            raise NetworkError(f"{name}: found pre {sources.shape} and post {targets.shape}, want two equal lists")
        bounds = [whole_range(name, end, numbers) for end, numbers in (("pre", sources), ("post", targets))]
        count = max(high for _, high in bounds) + 1 if neurons is None else whole(name, "neurons", neurons)
        if not 1 <= count <= MOST_NEURONS:
            raise NetworkError(f"{name}: found {count:,} neurons, want 1 to {MOST_NEURONS:,}")
        for end, (low, high) in zip(("pre", "post"), bounds, strict=True):
            if low < 0 or high >= count:
                wrong = low if low < 0 else high
                raise NetworkError(f"{name}: {end}: found neuron {wrong}, want a whole number from 0 to {count - 1}")
        if storage not in STORAGES:
            raise NetworkError(f"{name}: found storage {storage!r}, want one of {', '.join(STORAGES)}")
        weight = None
        if weights is not None:
            check_length(name, "weights", weights)
            weight = numbers_of(name, "weights", weights)
            if weight.shape != sources.shape:
                raise NetworkError(f"{name}: weights: found shape {weight.shape}, want one per synapse")
        matrix, multiplicity = _matrices(sources, targets, weight, count)
        connection = Sparse(
            source=0, target=0, delay=delay, matrix=matrix, multiplicity=multiplicity, known=weights is not None,
            stored=storage,
        )  # fmt: skip
        current = None if bias is None else numbers_of(name, "bias", bias)
        if current is not None and current.shape not in ((), (count,)):
            raise NetworkError(f"{name}: bias: found shape {current.shape}, want one number or {count:,}")
        current = None if current is None else np.broadcast_to(current, (count,))
        layer = Layer(count, name="neurons", dynamics=dynamics, bias=current)
        length = whole_steps(name, steps)
        table = rate_table(name, rates, length, 1)
        return cls((layer,), (connection,), length, table, name, mask(name, inputs, count))

    @classmethod
    def from_nir(cls, path: str | Path, **options: Any) -> SpikingNetwork:
        """Network of a Neuromorphic Intermediate Representation file; options as in `dcsim.chip.nir.read`."""
        from dcsim.chip.nir import read

        return read(path, **options)

    @classmethod
    def of(cls, model: Entry) -> SpikingNetwork:
        """Network of a catalog model. Raises PlacementError when the model has no spiking form."""
        missing = [key for key in ("snn_layers", "snn_rates", "snn_steps") if key not in model]
        if missing:
            raise PlacementError(f"{model.name}: no spiking form (the catalog has no {', '.join(missing)})")
        layers: list[int | Sequence[float]] = model.array("snn_layers").tolist()
        rates: list[float] = model.array("snn_rates").tolist()
        made = cls.layered(layers, steps=model["snn_steps"], rates=rates, name=model.name)
        return replace(made, frames=int(model.get("frames", 1.0)))

    # ------------------------------------------------------------ asked for

    @cached_property
    def bounds(self) -> IntArray:
        """Number of the first neuron of each layer, and at the end that of all, shape (layers + 1,)."""
        return np.cumsum([0, *(layer.neurons for layer in self.layers)])

    @property
    def size(self) -> int:
        """all neurons, inputs included"""
        return int(self.bounds[-1])

    @cached_property
    def is_free(self) -> BoolArray:
        """Which neurons are inputs, shape (all neurons,)."""
        if self.free is not None:
            return self.free
        return np.repeat([layer.is_input for layer in self.layers], np.diff(self.bounds))

    @property
    def neurons(self) -> int:
        """neurons, the inputs left out"""
        return self.size - int(self.is_free.sum())

    @property
    def synapses(self) -> int:
        """synapses, edge-exact: a kernel tap that falls on the padding is none"""
        return sum(connection.synapses for connection in self.connections)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Layers so that each comes after those that reach it in the same step."""
        before: dict[int, set[int]] = {number: set() for number in range(len(self.layers))}
        for connection in self.connections:
            if connection.delay == 0:
                before[connection.target].add(connection.source)
        return tuple(TopologicalSorter(before).static_order())

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """Layers that send nothing to another one; none in a network of a single layer."""
        if len(self.layers) == 1:
            return ()
        sending = {connection.source for connection in self.connections if connection.source != connection.target}
        return tuple(n for n, layer in enumerate(self.layers) if n not in sending and not layer.is_input)

    @property
    def runs(self) -> bool:
        """whether every layer has dynamics and every connection weights, so that input spikes can be followed"""
        known = all(layer.dynamics is not None for layer in self.layers if not layer.is_input)
        return known and all(connection.weighted for connection in self.connections)

    def label(self, number: int) -> str:
        """How messages call a layer."""
        return f"layer {self.layers[number].name or number}"

    def rate_table(self) -> FloatArray:
        """Rates of shape (steps, layers), spikes per neuron and step."""
        return np.broadcast_to(self.rates, (self.steps, len(self.layers)))

    @cached_property
    def digest(self) -> str:
        """Hash of everything that the network is, its name included: equal networks have equal ones."""
        content = hashlib.sha256()
        _feed(content, self)
        return content.hexdigest()


def _feed(content: hashlib._Hash, value: object) -> None:
    """Add a value, and what it is made of, to a hash."""
    if isinstance(value, np.ndarray):
        content.update(f"{value.dtype.str}{value.shape}".encode())
        content.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, sparse.csr_array):
        for part in (value.data, value.indices, value.indptr, np.array(value.shape)):
            _feed(content, part)
    elif isinstance(value, tuple):
        for part in value:
            _feed(content, part)
    elif hasattr(value, "__dataclass_fields__"):
        content.update(type(value).__name__.encode())
        for key in value.__dataclass_fields__:
            _feed(content, getattr(value, key))
    else:
        content.update(repr(value).encode())
    content.update(b";")


def _check_sizes(network: SpikingNetwork) -> None:
    name, layers = network.name, network.layers
    if not 1 <= len(layers) <= _MOST_LAYERS:
        raise NetworkError(f"{name}: found {len(layers)} layers, want 1 to {_MOST_LAYERS}")
    total = sum(layer.neurons for layer in layers)
    if not 1 <= total <= MOST_NEURONS:
        raise NetworkError(f"{name}: found {total:,} neurons, want 1 to {MOST_NEURONS:,}")
    for connection in network.connections:
        for end in (connection.source, connection.target):
            if not 0 <= end < len(layers):
                raise NetworkError(f"{name}: a connection names layer {end}, want 0 to {len(layers) - 1}")
        if not (connection.delay >= 0 and connection.delay % 1 == 0):
            raise NetworkError(f"{name}: found a delay of {connection.delay} steps, want a whole number from 0")
        _check_ends(network, connection)
        if layers[connection.target].is_input:
            raise NetworkError(f"{name}: a connection leads into {network.label(connection.target)}, an input")


def _check_ends(network: SpikingNetwork, connection: Connection) -> None:
    """Refuse a connection of other sizes than its layers', and weights that are not finite."""
    weights = connection.matrix.data if isinstance(connection, Sparse) else None
    if isinstance(connection, Sparse):
        found = connection.matrix.shape
    elif isinstance(connection, Dense | Convolution):
        found, weights = (connection.sources, connection.targets), connection.weights
    else:
        return
    want = network.layers[connection.source].neurons, network.layers[connection.target].neurons
    where = f"{network.name}, {network.label(connection.source)} to {network.label(connection.target)}"
    if tuple(found) != want:
        raise NetworkError(
            f"{where}: found a connection of {found[0]} to {found[1]} neurons, want {want[0]} to {want[1]}"
        )
    if weights is not None:
        check_finite(where, "weights", weights)


def _matrices(
    sources: npt.NDArray[np.number], targets: npt.NDArray[np.number], weight: FloatArray | None, count: int
) -> tuple[sparse.csr_array, sparse.csr_array | None]:
    """Weights, and how many synapses there are where some pairs have several, both (neurons, neurons)."""
    ends = sources.astype(np.int32, copy=False), targets.astype(np.int32, copy=False)
    data = np.ones(len(sources)) if weight is None else weight
    matrix = sparse.csr_array(sparse.coo_array((data, ends), shape=(count, count)))
    if matrix.nnz == len(sources):
        return matrix, None
    ones = np.ones(len(sources), dtype=np.int64)
    return matrix, sparse.csr_array(sparse.coo_array((ones, ends), shape=(count, count)))
