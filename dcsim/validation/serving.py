"""Area `serving`: the measured requests of a real engine, replayed on the replica's own engine.

A case is a folder: `case.json` (kind `serving`), the requests with their measured times, and what the engine said of
itself. Arrivals and lengths go in; time to first token, time per output token and latency come out. The case's
tolerance decides; nothing is fitted while it runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dcsim import catalog
from dcsim.catalog import Catalog, Entry
from dcsim.errors import DcsimError, nearest
from dcsim.gpu.engine import Engine
from dcsim.gpu.roofline import precisions
from dcsim.gpu.schedule import Limits
from dcsim.gpu.serving import Deployment, deploy
from dcsim.gpu.steps import StepCost
from dcsim.results.histogram import Histogram
from dcsim.scenario.hardware import Serving
from dcsim.service import FloatArray, IntArray
from dcsim.validation.case import Area, Case, CaseError, Effort, Heading, NonNegative, Number, explain
from dcsim.validation.report import Row, compare

MAX_REQUESTS = 1_000_000

_Lenient = TypeVar("_Lenient", bound=BaseModel)
_FORMATS = {"bfloat16": "bf16", "float16": "fp16", "half": "fp16", "float32": "fp32", "fp8": "fp8", "auto": None}
_CAPACITY = re.compile(r"[0-9]+ *gi?b")
_METRICS = ("ttft", "tpot", "latency")
_STATISTIC = re.compile(r"mean|p[0-9]{1,2}(\.[0-9]{1,3})?")
_SORTS = ("sxm[0-9]*", "hbm[0-9]*e?", "pcie", "nvl", "nvidia", "geforce", "tesla")


class Document(Heading):
    """A case of kind `serving`."""

    gpu: str
    model: str
    requests: str
    meta: str
    config: str | None = None
    measured_ms: Annotated[dict[str, dict[str, NonNegative]], Field(min_length=1)]
    definitions: str = ""
    tolerance: dict[str, NonNegative]
    """statistic -> relative tolerance"""


class _Said(BaseModel):
    """Base of what an engine said of itself: most of it is of no concern here."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class _Cache(_Said):
    num_gpu_blocks: Annotated[int, Field(ge=1)]
    block_size: Annotated[int, Field(ge=1, le=1024)] = 16
    enable_prefix_caching: bool = True


class _Arguments(_Said):
    tensor_parallel_size: Annotated[int, Field(ge=1, le=1024)] = 1
    data_parallel_size: Annotated[int, Field(ge=1, le=1024)] = 1
    pipeline_parallel_size: Annotated[int, Field(ge=1, le=1024)] = 1
    enable_expert_parallel: bool = False
    max_num_seqs: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    max_num_batched_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 2048
    dtype: str = "auto"
    quantization: str | None = None


class _Meta(_Said):
    engine_kwargs: _Arguments
    kv_cache: _Cache


class _Request(_Said):
    input_toks: Annotated[int, Field(ge=1, le=10_000_000)]
    output_toks: Annotated[int, Field(ge=1, le=10_000_000)]
    queued_ts: Number


class Unsupported(DcsimError):
    """A case that asks for something that the catalog or the engine does not have."""


@dataclass(frozen=True)
class Setting:
    """A case, read: what was asked of the engine, and the engine."""

    document: Document
    deployment: Deployment
    limits: Limits
    """as the engine reported them"""
    arrival_s: FloatArray
    """from the first one, sorted, shape (n,), s"""
    prompt: IntArray
    output: IntArray

    @property
    def cost(self) -> StepCost:
        """What an iteration takes by the catalog."""
        return self.deployment.cost


