"""Traces of GPU clusters: what each format's rules make of small tables written by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from dcsim.errors import TraceError
from dcsim.workload import traces

_spec = importlib.util.spec_from_file_location("samples", Path(__file__).with_name("samples.py"))
assert _spec is not None
assert _spec.loader is not None
samples = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(samples)

GIB = 2.0**30
AMSTERDAM = {"timezone": "Europe/Amsterdam"}


@pytest.fixture
def sample(tmp_path):
    """Reads the sample of a format after replacing text in it."""

    def reader(format, *changes, function="read", **options):
        path = samples.sample(format, tmp_path)
        text = path.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)
        return getattr(traces, function)(path, format, traces.Reading(**options))

    return reader


def named(block, column):
    return [block.labels[column][int(code)] for code in block.columns[column]]


def values(block, *columns):
    return {column: block.columns[column].tolist() for column in columns}


# ---------------------------------------------------------------- requests


def test_burstgpt(sample):
    block = sample("burstgpt")
    assert block.arrival_s.tolist() == [5.0, 45.0, 119.0]
    assert values(block, "input_tokens", "output_tokens") == {
        "input_tokens": [472.0, 1087.0, 417.0],
        "output_tokens": [18.0, 230.0, 276.0],
    }
    assert named(block, "kind") == ["ChatGPT", "ChatGPT", "GPT-4"]
    assert named(block, "queue") == ["Conversation log", "Conversation log", "API log"]
    assert block.columns["session"].tolist() == [0.0, 1.0, 0.0]
    assert block.dropped == {"no input or output tokens": 1}


def test_burstgpt_without_sessions(tmp_path):
    path = tmp_path / "BurstGPT_1.csv"
    path.write_text(
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,API log\n"
    )
    block = traces.read(path, "burstgpt")
    assert set(block.columns) == {"input_tokens", "output_tokens", "kind", "queue"}


# ---------------------------------------------------------------- job tables


def test_helios(sample):
    block = sample("helios")
    # Job 3 never started. Arrivals count from job 2, which is the first. Job 2 has no GPU and holds its 16 cores.
    assert block.arrival_s.tolist() == [0.0, 10.0, 240.0]
    assert values(block, "trace_id", "processors", "nodes", "cores", "wait_s", "run_s") == {
        "trace_id": [2.0, 1.0, 4.0],
        "processors": [16.0, 8.0, 16.0],
        "nodes": [1.0, 1.0, 2.0],
        "cores": [16.0, 32.0, 64.0],
        "wait_s": [5.0, 60.0, 60.0],
        "run_s": [30.0, 3600.0, 86_400.0],
    }
    assert named(block, "device_kind") == ["cpu", "gpu", "gpu"]
    assert named(block, "state") == ["FAILED", "COMPLETED", "TIMEOUT"]
    assert named(block, "tenant") == ["vcB", "vcA", "vcA"]
    assert block.dropped == {"never started": 1}


def test_select_takes_jobs_with_or_without_gpus(sample):
    assert sample("helios", select="gpu").dropped == {"without GPUs": 1, "never started": 1}
    assert sample("helios", select="cpu").columns["processors"].tolist() == [16.0]
    with pytest.raises(TraceError, match="option select: found 'gpus'; did you mean 'gpu'"):
        sample("helios", select="gpus")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("00:01:10,2020-04-01 01:01:10", "01:01:10,2020-04-01 00:01:10"), "row 2, column 'end_time': found '-3600'"),
        (("2020-04-01 00:01:10", "2020-04-01 00:00:07"), "row 2, column 'start_time': found '-3'"),
        ((",8,32,", ",-8,32,"), "row 2, column 'gpu_num': found '-8', want a number from 0"),
        (("submit_time,", "submitted,"), "header: unknown column 'submitted'; did you mean 'submit_time'"),
    ],
)
def test_bad_job_tables(sample, change, message):
    with pytest.raises(TraceError) as caught:
        sample("helios", change)
    assert message in str(caught.value)
    if "row" in message:
        assert sample("helios", change, bad_rows="skip").dropped_rows == 2


def test_jobs_without_gpus_and_cores_are_left_out(sample):
    assert sample("helios", ("u2,vcB,0,16", "u2,vcB,0,0")).dropped == {"no GPUs and no cores": 1, "never started": 1}


def test_acme(sample):
    block = sample("acme")
    assert block.arrival_s.tolist() == [0.0, 600.0]
    assert named(block, "kind") == ["SFT", "Pretrain"]
    assert values(block, "processors", "wait_s", "run_s") == {
        "processors": [8.0, 32.0],
        "wait_s": [30.0, 600.0],
        "run_s": [3600.0, 600.0],
    }
    assert block.dropped == {"no run time": 1}
    assert "trace_id" not in block.columns


def test_acme_without_a_zone_wants_one(sample):
    with pytest.raises(TraceError, match=r"row 2, column 'submit_time'.*or the option timezone, such as UTC"):
        sample("acme", ("+08:00", ""))
    block = sample("acme", ("+08:00", ""), timezone="Asia/Shanghai")
    assert block.arrival_s.tolist() == [0.0, 600.0]


def test_philly_as_of_sia(sample):
    block = sample("philly-sia")
    assert block.arrival_s.tolist() == [0.0, 2932.0]
    assert values(block, "processors", "run_s") == {"processors": [8.0, 1.0], "run_s": [2951.0, 66.0]}
    assert named(block, "tenant") == ["6214e9", "11cb48"]
    assert block.dropped == {"no GPUs": 1}


def test_philly_as_of_sia_may_have_a_zone_with_clock_changes(sample):
    # On 2017-11-05 the clocks of Seattle were put back by an hour at 02:00.
    changes = ("2017-10-09 07:01:55", "2017-11-05 06:00:00"), ("2017-10-09 06:13:03", "2017-11-05 00:00:00")
    assert sample("philly-sia", *changes).arrival_s.tolist() == [0.0, 21_600.0]
    there = sample("philly-sia", *changes, timezone="America/Los_Angeles")
    assert there.arrival_s.tolist() == [0.0, 25_200.0]


def test_sia(sample):
    block = sample("sia")
    assert block.arrival_s.tolist() == [0.0, 60.0, 120.5]
    assert named(block, "kind") == ["cifar10", "imagenet", "bert"]
    assert set(block.columns) == {"processors", "kind"}


# ---------------------------------------------------------------- Alibaba


def test_openb(sample):
    block = sample("openb")
    # In order of creation: 0, 2 (no GPU: 20 cores), 1 (a share). Pod 3 never was scheduled.
    assert values(block, "trace_id", "processors", "share", "cores", "wait_s", "run_s") == {
        "trace_id": [0.0, 2.0, 1.0],
        "processors": [1.0, 20.0, 1.0],
        "share": [1.0, 1.0, 0.46],
        "cores": [12.0, 20.0, 6.0],
        "wait_s": [0.0, 10.0, 4.0],
        "run_s": [12_537_496.0, 590.0, 12_902_960.0 - 427_065.0],
    }
    assert named(block, "device_kind") == ["gpu", "cpu", "V100M16|V100M32"]
    assert named(block, "slo_class") == ["LS", "BE", "LS"]
    assert block.columns["memory_bytes"][0] == 16 * GIB
    assert block.dropped == {"never started": 1}


def test_openb_items_are_all_pods_in_their_order(sample):
    block = sample("openb", function="items")
    assert block.arrival_s.tolist() == [0.0] * 4
    assert block.columns["processors"].tolist() == [1.0, 1.0, 20.0, 8.0]
    assert named(block, "state") == ["Running", "Failed", "Succeeded", "Pending"]


def test_openb_pod_with_a_gpu_but_no_share_is_bad(sample):
    with pytest.raises(TraceError, match="row 3, column 'gpu_milli': found '0', want a number above 0"):
        sample("openb", (",1,460,", ",1,0,"))
    with pytest.raises(TraceError, match="row 3, column 'gpu_milli': found '4600', want a whole number from 0 to 1000"):
        sample("openb", (",1,460,", ",1,4600,"))


def test_openb_list_without_times_is_no_trace(tmp_path):
    path = tmp_path / "pods.csv"
    path.write_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\nopenb-pod-0000,12000,16384,2,1000\n")
    with pytest.raises(TraceError, match="header: no column 'creation_time'"):
        traces.read(path, "openb")
    assert traces.items(path, "openb").columns["processors"].tolist() == [2.0]


def test_openb_nodes(sample):
    cluster = sample("openb-nodes", function="machines")
    assert (cluster.nodes, cluster.devices) == (4, 12)
    assert [(kind.nodes, kind.devices, kind.device_kind) for kind in cluster.kinds] == [
        *((2, 2, "P100"), (1, 0, ""), (1, 8, "G2")),
    ]
    assert cluster.kinds[0].memory_bytes == 256 * GIB
    skipped = sample("openb-nodes", (",8,G2", ",x,G2"), function="machines", bad_rows="skip")
    assert (skipped.nodes, skipped.dropped) == (3, {"bad gpu": 1})
    assert skipped.told[0].startswith("row 4, column 'gpu': found 'x'")


def test_alibaba_dlrm(sample):
    block = sample("alibaba-dlrm")
    assert values(block, "trace_id", "processors", "wait_s", "run_s") == {
        "trace_id": [1.0, 2.0],
        "processors": [1.0, 48.0],
        "wait_s": [41.0, 103.0],
        "run_s": [3482.0, 166_180.0],
    }
    assert named(block, "kind") == ["HN", "CN"]
    assert block.columns["memory_bytes"].tolist() == [40 * GIB, 200 * GIB]
    assert block.dropped == {"created before the trace": 1, "deleted after the trace": 1}
    assert len(sample("alibaba-dlrm", function="items")) == 4
    with pytest.raises(TraceError, match="row 4, column 'role': found 'XN', want one of CN, HN"):
        sample("alibaba-dlrm", ("CN", "XN"))


def test_alibaba_spot(sample, tmp_path):
    block = sample("alibaba-spot")
    assert values(block, "processors", "cores", "run_s") == {
        "processors": [1.0, 8.0, 32.0],
        "cores": [20.0, 8.0, 384.0],
        "run_s": [3600.0, 5.0, 86_400.0],
    }
    assert named(block, "device_kind") == ["A10", "cpu", "A100-SXM4-80GB"]
    assert named(block, "slo_class") == ["HP", "Spot", "Spot"]
    nodes = tmp_path / "node_info_df.csv"
    nodes.write_text("node_name,gpu_model,gpu_capacity_num,cpu_num\n0,A10,1,128\n1,A100-SXM4-80GB,8,128\n2,A10,1,128\n")
    cluster = traces.machines(nodes, "alibaba-spot")
    assert [(kind.nodes, kind.devices, kind.device_kind) for kind in cluster.kinds] == [
        *((2, 1, "A10"), (1, 8, "A100-SXM4-80GB")),
    ]


def test_pai_tasks(sample):
    block = sample("pai")
    # 4f06 needs no GPU: two instances of 8 cores. 4f07: four instances of two GPUs. 4f05: half a GPU. 4f08 has no end.
    assert values(block, "processors", "share", "cores", "run_s") == {
        "processors": [16.0, 8.0, 1.0],
        "share": [1.0, 1.0, 0.5],
        "cores": [16.0, 24.0, 6.0],
        "run_s": [200.0, 6050.0, 38.0],
    }
    assert named(block, "kind") == ["ps", "worker", "tensorflow"]
    assert named(block, "device_kind") == ["cpu", "V100", "MISC"]
    assert block.columns["memory_bytes"][0] == 20 * GIB
    assert block.dropped == {"not ended": 1}
    assert "wait_s" not in block.columns


def test_pai_with_a_header_and_jobs(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("plan_gpu,end_time,start_time\n100,20,10\n")
    assert traces.read(path, "pai").columns["run_s"].tolist() == [10.0]
    path.write_text("4b3f,8cb3,5854,Terminated,4550879.0,4551416.0\n4b40,8cb4,5855,Waiting,,\n")
    block = traces.read(path, "pai")
    assert block.arrival_s.tolist() == [4_550_879.0]
    assert set(block.columns) == {"user", "state"}
    assert block.dropped == {"no start": 1}
    path.write_text("1,2,3\n")
    with pytest.raises(TraceError, match="header: unknown column '1'"):
        traces.read(path, "pai")


# ---------------------------------------------------------------- Slurm


def test_sacct(sample):
    block = sample("sacct", **AMSTERDAM)
    assert values(block, "trace_id", "processors", "cores", "nodes", "wait_s", "run_s", "requested_s", "priority") == {
        "trace_id": [100.0, 101.0, 102.0],
        "processors": [2.0, 6.0, 4.0],  # 101 has no sum of GPUs: 4 + 2
        "cores": [8.0, 16.0, 4.0],
        "nodes": [1.0, 2.0, 1.0],
        "wait_s": [60.0, 600.0, 0.0],
        "run_s": [3600.0, 3600.0, 30.0],  # 101 ran over its limit of 60 minutes
        "requested_s": [7200.0, 3600.0, 30.0],
        "priority": [1000.0, 900.0, 10.0],
    }
    assert block.columns["memory_bytes"].tolist() == [64 * GIB, 0.5 * GIB, 8 * GIB]
    assert named(block, "state") == ["COMPLETED", "TIMEOUT", "CANCELLED"]
    assert named(block, "device_kind") == ["a100", "gpu", "cpu"]
    assert named(block, "user") == ["ann", "bob", "bob"]
    assert named(block, "slo_class") == ["normal", "normal", "low"]
    assert block.dropped == {"job step": 1, "never started": 1, "not ended": 1, "no run time": 1}


def test_sacct_wants_a_zone_and_passes_over_other_fields(tmp_path):
    path = tmp_path / "jobs.txt"
    path.write_text(
        "JobID|Submit|Start|ElapsedRaw|JobName|NCPUS|\n7|2024-03-01T08:00:00|2024-03-01T08:00:09|5|a,b|2|\n"
    )
    with pytest.raises(TraceError, match=r"row 2, column 'Submit'.*or the option timezone, such as UTC"):
        traces.read(path, "sacct")
    block = traces.read(path, "sacct", traces.Reading(timezone="UTC"))
    assert values(block, "wait_s", "processors") == {"wait_s": [9.0], "processors": [2.0]}
    path.write_text("JobID|Submit|Start|ElapsedRaw|NCPUS\n7|1709280000|1709280009|5|2\n")
    np.testing.assert_array_equal(traces.read(path, "sacct").columns["wait_s"], [9.0])


SPANS = """JobID|Submit|Start|Elapsed|Timelimit|NCPUS
1|1709280000|1709280000|1-02:03:04|2-00:00:00|2
2|1709280001|1709280001|00:10:00|30:00|2
3|1709280002|1709280002|02:30|2|2
4|1709280003|1709280003|01:00:00|UNLIMITED|2
5|1709280004|1709280004|01:00:00|Partition_Limit|2
6|1709280005|1709280005|01:00:00||2
7|1709280006|1709280006|Unknown|60|2
"""


def test_sacct_spans_as_written(tmp_path):
    path = tmp_path / "jobs.txt"
    path.write_text(SPANS)
    block = traces.read(path, "sacct")
    assert values(block, "run_s", "requested_s") == {
        "run_s": [93_784.0, 600.0, 120.0, 3600.0, 3600.0, 3600.0],  # the third ran over its limit of two minutes
        "requested_s": [172_800.0, 1800.0, 120.0, 3600.0, 3600.0, 3600.0],
    }
    assert block.dropped == {"not ended": 1}


def test_sacct_takes_raw_spans_where_both_are_there(tmp_path):
    path = tmp_path / "jobs.txt"
    path.write_text("JobID|Submit|Start|Elapsed|ElapsedRaw|Timelimit|TimelimitRaw|NCPUS\n7|0|9|x|50|x|1|2\n")
    assert values(traces.read(path, "sacct"), "run_s", "requested_s") == {"run_s": [50.0], "requested_s": [60.0]}


@pytest.mark.parametrize(
    ("elapsed", "limit", "message"),
    [
        ("90", "60", "column 'Elapsed': found '90', want a time such as 1-02:30:00, 02:30:00 or 30:00$"),
        ("01:60:99", "60", "column 'Elapsed': found '01:60:99'"),
        ("1-02:03", "60", "column 'Elapsed': found '1-02:03'"),
        ("00:00:09", "soon", "column 'Timelimit': found 'soon', want a time such as .*, or minutes$"),
        ("00:00:09", "9999999-00:00:00", "column 'Timelimit': found '9999999-00:00:00'"),
    ],
)
def test_sacct_spans_that_are_none_are_refused(tmp_path, elapsed, limit, message):
    path = tmp_path / "jobs.txt"
    path.write_text(f"JobID|Submit|Start|Elapsed|Timelimit|NCPUS\n7|0|9|{elapsed}|{limit}|2\n")
    with pytest.raises(TraceError, match=message):
        traces.read(path, "sacct")


def test_sacct_with_commas_is_refused(tmp_path):
    path = tmp_path / "jobs.txt"
    path.write_text("JobID,Submit,Start,ElapsedRaw\n")
    with pytest.raises(TraceError, match=r"header: found ',' between the columns, want '\|'"):
        traces.read(path, "sacct")


# ---------------------------------------------------------------- rates


def test_servegen_rates(sample):
    rates = sample("servegen-rates", function="rates")
    assert (rates.interval_s, rates.duration_s) == (600.0, 1800.0)
    assert rates.rate_hz.tolist() == [200.5, 180.25, 150.0]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (("m-large,1200", "m-small,1200"), {}, "option select: found none, want the model; allowed: m-large, m-small"),
        (("m-large", "m-large"), {"select": "m-larg"}, "option select: found 'm-larg'; did you mean 'm-large'"),
        (("1200", "1800"), {}, "row 4, column 'ts': found '1800', want 1200: windows without a gap"),
        (("1200", "600"), {}, "row 4, column 'ts': found '600', want 1200"),
        ((",600", ",0"), {}, "row 3, column 'ts': found '0', want one row for every window"),
        (("150", "-1"), {}, "row 4, column 'rate': found '-1', want a number from 0"),
        (("m-large,1200", "m-small,1200"), {"select": "m-small"}, "found 1 window, want at least 2"),
    ],
)
def test_bad_rates(sample, change, options, message):
    with pytest.raises(TraceError) as caught:
        sample("servegen-rates", change, function="rates", **options)
    assert message in str(caught.value)
