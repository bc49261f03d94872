"""The shipped workload tables are what the script measures, and reproduce the trace that they come from."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from dcsim import catalog
from dcsim.workload import traces
from dcsim.workload.sizes import SizeTable

ROOT = Path(__file__).parents[2]
needs_data = pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set")


@pytest.fixture(scope="module")
def folder():
    return Path(os.environ["DCSIM_DATA"]) / "data" / "traces"


@needs_data
def test_the_script_prints_exactly_the_shipped_file(folder):
    path = ROOT / "benchmarks" / "measure_azure_tables.py"
    spec = importlib.util.spec_from_file_location("measure_azure_tables", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shipped = Path(catalog.__file__).parent / "data" / "workloads.yaml"
    assert module.document(folder) == shipped.read_text(encoding="utf-8")


@needs_data
def test_the_table_reproduces_the_trace(folder):
    trace = traces.read(folder / "azure_llm_2023_conv.csv.gz", "azure-llm").columns
    table = SizeTable.of(catalog.load().get("azure-llm-conv-2023", "sizes"))
    drawn = table.draw(200_000, np.random.default_rng(1))
    for key in ("input_tokens", "output_tokens"):
        ours, theirs = drawn[key], trace[key]
        at = np.union1d(ours, theirs)
        shares = [np.searchsorted(np.sort(x), at, side="right") / len(x) for x in (ours, theirs)]
        assert np.abs(shares[0] - shares[1]).max() < 0.015  # Kolmogorov-Smirnov; a lognormal has 0.16 to 0.18
        assert ours.mean() == pytest.approx(theirs.mean(), rel=0.01)
        assert ours.std() == pytest.approx(theirs.std(), rel=0.03)
    assert spearman(trace) == pytest.approx(0.07, abs=0.005)
    assert spearman(drawn) == pytest.approx(0.07, abs=0.02)
    # The dependence that a correlation does not see: prompts of about 1,060 tokens get 400 tokens back.
    for columns in (trace, drawn):
        near = np.abs(columns["input_tokens"] - 1060) < 50
        assert np.median(columns["output_tokens"][near]) == pytest.approx(406, abs=6)
        assert np.median(columns["output_tokens"][columns["input_tokens"] > 4080]) < 70


def spearman(columns):
    import pandas as pd

    ranks = [pd.Series(columns[key]).rank() for key in ("input_tokens", "output_tokens")]
    return ranks[0].corr(ranks[1])


@pytest.mark.parametrize("name", ["servegen-m-large", "servegen-m-small", "azure-llm-conv-2023-hour"])
def test_profiles_have_mean_one_and_their_source(name):
    entry = catalog.load().get(name, "profile")
    factors = entry.quantity("factors")
    assert entry.array("factors").mean() == pytest.approx(1.0, abs=5e-5)
    assert factors.grade == "measured"
    assert "benchmarks/measure_azure_tables.py" in factors.source
    assert str(entry.facts["licence"]) in factors.source
