"""Area `gpu`: built-in rows, the measured rows of cases/gpu/gpu.json, statuses, bad input."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dcsim.validation.report import Row
from dcsim.validation.runner import run


def _rows(tmp_path: Path, body: dict[str, Any]) -> list[Row]:
    (tmp_path / "case.json").write_text(json.dumps({"kind": "gpu", "name": "given", **body}), encoding="utf-8")
    builtin = len(run(["gpu"]).rows)
    return list(run(["gpu"], tmp_path).rows[builtin:])


def _served(**changes: Any) -> dict[str, Any]:
    row = {
        "model_id": "meta-llama/Llama-3.1-8B-Instruct",
        "gpu_model": "H100",
        "num_gpus": 1,
        "max_num_seqs": 8.0,
        "avg_batch_size": 8.0,
        "avg_output_len": 389.0,
        "avg_power_watts": 486.0,
        "median_itl_ms": 7.3,
        "output_throughput_tokens_per_sec": 1070.0,
    } | changes
    row.setdefault("energy_per_token_joules", row["avg_power_watts"] / row["output_throughput_tokens_per_sec"])
    row.setdefault("energy_per_request_joules", row["energy_per_token_joules"] * row["avg_output_len"])
    return row


def test_built_in_rows_pass_without_any_file() -> None:
    report = run(["gpu"])
    assert report.counts["failed"] == 0
    assert report.counts["passed"] >= 6
    assert report.exit_code == 0


@pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set: no cases")
def test_every_measured_row_is_within_its_tolerance() -> None:
    """57 served configurations of models that were not fitted, 40 of the stack of 2023, training, node."""
    report = run(["gpu"], Path(os.environ["DCSIM_DATA"]) / "cases" / "gpu")
    assert [row for row in report.rows if row.status == "failed"] == []
    whole = {row.metric: row for row in report.rows if row.case == "models not fitted" and " 57 " in row.metric}
    assert whole["ITL, median of 57 errors"].simulated < 0.10
    assert whole["J/token, median of 57 errors"].simulated < 0.10
    assert report.counts["skipped"] == 0


def test_a_model_that_set_numbers_is_calibration(tmp_path: Path) -> None:
    rows = _rows(tmp_path, {"mlenergy": [_served(model_id="Qwen/Qwen3-8B", median_itl_ms=8.2)]})
    assert {row.status for row in rows if "error" in row.metric} == {"calibration"}
    assert not [row for row in rows if row.case == "models not fitted"]


def test_a_broken_identity_fails(tmp_path: Path) -> None:
    rows = _rows(tmp_path, {"mlenergy": [_served(energy_per_token_joules=0.46)]})
    assert [row.status for row in rows if row.metric.startswith("J/token = ")] == ["failed"]


def test_a_measurement_far_off_fails_and_is_named(tmp_path: Path) -> None:
    rows = _rows(tmp_path, {"mlenergy": [_served(median_itl_ms=30.0)]})
    [row] = [row for row in rows if row.metric.startswith("ITL, median error")]
    assert row.status == "failed"
    assert "max_num_seqs 8 (-7" in row.note


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"model_id": "someone/else"}, "no model of the catalog is published as"), ({"gpu_model": "TPU"}, "known: H100")],
)
def test_what_the_catalog_lacks_is_skipped(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    rows = _rows(tmp_path, {"mlenergy": [_served(**changes)]})
    [skipped] = [row for row in rows if row.status == "skipped"]
    assert says in skipped.note


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "the case has none of"),
        ({"mlenergy": [_served(avg_batch_size=0.0)]}, "avg_batch_size"),
        ({"mlenergy": [_served(num_gpus=0)]}, "num_gpus"),
        ({"mlenergy": "many"}, "mlenergy"),
        ({"node": {"rated_kW": 10.2}}, "HGX_H100_max_observed_kW"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_bad_cases_are_failed_with_a_reason(tmp_path: Path, body: dict[str, Any], says: str) -> None:
    [row] = _rows(tmp_path, body)
    assert row.status == "failed"
    assert says in row.note


def test_images_and_steps_are_built_in_and_say_what_was_fitted() -> None:
    rows = run(["gpu"]).rows
    times = {row.case: row.status for row in rows if row.metric == "time, s"}
    assert len(times) == 14
    assert {case for case, status in times.items() if status == "passed"} == {
        f"SANA1.5_{size}B_1024px_diffusers {gpu}, batch 8" for size in ("1.6", "4.8") for gpu in ("H100", "B200")
    }
    joules = [row for row in rows if row.metric == "J/image"]
    assert {row.status for row in joules} == {"passed"}
    assert sorted(abs(row.error or 0.0) for row in joules)[len(joules) // 2] < 0.10
    steps = {row.case: row for row in rows if row.metric.startswith("MFU")}
    assert len(steps) == 8
    assert [case for case, row in steps.items() if row.status == "calibration"] == [
        "steps of llama-3.1-405b, 8,192 x h100-sxm"
    ]
    assert sorted(abs(row.error or 0.0) for row in steps.values())[4] < 0.05


def test_an_image_far_off_fails_and_an_unknown_one_is_skipped(tmp_path: Path) -> None:
    row = {
        "model_id": "black-forest-labs/FLUX.1-dev",
        "gpu_model": "H100",
        "batch_size": 8,
        "batch_latency_s": 40.0,
        "energy_per_image_joules": 7570.0,
    }
    rows = _rows(tmp_path, {"images": [row, row | {"model_id": "someone/else"}]})
    assert [row.status for row in rows] == ["failed", "passed", "skipped"]


def test_steps_far_off_fail_and_impossible_ones_are_skipped(tmp_path: Path) -> None:
    step = {
        "model": "llama-3.1-8b",
        "gpu": "h100-sxm",
        "gpus": 8,
        "step_tokens": 1_000_000,
        "precision": "fp8",
        "mfu": 0.7,
    }
    rows = _rows(tmp_path, {"steps": [step, step | {"tensor": 3}]})
    assert [row.status for row in rows] == ["failed", "skipped"]
    assert "no whole number of copies" in rows[1].note


def test_training_energy_off_by_more_than_two_percent_fails(tmp_path: Path) -> None:
    run_ = {"model": "GPT-3 175B", "gpu": "V100", "gpus": 10_000, "days": 14.8, "avg_W": 330, "PUE": 1.1, "MWh": 1400}
    [row] = _rows(tmp_path, {"training": [run_]})
    assert (row.status, row.tolerance) == ("failed", 0.02)
