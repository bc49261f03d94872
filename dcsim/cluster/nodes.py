"""What one node is: its devices by kind, its host, and its power, price and embodied carbon.

Both forms that a scenario may write, a catalog system and a node described in place, become the same `NodeSpec`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dcsim.catalog import Catalog, Entry
from dcsim.cluster import curves
from dcsim.facility.embodied import Band, of_entry
from dcsim.scenario.hardware import CustomNode, Pool


@dataclass(frozen=True)
class DeviceKind:
    """Equal devices of one node."""

    name: str
    count: int
    slots: int = 1
    """jobs at a time, where the node is described in the scenario"""
    entry: Entry | None = None
    """catalog chip or GPU"""
    curve: Callable[[float], float] | None = None
    """power above idle against load, where the node is described in the scenario"""


@dataclass(frozen=True)
class NodeSpec:
    """One node. Powers are idle powers at the output of the power supplies."""

    system: str
    family: str
    """gpu, neuromorphic, cpu or custom"""
    kinds: tuple[DeviceKind, ...]
    boards: int
    """boards that carry the devices, equally many each"""
    cores: int
    memory_bytes: float
    host_curve: Callable[[float], float] | None
    chip_idle_w: float
    board_idle_w: float
    host_idle_w: float
    max_w: float
    """most that the node can draw; sizes its power supplies"""
    price_usd: float | None
    embodied_kg: Band | None

    @property
    def devices(self) -> int:
        """Devices of all kinds; a CPU-only node counts as one."""
        return sum(kind.count for kind in self.kinds) or 1

    @property
    def idle_w(self) -> float:
        """Power with no job, W."""
        return self.chip_idle_w + self.board_idle_w + self.host_idle_w


def from_pool(pool: Pool, catalog: Catalog) -> NodeSpec:
    """The node of a pool. CatalogError for a system that the catalog does not know."""
    if pool.node is not None:
        spec = _custom(pool.node)
    else:
        assert pool.system is not None  # the scenario was checked
        spec = _from_catalog(catalog.get(pool.system, "system"), catalog)
    return spec if pool.price is None else replace(spec, price_usd=pool.price)


def _custom(node: CustomNode) -> NodeSpec:
    kinds = tuple(
        DeviceKind(name, device.count, device.slots, curve=curves.from_scenario(device.power))
        for name, device in node.devices.items()
    )
    idle_w = sum(device.power.idle * device.count for device in node.devices.values())
    max_w = sum(device.power.max * device.count for device in node.devices.values())
    host = node.host
    embodied = None if node.embodied is None else Band(node.embodied, node.embodied, node.embodied)
    return NodeSpec(
        system="custom",
        family="custom" if kinds else "cpu",
        kinds=kinds,
        boards=1,
        cores=node.cores,
        memory_bytes=node.memory,
        host_curve=curves.from_scenario(host) if host else None,
        chip_idle_w=idle_w,
        board_idle_w=0.0,
        host_idle_w=host.idle if host else 0.0,
        max_w=max_w + (host.max if host else 0.0),
        price_usd=None,
        embodied_kg=embodied,
    )


def _from_catalog(system: Entry, catalog: Catalog) -> NodeSpec:
    device = catalog.get(str(system.facts["device"]))
    host_name = str(system.facts.get("host", "none"))
    host = catalog.get(host_name, "host") if host_name != "none" else None
    count = int(system["devices"])
    chip_idle_w = device["idle_w" if device.kind == "gpu" else "static_w"] if _has_idle(device) else 0.0
    return NodeSpec(
        system=system.name,
        family=str(system.facts["family"]),
        kinds=(DeviceKind(device.name, count, entry=device),),
        boards=int(system.get("boards", 1.0)),
        cores=int(host["cores"]) if host and "cores" in host else 0,
        memory_bytes=host["memory_bytes"] if host and "memory_bytes" in host else 0.0,
        host_curve=None,
        chip_idle_w=chip_idle_w * count,
        board_idle_w=system.get("board_idle_w", 0.0),
        host_idle_w=host["idle_w"] if host else 0.0,
        max_w=_max_w(system, device, host, count),
        price_usd=_price(system, device, host, count),
        embodied_kg=_embodied(system, device, host, count),
    )


def _has_idle(device: Entry) -> bool:
    return ("idle_w" if device.kind == "gpu" else "static_w") in device


def _max_w(system: Entry, device: Entry, host: Entry | None, count: int) -> float:
    """Nameplate: the system's own, or devices at TDP (chips: active, twice idle if unpublished) + board + host."""
    if "max_w" in system:
        return system["max_w"]
    if device.kind == "gpu":
        device_w = device["tdp_w"]
    else:
        device_w = device["active_w"] if "active_w" in device else 2.0 * device.get("static_w", 0.0)
    board_w = system.get("board_idle_w", 0.0) + system.get("board_active_w", 0.0)
    return device_w * count + board_w + (host["max_w"] if host else 0.0)


def _price(system: Entry, device: Entry, host: Entry | None, count: int) -> float | None:
    """Devices, host and the system's own, which is for the rest; None when a device's or the host's is unknown."""
    if "price_usd" not in device or (host is not None and "price_usd" not in host):
        return None
    return device["price_usd"] * count + system.get("price_usd", 0.0) + (host["price_usd"] if host else 0.0)


def _embodied(system: Entry, device: Entry, host: Entry | None, count: int) -> Band | None:
    """Devices, and board and host where the catalog has them; None when the devices' own is unknown."""
    own = of_entry(device)
    if own is None:
        return None
    others = [of_entry(entry) for entry in (system, host) if entry is not None]
    return own.scaled(count).plus(*(band for band in others if band is not None))
