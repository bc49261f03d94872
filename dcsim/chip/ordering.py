"""Which core each slice gets so that spikes travel less: fewest spike-hops, with borders between chips as more hops.

The cost of an arrangement is the sum over pairs of cores of spikes per step times the distance between their tiles, as
in the quadratic assignment problem. It starts from the order of the layers, or a snake over the mesh where that costs
less, and swaps cores, or moves one to a free place, as long as that pays: always the best of all swaps, with random
kicks when there is none left, or, beyond `FULL` places, all swaps of a pairing of places at once. The work is bounded
by counts, not by a clock, so that equal input gives equal output, and it is never worse than the start.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dcsim import seeds
from dcsim.chip import limits
from dcsim.chip.limits import PORT, LimitError
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.placement import Placement
from dcsim.chip.spec import ChipSpec
from dcsim.chip.wiring import Wiring, coordinates, wire
from dcsim.service import FloatArray, IntArray

#: Hops that a border between chips counts as, on top of the hop itself: off-chip links are that much dearer or slower.
CROSSING = 16.0

#: Most places among which all swaps are looked at.
FULL = 512

_WORK = 2.5e7
_MOST_SWAPS = 1_500
_WORK_IN_PAIRS = 1.5e8
_MOST_PLACES = 1 << 16
_KICK = 3

BoolArray = npt.NDArray[np.bool_]


class Places(NamedTuple):
    """P places for cores: column and row of each, (P,), and distances between columns and between rows."""

    column: IntArray
    row: IntArray
    between_columns: FloatArray
    between_rows: FloatArray

    @classmethod
    def of(cls, chip: ChipSpec, chips: int) -> Places:
        """All cores of so many chips, in their order."""
        at = coordinates(np.arange(chips * chip.cores), chip, chips)
        tables = []
        for tile, number in ((at.tile_x, at.chip_x), (at.tile_y, at.chip_y)):
            chip_of = np.zeros(int(tile.max()) + 1)
            chip_of[tile] = number
            tile_of = np.arange(len(chip_of))
            hops, borders = np.abs(tile_of[:, None] - tile_of), np.abs(chip_of[:, None] - chip_of)
            tables.append(hops + CROSSING * borders)
        return cls(at.tile_x, at.tile_y, *tables)

    def distance(self, here: IntArray, there: IntArray) -> FloatArray:
        """Distance between places, shapes broadcast."""
        columns = self.between_columns[self.column[here], self.column[there]]
        distance: FloatArray = columns + self.between_rows[self.row[here], self.row[there]]
        return distance


class Traffic(NamedTuple):
    """Spikes per step between N cores, in both directions together, and from the port to each."""

    between: sparse.csr_array
    """shape (N, N), symmetric, without diagonal"""
    from_port: FloatArray
    """shape (N,)"""


def reordered(network: SpikingNetwork, placement: Placement, chip: ChipSpec, *, seed: int = 1) -> Placement:
    """The same slices on cores of the same chips, with fewest spike-hops at the network's rates.

    Without rates all neurons count alike. Returns `placement` itself where nothing better is found, or where there are
    more than 65,536 places.
    """
    chips = placement.chips_on(chip)
    if chips * chip.cores > _MOST_PLACES:
        return placement
    wiring = wire(network, placement, chip)
    used = wiring.cores != PORT
    traffic = traffic_of(network, wiring)
    numbers = wiring.cores[used]
    loads = np.bincount(placement.core_of_neuron + 1, minlength=int(numbers.max(initial=0)) + 2)[numbers + 1]
    fits = loads[:, None] <= np.array(chip.capacities * chips) if chip.neurons_of_core else None
    found = arranged(traffic, numbers, Places.of(chip, chips), fits, seeds.generator(seed, 0, "chip/ordering"))
    table = np.full(int(numbers.max(initial=0)) + 2, PORT)
    table[numbers + 1] = found
    better = Placement(table[placement.core_of_neuron + 1])
    try:
        limits.check(network, better, chip)
    except LimitError:  # such as the entries of a router, which hang on who is where
        return placement
    return better if better.chips_on(chip) == chips else placement


def traffic_of(network: SpikingNetwork, wiring: Wiring) -> Traffic:
    """Spikes per step between the cores of a wiring, the port left out of the N cores."""
    table = network.rates.mean(axis=0) if network.rates.size and network.rates.any() else np.ones(len(network.layers))
    spikes = wiring.neurons * table[wiring.layer]
    count = len(wiring.cores)
    total = sparse.csr_array((count, count))
    for link in wiring.links:
        sent = sparse.coo_array(link.messages * spikes[link.source, None])
        ends = wiring.core[link.source][sent.row], np.arange(count)[link.target][sent.col]
        total = total + sparse.csr_array(sparse.coo_array((sent.data, ends), shape=(count, count)))
    used = np.flatnonzero(wiring.cores != PORT)
    port = np.flatnonzero(wiring.cores == PORT)
    from_port = np.asarray(total[port][:, used].sum(axis=0)).reshape(-1)
    inner = total[used][:, used]
    both = sparse.csr_array(inner + inner.T)
    both.setdiag(0.0)
    both.eliminate_zeros()
    both.sort_indices()
    return Traffic(both, from_port)


def cost(traffic: Traffic, at: IntArray, places: Places) -> float:
    """Spike-hops per step, borders included, of cores at the places `at`, (N,)."""
    pairs = traffic.between.tocoo()
    inner = float(pairs.data @ places.distance(at[pairs.row], at[pairs.col])) / 2.0
    return inner + float(traffic.from_port @ places.distance(np.zeros(1, dtype=np.int64), at))


def arranged(
    traffic: Traffic, start: IntArray, places: Places, fits: BoolArray | None, generator: np.random.Generator
) -> IntArray:
    """Place of each of N cores, all different, that costs no more than `start`.

    `fits` (N, P): which core may be at which place; None: any.
    """
    starts = [start, snake(places)[: len(start)]]
    if fits is not None:
        starts = [at for at in starts if bool(fits[np.arange(len(at)), at].all())] or [start]
    best = min(starts, key=lambda at: cost(traffic, at, places))
    if len(places.column) <= FULL:
        found = _descended(traffic, best, places, fits, generator)
    elif fits is None:
        found = _paired(traffic, best, places, generator)
    else:
        found = best
    return found if cost(traffic, found, places) < cost(traffic, start, places) else start


def snake(places: Places) -> IntArray:
    """All places in an order in which neighbours are near: down one column, up the next."""
    row = np.where(places.column % 2 == 0, places.row, -places.row)
    return np.lexsort((np.arange(len(row)), row, places.column))


# ---------------------------------------------------------------- few places: the best of all swaps


def _descended(
    traffic: Traffic, start: IntArray, places: Places, fits: BoolArray | None, generator: np.random.Generator
) -> IntArray:
    between = traffic.between.toarray()
    every = np.arange(len(places.column))
    distance = places.distance(every[:, None], every)
    alone = np.outer(traffic.from_port, distance[0])
    if fits is not None:
        alone = np.where(fits, alone, np.inf)
    at, now = start.copy(), cost(traffic, start, places)
    best, least = at.copy(), now
    total = between @ distance[at] + alone
    for _ in range(min(_MOST_SWAPS, int(_WORK / total.size))):
        gain = _gains(total, between, distance, at)
        core, place = divmod(int(np.argmin(gain)), len(every))
        if gain[core, place] >= -1e-12 * max(now, 1.0):
            if now < least:
                best, least = at.copy(), now
            if least <= 0.0:
                break
            at = best.copy()
            for _ in range(_KICK):
                _swap(at, int(generator.integers(len(at))), int(generator.integers(len(every))), fits)
            total = between @ distance[at] + alone
            now = cost(traffic, at, places)
            continue
        now += gain[core, place]
        here = at[core]
        moved = _swap(at, core, place, None)
        change = between[:, core] - (between[:, moved] if moved is not None else 0.0)
        total += np.outer(change, distance[place] - distance[here])
    return at if now < least else best


def _gains(total: FloatArray, between: FloatArray, distance: FloatArray, at: IntArray) -> FloatArray:
    """Change of the cost when each core goes to each place, and who is there to where it was; shape (N, P)."""
    here = total[np.arange(len(at)), at]
    gain = total - here[:, None]
    inner = gain[:, at]
    gain[:, at] = inner + inner.T + 2.0 * between * distance[at[:, None], at]
    return gain


def _swap(at: IntArray, core: int, place: int, fits: BoolArray | None) -> int | None:
    """Put a core at a place, and the core that is there, which is returned, where it was; unless one does not fit."""
    there = np.flatnonzero(at == place)
    other = int(there[0]) if len(there) else None
    if fits is not None and not (fits[core, place] and (other is None or fits[other, at[core]])):
        return None
    if other is not None:
        at[other] = at[core]
    at[core] = place
    return other


# ---------------------------------------------------------------- many places: pairs of places at once


def _paired(traffic: Traffic, start: IntArray, places: Places, generator: np.random.Generator) -> IntArray:
    """Places are paired with others some columns or rows away; the swaps that pay are made together."""
    at, now = start.copy(), cost(traffic, start, places)
    spans = [2**k for k in range(max(int(places.column.max()), int(places.row.max())).bit_length())]
    work = 6 * traffic.between.nnz + 40 * len(places.column) + len(at) * sum(map(len, places[2:]))
    for number in range(int(_WORK_IN_PAIRS / work) + 1):
        span = spans[number // 2 % len(spans)]
        at, now = _swapped(traffic, at, now, places, _pairing(places, span, number % 2 == 0, generator))
    return at


def _pairing(
    places: Places, span: int, along_columns: bool, generator: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Disjoint pairs of places in tiles that are `span` columns, or rows, apart."""
    column, row = places.column, places.row
    order = np.lexsort((generator.random(len(column)), row, column))
    tile = column[order] * (int(row.max()) + 1) + row[order]
    first = np.searchsorted(tile, tile)
    slots = int((np.arange(len(tile)) - first).max()) + 1
    key = np.empty(len(tile), dtype=np.int64)
    key[order] = tile * slots + np.arange(len(tile)) - first
    number, step = (column, (int(row.max()) + 1) * slots) if along_columns else (row, slots)
    offset = int(generator.integers(2 * span))
    other = ((number + offset) ^ span) - offset
    place_of = np.full(int(key.max()) + 1, -1)
    place_of[key] = np.arange(len(key))
    wanted = key + (other - number) * step
    inside = (other > number) & (other <= int(number.max()))
    here = np.flatnonzero(inside)
    there = np.where(wanted[here] < len(place_of), place_of[np.minimum(wanted[here], len(place_of) - 1)], -1)
    return here[there >= 0], there[there >= 0]


