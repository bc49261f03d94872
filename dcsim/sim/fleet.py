"""The hardware of a cluster brought to life: cells, servers, nodes, and pools that the dispatcher places jobs on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from dcsim.cluster.ledger import Cell
from dcsim.cluster.replicas import PassOn, ReplicaColumns, ReplicaServer
from dcsim.cluster.servers import NoWatts, ProfileServer, SharedColumns, SharedServer, SharedUse
from dcsim.cluster.topology import Cluster, PoolSpec
from dcsim.errors import PlacementError, ScenarioError
from dcsim.gpu.serving import Deployment
from dcsim.results.histogram import Histogram
from dcsim.results.recorder import JobTable
from dcsim.scenario.models import Scenario
from dcsim.scheduling.nodes import NODE_RULES, Node, Nodes, Request
from dcsim.scheduling.orders import ORDERS
from dcsim.scheduling.routes import ROUTES, UNLIMITED
from dcsim.scheduling.slots import PLACEMENTS, Slots
from dcsim.service import FloatArray, IntArray, Server
from dcsim.sim.demand import Use, slots_of
from dcsim.sim.lanes import JobClass, Lane, Pool, Queue

_ANY = ""  # pool of a job that may run on any of its stream's
_AS_USED = 0  # processors of a job whose trace does not say
_EVEN = 1e-9  # shares of one pool may differ by rounding and still be slots


class Fleet:
    """Live hardware of one run."""

    def __init__(
        self,
        cluster: Cluster,
        table: JobTable,
        uses: Mapping[str, Mapping[str, Use]],
        scenario: Scenario,
        gangs: Collection[str],
    ) -> None:
        """`gangs` are the streams whose trace says how many processors each job holds."""
        self.cluster, self.table, self.uses, self._gangs = cluster, table, uses, gangs
        ORDERS.get(scenario.scheduling.policy)
        self.cells = [
            Cell(rack, pool, cluster.pools[pool].spec.idle_w * count)
            for rack, pool, count in zip(
                cluster.cell_rack.tolist(),
                cluster.cell_pool.tolist(),
                cluster.cell_nodes.tolist(),
                strict=True,
            )
        ]
        self.gaps: dict[str, Histogram] = {}
        """pool of replicas -> times between the tokens of its requests"""
        self._shared: dict[str, dict[int, SharedUse]] = {pool.name: {} for pool in cluster.pools}
        self._hosted: dict[str, dict[int, SharedUse]] = {pool.name: {} for pool in cluster.pools}
        self.nodes: dict[str, list[Node]] = {}
        self.pools: list[Pool] = []
        for number, spec in enumerate(cluster.pools):
            replica = self._replica(spec.name)
            self.nodes[spec.name] = self._build_nodes(spec) if replica is None else self._build_replicas(spec, replica)
            rule = scenario.scheduling.placement
            self.pools.append(
                self._build_pool(number, spec, rule) if replica is None else self._build_routes(number, spec, replica)
            )
        for live in self.pools:
            replica = self._replica(live.name)
            if replica is not None and replica.options.decode_pool is not None:
                live.decode = self.pool(replica.options.decode_pool)
        self.classes: list[JobClass] = []
        self._lanes: dict[tuple[str, ...], Lane] = {}
        self._queues = {
            name: Queue() if stream.queue_limit is None else Queue(stream.queue_limit)
            for name, stream in scenario.streams.items()
        }
        self._numbers: dict[tuple[str, int, str], int] = {}
        self._spread = {
            name: list(stream.runs_on) for name, stream in scenario.streams.items() if stream.route == "spread"
        }
        for name in scenario.streams:
            for pool in self._spread.get(name, [_ANY]):
                self._class(name, _AS_USED, pool)

    def pool(self, name: str) -> Pool:
        """The live pool `name`."""
        return self.pools[self.cluster.pool_number(name)]

    # ------------------------------------------------------------ streams

    def only_class(self, stream: str) -> JobClass | None:
        """The class of a stream whose jobs all ask for the same; None for one whose jobs are dealt to its pools."""
        return None if stream in self._spread else self.classes[self._numbers[stream, _AS_USED, _ANY]]

    def class_numbers(
        self, stream: str, count: int, processors: FloatArray | None, random: np.random.Generator
    ) -> int | IntArray:
        """Class of each of `count` jobs: by the processors that its trace says it holds, and by the pool it is dealt.

        PlacementError for a job that fits nowhere.
        """
        if processors is None and stream not in self._spread:
            return self._numbers[stream, _AS_USED, _ANY]
        wanted = np.full(count, _AS_USED) if processors is None else processors.astype(np.int64)
        pools = self._spread.get(stream, [_ANY])
        dealt = random.integers(0, len(pools), count) if len(pools) > 1 else np.zeros(count, np.int64)
        asked, places = np.unique(np.stack([wanted, dealt]), axis=1, return_inverse=True)
        numbers = np.array([self._class(stream, int(devices), pools[pool]) for devices, pool in asked.T])
        return numbers[places.ravel()]

    def _class(self, stream: str, devices: int, only: str) -> int:
        key = (stream, devices, only)
        if key not in self._numbers:
            uses = self.uses[stream] if only == _ANY else self._way(stream, only)
            number = len(self.classes)
            requests = {
                name: use.request if devices == _AS_USED else replace(use.request, devices=devices)
                for name, use in uses.items()
            }
            lane = self._lane(tuple(name for name, use in uses.items() if use.entered))
            for pool in lane.pools:
                use, spec = uses[pool.name], self.cluster.pools[pool.number].spec
                _check_fit(stream, pool, self.cluster.pools[pool.number], requests[pool.name])
                self._shared[pool.name][number] = SharedUse(use.share, use.activity, use.curve)
                alone = 0.0 if spec.kinds else use.share
                self._hosted[pool.name][number] = SharedUse(alone, use.host_activity, spec.host_curve)
            self.classes.append(JobClass(stream, lane, requests, self._queues[stream]))
            self._numbers[key] = number
        return self._numbers[key]

    def _way(self, stream: str, pool: str) -> dict[str, Use]:
        """How a job of `stream` that starts on `pool` uses it and the pool where it goes on."""
        first = self.uses[stream][pool]
        goes_on = first.replica.options.decode_pool if first.replica is not None else None
        return {pool: first} | ({} if goes_on is None else {goes_on: self.uses[stream][goes_on]})

    def _lane(self, names: tuple[str, ...]) -> Lane:
        if names not in self._lanes:
            lane = Lane([pool for name in names for pool in self.pools if pool.name == name])
            for pool in lane.pools:
                pool.lanes.append(lane)
            self._lanes[names] = lane
        return self._lanes[names]

    # ------------------------------------------------------------ hardware

    def _build_nodes(self, pool: PoolSpec) -> list[Node]:
        cluster, spec = self.cluster, pool.spec
        demand = self.table.demands[pool.name]
        uses = [by_pool[pool.name] for by_pool in self.uses.values() if pool.name in by_pool]
        plain = all(use.share >= 1.0 for use in uses)
        columns = SharedColumns(demand.seconds, demand.watts, self.table.job_class, self.table.curve_j)
        host_columns = columns._replace(watts=NoWatts(), curve_j=self.table.host_j)
        firsts = np.searchsorted(cluster.device_node, pool.nodes)
        nodes: list[Node] = []
        for node, first in zip(pool.nodes.tolist(), firsts.tolist(), strict=True):
            cell = self.cells[cluster.node_cell[node]]
            index = first
            devices: dict[str, list[Server]] = {}
            for kind in spec.kinds:
                servers: list[Server] = []
                for _ in range(kind.count):
                    if plain:
                        servers.append(ProfileServer(index, node, cell, demand.seconds, demand.watts))
                    else:
                        servers.append(SharedServer(index, node, cell, columns, self._shared[pool.name], 1.0))
                    index += 1
                devices[kind.name] = servers
            host: Server | None = None
            if any(use.request.cores for use in uses):
                counted = 0.0 if spec.kinds else 1.0
                host = SharedServer(first, node, cell, host_columns, self._hosted[pool.name], counted)
            nodes.append(Node(node, devices, host, float(spec.cores), spec.memory_bytes))
        return nodes

    def _replica(self, pool: str) -> Deployment | None:
        """The replica that a pool consists of, None for a pool of single devices. ScenarioError for two sorts."""
        found = {name: by_pool[pool].replica for name, by_pool in self.uses.items() if pool in by_pool}
        first, *others = found or {"": None}
        for other in others:
            if found[other] != found[first]:
                raise ScenarioError(
                    f"streams.{other}: found other jobs than those of streams.{first} on pool '{pool}', "
                    "which serves one language model in one way, want a pool of their own"
                )
        return found.get(first)

    def _build_replicas(self, pool: PoolSpec, replica: Deployment) -> list[Node]:
        """Nodes with as many replicas on each as fit; what is left of its GPUs stays idle."""
        cluster, table = self.cluster, self.table
        columns = ReplicaColumns(
            table.input_tokens,
            table.output_tokens,
            table.demands[pool.name].seconds,
            table.start_s,
            table.first_s,
            table.curve_j,
            table.host_j,
            table.used_s,
        )
        (kind,) = pool.spec.kinds
        gaps = self.gaps[pool.name] = Histogram()
        continues = any(pool.name in by_pool and not by_pool[pool.name].entered for by_pool in self.uses.values())
        passes = None if replica.options.decode_pool is None else self._passer(pool.name)
        firsts = np.searchsorted(cluster.device_node, pool.nodes)
        nodes: list[Node] = []
        for node, first in zip(pool.nodes.tolist(), firsts.tolist(), strict=True):
            cell = self.cells[cluster.node_cell[node]]
            servers: list[Server] = [
                ReplicaServer(index, node, cell, replica, columns, gaps, continues=continues, pass_on=passes)
                for index in range(first, first + kind.count - replica.devices + 1, replica.devices)
            ]
            nodes.append(Node(node, {kind.name: servers}, None, float(pool.spec.cores), pool.spec.memory_bytes))
        return nodes

    def _passer(self, pool: str) -> PassOn:
        return lambda server, job: self.pool(pool).pass_on(server, job)

    def _build_routes(self, number: int, pool: PoolSpec, replica: Deployment) -> Pool:
        options = replica.options
        servers = [server for node in self.nodes[pool.name] for server in node.servers]
        route = ROUTES.get(options.route)
        return Pool(pool.name, number, route(servers, options.max_outstanding or UNLIMITED))

    def _build_pool(self, number: int, pool: PoolSpec, rule: str) -> Pool:
        """Slots where every job of the pool takes equal slots of one device kind, else placement by node.

        A job on several devices that others share is placed by node too: it takes one slot of each of them.
        """
        uses = {name: by_pool[pool.name] for name, by_pool in self.uses.items() if pool.name in by_pool}
        nodes = self.nodes[pool.name]
        kinds = {use.request.kind for use in uses.values()}
        shares = [use.share for use in uses.values()]
        gangs = any(use.request.devices > 1 or name in self._gangs for name, use in uses.items())
        even = not shares or max(shares) - min(shares) < _EVEN
        slots = PLACEMENTS.get(rule)
        if (
            all(use.request.simple for use in uses.values())
            and len(kinds) <= 1
            and even
            and not (gangs and min(shares) < 1.0)
        ):
            kind = next(iter(kinds), None)
            servers = [server for node in nodes for server in node.devices.get(kind or "", ())]
            return Pool(pool.name, number, slots(servers, slots_of(shares[0]) if shares else 1))
        if rule not in NODE_RULES:
            raise PlacementError(
                f"scheduling.placement: '{rule}' places equal slots only, and jobs of pool '{pool.name}' ask for more; "
                f"allowed there: {', '.join(NODE_RULES)}"
            )
        return Pool(pool.name, number, Nodes(nodes, rule))


def _check_fit(stream: str, pool: Pool, spec: PoolSpec, request: Request) -> None:
    """PlacementError for a job that would wait for ever, even on an empty pool."""
    node, placement = spec.spec, pool.placement
    per_node = {kind.name: kind.count for kind in node.kinds}.get(request.kind or "", 0)
    if isinstance(placement, Slots) and placement.slots > 1 and request.devices > 1:
        raise PlacementError(
            f"streams.{stream}: found a job with {request.devices} processors; pool '{pool.name}' shares its devices "
            "among jobs of one processor each, want needs.devices or a trace that says so"
        )
    if (
        request.devices <= per_node * len(spec.nodes)
        and request.cores <= node.cores
        and request.memory_bytes <= node.memory_bytes
    ):
        return
    asks = [
        text
        for text, asked in (
            (f"{request.devices} x {request.kind or 'device'}", request.devices),
            (f"{request.cores} cores", request.cores),
            (f"{request.memory_bytes / 2**30:g} GiB of memory", request.memory_bytes),
        )
        if asked
    ]
    have = [f"{kind.count} x {kind.name}" for kind in node.kinds]
    have += [f"{node.cores} cores", f"{node.memory_bytes / 2**30:g} GiB"]
    raise PlacementError(
        f"streams.{stream}: a job needs {', '.join(asks)} at once; "
        f"pool '{pool.name}' has {len(spec.nodes)} nodes of {', '.join(have)}"
    )
