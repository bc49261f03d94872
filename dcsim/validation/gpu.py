"""Area `gpu`: serving, prefill, training and node power against published measurements.

A case of kind `gpu` may hold any of these blocks; each row of a block is one measurement:

- `mlenergy`: a served language model, with time between tokens, power, throughput and energy per token. Models that
  set numbers of the catalog (`calibrates`) end as `calibration`; the others are a test.
- `splitwise_llama2_70b_tp8_ms`: prompts and decode steps on the serving stack of 2023.
- `images`: batches of generated images.
- `training`, `steps`: energy of whole training runs from their GPUs, time and power; utilisation of their steps.
- `node`: the power of an HGX H100 node in training.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field

from dcsim import catalog
from dcsim.catalog import Catalog, Entry
from dcsim.errors import DcsimError
from dcsim.gpu import power
from dcsim.gpu.steady import Load, Steady, steady
from dcsim.gpu.steps import step_cost
from dcsim.validation import splitwise
from dcsim.validation.case import Area, Case, CaseError, Effort, Heading, Part, Positive
from dcsim.validation.gpu_images import BUILTIN, Drawn, images
from dcsim.validation.gpu_training import BUILTIN_STEPS, Stepped, Trained, stepped, trained
from dcsim.validation.report import Row, compare

#: Of ML.ENERGY's chat requests, fitted with the GPUs' numbers (benchmarks/fit_gpu.py): mean and typical prompt.
_PROMPT_TOKENS, _TYPICAL_PROMPT = 303.0, 90.0
_GPUS = {"H100": "h100-sxm", "B200": "b200-sxm", "a100-80gb": "a100-sxm-80", "h100-80gb": "h100-sxm"}
#: DC power over AC power of a node's supplies at full load
_SUPPLY = 0.95
_PART_TOLERANCE, _MEDIAN, _TENTH = 0.25, 0.15, 0.30
_IDENTITY = 1e-9
#: Of one configuration; tokens/s and power, whose errors may cancel in J/token, are told with a tolerance of their own.
_CONFIGURATION = {"ITL": _PART_TOLERANCE, "tokens/s": _TENTH, "power": _TENTH, "J/token": _PART_TOLERANCE}


class _Loose(Part):
    """A row of a public file: columns that nothing is done with are allowed."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, protected_namespaces=())


class Served(_Loose):
    """One configuration of ML.ENERGY."""

    model_id: str
    gpu_model: str
    num_gpus: Annotated[int, Field(ge=1, le=1024)]
    max_num_seqs: Positive
    avg_batch_size: Positive
    avg_output_len: Positive
    avg_power_watts: Positive
    energy_per_token_joules: Positive
    energy_per_request_joules: Positive
    median_itl_ms: Positive
    output_throughput_tokens_per_sec: Positive


class Prompted(_Loose):
    """One setting of Splitwise."""

    hardware: str
    prompt_size: Positive
    batch_size: Positive
    prompt_time: Positive
    token_time: Positive


class Node(_Loose):
    """Power of a node, AC."""

    HGX_H100_max_observed_kW: Positive
    rated_kW: Positive


class Document(Heading):
    """A case of kind `gpu`."""

    mlenergy: Annotated[list[Served], Field(max_length=100_000)] = Field(default=[])
    splitwise_llama2_70b_tp8_ms: Annotated[list[Prompted], Field(max_length=100_000)] = Field(default=[])
    images: Annotated[list[Drawn], Field(max_length=100_000)] = Field(default=[])
    training: Annotated[list[Trained], Field(max_length=10_000)] = Field(default=[])
    steps: Annotated[list[Stepped], Field(max_length=10_000)] = Field(default=[])
    node: Node | None = None


def check(case: Case, effort: Effort) -> Iterator[Row]:
    """Rows of all blocks of a case."""
    del effort
    document, known = case.read(Document), catalog.load()
    blocks = [name for name in Document.model_fields if name not in Heading.model_fields]
    if not any(getattr(document, name) for name in blocks):
        raise CaseError(f"the case has none of {', '.join(blocks)}")
    yield from _served(document.mlenergy, known)
    yield from _prompted(document.splitwise_llama2_70b_tp8_ms, known)
    yield from images(document.images, lambda hub: model_of(hub, known), lambda name: _gpu(name, known))
    for run in document.training:
        yield from trained(run, known)
    for reported in document.steps:
        yield from stepped(reported, known)
    if document.node is not None:
        yield from _node(document.node, known)


