"""The hardware of a cluster brought to life: cells, servers, nodes, and pools that the dispatcher places jobs on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dcsim.cluster.fragments import FragmentColumns, FragmentServer, Pieces
from dcsim.cluster.ledger import Cell
from dcsim.cluster.nodes import DeviceKind
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
_EVEN = 1e-9  # shares of one pool may differ by rounding and still be slots

MAX_CLASSES = 2**16
"""sorts of jobs in one run: what a column of the job table can tell apart"""


class Asked(NamedTuple):
    """What the trace says that a job holds; 0 where it does not say."""

    processors: int = 0
    cores: int = 0
    memory_bytes: int = 0

    def request(self, used: Request) -> Request:
        """What the job holds, where it would otherwise hold what is `used`."""
        return replace(
            used,
            devices=self.processors or used.devices,
            cores=self.cores or used.cores,
            memory_bytes=float(self.memory_bytes) or used.memory_bytes,
        )


_AS_USED = Asked()
_Maker = Callable[[int, int, Cell], Server]


def _alike(columns: list[FloatArray], count: int) -> tuple[IntArray, IntArray]:
    """First row of each sort of `count` rows, and the sort of every row."""
    sort = np.zeros(count, np.int64)
    for values in columns:
        found, place = np.unique(values, return_inverse=True)
        _, sort = np.unique(sort * len(found) + place.ravel(), return_inverse=True)
    _, firsts, sort = np.unique(sort, return_index=True, return_inverse=True)
    return firsts, sort.ravel()


def more_cores(used: Request, request: Request) -> float:
    """Cores that a job holds over those that the jobs of its stream hold by the scenario."""
    return request.cores / used.cores if used.cores else 1.0


class Fleet:
    """Live hardware of one run."""

    def __init__(
        self,
        cluster: Cluster,
        table: JobTable,
        uses: Mapping[str, Mapping[str, Use]],
        scenario: Scenario,
        gangs: Collection[str],
        varied: Collection[str] = (),
    ) -> None:
        """Build all hardware.

        `gangs` are the streams whose trace says how many processors each job holds, `varied` those whose jobs' demand
        varies while they run.
        """
        self.cluster, self.table, self.uses, self._gangs, self._varied = cluster, table, uses, gangs, varied
        self.pieces = Pieces()
        """of the jobs whose demand varies"""
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
        self.warnings: list[str] = []
        """what a user should know of the hardware as it was built"""
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
        self._numbers: dict[tuple[str, Asked, str], int] = {}
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
        self, stream: str, count: int, asked: Mapping[str, FloatArray], random: np.random.Generator
    ) -> int | IntArray:
        """Class of each of `count` jobs: by what its trace says it holds, and by the pool it is dealt.

        `asked` are those of the columns processors, cores and memory_bytes that the trace has. PlacementError for a
        job that fits nowhere.
        """
        if not asked and stream not in self._spread:
            return self._numbers[stream, _AS_USED, _ANY]
        pools = self._spread.get(stream, [_ANY])
        wanted = {key: np.maximum(np.ceil(values), 1.0) for key, values in asked.items()}
        if len(pools) > 1:
            wanted["pool"] = random.integers(0, len(pools), count).astype(np.float64)
        firsts, places = _alike(list(wanted.values()), count)
        kinds = [{key: int(values[first]) for key, values in wanted.items()} for first in firsts.tolist()]
        numbers = [self._class(stream, only=pools[kind.pop("pool", 0)], asked=Asked(**kind)) for kind in kinds]
        return np.array(numbers)[places]

    def _class(self, stream: str, asked: Asked, only: str) -> int:
        key = (stream, asked, only)
        if key not in self._numbers:
            uses = self.uses[stream] if only == _ANY else self._way(stream, only)
            number = len(self.classes)
            if number == MAX_CLASSES:
                raise PlacementError(
                    f"streams.{stream}: found more than {MAX_CLASSES:,} sorts of jobs by what they hold, want at most "
                    "that many in one run"
                )
            requests = {name: asked.request(use.request) for name, use in uses.items()}
            lane = self._lane(tuple(name for name, use in uses.items() if use.entered))
            for pool in lane.pools:
                use, spec = uses[pool.name], self.cluster.pools[pool.number].spec
                _check_fit(stream, pool, self.cluster.pools[pool.number], requests[pool.name])
                self._shared[pool.name][number] = SharedUse(use.share, use.activity, use.curve)
                more = more_cores(use.request, requests[pool.name])
                alone = 0.0 if spec.kinds else use.share * more
                self._hosted[pool.name][number] = SharedUse(alone, use.host_activity * more, spec.host_curve)
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
        makers, host = [(kind, self._device_maker(pool, kind)) for kind in spec.kinds], self._host_maker(pool)
        firsts = np.searchsorted(cluster.device_node, pool.nodes)
        nodes: list[Node] = []
        for node, first in zip(pool.nodes.tolist(), firsts.tolist(), strict=True):
            cell = self.cells[cluster.node_cell[node]]
            index = first
            devices: dict[str, list[Server]] = {}
            for kind, device in makers:
                devices[kind.name] = [device(number, node, cell) for number in range(index, index + kind.count)]
                index += kind.count
            own = None if host is None else host(first, node, cell)
            nodes.append(Node(node, devices, own, float(spec.cores), spec.memory_bytes))
        return nodes

    def _device_maker(self, pool: PoolSpec, kind: DeviceKind) -> _Maker:
        """What makes a device of `pool` from its number, its node and its cell."""
        uses, demand, columns = self._uses_of(pool), self.table.demands[pool.name], self._columns(pool, "devices")
        shared = self._shared[pool.name]
        if any(use.request.devices for name, use in uses.items() if name in self._varied):
            return lambda index, node, cell: FragmentServer(index, node, cell, columns, shared, kind.curve, 1.0)
        if all(use.share >= 1.0 and use.curve is None for use in uses.values()):
            return lambda index, node, cell: ProfileServer(index, node, cell, demand.seconds, demand.watts)
        own = SharedColumns(columns.seconds, demand.watts, columns.job_class, columns.curve_j)
        return lambda index, node, cell: SharedServer(index, node, cell, own, shared, 1.0)

    def _host_maker(self, pool: PoolSpec) -> _Maker | None:
        """What makes the host of a node of `pool`, numbered as its first device; None where no job holds cores."""
        uses, columns, hosted = self._uses_of(pool), self._columns(pool, "cores"), self._hosted[pool.name]
        counted, curve = 0.0 if pool.spec.kinds else 1.0, pool.spec.host_curve
        if not any(use.request.cores for use in uses.values()):
            return None
        if any(use.request.cores for name, use in uses.items() if name in self._varied):
            return lambda first, node, cell: FragmentServer(first, node, cell, columns, hosted, curve, counted)
        own = SharedColumns(columns.seconds, NoWatts(), columns.job_class, columns.curve_j)
        return lambda first, node, cell: SharedServer(first, node, cell, own, hosted, counted)

    def _uses_of(self, pool: PoolSpec) -> dict[str, Use]:
        return {name: by_pool[pool.name] for name, by_pool in self.uses.items() if pool.name in by_pool}

    def _columns(self, pool: PoolSpec, sort: str) -> FragmentColumns:
        """What a server of `pool` for "devices" or "cores" reads and writes."""
        booked_j = self.table.curve_j if sort == "devices" else self.table.host_j
        seconds = self.table.demands[pool.name].seconds
        return FragmentColumns(seconds, self.table.job_class, booked_j, self.pieces, self.pieces.demand[sort])

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
        if left_over := kind.count % replica.devices:
            self.warnings.append(
                f"pool '{pool.name}': {left_over} of the {kind.count} GPUs of each node are in no replica and stay idle"
            )
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
