"""Area `catalog`: every shipped entry is sound, references lead somewhere, and numbers agree with each other.

Identities end as `consistency`; a number that set a constant of the catalog ends as `calibration`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from dcsim import catalog
from dcsim.catalog import KINDS, Catalog, Entry
from dcsim.errors import CatalogError
from dcsim.validation.case import Area, Case, Effort, Heading
from dcsim.validation.report import Row, compare


class Document(Heading):
    """A case of kind `catalog`."""

    files: Annotated[list[str], Field(max_length=100)] = Field(default=[])
    """catalog files that add entries"""


def check(case: Case, effort: Effort) -> Iterator[Row]:
    """Rows of the shipped catalog together with the user's own files that the case names."""
    del effort
    entries = catalog.load([case.locate(name) for name in case.read(Document).files])
    for kind in KINDS:
        yield _all_sound(f"all of kind {kind}", "sound entries", entries, kind, Entry.__len__)
    yield _all_sound("all systems", "device and host known", entries, "system", lambda entry: _parts(entry, entries))
    for name in entries.names("system"):
        yield from _power_rows(entries.get(name, "system"), entries)
    yield from _identities(entries)


def _all_sound(case: str, metric: str, entries: Catalog, kind: str, probe: Callable[[Entry], object]) -> Row:
    """One row for a kind: how many entries can be read and pass the probe; the first that cannot is named."""
    names, sound, note = entries.names(kind), 0, ""
    for name in names:
        try:
            probe(entries.get(name, kind))
            sound += 1
        except CatalogError as error:
            note = note or str(error)
    return compare("catalog", case, metric, len(names), sound, 0.0, note, holds="consistency")


def _parts(system: Entry, entries: Catalog) -> tuple[Entry, Entry | None]:
    """(device, host) of a system; CatalogError when one is not in the catalog."""
    device, host = str(system.facts["device"]), str(system.facts["host"])
    kind = "gpu" if system.facts["family"] == "gpu" else "chip"
    return entries.get(device, kind), None if host == "none" else entries.get(host, "host")


def _power_rows(system: Entry, entries: Catalog) -> Iterator[Row]:
    """A system that has a rating draws no more than it."""
    if "rated_w" not in system:
        return
    try:
        idle_w, full_w = node_power_w(system, entries)
    except CatalogError as error:
        yield Row("catalog", system.name, "power, W", "failed", note=str(error))
        return
    for metric, power_w in (("idle power below rating, W", idle_w), ("full power below rating, W", full_w)):
        status = "consistency" if power_w <= system["rated_w"] else "failed"
        yield Row("catalog", system.name, metric, status, system["rated_w"], power_w)


def node_power_w(system: Entry, entries: Catalog) -> tuple[float, float]:
    """(idle, full) DC power of a node: devices + host + boards, W. Active power unknown: as idle."""
    device, host = _parts(system, entries)
    idle_w = device.get("idle_w", 0.0) if device.kind == "gpu" else device.get("static_w", 0.0)
    full_w = (
        device.get("peak_w", device.get("tdp_w", idle_w))
        if device.kind == "gpu"
        else max(device.get("active_w", 0.0), idle_w)
    )
    boards = system.get("board_idle_w", 0.0)
    idle = system["devices"] * idle_w + boards + (host["idle_w"] if host else 0.0)
    full = system["devices"] * full_w + boards + system.get("board_active_w", 0.0) + (host["max_w"] if host else 0.0)
    return idle, full


@dataclass(frozen=True)
class Identity:
    """A figure that several entries of the catalog must give together."""

    case: str
    metric: str
    expected: float
    tolerance: float
    compute: Callable[[Catalog], float]
    holds: str
    source: str


_IDENTITIES = (
    Identity(
        "hala-point",
        "chip's share of the maximum power, W",
        2600 / 1152,
        0.005,
        lambda entries: entries.get("loihi-2", "chip")["max_w"],
        "consistency",
        "2,600 W over 1,152 chips (Intel, 2024)",
    ),
    Identity(
        "hala-point",
        "synaptic operations of all chips, 1/s",
        380e12,
        0.005,
        lambda entries: _all_devices(entries, "hala-point", "peak_sop_per_s"),
        "consistency",
        "380 T/s (Intel, 2024)",
    ),
    Identity(
        "pohoiki-springs",
        "static power of all chips, W",
        768 * 104.4e-3,
        0.001,
        lambda entries: _all_devices(entries, "pohoiki-springs", "static_w"),
        "consistency",
        "104.4 mW a chip, as on Nahuku-32",
    ),
    Identity(
        "nahuku-32",
        "static power of all chips, W",
        3.34,
        0.002,
        lambda entries: _all_devices(entries, "nahuku-32", "static_w"),
        "calibration",
        "measured on the board; sets static_w",
    ),
    Identity(
        "hgx-h100",
        "AC power training ResNet behind supplies of 95 %, W",
        8400.0,
        0.01,
        lambda entries: _training_w(entries) / 0.95,
        "calibration",
        "arXiv 2412.08602; sets board_active_w",
    ),
)


def _identities(entries: Catalog) -> Iterator[Row]:
    for identity in _IDENTITIES:
        try:
            found = identity.compute(entries)
        except CatalogError as error:
            yield Row("catalog", identity.case, identity.metric, "failed", identity.expected, note=str(error))
            continue
        yield compare(
            "catalog",
            identity.case,
            identity.metric,
            identity.expected,
            found,
            identity.tolerance,
            identity.source,
            holds=identity.holds,
        )


def _all_devices(entries: Catalog, system: str, key: str) -> float:
    """A number of the device times the devices in one node of the system."""
    node = entries.get(system, "system")
    return node["devices"] * _parts(node, entries)[0][key]


def _training_w(entries: Catalog) -> float:
    """DC power of an H100 node at full load, W."""
    return node_power_w(entries.get("hgx-h100", "system"), entries)[1]


def builtin() -> Iterator[Case]:
    """The shipped catalog as one case."""
    yield Case("catalog", "shipped catalog", {"kind": "catalog"})


AREA = Area("catalog", {"catalog": check}, builtin)
