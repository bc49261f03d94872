"""What the dispatcher keeps: pools, the lanes in which jobs wait for them, classes of jobs, and what a job holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from dcsim.cluster.replicas import ReplicaServer
from dcsim.scheduling.nodes import Nodes, Request
from dcsim.scheduling.slots import Slots
from dcsim.service import Server


class Pool:
    """Equal nodes, what is free on them, and how many jobs wait for them."""

    def __init__(self, name: str, number: int, placement: Slots | Nodes) -> None:
        self.name, self.number, self.placement = name, number, placement
        self.queued = 1
        """jobs that wait in any lane of this pool, and one more unless they are served in order"""
        self.finished: Callable[[], int]
        """how many jobs have ended here"""
        self.lanes: list[Lane] = []
        self.finish: Callable[[Server], None]
        self.decode: Pool | None = None
        """pool of decode replicas where the jobs of its prefill replicas go on"""
        self.pass_on: Callable[[ReplicaServer, int], None]
        """what a prefill replica calls with a job that goes on"""


class Lane:
    """Jobs that wait for the same pools, in order of arrival."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        self.pools = list(pools)
        self.waiting: deque[tuple[float, int]] = deque()
        """(arrival, job)"""


@dataclass
class Queue:
    """How many jobs of one stream wait, and how many may."""

    limit: float = inf
    waiting: int = 0


@dataclass(frozen=True)
class JobClass:
    """Jobs of one stream that ask for the same; `JobTable.job_class` holds its number in `Dispatcher.classes`."""

    stream: str
    lane: Lane
    requests: Mapping[str, Request]
    """pool -> what a job holds there"""
    queue: Queue


@dataclass(slots=True)
class Holding:
    """What a job on several servers, or placed by node, holds from start to end."""

    pool: Pool
    servers: list[Server]
    """its devices, and behind them the hosts whose cores it holds"""
    devices: int
    done: list[Server] = field(default_factory=list)
    """servers that have done their part already, faster than others"""
