"""What no single field of a scenario can tell: names that must stand elsewhere, keys that need others."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from dcsim.errors import nearest
from dcsim.scenario import check_arrivals, check_laws
from dcsim.scenario.hardware import Curve, CustomNode, Pool
from dcsim.scenario.laws import Tokens
from dcsim.scenario.loops import Closed, Sessions
from dcsim.scenario.models import Outage, Scenario
from dcsim.scenario.onsite import ClearSky
from dcsim.scenario.problems import Problem
from dcsim.scenario.replay import Replay
from dcsim.scenario.shape import Path, Step
from dcsim.scenario.sizes import GivenService, Sizes
from dcsim.scenario.streams import Needs, Stream
from dcsim.units import write

#: Sizes beyond which a run would not fit in memory; found before the run, because afterwards is too late.
MOST_NODES = 1_000_000
MOST_SLOTS = 20_000_000
MOST_METER_ROWS = 50_000_000


def problems(scenario: Scenario) -> list[Problem]:
    """Everything in `scenario` that contradicts itself, in its own order."""
    pools = _pools(scenario)
    return list(
        chain(
            _sites(scenario),
            _racks(scenario),
            _same_pool_everywhere(scenario),
            _sizes(scenario),
            *(_stream(name, stream, pools) for name, stream in scenario.streams.items()),
            _outages(scenario, pools),
        )
    )


def _pools(scenario: Scenario) -> dict[str, Pool]:
    """Every pool by name, with its nodes summed over all racks."""
    pools: dict[str, Pool] = {}
    for rack in scenario.racks.values():
        for name, pool in rack.pools.items():
            nodes = pool.nodes * rack.count + (pools[name].nodes if name in pools else 0)
            pools[name] = pool.model_copy(update={"nodes": nodes})
    return pools


def _known(path: Path, what: str, name: str, names: Iterable[str], where: str = "") -> Iterator[Problem]:
    if name not in names:
        yield Problem(path, f"no {what} '{name}'{where}{nearest(name, names)}")


def _one_of(path: Path, part: object, first: str, second: str) -> Iterator[Problem]:
    """Exactly one of two keys must be there."""
    given = [key for key in (first, second) if getattr(part, key) is not None]
    if len(given) != 1:
        found = f"both '{first}' and '{second}'" if given else f"neither '{first}' nor '{second}'"
        yield Problem(path, f"found {found}, want one of them")


# ---------------------------------------------------------------- sites and racks


def _sites(scenario: Scenario) -> Iterator[Problem]:
    for name, site in scenario.sites.items():
        if scenario.start is None:
            reason = "a signal over time needs to know when the run begins, want the key 'start' of the scenario"
            yield from (Problem(("sites", name, *path), reason) for path in site.dated())
        if site.solar is not None and isinstance(site.solar.sun, ClearSky) and site.place is None:
            yield Problem(("sites", name, "solar", "sun"), "a clear sky needs the latitude of a `place`")
        if site.battery is not None and site.battery.first < site.battery.least:
            found = f"found {site.battery.first:g}, want at least {site.battery.least:g}, what stays in the battery"
            yield Problem(("sites", name, "battery", "first"), found)


def _racks(scenario: Scenario) -> Iterator[Problem]:
    for group, rack in scenario.racks.items():
        yield from _known(("racks", group, "site"), "site", rack.site, scenario.sites)
        for name, pool in rack.pools.items():
            path = ("racks", group, "pools", name)
            yield from _one_of(path, pool, "system", "node")
            if pool.node is not None:
                yield from _node((*path, "node"), pool.node)


def _node(path: Path, node: CustomNode) -> Iterator[Problem]:
    if not node.devices and not node.cores:
        yield Problem(path, "found neither devices nor cores, want something that a job can hold")
    for kind, device in node.devices.items():
        yield from _curve((*path, "devices", kind, "power"), device.power)
    if node.host is not None:
        yield from _curve((*path, "host"), node.host)


def _curve(path: Path, curve: Curve) -> Iterator[Problem]:
    points = curve.points
    if curve.max < curve.idle:
        yield Problem((*path, "max"), f"found {_w(curve.max)}, want at least idle, {_w(curve.idle)}")
    elif curve.shape != "table":
        if points is not None:
            yield Problem((*path, "points"), f"a curve of shape '{curve.shape}' has no points; want shape: table")
    elif points is None or len(points) < 2:
        yield Problem(path, "shape 'table' needs points, at least 2")
    elif points[0] != curve.idle or points[-1] != curve.max:
        ends = f"found points from {_w(points[0])} to {_w(points[-1])}"
        yield Problem((*path, "points"), f"{ends}, want idle to max, {_w(curve.idle)} to {_w(curve.max)}")


def _w(watts: float) -> str:
    return write(watts, "power")


def _same_pool_everywhere(scenario: Scenario) -> Iterator[Problem]:
    """A pool in several rack groups is one pool: one site, one sort of node."""
    first: dict[str, str] = {}
    for group, rack in scenario.racks.items():
        for name, pool in rack.pools.items():
            here, other = ("racks", group, "pools", name), scenario.racks[first.setdefault(name, group)]
            if rack.site != other.site:
                reason = f"pool '{name}' stands in site '{other.site}' too (racks.{first[name]}), want one site"
                yield Problem(here, f"{reason}; give each site its own pool")
            twin = other.pools[name]
            if (pool.system, pool.node, pool.price) != (twin.system, twin.node, twin.price):
                reason = f"pool '{name}' has other nodes in racks.{first[name]}, want equal ones"
                yield Problem(here, f"{reason}; give each sort its own pool")


def _sizes(scenario: Scenario) -> Iterator[Problem]:
    """The whole must fit in memory, and the meters in the run."""
    racks = sum(rack.count for rack in scenario.racks.values())
    pools = [(rack.count * pool.nodes, pool) for rack in scenario.racks.values() for pool in rack.pools.values()]
    nodes = sum(count for count, _ in pools)
    slots = sum(count * _slots(pool) for count, pool in pools)
    rows = math.ceil(scenario.duration / scenario.meter_interval) * racks
    if scenario.meter_interval > scenario.duration:
        span, run = (write(seconds, "time") for seconds in (scenario.meter_interval, scenario.duration))
        yield Problem(("meter_interval",), f"found {span}, want at most the duration, {run}")
    if nodes > MOST_NODES:
        yield Problem(("racks",), f"found {nodes:,} nodes in all, want at most {MOST_NODES:,}")
    if slots > MOST_SLOTS:
        yield Problem(("racks",), f"found {slots:,} device slots in all, want at most {MOST_SLOTS:,}")
    if rows > MOST_METER_ROWS:
        reason = f"found {rows:,} rows of the rack table, want at most {MOST_METER_ROWS:,}"
        yield Problem(("meter_interval",), f"{reason}; a wider interval makes fewer")


def _slots(pool: Pool) -> int:
    return sum(device.count * device.slots for device in pool.node.devices.values()) if pool.node else 1


# ---------------------------------------------------------------- streams


def _stream(name: str, stream: Stream, pools: Mapping[str, Pool]) -> Iterator[Problem]:
    path: Path = ("streams", name)
    for position, pool in enumerate(stream.runs_on):
        yield from _known((*path, "runs_on", position), "pool", pool, pools)
        if pool in stream.runs_on[:position]:
            yield Problem((*path, "runs_on", position), f"found '{pool}' twice")
    if stream.rate is not None:
        yield Problem((*path, "rate"), "'rate' needs a 'workload'; want it in 'arrivals'")
    yield from _one_of(path, stream, "model", "service")
    yield from check_arrivals.problems((*path, "arrivals"), stream.arrivals)
    if isinstance(stream.arrivals, Closed | Sessions):
        yield from _loop((*path, "arrivals"), stream.arrivals, stream)
    if isinstance(stream.sizes, Sizes):
        yield from _tokens((*path, "sizes"), stream.sizes)
    if stream.service is not None:
        yield from _service((*path, "service"), stream.service, is_trace=isinstance(stream.arrivals, Replay))
        yield from _without_model(path, stream)
    yield from _needs((*path, "needs"), stream.needs)
    for pool in dict.fromkeys(stream.runs_on):
        if pool in pools:
            yield from _fits(path, stream, pool, pools[pool])


def _loop(path: Path, arrivals: Closed | Sessions, stream: Stream) -> Iterator[Problem]:
    yield from check_laws.problems((*path, "think"), arrivals.think)
    if isinstance(arrivals, Sessions) and arrivals.history and stream.sizes is None:
        yield Problem((*path, "history"), "found true, but this stream has no sizes, whose tokens would grow")


def _service(path: Path, service: GivenService, *, is_trace: bool) -> Iterator[Problem]:
    if service.distribution == "trace" and not is_trace:
        yield Problem((*path, "distribution"), "'trace' takes its run times from arrivals of kind trace, found others")
    yield from check_laws.problems(path, service)


def _tokens(path: Path, sizes: Sizes) -> Iterator[Problem]:
    given = {key: getattr(sizes, key) for key in ("input_tokens", "output_tokens")}
    for key, law in given.items():
        if isinstance(law, Tokens):
            yield from check_laws.problems((*path, key), law)
            if law.distribution != "fixed" and law.most is None:
                yield Problem((*path, key), "missing key 'most', the longest that a replica must be able to take", 1)
    if sizes.correlation is not None and not all(isinstance(law, Tokens) for law in given.values()):
        yield Problem((*path, "correlation"), "found one, want a law for both input_tokens and output_tokens")


def _without_model(path: Path, stream: Stream) -> Iterator[Problem]:
    """Keys that say how a model runs mean nothing where the service time is given."""
    given = [
        key for key in ("precision", "batch", "activity_cv", "sizes", "training") if getattr(stream, key) is not None
    ]
    given += [f"slo.{key}" for key in ("ttft", "tpot") if getattr(stream.slo, key) is not None]
    for key in given if stream.model is None else ():
        yield Problem((*path, *key.split(".")), f"'{key}' needs a model; this stream has a given service time")


def _needs(path: Path, needs: Needs) -> Iterator[Problem]:
    if not needs.devices and not needs.cores and not needs.memory:
        yield Problem(path, "found no devices, cores or memory, want a job that holds something")
    if not needs.devices and needs.kind is not None:
        yield Problem((*path, "kind"), f"found '{needs.kind}' of 0 devices, want devices: 1 or more")
    if needs.devices != 1 and needs.share != 1.0:
        yield Problem((*path, "share"), f"found a share of {needs.devices} devices, want devices: 1")


def _fits(path: Path, stream: Stream, name: str, pool: Pool) -> Iterator[Problem]:
    """What a node described in the scenario tells; nodes of the catalog are checked when the run is built."""
    node, needs = pool.node, stream.needs
    if node is None or pool.system is not None:
        return
    if stream.model is not None:
        reason = f"pool '{name}' has nodes described here, on which no catalog model runs"
        yield Problem((*path, "model"), f"{reason}; give a `service`, or a pool with a `system`")
    if needs.devices and not node.devices:
        yield Problem((*path, "needs", "devices"), f"pool '{name}' has no devices, want devices: 0")
    elif needs.devices and needs.kind is None and len(node.devices) > 1:
        kinds = ", ".join(sorted(node.devices))
        yield Problem((*path, "needs"), f"missing key 'kind': pool '{name}' has devices of kinds {kinds}", 1)
    elif needs.kind is not None:
        yield from _known((*path, "needs", "kind"), "device kind", needs.kind, node.devices, f" in pool '{name}'")
    if needs.cores > node.cores:
        reason = f"found {needs.cores}, but a node of pool '{name}' has {node.cores} cores"
        yield Problem((*path, "needs", "cores"), reason)
    if needs.memory > node.memory:
        found, have = write(needs.memory, "bytes"), write(node.memory, "bytes")
        yield Problem((*path, "needs", "memory"), f"found {found}, but a node of pool '{name}' has {have}")


# ---------------------------------------------------------------- outages


def _outages(scenario: Scenario, pools: Mapping[str, Pool]) -> Iterator[Problem]:
    by_node: dict[tuple[str, int], list[tuple[float, float, int]]] = defaultdict(list)
    for position, outage in enumerate(scenario.outages):
        path: tuple[Step, ...] = ("outages", position)
        yield from _known((*path, "pool"), "pool", outage.pool, pools)
        if outage.pool in pools and outage.node >= pools[outage.pool].nodes:
            last = pools[outage.pool].nodes - 1
            yield Problem((*path, "node"), f"found {outage.node}, want 0 to {last}, the nodes of '{outage.pool}'")
        if outage.start >= scenario.duration:
            start, run = write(outage.start, "time"), write(scenario.duration, "time")
            yield Problem((*path, "start"), f"found {start}, want less than the duration of the run, {run}")
        by_node[outage.pool, outage.node].append((outage.start, outage.start + outage.duration, position))
    for spans in by_node.values():
        yield from _overlaps(scenario.outages, sorted(spans))


def _overlaps(outages: list[Outage], spans: list[tuple[float, float, int]]) -> Iterator[Problem]:
    """Two outages of one node at the same time."""
    latest_end, latest = -math.inf, 0
    for start, end, position in spans:
        if start < latest_end:
            node = f"node {outages[position].node} of '{outages[position].pool}'"
            yield Problem(("outages", position, "start"), f"{node} is down already, by outages.{latest}")
        if end > latest_end:
            latest_end, latest = end, position
