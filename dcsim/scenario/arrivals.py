"""Arrivals of a scenario: one model per kind, told apart by the key `kind`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dcsim.scenario.replay import Process, Replay

Arrivals = Annotated[Process | Replay, Field(discriminator="kind")]
