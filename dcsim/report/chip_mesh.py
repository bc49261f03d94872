"""The mesh of a run's chips: how busy its tiles are, and what its links carry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dcsim.chip.mesh import link_loads
from dcsim.chip.spec import chip_grid
from dcsim.report import style, words
from dcsim.report.style import GRID, INK, MUTED, PAPER, TEXT_PT
from dcsim.service import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from dcsim.chip import ChipRun

TITLE = "Where on the mesh the work is"

WIDTH_IN = 9.6
_SIDE_IN, _BAR_IN, _SMALL_PT = 2.3, 0.64, TEXT_PT - 1.2
_TILE = 0.66
"""side of a tile, in distances between tiles"""
_LANE = 0.13
"""how far a link is drawn to the left of the line between its tiles, so that it leaves room for the one back"""
_ALONG = np.array([(1, 0), (-1, 0), (0, -1), (0, 1)])
"""across and down, for each of `mesh.DIRECTIONS`"""
_WIDEST_IN = 0.8
"""most distance between tiles"""
_NAMED_IN = 0.24
"""least distance between tiles whose layers are named"""
_FREE = "#f3f5f6"
_BUSY = ("#fae3d0", "#e8914e", "#c45500", "#7a3300")
_LOAD = ("#b9d6ea", "#4f9ccc", "#0069a8", "#003a5d")


class _Scale(NamedTuple):
    """What a colour means."""

    title: str
    colours: tuple[str, ...]
    highest: float
    text: Callable[[float], str]

    def map(self) -> Colormap:
        from matplotlib.colors import LinearSegmentedColormap

        return LinearSegmentedColormap.from_list(self.title, self.colours)

    def of(self, values: FloatArray) -> FloatArray:
        """Colours, (n, 4)."""
        colours: FloatArray = self.map()(values / self.highest if self.highest else values)
        return colours


class _Tiles(NamedTuple):
    """Tiles that hold a core in use, n of them."""

    x: FloatArray
    y: FloatArray
    busy: FloatArray
    """share of the steps' time in which its busiest core works"""
    layers: list[str]
    """numbers of its layers, as text"""


def mesh(run: ChipRun, ax: Axes) -> Axes:
    """Tiles of all chips coloured by how busy their busiest core is, links between them by the messages on them."""
    style.quiet(ax, TITLE)
    bare(ax)
    columns, rows = _shape(run)
    width_in, height_in = style.size_in(ax)
    side = min(_SIDE_IN, 0.32 * width_in) / width_in
    inset = ax.inset_axes((0.0, 0.0, 1.0 - side, 1.0), aspect="equal", anchor="NW")
    style.quiet(inset, "")
    bare(inset)
    inset.set_xlim(-0.6, columns - 0.4)
    inset.set_ylim(rows - 0.4, -0.6)
    cell_in = min(width_in * (1.0 - side) / (columns + 0.2), height_in / (rows + 0.2))
    left = min(1.0 - side, cell_in * (columns + 0.2) / width_in) + 0.02
    tiles = _tiles(run)
    scale = _Scale("busiest core of each tile, share of time", _BUSY, float(tiles.busy.max(initial=0.0)), percent)
    _squares(inset, (columns, rows), tiles, scale)
    named = cell_in >= _NAMED_IN and int(run.wiring.layer.max()) > 0
    if named:
        _name(inset, tiles, scale)
    _borders(inset, run)
    _bar(ax, scale, (left, 0.0, side - 0.02))
    below_in = _BAR_IN
    if load := _links(inset, run, 0.07 if cell_in >= _NAMED_IN else 0.16):
        _bar(ax, load, (left, below_in, side - 0.02))
        below_in += _BAR_IN
    if named:
        where = {"transform": ax.transAxes, "va": "top", "fontsize": _SMALL_PT, "color": MUTED}
        style.words(ax, left, 1.0 - below_in / height_in, "numbers: layers, the input is 0", **where)
    return ax


def mesh_size_in(run: ChipRun) -> tuple[float, float]:
    """Width and height in inches that suit the mesh of a run."""
    columns, rows = _shape(run)
    cell_in = min((WIDTH_IN - _SIDE_IN) / (columns + 0.2), 6.6 / (rows + 0.2), _WIDEST_IN)
    return WIDTH_IN, 0.5 + max(cell_in * (rows + 0.2), 1.9)


def bare(ax: Axes) -> None:
    """No frame, ticks or grid."""
    ax.spines["bottom"].set_visible(False)
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.set_yticks([])


def _shape(run: ChipRun) -> tuple[int, int]:
    """Columns and rows of tiles over all chips."""
    columns, rows = chip_grid(run.wiring.chips)
    return columns * run.chip.mesh_width, rows * run.chip.mesh_height


