"""A scenario made ready to run: hardware, dispatcher, streams, meters and plants.

`Model` is what every SimPy process of a run gets: the default ones of `dcsim.sim.control` and a user's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from pathlib import Path

import numpy as np
from simpy.events import Event, Process

from dcsim import seeds, workload
from dcsim.catalog import Catalog
from dcsim.cluster import topology
from dcsim.cluster.ledger import Cell
from dcsim.errors import ScenarioError, nearest
from dcsim.results.recorder import JobTable
from dcsim.results.tables import SHOWN
from dcsim.scenario.loops import Closed, Sessions
from dcsim.scenario.models import Scenario
from dcsim.scenario.replay import Replay
from dcsim.service import FloatArray, Service
from dcsim.sim import clock, demand
from dcsim.sim.clock import Clock
from dcsim.sim.dispatch import Dispatcher
from dcsim.sim.fleet import Fleet
from dcsim.sim.loops import Loop
from dcsim.sim.meters import Meter
from dcsim.sim.plant import SitePlant

#: Bad rows of a stream's trace that a run's warnings quote; the others are only counted.
_MOST_TOLD = 3


class Model:
    """One run of one scenario. Everything of it can be read, and much of it changed, while it runs."""

    def __init__(self, scenario: Scenario, catalog: Catalog, seed: int, folder: Path | None = None) -> None:
        self.scenario, self.catalog, self.seed, self.folder = scenario, catalog, seed, folder
        self.clock = Clock()
        self.cluster = topology.build(scenario, catalog)
        pools = {pool.name: pool for pool in self.cluster.pools}
        self._replays = {
            name: list(self._read(name))
            for name, stream in scenario.streams.items()
            if isinstance(stream.arrivals, Replay)
        }
        self._varied = {name for name in self._replays if self._has_usage(name)}
        by_device = [scenario.streams[name] for name in self._varied if scenario.streams[name].needs.devices]
        on = {pool for stream in by_device for pool in stream.runs_on}
        self.uses = {
            name: demand.uses(name, stream, pools, catalog, seed, on) for name, stream in scenario.streams.items()
        }
        self.told: list[str] = []
        """what a user should know of the traces"""
        demand.check_decode_pools(self.uses)
        for stream in scenario.streams.values():
            if stream.workload is not None:  # what it left to its kind of work was filled in before the run
                kind = catalog.get(stream.workload, "workload")
                for key in kind:
                    kind.quantity(key)
        for name in scenario.streams:
            self._check(name)
        self.table = JobTable(
            [pool.name for pool in self.cluster.pools],
            demand.shared(self.uses),
            demand.hosted(self.uses),
            demand.served(self.uses),
        )
        self.fleet = Fleet(self.cluster, self.table, self.uses, scenario, self._gangs(), self._varied)
        self.loops = {
            name: Loop(self, name, stream.arrivals)
            for name, stream in scenario.streams.items()
            if isinstance(stream.arrivals, Closed | Sessions)
        }
        """streams whose next job waits for an answer"""
        followed = {pool: self._over for name in self.loops for pool in self.uses[name]}
        self.dispatcher = Dispatcher(self.clock, self.table, self.fleet.pools, self.fleet.classes, followed)
        self.dispatcher.ahead = lambda: sum(loop.ahead for loop in self.loops.values())
        self.meter = Meter(self.clock, self.fleet.cells, scenario.meter_interval)
        self.plants = {
            site: SitePlant(scenario, catalog, self.cluster, self.meter, site, folder) for site in self.cluster.sites
        }
        self.processes: dict[str, Process] = {}
        """SimPy processes of the run by name"""
        self.dropped: dict[str, Counter[str]] = {name: Counter() for name in scenario.streams}
        """stream -> reason -> rows of its trace that became no job"""
        self.down_s = dict.fromkeys(self.fleet.nodes, 0.0)
        """pool -> node-seconds of outages that have ended"""
        self._outages: dict[tuple[str, int], int] = {}
        self._down_since_s: dict[tuple[str, int], float] = {}
        self._random = {
            (name, pool): seeds.generator(seed, 0, f"stream/{name}/profile/{pool}")
            for name, uses in self.uses.items()
            for pool in uses
        }
        self._dealers = {name: seeds.generator(seed, 0, f"stream/{name}/route") for name in self.uses}

    # ------------------------------------------------------------ to look at

    def pool(self, name: str) -> topology.PoolSpec:
        """The pool `name`."""
        return self.cluster.pools[_find("pool", name, [pool.name for pool in self.cluster.pools])]

    def rack_power_w(self, rack: str) -> float:
        """Power of a rack's nodes now, at the output of their power supplies, W."""
        number = _find("rack", rack, self.cluster.racks)
        return sum(cell.power_w for cell in self.fleet.cells if cell.rack == number)

    def site_power_w(self, site: str) -> float:
        """Power of a site's nodes now, at the output of their power supplies, W."""
        number = _find("site", site, self.cluster.sites)
        return sum(cell.power_w for cell in self.fleet.cells if self.cluster.rack_site[cell.rack] == number)

    def cells_of(self, site: str) -> list[Cell]:
        """The parts of racks that stand in `site`."""
        number = _find("site", site, self.cluster.sites)
        return [cell for cell in self.fleet.cells if self.cluster.rack_site[cell.rack] == number]

    def cuts_s(self) -> list[float]:
        """Moments at which a signal of any site takes another value, ascending, s."""
        return sorted({moment_s for plant in self.plants.values() for moment_s in plant.changes_s})

    def random(self, name: str) -> np.random.Generator:
        """A random stream for a process of your own, named so that it disturbs no other."""
        return seeds.generator(self.seed, 0, f"user/{name}")

    # ------------------------------------------------------------ jobs

    def submit(self, stream: str, **sizes: float) -> int:
        """One job of `stream` arrives now; return its number.

        `sizes` are the columns that its service needs: input_tokens and output_tokens, or run_s [s].
        """
        _find("stream", stream, list(self.uses))
        for use in self.uses[stream].values():
            for key in use.columns:
                if key not in sizes:
                    raise ScenarioError(f"submit('{stream}'): missing {key}, which its jobs need")
        for key, value in sizes.items():
            if not (0.0 <= value < inf and (key != "processors" or value >= 1.0)):
                least = "1" if key == "processors" else "0"
                raise ScenarioError(f"submit('{stream}'): found {key} {value!r}, want a number from {least}")
        columns = {key: np.array([float(value)]) for key, value in sizes.items()}
        first = self.reserve(stream, np.array([self.clock.now], np.float64), columns, {})
        self.dispatcher.arrival(None)(first)
        return first

    def arrivals(self, stream: str) -> Event:
        """Let the jobs that the scenario describes for `stream` arrive; the event fires when the last one has.

        For a stream whose next job waits for an answer it fires at the end of the scenario's duration.
        """
        replayed = self._replays.get(stream, ())
        varies = self._mixed(stream) or any(self._asked(stream, block.columns) for block in replayed)
        kind = None if varies else self.fleet.only_class(stream)
        if stream in self.loops:
            self.loops[stream].start(self.dispatcher.arrival(kind))
            return self.clock.timeout(self.scenario.duration - self.clock.now)
        blocks = iter(self._replays[stream]) if stream in self._replays else self._read(stream)
        over = self.clock.event()
        self.clock.feed(self._feed(stream, blocks, over), self.dispatcher.arrival(kind))
        return over

    def _over(self, job: int) -> None:
        loop = self.loops.get(self.fleet.classes[self.table.job_class[job]].stream)
        if loop is not None:
            loop.ended(job)

    # ------------------------------------------------------------ outages

    def take_down(self, pool: str, node: int) -> None:
        """Node `node` of `pool` fails now: its jobs go back to their queues, it draws idle power. Outages nest."""
        key = (pool, self._node(pool, node))
        self._outages[key] = self._outages.get(key, 0) + 1
        if self._outages[key] == 1:
            self._down_since_s[key] = float(self.clock.now)
            self.dispatcher.take_down(self.fleet.pool(pool), self.fleet.nodes[pool][node])

    def bring_up(self, pool: str, node: int) -> None:
        """One outage of the node is over."""
        key = (pool, self._node(pool, node))
        if not self._outages.get(key):
            raise ScenarioError(f"bring_up('{pool}', {node}): the node is not down")
        self._outages[key] -= 1
        if not self._outages[key]:
            self.down_s[pool] += float(self.clock.now) - self._down_since_s.pop(key)
            self.dispatcher.bring_up(self.fleet.pool(pool), self.fleet.nodes[pool][node])

    def node_down_s(self, pool: str) -> float:
        """Node-seconds that nodes of `pool` have been down so far."""
        now = float(self.clock.now)
        return self.down_s[pool] + sum(now - since for (name, _), since in self._down_since_s.items() if name == pool)

    def _node(self, pool: str, node: int) -> int:
        if not 0 <= node < len(self.pool(pool).nodes):
            last = len(self.pool(pool).nodes) - 1
            raise ScenarioError(f"found node {node} of pool '{pool}', want 0 to {last}")
        return node

    # ------------------------------------------------------------ the scenario's streams

    def _check(self, name: str) -> None:
        """ScenarioError for a stream whose jobs lack what their service needs to know.

        PlacementError when its longest request is more than a replica takes.
        """
        stream = self.scenario.streams[name]
        known = {"input_tokens", "output_tokens"} if stream.sizes is not None else set()
        known |= {"run_s"} if stream.service is not None else set()
        for block in self._replays.get(name, ()):
            known |= set(block.columns)
        self._check_kinds(name)
        if name in self._gangs() and stream.needs.devices == 0:
            raise ScenarioError(
                f"streams.{name}.needs.devices: found 0, but the trace says how many processors each job holds, want 1"
            )
        for pool, use in self.uses[name].items():
            missing = [key for key in use.columns if key not in known]
            if missing:
                trace = "a trace with them, or " if name in self._replays else ""
                raise ScenarioError(
                    f"streams.{name}.sizes: missing; model '{stream.model}' needs {' and '.join(missing)}: want {trace}"
                    "the name of a size table or {input_tokens: ..., output_tokens: ...}"
                )
            for key in ("ttft", "tpot"):
                if getattr(stream.slo, key) is not None and use.replica is None:
                    why = "times whole requests only" if "output_tokens" in use.columns else "generates no tokens"
                    raise ScenarioError(
                        f"streams.{name}.slo.{key}: model '{stream.model}' {why} on pool '{pool}', want latency"
                    )
            if isinstance(use.profile, demand.ReplicaProfile):
                use.profile.check(self._longest(name))
        if stream.sizes is not None and not any("input_tokens" in use.columns for use in self.uses[name].values()):
            raise ScenarioError(f"streams.{name}.sizes: found tokens, but model '{stream.model}' takes none")

    def _check_kinds(self, name: str) -> None:
        """ScenarioError for jobs of a trace that hold cores only, on devices; a warning for those with part of one."""
        stream = self.scenario.streams[name]
        for block in self._replays.get(name, ()) if stream.service is not None and stream.needs.devices else ():
            if "device_kind" in block.columns:
                cpu = [number for number, kind in enumerate(block.labels["device_kind"]) if kind == "cpu"]
                found = int(np.isin(block.columns["device_kind"], cpu).sum())
                if found:
                    raise ScenarioError(
                        f"streams.{name}: found {found:,} jobs in its trace that hold host cores and no device; want "
                        "`select: gpu` in arrivals, and for the others a stream with needs {devices: 0, cores: 1}"
                    )
            if "share" in block.columns and stream.needs.share == 1.0:
                parts = int((block.columns["share"] < 1.0).sum())
                if parts:
                    self.told.append(
                        f"streams.{name}: {parts:,} jobs of its trace hold a part of a device; each takes a whole one, "
                        "as needs.share says nothing else"
                    )

    def _longest(self, name: str) -> int:
        """Tokens of the longest request that a stream may bring."""
        spec = self.scenario.streams[name].sizes
        if spec is not None:
            return workload.most_tokens(spec, self.catalog)
        blocks = [block.columns for block in self._replays[name]]
        return max((int((each["input_tokens"] + each["output_tokens"]).max()) for each in blocks), default=0)

    def _gangs(self) -> set[str]:
        """Streams whose trace or mix says how many processors each job holds; a model brings its own devices."""
        replayed = {
            name
            for name, blocks in self._replays.items()
            if self.scenario.streams[name].service is not None
            and any("processors" in block.columns for block in blocks)
            and not (self.scenario.streams[name].needs.devices == 0 and all("cores" in b.columns for b in blocks))
        }
        return replayed | {name for name in self.scenario.streams if self._mixed(name)}

    def _mixed(self, name: str) -> bool:
        """Whether a catalog mix says how many devices each job of the stream holds."""
        service = self.scenario.streams[name].service
        return service is not None and service.distribution == "mix"

    def _has_usage(self, name: str) -> bool:
        """Whether the demand of the stream's jobs varies while they run: by the trace that also says for how long."""
        service = self.scenario.streams[name].service
        by_trace = service is not None and service.distribution == "trace"
        return by_trace and any(block.usage is not None for block in self._replays[name])

    def _asked(self, name: str, columns: Iterable[str]) -> list[str]:
        """Those of a trace's columns that say what each of the stream's jobs holds, of what its jobs hold at all."""
        stream = self.scenario.streams[name]
        held = {"processors": stream.needs.devices, "cores": stream.needs.cores, "memory_bytes": stream.needs.memory}
        return [] if stream.service is None else [key for key in columns if held.get(key)]

    def _read(self, name: str) -> Iterator[workload.Block]:
        stream = self.scenario.streams[name]
        return workload.blocks(stream, name, self.scenario.duration, self.catalog, self.seed, 0, self.folder)

    def _feed(self, name: str, blocks: Iterator[workload.Block], over: Event) -> Iterator[clock.Block]:
        for block in blocks:
            self.dropped[name].update(block.dropped)
            self.told += [f"streams.{name}: bad row left out: {line}" for line in block.told[:_MOST_TOLD]]
            first = self.reserve(name, block.arrival_s, dict(block.columns), block.labels)
            if name in self._varied and block.usage is not None:
                self.fleet.pieces.extend(first, block.usage.bounds, block.usage.seconds, block.usage.demand)
            yield block.arrival_s.tolist(), range(first, first + len(block))
        over.succeed()

    def reserve(
        self, name: str, arrival_s: FloatArray, columns: dict[str, FloatArray], labels: Mapping[str, tuple[str, ...]]
    ) -> int:
        """Append jobs of stream `name` to the job table, arrays of shape (n,); return the first one's number.

        `labels` are the names behind those columns that are numbers of names.
        """
        services: dict[str, Service] = {}
        for pool, use in self.uses[name].items():
            services[pool] = use.service(columns, len(arrival_s), self._random[name, pool])
        asked = {key: columns[key] for key in self._asked(name, columns)}
        classes = self.fleet.class_numbers(name, len(arrival_s), asked, self._dealers[name])
        processors = asked.get("processors")
        devices = {
            pool: max(use.request.devices, 1) if processors is None else processors
            for pool, use in self.uses[name].items()
        }
        tenant, count = self.scenario.streams[name].tenant, len(arrival_s)
        if tenant is not None:
            columns, labels = columns | {"tenant": np.broadcast_to(0.0, count)}, {**labels, "tenant": (tenant,)}
        shown = {key: values for key, values in columns.items() if key in SHOWN}
        return self.table.reserve(name, classes, arrival_s, shown, services, devices, labels)

    def resize(self, name: str, job: int, columns: dict[str, FloatArray]) -> None:
        """A reserved language-model request has got other tokens, arrays of shape (1,): it asks for another service."""
        for pool, use in self.uses[name].items():
            service = use.service(columns, 1, self._random[name, pool])
            self.table.demands[pool].seconds[job] = float(service.seconds[0])
        if len(self.table.input_tokens):
            self.table.input_tokens[job] = int(columns["input_tokens"][0])


def _find(what: str, name: str, names: Sequence[str]) -> int:
    """Number of `name` among `names`. ScenarioError with the nearest name when it is not there."""
    if name not in names:
        raise ScenarioError(f"no {what} '{name}'{nearest(name, names)}")
    return names.index(name)
