"""The three figures of a run, each drawn on an Axes that the caller gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dcsim.report import axes, panels, placing, series, style, words
from dcsim.report.kinds import ResultLike
from dcsim.report.series import Series
from dcsim.report.style import FAMILIES, INK, MUTED, PAPER, STREAMS, Label
from dcsim.units import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POWER_TITLE = "Power by rack group"
LATENCY_TITLE = "Latency: share of jobs done in time"
ENERGY_TITLE = "Energy per job by boundary"
MOST_PANELS = 6
WIDE_WIDTH_IN, NARROW_WIDTH_IN = 9.6, 3.7
_LINE_IN = 0.19


def power(result: ResultLike | Series, ax: Axes) -> Axes:
    """Power of the racks over time, W to MW, stacked by group; the line above is the whole facility."""
    numbers = series.of(result)
    found = numbers.power
    if found is None:
        style.message(ax, POWER_TITLE, "No rack was metered in this run.")
        return ax
    top = np.cumsum(found.group_w, axis=0)
    highest = float(max(top.max(), 0.0 if found.facility_w is None else found.facility_w.max()))
    unit, size = axes.power_unit(highest)
    narrow = style.is_narrow(ax)
    averaged = found.interval_s > float(numbers.result.scenario.meter_interval) * 1.5
    note = f", means of {axes.time_words(found.interval_s)}" if averaged else ""
    style.quiet(ax, f"{POWER_TITLE}, {unit}{note}")
    duration_s = float(found.edges_s[-1])
    x = found.edges_s / axes.time_axis(ax, duration_s, most=5 if narrow else 8)
    ax.set_ylim(0.0, max(highest / size * 1.06, 1e-9))
    labels: list[Label] = []
    shades: dict[str, int] = {}
    below = np.zeros_like(top[0])
    for name, family, upper, mean_w in zip(found.groups, found.families, top, found.mean_w(), strict=True):
        colour = _shade(family, shades)
        ax.fill_between(
            x,
            _steps(below) / size,
            _steps(upper) / size,
            step="post",
            facecolor=colour,
            linewidth=0.0,
            label=name,
        )
        middle = float(below[-1] + upper[-1]) / 2.0 / size
        labels.append(Label(f"{style.short(name, 24)}, mean {in_words(mean_w, 'W')}", middle, colour))
        below = upper
    if found.facility_w is not None:
        ax.step(x, _steps(found.facility_w) / size, where="post", color=INK, linewidth=1.3, label="facility")
        mean_w = float(found.facility_w @ np.diff(found.edges_s) / duration_s)
        last = float(found.facility_w[-1]) / size
        labels.append(Label(f"facility, mean {in_words(mean_w, 'W')}", last, INK))
    if narrow:
        style.label_below(ax, labels[::-1])
    else:
        style.label_beside(ax, labels)
    return ax


def _steps(values: series.Floats) -> series.Floats:
    """Values of n intervals at their n + 1 edges, for drawing with step="post"."""
    return np.append(values, values[-1])


def _shade(family: str, used: dict[str, int]) -> str:
    """Next shade of the family's colour."""
    shades = FAMILIES[series.known_family(family)]
    index = used.get(family, 0)
    used[family] = index + 1
    return shades[index % len(shades)]


def latency(result: ResultLike | Series, ax: Axes) -> Axes:
    """Cumulative latency distribution per stream, marks at p50, p95 and p99, dashed line at its objective."""
    found = series.of(result).latencies
    if not found:
        style.message(ax, LATENCY_TITLE, "No job was completed in this run.")
        return ax
    narrow = style.is_narrow(ax)
    style.quiet(ax, LATENCY_TITLE)
    limits = [one.slo_s for one in found if one.slo_s is not None]
    low = min([*(float(one.latency_s[0]) for one in found), *limits])
    high = max([*(float(one.latency_s[-1]) for one in found), *limits])
    axes.log_time_axis(ax, low / 1.6, high * 1.6, most=5 if narrow else 10)
    rows = placing.objective_rows(ax, found)
    ax.set_ylim(0.0, 1.03 + 0.065 * (1 + max(rows, default=-1)))
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "25 %", "50 %", "75 %", "100 %"])
    colours = [STREAMS[index % len(STREAMS)] for index in range(len(found))]
    for index, one in enumerate(found):
        _latency_curve(ax, one, colours[index], style.DASHES[index % len(style.DASHES)])
        if one.slo_s is not None:
            _objective(ax, one.slo_s, rows[index], colours[index])
    if not narrow:
        style.words_off(ax, "● p50   ▲ p95   ◆ p99", (1.0, 1.0), (0.0, 10.0), ha="right", va="bottom", color=MUTED)
    places = None if narrow else placing.on_curves(ax, found)
    if places is None:
        labels = [_percentiles(one, colour, narrow=narrow) for one, colour in zip(found, colours, strict=True)]
        style.label_below(ax, labels, columns=_label_columns(labels, narrow=narrow), heading="p50 / p95 / p99")
    else:
        for one, colour, place in zip(found, colours, places, strict=True):
            where = {"transform": ax.transAxes, "ha": place.align, "va": "center"}
            style.words(ax, place.x, place.y, one.stream, color=colour, fontweight="bold", **where)
    return ax


