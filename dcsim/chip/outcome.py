"""What every mode of a chip hands back, and what the board and host around the chips add to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

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


def joined(parts: Sequence[Outcome]) -> Outcome:
    """Outcome of the inferences of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return Outcome(
        np.concatenate([part.latency_s for part in parts]),
        np.concatenate([part.interval_s for part in parts]),
        {cause: np.concatenate([part.energy_j[cause] for part in parts]) for cause in parts[0].energy_j},
        Steps(*(np.concatenate(of_parts) for of_parts in zip(*(part.steps for part in parts), strict=True))),
        np.concatenate([part.core_s for part in parts]),
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


@dataclass(frozen=True)
class Board:
    """A board or system of `chips` chips: what it and its host draw when idle, W.

    Raises PlacementError for less than one chip and for a power that is none.
    """

    name: str
    chips: int
    board_w: float
    host_w: float
    device: str | None = None
    """name of its chips; None: any"""

    def __post_init__(self) -> None:
        if isinstance(self.chips, bool) or not isinstance(self.chips, int) or self.chips < 1:
            raise PlacementError(f"board {self.name}: chips: found {self.chips!r}, want a whole number from 1")
        for key in ("board_w", "host_w"):
            power_w = getattr(self, key)
            if not isinstance(power_w, int | float) or not 0.0 <= power_w < math.inf:
                raise PlacementError(f"board {self.name}: {key}: found {power_w!r}, want a power from 0 W")

    @classmethod
    def of(cls, system: Entry, catalog: Catalog, chip: str | None = None) -> Board:
        """Of a catalog system; where its host is none, the board's power holds it.

        Where its chips have a `host_w` of their own, which an inference pays for the chips that it holds, the part
        `x86_w` of the board's power is the same power once more, and is left out.

        Raises PlacementError for a system that holds others than `chip`, if that is given.
        """
        device = str(system.facts.get("device"))
        if chip is not None and device != chip:
            every = [catalog.get(name, "system") for name in catalog.names("system")]
            known = ", ".join(entry.name for entry in every if entry.facts.get("device") == chip) or "none"
            raise PlacementError(f"system {system.name} holds {device}, not {chip}; systems of {chip}: {known}")
        host = str(system.facts["host"])
        host_w = 0.0 if host == "none" else catalog.get(host, "host")["idle_w"]
        board_w = system["board_idle_w"]
        if "x86_w" in system and catalog.get(device, "chip").get("host_w", 0.0) > 0.0:
            board_w -= system["x86_w"]
        return cls(system.name, int(system["devices"]), board_w, host_w, device)

    def charged(self, outcome: Outcome, chips: int) -> Outcome:
        """With the idle power of board and host, shared over its chips, for as long as an inference holds `chips`."""
        share_s = outcome.latency_s * (chips / self.chips)
        added = {"io": share_s * self.board_w, "host": share_s * self.host_w}
        energy_j = {cause: joules + added.get(cause, 0.0) for cause, joules in outcome.energy_j.items()}
        return outcome._replace(energy_j=energy_j)


def check_board(board: object, chip: str) -> None:
    """Refuse what is no board, and one of other chips. Raises PlacementError."""
    if not isinstance(board, Board):
        raise PlacementError(f"board: found {str(board)[:60]!r}, want a Board, as Board.of makes it of a system")
    if board.device not in (None, chip):
        raise PlacementError(f"board {board.name} holds {board.device}, not {chip}")
