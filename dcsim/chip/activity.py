"""Spikes, updates and samples that a caller gives to `execute`, checked: NetworkError or PlacementError in one line."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dcsim.chip.given import BoolArray, NetworkError
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.wiring import Wiring
from dcsim.errors import PlacementError, nearest
from dcsim.service import FloatArray

#: Neurons whose state changes in a step, where an array does not say which.
UPDATES = ("all", "fired")

#: Most samples x steps x cores, or groups of neurons, of one run: several arrays of so many numbers are kept.
MOST_DRAWN = 1 << 24

_MOST_BINS = 1 << 31


def check_samples(name: str, samples: int, steps: int, columns: int) -> None:
    """Refuse what is no number of samples, and more than are kept. `columns`: cores, or groups of neurons."""
    most = MOST_DRAWN // (steps * columns)
    if most < 1:
        found = f"found {steps:,} steps x {columns:,} groups of neurons"
        raise PlacementError(f"{name}: {found} in one inference, want at most {MOST_DRAWN:,}; give fewer steps")
    if isinstance(samples, bool) or not isinstance(samples, int | np.integer) or not 1 <= samples <= most:
        shown = f"{samples:,}" if isinstance(samples, int | float) and not isinstance(samples, bool) else repr(samples)
        raise PlacementError(f"{name}: found {shown[:40]} samples of {steps:,} steps, want 1 to {most:,}")


def word(updates: str) -> Literal["all", "fired"]:
    """Which neurons' state changes, as a word. Raises PlacementError for another one."""
    if updates not in UPDATES:
        raise PlacementError(f"updates: found {updates!r}{nearest(updates, UPDATES)}")
    return "fired" if updates == "fired" else "all"


def touched(
    network: SpikingNetwork, updates: npt.ArrayLike, shape: tuple[int, ...]
) -> BoolArray | Literal["all", "fired"]:
    """Checked updates, a word or of the shape of the raster."""
    if isinstance(updates, str):
        return word(updates)
    given = np.asarray(updates, dtype=np.bool_)
    given = given[None] if given.ndim == 2 else given
    if given.shape != shape:
        raise NetworkError(f"{network.name}: updates: found shape {given.shape}, want that of the raster, {shape}")
    return given


def table(where: str, given: npt.ArrayLike) -> npt.NDArray[Any]:
    """An array, not a list of rows that differ in length."""
    try:
        return np.asarray(given)
    except ValueError:
        raise NetworkError(f"{where}: found rows of different lengths, want a table") from None


def of_groups(where: str, numbers: npt.ArrayLike, wiring: Wiring) -> FloatArray:
    """Checked numbers of neurons of each group, (samples, steps, groups)."""
    given = table(where, numbers)
    if given.dtype.kind not in "biuf":
        raise NetworkError(f"{where}: found {given.dtype} values, want numbers")
    given = given.astype(np.float64, copy=False)
    given = given[None] if given.ndim == 2 else given
    groups = len(wiring.layer)
    if given.ndim != 3 or not given.size or given.shape[2] != groups:
        want = f"(steps, {groups} groups) or (samples, steps, {groups} groups)"
        raise NetworkError(f"{where}: found shape {np.shape(numbers)}, want {want}")
    wrong = np.argwhere(~((given >= 0.0) & (given <= wiring.neurons)))
    if wrong.size:
        found, group = given[tuple(wrong[0])], int(wrong[0, 2])
        raise NetworkError(f"{where}: found {found:g} in group {group}, want 0 to its {wiring.neurons[group]} neurons")
    return given


def raster(network: SpikingNetwork, spikes: npt.ArrayLike) -> tuple[BoolArray, BoolArray | Literal["all"]]:
    """Spikes of all neurons, (samples, steps, neurons), and which neurons' state changed."""
    given = table(f"{network.name}: spikes", spikes)
    given = given[None] if given.ndim == 2 else given
    inputs = int(network.is_free.sum())
    if given.ndim != 3 or not given.size or given.shape[2] not in (network.size, inputs):
        want = f"(samples, steps, {network.size} neurons) or (samples, steps, {inputs} inputs)"
        raise NetworkError(f"{network.name}: spikes: found shape {np.shape(spikes)}, want {want}")
    if given.shape[0] * given.shape[1] * network.size > _MOST_BINS:
        raise NetworkError(
            f"{network.name}: spikes: found {given.shape[0]} x {given.shape[1]} steps, want fewer at once"
        )
    if given.shape[2] == network.size:
        if given.dtype != np.bool_ and not np.isin(given, (0, 1)).all():
            raise NetworkError(f"{network.name}: spikes: found values other than 0 and 1")
        return given.astype(np.bool_), "all"
    from dcsim.chip.dynamics import simulate

    activity = simulate(network, given)
    return activity.raster, activity.updated
