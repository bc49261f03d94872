"""Ticks in units that people read: minutes, hours or days along a run, round times on a logarithmic axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dcsim.units import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TIME_UNITS = (("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86400.0))
_STEPS = {
    "s": (1, 2, 5, 10, 20, 30, 60),
    "min": (1, 2, 5, 10, 15, 20, 30, 60),
    "h": (1, 2, 3, 4, 6, 12, 24),
    "d": (1, 2, 5, 7, 14, 28, 56, 91, 182, 365),
}
_ROUND_TIMES = (
    *(mantissa * 10.0**power for power in range(-9, 1) for mantissa in (1, 2, 5)),
    *(10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0),
    *(3600.0 * hours for hours in (1, 2, 5, 10)),
    *(86400.0 * mantissa * 10**power for power in range(4) for mantissa in (1, 2, 5)),
)
_MAIN_TIMES = (
    *(10.0**power for power in range(-9, 2)),
    *(60.0, 600.0, 3600.0, 36_000.0),
    *(86_400.0 * 10**power for power in range(4)),
)


def time_unit(duration_s: float) -> tuple[str, float]:
    """Unit of the time axis of a run and its length in seconds: s to 2 min, min to 3 h, h to 3 d, then d."""
    for (name, length), limit in zip(_TIME_UNITS, (120.0, 10_800.0, 3 * 86_400.0, math.inf), strict=True):
        if duration_s <= limit:
            return name, length
    raise ValueError(f"a run of {duration_s} s has no unit")


def time_axis(ax: Axes, duration_s: float, *, most: int) -> float:
    """Scale the x axis to a run with at most `most` + 1 ticks; return the unit that its data are in, s."""
    name, length = time_unit(duration_s)
    span = duration_s / length
    step = next(
        (float(step) for step in _STEPS[name] if span / step <= most),
        10.0 ** math.ceil(math.log10(span / most)),
    )
    step = min(step, span)
    ticks = [index * step for index in range(int(span / step * (1 + 1e-9)) + 1)]
    ax.set_xlim(0.0, span)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks[:-1]] + [f"{ticks[-1]:g} {name}"])
    return length


def log_time_axis(ax: Axes, low_s: float, high_s: float, *, most: int) -> None:
    """Logarithmic x axis in seconds from `low_s` to `high_s`, ticks at round times in words."""
    ax.set_xscale("log")
    ax.set_xlim(low_s, high_s)
    inside = [[time for time in times if low_s <= time <= high_s] for times in (_MAIN_TIMES, _ROUND_TIMES)]
    ticks = inside[0] if len(inside[0]) >= 4 or len(inside[1]) > most else inside[1]
    stride = max(1, math.ceil(len(ticks) / most))
    ax.set_xticks(ticks[::stride], [time_words(tick) for tick in ticks[::stride]])
    ax.set_xticks([], minor=True)


def time_words(seconds: float) -> str:
    """`1 min` rather than `60 s` and `1 d` rather than `24 h`, for round tick times."""
    for name, length in reversed(_TIME_UNITS[1:]):
        if seconds >= length and math.isclose(seconds / length, round(seconds / length)):
            return f"{round(seconds / length)} {name}"
    return in_words(seconds, "s")


def log_axis_in(ax: Axes, low: float, high: float, unit: str) -> None:
    """Logarithmic y axis from the decade below `low` to `high`, at most seven ticks in words of `unit`."""
    first, last = math.floor(math.log10(low)), math.floor(math.log10(high))
    stride = max(1, math.ceil((last - first) / 6))
    parts = (1, 2, 5) if last - first <= 1 else (1,)
    ticks = [part * 10.0**power for power in range(first, last + 1, stride) for part in parts]
    ticks = [tick for tick in ticks if tick <= high]
    ax.set_yscale("log")
    ax.set_ylim(10.0**first, high)
    ax.set_yticks(ticks, [in_words(tick, unit) for tick in ticks])
    ax.set_yticks([], minor=True)


def power_unit(highest_w: float) -> tuple[str, float]:
    """Unit for powers up to `highest_w` and its size in W: kW, but W below one and MW above ten thousand."""
    for name, size, limit in (("W", 1.0, 1e3), ("kW", 1e3, 1e7)):
        if highest_w < limit:
            return name, size
    return "MW", 1e6
