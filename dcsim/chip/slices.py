"""Distinct neurons on either side of slices: how many sources reach each slice, how many slices each source reaches.

A slice is a range of at least one neuron of the target layer; slice k is bounds[k] to bounds[k + 1] with bounds 0, ...,
neurons. Dense layers and convolutions are counted from their shapes, without building a synapse.
"""

from __future__ import annotations

import numpy as np

from dcsim.chip.connections import Connection, Convolution, Dense
from dcsim.service import IntArray


def equal(neurons: int, slices: int) -> IntArray:
    """Bounds of slices that differ by at most one neuron, larger ones first, shape (slices + 1,)."""
    size, larger = divmod(neurons, slices)
    number = np.arange(slices + 1, dtype=np.int64)
    return number * size + np.minimum(number, larger)


def sources_into(connection: Connection, bounds: IntArray) -> IntArray:
    """Different source neurons with a synapse into each slice, shape (slices,)."""
    if isinstance(connection, Dense):
        return np.full(len(bounds) - 1, connection.sources)
    if isinstance(connection, Convolution):
        return _convolved_sources(connection, bounds)
    pattern = connection.onto(part_of(bounds), len(bounds) - 1)
    return np.bincount(pattern.indices, minlength=len(bounds) - 1)


def slices_reached(connection: Connection, bounds: IntArray) -> IntArray:
    """Different slices that each source neuron has a synapse into, shape (sources,)."""
    if isinstance(connection, Dense):
        return np.full(connection.sources, len(bounds) - 1)
    if isinstance(connection, Convolution):
        return _convolved_slices(connection, bounds)
    reached: IntArray = np.diff(connection.onto(part_of(bounds), len(bounds) - 1).indptr).astype(np.int64)
    return reached


def part_of(bounds: IntArray) -> IntArray:
    """Slice of each neuron, shape (neurons,)."""
    return np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))


def _convolved_sources(convolution: Convolution, bounds: IntArray) -> IntArray:
    """Slices are cut at the borders of groups; each piece reaches some positions in all channels of its group."""
    borders = np.arange(convolution.groups + 1) * (convolution.targets // convolution.groups)
    edges = np.sort(np.concatenate([bounds, borders]))
    edges = edges[np.diff(edges, prepend=-1) > 0]
    slice_of = np.searchsorted(bounds, edges[:-1], "right") - 1
    found = np.zeros(len(bounds) - 1, dtype=np.int64)
    np.add.at(found, slice_of, _positions(convolution, edges) * (convolution.shape_in[0] // convolution.groups))
    return found


class _Axis:
    """Input positions along one axis that reach any output; both ends of what they reach ascend."""

    def __init__(self, convolution: Convolution, axis: int) -> None:
        first, end = convolution.reach(axis)
        self.first, self.end = first[end > first], end[end > first]
        self.count = len(self.first)

    def above(self, output: IntArray) -> IntArray:
        """Number of the first position that reaches `output` or a later one."""
        return np.searchsorted(self.end, output, "right")

    def below(self, output: IntArray) -> IntArray:
        """One past the number of the last position that reaches one before `output`."""
        return np.searchsorted(self.first, output, "left")


def _positions(convolution: Convolution, edges: IntArray) -> IntArray:
    """Input positions that reach each piece between `edges`, within the plane of one channel, shape (pieces,).

    A piece runs from (row, column) of its first neuron, `head`, to that of its last one, `tail`, perhaps over the end
    of a plane into the next. An input row that reaches a full row of the piece does so from all columns; one that
    reaches only the head row, only the tail row, or only these two, from the columns that reach what is of them.
    """
    height, width = convolution.shape_out[1:]
    rows, columns = _Axis(convolution, 0), _Axis(convolution, 1)
    (head_plane, head), (tail_plane, tail) = (np.divmod(n, height * width) for n in (edges[:-1], edges[1:] - 1))
    (head, start), (tail, stop) = np.divmod(head, width), np.divmod(tail, width)
    after, before = columns.count - columns.above(start), columns.below(stop + 1)
    either = np.minimum(after + before, columns.count)
    ends_at_head = rows.above(head), rows.above(head + 1)  # rows that reach the head row but none after it
    starts_at_tail = rows.below(tail), rows.below(tail + 1)

    over = np.maximum(starts_at_tail[0] - ends_at_head[1], 0)  # rows that reach past the head and before the tail
    seen = np.where(tail > head + 1, columns.count, either) * over
    seen += (ends_at_head[1] - ends_at_head[0]) * after + (starts_at_tail[1] - starts_at_tail[0]) * before
    one_row = (starts_at_tail[1] - ends_at_head[0]) * np.maximum(after + before - columns.count, 0)
    seen = np.where(head == tail, one_row, seen)

    only_both = _common(ends_at_head, starts_at_tail)
    wrapped = (rows.count - np.maximum(ends_at_head[1] - starts_at_tail[0], 0)) * columns.count + only_both * either
    wrapped += _common(ends_at_head, (starts_at_tail[1], np.full_like(head, rows.count))) * after
    wrapped += _common(starts_at_tail, (np.zeros_like(tail), ends_at_head[0])) * before
    seen = np.where(tail_plane > head_plane, wrapped, seen)
    positions: IntArray = np.where(np.diff(edges) >= height * width, rows.count * columns.count, seen)
    return positions


def _common(one: tuple[IntArray, IntArray], other: tuple[IntArray, IntArray]) -> IntArray:
    """Numbers that two ranges have in common."""
    common: IntArray = np.maximum(np.minimum(one[1], other[1]) - np.maximum(one[0], other[0]), 0)
    return common


def _convolved_slices(convolution: Convolution, bounds: IntArray) -> IntArray:
    """Row by row of each channel: a source reaches one run of neurons there, and runs come in ascending order."""
    channels, height, width = convolution.shape_out
    (row_first, row_end), (column_first, column_end) = convolution.reach(0), convolution.reach(1)
    part = part_of(bounds)
    per_group = channels // convolution.groups
    found = []
    for group in range(convolution.groups):
        reached = np.zeros((len(row_first), len(column_first)), dtype=np.int64)
        latest = np.full_like(reached, -1)
        for channel in range(group * per_group, (group + 1) * per_group):
            for tap in range(int((row_end - row_first).max(initial=0))):
                row = row_first + tap
                inside = (row < row_end)[:, None] & (column_end > column_first)[None]
                start = (channel * height + np.minimum(row, height - 1))[:, None] * width
                first = part[start + np.minimum(column_first, width - 1)]
                last = part[start + column_end - 1]
                new = last - np.maximum(first, latest + 1) + 1
                reached += np.where(inside, np.maximum(new, 0), 0)
                latest = np.where(inside, last, latest)
        found.append(np.tile(reached.ravel(), convolution.shape_in[0] // convolution.groups))
    return np.concatenate(found)
