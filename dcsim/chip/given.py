"""Numbers that a caller gives of a network: finite, whole, in bounds, or NetworkError in one line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dcsim.errors import DcsimError
from dcsim.service import FloatArray

BoolArray: TypeAlias = npt.NDArray[np.bool_]

#: One rate for all layers, one per layer, or a table of shape (steps, layers): mean spikes per neuron and step.
Rates: TypeAlias = float | Sequence[float] | Sequence[Sequence[float]] | FloatArray

#: Most neurons of a network: placements hold a number for each.
MOST_NEURONS = 2**27

#: Most synapses that are kept one by one.
MOST_SYNAPSES = 100_000_000

_MOST_STEPS = 1_000_000


class NetworkError(DcsimError):
    """A network whose description cannot be right."""


def mask(name: str, inputs: npt.ArrayLike | None, count: int) -> BoolArray | None:
    """Which neurons are inputs, from their numbers or a mask of shape (count,); None where nothing is said."""
    if inputs is None:
        return None
    given = np.asarray(inputs)
    if given.dtype == np.bool_:
        if given.shape != (count,):
            raise NetworkError(f"{name}: inputs: found a mask of shape {given.shape}, want ({count},)")
        return given
    if given.ndim != 1:
        raise NetworkError(f"{name}: inputs: found shape {given.shape}, want a list of neurons or a mask")
    low, high = whole_range(name, "inputs", given)
    if low < 0 or high >= count:
        wrong = low if low < 0 else high
        raise NetworkError(f"{name}: inputs: found neuron {wrong}, want 0 to {count - 1}")
    marked = np.zeros(count, dtype=np.bool_)
    marked[given.astype(np.int64)] = True
    return marked


def check_length(name: str, what: str, given: object) -> None:
    """Refuse a list before it is copied when it is too long, or when its length cannot be known."""
    if not hasattr(given, "__len__"):
        raise NetworkError(f"{name}: {what}: found {type(given).__name__}, want a list or an array")
    if len(given) > MOST_SYNAPSES:
        raise NetworkError(f"{name}: found {len(given):,} synapses one by one, want at most {MOST_SYNAPSES:,}")


def whole_range(name: str, what: str, numbers: npt.NDArray[Any]) -> tuple[int, int]:
    """Smallest and largest of some neuron numbers, 0 and -1 of none."""
    if not numbers.size:
        return 0, -1
    if numbers.dtype.kind not in "iuf":
        raise NetworkError(f"{name}: {what}: found {numbers.dtype} values, want neuron numbers")
    if numbers.dtype.kind == "f":
        wrong = numbers[~(np.isfinite(numbers) & (numbers == np.floor(numbers)))]
        if wrong.size:
            raise NetworkError(f"{name}: {what}: found neuron {wrong[0]}, want a whole number from 0")
    return int(numbers.min()), int(numbers.max())


def numbers_of(name: str, what: str, given: npt.ArrayLike) -> FloatArray:
    """Finite numbers as float64; NetworkError for anything else."""
    try:
        values = np.asarray(given, dtype=np.float64)
    except (ValueError, TypeError):
        raise NetworkError(f"{name}: {what}: found no numbers") from None
    check_finite(name, what, values)
    return values


def check_finite(name: str, what: str, values: npt.NDArray[Any]) -> None:
    """Refuse NaN and infinity."""
    if values.size and not (np.isfinite(values.min()) and np.isfinite(values.max())):
        wrong = values[~np.isfinite(values)]
        raise NetworkError(f"{name}: {what}: found {wrong.ravel()[0]}, want finite numbers")


def whole(name: str, what: str, value: object) -> int:
    """A whole number from 0; NetworkError for anything else."""
    number = float(value) if isinstance(value, int | float | np.integer | np.floating) else -1.0
    if isinstance(value, bool) or not (0.0 <= number < 2.0**63 and number == math.floor(number)):
        raise NetworkError(f"{name}: found {what} {value!r}, want a whole number from 0")
    return int(number)


def whole_steps(name: str, steps: float) -> int:
    """Number of steps of an inference; NetworkError for one that cannot be."""
    if not isinstance(steps, int | float | np.integer | np.floating):
        raise NetworkError(f"{name}: found steps {steps!r}, want a whole number from 1 to {_MOST_STEPS}")
    if not (math.isfinite(steps) and steps == int(steps) and 1 <= steps <= _MOST_STEPS):
        raise NetworkError(f"{name}: found {steps:g} steps, want a whole number from 1 to {_MOST_STEPS}")
    return int(steps)


def rate_table(name: str, rates: Rates, steps: int, layers: int) -> FloatArray:
    """Rates as a table of shape (1, layers) or (steps, layers); NetworkError for any that cannot be."""
    try:
        table = np.atleast_2d(np.array(rates, dtype=np.float64))
    except (ValueError, TypeError):
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
    return table
