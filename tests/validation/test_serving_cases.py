"""Area `serving`: a folder of a measured run, written here, and what is wrong with one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcsim import catalog
from dcsim.gpu.engine import Engine
from dcsim.results.histogram import Histogram
from dcsim.validation import run, serving
from dcsim.validation.case import Case
from dcsim.validation.report import Row

_META = {
    "vllm_version": "0.19.0",
    "engine_kwargs": {
        "tensor_parallel_size": 1,
        "max_num_seqs": 64,
        "max_num_batched_tokens": 1024,
        "dtype": "bfloat16",
        "seed": 1,
    },
    "kv_cache": {"num_gpu_blocks": 500, "block_size": 16, "enable_prefix_caching": False},
}
_CASE = {
    "kind": "serving",
    "id": "small",
    "gpu": "RTX4090",
    "model": "Llama-3.1-8B",
    "requests": "requests.jsonl",
    "meta": "meta.json",
    "measured_ms": {"ttft": {"mean": 1.0}, "tpot": {"p50": 1.0}, "latency": {"p99": 1.0}},
    "tolerance": {"mean": 0.05, "p50": 0.05, "p99": 0.1},
}


def _folder(path: Path, **changes: Any) -> Path:
    random = np.random.default_rng(4)
    rows = [
        {"queued_ts": 100.0 + float(at), "input_toks": int(n), "output_toks": int(m), "request_id": "a"}
        for at, n, m in zip(
            random.uniform(0, 20, 60), random.integers(10, 800, 60), random.integers(1, 200, 60), strict=True
        )
    ]
    files = {"requests": rows, "meta": _META, "case": _CASE} | changes
    path.mkdir(exist_ok=True)
    text = files["requests"] if isinstance(files["requests"], str) else "\n".join(map(json.dumps, files["requests"]))
    (path / "requests.jsonl").write_text(text, encoding="utf-8")
    for name in ("meta", "case"):
        (path / f"{name}.json").write_text(json.dumps(files[name]), encoding="utf-8")
    return path


def _rows(path: Path) -> list[Row]:
    return [row for row in run(["serving"], path).rows if row.area == "serving"]


def test_a_run_of_the_engine_itself_passes(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "case")
    given = serving.setting(Case("serving", "small", _CASE, folder))
    assert given.limits.prefix_caching is False
    assert given.deployment.gpu.name == "rtx-4090"
    seen = {
        what: {how: value}
        for what, how, _, value in serving.outcome(given, Engine(given.cost, given.limits, Histogram()))
    }
    _folder(folder, case=_CASE | {"measured_ms": seen})
    rows = _rows(folder)
    assert [(row.metric, row.status) for row in rows] == [
        ("ttft mean, ms", "passed"),
        ("tpot p50, ms", "passed"),
        ("latency p99, ms", "passed"),
    ]
    assert all(row.error == 0.0 for row in rows)
    # whoever reads the row learns that two numbers of this GPU come from a run of this kind
    assert all("; fitted: compute_efficiency and memory_efficiency, to LLMServingSim's run" in row.note for row in rows)
    slower = {what: {how: 1.2 * value for how, value in each.items()} for what, each in seen.items()}
    _folder(folder, case=_CASE | {"measured_ms": slower, "tolerance": {"mean": 0.05, "p50": 0.3}})
    assert [row.status for row in _rows(folder)] == ["failed", "passed", "skipped"]


def test_statistics_by_hand() -> None:
    found = serving.statistics(np.array([0.0, 1.0]), np.array([1, 5]), np.array([2.0, 4.0]), np.array([2.0, 6.0]))
    assert found["ttft"].tolist() == [2.0, 3.0]
    assert found["tpot"].tolist() == [0.5]  # the request of one token has none
    assert found["latency"].tolist() == [2.0, 5.0]


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("H100", "h100-sxm"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("A100-SXM4-80GB", "a100-sxm-80"),
        ("RTX PRO 6000", None),
    ],
)
def test_gpus_are_known_by_their_usual_names(name: str, entry: str | None) -> None:
    known = catalog.load()
    assert serving._gpu(name, known).name == (entry or "rtx-pro-6000")


@pytest.mark.parametrize("name", ["meta-llama/Llama-3.1-8B", "Llama-3.1-8B-Instruct", "llama-3.1-8b"])
def test_models_are_known_with_publisher_and_suffix(name: str) -> None:
    assert serving._model(name, catalog.load()).name == "llama-3.1-8b"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"case": _CASE | {"gpu": "Abacus 3000"}}, "no gpu that is called 'Abacus 3000'"),
        ({"case": _CASE | {"model": "resnet-50"}}, "no language model that is called 'resnet-50'"),
        ({"meta": _META | {"engine_kwargs": {"pipeline_parallel_size": 2}}}, "pipeline parallel over 2"),
        ({"meta": _META | {"engine_kwargs": {"quantization": "gptq"}}}, "format 'gptq' is not known of gpu 'rtx-4090'"),
    ],
)
def test_what_is_not_known_here_is_skipped_with_the_reason(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    (row,) = _rows(_folder(tmp_path / "case", **changes))
    assert row.status == "skipped"
    assert says in row.note


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"requests": ""}, "requests.jsonl: no request in it"),
        ({"requests": "{"}, "requests.jsonl line 1: "),
        ({"requests": '{"queued_ts": 1, "input_toks": 0, "output_toks": 1}'}, "input_toks: Input should be greater"),
        (
            {"requests": '{"queued_ts": 1, "input_toks": 9000, "output_toks": 1}'},
            "a request of 9,001 tokens does not fit",
        ),
        ({"meta": {"engine_kwargs": {}}}, "meta.json: kv_cache: Field required"),
        ({"case": _CASE | {"measured_ms": {"tftt": {"mean": 1.0}}}}, "found 'tftt'; did you mean 'ttft'?"),
        ({"case": _CASE | {"measured_ms": {"ttft": {"best": 1.0}}}}, "found 'best', want mean or a percentile"),
        ({"case": _CASE | {"requests": "../elsewhere"}}, "leads out of the case's folder"),
    ],
)
def test_a_case_that_is_not_sound_fails_with_the_reason(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    (row,) = _rows(_folder(tmp_path / "case", **changes))
    assert row.status == "failed"
    assert says in row.note
