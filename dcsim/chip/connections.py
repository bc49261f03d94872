"""Connections between two layers: dense, convolution (pooling is one), explicit synapses.

Every kind answers the same questions without building a synapse where it can: how many synapses there are, how many a
neuron has on either side, how many of a neuron's synapses lie in each of several parts of the target, what current a
set of spikes brings and which neurons it reaches. Neurons of a layer are numbered channel by channel, row by row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dcsim.service import FloatArray, IntArray

BoolArray: TypeAlias = npt.NDArray[np.bool_]

#: How a chip stores the synapses, which some chips price differently.
Storage: TypeAlias = Literal["dense", "sparse", "conv"]

STORAGES: tuple[Storage, ...] = ("dense", "sparse", "conv")

#: Synapses followed event by event at once; more spikes than that, or than a tenth of all, go through a matrix product.
_MOST_EVENTS = 4_000_000


@dataclass(frozen=True, eq=False, kw_only=True)
class Connection(ABC):
    """From all neurons of layer `source` to those of layer `target`."""

    source: int
    target: int
    delay: int = 0
    """steps from a spike to its arrival; 0: it arrives in the same step"""

    @property
    @abstractmethod
    def storage(self) -> Storage:
        """how a chip stores the synapses"""

    @property
    @abstractmethod
    def synapses(self) -> int:
        """synapses, edge-exact: a kernel tap that falls on the padding is none"""

    @property
    @abstractmethod
    def weighted(self) -> bool:
        """whether the weights are known, so that `current` can be asked for"""

    @abstractmethod
    def fan_in(self) -> IntArray:
        """Synapses of each target neuron, shape (targets,)."""

    @abstractmethod
    def fan_out(self) -> IntArray:
        """Synapses of each source neuron, shape (sources,)."""

    @abstractmethod
    def onto(self, part: IntArray, parts: int) -> sparse.csr_array:
        """Synapses of each source neuron in each part of the target, int64, shape (sources, parts).

        `part` (targets,) is the part, 0 to `parts` - 1, of each target neuron.
        """

    @abstractmethod
    def current(self, spikes: FloatArray) -> FloatArray:
        """Summed weight that arrives at each target, (J, targets), from spikes (or values) of shape (J, sources)."""

    @abstractmethod
    def reached(self, spikes: BoolArray) -> BoolArray:
        """Which targets get at least one synaptic event, (J, targets), whatever the weights add up to."""

    @abstractmethod
    def unrolled(self) -> sparse.csr_array:
        """Weight of every synapse, shape (sources, targets); only where the weights are known."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Connection):
    """Every neuron to every neuron."""

    sources: int
    targets: int
    weights: FloatArray | None = None
    """shape (targets, sources); None: not known"""

    @property
    def storage(self) -> Storage:
        """dense"""
        return "dense"

    @property
    def synapses(self) -> int:
        """sources x targets"""
        return self.sources * self.targets

    @property
    def weighted(self) -> bool:
        """whether the weights are known"""
        return self.weights is not None

    def fan_in(self) -> IntArray:
        """All sources."""
        return np.full(self.targets, self.sources)

    def fan_out(self) -> IntArray:
        """All targets."""
        return np.full(self.sources, self.targets)

    def onto(self, part: IntArray, parts: int) -> sparse.csr_array:
        """The size of each part, alike for all sources."""
        sizes = np.bincount(part, minlength=parts)
        used = np.flatnonzero(sizes)
        indices = np.tile(used, self.sources)
        starts = np.arange(self.sources + 1) * len(used)
        return sparse.csr_array((np.tile(sizes[used], self.sources), indices, starts), shape=(self.sources, parts))

    def current(self, spikes: FloatArray) -> FloatArray:
        """spikes x transposed weights"""
        assert self.weights is not None
        current: FloatArray = spikes @ self.weights.T
        return current

    def reached(self, spikes: BoolArray) -> BoolArray:
        """All targets, if anything fired."""
        return np.repeat(spikes.any(axis=1, keepdims=True), self.targets, axis=1)

    def unrolled(self) -> sparse.csr_array:
        """The transposed weights, zeros included."""
        assert self.weights is not None
        ends = np.indices((self.sources, self.targets)).reshape(2, -1)
        return sparse.csr_array((self.weights.T.ravel(), tuple(ends)), shape=(self.sources, self.targets))


