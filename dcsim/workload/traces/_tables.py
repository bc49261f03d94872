"""What a file holds that is no trace of jobs: rates over time, nodes of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dcsim.workload.block import FloatArray


@dataclass(frozen=True)
class Rates:
    """Mean arrival rate in each of n equal intervals, one after the other from time 0."""

    interval_s: float
    rate_hz: FloatArray
    """shape (n,), 1/s"""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """reason -> rows of the file that were left out"""
    told: tuple[str, ...] = ()
    """the first of the bad rows among them in words"""

    @property
    def duration_s(self) -> float:
        """Length of all intervals together, s."""
        return self.interval_s * len(self.rate_hz)


class Machine(NamedTuple):
    """Equal nodes."""

    nodes: int
    cores: float
    memory_bytes: float
    """0 where the file does not say"""
    devices: int
    device_kind: str
    """name as the file writes it; empty without devices"""


@dataclass(frozen=True)
class Machines:
    """Nodes of a cluster by kind, most first."""

    kinds: tuple[Machine, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)
    """reason -> rows of the file that were left out"""
    told: tuple[str, ...] = ()
    """the first of the bad rows among them in words"""

    @property
    def nodes(self) -> int:
        """Nodes of all kinds."""
        return sum(kind.nodes for kind in self.kinds)

    @property
    def devices(self) -> int:
        """Devices of all nodes."""
        return sum(kind.nodes * kind.devices for kind in self.kinds)
