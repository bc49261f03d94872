"""The SimPy processes of a run, by name. Each is a generator function that takes the `Model`.

    stream:NAME   lets the jobs of one stream arrive
    scheduler     starts waiting jobs
    rack:NAME     takes nodes of one rack down for their outages and brings them up again
    meter         reads the meters of all racks at the end of every interval
    plant:SITE    books the building of one site

Any of them can be replaced: `simulate(scenario, processes={"rack:gpu-0": my_controller})`; a new name adds a process.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from math import inf
from typing import Any

from dcsim.scenario.models import Outage
from dcsim.sim.model import Model

SimPyProcess = Generator[Any, Any, Any]
Controller = Callable[[Model], SimPyProcess]

_DAY_S = 86400.0
_SLIVER = 1e-9  # of an interval: what rounding may leave between its last reading and the end


def defaults(model: Model) -> dict[str, Controller]:
    """Name -> generator function of every process that the model needs."""
    controllers: dict[str, Controller] = {"scheduler": scheduler}
    controllers |= {f"stream:{name}": stream(name) for name in model.scenario.streams}
    controllers |= {f"rack:{name}": rack(name) for name in model.cluster.racks}
    controllers["meter"] = meter
    controllers |= {f"plant:{name}": plant(name) for name in model.cluster.sites}
    return controllers


def scheduler(model: Model) -> SimPyProcess:
    """First come, first served: decided at arrivals and completions, so that no pass is needed."""
    model.dispatcher.in_order = True
    yield model.clock.event()


def stream(name: str) -> Controller:
    """Arrivals of one stream as its scenario describes them."""

    def arrive(model: Model) -> SimPyProcess:
        yield model.arrivals(name)

    return arrive


def rack(name: str) -> Controller:
    """Rack controller: the scheduled outages of its nodes."""

    def control(model: Model) -> SimPyProcess:
        number = model.cluster.racks.index(name)
        for outage in model.scenario.outages:
            node = model.pool(outage.pool).nodes[outage.node]
            if model.cluster.cell_rack[model.cluster.node_cell[node]] == number:
                model.clock.process(_outage(model, outage))
        yield model.clock.event()

    return control


def _outage(model: Model, outage: Outage) -> SimPyProcess:
    yield model.clock.timeout(outage.start)
    model.take_down(outage.pool, outage.node)
    yield model.clock.timeout(outage.start + outage.duration - model.clock.now)
    model.bring_up(outage.pool, outage.node)


def meter(model: Model) -> SimPyProcess:
    """Read the meters at every multiple of the interval and wherever a signal of a site takes another value.

    The last reading is taken when the run ends.
    """
    scenario, interval_s = model.scenario, model.meter.interval_s
    end_s = inf if scenario.drain else scenario.duration - _SLIVER * interval_s
    cuts_s = iter([*model.cuts_s(), inf])
    number, cut_s = 1, next(cuts_s)
    while (due_s := min(number * interval_s, cut_s)) < end_s:
        yield model.clock.timeout(due_s - model.clock.now)
        model.meter.read()
        number += due_s == number * interval_s
        cut_s = next(cuts_s) if due_s == cut_s else cut_s


def plant(name: str) -> Controller:
    """Book the building by the day; the rest is booked when the run ends."""

    def book(model: Model) -> SimPyProcess:
        while True:
            yield model.clock.timeout(_DAY_S)
            model.plants[name].book()

    return book
