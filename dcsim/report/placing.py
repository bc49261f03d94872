"""Names written beside their curves, where they touch neither another curve nor another name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from dcsim.report import style
from dcsim.report.series import Floats, LatencySeries
from dcsim.report.words import seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ON_CURVES = 8
_LEVELS = (0.5, 0.38, 0.62, 0.26, 0.74, 0.14, 0.86)
_CHARACTER_EM, _LINE_EM = 0.66, 1.35
_MOST_HIDDEN = 3

OBJECTIVE_PT = style.TEXT_PT - 0.5

Box = tuple[float, float, float, float]
"""left, bottom, right and top in shares of the axes"""


def objective_words(slo_s: float) -> str:
    """Label of an objective."""
    return f"SLO {seconds(slo_s)}"


def objective_rows(ax: Axes, found: Sequence[LatencySeries]) -> list[int]:
    """Row above the curves, 0 lowest, where each objective's label touches no other; -1 for no objective."""
    width_in = style.size_in(ax)[0]
    rows, ends = [-1] * len(found), [-1.0] * len(found)
    known = [(float(_share_of_x(ax, np.asarray([one.slo_s]))[0]), i) for i, one in enumerate(found) if one.slo_s]
    for x, index in sorted(known):
        half = len(objective_words(found[index].slo_s or 0.0)) * _CHARACTER_EM * OBJECTIVE_PT / 72.0 / width_in / 2
        row = next(row for row, end in enumerate(ends) if end < x - half)
        rows[index], ends[row] = row, x + half
    return rows


class Place(NamedTuple):
    """Where a name stands, in shares of the axes, and which of its ends is there."""

    x: float
    y: float
    align: Literal["left", "right"]


def on_curves(ax: Axes, found: Sequence[LatencySeries]) -> list[Place] | None:
    """Place for the name of every distribution; None where some name would cover another or hide a curve."""
    if len(found) > MOST_ON_CURVES:
        return None
    width_in, height_in = style.size_in(ax)
    em = style.TEXT_PT / 72.0
    curves = [_on_axes(ax, one) for one in found]
    limits = [np.column_stack([np.full(40, x), np.linspace(0.0, 1.0, 40)]) for x in _limits(ax, found)]
    placed: list[Box] = []
    places: list[Place] = []
    for one, curve in zip(found, curves, strict=True):
        size = (len(one.stream) * _CHARACTER_EM * em / width_in, _LINE_EM * em / height_in)
        options = [(_box(curve, level, side, size, em / width_in), side) for level in _LEVELS for side in (1, -1)]
        costs = [_cost(box, [*curves, *limits], placed) for box, _ in options]
        box, side = options[int(np.argmin(costs))]
        if min(costs) > _MOST_HIDDEN:
            return None
        placed.append(box)
        middle = (box[1] + box[3]) / 2.0
        places.append(Place(box[0], middle, "left") if side > 0 else Place(box[2], middle, "right"))
    return places


def _on_axes(ax: Axes, one: LatencySeries) -> Floats:
    """Dense points of a curve in shares of the axes, shape (n, 2)."""
    grid = np.linspace(0.0, 1.0, 120)
    x = _share_of_x(ax, one.latency_s)
    along = np.column_stack([np.interp(grid, one.share, x), grid])
    across = np.column_stack([grid, np.interp(grid, x, one.share, left=0.0, right=1.0)])
    points = np.concatenate([along, across])
    points[:, 1] /= ax.get_ylim()[1]
    return points


def _share_of_x(ax: Axes, seconds: Floats) -> Floats:
    low, high = np.log10(ax.get_xlim())
    return np.asarray((np.log10(seconds) - low) / (high - low), dtype=np.float64)


def _limits(ax: Axes, found: Sequence[LatencySeries]) -> Floats:
    return _share_of_x(ax, np.asarray([one.slo_s for one in found if one.slo_s is not None], dtype=float))


def _box(curve: Floats, level: float, side: int, size: tuple[float, float], em: float) -> Box:
    """Box of a label right (side 1) or left (-1) of the curve at a level of the distribution."""
    x, y = curve[min(int(level * 119), 119)]
    start = x + side * 0.8 * em
    left, right = (start, start + size[0]) if side > 0 else (start - size[0], start)
    return (float(left), float(y - size[1] / 2), float(right), float(y + size[1] / 2))


def _cost(box: Box, curves: Sequence[Floats], placed: Sequence[Box]) -> float:
    """Points hidden, plus much for a label covered or cut off by the edge."""
    left, bottom, right, top = box
    hidden = sum(
        int(((c[:, 0] > left) & (c[:, 0] < right) & (c[:, 1] > bottom) & (c[:, 1] < top)).sum()) for c in curves
    )
    touching = sum(left < b[2] and right > b[0] and bottom < b[3] and top > b[1] for b in placed)
    outside = max(0.0, -left) + max(0.0, right - 1.0)
    return hidden + 200.0 * touching + 1e4 * outside
