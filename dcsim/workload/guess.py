"""The format of a trace, told from its name and its first line, and what it holds: jobs, items, rates or nodes.

Only what cannot be anything else is told; the rest is for the user to say.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from dcsim.errors import TraceError
from dcsim.workload import traces
from dcsim.workload.traces import _native, _table, _text

Holds = Literal["read", "items", "rates", "machines"]


class Guess(NamedTuple):
    """A format, and the function of `traces` that takes the file."""

    format: str
    holds: Holds


class _Header(NamedTuple):
    format: str
    holds: Holds
    columns: frozenset[str]
    """that the header has, all of them"""
    without: frozenset[str] = frozenset()
    """that it has not"""


def _header(format: str, holds: Holds, columns: str, without: str = "") -> _Header:
    return _Header(format, holds, frozenset(columns.split(",")), frozenset(filter(None, without.split(","))))


_HEADERS = (
    _header("azure-llm", "read", "TIMESTAMP,ContextTokens,GeneratedTokens"),
    _header("azure-llm", "read", "arrived_at,num_prefill_tokens,num_decode_tokens"),
    _header("burstgpt", "read", "Timestamp,Request tokens,Response tokens"),
    _header("philly-sia", "read", "timestamp,duration,num_gpus,cluster"),
    _header("helios", "read", "vc,state,gpu_num,node_num,submit_time,start_time,end_time"),
    _header("acme", "read", "type,state,gpu_num,node_num,submit_time,start_time,end_time", "vc"),
    _header("sia", "read", "name,time,application,num_replicas"),
    _header("alibaba-dlrm", "read", "instance_sn,role,app_name,creation_time"),
    _header("alibaba-spot", "read", "job_name,organization,worker_num,submit_time,duration"),
    _header("alibaba-spot", "machines", "node_name,gpu_model,gpu_capacity_num,cpu_num"),
    _header("openb", "read", "name,cpu_milli,memory_mib,num_gpu,gpu_milli,creation_time,scheduled_time"),
    _header("openb", "items", "name,cpu_milli,memory_mib,num_gpu,gpu_milli", "creation_time"),
    _header("openb-nodes", "machines", "sn,cpu_milli,memory_mib,gpu,model"),
    _header("pai", "read", "job_name,task_name,inst_num,plan_cpu,plan_gpu"),
    _header("pai", "read", "job_name,inst_id,user,status,start_time,end_time"),
    _header("servegen-rates", "rates", "model,ts,rate"),
    _header("csv", "read", "submit_s"),
    _header("csv", "read", "arrival_s"),
    _header("csv", "read", "submit_time", "gpu_num,worker_num"),
)

_SCENARIO = re.compile(r"^(streams|racks|sites)\s*:", re.MULTILINE)
_OBJECT = re.compile(r"^(- )?(apiVersion|kind)\s*:", re.MULTILINE)
_YAML, _PACKED = (".yaml", ".yml"), (".gz", ".zst")
_START_CHARS = 65_536


def is_scenario(path: Path) -> bool:
    """Whether a file is written as a scenario. Raises TraceError when it cannot be read."""
    return path.suffix.lower() in _YAML and path.is_file() and bool(_SCENARIO.search(_start(path)))


def guess(path: Path) -> Guess:
    """Format of the trace at `path`. Raises TraceError when it cannot be read, or when several or none would do."""
    found = list(dict.fromkeys(one for one in _found(path) if one.format in traces.formats(one.holds)))
    if len(found) == 1:
        return found[0]
    if path.is_dir():
        folders = ", ".join(name for name in all_formats() if traces.reads_folders(name))
        raise TraceError(f"{path}: found a folder, want a file; formats of folders, for --format: {folders}")
    if not found and _suffix(path) == ".csv":
        try:
            _native.chosen(path, _table.header(path), traces.Reading(), timed=True)
        except TraceError as error:  # what keeps it from being dcsim's own
            raise TraceError(f"{error}; or say with --format what it is") from None
    why = f"may be {' or '.join(sorted({one.format for one in found}))}" if found else "cannot be told from the file"
    raise TraceError(f"{path}: the format {why}; say it with --format: {', '.join(all_formats())}")


def all_formats() -> list[str]:
    """Names of all formats of jobs, items, rates and nodes."""
    return sorted({name for holds in ("read", "items", "rates", "machines") for name in traces.formats(holds)})


def holds(path: Path, format: str) -> Holds:
    """What a file of a known format holds: as its header says, else jobs where the format may have them.

    Raises TraceError for a format that does not exist.
    """
    kinds: tuple[Holds, ...] = ("read", "items", "rates", "machines")
    has = [kind for kind in kinds if format in traces.formats(kind)]
    if len(has) > 1 and path.is_file():
        has = [one.holds for one in _found(path) if one.format == format and one.holds in has] or has
    return has[0] if has else "read"


def _found(path: Path) -> Iterator[Guess]:
    if path.is_dir():
        if (path / "tasks.parquet").is_file():
            yield Guess("opendc", "read")
        return
    suffix = _suffix(path)
    if suffix == ".parquet":
        yield Guess("opendc" if path.name == "tasks.parquet" else "parquet", "read")
    elif suffix == ".swf":
        yield Guess("swf", "read")
    elif suffix in _YAML:
        yield from [Guess("kubernetes", "read")] * bool(_OBJECT.search(_start(path)))
    elif suffix in (".json", ".jsonl"):
        yield from _json(_start(path))
    else:
        yield from _by_header(_start(path).partition("\n")[0])


def _suffix(path: Path) -> str:
    packed = path.suffix.lower() in _PACKED
    return Path(path.stem if packed else path.name).suffix.lower()


def _start(path: Path) -> str:
    with _text.opened(path) as text:
        start = text.read(_START_CHARS)
    if not start.strip():
        raise TraceError(f"{path}: the file is empty")
    return start


def _json(start: str) -> Iterator[Guess]:
    if '"hash_ids"' in start or '"input_length"' in start:
        yield Guess("qwen" if '"chat_id"' in start else "mooncake", "read")
    if '"jobid"' in start and '"submitted_time"' in start:
        yield Guess("philly", "read")
    if '"nb_res"' in start or ('"subtime"' in start and '"profile"' in start):
        yield Guess("batsim", "read")
    if '"apiVersion"' in start:
        yield Guess("kubernetes", "read")


def _by_header(line: str) -> Iterator[Guess]:
    if line.startswith(";"):
        yield Guess("swf", "read")
        return
    if "|" in line and {"JobID", "Submit"} <= set(line.strip().split("|")):
        yield Guess("sacct", "read")
        return
    names = {name.strip() for name in next(csv.reader([line]), [])}
    for known in _HEADERS:
        if known.columns <= names and not known.without & names:
            yield Guess(known.format, known.holds)
