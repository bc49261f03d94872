"""Slurm accounting, as `sacct --parsable2` (`-P`) prints it: a header and cells between `|`.

Of the fields (`-o`), JobID, Submit, Start and ElapsedRaw or Elapsed must be there; read are User, Account, Partition,
QOS, End, TimelimitRaw or Timelimit, State, NNodes, NCPUS, AllocTRES, ReqTRES and Priority too, in any order; others are
passed over.

- Times are the cluster's local ones without a zone: the option `timezone` names it. Unix times (SLURM_TIME_FORMAT=%s)
  and times with a zone need none. Arrivals count from the first job that is kept; wait = Start - Submit.
- ElapsedRaw is in seconds, TimelimitRaw in minutes. Where one is not there, Elapsed and Timelimit are read instead:
  [[D-]HH:]MM:SS, a limit in minutes too. No limit (UNLIMITED, Partition_Limit, empty) is the run time.
  A job that ran over its limit is killed at it.
- Steps (`123.batch`) are left out: the job's row holds them all. Tasks of an array (`123_4`) and parts of a
  heterogeneous job (`123+0`) are jobs; `trace_id` is the number at the start.
- Left out too: jobs that never started (Start is None or Unknown), still run (their State, or End is Unknown), or ran
  for 0 s. All other states are jobs; `CANCELLED by 1000` is CANCELLED.
- Resources are those of AllocTRES, else ReqTRES. GPUs: `gres/gpu=2`, or, where it is not there, the sum of the types,
  such as `gres/gpu:a100=2`, whose name is the `device_kind`. Cores: `cpu`, else NCPUS; nodes: `node`, else NNodes. A
  job without GPUs holds its cores; the option `select`, gpu or cpu, takes one sort.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from dcsim.workload.block import Block, FloatArray
from dcsim.workload.traces import _fleet, _table
from dcsim.workload.traces._columns import (
    MAX_ID,
    MAX_PROCESSORS,
    MAX_S,
    MISSING,
    NO_TIME,
    Column,
    Identifier,
    Label,
    Moment,
    Number,
)
from dcsim.workload.traces._duration import Duration
from dcsim.workload.traces._kept import Kept, between, load, since_first
from dcsim.workload.traces._lines import Layout
from dcsim.workload.traces._reading import Reading

OPTIONS = ("select", "timezone")

_LAYOUT = Layout(delimiter="|", quotes=False)
_NO_LIMIT = MISSING | {"UNLIMITED", "Partition_Limit", "INVALID"}
_SPANS: dict[str, Column] = {
    "ElapsedRaw": Number("ElapsedRaw", missing=MISSING),
    "Elapsed": Duration("Elapsed", missing=MISSING),
    "TimelimitRaw": Number("TimelimitRaw", most=MAX_S / 60.0, missing=_NO_LIMIT),
    "Timelimit": Duration("Timelimit", minutes=True, missing=_NO_LIMIT),
}
_RUNNING = frozenset({"RUNNING", "PENDING", "SUSPENDED", "REQUEUED", "RESIZING", "CONFIGURING", "COMPLETING"})
_LABELS = {"user": "User", "tenant": "Account", "queue": "Partition", "slo_class": "QOS"}
_RESOURCE = re.compile(r"(?P<name>[A-Za-z0-9_/.:-]+)=(?P<count>\d+(?:\.\d+)?)(?P<unit>[KMGTP]?)")
_UNITS = {"": 2.0**20, "K": 2.0**10, "M": 2.0**20, "G": 2.0**30, "T": 2.0**40, "P": 2.0**50}


def read(path: Path, reading: Reading) -> Block:
    """Jobs with processors, share, cores, nodes, memory_bytes, wait_s, run_s, requested_s and labels."""
    names = _table.header(path, _LAYOUT)
    elapsed = _first_of(names, "ElapsedRaw", "Elapsed")
    limit = _first_of(names, "TimelimitRaw", "Timelimit")
    columns: tuple[Column, ...] = (
        Identifier("JobID", r"^(?P<number>\d{1,15})(?:[_+][^.]*)?$"),
        Moment("Submit", reading.timezone, unix=True),
        Moment("Start", reading.timezone, unix=True, missing=MISSING),
        Moment("End", reading.timezone, unix=True, missing=MISSING),
        _SPANS[elapsed],
        _SPANS[limit],
        Label("State"),
        Number("NNodes", most=MAX_PROCESSORS, missing=MISSING),
        Number("NCPUS", most=MAX_PROCESSORS, missing=MISSING),
        Label("AllocTRES"),
        Label("ReqTRES"),
        Number("Priority", most=MAX_ID, missing=MISSING),
        *(Label(name) for name in _LABELS.values()),
    )
    required = ("JobID", "Submit", "Start", elapsed)
    kept = load(path, reading, columns, required, others=True, layout=_LAYOUT)
    table = kept.table
    kept.leave_out(np.isnan(table["JobID"]), "job step")
    kept.columns["trace_id"] = table["JobID"]
    _times(kept, elapsed, limit)
    _resources(kept)
    if "Priority" in table and not np.isnan(table["Priority"][kept.which]).any():
        kept.columns["priority"] = table["Priority"]
    for ours, theirs in _LABELS.items():
        kept.label(ours, theirs)
    return kept.block(since_first(table["Submit"], kept.which))


def _first_of(names: Sequence[str], raw: str, written: str) -> str:
    return written if written in names and raw not in names else raw


def _times(kept: Kept, elapsed: str, limit: str) -> None:
    table = kept.table
    kept.leave_out(table["Start"] == NO_TIME, "never started")
    if "State" in table:
        names = [name.split(" by ")[0].rstrip("+") for name in table.names["State"]]
        kept.labels["state"] = (table["State"].astype(np.int32), names)
        runs = np.array([name in _RUNNING for name in names], np.bool_)
        kept.leave_out(runs[table["State"]], "not ended")
    if "End" in table:
        kept.leave_out(table["End"] == NO_TIME, "not ended")
    _fleet.spans(kept, between(table["Submit"], table["Start"]), table[elapsed], ("Start", elapsed))
    run_s = kept.columns["run_s"]
    limit_s = table[limit] if limit in table else np.full(len(table), np.nan)
    if limit == "TimelimitRaw":
        limit_s = limit_s * 60.0
    known = limit_s > 0.0
    kept.columns["run_s"] = np.where(known, np.minimum(run_s, np.where(known, limit_s, 0.0)), run_s)
    if known[kept.which].any():
        kept.columns["requested_s"] = np.where(known, limit_s, run_s)


def _resources(kept: Kept) -> None:
    table = kept.table
    held = {name: np.full(len(table), np.nan) for name in ("gpu", "cpu", "node", "mem")}
    models = np.zeros(len(table), np.int32), [""]
    for column in ("ReqTRES", "AllocTRES"):  # the second, where it is there, holds
        if column not in table:
            continue
        parsed = [_tres(text) for text in table.names[column]]
        full = np.array([bool(each) for each in parsed], np.bool_)[table[column]]
        for name, values in held.items():
            found = np.array([each.get(name, np.nan) for each in parsed])[table[column]]
            values[full] = found[full]
        codes, names = models
        names += [_model(each) for each in parsed]
        codes[full] = (table[column] + len(names) - len(parsed))[full]
    cores = _else(held["cpu"], kept, "NCPUS")
    _fleet.hold(kept, np.nan_to_num(held["gpu"]), np.nan_to_num(cores), models=models)
    _if_known(kept, "nodes", _else(held["node"], kept, "NNodes"))
    _if_known(kept, "memory_bytes", held["mem"])


def _else(values: FloatArray, kept: Kept, column: str) -> FloatArray:
    if column not in kept.table:
        return values
    return np.where(np.isnan(values), kept.table[column], values)


def _if_known(kept: Kept, name: str, values: FloatArray) -> None:
    if (values[kept.which] > 0.0).all():
        kept.columns[name] = values


def _tres(text: str) -> dict[str, float]:
    """Trackable resources of a text such as `billing=8,cpu=8,gres/gpu=2,gres/gpu:a100=2,mem=64G,node=1`.

    Memory in bytes. The key `gpu` is the count of all GPUs, `gpu:a100` that of a type.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, count = _resource(part)
        if name:
            found[name] = found.get(name, 0.0) + count
    if "gpu" not in found and "gpu:" in text:
        typed = [count for name, count in found.items() if name.startswith("gpu:")]
        if typed:
            found["gpu"] = sum(typed)
    return found


@lru_cache(100_000)
def _resource(part: str) -> tuple[str, float]:
    """Name and amount of one resource such as `mem=64G`; no name for what is none."""
    match = _RESOURCE.fullmatch(part.strip())
    if match is None or len(match["count"]) > 15:
        return "", 0.0
    name, scale = match["name"].removeprefix("gres/"), _UNITS[match["unit"]]
    return name, float(match["count"]) * (scale if name == "mem" or match["unit"] else 1.0)


def _model(resources: dict[str, float]) -> str:
    """Name of the one type of GPU; empty where there is none or are several."""
    names = [name.removeprefix("gpu:") for name in resources if name.startswith("gpu:")]
    return names[0] if len(names) == 1 else ""
