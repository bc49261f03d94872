"""dcsim: discrete-event simulation of AI data centers that mix GPU racks and neuromorphic racks.

    import dcsim
    result = dcsim.simulate(dcsim.load("scenario.yaml"))
    print(result.summary["energy"])

Public names are imported when they are first used, so that `import dcsim` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcsim import catalog, errors
    from dcsim.results import Result
    from dcsim.scenario import Scenario, load
    from dcsim.sim.clock import Clock
    from dcsim.sim.simulate import simulate

__version__ = "0.1.0"

#: Public name -> module that has it; a module that is itself the name has no entry of its own.
_HOMES = {
    "Clock": "dcsim.sim.clock",
    "Result": "dcsim.results",
    "Scenario": "dcsim.scenario",
    "load": "dcsim.scenario",
    "simulate": "dcsim.sim.simulate",
}
_MODULES = ("catalog", "errors")

__all__ = ["Clock", "Result", "Scenario", "__version__", "catalog", "errors", "load", "simulate"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"dcsim.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'dcsim' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
