"""Arrivals of a scenario that are read from a file: jobs, or rates over time."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.fields import PositiveSeconds, Rate, Ratio
from dcsim.scenario.part import Part
from dcsim.scenario.processes import (
    Daily,
    Gamma,
    Hawkes,
    Hours,
    Lognormal,
    ManyClients,
    Mmpp,
    Periodic,
    Poisson,
    Scheduled,
    SelfSimilar,
    Sinusoid,
    Weekly,
    Weibull,
)


class TraceFile(Part):
    """A file and how to read it."""

    path: str
    """Trace file: beside the scenario, under the folder that DCSIM_DATA names, or `dataset:NAME` of `dcsim data`."""
    format: str
    """Reader in dcsim.workload.traces, such as azure-llm, csv or swf."""
    bad_rows: Literal["refuse", "skip"] = "refuse"
    """Rows that break the format: refuse the trace, or leave them out and count them."""
    timezone: str | None = None
    """IANA name, such as Asia/Shanghai, of times that the file writes without a zone."""
    columns: dict[str, str] = Field({})
    """For csv and parquet: dcsim's name of a column -> its name in the file."""
    select: str | None = None
    """Where a file holds several series, the one that is meant."""


class Rates(TraceFile):
    """Poisson arrivals whose rate follows a table of rates over time, constant in each of its intervals."""

    kind: Literal["rates"]
    rate: Rate | None = None
    """Wanted mean rate over the table; None: the table's own."""
    repeat: bool = True
    """Start again at the end of the table; false: no arrivals after it."""


Process = Annotated[
    Poisson
    | Periodic
    | Daily
    | Weekly
    | Sinusoid
    | Gamma
    | Weibull
    | Lognormal
    | Mmpp
    | Hawkes
    | SelfSimilar
    | ManyClients
    | Scheduled
    | Rates,
    Field(discriminator="kind"),
]


class Warp(Part):
    """Stretches time so that the rate of a trace follows the hours of a day."""

    profile: Hours
    """Catalog profile, or 24 factors on the mean rate, hour 0 first."""
    window: PositiveSeconds | None = None
    """Level the trace's own mean rates in windows of this length first, so that only the profile's swings and those
    inside a window remain; None: the profile comes on top of all swings of the trace."""


class Replay(TraceFile):
    """Arrivals, sizes and, where the trace has them, run times, read from a file."""

    kind: Literal["trace"]
    rate_scale: Annotated[Ratio, Field(gt=0.0)] = 1.0
    """Arrival rate times this: 2 squeezes the same jobs into half the time."""
    period: PositiveSeconds | None = None
    """Length of the trace, in its own time, for `loop` and `resample`; None: its last arrival and one mean gap."""
    loop: bool = False
    """Start again at the end of the trace, to the end of the run."""
    resample: PositiveSeconds | None = None
    """Bootstrap: blocks of this length, in the trace's own time, are drawn with replacement to the end of the run."""
    warp: Warp | None = None
    """Stretch time so that the rate follows a profile."""
    moments: Process | None = None
    """Arrivals of this process instead of the trace's own, for the jobs of the trace."""
    order: Literal["trace", "random"] = "trace"
    """With `moments`: jobs in the order of the trace, again from the start when they run out; or drawn at random."""