# ---------------------------------------------------------------- served language models


def predict(row: Served, known: Catalog) -> Steady:
    """The operating point of a row; DcsimError when the catalog lacks its model or GPU."""
    model, gpu = model_of(row.model_id, known), _gpu(row.gpu_model, known)
    precision = "fp8" if row.model_id.upper().endswith("FP8") or model.facts.get("dtype") == "fp8" else "bf16"
    cost = step_cost(
        model,
        gpu,
        precision,
        devices=row.num_gpus,
        expert_parallel="experts" in model and row.num_gpus > 1,
        max_sequences=int(row.max_num_seqs),
        sampled=True,
    )
    load = Load(row.avg_batch_size, _PROMPT_TOKENS, row.avg_output_len, _TYPICAL_PROMPT)
    return steady(cost, gpu, row.num_gpus, load)


def model_of(hub: str, known: Catalog) -> Entry:
    """The catalog's model that is published under this name."""
    for name in known.names("model"):
        listed = known.get(name).facts.get("hub", [])
        if isinstance(listed, list) and hub in listed:
            return known.get(name)
    raise CaseError(f"no model of the catalog is published as {hub[:80]!r}")


def _gpu(name: str, known: Catalog) -> Entry:
    if name not in _GPUS:
        raise CaseError(f"found GPU {name[:40]!r}; known: {', '.join(_GPUS)}")
    return known.get(_GPUS[name], "gpu")


def _served(rows: Sequence[Served], known: Catalog) -> Iterator[Row]:
    """Identities; then the errors of each configuration and of all rows of models that calibrated nothing."""
    groups: dict[tuple[str, str, int], list[Served]] = defaultdict(list)
    for row in rows:
        groups[row.model_id, row.gpu_model, row.num_gpus].append(row)
    tested: dict[str, list[float]] = defaultdict(list)
    for (hub, gpu, count), group in groups.items():
        name = f"{hub.rpartition('/')[2][:40]} {gpu} x{count}"
        yield from _identities(name, group)
        try:
            found = [predict(row, known) for row in group]
            fitted = bool(model_of(hub, known).facts.get("calibrates", False))
        except DcsimError as error:
            yield Row("gpu", name, "ITL, J/token", "skipped", note=str(error))
            continue
        for metric, errors in _errors(group, found).items():
            holds = "calibration" if fitted else "passed"
            middle, size = float(np.median(errors)), float(np.median(np.abs(errors)))
            rows_of = f"of {len(group)} rows" if len(group) > 1 else "of 1 row"
            tolerance, note = _CONFIGURATION[metric], _outliers(group, errors)
            yield _error_row(name, f"{metric}, median error {rows_of}", middle, tolerance, holds, note)
            yield _error_row(name, f"{metric}, median size {rows_of}", size, tolerance, holds)
            if not fitted:
                tested[metric] += errors
    for metric, errors in tested.items():
        sizes = np.abs(errors)
        for what, value, tolerance in (
            ("median", float(np.median(sizes)), _MEDIAN),
            ("90th percentile", float(np.quantile(sizes, 0.9)), _TENTH),
        ):
            counted = f"{len(errors)} errors" if len(errors) > 1 else "1 error"
            yield _error_row("models not fitted", f"{metric}, {what} of {counted}", value, tolerance, "passed")


def _identities(name: str, group: Sequence[Served]) -> Iterator[Row]:
    """J/token = W / (tokens/s) and J/request = J/token x tokens, largest relative deviation of the rows."""
    token = max(
        abs(r.avg_power_watts / r.output_throughput_tokens_per_sec / r.energy_per_token_joules - 1) for r in group
    )
    request = max(abs(r.energy_per_token_joules * r.avg_output_len / r.energy_per_request_joules - 1) for r in group)
    for metric, worst in (("J/token = W / (tokens/s)", token), ("J/request = J/token x tokens", request)):
        yield _error_row(name, metric, worst, _IDENTITY, "consistency")


def _errors(group: Sequence[Served], found: Sequence[Steady]) -> dict[str, list[float]]:
    """By metric; J/token is power over tokens/s, whose errors may cancel in it."""
    pairs = list(zip(group, found, strict=True))
    return {
        "ITL": [f.itl_s * 1e3 / r.median_itl_ms - 1.0 for r, f in pairs],
        "tokens/s": [f.tokens_per_s / r.output_throughput_tokens_per_sec - 1.0 for r, f in pairs],
        "power": [f.power_w / r.avg_power_watts - 1.0 for r, f in pairs],
        "J/token": [f.token_j / r.energy_per_token_joules - 1.0 for r, f in pairs],
    }