@dataclass(frozen=True, eq=False, kw_only=True)
class Sparse(Connection):
    """Explicit synapses; two between the same pair of neurons count twice but act as their sum."""

    matrix: sparse.csr_array
    """weight of each synapse, shape (sources, targets); ones where the weights are not known"""
    multiplicity: sparse.csr_array | None = None
    """synapses between each pair, same shape, where there are several between any; None: one where `matrix` has one"""
    known: bool = True
    """whether the weights are known"""
    stored: Storage = "sparse"

    @property
    def storage(self) -> Storage:
        """as it was made"""
        return self.stored

    @cached_property
    def _counts(self) -> sparse.csr_array:
        if self.multiplicity is not None:
            return self.multiplicity
        matrix = self.matrix
        matrix.sort_indices()  # both share their indices, which SciPy may sort in place at any time
        return sparse.csr_array((np.ones(matrix.nnz, dtype=np.int64), matrix.indices, matrix.indptr), matrix.shape)

    @property
    def synapses(self) -> int:
        """as many as were listed"""
        return int(self._counts.sum())

    @property
    def weighted(self) -> bool:
        """whether the weights are known"""
        return self.known

    def fan_in(self) -> IntArray:
        """Column sums."""
        return np.asarray(self._counts.sum(axis=0), dtype=np.int64)

    def fan_out(self) -> IntArray:
        """Row sums."""
        return np.asarray(self._counts.sum(axis=1), dtype=np.int64)

    def onto(self, part: IntArray, parts: int) -> sparse.csr_array:
        """Product with the indicator of the parts."""
        targets = self._counts.shape[1]
        indicator = sparse.csr_array((np.ones(targets, dtype=np.int64), (np.arange(targets), part)), (targets, parts))
        return sparse.csr_array(self._counts @ indicator)

    def current(self, spikes: FloatArray) -> FloatArray:
        """spikes x weights"""
        if self._crowded(spikes):
            current: FloatArray = np.asarray(spikes @ self.matrix)
            return current
        value, place, entries = self._events(spikes)
        shape = len(spikes), self.matrix.shape[1]
        summed = np.bincount(place, value * self.matrix.data[entries], shape[0] * shape[1])
        return summed.reshape(shape).astype(np.float64, copy=False)

    def reached(self, spikes: BoolArray) -> BoolArray:
        """Targets with an event."""
        if self._crowded(spikes):
            return np.asarray(spikes.astype(np.float64) @ self._counts) > 0
        reached = np.zeros((len(spikes), self.matrix.shape[1]), dtype=np.bool_)
        reached.ravel()[self._events(spikes)[1]] = True
        return reached

    def unrolled(self) -> sparse.csr_array:
        """The matrix itself."""
        return self.matrix

    def _crowded(self, spikes: FloatArray | BoolArray) -> bool:
        """Whether there are so many spikes that a matrix product is quicker than to follow each."""
        sources = self.matrix.shape[0]
        expected = np.count_nonzero(spikes) * self.matrix.nnz / max(sources, 1)
        return bool(expected > min(_MOST_EVENTS, 0.1 * len(spikes) * self.matrix.nnz))

    def _events(self, spikes: FloatArray | BoolArray) -> tuple[FloatArray, IntArray, IntArray]:
        """Of each synaptic event: value sent, place in a flat (J, targets), index among the matrix's entries."""
        sample, source = np.nonzero(spikes)
        start, count = self.matrix.indptr[source], np.diff(self.matrix.indptr)[source].astype(np.int64)
        first = np.cumsum(count) - count
        entries = np.arange(count.sum()) + np.repeat(start - first, count)
        place = np.repeat(sample * self.matrix.shape[1], count) + self.matrix.indices[entries]
        return np.repeat(np.asarray(spikes[sample, source], dtype=np.float64), count), place, entries


