"""From the racks' meters to the utility meter: one site over time.

    racks -> distribution -> UPS -> transformer -> utility meter
    plant ---------------------------------------> utility meter

The transformer carries the IT feed. The plant has a feed of its own, whose losses are in the plant's figure
(as they are in any PUE), so the chain needs no iteration between plant and transformer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dcsim.errors import ScenarioError
from dcsim.facility import carbon, cost, water
from dcsim.facility.arrays import BoolArray, FloatArray
from dcsim.facility.plant import ConstantPlant, Plant
from dcsim.facility.power import Bank
from dcsim.facility.weather import Weather

#: A set point counts as reached within this [K].
_REACHED_K = 1e-6


@dataclass(frozen=True)
class Site:
    """Everything between the racks' meters and the utility meter, and the grid behind it.

    The grid's figures are numbers or arrays of shape (steps,); a signal with other breakpoints goes through
    `arrays.interval_means` first.
    """

    plant: Plant = field(default_factory=ConstantPlant)
    ups: Bank | None = None
    transformer: Bank | None = None
    pdu: Bank | None = None
    """distribution between the racks' meters and the UPS"""
    carbon_g_per_kwh: npt.ArrayLike = 0.0
    """carbon intensity of grid energy, location based [g/kWh]"""
    price_usd_per_kwh: npt.ArrayLike = 0.0
    """price of grid energy [USD/kWh]"""
    ewif_l_per_kwh: npt.ArrayLike = 0.0
    """water used to generate grid energy [L/kWh]"""


@dataclass(frozen=True)
class FacilitySeries:
    """A site over time, facility_w = it_w + pdu_w + ups_w + transformer_w + plant_w; all arrays of shape (steps,)."""

    interval_s: FloatArray
    """length of each interval [s]"""
    it_w: FloatArray
    """racks at their meters [W]"""
    pdu_w: FloatArray
    """loss of the distribution between racks and UPS [W]"""
    ups_w: FloatArray
    """loss of the UPS [W]"""
    transformer_w: FloatArray
    """loss of the transformer [W]"""
    plant_w: FloatArray
    """everything that is neither IT nor the power chain [W]"""
    facility_w: FloatArray
    """at the utility meter [W]"""
    plant_parts: Mapping[str, FloatArray]
    """plant_w by part [W]"""
    withdrawn_l: FloatArray
    """water taken in on site in each interval [L]"""
    consumed_l: FloatArray
    """the part of it that is not returned [L]"""
    withdrawn_low_l: FloatArray
    """withdrawn_l by the method for towers that gives least [L]"""
    withdrawn_high_l: FloatArray
    """withdrawn_l by the method that gives most [L]"""
    consumed_low_l: FloatArray
    """consumed_l by the method that gives least [L]"""
    consumed_high_l: FloatArray
    """consumed_l by the method that gives most [L]"""
    humidified_l: FloatArray
    """the part of it that goes into air [L]"""
    source_l: FloatArray
    """water used to generate the energy [L]"""
    carbon_g: FloatArray
    """carbon of operation [g CO2e]"""
    cost_usd: FloatArray
    """cost of the energy [USD]"""
    marginal: FloatArray
    """dP_facility/dP_IT: what one more watt at a rack costs at the utility meter [1]"""
    pue_below_losses: BoolArray
    """where the plant's figures leave no room for the losses of the chain"""
    supply_c: FloatArray
    """air that the servers take in; nan where the plant knows no temperatures [degC]"""
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

    @property
    def missed(self) -> BoolArray:
        """Where a set point of air or liquid is missed, or heat is left over, shape (steps,)."""
        warm = (self.supply_c > self.set_point_c + _REACHED_K) | (self.coolant_c > self.coolant_set_c + _REACHED_K)
        return np.asarray(warm | (self.unmet_w > 0.0))

    def shortfalls(self) -> list[str]:
        """What the plant did not reach, in words for a report; empty when it reached everything."""
        found: list[str] = []
        for what, reached, wanted in (
            ("air", self.supply_c, self.set_point_c),
            ("liquid", self.coolant_c, self.coolant_set_c),
        ):
            over = reached > wanted + _REACHED_K
            if over.any():
                hours, most = self.interval_s[over].sum() / 3600.0, (reached - wanted)[over].max()
                found.append(f"set point of the {what} missed in {hours:.4g} h, by up to {most:.2g} K")
        left = self.unmet_w > 0.0
        if left.any():
            hours, most = self.interval_s[left].sum() / 3600.0, self.unmet_w.max() / 1e3
            found.append(f"the plant is too small in {hours:.4g} h: up to {most:.4g} kW of heat are not taken up")
        return found

    def energy_j(self) -> dict[str, float]:
        """Energy of the run by part: it, pdu (if any), ups, transformer, plant, facility, plant's parts [J]."""
        parts = {
            "it": self.it_w,
            **({"pdu": self.pdu_w} if self.pdu_w.any() else {}),
            "ups": self.ups_w,
            "transformer": self.transformer_w,
            "plant": self.plant_w,
            "facility": self.facility_w,
        }
        return {name: float(power @ self.interval_s) for name, power in {**self.plant_parts, **parts}.items()}


