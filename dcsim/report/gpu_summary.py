"""An operating point of a model on GPUs as nested figures: what `dcsim gpu ... --json` prints and its tables show.

A figure without an answer, such as the time between tokens of requests with one token, is absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dcsim.catalog import GRADES
from dcsim.gpu import kernels, sharing
from dcsim.gpu.gang import Layout
from dcsim.gpu.points import BatchPoint, LanguagePoint, Point
from dcsim.gpu.training_points import TrainingPoint
from dcsim.results.keys import Key

if TYPE_CHECKING:
    from dcsim.gpu.batching import Point as Loaded

_HEAD = (
    Key("model.name", "text", "catalog name of the model"),
    Key("model.precision", "text", "number format of its weights"),
    Key("gpu.name", "text", "catalog name of the GPU"),
    Key("gpu.count", "1", "GPUs that work together"),
    Key("gpu.clock", "1", "share of the full clock; lower under a power cap"),
)
_PART = Key("gpu.part", "text", "part of the GPU, where not the whole: a slice, or a share beside others")
_POWER = (
    Key("power_w.gpu", "W", "one GPU, idle power included"),
    Key("power_w.total", "W", "all GPUs"),
    Key("power_w.host", "W", "what the host draws beside them for the work"),
)
_TAIL = (
    Key("bound_by", "text", "what most of the time is bound by: compute, memory, communication or fixed"),
    Key("limits.LIMIT", "1", "share of the time that is bound by it"),
    Key("kernels.CLASS", "1", "share of the time of a class of kernels"),
    Key("notes", "text", "what the model left out or had to assume"),
    Key("numbers.read", "1", "catalog numbers that the answer rests on"),
    Key("numbers.shares.GRADE", "1", "share of them with each grade"),
    Key("version", "text", "version of dcsim"),
)

#: Every key with its unit and meaning; LIMIT, CLASS and GRADE stand for each of several names.
LANGUAGE: tuple[Key, ...] = (
    *_HEAD,
    _PART,
    Key("load.batch", "1", "requests that run at the same time"),
    Key("load.input_tokens", "tokens", "of each request"),
    Key("load.output_tokens", "tokens", "of each request"),
    Key("ttft_s", "s", "from the moment that a request is admitted to its first token, beside the others"),
    Key("ttft_alone_s", "s", "the same without others"),
    Key("tpot_s", "s", "mean time per output token after the first"),
    Key("itl_p50_s", "s", "median time between two tokens of a request"),
    Key("latency_s", "s", "a whole request, from its admission to its last token"),
    Key("throughput_per_s.tokens", "1/s", "output tokens of all requests"),
    Key("throughput_per_s.tokens_per_gpu", "1/s", "the same per GPU"),
    Key("throughput_per_s.requests", "1/s", "requests"),
    *_POWER,
    Key("energy_j.token", "J", "all GPUs, per output token: power over output tokens per second"),
    Key("energy_j.request", "J", "the same per request"),
    Key("memory_bytes.weights", "B", "weights, on all GPUs together"),
    Key("memory_bytes.cache", "B", "room for the key-value cache, on all GPUs together"),
    Key("memory_bytes.request", "B", "cache of one request when it is done"),
    Key("largest_batch", "1", "requests whose whole cache fits"),
    *_TAIL,
)
BATCH: tuple[Key, ...] = (
    *_HEAD,
    _PART,
    Key("load.batch", "1", "samples of a batch"),
    Key("latency_s", "s", "one batch"),
    Key("throughput_per_s.samples", "1/s", "samples, full batches one after the other"),
    *_POWER,
    Key("energy_j.sample", "J", "all GPUs, per sample: power over samples per second"),
    Key("memory_bytes.weights", "B", "weights, on all GPUs together"),
    Key("memory_bytes.sample", "B", "what a sample takes while it runs"),
    Key("largest_batch", "1", "samples that fit the memory"),
    Key("arrivals.rate_per_s", "1/s", "samples that arrive at random (Poisson), one by one"),
    Key("arrivals.max_wait_s", "s", "longest that the first of a batch waits for others"),
    Key("arrivals.served_per_s", "1/s", "samples that are answered"),
    Key("arrivals.mean_batch", "1", "samples of a batch, on the mean"),
    Key("arrivals.latency_s.mean", "s", "from arrival to answer, mean; absent where the line grows without end"),
    Key("arrivals.latency_s.p50", "s", "median"),
    Key("arrivals.latency_s.p99", "s", "99th percentile"),
    Key("arrivals.busy", "1", "share of the time that a batch runs"),
    Key("arrivals.power_w", "W", "all GPUs, waiting included"),
    Key("arrivals.energy_j", "J", "per sample, waiting included"),
    *_TAIL,
)
TRAINING: tuple[Key, ...] = (
    *_HEAD,
    Key("load.unit", "text", "what is counted: tokens of language models, samples of other networks"),
    Key("load.batch", "1", "tokens or samples of one step, over all GPUs"),
    Key("load.samples", "1", "tokens or samples of the whole run"),
    Key("layout.tensor", "1", "GPUs of a node that share each layer"),
    Key("layout.pipeline", "1", "stages that layers are dealt to"),
    Key("layout.interleave", "1", "chunks of layers of a stage"),
    Key("layout.micro_batch", "1", "tokens or samples in a stage at a time"),
    Key("layout.copies", "1", "copies of the model"),
    Key("mfu", "1", "model FLOP utilisation of the whole run"),
    Key("step_s", "s", "one step"),
    Key("throughput_per_s.samples", "1/s", "tokens or samples, checkpoints and failures included"),
    Key("useful_share", "1", "share of the time that is steps"),
    Key("checkpoint_interval_s", "s", "computing between two checkpoints that loses least"),
    *_POWER,
    Key("energy_j.sample", "J", "all GPUs, per token or sample"),
    Key("energy_j.step", "J", "all GPUs, one step"),
    Key("run.time_s", "s", "the whole run"),
    Key("run.device_hours", "h", "the same times the GPUs"),
    Key("run.energy_kwh", "kWh", "all GPUs over the whole run"),
    Key("memory_bytes.state", "B", "weights, gradients and optimiser, on all GPUs together"),
    *_TAIL,
)


def language(point: LanguagePoint, grades: Mapping[str, int]) -> dict[str, Any]:
    """Figures by the keys of `LANGUAGE`. grades: catalog numbers read, as `Catalog.grades_used` counts them."""
    later = point.output_tokens > 1
    requests = point.tokens_per_s / point.output_tokens
    own = {
        "load": {"batch": point.batch, "input_tokens": point.input_tokens, "output_tokens": point.output_tokens},
        "ttft_s": point.ttft_s,
        "ttft_alone_s": point.prefill_s,
        "tpot_s": point.tpot_s if later else None,
        "itl_p50_s": point.itl_s if later else None,
        "latency_s": point.latency_s,
        "throughput_per_s": {
            "tokens": point.tokens_per_s,
            "tokens_per_gpu": point.tokens_per_s / point.devices,
            "requests": requests,
        },
        "power_w": _power(point),
        "energy_j": {"token": point.token_j, "request": point.token_j * point.output_tokens},
        "memory_bytes": {
            "weights": point.weight_bytes,
            "cache": point.cache_bytes,
            "request": point.request_bytes,
        },
        "largest_batch": point.largest_batch,
    }
    return _whole(point, own, grades)


def batch(point: BatchPoint, grades: Mapping[str, int], arrivals: dict[str, Any] | None = None) -> dict[str, Any]:
    """Figures by the keys of `BATCH`."""
    own = {
        "load": {"batch": point.batch},
        "latency_s": point.latency_s,
        "throughput_per_s": {"samples": point.samples_per_s},
        "power_w": _power(point),
        "energy_j": {"sample": point.sample_j},
        "memory_bytes": {"weights": point.weight_bytes, "sample": point.sample_bytes},
        "largest_batch": point.largest_batch,
        "arrivals": arrivals,
    }
    if arrivals is None or arrivals["latency_s"] is not None:
        return _whole(point, own, grades)
    return _whole(
        point, own, grades, f"batch {point.batch:,}: more samples arrive than it answers: the line grows without end"
    )


def arrivals(found: Loaded, max_wait_s: float) -> dict[str, Any]:
    """The block `arrivals` of a point under random arrivals."""
    return {
        "rate_per_s": found.rate_per_s,
        "max_wait_s": max_wait_s,
        "served_per_s": found.served_per_s,
        "mean_batch": found.mean_batch,
        "latency_s": None
        if found.grows
        else {"mean": found.latency_mean_s, "p50": found.latency_p50_s, "p99": found.latency_p99_s},
        "busy": found.busy,
        "power_w": found.device_w,
        "energy_j": found.sample_j,
    }


def training(point: TrainingPoint, grades: Mapping[str, int]) -> dict[str, Any]:
    """Figures by the keys of `TRAINING`."""
    run_s, run = point.run_s, None
    if run_s is not None:
        hours = run_s * point.devices / 3600.0
        run = {"time_s": run_s, "device_hours": hours, "energy_kwh": point.power_w * run_s / 3.6e6}
    own = {
        "load": {
            "unit": "tokens" if "kv_bytes_per_token" in point.model else "samples",
            "batch": point.batch or None,
            "samples": point.samples,
        },
        "layout": None if point.layout is None else _layout(point.layout, point.devices),
        "mfu": point.utilisation,
        "step_s": point.step_s,
        "throughput_per_s": {"samples": point.samples_per_s},
        "useful_share": None if point.step_s is None else point.useful,
        "checkpoint_interval_s": point.checkpoint_interval_s,
        "power_w": _power(point),
        "energy_j": {
            "sample": point.sample_j,
            "step": None if point.step_s is None else point.power_w * point.step_s,
        },
        "run": run,
        "memory_bytes": {"state": point.weight_bytes},
    }
    return _whole(point, own, grades)


def _layout(layout: Layout, devices: int) -> dict[str, int]:
    return asdict(layout) | {"copies": layout.copies(devices)}


def _whole(point: Point, own: Mapping[str, Any], grades: Mapping[str, int], *notes: str) -> dict[str, Any]:
    from dcsim import __version__

    limits = kernels.shares(point.spent, "limit")
    tree = {
        "model": {"name": point.model.name, "precision": point.precision},
        "gpu": {
            "name": point.gpu.name,
            "count": point.devices,
            "clock": point.clock,
            "part": point.gpu.facts.get("part"),
        },
        **own,
        "bound_by": max(limits, key=lambda limit: limits[limit]) if limits else None,
        "limits": limits or None,
        "kernels": kernels.shares(point.spent, "name") or None,
        "notes": [*point.notes, *notes, *sharing.notes(point.gpu)],
        "numbers": _numbers(grades),
        "version": __version__,
    }
    return _known(tree)


def _power(point: Point) -> dict[str, float]:
    return {"gpu": point.device_w, "total": point.power_w, "host": point.host_w}


def _numbers(grades: Mapping[str, int]) -> dict[str, Any]:
    read = sum(grades.values())
    return {"read": read, "shares": {grade: grades[grade] / read for grade in GRADES if grades.get(grade)}}


def _known(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree without keys that have no answer."""
    known = {key: _known(value) if isinstance(value, dict) else value for key, value in tree.items()}
    return {key: value for key, value in known.items() if value is not None}


def document(summaries: Sequence[dict[str, Any]]) -> dict[str, Any] | list[dict[str, Any]]:
    """One point as an object, several as a list of them."""
    return summaries[0] if len(summaries) == 1 else list(summaries)
