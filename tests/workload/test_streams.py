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


# ---------------------------------------------------------------- a trace, changed


def once(parts, key=None):
    return np.concatenate([part.arrival_s if key is None else part.columns[key] for part in parts])


RUNS = {"service": {"distribution": "trace"}}


@pytest.mark.parametrize(
    "parts", [{}, {"loop": True}, {"resample": "20 s"}, {"moments": {"kind": "poisson", "rate": "1/s"}}]
)
def test_the_first_block_tells_the_bad_rows_of_the_trace(trace, parts):
    trace.write_text(TABLE + "11,soon,8,1\n")
    found = blocks(stream(replay(trace, bad_rows="skip", **parts), **RUNS), 300.0, rows=2)
    assert len(found) > 1
    assert [len(part.told) for part in found] == [1] + [0] * (len(found) - 1)
    assert found[0].told[0].startswith("row 6, column 'submit_s': found 'soon'")
    assert found[0].dropped["bad submit_s"] == 1


def test_loop_repeats_the_jobs_with_the_period_of_the_trace(trace):
    # Own period: last arrival 99 s and a mean gap of 89 / 3 s.
    parts = blocks(stream(replay(trace, loop=True), **RUNS), 300.0)
    period = 99 + 89 / 3
    np.testing.assert_allclose(once(parts), np.add.outer(np.arange(3) * period, [10, 20, 30, 99]).ravel()[:11])
    assert once(parts, "trace_id").tolist() == [8, 9, 7, 10, 8, 9, 7, 10, 8, 9, 7]
    assert once(parts, "run_s").tolist()[4:7] == [6.0, 7.0, 5.0]
    assert sum(part.dropped_rows for part in parts) == 0


def test_loop_with_a_given_period_and_a_rate_scale(trace):
    parts = blocks(stream(replay(trace, loop=True, period="100 s", rate_scale=2), **RUNS), 110.0)
    assert once(parts).tolist() == [5.0, 10.0, 15.0, 49.5, 55.0, 60.0, 65.0, 99.5, 105.0]
    assert once(blocks(stream(replay(trace, loop=True, period="100 s"), **RUNS), 50.0)).tolist() == [10.0, 20.0, 30.0]


def test_a_long_loop_comes_in_bounded_blocks(trace):
    parts = blocks(stream(replay(trace, loop=True, period="100 s"), **RUNS), 5e6)
    assert sum(map(len, parts)) == 200_000
    assert max(map(len, parts)) <= workload.BLOCK_ROWS
    assert (np.diff(once(parts)) > 0).all()


@pytest.fixture
def long_trace(tmp_path):
    """10,000 s: job k arrives at k + 0.5 s and is as long as k + 1, three times as many in the second half."""
    moments = np.concatenate([np.arange(0, 5000, 3), np.arange(5000, 10_000)]) + 0.5
    path = tmp_path / "long.csv"
    path.write_text("submit_s,run_s\n" + "".join(f"{moment},{moment + 0.5}\n" for moment in moments.tolist()))
    return path


def test_resampled_blocks_are_blocks_of_the_trace(long_trace):
    spec = stream(replay(long_trace, resample="60 s", period="10000 s"), **RUNS)
    parts = blocks(spec, 600_000.0)
    arrival_s, run_s = once(parts), once(parts, "run_s")
    moved = arrival_s - (run_s - 0.5)  # by how much each job left its place in the trace
    np.testing.assert_allclose(moved % 60.0, 0.0, atol=1e-6)
    block = np.floor(arrival_s / 60.0)
    drawn = {number: np.unique(moved[block == number]) for number in range(100)}
    assert all(len(each) == 1 for each in drawn.values())  # all jobs of a block moved together
    assert len({float(each[0]) - 60 * number for number, each in drawn.items()}) > 50
    # 166 blocks of 60 s, 9,960 s of the trace: 20 or 60 jobs in a block.
    assert len(arrival_s) == pytest.approx(10_000 * (5000 / 3 + 4960) / 166, rel=0.01)
    assert digest(parts) == digest(blocks(spec, 600_000.0))
    assert digest(parts) != digest(blocks(spec, 600_000.0, seed=2))


def test_warp_puts_a_profile_on_top_of_the_trace(long_trace):
    profile = [0.0] * 12 + [2.0] * 12
    spec = stream(replay(long_trace, loop=True, period="10000 s", warp={"profile": profile}), **RUNS)
    hours = once(blocks(spec, 10 * 86_400.0)) % 86_400.0 / 3600.0
    assert len(hours) == pytest.approx(0.66667 * 864_000, rel=0.03)
    assert not ((hours > 0.51) & (hours < 11.49)).any()


