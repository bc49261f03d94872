"""Figures of networks on chips: where the energy goes, what each step waits for, which cores and links are busy.

Each is drawn on an Axes that the caller gives; `page` has all of one run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dcsim.chip.execution import CAUSES, LIMITS
from dcsim.report import style
from dcsim.report.chip_mesh import WIDTH_IN, bare, mesh, mesh_size_in
from dcsim.report.style import GRID, INK, MUTED, PAPER, TEXT_PT
from dcsim.service import FloatArray
from dcsim.units import in_words

__all__ = ["energy", "energy_size_in", "figures", "mesh", "mesh_size_in", "page", "steps", "steps_size_in"]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dcsim.chip import ChipRun

ENERGY_TITLE = "Energy per inference, and where it goes"
STEPS_TITLE = "Time per step, and what it waits for"

#: Colours of causes and limits; what they do not name is drawn in `INK`.
CAUSE_COLOURS = {
    "static": "#c6cdd3", "neuron": "#0069a8", "synapse": "#e8914e", "network": "#00766c",
    "learning": "#96459c", "io": "#9ac6e3", "host": "#6b7680",
}  # fmt: skip
LIMIT_COLOURS = {
    "compute": "#e8914e", "link": "#00766c", "io": "#9ac6e3", "sync": "#96459c", "tick": "#c6cdd3",
}  # fmt: skip
LIMIT_WORDS = {
    "compute": "slowest core", "link": "busiest link", "io": "input and output", "sync": "barrier", "tick": "tick",
}  # fmt: skip

#: Most steps that are drawn one by one; of more, each bar is the mean of several.
MOST_BARS = 400

_HEAD_IN = 0.35
_ROW_IN, _SMALL_PT = 0.34, TEXT_PT - 1.2
_NAME_IN, _TOTAL_IN, _DOTS_IN, _GAP_IN = 2.2, 0.8, 2.2, 0.4


# ---------------------------------------------------------------- energy


def energy(energy_j: Mapping[str, Mapping[str, float]], ax: Axes) -> Axes:
    """Energy per inference of each chip (name -> cause -> J): totals as dots on a logarithmic axis, causes as shares.

    Bars of parts on a logarithmic axis would not add up, and on a linear one all but the largest would vanish.
    """
    style.quiet(ax, ENERGY_TITLE)
    bare(ax)
    totals = {name: math.fsum(parts.values()) for name, parts in energy_j.items()}
    if not any(total > 0.0 for total in totals.values()):
        style.message(ax, ENERGY_TITLE, "No chip has spent energy.")
        return ax
    width_in = style.size_in(ax)[0]
    name_in = min(_NAME_IN, 0.25 * width_in, 0.25 + 0.085 * max(map(len, totals)))
    dots_in = min(_DOTS_IN, 0.25 * width_in) if len(totals) > 1 else 0.0
    left_in = name_in + _TOTAL_IN + dots_in + (_GAP_IN if dots_in else 0.0)
    shares = ax.inset_axes((left_in / width_in, 0.0, 1.0 - left_in / width_in, 1.0))
    _shares(shares, energy_j, totals)
    for row, (name, total) in enumerate(totals.items()):
        where = {"transform": ax.get_yaxis_transform(), "va": "center"}
        style.words(ax, 0.0, row, style.short(name, max(8, int(name_in * 11))), fontweight="bold", **where)
        style.words(ax, (name_in + _TOTAL_IN - 0.1) / width_in, row, in_words(total, "J"), ha="right", **where)
    ax.set_ylim(len(totals) - 0.5, -0.5)
    if dots_in:
        _dots(ax.inset_axes(((name_in + _TOTAL_IN) / width_in, 0.0, dots_in / width_in, 1.0)), list(totals.values()))
    return ax


def energy_size_in(chips: int) -> tuple[float, float]:
    """Width and height in inches that suit so many chips."""
    return WIDTH_IN, 1.15 + _ROW_IN * chips


def _dots(inset: Axes, totals: Sequence[float]) -> None:
    """One dot per chip on a logarithmic axis of energy."""
    style.quiet(inset, "")
    drawn = [(total, row) for row, total in enumerate(totals) if total > 0.0]
    low, high = min(drawn)[0], max(drawn)[0]
    first, last = math.floor(math.log10(low / 1.3)), math.ceil(math.log10(high * 1.3))
    stride = max(1, math.ceil((last - first) / 3))
    ticks = [10.0**power for power in range(first, last + 1, stride)]
    inset.set_xscale("log")
    inset.set_xlim(10.0**first, 10.0**last)
    inset.set_xticks(ticks, [in_words(tick, "J") for tick in ticks])
    inset.set_xticks([], minor=True)
    inset.tick_params(axis="x", which="major", labelsize=_SMALL_PT)
    inset.grid(axis="x", color=GRID, linewidth=0.8)
    inset.set_ylim(len(totals) - 0.5, -0.5)
    inset.set_yticks(range(len(totals)), [""] * len(totals))
    inset.plot(*zip(*drawn, strict=True), "o", color=INK, markersize=6.5)


def _shares(inset: Axes, energy_j: Mapping[str, Mapping[str, float]], totals: Mapping[str, float]) -> None:
    """One bar per chip that adds up to 100 %, its larger parts labelled."""
    style.quiet(inset, "")
    inset.grid(visible=False)
    inset.set_xlim(0.0, 1.0)
    inset.set_ylim(len(totals) - 0.5, -0.5)
    inset.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "25 %", "50 %", "75 %", "100 %"])
    inset.tick_params(axis="x", which="major", labelsize=_SMALL_PT)
    inset.set_yticks([])
    width_in = style.size_in(inset)[0]
    found = [cause for cause in _causes(energy_j) if any(parts.get(cause, 0.0) > 0.0 for parts in energy_j.values())]
    left = np.zeros(len(totals))
    for cause in found:
        share = np.array([energy_j[name].get(cause, 0.0) / total if total else 0.0 for name, total in totals.items()])
        colour = CAUSE_COLOURS.get(cause, INK)
        inset.barh(range(len(totals)), share, 0.68, left, color=colour, edgecolor=PAPER, linewidth=0.6, label=cause)
        for row in np.flatnonzero(share * width_in > 0.4):
            label = {"ha": "center", "va": "center", "fontsize": _SMALL_PT, "color": _ink_on(colour)}
            style.words(inset, float(left[row] + share[row] / 2), int(row), f"{share[row] * 100:.0f} %", **label)
        left += share
    _key(inset, len(found))


def _causes(energy_j: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Causes in the order of the model, any others behind."""
    return list(dict.fromkeys([*CAUSES, *(cause for parts in energy_j.values() for cause in parts)]))


