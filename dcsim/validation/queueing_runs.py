"""Runs one queue through the whole simulator, many times, and measures it as an experimenter would."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dcsim.scenario.models import Scenario
from dcsim.sim.simulate import simulate
from dcsim.validation.case import CaseError, Effort
from dcsim.validation.queueing_theory import relaxation_s
from dcsim.workload.arrivals import mmpp
from dcsim.workload.arrivals.mmpp import States

FloatArray = npt.NDArray[np.float64]

#: Start and end of a run that are left out, in relaxation times: the empty start is forgotten to exp(-20).
TRIM = 20.0
#: Least relaxation times in all replications together: fewer leave a standard error of several percent.
MIN_RELAXATIONS = 2000.0
#: Standard errors between the measured and the exact value that are allowed.
STANDARD_ERRORS = 3.0
#: Relaxation times in all replications together that measure a mean wait to about one percent.
GOOD_RELAXATIONS = 20_000.0
#: Length of the windows in which arrivals are counted, in memory times of their rate.
WINDOW = 5.0
FIRST_SEED = 1


@dataclass(frozen=True)
class Arrivals:
    """How arrivals vary around their mean rate: a Poisson process, Gamma gaps, or a rate that jumps."""

    cv: float | None = None
    """coefficient of variation of Gamma gaps"""
    switched: tuple[float, float, float, float] | None = None
    """arrival rates in two states and rates of change from the first and from the second, 1/s"""

    @property
    def is_poisson(self) -> bool:
        """Whether nothing else is said."""
        return self.cv is None and self.switched is None

    @property
    def states(self) -> States | None:
        """The two states, None without them. Raises ValueError for rates that do not do."""
        if self.switched is None:
            return None
        first, second, leave_first, leave_second = self.switched
        return States.of([first, second], [[0.0, leave_first], [leave_second, 0.0]])

    @property
    def dispersion(self) -> float:
        """Variance over mean of the counts in long windows."""
        if (states := self.states) is not None:
            return mmpp.theory(states).dispersion(math.inf) or 1.0
        return 1.0 if self.cv is None else self.cv**2

    @property
    def memory_s(self) -> float:
        """Time in which the rate forgets its state, s."""
        return 0.0 if self.switched is None else 1.0 / sum(self.switched[2:])

    def keys(self, rate: float) -> dict[str, object]:
        """The arrivals of a scenario."""
        if (states := self.states) is not None:
            rates = [f"{each!r}/s" for each in states.rate_hz.tolist()]
            changes = [[f"{each!r}/s" for each in row] for row in states.change_hz.tolist()]
            return {"kind": "mmpp", "rates": rates, "changes": changes}
        plain: dict[str, object] = {"kind": "poisson", "rate": f"{rate!r}/s"}
        return plain if self.cv is None else plain | {"kind": "gamma", "cv": self.cv}


POISSON = Arrivals()


@dataclass(frozen=True)
class Queue:
    """Arrivals to c equal servers in order of arrival."""

    rate: float
    """arrivals, 1/s"""
    mean_s: float
    """mean service time, s"""
    servers: int
    cv2: float = 1.0
    """squared coefficient of variation of the service time: 0 fixed, 1 exponential, otherwise lognormal"""
    loss: bool = False
    """True: an arrival that finds every server busy is rejected"""
    arrivals: Arrivals = POISSON

    @property
    def load(self) -> float:
        """Offered load per server, rho."""
        return self.rate * self.mean_s / self.servers

    @property
    def memory_s(self) -> float:
        """Time in which it forgets its past, s."""
        if self.loss:
            return self.mean_s
        arrivals = self.arrivals
        own_s = relaxation_s(self.rate, 1.0 / self.mean_s, self.servers, self.cv2, arrivals.dispersion)
        return own_s + arrivals.memory_s

    def jobs(self, effort: Effort) -> int:
        """Jobs per replication: blocking and waits behind regular service settle quickly.

        Arrivals other than Poisson get as many as a standard error of about one percent wants, half a percent where
        the tolerance is 2 %, up to `effort.jobs`.
        """
        if not self.arrivals.is_poisson:
            good = GOOD_RELAXATIONS * (1.0 if self.arrivals.dispersion > 1 else 2.0)
            wanted = math.ceil(good * self.memory_s * self.rate / effort.replications)
            return min(max(wanted, effort.light_jobs), effort.jobs)
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

    Metrics: P_wait (also called sigma), Wq, W, Lq, L, rho, p95_wait, B (share rejected), lam_mean (arrivals, 1/s) and,
    where the rate of arrivals has states, IDC_inf (their limiting dispersion). Times in s.
    """
    samples = [_replication(queue, queue.jobs(effort), FIRST_SEED + index) for index in range(effort.replications)]
    return pooled(samples)


