"""A scenario to a result."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, GeneratorType

from dcsim import catalog
from dcsim.errors import ScenarioError, nearest
from dcsim.results.result import Result
from dcsim.scenario.models import Scenario
from dcsim.sim import accounts, control
from dcsim.sim.clock import Clock
from dcsim.sim.control import Controller, SimPyProcess
from dcsim.sim.model import Model

Progress = Callable[[float, int], None]

_SEEDS = 2**63
_REPORTS = 400  # calls of the progress function in a run


def simulate(
    scenario: Scenario,
    *,
    seed: int | None = None,
    progress: Progress | None = None,
    processes: Mapping[str, Controller] | None = None,
    folder: Path | None = None,
) -> Result:
    """Run `scenario` once.

    Parameters:
        seed: root of every random stream, instead of the scenario's
        progress: called now and then with the simulated time [s] and the number of jobs finished
        processes: SimPy processes by name, in place of the default one of that name or beside them; each is a
            generator function of the `Model` (see `dcsim.sim.control`)
        folder: where relative trace paths are looked up first

    SIGINT ends the run early: what is finished is in the result, whose `interrupted` is true; before anything has
    happened, and a second time outside of a process, it is a KeyboardInterrupt. Raises ScenarioError, CatalogError,
    PlacementError or TraceError before the run starts when something asked for is impossible, and later whatever a
    process raises.
    """
    started = time.perf_counter()
    if seed is not None:
        if not 0 <= seed < _SEEDS:
            raise ScenarioError(f"seed: found {seed}, want 0 to {_SEEDS - 1}")
        scenario = scenario.model_copy(update={"seed": seed})
    view = catalog.load([Path(path) for path in scenario.catalog])
    model = Model(scenario, view, scenario.seed, folder)
    for name, controller in _controllers(model, processes or {}).items():
        model.processes[name] = model.clock.process(_started(name, controller, model))
    if progress is not None:
        model.clock.process(_report(model, progress))
    with _interruptible(model.clock) as interrupted:
        model.clock.run(until=scenario.duration)
        while scenario.drain and model.dispatcher.unfinished and not interrupted:
            model.clock.step()
    if interrupted and model.clock.now <= 0.0:
        raise KeyboardInterrupt
    model.meter.read()
    for site in model.plants.values():
        site.book()
    return accounts.result(model, interrupted=bool(interrupted), wall_s=time.perf_counter() - started)


def _controllers(model: Model, own: Mapping[str, Controller]) -> dict[str, Controller]:
    """The default processes with the user's own in their places or beside them."""
    defaults = control.defaults(model)
    for name in own:
        sort = name.partition(":")[0]
        alike = [known for known in defaults if known.startswith(f"{sort}:")]
        if ":" in name and alike and name not in alike:
            raise ScenarioError(f"process '{name}': there is no such {sort}{nearest(name, alike)}")
    return defaults | dict(own)


def _started(name: str, controller: Controller, model: Model) -> SimPyProcess:
    process = controller(model) if callable(controller) else controller
    if not callable(controller) or not isinstance(process, GeneratorType):
        raise ScenarioError(
            f"process '{name}': found {type(process).__name__}, want a generator function of the model (it yields)"
        )
    process.__name__ = name  # what SimPy shows as the name of the process
    return process


def _report(model: Model, progress: Progress) -> SimPyProcess:
    step_s = model.scenario.duration / _REPORTS
    while True:
        yield model.clock.timeout(step_s)
        progress(float(model.clock.now), model.dispatcher.finished)


@contextmanager
def _interruptible(clock: Clock) -> Iterator[list[int]]:
    """Turn SIGINT into an early end of the run; the list is not empty afterwards if one came."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        if caught:  # a process that never yields does not see the first one
            raise KeyboardInterrupt
        caught.append(number)
        clock.halt()

    previous = signal.signal(signal.SIGINT, stop)
    try:
        yield caught
    finally:
        signal.signal(signal.SIGINT, previous)
