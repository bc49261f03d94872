"""Neurons to cores, layer by layer: each layer takes the fewest cores that hold it, in equal slices.

A slice is a range of consecutive neurons. A core holds neurons of one layer only. The input layer takes no
core: its spikes enter at tile 0, unless it is placed like the others. Cores are filled in order, over as many
chips as it takes, chips in a square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dcsim.chip import fanout
from dcsim.chip.network import Layer, SpikingNetwork, fan_in
from dcsim.chip.spec import ChipSpec, chip_grid
from dcsim.errors import PlacementError
from dcsim.service import FloatArray, IntArray

_MOST_CORES = 65_536
_MOST_PAIRS = 1 << 24


class LimitError(PlacementError):
    """A limit of a chip that a network exceeds: `where` (layer or chip), `resource`, `need`, `have`."""

    def __init__(self, where: str, resource: str, need: float, have: float) -> None:
        super().__init__(f"{where}: needs {need:,.0f} {resource}, has {have:,.0f}")
        self.where, self.resource, self.need, self.have = where, resource, need, have


@dataclass(frozen=True)
class Link:
    """From the slices of one layer to those of the next."""

    source: slice
    """slices of the sending layer, among all K of the placement"""
    target: slice
    synapses: FloatArray
    """mean synapses per spike, shape (sources, targets)"""
    messages: FloatArray
    """probability that a spike is sent there, shape (sources, targets)"""


@dataclass(frozen=True)
class Placement:
    """K slices, each on a core of its own or, for the input, at the chip's port. Arrays have shape (K,)."""

    layer: IntArray
    neurons: IntArray
    paid: FloatArray
    """0 for the input layer, whose neurons cost neither energy nor time, else 1"""
    core: IntArray
    """core number, counted through all chips; -1 at the port"""
    links: tuple[Link, ...]
    fan_out: FloatArray
    """mean messages per spike"""
    hops_ew: FloatArray
    """mean hops to the east and west per spike, over all its messages"""
    hops_ns: FloatArray
    crossings: FloatArray
    """mean borders between chips that are crossed per spike"""
    cores: int
    """cores in use"""
    tiles: int
    """tiles with a core in use"""
    chips: int
    copies: int
    """copies of the network that fit on one chip, 1 for a network that needs several chips"""

    @property
    def last(self) -> slice:
        """slices of the output layer"""
        return self.links[-1].target


