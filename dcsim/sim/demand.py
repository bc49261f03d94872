"""What the jobs of each stream ask of each pool that may serve them: the service model, chosen and made.

A stream names a model, and then the chip or GPU of the pool decides which execution model makes the profile; or it
gives its service times itself, and then the node described in the scenario gives the power.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dcsim import seeds
from dcsim.catalog import Catalog
from dcsim.chip.profile import spiking_profile
from dcsim.cluster import curves
from dcsim.cluster.nodes import DeviceKind, NodeSpec
from dcsim.cluster.topology import PoolSpec
from dcsim.errors import PlacementError, ScenarioError, nearest
from dcsim.gpu import gpu_profile
from dcsim.gpu.serving import Deployment, deploy
from dcsim.scenario.hardware import Serving
from dcsim.scenario.sizes import GivenService
from dcsim.scenario.streams import Stream
from dcsim.scheduling.nodes import Request
from dcsim.scheduling.routes import UNLIMITED
from dcsim.service import FloatArray, Service, ServiceProfile, TokenProfile

PowerCurve = Callable[[float], float]

_ROUNDING = 1e-9


@dataclass(frozen=True)
class GivenProfile:
    """Service times that come with the jobs (column run_s), at a constant power per device."""

    device_w: float
    """power that a job adds on each device it holds, W; 0 where a curve of the whole device rules"""
    devices: int
    slots: int
    chip_curve_w: None = None

    def draw(self, sizes: Mapping[str, FloatArray], count: int, generator: np.random.Generator) -> Service:
        """Run times as drawn or read; a trace's reader has ended them at the time requested."""
        del generator
        seconds = sizes["run_s"]
        nothing = np.zeros(count)
        devices = sizes.get("processors", np.float64(self.devices))
        return Service(seconds, np.broadcast_to(self.device_w * devices, count), nothing, nothing)


@dataclass(frozen=True)
class ReplicaProfile:
    """Requests of a language model: what each asks of a replica at a full batch. Its latency is the engine's matter."""

    where: str
    """stream and pool, for messages"""
    deployment: Deployment
    devices: int = 1
    slots: int = UNLIMITED
    chip_curve_w: None = None

    def draw(self, sizes: Mapping[str, FloatArray], count: int, generator: np.random.Generator) -> Service:
        """PlacementError for a request without tokens, or with more than a replica takes."""
        del generator
        prompt, output = sizes["input_tokens"], sizes["output_tokens"]
        if min(prompt.min(), output.min()) < 1.0:
            raise PlacementError(
                f"{self.where}: found a request without input or output tokens, want at least 1 of each"
            )
        self.check(int((prompt + output).max()))
        nothing = np.broadcast_to(0.0, count)
        decodes = self.deployment.options.decode_pool is None
        return Service(self.deployment.occupancy_s(prompt, output, decodes=decodes), nothing, nothing, nothing)

    def check(self, tokens: int) -> None:
        """PlacementError when a request of so many tokens is more than a replica takes."""
        most = self.deployment.most_tokens
        if tokens > most:
            cache = self.deployment.limits.blocks * self.deployment.limits.block_tokens
            why = f"the cache of a replica holds {cache:,}" if most == cache else "the context is limited to that"
            raise PlacementError(
                f"{self.where}: found a request of {tokens:,} tokens (input and output), want at most {most:,}: {why}"
            )


@dataclass(frozen=True)
class Use:
    """How the jobs of one stream use one pool."""

    profile: ServiceProfile
    request: Request
    share: float
    """of a device that one job holds; of the host, for a job without devices"""
    activity: float
    """of a device that one job keeps busy"""
    curve: PowerCurve | None
    """power of a device above idle against its total activity, where jobs share it or their demand varies; None where
    jobs add their own watts"""
    host_activity: float
    """of the host's cores that one job keeps busy"""
    replica: Deployment | None = None
    """replica that serves it, for a language model on GPUs"""
    entered: bool = True
    """whether jobs start there; they come to a decode pool from a prefill pool"""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that its jobs must bring."""
        if self.replica is not None or isinstance(self.profile, TokenProfile):
            return ("input_tokens", "output_tokens")
        return ("run_s",) if isinstance(self.profile, GivenProfile) else ()

    def service(self, sizes: Mapping[str, FloatArray], count: int, generator: np.random.Generator) -> Service:
        """One block of jobs; where a curve rules, the chips' power is left to it."""
        service = self.profile.draw(sizes, count, generator)
        return service._replace(chip_w=np.zeros(count)) if self.curve is not None else service


