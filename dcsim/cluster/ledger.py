"""Power of a part of a rack, integrated exactly: power is piecewise constant, every step is a product."""

from __future__ import annotations


class Cell:
    """The nodes of one pool in one rack: their power at the output of their power supplies, and its integral."""

    __slots__ = ("energy_j", "holders", "idle_w", "partly", "pool", "power_w", "rack", "since_s", "use_moment_s")

    def __init__(self, rack: int, pool: int, idle_w: float) -> None:
        self.rack, self.pool = rack, pool
        """numbers of its rack and its pool in the cluster"""
        self.idle_w = idle_w
        """power with no job, W"""
        self.power_w = idle_w
        """power now, W"""
        self.energy_j = 0.0
        """energy up to `since_s`, J"""
        self.since_s = 0.0
        self.holders = 0
        """devices and hosts that serve at least one job"""
        self.partly = 0.0
        """what to add to `holders` for the number of devices in use: a half-used one counts half, a host not at all"""
        self.use_moment_s = 0.0
        """minus the sum of (change of the devices in use) x (its moment): what `busy_at` needs besides their number"""

    def change(self, time_s: float, watts: float, holders: int, partly: float) -> None:
        """Add `watts`, `holders` and `partly` from `time_s` [s] on; negative numbers take away."""
        span = time_s - self.since_s
        self.energy_j += self.power_w * span
        self.since_s = time_s
        self.use_moment_s -= (holders + partly) * time_s
        self.holders += holders
        if self.holders:
            self.power_w += watts
            self.partly += partly
        else:  # summed afresh whenever the cell goes idle, so that rounding never accumulates
            self.power_w = self.idle_w
            self.partly = 0.0

    def energy_at(self, time_s: float) -> float:
        """Energy from the start to `time_s` [s], which must not lie before the last change, J."""
        return self.energy_j + self.power_w * (time_s - self.since_s)

    def busy_at(self, time_s: float) -> float:
        """Integral of the devices in use from the start to `time_s` [s], device-seconds."""
        return (self.holders + self.partly) * time_s + self.use_moment_s