def check(case: Case, effort: Effort) -> Iterator[Row]:
    """A row for every measured statistic; one skipped row for hardware or a model that is not known here."""
    del effort
    try:
        given = setting(case)
    except Unsupported as error:
        yield Row("serving", case.name, "-", "skipped", note=str(error))
        return
    engine, fitted = Engine(given.cost, given.limits, Histogram()), _fitted(given.deployment)
    for what, statistic, expected, seen in outcome(given, engine):
        note = f"{engine.preemptions} preemptions, {engine.recomputed} tokens computed again{fitted}"
        tolerance = given.document.tolerance.get(statistic)
        metric = f"{what} {statistic}, ms"[:80]
        if tolerance is None:
            yield Row("serving", case.name, metric, "skipped", expected, seen, note="the case gives no tolerance")
        else:
            yield compare("serving", case.name, metric, expected, seen, tolerance, note)


def _fitted(deployment: Deployment) -> str:
    """What to know of the GPU's two efficiencies: they may have been fitted to the very run of the case."""
    gpu, sources = deployment.gpu, dict[str, list[str]]()
    for what in ("compute_efficiency", "memory_efficiency"):
        own = f"{what}_{deployment.precision}"
        key = own if own in gpu else what
        quantity = gpu.quantity(key)
        if quantity.grade == "fitted":
            sources.setdefault(quantity.source, []).append(key)
    return "".join(f"; fitted: {' and '.join(keys)}, to {source}" for source, keys in sources.items())


def setting(case: Case) -> Setting:
    """Read a case. CaseError when a file is not sound; Unsupported for what the catalog or the engine does not have."""
    document = case.read(Document)
    for what, measured in document.measured_ms.items():
        if what not in _METRICS:
            raise CaseError(f"measured_ms: found {what[:40]!r}{nearest(what, _METRICS)}")
        for statistic in measured:
            if not _STATISTIC.fullmatch(statistic):
                raise CaseError(f"measured_ms.{what}: found {statistic[:40]!r}, want mean or a percentile such as p99")
    meta = _parsed(_Meta, document.meta, case.locate(document.meta).read_bytes())
    requests = _requests(document.requests, case.locate(document.requests))
    known = catalog.load()
    gpu, model = _gpu(document.gpu, known), _model(document.model, known)
    cache, options = meta.kv_cache, _options(gpu, model, meta)
    limits = Limits(
        blocks=cache.num_gpu_blocks,
        block_tokens=cache.block_size,
        max_sequences=options.max_sequences,
        max_batched_tokens=options.max_batched_tokens,
        prefix_caching=cache.enable_prefix_caching,
    )
    longest = int((requests[1] + requests[2]).max())
    if longest > limits.blocks * limits.block_tokens:
        raise CaseError(f"{document.requests}: a request of {longest:,} tokens does not fit the cache of the engine")
    return Setting(document, deploy(model, gpu, options), limits, *requests)


def outcome(given: Setting, engine: Engine) -> Iterator[tuple[str, str, float, float]]:
    """(metric, statistic, measured, simulated) of the case on an engine, ms."""
    first_s, last_s = replay(engine, given.arrival_s, given.prompt, given.output)
    simulated = statistics(given.arrival_s, given.output, first_s, last_s)
    for what, measured in given.document.measured_ms.items():
        for statistic, expected in measured.items():
            yield what, statistic, expected, 1e3 * _statistic(simulated[what], statistic)


def replay(engine: Engine, arrival_s: FloatArray, prompt: IntArray, output: IntArray) -> tuple[FloatArray, FloatArray]:
    """(first token, last token) of requests in the order of their arrival, shapes (n,), s."""
    first_s, last_s = np.full((2, len(arrival_s)), np.nan)
    arrivals = zip(arrival_s.tolist(), prompt.tolist(), output.tolist(), strict=True)
    following = next(arrivals, None)
    job = 0
    while following is not None or engine.next_s < inf:
        if following is not None and following[0] < engine.next_s:
            engine.admit(following[0], job, following[1], following[2])
            following, job = next(arrivals, None), job + 1
            continue
        engine.advance()
        for request in engine.ended:
            first_s[request.job], last_s[request.job] = request.first_s, engine.now_s
        engine.ended.clear()
    return first_s, last_s