def test_levelled_windows_leave_only_the_profile(long_trace):
    warp = {"profile": [1.0] * 24, "window": "100 s"}
    spec = stream(replay(long_trace, period="10000 s", warp=warp), **RUNS)
    (block,) = blocks(spec, 10_000.0)
    first = np.count_nonzero(block.arrival_s < 5000.0)
    assert first == pytest.approx(len(block) / 2, abs=3)
    assert np.diff(block.arrival_s).max() < 2.0
    plain = blocks(stream(replay(long_trace), **RUNS), 10_000.0)
    np.testing.assert_array_equal(once(plain, "run_s"), block.columns["run_s"])


def test_sizes_of_a_trace_with_arrivals_of_another_kind(trace):
    moments = {"kind": "gamma", "rate": "1/s", "cv": 2}
    parts = blocks(stream(replay(trace, moments=moments), **RUNS), 100_000.0)
    assert len(once(parts)) == pytest.approx(100_000, rel=0.03)
    assert once(parts, "trace_id")[:9].tolist() == [8, 9, 7, 10, 8, 9, 7, 10, 8]
    mixed = blocks(stream(replay(trace, moments=moments, order="random"), **RUNS), 100_000.0)
    np.testing.assert_array_equal(once(mixed), once(parts))  # the same moments, other jobs
    share = np.bincount(once(mixed, "trace_id").astype(int))[7:] / len(once(mixed))
    np.testing.assert_allclose(share, 0.25, atol=0.01)


def test_clients_bring_their_number_to_the_jobs_of_a_trace(trace):
    moments = {"kind": "clients", "rate": "1/s", "shares": [1, 3], "cv": [1]}
    (block,) = blocks(stream(replay(trace, moments=moments), **RUNS), 1000.0)
    assert block.labels["user"] == ("client-1", "client-2")
    assert block.columns["user"].mean() == pytest.approx(0.75, abs=0.05)
    assert block.columns["run_s"][:4].tolist() == [6.0, 7.0, 5.0, 8.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loop": True, "period": "99 s"}, r"arrivals.period: found 99 s, want more than the last arrival .*, 99 s"),
        ({"resample": "1 d"}, r"arrivals.resample: found 86400 s, want at most the length of the trace, 128.667 s"),
        ({"loop": True, "rate_scale": 1e9}, r"streams.s.arrivals: about 1.12e\+11 jobs in the run; at most 50,000,000"),
        ({"warp": {"profile": [1.0] * 24, "window": "1 us"}}, r"arrivals.warp.window: found 128,666,667 windows"),
        ({"warp": {"profile": [0.0] * 24}}, r"arrivals.warp.profile: all factors are 0"),
        ({"moments": {"kind": "poisson", "rate": "1 GHz"}}, r"arrivals.moments.rate: about 3.6e\+12 jobs"),
    ],
)
def test_changes_that_a_trace_does_not_bear(trace, options, message):
    with pytest.raises(ScenarioError, match=message):
        blocks(stream(replay(trace, **options), **RUNS))


