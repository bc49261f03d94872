"""Cost of a run: capital by annuity, energy, demand, water, maintenance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dcsim.errors import ScenarioError
from dcsim.facility.arrays import J_PER_KWH, MONTH_S, YEAR_S, FloatArray, edges_s, interval_means

#: Utilities bill the highest mean power over a quarter of an hour of each month.
DEMAND_WINDOW_S = 900.0
#: A last window shorter than this share joins the one before.
_SLIVER = 0.01
#: Below this growth of the debt the annuity is the straight line, to rounding; 0/0 and denormals stay out.
_NO_INTEREST = 1e-12


def capital_recovery_factor(rate_per_year: float, lifetime_s: float) -> float:
    """CRF = i/(1 - (1 + i)^-n): yearly payment per unit of capital [1/y]; 1/n at i = 0.

    Parameters:
        rate_per_year: discount rate i [1/y]
        lifetime_s: service life, n years of 365 days [s]

    Raises ScenarioError when the rate is negative or the life not positive.
    """
    if not (0 <= rate_per_year < np.inf and lifetime_s > 0):
        raise ScenarioError(
            f"discount rate {rate_per_year:g}/y over {lifetime_s:g} s; allowed: a rate from 0, a life above 0"
        )
    years = lifetime_s / YEAR_S
    growth = years * np.log1p(rate_per_year)
    if growth < _NO_INTEREST:
        return 1 / years
    return float(rate_per_year / -np.expm1(-growth))


def capex_usd(price_usd: float, lifetime_s: float, rate_per_year: float, duration_s: float) -> float:
    """Capital cost of a run: price x CRF x duration in years [USD].

    Parameters:
        price_usd: purchase price [USD]
        lifetime_s: service life [s]
        rate_per_year: discount rate [1/y]
        duration_s: length of the run [s]
    """
    return price_usd * capital_recovery_factor(rate_per_year, lifetime_s) * duration_s / YEAR_S


def maintenance_usd(price_usd: float, share_per_year: float, duration_s: float) -> float:
    """Maintenance of a run, a yearly share of the purchase price [USD].

    Parameters:
        price_usd: purchase price [USD]
        share_per_year: yearly share of the price [1/y]
        duration_s: length of the run [s]
    """
    return price_usd * share_per_year * duration_s / YEAR_S


def energy_usd(power_w: npt.ArrayLike, interval_s: npt.ArrayLike, price_usd_per_kwh: npt.ArrayLike) -> FloatArray:
    """Cost of the energy of each interval, shape (steps,) [USD]. Negative prices count as they are.

    Parameters:
        power_w: power at the utility meter, shape (steps,) [W]
        interval_s: length of the intervals, one number or shape (steps,) [s]
        price_usd_per_kwh: price of grid energy, one number or shape (steps,) [USD/kWh]
    """
    joules = np.asarray(power_w, dtype=np.float64) * np.asarray(interval_s, dtype=np.float64)
    return joules / J_PER_KWH * np.asarray(price_usd_per_kwh, dtype=np.float64)


def monthly_peaks_w(power_w: npt.ArrayLike, interval_s: npt.ArrayLike) -> FloatArray:
    """Highest mean power over 15 minutes in each month of 730 h, shape (months,) [W].

    Parameters:
        power_w: power at the utility meter, shape (steps,) [W]
        interval_s: length of the intervals, one number or shape (steps,) [s]
    """
    power = np.asarray(power_w, dtype=np.float64)
    edges = edges_s(interval_s, len(power))
    count = max(1, int(np.ceil(edges[-1] / DEMAND_WINDOW_S - _SLIVER)))
    windows = np.append(np.arange(count) * DEMAND_WINDOW_S, edges[-1])
    means = interval_means(windows, edges[:-1], power)
    starts = np.arange(0, count, round(MONTH_S / DEMAND_WINDOW_S))
    return np.maximum.reduceat(means, starts)


def demand_usd(power_w: npt.ArrayLike, interval_s: npt.ArrayLike, usd_per_kw_month: float) -> float:
    """Demand charge: each month's highest 15-minute power times the charge [USD].

    A month that the run covers in part pays that part of its charge: a day costs a thirtieth of a month.

    Parameters:
        power_w: power at the utility meter, shape (steps,) [W]
        interval_s: length of the intervals, one number or shape (steps,) [s]
        usd_per_kw_month: charge per kilowatt and month [USD/kW]
    """
    peaks_w = monthly_peaks_w(power_w, interval_s)
    duration_s = edges_s(interval_s, len(np.asarray(power_w)))[-1]
    covered = np.clip(duration_s / MONTH_S - np.arange(len(peaks_w)), 0.0, 1.0)
    return float(usd_per_kw_month * np.dot(peaks_w / 1000, covered))


def break_even_utilisation(
    price_usd: float, lifetime_s: float, rate_per_year: float, upkeep_usd_per_year: float, saved_usd_per_year: float
) -> float:
    """Utilisation from which equipment pays: u* = (CRF price + upkeep)/saving of a year at full load [1].

    Above 1 it never pays; infinite where it saves nothing.

    Parameters:
        price_usd: purchase price, over that of what it replaces [USD]
        lifetime_s: service life [s]
        rate_per_year: discount rate [1/y]
        upkeep_usd_per_year: what it costs a year whether it works or not, idle power included [USD/y]
        saved_usd_per_year: what it saves in a year of work without a pause [USD/y]
    """
    yearly = price_usd * capital_recovery_factor(rate_per_year, lifetime_s) + upkeep_usd_per_year
    return yearly / saved_usd_per_year if saved_usd_per_year > 0.0 else np.inf


def water_usd(withdrawn_l: float, consumed_l: float, usd_per_l: float, sewer_usd_per_l: float = 0.0) -> float:
    """Water bill: what is withdrawn at the water price, what is returned (blowdown) at the sewer price [USD].

    Parameters:
        withdrawn_l: water taken in [L]
        consumed_l: the part of it that is not returned [L]
        usd_per_l: water price [USD/L]
        sewer_usd_per_l: price of returned water [USD/L]
    """
    return withdrawn_l * usd_per_l + (withdrawn_l - consumed_l) * sewer_usd_per_l
