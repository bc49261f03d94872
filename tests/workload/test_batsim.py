"""Batsim workloads: profiles, walltimes, and jobs without a run time of their own."""

from __future__ import annotations

import json

import pytest

from dcsim.errors import TraceError
from dcsim.workload import traces

PROFILES = {
    "ten": {"type": "delay", "delay": 10},
    "new": {"type": "DelayProfile", "delay": 20.25, "np": 4},
    "flops": {"type": "parallel_homogeneous", "cpu": 1e10, "com": 0},
    "timed": {"type": "ParallelTaskHomogeneousProfile", "cpu": 1e10, "com": 0, "runtime": 7.5},
    "smpi": {"type": "smpi", "trace": "traces.txt"},
    "zero": {"type": "delay", "delay": 0},
}


def job(id=1, subtime=0, res=1, profile="ten", **keys):
    return {"id": id, "subtime": subtime, "res": res, "profile": profile} | keys


@pytest.fixture
def read(tmp_path):
    def reader(*jobs, bad_rows="refuse", profiles=PROFILES, text=None):
        path = tmp_path / "workload.json"
        path.write_text(text or json.dumps({"nb_res": 4, "jobs": jobs, "profiles": profiles}), encoding="utf-8")
        return traces.read(path, "batsim", traces.Reading(bad_rows=bad_rows))

    return reader


def test_a_job_runs_as_long_as_its_profile_says(read):
    block = read(job(3, 5.5, 4, "new", walltime=30), job(1, 2, 1, "timed"), job(2, 2))
    assert block.arrival_s.tolist() == [2.0, 2.0, 5.5]
    assert block.columns["run_s"].tolist() == [7.5, 10.0, 20.25]
    assert block.columns["requested_s"].tolist() == [7.5, 10.0, 30.0]
    assert block.columns["processors"].tolist() == [1.0, 1.0, 4.0]
    assert block.columns["trace_id"].tolist() == [1.0, 2.0, 3.0]
    assert [block.labels["kind"][int(code)] for code in block.columns["kind"]] == ["timed", "ten", "new"]


def test_a_job_is_stopped_at_its_walltime_and_one_below_0_is_none(read):
    block = read(*(job(number, 0, walltime=limit) for number, limit in enumerate([1, 9.5, 10, 11, -1, None])))
    assert block.columns["run_s"].tolist() == [1.0, 9.5, 10.0, 10.0, 10.0, 10.0]
    assert block.columns["requested_s"].tolist() == [1.0, 9.5, 10.0, 11.0, 10.0, 10.0]


def test_names_as_ids_give_no_numbers(read):
    assert "trace_id" not in read(job("w0!1"), job(2)).columns


def test_profiles_may_stand_before_the_jobs(read):
    block = read(text=json.dumps({"profiles": {"p": {"type": "delay", "delay": 3}}, "jobs": [job(profile="p")]}))
    assert block.columns["run_s"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "row 2: found 'a list', want a JSON object"),
        ({"id": 1.5}, "'id': found '1.5', want a name, or a whole number from 0"),
        ({"id": ""}, "'id'"),
        ({"id": 1}, "'id': found '1', want an id that no other job has"),
        ({"id": "1"}, "'id': found '1', want an id that no other job has"),
        ({"subtime": -1}, "'subtime': found '-1', want a number from 0"),
        ({"subtime": "0"}, "'subtime': found '0'"),
        ({"res": 0}, "'res': found '0', want a whole number from 1"),
        ({"res": 1.5}, "'res': found '1.5'"),
        ({"walltime": 0}, "'walltime': found '0', want a number above 0"),
        ({"profile": None}, "'profile': found 'null', want the name of a profile"),
        ({"profile": "none"}, "'profile': found 'none', want the name of a profile of this file"),
        ({"profile": "smpi"}, "found 'smpi of type smpi', want one of type delay"),
        ({"profile": "flops"}, "found 'flops of type parallel_homogeneous', want one with a runtime [s]"),
        ({"profile": "zero"}, "found 'zero of type delay', want one whose delay is a number above 0"),
        ({"extra": float("inf")}, "found 'Infinity'"),
    ],
)
def test_a_bad_job_is_refused_by_its_number_or_skipped(read, bad, message):
    second = bad if isinstance(bad, list) else job(2) | bad
    with pytest.raises(TraceError) as caught:
        read(job(1), second)
    assert "row 2" in str(caught.value)
    assert message in str(caught.value)
    block = read(job(1), second, bad_rows="skip")
    assert len(block) == sum(block.dropped.values()) == 1
    assert message in block.told[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", r"want '\{'"),
        ("{}", "no key 'jobs'; want the keys jobs and profiles"),
        ('{"jobs": []}', "no key 'profiles'"),
        ('{"jobs": 3, "profiles": {}}', "key 'jobs': found 3, want a list"),
        ('{"jobs": [], "profiles": []}', "key 'profiles': found a list, want an object"),
        ('{"jobs": [], "profiles": {}}', "no jobs"),
        ('{"jobs": [], "profiles": {"p": 3}}', "profile 'p': found 3, want an object with a type"),
        ('{"jobs": [], "jobs": []}', "the key 'jobs' is there twice"),
        ('{"nb_res": NaN}', "found NaN"),
        ('{"jobs": [{"id": 1}', "want ','; found the end of the file"),
        ("{3: 4}", "a key must be a string"),
    ],
)
def test_a_file_that_is_no_workload_is_refused(read, text, message):
    with pytest.raises(TraceError, match=message):
        read(text=text, bad_rows="skip")