def pooled(samples: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """One estimate per metric of independent replications."""
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
    counted = (
        {} if queue.arrivals.switched is None else {"IDC_inf": _dispersion(arrival[watched] - begin_s, queue, length_s)}
    )
    return counted | {
        "P_wait": float((wait > 0).mean()),
        "sigma": float((wait > 0).mean()),
        "lam_mean": int(watched.sum()) / length_s,
        "Wq": float(wait.mean()),
        "W": float(stay.mean()),
        "Lq": waiting,
        "L": present,
        "rho": (present - waiting) / queue.servers,
        "p95_wait": float(np.quantile(wait, 0.95)),
        "B": float(1.0 - accepted[watched].mean()),
    }


def _dispersion(arrival_s: FloatArray, queue: Queue, length_s: float) -> float:
    """Limiting dispersion of arrivals in [0, length_s) from counts in windows of WINDOW memory times.

    The counts' excess over 1 falls short of the limit by the factor 1 - (1 - exp(-x)) / x of windows of x memory times:
    exact for two states, whose rates' correlation falls exponentially.
    """
    window_s = WINDOW * queue.arrivals.memory_s
    windows = int(length_s / window_s)
    counts = np.bincount((arrival_s / window_s).astype(np.intp), minlength=windows)[:windows]
    if windows < 2:
        return math.nan
    excess = counts.var(ddof=1) / counts.mean() - 1.0
    return float(1.0 + excess / (1.0 + math.expm1(-WINDOW) / WINDOW))


def _present_s(begin: FloatArray, end: FloatArray, from_s: float, to_s: float) -> float:
    """Time that all jobs together spend between begin and end within a window, s. No end: still there."""
    last = np.where(np.isnan(end), np.inf, end)
    return float(np.clip(np.minimum(last, to_s) - np.maximum(begin, from_s), 0.0, None).sum())


def scenario(queue: Queue, duration_s: float) -> Scenario:
    """The queue as a scenario: one node with c devices and one stream."""
    return single(
        queue.arrivals.keys(queue.rate), _service(queue), queue.servers, duration_s, 0 if queue.loss else None
    )


def _service(queue: Queue) -> dict[str, object]:
    service: dict[str, object] = {
        "distribution": _DISTRIBUTION.get(queue.cv2, "lognormal"),
        "mean": f"{queue.mean_s!r} s",
    }
    if service["distribution"] == "lognormal":
        service["cv"] = math.sqrt(queue.cv2)
    return service


def single(
    arrivals: Mapping[str, object],
    service: Mapping[str, object],
    servers: int,
    duration_s: float,
    queue_limit: int | None,
) -> Scenario:
    """One node with so many devices and one stream."""
    device = {"count": servers, "power": {"max": "1 W"}}
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
                    "arrivals": arrivals,
                    "runs_on": ["servers"],
                    "service": service,
                    "queue_limit": queue_limit,
                }
            },
        }
    )


_DISTRIBUTION = {0.0: "fixed", 1.0: "exponential"}
