"""Cooling plants: from the heat of a hall and the weather to electric power and water.

Every plant is called in the same way, `plant.step(it_w, loss_w, weather)`, on arrays over time: the whole run
at once after the simulation, or one step inside it where a feedback needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from dcsim.errors import ScenarioError
from dcsim.facility.arrays import J_PER_KWH, BoolArray, FloatArray


class Weather(NamedTuple):
    """Outdoor air; every array has shape (steps,)."""

    dry_bulb_c: FloatArray
    """dry-bulb temperature [degC]"""
    wet_bulb_c: FloatArray
    """wet-bulb temperature [degC]"""
    pressure_pa: FloatArray
    """air pressure [Pa]"""


class PlantStep(NamedTuple):
    """What a plant draws; every array has shape (steps,)."""

    plant_w: FloatArray
    """electric power of everything that is neither IT nor the power chain [W]"""
    withdrawn_l_per_s: FloatArray
    """water taken in on site [L/s]"""
    consumed_l_per_s: FloatArray
    """the part of it that evaporates or drifts away [L/s]"""
    parts: Mapping[str, FloatArray]
    """plant_w by part (fans, chiller, pumps, ...) [W]"""
    per_it: FloatArray
    """d plant_w / d it_w at constant losses [1]"""
    per_loss: FloatArray
    """d plant_w / d loss_w at constant IT power [1]"""
    pue_below_losses: BoolArray
    """where the chain's losses alone exceed what the plant's figures leave room for: the caller warns"""


class Plant(Protocol):
    """A cooling plant."""

    def step(self, it_w: npt.ArrayLike, loss_w: npt.ArrayLike, weather: Weather | None = None) -> PlantStep:
        """Power and water at each step.

        Parameters:
            it_w: power of the racks at their meters, shape (steps,) [W]
            loss_w: losses of the power chain between the utility and the racks, shape (steps,) [W]
            weather: outdoor air at each step; plants that need none ignore it
        """


@dataclass(frozen=True)
class ConstantPlant:
    """A facility known only by its annual figures, as ISO/IEC 30134-2 (PUE) and -9 (WUE) define them.

        P_plant = max((PUE - 1) P_it - P_losses, 0)        so that P_facility = PUE P_it exactly
        withdrawn = WUE P_it;   consumed = share x withdrawn

    Where the losses alone exceed (PUE - 1) P_it (an almost idle hall), the plant draws nothing, the facility
    draws P_it + P_losses, and `pue_below_losses` is set.

    Raises ScenarioError when pue < 1, wue < 0 or consumed is not in 0..1.
    """

    pue: float = 1.2
    """facility power over IT power [1]"""
    wue: float = 0.0
    """water withdrawn on site per IT energy [L/kWh]"""
    consumed: float = 0.8
    """share of the withdrawn water that is not returned [1]"""

    def __post_init__(self) -> None:
        for key, value, low, high in (
            ("pue", self.pue, 1.0, np.inf),
            ("wue", self.wue, 0.0, np.inf),
            ("consumed", self.consumed, 0.0, 1.0),
        ):
            if not (low <= value <= high and np.isfinite(value)):
                bounds = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and above"
                raise ScenarioError(f"plant.{key} is {value:g}; allowed: {bounds}")

    def step(self, it_w: npt.ArrayLike, loss_w: npt.ArrayLike, weather: Weather | None = None) -> PlantStep:
        """Power and water at each step; the weather makes no difference. Parameters as in `Plant.step`."""
        del weather
        it, loss = np.asarray(it_w, dtype=np.float64), np.asarray(loss_w, dtype=np.float64)
        room = (self.pue - 1) * it
        short = loss > room * (1 + 1e-12)
        plant_w = np.maximum(room - loss, 0.0)
        withdrawn = self.wue / J_PER_KWH * it
        return PlantStep(
            plant_w=plant_w,
            withdrawn_l_per_s=withdrawn,
            consumed_l_per_s=self.consumed * withdrawn,
            parts={"plant": plant_w},
            per_it=np.where(short, 0.0, self.pue - 1),
            per_loss=np.where(short, 0.0, -1.0),
            pue_below_losses=short,
        )
