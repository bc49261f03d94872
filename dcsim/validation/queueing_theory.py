"""Exact steady-state values of the queues that the simulator is checked against. Times in s, rates in 1/s.

Derived here from the birth-death balance equations and the Pollaczek-Khinchine formula (Kleinrock, Queueing
Systems vol. 1, 1975, chapters 3 and 5; Erlang 1917 for B and C).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Waits:
    """What a stable queue shows in the long run."""

    p_wait: float
    """share of jobs that wait"""
    wq_s: float
    """mean wait in the queue, s"""
    w_s: float
    """mean time in the system, s"""
    waiting: float
    """mean number waiting, Lq = lambda Wq"""
    present: float
    """mean number in the system, L = lambda W"""
    p95_wait_s: float | None
    """95th percentile of the wait over all jobs, s; None where no closed form exists"""


def erlang_b(offered: float, servers: int) -> float:
    """Share of Poisson arrivals lost by c servers without a queue at offered load a = lambda E[S].

    B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)): stable for any size, where the factorials of the closed form
    overflow.
    """
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = offered * blocked / (k + offered * blocked)
    return blocked


def erlang_c(offered: float, servers: int) -> float:
    """Share of arrivals that wait in M/M/c: C = B / (1 - rho (1 - B)), rho = a / c < 1."""
    blocked = erlang_b(offered, servers)
    return blocked / (1.0 - offered / servers * (1.0 - blocked))


def mmc(rate: float, service_rate: float, servers: int) -> Waits:
    """M/M/c in order of arrival. A job that waits does so for an exponential time of rate c mu - lambda."""
    p_wait = erlang_c(rate / service_rate, servers)
    drain = servers * service_rate - rate
    wq = p_wait / drain
    p95 = math.log(p_wait / 0.05) / drain if p_wait > 0.05 else 0.0
    w = wq + 1.0 / service_rate
    return Waits(p_wait, wq, w, rate * wq, rate * w, p95)


def mg1(rate: float, mean_s: float, cv2: float) -> Waits:
    """M/G/1 in order of arrival: Wq = rho E[S] (1 + cv2) / (2 (1 - rho)), cv2 = Var[S] / E[S]^2."""
    rho = rate * mean_s
    wq = rho * mean_s * (1.0 + cv2) / (2.0 * (1.0 - rho))
    w = wq + mean_s
    return Waits(rho, wq, w, rate * wq, rate * w, None)


def relaxation_s(rate: float, service_rate: float, servers: int, cv2: float = 1.0) -> float:
    """Time in which a queue forgets its start, s: 1 / (sqrt(c mu) - sqrt(lambda))^2, times (1 + cv2) / 2.

    Exact spectral gap of M/M/1 (Kleinrock vol. 1, section 2.14); with more servers and other service laws an
    estimate by heavy traffic. With a loss system the service time itself bounds it.
    """
    gap = math.sqrt(servers * service_rate) - math.sqrt(rate)
    heavy = (1.0 + cv2) / 2.0 / gap**2 if gap > 0 else math.inf
    return max(heavy, 1.0 / service_rate)
