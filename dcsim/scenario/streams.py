"""Streams of a scenario: jobs of one class, what each holds and must meet."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from dcsim.scenario.arrivals import Arrivals
from dcsim.scenario.fields import Bytes, Count, Name, NamedOr, PositiveSeconds, Rate, Ratio
from dcsim.scenario.loops import Closed, Sessions
from dcsim.scenario.part import Part
from dcsim.scenario.sizes import GivenService, Sizes


class Needs(Part):
    """Resources that one job holds from start to end, on one pool."""

    devices: Annotated[int, Field(ge=0, le=100_000)] = 1
    """Devices held at once, a slot of each (a gang starts together); 0 for a CPU-only job."""
    kind: Name | None = None
    """Device kind, where a node has several."""
    cores: Annotated[int, Field(ge=0, le=4096)] = 0
    """Host cores, on every node it runs on. Where these are above 0, a trace that says how many cores each job holds
    replaces them, rounded up."""
    memory: Bytes = 0.0
    """Host memory, on every node it runs on. Where it is above 0, a trace that says how much each job holds replaces
    it."""
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


def _or_workload(schema: dict[str, Any]) -> None:
    """In place: a stream that names a kind of work need not say when jobs arrive."""
    schema["required"] = [key for key in schema["required"] if key != "arrivals"]
    schema["anyOf"] = [{"required": ["arrivals"]}, {"required": ["workload"]}]


class Stream(Part):
    """A stream of jobs of one class."""

    model_config = ConfigDict(json_schema_extra=_or_workload)

    workload: str | None = None
    """Kind of work in the catalog: gives whatever the stream does not write itself."""
    rate: Rate | None = None
    """Mean arrival rate of the kind of work, instead of its own; with `workload`."""
    arrivals: Annotated[Arrivals | Closed | Sessions, Field(discriminator="kind")]
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
    activity_cv: Annotated[Ratio, Field(ge=0.0, le=5.0)] | None = None
    """Coefficient of variation, from job to job, of the input spikes, where a chip runs the model in spiking form; a
    job's energy and time there follow them. None: all jobs have the rates of the catalog's model."""
    sizes: NamedOr[Sizes] | None = None
    """Catalog size table (joint input and output tokens), or numbers or laws; a trace may bring its own."""
    training: Training | None = None
    """Makes each job a training run of `model`."""
    needs: Needs = Needs()
    """What a job holds."""
    slo: Slo = Slo()
    """Service-level objective."""
    tenant: Name | None = None
    """Who its jobs belong to, instead of what its trace says; the summary has a block for each tenant."""
    queue_limit: Annotated[int, Field(ge=0)] | None = None
    """Most jobs of this stream that may wait; further ones are rejected. None: no limit."""
