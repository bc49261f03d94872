"""Into how many slices a network is cut so that each keeps the limits of a core.

Layers get equal slices, the fewest that hold them (`layers_in_slices`). Explicit synapses in a single layer fill one
core after the other (`filled`). A slice's output edges and copies depend on how the layers that it sends to are cut,
so that both go on until nothing grows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from dcsim.chip import limits, slices
from dcsim.chip.connections import Connection, Convolution
from dcsim.chip.limits import LimitError
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.spec import ChipSpec
from dcsim.service import FloatArray, IntArray

_MOST_ROUNDS = 64
_MARGIN = 0.02


def layers_in_slices(
    network: SpikingNetwork, chip: ChipSpec, wanted: Sequence[int], at_port: Sequence[bool]
) -> list[IntArray]:
    """Sizes of the slices of each layer, none for those `at_port`; each layer has at least `wanted` slices.

    Raises LimitError when a single neuron is too much for a core.
    """
    demands = _demands(network, chip)
    for demand in demands:
        demand.check_fan_in()
    counts = [0 if port else wanted[number] for number, port in enumerate(at_port)]
    known: dict[int, list[int]] = {}
    for _ in range(_MOST_ROUNDS):
        before = list(counts)
        for number in reversed(network.order):  # what a layer sends to comes first, loops apart
            ahead = [counts[connection.target] for connection in demands[number].outgoing]
            if not at_port[number] and known.get(number) != ahead:
                counts[number] = demands[number].fewest(counts[number], counts)
                known[number] = ahead
        if counts == before:
            break
    else:
        number = max(range(len(counts)), key=lambda n: counts[n] - before[n])
        demands[number].refuse(counts)
    none = np.zeros(0, dtype=np.int64)
    return [
        np.diff(slices.equal(layer.neurons, count)) if count else none
        for layer, count in zip(network.layers, counts, strict=True)
    ]


def _demands(network: SpikingNetwork, chip: ChipSpec) -> list[_Demand]:
    incoming: list[list[Connection]] = [[] for _ in network.layers]
    outgoing: list[list[Connection]] = [[] for _ in network.layers]
    for connection in network.connections:
        incoming[connection.target].append(connection)
        outgoing[connection.source].append(connection)
    return [_Demand(network, n, chip, incoming[n], outgoing[n]) for n in range(len(network.layers))]


class _Demand:
    """What equal slices of one layer ask of a core."""

    def __init__(
        self,
        network: SpikingNetwork,
        number: int,
        chip: ChipSpec,
        incoming: Sequence[Connection],
        outgoing: Sequence[Connection],
    ) -> None:
        self.layer, self.chip, self.incoming, self.outgoing = network.layers[number], chip, incoming, outgoing
        self.where = f"{network.name}, {network.label(number)} on chip {chip.name}"
        self.neurons_of = [network.layers[connection.target].neurons for connection in outgoing]
        self.most = max(chip.capacities)
        self.fan_in = int(np.sum([c.fan_in() for c in incoming], axis=0).max()) if incoming else 0
        self.bits = _below(_bits_of_neurons(incoming, self.layer.neurons, chip))

    def check_fan_in(self) -> None:
        """Raise LimitError for a neuron with too many synapses, however the layer is cut."""
        if self.chip.fan_in_max is not None and self.fan_in > self.chip.fan_in_max:
            raise LimitError(self.where, limits.SYNAPSES, self.fan_in, self.chip.fan_in_max)

    def fewest(self, at_least: int, counts: Sequence[int]) -> int:
        """Fewest slices, from `at_least`, that keep every limit while layers are cut into `counts`.

        Raises LimitError when there are none.
        """
        neurons, sums = self.layer.neurons, self._sums(counts)
        low = high = max(at_least, -(-neurons // self.most))
        while (found := self._over(high, sums)) is not None:
            if high == neurons:
                raise LimitError(self.where, *found)
            low, high = high + 1, min(2 * high, neurons)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._over(middle, sums) is None else (middle + 1, high)
        return low

    def refuse(self, counts: Sequence[int]) -> None:
        """Raise the LimitError of a layer that has to be cut further whenever it is cut."""
        resource = limits.EDGES if self.chip.axons_per_neuron is None else limits.COPIES
        found = self._over(self.layer.neurons, self._sums(counts))
        raise LimitError(self.where, *(found or (resource, np.inf, self.most)))

    def _sums(self, counts: Sequence[int]) -> tuple[IntArray, IntArray] | None:
        """Copies of the neurons, and cores that they send to, below each neuron; None where neither is limited."""
        if self.chip.fan_out_max is None and self.chip.axons_per_neuron is None:
            return None
        reached = np.zeros(self.layer.neurons, dtype=np.int64)
        for connection, neurons in zip(self.outgoing, self.neurons_of, strict=True):
            reached += slices.slices_reached(connection, slices.equal(neurons, counts[connection.target]))
        return _below(limits.copies(reached, self.chip)), _below(reached)

    def _over(self, count: int, sums: tuple[IntArray, IntArray] | None) -> tuple[str, float, float] | None:
        """A limit that so many slices do not keep."""
        chip, bounds = self.chip, slices.equal(self.layer.neurons, count)
        neurons = np.diff(bounds) if sums is None else np.diff(sums[0][bounds])
        edges = 0 if sums is None else int(np.diff(sums[1][bounds]).max())
        memory = chip.synapse_bytes_per_core
        over = limits.first_over(
            [
                (limits.NEURONS if chip.axons_per_neuron is None else limits.COPIES, int(neurons.max()), self.most),
                (limits.EDGES, edges, chip.fan_out_max),
                (limits.MEMORY, 0.0 if chip.crossbar else float(self._listed(bounds).max()) / 8, memory),
            ]
        )
        if over or (chip.axons_in_max is None and not chip.crossbar):
            return over
        axons = np.zeros(count, dtype=np.int64)
        for connection in self.incoming:
            axons += slices.sources_into(connection, bounds)
        stored = float((axons * neurons).max()) * chip.weight_bits / 8 if chip.crossbar else 0.0
        return limits.first_over([(limits.AXONS, int(axons.max()), chip.axons_in_max), (limits.MEMORY, stored, memory)])

    def _listed(self, bounds: IntArray) -> FloatArray:
        """Bits of synapse memory that each slice takes on a chip without crossbars."""
        bits = np.diff(self.bits[bounds]).astype(np.float64)
        for connection in self.incoming:
            if isinstance(connection, Convolution) and limits.stored_bits(connection, self.chip) is None:
                plane = connection.shape_out[1] * connection.shape_out[2]
                channels = (bounds[1:] - 1) // plane - bounds[:-1] // plane + 1
                bits += channels * limits.kernel_taps(connection) * self.chip.weight_bits
        return bits


def _bits_of_neurons(incoming: Sequence[Connection], neurons: int, chip: ChipSpec) -> IntArray:
    """Bits of the synapses into each neuron that are stored for it alone, shape (neurons,)."""
    bits = np.zeros(neurons, dtype=np.int64)
    for connection in incoming:
        bits += connection.fan_in() * (limits.stored_bits(connection, chip) or 0)
    return bits


def _below(values: IntArray) -> IntArray:
    """Sums of the values before each index, shape (len + 1,)."""
    below = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=below[1:])
    return below


# ---------------------------------------------------------------- explicit synapses


def filled(network: SpikingNetwork, chip: ChipSpec, placed: IntArray, wanted: int) -> IntArray:
    """How many of the `placed` neurons of a single layer go to each core in turn, shape (cores,).

    `wanted`: at least so many cores. Raises LimitError.
    """
    reached = np.zeros(network.size, dtype=np.int64)
    counted = bool(network.connections) and (chip.axons_in_max is not None or chip.crossbar)
    into = _into(network, placed) if counted else None
    lacking: tuple[str, float, float] | None = None
    for attempt in range(_MOST_ROUNDS):
        sizes = _Filling(network, chip, placed, wanted, reached, into).sizes()
        if (chip.fan_out_max is None and chip.axons_per_neuron is None) or not network.connections:
            return sizes
        core = np.full(network.size, len(sizes))
        core[placed] = np.repeat(np.arange(len(sizes)), sizes)
        onto = sparse.csr_array(sum(connection.onto(core, len(sizes) + 1) for connection in network.connections))
        found = np.diff(onto.indptr).astype(np.int64)
        if (lacking := _lacking(chip, core, sizes, found, np.bincount(onto.indices, minlength=len(sizes)))) is None:
            return sizes
        reached = np.ceil(found * (1.0 + _MARGIN * attempt)).astype(np.int64)
    raise LimitError(f"{network.name} on chip {chip.name}", *(lacking or (limits.EDGES, np.inf, np.inf)))


def _into(network: SpikingNetwork, placed: IntArray) -> sparse.csc_array:
    """Which neurons have a synapse into each of the placed ones, (neurons, placed)."""
    every = np.arange(network.size)
    pattern = sparse.csc_array(sum(connection.onto(every, network.size) for connection in network.connections))
    return pattern if len(placed) == network.size else pattern[:, placed]


def _lacking(
    chip: ChipSpec, core: IntArray, sizes: IntArray, reached: IntArray, axons: IntArray
) -> tuple[str, float, float] | None:
    """A limit that hangs on how the whole network is cut and that some core does not keep."""
    count = len(sizes)
    edges = np.bincount(core, reached, count + 1)[:count]
    neurons = np.bincount(core, limits.copies(reached, chip), count + 1)[:count]
    stored = axons[:count] * neurons * chip.weight_bits / 8 if chip.crossbar else np.zeros(count)
    have = np.resize(np.array(chip.capacities), count)
    worst = int((neurons - have).argmax())
    return limits.first_over(
        [
            (limits.EDGES, float(edges.max()), chip.fan_out_max),
            (limits.COPIES, float(neurons[worst]), int(have[worst])),
            (limits.MEMORY, float(stored.max()), chip.synapse_bytes_per_core),
        ]
    )


class _Filling:
    """Neurons in order, as many to each core as it holds."""

    def __init__(
        self,
        network: SpikingNetwork,
        chip: ChipSpec,
        placed: IntArray,
        wanted: int,
        reached: IntArray,
        into: sparse.csc_array | None,
    ) -> None:
        self.network, self.chip, self.placed = network, chip, placed
        self.share = -(-len(placed) // wanted)
        self.copies = _below(limits.copies(reached, chip)[placed])
        self.edges = _below(reached[placed])
        fan_in = sum((connection.fan_in() for connection in network.connections), np.zeros(network.size, np.int64))
        fan_in = fan_in[placed]
        self.worst = int(fan_in.argmax())
        self.fan_in = int(fan_in[self.worst])
        self.bits = _below(_bits_of_neurons(network.connections, network.size, chip)[placed])
        self.into = into
        self.seen_from = np.full(network.size, -1)  # beginning of the last core that took each neuron's spikes
        self.first_at = np.zeros(network.size, dtype=np.int64)

    def sizes(self) -> IntArray:
        """Neurons of each core."""
        if self.chip.fan_in_max is not None and self.fan_in > self.chip.fan_in_max:
            raise LimitError(self._where(self.worst), limits.SYNAPSES, self.fan_in, self.chip.fan_in_max)
        capacities, start = self.chip.capacities, 0
        found: list[int] = []
        while start < len(self.placed):
            end = self._end(start, capacities[len(found) % len(capacities)])
            found.append(end - start)
            start = end
        return np.array(found, dtype=np.int64)

    def _end(self, start: int, capacity: int) -> int:
        """One past the last neuron that fits when a core begins with `start`."""
        chip = self.chip
        memory = None if chip.crossbar or chip.synapse_bytes_per_core is None else chip.synapse_bytes_per_core * 8
        bounded = [
            (limits.COPIES, self.copies, capacity, 1),
            (limits.MEMORY, self.bits, memory, 8),
            (limits.EDGES, self.edges, chip.fan_out_max, 1),
        ]
        end = min(start + self.share, len(self.placed))
        for resource, below, most, unit in bounded:
            if most is None:
                continue
            end = min(end, int(np.searchsorted(below, below[start] + most, "right")) - 1)
            if end == start:
                need = int(below[start + 1] - below[start])
                raise LimitError(self._where(start), resource, need / unit, most / unit)
        return end if self.into is None else self._seen_end(self.into, start, end)

    def _seen_end(self, into: sparse.csc_array, start: int, end: int) -> int:
        """The same under the limits on input axons, up to `end`, looked at window by window."""
        chip, low, window, taken = self.chip, start, 32, 0
        while low < end:
            high = min(low + window, end)
            axons = taken + self._new_axons(into, start, low, high)
            over = [
                (limits.AXONS, axons, chip.axons_in_max),
                (limits.MEMORY, self._crossbar_bytes(axons, start, low, high), chip.synapse_bytes_per_core),
            ]
            for resource, needs, have in over:
                if have is not None and needs[-1] > have:
                    end = min(end, low + int(np.searchsorted(needs, have, "right")))
                    if end == start:
                        raise LimitError(self._where(start), resource, float(needs[0]), have)
            low, window, taken = high, 2 * window, int(axons[-1])
        return end

    def _new_axons(self, into: sparse.csc_array, start: int, low: int, high: int) -> IntArray:
        """Neurons `start` to each of `low` + 1 to `high`: different sources that those before `low` do not have."""
        first, last = into.indptr[low], into.indptr[high]
        sources = into.indices[first:last]
        number = np.arange(len(sources))
        self.first_at[sources[::-1]] = number[::-1]  # of several writes to a place the last one stays
        new = (self.seen_from[sources] != start) & (self.first_at[sources] == number)
        self.seen_from[sources] = start
        axons: IntArray = _below(new.astype(np.int64))[into.indptr[low + 1 : high + 1] - first]
        return axons

    def _crossbar_bytes(self, axons: IntArray, start: int, low: int, high: int) -> FloatArray:
        if not self.chip.crossbar:
            return np.zeros(len(axons))
        stored: FloatArray = axons * (self.copies[low + 1 : high + 1] - self.copies[start]) * self.chip.weight_bits / 8
        return stored

    def _where(self, index: int) -> str:
        return f"{self.network.name}, neuron {self.placed[index]} on chip {self.chip.name}"