@dataclass(frozen=True, eq=False, kw_only=True)
class Convolution(Connection):
    """Kernel over (channels, height, width) planes. Pooling has groups = channels.

    Input (y, x) feeds output (r, c) through tap (y + padding - r stride, x + padding - c stride), where that lies in
    the kernel. The output may be smaller than the padded input allows, never larger.
    """

    shape_in: tuple[int, int, int]
    shape_out: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    """rows above and columns to the left"""
    groups: int = 1
    weights: FloatArray | None = field(default=None)
    """shape (channels out, channels in / groups, kernel height, kernel width); None: not known"""

    @property
    def storage(self) -> Storage:
        """conv"""
        return "conv"

    @property
    def weighted(self) -> bool:
        """whether the weights are known"""
        return self.weights is not None

    @property
    def sources(self) -> int:
        """neurons of the source"""
        return int(np.prod(self.shape_in))

    @property
    def targets(self) -> int:
        """neurons of the target"""
        return int(np.prod(self.shape_out))

    def reach(self, axis: int) -> tuple[IntArray, IntArray]:
        """First and one past the last output position that each input position reaches along axis 0 or 1.

        Input i feeds output o when 0 <= i + padding - o stride < kernel. Both of shape (size in,).
        """
        padded = np.arange(self.shape_in[1 + axis], dtype=np.int64) + self.padding[axis]
        first = np.maximum(-((self.kernel[axis] - 1 - padded) // self.stride[axis]), 0)
        last = np.minimum(padded // self.stride[axis], self.shape_out[1 + axis] - 1)
        return first, np.maximum(last + 1, first)

    def taps(self, axis: int) -> IntArray:
        """Kernel taps inside the input at each output position along axis 0 or 1, shape (size out,)."""
        start = np.arange(self.shape_out[1 + axis], dtype=np.int64) * self.stride[axis] - self.padding[axis]
        end = np.minimum(start + self.kernel[axis], self.shape_in[1 + axis])
        inside: IntArray = np.maximum(end - np.maximum(start, 0), 0)
        return inside

    @property
    def synapses(self) -> int:
        """channel pairs x row pairs x column pairs"""
        rows, columns = (int(self.taps(axis).sum()) for axis in (0, 1))
        return self.shape_in[0] * (self.shape_out[0] // self.groups) * rows * columns

    def fan_in(self) -> IntArray:
        """Channels of the group x taps inside the input."""
        plane = np.outer(self.taps(0), self.taps(1)).ravel() * (self.shape_in[0] // self.groups)
        return np.tile(plane, self.shape_out[0])

    def fan_out(self) -> IntArray:
        """Channels of the group x positions reached."""
        (row_first, row_end), (column_first, column_end) = self.reach(0), self.reach(1)
        plane = np.outer(row_end - row_first, column_end - column_first).ravel()
        return np.tile(plane * (self.shape_out[0] // self.groups), self.shape_in[0])

    def onto(self, part: IntArray, parts: int) -> sparse.csr_array:
        """Counted tap by tap over the planes: no synapse is built, a plane of positions at a time is."""
        channels_in, channels_out = self.shape_in[0] // self.groups, self.shape_out[0] // self.groups
        plane_in = self.shape_in[1] * self.shape_in[2]
        position_in, position_out = self._positions()
        blocks = []
        for group in range(self.groups):
            first = group * channels_out
            of_target = part.reshape(self.shape_out[0], -1)[first : first + channels_out]
            rows = np.tile(position_in, channels_out)
            ones = np.ones(len(rows), dtype=np.int64)
            block = sparse.csr_array((ones, (rows, of_target[:, position_out].ravel())), (plane_in, parts))
            blocks += [block] * channels_in  # alike for all channels in of the group
        return sparse.csr_array(sparse.vstack(blocks, format="csr"))

    def unrolled(self) -> sparse.csr_array:
        """One entry per channel pair and pair of connected positions."""
        assert self.weights is not None
        position_in, position_out, tap = *self._positions(), self._taps_of_positions()
        plane_in, plane_out = (shape[1] * shape[2] for shape in (self.shape_in, self.shape_out))
        kernels = self.weights.reshape(self.shape_out[0], self.shape_in[0] // self.groups, -1)
        channel_out = np.arange(self.shape_out[0])
        local = np.arange(kernels.shape[1])
        channel_in = (channel_out // (self.shape_out[0] // self.groups))[:, None] * kernels.shape[1] + local
        rows = channel_in[:, :, None] * plane_in + position_in
        columns = np.broadcast_to(channel_out[:, None, None] * plane_out + position_out, rows.shape)
        weights = kernels[:, :, tap]
        return sparse.csr_array((weights.ravel(), (rows.ravel(), columns.ravel())), (self.sources, self.targets))

    def current(self, spikes: FloatArray) -> FloatArray:
        """Kernel tap by kernel tap, over all positions at once; no synapse is built."""
        assert self.weights is not None
        kernels = self.weights.reshape(self.groups, self.shape_out[0] // self.groups, -1, *self.kernel)
        planes = spikes.reshape(len(spikes), self.groups, -1, *self.shape_in[1:])
        single = kernels.shape[2] == 1  # one channel in per group, as in pooling: a product of numbers, not matrices
        current = np.zeros((len(spikes), *kernels.shape[:2], self.shape_out[1] * self.shape_out[2]))
        for row, column, seen in self._windows(planes):
            tap = kernels[..., row, column]
            current += tap * seen if single else tap @ seen
        return current.reshape(len(spikes), -1)

    def reached(self, spikes: BoolArray) -> BoolArray:
        """Positions whose kernel sees a spike in any channel of the group."""
        planes = np.any(spikes.reshape(len(spikes), self.groups, -1, *self.shape_in[1:]), axis=2, keepdims=True)
        reached = np.zeros((len(spikes), self.groups, 1, self.shape_out[1] * self.shape_out[2]), dtype=np.bool_)
        for _, _, seen in self._windows(planes):
            reached |= seen
        return np.repeat(reached, self.shape_out[0] // self.groups, axis=2).reshape(len(spikes), -1)

    def _windows(self, planes: npt.NDArray[Any]) -> Iterator[tuple[int, int, npt.NDArray[Any]]]:
        """Row and column of each tap, and what it sees of (..., height, width): (..., positions out)."""
        span = [(self.shape_out[1 + axis] - 1) * self.stride[axis] + 1 for axis in (0, 1)]
        beyond = [
            max(span[axis] - 1 + self.kernel[axis] - self.padding[axis] - self.shape_in[1 + axis], 0) for axis in (0, 1)
        ]
        edges = [(0, 0)] * (planes.ndim - 2) + list(zip(self.padding, beyond, strict=True))
        padded = np.pad(planes, edges)
        for row in range(self.kernel[0]):
            for column in range(self.kernel[1]):
                rows = slice(row, row + span[0], self.stride[0])
                columns = slice(column, column + span[1], self.stride[1])
                yield row, column, padded[..., rows, columns].reshape(*planes.shape[:-2], -1)

    def _pairs(self, axis: int) -> tuple[IntArray, IntArray]:
        """Connected (input, output) positions along one axis."""
        first, end = self.reach(axis)
        count = end - first
        inputs = np.repeat(np.arange(len(first), dtype=np.int64), count)
        outputs = np.arange(len(inputs)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
        return inputs, outputs

    def _positions(self) -> tuple[IntArray, IntArray]:
        """Connected positions of an input plane and an output plane, all pairs."""
        (rows_in, rows_out), (columns_in, columns_out) = self._pairs(0), self._pairs(1)
        inputs = rows_in[:, None] * self.shape_in[2] + columns_in
        outputs = rows_out[:, None] * self.shape_out[2] + columns_out
        return inputs.ravel(), outputs.ravel()

    def _taps_of_positions(self) -> IntArray:
        """Kernel tap, row by row, of each pair of `_positions`."""
        row, column = (
            inputs + self.padding[axis] - outputs * self.stride[axis]
            for axis, (inputs, outputs) in enumerate((self._pairs(0), self._pairs(1)))
        )
        tap: IntArray = (row[:, None] * self.kernel[1] + column).ravel()
        return tap
