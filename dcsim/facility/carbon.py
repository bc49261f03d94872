"""Carbon of operation: energy at the utility meter times the grid's carbon intensity, location based.

Intensity is CO2-equivalent per energy over the life cycle of the power stations (construction and fuel supply
included), unless the caller gives another; factors by fuel are in the catalog. Embodied carbon of the equipment is in
`dcsim.facility.embodied`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dcsim.facility.arrays import J_PER_KWH, FloatArray


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
