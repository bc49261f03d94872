"""Small multiples of energy per job: one panel per stream inside a host axes, boundaries side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dcsim.report import axes, series, style, words
from dcsim.report.series import DRAWN_BOUNDARIES, EnergyPerJob
from dcsim.report.style import FAMILIES, FAMILY_WORDS, INK, MUTED, TEXT_PT

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# Inches kept free: left for tick labels, between columns, above for two lines of title, under for the ratios.
_LEFT_IN, _LEFT_NARROW_IN, _GAP_IN, _ABOVE_IN, _UNDER_IN, _UNDER_PLAIN_IN = 0.92, 0.72, 0.3, 0.52, 0.56, 0.28
_WIDEST_IN, _LEAST_IN = 5.2, 0.3
_SMALL_PT = TEXT_PT - 1.8

Pair = tuple[EnergyPerJob, EnergyPerJob]


@dataclass(frozen=True)
class Panel:
    """One stream: its energy on each family, and (GPU, neuromorphic) where it ran on both."""

    stream: str
    found: Sequence[EnergyPerJob]
    both: Pair | None

    def drawn(self) -> list[float]:
        """Every energy that can stand on a logarithmic axis, J."""
        kinds = (kind for one in self.found for kind in (one.marginal_j, one.loaded_j))
        return [kind[name] for kind in kinds for name in DRAWN_BOUNDARIES if kind.get(name, 0.0) > 0.0]


def grid(panels: int, *, narrow: bool) -> tuple[int, int]:
    """Columns and rows for so many panels."""
    columns = 1 if narrow else min(panels, 2 if panels == 4 else 3)
    return columns, -(-panels // columns)


def draw(ax: Axes, panels: Sequence[Panel], *, narrow: bool) -> None:
    """Draw the panels as inset axes of `ax` on one energy scale, and the key."""
    values = [value for panel in panels for value in panel.drawn()]
    columns, rows = grid(len(panels), narrow=narrow)
    tick_pt = _SMALL_PT if narrow or columns > 2 else TEXT_PT
    room = _Room(
        _LEFT_NARROW_IN if narrow else _LEFT_IN,
        _UNDER_IN if any(panel.both for panel in panels) else _UNDER_PLAIN_IN,
    )
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        inset = ax.inset_axes(_box((row, column), (rows, columns), style.size_in(ax), room))
        _titles(inset, panel, tick_pt)
        axes.log_axis_in(inset, min(values) / 1.5, max(values) * 1.2, "J")
        _bars(inset, panel, tick_pt)
        if column > 0:
            inset.tick_params(axis="y", labelleft=False)
        elif panel.both is not None:
            style.words_off(
                inset,
                "\nmarginal\nloaded",
                (0.0, 0.0),
                (-6.0, -5.0),
                ha="right",
                va="top",
                color=MUTED,
                fontsize=tick_pt,
            )
    _key(ax, [one.family for panel in panels for one in panel.found], narrow=narrow)


class _Room(NamedTuple):
    """Inches kept free left of all panels and under each."""

    left_in: float
    under_in: float


def _box(
    place: tuple[int, int], shape: tuple[int, int], size_in: tuple[float, float], room: _Room
) -> tuple[float, float, float, float]:
    """Left, bottom, width and height, as shares of the host axes, of the panel in a row and column."""
    width_in, height_in = (max(size, 1.0) for size in size_in)
    (row, column), (rows, columns) = place, shape
    width = min((width_in - room.left_in - _GAP_IN * (columns - 1)) / columns, _WIDEST_IN)
    height = max(height_in / rows - _ABOVE_IN - room.under_in, _LEAST_IN)
    bottom = height_in - (row + 1) * height_in / rows + room.under_in
    x = room.left_in + column * (width + _GAP_IN)
    return x / width_in, bottom / height_in, max(width, _LEAST_IN) / width_in, height / height_in


def _titles(inset: Axes, panel: Panel, small_pt: float) -> None:
    style.quiet(inset, "")
    ran = ", ".join(f"{words.count(one.jobs)} on {FAMILY_WORDS.get(one.family, one.family)}" for one in panel.found)
    name = style.short(panel.stream, 34)
    style.words_off(inset, name, (0.0, 1.0), (0.0, 19.0), fontsize=TEXT_PT + 0.5, fontweight="bold")
    style.words_off(inset, f"jobs: {ran}", (0.0, 1.0), (0.0, 6.0), color=MUTED, fontsize=small_pt)


def _bars(inset: Axes, panel: Panel, tick_pt: float) -> None:
    floor = inset.get_ylim()[0]
    width = 0.76 / len(panel.found)
    for index, one in enumerate(panel.found):
        offset = (index - (len(panel.found) - 1) / 2) * width
        colour = FAMILIES[series.known_family(one.family)][0]
        for name, kind, fill in (("loaded", one.loaded_j, "none"), ("marginal", one.marginal_j, colour)):
            drawn = [(x, kind[at]) for x, at in enumerate(DRAWN_BOUNDARIES) if kind.get(at, 0.0) > 0.0]
            inset.bar(
                [x + offset for x, _ in drawn],
                [value - floor for _, value in drawn],
                width * 0.88,
                bottom=floor,
                facecolor=fill,
                edgecolor=colour,
                linewidth=1.1,
                label=f"{one.family} {name}",
            )
    inset.set_xlim(-0.55, len(DRAWN_BOUNDARIES) - 0.45)
    inset.set_xticks(range(len(DRAWN_BOUNDARIES)), [_tick(name, panel.both) for name in DRAWN_BOUNDARIES])
    inset.tick_params(axis="x", which="major", length=0, labelcolor=INK, labelsize=tick_pt)


def _tick(boundary: str, both: Pair | None) -> str:
    """Boundary, and under it how many times less energy neuromorphic hardware takes, marginal then loaded."""
    if both is None:
        return boundary
    ratios = [series.advantage(*both, kind, boundary) for kind in ("marginal", "loaded")]
    return "\n".join([boundary, *("" if value is None else words.less_or_more(value) for value in ratios)])


def _key(ax: Axes, families: Sequence[str], *, narrow: bool) -> None:
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Patch(facecolor=FAMILIES[series.known_family(name)][0], label=FAMILY_WORDS.get(name, name))
        for name in dict.fromkeys(families)
    ]
    handles += [
        Patch(facecolor=MUTED, edgecolor=MUTED, label="marginal"),
        Patch(facecolor="none", edgecolor=MUTED, label="loaded"),
    ]
    ax.legend(
        handles=handles,
        loc="upper left" if narrow else "lower right",
        bbox_to_anchor=(0.0, 0.0) if narrow else (1.0, 1.0),
        ncols=2 if narrow else 4,
        frameon=False,
        fontsize=TEXT_PT,
        labelcolor=INK,
        handlelength=1.1,
        handleheight=0.9,
        columnspacing=1.4,
        borderaxespad=0.1,
    )
