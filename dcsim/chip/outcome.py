"""What every mode of a chip hands back, and what the board and host around the chips add to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dcsim.catalog import Catalog, Entry
from dcsim.chip.execution import Steps
from dcsim.errors import PlacementError
from dcsim.service import FloatArray


class Outcome(NamedTuple):
    """Seconds and joules of J inferences of T steps on C cores."""

    latency_s: FloatArray
    """shape (J,)"""
    interval_s: FloatArray
    """time between two results of one copy that is never idle, shape (J,)"""
    energy_j: dict[str, FloatArray]
    """by cause (`execution.CAUSES`), each of shape (J,)"""
    steps: Steps
    core_s: FloatArray
    """time that each core worked in each step, shape (J, T, C)"""
    notes: tuple[str, ...] = ()
    """what a user should know about how it was found"""


@dataclass(frozen=True)
class Board:
    """A board or system of `chips` chips: what it and its host draw when idle, W."""

    name: str
    chips: int
    board_w: float
    host_w: float

    @classmethod
    def of(cls, system: Entry, catalog: Catalog, chip: str | None = None) -> Board:
        """Of a catalog system; where its host is none, the board's power holds it.

        Raises PlacementError for a system that holds others than `chip`, if that is given.
        """
        device = str(system.facts.get("device"))
        if chip is not None and device != chip:
            every = [catalog.get(name, "system") for name in catalog.names("system")]
            known = ", ".join(entry.name for entry in every if entry.facts.get("device") == chip) or "none"
            raise PlacementError(f"system {system.name} holds {device}, not {chip}; systems of {chip}: {known}")
        host = str(system.facts["host"])
        host_w = 0.0 if host == "none" else catalog.get(host, "host")["idle_w"]
        return cls(system.name, int(system["devices"]), system["board_idle_w"], host_w)

    def charged(self, outcome: Outcome, chips: int) -> Outcome:
        """With the idle power of board and host, shared over its chips, for as long as an inference holds `chips`."""
        share_s = outcome.latency_s * (chips / self.chips)
        added = {"io": share_s * self.board_w, "host": share_s * self.host_w}
        energy_j = {cause: joules + added.get(cause, 0.0) for cause, joules in outcome.energy_j.items()}
        return outcome._replace(energy_j=energy_j)
