"""Inside the IT meter: from what the chips use to what a rack draws, over time and racks.

    compute -> voltage regulators -> (node fans beside them) -> power supplies -> rack PDU -> rack meter

A year of a thousand racks is 800 MB, so it is done in blocks of time and only sums leave a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.errors import ScenarioError
from dcsim.facility.arrays import FloatArray
from dcsim.facility.power import Bank

#: Values of one block: its buffers stay in a core's cache.
BLOCK = 65_536


@dataclass(frozen=True)
class Fans:
    """Fans of the nodes of a rack, by the cube of their speed.

        s = clip(floor + (1 - floor) P/P_r, floor, 1) (1 + 0.03 (T_in - 25)), at most 1;   P_fans = P_max s^3

    The law and its constants are an engineering estimate; P_max is about 6 % of an air-cooled node and 1.5 % of a
    liquid-cooled one.
    """

    max_w: float
    """power of all of them at full speed [W]"""
    rated_w: float
    """power of the node's parts at which they run at full speed, at 25 degC [W]"""
    floor: float = 0.35
    """least speed [1]"""
    per_k: float = 0.03
    """relative speed per kelvin of warmer inlet air [1/K]"""

    def __post_init__(self) -> None:
        if not (self.max_w >= 0.0 and self.rated_w > 0.0 and 0.0 <= self.floor <= 1.0 and self.per_k >= 0.0):
            raise ScenarioError(
                f"fans: {self.max_w:g} W at {self.rated_w:g} W, floor {self.floor:g}, {self.per_k:g}/K; "
                "allowed: from 0 W, above 0 W, 0 to 1, from 0"
            )

    def power_w(self, node_w: npt.ArrayLike, inlet_c: npt.ArrayLike = 25.0) -> FloatArray:
        """Power of the fans [W]; arguments broadcast.

        Parameters:
            node_w: power that the fans have to cool [W]
            inlet_c: air that the nodes take in [degC]
        """
        load = np.asarray(node_w, dtype=np.float64) / self.rated_w
        speed = np.clip(self.floor + (1.0 - self.floor) * load, self.floor, 1.0)
        speed = np.clip(speed * (1.0 + self.per_k * (np.asarray(inlet_c, dtype=np.float64) - 25.0)), 0.0, 1.0)
        return np.asarray(self.max_w * (speed * speed * speed))


@dataclass(frozen=True)
class RackChain:
    """The stages of one rack; all racks of a hall may share one. An absent stage loses nothing."""

    vrm: Bank | None = None
    """voltage regulators on the boards"""
    fans: Fans | None = None
    psu: Bank | None = None
    """power supplies, two or more where they share (N+N); see `power.Bank` for staging and failed modules"""
    pdu: Bank | None = None

    def parts_w(self, compute_w: npt.ArrayLike, inlet_c: npt.ArrayLike = 25.0) -> dict[str, FloatArray]:
        """Power by part: vrm, fans, psu, pdu (those that are there), shape of compute_w [W].

        The rack draws compute_w and the sum of the parts.

        Parameters:
            compute_w: power of the chips and memories of a rack, any shape [W]
            inlet_c: air that its nodes take in [degC]

        Raises ScenarioError for a load above the rating of a stage, with its name.
        """
        flow = np.array(compute_w, dtype=np.float64)
        parts: dict[str, FloatArray] = {}
        for name, stage in (("vrm", self.vrm), ("fans", self.fans), ("psu", self.psu), ("pdu", self.pdu)):
            if stage is not None:
                parts[name] = stage.power_w(flow, inlet_c) if isinstance(stage, Fans) else stage.loss_w(flow)
                flow += parts[name]
        return parts


@dataclass(frozen=True)
class RackTotals:
    """All racks over time."""

    it_w: FloatArray
    """at the racks' meters, shape (steps,) [W]"""
    compute_w: FloatArray
    """in chips and memories, shape (steps,) [W]"""
    parts_w: Mapping[str, FloatArray]
    """between the two by part, each of shape (steps,) [W]"""
    liquid_w: FloatArray
    """heat that goes to a liquid, by each rack's share, shape (steps,) [W]"""
    rack_mean_w: FloatArray
    """mean power of each rack at its meter, shape (racks,) [W]"""


def totals(
    compute_w: npt.NDArray[np.floating],
    racks: RackChain,
    *,
    inlet_c: npt.ArrayLike = 25.0,
    liquid_share: npt.ArrayLike = 0.0,
) -> RackTotals:
    """The rack chain over a whole run, block by block.

    Parameters:
        compute_w: power of the chips of each rack, shape (steps, racks); float32 saves half the memory [W]
        racks: the chain of a rack
        inlet_c: air that the nodes take in, a number or shape (steps,) [degC]
        liquid_share: part of a rack's power that cold plates take up, a number or shape (racks,) [1]

    Raises ScenarioError for a share outside 0 to 1, or a load above the rating of a stage.
    """
    steps, count = compute_w.shape
    inlet = np.broadcast_to(np.asarray(inlet_c, dtype=np.float64), steps)
    share = np.broadcast_to(np.asarray(liquid_share, dtype=np.float64), count)
    if not ((share >= 0.0) & (share <= 1.0)).all():
        raise ScenarioError(f"liquid share ranges from {share.min():g} to {share.max():g}; allowed 0 to 1")
    stages = ((name, getattr(racks, name)) for name in ("vrm", "fans", "psu", "pdu"))
    parts = {name: np.zeros(steps) for name, stage in stages if stage is not None}
    it_w, used_w, liquid_w, rack_sum = np.zeros(steps), np.zeros(steps), np.zeros(steps), np.zeros(count)
    for rows in _blocks(steps, count):
        block = np.asarray(compute_w[rows], dtype=np.float64)
        used_w[rows] = block.sum(axis=1)
        meter = block.copy()
        for name, found in racks.parts_w(block, inlet[rows, np.newaxis]).items():
            parts[name][rows] = found.sum(axis=1)
            meter += found
        it_w[rows] = meter.sum(axis=1)
        liquid_w[rows] = meter @ share
        rack_sum += meter.sum(axis=0)
    return RackTotals(it_w, used_w, parts, liquid_w, rack_sum / max(steps, 1))


def _blocks(steps: int, count: int) -> Iterator[slice]:
    size = max(1, BLOCK // max(count, 1))
    return (slice(first, min(first + size, steps)) for first in range(0, steps, size))
