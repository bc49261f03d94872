"""Dynamic batching: requests wait for a batch to fill, at most so long, and are answered together.

An engine that is free starts a batch when it holds `max_batch` requests, or when the oldest has waited `max_wait_s`;
requests that come while a batch runs wait for the next one. With `max_wait_s` 0 it starts at once with what is there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim import seeds
from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import power
from dcsim.gpu.roofline import choose_precision
from dcsim.gpu.vision import batch_pass
from dcsim.service import FloatArray

IntArray = npt.NDArray[np.int64]

#: Arrivals that a point simulates, and full batches that it has at least.
_REQUESTS, _BATCHES = 20_000, 50


class Batches(NamedTuple):
    """Batches in the order of their start, shapes (m,), and the latency of each request, shape (n,)."""

    start_s: FloatArray
    size: IntArray
    busy_s: FloatArray
    latency_s: FloatArray


def serve(arrival_s: FloatArray, pass_s: FloatArray, max_wait_s: float) -> Batches:
    """Batch sorted arrivals, shape (n,), on one engine; a batch of b takes pass_s[b - 1], shape (max_batch,)."""
    arrivals, times, most = arrival_s.tolist(), pass_s.tolist(), len(pass_s)
    starts: list[float] = []
    sizes: list[int] = []
    free, first = 0.0, 0
    while first < len(arrivals):
        full = arrivals[first + most - 1] if first + most <= len(arrivals) else np.inf
        start = max(free, min(full, arrivals[first] + max_wait_s))
        size = min(most, int(np.searchsorted(arrival_s, start, side="right")) - first)
        starts.append(start)
        sizes.append(size)
        free = start + times[size - 1]
        first += size
    start_s, size_of = np.array(starts), np.array(sizes, dtype=np.int64)
    busy_s = pass_s[size_of - 1]
    return Batches(start_s, size_of, busy_s, np.repeat(start_s + busy_s, size_of) - arrival_s)


class Point(NamedTuple):
    """What a device does at one arrival rate."""

    rate_per_s: float
    """that arrives; what is served is the same below saturation"""
    served_per_s: float
    grows: bool
    """whether more arrives than full batches can answer: the line grows without end, so that there is no latency"""
    mean_batch: float
    latency_mean_s: float
    latency_p50_s: float
    latency_p99_s: float
    busy: float
    """share of the time that a batch runs"""
    device_w: float
    sample_j: float
    """all energy of the device per sample, idle energy too"""


def throughput_latency(
    model: Entry,
    gpu: Entry,
    rates_per_s: FloatArray,
    *,
    max_batch: int,
    max_wait_s: float,
    precision: str | None = None,
    devices: int = 1,
    requests: int | None = None,
    seed: int = 0,
) -> list[Point]:
    """The throughput-latency curve of one engine under Poisson arrivals, one point per rate.

    Every point uses the same random numbers: `requests` of them, 20,000 or 50 full batches when None. What starts after
    the last arrival is left out, for nobody knows how full it would be. Raises PlacementError for a batch below 1, a
    negative wait or a rate that is not above 0.
    """
    if max_batch < 1:
        raise PlacementError(f"max_batch is {max_batch}; want at least 1")
    if not 0.0 <= max_wait_s < np.inf:
        raise PlacementError(f"max_wait is {max_wait_s:g} s; want 0 or more")
    if not np.all((rates_per_s > 0) & np.isfinite(rates_per_s)):
        raise PlacementError(f"arrival rates are {', '.join(f'{rate:g}' for rate in rates_per_s)} /s; want more than 0")
    chosen = choose_precision(model, gpu, precision)
    passes = [batch_pass(model, gpu, chosen, batch, devices) for batch in range(1, max_batch + 1)]
    pass_s, busy = np.array([each.seconds for each in passes]), power.busy(gpu)
    pass_w = devices * np.array([busy(each.compute, each.memory) for each in passes])
    count = max(_REQUESTS, _BATCHES * max_batch) if requests is None else requests
    gaps = seeds.generator(seed, 0, f"batching/{model.name}").exponential(size=count)
    waiting_w = devices * power.states(gpu).resident
    most_per_s = float((np.arange(1, max_batch + 1) / pass_s).max())
    found = []
    for rate in rates_per_s.tolist():
        arrival_s = np.cumsum(gaps) / rate
        batches = _known(serve(arrival_s, pass_s, max_wait_s), float(arrival_s[-1]))
        found.append(_point(rate, rate > most_per_s, batches, pass_w, waiting_w))
    return found


def _known(batches: Batches, last_s: float) -> Batches:
    """The batches that start up to the last arrival, at least one."""
    kept = max(1, int(np.searchsorted(batches.start_s, last_s, side="right")))
    samples = int(batches.size[:kept].sum())
    return Batches(batches.start_s[:kept], batches.size[:kept], batches.busy_s[:kept], batches.latency_s[:samples])


def _point(rate: float, grows: bool, batches: Batches, pass_w: FloatArray, waiting_w: float) -> Point:
    end_s = float(batches.start_s[-1] + batches.busy_s[-1])
    count, busy_s = len(batches.latency_s), float(batches.busy_s.sum())
    energy_j = float((pass_w[batches.size - 1] * batches.busy_s).sum()) + waiting_w * (end_s - busy_s)
    p50, p99 = np.quantile(batches.latency_s, (0.5, 0.99)).tolist()
    return Point(
        rate_per_s=rate,
        served_per_s=count / end_s,
        grows=grows,
        mean_batch=float(batches.size.mean()),
        latency_mean_s=float(batches.latency_s.mean()),
        latency_p50_s=p50,
        latency_p99_s=p99,
        busy=busy_s / end_s,
        device_w=energy_j / end_s,
        sample_j=energy_j / count,
    )
