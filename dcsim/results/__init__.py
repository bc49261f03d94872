"""What a run records and what is made of it: tables, summary, energy per job, the run folder."""

from dcsim.results.result import Result, ResultError

__all__ = ["Result", "ResultError"]
