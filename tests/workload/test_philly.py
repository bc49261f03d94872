"""The Philly job log: attempts, missing times, zones, and an array that is read element by element."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from dcsim.errors import TraceError
from dcsim.workload import traces
from dcsim.workload.traces import _json


def attempt(start, end, *gpus):
    detail = [
        {"ip": f"m{place}", "gpus": [f"gpu{number}" for number in range(count)]} for place, count in enumerate(gpus)
    ]
    return {"start_time": start, "end_time": end, "detail": detail}


def job(*attempts, submitted="2017-10-07 01:00:00", **keys):
    record = {"status": "Pass", "vc": "v1", "jobid": "application_1", "user": "u1", "submitted_time": submitted}
    return record | {"attempts": list(attempts)} | keys


DONE = job(attempt("2017-10-07 01:10:00", "2017-10-07 01:20:00", 1))


@pytest.fixture
def read(tmp_path):
    def reader(jobs, bad_rows="refuse", **options):
        path = tmp_path / "cluster_job_log"
        path.write_text(jobs if isinstance(jobs, str) else json.dumps(jobs, indent=1), encoding="utf-8")
        return traces.read(path, "philly", traces.Reading(bad_rows=bad_rows, **options))

    return reader


def test_a_job_runs_the_sum_of_its_attempts_on_the_gpus_of_the_first(read):
    block = read(
        [
            job(
                attempt("2017-10-07 01:12:00", "2017-10-07 01:13:00", 8, 4),
                attempt("2017-10-07 02:00:00", "2017-10-07 03:00:00", 8, 4),
                status="Failed",
            ),
            job(attempt("2017-10-07 01:00:30", "2017-10-07 01:00:40", 1), submitted="2017-10-07 00:59:30", user=None),
        ]
    )
    assert block.arrival_s.tolist() == [0.0, 30.0]
    assert block.columns["run_s"].tolist() == [10.0, 3660.0]
    assert block.columns["wait_s"].tolist() == [60.0, 720.0]
    assert block.columns["processors"].tolist() == [1.0, 12.0]
    assert block.columns["nodes"].tolist() == [1.0, 2.0]
    assert block.labels["state"] == ("Failed", "Pass")
    assert block.columns["state"].tolist() == [1.0, 0.0]
    assert block.labels["user"] == ("", "u1")
    assert block.labels["tenant"] == ("v1",)
    assert block.labels["device_kind"] == ("gpu",)


@pytest.mark.parametrize("missing", [None, "None", ""])
def test_attempts_without_both_times_do_not_count(read, missing):
    block = read(
        [
            job(
                attempt("2017-10-07 01:12:00", missing, 2),
                attempt(missing, "2017-10-07 01:14:00", 2),
                attempt("2017-10-07 01:15:00", "2017-10-07 01:15:07", 2),
            )
        ]
    )
    assert block.columns["run_s"].tolist() == [7.0]
    assert block.columns["wait_s"].tolist() == [720.0]


def test_jobs_that_are_none_by_the_rules_are_left_out_and_counted(read):
    start, end = "2017-10-07 01:12:00", "2017-10-07 01:13:00"
    block = read(
        [
            DONE,
            job(),
            job(attempts=None),
            job(attempt(start, end, 1), submitted="None"),
            job(attempt(start, end, 1), attempt(start, None, 1)),
            job(attempt(None, end, 1)),
            job(attempt(start, start, 1)),
            job(attempt(start, end)),
        ]
    )
    assert len(block) == 1
    assert dict(block.dropped) == {
        "never started": 2,
        "no submission time": 1,
        "not ended": 1,
        "no attempt with both times": 1,
        "no run time": 1,
        "no GPUs": 1,
    }


def test_times_are_of_the_pacific_coast_unless_the_user_says_otherwise(read):
    # Clocks went back on 2017-11-05 at 02:00: from 00:30 to 03:00 three and a half hours passed there.
    over = [job(attempt("2017-11-05 00:30:00", "2017-11-05 03:00:00", 1), submitted="2017-11-05 00:00:00")]
    assert read(over).columns["run_s"].tolist() == [3.5 * 3600]
    assert read(over, timezone="UTC").columns["run_s"].tolist() == [2.5 * 3600]
    with pytest.raises(TraceError, match="Mars/Base"):
        read(over, timezone="Mars/Base")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (7, "found '7', want a JSON object"),
        (job(submitted="yesterday"), "'submitted_time': found 'yesterday', want a time such as"),
        (job(submitted="2017-02-29 00:00:00"), "'submitted_time': found '2017-02-29"),
        (job(submitted=1507338699), "'submitted_time': found '1507338699'"),
        (job(attempt("2017-10-07 01:12:00", "2017-10-07 01:11:00", 1)), "'end_time': found '2017-10-07 01:11:00'"),
        (job(attempt("2017-10-07 00:12:00", "2017-10-07 01:11:00", 1)), "'start_time': found '2880 s before'"),
        (job(attempts="none"), "'attempts': found 'none', want a list"),
        (job(attempts=[3]), "'attempts': found '3', want a list of JSON objects"),
        (job({"start_time": None, "end_time": None, "detail": [1]}), "'detail'"),
        (job({"start_time": None, "end_time": None, "detail": [{"gpus": 8}]}), "'gpus': found '8', want a list"),
        (DONE | {"user": 17}, "'user': found '17', want a name"),
        (DONE | {"user": "\ud800"}, "'user'"),
        (DONE | {"x": float("nan")}, "found 'NaN'"),
    ],
)
def test_a_bad_job_is_refused_by_its_number_or_skipped(read, bad, message):
    with pytest.raises(TraceError) as caught:
        read([DONE, bad])
    assert "row 2" in str(caught.value)
    assert message in str(caught.value)
    block = read([DONE, bad], bad_rows="skip")
    assert len(block) == sum(block.dropped.values()) == 1


def test_a_key_that_is_there_twice_is_bad(read):
    with pytest.raises(TraceError, match="row 1: found 'a key that is there twice"):
        read('[{"status": "Pass", "status": "Failed"}]')


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"want '\['; found the end of the file"),
        ("{}", r"line 1: not JSON that can be read: want '\['; found '\{"),
        ("[]", "no jobs"),
        ("[{},", "line 1: not JSON that can be read: Expecting value; found the end of the file"),
        ("[{}\n\n{}]", "line 3: not JSON that can be read: want ','"),
        ("[{}] 7", "more text after the value"),
        ('[{"a": tru}]', "Expecting value; found 'tru"),
        ("[" * 100_000, "nested too deeply"),
        ("[" + "9" * 5000 + "]", "not JSON that can be read"),
    ],
)
def test_a_file_that_is_no_array_of_jobs_is_refused_with_the_line(read, content, message):
    with pytest.raises(TraceError, match=message):
        read(content, bad_rows="skip")


def test_elements_may_be_cut_anywhere_by_the_parts_in_which_the_file_is_read(read, monkeypatch):
    jobs = [job(attempt("2017-10-07 01:10:00", "2017-10-07 01:20:00", 8), user=f'é\\"{number}') for number in range(20)]
    whole = read(jobs)
    for size in (1, 7, 64, 1000):
        monkeypatch.setattr(_json, "_CHUNK", size)
        assert read(jobs).labels == whole.labels


@pytest.mark.slow
def test_a_long_array_takes_the_memory_of_a_part(tmp_path):
    path = tmp_path / "log"
    one = json.dumps(DONE | {"note": "x" * 5000}, indent=1)
    with path.open("w", encoding="utf-8") as file:
        file.write("[" + ",\n".join([one] * 4000) + "]")
    traces.read(tmp_path / "log", "philly")  # what is imported on the way is not counted
    tracemalloc.start()
    assert len(traces.read(path, "philly")) == 4000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 2e7
    assert peak < 8e6


def test_an_element_that_is_too_long_is_refused(read, monkeypatch):
    monkeypatch.setattr(_json, "MAX_VALUE_CHARS", 1000)
    monkeypatch.setattr(_json, "_CHUNK", 100)
    with pytest.raises(TraceError, match="a value of more than 1000 characters"):
        read([DONE | {"note": "x" * 5000}])
