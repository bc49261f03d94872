"""The two seams between execution models and the data center.

A `ServiceProfile` (data) says what one job class asks of one device kind: seconds and watts, in columns. It is made by
`dcsim.chip`, `dcsim.gpu` or from numbers in a scenario, and sampled by the block. A `Server` (behaviour, in
`dcsim.cluster.servers`) is what one device does with jobs over time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Service(NamedTuple):
    """One block of n jobs of one class on one device kind; every array has shape (n,)."""

    seconds: FloatArray
    """time that a job holds its device or slot, s"""
    chip_w: FloatArray
    """power that the job adds at its chips while it runs, above their idle power, W (all its devices together)"""
    board_w: FloatArray
    """what it adds on the boards beside the chips, W"""
    host_w: FloatArray
    """what it adds in the host, W"""


class ServiceProfile(Protocol):
    """What one job class asks of one device kind."""

    @property
    def devices(self) -> int:
        """devices that one job holds at once"""

    @property
    def slots(self) -> int:
        """jobs of this class that one device serves at the same time (batch or resident copies)"""

    @property
    def chip_curve_w(self) -> FloatArray | None:
        """power of one device above idle with 0..slots jobs on it, shape (slots + 1,), W; None: jobs add `chip_w`"""

    def draw(self, sizes: Mapping[str, npt.NDArray[np.float64]], count: int, generator: np.random.Generator) -> Service:
        """Sample `count` jobs whose sizes (input_tokens, output_tokens, ...) are columns of shape (count,)."""


@dataclass(frozen=True)
class SampledProfile:
    """Jobs whose latency and energy are drawn together, row by row, from equally likely samples of shape (n,)."""

    latency_s: FloatArray
    chip_j: FloatArray
    """energy above idle per job at the chips, J"""
    board_w: float = 0.0
    host_w: float = 0.0
    devices: int = 1
    slots: int = 1
    chip_curve_w: FloatArray | None = None
    detail: Mapping[str, float] = field(default_factory=dict)
    """mean energy by cause and other figures that the report shows, J"""

    def draw(self, sizes: Mapping[str, npt.NDArray[np.float64]], count: int, generator: np.random.Generator) -> Service:
        """One row of the samples per job; a single sample is a constant and uses no random number."""
        del sizes
        rows = generator.integers(0, len(self.latency_s), count) if len(self.latency_s) > 1 else np.zeros(count, int)
        seconds = self.latency_s[rows]
        return Service(seconds, self.chip_j[rows] / seconds, np.full(count, self.board_w), np.full(count, self.host_w))


@dataclass(frozen=True)
class TokenProfile:
    """Language-model requests at measured rates: seconds = per_input n + per_output m for n tokens in and m out."""

    per_input_s: float
    per_output_s: float
    chip_w: float
    """power that one request adds at its chips, above their idle power, W"""
    slots: int
    devices: int
    detail: Mapping[str, float] = field(default_factory=dict)
    chip_curve_w: None = None

    def draw(self, sizes: Mapping[str, npt.NDArray[np.float64]], count: int, generator: np.random.Generator) -> Service:
        """Deterministic in the sizes `input_tokens` and `output_tokens`."""
        del generator
        seconds = self.per_input_s * sizes["input_tokens"] + self.per_output_s * sizes["output_tokens"]
        nothing = np.zeros(count)
        return Service(seconds, np.full(count, self.chip_w), nothing, nothing)


class Server(Protocol):
    """One device, as the dispatcher sees it. Jobs are numbers; what each asks stands in its pool's demand.

    The dispatcher arms a timed call whenever a call of `admit`, `advance`, `set_speed` or `evict` has changed
    `next_event_s`, and calls `advance` if that is still the moment when the call comes.
    """

    index: int
    """number of the device in the cluster"""
    node: int
    """number of its node"""
    place: int
    """number of the device among those that its placement hands out; kept by the placement"""
    next_event_s: float
    """when `advance` has something to do, infinity when it has not"""
    power_w: float
    """power above idle now, W"""

    def admit(self, time_s: float, job: int) -> None:
        """Start `job`; the caller has made sure that there is room."""

    def advance(self, time_s: float, hand_over: bool) -> int:
        """Do what was due at `time_s`; return the job that ended, or -1 when none did.

        With `hand_over` the caller will `admit` the next job at the same instant, or else call `release`.
        """

    def release(self, time_s: float) -> None:
        """No job follows after all."""

    def set_speed(self, time_s: float, factor: float) -> None:
        """Run at `factor` > 0 of full speed and dynamic power from now on; work that is done stays done."""

    def left(self, time_s: float, job: int) -> float:
        """Service that a running job still lacks, s at full speed."""

    def evict(self, time_s: float, job: int) -> float:
        """Take `job` out before its end; return the service that it still lacks, s at full speed."""

    def jobs(self) -> list[int]:
        """Jobs on the device now."""

    def room(self) -> float:
        """Share of the device that is free."""

    def charge(self, time_s: float) -> None:
        """Book the energy that running jobs have drawn so far, where it is not their watts times their seconds."""
