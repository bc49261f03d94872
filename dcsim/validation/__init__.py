"""Published and peer results as cases, and the runner behind `dcsim validate`."""

from dcsim.validation.report import Report, Row
from dcsim.validation.runner import run

__all__ = ["Report", "Row", "run"]
