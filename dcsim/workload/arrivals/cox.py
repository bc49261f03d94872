"""Poisson arrivals whose rate is a random path of steps: time rescaling along the path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dcsim.workload.arrivals.poisson import unit_process
from dcsim.workload.block import FloatArray


class Piece(NamedTuple):
    """n steps of a path, one after the other."""

    length_s: FloatArray
    """shape (n,), s"""
    rate_hz: FloatArray
    """rate in each step, shape (n,), 1/s"""


def along(path: Iterator[Piece], duration_s: float, generator: np.random.Generator) -> Iterator[FloatArray]:
    """Chunks of the moments in [0, duration_s) of a Poisson process with the rate of an endless `path`, s.

    Moments v of a Poisson process of rate 1 become L^-1(v), L the integral of the rate. Each piece of the path ends the
    moments that lie in it, so that memory holds one piece and one chunk.
    """
    units = unit_process(generator)
    waiting = next(units)
    start_s = reached = 0.0
    while start_s < duration_s:
        piece = next(path)
        edges_s = np.concatenate([[start_s], start_s + np.cumsum(piece.length_s)])
        integral = np.concatenate([[reached], reached + np.cumsum(piece.length_s * piece.rate_hz)])
        start_s, reached = float(edges_s[-1]), float(integral[-1])
        more = True
        while more:
            count = int(np.searchsorted(waiting, reached, side="left"))
            moments_s = np.maximum.accumulate(np.interp(waiting[:count], integral, edges_s))
            ended = int(np.searchsorted(moments_s, duration_s, side="left"))
            if ended:
                yield moments_s[:ended]
            more = count == len(waiting)
            waiting = next(units) if more else waiting[count:]
            more &= ended == count
