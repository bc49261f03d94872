"""Racks of a scenario: pools of equal nodes, from the catalog or described in place."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.fields import Bandwidth, Bytes, Count, Dollars, Kilograms, Name, PositiveSeconds, Ratio, Watts
from dcsim.scenario.part import Part


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

    devices: dict[Name, CustomDevice] = Field({})
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
    clock: Annotated[Ratio, Field(gt=0.0, le=1.0)] = 1.0
    """Share of the full clock at which its GPUs run, not below `lowest_clock` of the catalog: arithmetic takes longer
    and less energy."""
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
