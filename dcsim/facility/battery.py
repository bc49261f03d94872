"""A battery between a building, its solar power and the grid.

    import + solar + discharge = demand + charge + export + curtailed            at every step

Every policy is a pair of bounds on what the building takes from the grid: below the floor the battery charges, above
the ceiling it discharges, between them it rests.

| policy | floor | ceiling |
|---|---|---|
| self-consumption | 0 | 0 |
| carbon or price, where it is low | none: charge as fast as possible | none |
| carbon or price, where it is high | 0 | 0 |
| carbon or price, in between | 0 | none |
| peak shaving | the limit | the limit |

It never discharges into the grid. The rule looks at the step it is in, never ahead: that is what a controller can do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.errors import ScenarioError
from dcsim.facility.arrays import FloatArray


@dataclass(frozen=True)
class Battery:
    """A store of electric energy with constant limits and efficiencies; ScenarioError when they make no sense."""

    capacity_j: float
    """energy it can hold [J]"""
    charge_w: float
    """largest power at its terminals while it charges [W]"""
    discharge_w: float
    """the same while it discharges [W]"""
    efficiency_in: float = 0.97
    """stored over taken in [1]"""
    efficiency_out: float = 0.97
    """given out over taken from the store [1]"""
    least: float = 0.1
    """share of the capacity that stays in it [1]"""
    first: float = 0.5
    """share of the capacity that is in it at the start [1]"""

    def __post_init__(self) -> None:
        for key, value, low, high in (
            ("capacity_j", self.capacity_j, 0.0, np.inf),
            ("charge_w", self.charge_w, 0.0, np.inf),
            ("discharge_w", self.discharge_w, 0.0, np.inf),
            ("efficiency_in", self.efficiency_in, 0.01, 1.0),
            ("efficiency_out", self.efficiency_out, 0.01, 1.0),
            ("least", self.least, 0.0, 1.0),
            ("first", self.first, self.least, 1.0),
        ):
            if not (low <= value <= high and np.isfinite(value)):
                raise ScenarioError(f"battery.{key} is {value:g}; allowed: {low:g} to {high:g}")


class Bounds(NamedTuple):
    """What a policy wants the building to take from the grid, arrays of shape (steps,) [W]."""

    floor_w: FloatArray
    ceiling_w: FloatArray


def self_consumption(steps: int) -> Bounds:
    """Store surplus solar power, use it when the sun does not suffice."""
    return Bounds(np.zeros(steps), np.zeros(steps))


def by_signal(signal: npt.ArrayLike, charge_below: float, discharge_above: float) -> Bounds:
    """Charge where a signal (carbon, price) is low, discharge where it is high, in between only store surplus.

    Parameters:
        signal: shape (steps,), any unit
        charge_below: charge where the signal is at most this, in its unit
        discharge_above: discharge where it is at least this, in its unit

    Raises ScenarioError when the first is not below the second.
    """
    if not charge_below < discharge_above:
        raise ScenarioError(
            f"battery.policy charges below {charge_below:g} and discharges above {discharge_above:g}; "
            "want the first below the second"
        )
    level = np.asarray(signal, dtype=np.float64)
    low, high = level <= charge_below, level >= discharge_above
    return Bounds(np.where(low, np.inf, 0.0), np.where(high, 0.0, np.inf))


def peak_shaving(steps: int, limit_w: float) -> Bounds:
    """Take at most `limit_w` [W] from the grid; charge whenever the building needs less than that."""
    return Bounds(np.full(steps, limit_w), np.full(steps, limit_w))


class Flows(NamedTuple):
    """Power of each step, arrays of shape (steps,) [W]."""

    import_w: FloatArray
    """from the grid"""
    export_w: FloatArray
    """to the grid"""
    curtailed_w: FloatArray
    """solar power that nobody took"""
    charge_w: FloatArray
    """into the battery, at its terminals"""
    discharge_w: FloatArray
    """out of the battery, at its terminals"""
    stored_j: FloatArray
    """energy in the battery at the end of each step [J]"""


def dispatch(
    demand_w: npt.ArrayLike,
    solar_w: npt.ArrayLike,
    interval_s: npt.ArrayLike,
    battery: Battery | None,
    bounds: Bounds | None = None,
    *,
    export: bool = True,
) -> Flows:
    """Power between building, solar plant, battery and grid, step by step.

    Parameters:
        demand_w: what the building draws, shape (steps,) [W]
        solar_w: what the solar plant could give, shape (steps,) [W]
        interval_s: length of the steps, shape (steps,) [s]
        battery: None for none
        bounds: what its policy wants; self-consumption by default
        export: whether the grid takes surplus; else it is curtailed
    """
    net_w = np.asarray(demand_w, dtype=np.float64) - np.asarray(solar_w, dtype=np.float64)
    charge, discharge, stored = np.zeros_like(net_w), np.zeros_like(net_w), np.zeros_like(net_w)
    if battery is not None:
        wanted = self_consumption(len(net_w)) if bounds is None else bounds
        charge, discharge, stored = _run(net_w, np.asarray(interval_s, dtype=np.float64), battery, wanted)
    grid_w = net_w + charge - discharge
    surplus = np.maximum(-grid_w, 0.0)
    none = np.zeros_like(surplus)
    return Flows(
        import_w=np.maximum(grid_w, 0.0),
        export_w=surplus if export else none,
        curtailed_w=none if export else surplus,
        charge_w=charge,
        discharge_w=discharge,
        stored_j=stored,
    )


def _run(net_w: FloatArray, span_s: FloatArray, battery: Battery, bounds: Bounds) -> tuple[FloatArray, ...]:
    """(charge, discharge, stored) of each step: a loop, because each step starts with what the last one left."""
    full, least = battery.capacity_j, battery.least * battery.capacity_j
    most_in, most_out = battery.charge_w, battery.discharge_w
    gain, cost = battery.efficiency_in, 1.0 / battery.efficiency_out
    stored = battery.first * full
    into, out, held = [], [], []
    rows = zip(net_w.tolist(), span_s.tolist(), bounds.floor_w.tolist(), bounds.ceiling_w.tolist(), strict=True)
    for net, span, floor, ceiling in rows:
        charge = discharge = 0.0
        if net < floor:
            charge = max(min(floor - net, most_in, (full - stored) / (gain * span)), 0.0)
            stored = min(stored + charge * gain * span, full)
        elif net > ceiling:
            discharge = max(min(net - ceiling, most_out, (stored - least) / (cost * span)), 0.0)
            stored = max(stored - discharge * cost * span, least)
        into.append(charge)
        out.append(discharge)
        held.append(stored)
    return np.array(into), np.array(out), np.array(held)


def loss_w(flows: Flows, battery: Battery) -> FloatArray:
    """What conversion in and out of the battery loses in each step, shape (steps,) [W]."""
    return flows.charge_w * (1.0 - battery.efficiency_in) + flows.discharge_w * (1.0 / battery.efficiency_out - 1.0)
