"""Which devices can serve which kinds of work, and with which model: the coverage of the catalog."""

from __future__ import annotations

from typing import NamedTuple

from dcsim.catalog import Catalog
from dcsim.scenario.workloads import Served, Workload


class Coverage(NamedTuple):
    """What the catalog says of one kind of work on some devices of a family."""

    workload: str
    title: str
    devices: tuple[str, ...]
    """catalog devices of which the same is said"""
    family: str
    """gpu or neuromorphic"""
    models: tuple[str, ...]
    """catalog models that serve it there, best first; none where the devices cannot"""
    reason: str
    """why none does, or how it is known of the models"""


def coverage(catalog: Catalog) -> list[Coverage]:
    """Every kind of work on every device of a catalog system: GPUs first, devices of which the same is said together.

    Raises CatalogError for an unsound kind of work.
    """
    devices = _devices(catalog)
    rows: list[Coverage] = []
    for name in catalog.names("workload"):
        kind = Workload.of(catalog.get(name, "workload"))
        alike: dict[tuple[str, Served], list[str]] = {}
        for device, family in devices:
            alike.setdefault((family, kind.on(device, family)), []).append(device)
        found = [
            Coverage(name, kind.title, tuple(members), family, served.models, served.reason)
            for (family, served), members in alike.items()
        ]
        rows += sorted(found, key=lambda row: (row.family != "gpu", not row.models))
    return rows


def _devices(catalog: Catalog) -> list[tuple[str, str]]:
    """Device and family of the catalog's systems, by family and name."""
    facts = [catalog.get(name, "system").facts for name in catalog.names("system")]
    return sorted({(str(fact["device"]), str(fact["family"])) for fact in facts}, key=lambda pair: (pair[1], pair[0]))