def _outliers(group: Sequence[Served], errors: Sequence[float]) -> str:
    """The rows that are off by more than the tolerance."""
    off = [
        f"{r.max_num_seqs:.0f} ({100 * e:+.0f} %)"
        for r, e in zip(group, errors, strict=True)
        if abs(e) > _PART_TOLERANCE
    ]
    return f"off by more than 25 % at max_num_seqs {', '.join(off)}"[:250] if off else ""


def _error_row(case: str, metric: str, error: float, tolerance: float, holds: str, note: str = "") -> Row:
    """A row whose figure is a relative error itself: 0 is expected."""
    return compare("gpu", case, metric, 0.0, error, tolerance, note, holds=holds)


# ---------------------------------------------------------------- the stack of 2023


def _prompted(rows: Sequence[Prompted], known: Catalog) -> Iterator[Row]:
    """Prompts of one request and decode steps; prompts of several are left out: their stack ran them one by one."""
    model = known.get("llama-2-70b")
    for row in rows:
        name = f"Splitwise {row.hardware[:20]} x8, prompt {row.prompt_size:.0f}, batch {row.batch_size:.0f}"
        try:
            gpu = _gpu(row.hardware, known)
            reached = splitwise.stack(gpu)
        except DcsimError as error:
            yield Row("gpu", name, "prefill, decode step", "skipped", note=str(error))
            continue
        if row.batch_size == 1:
            prefill = splitwise.prefill_s(model, gpu, 8, row.prompt_size, reached) * 1e3
            yield compare("gpu", name, "prefill, ms", row.prompt_time, prefill, _PART_TOLERANCE)
        step = splitwise.decode_s(model, gpu, 8, row.batch_size, reached) * 1e3
        yield compare("gpu", name, "decode step, ms", row.token_time, step, _PART_TOLERANCE)


# ---------------------------------------------------------------- node


def _node(node: Node, known: Catalog) -> Iterator[Row]:
    """AC power of an HGX H100 at full load: near the most observed (which set board_active_w), below the rating."""
    system, gpu = known.get("hgx-h100", "system"), known.get("h100-sxm", "gpu")
    host = known.get(str(system.facts["host"]), "host")
    full_kw = power.node_w(system, host, gpu["peak_w"], 1.0) / _SUPPLY / 1e3
    name = "HGX H100 node in training"
    yield compare("gpu", name, "AC power, kW", node.HGX_H100_max_observed_kW, full_kw, 0.05, holds="calibration")
    below = "consistency" if full_kw <= node.rated_kW else "failed"
    yield Row("gpu", name, "AC power below rating, kW", below, node.rated_kW, full_kw)


# ---------------------------------------------------------------- built in

_BUILTIN: Mapping[str, object] = {
    "mlenergy": [
        {
            "model_id": "meta-llama/Llama-3.1-8B-Instruct",
            "gpu_model": "H100",
            "num_gpus": 1,
            "max_num_seqs": 32.0,
            "avg_batch_size": 31.9,
            "avg_output_len": 390.0,
            "avg_power_watts": 560.0,
            "energy_per_token_joules": 560.0 / 3391.0,
            "energy_per_request_joules": 390.0 * 560.0 / 3391.0,
            "median_itl_ms": 8.9,
            "output_throughput_tokens_per_sec": 3391.0,
        },
    ],
    "training": [
        {
            "model": "GPT-3 175B",
            "gpu": "V100",
            "flop": 3.14e23,
            "gpus": 10_000.0,
            "days": 14.8,
            "avg_W": 330.0,
            "PUE": 1.10,
            "MWh": 1287.0,
        },
    ],
    "images": BUILTIN,
    "steps": BUILTIN_STEPS,
    "node": {"HGX_H100_max_observed_kW": 8.4, "rated_kW": 10.2},
}


def builtin() -> Iterator[Case]:
    """Published figures that need no file: a served model, images, training runs and their steps, the HGX H100."""
    yield Case("gpu", "published figures", {"kind": "gpu", **_BUILTIN})


_KINDS: Mapping[str, Callable[[Case, Effort], Iterator[Row]]] = {"gpu": check}
AREA = Area("gpu", _KINDS, builtin)
