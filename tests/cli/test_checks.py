"""`dcsim validate` and `dcsim bench`."""

from __future__ import annotations

import json
import re


def test_validate_prints_a_table_and_ends_with_the_counts(dcsim):
    outcome = dcsim("validate", "catalog")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(
        r"\d+ passed, 0 failed, \d+ calibration, \d+ consistency, \d+ skipped", outcome.out.splitlines()[-1]
    )


def test_validate_json_is_one_document(dcsim):
    document = json.loads(dcsim("validate", "catalog", "--json").out)
    counts = ("passed", "failed", "calibration", "consistency", "skipped")
    assert set(document) == {"cases", *counts}
    assert len(document["cases"]) == sum(document[count] for count in counts)


def test_validate_unknown_area(dcsim):
    outcome = dcsim("validate", "catalgo")
    assert outcome.code == 2
    assert "did you mean 'catalog'?" in outcome.err
    assert outcome.err.count("\n") == 1


def test_validate_missing_cases(dcsim):
    outcome = dcsim("validate", "catalog", "--cases", "nowhere")
    assert outcome.code == 2
    assert "nowhere" in outcome.err


def test_bench(dcsim, monkeypatch):
    """The figures themselves have their own tests; here they are given."""
    figures = {"jobs_per_s": 540_000.0, "ratio_to_heapq": 1.9, "devices": 10_000}
    monkeypatch.setattr("dcsim.validation.bench.run", lambda: figures)
    assert json.loads(dcsim("bench", "--json").out) == figures
    assert dcsim("bench").out.splitlines() == [
        "jobs_per_s      540,000",
        "ratio_to_heapq  1.9",
        "devices         10,000",
    ]
