"""One GPU for several jobs: isolated slices (MIG), and jobs side by side that slow each other down.

Slices follow NVIDIA's layout on A100 and later: 7 parts of the compute, 8 of the memory. For jobs on whole GPUs,
openb's thousandths of a GPU say what each may use; what they really get is measured for pairs only, on old cards
(Gavel, Narayanan et al., OSDI 2020), and the law here is fitted to those pairs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dcsim.catalog import Entry
from dcsim.errors import PlacementError, nearest
from dcsim.service import FloatArray

_COMPUTE_PARTS, _MEMORY_PARTS = 7, 8

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