def _swapped(
    traffic: Traffic, at: IntArray, now: float, places: Places, pairs: tuple[IntArray, IntArray]
) -> tuple[IntArray, float]:
    """Arrangement after the swaps that pay, or as many of the best as pay together; and its cost."""
    who = np.full(len(places.column), -1)
    who[at] = np.arange(len(at))
    some = (who[pairs[0]] >= 0) | (who[pairs[1]] >= 0)
    here, there = pairs[0][some], pairs[1][some]
    tables = _by_tile(traffic, at, places)
    gain = _moving(traffic, tables, places, who[here], here, there)
    gain += _moving(traffic, tables, places, who[there], there, here)
    both = np.flatnonzero((who[here] >= 0) & (who[there] >= 0))
    shared = _looked_up(traffic.between, who[here[both]], who[there[both]])
    gain[both] += 2.0 * shared * places.distance(here[both], there[both])
    chosen = np.argsort(gain)[: int((gain < -1e-12 * max(now, 1.0)).sum())]
    while len(chosen):
        changed = who.copy()
        changed[here[chosen]], changed[there[chosen]] = who[there[chosen]], who[here[chosen]]
        trial = np.empty_like(at)
        trial[changed[changed >= 0]] = np.flatnonzero(changed >= 0)
        if (then := cost(traffic, trial, places)) < now:
            return trial, then
        chosen = chosen[: len(chosen) // 4]
    return at, now


def _looked_up(matrix: sparse.csr_array, row: IntArray, column: IntArray) -> FloatArray:
    """Entries of a matrix with sorted indices."""
    size = matrix.shape[0]
    keys = np.repeat(np.arange(size), np.diff(matrix.indptr)) * size + matrix.indices
    wanted = row * size + column
    place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    return np.where(keys[place] == wanted, matrix.data[place], 0.0) if len(keys) else np.zeros(len(row))


def _by_tile(traffic: Traffic, at: IntArray, places: Places) -> tuple[FloatArray, FloatArray]:
    """Cost of each core in each column, and in each row, while all others stay: (N, columns) and (N, rows)."""
    found = []
    for number, between in ((places.column, places.between_columns), (places.row, places.between_rows)):
        where = np.ones(len(at)), (np.arange(len(at)), number[at])
        found.append(traffic.between @ sparse.csr_array(where, (len(at), len(between))) @ between)
    return found[0], found[1]


def _moving(
    traffic: Traffic,
    tables: tuple[FloatArray, FloatArray],
    places: Places,
    core: IntArray,
    here: IntArray,
    there: IntArray,
) -> FloatArray:
    """Change of the cost when each `core` (-1: none) goes from `here` to `there` and all others stay."""
    change = np.zeros(len(core))
    real = np.flatnonzero(core >= 0)
    core, here, there = core[real], here[real], there[real]
    for number, table in zip((places.column, places.row), tables, strict=True):
        change[real] += table[core, number[there]] - table[core, number[here]]
    port = np.zeros(1, dtype=np.int64)
    change[real] += traffic.from_port[core] * (places.distance(port, there) - places.distance(port, here))
    return change
