"""Figures of a stream of jobs: rate over time, counts and gaps against a Poisson process, sizes, hours of the day.

Each is drawn on an Axes that the caller gives; `page` has all that a stream has, `rates_page` those of a table of
rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dcsim.report import axes, style
from dcsim.report.style import DASHES, INK, MUTED, PAPER, STREAMS, TEXT_PT
from dcsim.workload import fit_laws, statistics
from dcsim.workload.arrivals import Theory
from dcsim.workload.block import Block, FloatArray
from dcsim.workload.columns import COLUMNS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 9.6
_ROW_IN = 3.2
_MOST_STEPS = 240
_MOST_POINTS = 4000
_FEW = 5
_SHORT = 20  # characters of labels of which three stand side by side

_TOKENS = {"input_tokens": "input", "output_tokens": "output", "prefix_tokens": "seen before (prefix)"}
_TIMES = {"run_s": "run", "wait_s": "wait", "requested_s": "requested"}
_HELD = {"processors": "devices", "cores": "cores", "nodes": "nodes"}
_STEPS_S = (
    *(mantissa * 10.0**power for power in range(-9, 1) for mantissa in (1, 2, 5)),
    *(10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0),
    *(3600.0 * hours for hours in (1, 2, 3, 6, 12)),
    *(86_400.0 * mantissa * 10**power for power in range(4) for mantissa in (1, 2, 5)),
)
_RATES = (("s", 1.0), ("h", 3600.0), ("d", 86_400.0))

_Draw = Callable[["Axes"], object]


def rate(arrival_s: FloatArray, ax: Axes) -> Axes:
    """Arrivals over time, in full steps of a round length from the first arrival; the line is their mean."""
    span = statistics.span_s(arrival_s)
    fewest = span / min(max(len(arrival_s) // 20, 10), _MOST_STEPS)
    step_s = next((step for step in _STEPS_S if step >= fewest), fewest)
    number = statistics.counts(arrival_s, step_s)
    return _rate_steps(number / step_s, step_s, ax, ", from the first" if arrival_s[0] > step_s else "")


def _rate_steps(rate_hz: FloatArray, step_s: float, ax: Axes, note: str = "") -> Axes:
    unit, length_s = _rate_unit(float(rate_hz.mean()))
    style.quiet(ax, f"Arrivals per {unit}{note}, steps of {axes.time_words(step_s)}")
    span_s = step_s * len(rate_hz)
    edges = np.linspace(0.0, span_s, len(rate_hz) + 1) / axes.time_axis(ax, span_s, most=_FEW)
    ax.stairs(rate_hz * length_s, edges, baseline=None, color=STREAMS[0], linewidth=1.2)
    ax.axhline(float(rate_hz.mean()) * length_s, color=MUTED, linewidth=1.0, linestyle=DASHES[2])
    ax.set_ylim(bottom=0.0)
    _plain_y(ax)
    return ax


def _rate_unit(rate_hz: float) -> tuple[str, float]:
    """Unit of time in which the rate is at least about one, and its length in s."""
    return next((pair for pair in _RATES if rate_hz * pair[1] >= 0.95), _RATES[-1])


def dispersion(arrival_s: FloatArray, theory: Theory | None, ax: Axes) -> Axes:
    """Variance over mean of the counts against the length of their windows, and what theory says of it."""
    style.quiet(ax, "Variance / mean of counts, by window")
    span, gap_s = statistics.span_s(arrival_s), statistics.span_s(arrival_s) / len(arrival_s)
    low, high = gap_s / 3.0, span / statistics.LEAST_WINDOWS
    windows_s = np.geomspace(low, high, 30) if high > low else np.array([span])
    found = np.array([statistics.dispersion(arrival_s, window_s) or math.nan for window_s in windows_s])
    axes.log_time_axis(ax, low / 1.3, max(high, 2.0 * low) * 1.3, most=_FEW)
    ax.axhline(1.0, color=MUTED, linewidth=1.0, linestyle=DASHES[2], label="Poisson, constant rate")
    if theory is not None:
        known = [theory.dispersion(float(window_s)) for window_s in windows_s]
        if all(value is not None for value in known):
            expected = [float(value or math.nan) for value in known]
            ax.plot(windows_s, expected, color=INK, linewidth=1.0, linestyle=DASHES[1], label="theory")
    ax.plot(windows_s, found, color=STREAMS[0], linewidth=1.6, marker="o", markersize=3.0, label="counted")
    _log_y(ax, float(np.nanmin(np.append(found, 1.0))), float(np.nanmax(np.append(found, 1.0))))
    _legend(ax)
    return ax


def gaps(arrival_s: FloatArray, ax: Axes) -> Axes:
    """Share of gaps up to a length, and laws of the same mean that come nearest."""
    found = np.diff(arrival_s)
    above = found[found > 0.0]
    low, high = float(np.quantile(above, 0.002)), float(np.quantile(above, 0.9995))
    style.quiet(ax, "Gaps between arrivals: share up to a length")
    low, high = (low / 5.0, high * 5.0) if high < 2.0 * low else (low, high * 1.3)
    axes.log_time_axis(ax, low, high, most=_FEW)
    x, y = _cdf(found)
    ax.plot(x, y, color=STREAMS[0], linewidth=1.8, drawstyle="steps-post", label="arrivals")
    grid, mean = np.geomspace(low, high, 300), float(found.mean())
    fitted = fit_laws.nearest_cv(found)
    ax.plot(grid, -np.expm1(-grid / mean), color=MUTED, linewidth=1.1, linestyle=DASHES[2], label="exponential")
    for place, (law, cv) in enumerate(fitted.items(), 1):
        label = f"{law}, CV {cv:.3g}"
        line = fit_laws.CDFS[law](grid, mean, cv)
        ax.plot(grid, line, color=STREAMS[place], linewidth=1.1, linestyle=DASHES[place], label=label)
    _shares(ax)
    _legend(ax)
    return ax


def sizes(columns: Mapping[str, FloatArray], names: Mapping[str, str], title: str, ax: Axes) -> Axes:
    """Share of the jobs up to a size, a line for each column that is there, on a logarithmic axis."""
    style.quiet(ax, title)
    shown = {name: columns[name][columns[name] > 0.0] for name in names if name in columns}
    shown = {name: values for name, values in shown.items() if len(values)}
    low = min(float(np.quantile(values, 0.001)) for values in shown.values())
    high = max(float(values.max()) for values in shown.values())
    seconds = all(COLUMNS[name].unit == "s" for name in shown)
    if seconds:
        axes.log_time_axis(ax, low / 1.3, high * 1.3, most=_FEW)
    else:
        _log_x(ax, low / 1.3, high * 1.3)
    for place, name in enumerate(shown):
        known = columns[name][~np.isnan(columns[name])]
        x, y = _cdf(known)
        label = f"{names[name]}, median {_size(float(np.median(known)), seconds=seconds)}"
        ax.plot(x, y, color=STREAMS[place], linewidth=1.6, linestyle=DASHES[place], drawstyle="steps-post", label=label)
    _shares(ax)
    _legend(ax)
    return ax


def hours(factors: Sequence[float], ax: Axes) -> Axes:
    """Rate in each hour of the day over the mean rate."""
    style.quiet(ax, "Rate by hour of the day, over the mean rate")
    ax.bar(np.arange(24) + 0.5, factors, width=0.86, color=STREAMS[0], linewidth=0.0)
    ax.axhline(1.0, color=MUTED, linewidth=1.0, linestyle=DASHES[2])
    ax.set_xlim(0.0, 24.0)
    ticks = (0, 6, 12, 18, 24)
    ax.set_xticks(ticks, [*(f"{tick}" for tick in ticks[:-1]), "24 h"])
    _plain_y(ax)
    return ax


def page(block: Block, theory: Theory | None = None, *, timed: bool = True) -> Figure:
    """All figures of the jobs of a block; `timed` is false of a list without times."""
    panels: list[_Draw] = []
    arrival_s = block.arrival_s
    if timed and statistics.span_s(arrival_s) > 0.0 and len(arrival_s) >= statistics.LEAST_WINDOWS:
        panels += [
            lambda ax: rate(arrival_s, ax),
            lambda ax: dispersion(arrival_s, theory, ax),
            lambda ax: gaps(arrival_s, ax),
        ]
    for names, title in (
        (_TOKENS, "Tokens: share of requests up to a size"),
        (_TIMES, "Times: share of jobs up to a length"),
        (_HELD, "What jobs hold: share of jobs up to a number"),
    ):
        if any(name in block.columns and (block.columns[name] > 0.0).any() for name in names):
            panels.append(_sizes_panel(block.columns, names, title))
    factors = statistics.profile(arrival_s, statistics.DAY_S, 24) if timed else None
    if factors is not None:
        panels.append(_hours_panel(factors))
    return _figure(panels)


def rates_page(rate_hz: FloatArray, interval_s: float) -> Figure:
    """Figures of a table of rates: over time, and by the hour of the day where it is two days long."""
    panels: list[_Draw] = [lambda ax: _rate_steps(rate_hz, interval_s, ax)]
    factors = statistics.table_profile(rate_hz, interval_s)
    if factors is not None:
        panels.append(_hours_panel(factors))
    return _figure(panels)


def _sizes_panel(columns: Mapping[str, FloatArray], names: Mapping[str, str], title: str) -> _Draw:
    return lambda ax: sizes(columns, names, title, ax)


def _hours_panel(factors: FloatArray) -> _Draw:
    return lambda ax: hours(factors.tolist(), ax)


def _figure(panels: Sequence[_Draw]) -> Figure:
    """Panels in two columns; without any, a figure that says so."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    nothing = "There is nothing to draw: the jobs have no times or sizes."
    drawn = panels or [lambda ax: style.message(ax, "Jobs", nothing)]
    rows = math.ceil(len(drawn) / 2)
    layout = ConstrainedLayoutEngine(hspace=0.09, wspace=0.06, h_pad=0.1, w_pad=0.1)
    figure = Figure((WIDTH_IN, max(rows * _ROW_IN, _ROW_IN)), layout=layout, facecolor=PAPER)
    FigureCanvasAgg(figure)
    columns = min(2, len(drawn))
    for place, draw in enumerate(drawn):
        draw(figure.add_subplot(rows, columns, place + 1))
    return figure


