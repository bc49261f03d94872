"""Cooling plants by name, called like every plant: `step(it_w, loss_w, weather, liquid_w)`.

| kind | heat goes from the racks to |
|---|---|
| water-chiller | air handlers, water-cooled chillers, towers |
| water-economizer | the same, with a heat exchanger through which tower water does the chillers' work |
| air-chiller | air handlers, air-cooled chillers |
| dx | computer-room units with direct expansion |
| air-economizer | outdoor air with an adiabatic stage; a water-chiller behind the lock-out |
| air-economizer-dry | the same with an air-chiller behind the lock-out |
| liquid-dry | liquid, CDUs, dry coolers; what stays in the air to an air-chiller |
| liquid-tower | liquid, CDUs, towers; what stays in the air to a water-economizer |

A set point that is missed and heat that a plant is too small for are outputs: `supply_c` against `set_point_c`,
`coolant_c` against `coolant_set_c`, and `unmet_w`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from dcsim.errors import ScenarioError, nearest
from dcsim.facility import cooling, tower
from dcsim.facility.arrays import FloatArray
from dcsim.facility.cooling import Case, Draw
from dcsim.facility.plant import PlantStep
from dcsim.facility.settings import Settings
from dcsim.facility.weather import Weather

#: Half width of the secant that gives the marginal power, over design IT power: it averages over staging [1].
_SECANT = 0.01

#: Least design heat of the air, over design IT power: a hall without any still has air handlers [1].
_LEAST_AIR = 1e-3

_chilled = partial(cooling.water_cooled, economized=False)
_economized = partial(cooling.water_cooled, economized=True)

_AIR: dict[str, Callable[[Case], Draw]] = {
    "water-chiller": _chilled,
    "water-economizer": _economized,
    "air-chiller": cooling.air_cooled,
    "dx": cooling.expanded,
    "air-economizer": partial(cooling.outdoor_air, backup=_chilled),
    "air-economizer-dry": partial(cooling.outdoor_air, backup=cooling.air_cooled),
}
_LIQUID: dict[str, Callable[[Case], Draw]] = {
    "liquid-dry": partial(cooling.liquid, reject=cooling.dry_loop, air=cooling.air_cooled),
    "liquid-tower": partial(cooling.liquid, reject=cooling.tower_loop, air=_economized),
}

#: names of all plants but the constant one
KINDS: tuple[str, ...] = (*_AIR, *_LIQUID)


@dataclass(frozen=True)
class CoolingPlant:
    """A plant of one kind, sized for a design load.

    Raises ScenarioError for an unknown kind or a design load that is not positive.
    """

    kind: str
    """one of KINDS"""
    settings: Settings
    design_it_w: float
    """IT power that the plant is built for [W]"""
    design_loss_w: float = 0.0
    """losses of the power chain at that IT power, which the plant cools too [W]"""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ScenarioError(f"plant.kind is {self.kind[:40]!r}{nearest(self.kind[:40], KINDS)}")
        if not (0.0 < self.design_it_w < np.inf and 0.0 <= self.design_loss_w < np.inf):
            raise ScenarioError(
                f"plant: design load of {self.design_it_w:g} W and losses of {self.design_loss_w:g} W; "
                "allowed: above 0 W, and from 0 W"
            )

    @property
    def liquid(self) -> bool:
        """Whether racks may give heat to a liquid."""
        return self.kind in _LIQUID

    def step(
        self,
        it_w: npt.ArrayLike,
        loss_w: npt.ArrayLike,
        weather: Weather | None = None,
        liquid_w: npt.ArrayLike | None = None,
    ) -> PlantStep:
        """Power and water at each step; parameters as in `Plant.step`.

        Raises ScenarioError without weather, with weather of another length, or with more liquid heat than IT power
        (any at all for a plant without liquid).
        """
        it, loss = np.broadcast_arrays(np.asarray(it_w, dtype=np.float64), np.asarray(loss_w, dtype=np.float64))
        if weather is None:
            raise ScenarioError(f"plant {self.kind} needs the weather of the site")
        if weather.dry_bulb_c.shape not in ((1,), it.shape):
            raise ScenarioError(
                f"plant {self.kind}: weather has {len(weather.dry_bulb_c)} steps, IT power {it.size}; want as many"
            )
        share = self._liquid_share(it, liquid_w)
        found = self._draw(it, loss, weather, share)
        power_w = _total(found)
        h = _SECANT * self.design_it_w
        return PlantStep(
            plant_w=power_w,
            parts=found.parts,
            per_it=self._slope(it, h, lambda at: self._draw(at, loss, weather, share)),
            per_loss=self._slope(loss, h, lambda at: self._draw(it, at, weather, share)),
            pue_below_losses=np.zeros(it.shape, dtype=np.bool_),
            **self._water(found, weather),
            supply_c=found.supply_c,
            set_point_c=np.full(it.shape, self.settings.supply_air_c),
            coolant_c=found.coolant_c,
            coolant_set_c=np.full(it.shape, self.settings.coolant_c if self.liquid else np.nan),
            unmet_w=found.unmet_w,
            free_share=found.free_share,
        )

    def _liquid_share(self, it: FloatArray, liquid_w: npt.ArrayLike | None) -> float | FloatArray:
        if liquid_w is None:
            return self.settings.liquid_share if self.liquid else 0.0
        heat = np.broadcast_to(np.asarray(liquid_w, dtype=np.float64), it.shape)
        most = it * (1 + 1e-9) if self.liquid else np.zeros_like(it)
        if not ((heat >= 0.0) & (heat <= most)).all():
            what = "IT power" if self.liquid else "0 W, for it has no liquid"
            raise ScenarioError(
                f"plant {self.kind}: {float(heat.max()):g} W of heat in the liquid; allowed up to {what}"
            )
        return np.asarray(np.divide(heat, it, out=np.zeros_like(it), where=it > 0.0))

    def _draw(self, it: FloatArray, loss: FloatArray, weather: Weather, share: float | FloatArray) -> Draw:
        s = self.settings
        liquid_w = it * share
        lighting_w = s.lighting_share * it
        design_liquid_w = self.design_it_w * s.liquid_share if self.liquid else 0.0
        air_w = self.design_it_w * (1.0 + s.lighting_share) - design_liquid_w + self.design_loss_w
        case = Case(
            settings=s,
            weather=weather,
            air_w=it - liquid_w + loss + lighting_w,
            liquid_w=liquid_w,
            design_air_w=max(air_w, _LEAST_AIR * self.design_it_w),
            design_liquid_w=design_liquid_w,
        )
        found = (_LIQUID if self.liquid else _AIR)[self.kind](case)
        return found._replace(parts={**found.parts, "lighting": lighting_w})

    def _slope(self, at: FloatArray, half_w: float, draw: Callable[[FloatArray], Draw]) -> FloatArray:
        low, high = np.maximum(at - half_w, 0.0), at + half_w
        return (_total(draw(high)) - _total(draw(low))) / (high - low)

    def _water(self, found: Draw, weather: Weather) -> dict[str, FloatArray]:
        s = self.settings
        nothing = np.zeros_like(found.unmet_w)
        consumed, withdrawn = [nothing] * 3, [nothing] * 3
        for each in found.towers:
            by_method = tower.evaporation(
                each.wetted_w, each.cooling_w, each.leaving_c, s.tower_range_k, s.cycles, weather
            )
            drift = tower.drift_kg_per_s(each.wetted_w, s.tower_range_k, s.drift_share)
            for band, gone in enumerate((by_method.low, by_method.chosen(s.evaporation), by_method.high)):
                consumed[band] = consumed[band] + gone + drift
                drained = tower.blowdown_kg_per_s(gone, drift, s.cycles)
                withdrawn[band] = withdrawn[band] + gone + drift + drained
        stages = found.sprayed + found.humidified
        taken = found.sprayed * (s.cycles / (s.cycles - 1.0)) + found.humidified
        low, middle, high = range(3)
        return {
            "consumed_low_l_per_s": consumed[low] + stages,
            "consumed_l_per_s": consumed[middle] + stages,
            "consumed_high_l_per_s": consumed[high] + stages,
            "withdrawn_low_l_per_s": withdrawn[low] + taken,
            "withdrawn_l_per_s": withdrawn[middle] + taken,
            "withdrawn_high_l_per_s": withdrawn[high] + taken,
            "humidified_l_per_s": stages,
        }


def _total(found: Draw) -> FloatArray:
    return np.asarray(np.sum(list(found.parts.values()), axis=0, dtype=np.float64))
