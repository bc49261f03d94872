"""Arrivals of a scenario that are drawn or written down: when the jobs of a stream come."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.fields import Measure, NamedOr, PositiveSeconds, Rate, Ratio, Seconds
from dcsim.scenario.part import Part

Hours = NamedOr[Annotated[list[Annotated[float, Field(ge=0.0)]], Field(min_length=24, max_length=24)]]
#: A rate that may be 0/s, which needs no unit.
AnyRate = Annotated[float, Measure("rate", "20/s", bare_zero=True)]
Variation = Annotated[float, Field(ge=0.01, le=100.0)]
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Poisson(Part):
    """Arrivals without memory at a constant mean rate."""

    kind: Literal["poisson"]
    rate: Rate
    """Mean arrival rate."""


class Periodic(Part):
    """Arrivals at equal distances, such as the frames of a camera."""

    kind: Literal["periodic"]
    rate: Rate
    """Arrivals per time: 30/s is one every 33.3 ms."""
    phase: Seconds = 0.0
    """Moment of the first one."""
    jitter: Seconds = 0.0
    """Each comes later by a uniformly drawn time from 0 to this, at most the distance between two."""


class Daily(Part):
    """Poisson arrivals whose rate follows the hour of the day."""

    kind: Literal["daily"]
    rate: Rate
    """Mean arrival rate over a day."""
    profile: Hours
    """Catalog profile, or 24 factors on the mean rate, hour 0 first; linear between middles of hours."""


class Weekly(Part):
    """Poisson arrivals whose rate follows the hour of the day and the day of the week."""

    kind: Literal["weekly"]
    rate: Rate
    """Mean arrival rate over a week."""
    profile: Hours
    """Catalog profile of a day, or 24 factors on the day's mean rate, hour 0 first; linear between middles of hours."""
    days: Annotated[list[Annotated[float, Field(ge=0.0)]], Field(min_length=7, max_length=7)] | None = None
    """Factor of each day, Monday first; or `weekend`."""
    weekend: Annotated[Ratio, Field(ge=0.0)] | None = None
    """Rate of Saturday and Sunday over that of a working day; or `days`."""
    start: Day = "monday"
    """Day of the week on which the run starts, at its hour 0."""


class Sinusoid(Part):
    """Poisson arrivals whose rate is the mean rate times 1 + amplitude cos(2 pi (t - peak) / period)."""

    kind: Literal["sinusoid"]
    rate: Rate
    """Mean arrival rate over a period."""
    amplitude: Annotated[Ratio, Field(ge=0.0, le=1.0)]
    """Largest deviation from the mean rate, over the mean rate."""
    peak: Seconds
    """Moment at which the rate is highest."""
    period: PositiveSeconds = 86_400.0
    """Time after which it repeats."""


class _Renewal(Part):
    """What renewal processes have in common."""

    rate: Rate
    """Mean arrival rate."""
    cv: Variation
    """Coefficient of variation of the gaps between arrivals: above 1 comes in bursts, below 1 is regular."""
    profile: Hours | None = None
    """The mean rate follows the hours of a day: catalog profile, or 24 factors."""


class Gamma(_Renewal):
    """Arrivals with independent gaps of a Gamma law."""

    kind: Literal["gamma"]


class Weibull(_Renewal):
    """Arrivals with independent gaps of a Weibull law."""

    kind: Literal["weibull"]


class Lognormal(_Renewal):
    """Arrivals with independent gaps of a lognormal law."""

    kind: Literal["lognormal"]


class Mmpp(Part):
    """Markov-modulated Poisson process: each state has its arrival rate, and the state changes at random."""

    kind: Literal["mmpp"]
    rates: Annotated[list[AnyRate], Field(min_length=2, max_length=100)]
    """Arrival rate in each state; 0 is a silent one."""
    stays: Annotated[list[PositiveSeconds], Field(min_length=2, max_length=100)] | None = None
    """Mean time that each state lasts; each of the others is equally likely to follow. Or `changes`."""
    changes: Annotated[list[list[AnyRate]], Field(min_length=2, max_length=100)] | None = None
    """Row i, column j: rate of change from state i to state j (write 0 on the diagonal, which is not read). Or
    `stays`."""


class Hawkes(Part):
    """Arrivals that cause further arrivals: bursts that die away exponentially."""

    kind: Literal["hawkes"]
    rate: Rate
    """Mean arrival rate, caused arrivals included."""
    branching: Annotated[Ratio, Field(ge=0.0, le=0.99)]
    """Mean number of arrivals that one arrival causes directly."""
    decay: PositiveSeconds
    """Mean time from an arrival to one that it causes."""


class SelfSimilar(Part):
    """Arrivals that swing on every time scale: sources that stay on for a Pareto time."""

    kind: Literal["self-similar"]
    rate: Rate
    """Mean arrival rate."""
    hurst: Annotated[float, Field(gt=0.5, lt=1.0)]
    """Hurst parameter of the counts; the ON times' tail exponent is 3 - 2 hurst."""
    sources: Annotated[float, Field(gt=0.0, le=1e6)]
    """Mean number of sources that are on; fewer make stronger swings."""
    on: PositiveSeconds
    """Mean time that a source stays on."""


class ManyClients(Part):
    """The sum of many clients, each a renewal process with its own share and burstiness."""

    kind: Literal["clients"]
    rate: Rate
    """Mean arrival rate of all clients together."""
    count: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Number of clients, with `zipf`; or `shares`."""
    zipf: Annotated[float, Field(ge=0.0, le=10.0)] | None = None
    """Client k has a share in proportion to 1 / k^zipf; 0 makes them equal."""
    shares: Annotated[list[Annotated[float, Field(gt=0.0)]], Field(min_length=1, max_length=100_000)] | None = None
    """Share of each client, in any unit."""
    cv: Annotated[list[Variation], Field(min_length=1, max_length=100_000)]
    """Coefficient of variation of the gaps of each client; the last one holds for all further clients."""
    law: Literal["gamma", "weibull", "lognormal"] = "gamma"
    """Law of the gaps."""
    profile: Hours | None = None
    """The mean rate of all follows the hours of a day: catalog profile, or 24 factors."""


class Scheduled(Part):
    """Jobs that arrive at given moments."""

    kind: Literal["schedule"]
    times: Annotated[list[Seconds], Field(min_length=1, max_length=1_000_000)]
    """Moments from the start of the run."""
    every: PositiveSeconds | None = None
    """Repeat the moments, all of them below it, with this period to the end of the run."""
