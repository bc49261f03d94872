"""What tests of whole runs share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dcsim.scenario import Scenario, build


def _scenario(pools: Mapping[str, Any], streams: Mapping[str, Any], **rest: Any) -> Scenario:
    """One rack of `pools` and nothing but its nodes: no supplies, switches, UPS, cooling. `rest` replaces any of it."""
    bare = {
        "name": "small",
        "duration": "100 s",
        "meter_interval": "10 s",
        "sites": {"hall": {"ups": "none", "transformer": "none", "plant": {"kind": "constant", "pue": 1.0}}},
        "racks": {"rack": {"site": "hall", "frame": "none", "psu": "none", "pools": pools}},
        "streams": streams,
    }
    return build(bare | rest, folder="/")


@pytest.fixture(scope="session")
def scenario() -> Callable[..., Scenario]:
    """Builder of small scenarios: `scenario(pools, streams, duration="10 s")`."""
    return _scenario


def _pool(
    nodes: int = 1, devices: int = 1, idle: str = "0 W", max: str = "100 W", slots: int = 1, **node: Any
) -> dict[str, Any]:
    device = {"count": devices, "slots": slots, "power": {"idle": idle, "max": max}}
    return {"nodes": nodes, "node": {"devices": {"device": device}} | node}


@pytest.fixture(scope="session")
def pool() -> Callable[..., dict[str, Any]]:
    """Builder of pools of nodes with devices of one kind; further keys are those of the node."""
    return _pool


@pytest.fixture
def jobs_at(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Builder of streams of given jobs: `jobs_at(["pool"], [(arrival_s, run_s), ...])`."""
    made: list[Path] = []

    def stream(runs_on: list[str], jobs: list[tuple[float, ...]], **keys: Any) -> dict[str, Any]:
        path = tmp_path / f"jobs-{len(made)}.csv"
        made.append(path)
        header = "submit_s,run_s" + ",processors" * (len(jobs[0]) > 2)
        rows = [",".join(f"{value!r}" for value in job) for job in jobs]
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        service = {"distribution": "trace"} | keys.pop("service", {})
        arrivals = {"kind": "trace", "path": str(path), "format": "csv"}
        return {"arrivals": arrivals, "service": service, "runs_on": runs_on} | keys

    return stream
