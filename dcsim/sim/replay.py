"""Replay a batch trace on a pool of equal nodes: when does every job start, and what does it use?"""

from __future__ import annotations

from math import inf, nextafter
from pathlib import Path

from dcsim import workload
from dcsim.errors import ScenarioError
from dcsim.results.result import Result
from dcsim.scenario.models import Scenario
from dcsim.sim.simulate import Progress, simulate

_INTERVALS = 1000  # rows of the rack table


def replay(
    trace: Path,
    format: str,
    policy: str = "fcfs",
    nodes: int = 256,
    idle_power_w: float = 0.0,
    busy_power_w: float = 0.0,
    placement: str = "first-fit",
    progress: Progress | None = None,
) -> Result:
    """Run every job of `trace` on `nodes` equal nodes, from time 0 to the end of the last job.

    A job holds as many nodes as it has processors, from its start to its end. Powers are those of one node [W]; nothing
    is added for racks, conversion or cooling. Raises TraceError for a trace that cannot be read, PlacementError for a
    job with more processors than there are nodes, ScenarioError for a policy that does not exist.
    """
    if busy_power_w < idle_power_w:
        raise ScenarioError(
            f"--busy-power: found {busy_power_w:g} W, want at least the idle power of {idle_power_w:g} W"
        )
    block = workload.traces.read(trace, format)
    if "run_s" not in block.columns:
        raise ScenarioError(
            f"{trace}: a trace of format '{format}' has no run times; replay it as a stream of a scenario"
        )
    last_s = float(block.arrival_s[-1])
    scenario = Scenario.model_validate(
        {
            "name": "replay",
            "duration": f"{nextafter(last_s, inf)!r} s",
            "drain": True,
            "meter_interval": f"{max(last_s, 1.0) / _INTERVALS!r} s",
            "sites": {"site": {"plant": {"kind": "constant", "pue": 1.0}, "ups": "none", "transformer": "none"}},
            "racks": {
                "rack": {
                    "site": "site",
                    "frame": "none",
                    "psu": "none",
                    "pools": {
                        "nodes": {
                            "nodes": nodes,
                            "node": {
                                "devices": {
                                    "node": {"power": {"idle": f"{idle_power_w!r} W", "max": f"{busy_power_w!r} W"}}
                                }
                            },
                        }
                    },
                }
            },
            "streams": {
                "jobs": {
                    "arrivals": {"kind": "trace", "path": str(trace), "format": format},
                    "runs_on": ["nodes"],
                    "service": {"distribution": "trace"},
                }
            },
            "scheduling": {"policy": policy, "placement": placement},
        }
    )
    return simulate(scenario, progress=progress)
