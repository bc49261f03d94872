"""Shipped scenarios give the summaries they gave before, and the replay of a real trace gives the real trace."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dcsim

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TRACE = Path(os.environ.get("DCSIM_DATA", "unset")) / "data" / "traces" / "azure_llm_2023_conv.csv.gz"

_spec = importlib.util.spec_from_file_location("golden", HERE / "golden.py")
assert _spec is not None
assert _spec.loader is not None
golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden)


def _leaves(tree: Any, path: str = "") -> dict[str, Any]:
    if isinstance(tree, dict):
        return {key: value for name, part in tree.items() for key, value in _leaves(part, f"{path}/{name}").items()}
    return {path: tree}


@pytest.mark.parametrize("name", sorted(golden.SHIPPED))
def test_summary_is_the_golden_one(name: str) -> None:
    found = _leaves(golden.summary(name))
    wanted = _leaves(json.loads((golden.FOLDER / f"{name}.json").read_text(encoding="utf-8")))
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        if key.endswith("energy_ledger_error"):
            assert found[key] < 1e-9
        elif isinstance(value, float):
            # another libm or numpy may differ in the last digits
            assert found[key] == pytest.approx(value, rel=1e-6), key
        else:
            assert found[key] == value, key


def test_pilot_compares_both_families_on_the_same_demand() -> None:
    figures = golden.summary("hybrid_pilot")
    assert set(figures["streams"]) == {"chat", "keywords", "gestures", "fine-tuning"}
    assert figures["pools"]["spinnaker2"]["utilisation"] > 0
    assert figures["pools"]["loihi2"]["utilisation"] > 0
    assert figures["pools"]["vision"]["utilisation"] > 0
    per_job = figures["streams"]["chat"]["energy_j_per_job"]
    for inner, outer in (("chip", "board"), ("board", "node"), ("node", "rack"), ("rack", "facility")):
        assert per_job[inner]["marginal"] <= per_job[outer]["marginal"]
        assert per_job[inner]["loaded"] <= per_job[outer]["loaded"]


@pytest.mark.skipif(not TRACE.exists(), reason="DCSIM_DATA has no Azure LLM trace")
def test_azure_replay_is_the_real_hour() -> None:
    """19,366 requests, 1,155 tokens in and 211 out on average, 5.53/s (workloads of the trace's own README)."""
    result = dcsim.simulate(dcsim.load(ROOT / "scenarios" / "azure_replay.yaml"))
    chat = result.summary["streams"]["chat"]
    assert chat["submitted"] == chat["completed"] == 19_366
    jobs = result.jobs
    assert jobs["arrival_s"].iloc[[0, -1]].tolist() == pytest.approx([0.0, 3501.7], abs=0.1)
    assert jobs["input_tokens"].mean() == pytest.approx(1155, abs=1)
    assert jobs["output_tokens"].mean() == pytest.approx(211, abs=1)
    assert (len(jobs) - 1) / jobs["arrival_s"].iloc[-1] == pytest.approx(5.53, abs=0.01)
    assert np.array_equal(jobs["status"].unique(), ["completed"])
    assert chat["ttft_s"]["p50"] < 0.2
    assert 0.5 < chat["energy_j_per_job"]["chip"]["marginal"] / 211 < 6.0
