"""Moist air: saturation, humidity ratio, dew point, enthalpy and wet bulb, vectorised.

Equations of the ASHRAE Handbook of Fundamentals (2017), chapter 1, in SI units. Every function takes numbers or
arrays that broadcast against each other and gives an array of the common shape. Valid from -90 to 90 degC.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from dcsim.facility.arrays import FloatArray

#: Pressure of the standard atmosphere at sea level [Pa].
STANDARD_PA = 101_325.0

_ZERO_C_K = 273.15
#: Mass of water vapour over that of dry air, per mole [1].
_VAPOUR = 0.621945
#: Triple point: below it water is ice [degC].
_TRIPLE_C = 0.01
_NEWTON_STEPS = 3
_DEW_STEPS = 6
_HALF_STEP_C = 1e-3


def saturation_pressure_pa(temperature_c: npt.ArrayLike) -> FloatArray:
    """Vapour pressure over water, or over ice at and below 0.01 degC [Pa]. Fundamentals 2017, eq. (5) and (6).

    Parameters:
        temperature_c: temperature, any shape [degC]
    """
    celsius = np.asarray(temperature_c, dtype=np.float64)
    kelvin = celsius + _ZERO_C_K
    log_k = np.log(kelvin)
    water = (
        -5.8002206e3 / kelvin
        + 1.3914993
        + kelvin * (-4.8640239e-2 + kelvin * (4.1764768e-5 - 1.4452093e-8 * kelvin))
        + 6.5459673 * log_k
    )
    frozen = celsius <= _TRIPLE_C
    if not frozen.any():
        return cast(FloatArray, np.exp(water))
    ice = (
        -5.6745359e3 / kelvin
        + 6.3925247
        + kelvin * (-9.677843e-3 + kelvin * (6.2215701e-7 + kelvin * (2.0747825e-9 - 9.484024e-13 * kelvin)))
        + 4.1635019 * log_k
    )
    return cast(FloatArray, np.exp(np.where(frozen, ice, water)))


def _ratio(vapour_pa: FloatArray, pressure_pa: npt.ArrayLike) -> FloatArray:
    return np.asarray(_VAPOUR * vapour_pa / (np.asarray(pressure_pa, dtype=np.float64) - vapour_pa))


def saturation_ratio(temperature_c: npt.ArrayLike, pressure_pa: npt.ArrayLike = STANDARD_PA) -> FloatArray:
    """Humidity ratio of saturated air, W_s = 0.621945 p_s/(p - p_s) [kg/kg]; of a dew point, that of the air.

    Parameters:
        temperature_c: temperature or dew point [degC]
        pressure_pa: air pressure [Pa]
    """
    return _ratio(saturation_pressure_pa(temperature_c), pressure_pa)


def pressure_at_pa(altitude_m: npt.ArrayLike) -> FloatArray:
    """Pressure of the standard atmosphere, 101325 (1 - 2.25577e-5 Z)^5.2559 [Pa]. Fundamentals 2017, eq. (3).

    Parameters:
        altitude_m: height above sea level, up to 11000 m [m]
    """
    return np.asarray(STANDARD_PA * (1.0 - 2.25577e-5 * np.asarray(altitude_m, dtype=np.float64)) ** 5.2559)


def altitude_at_m(pressure_pa: npt.ArrayLike) -> FloatArray:
    """Height above sea level at which the standard atmosphere has this pressure [m]: `pressure_at_pa` turned round.

    Parameters:
        pressure_pa: air pressure [Pa]
    """
    return np.asarray((1.0 - (np.asarray(pressure_pa, dtype=np.float64) / STANDARD_PA) ** (1 / 5.2559)) / 2.25577e-5)


def humidity_ratio(
    dry_bulb_c: npt.ArrayLike, relative_humidity: npt.ArrayLike, pressure_pa: npt.ArrayLike = STANDARD_PA
) -> FloatArray:
    """Mass of vapour over mass of dry air [kg/kg].

    Parameters:
        dry_bulb_c: dry-bulb temperature [degC]
        relative_humidity: vapour pressure over that of saturation, 0 to 1 [1]
        pressure_pa: air pressure [Pa]
    """
    return _ratio(np.asarray(relative_humidity) * saturation_pressure_pa(dry_bulb_c), pressure_pa)


def dew_point_c(ratio: npt.ArrayLike, pressure_pa: npt.ArrayLike = STANDARD_PA) -> FloatArray:
    """Temperature at which air of this humidity is saturated [degC], frost point below 0.01 degC; dry air: -90.

    Inverts `saturation_pressure_pa` by Newton's method on ln p over 1/T, in which it is nearly a straight line.

    Parameters:
        ratio: humidity ratio [kg/kg]
        pressure_pa: air pressure [Pa]
    """
    held = np.asarray(ratio, dtype=np.float64)
    vapour = held * np.asarray(pressure_pa, dtype=np.float64) / (_VAPOUR + held)
    floor = saturation_pressure_pa(-90.0)
    log_p = np.log(np.maximum(vapour, floor))
    found = np.full_like(log_p, 10.0)
    for _ in range(_DEW_STEPS):
        above, below = (np.log(saturation_pressure_pa(found + step)) for step in (_HALF_STEP_C, -_HALF_STEP_C))
        inverse = 1.0 / (found + _ZERO_C_K)
        slope = (above - below) / (2 * _HALF_STEP_C) * -(1.0 / inverse**2)  # d ln p / d(1/T)
        inverse = inverse + (log_p - (above + below) / 2) / slope
        found = np.clip(1.0 / inverse - _ZERO_C_K, -90.0, 90.0)
    return np.asarray(found)


def enthalpy_j_per_kg(dry_bulb_c: npt.ArrayLike, ratio: npt.ArrayLike) -> FloatArray:
    """Enthalpy of moist air, h = 1006 T + W (2501e3 + 1860 T), per mass of dry air [J/kg]. Eq. (30).

    Parameters:
        dry_bulb_c: dry-bulb temperature [degC]
        ratio: humidity ratio [kg/kg]
    """
    t = np.asarray(dry_bulb_c, dtype=np.float64)
    return np.asarray(1006.0 * t + np.asarray(ratio) * (2.501e6 + 1860.0 * t))


def vaporisation_j_per_kg(temperature_c: npt.ArrayLike) -> FloatArray:
    """Heat of vaporisation of water, (2500.5 - 2.3097 T - 0.0013 T^2) kJ/kg, 0 to 60 degC [J/kg].

    The form of Lei and Masanet (2022); within 0.1 % of the steam tables.

    Parameters:
        temperature_c: temperature [degC]
    """
    t = np.asarray(temperature_c, dtype=np.float64)
    return np.asarray(1e3 * (2500.5 - t * (2.3097 + 0.0013 * t)))


def wet_bulb_c(dry_bulb_c: npt.ArrayLike, ratio: npt.ArrayLike, pressure_pa: npt.ArrayLike = STANDARD_PA) -> FloatArray:
    """Thermodynamic wet-bulb temperature [degC], never above the dry bulb. Fundamentals 2017, eq. (33) and (35).

    Newton's method in three steps from Stull's approximation (J. Appl. Meteor. Climatol. 50, 2267, 2011,
    doi:10.1175/JAMC-D-11-0143.1). Within 0.001 K of psychrolib, save where the wet bulb is about 0 degC: there
    the equations over water and over ice have a gap of up to 0.5 K between them.

    Parameters:
        dry_bulb_c: dry-bulb temperature [degC]
        ratio: humidity ratio [kg/kg]
        pressure_pa: air pressure [Pa]
    """
    t, w, p = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in (dry_bulb_c, ratio, pressure_pa)))
    vapour = w * p / (_VAPOUR + w)
    found = np.minimum(_stull_c(t, 100.0 * vapour / saturation_pressure_pa(t)), t)
    for _ in range(_NEWTON_STEPS):
        above, below = (ratio_at_wet_bulb(t, found + step, p) for step in (_HALF_STEP_C, -_HALF_STEP_C))
        slope = (above - below) / (2 * _HALF_STEP_C)
        found = np.minimum(found - ((above + below) / 2 - w) / slope, t)
    return np.asarray(found)


def _stull_c(t: FloatArray, percent: FloatArray) -> FloatArray:
    rh = np.clip(percent, 1.0, 99.9)
    return np.asarray(
        t * np.arctan(0.151977 * np.sqrt(rh + 8.313659))
        + np.arctan(t + rh)
        - np.arctan(rh - 1.676331)
        + 0.00391838 * rh * np.sqrt(rh) * np.arctan(0.023101 * rh)
        - 4.686035
    )


def ratio_at_wet_bulb(t: FloatArray, wet: FloatArray, pressure_pa: FloatArray) -> FloatArray:
    """Humidity ratio of air from both its temperatures [kg/kg]; below 0 where no air can be so dry. Eq. (33), (35).

    Parameters:
        t: dry-bulb temperature [degC]
        wet: wet-bulb temperature [degC]
        pressure_pa: air pressure [Pa]
    """
    saturated = saturation_ratio(wet, pressure_pa)
    lost = 1.006 * (t - wet)
    over_water = ((2501.0 - 2.326 * wet) * saturated - lost) / (2501.0 + 1.86 * t - 4.186 * wet)
    over_ice = ((2830.0 - 0.24 * wet) * saturated - lost) / (2830.0 + 1.86 * t - 2.1 * wet)
    return np.where(wet >= 0.0, over_water, over_ice)
