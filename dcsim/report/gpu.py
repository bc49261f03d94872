"""Figures of models on GPUs: kernels on the roofline, latency and energy over the batch, and where the time goes.

Each is drawn on an Axes that the caller gives; `page` has all of one command.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dcsim.gpu import kernels, power
from dcsim.gpu.points import BatchPoint, LanguagePoint, Point
from dcsim.gpu.roofline import peak_flop_per_s
from dcsim.gpu.training_points import TrainingPoint
from dcsim.report import style
from dcsim.report.gpu_table import CLASS_WORDS, batch_words
from dcsim.report.style import INK, MUTED, PAPER, TEXT_PT
from dcsim.units import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dcsim.gpu.batching import Point as Loaded

ROOFLINE_TITLE = "Kernels on the roofline of one GPU"
LATENCY_TITLE = "Latency against throughput"
ENERGY_TITLE = "Energy over the batch"
TIME_TITLE = "Where the time goes"

#: Colours of classes of kernels.
CLASS_COLOURS = {
    "linear": "#0069a8", "attention": "#e8914e", "gathers": "#96459c", "sampling": "#f4c29b",
    "links": "#00766c", "launches": "#c6cdd3", "stages": "#8a6100", "stragglers": "#b0306e", "checkpoints": "#6b7680",
}  # fmt: skip
_TTFT, _TOKEN, _SAMPLE, _TAIL = "#8a6100", "#0069a8", "#0069a8", "#b0306e"

WIDTH_IN = 9.6
_SMALL_PT = TEXT_PT - 1.2
_MOST_NAMED = 5
#: Of the roofline's width and height that the name of a batch takes.
_NAME_SHARE = 0.13, 0.06
#: Sizes of spots: those that lie on others are smaller, whole iterations are rings around them.
_SPOT_PT = {"attention": 5.0, "gathers": 5.0, "whole": 9.5}
_ROOF_IN, _CURVE_IN, _ROW_IN = 4.0, 3.5, 0.32


# ---------------------------------------------------------------- roofline


def roofline(points: Sequence[Point], ax: Axes) -> Axes:
    """Roofs of one GPU, as the data sheet has them and as kernels reach them, and the kernels of each point below."""
    first = points[0]
    style.quiet(ax, f"{ROOFLINE_TITLE}, {first.gpu.name} in {first.precision}")
    peak, bandwidth = peak_flop_per_s(first.gpu, first.precision), first.gpu["memory_bytes_per_s"]
    reached = max(point.reached.flop_per_s for point in points), first.reached.bytes_per_s
    spots = [(spot, point.batch) for point in points for spot in point.spots() if math.isfinite(spot.intensity)]
    low = min([0.5 * peak / bandwidth / 100.0, *(0.5 * spot.intensity for spot, _ in spots if spot.intensity > 0)])
    high = max([20.0 * peak / bandwidth, *(3.0 * spot.intensity for spot, _ in spots)])
    bottom = min([low * reached[1], *(0.4 * spot.flop_per_s for spot, _ in spots if spot.flop_per_s > 0)])
    _flop_axes(ax, (low, high), (bottom, 2.2 * peak))
    grid = np.geomspace(low, high, 200)
    for name, (flop, moved), colour, dash in (
        ("data sheet", (peak, bandwidth), MUTED, (0, (4, 2))),
        ("kernels reach", reached, INK, "-"),
    ):
        label = f"{name}: {_rate(flop, 'FLOP')}, {_rate(moved, 'B')}"
        ax.plot(
            grid, np.minimum(flop, grid * moved), color=colour, linewidth=1.2, linestyle=dash, label=label, zorder=2
        )
    _spots(ax, [(spot.name, spot.intensity, spot.flop_per_s, batch) for spot, batch in spots])
    return ax


def _flop_axes(ax: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Logarithmic axes: FLOP per byte, and FLOP per second in words."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(*x)
    ax.set_ylim(*y)
    ticks = [10.0**power for power in range(math.ceil(math.log10(x[0])), math.floor(math.log10(x[1])) + 1)]
    ax.set_xticks(ticks, [*(f"{tick:,g}" for tick in ticks[:-1]), f"{ticks[-1]:,g} FLOP/B"])
    ticks = [10.0**power for power in range(math.ceil(math.log10(y[0])), math.floor(math.log10(y[1])) + 1)]
    ax.set_yticks(ticks, [_rate(tick, "FLOP") for tick in ticks])
    ax.minorticks_off()


def _rate(value: float, unit: str) -> str:
    return in_words(value, f"{unit}/s")


def _spots(ax: Axes, spots: Sequence[tuple[str, float, float, int]]) -> None:
    """Kernels as dots, those of one kind joined over the batches, whole iterations as rings."""
    batches = sorted({batch for *_, batch in spots})
    for name in dict.fromkeys(name for name, *_ in spots):
        own = sorted((batch, x, y) for found, x, y, batch in spots if found == name)
        x, y = [x for _, x, _ in own], [y for _, _, y in own]
        kind, _, phase = name.partition(", ")
        whole = kind == "whole"
        colour = INK if whole else CLASS_COLOURS[kind]
        ax.plot(
            x, y, marker="s" if phase == "prompt" else "o", markersize=_SPOT_PT.get(kind, 7.5), color=colour,
            linewidth=1.0, markerfacecolor="none" if whole else colour, markeredgewidth=1.4, label=_spot_words(name),
            zorder=4,
        )  # fmt: skip
        if whole and len(batches) > 1:
            _name_batches(ax, own if len(own) <= _MOST_NAMED else [own[0], own[-1]])
    ax.legend(
        loc="lower right", facecolor=PAPER, edgecolor=PAPER, framealpha=1.0, fontsize=TEXT_PT, labelcolor=INK,
        handlelength=1.2, borderaxespad=0.2,
    )  # fmt: skip


def _name_batches(ax: Axes, spots: Sequence[tuple[int, float, float]]) -> None:
    """Name (batch, x, y) right below the spot, or right above one with a lower spot near it; the ends come first.

    A name that would lie on another one is left out.
    """
    places = [(_share_of(ax.get_xlim(), x), _share_of(ax.get_ylim(), y)) for _, x, y in spots]
    taken: list[tuple[float, float]] = []
    for number in [0, *range(len(spots) - 1, 0, -1)]:
        (batch, *spot), (x, y) = spots[number], places[number]
        above = any(abs(x - at_x) < _NAME_SHARE[0] and 0.0 < y - at_y < 0.1 for at_x, at_y in places)
        y += 0.05 if above else -0.05
        if any(abs(x - at_x) < _NAME_SHARE[0] and abs(y - at_y) < _NAME_SHARE[1] for at_x, at_y in taken):
            continue
        taken.append((x, y))
        ax.annotate(
            f"batch {batch_words(batch)}", (spot[0], spot[1]), (8, 5 if above else -3), textcoords="offset points",
            va="bottom" if above else "top", fontsize=_SMALL_PT, color=INK,
        )  # fmt: skip


def _share_of(limits: tuple[float, float], value: float) -> float:
    """Where a value stands on a logarithmic axis, 0 to 1."""
    return math.log(value / limits[0]) / math.log(limits[1] / limits[0])


def _spot_words(name: str) -> str:
    kind, _, phase = name.partition(", ")
    if kind == "whole":
        return "all of it, with links, launches and host"
    phases = {"decode": "decoding", "prompt": "prompts", "": ""}
    return f"{CLASS_WORDS[kind]}{', ' if phase else ''}{phases[phase]}"


# ---------------------------------------------------------------- over the batch


class _Curve(NamedTuple):
    """One line over points."""

    name: str
    colour: str
    y: list[float]


def latency(curve: Sequence[Point], marked: Sequence[int], ax: Axes, loaded: Sequence[Loaded] = ()) -> Axes:
    """Latency over throughput, one dot per batch; `marked` batches are named.

    Language models: time to the first token, and per token. Other networks: a full batch; with `loaded`, the median
    and the 99th percentile under arrivals at random.
    """
    style.quiet(ax, LATENCY_TITLE)
    shown = [point for point in curve if isinstance(point, LanguagePoint | BatchPoint)]
    if isinstance(shown[0], LanguagePoint):
        language = [point for point in shown if isinstance(point, LanguagePoint)]
        x, unit = [point.tokens_per_s for point in language], "tokens/s"
        lines = [
            _Curve("first token", _TTFT, [point.ttft_s for point in language]),
            _Curve("per token", _TOKEN, [point.tpot_s for point in language]),
        ]
    else:
        batches = [point for point in shown if isinstance(point, BatchPoint)]
        x, unit = [point.samples_per_s for point in batches], "samples/s"
        lines = [_Curve("full batch", _SAMPLE, [point.latency_s for point in batches])]
    highest = max([*(y for line in lines for y in line.y), *(found.latency_p99_s for found in loaded)])
    lowest = min([*(y for line in lines for y in line.y), *(found.latency_p50_s for found in loaded)])
    _log_x(ax, [*x, *(found.served_per_s for found in loaded)], unit)
    _log_y(ax, lowest, highest, "s")
    for line in lines:
        _line(ax, x, line)
    for name, values, dash in (
        ("p99, at random", [found.latency_p99_s for found in loaded], "-"),
        ("p50, at random", [found.latency_p50_s for found in loaded], (0, (1.4, 1.4))),
    ):
        if loaded:
            ax.plot([found.served_per_s for found in loaded], values, color=_TAIL, linestyle=dash, linewidth=1.6)
            above = dash == "-"
            start = (loaded[0].served_per_s, values[0] if above else min(values[:4]))
            ax.annotate(
                name, start, (0, 5 if above else -5), textcoords="offset points", va="bottom" if above else "top",
                fontsize=_SMALL_PT, color=_TAIL,
            )  # fmt: skip
    for point, at, y in _asked(shown, x, lines[-1].y, marked):
        _ring(ax, at, y, f"batch {batch_words(point.batch)}", below=True)
    return ax


def energy(curve: Sequence[Point], marked: Sequence[int], ax: Axes) -> Axes:
    """J per token or sample over the batch, and the part that the GPUs draw anyway, with the model waiting on them."""
    what = "token" if _counts_tokens(curve[0]) else "sample"
    style.quiet(ax, f"{ENERGY_TITLE}, per {what}")
    batches, spent = [float(point.batch) for point in curve], [_joules(point) for point in curve]
    waiting = [
        joules * min(1.0, power.states(point.gpu).resident / point.device_w)
        for joules, point in zip(spent, curve, strict=True)
    ]
    _log_x(ax, batches, "in a step" if isinstance(curve[0], TrainingPoint) else "at a time")
    _log_y(ax, min(waiting), max(spent), "J")
    _line(ax, batches, _Curve("all", _TOKEN, spent))
    _line(ax, batches, _Curve("waiting GPU", MUTED, waiting))
    for _, at, y in _asked(curve, batches, spent, marked):
        _ring(ax, at, y, in_words(y, "J"), below=False)
    return ax


def _joules(point: Point) -> float:
    if isinstance(point, LanguagePoint):
        return point.token_j
    if isinstance(point, BatchPoint | TrainingPoint):
        return point.sample_j
    raise TypeError(f"{type(point).__name__} has no energy per token or sample")


def _counts_tokens(point: Point) -> bool:
    return "kv_bytes_per_token" in point.model


def _line(ax: Axes, x: Sequence[float], line: _Curve) -> None:
    ax.plot(x, line.y, color=line.colour, linewidth=1.8, marker="o", markersize=3.2)
    _end(ax, x[-1], line.y[-1], line.name, line.colour)


def _end(ax: Axes, x: float, y: float, text: str, colour: str) -> None:
    """The name of a line right of its end."""
    ax.annotate(
        text, (x, y), (6, 0), textcoords="offset points", va="center", fontsize=_SMALL_PT, color=colour,
        annotation_clip=False,
    )  # fmt: skip


def _asked(
    points: Sequence[Point], x: Sequence[float], y: Sequence[float], marked: Sequence[int]
) -> list[tuple[Point, float, float]]:
    """Points that were asked for; of many only the first and the last, so that their names stay apart."""
    found = [one for one in zip(points, x, y, strict=True) if one[0].batch in marked]
    return found if len(found) <= _MOST_NAMED else [found[0], found[-1]]


def _ring(ax: Axes, x: float, y: float, text: str, *, below: bool) -> None:
    """A ring around a point, with words right below it, or right above it."""
    ax.plot([x], [y], "o", markersize=8, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.2)
    ax.annotate(
        text, (x, y), (6, -5) if below else (3, 6), textcoords="offset points", ha="left",
        va="top" if below else "bottom", fontsize=_SMALL_PT, color=INK,
    )  # fmt: skip


def _log_x(ax: Axes, values: Sequence[float], unit: str) -> None:
    """Logarithmic axis of counts, the last tick with what is counted; room at the right for names."""
    from matplotlib.ticker import MaxNLocator

    low, high = min(values) / 1.3, max(values) * 1.3
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ticks = [part * 10.0**power for power in range(-6, 16) for part in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    if len(ticks) > 5:
        ticks = [tick for tick in ticks if f"{tick:e}".startswith("1")] or ticks[::3]
    if len(ticks) < 2:
        ticks = [float(tick) for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    ax.set_xticks(ticks, [_count(tick) for tick in ticks])
    ax.minorticks_off()
    style.words_off(ax, unit, (1.0, 0.0), (0.0, -21.0), ha="right", va="top", fontsize=_SMALL_PT, color=MUTED)


def _count(value: float) -> str:
    return in_words(value, "").strip() if value >= 1e4 or value < 1e-3 else f"{value:,g}"


def _log_y(ax: Axes, low: float, high: float, unit: str) -> None:
    low, high = low / 1.6, high * 1.6 * (high / low) ** 0.06
    parts = (1, 2, 5) if high / low < 300.0 else (1,)
    ticks = [part * 10.0**power for power in range(-15, 10) for part in parts if low <= part * 10.0**power <= high]
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    # in one unit from a second on: minutes are no powers of ten
    ax.set_yticks(ticks, [f"{tick:,g} s" if unit == "s" and tick >= 1.0 else in_words(tick, unit) for tick in ticks])
    ax.minorticks_off()
    ax.tick_params(labelsize=_SMALL_PT)


# ---------------------------------------------------------------- time


def times(points: Sequence[Point], ax: Axes) -> Axes:
    """Share of the time of each class of kernel, one bar per batch."""
    style.quiet(ax, TIME_TITLE)
    ax.grid(visible=False)
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(len(points) - 0.5, -0.5)
    ax.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "25 %", "50 %", "75 %", "100 %"])
    ax.set_yticks(range(len(points)), [f"batch {batch_words(point.batch)}" for point in points])
    found = [kernels.shares(point.spent, "name") for point in points]
    left = np.zeros(len(points))
    width_in = style.size_in(ax)[0]
    for name in [name for name in kernels.CLASSES if any(name in shares for shares in found)]:
        share, colour = np.array([shares.get(name, 0.0) for shares in found]), CLASS_COLOURS[name]
        ax.barh(
            range(len(points)), share, 0.68, left, color=colour, edgecolor=PAPER, linewidth=0.6, label=CLASS_WORDS[name]
        )
        for row in np.flatnonzero(share * width_in > 0.4):
            label = {"ha": "center", "va": "center", "fontsize": _SMALL_PT, "color": _ink_on(colour)}
            style.words(ax, float(left[row] + share[row] / 2), int(row), f"{share[row] * 100:.0f} %", **label)
        left += share
    ax.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=6, frameon=False, fontsize=_SMALL_PT, labelcolor=INK,
        handlelength=1.0, handleheight=0.9, columnspacing=1.1, handletextpad=0.4, borderaxespad=0.1,
    )  # fmt: skip
    return ax


def _ink_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour."""
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return INK if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else PAPER


# ---------------------------------------------------------------- all of one command


def page(points: Sequence[Point], curve: Sequence[Point], loaded: Sequence[Loaded] = ()) -> Figure:
    """The figures of the points that were asked for; `curve` has the same over all batches that fit."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    trained = isinstance(points[0], TrainingPoint)
    times_in = 0.95 + _ROW_IN * len(points)
    heights = [_CURVE_IN, times_in] if trained else [_ROOF_IN, _CURVE_IN, times_in]
    figure = Figure((WIDTH_IN, sum(heights)), layout=ConstrainedLayoutEngine(hspace=0.06, wspace=0.06), facecolor=PAPER)
    FigureCanvasAgg(figure)
    rows = "EE;TT" if trained else "RR;LE;TT"
    placed = figure.subplot_mosaic(rows, height_ratios=heights)
    marked = [point.batch for point in points]
    if not trained:
        roofline(points, placed["R"])
        latency(curve, marked, placed["L"], loaded)
    energy(curve, marked, placed["E"])
    times(points, placed["T"])
    return figure
