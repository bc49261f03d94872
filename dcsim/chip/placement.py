"""Neurons to cores. A slice of consecutive neurons goes to a core, and a core holds neurons of one layer only.

`place` cuts each layer into the fewest equal slices that keep the limits of a core, or fills core after core with the
neurons of explicit synapses (`dcsim.chip.partition`). The input layer takes no core: its spikes enter at the port, tile
0, unless it is placed like the others. Cores are taken in order, over as many chips as it takes, chips in a square, or
so that spikes travel less (`dcsim.chip.ordering`). `Placement(core_of_neuron)` says where every neuron is in any other
way; `dcsim.chip.limits.check` tells whether the chips can hold that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dcsim.chip import limits, partition
from dcsim.chip.limits import PORT, LimitError
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.spec import ChipSpec
from dcsim.errors import PlacementError, nearest
from dcsim.service import IntArray

__all__ = ["ORDERS", "PORT", "LimitError", "Order", "Placement", "chips_needed", "copies_on", "place", "replicate"]

#: How slices are given their cores: in the order of the layers, or so that spikes travel less.
Order: TypeAlias = Literal["layers", "communication"]

ORDERS: tuple[Order, ...] = ("layers", "communication")

_MOST_CORES = 1 << 20


@dataclass(frozen=True, eq=False)
class Placement:
    """Where each neuron is."""

    core_of_neuron: npt.NDArray[np.integer]
    """core of each neuron, counted through all chips, or `PORT`, shape (neurons,)"""

    def __post_init__(self) -> None:
        given = np.asarray(self.core_of_neuron)
        if given.ndim != 1 or not given.size:
            raise PlacementError(f"core_of_neuron: found shape {given.shape}, want one core per neuron")
        if given.dtype.kind not in "iuf":
            raise PlacementError(f"core_of_neuron: found {given.dtype} values, want core numbers")
        wrong = given[~((given >= PORT) & (given < 2**31) & (given == np.floor(given)))]
        if wrong.size:
            raise PlacementError(f"core_of_neuron: found {wrong[0]}, want a core number from 0, or {PORT} for the port")
        object.__setattr__(self, "core_of_neuron", given.astype(np.int32))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placement) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def chips_on(self, chip: ChipSpec) -> int:
        """Chips up to the last one in use."""
        return int(self.core_of_neuron.max()) // chip.cores + 1 if self.core_of_neuron.max() >= 0 else 1

    @cached_property
    def digest(self) -> str:
        """Hash of the placement: equal placements have equal ones."""
        return hashlib.sha256(self.core_of_neuron.tobytes()).hexdigest()


def place(
    network: SpikingNetwork,
    chip: ChipSpec,
    *,
    cores_per_layer: Sequence[int] | None = None,
    core_order: Sequence[int] | None = None,
    order: Order = "layers",
    inputs: Literal["port", "cores"] = "port",
    max_chips: int | None = None,
) -> Placement:
    """Place `network` on as many of `chip` as it takes, so that `limits.check` passes.

    `cores_per_layer` (input first; an input's number counts only with `inputs="cores"`) asks for more cores than the
    fewest; `core_order` lists the core for each slice in turn; `order` "communication" finds one, on the same chips,
    over which spikes travel less than in the order of the "layers"; `inputs` puts inputs at the "port" or on "cores" as
    neurons that cost nothing. Raises LimitError, which names the smallest system of the catalog that would hold the
    network, when a core or the chips are too small, and PlacementError for options that cannot be.
    """
    for key, found, known in (("order", order, ORDERS), ("inputs", inputs, ("port", "cores"))):
        if found not in known:
            raise PlacementError(f"{key}: found {found!r}{nearest(str(found), known)}")
    wanted = [1] * len(network.layers) if cores_per_layer is None else list(cores_per_layer)
    try:
        sizes, placed = _cut(network, chip, wanted, inputs == "port")
        numbers, chips = _core_numbers(sizes, chip, core_order)
        if max_chips is not None and chips > max_chips:
            have = max_chips * chip.cores
            raise LimitError(f"{network.name} on chip {chip.name}", limits.CORES, max(len(sizes), have + 1), have)
        core_of_neuron = np.full(network.size, PORT)
        core_of_neuron[placed] = np.repeat(numbers, sizes)
        placement = Placement(core_of_neuron)
        if chip.fan_out_layers is not None or chip.router_entries is not None:
            limits.check(network, placement, chip)
    except LimitError as error:
        hint = limits.system_hint(network, chip)
        raise LimitError(error.where, error.resource, error.need, error.have, error.core, hint) from None
    if order == "communication":
        from dcsim.chip.ordering import reordered

        return reordered(network, placement, chip)
    return placement


def chips_needed(network: SpikingNetwork, chip: ChipSpec) -> int:
    """Fewest chips that hold the network, inputs at the port. Raises LimitError when no number of them does."""
    sizes, _ = _cut(network, chip, [1] * len(network.layers), True)
    return _core_numbers(sizes, chip, None)[1]


def copies_on(placement: Placement, chip: ChipSpec, chips: int = 1) -> int:
    """Copies of a placed network that fit on so many chips, none of which shares a core."""
    used = _used(placement)
    needed = placement.chips_on(chip)
    if needed > 1 or chip.neurons_of_core is not None:  # cores are not alike, or copies take whole chips
        return chips // needed
    return chips * (chip.cores // max(1, len(used)))


def replicate(placement: Placement, chip: ChipSpec, copies: int, *, chips: int | None = None) -> list[Placement]:
    """So many placements that share no core, the given one first.

    A network that takes no more than one chip takes the next free cores of a chip, in the order of its own, or the next
    chip; any other starts on the next free chip. Raises LimitError when `chips` do not hold the copies.
    """
    if copies < 1 or copies != int(copies):
        raise PlacementError(f"copies: found {copies}, want a whole number from 1")
    if chips is not None and copies > (have := copies_on(placement, chip, chips)):
        raise LimitError(f"{chips} of chip {chip.name}", "copies of the network", copies, have)
    used, needed = _used(placement), placement.chips_on(chip)
    per_chip = copies_on(placement, chip, needed)
    found = []
    for copy in range(int(copies)):
        group, number = divmod(copy, per_chip)
        if number:
            free = np.setdiff1d(np.arange(chip.cores), used)
            own = free[(number - 1) * len(used) : number * len(used)]
        else:
            own = used
        core = placement.core_of_neuron.copy()
        core[core != PORT] = (own + group * needed * chip.cores)[np.searchsorted(used, core[core != PORT])]
        found.append(Placement(core))
    return found


def _used(placement: Placement) -> IntArray:
    cores: IntArray = np.unique(placement.core_of_neuron).astype(np.int64)
    return cores[cores >= 0]


def _cut(
    network: SpikingNetwork, chip: ChipSpec, wanted: Sequence[int], inputs_at_port: bool
) -> tuple[IntArray, IntArray]:
    """Neurons of each slice in turn, and the neurons that are placed, in the same order."""
    if len(wanted) != len(network.layers):
        raise PlacementError(f"cores_per_layer: found {len(wanted)} numbers, want one per layer: {len(network.layers)}")
    single = len(network.layers) == 1
    at_port = [inputs_at_port and layer.is_input for layer in network.layers]
    for number, layer in enumerate(network.layers):
        if not at_port[number] and (not 1 <= wanted[number] <= layer.neurons or wanted[number] % 1):
            where = f"{network.name}, {network.label(number)} on chip {chip.name}"
            raise PlacementError(f"{where}: found {wanted[number]} cores, want 1 to {layer.neurons}")
    if single:
        placed = np.flatnonzero(~network.is_free) if inputs_at_port else np.arange(network.size)
        sizes = partition.filled(network, chip, placed, wanted[0]) if len(placed) else np.zeros(0, dtype=np.int64)
    else:
        sizes = np.concatenate(partition.layers_in_slices(network, chip, wanted, at_port))
        placed = np.flatnonzero(~np.repeat(at_port, np.diff(network.bounds)))
    if len(sizes) > _MOST_CORES:
        where = f"{network.name} on chip {chip.name}"
        raise LimitError(where, "cores for one copy of the network", len(sizes), _MOST_CORES)
    return sizes, placed


def _core_numbers(sizes: IntArray, chip: ChipSpec, order: Sequence[int] | None) -> tuple[IntArray, int]:
    """Core of each slice, and the chips that there must be."""
    cores = len(sizes)
    chips = max(1, -(-cores // chip.cores))
    if chip.neurons_of_core is None:
        return (np.arange(cores) if order is None else _ordered(cores, chips * chip.cores, order)), chips
    capacity = np.array(chip.neurons_of_core)
    while True:
        have = np.tile(capacity, chips)
        if bool((np.sort(have)[::-1][:cores] >= np.sort(sizes)[::-1]).all()):
            break
        chips += 1
    if order is not None:
        numbers = _ordered(cores, chips * chip.cores, order)
        if (lacking := sizes - have[numbers]).max() > 0:
            worst = int(lacking.argmax())
            where = f"core_order on chip {chip.name}, core {numbers[worst]}"
            raise LimitError(where, limits.NEURONS, int(sizes[worst]), int(have[numbers[worst]]), int(numbers[worst]))
        return numbers, chips
    return (np.arange(cores) if bool((sizes <= have[:cores]).all()) else _tightest(sizes, have)), chips


def _tightest(sizes: IntArray, have: IntArray) -> IntArray:
    """For each slice, largest first, the smallest free core that holds it, the first of equal ones."""
    free = list(np.argsort(have, kind="stable"))
    numbers = np.empty(len(sizes), dtype=np.int64)
    for piece in np.argsort(-sizes, kind="stable"):
        numbers[piece] = free.pop(int(np.searchsorted(have[free], sizes[piece])))
    return numbers


def _ordered(cores: int, have: int, order: Sequence[int]) -> IntArray:
    given = np.array(order[:cores])
    chosen = given.astype(np.int64) if given.dtype.kind in "iu" else np.zeros(0, dtype=np.int64)
    if len(chosen) < cores or len(np.unique(chosen)) < cores or bool(((chosen < 0) | (chosen >= have)).any()):
        raise PlacementError(f"core_order: want {cores} different cores from 0 to {have - 1}")
    return chosen
