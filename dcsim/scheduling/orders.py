"""Queue orders by name: which waiting job is next.

An order is a key: the job with the smallest key is next, and nothing overtakes it.
"""

from __future__ import annotations

from collections.abc import Callable

from dcsim.scheduling.registry import Registry

Order = Callable[[float, int], tuple[float, ...]]

ORDERS: Registry[Order] = Registry("policy")


@ORDERS.add("fcfs")
def fcfs(arrival_s: float, job: int) -> tuple[float, ...]:
    """First come, first served: by arrival [s], then by number."""
    return (arrival_s, job)
