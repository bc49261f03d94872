"""One GPU for several jobs: isolated slices (MIG), and jobs side by side that slow each other down.

Slices follow NVIDIA's layout on A100 and later: 7 parts of the compute, 8 of the memory. For jobs on whole GPUs,
openb's thousandths of a GPU say what each may use; what they really get is measured for pairs only, on old cards
(Gavel, Narayanan et al., OSDI 2020), and the law here is fitted to those pairs.

Either part of a GPU is an Entry like the GPU itself, with the numbers that the part has of it, so that every operating
point can be taken on it. Power is divided by compute: the part draws what it would of a GPU whose other parts do the
same work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dcsim.catalog import Entry
from dcsim.catalog.entries import Numbers, Record
from dcsim.errors import PlacementError, nearest
from dcsim.service import FloatArray

_COMPUTE_PARTS, _MEMORY_PARTS = 7, 8
_ROUNDING = 1e-9

#: Profile -> (parts of compute, parts of memory); the memory in a profile's name is that of an 80 GB card.
PROFILES = {
    "1g.10gb": (1, 1),
    "1g.20gb": (1, 2),
    "2g.20gb": (2, 2),
    "3g.40gb": (3, 4),
    "4g.40gb": (4, 4),
    "7g.80gb": (7, 8),
}


class Slice(NamedTuple):
    """Shares of a GPU that one slice has for itself."""

    compute: float
    memory: float
    """of the capacity and of the bandwidth"""

    def seconds(self, compute_s: float, memory_s: float, fixed_s: float) -> float:
        """Time of an operation whose parts take so long on the whole GPU: the roofline on a share of it."""
        return max(compute_s / self.compute, memory_s / self.memory) + fixed_s


def mig_slice(gpu: Entry, profile: str) -> Slice:
    """Shares of a MIG profile such as `3g.40gb`. Raises PlacementError for an unknown one or a GPU without MIG."""
    if not gpu.facts.get("mig", False):
        raise PlacementError(f"gpu '{gpu.name}' has no isolated slices (MIG)")
    if profile not in PROFILES:
        raise PlacementError(f"MIG profile '{profile}' is unknown{nearest(profile, PROFILES)}")
    compute, memory = PROFILES[profile]
    return Slice(compute / _COMPUTE_PARTS, memory / _MEMORY_PARTS)


def check_slices(profiles: list[str]) -> None:
    """Raise PlacementError when the slices are more than one GPU has."""
    for part, (name, limit) in enumerate((("compute", _COMPUTE_PARTS), ("memory", _MEMORY_PARTS))):
        used = sum(PROFILES[profile][part] for profile in profiles)
        if used > limit:
            raise PlacementError(f"slices {', '.join(profiles)} want {used} parts of {name}; one GPU has {limit}")


def colocated(sensitivity: FloatArray, pressure: FloatArray) -> FloatArray:
    """Rate of each of n jobs on one GPU over its rate alone, shapes (n,): 1 / (1 + s_a sum of p_b over the others).

    Fitted to Gavel's 636 pairs on V100 (26 kinds of training jobs): mean absolute error .11 of the rate alone, .22 at
    the 90th percentile; on P100 .04 and .10, on K80 .03 and .07. More than two jobs is an extrapolation.
    """
    return np.asarray(1.0 / (1.0 + sensitivity * (pressure.sum() - pressure)))


def mean_colocated(gpu: Entry, jobs: int) -> float:
    """Rate of each of `jobs` average training jobs on one GPU over its rate alone, from `colocation_slowdown`."""
    if jobs < 1:
        raise PlacementError(f"jobs on one GPU: found {jobs}, want at least 1")
    return 1.0 / (1.0 + gpu["colocation_slowdown"] * (jobs - 1))


# ---------------------------------------------------------------- a part as a GPU


def on_slice(gpu: Entry, profile: str) -> Entry:
    """The GPU that a MIG slice is: its parts of the peak rates, of the memory and its rate, and of the power.

    Raises PlacementError as `mig_slice` does, and for a GPU whose power has another form than that of shares.
    """
    own = mig_slice(gpu, profile)
    _require_divisible(gpu)

    def factor(key: str) -> float:
        if key.endswith(("flop_per_s", "op_per_s")) or _is_power(key):
            return own.compute
        return own.memory if key in {"memory_bytes", "memory_bytes_per_s"} else 1.0

    return _Part(gpu, f"slice {profile}", factor)


def beside_others(gpu: Entry, share: float) -> Entry:
    """The GPU that a job with `share` of it sees beside as many others of the same kind as fit, all busy.

    It has its share of the memory; of n jobs each runs at `mean_colocated` of its rate alone, with all that it does,
    launches too. Raises PlacementError for a share outside (0, 1], and for a GPU whose power has another form than
    that of shares.
    """
    _require_divisible(gpu)
    if not 0.0 < share <= 1.0:
        raise PlacementError(f"share of a GPU: found {share:g}; allowed: above 0, at most 1")
    jobs = int(1.0 / share + _ROUNDING)
    rate = mean_colocated(gpu, jobs)

    def factor(key: str) -> float:
        if key in {"power_compute_w", "power_memory_w"} or key.endswith("_per_s"):
            return rate
        if key.endswith("_s"):
            return 1.0 / rate
        if _is_power(key):
            return 1.0 / jobs
        return share if key == "memory_bytes" else 1.0

    return _Part(gpu, f"{share:.3g} of it, {jobs} alike at {rate:.3g} of the rate alone", factor)


def notes(gpu: Entry) -> tuple[str, ...]:
    """What to know of a part: how its power is counted, and what its rate rests on; nothing for a whole GPU."""
    part = str(gpu.facts.get("part", ""))
    if not part:
        return ()
    power = "power is its part of a GPU whose other parts do the same work"
    if part.startswith("slice"):
        return (power,)
    return (power, "the rate is that of average training jobs side by side on V100; inference was not measured")


class _Part(Entry):
    """A part of a GPU: its numbers are read, and counted as read, as those of the GPU."""

    def __init__(self, whole: Entry, part: str, factor: Callable[[str], float]) -> None:
        numbers = {key: replace(found, si=_times(found.si, factor(key))) for key, found in whole._numbers.items()}
        facts = {**whole.facts, "part": part}
        super().__init__(whole.name, whole.kind, Record(whole.title, facts, numbers), whole._used)


def _require_divisible(gpu: Entry) -> None:
    if "power_compute_w" not in gpu:
        raise PlacementError(f"gpu '{gpu.name}' has no power_compute_w, so that its power cannot be divided")


def _is_power(key: str) -> bool:
    return key.endswith("_w")


def _times(si: Numbers, factor: float) -> Numbers:
    return [_times(each, factor) for each in si] if isinstance(si, list) else si * factor