def _ink_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour."""
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return INK if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else PAPER


def _key(ax: Axes, columns: int) -> None:
    """Key above the axes, right-aligned, so that it covers no data; none where nothing was drawn."""
    if not ax.get_legend_handles_labels()[0]:
        return
    ax.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=columns, frameon=False, fontsize=_SMALL_PT, labelcolor=INK,
        handlelength=1.0, handleheight=0.9, columnspacing=1.1, handletextpad=0.4, borderaxespad=0.1,
    )  # fmt: skip


# ---------------------------------------------------------------- steps


class _Bars(NamedTuple):
    """Means of the samples over ranges of steps."""

    edges: FloatArray
    """first step of each bar, and the end, (bars + 1,)"""
    waited_s: FloatArray
    """time per step by what it waited for, (limits, bars)"""
    spikes: FloatArray
    """spikes per step of inputs and of neurons, (2, bars)"""
    needed_s: FloatArray
    """time per step that the slowest core, or input and output, needed, (bars,)"""
    tick_s: float
    """length of a fixed step, or 0"""


def steps(run: ChipRun, ax: Axes) -> Axes:
    """Time of each step, coloured by what it waited for, over the spikes of that step; means of all samples."""
    bars = _bars(run)
    samples, count = run.steps.seconds.shape
    style.quiet(ax, STEPS_TITLE + (f", mean of {samples:,} inferences" if samples > 1 else ""))
    bare(ax)
    top, bottom = ax.inset_axes((0.07, 0.47, 0.93, 0.5)), ax.inset_axes((0.07, 0.0, 0.93, 0.34))
    unit, size = _time_unit(float(bars.waited_s.sum(axis=0).max()))
    _waits(top, bars, size)
    if bars.tick_s:
        top.stairs(bars.needed_s / size, bars.edges, baseline=None, color=INK, linewidth=1.2, label="time needed")
        top.axhline(bars.tick_s / size, color=INK, linewidth=1.0, linestyle=(0, (4, 2)))
        _key(top, len(LIMITS) + 1)
    _side(top, unit)
    top.tick_params(axis="x", which="both", length=0, labelbottom=False)
    for spikes, name, colour in zip(bars.spikes, ("from inputs", "from neurons"), ("#4f9ccc", INK), strict=True):
        if spikes.any():
            bottom.stairs(spikes, bars.edges, baseline=None, color=colour, linewidth=1.3, label=name)
    style.quiet(bottom, "")
    _side(bottom, "values" if _hands_on_values(run) else "spikes")
    bottom.set_ylim(0.0, max(float(bars.spikes.max()) * 1.08, 1.0))
    _key(bottom, 2)
    for inset in (top, bottom):
        inset.set_xlim(bars.edges[0], bars.edges[-1])
        inset.locator_params(axis="y", nbins=4)
        inset.yaxis.set_major_formatter("{x:,g}")
    _number_steps(bottom, count, count / (len(bars.edges) - 1))
    return ax


def _bars(run: ChipRun) -> _Bars:
    seconds, limit = run.steps.seconds, run.steps.limit
    count = seconds.shape[1]
    width = -(-count // MOST_BARS)
    first = np.arange(0, count, width)
    lengths = np.diff([*first, count])
    waited = np.stack([(seconds * (limit == number)).mean(axis=0) for number in range(len(LIMITS))])
    paid = run.wiring.paid
    spikes = np.stack([(run.counts.fired @ of).mean(axis=0) for of in (1.0 - paid, paid)])
    needed = np.maximum(run.core_s.max(axis=2), run.steps.io_s).mean(axis=0)
    waited, spikes, needed = (np.add.reduceat(of, first, axis=-1) / lengths for of in (waited, spikes, needed))
    tick_s = run.chip.tick_s if (run.steps.limit == LIMITS.index("tick")).any() else 0.0
    return _Bars(np.append(first, count).astype(np.float64), waited, spikes, needed, tick_s)


def _hands_on_values(run: ChipRun) -> bool:
    """Whether every neuron sends once: a network in dense form, whose events are values."""
    return bool((run.counts.fired == run.wiring.neurons).all())


def _waits(ax: Axes, bars: _Bars, size: float) -> None:
    """Stacked areas, one per limit that some step had."""
    style.quiet(ax, "")
    below = np.zeros(len(bars.edges) - 1)
    for name, waited in zip(LIMITS, bars.waited_s / size, strict=True):
        if waited.any():
            colour = LIMIT_COLOURS.get(name, INK)
            ax.stairs(below + waited, bars.edges, baseline=below, fill=True, color=colour, label=LIMIT_WORDS[name])
            below = below + waited
    ax.set_ylim(0.0, float(below.max()) * 1.08 or 1.0)
    _key(ax, len(LIMITS))


def _time_unit(highest_s: float) -> tuple[str, float]:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if highest_s >= size:
            return unit, size
    return "ns", 1e-9


def _side(ax: Axes, what: str) -> None:
    """What the y axis shows, above its ticks."""
    style.words_off(ax, what, (0.0, 1.0), (-5.0, 5.0), ha="right", va="bottom", color=MUTED, fontsize=_SMALL_PT)
    ax.tick_params(labelsize=_SMALL_PT)


def _number_steps(ax: Axes, count: int, width: float) -> None:
    """Numbers of steps from 1, under the middle of their bars."""
    stride = next(part * 10**power for power in range(9) for part in (1, 2, 5) if count / (part * 10**power) <= 10)
    numbers = sorted({1, *range(stride, count + 1, stride)} - ({1} if stride == 2 else set()))
    last = max(numbers)
    ax.set_xticks([n - 0.5 for n in numbers], [f"step {n:,}" if n == last else f"{n:,}" for n in numbers])
    if width > 1.0:
        note = f"each bar is the mean of {math.ceil(width)} steps"
        style.words_off(ax, note, (0.0, 0.0), (0.0, -20.0), va="top", color=MUTED, fontsize=_SMALL_PT)


def steps_size_in() -> tuple[float, float]:
    """Width and height in inches that suit the steps."""
    return WIDTH_IN, 3.8


# ---------------------------------------------------------------- all of one run


def page(run: ChipRun, network: str = "") -> Figure:
    """The figures of one run under each other, headed by `network` (its name) and the chip."""
    parts = _parts(run)
    heights = [height for _, (_, height) in parts.values()]
    figure = _figure((WIDTH_IN, sum(heights)))
    _head(figure, run, network)
    axes = figure.subplots(len(parts), 1, height_ratios=heights)
    for ax, (draw, _) in zip(axes, parts.values(), strict=True):
        draw(ax)
    return figure


def figures(run: ChipRun, network: str = "") -> Iterator[tuple[str, Figure]]:
    """Name and figure, one after the other, each headed by `network` (its name) and the chip."""
    for name, (draw, size_in) in _parts(run).items():
        figure = _figure(size_in)
        _head(figure, run, network)
        draw(figure.add_subplot())
        yield name, figure


def _parts(run: ChipRun) -> dict[str, tuple[Callable[[Axes], Axes], tuple[float, float]]]:
    """How to draw each figure, and its size in inches."""
    split = {run.chip.name: {cause: float(joules.mean()) for cause, joules in run.energy_j.items()}}
    return {
        "energy": (lambda ax: energy(split, ax), energy_size_in(1)),
        "steps": (lambda ax: steps(run, ax), steps_size_in()),
        "mesh": (lambda ax: mesh(run, ax), mesh_size_in(run)),
    }


def _head(figure: Figure, run: ChipRun, network: str) -> None:
    """Which network ran on which chip, above all figures; room is made for it."""
    if not network:
        return
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + _HEAD_IN)
    text = f"{style.short(network, 60)} on {style.short(run.chip.name, 40)}"
    figure.suptitle(text, x=0.01, ha="left", color=INK, fontsize=TEXT_PT + 2, fontweight="bold", parse_math=False)


def _figure(size_in: tuple[float, float]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=size_in, layout=ConstrainedLayoutEngine(hspace=0.06), facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure
