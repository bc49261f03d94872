"""A stream of a scenario to blocks: columns, determinism, traces, and what is refused at once."""

from __future__ import annotations

import gzip
import hashlib
import math

import numpy as np
import pytest

from dcsim import catalog, workload
from dcsim.errors import CatalogError, ScenarioError, TraceError
from dcsim.scenario.streams import Stream


def stream(arrivals, **parts):
    given = {"arrivals": arrivals, "runs_on": ["pool"], **parts}
    if "model" not in given and "service" not in given:
        given["model"] = "some-model"
    return Stream.model_validate(given)


def blocks(spec, duration_s=3600.0, *, name="s", seed=1, replication=0, folder=None, rows=65_536):
    return list(workload.blocks(spec, name, duration_s, catalog.load(), seed, replication, folder, rows=rows))


def join(parts, key):
    return np.concatenate([part.columns[key] for part in parts])


def digest(parts):
    text = hashlib.sha256(np.concatenate([part.arrival_s for part in parts]).tobytes())
    for key in sorted(parts[0].columns):
        text.update(key.encode() + join(parts, key).tobytes())
    return text.hexdigest()


CHAT = {"kind": "daily", "rate": "60/s", "profile": "servegen-m-large"}
SERVICES = (
    {"distribution": "exponential", "mean": "2 s"},
    {"distribution": "lognormal", "mean": "2 s", "cv": 3},
    {"distribution": "fixed", "mean": "2 s"},
)


@pytest.mark.parametrize("arrivals", [CHAT, {"kind": "poisson", "rate": "50/s"}])
@pytest.mark.parametrize("rest", [{"sizes": "azure-llm-conv-2023"}, *({"service": s} for s in SERVICES)])
def test_same_bytes_whatever_the_block_size(arrivals, rest):
    spec = stream(arrivals, **rest)
    whole = blocks(spec)
    assert sum(map(len, whole)) > 140_000
    assert max(map(len, whole)) <= workload.BLOCK_ROWS
    for rows in (1000, 65_535):
        cut = blocks(spec, rows=rows)
        assert max(map(len, cut)) <= rows
        assert digest(cut) == digest(whole)


def test_seed_replication_and_name_change_the_draws():
    spec = stream(CHAT, sizes="azure-llm-conv-2023")
    seen = {digest(blocks(spec, 600.0, **change)) for change in ({}, {"seed": 2}, {"replication": 1}, {"name": "t"})}
    assert len(seen) == 4
    assert digest(blocks(spec, 600.0)) in seen


def test_sizes_and_arrivals_use_streams_of_their_own():
    plain = blocks(stream(CHAT), 600.0)
    sized = blocks(stream(CHAT, sizes={"input_tokens": 5, "output_tokens": 6}), 600.0)
    np.testing.assert_array_equal(plain[0].arrival_s, sized[0].arrival_s)
    assert dict(plain[0].columns) == {}
    assert set(join(sized, "input_tokens")) == {5.0}
    assert set(join(sized, "output_tokens")) == {6.0}


def test_run_times_have_their_mean_and_variation():
    for service, cv in zip(SERVICES, (1.0, 3.0, 0.0), strict=True):
        run_s = join(blocks(stream({"kind": "poisson", "rate": "50/s"}, service=service), 20_000.0), "run_s")
        error = max(cv, 1e-12) / math.sqrt(len(run_s))
        assert run_s.mean() == pytest.approx(2.0, abs=4 * 2 * error)
        if cv < 2:  # beyond, the variance of the sample variance is too large to test
            assert run_s.std() / 2.0 == pytest.approx(cv, rel=0.01, abs=1e-12)
        assert run_s.min() > 0


def test_lognormal_by_hand():
    # mean 2, cv 3: median = 2 / sqrt(1 + 9) = 0.632, sigma = sqrt(ln 10) = 1.517.
    service = {"distribution": "lognormal", "mean": "2 s", "cv": 3}
    run_s = join(blocks(stream({"kind": "poisson", "rate": "50/s"}, service=service), 20_000.0), "run_s")
    assert np.median(run_s) == pytest.approx(2 / math.sqrt(10), rel=0.01)
    assert np.log(run_s).std() == pytest.approx(1.517, rel=0.005)


