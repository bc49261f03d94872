"""Counts of arrivals whose rate follows a sine over the day, through the real simulator."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from dcsim.sim.simulate import simulate
from dcsim.validation.case import Effort, NonNegative, Number, Part, Positive
from dcsim.validation.queueing_runs import FIRST_SEED, Estimate, pooled, single
from dcsim.workload.arrivals import DAY_S

#: Arrivals in all runs together that measure a count to half a percent.
_ARRIVALS = 40_000
_MOST_RUNS = 400
_SIX_HOURS_S = 6 * 3600.0


class SinusoidCounts(Part):
    """Poisson arrivals of rate lam0 (1 + a sin(2 pi (t - phi) / 86400)) from 0 to T, and how many are expected."""

    rate: str = ""
    """the formula, for readers"""
    lam0: Annotated[Positive, Field(ge=1e-9, le=1e9)]
    a: Annotated[NonNegative, Field(le=1.0)]
    phi: Annotated[Number, Field(ge=-1e9, le=1e9)]
    T: Annotated[Positive, Field(ge=1e-3, le=1e9)]
    expected_total: NonNegative | None = None
    expected_0_6h: NonNegative | None = None

    @staticmethod
    def expected(lam0: float, a: float, phi: float, T: float) -> dict[str, float]:
        """A case with the integrals of the rate."""

        def integral(end: float) -> float:
            omega = 2.0 * math.pi / DAY_S
            return lam0 * (end - a / omega * (math.cos(omega * (end - phi)) - math.cos(omega * phi)))

        counts = {"expected_total": integral(T), "expected_0_6h": integral(min(T, _SIX_HOURS_S))}
        return {"lam0": lam0, "a": a, "phi": phi, "T": T} | counts

    def label(self) -> str:
        """Short name in the field's notation."""
        return f"sinusoidal day rate {self.lam0:g} swing {self.a:g}"

    def runs(self, effort: Effort) -> int | None:
        """Runs that measure the smaller count to half a percent; None when they would be too long."""
        wanted = self._wanted()
        jobs = wanted * self.lam0 * self.T
        return wanted if wanted <= _MOST_RUNS and jobs <= effort.replications * effort.jobs else None

    def too_much(self, effort: Effort) -> str:
        """Why it cannot be measured."""
        wanted, most = self._wanted(), effort.replications * effort.jobs
        needs = f"needs {wanted:,} runs and {wanted * self.lam0 * self.T:.2g} jobs to be measured"
        return f"{needs}; {_MOST_RUNS} runs and {most:,} jobs are simulated"

    def _wanted(self) -> int:
        counts = [count for count in (self.expected_total, self.expected_0_6h) if count]
        return max(2, math.ceil(_ARRIVALS / min(counts))) if counts else 2

    def measure(self, runs: int) -> dict[str, Estimate]:
        """The counts that are expected, by name."""
        peak_s = (self.phi + DAY_S / 4) % DAY_S
        arrivals = {
            "kind": "sinusoid",
            "rate": f"{self.lam0!r}/s",
            "amplitude": self.a,
            "peak": f"{peak_s!r} s",
        }
        service = {"distribution": "fixed", "mean": f"{1e-3 / self.lam0!r} s"}
        scenario = single(arrivals, service, 1, self.T, None)
        samples = []
        for seed in range(FIRST_SEED, FIRST_SEED + runs):
            arrival_s = simulate(scenario, seed=seed).jobs["arrival_s"].to_numpy()
            counts = {"expected_total": len(arrival_s), "expected_0_6h": int((arrival_s < _SIX_HOURS_S).sum())}
            samples.append({name: float(count) for name, count in counts.items() if getattr(self, name) is not None})
        return pooled(samples)
