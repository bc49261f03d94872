"""Spiking networks as layers: sizes, rates and exact synapse counts, without ever building a synapse.

Layer 0 is the input: its neurons only send spikes. Neurons of a layer are numbered channel by channel, row by
row: index = (channel x height + row) x width + column.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from dcsim.catalog import Entry
from dcsim.errors import DcsimError, PlacementError
from dcsim.service import FloatArray, IntArray

#: Columns of a row of a layer table; `kernel` 0 means connected to every neuron of the layer before.
ROW = ("channels", "height", "width", "kernel", "stride", "padding", "groups")

_LARGEST_LAYER = 2**31
_LARGEST_PLANE = 2**22
_MOST_LAYERS = 10_000
_MOST_STEPS = 1_000_000

#: One rate for all layers, one per layer, or a table of shape (steps, layers).
Rates: TypeAlias = float | Sequence[float] | Sequence[Sequence[float]]


class NetworkError(DcsimError):
    """A network whose description cannot be right."""


@dataclass(frozen=True)
class Layer:
    """channels x height x width neurons; kernel 0: every one is connected to the whole layer before.

    Pooling is a convolution with groups = channels and stride = kernel.
    """

    channels: int
    height: int = 1
    width: int = 1
    kernel: int = 0
    stride: int = 1
    padding: int = 0
    groups: int = 1

    @property
    def plane(self) -> int:
        """neurons of one channel"""
        return self.height * self.width

    @property
    def neurons(self) -> int:
        """neurons of the layer"""
        return self.channels * self.plane


@dataclass(frozen=True)
class SpikingNetwork:
    """Layers, steps per inference and firing rates. Made by `layered` or `of`, which check every number."""

    layers: tuple[Layer, ...]
    steps: int
    rates: tuple[tuple[float, ...], ...]
    """mean spikes per neuron and step: one row for all steps or one per step, one column per layer"""
    name: str = "network"

    @classmethod
    def layered(
        cls,
        layers: Sequence[int | Sequence[float]],
        *,
        steps: float = 1,
        rates: Rates = 0.0,
        name: str = "network",
    ) -> SpikingNetwork:
        """Network from layer sizes (an int is a dense layer) or rows of seven numbers (`ROW`), input first.

        `rates` is one rate for all layers, one per layer, or a table of shape (steps, layers). Raises
        NetworkError.
        """
        if not 2 <= len(layers) <= _MOST_LAYERS:
            raise NetworkError(f"{name}: found {len(layers)} layers, want 2 to {_MOST_LAYERS}, input included")
        if not (math.isfinite(steps) and steps == int(steps) and 1 <= steps <= _MOST_STEPS):
            raise NetworkError(f"{name}: found {steps:g} steps, want a whole number from 1 to {_MOST_STEPS}")
        built = [_layer(f"{name}, layer {number}", row) for number, row in enumerate(layers)]
        built[0] = Layer(built[0].channels, built[0].height, built[0].width)
        for number, (before, layer) in enumerate(itertools.pairwise(built), start=1):
            _check_convolution(f"{name}, layer {number}", before, layer)
        return cls(tuple(built), int(steps), _rates(name, rates, int(steps), len(built)), name)

    @classmethod
    def of(cls, model: Entry) -> SpikingNetwork:
        """Network of a catalog model. Raises PlacementError when the model has no spiking form."""
        missing = [key for key in ("snn_layers", "snn_rates", "snn_steps") if key not in model]
        if missing:
            raise PlacementError(f"{model.name}: no spiking form (the catalog has no {', '.join(missing)})")
        layers: list[int | Sequence[float]] = model.array("snn_layers").tolist()
        rates: list[float] = model.array("snn_rates").tolist()
        return cls.layered(layers, steps=model["snn_steps"], rates=rates, name=model.name)

    @property
    def neurons(self) -> int:
        """neurons, the input left out"""
        return sum(layer.neurons for layer in self.layers[1:])

    @property
    def synapses(self) -> int:
        """synapses, edge-exact: a kernel tap that falls on the padding is none"""
        return sum(synapse_count(before, layer) for before, layer in itertools.pairwise(self.layers))

    def rate_table(self) -> FloatArray:
        """Rates of shape (steps, layers), spikes per neuron and step."""
        return np.broadcast_to(np.array(self.rates, dtype=np.float64), (self.steps, len(self.layers)))


def _layer(where: str, row: int | Sequence[float]) -> Layer:
    values = [row] if isinstance(row, int | float) else list(row)
    if len(values) not in (1, len(ROW)):
        raise NetworkError(f"{where}: found {len(values)} numbers, want 1 or {len(ROW)}: {', '.join(ROW)}")
    for name, value in zip(ROW, values, strict=False):
        smallest = 1 if name in ROW[:3] else 0
        if not _is_whole(value, smallest):
            raise NetworkError(f"{where}: found {name} {value!r}, want a whole number from {smallest}")
    layer = Layer(*(int(value) for value in values))
    if layer.neurons > _LARGEST_LAYER:
        raise NetworkError(f"{where}: found {layer.neurons} neurons, want at most {_LARGEST_LAYER}")
    return layer


def _is_whole(value: object, smallest: int) -> bool:
    return isinstance(value, int | float) and smallest <= value <= _LARGEST_LAYER and value == int(value)


def _check_convolution(where: str, before: Layer, layer: Layer) -> None:
    if layer.kernel == 0:
        return
    if before.plane > _LARGEST_PLANE:
        raise NetworkError(f"{where}: {before.plane} positions to convolve, want at most {_LARGEST_PLANE}")
    if layer.stride < 1 or layer.groups < 1 or layer.padding >= layer.kernel:
        raise NetworkError(
            f"{where}: found stride {layer.stride}, groups {layer.groups}, padding {layer.padding}, "
            f"want stride and groups from 1 and padding below the kernel, {layer.kernel}"
        )
    if before.channels % layer.groups or layer.channels % layer.groups:
        raise NetworkError(
            f"{where}: found {layer.groups} groups, want a divisor of {before.channels} channels in and "
            f"{layer.channels} out"
        )
    height, width = (
        (size + 2 * layer.padding - layer.kernel) // layer.stride + 1 for size in (before.height, before.width)
    )
    if (height, width) != (layer.height, layer.width):
        raise NetworkError(
            f"{where}: found {layer.height} x {layer.width}, but kernel {layer.kernel}, "
            f"stride {layer.stride}, padding {layer.padding} on {before.height} x {before.width} "
            f"give {height} x {width}"
        )


def _rates(name: str, rates: Rates, steps: int, layers: int) -> tuple[tuple[float, ...], ...]:
    try:
        table = np.atleast_2d(np.array(rates, dtype=np.float64))
    except ValueError:
        problem = "rates: found no table of numbers, want one rate per layer in each row"
        raise NetworkError(f"{name}: {problem}") from None
    if table.shape == (1, 1):
        table = np.repeat(table, layers, axis=1)
    if table.shape not in ((1, layers), (steps, layers)):
        found = " x ".join(map(str, table.shape))
        raise NetworkError(f"{name}: rates: found {found}, want one per layer ({layers}) or {steps} x {layers}")
    wrong = table[~((table >= 0.0) & (table <= 1.0))]
    if wrong.size:
        raise NetworkError(f"{name}: rates: found {wrong[0]:g}, want spikes per neuron and step from 0 to 1")
    return tuple(tuple(row) for row in table.tolist())


def reach(size_in: int, size_out: int, layer: Layer) -> tuple[IntArray, IntArray]:
    """First and one past the last output position that each input position reaches along one axis.

    Both of shape (size_in,). Input i feeds output o when 0 <= i + padding - o x stride < kernel.
    """
    padded = np.arange(size_in, dtype=np.int64) + layer.padding
    first = np.maximum(-((layer.kernel - 1 - padded) // layer.stride), 0)
    last = np.minimum(padded // layer.stride, size_out - 1)
    return first, np.maximum(last + 1, first)


def _edges_along(size_in: int, size_out: int, layer: Layer) -> int:
    first, end = reach(size_in, size_out, layer)
    return int((end - first).sum())


def synapse_count(before: Layer, layer: Layer) -> int:
    """Synapses from one layer to the next."""
    if layer.kernel == 0:
        return before.neurons * layer.neurons
    rows = _edges_along(before.height, layer.height, layer)
    columns = _edges_along(before.width, layer.width, layer)
    return before.channels * (layer.channels // layer.groups) * rows * columns


def fan_in(before: Layer, layer: Layer) -> int:
    """Most synapses that one neuron of `layer` receives."""
    if layer.kernel == 0:
        return before.neurons

    def taps(size_in: int, size_out: int) -> int:
        start = np.arange(size_out) * layer.stride - layer.padding
        return int((np.minimum(start + layer.kernel, size_in) - np.maximum(start, 0)).max())

    channels = before.channels // layer.groups
    return channels * taps(before.height, layer.height) * taps(before.width, layer.width)
