"""Arrivals of a scenario that wait for answers: users who think, sessions of several turns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.scenario.fields import Count, Ratio
from dcsim.scenario.laws import Times
from dcsim.scenario.part import Part
from dcsim.scenario.replay import Process


class Closed(Part):
    """A closed loop: so many users, each with one job at a time, who think before the next one."""

    kind: Literal["closed"]
    users: Count
    """Users; at the start all of them think."""
    think: Times
    """Think time: from the end of a job, or from its rejection, to the next one of the same user."""


class Sessions(Part):
    """Conversations: they start on their own, and every further turn waits for the answer to the last one."""

    kind: Literal["sessions"]
    starts: Process
    """When sessions start: the arrivals of their first turns."""
    turns: Annotated[Ratio, Field(ge=1.0, le=10_000.0)]
    """Mean number of turns of a session; its distribution is geometric."""
    think: Times
    """Time from an answer to the next turn."""
    history: bool = False
    """The prompt of a turn begins with all prompts and answers of its session so far; a session ends early when the
    next prompt and answer would exceed what a replica takes."""
