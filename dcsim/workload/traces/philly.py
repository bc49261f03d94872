"""Microsoft Philly job log (msr-fiddle/philly-traces, ATC 2019): `cluster_job_log`, one JSON array of jobs.

Each job has status, vc, jobid, user, submitted_time and attempts, a list of {start_time, end_time, detail}, with
detail a list of {ip, gpus}. The file is read element by element; a row is the number of an element, from 1.

- run_s: the sum over the attempts that have both times; wait_s: first start minus submission
- processors and nodes: GPUs and machines of the first attempt
- user, tenant (vc) and state (status: Pass, Killed, Failed) as names; device_kind is gpu

Times are local, without a zone. They are those of the option `timezone`, by default America/Los_Angeles: the
utilisation files of the same release write PDT and PST. Arrivals count from the first submission. A time may be null,
"" or "None". Left out and counted: jobs without a submission time, without attempts (never started), still running
when the log was taken (not ended: the last attempt has no end), without an attempt that has both times, without GPUs,
and with a run time of 0. An attempt that ends before it starts is bad, and a job that starts before its submission.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dcsim.workload.block import Block
from dcsim.workload.traces import _clock, _json
from dcsim.workload.traces._columns import MISSING
from dcsim.workload.traces._fleet import GPU
from dcsim.workload.traces._jobs import MAX_NAME_CHARS, BadRecord, Job, Jobs, a_name
from dcsim.workload.traces._reading import Reading, Rows
from dcsim.workload.traces._text import opened

OPTIONS = ("timezone",)

_NAMES = {"user": "user", "tenant": "vc", "state": "status"}


class _Attempt(NamedTuple):
    start_s: float | None
    end_s: float | None
    nodes: int
    gpus: int


def read(path: Path, reading: Reading) -> Block:
    """Jobs with columns run_s, wait_s, processors, nodes, user, tenant and state; raises TraceError."""
    rows = Rows(path, reading)
    local = ZoneInfo(reading.timezone or "America/Los_Angeles")
    jobs = Jobs(rows)
    with opened(path, longest_line=None) as text:
        source = _json.Source(text, path)
        for number, record, fault in source.elements():
            if fault:
                rows.bad(number, "", fault, "a job without NaN, Infinity or a key that is there twice")
                continue
            try:
                job = _job(record, rows, local)
            except BadRecord as bad:
                rows.bad(number, bad.key, bad.found, bad.wants)
                continue
            if job:
                jobs.add(job)
        source.end()
    submitted_s = jobs.moments()
    return jobs.block(submitted_s - submitted_s.min(initial=float("inf")))


def _job(record: Any, rows: Rows, local: ZoneInfo) -> Job | None:
    """One job; None when the rules leave it out, which is counted."""
    if not isinstance(record, dict):
        raise BadRecord("", _json.shown(record), "a JSON object")
    submitted_s = _moment(record, "submitted_time", local)
    attempts = [_attempt(each, local) for each in _list(record, "attempts")]
    reason = _left_out(submitted_s, attempts)
    if reason or submitted_s is None:
        rows.leave_out(1, reason)
        return None
    runs = [each.end_s - each.start_s for each in attempts if each.start_s is not None and each.end_s is not None]
    first_s = next(each.start_s for each in attempts if each.start_s is not None)
    if first_s < submitted_s:
        wants = f"a start from the submission on, {record['submitted_time']}"
        raise BadRecord("start_time", f"{submitted_s - first_s:g} s before", wants)
    columns: dict[str, float | None] = {
        "run_s": sum(runs),
        "wait_s": first_s - submitted_s,
        "processors": float(attempts[0].gpus),
        "nodes": float(attempts[0].nodes),
    }
    names = {column: _name(record, key) for column, key in _NAMES.items()}
    return Job(submitted_s, columns, names | {"device_kind": GPU})


def _left_out(submitted_s: float | None, attempts: list[_Attempt]) -> str:
    """Why a job is none of the block, or ''."""
    both = [each.end_s - each.start_s for each in attempts if each.start_s is not None and each.end_s is not None]
    reasons = {
        "no submission time": submitted_s is None,
        "never started": not attempts,
        "not ended": bool(attempts) and attempts[-1].end_s is None,
        "no attempt with both times": not both,
        "no run time": not sum(both),
        "no GPUs": not attempts or not attempts[0].gpus,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _attempt(record: Any, local: ZoneInfo) -> _Attempt:
    if not isinstance(record, dict):
        raise BadRecord("attempts", _json.shown(record), "a list of JSON objects")
    start_s, end_s = _moment(record, "start_time", local), _moment(record, "end_time", local)
    if start_s is not None and end_s is not None and end_s < start_s:
        raise BadRecord("end_time", str(record["end_time"]), f"a time from the start on, {record['start_time']}")
    detail = _list(record, "detail")
    if any(not isinstance(each, dict) for each in detail):
        raise BadRecord("detail", "a list of other things", "a list of JSON objects")
    return _Attempt(start_s, end_s, len(detail), sum(len(_list(each, "gpus")) for each in detail))


def _moment(record: dict[str, Any], key: str, local: ZoneInfo) -> float | None:
    value = record.get(key)
    if value is None or (isinstance(value, str) and value.strip() in MISSING):
        return None
    moment_s = _clock.unix_s(value, local)
    if moment_s is None:
        raise BadRecord(key, _json.shown(value), f"{_clock.WANTS}, null or 'None'")
    return moment_s


def _list(record: dict[str, Any], key: str) -> list[Any]:
    value = record.get(key)
    if value is not None and not isinstance(value, list):
        raise BadRecord(key, _json.shown(value), "a list")
    return value or []


def _name(record: dict[str, Any], key: str) -> str:
    name = a_name("" if record.get(key) is None else record[key])
    if name is None:
        raise BadRecord(key, _json.shown(record[key]), f"a name of at most {MAX_NAME_CHARS} characters")
    return name
