"""Power of a device against the share of it that is in use, above its idle power."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

from dcsim.scenario.hardware import Curve


def table(points_w: Sequence[float]) -> Callable[[float], float]:
    """Straight lines between equally spaced points [W] for a load of 0 to 1, shape (n,), n >= 2."""
    points = [float(point) for point in points_w]
    steps = len(points) - 1

    def power_w(load: float) -> float:
        place = min(load, 1.0) * steps
        left = min(int(place), steps - 1)
        return points[left] + (points[left + 1] - points[left]) * (place - left)

    return power_w


def from_scenario(curve: Curve) -> Callable[[float], float]:
    """Power above idle [W] of a `Curve`: linear, square root (both as OpenDC defines them) or table."""
    span = curve.max - curve.idle
    if curve.shape == "table" and curve.points:
        return table([point - curve.idle for point in curve.points])
    if curve.shape == "sqrt":
        return lambda load: span * sqrt(min(load, 1.0))
    return lambda load: span * min(load, 1.0)
