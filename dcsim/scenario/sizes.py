"""Sizes of a scenario's jobs: service times and tokens that are given by a distribution."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.fields import PositiveSeconds, Ratio
from dcsim.scenario.part import Part


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
