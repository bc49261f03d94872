"""Power of one GPU: states, work at shares of its compute and memory rate, clock and cap; and of the node around it.

Three forms of power while work is under way, by what the catalog has of the GPU:

- `power_table`: rows (utilisation, W), linear between them;
- `power_compute_w`: P = waiting + s (1 - exp(-(compute c + memory m) / s)), s = TDP - waiting, for shares c and m of
  the time that arithmetic and reading alone would take: each adds its own power, less of it the nearer the TDP, where
  the GPU lowers its clock;
- else the power law P = waiting + (peak - waiting) u^g (linear without an exponent).

A table and the law take the larger share as utilisation.

At a share s of the full clock arithmetic takes 1/s as long, and its share counts s^n as much, n = `clock_exponent`
(voltage falls with the clock): so the same arithmetic takes s^(n - 1) of the energy. So does what moves the data on the
GPU, but not the part f = `power_memory_fixed` of the power of reading, the memory itself: reading counts
f + (1 - f) s^(n - 1) as much, and takes no longer.
"""

from __future__ import annotations

from collections.abc import Callable
from math import expm1
from typing import NamedTuple

import numpy as np

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.service import FloatArray

#: Within which a cap finds its clock.
_CLOCK_STEP = 1e-6
#: Power of a working GPU, W, at shares (compute, memory) of the time.
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
    return States(0.0, gpu["sleep_w"], gpu["idle_w"], _resident_w(gpu))


def busy(gpu: Entry, clock: float = 1.0) -> BusyPower:
    """Power of the GPU while work is under way, at a share of the full clock; the forms are those of the module.

    The shares are of the time at that clock. Raises PlacementError as `require_clock`.

    The powers of the second form are fitted to served models (H100, B200: ML.ENERGY v3), to long matrix products (H200:
    aiconfigurator) and to decoding (A100: Splitwise) by benchmarks/fit_gpu.py; docs/models/gpu.md has their errors.
    """
    if clock != 1.0:
        full_w, (computing, reading) = busy(gpu), _at_clock(gpu, clock)
        return lambda compute, memory: full_w(computing * compute, reading * memory)
    if "power_table" in gpu:
        table = gpu.array("power_table")
        return lambda compute, memory: float(np.interp(max(compute, memory), table[:, 0], table[:, 1]))
    waiting_w = _resident_w(gpu)
    if "power_compute_w" in gpu:
        span_w = gpu["tdp_w"] - waiting_w
        compute_share, memory_share = gpu["power_compute_w"] / span_w, gpu["power_memory_w"] / span_w
        return lambda compute, memory: waiting_w - span_w * expm1(-(compute_share * compute + memory_share * memory))
    span_w, exponent = gpu["peak_w"] - waiting_w, gpu.get("power_exponent", 1.0)
    return lambda compute, memory: waiting_w + span_w * min(max(compute, memory), 1.0) ** exponent


def above(gpu: Entry, devices: int, clock: float = 1.0) -> BusyPower:
    """Power of so many GPUs above that of waiting ones, W: `busy`, for the engine's inner loop."""
    if "power_table" in gpu or "power_compute_w" not in gpu:
        busy_w, waiting_w = busy(gpu, clock), _resident_w(gpu)
        return lambda compute, memory: devices * max(busy_w(compute, memory) - waiting_w, 0.0)
    span_w = gpu["tdp_w"] - _resident_w(gpu)
    computing, reading = _at_clock(gpu, clock)
    compute_share, memory_share = computing * gpu["power_compute_w"] / span_w, reading * gpu["power_memory_w"] / span_w
    all_w = -devices * span_w
    return lambda compute, memory: all_w * expm1(-(compute_share * compute + memory_share * memory))


def _at_clock(gpu: Entry, clock: float) -> tuple[float, float]:
    """How much the shares of computing and reading count at a share of the full clock."""
    if clock == 1.0:
        return 1.0, 1.0
    require_clock(gpu, clock)
    each, fixed = clock ** (gpu["clock_exponent"] - 1.0), gpu["power_memory_fixed"]
    return each * clock, fixed + (1.0 - fixed) * each


def _resident_w(gpu: Entry) -> float:
    return max(gpu["awake_w"], gpu["idle_w"])


def curve_above_idle_w(gpu: Entry, watts: FloatArray) -> FloatArray:
    """Power above idle with 0..n jobs, W, shape (n + 1,), non-decreasing, from the power with 1..n jobs."""
    above = np.maximum.accumulate(np.maximum(watts - gpu["idle_w"], 0.0))
    return np.concatenate(([0.0], above))


# ---------------------------------------------------------------- clock and cap


def require_clock(gpu: Entry, clock: float) -> None:
    """Raise PlacementError for a share of the clock outside `lowest_clock` to 1."""
    if clock == 1.0:
        return
    low = gpu["lowest_clock"]
    if not low <= clock <= 1.0:
        raise PlacementError(f"gpu '{gpu.name}': clock is {clock:g}; allowed: {low:g} to 1")


def highest_clock(gpu: Entry, watts: Callable[[float], float], cap_w: float, most: float = 1.0) -> float:
    """The highest clock up to `most` at which work that draws `watts(clock)` keeps to `cap_w`.

    Raises PlacementError for a cap below what the work draws at the lowest clock.
    """
    require_clock(gpu, most)
    if watts(most) <= cap_w:
        return most
    low, high = gpu["lowest_clock"], most
    least_w = watts(low)
    if least_w > cap_w:
        raise PlacementError(
            f"gpu '{gpu.name}': cap is {cap_w:g} W; this work draws {least_w:.0f} W at the lowest clock, {low:g}"
        )
    while high - low > _CLOCK_STEP:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if watts(middle) <= cap_w else (low, middle)
    return low


# ---------------------------------------------------------------- node


def node_w(system: Entry, host: Entry, gpu_w: float, load: float) -> float:
    """DC power of a node, W: `gpu_w` on each of its GPUs, host and boards at `load` 0..1.

    Boards are NVSwitches, network cards and fans: `board_idle_w`, and up to `board_active_w` more under load.
    """
    host_w = host["idle_w"] + load * (host["max_w"] - host["idle_w"])
    return system["devices"] * gpu_w + host_w + system["board_idle_w"] + load * system["board_active_w"]
