"""The numbers behind the figures, without any drawing: power by rack group, latencies, energy per job."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dcsim.report.kinds import ResultLike
from dcsim.report.style import FAMILIES

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

BOUNDARIES = ("chip", "board", "node", "rack", "facility")
DRAWN_BOUNDARIES = ("chip", "node", "rack", "facility")
MOST_POINTS = 600
MOST_GROUPS = 7

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_ROUND_WIDTHS = (
    60.0,
    300.0,
    600.0,
    900.0,
    1800.0,
    _HOUR,
    2 * _HOUR,
    3 * _HOUR,
    6 * _HOUR,
    12 * _HOUR,
    _DAY,
    7 * _DAY,
)


class Series:
    """The numbers behind the figures of one result, each worked out once."""

    def __init__(self, result: ResultLike) -> None:
        self.result = result

    @cached_property
    def power(self) -> PowerSeries | None:
        """Power of each rack group over time."""
        return power_by_group(self.result)

    @cached_property
    def latencies(self) -> list[LatencySeries]:
        """Latency distribution of each stream."""
        return latencies(self.result)

    @cached_property
    def energy(self) -> dict[str, list[EnergyPerJob]]:
        """Energy per job of each stream on each family."""
        return energy_per_job(self.result)


def of(result: ResultLike | Series) -> Series:
    """The numbers of a result; numbers are handed through."""
    return result if isinstance(result, Series) else Series(result)


@dataclass(frozen=True)
class PowerSeries:
    """Mean power in n intervals with n + 1 `edges_s`, of g rack groups, the largest of each family first."""

    edges_s: Floats
    groups: list[str]
    families: list[str]
    group_w: Floats
    """AC power at the racks' meters, shape (g, n), W"""
    facility_w: Floats | None
    """power of all sites at their grid connections, shape (n,), W; None where it was not computed"""
    interval_s: float
    """width of one interval, s"""

    def mean_w(self) -> Floats:
        """Mean power of each group over the run, shape (g,), W."""
        widths = np.diff(self.edges_s)
        return np.asarray(self.group_w @ widths / widths.sum(), dtype=np.float64)


def power_by_group(result: ResultLike) -> PowerSeries | None:
    """Power of each rack group over time, in at most MOST_POINTS intervals; None when no rack was metered."""
    racks = result.racks
    if racks.empty:
        return None
    family_of = _family_by_group(racks)
    table = racks.pivot_table(
        index="time_s", columns="group", values="it_w", aggfunc="sum", fill_value=0.0, observed=True
    )
    mean_w = {str(name): float(value) for name, value in table.mean().items()}
    groups = sorted(mean_w, key=lambda name: (_family_rank(family_of[name]), -mean_w[name], name))
    starts = table.index.to_numpy(dtype=float)
    meter_s = float(result.scenario.meter_interval)
    edges = np.append(
        starts,
        max(min(starts[-1] + meter_s, float(result.scenario.duration)), np.nextafter(starts[-1], np.inf)),
    )
    group_w = table[groups].to_numpy(dtype=float).T
    facility_w = _facility_w(result.facility, starts)
    groups, families, group_w = _merge_small(groups, [family_of[name] for name in groups], group_w)
    step = _binning(len(starts), meter_s)
    return PowerSeries(
        edges_s=np.append(edges[:-1:step], edges[-1]),
        groups=groups,
        families=families,
        group_w=_binned(group_w, edges, step),
        facility_w=None if facility_w is None else _binned(facility_w[np.newaxis], edges, step)[0],
        interval_s=meter_s * step,
    )


def _family_by_group(racks: pd.DataFrame) -> dict[str, str]:
    """Family that draws most of each group's power, as a group may hold pools of two kinds."""
    power = (
        racks.groupby(["group", "family"], observed=True)["it_w"].sum().reset_index().sort_values("it_w", kind="stable")
    )
    return dict(zip(power["group"], power["family"], strict=True))


def _family_rank(family: str) -> int:
    order = ("gpu", "cpu", "custom", "neuromorphic")
    return order.index(family) if family in order else len(order)


def _facility_w(facility: pd.DataFrame, starts: Floats) -> Floats | None:
    if facility.empty or "facility_w" not in facility:
        return None
    watts = facility.groupby("time_s")["facility_w"].sum().reindex(starts).to_numpy(dtype=float)
    return watts if np.isfinite(watts).all() else None


def _merge_small(groups: list[str], families: list[str], watts: Floats) -> tuple[list[str], list[str], Floats]:
    """Keep the largest groups; the rest of each family becomes one band."""
    if len(groups) <= MOST_GROUPS:
        return groups, families, watts
    keep = set(np.argsort(-watts.mean(axis=1), kind="stable")[: MOST_GROUPS - 1].tolist())
    rows: dict[tuple[int, str, str], list[int]] = {}
    for index, (group, family) in enumerate(zip(groups, families, strict=True)):
        kept = index in keep
        rows.setdefault((_family_rank(family), family, group if kept else ""), []).append(index)
    ordered = sorted(rows.items(), key=lambda item: (item[0][0], item[0][2] == "", item[1]))
    names = [name or (f"{len(index)} more" if len(index) > 1 else groups[index[0]]) for (_, _, name), index in ordered]
    merged = np.stack([watts[index].sum(axis=0) for _, index in ordered])
    return names, [family for (_, family, _), _ in ordered], merged


