"""Streams of a scenario: jobs of one class, what each holds and must meet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.arrivals import Arrivals
from dcsim.scenario.fields import Bytes, Count, Name, NamedOr, PositiveSeconds, Ratio
from dcsim.scenario.part import Part
from dcsim.scenario.sizes import FixedSizes, GivenService


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
