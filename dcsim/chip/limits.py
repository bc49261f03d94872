"""What a placed network asks of each core and chip, against what these have.

Counted core by core (`usage`): neurons, synapse memory, input axons (different neurons whose spikes reach the core) and
output edges (pairs of a neuron and a core that it sends to). Where a neuron can send to a few cores only, copies of it
take the place of further neurons of its core; the copies' energy and time are not counted. Spikes that the board
injects are input axons but cost no output edge.

Synapse memory by the format in which the chip stores the synapses: dense ones take a weight each, sparse ones a weight
and an index, a shared kernel a weight per tap and output channel once per core, and in a crossbar each pair of an input
axon and a neuron takes a weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from dcsim import catalog
from dcsim.catalog import Catalog, Entry
from dcsim.chip import fanout, slices
from dcsim.chip.connections import Connection, Convolution, Dense
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.spec import ChipSpec, chip_grid
from dcsim.errors import CatalogError, PlacementError
from dcsim.service import FloatArray, IntArray

if TYPE_CHECKING:
    from dcsim.chip.placement import Placement

#: Core number of inputs that the board injects.
PORT = -1

#: How messages call what a core or a chip has.
SYNAPSES = "synapses into one neuron"
NEURONS = "neurons in one core"
COPIES = "neurons in one core, copies that send to further cores included"
MEMORY = "bytes of synapse memory in one core"
AXONS = "input axons"
EDGES = "output edges"
TARGETS = "cores to send to from one core"
ROUTES = "router entries"
CORES = "cores"

_MOST_PAIRS = 1 << 24
_MOST_NEURONS_FOR_A_HINT = 1 << 24


class LimitError(PlacementError):
    """A limit of a chip that a network exceeds.

    `where` says which layer, core or chip, `core` the number of the core where it is known; `hint` names what would
    hold the network.
    """

    def __init__(
        self, where: str, resource: str, need: float, have: float, core: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(f"{where}: needs {need:,.0f} {resource}, has {have:,.0f}{hint}")
        self.where, self.resource, self.need, self.have, self.core, self.hint = where, resource, need, have, core, hint

    def __reduce__(self) -> tuple[type[LimitError], tuple[object, ...]]:
        return LimitError, (self.where, self.resource, self.need, self.have, self.core, self.hint)


@dataclass(frozen=True, eq=False)
class Usage:
    """What each of C cores holds, the port left out."""

    cores: IntArray
    """number of each core, counted through all chips, shape (C,)"""
    neurons: IntArray
    """neurons, copies included, shape (C,)"""
    synapses_of_neuron: IntArray
    """most synapses into one of its neurons, shape (C,)"""
    synapse_bytes: FloatArray
    axons_in: IntArray
    """different neurons that send to it, shape (C,)"""
    fan_out: IntArray
    """pairs of one of its neurons and a core that this sends to, shape (C,)"""
    targets: IntArray | None
    """cores that it sends to, shape (C,); None where the chip has no such limit"""
    routes: IntArray | None
    """router entries of each chip, shape (chips,); None where the chip has no such limit"""


def check(network: SpikingNetwork, placement: Placement, chip: ChipSpec, *, max_chips: int | None = None) -> Usage:
    """Raise LimitError, with core, resource, need and have, for a placement that the chips cannot hold.

    Names the core that lacks most. Returns what each core holds.
    """
    used = usage(network, placement, chip)
    where = f"{network.name} on chip {chip.name}"
    if max_chips is not None and (chips := placement.chips_on(chip)) > max_chips:
        raise LimitError(where, "chips", chips, max_chips)
    held: list[tuple[str, IntArray | FloatArray | None, float | IntArray | None]] = [
        (SYNAPSES, used.synapses_of_neuron, chip.fan_in_max),
        (NEURONS if chip.axons_per_neuron is None else COPIES, used.neurons, _capacity(chip, used.cores)),
        (MEMORY, used.synapse_bytes, chip.synapse_bytes_per_core),
        (AXONS, used.axons_in, chip.axons_in_max),
        (EDGES, used.fan_out, chip.fan_out_max),
        (TARGETS, used.targets, chip.fan_out_layers),
    ]
    for resource, need, have in held:
        if need is None or have is None or not (lacking := need - have).size or lacking.max() <= 0:
            continue
        worst = int(lacking.argmax())
        core = int(used.cores[worst])
        limit = float(np.broadcast_to(have, need.shape)[worst])
        raise LimitError(f"{where}, core {core}", resource, float(need[worst]), limit, core)
    if used.routes is not None and chip.router_entries is not None and used.routes.max() > chip.router_entries:
        number = int(used.routes.argmax())
        raise LimitError(f"{where} {number}", ROUTES, int(used.routes[number]), chip.router_entries)
    return used


def usage(network: SpikingNetwork, placement: Placement, chip: ChipSpec) -> Usage:
    """What the cores hold. Raises PlacementError for a placement of another network."""
    given = placement.core_of_neuron
    if given.shape != (network.size,):
        where = f"placement of {network.name} on chip {chip.name}"
        raise PlacementError(f"{where}: found {given.size:,} neurons, want the {network.size:,} of the network")
    cores, core = np.unique(given.astype(np.int64), return_inverse=True)
    count = len(cores)
    reached, axons = _distinct(network, core, count)
    neurons = np.bincount(core, copies(reached, chip), count).astype(np.int64)
    synapses = np.zeros(network.size, dtype=np.int64)
    for connection in network.connections:
        synapses[_range(network, connection.target)] += connection.fan_in()
    most = np.zeros(count, dtype=np.int64)
    np.maximum.at(most, core, synapses)
    stored = axons * neurons * chip.weight_bits / 8 if chip.crossbar else _listed(network, core, count, chip)
    targets = routes = None
    if chip.fan_out_layers is not None or chip.router_entries is not None:
        pairs = _pairs(network, core, count)
        targets = np.diff(pairs.indptr).astype(np.int64)
        routes = _routes(pairs, cores, chip, placement.chips_on(chip)) if chip.router_entries is not None else None
    placed = slice(int(cores[0] == PORT), None)
    return Usage(
        cores=cores[placed],
        neurons=neurons[placed],
        synapses_of_neuron=most[placed],
        synapse_bytes=stored[placed],
        axons_in=axons[placed],
        fan_out=np.bincount(core, reached, count).astype(np.int64)[placed],
        targets=None if targets is None or chip.fan_out_layers is None else targets[placed],
        routes=routes,
    )


def copies(reached: IntArray, chip: ChipSpec) -> IntArray:
    """How often each neuron is there, shape (neurons,), to send to as many cores as `reached` says."""
    if chip.axons_per_neuron is None:
        return np.ones_like(reached)
    return np.maximum(-(-reached // chip.axons_per_neuron), 1)


def stored_bits(connection: Connection, chip: ChipSpec) -> int | None:
    """Bits that a synapse takes in a core's memory; None where a kernel is stored once per output channel."""
    if connection.storage == "conv" and chip.shared_kernels:
        return None if isinstance(connection, Convolution) else chip.weight_bits
    return chip.weight_bits + (0 if connection.storage == "dense" else chip.synapse_index_bits)


