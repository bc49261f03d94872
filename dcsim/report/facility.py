"""Figures of a year of a site: PUE and WUE by hour of the day and month, power by part, water by kind.

Each is drawn on an Axes that the caller gives; `page` has all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dcsim.facility.arrays import J_PER_KWH, BoolArray, FloatArray
from dcsim.facility.chain import FacilitySeries
from dcsim.facility.site_year import SiteYear
from dcsim.report import style
from dcsim.report.facility_summary import powers, waters
from dcsim.report.facility_table import PART_WORDS, WATER_WORDS
from dcsim.report.style import INK, MUTED, PAPER, TEXT_PT
from dcsim.report.words import percent, ratio, significant, three
from dcsim.units import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PUE_TITLE = "PUE by hour of the day and month"
WUE_TITLE = "WUE by hour of the day and month, L/kWh"
POWER_TITLE = "From the meter to the racks: what is not IT power, over IT power"
WATER_TITLE = "Water on site, L per kWh of IT"

WIDTH_IN = 9.6
_MAP_IN, _ROW_IN, _HEAD_IN = 3.3, 0.3, 0.95
_SMALL_PT = TEXT_PT - 1.2
_MONTHS = "JFMAMJJASOND"
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
#: Light to dark in one hue, so that more is darker in grey too.
_PUE_SHADES, _WUE_SHADES = ("#fdf1e7", "#f4c29b", "#c45500", "#6d2f00"), ("#eaf3f9", "#9ac6e3", "#0069a8", "#00365a")
_CHAIN, _PLANT, _WATER = "#6b7680", "#c45500", "#0069a8"
_CHAIN_PARTS = ("pdu", "ups", "transformer")
#: Width of the bars' axes over their longest bar, for the figures at their ends [1].
_ROOM = 1.5
#: Sums that are alike up to this are one value, not a scale [1].
_FLAT = 1e-9


def by_hour(values: FloatArray) -> FloatArray:
    """Sums by hour of the day and month of hours from 1 January, shape (24, 12).

    Parameters:
        values: one for each hour of a year of 365 or 366 days, shape (hours,)
    """
    leap = len(values) > 24 * sum(_MONTH_DAYS)
    days = [count + (leap and month == 1) for month, count in enumerate(_MONTH_DAYS)]
    months = np.repeat(np.arange(12), days)
    found = np.zeros((24, 12))
    np.add.at(found.T, months, values.reshape(-1, 24))
    return found


# ---------------------------------------------------------------- by hour and month


def pue_map(series: FacilitySeries, ax: Axes) -> Axes:
    """Facility over IT energy, hours down, months across; a dot where a set point was missed at that time."""
    return _map(ax, PUE_TITLE, by_hour(series.facility_w) / by_hour(series.it_w), _PUE_SHADES, series.missed)


def wue_map(series: FacilitySeries, ax: Axes) -> Axes:
    """Water withdrawn over IT energy, hours down, months across."""
    it_kwh = by_hour(series.it_w * series.interval_s) / J_PER_KWH
    return _map(ax, WUE_TITLE, by_hour(series.withdrawn_l) / it_kwh, _WUE_SHADES, None)


def _map(ax: Axes, title: str, values: FloatArray, shades: tuple[str, ...], missed: BoolArray | None) -> Axes:
    from matplotlib.colors import LinearSegmentedColormap

    style.quiet(ax, title)
    ax.grid(visible=False)
    low, high = float(values.min()), float(values.max())
    colours = LinearSegmentedColormap.from_list("shades", shades)
    # One value all year is drawn in the lightest shade.
    top = high if high - low > _FLAT * max(high, 1.0) else low + 1.0
    image = ax.imshow(values, aspect="auto", cmap=colours, vmin=low, vmax=top, extent=(0, 12, 24, 0))
    ax.set_xticks(np.arange(12) + 0.5, list(_MONTHS))
    ax.set_yticks([0, 6, 12, 18, 24], ["0 h", "6 h", "12 h", "18 h", "24 h"])
    if missed is not None and missed.any():
        hour, month = np.nonzero(by_hour(missed.astype(np.float64)))
        ax.plot(month + 0.5, hour + 0.5, "o", markersize=2.6, color=INK, markeredgecolor=PAPER, markeredgewidth=0.5)
        said = "● set point missed on some days"
        style.words_off(ax, said, (1.0, 0.0), (0.0, -20.0), ha="right", va="top", fontsize=_SMALL_PT, color=MUTED)
    if top == high:
        _scale(ax, image, low, high)
    else:
        said = f"{three(low)} all year"
        style.words_off(ax, said, (0.5, 0.5), (0.0, 0.0), ha="center", va="center", color=MUTED)
    return ax


def _scale(ax: Axes, image: object, low: float, high: float) -> None:
    """Bar of colours beside the map, marked at its ends and the middle."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02, aspect=28)  # type: ignore[arg-type]  # stubs know no image
    ticks = [low, (low + high) / 2.0, high]
    bar.set_ticks(ticks, labels=[ratio(tick) for tick in ticks])
    bar.ax.tick_params(labelsize=_SMALL_PT, colors=MUTED, length=0)
    bar.outline.set_visible(False)


