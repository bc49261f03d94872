"""Moments of arrival as sorted chunks of numbers, one module per process, each with what theory knows of it.

Each module has a function `draw` that yields the chunks, and, where anything is known, `theory`. Chunks have a fixed
number of draws, so that the moments depend on the random stream alone, neither on how a caller cuts them nor on the end
of the run.
"""

from dcsim.workload.arrivals import clients, given, hawkes, mmpp, periodic, poisson, renewal, self_similar
from dcsim.workload.arrivals.profile import DAY_S, WEEK_S, Profile
from dcsim.workload.arrivals.shape import Shape
from dcsim.workload.arrivals.sinusoid import Sinusoid
from dcsim.workload.arrivals.steps import Steps
from dcsim.workload.arrivals.theory import Theory

__all__ = [
    "DAY_S",
    "WEEK_S",
    "Profile",
    "Shape",
    "Sinusoid",
    "Steps",
    "Theory",
    "clients",
    "given",
    "hawkes",
    "mmpp",
    "periodic",
    "poisson",
    "renewal",
    "self_similar",
]