def kernel_taps(convolution: Convolution) -> int:
    """Weights of the kernel of one output channel."""
    return convolution.shape_in[0] // convolution.groups * convolution.kernel[0] * convolution.kernel[1]


def smallest_system(network: SpikingNetwork, chip: ChipSpec, entries: Catalog | None = None) -> Entry | None:
    """System with the fewest chips that holds the network: of this chip if there is one, else of another.

    `entries` is the catalog to look in, by default the shipped one. None when no system of it holds the network.
    """
    from dcsim.chip import events
    from dcsim.chip.placement import chips_needed

    entries = catalog.load() if entries is None else entries
    systems = [entries.get(name) for name in entries.names("system")]
    known = [system for system in systems if system.facts["family"] == "neuromorphic" and "devices" in system]
    ranked = sorted(known, key=lambda system: (system.facts["device"] != chip.name, system["devices"]))
    specs: dict[str, ChipSpec | None] = {}
    needed: dict[str, float] = {}
    for system in ranked:
        device = str(system.facts["device"])
        if device not in specs:
            specs[device] = chip if device == chip.name else _spiking(entries.get(device, kind="chip"))
        spec = specs[device]
        if spec is None or sum(spec.capacities) * system["devices"] < network.neurons:
            continue
        if device not in needed:
            try:
                if spec.pipeline is not None:
                    events.check(network, spec)
                needed[device] = chips_needed(network, spec)
            except PlacementError:  # this chip cannot run it, in any number
                needed[device] = np.inf
        if needed[device] <= system["devices"]:
            return system
    return None


