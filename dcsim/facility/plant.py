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
from dcsim.facility.weather import Weather


class PlantStep(NamedTuple):
    """What a plant draws and what it reaches; every array has shape (steps,).

    Where published methods for the evaporation of towers differ, water comes as low, middle and high.
    """

    plant_w: FloatArray
    """electric power of everything that is neither IT nor the power chain [W]"""
    parts: Mapping[str, FloatArray]
    """plant_w by part (fans, chiller, tower, pumps, ...) [W]"""
    withdrawn_l_per_s: FloatArray
    """water taken in on site [L/s]"""
    withdrawn_low_l_per_s: FloatArray
    withdrawn_high_l_per_s: FloatArray
    consumed_l_per_s: FloatArray
    """the part of it that evaporates or drifts away [L/s]"""
    consumed_low_l_per_s: FloatArray
    consumed_high_l_per_s: FloatArray
    humidified_l_per_s: FloatArray
    """the part of it that goes into air: humidification, adiabatic stages [L/s]"""
    per_it: FloatArray
    """d plant_w / d it_w at constant losses [1]"""
    per_loss: FloatArray
    """d plant_w / d loss_w at constant IT power [1]"""
    pue_below_losses: BoolArray
    """where the chain's losses alone exceed what the plant's figures leave room for: the caller warns"""
    supply_c: FloatArray
    """air that the servers take in; nan for a plant that knows no temperatures [degC]"""
    set_point_c: FloatArray
    """the most that it should be [degC]"""
    coolant_c: FloatArray
    """liquid that the cold plates take in; nan without liquid [degC]"""
    coolant_set_c: FloatArray
    """the most that it should be [degC]"""
    unmet_w: FloatArray
    """heat that the plant is too small to take up [W]"""
    free_share: FloatArray
    """part of the air's heat that an economizer takes up, past the compressors; nan without economizer [1]"""


class Plant(Protocol):
    """A cooling plant."""

    def step(
        self,
        it_w: npt.ArrayLike,
        loss_w: npt.ArrayLike,
        weather: Weather | None = None,
        liquid_w: npt.ArrayLike | None = None,
    ) -> PlantStep:
        """Power and water at each step.

        Parameters:
            it_w: power of the racks at their meters, shape (steps,) [W]
            loss_w: losses of the power chain between the utility and the racks, shape (steps,) [W]
            weather: outdoor air at each step; plants that need none ignore it
            liquid_w: the part of it_w that the racks give to a liquid, shape (steps,); where None, a plant with
                liquid takes its own share [W]
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

    def step(
        self,
        it_w: npt.ArrayLike,
        loss_w: npt.ArrayLike,
        weather: Weather | None = None,
        liquid_w: npt.ArrayLike | None = None,
    ) -> PlantStep:
        """Power and water at each step; weather and liquid make no difference. Parameters as in `Plant.step`."""
        del weather, liquid_w
        it, loss = np.asarray(it_w, dtype=np.float64), np.asarray(loss_w, dtype=np.float64)
        room = (self.pue - 1) * it
        short = loss > room * (1 + 1e-12)
        plant_w = np.maximum(room - loss, 0.0)
        withdrawn = self.wue / J_PER_KWH * it
        consumed = self.consumed * withdrawn
        unknown = np.full_like(plant_w, np.nan)
        return PlantStep(
            plant_w=plant_w,
            parts={"plant": plant_w},
            withdrawn_l_per_s=withdrawn,
            withdrawn_low_l_per_s=withdrawn,
            withdrawn_high_l_per_s=withdrawn,
            consumed_l_per_s=consumed,
            consumed_low_l_per_s=consumed,
            consumed_high_l_per_s=consumed,
            humidified_l_per_s=np.zeros_like(plant_w),
            per_it=np.where(short, 0.0, self.pue - 1),
            per_loss=np.where(short, 0.0, -1.0),
            pue_below_losses=short,
            supply_c=unknown,
            set_point_c=unknown,
            coolant_c=unknown,
            coolant_set_c=unknown,
            unmet_w=np.zeros_like(plant_w),
            free_share=unknown,
        )
