"""ServeGen's clients: rates, laws of the gaps and distributions of tokens."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dcsim.errors import TraceError
from dcsim.workload import traces
from dcsim.workload.traces import servegen

TRACE = "0,1.5,8.6,Weibull,0.375,0.4\n600,0,0,,0,0\n1200,0.5,6.0,Gamma,0.06,103.7\n"
OTHER = "0,2,1.1,Gamma,0.9,0.5\n600,2,1.1,Gamma,0.9,0.5\n1200,0,0,,0,0\n"
DATASET = {
    "0": {"input_tokens": "{230: 0.75, 224: 0.25}", "output_tokens": "{40: 1.0}", "images": "{(1, 2): 1.0}"},
    "1200": {"input_tokens": "{}", "output_tokens": "{7: 5e-1, 8: 0.5}"},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "chunk-0-trace.csv").write_text(TRACE, encoding="utf-8")
    (tmp_path / "chunk-12-trace.csv").write_text(OTHER, encoding="utf-8")
    (tmp_path / "chunk-0-dataset.json").write_text(json.dumps(DATASET), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    return tmp_path


def test_rates_are_the_sum_over_clients_or_those_of_one(folder):
    rates = traces.rates(folder, "servegen")
    assert rates.interval_s == 600.0
    assert rates.rate_hz.tolist() == [3.5, 2.0, 0.5]
    assert traces.rates(folder, "servegen", traces.Reading(select="12")).rate_hz.tolist() == [2.0, 2.0, 0.0]
    assert traces.rates(folder / "chunk-0-trace.csv", "servegen").rate_hz.tolist() == [1.5, 0.0, 0.5]


def test_clients_have_laws_and_lengths(folder):
    first, second = servegen.clients(folder, traces.Reading())
    assert (first.number, second.number) == (0, 12)
    assert first.pattern == ("Weibull", "", "Gamma")
    assert first.cv.tolist() == [8.6, 0.0, 6.0]
    assert first.shape.tolist() == [0.375, 0.0, 0.06]
    assert first.scale_s.tolist() == [0.4, 0.0, 103.7]
    (window,) = first.lengths["input_tokens"]
    assert (window.start_s, window.tokens.tolist(), window.share.tolist()) == (0.0, [224.0, 230.0], [0.25, 0.75])
    assert [each.start_s for each in first.lengths["output_tokens"]] == [0.0, 1200.0]
    assert np.isclose(first.lengths["output_tokens"][1].share.sum(), 1.0)
    assert second.lengths == {}


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        ("", "no rows"),
        ("0,1,1,Gamma,1,1\n", "found 1 window, want at least 2"),
        ("0,1,1,Gamma,1,1\n600,-1,1,Gamma,1,1\n", "row 2, column 'rate': found '-1'"),
        ("0,1,1,Gamma,1,1\n600,1,1,Pareto,1,1\n", "row 2, column 'pattern': found 'Pareto', want one of"),
        ("0,1,1,Gamma,1\n600,1,1,Gamma,1,1\n", "row 1"),
        ("0,1,1,Gamma,1,1\n600,1,1,Gamma,1,1\n1800,1,1,Gamma,1,1\n", "row 3, column 'ts': found '1800', want windows"),
        ("600,1,1,Gamma,1,1\n0,1,1,Gamma,1,1\n", "row 1, column 'ts': found '600', want windows"),
    ],
)
def test_a_bad_trace_is_refused_even_where_bad_rows_are_skipped(tmp_path, trace, message):
    path = tmp_path / "chunk-0-trace.csv"
    path.write_text(trace, encoding="utf-8")
    with pytest.raises(TraceError, match=message):
        traces.rates(path, "servegen", traces.Reading(bad_rows="skip"))


def test_windows_of_all_clients_must_be_the_same(folder):
    (folder / "chunk-3-trace.csv").write_text(OTHER.replace("600", "300").replace("1200", "600"), encoding="utf-8")
    with pytest.raises(TraceError, match=r"chunk-3-trace\.csv: found 3 windows of 300 s, want 3 of 600 s"):
        traces.rates(folder, "servegen")


@pytest.mark.parametrize(
    ("window", "value", "message"),
    [
        ("noon", {}, "'window': found 'noon', want a whole number"),
        ("600", [], "'window': found 'a list', want an object"),
        ("600", {"input_tokens": {"1": 1}}, "'input_tokens': found 'an object', want text such as"),
        ("600", {"input_tokens": "{1: 0.4}"}, "'input_tokens': found '{1: 0.4}'"),
        ("600", {"input_tokens": "{1: 0.5, 1: 0.5}"}, "'input_tokens'"),
        ("600", {"output_tokens": "{-1: 1.0}"}, "'output_tokens'"),
        ("600", {"output_tokens": "{1: __import__('os')}"}, "'output_tokens'"),
    ],
)
def test_a_bad_window_of_a_dataset_is_refused_or_skipped(folder, window, value, message):
    (folder / "chunk-0-dataset.json").write_text(json.dumps(DATASET | {window: value}), encoding="utf-8")
    with pytest.raises(TraceError, match="row 3") as caught:
        servegen.clients(folder, traces.Reading())
    assert message in str(caught.value)
    assert len(servegen.clients(folder, traces.Reading(bad_rows="skip"))[0].lengths["output_tokens"]) == 2


def test_a_folder_without_clients_or_a_client_that_is_not_there_is_refused(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(TraceError, match="no file such as chunk-0"):
        traces.rates(tmp_path / "empty", "servegen")
    with pytest.raises(TraceError, match="found no client '1'"):
        traces.rates(folder, "servegen", traces.Reading(select="1"))
    with pytest.raises(TraceError, match="cannot read the trace"):
        traces.rates(tmp_path / "nothing", "servegen")