def _percentiles(one: series.LatencySeries, colour: str, *, narrow: bool) -> Label:
    """Name and percentiles, on two lines where one would be too long for a narrow figure."""
    figures = " / ".join(words.seconds(value) for value in one.percentiles_s)
    name = style.short(one.stream, 36)
    return Label(
        f"{name}\n{figures}" if narrow and len(name) + len(figures) > 42 else f"{name}  {figures}",
        0.0,
        colour,
    )


def _label_columns(labels: Sequence[Label], *, narrow: bool) -> int:
    """Two where two of the longest stand side by side, else one."""
    return 1 if narrow or max(len(label.text) for label in labels) > 56 else 2


def _latency_curve(ax: Axes, one: series.LatencySeries, colour: str, dash: object) -> None:
    x = np.concatenate([one.latency_s[:1], one.latency_s])
    y = np.concatenate([[0.0], one.share])
    ax.plot(
        x,
        y,
        color=colour,
        linewidth=1.8,
        linestyle=dash,
        label=one.stream,
        drawstyle="steps-post",
        solid_joinstyle="round",
    )
    for value, level, marker in zip(one.percentiles_s, (0.50, 0.95, 0.99), ("o", "^", "D"), strict=True):
        ax.plot(
            [value],
            [level],
            marker,
            color=colour,
            markersize=6.5 if marker == "o" else 6,
            markeredgecolor=PAPER,
            markeredgewidth=0.8,
            zorder=4,
        )


def _objective(ax: Axes, slo_s: float, row: int, colour: str) -> None:
    top = 1.015 + 0.065 * row
    ax.plot([slo_s, slo_s], [0.0, top], color=colour, linewidth=1.0, linestyle=(0, (2, 2)))
    style.words(
        ax,
        slo_s,
        top + 0.005,
        placing.objective_words(slo_s),
        color=colour,
        ha="center",
        va="bottom",
        fontsize=placing.OBJECTIVE_PT,
    )


def energy_per_job(result: ResultLike | Series, ax: Axes) -> Axes:
    """Mean energy per job at chip, node, rack and facility, J: a panel per stream that ran on both families.

    Panels are inset axes of `ax`. Without such a stream, every stream is drawn on the hardware that it had.
    """
    shown = [panel for panel in _panels(series.of(result)) if panel.drawn()]
    if not shown:
        style.message(ax, ENERGY_TITLE, "No completed job has an energy in this run.")
        return ax
    note = f", {MOST_PANELS} of {len(shown)}" if len(shown) > MOST_PANELS else ""
    style.quiet(ax, ENERGY_TITLE + note)
    ax.spines["bottom"].set_visible(False)
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.set_yticks([])
    panels.draw(ax, shown[:MOST_PANELS], narrow=style.is_narrow(ax))
    return ax


def _panels(numbers: Series) -> list[panels.Panel]:
    streams = numbers.energy
    both = series.on_both_families(streams)
    return [panels.Panel(name, streams[name], both.get(name)) for name in both or streams]


Figure = Callable[[ResultLike | Series, "Axes"], "Axes"]

#: Figures of the report in their order, by name.
ALL: dict[str, Figure] = {"power": power, "latency": latency, "energy": energy_per_job}

_CAPTIONS = {
    "power": "Power at the racks' meters, stacked by rack group with its mean over the run; the line above "
    "is what the facility drew from the grid, cooling and conversion losses included.",
    "latency": "How long jobs took from arrival to end: circle, triangle and diamond mark p50, p95 and p99, "
    "the dotted vertical line a stream's objective on latency.",
    "energy": "Mean energy of one completed job, solid what it added (marginal), outlined with its share of "
    "idle, host and overhead energy (loaded); ",
}
_BOTH = "the figures below say how many times less neuromorphic hardware took."
_NOT_BOTH = "no stream ran on both GPUs and neuromorphic hardware."


def caption(name: str, numbers: Series) -> str:
    """The sentence under a figure of ALL."""
    if name == "energy":
        return _CAPTIONS[name] + (_BOTH if series.on_both_families(numbers.energy) else _NOT_BOTH)
    return _CAPTIONS[name]


def size_in(figure: Figure, numbers: Series, *, narrow: bool = False) -> tuple[float, float]:
    """Width and height in inches that suit a figure of this result, on a page or (narrow) on a phone."""
    width = NARROW_WIDTH_IN if narrow else WIDE_WIDTH_IN
    if figure is energy_per_job:
        _, rows = panels.grid(max(1, min(MOST_PANELS, len(_panels(numbers)))), narrow=narrow)
        return width, (3.4 if rows == 1 else 3.0 * rows) + (0.9 if narrow else 0.5)
    if figure is power:
        groups = 0 if numbers.power is None else 1 + len(numbers.power.groups)
        return width, 3.0 + _LINE_IN * groups if narrow else 4.0
    labels = [_percentiles(one, INK, narrow=narrow) for one in numbers.latencies]
    lines = sum(1 + label.text.count("\n") for label in labels)
    if narrow:
        return width, 3.0 + _LINE_IN * lines
    columns = _label_columns(labels, narrow=False) if labels else 1
    return width, 4.0 + _LINE_IN * max(0, lines / columns - 2)
