"""From input spikes to the spikes of every neuron: networks whose layers have dynamics, step by step.

In each step the layers run in `SpikingNetwork.order`, so that a spike without delay is taken up in the step in which it
is sent; with a delay of d steps it is taken up d steps later. Every state starts at 0. What a neuron does in a step is
said in `dcsim.chip.neurons`. All arithmetic is in float64, over all neurons of a layer and a block of samples at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from dcsim.chip.connections import Connection
from dcsim.chip.encoding import MOST_BINS, BoolArray, InputError
from dcsim.chip.given import NetworkError, whole_steps
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.neurons import Neurons, Parameter
from dcsim.service import FloatArray, IntArray

#: State of the samples that are followed at once, bytes; and most that one sample may need.
_BLOCK_BYTES = 2**27
_MOST_BYTES = 2**32

_MOST_VALUES = 2**27


@dataclass(frozen=True, eq=False)
class Dynamics:
    """What J samples did in T steps; N neurons, those of the input included, numbered as in the network."""

    network: SpikingNetwork
    raster: BoolArray
    """(J, T, N): who sent: a spike, or a value other than 0 from an input or from a layer that does not spike and leads
    on to another one"""
    updated: BoolArray
    """(J, T, N): whose state a clocked chip has to update: those that were not at rest before the step, got a synaptic
    event, have a constant current, or fired; inputs only when they send"""
    values: Mapping[int, FloatArray]
    """layer -> (J, T, neurons): state of layers that do not spike, if it was asked for"""

    def spikes(self, layer: int) -> BoolArray:
        """Raster of one layer, (J, T, neurons)."""
        first, end = self.network.bounds[layer : layer + 2]
        return self.raster[:, :, first:end]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Spikes of each sample and layer over all steps and neurons, (J, layers)."""
        return np.add.reduceat(self.raster.sum(axis=1, dtype=np.int64), self.network.bounds[:-1], axis=1)


def simulate(
    network: SpikingNetwork, inputs: npt.ArrayLike | None = None, *, steps: int | None = None, values: bool = False
) -> Dynamics:
    """Follow samples through a network.

    `inputs` (J, T, input neurons), or (T, input neurons) for one sample, are spikes or currents, input neurons in order
    of their numbers; None for a network without. `steps` is needed only without inputs, and is those of the network if
    left out. `values` keeps the states of the layers that do not spike. Updates follow the rule that SANA-FE 2.2.9 has
    for its leaky neurons (Boyle et al., IEEE TCAD 2025). Raises NetworkError for a network that cannot run, InputError
    for inputs that do not fit or would need too much memory.
    """
    if not network.runs:
        missing = next((n for n, layer in enumerate(network.layers) if not layer.is_input and not layer.dynamics), None)
        what = "a connection has no weights" if missing is None else f"{network.label(missing)} has no dynamics"
        raise NetworkError(f"{network.name}: cannot be run: {what}")
    given = _checked(network, inputs, steps)
    samples, length = given.shape[:2]
    shape = samples, length, network.size
    if samples * length * network.size > MOST_BINS:
        raise InputError(f"{network.name}: found {' x '.join(map(str, shape))} bins, want at most {MOST_BINS:,}")
    silent = [n for n, layer in enumerate(network.layers) if values and layer.dynamics and not layer.dynamics.spiking]
    if samples * length * sum(network.layers[n].neurons for n in silent) > _MOST_VALUES:
        raise InputError(f"{network.name}: found more than {_MOST_VALUES:,} values to keep; take fewer samples at once")
    kept = {n: np.empty((samples, length, network.layers[n].neurons)) for n in silent}
    made = Dynamics(network, np.zeros(shape, np.bool_), np.zeros(shape, np.bool_), kept)
    block = _block(network)
    for first in range(0, samples, block):
        _follow(made, given, slice(first, min(first + block, samples)))
    return made


def _checked(network: SpikingNetwork, inputs: npt.ArrayLike | None, steps: int | None) -> npt.NDArray[np.generic]:
    """Inputs of shape (J, T, input neurons)."""
    wanted = int(network.is_free.sum())
    if inputs is None:
        if wanted:
            raise InputError(f"{network.name}: found no inputs, want spikes or currents of {wanted} input neurons")
        return np.zeros((1, whole_steps(network.name, network.steps if steps is None else steps), 0))
    given = np.asarray(inputs)
    given = given[None] if given.ndim == 2 else given
    if given.ndim != 3 or given.shape[2] != wanted or not given.shape[0] or not given.shape[1]:
        found = " x ".join(map(str, np.shape(inputs)))
        raise InputError(f"{network.name}: inputs: found {found}, want samples x steps x {wanted} input neurons")
    if given.dtype.kind not in "biuf":
        raise InputError(f"{network.name}: inputs: found {given.dtype} values, want spikes (0 or 1) or numbers")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise InputError(f"{network.name}: inputs: found a value that is not finite")
    if steps is not None and steps != given.shape[1]:
        raise InputError(f"{network.name}: found inputs of {given.shape[1]} steps and steps {steps}; leave steps out")
    return given


def _reach(network: SpikingNetwork) -> list[int]:
    """Longest delay, in steps, of what each layer sends."""
    longest = [0] * len(network.layers)
    for connection in network.connections:
        longest[connection.source] = max(longest[connection.source], connection.delay)
    return longest


