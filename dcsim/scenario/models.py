"""What a user writes: one frozen model per part of a scenario. Unknown keys are refused.

Every quantity is a string with its unit ("1 d", "20/s", "250 kW"); see `dcsim.units`. The field descriptions
below are also the text of the JSON Schema that `dcsim schema` prints. What no single field can tell, such as
a name that must stand elsewhere in the scenario, is in `dcsim.scenario.check`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dcsim.scenario.fields import (
    Bandwidth,
    Bytes,
    CarbonIntensity,
    Count,
    Dollars,
    EnergyPrice,
    Kilograms,
    Name,
    NamedOr,
    PositiveSeconds,
    Rate,
    Ratio,
    Seconds,
    WaterIntensity,
    Watts,
)


class Part(BaseModel):
    """Base of every part: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


# ---------------------------------------------------------------- sites


class ConstantPlant(Part):
    """A facility known by its annual figures: facility energy = PUE x IT energy, water = WUE x IT energy."""

    kind: Literal["constant"] = "constant"
    pue: Annotated[Ratio, Field(ge=1.0)] = 1.2
    """Power usage effectiveness: facility power over IT power."""
    wue: WaterIntensity = 0.0
    """Water usage effectiveness: water withdrawn on site per IT energy."""
    consumed: Annotated[Ratio, Field(le=1.0)] = 0.8
    """Share of the withdrawn water that evaporates or drifts away; the rest is returned."""


class Site(Part):
    """A building: where it stands, how it is cooled, what its power costs and emits."""

    place: str | None = None
    """Catalog site that gives the grid intensity and the prices where they are not written here."""
    plant: ConstantPlant = ConstantPlant()
    """Cooling plant."""
    ups: str = "ups-double-conversion"
    """Catalog loss curve of the UPS; `none` leaves it out."""
    transformer: str = "transformer-mv"
    """Catalog loss curve of the transformer; `none` leaves it out."""
    power_rating: Watts | None = None
    """Rated output of the UPS and the transformer; by default 1.25 times what the site's racks can draw."""
    carbon_intensity: CarbonIntensity | None = None
    """Grid carbon intensity, location based; the place's annual mean when left out."""
    energy_price: EnergyPrice | None = None
    """Price of grid energy; the place's mean when left out."""
    water_intensity: WaterIntensity | None = None
    """Water used to generate grid energy (source water); the place's value when left out."""


# ---------------------------------------------------------------- racks


class Curve(Part):
    """Power against utilisation, from `idle` to `max`."""

    shape: Literal["linear", "sqrt", "table"] = "linear"
    """linear and sqrt follow OpenDC's models of the same names; table interpolates `points`."""
    idle: Watts = 0.0
    """Power at utilisation 0."""
    max: Watts
    """Power at utilisation 1."""
    points: list[Watts] | None = None
    """For `table`: power at equally spaced utilisations from 0 to 1, first = idle, last = max."""


class CustomDevice(Part):
    """A device described here instead of in the catalog."""

    count: Count = 1
    """Devices of this kind in one node."""
    slots: Count = 1
    """Jobs that one device serves at the same time."""
    power: Curve
    """Power of one device against the share of it that is in use."""


class CustomNode(Part):
    """A node described here instead of in the catalog: devices by kind, and host cores and memory."""

    devices: dict[Name, CustomDevice] = {}
    """Device kind -> what it is. May be empty for a CPU-only node."""
    cores: Annotated[int, Field(ge=0, le=4096)] = 0
    """Host cores that jobs can hold."""
    memory: Bytes = 0.0
    """Host memory that jobs can hold."""
    host: Curve | None = None
    """Power of the host against the share of its cores in use; none: the host draws nothing."""
    embodied: Kilograms | None = None
    """Embodied carbon of one node, kg CO2e."""