def statistics(
    arrival_s: FloatArray, output: IntArray, first_s: FloatArray, last_s: FloatArray
) -> Mapping[str, FloatArray]:
    """Time to first token, time per output token (requests of one token left out) and latency, s."""
    several = output > 1
    tpot_s = (last_s - first_s)[several] / (output[several] - 1)
    return {"ttft": first_s - arrival_s, "tpot": tpot_s, "latency": last_s - arrival_s}


def _statistic(values: FloatArray, name: str) -> float:
    return float(values.mean() if name == "mean" else np.percentile(values, float(name[1:])))


# ---------------------------------------------------------------- what the files say


def _parsed(model: type[_Lenient], name: str, text: bytes) -> _Lenient:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise CaseError(f"{name}: {explain(error)}") from None


def _requests(name: str, path: Path) -> tuple[FloatArray, IntArray, IntArray]:
    """(arrivals from the first one, input tokens, output tokens) by arrival, shapes (n,)."""
    found: list[_Request] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                found.append(_parsed(_Request, f"{name} line {number}", line))
            if len(found) > MAX_REQUESTS:
                raise CaseError(f"{name}: more than {MAX_REQUESTS:,} requests")
    if not found:
        raise CaseError(f"{name}: no request in it")
    found.sort(key=lambda request: request.queued_ts)
    queued_s = np.array([request.queued_ts for request in found])
    prompt, output = np.array([(request.input_toks, request.output_toks) for request in found], np.int64).T
    return queued_s - queued_s[0], prompt, output


def _options(gpu: Entry, model: Entry, meta: _Meta) -> Serving:
    """What the engine was told."""
    said, cache = meta.engine_kwargs, meta.kv_cache
    for what, ways in (("data", said.data_parallel_size), ("pipeline", said.pipeline_parallel_size)):
        if ways > 1:
            raise Unsupported(f"{what} parallel over {ways} is not modelled as one engine")
    format_ = said.quantization or said.dtype
    precision = _FORMATS.get(format_, "?")
    if precision is not None and precision not in precisions(gpu):
        raise Unsupported(f"format {format_[:40]!r} is not known of gpu '{gpu.name}'")
    return Serving(
        devices=said.tensor_parallel_size,
        expert_parallel=said.enable_expert_parallel and "experts" in model,
        precision=precision,
        max_sequences=min(said.max_num_seqs, said.max_num_batched_tokens),
        max_batched_tokens=said.max_num_batched_tokens,
        block_tokens=cache.block_size,
        prefix_caching=cache.enable_prefix_caching,
    )


def _gpu(name: str, known: Catalog) -> Entry:
    """The GPU that a case calls `name`: spelling, vendor, form factor and memory size do not matter if one remains."""
    wanted = _bare(name)
    found = [each for each in known.names("gpu") if _bare(each) == wanted]
    if len(found) != 1:
        raise Unsupported(f"the catalog has no gpu that is called {name[:60]!r}")
    return known.get(found[0], "gpu")


def _bare(name: str) -> str:
    text = _CAPACITY.sub("", name.lower())
    for sort in _SORTS:
        text = re.sub(rf"(?<![a-z]){sort}(?![a-z])", "", text)
    text = re.sub(r"-(32|40|80|94|141|180)(?![0-9])", "", text)  # a size of memory without its unit
    return re.sub(r"[^a-z0-9]", "", text)


def _model(name: str, known: Catalog) -> Entry:
    """The language model that a case calls `name`, with or without its publisher or a suffix such as -Instruct."""
    wanted = _plain(name)
    for each in known.names("model"):
        entry = known.get(each, "model")
        hub = entry.facts.get("hub", [])
        names = {each, *(str(other) for other in (hub if isinstance(hub, list) else [hub]))}
        if "kv_bytes_per_token" in entry and wanted in {_plain(other) for other in names}:
            return entry
    raise Unsupported(f"the catalog has no language model that is called {name[:60]!r}")


def _plain(name: str) -> str:
    bare = name.rsplit("/", 1)[-1].lower()
    return re.sub(r"[^a-z0-9]", "", re.sub(r"-(instruct|chat|it|hf)$", "", bare))


AREA = Area("serving", {"serving": check})
