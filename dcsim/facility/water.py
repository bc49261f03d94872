"""Water: at the site, and at the power stations that feed it (source water)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.facility.arrays import J_PER_KWH, FloatArray

_L_PER_GAL = 3.785

#: Electricity water intensity by fuel [L/kWh]: P. Li, J. Yang, M. Islam, S. Ren, "Making AI Less Thirsty",
#: arXiv 2304.03271 (its code, in gal/kWh). Hydropower is 0 there: evaporation from reservoirs is not counted.
EWIF_L_PER_KWH: Mapping[str, float] = {
    fuel: gallons * _L_PER_GAL
    for fuel, gallons in {
        "coal": 0.45,
        "gas": 0.30,
        "nuclear": 0.60,
        "oil": 0.35,
        "other": 0.475,
        "solar": 0.0,
        "hydro": 0.0,
        "wind": 0.0,
    }.items()
}


class SiteAndSource(NamedTuple):
    """Water of an amount of IT energy [L]."""

    site_l: float
    source_l: float

    @property
    def total_l(self) -> float:
        """Both together [L]."""
        return self.site_l + self.source_l


def source_l(facility_j: npt.ArrayLike, ewif_l_per_kwh: npt.ArrayLike) -> FloatArray:
    """Water used to generate the facility's energy, shape of facility_j [L].

    Parameters:
        facility_j: energy at the utility meter, any shape [J]
        ewif_l_per_kwh: electricity water intensity of the grid, a number or the same shape [L/kWh]
    """
    kwh = np.asarray(facility_j, dtype=np.float64) / J_PER_KWH
    return kwh * np.asarray(ewif_l_per_kwh, dtype=np.float64)


def of_it_energy(it_kwh: float, pue: float, wue: float, ewif: float) -> SiteAndSource:
    """Water of IT energy by annual figures: E WUE on site, E PUE EWIF at the source (arXiv 2304.03271).

    Parameters:
        it_kwh: IT energy [kWh]
        pue: facility energy over IT energy [1]
        wue: water on site per IT energy [L/kWh]
        ewif: water at the power stations per facility energy [L/kWh]
    """
    return SiteAndSource(it_kwh * wue, it_kwh * pue * ewif)


def mix_intensity(generation: Mapping[str, npt.ArrayLike], factors: Mapping[str, float]) -> FloatArray:
    """Intensity of a fuel mix, sum of generation times factor over total generation, in the factors' unit.

    Parameters:
        generation: fuel -> energy generated, arrays of one shape, any energy unit
        factors: fuel -> litres, grams, ... per kWh; every fuel of `generation` must be there
    """
    total = np.sum([np.asarray(energy, dtype=np.float64) for energy in generation.values()], axis=0)
    weighted = [np.asarray(energy, dtype=np.float64) * factors[fuel] for fuel, energy in generation.items()]
    return np.asarray(np.sum(weighted, axis=0) / total, dtype=np.float64)
