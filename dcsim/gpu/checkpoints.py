"""Checkpoints of a gang, and what failures throw away."""

from __future__ import annotations

import math

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu.gang import Gang

#: Of the state of a run a checkpoint holds the 32-bit weights and both moments, and the 16-bit weights.
CHECKPOINT_BYTES_PER_PARAMETER = 14.0
_MOST_LOST = 0.5


def checkpoint_s(model: Entry, bytes_per_s: float) -> float:
    """Time to write one checkpoint at the storage's rate, s."""
    if not bytes_per_s > 0:
        raise PlacementError(f"checkpoint of '{model.name}': storage rate is {bytes_per_s:g} B/s; want more than 0")
    return CHECKPOINT_BYTES_PER_PARAMETER * model["parameters"] / bytes_per_s


def best_interval_s(gang: Gang) -> float:
    """Computing between two checkpoints that loses least, s: sqrt(2 C M) - C (Young 1974, Daly 2006).

    C is the time of a checkpoint, M the mean time between failures of the whole gang; infinite without either.
    Valid while C is small against M, else PlacementError as `useful_share`.
    """
    _require_rare(gang)
    between = gang.failure_s / gang.devices
    if math.isinf(between) or gang.checkpoint_s == 0.0:
        return math.inf if math.isinf(between) else 0.0
    return max(math.sqrt(2.0 * gang.checkpoint_s * between) - gang.checkpoint_s, gang.checkpoint_s)


def useful_share(gang: Gang, interval_s: float | None = None) -> float:
    """Share of a run's time that is steps, with checkpoints every `interval_s` of computing (the best when None).

    Time per useful second (Daly 2006, failures exponential with mean M, restart R):
    M e^(R/M) (e^((t + C)/M) - 1) / t. Raises PlacementError where a checkpoint and a restart take more than half of M:
    then hardly a step is kept.
    """
    _require_rare(gang)
    interval = best_interval_s(gang) if interval_s is None else interval_s
    between = gang.failure_s / gang.devices
    if math.isinf(between):
        return 1.0 if math.isinf(interval) else interval / (interval + gang.checkpoint_s)
    if not interval > 0.0:
        return math.exp(-gang.restart_s / between)
    lost = between * math.exp(gang.restart_s / between) * math.expm1((interval + gang.checkpoint_s) / between)
    return interval / lost


def _require_rare(gang: Gang) -> None:
    between, lost = gang.failure_s / gang.devices, gang.checkpoint_s + gang.restart_s
    if lost > _MOST_LOST * between:
        raise PlacementError(
            f"gang: {gang.devices:,} GPUs fail every {between:.3g} s on the mean, a checkpoint and a restart take"
            f" {lost:.3g} s; want at most half of the time between failures"
        )