# ---------------------------------------------------------------- axes


def _cdf(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points of a sample's CDF: all of its steps, or _MOST_POINTS of them, the first and last included."""
    ordered = np.sort(values)
    places = np.arange(len(ordered))
    if len(ordered) > _MOST_POINTS:
        places = np.unique(np.linspace(0, len(ordered) - 1, _MOST_POINTS).astype(np.intp))
    return ordered[places], (places + 1) / len(ordered)


def _shares(ax: Axes) -> None:
    ax.set_ylim(0.0, 1.02)
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "25 %", "50 %", "75 %", "100 %"])


def _log_x(ax: Axes, low: float, high: float) -> None:
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ticks = _log_ticks(low, high)
    ax.set_xticks(ticks, [_size(tick, seconds=False) for tick in ticks])
    ax.set_xticks([], minor=True)


def _log_y(ax: Axes, low: float, high: float) -> None:
    ax.set_yscale("log")
    ax.set_ylim(low / 1.3, high * 1.6)
    ticks = _log_ticks(low / 1.3, high * 1.6)
    ax.set_yticks(ticks, [f"{tick:,g}" for tick in ticks])
    ax.set_yticks([], minor=True)


def _log_ticks(low: float, high: float) -> list[float]:
    """Round numbers inside, at most seven."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    parts = (1, 2, 5) if math.log10(high / low) <= 2.2 else (1,)
    ticks = [part * 10.0**power for power in decades for part in parts]
    ticks = [tick for tick in ticks if low <= tick <= high]
    return ticks[:: max(1, math.ceil(len(ticks) / 7))]


def _size(value: float, *, seconds: bool) -> str:
    if seconds:
        return axes.time_words(float(f"{value:.3g}"))
    return f"{value:,.0f}" if value >= 1.0 else f"{value:.2g}"


def _plain_y(ax: Axes) -> None:
    """A few ticks written out, without an offset or an exponent."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _legend(ax: Axes) -> None:
    """What the lines are, below the axes, where it hides none of them."""
    longest = max(len(str(text)) for text in ax.get_legend_handles_labels()[1])
    key = ax.legend(
        loc="upper left",
        bbox_to_anchor=(0.0, -0.11),
        ncols=3 if longest <= _SHORT else 2,
        frameon=False,
        fontsize=TEXT_PT - 0.8,
        labelcolor=INK,
        handlelength=1.8,
        columnspacing=1.2,
        borderaxespad=0.0,
    )
    for text in key.get_texts():
        text.set_parse_math(False)
