"""Chains of linear nodes: what they add up to between a layer that sends and one that takes up.

A signal is a sum of terms, each a layer, a delay and one connection, and of a constant. Behind each node of a chain its
connections are put together with those before, so that a chain ends as connections between layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from dcsim.chip.connections import Connection, Convolution, Dense, Sparse
from dcsim.chip.given import MOST_SYNAPSES, NetworkError
from dcsim.service import FloatArray, IntArray

Shape = tuple[int, ...]

#: Multiplications that putting two nodes of a chain together may take.
_MOST_WORK = 10 * MOST_SYNAPSES

#: Different delays in one node: each becomes a connection of its own.
_MOST_DELAYS = 1_000

#: Terms that a signal may add up to.
_MOST_TERMS = 2_000


@dataclass(frozen=True, eq=False)
class Term:
    """Part of a signal: what a layer sent `steps` ago, through one connection (None: as it was sent).

    The ends of the connection are not set yet.
    """

    layer: str
    steps: int = 0
    through: Connection | None = None


@dataclass(frozen=True, eq=False)
class Signal:
    """What runs along an edge: the sum of some terms and of a constant."""

    shape: Shape
    terms: tuple[Term, ...]
    constant: FloatArray | None = None
    """shape (prod(shape),)"""

    @property
    def size(self) -> int:
        """numbers in one step"""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Stage:
    """What one linear node does: a connection, then a factor, a constant and a delay per number, if any."""

    shape: Shape
    """of what comes out"""
    through: Connection | None = None
    factor: FloatArray | None = None
    constant: FloatArray | None = None
    steps: IntArray | None = None


def summed(where: str, signals: list[Signal]) -> Signal:
    """Sum of the signals that meet at a node."""
    terms = tuple(term for signal in signals for term in signal.terms)
    if len(terms) > _MOST_TERMS:
        raise NetworkError(f"{where}: found a sum of {len(terms):,} paths, want at most {_MOST_TERMS:,}")
    if len({signal.size for signal in signals}) > 1:
        found = ", ".join(str(signal.shape) for signal in signals)
        raise NetworkError(f"{where}: found inputs of different shapes, {found}")
    constants = [signal.constant for signal in signals if signal.constant is not None]
    return Signal(signals[0].shape, terms, np.sum(constants, axis=0) if constants else None)


def passed(where: str, signal: Signal, step: Stage) -> Signal:
    """The signal behind a node."""
    terms: list[Term] = []
    for term in signal.terms:
        through = _after(where, term.through, step.through)
        if step.factor is not None:
            through = _scaled(where, through, step.factor)
        if step.steps is None:
            terms.append(replace(term, through=through))
        else:
            terms += _delayed(where, replace(term, through=through), step.steps)
    constant = signal.constant
    if constant is not None and step.through is not None:
        constant = step.through.current(constant[None])[0]
    if constant is not None and step.factor is not None:
        constant = constant * step.factor
    if step.constant is not None:
        constant = step.constant if constant is None else constant + step.constant
    return Signal(step.shape, tuple(terms), constant)


def one_to_one(factor: FloatArray) -> Sparse:
    """Each neuron to its like, with weights of shape (neurons,); none where the weight is 0."""
    matrix = sparse.csr_array(sparse.diags_array(factor))
    matrix.eliminate_zeros()
    return explicit(matrix)


def _after(where: str, first: Connection | None, then: Connection | None) -> Connection | None:
    """One connection in place of two."""
    if first is None or then is None:
        return then if first is None else first
    if isinstance(first, Convolution) and isinstance(then, Convolution):
        merged = _merged(first, then)
        if merged is not None:
            return merged
    work = int(first.fan_in() @ then.fan_out())
    size = len(first.fan_out()) * len(then.fan_in())
    if work > _MOST_WORK or (min(work, size) > MOST_SYNAPSES):
        raise NetworkError(
            f"{where}: together with the nodes before it, it has up to {min(work, size):,} synapses; "
            f"want at most {MOST_SYNAPSES:,} where nodes follow each other without neurons between them"
        )
    if isinstance(first, Dense) and first.weights is not None:
        return full(np.asarray(unrolled(where, then).T @ first.weights))
    if isinstance(then, Dense) and then.weights is not None:
        return full(np.asarray((unrolled(where, first) @ then.weights.T).T))
    return explicit(sparse.csr_array(unrolled(where, first) @ unrolled(where, then)))


def _merged(first: Convolution, then: Convolution) -> Convolution | None:
    """One convolution in place of two, where one of them keeps the channels apart; None where that is not the same.

    Behind the first one, what lies outside its output counts as 0. In one convolution it is taken from the input, so
    that all its taps have to lie outside that too.
    """
    assert first.weights is not None
    assert then.weights is not None
    for axis in (0, 1):
        last_before = first.kernel[axis] - 1 - first.stride[axis] - first.padding[axis]
        first_behind = first.shape_out[1 + axis] * first.stride[axis] - first.padding[axis]
        reach = (then.shape_out[1 + axis] - 1) * then.stride[axis] + then.kernel[axis] - then.padding[axis]
        if (then.padding[axis] > 0 and last_before >= 0) or (
            reach > first.shape_out[1 + axis] and first_behind < first.shape_in[1 + axis]
        ):
            return None
    apart = [each.groups == each.shape_in[0] == each.shape_out[0] for each in (first, then)]
    if apart[1]:
        outer, inner, groups = then.weights, first.weights, first.groups
    elif apart[0]:
        per_group = then.shape_in[0] // then.groups
        member = np.arange(then.shape_out[0])[:, None] // (then.shape_out[0] // then.groups) * per_group
        outer, inner, groups = then.weights, first.weights[member + np.arange(per_group), 0], then.groups
    else:
        return None
    kernel = tuple((k2 - 1) * s + k1 for k1, k2, s in zip(first.kernel, then.kernel, first.stride, strict=True))
    weights = np.zeros((then.shape_out[0], inner.shape[1], *kernel))
    for row in range(then.kernel[0]):
        for column in range(then.kernel[1]):
            y, x = row * first.stride[0], column * first.stride[1]
            part = outer[:, :, row, column, None, None] * inner
            weights[:, :, y : y + first.kernel[0], x : x + first.kernel[1]] += part
    stride, padding = (
        (one[0] * first.stride[0] + base[0], one[1] * first.stride[1] + base[1])
        for one, base in ((then.stride, (0, 0)), (then.padding, first.padding))
    )
    return replace(
        first, shape_out=then.shape_out, kernel=(kernel[0], kernel[1]), stride=stride, padding=padding, groups=groups,
        weights=weights,
    )  # fmt: skip


def _scaled(where: str, through: Connection | None, factor: FloatArray) -> Connection:
    """The connection with a factor for each of its targets."""
    if through is None:
        return one_to_one(factor)
    if isinstance(through, Dense) and through.weights is not None:
        return full(through.weights * factor[:, None])
    if isinstance(through, Convolution) and through.weights is not None:
        per_channel = factor.reshape(through.shape_out[0], -1)
        if (per_channel == per_channel[:, :1]).all():
            return replace(through, weights=through.weights * per_channel[:, 0, None, None, None])
    return explicit(sparse.csr_array(unrolled(where, through) @ sparse.diags_array(factor)))


def _delayed(where: str, term: Term, steps: IntArray) -> list[Term]:
    """One term for each delay, with the targets that have it."""
    found = np.unique(steps)
    if len(found) == 1:
        return [replace(term, steps=term.steps + int(found[0]))]
    if len(found) > _MOST_DELAYS:
        raise NetworkError(f"{where}: found {len(found):,} different delays, want at most {_MOST_DELAYS:,}")
    parts = []
    for wait in found:
        chosen = (steps == wait).astype(np.float64)
        through = one_to_one(chosen)
        if term.through is not None:
            through = explicit(sparse.csr_array(unrolled(where, term.through) @ through.matrix))
        through.matrix.eliminate_zeros()
        parts.append(Term(term.layer, term.steps + int(wait), through))
    return parts


def unrolled(where: str, through: Connection) -> sparse.csr_array:
    """Every synapse of a connection, (sources, targets). Raises NetworkError when they are too many."""
    if through.synapses > MOST_SYNAPSES:
        raise NetworkError(f"{where}: found {through.synapses:,} synapses one by one, want at most {MOST_SYNAPSES:,}")
    return through.unrolled()


def full(weights: FloatArray) -> Connection:
    """Connection of a matrix (targets, sources): dense, or its synapses where some weights are 0."""
    targets, sources = weights.shape
    if weights.all():
        return Dense(source=0, target=0, sources=sources, targets=targets, weights=weights)
    return explicit(sparse.csr_array(weights.T))


def explicit(matrix: sparse.csr_array) -> Sparse:
    """Connection of the entries of a matrix (sources, targets), which are brought in order."""
    matrix.sort_indices()
    return Sparse(source=0, target=0, matrix=matrix)
