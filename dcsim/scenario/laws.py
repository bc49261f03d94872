"""Laws of random quantities that a scenario may give: times, tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.fields import PositiveSeconds, Ratio, Seconds
from dcsim.scenario.part import Part

LawName = Literal["fixed", "exponential", "gamma", "weibull", "lognormal", "pareto", "mixture", "table"]
ServiceLawName = Literal[
    "fixed", "exponential", "gamma", "weibull", "lognormal", "pareto", "mixture", "table", "mix", "trace"
]

Cv = Annotated[float, Field(gt=0.0, le=100.0)]
Tail = Annotated[float, Field(ge=0.1, le=100.0)]


class _Law(Part):
    """What all laws share."""

    distribution: LawName
    """Law; which further keys it takes stands there."""
    cv: Cv | None = None
    """Coefficient of variation (gamma, weibull, lognormal): standard deviation over mean, before any bounds."""
    shape: Tail | None = None
    """Tail index of the pareto law: P(X > x) = (least / x)^shape."""
    table: str | None = None
    """Catalog entry of quantiles (law table)."""


class Times(_Law):
    """A random time."""

    distribution: LawName = "exponential"
    """Law; which further keys it takes stands there."""
    mean: PositiveSeconds | None = None
    """Mean, before any bounds."""
    least: Seconds | None = None
    """Shorter times are raised to this; for pareto, its smallest value."""
    most: PositiveSeconds | None = None
    """Longer times are cut to this."""
    parts: Annotated[list[TimesPart], Field(min_length=1, max_length=100)] | None = None
    """Laws that are mixed (law mixture)."""


class TimesPart(Times):
    """One law of a mixture."""

    share: Annotated[Ratio, Field(gt=0.0)]
    """Part of the jobs that follow it, relative to the shares of the others."""


class Tokens(_Law):
    """A random number of tokens, rounded up to a whole one."""

    mean: Annotated[float, Field(gt=0.0, le=1e7)] | None = None
    """Mean, before any bounds."""
    least: Annotated[float, Field(ge=1.0, le=1e7)] | None = None
    """Smaller numbers are raised to this; for pareto, its smallest value."""
    most: Annotated[float, Field(ge=1.0, le=1e7)] | None = None
    """Larger numbers are cut to this: replicas must be able to take the longest request."""
    parts: Annotated[list[TokensPart], Field(min_length=1, max_length=100)] | None = None
    """Laws that are mixed (law mixture)."""


class TokensPart(Tokens):
    """One law of a mixture."""

    share: Annotated[Ratio, Field(gt=0.0)]
    """Part of the requests that follow it, relative to the shares of the others."""


Times.model_rebuild()
Tokens.model_rebuild()
