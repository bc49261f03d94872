"""What is known of an arrival process without drawing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _unknown(_window_s: float) -> None:
    return None


@dataclass(frozen=True)
class Theory:
    """Steady-state figures of an arrival process; None where no closed form is known."""

    rate_hz: float
    """mean arrival rate, 1/s"""
    gap_cv: float | None = None
    """coefficient of variation of the gaps between arrivals"""
    gap_lag1: float | None = None
    """correlation of each gap with the next"""
    dispersion: Callable[[float], float | None] = _unknown
    """window in s -> variance over mean of the counts in such windows; `math.inf` gives the limit"""
