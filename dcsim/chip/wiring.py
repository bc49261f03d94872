"""A placed network as a chip sees it: groups of neurons on cores, and what a spike of each group causes.

A group is the neurons of one layer on one core, inputs apart; the port, where the board injects spikes, counts as one
more core, which pays nothing. Everything here is prepared once per network, placement and chip; a simulated step then
costs by groups and cores, not by neurons and synapses (`Wiring`), or by the spikes that were fired (`Reach`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from dcsim.chip import fanout
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.placement import PORT, Placement, copies_on
from dcsim.chip.spec import ChipSpec, chip_grid
from dcsim.errors import PlacementError
from dcsim.service import FloatArray, IntArray

_MOST_PAIRS = 1 << 24
_MOST_CORES = 1 << 23


class Coordinates(NamedTuple):
    """Column and row of each core's tile in the mesh of all chips, and of its chip; each of shape (cores,)."""

    tile_x: IntArray
    tile_y: IntArray
    chip_x: IntArray
    chip_y: IntArray


@dataclass(frozen=True, eq=False)
class Link:
    """From some groups to some cores."""

    source: slice
    """the sending groups, among all G"""
    target: slice
    """the cores that are reached, among all C"""
    synapses: FloatArray
    """mean synapses per spike, shape (groups, cores)"""
    messages: FloatArray
    """probability that a spike is sent there, shape (groups, cores)"""


@dataclass(frozen=True, eq=False)
class Wiring:
    """G groups on C cores. Groups are in order of their layers."""

    group: IntArray
    """group of each neuron, shape (neurons,)"""
    layer: IntArray
    """layer of each group, shape (G,)"""
    neurons: IntArray
    """neurons of each group, shape (G,)"""
    paid: FloatArray
    """0 for inputs, whose neurons cost neither energy nor time, else 1; shape (G,)"""
    core: IntArray
    """core of each group, 0 to C - 1, shape (G,)"""
    cores: IntArray
    """number of each core, counted through all chips, or `PORT`; shape (C,)"""
    at: Coordinates
    links: tuple[Link, ...]
    fan_out: FloatArray
    """mean messages per spike, shape (G,)"""
    hops_ew: FloatArray
    """mean hops to the east and west per spike, over all its messages, shape (G,)"""
    hops_ns: FloatArray
    crossings: FloatArray
    """mean borders between chips that are crossed per spike, shape (G,)"""
    synapse_j: FloatArray
    """energy of a synaptic operation at each core, J, shape (C,)"""
    synapse_s: FloatArray
    output: FloatArray
    """1 for groups of output layers, else 0; shape (G,)"""
    chips: int
    tiles: int
    """tiles with a core in use"""
    copies: int
    """copies of the network that fit on one chip, 1 for a network that needs several chips"""

    @property
    def cores_in_use(self) -> int:
        """cores, the port left out"""
        return int((self.cores != PORT).sum())

    def by_core(self, of_groups: FloatArray) -> FloatArray:
        """Sum over the groups of each core, from shape (..., G) to (..., C)."""
        if len(self.core) == len(self.cores) and bool((self.core == np.arange(len(self.core))).all()):
            return of_groups
        indicator = np.zeros((len(self.core), len(self.cores)))
        indicator[np.arange(len(self.core)), self.core] = 1.0
        summed: FloatArray = of_groups @ indicator
        return summed


class Reach(NamedTuple):
    """What a spike of each neuron causes, exactly. Arrays have shape (neurons,)."""

    synapses: sparse.csr_array
    """synapses in each core, shape (neurons, C)"""
    messages: FloatArray
    hops_ew: FloatArray
    hops_ns: FloatArray
    crossings: FloatArray


