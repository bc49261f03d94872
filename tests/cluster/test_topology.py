"""Hardware as a struct of arrays: who stands where, by number; and what one node is."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim import catalog
from dcsim.cluster import nodes, topology
from dcsim.errors import CatalogError, ScenarioError
from dcsim.scenario.hardware import Pool
from dcsim.scenario.models import Scenario

MIXED = {"devices": {"x": {"count": 2, "power": {"max": "9 W"}}, "y": {"count": 1, "power": {"max": "9 W"}}}}
CPU_ONLY = {"cores": 16, "host": {"idle": "100 W", "max": "300 W"}}


def scenario(racks, sites=("north", "south")):
    stream = {
        "arrivals": {"kind": "schedule", "times": ["0 s"]},
        "runs_on": ["mixed"],
        "service": {"distribution": "fixed", "mean": "1 s"},
    }
    parts = {"name": "t", "duration": "1 h", "sites": {site: {} for site in sites}, "racks": racks}
    return Scenario.model_validate({**parts, "streams": {"s": stream}})


RACKS = {
    "both": {
        "site": "south",
        "count": 2,
        "pools": {"mixed": {"nodes": 2, "node": MIXED}, "cpu": {"nodes": 1, "node": CPU_ONLY}},
    },
    "more": {"site": "south", "pools": {"mixed": {"nodes": 3, "node": MIXED}}},
    "gpus": {"site": "north", "count": 2, "pools": {"h100": {"nodes": 1, "system": "hgx-h100"}}},
}


def test_everything_is_numbered_rack_by_rack():
    cluster = topology.build(scenario(RACKS), catalog.load())
    assert cluster.sites == ("north", "south")
    assert cluster.racks == ("both-0", "both-1", "more-0", "gpus-0", "gpus-1")
    assert cluster.rack_group == ("both", "both", "more", "gpus", "gpus")
    assert cluster.rack_site.tolist() == [1, 1, 1, 0, 0]
    assert cluster.rack_nodes.tolist() == [3, 3, 3, 1, 1]
    assert [pool.name for pool in cluster.pools] == ["mixed", "cpu", "h100"]
    assert cluster.cell_rack.tolist() == [0, 0, 1, 1, 2, 3, 4]
    assert cluster.cell_pool.tolist() == [0, 1, 0, 1, 0, 2, 2]
    assert cluster.cell_nodes.tolist() == [2, 1, 2, 1, 3, 1, 1]
    assert cluster.node_cell.tolist() == [0, 0, 1, 2, 2, 3, 4, 4, 4, 5, 6]
    assert [pool.nodes.tolist() for pool in cluster.pools] == [[0, 1, 3, 4, 6, 7, 8], [2, 5], [9, 10]]
    assert [pool.site for pool in cluster.pools] == ["south", "south", "north"]
    assert np.bincount(cluster.device_node).tolist() == [3, 3, 1, 3, 3, 1, 3, 3, 3, 8, 8]
    assert cluster.device_kind[:7] == ("x", "x", "y", "x", "x", "y", "cpu")
    assert cluster.device_kind[-16:] == ("h100-sxm",) * 16
    assert cluster.pool_number("h100") == 2


def test_boards_are_numbered_through_all_nodes_and_carry_equally_many_devices():
    pools = {"mixed": {"nodes": 2, "node": MIXED}, "frame": {"nodes": 1, "system": "spinnaker-frame-24"}}
    racks = {"r": {"site": "north", "pools": pools}}
    cluster = topology.build(scenario(racks), catalog.load())
    assert cluster.device_board[:6].tolist() == [0, 0, 0, 1, 1, 1]
    frame = cluster.device_board[6:]
    assert np.bincount(frame).tolist() == [0, 0] + [48] * 24
    assert (np.diff(frame) >= 0).all()


def test_too_many_devices_are_refused():
    node = {"devices": {"x": {"count": 600, "power": {"max": "1 W"}}}}
    racks = {"r": {"site": "north", "count": 100, "pools": {"mixed": {"nodes": 17, "node": node}}}}
    with pytest.raises(ScenarioError, match="racks: 1,020,000 devices; at most 1,000,000 are allowed"):
        topology.build(scenario(racks), catalog.load())


# ---------------------------------------------------------------- one node


def spec(**pool):
    return nodes.from_pool(Pool.model_validate({"nodes": 1, **pool}), catalog.load())


def test_node_described_in_place():
    device = {"count": 4, "slots": 2, "power": {"shape": "sqrt", "idle": "50 W", "max": "250 W"}}
    node = spec(
        node={
            "devices": {"x": device},
            "cores": 32,
            "memory": "1 KiB",
            "host": {"idle": "100 W", "max": "300 W"},
            "embodied": "7 kg",
        },
        price="5000 USD",
    )
    assert (node.system, node.family, node.devices, node.cores, node.memory_bytes) == (
        "custom",
        "custom",
        4,
        32,
        1024.0,
    )
    assert (node.chip_idle_w, node.board_idle_w, node.host_idle_w, node.idle_w) == (200.0, 0.0, 100.0, 300.0)
    assert node.max_w == 4 * 250.0 + 300.0
    assert node.price_usd == 5000.0
    assert node.embodied_kg is not None
    assert (node.embodied_kg.low, node.embodied_kg.high) == (7.0, 7.0)
    (kind,) = node.kinds
    assert (kind.name, kind.count, kind.slots) == ("x", 4, 2)
    assert kind.curve(0.25) == pytest.approx(100.0)
    assert node.host_curve(0.5) == pytest.approx(100.0)


def test_node_without_devices_counts_as_one():
    node = spec(node=CPU_ONLY)
    assert (node.family, node.devices, node.kinds, node.idle_w, node.max_w) == ("cpu", 1, (), 100.0, 300.0)


def test_node_of_the_catalog_adds_up_its_parts():
    known = catalog.load()
    system, gpu = known.get("hgx-h100", "system"), known.get("h100-sxm", "gpu")
    host = known.get(str(system.facts["host"]), "host")
    node = spec(system="hgx-h100")
    assert (node.system, node.family, node.devices) == ("hgx-h100", "gpu", 8)
    assert node.chip_idle_w == 8 * gpu["idle_w"]
    assert node.idle_w == pytest.approx(8 * gpu["idle_w"] + system["board_idle_w"] + host["idle_w"])
    assert node.max_w > node.idle_w
    assert node.price_usd == pytest.approx(system["price_usd"] + 8 * gpu["price_usd"] + host["price_usd"])
    assert spec(system="hgx-h100", price="1 USD").price_usd == 1.0


def test_system_that_the_catalog_does_not_know():
    with pytest.raises(CatalogError, match="did you mean 'hgx-h100'"):
        spec(system="hgx-h10")
