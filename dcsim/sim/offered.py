"""What the jobs of a scenario ask of its fleet, without running it: the offered load of every pool and resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from typing import NamedTuple

import numpy as np

from dcsim.service import FloatArray
from dcsim.sim.model import Model
from dcsim.workload import Block


class Load(NamedTuple):
    """Share of one resource of a pool that jobs want to keep busy."""

    pool: str
    resource: str
    """`device KIND`, `cores` or `memory`"""
    there: float
    """devices, cores or bytes of the pool"""
    by_stream: Mapping[str, float]
    """stream -> share of it; above 1 in sum the pool cannot keep up"""

    @property
    def total(self) -> float:
        """Offered load of all streams."""
        return sum(self.by_stream.values())


class Holdings(NamedTuple):
    """What one job of each class holds on the pool that it would rather run on."""

    resources: list[tuple[int, str, float]]
    """pool, resource and how much there is of it, m of them"""
    share: FloatArray
    """of all there is, shape (classes, m)"""


def holdings(model: Model) -> Holdings:
    """Share of each resource of the pool that it would rather run on that a job of each class holds."""
    resources: dict[tuple[int, str], tuple[int, float]] = {}
    held: list[tuple[int, int, float]] = []  # class, resource, share
    for row, kind in enumerate(model.fleet.classes):
        pool = kind.lane.pools[0]
        spec, nodes = model.cluster.pools[pool.number].spec, len(model.cluster.pools[pool.number].nodes)
        request = kind.requests[pool.name]
        per_node = {each.name: each.count for each in spec.kinds}.get(request.kind or "", 0)
        on_nodes = ceil(request.devices / per_node) if request.devices else 1
        for name, asked, there in (
            (f"device {request.kind}", request.devices * request.span * request.share, per_node * nodes),
            ("cores", request.cores * on_nodes, spec.cores * nodes),
            ("memory", request.memory_bytes * on_nodes, spec.memory_bytes * nodes),
        ):
            if asked:
                column, _ = resources.setdefault((pool.number, name), (len(resources), there))
                held.append((row, column, asked / there))
    share = np.zeros((len(model.fleet.classes), len(resources)))
    for row, column, part in held:
        share[row, column] = part
    return Holdings([(pool, name, there) for (pool, name), (_, there) in resources.items()], share)


def offered(model: Model, jobs: Mapping[str, Iterable[Block]], length_s: float) -> list[Load]:
    """Offered load of the jobs of some streams over `length_s` seconds: service time wanted x share held / length.

    The model is one that has not run, and is of no use afterwards: the jobs stand in its table. Jobs that may run on
    several pools count on the first of them, as `trust.offered_load` of a run counts them. Raises what the service
    models raise for jobs that they cannot serve.
    """
    asked: dict[str, FloatArray] = {}
    for name, blocks in jobs.items():
        first = len(model.table.job_class)
        for block in blocks:
            model.reserve(name, block.arrival_s, dict(block.columns), block.labels)
        asked[name] = _asked_s(model, first)
    found = holdings(model)
    loads = [found_for @ found.share / length_s for found_for in asked.values()]
    names = [pool.name for pool in model.cluster.pools]
    return [
        Load(names[pool], resource, there, {name: float(load[column]) for name, load in zip(asked, loads, strict=True)})
        for column, (pool, resource, there) in enumerate(found.resources)
    ]


def _asked_s(model: Model, first: int) -> FloatArray:
    """Service time wanted by the jobs from number `first` on, by class, on the pool that each would rather run on."""
    classes = model.fleet.classes
    job_class = np.array(model.table.job_class, np.intp)[first:]
    found = np.zeros(len(classes))
    for number in np.unique(job_class).tolist():
        seconds = np.array(model.table.demands[classes[number].lane.pools[0].name].seconds)[first:]
        found[number] = float(seconds[job_class == number].sum())
    return found
