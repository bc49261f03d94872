"""Jobs of a trace that hold cores only, or a part of a device, beside those that hold whole ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dcsim
from dcsim.errors import ScenarioError
from dcsim.scenario import Scenario

Build = Callable[..., Scenario]

PODS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
whole,1000,1024,1,1000,,LS,Succeeded,0,10,0
part,1000,1024,1,500,,LS,Succeeded,1,11,1
cores,4000,1024,0,0,,LS,Succeeded,2,12,2
"""


@pytest.fixture
def stream(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    (tmp_path / "pods.csv").write_text(PODS)

    def of(runs_on: str, select: str | None, **keys: Any) -> dict[str, Any]:
        arrivals = {"kind": "trace", "path": str(tmp_path / "pods.csv"), "format": "openb", "select": select}
        return {"arrivals": arrivals, "service": {"distribution": "trace"}, "runs_on": [runs_on]} | keys

    return of


def test_jobs_without_devices_do_not_take_devices(
    scenario: Build, pool: Callable[..., Any], stream: Callable[..., Any]
) -> None:
    with pytest.raises(ScenarioError, match=r"streams.s: found 1 jobs in its trace that hold host cores and no device"):
        dcsim.simulate(scenario({"gpus": pool(2)}, {"s": stream("gpus", None)}))


def test_each_sort_on_its_own_pool(scenario: Build, pool: Callable[..., Any], stream: Callable[..., Any]) -> None:
    hosts = {"nodes": 1, "node": {"cores": 8, "memory": "64 GiB", "host": {"max": "80 W"}}}
    streams = {"gpu": stream("gpus", "gpu"), "cpu": stream("hosts", "cpu", needs={"devices": 0, "cores": 1})}
    result = dcsim.simulate(scenario({"gpus": pool(2), "hosts": hosts}, streams))
    assert result.summary["streams"]["gpu"]["completed"] == 2
    jobs = result.jobs.set_index("stream")
    assert jobs.loc["cpu", "energy_node_marginal_j"] == pytest.approx(10 * 80 * 4 / 8)  # four of eight cores
    (warning,) = [line for line in result.summary["trust"]["warnings"] if "part of a device" in line]
    assert warning.startswith("streams.gpu: 1 jobs of its trace hold a part of a device")
