"""Arrivals of a scenario that are read from a trace."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.fields import Ratio
from dcsim.scenario.part import Part


class Replay(Part):
    """Arrivals, sizes and, where the trace has them, run times, read from a file."""

    kind: Literal["trace"]
    path: str
    """Trace file: beside the scenario, or under the folder that DCSIM_DATA names."""
    format: str
    """Reader in dcsim.workload.traces, such as azure-llm, csv or swf."""
    rate_scale: Annotated[Ratio, Field(gt=0.0)] = 1.0
    """Arrival rate times this: 2 squeezes the same jobs into half the time."""
    bad_rows: Literal["refuse", "skip"] = "refuse"
    """Rows that break the format: refuse the trace, or leave them out and count them."""
    timezone: str | None = None
    """IANA name, such as Asia/Shanghai, of times that the file writes without a zone."""
    columns: dict[str, str] = Field({})
    """For csv and parquet: dcsim's name of a column -> its name in the file."""
    select: str | None = None
    """Where a file holds several series, the one that is meant."""
