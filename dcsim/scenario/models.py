"""What a user writes: one frozen model per part of a scenario. Unknown keys are refused.

Every quantity is a string with its unit ("1 d", "20/s", "250 kW"); see `dcsim.units`. The field descriptions
of the parts are also the text of the JSON Schema that `dcsim schema` prints. What no single field can tell,
such as a name that must stand elsewhere in the scenario, is in `dcsim.scenario.check`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dcsim.scenario.fields import Name, PositiveSeconds, Seconds
from dcsim.scenario.hardware import Rack
from dcsim.scenario.moments import Moment
from dcsim.scenario.part import Part
from dcsim.scenario.sites import Site
from dcsim.scenario.streams import Stream


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
    start: Moment | None = None
    """Moment of the calendar at which the run begins, with its zone; a date alone begins at 00:00 UTC. Needed where a
    signal over time is read from a file."""
    duration: PositiveSeconds
    """Time in which jobs arrive; the simulated time, unless `drain` prolongs it."""
    drain: bool = False
    """Run on after `duration`, without new jobs, until every job that has arrived has ended."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Root of every random stream."""
    meter_interval: PositiveSeconds = 300.0
    """Width of a row of the rack and facility tables."""
    catalog: list[str] = Field([])
    """Further catalog files, beside the scenario."""
    sites: Annotated[dict[Name, Site], Field(min_length=1)]
    """Site name -> site."""
    racks: Annotated[dict[Name, Rack], Field(min_length=1)]
    """Rack group name -> racks."""
    streams: Annotated[dict[Name, Stream], Field(min_length=1)]
    """Stream name -> job stream."""
    scheduling: Scheduling = Scheduling()
    """Scheduling policy."""
    outages: Annotated[list[Outage], Field(max_length=100_000)] = Field([])
    """Scheduled outages."""
