"""What a run leaves behind for the books: the job table, and what each pool and site used.

`dcsim.sim` fills these in; `energy`, `tables` and `summary` read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from dcsim.facility.building import Share
from dcsim.facility.chain import FacilitySeries
from dcsim.facility.embodied import Band
from dcsim.facility.onsite import OnSite
from dcsim.results.histogram import Histogram
from dcsim.results.recorder import Attempts, JobBlock, JobTable
from dcsim.scenario.models import Scenario
from dcsim.service import FloatArray, IntArray

#: Why a trace row that comes too late for its run becomes no job, which is no fault of the row.
AFTER_END = "after the end"

BOUNDARIES = ("chip", "board", "node", "rack", "facility")
"""where a job's energy can be measured, from the inside out"""


@dataclass(frozen=True)
class ServingAccount:
    """The language-model replicas of one pool over the run."""

    gaps: Histogram
    """times between the tokens of a request"""
    preemptions: int
    recomputed_tokens: int
    """that were computed again after a preemption"""
    resident_j: float
    """what loaded models drew above the idle power of empty GPUs"""


@dataclass(frozen=True)
class PoolAccount:
    """One pool over the run; energies in J."""

    name: str
    site: str
    system: str
    family: str
    nodes: int
    devices: int
    idle_w: tuple[float, float, float]
    """idle power of all chips, boards and hosts of the pool, W"""
    compute_j: float
    """at the output of the nodes' power supplies, as the meters integrated it"""
    it_j: float
    """at the racks' meters, with the pool's part of the switches"""
    facility_j: float
    """at the utility meter: the pool's part by IT energy"""
    rack_marginal: float
    """what one more joule in a node costs at the rack's meter, weighted by power"""
    facility_marginal: float
    """what one more joule at a rack's meter costs at the utility meter"""
    busy_s: float
    """device-seconds in use, as the meters counted them"""
    down_s: float
    """node-seconds of outages"""
    price_usd: float | None
    """of all its nodes and their part of the racks"""
    embodied_kg: Band | None
    serving: ServingAccount | None = None
    """of a pool of language-model replicas, which book the device-seconds of each job themselves"""

    def idle_j(self, until_s: float) -> tuple[float, float, float]:
        """What chips, boards and hosts would have used to `until_s` without a job, with the models that were loaded."""
        chip, board, host = (watts * until_s for watts in self.idle_w)
        return chip + (self.serving.resident_j if self.serving else 0.0), board, host


@dataclass(frozen=True)
class SiteAccount:
    """One site over the run."""

    name: str
    series: FacilitySeries
    onsite: OnSite | None
    """its solar plant and battery"""
    shares: Mapping[str, Share]
    """what the building, and solar plant and battery (onsite) cost over the run; those that are counted"""
    compute_j: float
    cells: IntArray
    """numbers of its cells"""
    cell_it_w: FloatArray
    """power at the racks' meters, shape (intervals, cells), W"""
    switch_j: float
    """energy of the racks' switches, J"""
    known: frozenset[str]
    """what is known of its grid energy: carbon, price, source (water to generate it)"""


@dataclass(frozen=True)
class Cells:
    """The parts of racks over time; arrays over cells, or of shape (intervals, cells)."""

    edges_s: FloatArray
    rack: Sequence[str]
    group: Sequence[str]
    pool: IntArray
    site: Sequence[str]
    compute_w: FloatArray
    busy_share: FloatArray


@dataclass(frozen=True)
class RunAccount:
    """All of one run."""

    scenario: Scenario
    table: JobTable
    until_s: float
    """moment at which the run stopped"""
    pools: Sequence[PoolAccount]
    sites: Sequence[SiteAccount]
    cells: Cells
    device_pool: IntArray
    """pool of each device"""
    retimed: tuple[IntArray, FloatArray]
    """jobs that run on a device that has changed its speed, and the service that they have had, s at full speed"""
    class_devices: FloatArray
    """devices in use by a job, shape (classes, pools); for a job without devices its share of the host"""
    class_pool: IntArray
    """pool that a job of each class would rather run on, shape (classes,)"""
    class_load: FloatArray
    """share of all there is of each resource there that one job holds, shape (classes, resources)"""
    figures: Mapping[str, float]
    """tariffs, rates and lifetimes, as far as the run needs them"""
    manifest: dict[str, object]
    grades: dict[str, int]
    """catalog numbers that the run read, by grade"""
    warnings: Sequence[str]
    dropped: Mapping[str, Mapping[str, int]]
    """stream -> reason -> rows of its trace that became no job"""
    events: int
    wall_s: float
    interrupted: bool

    @cached_property
    def kept(self) -> frozenset[str]:
        """Columns that the jobs of any stream brought with them."""
        return frozenset(name for block in self.table.blocks for name in block.sizes)

    @cached_property
    def attempts(self) -> Attempts:
        """Starts that outages cut short."""
        return self.table.attempt_columns()

    def arrived(self, block: JobBlock) -> int:
        """How many jobs of `block` had arrived when the run stopped; its end is not part of it."""
        side: Literal["left", "right"] = "left" if self.until_s == self.scenario.duration else "right"
        return int(np.searchsorted(block.arrival_s, self.until_s, side=side))

    def used_s(self, rows: slice | IntArray, pool: IntArray, held_s: FloatArray, booked_s: FloatArray) -> FloatArray:
        """Device-seconds in use by jobs at `rows` that held devices of `pool` for `held_s`; replicas book their own."""
        books = np.array([each.serving is not None for each in self.pools])
        return np.where(books[pool], booked_s, self.devices_of(rows, pool) * held_s)

    def devices_of(self, rows: slice | IntArray, pool: IntArray) -> FloatArray:
        """Devices that each of the jobs at `rows` of the table keeps in use on its `pool`, 0 where that is -1."""
        job_class = np.frombuffer(self.table.job_class, np.uint16)[rows]
        return np.where(pool >= 0, self.class_devices[job_class, np.maximum(pool, 0)], 0.0)

    def pool_of(self, device: IntArray) -> IntArray:
        """Pool of each job by the device it holds or held, -1 where it never started; shape of `device`."""
        return np.where(device >= 0, self.device_pool[np.maximum(device, 0)], -1)
