"""The mesh between tiles: the route of a message, and how many messages each link carries.

Messages go east or west first, then north or south (dimension-ordered routing). Tiles of all chips form one mesh;
a link is directed and leads from a tile to one of its neighbours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.chip.wiring import Wiring
from dcsim.service import FloatArray, IntArray

DIRECTIONS = ("east", "west", "north", "south")


class Links(NamedTuple):
    """Directed links of the mesh; arrays of shape (links,)."""

    x: IntArray
    """column of the tile that each leaves, counted from the west"""
    y: IntArray
    """row of that tile, counted from the north"""
    direction: IntArray
    """number in `DIRECTIONS`"""


class Routes(NamedTuple):
    """Links that messages take, route after route."""

    first: IntArray
    """place in `link` where each route begins, and at the end the length of `link`; shape (routes + 1,)"""
    link: IntArray
    """number of each link: (column x rows + row) x 4 + direction"""


def routes(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64], rows: int) -> Routes:
    """Routes between tiles at columns `x` and rows `y`, both of shape (2, routes): from row 0 of these to row 1.

    `rows` is the height of the mesh.
    """
    east, south = x[1] - x[0], y[1] - y[0]
    hops_x, hops = np.abs(east), np.abs(east) + np.abs(south)
    first = np.concatenate([[0], np.cumsum(hops)])
    route = np.repeat(np.arange(len(hops)), hops)
    hop = np.arange(first[-1]) - first[route]
    along_x = np.minimum(hop, hops_x[route])
    along_y = hop - along_x
    column, row = x[0, route] + np.sign(east)[route] * along_x, y[0, route] + np.sign(south)[route] * along_y
    direction = np.where(hop < hops_x[route], (east < 0)[route], 2 + (south > 0)[route])
    return Routes(first, (column * rows + row) * 4 + direction)


@lru_cache(maxsize=16)
def per_spike(wiring: Wiring) -> tuple[Links, FloatArray]:
    """Links in use, L of them, and the mean messages that a spike of each group sends over each, shape (G, L)."""
    columns, rows = int(wiring.at.tile_x.max()) + 1, int(wiring.at.tile_y.max()) + 1
    sent = np.zeros((len(wiring.layer), columns, rows))
    for link in wiring.links:
        tiles = wiring.at.tile_x[link.target], wiring.at.tile_y[link.target]
        np.add.at(sent[link.source].transpose(1, 2, 0), tiles, link.messages.T)
    x, y = (position[wiring.core] for position in (wiring.at.tile_x, wiring.at.tile_y))
    taken = np.zeros((len(sent), columns, rows, 4))
    groups = np.arange(len(sent))
    # a link to the east is taken by what goes to any column further east, from the row of the sender
    by_column = sent.sum(axis=2)
    taken[groups, :, y, 0], taken[groups, :, y, 1] = _passing(by_column, x)
    after, before = _passing(sent.reshape(-1, rows), np.repeat(y, columns))
    taken[..., 3], taken[..., 2] = after.reshape(sent.shape), before.reshape(sent.shape)
    used = np.nonzero(taken.any(axis=0))
    return Links(*used), taken[:, used[0], used[1], used[2]]


def link_loads(fired: FloatArray, wiring: Wiring) -> tuple[Links, FloatArray]:
    """Mean messages over each link in use, (J, T, L), that follow from the spikes of each group, (J, T, G)."""
    links, messages = per_spike(wiring)
    loads: FloatArray = fired @ messages
    return links, loads


def busiest(fired: FloatArray, wiring: Wiring) -> FloatArray:
    """Mean messages over the busiest link of each step, (J, T), from spikes of each group, (J, T, G)."""
    most: FloatArray = link_loads(fired, wiring)[1].max(axis=2, initial=0.0)
    return most


def _passing(sent: FloatArray, start: IntArray) -> tuple[FloatArray, FloatArray]:
    """Messages that leave each place of a line upwards and downwards, both (lines, places).

    `sent` (lines, places) are the messages for each place, all from place `start` (lines,).
    """
    place = np.arange(sent.shape[1])
    total = sent.sum(axis=1, keepdims=True)
    up_to = np.cumsum(sent, axis=1)
    above = np.where(place >= start[:, None], total - up_to, 0.0)
    below = np.where(place <= start[:, None], up_to - sent, 0.0)
    return np.where(above > 1e-12 * total, above, 0.0), below