def evaluate(
    it_w: npt.ArrayLike,
    interval_s: npt.ArrayLike,
    site: Site,
    weather: Weather | None = None,
    liquid_w: npt.ArrayLike | None = None,
) -> FacilitySeries:
    """Power, water, carbon and energy cost of a site over time.

    Parameters:
        it_w: mean power of all racks at their meters in each interval, shape (steps,) [W]
        interval_s: length of the intervals, one number or shape (steps,) [s]
        site: power chain, plant and grid
        weather: outdoor air in each interval, for plants that need it
        liquid_w: the part of it_w that the racks give to a liquid, shape (steps,); see `Plant.step` [W]

    Raises ScenarioError when it_w is negative or not finite, or above a rating of the power chain.
    """
    it = np.asarray(it_w, dtype=np.float64)
    if it.size and not (it.min() >= 0.0 and it.max() < np.inf):
        raise ScenarioError(f"IT power ranges from {it.min():g} to {it.max():g} W; allowed: finite, from 0 W")
    seconds = np.broadcast_to(np.asarray(interval_s, dtype=np.float64), it.shape)
    pdu_w, pdu_slope = _stage(site.pdu, it)
    ups_w, ups_slope = _stage(site.ups, it + pdu_w)
    transformer_w, transformer_slope = _stage(site.transformer, it + pdu_w + ups_w)
    loss_w, chain_slope = pdu_w + ups_w + transformer_w, pdu_slope * ups_slope * transformer_slope
    plant = site.plant.step(it, loss_w, weather, liquid_w)
    facility_w = it + loss_w + plant.plant_w
    return FacilitySeries(
        interval_s=seconds,
        it_w=it,
        pdu_w=pdu_w,
        ups_w=ups_w,
        transformer_w=transformer_w,
        plant_w=plant.plant_w,
        facility_w=facility_w,
        plant_parts=plant.parts,
        withdrawn_l=plant.withdrawn_l_per_s * seconds,
        consumed_l=plant.consumed_l_per_s * seconds,
        withdrawn_low_l=plant.withdrawn_low_l_per_s * seconds,
        withdrawn_high_l=plant.withdrawn_high_l_per_s * seconds,
        consumed_low_l=plant.consumed_low_l_per_s * seconds,
        consumed_high_l=plant.consumed_high_l_per_s * seconds,
        humidified_l=plant.humidified_l_per_s * seconds,
        source_l=water.source_l(facility_w * seconds, site.ewif_l_per_kwh),
        carbon_g=carbon.operational_g(facility_w, seconds, site.carbon_g_per_kwh),
        cost_usd=cost.energy_usd(facility_w, seconds, site.price_usd_per_kwh),
        marginal=chain_slope + plant.per_it + plant.per_loss * (chain_slope - 1),
        pue_below_losses=plant.pue_below_losses,
        supply_c=plant.supply_c,
        set_point_c=plant.set_point_c,
        coolant_c=plant.coolant_c,
        coolant_set_c=plant.coolant_set_c,
        unmet_w=plant.unmet_w,
        free_share=plant.free_share,
    )


def _stage(bank: Bank | None, out_w: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(loss, dP_in/dP_out) of a stage that may be absent, each of the shape of out_w [W], [1]."""
    if bank is None:
        return np.zeros_like(out_w), np.ones_like(out_w)
    return bank.loss_w(out_w), bank.marginal(out_w)
