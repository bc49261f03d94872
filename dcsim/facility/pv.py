"""Photovoltaics on site: from sunlight to electric power.

Simple on purpose: flat modules, one performance ratio for temperature, wiring, inverter and dirt. A plant that is known
better comes as a file of capacity factors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dcsim.facility.arrays import FloatArray
from dcsim.facility.series import Steps

#: Irradiance at which a module gives its rated power (standard test conditions, IEC 60904-3).
RATED_W_PER_M2 = 1000.0
#: Width of the steps in which a clear sky is evaluated.
STEP_S = 900.0

_DAY_S = 86400.0
_TILT_DEG = 23.45


def cos_zenith(moments_s: npt.ArrayLike, latitude_deg: float, utc_offset_h: float) -> FloatArray:
    """Cosine of the angle between the sun and the zenith, negative at night, shape of moments_s [1].

        cos z = sin(lat) sin(dec) + cos(lat) cos(dec) cos(h),    dec = 23.45 deg sin(360 deg (284 + n)/365)

    The declination is that of P. I. Cooper (Solar Energy 12, 1969), n the day of the year. The sun stands highest at
    12:00 of local standard time: the equation of time and the distance to the zone's meridian are left out, which moves
    the day by at most about an hour.

    Parameters:
        moments_s: [s since 1970, UTC]
        latitude_deg: north is positive [deg]
        utc_offset_h: local standard time minus UTC [h]
    """
    local_s = np.asarray(moments_s, dtype=np.float64) + utc_offset_h * 3600.0
    days = np.floor(local_s / _DAY_S).astype(np.int64).astype("datetime64[D]")
    of_year = (days - days.astype("datetime64[Y]")).astype(np.int64) + 1
    declination = np.deg2rad(_TILT_DEG) * np.sin(2 * np.pi * (284 + of_year) / 365)
    hour_angle = 2 * np.pi * ((local_s / _DAY_S) % 1.0 - 0.5)
    latitude = np.deg2rad(latitude_deg)
    return np.asarray(
        np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    )


def clear_sky_w_per_m2(cosine: npt.ArrayLike) -> FloatArray:
    """Irradiance of a horizontal plane under a clear sky [W/m2]: B. Haurwitz, J. Meteorology 2 (1945) 154.

        GHI = 1098 cos z exp(-0.059/cos z),   0 at night

    Parameters:
        cosine: cosine of the zenith angle, any shape [1]
    """
    up = np.asarray(cosine, dtype=np.float64)
    day = np.maximum(up, 1e-6)
    return np.asarray(np.where(up > 0.0, 1098.0 * day * np.exp(-0.059 / day), 0.0))


def clear_sky(start_s: float, duration_s: float, latitude_deg: float, utc_offset_h: float, clearness: float) -> Steps:
    """Irradiance of a horizontal plane from a moment on [W/m2], in steps of 15 minutes, moments from `start_s`.

    Parameters:
        start_s: first moment [s since 1970, UTC]
        duration_s: for how long [s]
        latitude_deg: north is positive [deg]
        utc_offset_h: local standard time minus UTC [h]
        clearness: mean of the real irradiance over that of a clear sky, 0..1 [1]
    """
    starts = np.arange(max(1, int(np.ceil(duration_s / STEP_S))), dtype=np.float64) * STEP_S
    middle = start_s + starts + STEP_S / 2
    levels = clearness * clear_sky_w_per_m2(cos_zenith(middle, latitude_deg, utc_offset_h))
    return Steps(starts, levels, float(starts[-1] + STEP_S))


def output_w(
    irradiance_w_per_m2: npt.ArrayLike, peak_w: float, performance_ratio: float, inverter_w: float = np.inf
) -> FloatArray:
    """Electric power, P_peak PR G/1000 W/m2, at most that of the inverter, shape of the irradiance [W].

    Performance ratio after IEC 61724-1.

    Parameters:
        irradiance_w_per_m2: on the plane of the modules, any shape [W/m2]
        peak_w: rated power of the modules [W]
        performance_ratio: 0..1 [1]
        inverter_w: largest power of the inverters [W]
    """
    sun = np.asarray(irradiance_w_per_m2, dtype=np.float64) / RATED_W_PER_M2
    return np.asarray(np.minimum(peak_w * performance_ratio * sun, inverter_w))