class Serving(Part):
    """Language-model replicas: how a model is split over GPUs and what the engine of each may do (vLLM's defaults)."""

    devices: Count = 1
    """GPUs of one replica (tensor parallel), all in one node. A node holds as many replicas as fit."""
    expert_parallel: bool = False
    """Mixture of experts: each GPU of a replica holds whole experts instead of a part of every one."""
    precision: str | None = None
    """Number format of the weights; the model's own when left out."""
    max_sequences: Count = 256
    """Sequences that run at the same time on one replica."""
    max_batched_tokens: Count = 2048
    """Tokens that one iteration computes: prompts are cut to what the decoding sequences leave of it."""
    max_context: Count | None = None
    """Most prompt and output tokens of a request; the model's own limit when left out."""
    block_tokens: Annotated[int, Field(ge=1, le=1024)] = 16
    """Tokens of one block of the key-value cache."""
    memory_share: Annotated[Ratio, Field(gt=0.0, le=1.0)] = 0.9
    """Share of the memory for weights, workspace and cache."""
    workspace: Bytes = 1.5 * 2**30
    """Memory of each GPU for activations and captured graphs."""
    prefix_caching: bool = True
    """A preempted sequence finds those of its blocks that nobody has used since."""
    prefix_hit: Annotated[Ratio, Field(lt=1.0)] = 0.0
    """Share of every prompt that needs no computing because others began with it; it takes up cache all the same."""
    sampled: bool = False
    """Draw each output token among the most likely ones (top-p), which takes time per entry of the vocabulary; else
    the likeliest is taken."""
    route: Literal["round-robin", "least-requests", "least-tokens"] = "least-requests"
    """Replica that a request joins: in turn, or the one with the fewest requests or tokens that are not done."""
    max_outstanding: Count | None = None
    """Requests that one replica takes in, running and waiting; the next one waits or tries the next pool. None: all."""
    decode_pool: Name | None = None
    """Makes this a prefill pool: after its first token a request goes on in that pool."""
    transfer_bandwidth: Bandwidth = 50e9
    """Rate at which the cache of one request moves to the decode pool; 50 GB/s is one network card of 400 Gbit/s."""
    unload_after: PositiveSeconds | None = None
    """Idle time after which a replica unloads its model; the next request waits for it to be loaded. None: never."""
    load_bandwidth: Bandwidth = 5e9
    """Rate at which one replica loads its weights; 5 GB/s is one fast local disk."""


class Pool(Part):
    """Equal nodes in each rack of a group; jobs are placed on pools."""

    nodes: Count
    """Nodes in one rack."""
    system: str | None = None
    """Catalog system that each node is; or `node`."""
    node: CustomNode | None = None
    """A node described here; or `system`."""
    price: Dollars | None = None
    """Purchase price of one node, instead of the catalog's."""
    serving: Serving | None = None
    """How its GPUs serve a language model, whose name is in the streams that run on it."""


class Rack(Part):
    """A group of equal racks."""

    site: Name
    """Name of the site they stand in."""
    count: Count = 1
    """Number of racks."""
    frame: str = "rack-42u"
    """Catalog rack: frame, switch and PDU; `none` leaves their power, price and carbon out."""
    psu: str = "psu-titanium"
    """Catalog loss curve of the power supplies; `none` leaves it out."""
    pools: Annotated[dict[Name, Pool], Field(min_length=1)]
    """Pool name -> nodes of that pool in each rack. One name may stand in several rack groups of one site."""


# ---------------------------------------------------------------- streams


class Poisson(Part):
    """Arrivals without memory at a constant mean rate."""

    kind: Literal["poisson"]
    rate: Rate
    """Mean arrival rate."""


class Daily(Part):
    """Poisson arrivals whose rate follows the hour of the day."""

    kind: Literal["daily"]
    rate: Rate
    """Mean arrival rate over a day."""
    profile: NamedOr[Annotated[list[Annotated[float, Field(ge=0.0)]], Field(min_length=24, max_length=24)]]
    """Catalog profile, or 24 factors on the mean rate, hour 0 first; linear between middles of hours."""


class Scheduled(Part):
    """Jobs that arrive at given moments."""

    kind: Literal["schedule"]
    times: Annotated[list[Seconds], Field(min_length=1, max_length=1_000_000)]
    """Moments from the start of the run."""
    every: PositiveSeconds | None = None
    """Repeat the moments, all of them below it, with this period to the end of the run."""


class Replay(Part):
    """Arrivals, sizes and, where the trace has them, run times, read from a file."""

    kind: Literal["trace"]
    path: str
    """Trace file: beside the scenario, or under the folder that DCSIM_DATA names."""
    format: str
    """Reader in dcsim.workload.traces, such as azure-llm, csv or swf."""
    rate_scale: Annotated[Ratio, Field(gt=0.0)] = 1.0
    """Arrival rate times this: 2 squeezes the same jobs into half the time."""


Arrivals = Annotated[Poisson | Daily | Scheduled | Replay, Field(discriminator="kind")]


class GivenService(Part):
    """Service time given by a distribution instead of by a model on a device."""

    distribution: Literal["exponential", "fixed", "lognormal", "trace"]
    """`trace` takes the run times of the trace."""
    mean: PositiveSeconds | None = None
    """Mean service time (not with `trace`)."""
    cv: Annotated[float, Field(gt=0.0, le=100.0)] | None = None
    """Coefficient of variation (lognormal only)."""
    utilisation: Annotated[Ratio, Field(gt=0.0, le=1.0)] = 1.0
    """Share of the slots and cores it holds that a job keeps busy: sets the power on the device's curve."""