# ---------------------------------------------------------------- by part and kind


def power_bars(series: FacilitySeries, ax: Axes) -> Axes:
    """Energy of each part between meter and racks over IT energy: grey losses of the chain, orange the plant."""
    style.quiet(ax, POWER_TITLE)
    it_w = float(series.it_w.sum())
    found = {name: float(power.sum()) / it_w for name, power in powers(series).items() if name != "it"}
    rows = sorted(found.items(), key=lambda row: -row[1])
    colours = [_CHAIN if name in _CHAIN_PARTS else _PLANT for name, _ in rows]
    texts = [f"{percent(share)}, {in_words(share * float(series.it_w.mean()), 'W')}" for _, share in rows]
    _bars(ax, [PART_WORDS.get(name, name) for name, _ in rows], [share for _, share in rows], colours, texts)
    total = f"PUE {ratio(1.0 + sum(found.values()))}: grey, power chain; orange, cooling plant"
    style.words_off(ax, total, (1.0, 0.0), (0.0, 4.0), ha="right", va="bottom", color=MUTED)
    return ax


def water_bars(series: FacilitySeries, ax: Axes) -> Axes:
    """Withdrawn water by kind, and in all with the band of the methods for towers."""
    it_kwh = float(series.it_w @ series.interval_s) / J_PER_KWH
    found = {WATER_WORDS[name]: float(litres.sum()) / it_kwh for name, litres in waters(series).items()}
    found = {name: value for name, value in found.items() if value > 0.0}
    if not found:
        style.message(ax, WATER_TITLE, "This plant takes in no water.")
        return ax
    style.quiet(ax, WATER_TITLE)
    total = float(series.withdrawn_l.sum()) / it_kwh
    low, high = (float(each.sum()) / it_kwh for each in (series.withdrawn_low_l, series.withdrawn_high_l))
    banded = high - low > 5e-4 * high
    texts = [significant(value) for value in (*found.values(), total)]
    if banded:
        texts[-1] += f"; {significant(low)} to {significant(high)} by method"
    names, values = [*found, "withdrawn"], [*found.values(), total]
    colours = [*("#4f9ccc" for _ in found), _WATER]
    _bars(ax, names, values, colours, texts, reach=high)
    if banded:
        row = len(found)
        ax.plot([low, high], [row, row], color=INK, linewidth=1.4, solid_capstyle="butt", zorder=3)
    return ax


def _bars(
    ax: Axes, names: list[str], values: list[float], colours: list[str], texts: list[str], reach: float = 0.0
) -> None:
    """Bars from the top, each with its figure at its end; what is beside the last one ends at `reach`."""
    ax.grid(visible=False)
    ax.spines["bottom"].set_visible(False)
    ends = [*values[:-1], max(values[-1], reach)]
    ax.barh(range(len(values)), values, 0.68, color=colours)
    ax.set_xlim(0.0, max(ends) * _ROOM)
    ax.set_ylim(len(values) - 0.45, -0.55)
    ax.set_yticks(range(len(values)), names)
    ax.tick_params(axis="y", labelcolor=INK)
    ax.set_xticks([])
    for row, (end, text) in enumerate(zip(ends, texts, strict=True)):
        ax.annotate(
            text, (end, row), (5.0, 0.0), textcoords="offset points", ha="left", va="center", fontsize=_SMALL_PT,
            color=INK,
        )  # fmt: skip


# ---------------------------------------------------------------- all of one command


def page(year: SiteYear) -> Figure:
    """The figures of a year, one below the other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    series = year.series
    kinds = sum(1 for litres in waters(series).values() if litres.any())
    heights = [_MAP_IN, *(_HEAD_IN + _ROW_IN * rows for rows in (len(powers(series)) - 1, kinds + 1))]
    engine = ConstrainedLayoutEngine(hspace=0.06, wspace=0.06, h_pad=0.08, w_pad=0.08)
    figure = Figure((WIDTH_IN, sum(heights) + 0.4), layout=engine)
    figure.set_facecolor(PAPER)
    FigureCanvasAgg(figure)
    title = f"{year.kind}, {year.preset.name}, {year.weather.place}, IT power {in_words(year.it_w, 'W')}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=TEXT_PT + 2.5, color=INK, fontweight="bold", parse_math=False)
    placed = figure.subplot_mosaic("EU;PP;WW", height_ratios=heights)
    pue_map(series, placed["E"])
    wue_map(series, placed["U"])
    power_bars(series, placed["P"])
    water_bars(series, placed["W"])
    return figure
