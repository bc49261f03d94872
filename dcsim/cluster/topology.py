"""The hardware of a scenario as a struct of arrays: sites, racks, cells, nodes and devices, by number.

A cell is the nodes of one pool in one rack: the smallest part whose power is integrated on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcsim.catalog import Catalog
from dcsim.cluster import nodes
from dcsim.cluster.nodes import NodeSpec
from dcsim.errors import ScenarioError
from dcsim.scenario.hardware import Serving
from dcsim.scenario.models import Scenario
from dcsim.service import IntArray

MAX_DEVICES = 1_000_000


@dataclass(frozen=True)
class PoolSpec:
    """Equal nodes that jobs are placed on."""

    name: str
    site: str
    spec: NodeSpec
    nodes: IntArray
    """numbers of its nodes"""
    serving: Serving | None = None
    """how it serves language models, where the scenario says so"""


@dataclass(frozen=True)
class Cluster:
    """All hardware. Every array is indexed by the number of what its name says first."""

    sites: tuple[str, ...]
    racks: tuple[str, ...]
    """rack names: group-number"""
    rack_group: tuple[str, ...]
    rack_site: IntArray
    rack_nodes: IntArray
    """nodes in the rack"""
    pools: tuple[PoolSpec, ...]
    cell_rack: IntArray
    cell_pool: IntArray
    cell_nodes: IntArray
    """nodes in the cell"""
    node_cell: IntArray
    device_node: IntArray
    device_board: IntArray
    """boards are numbered through all nodes"""
    device_kind: tuple[str, ...]

    def pool_number(self, name: str) -> int:
        """Number of the pool `name`."""
        return next(number for number, pool in enumerate(self.pools) if pool.name == name)


def build(scenario: Scenario, catalog: Catalog) -> Cluster:
    """Lay out the racks of a scenario. ScenarioError when there are more devices than dcsim takes."""
    specs: dict[str, NodeSpec] = {}
    pool_site: dict[str, str] = {}
    serving: dict[str, Serving | None] = {}
    for group in scenario.racks.values():
        for name, pool in group.pools.items():
            if name not in specs:
                specs[name] = nodes.from_pool(pool, catalog)
                pool_site[name] = group.site
                serving[name] = pool.serving
    _check_size(scenario, specs)
    names = list(specs)
    sites = tuple(scenario.sites)
    racks: list[str] = []
    rack_group: list[str] = []
    rack_site: list[int] = []
    cells: list[tuple[int, int, int]] = []  # rack, pool, nodes
    for group_name, group in scenario.racks.items():
        for number in range(group.count):
            cells += [(len(racks), names.index(name), pool.nodes) for name, pool in group.pools.items()]
            racks.append(f"{group_name}-{number}")
            rack_group.append(group_name)
            rack_site.append(sites.index(group.site))
    cell_rack, cell_pool, cell_nodes = (np.array(column, np.int64) for column in zip(*cells, strict=True))
    node_cell = np.repeat(np.arange(len(cells)), cell_nodes)
    node_pool = cell_pool[node_cell]
    per_node = np.array([specs[name].devices for name in names])[node_pool]
    pools = tuple(
        PoolSpec(name, pool_site[name], specs[name], np.flatnonzero(node_pool == number), serving[name])
        for number, name in enumerate(names)
    )
    kinds = {number: _kinds(specs[name]) for number, name in enumerate(names)}
    device_node = np.repeat(np.arange(len(node_cell)), per_node)
    boards = np.array([specs[name].boards for name in names])[node_pool]
    place = np.arange(len(device_node)) - np.repeat(np.cumsum(per_node) - per_node, per_node)
    on_board = place * boards[device_node] // per_node[device_node]
    return Cluster(
        sites=sites,
        racks=tuple(racks),
        rack_group=tuple(rack_group),
        rack_site=np.array(rack_site),
        rack_nodes=np.bincount(cell_rack, cell_nodes, len(racks)).astype(np.int64),
        pools=pools,
        cell_rack=cell_rack,
        cell_pool=cell_pool,
        cell_nodes=cell_nodes,
        node_cell=node_cell,
        device_node=device_node,
        device_board=(np.cumsum(boards) - boards)[device_node] + on_board,
        device_kind=tuple(kind for pool in node_pool.tolist() for kind in kinds[pool]),
    )


def _kinds(spec: NodeSpec) -> list[str]:
    return [kind.name for kind in spec.kinds for _ in range(kind.count)] or ["cpu"]


def _check_size(scenario: Scenario, specs: dict[str, NodeSpec]) -> None:
    devices = sum(
        group.count * pool.nodes * specs[name].devices
        for group in scenario.racks.values()
        for name, pool in group.pools.items()
    )
    if devices > MAX_DEVICES:
        raise ScenarioError(f"racks: {devices:,} devices; at most {MAX_DEVICES:,} are allowed")
