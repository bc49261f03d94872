"""How many synapses and messages a spike causes from one core to another, for layers cut into slices.

A slice is a range of consecutive neurons of a layer, one per core. What is wanted, for a neuron drawn at random from
source slice c: `synapses[c, d]`, the mean number of its synapses into target slice d, and `messages[c, d]`, the
probability that it has any, because a spike sends one message to each core that it reaches.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from dcsim.chip.connections import Connection, Convolution, Dense
from dcsim.service import FloatArray, IntArray

_BLOCK = 1 << 22


class Fanout(NamedTuple):
    """Means over the neurons of each source slice, both of shape (source slices, target slices)."""

    synapses: FloatArray
    messages: FloatArray


def between(connection: Connection, sources: IntArray, targets: IntArray) -> Fanout:
    """Fan-out from slices of the source layer to slices of the target; edge-exact.

    `sources` and `targets` are slice bounds: 0, ..., neurons; slice k is bounds[k] to bounds[k + 1].
    """
    if isinstance(connection, Dense):
        shape = (len(sources) - 1, len(targets) - 1)
        return Fanout(np.broadcast_to(np.diff(targets).astype(np.float64), shape), np.ones(shape))
    if isinstance(connection, Convolution):
        return _convolved(connection, sources, targets)
    part = np.repeat(np.arange(len(targets) - 1), np.diff(targets))
    group = np.repeat(np.arange(len(sources) - 1), np.diff(sources))
    weight = np.ones(int(sources[-1]))
    return averaged(connection.onto(part, len(targets) - 1), group, len(sources) - 1, weight)


def averaged(onto: sparse.csr_array, group: IntArray, groups: int, weight: FloatArray) -> Fanout:
    """Means over groups of neurons from the synapses of each, `onto` (neurons, parts).

    `group` (neurons,) is each neuron's group, `weight` (neurons,) its share in the mean, such as its rate; a group of
    no weight counts its neurons equally.
    """
    total = np.bincount(group, weight, groups)
    weight = np.where(total[group] > 0.0, weight, 1.0)
    total = np.bincount(group, weight, groups)
    share = weight / total[group]
    mean = sparse.csr_array((share, (group, np.arange(len(group)))), shape=(groups, len(group)))
    reached = sparse.csr_array((np.ones(onto.nnz), onto.indices, onto.indptr), shape=onto.shape)
    return Fanout((mean @ onto).toarray(), (mean @ reached).toarray())


def _convolved(convolution: Convolution, sources: IntArray, targets: IntArray) -> Fanout:
    """Counted with prefix sums over positions, so that it takes no time per synapse."""
    groups, plane = convolution.groups, convolution.shape_in[1] * convolution.shape_in[2]
    shape = (len(sources) - 1, len(targets) - 1)
    synapses, messages = np.zeros(shape), np.zeros(shape)
    group_in, group_out = convolution.sources // groups, convolution.targets // groups
    most = max(1, _BLOCK // plane)
    for group in range(groups):
        inner = np.clip(sources - group * group_in, 0, group_in)
        first, end = _overlap(targets, group * group_out, (group + 1) * group_out)
        rows = slice(*_overlap(sources, group * group_in, (group + 1) * group_in))
        bounds = inner[rows.start : rows.stop + 1]
        for start in range(first, end, most):
            columns = slice(start, min(start + most, end))
            edges = np.clip(targets[columns.start : columns.stop + 1] - group * group_out, 0, group_out)
            counts = np.diff(_targets_below(edges, convolution), axis=1)
            synapses[rows, columns] += _slice_sums(counts, bounds)
            messages[rows, columns] += _slice_sums((counts > 0).astype(np.int64), bounds)
    sizes = np.diff(sources)[:, None]
    return Fanout(synapses / sizes, messages / sizes)


def _overlap(bounds: IntArray, start: int, end: int) -> tuple[int, int]:
    """First and one past the last slice that overlaps neurons start to end."""
    return int(np.searchsorted(bounds, start, "right") - 1), int(np.searchsorted(bounds, end, "left"))


def _targets_below(edges: IntArray, convolution: Convolution) -> IntArray:
    """Targets below each of `edges` (indices in one group) for each input position: (positions, edges)."""
    _, height, width = convolution.shape_out
    row_first, row_end = (a[:, None, None] for a in convolution.reach(0))
    column_first, column_end = (a[None, :, None] for a in convolution.reach(1))
    channel, rest = np.divmod(edges, height * width)
    row, column = np.divmod(rest, width)
    reached = column_end - column_first
    full_rows = channel * (row_end - row_first) + np.clip(row, row_first, row_end) - row_first
    in_row = (row_first <= row) & (row < row_end)
    counts: IntArray = full_rows * reached + in_row * (np.clip(column, column_first, column_end) - column_first)
    return counts.reshape(-1, len(edges))


def _slice_sums(counts: IntArray, bounds: IntArray) -> IntArray:
    """Sum over the sources in each slice of `counts` (positions, targets), alike in all channels."""
    below = np.zeros((len(counts) + 1, counts.shape[1]), dtype=np.int64)
    np.cumsum(counts, axis=0, out=below[1:])
    channel, position = np.divmod(bounds, len(counts))
    sums: IntArray = np.diff(channel[:, None] * below[-1] + below[position], axis=0)
    return sums
