"""A chip of the catalog as the numbers that the execution model reads."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields

import numpy as np

from dcsim.catalog import Entry
from dcsim.errors import CatalogError, PlacementError

#: Time-step modes that are simulated: barrier (a step lasts as long as its slowest core), tick (real time).
MODES = ("barrier", "tick")

_BITS = {"binary": 1, "ternary": 2}
_ENERGIES = ("access_j", "update_j", "spike_j", "synapse_j", "packet_j")


@dataclass(frozen=True)
class Costs:
    """Energy (J) and time (s) of one event; what the catalog does not know is contained in another and is 0
    here.
    """

    access_j: float = 0.0
    """every mapped neuron, every step"""
    access_s: float = 0.0
    update_j: float = 0.0
    """every neuron whose state changes in the step, on top of its access"""
    update_s: float = 0.0
    spike_j: float = 0.0
    """every spike that a neuron fires"""
    spike_s: float = 0.0
    packet_j: float = 0.0
    """every message sent: one per spike and core that it reaches"""
    packet_s: float = 0.0
    receive_s: float = 0.0
    """every message received"""
    synapse_j: float = 0.0
    """every synaptic operation"""
    synapse_s: float = 0.0
    hop_ew_j: float = 0.0
    """every message and hop to the east or west"""
    hop_ns_j: float = 0.0
    """every message and hop to the north or south"""
    chip_crossing_j: float = 0.0
    """every message and chip border that it crosses, on top of its hops"""
    input_spike_j: float = 0.0
    """every spike that the board injects"""
    input_spike_s: float = 0.0
    output_spike_j: float = 0.0
    """every spike that the board reads out"""
    output_spike_s: float = 0.0
    host_step_s: float = 0.0
    """time that the host needs in each step beside the spikes"""
    reset_j: float = 0.0
    """each chip, once per inference: clearing the state"""
    reset_s: float = 0.0


@dataclass(frozen=True)
class ChipSpec:
    """Limits, mode and costs of one chip."""

    name: str
    mode: str
    cores: int
    neurons_per_core: int
    static_w: float
    fan_in_max: int | None = None
    """most synapses into one neuron; None: no limit known"""
    synapse_bytes_per_core: float | None = None
    weight_bits: int = 8
    shared_kernels: bool = False
    """a core stores a convolution's kernel once, not once per synapse"""
    cores_per_tile: int = 1
    sync: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    """(tiles, s), ascending: the barrier lasts as long as the last row with no more tiles than are mapped"""
    sync_chip_s: float = 0.0
    """barrier over several chips: this times their columns and rows together, s"""
    tick_s: float = 0.0
    peak_sop_per_s: float | None = None
    """synaptic operations per second of one whole chip; None: only the event times bound it"""
    host_w: float = 0.0
    """power of the processors that feed one chip, above idle, while they move spikes"""
    costs: Costs = Costs()

    @classmethod
    def of(cls, chip: Entry) -> ChipSpec:
        """Spec of a catalog chip.

        Raises PlacementError when the chip runs no spiking nets or has no mode or energies that can be
        modelled, and CatalogError when a number is missing, negative or not whole.
        """
        _check_kind(chip)
        values = {name: chip.get(name, 0.0) for name in (field.name for field in fields(Costs))}
        fan_in, sop = chip.get("fan_in_max", None), chip.get("peak_sop_per_s", None)
        spec = cls(
            name=chip.name,
            mode=str(chip.facts["mode"]),
            cores=_whole(chip, "cores"),
            neurons_per_core=_whole(chip, "neurons_per_core"),
            static_w=chip["static_w"],
            fan_in_max=None if fan_in is None else int(fan_in),
            synapse_bytes_per_core=chip.get("synapse_bytes_per_core", None),
            weight_bits=_weight_bits(chip),
            shared_kernels=chip.facts.get("shared_kernels") is True,
            cores_per_tile=_whole(chip, "cores_per_tile") if "cores_per_tile" in chip else 1,
            sync=_sync(chip),
            sync_chip_s=chip.get("sync_chip_s", 0.0),
            tick_s=chip["tick_s"] if chip.facts["mode"] == "tick" else 0.0,
            peak_sop_per_s=sop,
            host_w=chip.get("host_w", 0.0),
            costs=Costs(**values),
        )
        for name in (*values, "static_w", "sync_chip_s", "tick_s", "host_w"):
            if (value := chip.get(name, 0.0)) < 0.0:
                raise CatalogError(f"chip {chip.name}: {name} is {value:g}, want 0 or more")
        return spec

    def sync_s(self, tiles: int, chips: int) -> float:
        """Time of the barrier at the end of each step over so many tiles with neurons on so many chips, s."""
        on_chip = max((row for row in self.sync if row[0] <= tiles), default=(0.0, 0.0))[1]
        return on_chip if chips == 1 else max(on_chip, self.sync_chip_s * sum(chip_grid(chips)))

    @property
    def mesh_height(self) -> int:
        """Tiles from north to south: the mesh is as square as whole rows allow, wider than high."""
        tiles = -(-self.cores // self.cores_per_tile)
        return max(height for height in range(1, int(tiles**0.5) + 1) if tiles % height == 0)


def chip_grid(chips: int) -> tuple[int, int]:
    """Columns and rows of so many chips, as square as can be, not higher than wide."""
    columns = math.isqrt(chips - 1) + 1
    return columns, -(-chips // columns)


def _check_kind(chip: Entry) -> None:
    nets = _words(chip, "nets")
    if "snn" not in nets:
        raise PlacementError(f"chip {chip.name}: runs no spiking networks, only {', '.join(nets) or 'unknown ones'}")
    mode = str(chip.facts.get("mode"))
    if mode not in MODES:
        raise PlacementError(f"chip {chip.name}: mode {mode} is not simulated; modes that are: {', '.join(MODES)}")
    if not any(name in chip for name in _ENERGIES):
        raise PlacementError(f"chip {chip.name}: the catalog has no energy per event (any of {', '.join(_ENERGIES)})")


def _words(chip: Entry, fact: str) -> list[str]:
    found = chip.facts.get(fact, [])
    return [str(word) for word in found] if isinstance(found, list | tuple) else [str(found)]


def _whole(chip: Entry, key: str) -> int:
    value = chip[key]
    if not (value.is_integer() and 1 <= value < 2**31):
        raise CatalogError(f"chip {chip.name}: {key} is {value:g}, want a whole number from 1")
    return int(value)


def _weight_bits(chip: Entry) -> int:
    """Bits of a stored weight: those of the first precision in the catalog's list that says; 8 when none
    does.
    """
    for word in _words(chip, "precision"):
        bits = _BITS.get(word) or int((re.findall(r"\d+", word) or ["0"])[0])
        if bits:
            return bits
    return 8


def _sync(chip: Entry) -> tuple[tuple[float, float], ...]:
    table = chip.array("sync_s") if "sync_s" in chip else np.zeros(())
    rows = np.array([[0.0, float(table)]]) if table.ndim == 0 else table
    if rows.ndim != 2 or rows.shape[1] != 2 or bool((rows < 0.0).any()):
        raise CatalogError(f"chip {chip.name}: sync_s is neither one time nor rows of [tiles, seconds]")
    return tuple(sorted((float(tiles), float(seconds)) for tiles, seconds in rows))
