"""Runs one queue through the whole simulator, many times, and measures it as an experimenter would."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dcsim.scenario.models import Scenario
from dcsim.sim.simulate import simulate
from dcsim.validation.case import CaseError, Effort
from dcsim.validation.queueing_theory import relaxation_s

FloatArray = npt.NDArray[np.float64]

#: Start and end of a run that are left out, in relaxation times: the empty start is forgotten to exp(-20).
TRIM = 20.0
#: Least relaxation times in all replications together: fewer leave a standard error of several percent.
MIN_RELAXATIONS = 2000.0
FIRST_SEED = 1


@dataclass(frozen=True)
class Queue:
    """Poisson arrivals to c equal servers in order of arrival."""

    rate: float
    """arrivals, 1/s"""
    mean_s: float
    """mean service time, s"""
    servers: int
    cv2: float = 1.0
    """squared coefficient of variation of the service time: 0 fixed, 1 exponential, otherwise lognormal"""
    loss: bool = False
    """True: an arrival that finds every server busy is rejected"""

    @property
    def load(self) -> float:
        """Offered load per server, rho."""
        return self.rate * self.mean_s / self.servers

    @property
    def memory_s(self) -> float:
        """Time in which it forgets its past, s."""
        return self.mean_s if self.loss else relaxation_s(self.rate, 1.0 / self.mean_s, self.servers, self.cv2)

    def jobs(self, effort: Effort) -> int:
        """Jobs per replication: blocking and waits behind regular service settle quickly."""
        return effort.light_jobs if self.loss or self.cv2 < 1 else effort.jobs


@dataclass(frozen=True)
class Estimate:
    """Mean of one metric over n independent replications."""

    mean: float
    standard_error: float
    replications: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval of the mean from Student's t with n - 1 degrees of freedom."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.replications - 1, 0.5 + level / 2)) * self.standard_error
        return self.mean - half, self.mean + half


def jobs_wanted(queue: Queue) -> float:
    """Jobs that all replications together need so that the estimates mean something."""
    return MIN_RELAXATIONS * queue.memory_s * queue.rate


@lru_cache(maxsize=256)
def measure(queue: Queue, effort: Effort) -> dict[str, Estimate]:
    """Simulate `effort.replications` independent runs and pool them: one estimate per metric.

    Metrics: P_wait, Wq, W, Lq, L, rho, p95_wait, B (share rejected). Times in s.
    """
    samples = [_replication(queue, queue.jobs(effort), FIRST_SEED + index) for index in range(effort.replications)]
    estimates = {}
    for metric in samples[0]:
        values = np.array([sample[metric] for sample in samples])
        error = float(values.std(ddof=1)) / math.sqrt(len(values))
        estimates[metric] = Estimate(float(values.mean()), error, len(values))
    return estimates


def _replication(queue: Queue, jobs: int, seed: int) -> dict[str, float]:
    trim_s = TRIM * queue.memory_s
    begin_s, end_s = trim_s, trim_s + jobs / queue.rate
    table = simulate(scenario(queue, end_s + trim_s), seed=seed).jobs
    accepted = (table["status"] != "rejected").to_numpy()
    arrival, start, end = (table[column].to_numpy(np.float64) for column in ("arrival_s", "first_start_s", "end_s"))
    watched = (arrival >= begin_s) & (arrival < end_s)
    wait = (start - arrival)[watched & accepted]
    stay = (end - arrival)[watched & accepted]
    if not len(stay) or np.isnan(stay).any():
        raise CaseError(f"{int(np.isnan(stay).sum())} of {len(stay)} watched jobs did not end within the run")
    length_s = end_s - begin_s
    waiting = _present_s(arrival[accepted], start[accepted], begin_s, end_s) / length_s
    present = _present_s(arrival[accepted], end[accepted], begin_s, end_s) / length_s
    return {
        "P_wait": float((wait > 0).mean()),
        "Wq": float(wait.mean()),
        "W": float(stay.mean()),
        "Lq": waiting,
        "L": present,
        "rho": (present - waiting) / queue.servers,
        "p95_wait": float(np.quantile(wait, 0.95)),
        "B": float(1.0 - accepted[watched].mean()),
    }


def _present_s(begin: FloatArray, end: FloatArray, from_s: float, to_s: float) -> float:
    """Time that all jobs together spend between begin and end within a window, s. No end: still there."""
    last = np.where(np.isnan(end), np.inf, end)
    return float(np.clip(np.minimum(last, to_s) - np.maximum(begin, from_s), 0.0, None).sum())


def scenario(queue: Queue, duration_s: float) -> Scenario:
    """The queue as a scenario: one node with c devices and one Poisson stream."""
    service: dict[str, object] = {
        "distribution": _DISTRIBUTION.get(queue.cv2, "lognormal"),
        "mean": f"{queue.mean_s!r} s",
    }
    if service["distribution"] == "lognormal":
        service["cv"] = math.sqrt(queue.cv2)
    device = {"count": queue.servers, "power": {"max": "1 W"}}
    return Scenario.model_validate(
        {
            "name": "queue",
            "duration": f"{duration_s!r} s",
            "meter_interval": f"{duration_s!r} s",
            "sites": {"site": {"ups": "none", "transformer": "none"}},
            "racks": {
                "rack": {
                    "site": "site",
                    "frame": "none",
                    "psu": "none",
                    "pools": {"servers": {"nodes": 1, "node": {"devices": {"server": device}}}},
                }
            },
            "streams": {
                "jobs": {
                    "arrivals": {"kind": "poisson", "rate": f"{queue.rate!r}/s"},
                    "runs_on": ["servers"],
                    "service": service,
                    "queue_limit": 0 if queue.loss else None,
                }
            },
        }
    )


_DISTRIBUTION = {0.0: "fixed", 1.0: "exponential"}