def uses(
    name: str,
    stream: Stream,
    pools: Mapping[str, PoolSpec],
    catalog: Catalog,
    seed: int,
    varied: Collection[str] = (),
) -> dict[str, Use]:
    """How stream `name` uses each pool that it runs on, in its order, and then the decode pools that it goes on to.

    `varied` are the pools on which jobs run whose demand varies. ScenarioError or PlacementError when it cannot.
    """
    found = {pool: use(name, stream, pools[pool], catalog, seed, pool in varied) for pool in stream.runs_on}
    for pool, entered in list(found.items()):
        goes_on = entered.replica.options.decode_pool if entered.replica is not None else None
        if goes_on is None:
            continue
        where = f"racks: pool '{pool}': serving.decode_pool"
        if goes_on not in pools:
            raise ScenarioError(f"{where}: no pool '{goes_on}'{nearest(goes_on, pools)}")
        second = use(name, stream, pools[goes_on], catalog, seed)
        if goes_on in stream.runs_on or second.replica is None or second.replica.options.decode_pool is not None:
            raise ScenarioError(
                f"{where}: '{goes_on}' must be a pool of replicas that only decodes: no stream runs on it, "
                "and it has no decode_pool"
            )
        if second.replica.options.max_outstanding is not None:
            raise ScenarioError(f"{where}: '{goes_on}' must take in whatever comes, found max_outstanding")
        found[goes_on] = replace(second, entered=False)
    return found


def check_decode_pools(uses: Mapping[str, Mapping[str, Use]]) -> None:
    """ScenarioError where requests of one stream start on a pool to which others come from their prefill pool."""
    goes_on = {pool for by_pool in uses.values() for pool, use in by_pool.items() if not use.entered}
    for name, by_pool in uses.items():
        for pool, use in by_pool.items():
            if use.entered and pool in goes_on:
                raise ScenarioError(
                    f"streams.{name}.runs_on: pool '{pool}' only decodes what comes from a prefill pool, "
                    "want a pool of its own"
                )


def use(name: str, stream: Stream, pool: PoolSpec, catalog: Catalog, seed: int, varied: bool = False) -> Use:
    """Find out how stream `name` uses `pool`. ScenarioError or PlacementError when it cannot."""
    where = f"streams.{name}"
    spec = pool.spec
    if pool.serving is not None and (stream.model is None or stream.training is not None):
        raise ScenarioError(f"{where}: pool '{pool.name}' serves a language model; give other jobs a pool of their own")
    if stream.needs.devices == 0:
        return _on_host(where, stream, pool)
    kind = _kind(where, stream, spec)
    if stream.model is None:
        return _given(where, stream, spec, kind, varied)
    if kind.entry is None:
        raise ScenarioError(
            f"{where}: model '{stream.model}' needs a catalog system; pool '{pool.name}' is described in place"
        )
    try:
        model = catalog.get(stream.model, "model")
        language = "kv_bytes_per_token" in model and stream.training is None
        if kind.entry.kind == "gpu" and (language or pool.serving is not None):
            return _served(where, pool, kind, deploy(model, kind.entry, _options(where, stream, pool)))
        return _modelled(stream, pool, kind, catalog, seed)
    except PlacementError as error:
        raise PlacementError(f"{where}: not on pool '{pool.name}': {error}") from None


def slots_of(share: float) -> int:
    """Jobs that each hold `share` of a device and fit on it together; for 1/3 that is 3, in spite of rounding."""
    return int(1.0 / share + _ROUNDING)


def _kind(where: str, stream: Stream, spec: NodeSpec) -> DeviceKind:
    names = [kind.name for kind in spec.kinds]
    wanted = stream.needs.kind or (names[0] if len(names) == 1 else None)
    if wanted is None:
        found = "no device" if not names else "several device kinds (" + ", ".join(names) + ")"
        raise ScenarioError(f"{where}.needs.kind: the nodes it runs on have {found}; say which kind, or devices: 0")
    if wanted not in names:
        raise ScenarioError(f"{where}.needs.kind: no device kind '{wanted}' there{nearest(wanted, names)}")
    return spec.kinds[names.index(wanted)]


def _on_host(where: str, stream: Stream, pool: PoolSpec) -> Use:
    service, needs = stream.service, stream.needs
    if service is None:
        raise ScenarioError(f"{where}: a job without devices needs `service`, not `model`")
    if needs.cores == 0 or pool.spec.cores == 0:
        raise PlacementError(
            f"{where}.needs: a job without devices needs cores; pool '{pool.name}' has {pool.spec.cores} per node"
        )
    share = needs.cores / pool.spec.cores
    request = Request(0, None, 1.0, needs.cores, needs.memory)
    return Use(GivenProfile(0.0, 1, 1), request, share, 0.0, None, share * service.utilisation)


