"""Carbon of operation: energy at the utility meter times the grid's carbon intensity, location based.

Intensity is CO2-equivalent per energy over the life cycle of the power stations (construction and fuel supply
included), unless the caller gives another. Embodied carbon of the equipment is in `dcsim.facility.embodied`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from dcsim.facility.arrays import J_PER_KWH, FloatArray

#: Life-cycle carbon intensity by fuel [g CO2e/kWh]: IPCC AR5 WG III, annex III, table A.III.2 (medians); oil
#: and other as in the generation-weighted intensities that carbon-aware simulators derive from EIA-930.
LIFECYCLE_G_PER_KWH: Mapping[str, float] = {
    "wind": 11.0,
    "solar": 41.0,
    "hydro": 24.0,
    "gas": 490.0,
    "coal": 820.0,
    "oil": 650.0,
    "nuclear": 12.0,
    "other": 230.0,
}


def operational_g(power_w: npt.ArrayLike, interval_s: npt.ArrayLike, carbon_g_per_kwh: npt.ArrayLike) -> FloatArray:
    """Carbon of each interval, P dt CI, shape (steps,) [g].

    Exact for power and intensity that are constant within an interval; an intensity with other breakpoints
    goes through `arrays.interval_means` first and the result is still the exact integral.

    Parameters:
        power_w: power at the utility meter, shape (steps,) [W]
        interval_s: length of the intervals, one number or shape (steps,) [s]
        carbon_g_per_kwh: grid intensity, one number or shape (steps,) [g/kWh]
    """
    power, seconds = np.asarray(power_w, dtype=np.float64), np.asarray(interval_s, dtype=np.float64)
    return power * seconds / J_PER_KWH * np.asarray(carbon_g_per_kwh, dtype=np.float64)
