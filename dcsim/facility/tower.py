"""Evaporative cooling towers: temperature of the water, evaporation by three published methods, drift, blowdown.

The methods differ by up to a factor of two for the same weather, so every result carries all of them as a band.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.errors import ScenarioError
from dcsim.facility import psychrometrics as air
from dcsim.facility.arrays import J_PER_KWH, FloatArray
from dcsim.facility.weather import Weather

METHODS = ("all-latent", "saturated-exit", "ren")

_WATER_J_PER_KG_K = 4184.0
#: Least water use of Ren's regression [L/kWh].
_REN_FLOOR = 0.05


class Evaporation(NamedTuple):
    """Evaporated water at each step, shape (steps,), by each method [kg/s]; a litre weighs a kilogram."""

    all_latent: FloatArray
    saturated_exit: FloatArray
    ren: FloatArray

    def chosen(self, method: str) -> FloatArray:
        """By the method of this name, one of METHODS; ScenarioError for another."""
        if method not in METHODS:
            raise ScenarioError(f"evaporation is {method[:40]!r}; allowed: {', '.join(METHODS)}")
        return self[METHODS.index(method)]

    @property
    def low(self) -> FloatArray:
        """The least of the three [kg/s]."""
        return np.asarray(np.minimum(np.minimum(self.all_latent, self.saturated_exit), self.ren))

    @property
    def high(self) -> FloatArray:
        """The most of the three [kg/s]."""
        return np.asarray(np.maximum(np.maximum(self.all_latent, self.saturated_exit), self.ren))


def leaving_c(
    wet_bulb_c: npt.ArrayLike, load: npt.ArrayLike, approach_k: float, rise_k: float, least_c: float
) -> FloatArray:
    """Water that leaves the tower: max(T_wb + approach + rise x load, least) [degC].

    Parameters:
        wet_bulb_c: wet bulb of the outdoor air [degC]
        load: heat over design heat [1]
        approach_k: approach to the wet bulb without load [K]
        rise_k: what full load adds to it [K]
        least_c: set point of the basin, below which fans slow down [degC]
    """
    return np.maximum(np.asarray(wet_bulb_c) + approach_k + rise_k * np.asarray(load), least_c)


def evaporation(
    rejected_w: npt.ArrayLike,
    cooling_w: npt.ArrayLike,
    leaving: npt.ArrayLike,
    range_k: float,
    cycles: float,
    weather: Weather,
) -> Evaporation:
    """Evaporation of a tower by three methods, each of shape (steps,) [kg/s].

    - all-latent: E = Q_rej/h_fg(T_cw + range/2), as in Lei and Masanet (2022): no sensible heat goes to the air.
    - saturated-exit: air leaves saturated at T_cw + range/2, so m_a = Q_rej/(h_out - h_in), E = m_a (W_out - W_in).
    - ren: withdrawal of S/(S - 1) (6e-5 F^3 - 0.01 F^2 + 0.61 F - 10.4) L per kWh of cooling, F the wet bulb in
      degF, at S cycles, at least 0.05; E is the (S - 1)/S part of it (Li, Yang, Islam, Ren, arXiv 2304.03271).

    Parameters:
        rejected_w: heat that the tower gives to the air, compressors' power included [W]
        cooling_w: heat of the hall in it, for Ren's method [W]
        leaving: water that leaves the tower [degC]
        range_k: cooling of the water in the tower [K]
        cycles: cycles of concentration, above 1 [1]
        weather: outdoor air
    """
    rejected = np.asarray(rejected_w, dtype=np.float64)
    middle_c = np.asarray(leaving, dtype=np.float64) + range_k / 2
    latent = rejected / air.vaporisation_j_per_kg(middle_c)
    exit_ratio = air.saturation_ratio(middle_c, weather.pressure_pa)
    gained = air.enthalpy_j_per_kg(middle_c, exit_ratio) - air.enthalpy_j_per_kg(
        weather.dry_bulb_c, weather.humidity_ratio
    )
    flow = rejected / gained
    balance = np.maximum(flow * (exit_ratio - weather.humidity_ratio), 0.0)
    fahrenheit = 32.0 + 1.8 * weather.wet_bulb_c
    cubic = -10.4 + fahrenheit * (0.61 + fahrenheit * (-0.01 + 6e-5 * fahrenheit))
    l_per_kwh = np.maximum(cubic, _REN_FLOOR * (cycles - 1) / cycles)
    return Evaporation(latent, balance, np.asarray(cooling_w) * l_per_kwh / J_PER_KWH)


def drift_kg_per_s(rejected_w: npt.ArrayLike, range_k: float, share: float) -> FloatArray:
    """Droplets carried away: a share of the circulating water, D = share Q_rej/(c_p range) [kg/s].

    Parameters:
        rejected_w: heat that the tower gives to the air [W]
        range_k: cooling of the water in the tower [K]
        share: drift over circulation; 2e-5 with modern eliminators [1]
    """
    return np.asarray(rejected_w) * (share / (_WATER_J_PER_KG_K * range_k))


def blowdown_kg_per_s(evaporated: npt.ArrayLike, drift: npt.ArrayLike, cycles: float) -> FloatArray:
    """Water drained to hold the salts, B = max(E/(CoC - 1) - D, 0) [kg/s].

    Parameters:
        evaporated: evaporation [kg/s]
        drift: drift, which carries salts too [kg/s]
        cycles: cycles of concentration, above 1 [1]

    Raises ScenarioError when cycles is not above 1.
    """
    if not cycles > 1:
        raise ScenarioError(f"cycles of concentration are {cycles:g}; allowed above 1")
    return np.asarray(np.maximum(np.asarray(evaporated) / (cycles - 1) - np.asarray(drift), 0.0))
