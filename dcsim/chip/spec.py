"""A chip of the catalog as the numbers that the execution model reads."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields

import numpy as np

from dcsim.catalog import Entry
from dcsim.chip.connections import Storage
from dcsim.chip.facts import MODES, check_facts, words_of
from dcsim.errors import CatalogError, PlacementError

#: Limits that some chips have, as the catalog names them.
_LIMITS = (
    "synapse_index_bits", "axons_in_max", "fan_out_max", "axons_per_neuron", "fan_out_layers", "router_entries",
)  # fmt: skip

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
    synapse_sparse_j: float | None = None
    """the same where synapses are stored one by one; None: as `synapse_j`"""
    synapse_sparse_s: float | None = None
    synapse_conv_j: float | None = None
    """the same where a kernel is stored once; None: as `synapse_j`"""
    synapse_conv_s: float | None = None
    hop_ew_j: float = 0.0
    """every message and hop to the east or west"""
    hop_ew_s: float = 0.0
    hop_ns_j: float = 0.0
    """every message and hop to the north or south"""
    hop_ns_s: float = 0.0
    chip_crossing_j: float = 0.0
    """every message and chip border that it crosses, on top of its hops"""
    chip_crossing_s: float = 0.0
    input_spike_j: float = 0.0
    """every spike that the board injects"""
    input_spike_s: float = 0.0
    input_message_s: float = 0.0
    """every message that the board injects: one per spike and core that it reaches"""
    output_spike_j: float = 0.0
    """every spike that the board reads out"""
    output_spike_s: float = 0.0
    host_step_s: float = 0.0
    """time that the host needs in each step beside the spikes"""
    reset_j: float = 0.0
    """each chip, once per inference: clearing the state"""
    reset_s: float = 0.0
    learning_j: float = 0.0
    """every change of a synapse that learns"""
    learning_s: float = 0.0
    op_j: float = 0.0
    """every operation of a dense network, a multiplication or an addition"""
    synapse_mac_j: float = 0.0
    """every product of a value and a weight in the arrays beside the cores"""
    synapse_mac_s: float = 0.0

    def synapse_of(self, storage: Storage) -> tuple[float, float]:
        """Energy (J) and time (s) of a synaptic operation on synapses that are stored in one way."""
        own = {
            "dense": (None, None),
            "sparse": (self.synapse_sparse_j, self.synapse_sparse_s),
            "conv": (self.synapse_conv_j, self.synapse_conv_s),
        }[storage]
        joules, seconds = own
        return self.synapse_j if joules is None else joules, self.synapse_s if seconds is None else seconds


@dataclass(frozen=True)
class Pipeline:
    """Cores of a chip without steps, each of which works on one layer; rows of (cores,)."""

    neurons: tuple[float, ...]
    kernel_bytes: tuple[float, ...]
    synapse_s: tuple[float, ...]
    layer_s: float
    """time that an event needs through one layer, beside its synaptic operations"""
    entry_s: float
    """time from outside to the first layer and out again"""
    fan_out: int
    """most layers that one layer sends to"""


@dataclass(frozen=True)
class DenseCosts:
    """A chip that runs layers of a dense network on a fixed schedule."""

    op_per_s: tuple[tuple[int, float], ...]
    """(bits, operations per second of the whole chip), the format reckoned with first"""
    utilisation: float
    """share of that rate that networks reach"""
    by_chip: bool
    """all cores of a chip work on one layer at a time; False: each layer has cores of its own"""
    density: float = 1.0
    """share of the products that are not skipped because the value is 0"""
    io_bytes_per_s: float | None = None
    layer_s: float = 0.0
    """time to start a layer and to end it"""


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
    crossbar: bool = False
    """a core keeps a weight for each pair of an input axon and a neuron, used or not"""
    synapse_index_bits: int = 0
    """bits beside the weight of a synapse that is stored one by one, such as the number of its neuron"""
    axons_in_max: int | None = None
    """most different neurons whose spikes one core takes"""
    fan_out_max: int | None = None
    """most pairs of a neuron of one core and a core that it sends to"""
    axons_per_neuron: int | None = None
    """most cores that one neuron sends to; for more, copies of it take the place of further neurons"""
    fan_out_layers: int | None = None
    """most cores that the neurons of one core send to, all together"""
    router_entries: int | None = None
    """most sending cores whose spikes start, end or turn at one chip"""
    neurons_of_core: tuple[int, ...] | None = None
    """most neurons of each core where cores differ; then `neurons_per_core` is their mean"""
    cores_per_tile: int = 1
    sync: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    """(tiles, s), ascending: the barrier lasts as long as the last row with no more tiles than are mapped"""
    sync_chip_s: float = 0.0
    """barrier over several chips: this times their columns and rows together, s"""
    tick_s: float = 0.0
    peak_sop_per_s: float | None = None
    """synaptic operations per second of one whole chip; None: only the event times bound it"""
    link_spikes_per_s: float | None = None
    """messages per second over one link between two tiles; None: links bound nothing"""
    link_buffer: float | None = None
    """messages that wait at one link before they block their sender; None: as many as there are"""
    host_w: float = 0.0
    """power of the processors that feed one chip, above idle, as long as it runs a network"""
    costs: Costs = Costs()
    nets: tuple[str, ...] = ("snn",)
    """kinds of networks that it runs"""
    precision: tuple[str, ...] = ()
    """formats of its weights, the first one as reckoned here"""
    learns: bool = False
    refuses_overrun: bool = False
    """work that does not fit a tick is lost, so that the network cannot run; False: the step is stretched"""
    serial_io: bool = False
    """input and output happen between the steps, not at the same time as the cores work"""
    real_tick_s: float | None = None
    """step in real time, for a chip whose steps may last as long as they need"""
    load_s: float = 0.0
    """time to bring a network onto one chip"""
    speedup: float = 1.0
    """model time over wall-clock time"""
    chip_hop_s: float = 0.0
    """time that a message from chip to chip takes"""
    pipeline: Pipeline | None = None
    """how events pass through a chip without steps"""
    dense: DenseCosts | None = None
    """what a chip does with dense networks; None: it runs none"""

    @classmethod
    def of(cls, chip: Entry) -> ChipSpec:
        """Spec of a catalog chip.

        Raises PlacementError when the chip has no mode or energies that can be modelled, and CatalogError when a
        number is missing, negative or not whole, or a word is not understood.
        """
        _check_kind(chip)
        values = {field.name: chip[field.name] for field in fields(Costs) if field.name in chip}
        fan_in, sop = chip.get("fan_in_max", None), chip.get("peak_sop_per_s", None)
        spec = cls(
            name=chip.name,
            mode=str(chip.facts["mode"]),
            cores=_whole(chip, "cores"),
            neurons_per_core=_whole(chip, "neurons_per_core"),
            static_w=chip["static_w"],
            fan_in_max=None if fan_in is None else int(fan_in),
            synapse_bytes_per_core=max(_column(chip, "synapse_bytes"), default=None),
            weight_bits=_weight_bits(chip),
            shared_kernels=chip.facts.get("shared_kernels") is True,
            crossbar=chip.facts.get("crossbar") is True,
            **{key: _whole(chip, key) for key in _LIMITS if key in chip},
            neurons_of_core=_neurons_of_core(chip),
            cores_per_tile=_whole(chip, "cores_per_tile") if "cores_per_tile" in chip else 1,
            sync=_sync(chip),
            sync_chip_s=chip.get("sync_chip_s", 0.0),
            tick_s=chip["tick_s"] if chip.facts["mode"] in ("tick", "event", "analog") else 0.0,
            peak_sop_per_s=sop,
            link_spikes_per_s=_positive(chip, "link_spikes_per_s"),
            link_buffer=_positive(chip, "link_buffer"),
            host_w=chip.get("host_w", 0.0),
            costs=Costs(**values),
            nets=tuple(words_of(chip, "nets")),
            precision=tuple(words_of(chip, "precision")),
            learns=chip.facts.get("learning") is True,
            refuses_overrun=chip.facts.get("overrun") == "refuse",
            serial_io=chip.facts.get("io") == "between steps",
            real_tick_s=_positive(chip, "real_tick_s"),
            load_s=chip.get("load_s", 0.0),
            speedup=_positive(chip, "speedup") or 1.0,
            chip_hop_s=chip.get("chip_hop_s", 0.0),
            pipeline=_pipeline(chip) if chip.facts["mode"] == "event" else None,
            dense=_dense(chip),
        )
        for name in (*values, "static_w", "sync_chip_s", "tick_s", "host_w", "load_s", "chip_hop_s"):
            if (value := chip.get(name, 0.0)) < 0.0:
                raise CatalogError(f"chip {chip.name}: {name} is {value:g}, want 0 or more")
        return spec

    def sync_s(self, tiles: int, chips: int) -> float:
        """Time of the barrier at the end of each step over so many tiles with neurons on so many chips, s."""
        on_chip = max((row for row in self.sync if row[0] <= tiles), default=(0.0, 0.0))[1]
        return on_chip if chips == 1 else max(on_chip, self.sync_chip_s * sum(chip_grid(chips)))

    @property
    def capacities(self) -> tuple[int, ...]:
        """most neurons of each core of a chip"""
        return self.neurons_of_core or (self.neurons_per_core,) * self.cores

    @property
    def mesh_height(self) -> int:
        """Tiles from north to south: the mesh is as square as whole rows allow, wider than high."""
        tiles = -(-self.cores // self.cores_per_tile)
        return max(height for height in range(1, int(tiles**0.5) + 1) if tiles % height == 0)

    @property
    def mesh_width(self) -> int:
        """Tiles from west to east."""
        return -(-self.cores // self.cores_per_tile) // self.mesh_height


def chip_grid(chips: int) -> tuple[int, int]:
    """Columns and rows of so many chips, as square as can be, not higher than wide."""
    columns = math.isqrt(chips - 1) + 1
    return columns, -(-chips // columns)


def _check_kind(chip: Entry) -> None:
    check_facts(chip)
    nets = words_of(chip, "nets")
    if "snn" not in nets and _dense(chip) is None:
        raise PlacementError(f"chip {chip.name}: runs no spiking networks, only {', '.join(nets) or 'unknown ones'}")
    mode = str(chip.facts.get("mode"))
    if mode not in MODES:
        raise PlacementError(f"chip {chip.name}: mode {mode} is not simulated; modes that are: {', '.join(MODES)}")
    if "snn" in nets and mode != "analog" and not any(name in chip for name in _ENERGIES):
        raise PlacementError(f"chip {chip.name}: the catalog has no energy per event (any of {', '.join(_ENERGIES)})")


def _whole(chip: Entry, key: str) -> int:
    value = chip[key]
    if not (value.is_integer() and 1 <= value < 2**31):
        raise CatalogError(f"chip {chip.name}: {key} is {value:g}, want a whole number from 1")
    return int(value)


def _positive(chip: Entry, key: str) -> float | None:
    """A number above 0, or None where the catalog has none."""
    if key not in chip:
        return None
    if not chip[key] > 0.0:
        raise CatalogError(f"chip {chip.name}: {key} is {chip[key]:g}, want a number above 0")
    return chip[key]


def _neurons_of_core(chip: Entry) -> tuple[int, ...] | None:
    if "neurons_of_core" not in chip:
        return None
    table = chip.array("neurons_of_core")
    if table.shape != (int(chip["cores"]),) or bool(((table < 1.0) | (table != np.floor(table))).any()):
        raise CatalogError(f"chip {chip.name}: neurons_of_core is not a whole number from 1 for each of its cores")
    return tuple(int(neurons) for neurons in table)


def _column(chip: Entry, key: str) -> tuple[float, ...]:
    """What each core has, where the catalog tells cores apart, or else the number for all of them; may be empty."""
    if f"{key}_of_core" in chip:
        return tuple(float(value) for value in chip.array(f"{key}_of_core"))
    if key == "neurons":
        return (float(_whole(chip, "neurons_per_core")),)
    return (chip[f"{key}_per_core"],) if f"{key}_per_core" in chip else ()


def _pipeline(chip: Entry) -> Pipeline:
    """Two published times, through one layer and through all, give the time per layer and the rest."""
    cores = _whole(chip, "cores")
    columns = [_column(chip, key) for key in ("neurons", "synapse_bytes")]
    synapse_s = (
        tuple(float(value) for value in chip.array("synapse_s_of_core"))
        if "synapse_s_of_core" in chip
        else (chip["synapse_s"],)
    )
    neurons, kernels, seconds = (column * cores if len(column) == 1 else column for column in (*columns, synapse_s))
    if not len(neurons) == len(kernels) == len(seconds) == cores:
        raise CatalogError(f"chip {chip.name}: want one number per core, {cores}, in every table of cores")
    layer_s = (chip["chain_event_s"] - chip["layer_event_s"]) / max(1, cores - 1)
    return Pipeline(neurons, kernels, seconds, layer_s, chip["layer_event_s"] - layer_s, _whole(chip, "fan_out_layers"))


def _dense(chip: Entry) -> DenseCosts | None:
    """None where the catalog has no rate for any of the formats of the chip."""
    bits = [int(word[3:]) for word in words_of(chip, "precision") if re.fullmatch(r"int\d+", word)]
    rates = tuple((size, chip[f"int{size}_op_per_s"]) for size in bits if f"int{size}_op_per_s" in chip)
    if not rates:
        return None
    by_chip = chip.facts.get("schedule") == "all cores on one layer"
    return DenseCosts(
        rates,
        chip.get("utilisation", 1.0),
        by_chip,
        chip.get("density", 1.0),
        _positive(chip, "io_bytes_per_s"),
        chip.get("layer_s", 0.0),
    )


def _weight_bits(chip: Entry) -> int:
    """Bits of a stored weight: those of the first precision in the catalog's list that says; 8 when none
    does.
    """
    for word in words_of(chip, "precision"):
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
