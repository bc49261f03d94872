"""Moments of arrival as sorted chunks of numbers, one module per process."""

from dcsim.workload.arrivals.given import scheduled
from dcsim.workload.arrivals.poisson import poisson, profiled
from dcsim.workload.arrivals.profile import DAY_S, Profile

__all__ = ["DAY_S", "Profile", "poisson", "profiled", "scheduled"]