def test_a_trace_of_one_moment_has_no_period(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("submit_s,run_s\n5,1\n5,2\n")
    with pytest.raises(ScenarioError, match=r"missing key 'period'; all jobs of the trace arrive at 5 s"):
        blocks(stream(replay(path, loop=True), **RUNS))


# ---------------------------------------------------------------- rates of a file


@pytest.fixture
def rate_table(monkeypatch, tmp_path):
    path = tmp_path / "rates"
    path.touch()
    table = workload.traces.Rates(600.0, np.array([1.0, 3.0, 0.0, 4.0]))
    monkeypatch.setattr(workload.traces, "rates", lambda *_given: table)
    return {"kind": "rates", "path": str(path), "format": "any"}


def test_rates_follow_the_table_and_repeat(rate_table):
    arrival_s = once(blocks(stream(rate_table), 40 * 2400.0))
    per_interval = np.bincount((arrival_s % 2400.0 // 600.0).astype(int), minlength=4)
    assert per_interval[2] == 0
    np.testing.assert_allclose(per_interval / (40 * 600.0), [1, 3, 0, 4], atol=0.06)


def test_rates_scaled_to_a_mean_and_once(rate_table):
    arrival_s = once(blocks(stream(rate_table | {"rate": "20/s", "repeat": False}), 1e5))
    assert len(arrival_s) == pytest.approx(20 * 2400, abs=4 * math.sqrt(48_000))
    assert arrival_s.max() < 2400.0


def test_rates_that_are_all_0(rate_table, monkeypatch):
    monkeypatch.setattr(workload.traces, "rates", lambda *_given: workload.traces.Rates(600.0, np.zeros(3)))
    with pytest.raises(TraceError, match="all rates are 0"):
        blocks(stream(rate_table))


# ---------------------------------------------------------------- every kind of a scenario

KINDS = (
    {"kind": "periodic", "rate": "20/s", "phase": "1 s", "jitter": "10 ms"},
    {"kind": "sinusoid", "rate": "20/s", "amplitude": 0.5, "peak": "14 h"},
    {"kind": "gamma", "rate": "20/s", "cv": 3, "profile": "servegen-m-large"},
    {"kind": "weibull", "rate": "20/s", "cv": 3},
    {"kind": "lognormal", "rate": "20/s", "cv": 3},
    {"kind": "mmpp", "rates": ["38/s", "2/s"], "stays": ["10 s", "10 s"]},
    {"kind": "mmpp", "rates": ["30/s", "10/s"], "changes": [["0/s", "1/s"], ["1/s", "0/s"]]},
    {"kind": "hawkes", "rate": "20/s", "branching": 0.6, "decay": "2 s"},
    {"kind": "self-similar", "rate": "20/s", "hurst": 0.7, "sources": 100, "on": "1 s"},
    {"kind": "clients", "rate": "20/s", "count": 100, "zipf": 1.2, "cv": [3, 1.2], "profile": "servegen-m-large"},
)  # fmt: skip


@pytest.mark.parametrize("arrivals", KINDS, ids=lambda kind: kind["kind"])
def test_every_kind_has_its_rate_and_the_same_bytes_whatever_the_block_size(arrivals):
    spec = stream(arrivals, service={"distribution": "exponential", "mean": "2 s"})
    whole = blocks(spec, 86_400.0)
    assert sum(map(len, whole)) / 86_400.0 == pytest.approx(20.0, rel=0.05)
    assert max(map(len, whole)) <= workload.BLOCK_ROWS
    assert digest(blocks(spec, 3600.0, rows=777)) == digest(blocks(spec, 3600.0))


def test_states_that_cannot_be_left_or_reached():
    changes = [["0/s", "2/s", "0/s"], ["1/s", "0/s", "0/s"], ["1/s", "0/s", "0/s"]]
    with pytest.raises(ScenarioError, match=r"arrivals.changes: want rates of change by which every state can be"):
        blocks(stream({"kind": "mmpp", "rates": ["3/s", "1/s", "0/s"], "changes": changes}))


def test_week_by_hand():
    # A working day has weight 1, weekend 0.25: mean (5 + 0.5) / 7. The run starts on Saturday.
    week = {"kind": "weekly", "rate": "5.5/s", "profile": [1.0] * 24, "weekend": 0.25, "start": "saturday"}
    days = np.bincount((once(blocks(stream(week), 7 * 86_400.0)) // 86_400.0).astype(int))
    expected = 86_400.0 * np.array([1.75, 1.75, 7, 7, 7, 7, 7])
    np.testing.assert_allclose(days, expected, rtol=0.02)  # half an hour at midnight is in between
    given = week | {"days": [1, 1, 1, 1, 1, 0.25, 0.25]}
    del given["weekend"]
    assert digest(blocks(stream(given), 86_400.0)) == digest(blocks(stream(week), 86_400.0))


def test_a_week_of_something_that_is_no_day():
    spec = stream({"kind": "weekly", "rate": "1/s", "profile": "azure-llm-conv-2023-hour", "weekend": 1})
    with pytest.raises(ScenarioError, match=r"arrivals.profile: found 'azure-llm-conv-2023-hour' of 3480 s, want"):
        blocks(spec)


@pytest.mark.parametrize(
    ("arrivals", "message"),
    [
        (
            {"kind": "periodic", "rate": "1/s", "jitter": "2 s"},
            "arrivals.jitter: found 2 s, want at most the distance of two arrivals at 1/s",
        ),
        (
            {"kind": "mmpp", "rates": ["1/s", "2/s"], "stays": ["1 ns", "1 ns"]},
            "arrivals.stays: about .* changes of state",
        ),
        ({"kind": "clients", "rate": "1/s", "cv": [1]}, "streams.s.arrivals: found neither 'zipf' nor 'shares'"),
        ({"kind": "weekly", "rate": "1/s", "profile": [1.0] * 24}, "arrivals: found neither 'days' nor 'weekend'"),
        ({"kind": "mmpp", "rates": ["1 GHz", "0/s"], "stays": ["1 s", "1 s"]}, "arrivals.rates: about 5e.14 jobs"),
        (
            {"kind": "hawkes", "rate": "100/s", "branching": 0.9, "decay": "1 d"},
            "arrivals.decay: about .* jobs with those before the start",
        ),
        ({"kind": "self-similar", "rate": "1/s", "hurst": 0.8, "sources": 1e6, "on": "1 us"}, "arrivals.on: about"),
    ],
)
def test_too_much_is_refused_before_it_is_drawn(arrivals, message):
    with pytest.raises(ScenarioError, match=message):
        blocks(stream(arrivals), 1e6)


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
            r"streams.s.arrivals.times.0: found 2 s, want less than `every`, 1 s",
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
            "streams.s.service: missing key 'mean'",
        ),
        (
            stream({"kind": "poisson", "rate": "1/s"}, service={"distribution": "lognormal", "mean": "1 s"}),
            ScenarioError,
            "streams.s.service: missing key 'cv'",
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
