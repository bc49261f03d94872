"""Arrivals of a scenario: when the jobs of a stream come."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.fields import NamedOr, PositiveSeconds, Rate, Seconds
from dcsim.scenario.part import Part
from dcsim.scenario.replay import Replay


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


Arrivals = Annotated[Poisson | Daily | Scheduled | Replay, Field(discriminator="kind")]
