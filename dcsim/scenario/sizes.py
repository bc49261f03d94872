"""Sizes of a scenario's jobs: service times and tokens."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dcsim.scenario.fields import Given, Ratio
from dcsim.scenario.laws import ServiceLawName, Times, Tokens
from dcsim.scenario.part import Part


class GivenService(Times):
    """Service time given by a law instead of by a model on a device."""

    distribution: ServiceLawName  # type: ignore[assignment]  # a wider choice than other times have
    """`trace` takes the run times of the trace; `mix` draws devices, run time and outcome of each job together from a
    catalog table of kind `mix`."""
    utilisation: Annotated[Ratio, Field(gt=0.0, le=1.0)] = 1.0
    """Share of the slots and cores it holds that a job keeps busy: sets the power on the device's curve."""


Number = Annotated[int, Field(ge=1, le=10_000_000)]


class Sizes(Part):
    """Tokens of every request: one number for all, or a law."""

    input_tokens: Given[Number, Tokens]
    """Prompt tokens."""
    output_tokens: Given[Number, Tokens]
    """Generated tokens."""
    correlation: Annotated[float, Field(ge=-1.0, le=1.0)] | None = None
    """Spearman's rank correlation of input and output, both of them laws; none: independent."""
