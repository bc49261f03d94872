"""Power of one GPU: states, work at shares of its compute and memory rate, clock and cap; and of the node around it.

Three forms of power while work is under way, by what the catalog has of the GPU:

- `power_table`: rows (utilisation, W), linear between them;
- `power_compute_w`: P = floor + compute c + memory m, at most the TDP, for shares c and m of the time that arithmetic
  and reading alone would take (fitted to served models, where c + m is above 0.3; below, the floor fades to the
  power of a waiting GPU, near which kernels of microseconds are measured);
- else the power law P = floor + (peak - floor) u^g (fitted to matrix products; linear without an exponent).

A table and the law take the larger share as utilisation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.service import FloatArray

#: Sum of both shares above which 99 % of the runs are that the powers of shares were fitted to.
_FITTED_FROM = 0.3

#: Power of a working GPU, W, at shares (compute, memory) of the time; above 1 they count as 1.
BusyPower = Callable[[float, float], float]


class States(NamedTuple):
    """Power of one GPU that does no work, W."""

    off: float
    sleep: float
    idle: float
    """no context on it"""
    resident: float
    """a context or a loaded model waits on it with clocks up"""


def states(gpu: Entry) -> States:
    """Power in each state without work; CatalogError for a missing number."""
    return States(0.0, gpu["sleep_w"], gpu["idle_w"], max(gpu["awake_w"], gpu["idle_w"]))


def busy(gpu: Entry) -> BusyPower:
    """Power of the GPU while work is under way; the forms are those of the module.

    Fits: H100 298 + 1142 c + 213 m W, B200 358 + 1125 c + 611 m W (ML.ENERGY v3; energy per token of models that were
    not used within 9 % in the median, 31 % at the 90th percentile); H200 143 + 536 u^1.36 W (matrix products of
    aiconfigurator, R2 .69).
    """
    if "power_table" in gpu:
        table = gpu.array("power_table")
        return lambda compute, memory: float(np.interp(max(compute, memory), table[:, 0], table[:, 1]))
    floor_w = gpu["power_floor_w"] if "power_floor_w" in gpu else gpu["awake_w"]
    if "power_compute_w" in gpu:
        compute_w, memory_w, most_w = gpu["power_compute_w"], gpu["power_memory_w"], gpu["tdp_w"]
        waiting_w = states(gpu).resident

        def of_shares(compute: float, memory: float) -> float:
            c, m = compute if compute < 1.0 else 1.0, memory if memory < 1.0 else 1.0  # `min` takes thrice as long
            faded = (c + m) / _FITTED_FROM if c + m < _FITTED_FROM else 1.0
            power_w = waiting_w + (floor_w - waiting_w) * faded + compute_w * c + memory_w * m
            return power_w if power_w < most_w else most_w

        return of_shares
    span_w, exponent = gpu["peak_w"] - floor_w, gpu.get("power_exponent", 1.0)
    return lambda compute, memory: floor_w + span_w * min(max(compute, memory), 1.0) ** exponent


def curve_above_idle_w(gpu: Entry, watts: FloatArray) -> FloatArray:
    """Power above idle with 0..n jobs, W, shape (n + 1,), non-decreasing, from the power with 1..n jobs."""
    above = np.maximum.accumulate(np.maximum(watts - gpu["idle_w"], 0.0))
    return np.concatenate(([0.0], above))


# ---------------------------------------------------------------- clock and cap


class Slowed(NamedTuple):
    """The same work at another clock."""

    clock: float
    """share of the full clock"""
    seconds: float
    """time over that at full clock"""
    power_w: float


def at_clock(gpu: Entry, clock: float, power_w: float, compute: float) -> Slowed:
    """Work that draws `power_w` at full clock and computes for the share `compute` of its time, at a lower clock s.

    Computing takes 1 / s as long, reading and waiting as before; dynamic power, above the power of a waiting GPU,
    goes with s^n, n = `clock_exponent` (2.4 to 3). Raises PlacementError for a clock outside (0, 1].
    """
    if not 0.0 < clock <= 1.0:
        raise PlacementError(f"gpu '{gpu.name}': clock is {clock:g}; allowed: above 0, at most 1")
    share, static_w = min(max(compute, 0.0), 1.0), min(power_w, states(gpu).resident)
    return Slowed(
        clock, 1.0 + share * (1.0 / clock - 1.0), static_w + (power_w - static_w) * clock ** gpu["clock_exponent"]
    )


def capped(gpu: Entry, cap_w: float, power_w: float, compute: float) -> Slowed:
    """The same under a power cap: the highest clock at which the work draws no more than `cap_w`.

    Raises PlacementError for a cap that a waiting GPU already draws.
    """
    if power_w <= cap_w:
        return at_clock(gpu, 1.0, power_w, compute)
    static_w = min(power_w, states(gpu).resident)
    if cap_w <= static_w:
        raise PlacementError(
            f"gpu '{gpu.name}': cap is {cap_w:g} W; want more than {static_w:g} W, what it draws waiting"
        )
    return at_clock(gpu, ((cap_w - static_w) / (power_w - static_w)) ** (1.0 / gpu["clock_exponent"]), power_w, compute)


# ---------------------------------------------------------------- node


def node_w(system: Entry, host: Entry, gpu_w: float, load: float) -> float:
    """DC power of a node, W: `gpu_w` on each of its GPUs, host and boards at `load` 0..1.

    Boards are NVSwitches, network cards and fans: `board_idle_w`, and up to `board_active_w` more under load.
    """
    host_w = host["idle_w"] + load * (host["max_w"] - host["idle_w"])
    return system["devices"] * gpu_w + host_w + system["board_idle_w"] + load * system["board_active_w"]
