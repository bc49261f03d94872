"""What one Kubernetes Pod or Job asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from dcsim.workload.traces._columns import MAX_PROCESSORS
from dcsim.workload.traces._fields import mapping, mappings, moment_s, quantity, shown, text, whole
from dcsim.workload.traces._jobs import BadRecord

#: Least and most priority that Kubernetes knows.
PRIORITIES = (-(2**31), 2_000_001_000)

#: Most pods of a Job.
MAX_PODS = 100_000

_ALIBABA = "alibabacloud.com/"
_GROUPS = (
    "scheduling.k8s.io/group-name",
    "scheduling.x-k8s.io/pod-group",
    "pod-group.scheduling.sigs.k8s.io",
    "kueue.x-k8s.io/pod-group-name",
)
_PRODUCTS = ("nvidia.com/gpu.product", "amd.com/gpu.product-name", "cloud.google.com/gke-accelerator")


@dataclass(frozen=True)
class Pods:
    """Equal pods of one object, or a gang."""

    row: int
    kind: str
    namespace: str
    count: int
    cores: float
    memory_bytes: float
    gpus: float
    share: float
    device_kind: str
    group: str
    created_s: float | None
    requested_s: float | None
    run_s: float | None
    priority: float | None
    labels: dict[str, str]
    nodes: int = 1


def pods_of(row: int, kind: str, namespace: str, item: dict[str, Any]) -> Pods:
    """The pods of a Pod or Job. Raises BadRecord."""
    metadata, spec = mapping(item, "metadata"), mapping(item, "spec")
    template = mapping(spec, "template") if kind == "Job" else item
    pod, about = mapping(template, "spec"), mapping(template, "metadata")
    marks = mapping(metadata, "annotations") | mapping(metadata, "labels")
    marks |= mapping(about, "annotations") | mapping(about, "labels")
    count, at_once = _count(spec) if kind == "Job" else (1, 1)
    cores, memory_bytes, gpus = _resources(pod)
    gpus, share = _alibaba(marks, gpus)
    if not (cores or memory_bytes or gpus):
        raise BadRecord("resources", "", "requests or limits of a container")
    if max(cores, gpus) > MAX_PROCESSORS:
        raise BadRecord("resources", f"{max(cores, gpus):g}", f"at most {MAX_PROCESSORS:g} cores or GPUs")
    deadline_s = whole(spec, "activeDeadlineSeconds", 1)
    run_s = _run_s(kind, mapping(item, "status")) if count <= at_once else None
    return Pods(
        row,
        kind,
        namespace,
        count,
        cores,
        memory_bytes,
        gpus,
        share,
        _device_kind(marks, pod),
        next((text(marks, key) for key in _GROUPS if key in marks), ""),
        moment_s(metadata, "creationTimestamp"),
        whole(pod, "activeDeadlineSeconds", 1) if deadline_s is None else deadline_s,
        run_s,
        whole(pod, "priority", *PRIORITIES),
        {
            "queue": text(marks, "kueue.x-k8s.io/queue-name") or namespace,
            "slo_class": text(pod, "priorityClassName"),
        },
    )


# ---------------------------------------------------------------- what a pod asks for


def _resources(pod: dict[str, Any]) -> tuple[float, float, float]:
    """Cores, bytes of memory and GPUs that a pod asks for. Raises BadRecord."""
    containers = [_container(each) for each in mappings(pod, "containers")]
    before = [_container(each) for each in mappings(pod, "initContainers")]
    cores, memory_bytes, gpus = (
        max(sum(each[place] for each in containers), max((each[place] for each in before), default=0.0))
        for place in range(3)
    )
    return cores, memory_bytes, gpus


def _container(container: dict[str, Any]) -> tuple[float, float, float]:
    resources = mapping(container, "resources")
    requests, limits = mapping(resources, "requests"), mapping(resources, "limits")
    asked = limits | requests
    unread = [name for name in asked if "gpu" in name and not name.endswith("/gpu")]
    unread += [name for name in asked if "/mig-" in name]
    if unread:
        raise BadRecord("resources", unread[0], "whole GPUs, such as nvidia.com/gpu")
    gpus = [name for name in asked if name.endswith("/gpu")]
    for name in gpus:
        if name in limits and _amount(limits, name) != _amount(asked, name):
            raise BadRecord("resources", f"{name[:30]} {shown(limits[name])}", "as many GPUs in limits as in requests")
    count = sum(_amount(asked, name) for name in gpus)
    if count != math.floor(count):
        raise BadRecord("resources", f"{count:g} GPUs", "a whole number of GPUs")
    cores, memory_bytes = (_amount(asked, name) if name in asked else 0.0 for name in ("cpu", "memory"))
    return cores, memory_bytes, count


def _amount(asked: dict[str, Any], name: str) -> float:
    found = quantity(asked[name])
    if found is None:
        wants = f"a quantity of {name[:30]} from 0 such as 2, 500m or 4Gi"
        raise BadRecord("resources", shown(asked[name]), wants)
    return found


def _alibaba(marks: dict[str, Any], gpus: float) -> tuple[float, float]:
    """GPUs and the share of one that a pod holds, with what openb's annotations say. Raises BadRecord."""
    milli = whole(marks, f"{_ALIBABA}gpu-milli", 0)
    count = whole(marks, f"{_ALIBABA}gpu-count", 0)
    if count is None:
        count = 1.0 if milli else gpus
    if gpus and count != gpus:
        raise BadRecord("gpu-count", f"{count:g}", f"the {gpus:g} GPUs of the resources")
    if milli is None or not count:
        return count, 1.0
    if not 0 < milli <= 1000 or (count > 1 and milli != 1000):
        raise BadRecord("gpu-milli", f"{milli:g}", "1 to 1000, and 1000 with several GPUs")
    return count, milli / 1000.0


def _device_kind(marks: dict[str, Any], pod: dict[str, Any]) -> str:
    selector = mapping(pod, "nodeSelector")
    model = f"{_ALIBABA}gpu-card-model"
    selected = (text(selector, key) for key in (model, *_PRODUCTS) if key in selector)
    return text(marks, model) or next(selected, "")


def _count(spec: dict[str, Any]) -> tuple[int, int]:
    """Pods of a Job, and how many of them run at once. Raises BadRecord."""
    at_once = whole(spec, "parallelism", 1)
    pods = whole(spec, "completions", 1)
    count = pods or at_once or 1.0
    if count > MAX_PODS:
        raise BadRecord("completions" if pods else "parallelism", f"{count:g}", f"at most {MAX_PODS} pods of a Job")
    return int(count), int(at_once or 1.0)


def _run_s(kind: str, status: dict[str, Any]) -> float | None:
    """Time from start to end of what has ended, else None. Raises BadRecord."""
    if kind == "Job":
        spans = [(moment_s(status, "startTime"), moment_s(status, "completionTime"))]
    else:
        states = [mapping(each, "state") for each in mappings(status, "containerStatuses")]
        ended = [mapping(each, "terminated") for each in states]
        spans = [(moment_s(each, "startedAt"), moment_s(each, "finishedAt")) for each in ended]
    starts = [start for start, _ in spans if start is not None]
    ends = [end for _, end in spans if end is not None]
    if not spans or not len(starts) == len(ends) == len(spans):
        return None
    run_s = max(ends) - min(starts)
    if run_s <= 0:
        raise BadRecord("status", f"an end {run_s:g} s after the start", "an end after the start")
    return run_s