class FixedSizes(Part):
    """Every request has the same size."""

    input_tokens: Annotated[int, Field(ge=1, le=10_000_000)]
    """Prompt tokens."""
    output_tokens: Annotated[int, Field(ge=1, le=10_000_000)]
    """Generated tokens."""


class Needs(Part):
    """Resources that one job holds from start to end, on one pool."""

    devices: Annotated[int, Field(ge=0, le=100_000)] = 1
    """Devices held at once, a slot of each (a gang starts together); 0 for a CPU-only job."""
    kind: Name | None = None
    """Device kind, where a node has several."""
    cores: Annotated[int, Field(ge=0, le=4096)] = 0
    """Host cores, on every node it runs on."""
    memory: Bytes = 0.0
    """Host memory, on every node it runs on."""
    share: Annotated[Ratio, Field(ge=0.001, le=1.0)] = 1.0
    """Share of the device that it holds, to the thousandth; others may hold the rest."""


class Training(Part):
    """A training job: so many tokens (or images) through the model."""

    samples: Annotated[float, Field(gt=0.0)]
    """Tokens for a language model, images for a vision model."""
    utilisation: Annotated[Ratio, Field(gt=0.0, le=1.0)] | None = None
    """Model FLOP utilisation; the catalog's value when left out."""


class Slo(Part):
    """What a request must meet. Rejected and unfinished requests count as missed."""

    latency: PositiveSeconds | None = None
    """Arrival to end."""
    ttft: PositiveSeconds | None = None
    """Arrival to first output token."""
    tpot: PositiveSeconds | None = None
    """Mean time per output token after the first."""


class Stream(Part):
    """A stream of jobs of one class."""

    arrivals: Arrivals
    """When jobs arrive."""
    runs_on: Annotated[list[Name], Field(min_length=1, max_length=1000)]
    """Pools that may serve it, best first."""
    route: Literal["prefer", "spread"] = "prefer"
    """prefer: the first of the pools that has room. spread: every job is dealt to one of the pools at random
    in equal parts, which compares them on the same demand."""
    model: str | None = None
    """Catalog model that each job runs; or `service`."""
    service: GivenService | None = None
    """Service time from a distribution or the trace; or `model`."""
    precision: str | None = None
    """Number format on GPUs, such as bf16 or fp8; the model's default when left out."""
    batch: Count | None = None
    """Jobs that one device serves at the same time; the model's default when left out."""
    sizes: NamedOr[FixedSizes] | None = None
    """Catalog size table (joint input and output tokens), or fixed sizes; a trace may bring its own."""
    training: Training | None = None
    """Makes each job a training run of `model`."""
    needs: Needs = Needs()
    """What a job holds."""
    slo: Slo = Slo()
    """Service-level objective."""
    queue_limit: Annotated[int, Field(ge=0)] | None = None
    """Most jobs of this stream that may wait; further ones are rejected. None: no limit."""


# ---------------------------------------------------------------- the rest


class Scheduling(Part):
    """Who runs next, and where."""

    policy: str = "fcfs"
    """Queue order: a name registered in dcsim.scheduling."""
    placement: str = "first-fit"
    """Choice of the device: first-fit, round-robin or least-loaded, or another registered name."""


class Outage(Part):
    """A node that is down for a while: its jobs restart from zero, its host draws idle power."""

    pool: Name
    """Pool of the node."""
    node: Annotated[int, Field(ge=0)] = 0
    """Number of the node in its pool, counted through all its racks from 0."""
    start: Seconds
    """Start, from the start of the run."""
    duration: PositiveSeconds
    """Time until it is back."""


class Scenario(Part):
    """One data center, its demand and how long to watch it."""

    name: Name
    """Short name; the run folder carries it."""
    description: str = ""
    """What question the scenario asks."""
    duration: PositiveSeconds
    """Time in which jobs arrive; the simulated time, unless `drain` prolongs it."""
    drain: bool = False
    """Run on after `duration`, without new jobs, until every job that has arrived has ended."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Root of every random stream."""
    meter_interval: PositiveSeconds = 300.0
    """Width of a row of the rack and facility tables."""
    catalog: list[str] = []
    """Further catalog files, beside the scenario."""
    sites: Annotated[dict[Name, Site], Field(min_length=1)]
    """Site name -> site."""
    racks: Annotated[dict[Name, Rack], Field(min_length=1)]
    """Rack group name -> racks."""
    streams: Annotated[dict[Name, Stream], Field(min_length=1)]
    """Stream name -> job stream."""
    scheduling: Scheduling = Scheduling()
    """Scheduling policy."""
    outages: Annotated[list[Outage], Field(max_length=100_000)] = []
    """Scheduled outages."""
