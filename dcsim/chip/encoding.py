"""Input encodings: from numbers of a sample to what the input neurons send in each step.

A sample is n intensities or values; the result of an encoding has shape (J, T, n) for J samples and T steps and is what
`dcsim.chip.dynamics.simulate` takes. Rate and latency coding are described in Auge et al., Neural Processing Letters 53
(2021) 4693, direct coding in Rathi and Roy, arXiv 2008.03658.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dcsim.errors import DcsimError
from dcsim.service import FloatArray

BoolArray = npt.NDArray[np.bool_]

#: Most bins, samples x steps x neurons, that one call makes or follows.
MOST_BINS = 2**30


class InputError(DcsimError):
    """Input values that cannot be encoded, or cannot be followed through a network."""


def rate(intensity: npt.ArrayLike, steps: int, generator: np.random.Generator) -> BoolArray:
    """Spikes with probability p = intensity in every step, independent of all others.

    `intensity` has shape (J, n) or (n,) and lies from 0 to 1. Spikes of a neuron over T steps have mean p T and
    variance p (1 - p) T. Raises InputError.
    """
    probability = _samples("intensity", intensity, steps, highest=1.0)
    return generator.random((len(probability), steps, probability.shape[1])) < probability[:, None, :]


def latency(intensity: npt.ArrayLike, steps: int) -> BoolArray:
    """One spike per neuron, the earlier the stronger: in step round((1 - x) (T - 1)); none where the intensity is 0.

    `intensity` has shape (J, n) or (n,) and lies from 0 to 1; a half rounds to the even step. With T steps, T different
    intensities can be told apart. Raises InputError.
    """
    strength = _samples("intensity", intensity, steps, highest=1.0)
    moment = np.rint((1.0 - strength) * (steps - 1))
    moment[strength == 0.0] = -1.0
    fires: BoolArray = np.arange(steps)[None, :, None] == moment[:, None, :]
    return fires


def direct(values: npt.ArrayLike, steps: int) -> FloatArray:
    """The values themselves as a constant current in every step; the first layer turns them into spikes.

    `values` has shape (J, n) or (n,). The result is a read-only view of one step. Raises InputError.
    """
    current = _samples("values", values, steps)
    return np.broadcast_to(current[:, None, :], (len(current), steps, current.shape[1]))


def _samples(what: str, given: npt.ArrayLike, steps: int, highest: float | None = None) -> FloatArray:
    """Checked (J, n); with `highest`, from 0 to it."""
    try:
        values = np.atleast_2d(np.asarray(given, dtype=np.float64))
    except (ValueError, TypeError):
        raise InputError(f"{what}: found no table of numbers, want (samples, neurons) or (neurons,)") from None
    if values.ndim != 2 or not values.size:
        raise InputError(f"{what}: found shape {np.shape(given)}, want (samples, neurons) or (neurons,), not empty")
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise InputError(f"{what}: found {steps!r} steps, want a whole number from 1")
    if values.size * int(steps) > MOST_BINS:
        raise InputError(f"{what}: found {values.size:,} numbers for {steps:,} steps, want at most {MOST_BINS:,} bins")
    wrong = values[~np.isfinite(values) | ((values < 0.0) | (values > highest) if highest is not None else False)]
    if wrong.size:
        wanted = "finite numbers" if highest is None else f"numbers from 0 to {highest:g}"
        raise InputError(f"{what}: found {wrong[0]:g}, want {wanted}")
    return values