def _binning(points: int, meter_s: float) -> int:
    """Meter intervals to average into one point: 1 where all fit, else a round width where one divides."""
    least = math.ceil(points / MOST_POINTS)
    if least <= 1:
        return 1
    for width in _ROUND_WIDTHS:
        step = width / meter_s
        if least <= step <= 3 * least and math.isclose(step, round(step)):
            return round(step)
    return least


def _binned(watts: Floats, edges: Floats, step: int) -> Floats:
    """Time-weighted means of `step` columns at a time, shape (rows, ceil(n / step))."""
    if step == 1:
        return watts
    widths = np.diff(edges)
    first = np.arange(0, len(widths), step)
    return np.asarray(np.add.reduceat(watts * widths, first, axis=1) / np.add.reduceat(widths, first), dtype=np.float64)


@dataclass(frozen=True)
class LatencySeries:
    """Latency distribution of one stream's completed jobs."""

    stream: str
    jobs: int
    latency_s: Floats
    """latencies in rising order, s, at most a few hundred of them"""
    share: Floats
    """share of the completed jobs at or below each, the same shape"""
    percentiles_s: tuple[float, float, float]
    """p50, p95 and p99, s"""
    slo_s: float | None
    """the stream's objective on latency, s"""


_LEVELS = np.unique(np.concatenate([np.linspace(0.0, 1.0, 301), 1.0 - np.geomspace(1e-5, 0.05, 60)]))


def latencies(result: ResultLike) -> list[LatencySeries]:
    """One distribution per stream with a completed job, fastest median first."""
    jobs = result.jobs
    if jobs.empty:
        return []
    done = jobs.loc[(jobs["status"] == "completed") & (jobs["latency_s"] > 0), ["stream", "latency_s"]]
    found = [
        _latency(str(name), np.sort(group.to_numpy(dtype=float)), result)
        for name, group in done.groupby("stream", observed=True)["latency_s"]
    ]
    return sorted(found, key=lambda one: (one.percentiles_s[0], one.stream))


def _latency(stream: str, ordered: Floats, result: ResultLike) -> LatencySeries:
    p50, p95, p99 = (float(value) for value in np.quantile(ordered, (0.50, 0.95, 0.99)))
    if len(ordered) > len(_LEVELS):
        values, share = np.quantile(ordered, _LEVELS), _LEVELS
    else:
        values, share = ordered, np.arange(1, len(ordered) + 1) / len(ordered)
    written = result.scenario.streams.get(stream)
    slo_s = None if written is None else written.slo.latency
    return LatencySeries(stream, len(ordered), values, share, (p50, p95, p99), slo_s)


@dataclass(frozen=True)
class EnergyPerJob:
    """Mean energy of one stream's completed jobs on one family of devices, J."""

    stream: str
    family: str
    jobs: int
    marginal_j: dict[str, float]
    """boundary -> what a job added"""
    loaded_j: dict[str, float]
    """boundary -> that and its share of idle, host and overhead energy"""


def energy_per_job(result: ResultLike) -> dict[str, list[EnergyPerJob]]:
    """Stream -> an entry per family that it completed jobs on, GPU first; in the order of the scenario."""
    jobs = result.jobs
    if jobs.empty:
        return {}
    columns = {
        (boundary, kind): f"energy_{boundary}_{kind}_j" for boundary in BOUNDARIES for kind in ("marginal", "loaded")
    }
    present = {key: name for key, name in columns.items() if name in jobs}
    done = jobs.loc[jobs["status"] == "completed", ["stream", "family", *present.values()]]
    grouped = done.groupby(["stream", "family"], observed=True, sort=False)
    means, sizes = grouped.mean(), grouped.size()
    streams: dict[str, list[EnergyPerJob]] = {}
    for (stream, family), row, size in zip(means.index, means.to_dict("records"), sizes, strict=True):
        kinds: dict[str, dict[str, float]] = {"marginal": {}, "loaded": {}}
        for (boundary, kind), name in present.items():
            if math.isfinite(row[name]):
                kinds[kind][boundary] = float(row[name])
        one = EnergyPerJob(str(stream), str(family), int(size), kinds["marginal"], kinds["loaded"])
        streams.setdefault(one.stream, []).append(one)
    listed = dict.fromkeys([*(name for name in result.scenario.streams if name in streams), *streams])
    return {name: sorted(streams[name], key=lambda one: _family_rank(one.family)) for name in listed}


def on_both_families(streams: dict[str, list[EnergyPerJob]]) -> dict[str, tuple[EnergyPerJob, EnergyPerJob]]:
    """Streams that completed jobs on GPUs and on neuromorphic hardware: (GPU, neuromorphic)."""
    both: dict[str, tuple[EnergyPerJob, EnergyPerJob]] = {}
    for stream, found in streams.items():
        by_family = {one.family: one for one in found}
        if "gpu" in by_family and "neuromorphic" in by_family:
            both[stream] = (by_family["gpu"], by_family["neuromorphic"])
    return both


def advantage(gpu: EnergyPerJob, other: EnergyPerJob, kind: str, boundary: str) -> float | None:
    """Energy per job on GPUs over that on neuromorphic hardware; None where either is unknown or zero."""
    pair: list[Any] = [(one.marginal_j if kind == "marginal" else one.loaded_j).get(boundary) for one in (gpu, other)]
    if pair[0] is None or pair[1] is None or pair[0] <= 0.0 or pair[1] <= 0.0:
        return None
    return float(pair[0] / pair[1])


def known_family(family: str) -> str:
    """The family itself, or `custom` for one without a colour of its own."""
    return family if family in FAMILIES else "custom"
