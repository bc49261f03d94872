"""A year of a site at a constant load: what `dcsim facility` answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcsim.catalog import Catalog
from dcsim.errors import ScenarioError
from dcsim.facility import chain, presets
from dcsim.facility.presets import Preset
from dcsim.facility.weather import HOUR_S, WeatherYear


@dataclass(frozen=True)
class SiteYear:
    """A site, its weather, and what became of them."""

    kind: str
    """one of `plants.KINDS`"""
    preset: Preset
    design_it_w: float
    """IT power that the site is built for [W]"""
    it_w: float
    """IT power all year [W]"""
    weather: WeatherYear
    series: chain.FacilitySeries
    """hours of the year, local standard time"""


def run(
    kind: str,
    preset: Preset,
    weather: WeatherYear,
    *,
    design_it_w: float,
    it_w: float,
    known: Catalog | None = None,
) -> SiteYear:
    """Power, water and temperatures of a site in each hour of a year.

    Parameters:
        kind: kind of plant, one of `plants.KINDS`
        preset: class of site
        weather: the year's outdoor air
        design_it_w: IT power that the site is built for [W]
        it_w: IT power all year, above 0 and at most design_it_w [W]
        known: catalog with the loss curves; the shipped one by default

    Raises ScenarioError for an unknown kind of plant, or a power out of range.
    """
    if not 0.0 < it_w <= design_it_w * (1.0 + 1e-9):
        raise ScenarioError(
            f"IT power is {it_w:g} W of a site for {design_it_w:g} W; allowed: above 0 W and up to what it is built for"
        )
    steady_w = np.full(len(weather.weather.dry_bulb_c), min(it_w, design_it_w))
    site = presets.site(kind, preset, design_it_w, known)
    return SiteYear(kind, preset, design_it_w, it_w, weather, chain.evaluate(steady_w, HOUR_S, site, weather.weather))