def wire(network: SpikingNetwork, placement: Placement, chip: ChipSpec, rates: FloatArray | None = None) -> Wiring:
    """Prepare a placed network.

    `rates` (neurons,) weigh the neurons of a group in its means; None: all alike. Raises PlacementError for a placement
    of another network or of cores that the chips do not have.
    """
    _check(network, placement, chip)
    group, first = _groups(network, placement)
    layer = np.searchsorted(network.bounds, first, "right") - 1
    neurons = np.bincount(group)
    of_group = placement.core_of_neuron[first].astype(np.int64)
    cores, core = _in_order(of_group)
    at = coordinates(cores, chip, placement.chips_on(chip))
    if rates is None and _in_slices(network, group, neurons, first, core):
        links = _analytic(network, layer, neurons, first)
    else:
        weight = np.ones(network.size) if rates is None else rates
        links = _measured(synapses_onto(network, core[group], len(cores)), group, weight)
    in_use = cores[cores != PORT]
    joules, seconds = _synapse_costs(network, chip, core[group], len(cores))
    return Wiring(
        group=group,
        layer=layer,
        neurons=neurons,
        paid=(~network.is_free[first]).astype(np.float64),
        core=core,
        cores=cores,
        at=at,
        links=links,
        fan_out=_over_links(links, len(layer), lambda link: link.messages),
        hops_ew=_distance(links, at.tile_x, core),
        hops_ns=_distance(links, at.tile_y, core),
        crossings=_distance(links, at.chip_x, core) + _distance(links, at.chip_y, core),
        synapse_j=joules,
        synapse_s=seconds,
        output=np.isin(layer, network.outputs).astype(np.float64),
        chips=placement.chips_on(chip),
        tiles=len(np.unique(in_use // chip.cores * chip.cores + in_use % chip.cores // chip.cores_per_tile)),
        copies=max(1, copies_on(placement, chip)),
    )


def reach(network: SpikingNetwork, wiring: Wiring) -> Reach:
    """What each neuron's spike causes, one by one, in the terms of `wiring`."""
    core, at = wiring.core[wiring.group], wiring.at
    synapses = synapses_onto(network, core, len(wiring.cores))
    rows = np.repeat(np.arange(network.size), np.diff(synapses.indptr))

    def travelled(position: IntArray) -> FloatArray:
        apart = np.abs(position[core[rows]] - position[synapses.indices])
        return np.bincount(rows, apart, network.size).astype(np.float64)

    messages = np.diff(synapses.indptr).astype(np.float64)
    crossings = travelled(at.chip_x) + travelled(at.chip_y)
    return Reach(synapses, messages, travelled(at.tile_x), travelled(at.tile_y), crossings)


def synapses_onto(network: SpikingNetwork, core: IntArray, cores: int) -> sparse.csr_array:
    """Synapses of each neuron in each core, (neurons, cores), from the core of each neuron."""
    total = sparse.csr_array((network.size, cores), dtype=np.int64)
    for connection in network.connections:
        start, end = network.bounds[[connection.target, connection.target + 1]]
        onto = connection.onto(core[start:end], cores)
        above = int(network.bounds[connection.source])
        below = network.size - above - onto.shape[0]
        indptr = np.concatenate([np.zeros(above, onto.indptr.dtype), onto.indptr, np.full(below, onto.indptr[-1])])
        total = total + sparse.csr_array((onto.data, onto.indices, indptr), shape=total.shape)
    total.sort_indices()
    return total


def coordinates(cores: IntArray, chip: ChipSpec, chips: int) -> Coordinates:
    """Places of cores; tiles and chips are numbered down each column, the port is at tile 0."""
    number, local = np.divmod(np.maximum(cores, 0), chip.cores)
    tile_x, tile_y = np.divmod(local // chip.cores_per_tile, chip.mesh_height)
    chip_x, chip_y = np.divmod(number, chip_grid(chips)[1])
    return Coordinates(chip_x * chip.mesh_width + tile_x, chip_y * chip.mesh_height + tile_y, chip_x, chip_y)


def _check(network: SpikingNetwork, placement: Placement, chip: ChipSpec) -> None:
    where = f"placement of {network.name} on chip {chip.name}"
    core = placement.core_of_neuron
    if core.shape != (network.size,):
        raise PlacementError(f"{where}: found {core.size:,} neurons, want the {network.size:,} of the network")
    if (cores := placement.chips_on(chip) * chip.cores) > max(_MOST_CORES, chip.cores):
        raise PlacementError(f"{where}: found chips of {cores:,} cores in all, want at most {_MOST_CORES:,}")
    if bool(((core == PORT) & ~network.is_free).any()):
        neuron = int(np.flatnonzero((core == PORT) & ~network.is_free)[0])
        raise PlacementError(f"{where}: neuron {neuron} is at the port, where only inputs can be")


def _groups(network: SpikingNetwork, placement: Placement) -> tuple[IntArray, IntArray]:
    """Group of each neuron, and the first neuron of each group; groups in order of their first neurons."""
    layer = np.repeat(np.arange(len(network.layers)), np.diff(network.bounds))
    core = placement.core_of_neuron.astype(np.int64) + 1
    key = (layer * (int(core.max()) + 1) + core) * 2 + network.is_free
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[group.reshape(-1)], first[order]


def _in_order(values: IntArray) -> tuple[IntArray, IntArray]:
    """Different values in order of appearance, and the number of each value among them."""
    different, first, number = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return different[order], rank[number.reshape(-1)]


def _in_slices(network: SpikingNetwork, group: IntArray, neurons: IntArray, first: IntArray, core: IntArray) -> bool:
    """Whether each group is a range of neurons with a core to itself, and no two connections join the same layers."""
    pairs = Counter((connection.source, connection.target) for connection in network.connections)
    last = np.append(first[1:], len(group)) - 1
    ranges = bool((last - first + 1 == neurons).all()) and bool((np.diff(group) >= 0).all())
    return ranges and len(np.unique(core)) == len(core) and max(pairs.values(), default=0) <= 1


def _analytic(network: SpikingNetwork, layer: IntArray, neurons: IntArray, first: IntArray) -> tuple[Link, ...]:
    links = []
    for connection in network.connections:
        source, target = (
            slice(*np.searchsorted(layer, [number, number + 1]).tolist())
            for number in (connection.source, connection.target)
        )
        bounds = [
            np.append(first[groups], first[groups.stop - 1] + neurons[groups.stop - 1]) - first[groups.start]
            for groups in (source, target)
        ]
        if (pairs := (source.stop - source.start) * (target.stop - target.start)) > _MOST_PAIRS:
            where = f"{network.name}, {network.label(connection.target)}"
            raise PlacementError(f"{where}: {pairs:,} pairs of cores to connect, want at most {_MOST_PAIRS:,}")
        links.append(Link(source, target, *fanout.between(connection, *bounds)))
    return tuple(links)


def _measured(onto: sparse.csr_array, group: IntArray, weight: FloatArray) -> tuple[Link, ...]:
    groups, cores = int(group.max()) + 1, onto.shape[1]
    if groups * cores > _MOST_PAIRS:
        raise PlacementError(f"{groups * cores:,} pairs of cores to connect, want at most {_MOST_PAIRS:,}")
    return (Link(slice(0, groups), slice(0, cores), *fanout.averaged(onto, group, groups, weight)),)


def _over_links(links: Sequence[Link], groups: int, value: Callable[[Link], FloatArray]) -> FloatArray:
    total = np.zeros(groups)
    for link in links:
        total[link.source] += value(link).sum(axis=1)
    return total


def _distance(links: Sequence[Link], position: IntArray, core: IntArray) -> FloatArray:
    """Mean distance along one axis that a spike of each group travels, over all its messages."""
    return _over_links(
        links,
        len(core),
        lambda link: link.messages * np.abs(position[core[link.source], None] - position[None, link.target]),
    )


def _synapse_costs(
    network: SpikingNetwork, chip: ChipSpec, core: IntArray, cores: int
) -> tuple[FloatArray, FloatArray]:
    """Energy and time of a synaptic operation at each core: the mean over the formats that are stored there."""
    by_storage = {storage: (chip.costs.synapse_of(storage)) for storage in {c.storage for c in network.connections}}
    if len(set(by_storage.values())) <= 1:
        joules, seconds = next(iter(by_storage.values()), (0.0, 0.0))
        return np.full(cores, joules), np.full(cores, seconds)
    total, sums = np.zeros(cores), np.zeros((2, cores))
    for connection in network.connections:
        start, end = network.bounds[[connection.target, connection.target + 1]]
        stored = np.bincount(core[start:end], connection.fan_in(), cores)
        total += stored
        sums += np.outer(by_storage[connection.storage], stored)
    mean = np.divide(sums, total, out=np.zeros_like(sums), where=total > 0.0)
    return mean[0], mean[1]
