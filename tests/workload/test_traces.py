"""Trace readers: what they give, and one clear line for every kind of bad file."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.errors import TraceError
from dcsim.workload import traces
from dcsim.workload.traces import _table, _text

JOBS = "job_id,submit_s,run_s\n"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens\n"


@pytest.fixture
def read(tmp_path):
    def reader(format, content):
        path = tmp_path / "trace"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return traces.read(path, format)

    return reader


def listed(block):
    return {key: values.tolist() for key, values in block.columns.items()}


def swf(number=1, submit=0, run=100, used=4, asked=-1, limit=-1):
    return f"{number} {submit} -1 {run} {used} -1 -1 {asked} {limit} -1 1 -1 -1 -1 0 -1 -1 -1\n"


def test_formats_are_the_modules_of_the_folder():
    assert traces.formats() == ["azure-llm", "csv", "swf"]


# ---------------------------------------------------------------- csv


def test_csv_sorts_by_time_and_keeps_the_order_of_equal_times(read):
    block = read("csv", JOBS + "1,5,1\n2,1,2\n3,5,3\n4,1,4\n")
    assert block.arrival_s.tolist() == [1.0, 1.0, 5.0, 5.0]
    assert listed(block) == {"run_s": [2.0, 4.0, 1.0, 3.0], "trace_id": [2.0, 4.0, 1.0, 3.0]}
    assert block.dropped_rows == 0
    assert block.arrival_s.flags.c_contiguous


def test_csv_columns_in_any_order_quotes_blanks_empty_lines_and_byte_order_mark(read):
    content = '\ufeff"run_s", processors ,requested_s,submit_s\r\n"20",4,10,1.5\r\n\r\n 3 ,1,1e1,.25'
    block = read("csv", content)
    assert block.arrival_s.tolist() == [0.25, 1.5]
    # The first job is killed at the 10 s that it requested.
    assert listed(block) == {"run_s": [3.0, 10.0], "processors": [1.0, 4.0], "requested_s": [10.0, 10.0]}


def test_csv_of_requests(read):
    block = read("csv", gzip.compress(b"submit_s,output_tokens,input_tokens\n0,7,5\n", mtime=0))
    assert listed(block) == {"input_tokens": [5.0], "output_tokens": [7.0]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        (JOBS, "no rows"),
        ("submitt_s,run_s\n1,2\n", "header: unknown column 'submitt_s'; did you mean 'submit_s'"),
        ("submit_s,run_s,run_s\n1,2,3\n", "header: column 'run_s' is there twice"),
        ("submit_s\n1\n", "header: no column 'run_s'; found: submit_s"),
        ("submit_s,input_tokens\n1,2\n", "header: no column 'output_tokens'"),
        (JOBS + "1,2,3\n2,,3\n", "row 3, column 'submit_s': found nothing, want a number from 0"),
        (JOBS + "1,2,3\n\n2,-1,3\n", "row 4, column 'submit_s': found '-1', want a number from 0"),
        (JOBS + "1,2,0\n", "row 2, column 'run_s': found '0', want a number above 0"),
        (JOBS + "1,2,nan\n", "row 2, column 'run_s': found 'nan'"),
        (JOBS + "1,inf,2\n", "row 2, column 'submit_s': found 'inf'"),
        (JOBS + "1,2,1e400\n", "row 2, column 'run_s': found '1e400'"),
        (JOBS + "1,2,soon\n", "row 2, column 'run_s': found 'soon', want a number"),
        (JOBS + "1,2,0x10\n", "row 2, column 'run_s': found '0x10'"),
        (JOBS + "1,2,1_0\n", "row 2, column 'run_s': found '1_0'"),
        (JOBS + "1.5,2,3\n", "row 2, column 'job_id': found '1.5', want a whole number"),
        (JOBS + "1,2,3\n1,2\n", "row 3: found 2 columns, want 3"),
        (JOBS + "1,2,3,\n", "row 2: found 4 columns, want 3"),
        (JOBS + "1,2,3\n2\0,1,3\n", "row 3, column 'job_id'"),
        (b"\xff\xfe" + JOBS.encode(), "not UTF-8 text"),
        (b"\x1f\x8bno gzip after all", "the gzip file is cut short or damaged"),
        (gzip.compress((JOBS + "1,2,3\n" * 5000).encode(), mtime=0)[:-20], "the gzip file is cut short or damaged"),
        (b"x" * (2**20 + 2**18), "a line of more than 1048576 bytes"),
    ],
)
def test_bad_tables_are_refused_in_one_line(read, content, message):
    with pytest.raises(TraceError) as caught:
        read("csv", content)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_many_rows(read, monkeypatch):
    monkeypatch.setattr(_table, "MAX_ROWS", 2)
    assert len(read("csv", JOBS + "1,2,3\n" * 2)) == 2
    with pytest.raises(TraceError, match="more than 2 rows"):
        read("csv", JOBS + "1,2,3\n" * 3)


def test_a_small_file_that_unpacks_to_too_much(read, monkeypatch):
    monkeypatch.setattr(_text, "MAX_BYTES", 1_000_000)
    with pytest.raises(TraceError, match="more than 1000000 bytes unpacked"):
        read("csv", gzip.compress(JOBS.encode() + b"1,2,3\n" * 1_000_000))


def test_files_that_are_none(tmp_path):
    with pytest.raises(TraceError, match="No such file"):
        traces.read(tmp_path / "none.csv", "csv")
    with pytest.raises(TraceError, match="Is a directory"):
        traces.read(tmp_path, "csv")


# ---------------------------------------------------------------- azure-llm


def test_azure_original_layout_counts_from_the_first_request(read):
    rows = "2023-11-16 18:17:04.0000001,5,6\n2023-11-16 18:17:03.9799600,374,44\n2023-11-17T18:17:03.97996,7,8\n"
    block = read("azure-llm", AZURE + rows)
    np.testing.assert_allclose(block.arrival_s, [0.0, 0.0200401, 86_400.0], rtol=1e-12)
    assert listed(block) == {"input_tokens": [374.0, 5.0, 7.0], "output_tokens": [44.0, 6.0, 8.0]}


def test_azure_layout_of_2024_with_a_zone(read):
    block = read("azure-llm", AZURE + "2024-05-10 00:00:00.009930+00:00,1,2\n2024-05-10 00:00:01+00:00,3,4\n")
    np.testing.assert_allclose(block.arrival_s, [0.0, 0.99007], rtol=1e-12)


def test_azure_rows_without_tokens_are_counted(read):
    block = read("azure-llm", VIDUR + "3,10,5\n1,10,0\n2,20,7\n4,0,7\n")
    assert block.arrival_s.tolist() == [2.0, 3.0]
    assert listed(block) == {"input_tokens": [20.0, 10.0], "output_tokens": [7.0, 5.0]}
    assert block.dropped_rows == 2


BAD_TIMES = (
    *("soon", "NaT", "2023", "1.5", "2023-11-16", "2023-13-16 18:17:03", "2023-02-30 18:17:03"),
    *("2023-11-16 25:17:03", "9999-11-16 18:17:03", "0001-11-16 18:17:03", "2023-11-16 18:17:03Z"),
    *("2023-11-16 18:17:03+05:00", "2023-11-16 18:17:03.1234567891", "2023-11-16 18:17:03 later on"),
    *("２023-11-16 18:17:03", "2023-11-16 18:17:03.979960000+00:00 and more"),
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (AZURE + ",1,2\n", "row 2, column 'TIMESTAMP': found nothing"),
        (VIDUR + "1,2,-3\n", "row 2, column 'num_decode_tokens': found '-3', want a whole number from 0"),
        (VIDUR + "1,2,3\n1,2.5,3\n", "row 3, column 'num_prefill_tokens': found '2.5'"),
        (VIDUR + "1,2,0\n", "no row has both input and output tokens"),
        ("arrived_at,num_prefill_tokens\n1,2\n", "header: no column 'num_decode_tokens'"),
        ("TIMESTAMP,arrived_at\n1,2\n", "header: unknown column 'arrived_at'"),
        (AZURE + "2023-11-16 18:17:03,1,\n", "row 2, column 'GeneratedTokens': found nothing"),
        *(
            (f"{AZURE}2023-11-16 18:17:03,1,2\n{time},1,2\n", f"row 3, column 'TIMESTAMP': found {time!r}")
            for time in BAD_TIMES
        ),
    ],
)
def test_bad_requests_are_refused(read, content, message):
    with pytest.raises(TraceError) as caught:
        read("azure-llm", content)
    assert message in str(caught.value)


# ---------------------------------------------------------------- swf


def test_swf_fallbacks(read):
    rows = [
        "; UnixStartTime: 0\n;\n",
        swf(3, 20, run=60, used=2, asked=8, limit=50),  # killed at the 50 s it requested
        "  " + swf(2, 10, run=0).replace(" ", "   "),  # run 0 becomes 1 s
        swf(1, 10, run=30.5, limit=99),
        "; between rows\n",
        swf(4, 30, used=-1),  # no processors: left out
        swf(5, 40, used=0, asked=0),
    ]
    block = read("swf", "".join(rows))
    assert block.arrival_s.tolist() == [10.0, 10.0, 20.0]
    assert listed(block) == {
        "trace_id": [1.0, 2.0, 3.0],
        "run_s": [30.5, 1.0, 50.0],
        "processors": [4.0, 4.0, 8.0],
        "requested_s": [99.0, 1.0, 50.0],
    }
    assert block.dropped_rows == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("; only a header\n", "no rows"),
        ("; c\n" + swf() + "2 3 4\n", "row 3: found 3 columns, want 18"),
        (swf().strip() + " 7\n", "row 1: found 19 columns, want 18"),
        (swf(submit=-1), "row 1, column '2 submit time': found '-1', want a number from 0"),
        (swf(run="abc"), "row 1, column '4 run time': found 'abc'"),
        (swf(limit="nan"), "row 1, column '9 requested time': found 'nan'"),
        (swf(used=1.5), "row 1, column '5 processors used': found '1.5', want a whole number"),
        (swf(used=-1), "no job has processors"),
    ],
)
def test_bad_logs_are_refused(read, content, message):
    with pytest.raises(TraceError) as caught:
        read("swf", content)
    assert message in str(caught.value)


# ---------------------------------------------------------------- anything at all

CELL = st.sampled_from(["1", "0", "-1", "2.5", "", "nan", "1e9", "x", '"', "2023-11-16 18:17:03", " ", ";", "9" * 40])
ROW = st.lists(CELL, min_size=1, max_size=4).map(",".join)
HEADER = st.sampled_from([JOBS, AZURE, VIDUR, "submit_s,run_s\n", ""])
TABLE = st.builds(lambda header, rows: (header + "\n".join(rows)).encode(), HEADER, st.lists(ROW, max_size=5))
LOG = st.lists(st.lists(CELL.filter(str.strip), min_size=17, max_size=19).map(" ".join), max_size=4)
PACKED = st.binary(max_size=40).map(lambda data: b"\x1f\x8b\x08" + data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(TABLE, LOG.map("\n".join).map(str.encode), st.binary(max_size=80), PACKED),
    format=st.sampled_from(traces.formats()),
)
def test_any_bytes_give_jobs_or_a_trace_error(tmp_path, content, format):
    path = tmp_path / "any"
    path.write_bytes(content)
    try:
        block = traces.read(path, format)
    except TraceError:
        return
    assert len(block) >= 1
    assert (np.diff(block.arrival_s) >= 0).all()
    for values in (block.arrival_s, *block.columns.values()):
        assert values.shape == block.arrival_s.shape
        assert np.isfinite(values).all()


# ---------------------------------------------------------------- the public traces

needs_data = pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set")


def data(name):
    return Path(os.environ["DCSIM_DATA"]) / name


@needs_data
def test_azure_trace_has_the_published_rows_and_the_known_statistics():
    block = traces.read(data("data/traces/azure_llm_2023_conv.csv.gz"), "azure-llm")
    assert len(block) == 19_366
    assert block.dropped_rows == 0
    gaps = np.diff(block.arrival_s)
    assert 1 / gaps.mean() == pytest.approx(5.530, abs=5e-4)
    assert gaps.std() / gaps.mean() == pytest.approx(1.09, abs=5e-3)
    for key, mean, quantiles in (
        ("input_tokens", 1155, [1020, 2735, 4142]),
        ("output_tokens", 211, [129, 424, 601]),
    ):
        assert block.columns[key].mean() == pytest.approx(mean, abs=0.5)
        np.testing.assert_allclose(np.percentile(block.columns[key], [50, 90, 99]), quantiles, atol=0.5)


@needs_data
def test_swf_case_and_its_log_agree():
    case = traces.read(data("cases/scheduling/swf_lublin256_1_2000.swf"), "swf")
    log = traces.read(data("data/traces/lublin_256.swf"), "swf")
    assert (len(case), len(log)) == (2000, 10_000)
    np.testing.assert_array_equal(case.arrival_s, log.arrival_s[:2000])
    for key, values in case.columns.items():
        np.testing.assert_array_equal(values, log.columns[key][:2000])
    offered = (log.columns["run_s"] * log.columns["processors"]).sum() / 256 / log.arrival_s[-1]
    assert offered == pytest.approx(1.06, abs=0.01)


@needs_data
def test_fifo_case_is_read_whole():
    block = traces.read(data("cases/datacenter/fifo_100k.csv"), "csv")
    assert len(block) == 100_000
    assert block.arrival_s[:3].tolist() == [1.0, 2.0, 4.0]
    assert block.columns["run_s"][:3].tolist() == [475.0, 90.0, 297.0]
