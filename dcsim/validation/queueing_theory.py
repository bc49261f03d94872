"""Exact steady-state values of the queues that the simulator is checked against. Times in s, rates in 1/s.

Derived here from the birth-death balance equations and the Pollaczek-Khinchine formula (Kleinrock, Queueing
Systems vol. 1, 1975, chapters 3 and 5; Erlang 1917 for B and C). Arrivals other than Poisson: GI/M/1 (Kleinrock,
chapter 6) and the quasi-birth-death process of MMPP/M/1 (Neuts, Matrix-Geometric Solutions, 1981, chapter 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dcsim.workload.arrivals.mmpp import States


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


def gamma_m1(rate: float, service_rate: float, cv: float) -> Waits:
    """GI/M/1 in order of arrival with Gamma gaps: an arrival finds the server busy with probability sigma.

    sigma = A(mu (1 - sigma)), with A(s) = (1 + s cv^2 / lambda)^(-1 / cv^2) the transform of the gaps, by bisection
    between the roots; who waits does so for an exponential time of rate mu (1 - sigma).
    """

    def above(sigma: float) -> bool:
        """Whether A(mu (1 - sigma)) > sigma: so below the root, not above it (A is convex, and 1 is a root too)."""
        return -math.log1p(service_rate * (1.0 - sigma) * cv**2 / rate) / cv**2 > math.log(sigma)

    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle == 0.0 or above(middle) else (low, middle)
    sigma = (low + high) / 2
    drain = service_rate * (1.0 - sigma)
    wq = sigma / drain
    p95 = math.log(sigma / 0.05) / drain if sigma > 0.05 else 0.0
    return Waits(sigma, wq, wq + 1.0 / service_rate, rate * wq, rate * (wq + 1.0 / service_rate), p95)


def mmpp_m1(states: States, service_rate: float) -> Waits:
    """MMPP/M/1 in order of arrival: probabilities of n jobs and a state are pi_0 R^n.

    R is the least solution of A0 + R A1 + R^2 A2 = 0 with A0 = diag(rates), A1 = Q - A0 - mu I, A2 = mu I, by the
    fixed point R = -A0 (A1 + R A2)^-1; pi_0 (Q - A0 + mu R) = 0 and pi_0 (I - R)^-1 1 = 1.
    """
    q, up = states.generator, np.diag(states.rate_hz)
    one, ones = np.eye(len(q)), np.ones(len(q))
    stay = q - up - service_rate * one
    ratio = np.zeros_like(q)
    for _ in range(1_000_000):
        better = -up @ np.linalg.inv(stay + service_rate * ratio)
        change, ratio = float(np.abs(better - ratio).max()), better
        if change < 1e-15:
            break
    many = np.linalg.inv(one - ratio)
    equations = np.vstack([(q - up + service_rate * ratio).T, many @ ones])
    empty = np.linalg.lstsq(equations, np.append(np.zeros(len(q)), 1.0), rcond=None)[0]
    present = float(empty @ ratio @ many @ many @ ones)
    rate, waits = states.mean_hz, 1.0 - float(empty @ states.rate_hz) / states.mean_hz
    w = present / rate
    wq = w - 1.0 / service_rate
    return Waits(waits, wq, w, rate * wq, present, None)


def relaxation_s(rate: float, service_rate: float, servers: int, cv2: float = 1.0, dispersion: float = 1.0) -> float:
    """Time in which a queue forgets its start, s: 1 / (sqrt(c mu) - sqrt(lambda))^2, times (d + cv2) / 2.

    d is the limiting dispersion of the counts of arrivals, 1 for a Poisson process. Exact spectral gap of M/M/1
    (Kleinrock vol. 1, section 2.14); with more servers and other laws an estimate by heavy traffic. With a loss system
    the service time itself bounds it.
    """
    gap = math.sqrt(servers * service_rate) - math.sqrt(rate)
    heavy = (dispersion + cv2) / 2.0 / gap**2 if gap > 0 else math.inf
    return max(heavy, 1.0 / service_rate)