def _block(network: SpikingNetwork) -> int:
    """How many samples are followed at once."""
    each = sum(
        8 * layer.neurons * (longest + 8) for layer, longest in zip(network.layers, _reach(network), strict=True)
    )
    if each > _MOST_BYTES:
        raise InputError(f"{network.name}: found {each / 2**30:.1f} GiB of state per sample, want at most 4 GiB")
    return max(1, _BLOCK_BYTES // each)


class _Cells:
    """State of one layer that is not an input, for a block of samples."""

    def __init__(self, network: SpikingNetwork, number: int, samples: int) -> None:
        layer = network.layers[number]
        assert layer.dynamics is not None
        self.of: Neurons = layer.dynamics
        label, size = network.label(number), layer.neurons

        def each(key: str, given: Parameter) -> FloatArray:
            values = np.asarray(given, dtype=np.float64)
            if values.size not in (1, size) or not np.isfinite(values).all():
                found = f"shape {values.shape}" if values.size not in (1, size) else "a value that is not finite"
                raise NetworkError(f"{network.name}: {label}: {key}: found {found}, want a number or {size} of them")
            return values.reshape(-1)

        names = ("decay", "gain", "offset", "threshold", "v_reset", "current_decay", "current_gain")
        self.decay, self.gain, self.offset, self.threshold, self.v_reset, self.keep, self.take = (
            each(name, getattr(self.of, name)) for name in names
        )
        self.bias = each("bias", 0.0 if layer.bias is None else layer.bias)
        self.driven = (self.bias != 0.0) | (self.offset != 0.0)
        self.holds_current = bool(self.keep.any())
        self.current, self.potential = np.zeros((samples, size)), np.zeros((samples, size))
        self.fired = np.zeros((samples, size), dtype=np.bool_)

    def restless(self) -> BoolArray:
        """Who has to be updated even if nothing arrives, (samples, neurons)."""
        moving: BoolArray = (self.potential != 0.0) | self.driven
        return moving | (self.current != 0.0) if self.holds_current else moving

    def rest(self, free: IntArray) -> None:
        """Keep input neurons among them at rest."""
        self.potential[:, free] = self.current[:, free] = 0.0
        self.fired[:, free] = False

    def advance(self, arrived: FloatArray) -> None:
        """One step with the summed weight that arrived, (samples, neurons), which is changed."""
        arrived += self.bias
        arrived *= self.take
        if self.holds_current:
            arrived += self.keep * self.current
            self.current = arrived.copy()
        arrived *= self.gain
        self.potential *= self.decay
        if self.of.resolution:
            self.potential = np.trunc(self.potential / self.of.resolution) * self.of.resolution
        self.potential += arrived
        self.potential += self.offset
        if not self.of.spiking:
            return
        if self.of.reset == "subtract":
            self.potential -= self.threshold * self.fired
        above = self.potential >= self.threshold if self.of.at_threshold else self.potential > self.threshold
        self.fired = above
        if self.of.reset == "value":
            np.copyto(self.potential, self.v_reset, where=above)
        elif self.of.reset == "subtract-now":
            self.potential -= self.threshold * above


def _follow(made: Dynamics, given: npt.NDArray[np.generic], block: slice) -> None:
    """Run one block of samples and write its part of the result."""
    network = made.network
    samples = block.stop - block.start
    cells = {n: _Cells(network, n, samples) for n, layer in enumerate(network.layers) if not layer.is_input}
    sent = [
        np.zeros((longest + 1, samples, layer.neurons))
        for layer, longest in zip(network.layers, _reach(network), strict=True)
    ]
    onto: dict[int, list[Connection]] = {n: [] for n in range(len(network.layers))}
    for connection in network.connections:
        onto[connection.target].append(connection)
    leading = {connection.source for connection in network.connections}
    parts = [slice(first, end) for first, end in pairwise(network.bounds)]
    column = np.cumsum(network.is_free) - 1  # of `given`, for each input neuron
    for step in range(given.shape[1]):
        for number in network.order:
            part, out = parts[number], sent[number][step % len(sent[number])]
            free = np.flatnonzero(network.is_free[part])
            updated = np.zeros(out.shape, dtype=np.bool_)
            if number in cells:
                cell = cells[number]
                arrived = _arrived(onto[number], sent, step, updated)
                updated |= cell.restless()
                cell.advance(arrived)
                out[:] = cell.fired if cell.of.spiking else cell.potential
                if number in made.values:
                    made.values[number][block, step] = cell.potential
                cell.rest(free)
            if free.size:
                out[:, free] = given[block, step][:, column[part][free]]
                updated[:, free] = False
            if number in leading or number not in cells or cells[number].of.spiking:
                fired = out != 0.0
                made.raster[block, step, part] = fired
                updated |= fired
            made.updated[block, step, part] = updated


def _arrived(connections: list[Connection], sent: list[FloatArray], step: int, updated: BoolArray) -> FloatArray:
    """Summed weight that arrives in a step, (samples, neurons); marks in `updated` whom an event reaches."""
    total = np.zeros(updated.shape)
    for connection in connections:
        past = sent[connection.source]
        spikes = past[(step - connection.delay) % len(past)]
        if connection.delay > step or not spikes.any():
            continue
        total += connection.current(spikes)
        updated |= connection.reached(spikes != 0.0)
    return total