def _spiking(entry: Entry) -> ChipSpec | None:
    """Spec of a chip that runs spiking networks; None for another, or one whose costs are not known."""
    if "snn" not in str(entry.facts["nets"]):
        return None
    try:
        return ChipSpec.of(entry)
    except (PlacementError, CatalogError):
        return None


def system_hint(network: SpikingNetwork, chip: ChipSpec) -> str:
    """End of a message about a network that is too big; empty for one that it takes long to look for a system for."""
    if network.size > _MOST_NEURONS_FOR_A_HINT:
        return ""
    system = smallest_system(network, chip)
    if system is None:
        return "; no system of the catalog holds it"
    chips = int(system["devices"])
    return f"; the smallest system that holds it: {system.name} ({chips:,} chip{'s' * (chips > 1)})"


def _capacity(chip: ChipSpec, cores: IntArray) -> IntArray:
    return np.array(chip.capacities, dtype=np.int64)[cores % chip.cores]


def _range(network: SpikingNetwork, layer: int) -> slice:
    return slice(int(network.bounds[layer]), int(network.bounds[layer + 1]))


# ---------------------------------------------------------------- counted exactly, for any placement


def _distinct(network: SpikingNetwork, core: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Different cores that each neuron reaches, (neurons,), and different neurons that reach each core, (count,)."""
    reached, into = np.zeros(network.size, dtype=np.int64), np.zeros(count, dtype=np.int64)
    for number in range(len(network.layers)):
        sending = [connection for connection in network.connections if connection.source == number]
        used = [np.unique(core[_range(network, connection.target)]) for connection in sending]
        if sum(map(len, used)) == len(np.unique(np.concatenate([*used, np.zeros(0, np.int64)]))):
            for connection, own in zip(sending, used, strict=True):
                onto, sources = _of_connection(connection, core[_range(network, connection.target)], own, count)
                reached[_range(network, number)] += onto
                into += sources
        else:  # two connections of a layer meet in a core: a neuron counts once there
            pattern = sum(connection.onto(core[_range(network, connection.target)], count) for connection in sending)
            pattern = sparse.csr_array(pattern)
            reached[_range(network, number)] = np.diff(pattern.indptr)
            into += np.bincount(pattern.indices, minlength=count)
    return reached, into


def _of_connection(connection: Connection, core: IntArray, used: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """The same for one connection, from the core of each of its targets."""
    into = np.zeros(count, dtype=np.int64)
    starts = np.flatnonzero(np.diff(core, prepend=-1))
    if isinstance(connection, Dense):
        into[used] = connection.sources
        return np.full(connection.sources, len(used)), into
    if isinstance(connection, Convolution) and len(starts) == len(used):  # each core has one range of the layer
        bounds = np.append(starts, len(core))
        into[core[starts]] = slices.sources_into(connection, bounds)
        return slices.slices_reached(connection, bounds), into
    pattern = connection.onto(core, count)
    return np.diff(pattern.indptr).astype(np.int64), np.bincount(pattern.indices, minlength=count)


def _listed(network: SpikingNetwork, core: IntArray, count: int, chip: ChipSpec) -> FloatArray:
    """Bytes of synapse memory of each core of a chip without crossbars."""
    bits = np.zeros(count)
    for connection in network.connections:
        of_target = core[_range(network, connection.target)]
        per_synapse = stored_bits(connection, chip)
        if per_synapse is None and isinstance(connection, Convolution):
            plane = connection.shape_out[1] * connection.shape_out[2]
            kernels = np.unique(of_target * connection.shape_out[0] + np.arange(len(of_target)) // plane)
            stored = np.bincount(kernels // connection.shape_out[0], minlength=count)
            bits += stored * kernel_taps(connection) * chip.weight_bits
        elif per_synapse is not None:
            bits += np.bincount(of_target, connection.fan_in(), count) * per_synapse
    stored_bytes: FloatArray = bits / 8
    return stored_bytes


def _pairs(network: SpikingNetwork, core: IntArray, count: int) -> sparse.csr_array:
    """Which cores send to which, (count, count), without zeros."""
    rows: list[IntArray] = []
    columns: list[IntArray] = []
    for connection in network.connections:
        source, target = core[_range(network, connection.source)], core[_range(network, connection.target)]
        sending, receiving = np.unique(source), np.unique(target)
        if len(sending) * len(receiving) > _MOST_PAIRS:
            found = f"found {len(sending) * len(receiving):,} pairs of cores to connect, want at most {_MOST_PAIRS:,}"
            raise PlacementError(f"{network.name}, {network.label(connection.target)}: {found}")
        if isinstance(connection, Dense):
            row, column = np.repeat(sending, len(receiving)), np.tile(receiving, len(sending))
        else:
            row, column = _sparse_pairs(connection, source, target, count)
        rows.append(row)
        columns.append(column)
    ends = np.concatenate([*rows, np.zeros(0, np.int64)]), np.concatenate([*columns, np.zeros(0, np.int64)])
    return sparse.csr_array((np.ones(len(ends[0]), dtype=np.int64), ends), shape=(count, count))


def _sparse_pairs(connection: Connection, source: IntArray, target: IntArray, count: int) -> tuple[IntArray, IntArray]:
    starts = [np.flatnonzero(np.diff(core, prepend=-1)) for core in (source, target)]
    if isinstance(connection, Convolution) and all(
        len(np.unique(core[start])) == len(start) for core, start in zip((source, target), starts, strict=True)
    ):
        sources, targets = (np.append(start, len(core)) for core, start in zip((source, target), starts, strict=True))
        row, column = np.nonzero(fanout.between(connection, sources, targets).messages)
        return source[starts[0]][row], target[starts[1]][column]
    onto = connection.onto(target, count).tocoo()
    pairs = np.unique(source[onto.row] * count + onto.col)
    return pairs // count, pairs % count


def _routes(pairs: sparse.csr_array, cores: IntArray, chip: ChipSpec, chips: int) -> IntArray:
    """Router entries of each chip: sending cores whose spikes start, turn (columns come first) or end there."""
    number = np.maximum(cores, 0) // chip.cores
    coo = pairs.tocoo()
    row = coo.row.astype(np.int64)
    source, target = number[row], number[coo.col]
    rows = chip_grid(chips)[1]
    turn = target // rows * rows + source % rows
    seen = np.unique(np.concatenate([row * chips + place for place in (source, turn, target)]))
    return np.bincount(seen % chips, minlength=chips)


def first_over(needs: Sequence[tuple[str, float, float | None]]) -> tuple[str, float, float] | None:
    """First of (resource, need, have) that is not kept; None when all are."""
    for resource, need, have in needs:
        if have is not None and need > have:
            return resource, need, have
    return None