def place(
    network: SpikingNetwork,
    chip: ChipSpec,
    *,
    cores_per_layer: Sequence[int] | None = None,
    core_order: Sequence[int] | None = None,
    inputs: Literal["port", "cores"] = "port",
    max_chips: int | None = None,
) -> Placement:
    """Place `network` on as many of `chip` as it takes.

    `cores_per_layer` (input first; the input's number counts only with `inputs="cores"`) asks for more cores
    than the fewest; `core_order` lists the core for each slice in turn; `inputs` puts the input layer at the
    "port" or on "cores" as a layer of neurons that cost nothing. Raises LimitError when a layer or the chips
    are too small.
    """
    at_port = inputs == "port"
    wanted = [1] * len(network.layers) if cores_per_layer is None else list(cores_per_layer)
    if len(wanted) != len(network.layers):
        raise PlacementError(f"cores_per_layer: found {len(wanted)} numbers, want one per layer: {len(network.layers)}")
    counts = [_fewest(network, number, chip, n) for number, n in enumerate(wanted)]
    if at_port:
        counts[0] = 1
    cores = sum(counts) - at_port
    chips = -(-cores // chip.cores)
    if max_chips is not None and chips > max_chips:
        raise LimitError(f"{network.name} on chip {chip.name}", "cores", cores, max_chips * chip.cores)
    if cores > _MOST_CORES:
        raise LimitError(f"{network.name} on chip {chip.name}", "cores for one copy of the network", cores, _MOST_CORES)
    core = _core_numbers(cores, chips * chip.cores, core_order)
    if at_port:
        core = np.concatenate([[-1], core])
    return _linked(network, chip, counts, core, chips)


def _fewest(network: SpikingNetwork, number: int, chip: ChipSpec, wanted: int) -> int:
    """Fewest cores, at least `wanted`, on which every slice of the layer keeps the core's limits."""
    layer, where = network.layers[number], f"{network.name}, layer {number} on chip {chip.name}"
    if not 1 <= wanted <= layer.neurons:
        raise PlacementError(f"{where}: found {wanted} cores, want 1 to {layer.neurons}")
    cores = max(wanted, -(-layer.neurons // chip.neurons_per_core))
    if number == 0:
        return cores
    before = network.layers[number - 1]
    need = fan_in(before, layer)
    if chip.fan_in_max is not None and need > chip.fan_in_max:
        raise LimitError(where, "synapses into one neuron", need, chip.fan_in_max)
    memory = chip.synapse_bytes_per_core
    if memory is None:
        return cores
    if (smallest := _synapse_bytes(layer, before, 1, chip)) > memory:
        raise LimitError(where, "bytes of synapse memory in one core", smallest, memory)
    low, high = cores, layer.neurons
    while low < high:
        middle = (low + high) // 2
        fits = _synapse_bytes(layer, before, -(-layer.neurons // middle), chip) <= memory
        low, high = (low, middle) if fits else (middle + 1, high)
    return low


def _synapse_bytes(layer: Layer, before: Layer, neurons: int, chip: ChipSpec) -> float:
    """Memory for the synapses into a slice of so many neurons; a shared kernel counts once per channel."""
    per_neuron = before.neurons
    if layer.kernel:
        per_neuron = before.channels // layer.groups * layer.kernel**2
        if chip.shared_kernels:
            channels = 1 if neurons == 1 else min(layer.channels, (neurons - 2) // layer.plane + 2)
            return channels * per_neuron * chip.weight_bits / 8
    return neurons * per_neuron * chip.weight_bits / 8


def _core_numbers(cores: int, have: int, order: Sequence[int] | None) -> IntArray:
    if order is None:
        return np.arange(cores, dtype=np.int64)
    chosen = np.array(order[:cores], dtype=np.int64)
    if len(chosen) < cores or len(np.unique(chosen)) < cores or chosen.min() < 0 or chosen.max() >= have:
        raise PlacementError(f"core_order: want {cores} different cores from 0 to {have - 1}")
    return chosen


def _linked(network: SpikingNetwork, chip: ChipSpec, counts: Sequence[int], core: IntArray, chips: int) -> Placement:
    bounds = [_equal_slices(layer.neurons, n) for layer, n in zip(network.layers, counts, strict=True)]
    links = _links(network, chip, counts, bounds)
    tile_x, tile_y, chip_x, chip_y = _coordinates(core, chip, chips)
    layer = np.repeat(np.arange(len(counts)), counts)
    on_core = core[core >= 0]
    return Placement(
        layer=layer,
        neurons=np.concatenate([np.diff(edges) for edges in bounds]),
        paid=(layer > 0).astype(np.float64),
        core=core,
        links=links,
        fan_out=np.concatenate([link.messages.sum(axis=1) for link in links] + [np.zeros(counts[-1])]),
        hops_ew=_distance(links, tile_x),
        hops_ns=_distance(links, tile_y),
        crossings=_distance(links, chip_x) + _distance(links, chip_y),
        cores=len(on_core),
        tiles=len(np.unique(np.stack([tile_x, tile_y])[:, core >= 0], axis=1).T),
        chips=chips,
        copies=max(1, chip.cores // len(on_core)),
    )


def _links(
    network: SpikingNetwork, chip: ChipSpec, counts: Sequence[int], bounds: Sequence[IntArray]
) -> tuple[Link, ...]:
    first = [0, *np.cumsum(counts).tolist()]
    links = []
    for number in range(1, len(counts)):
        if (pairs := counts[number - 1] * counts[number]) > _MOST_PAIRS:
            where = f"{network.name}, layer {number} on chip {chip.name}"
            raise LimitError(where, "pairs of cores to connect", pairs, _MOST_PAIRS)
        before, layer = network.layers[number - 1 : number + 1]
        fan = fanout.between(before, layer, bounds[number - 1], bounds[number])
        source, target = slice(first[number - 1], first[number]), slice(first[number], first[number + 1])
        links.append(Link(source, target, fan.synapses, fan.messages))
    return tuple(links)


def _coordinates(core: IntArray, chip: ChipSpec, chips: int) -> tuple[IntArray, ...]:
    """Column and row of each core's tile, and of its chip; both are numbered down each column."""
    number, local = np.divmod(np.maximum(core, 0), chip.cores)
    width = -(-chip.cores // chip.cores_per_tile) // chip.mesh_height
    tile_x, tile_y = np.divmod(local // chip.cores_per_tile, chip.mesh_height)
    chip_x, chip_y = np.divmod(number, chip_grid(chips)[1])
    return chip_x * width + tile_x, chip_y * chip.mesh_height + tile_y, chip_x, chip_y


def _distance(links: Sequence[Link], position: IntArray) -> FloatArray:
    """Mean distance along one axis that a spike of each slice travels, over all its messages."""
    total = np.zeros(len(position))
    for link in links:
        apart = np.abs(position[link.source, None] - position[None, link.target])
        total[link.source] = (link.messages * apart).sum(axis=1)
    return total


def _equal_slices(neurons: int, slices: int) -> IntArray:
    """Bounds of slices that differ by at most one neuron, larger ones first."""
    size, larger = divmod(neurons, slices)
    sizes = np.full(slices, size, dtype=np.int64)
    sizes[:larger] += 1
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
