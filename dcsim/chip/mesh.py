"""The mesh between tiles: the route of a message, and how many messages each link carries.

Messages go east or west first, then north or south (dimension-ordered routing). Tiles of all chips form one mesh;
a link is directed and leads from a tile to one of its neighbours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dcsim.chip.wiring import Wiring
from dcsim.service import FloatArray, IntArray

DIRECTIONS = ("east", "west", "north", "south")

#: Numbers of a table that are made at once.
_BLOCK = 1 << 24


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
def per_spike(wiring: Wiring) -> tuple[Links, FloatArray | sparse.csr_array]:
    """Links in use, L of them, and the mean messages that a spike of each group sends over each, shape (G, L).

    The table is sparse where it is large: a group's messages take few of the links of many chips.
    """
    columns, rows = int(wiring.at.tile_x.max()) + 1, int(wiring.at.tile_y.max()) + 1
    most = max(1, _BLOCK // (columns * rows * len(DIRECTIONS)))
    blocks = [_taken(wiring, slice(start, start + most), columns, rows) for start in range(0, len(wiring.layer), most)]
    messages = sparse.csr_array(sparse.vstack(blocks, format="csr"))
    used, messages.indices = np.unique(messages.indices, return_inverse=True)
    messages.resize(len(wiring.layer), len(used))
    links = Links(*np.unravel_index(used, (columns, rows, len(DIRECTIONS))))
    return links, messages.toarray() if len(wiring.layer) * len(used) <= _BLOCK else messages


def _taken(wiring: Wiring, groups: slice, columns: int, rows: int) -> sparse.csr_array:
    """Mean messages that a spike of some groups sends over each link of the mesh, (groups, columns x rows x 4)."""
    core = wiring.core[groups]
    sent = np.zeros((len(core), columns, rows))
    for link in wiring.links:
        first, end = max(link.source.start, groups.start), min(link.source.stop, groups.stop)
        if first >= end:
            continue
        tiles = wiring.at.tile_x[link.target], wiring.at.tile_y[link.target]
        messages = link.messages[first - link.source.start : end - link.source.start]
        np.add.at(sent[first - groups.start : end - groups.start].transpose(1, 2, 0), tiles, messages.T)
    x, y = wiring.at.tile_x[core], wiring.at.tile_y[core]
    taken = np.zeros((len(sent), columns, rows, len(DIRECTIONS)))
    number = np.arange(len(sent))
    # a link to the east is taken by what goes to any column further east, from the row of the sender
    by_column = sent.sum(axis=2)
    taken[number, :, y, 0], taken[number, :, y, 1] = _passing(by_column, x)
    after, before = _passing(sent.reshape(-1, rows), np.repeat(y, columns))
    taken[..., 3], taken[..., 2] = after.reshape(sent.shape), before.reshape(sent.shape)
    return sparse.csr_array(taken.reshape(len(sent), -1))


def link_loads(fired: FloatArray, wiring: Wiring) -> tuple[Links, FloatArray]:
    """Mean messages over each link in use, (J, T, L), that follow from the spikes of each group, (J, T, G)."""
    links, messages = per_spike(wiring)
    loads: FloatArray = fired.reshape(-1, fired.shape[2]) @ messages
    return links, loads.reshape(*fired.shape[:2], -1)


def busiest(fired: FloatArray, wiring: Wiring) -> FloatArray:
    """Mean messages over the busiest link of each step, (J, T), from spikes of each group, (J, T, G)."""
    steps = fired.reshape(-1, fired.shape[2])
    messages = per_spike(wiring)[1]
    most = max(1, _BLOCK // max(1, messages.shape[1]))
    busy = [(steps[at : at + most] @ messages).max(axis=1, initial=0.0) for at in range(0, len(steps), most)]
    return np.concatenate([np.zeros(0), *busy]).reshape(fired.shape[:2])


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
