"""A year at constant load: hours, energy balance, and where an economizer works."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.errors import ScenarioError
from dcsim.facility import presets, site_year
from dcsim.facility.chain import FacilitySeries
from dcsim.facility.weather import WeatherYear, outdoor


def year(kind: str, temperature_c: float = 10.0, it_w: float = 0.6e6) -> FacilitySeries:
    weather = outdoor(np.full(8760, temperature_c), relative_humidity=0.5)
    place = WeatherYear("constant", 0.0, 0.0, weather)
    return site_year.run(kind, presets.load("hyperscale"), place, design_it_w=1e6, it_w=it_w).series


def test_a_year_has_its_hours_and_its_load() -> None:
    series = year("dx")
    assert series.interval_s.sum() == 8760 * 3600
    assert (series.it_w == 0.6e6).all()


@pytest.mark.parametrize(
    ("kind", "temperature_c", "least", "most"),
    [
        ("water-economizer", 5.0, 1.0, 1.0),
        ("water-economizer", 45.0, 0.0, 0.0),
        ("water-economizer", 30.0, 0.01, 0.99),
        ("air-economizer", 5.0, 1.0, 1.0),
        ("air-economizer-dry", 45.0, 0.0, 0.0),
        ("liquid-tower", 5.0, 1.0, 1.0),
    ],
)
def test_where_an_economizer_works(kind: str, temperature_c: float, least: float, most: float) -> None:
    series = year(kind, temperature_c)
    share = series.free_share
    assert least <= share.min()
    assert share.max() <= most
    assert (series.plant_parts["chiller"] == 0.0).all() == (least == 1.0)


@pytest.mark.parametrize("kind", ["water-chiller", "air-chiller", "dx", "liquid-dry"])
def test_plants_without_economizer_have_no_share(kind: str) -> None:
    assert np.isnan(year(kind).free_share).all()


@pytest.mark.parametrize("it_w", [0.0, -1.0, 1.1e6, np.nan])
def test_a_load_that_cannot_be(it_w: float) -> None:
    with pytest.raises(ScenarioError, match="of a site for 1e"):
        year("dx", it_w=it_w)