def _given(where: str, stream: Stream, spec: NodeSpec, kind: DeviceKind, varied: bool) -> Use:
    service, needs = stream.service, stream.needs
    assert service is not None  # the scenario was checked: model or service
    if kind.curve is None:
        raise ScenarioError(
            f"{where}: `service` gives no power on catalog system '{spec.system}'; describe the node in place"
        )
    share = needs.share if needs.share < 1.0 else 1.0 / kind.slots
    activity = share * service.utilisation
    by_curve = share < 1.0 or varied
    request = Request(needs.devices, kind.name, share, needs.cores, needs.memory)
    profile = GivenProfile(0.0 if by_curve else kind.curve(activity), needs.devices, slots_of(share))
    return Use(
        profile,
        request,
        share,
        activity,
        kind.curve if by_curve else None,
        _host_activity(stream, spec, service),
    )


def _host_activity(stream: Stream, spec: NodeSpec, service: GivenService | None) -> float:
    if not stream.needs.cores or not spec.cores:
        return 0.0
    return stream.needs.cores / spec.cores * (service.utilisation if service else 1.0)


def _options(where: str, stream: Stream, pool: PoolSpec) -> Serving:
    """The pool's own options, or the defaults with what the stream says about how its model runs."""
    written, needs = pool.serving, stream.needs
    if needs.cores or needs.memory or needs.share < 1.0:
        raise ScenarioError(f"{where}.needs: requests of a language model hold nothing but their replica")
    if written is None:
        limit = {} if stream.batch is None else {"max_sequences": stream.batch}
        return Serving(devices=needs.devices, precision=stream.precision, **limit)
    for key, found, clear in (
        ("batch", stream.batch, stream.batch is None),
        ("precision", stream.precision, stream.precision in {None, written.precision}),
        ("needs.devices", needs.devices, needs.devices in {1, written.devices}),
    ):
        if not clear:
            raise ScenarioError(f"{where}.{key}: found {found}, but pool '{pool.name}' says it in its `serving`")
    return written


def _served(where: str, pool: PoolSpec, kind: DeviceKind, replica: Deployment) -> Use:
    if replica.devices > kind.count:
        raise PlacementError(
            f"a replica on {replica.devices} GPUs does not fit a node of {kind.count} x {kind.name}; "
            "all of them must be in one node"
        )
    slots = replica.options.max_outstanding or UNLIMITED
    profile = ReplicaProfile(f"{where}: on pool '{pool.name}'", replica, slots=slots)
    request = Request(1, kind.name, span=replica.devices)
    return Use(profile, request, 1.0, 1.0, None, 0.0, replica)


def _modelled(stream: Stream, pool: PoolSpec, kind: DeviceKind, catalog: Catalog, seed: int) -> Use:
    assert stream.model is not None
    assert kind.entry is not None
    model, needs = catalog.get(stream.model, "model"), stream.needs
    profile: ServiceProfile
    if kind.entry.kind == "gpu":
        training = stream.training
        profile = gpu_profile(
            model,
            kind.entry,
            precision=stream.precision,
            batch=stream.batch,
            devices=needs.devices,
            training_samples=training.samples if training else None,
            utilisation=training.utilisation if training else None,
        )
    elif stream.training is not None:
        raise PlacementError(f"training '{stream.model}' on '{kind.name}' is not modelled; use GPUs")
    else:
        chips = kind.count * len(pool.nodes)
        profile = spiking_profile(
            model,
            kind.entry,
            seeds.generator(seed, 0, f"profile/{stream.model}/{kind.name}"),
            max_chips=chips,
            activity_cv=stream.activity_cv or 0.0,
        )
    share = needs.share if needs.share < 1.0 else 1.0 / profile.slots
    curve_w = profile.chip_curve_w
    curve = curves.table(curve_w.tolist()) if share < 1.0 and curve_w is not None else None
    request = Request(max(needs.devices, profile.devices), kind.name, share, needs.cores, needs.memory)
    return Use(profile, request, share, share, curve, 0.0)


def served(uses: Mapping[str, Mapping[str, Use]]) -> bool:
    """Whether any pool serves a language model."""
    return any(use.replica is not None for by_pool in uses.values() for use in by_pool.values())


def shared(uses: Mapping[str, Mapping[str, Use]]) -> bool:
    """Whether any device draws power by a curve, or may run several jobs at the same time."""
    return any(use.share < 1.0 or use.curve is not None for by_pool in uses.values() for use in by_pool.values())


def hosted(uses: Mapping[str, Mapping[str, Use]]) -> bool:
    """Whether any job holds cores of a host, whose power is a curve of its whole load."""
    return any(use.request.cores for by_pool in uses.values() for use in by_pool.values())