def test_within_hour_profile_of_the_azure_trace():
    spec = stream({"kind": "daily", "rate": "5.53/s", "profile": "azure-llm-conv-2023-hour"})
    arrival_s = np.concatenate([part.arrival_s for part in blocks(spec, 10 * 3480.0)])
    counts = np.bincount((arrival_s // 60).astype(int), minlength=580)
    # The trace's own counts per minute have variance / mean 16.1; interpolation smooths a little.
    assert 10 < counts.var() / counts.mean() < 18
    assert counts.mean() == pytest.approx(331.8, rel=0.01)


def test_schedule():
    spec = stream({"kind": "schedule", "times": ["2 h", "1 h"], "every": "1 d"})
    (block,) = blocks(spec, 2 * 86_400.0)
    assert block.arrival_s.tolist() == [3600.0, 7200.0, 90_000.0, 93_600.0]
    assert blocks(stream({"kind": "schedule", "times": ["2 h"]}), 3600.0) == []


# ---------------------------------------------------------------- traces

TABLE = "job_id,submit_s,run_s,processors\n7,30,5,2\n8,10,6,1\n9,20,7,4\n10,99,8,1\n"


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text(TABLE)
    return path


def replay(path, **parts):
    return {"kind": "trace", "path": str(path), "format": "csv"} | parts


def test_replay_sorts_cuts_and_counts(trace):
    spec = stream(replay(trace), service={"distribution": "trace"})
    (block,) = blocks(spec, 99.0)
    assert block.arrival_s.tolist() == [10.0, 20.0, 30.0]
    assert {key: values.tolist() for key, values in block.columns.items()} == {
        "run_s": [6.0, 7.0, 5.0],
        "processors": [1.0, 4.0, 2.0],
        "trace_id": [8.0, 9.0, 7.0],
    }
    assert block.dropped_rows == 1
    parts = blocks(spec, 99.0, rows=2)
    assert [len(part) for part in parts] == [2, 1]
    assert [part.dropped_rows for part in parts] == [1, 0]
    assert digest(parts) == digest([block])


def test_rate_scale_squeezes_time(trace):
    (block,) = blocks(stream(replay(trace, rate_scale=2), service={"distribution": "trace"}), 99.0)
    assert block.arrival_s.tolist() == [5.0, 10.0, 15.0, 49.5]
    assert block.columns["run_s"].tolist() == [6.0, 7.0, 5.0, 8.0]
    assert block.dropped_rows == 0


def test_drawn_run_times_and_sizes_replace_those_of_the_trace(trace):
    spec = stream(replay(trace), service={"distribution": "fixed", "mean": "3 s"})
    assert blocks(spec, 99.0)[0].columns["run_s"].tolist() == [3.0] * 3
    spec = stream(replay(trace), sizes={"input_tokens": 5, "output_tokens": 6})
    columns = blocks(spec, 99.0)[0].columns
    assert columns["input_tokens"].tolist() == [5.0] * 3
    assert "run_s" not in columns  # the model rules


def test_relative_paths_are_found_beside_the_scenario_and_nowhere_above(trace, monkeypatch):
    monkeypatch.delenv("DCSIM_DATA", raising=False)
    service = {"distribution": "trace"}
    assert len(blocks(stream(replay("jobs.csv"), service=service), folder=trace.parent)[0]) == 4
    inner = trace.parent / "inner"
    inner.mkdir()
    with pytest.raises(TraceError, match="leads out"):
        blocks(stream(replay("../jobs.csv"), service=service), folder=inner)
    with pytest.raises(TraceError, match=r"no file 'jobs\.csv'"):
        blocks(stream(replay("jobs.csv"), service=service), folder=inner)
    monkeypatch.setenv("DCSIM_DATA", str(trace.parent))
    assert len(blocks(stream(replay("jobs.csv"), service=service), folder=inner)[0]) == 4


def test_a_run_without_any_row_of_the_trace_is_an_error(trace):
    spec = stream(replay(trace), service={"distribution": "trace"})
    with pytest.raises(TraceError, match=r"no job arrives in the run of 10 s; the first one would arrive at 10 s"):
        blocks(spec, 10.0)


def test_run_times_of_a_trace_that_has_none(tmp_path):
    path = tmp_path / "chat.csv.gz"
    path.write_bytes(gzip.compress(b"submit_s,input_tokens,output_tokens\n0,5,6\n"))
    assert blocks(stream(replay(path)))[0].columns["output_tokens"].tolist() == [6.0]
    with pytest.raises(ScenarioError, match=r"streams.s.service.distribution.*has none"):
        blocks(stream(replay(path), service={"distribution": "trace"}))


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (
            stream({"kind": "poisson", "rate": "1 GHz"}),
            ScenarioError,
            r"streams.s.arrivals.rate: about 3.6e\+12",
        ),
        (
            stream({"kind": "schedule", "times": ["0 s"], "every": "1 ns"}),
            ScenarioError,
            r"streams.s.arrivals.every: about 3.6e\+12",
        ),
        (
            stream({"kind": "schedule", "times": ["2 s"], "every": "1 s"}),
            ScenarioError,
            r"streams.s.arrivals.times: found 2 s, want all below `every`, 1 s",
        ),
        (
            stream({"kind": "daily", "rate": "1/s", "profile": [0.0] * 24}),
            ScenarioError,
            "streams.s.arrivals.profile: all factors are 0",
        ),
        (
            stream({"kind": "daily", "rate": "1/s", "profile": "servegen-m-larg"}),
            CatalogError,
            "did you mean 'servegen-m-large'",
        ),
        (
            stream({"kind": "poisson", "rate": "1/s"}, sizes="azure-llm-conv-2024"),
            CatalogError,
            "did you mean 'azure-llm-conv-2023'",
        ),
        (
            stream({"kind": "poisson", "rate": "1/s"}, service={"distribution": "exponential"}),
            ScenarioError,
            "streams.s.service.mean: missing",
        ),
        (
            stream({"kind": "poisson", "rate": "1/s"}, service={"distribution": "lognormal", "mean": "1 s"}),
            ScenarioError,
            "streams.s.service.cv: missing",
        ),
        (
            stream({"kind": "poisson", "rate": "1/s"}, service={"distribution": "trace"}),
            ScenarioError,
            "streams.s.service.distribution: 'trace' wants arrivals of kind trace",
        ),
        (
            stream({"kind": "trace", "path": "/x", "format": "cvs"}),
            TraceError,
            "unknown trace format 'cvs'; did you mean 'csv'",
        ),
    ],
)
def test_refused_before_the_first_block(spec, error, message):
    with pytest.raises(error, match=message):
        workload.blocks(spec, "s", 3600.0, catalog.load(), 1, 0, None)
