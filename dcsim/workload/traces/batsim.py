"""Batsim workloads (oar-team/batsim): one JSON object with `jobs`, `profiles` and `nb_res`.

A job has id, subtime [s], res (resources), profile (its name) and perhaps walltime [s]; a row is the number of a job in
`jobs`, from 1. The run time is that of its profile:

- `delay` (also DelayProfile): `delay` [s]
- `parallel_homogeneous` (also ptask_homogeneous, ParallelTaskHomogeneousProfile): `runtime` [s], which some generators
  write; `cpu` and `com` alone give no time without the speed of a machine, so such a job is bad
- all other types: bad, named with their type

A job is stopped at its walltime: run_s is at most requested_s. Without a walltime, or with a negative one, requested_s
is the run time. kind is the name of the profile, trace_id the id where all ids are whole numbers. Times count from 0 of
the file. A time or walltime of 0 and resources of 0 are bad, and so is an id that is there twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from dcsim.errors import TraceError
from dcsim.workload.block import Block
from dcsim.workload.traces import _json
from dcsim.workload.traces._columns import MAX_ID, MAX_PROCESSORS, MAX_S, Number
from dcsim.workload.traces._jobs import MAX_JOBS, Job, Jobs, a_name
from dcsim.workload.traces._reading import Reading, Rows
from dcsim.workload.traces._text import opened

#: Key of the profile that holds a time, by type of profile.
_TIMED = {
    "delay": "delay",
    "DelayProfile": "delay",
    "parallel_homogeneous": "runtime",
    "ptask_homogeneous": "runtime",
    "ParallelTaskHomogeneousProfile": "runtime",
}
_MAX_PROFILES = 1_000_000
_ID = Number("id", whole=True, most=MAX_ID)
_SUBTIME = Number("subtime")
_RES = Number("res", least=1.0, whole=True, most=MAX_PROCESSORS)
_WALLTIME = Number("walltime", least=-MAX_S)
_RUN = Number("run", above=True)


class _Asked(NamedTuple):
    """A job before its profile is known."""

    number: int
    name: str
    submit_s: float
    processors: float
    walltime_s: float | None
    profile: str


def read(path: Path, reading: Reading) -> Block:
    """Jobs with columns run_s, requested_s, processors, kind and perhaps trace_id; raises TraceError."""
    rows = Rows(path, reading)
    asked: list[_Asked] | None = None
    profiles: dict[str, Any] | None = None
    with opened(path, longest_line=None) as text:
        source = _json.Source(text, path)
        for key in source.members():
            if key == "jobs":
                asked = _asked(source, rows)
            elif key == "profiles":
                profiles = _profiles(source, path)
            else:
                source.plain()
        source.end()
    for key, value in (("jobs", asked), ("profiles", profiles)):
        if value is None:
            raise TraceError(f"{path}: no key '{key}'; want the keys jobs and profiles")
    return _block(rows, asked or [], profiles or {})


def _block(rows: Rows, asked: list[_Asked], profiles: dict[str, Any]) -> Block:
    jobs = Jobs(rows)
    for each in asked:
        run_s = _run_s(each, profiles, rows)
        if run_s is None:
            continue
        requested_s = run_s if each.walltime_s is None else each.walltime_s
        columns: dict[str, float | None] = {
            "run_s": min(run_s, requested_s),
            "requested_s": requested_s,
            "processors": each.processors,
            "trace_id": float(each.name) if each.name.isdecimal() and float(each.name) <= MAX_ID else None,
        }
        jobs.add(Job(each.submit_s, columns, {"kind": each.profile}))
    return jobs.block(jobs.moments())


def _asked(source: _json.Source, rows: Rows) -> list[_Asked]:
    """The good jobs."""
    if source.peek() != "[":
        raise TraceError(f"{rows.path}, key 'jobs': found {_json.shown(source.value())[:60]}, want a list")
    found: list[_Asked] = []
    names: set[str] = set()
    for number, record, fault in source.elements():
        if fault:
            rows.bad(number, "", fault, "a job without NaN, Infinity or a key that is there twice")
            continue
        job = _one(number, record, rows)
        if job and job.name in names:
            rows.bad(number, "id", job.name, "an id that no other job has")
        elif job:
            names.add(job.name)
            found.append(job)
        if len(found) > MAX_JOBS:
            raise TraceError(f"{rows.path}: more than {MAX_JOBS} jobs; at most that many are read")
    return found


def _one(number: int, record: Any, rows: Rows) -> _Asked | None:
    if not isinstance(record, dict):
        rows.bad(number, "", _json.shown(record), "a JSON object")
        return None
    name = _job_name(record.get("id"))
    if name is None:
        rows.bad(number, "id", _found(record, "id"), "a name, or a whole number from 0")
        return None
    numbers: dict[str, float] = {}
    for column in (_SUBTIME, _RES, *([_WALLTIME] if record.get("walltime") is not None else [])):
        value = _json.number(record.get(column.name), column)
        if value is None or (column is _WALLTIME and value == 0.0):
            wants = f"{_RUN.wants}, or one below 0 for none" if column is _WALLTIME else column.wants
            rows.bad(number, column.name, _found(record, column.name), wants)
            return None
        numbers[column.name] = value
    profile = a_name(record.get("profile"))
    if profile is None:
        rows.bad(number, "profile", _found(record, "profile"), "the name of a profile")
        return None
    limit = numbers.get("walltime", -1.0)
    return _Asked(number, name, numbers["subtime"], numbers["res"], limit if limit > 0 else None, profile)


def _job_name(value: Any) -> str | None:
    whole = _json.number(value, _ID)
    return f"{whole:.0f}" if whole is not None else a_name(value) or None


def _profiles(source: _json.Source, path: Path) -> dict[str, Any]:
    if source.peek() != "{":
        raise TraceError(f"{path}, key 'profiles': found {_json.shown(source.value())[:60]}, want an object")
    found: dict[str, Any] = {}
    for name in source.members():
        profile = source.plain()
        kind = profile.get("type") if isinstance(profile, dict) else None
        if not isinstance(kind, str):
            raise TraceError(
                f"{path}, profile {name[:60]!r}: found {_json.shown(profile)[:60]}, want an object with a type"
            )
        found[name] = (kind, profile.get(_TIMED.get(kind, "")))
        if len(found) > _MAX_PROFILES:
            raise TraceError(f"{path}: more than {_MAX_PROFILES} profiles; at most that many are read")
    return found


def _run_s(job: _Asked, profiles: dict[str, Any], rows: Rows) -> float | None:
    """Run time of the job's profile; None when it has none, which is bad."""
    if job.profile not in profiles:
        rows.bad(job.number, "profile", job.profile, "the name of a profile of this file")
        return None
    kind, time = profiles[job.profile]
    run_s = _json.number(time, _RUN)
    if run_s is not None:
        return run_s
    if kind not in _TIMED:
        wants = "one of type delay, or of type parallel_homogeneous with a runtime; no other has a run time of its own"
    elif _TIMED[kind] == "runtime" and time is None:
        wants = "one with a runtime [s]: how long cpu and com take depends on the speed of a machine"
    else:
        wants = f"one whose {_TIMED[kind]} is {_RUN.wants}, not {_json.shown(time)[:60]}"
    rows.bad(job.number, "profile", f"{job.profile[:30]} of type {kind[:20]}", wants)
    return None


def _found(record: dict[str, Any], key: str) -> str:
    return _json.shown(record[key]) if key in record else ""