def _tiles(run: ChipRun) -> _Tiles:
    wiring = run.wiring
    share = run.core_s.sum(axis=(0, 1)) / max(float(run.steps.seconds.sum()), 1e-300)
    used = np.flatnonzero(wiring.cores >= 0)
    places, tile = np.unique(np.stack([wiring.at.tile_x, wiring.at.tile_y])[:, used], axis=1, return_inverse=True)
    tile = tile.reshape(-1)
    busy = np.zeros(places.shape[1])
    np.maximum.at(busy, tile, share[used])
    of_core = np.full(len(wiring.cores), -1)
    of_core[used] = tile
    of_group = of_core[wiring.core]
    layers = [_ranges(np.unique(wiring.layer[of_group == number])) for number in range(len(busy))]
    return _Tiles(places[0].astype(np.float64), places[1].astype(np.float64), busy, layers)


def _ranges(numbers: np.ndarray) -> str:
    """1, 2, 3, 5 as "1-3 5"."""
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return " ".join(f"{part[0]}" if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def percent(share: float) -> str:
    """Share in per cent, three digits."""
    return f"{words.significant(share * 100)} %"


def _squares(ax: Axes, shape: tuple[int, int], tiles: _Tiles, scale: _Scale) -> None:
    """Tiles in use in their colours, the others pale."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    columns, rows = shape
    free = np.ones((rows, columns), dtype=np.bool_)
    free[tiles.y.astype(int), tiles.x.astype(int)] = False

    def square(x: float, y: float) -> Rectangle:
        return Rectangle((x - _TILE / 2, y - _TILE / 2), _TILE, _TILE)

    empty = [square(x, y) for y, x in zip(*np.nonzero(free), strict=True)]
    ax.add_collection(PatchCollection(empty, facecolor=_FREE, edgecolor=GRID, linewidth=0.5))
    in_use = [square(x, y) for x, y in zip(tiles.x, tiles.y, strict=True)]
    colours = scale.of(tiles.busy)
    ax.add_collection(PatchCollection(in_use, facecolor=colours, edgecolor="none", linewidth=0.0, label="tiles"))


def _name(ax: Axes, tiles: _Tiles, scale: _Scale) -> None:
    for x, y, text, colour in zip(tiles.x, tiles.y, tiles.layers, scale.of(tiles.busy), strict=True):
        bright = float(colour[:3] @ (0.3, 0.59, 0.11)) > 0.5
        if len(text) <= 5:
            options = {"ha": "center", "va": "center", "fontsize": _SMALL_PT, "color": INK if bright else PAPER}
            style.words(ax, float(x), float(y), text, **options)


def _links(ax: Axes, run: ChipRun, width: float) -> _Scale | None:
    """Arrows between tiles, coloured by the mean messages per step; None when no message leaves its tile."""
    fired = run.counts.fired.mean(axis=(0, 1))[None, None]
    links, load = link_loads(fired, run.wiring)
    used = np.flatnonzero(load[0, 0] > 0.0)
    if not used.size:
        return None
    messages = load[0, 0, used]
    scale = _Scale("messages per link and step", _LOAD, float(messages.max()), words.three)
    across, down = _ALONG[links.direction[used]].T
    x = links.x[used] + across * _TILE / 2 + down * _LANE
    y = links.y[used] + down * _TILE / 2 - across * _LANE
    gap = 1.0 - _TILE
    ax.quiver(
        x, y, across * gap, down * gap, color=scale.of(messages), angles="xy", scale_units="xy", scale=1.0, units="x",
        width=width, headwidth=2.4, headlength=2.2, headaxislength=2.2, minlength=0.0, zorder=3,
    )  # fmt: skip
    return scale


def _borders(ax: Axes, run: ChipRun) -> None:
    """Frame of each chip."""
    from matplotlib.patches import Rectangle

    width, height = run.chip.mesh_width, run.chip.mesh_height
    rows = chip_grid(run.wiring.chips)[1]
    for number in range(run.wiring.chips):
        x, y = number // rows * width - 0.5, number % rows * height - 0.5
        ax.add_patch(Rectangle((x, y), width, height, facecolor="none", edgecolor=MUTED, linewidth=0.8))


def _bar(ax: Axes, scale: _Scale, place: tuple[float, float, float]) -> None:
    """Colour bar under its title; `place`: left in shares of the axes, inches from the top, width in shares."""
    left, below_in, width = place
    height_in = style.size_in(ax)[1]
    top = 1.0 - below_in / height_in
    style.words(ax, left, top, scale.title, transform=ax.transAxes, va="top", fontsize=_SMALL_PT, color=MUTED)
    bar = ax.inset_axes((left, top - 0.34 / height_in, width * 0.9, 0.12 / height_in))
    bar.imshow(np.linspace(0.0, 1.0, 128)[None], aspect="auto", cmap=scale.map(), extent=(0.0, 1.0, 0.0, 1.0))
    bar.set_yticks([])
    bar.set_xticks([0.0, 1.0], ["0", scale.text(scale.highest)])
    bar.tick_params(axis="x", length=2, labelsize=_SMALL_PT, colors=MUTED)
    for spine in bar.spines.values():
        spine.set_visible(False)
