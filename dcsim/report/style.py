"""How figures look: colours safe for the colour-blind, direct labels, a quiet grid; nothing global changes.

Figures are drawn in the light colours; the report maps each to a CSS variable, so that `DARK` rules at night.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

INK, MUTED, GRID, PAPER = "#1d2730", "#5b6770", "#dde2e6", "#ffffff"

#: Device family -> shades, strongest first. Blue and orange stay apart under every colour-vision deficiency.
FAMILIES: dict[str, tuple[str, ...]] = {
    "gpu": ("#0069a8", "#4f9ccc", "#9ac6e3"),
    "neuromorphic": ("#c45500", "#e8914e", "#f4c29b"),
    "cpu": ("#6b7680", "#9aa4ad", "#c6cdd3"),
    "custom": ("#64598c", "#968db6", "#c5bfd9"),
}
FAMILY_WORDS = {"gpu": "GPU", "neuromorphic": "neuromorphic", "cpu": "CPU", "custom": "custom"}

#: Streams: other hues than the families, so that one colour has one meaning; dashes tell them apart in grey.
STREAMS = ("#00766c", "#b0306e", "#8a6100", "#5d4fa2", "#3d7a1f", "#7a3b2e", "#35576e", "#96459c")
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 1.6)),
    (0, (1.4, 1.4)),
    (0, (6, 1.5, 1.4, 1.5)),
)

#: Light colour -> its stand-in on a dark page.
DARK = {
    INK: "#e8ebed", MUTED: "#a3aeb6", GRID: "#353d44", PAPER: "#1a1e22",
    "#0069a8": "#4aa8e0", "#4f9ccc": "#2f7db0", "#9ac6e3": "#1f5a82",
    "#c45500": "#f28c3f", "#e8914e": "#c2682a", "#f4c29b": "#87461a",
    "#6b7680": "#a4afb8", "#9aa4ad": "#77828b", "#c6cdd3": "#545e66",
    "#64598c": "#a99fd1", "#968db6": "#7b71a3", "#c5bfd9": "#544c73",
    "#00766c": "#3fc4b5", "#b0306e": "#f07fb4", "#8a6100": "#dcae3c", "#5d4fa2": "#ab9ff0",
    "#3d7a1f": "#86c766", "#7a3b2e": "#d99484", "#35576e": "#8fb4cc", "#96459c": "#d998de",
}  # fmt: skip

TEXT_PT = 9.0
TITLE_PT = 10.5
NARROW_IN = 5.0


class Label(NamedTuple):
    """A direct label: what it says, where its series ends on the y axis, and its colour."""

    text: str
    y: float
    colour: str


def size_in(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes in inches, before any layout engine has moved them."""
    figure = ax.get_figure(root=True)
    if figure is None:
        return (8.0, 4.0)
    box = ax.get_position()
    return (box.width * figure.get_figwidth(), box.height * figure.get_figheight())


def is_narrow(ax: Axes) -> bool:
    """True where labels beside the axes would eat the figure: they go below it."""
    return size_in(ax)[0] < NARROW_IN


def quiet(ax: Axes, title: str) -> None:
    """Title top left, no box, horizontal hairlines behind the data, muted ticks."""
    ax.set_title(title, loc="left", fontsize=TITLE_PT, color=INK, fontweight="bold", pad=10, parse_math=False)
    ax.set_facecolor("none")
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(MUTED)
    ax.spines["bottom"].set_linewidth(0.8)
    ax.grid(axis="y", color=GRID, linewidth=0.8)
    ax.grid(visible=False, axis="x")
    ax.set_axisbelow(True)
    ax.tick_params(axis="both", which="both", labelsize=TEXT_PT, colors=MUTED, length=0, pad=5)
    ax.tick_params(axis="x", which="major", length=3.5, color=MUTED)
    ax.tick_params(axis="x", which="minor", bottom=False)


def message(ax: Axes, title: str, text: str) -> None:
    """Say on the axes why there is nothing to draw."""
    quiet(ax, title)
    ax.spines["bottom"].set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([])
    words(ax, 0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=MUTED, wrap=True)


def words(ax: Axes, x: float, y: float, text: str, **style: object) -> Text:
    """Text in the house size; a `$` in a user's name is a dollar, not the start of a formula."""
    options: dict[str, Any] = {"fontsize": TEXT_PT, "color": INK, "parse_math": False} | style
    return ax.text(x, y, text, **options)


def words_off(
    ax: Axes, text: str, anchor: tuple[float, float], offset_pt: tuple[float, float], **style: object
) -> Text:
    """Text at an offset in points from a point given in shares of the axes."""
    options: dict[str, Any] = {"fontsize": TEXT_PT, "color": INK, "parse_math": False} | style
    return ax.annotate(text, anchor, offset_pt, xycoords="axes fraction", textcoords="offset points", **options)


def short(name: str, most: int) -> str:
    """A long name cut in the middle; tables have it whole."""
    if len(name) <= most:
        return name
    tail = most // 3
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions as near as may be to `wanted`, at least `gap` apart and within [low, high] where they fit."""
    if not wanted:
        return []
    order = np.argsort(wanted, kind="stable")
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    placed = np.asarray(wanted, dtype=float)[order]
    steps = gap * np.arange(len(placed))
    # Least-squares positions under a minimum gap: isotonic regression of the wanted places less their steps.
    placed = np.clip(_isotonic(placed - steps), low, high - steps[-1]) + steps
    result = np.empty(len(placed))
    result[order] = placed
    return [float(value) for value in result]


def _isotonic(values: np.ndarray) -> np.ndarray:
    """Nearest non-decreasing sequence (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        mean, size = float(value), 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    return np.concatenate([np.full(size, mean) for mean, size in blocks])


def label_beside(ax: Axes, labels: Sequence[Label]) -> None:
    """Labels right of the axes at the height of their series, moved apart where they would touch."""
    low, high = ax.get_ylim()
    gap = (high - low) * TEXT_PT * 1.35 / 72.0 / max(size_in(ax)[1], 0.5)
    places = spread([label.y for label in labels], gap, low, high)
    to_axes = ax.get_yaxis_transform()
    for label, y in zip(labels, places, strict=True):
        ax.plot(
            [1.004, 1.022, 1.03],
            [label.y, y, y],
            color=label.colour,
            linewidth=1.6,
            transform=to_axes,
            clip_on=False,
            solid_capstyle="butt",
        )
        words(ax, 1.037, y, label.text, transform=to_axes, va="center", ha="left")


def label_below(ax: Axes, labels: Sequence[Label], columns: int = 1, heading: str | None = None) -> None:
    """The same labels as a list under the axes, for narrow figures."""
    from matplotlib.lines import Line2D
    from matplotlib.transforms import ScaledTranslation

    figure = ax.get_figure(root=True)
    below = ax.transAxes
    if figure is not None:
        below = below + ScaledTranslation(-4.0 / 72.0, -26.0 / 72.0, figure.dpi_scale_trans)
    handles = [Line2D([], [], color=label.colour, linewidth=5, solid_capstyle="butt") for label in labels]
    key = ax.legend(
        handles,
        [label.text for label in labels],
        loc="upper left",
        bbox_to_anchor=(0.0, 0.0),
        bbox_transform=below,
        ncols=columns,
        frameon=False,
        fontsize=TEXT_PT,
        labelcolor=INK,
        handlelength=1.0,
        borderaxespad=0.0,
        columnspacing=1.2,
        title=heading,
        title_fontsize=TEXT_PT,
        alignment="left",
    )
    key.get_title().set_color(MUTED)
    for text in key.get_texts():
        text.set_parse_math(False)
