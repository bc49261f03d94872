"""Figures of a year of a site: what stands on the axes, and that it is what the series says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from rich.console import Console

from dcsim import seeds
from dcsim.facility import climates, presets, site_year
from dcsim.facility.arrays import J_PER_KWH
from dcsim.facility.plants import KINDS
from dcsim.facility.site_year import SiteYear
from dcsim.report import facility, facility_summary
from dcsim.report.facility_table import PART_WORDS, PLANT_WORDS, WATER_WORDS, year_table


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def year(kind: str, name: str = "hyperscale", **changes: Any) -> SiteYear:
    weather = climates.typical_year(climates.load("climate-phoenix"), seeds.generator(1, 0, "weather"))
    return site_year.run(kind, presets.load(name, **changes), weather, design_it_w=1e6, it_w=0.5e6)


@pytest.fixture(scope="module")
def towers() -> SiteYear:
    return year("water-economizer")


def axes() -> Axes:
    return plt.figure(figsize=(6.0, 3.6), layout="constrained").add_subplot()


def drawn(ax: Axes) -> Axes:
    """The axes of a figure drawn to the end, so that every warning of the layout is raised."""
    assert ax.figure is not None
    ax.figure.canvas.draw()
    return ax


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts] + [label.get_text() for label in ax.get_yticklabels()]


def image(ax: Axes) -> np.ndarray:
    return np.asarray(ax.images[0].get_array())


# ---------------------------------------------------------------- by hour and month


@pytest.mark.parametrize(("days", "february"), [(365, 28), (366, 29)])
def test_hours_of_each_month_are_counted(days: int, february: int) -> None:
    found = facility.by_hour(np.ones(24 * days))
    assert found.shape == (24, 12)
    assert (found == found[0]).all()
    assert found[0].tolist() == [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def test_an_hour_lands_in_its_cell() -> None:
    values = np.zeros(8760)
    values[24 * (31 + 28 + 4) + 17] = 1.0  # 5 March, 17 to 18 h
    found = facility.by_hour(values)
    assert found[17, 2] == found.sum() == 1.0


def test_the_pue_of_a_cell_is_energy_over_energy(towers: SiteYear) -> None:
    ax = drawn(facility.pue_map(towers.series, axes()))
    series = towers.series
    july = slice(24 * 181 + 15, 24 * 212, 24)
    assert image(ax)[15, 6] == pytest.approx(series.facility_w[july].sum() / series.it_w[july].sum())
    assert image(ax).min() >= 1.0
    assert "set point" not in " ".join(texts(ax))


def test_the_wue_map_averages_to_the_annual_figure(towers: SiteYear) -> None:
    series = towers.series
    values = image(drawn(facility.wue_map(series, axes())))
    days = facility.by_hour(np.ones(8760))
    annual = series.withdrawn_l.sum() / (series.it_w @ series.interval_s / J_PER_KWH)
    assert np.average(values, weights=days) == pytest.approx(annual)


def test_missed_set_points_are_dots_at_their_hours() -> None:
    series = year("liquid-dry", coolant_c=40.0, dry_assist=0.0).series
    assert 0 < series.missed.sum() < 8760
    ax = drawn(facility.pue_map(series, axes()))
    cells = facility.by_hour(series.missed.astype(float)) > 0
    assert len(ax.lines[0].get_xydata()) == cells.sum()
    assert "● set point missed on some days" in texts(ax)


def test_one_value_all_year_is_said_in_words() -> None:
    ax = drawn(facility.wue_map(year("dx").series, axes()))
    assert any(text.endswith(" all year") for text in texts(ax))
    assert ax.figure is not None
    assert len(ax.figure.axes) == 1  # no scale beside it


# ---------------------------------------------------------------- by part and kind


def test_bars_of_power_add_up_to_the_pue(towers: SiteYear) -> None:
    ax = drawn(facility.power_bars(towers.series, axes()))
    widths = [bar.get_width() for bar in ax.containers[0]]
    pue = towers.series.facility_w.sum() / towers.series.it_w.sum()
    assert 1.0 + sum(widths) == pytest.approx(pue)
    assert widths == sorted(widths, reverse=True)
    assert {"UPS", "chillers", "tower fans"} <= set(texts(ax))
    assert any(text.startswith(f"PUE {pue:.3f}") for text in texts(ax))


def test_bars_of_water_add_up_and_have_the_band(towers: SiteYear) -> None:
    series = towers.series
    ax = drawn(facility.water_bars(series, axes()))
    *kinds, total = (bar.get_width() for bar in ax.containers[0])
    assert sum(kinds) == pytest.approx(total)
    it_kwh = series.it_w @ series.interval_s / J_PER_KWH
    ends = [series.withdrawn_low_l.sum() / it_kwh, series.withdrawn_high_l.sum() / it_kwh]
    np.testing.assert_allclose(ax.lines[0].get_xdata(), ends)


def test_a_plant_without_water_says_so() -> None:
    ax = drawn(facility.water_bars(year("dx", sensible_share=1.0).series, axes()))
    assert "This plant takes in no water." in texts(ax)


@pytest.mark.parametrize(("kind", "name"), [("water-economizer", "colo"), ("dx", "small"), ("liquid-tower", "colo")])
def test_page_is_drawn_without_a_warning(kind: str, name: str) -> None:
    facility.page(year(kind, name)).canvas.draw()


# ---------------------------------------------------------------- words


def test_words_are_there_for_every_part_kind_and_plant() -> None:
    assert set(PLANT_WORDS) == set(KINDS)
    assert set(WATER_WORDS) == set(facility_summary.WATER_KINDS)
    parts = {part for kind in KINDS for part in facility_summary.powers(year(kind).series)}
    assert parts == set(PART_WORDS)


def test_table_says_what_was_missed_and_fits_120_columns() -> None:
    found = facility_summary.summary(year("dx", capacity_share=0.2), {"fitted": 1}, {"capacity_share": 0.2})
    out = io.StringIO()
    Console(file=out, width=120).print(year_table(found))
    text = out.getvalue()
    assert "of the design, all year; capacity_share 0.2" in text
    assert text.count("warning: ") == 2
    assert max(map(len, text.splitlines())) <= 120
    assert "…" not in text
