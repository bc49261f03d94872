"""Kubernetes objects in YAML or JSON: Pods, Jobs, PodGroups, PriorityClasses, and Lists of them.

A file may hold several documents; a row is the number of a document that is not empty, from 1. Anything else, such as
a Deployment or a Service, is no job and bad.

A Pod is a job, and so is each pod of a Job: as many as its `completions`, else its `parallelism`, else one; how many of
them run at once is not read. Pods that name the same group (Volcano, coscheduling or Kueue) are one job that holds what
they ask for together, `nodes` of them, from the creation of the last; the PodGroup's `minMember` must not be more
than they are, and one of 1 is no gang.

- cores, memory_bytes: the containers' requests, or their limits where those are missing; at least what the largest
  init container asks for
- processors: `nvidia.com/gpu` or the `gpu` of another vendor, requests equal to limits; or, as in Alibaba's openb
  pods, the annotations `alibabacloud.com/gpu-count` and `gpu-milli`, of which comes `share`. A pod without GPUs has
  its cores instead, rounded up
- device_kind: `gpu-card-model`, or the GPU product of the nodeSelector, else gpu; cpu for a pod without GPUs. The
  option `select`, gpu or cpu, takes one sort
- requested_s: activeDeadlineSeconds; run_s: from start to end in the status; priority: spec.priority, or the value of
  the PriorityClass where the file has it, 0 where there is none. Each only where every job has one
- slo_class: priorityClassName; queue: Kueue's queue, else the namespace; kind: Pod, Job or PodGroup

`read` wants `creationTimestamp`, from which the arrivals count; `items` takes all as a set to pack. Affinity,
tolerations, schedulerName, backoffLimit and volumes are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dcsim.errors import TraceError, nearest
from dcsim.workload.block import Block
from dcsim.workload.traces import _clock, _manifests
from dcsim.workload.traces._fields import mapping, shown, text, whole
from dcsim.workload.traces._fleet import CPU, GPU
from dcsim.workload.traces._jobs import BadRecord, Job, Jobs, none_left
from dcsim.workload.traces._pods import PRIORITIES, Pods, pods_of
from dcsim.workload.traces._reading import Reading, Rows

OPTIONS = ("select",)

_WANTS_KIND = "a Pod, Job, PodGroup, PriorityClass or List: others are no jobs"


@dataclass
class _Found:
    """What the documents of a file hold."""

    pods: list[Pods]
    groups: dict[tuple[str, str], int]
    """namespace and name -> minMember"""
    classes: dict[str, float]
    """name of a priority class -> value"""


def read(path: Path, reading: Reading) -> Block:
    """Pods and gangs from their creation on; raises TraceError."""
    rows = Rows(path, reading)
    found = _jobs_of(rows)
    if found and all(each.created_s is None for each in found):
        raise TraceError(f"{path}: no object has a creationTimestamp; without times this is a set to pack, no trace")
    timed: list[Pods] = []
    for each in found:
        if each.created_s is None:
            rows.bad(each.row, "creationTimestamp", "", _clock.WANTS_ZONED)
        else:
            timed.append(each)
    jobs = _gathered(rows, timed)
    moments = jobs.moments()
    return jobs.block(moments - moments.min(initial=math.inf))


def items(path: Path, reading: Reading) -> Block:
    """Pods and gangs as a set to pack, in the order of the file; raises TraceError."""
    rows = Rows(path, reading)
    jobs = _gathered(rows, [replace(each, created_s=0.0) for each in _jobs_of(rows)])
    return jobs.block(np.zeros(len(jobs)))


def _gathered(rows: Rows, found: list[Pods]) -> Jobs:
    """One job per pod or gang."""
    jobs = Jobs(rows)
    for each in found:
        processors = each.gpus or float(max(math.ceil(each.cores), 1))
        columns = {
            "processors": processors,
            "share": each.share,
            "cores": each.cores,
            "memory_bytes": each.memory_bytes,
            "nodes": float(each.nodes),
            "requested_s": each.requested_s,
            "run_s": each.run_s,
            "priority": each.priority,
        }
        labels = each.labels | {"kind": each.kind, "device_kind": (each.device_kind or GPU) if each.gpus else CPU}
        for _ in range(each.count):
            jobs.add(Job(each.created_s or 0.0, columns, labels))
    return jobs


# ---------------------------------------------------------------- documents


def _jobs_of(rows: Rows) -> list[Pods]:
    """Pods and gangs in the order of the file. Raises TraceError when there are none."""
    found = _Found([], {}, {})
    for row, line, words in _manifests.documents(rows.path):
        try:
            document = _manifests.parsed(words, line)
        except ValueError as error:
            rows.bad(row, "", words.strip(), f"a Kubernetes object in YAML: {error}")
            continue
        for each in _objects(row, document, rows):
            try:
                _take(row, each, found)
            except BadRecord as bad:
                rows.bad(row, bad.key, bad.found, bad.wants)
    jobs = _gangs(rows, [_with_priority(each, found.classes) for each in found.pods], found.groups)
    jobs = _selected(rows, jobs)
    if not jobs:
        raise TraceError(f"{rows.path}: {none_left(rows)}")
    return jobs


def _selected(rows: Rows, jobs: list[Pods]) -> list[Pods]:
    """The jobs of the sort that the option select names."""
    chosen = rows.reading.select
    if chosen is None:
        return jobs
    if chosen not in (GPU, CPU):
        raise TraceError(f"{rows.path}, option select: found '{chosen}'{nearest(chosen, (GPU, CPU))}")
    kept = [each for each in jobs if bool(each.gpus) == (chosen == GPU)]
    left_out = sum(each.count for each in jobs) - sum(each.count for each in kept)
    rows.leave_out(left_out, "with GPUs" if chosen == CPU else "without GPUs")
    return kept


def _objects(row: int, document: Any, rows: Rows) -> Iterator[dict[str, Any]]:
    """The objects of one document: itself, or those of a list."""
    if not isinstance(document, dict):
        rows.bad(row, "", shown(document), "a Kubernetes object with a kind")
        return
    if not str(document.get("kind", "")).endswith("List"):
        yield document
        return
    listed = document.get("items")
    if not isinstance(listed, list):
        rows.bad(row, "items", shown(listed), "a list of objects")
        return
    only = str(document["kind"]).removesuffix("List")
    for each in listed:
        if isinstance(each, dict) and not str(each.get("kind", "")).endswith("List"):
            yield {"kind": only, **each} if only else each
        else:
            rows.bad(row, "items", shown(each), "a list of objects, none of them a list")


def _take(row: int, item: dict[str, Any], found: _Found) -> None:
    """Keeps one object. Raises BadRecord."""
    kind = text(item, "kind")
    metadata = mapping(item, "metadata")
    name, namespace = text(metadata, "name"), text(metadata, "namespace") or "default"
    if kind == "PodGroup":
        found.groups[namespace, name] = int(whole(mapping(item, "spec"), "minMember", 1) or 1)
    elif kind == "PriorityClass":
        found.classes[name] = whole(item, "value", *PRIORITIES) or 0.0
    elif kind in ("Pod", "Job"):
        found.pods.append(pods_of(row, kind, namespace, item))
    else:
        raise BadRecord("kind", f"{kind} {name}".strip(), _WANTS_KIND)


# ---------------------------------------------------------------- gangs and priorities


def _with_priority(pods: Pods, classes: dict[str, float]) -> Pods:
    name = pods.labels["slo_class"]
    if pods.priority is not None or (name and name not in classes):
        return pods
    return replace(pods, priority=classes[name] if name else 0.0)


def _gangs(rows: Rows, pods: list[Pods], least: dict[tuple[str, str], int]) -> list[Pods]:
    """Pods alone and gangs, each gang at the place of its first pod."""
    members: dict[tuple[str, str], list[Pods]] = {}
    for each in pods:
        if each.group and least.get((each.namespace, each.group)) != 1:
            members.setdefault((each.namespace, each.group), []).append(each)
    found: list[Pods] = []
    for each in pods:
        gang = members.get((each.namespace, each.group), [])
        if not gang:
            found.append(each)
        elif each is gang[0]:
            try:
                found.append(_gang(gang, least.get((each.namespace, each.group), 1)))
            except BadRecord as bad:
                rows.bad(each.row, bad.key, bad.found, bad.wants)
    empty = sum(key not in {(each.namespace, each.group) for each in pods} for key in least)
    rows.leave_out(empty, "a PodGroup without pods")
    return found


def _gang(pods: list[Pods], least: int) -> Pods:
    """All pods of a group as one job. Raises BadRecord."""
    count = sum(each.count for each in pods)
    if count < least:
        wants = f"the {least} pods of its minMember, of the group {pods[0].group[:60]}"
        raise BadRecord("minMember", f"{count} pods", wants)
    if any(each.share < 1.0 for each in pods):
        raise BadRecord("gpu-milli", "a gang", "pods with whole GPUs in a gang")
    kinds = {each.device_kind for each in pods if each.gpus}
    if len(kinds) > 1:
        raise BadRecord("device_kind", ", ".join(sorted(kinds)), "pods with equal GPUs in a gang")
    created = [each.created_s for each in pods if each.created_s is not None]
    runs = [each.run_s for each in pods if each.run_s is not None]
    limits = [each.requested_s for each in pods if each.requested_s is not None]
    return replace(
        pods[0],
        kind="PodGroup",
        count=1,
        nodes=count,
        cores=sum(each.count * each.cores for each in pods),
        memory_bytes=sum(each.count * each.memory_bytes for each in pods),
        gpus=sum(each.count * each.gpus for each in pods),
        device_kind=next(iter(kinds), ""),
        created_s=max(created) if len(created) == len(pods) else None,
        requested_s=min(limits) if len(limits) == len(pods) else None,
        run_s=max(runs) if len(runs) == len(pods) else None,
    )
