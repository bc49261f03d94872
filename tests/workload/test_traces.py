"""Trace readers: what they give, and one clear line for every kind of bad file."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from dcsim.errors import TraceError
from dcsim.workload import traces
from dcsim.workload.traces import _lines, _reading, _table, _text

JOBS = "job_id,submit_s,run_s\n"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
ZST = bytes(pa.compress((JOBS + "1,2,3\n" * 500_000).encode(), codec="zstd", asbytes=True))
TAR = b"jobs.csv".ljust(257, b"\0") + b"ustar\0" + bytes(249)
VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens\n"


@pytest.fixture
def read(tmp_path):
    def reader(format, content, **options):
        path = tmp_path / "trace"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return traces.read(path, format, traces.Reading(**options))

    return reader


def listed(block):
    return {key: values.tolist() for key, values in block.columns.items()}


def swf(number=1, submit=0, run=100, used=4, asked=-1, limit=-1):
    return f"{number} {submit} -1 {run} {used} -1 -1 {asked} {limit} -1 1 -1 -1 -1 0 -1 -1 -1\n"


def test_formats_are_the_modules_of_the_folder():
    assert {"azure-llm", "csv", "parquet", "swf"} <= set(traces.formats())
    assert {"openb", "csv", "parquet"} <= set(traces.formats("items"))
    assert "servegen-rates" in traces.formats("rates")
    assert {"openb-nodes", "alibaba-spot"} <= set(traces.formats("machines"))


def test_what_a_format_does_not_hold_or_take_is_refused(tmp_path):
    path = tmp_path / "trace"
    with pytest.raises(TraceError, match="unknown trace format 'azurellm'; did you mean 'azure-llm'"):
        traces.read(path, "azurellm")
    with pytest.raises(TraceError, match="format 'openb-nodes' holds nodes, not jobs"):
        traces.read(path, "openb-nodes")
    with pytest.raises(TraceError, match="format 'swf' takes no option 'timezone'"):
        traces.read(path, "swf", traces.Reading(timezone="UTC"))
    with pytest.raises(TraceError, match="unknown zone 'Asia/Shanghay'; did you mean 'Asia/Shanghai'"):
        traces.read(path, "csv", traces.Reading(timezone="Asia/Shanghay"))


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
        ("run_s\n1\n", "header: no column 'submit_s', 'arrival_s' or 'submit_time'; found: run_s"),
        ("submit_s,arrival_s\n1,1\n", "header: found both 'submit_s' and 'arrival_s', want one of them"),
        ("submit_s,input_tokens\n1,2\n", "header: no column 'output_tokens', which 'input_tokens' wants beside it"),
        ("submit_s,end_time\n1,2\n", "header: no column 'start_time'"),
        ("submit_s;run_s\n1;2\n", "header: found ';' between the columns, want ','"),
        ("submit_s\trun_s\n1\t2\n", "header: found a tab between the columns, want ','"),
        ("submit_s|run_s\n1|2\n", "header: found '|' between the columns, want ','"),
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
        (JOBS + "1,2,3\n2\0,1,3\n", "row 3: found a NUL byte, want text without"),
        (JOBS.encode() + b"1,2,3\n1,2,\xe9\n", "row 3: found byte 0xe9, want UTF-8"),
        (JOBS + '1,"2"0,3\n', "row 2: found a quote within a cell, want quotes around a whole cell"),
        (JOBS + '1,2,3\n"1,2,3\n4,5,6\n', "row 3: found a quote within a cell, want quotes around a whole cell"),
        (b"\xff\xfe" + JOBS.encode(), "not UTF-8 text"),
        (b"\x1f\x8bno gzip after all", "the gzip file is cut short or damaged"),
        (gzip.compress((JOBS + "1,2,3\n" * 5000).encode(), mtime=0)[:-20], "the gzip file is cut short or damaged"),
        (b"x" * (2**20 + 2**18), "a line of more than 1048576 bytes"),
        (JOBS.encode() + b'1,2,3\n"' + b"x\n" * 2**20, "row 3: a quote is not closed within 1048576 bytes"),
        (b"\x28\xb5\x2f\xfdno zst after all", "the zst file is cut short or damaged"),
        (ZST[:-20], "the zst file is cut short or damaged"),
        (gzip.compress(TAR, mtime=0), "found a tar archive, want a file of it; unpack it first"),
        (b"PK\x03\x04 and so on", "found a zip archive, want a file of it; unpack it first"),
        ("user,submit_s\n" + "u" * 1001 + ",1\n", "row 2, column 'user'"),
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


PHILLY = (
    '[{"status": "Pass", "vc": "a", "jobid": "1", "submitted_time": "2017-10-07 01:11:39", "attempts": ['
    '{"start_time": "2017-10-07 01:12:09", "end_time": "2017-10-07 01:13:23", "detail": [{"gpus": ["0"]}]}]}]'
)
BATSIM = (
    '{"nb_res": 4, "jobs": [{"id": 1, "subtime": 0, "res": 1, "profile": "p"}],'
    ' "profiles": {"p": {"type": "delay", "delay": 20}}}'
)
POD = (
    '{"kind": "Pod", "metadata": {"creationTimestamp": "2024-05-01T12:00:00Z"},'
    ' "spec": {"containers": [{"resources": {"requests": {"cpu": "1"}}}]}}'
)


@pytest.mark.parametrize(("format", "text"), [("philly", PHILLY), ("batsim", BATSIM), ("kubernetes", POD)])
def test_a_json_document_may_be_one_long_line(read, format, text):
    wide = text[0] + " " * (2 * _text.MAX_LINE_BYTES) + text[1:]
    assert len(read(format, wide)) == len(read(format, text)) == 1


def test_a_small_file_that_unpacks_to_too_much(read, monkeypatch):
    monkeypatch.setattr(_text, "MAX_BYTES", 1_000_000)
    with pytest.raises(TraceError, match="more than 1000000 bytes unpacked"):
        read("csv", gzip.compress(JOBS.encode() + b"1,2,3\n" * 1_000_000))


def test_files_that_are_none(tmp_path):
    with pytest.raises(TraceError, match="No such file"):
        traces.read(tmp_path / "none.csv", "csv")
    with pytest.raises(TraceError, match="found a folder, want a file; format 'csv' reads no folders"):
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
    *(
        "2023-11-16 25:17:03",
        "9999-11-16 18:17:03",
        "0001-11-16 18:17:03",
        "2023-02-29 18:17:03",
        "1900-02-29 00:00:00",
    ),
    *("2023-11-16 18:17:03+25:00", "2023-11-16 18:17:03.1234567891", "2023-11-16 18:17:03 later on", "1700000000"),
    *("２023-11-16 18:17:03", "2023-11-16 18:17:03.979960000+00:00 and more"),
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (AZURE + ",1,2\n", "row 2, column 'TIMESTAMP': found nothing"),
        (VIDUR + "1,2,-3\n", "row 2, column 'num_decode_tokens': found '-3', want a whole number from 0"),
        (VIDUR + "1,2,3\n1,2.5,3\n", "row 3, column 'num_prefill_tokens': found '2.5'"),
        (VIDUR + "1,2,0\n", "no row is a job (no input or output tokens: 1)"),
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
        "state": [0.0, 0.0, 0.0],
        "queue": [0.0, 0.0, 0.0],
    }
    assert block.labels == {"state": ("completed",), "queue": ("0",)}
    assert block.dropped == {"no processors": 2}


def test_swf_labels_waits_and_memory(read):
    row = "{} {} {} 100 4 -1 2048 -1 -1 {} {} {} 7 -1 -1 -1 -1 -1\n"
    block = read(
        "swf", row.format(1, 0, 5, -1, 1, 3) + row.format(2, 1, 0, 1024, 5, -1) + row.format(3, 2, 9, 0, 3, 10)
    )
    assert block.columns["wait_s"].tolist() == [5.0, 0.0, 9.0]
    # kB per processor, of four processors: used 2048, requested 1024, used 2048.
    assert block.columns["memory_bytes"].tolist() == [2048 * 4096.0, 1024 * 4096.0, 2048 * 4096.0]
    assert block.labels == {"state": ("cancelled", "completed", "partial"), "user": ("", "10", "3"), "tenant": ("7",)}
    assert block.columns["state"].tolist() == [1.0, 0.0, 2.0]
    assert block.columns["user"].tolist() == [2.0, 0.0, 1.0]


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
        (swf(used=-1), "no row is a job (no processors: 1)"),
    ],
)
def test_bad_logs_are_refused(read, content, message):
    with pytest.raises(TraceError) as caught:
        read("swf", content)
    assert message in str(caught.value)


# ---------------------------------------------------------------- rows and their numbers


def test_numbers_of_rows_are_lines_of_the_file(read):
    content = JOBS + '1,0,5\r\n\r\n"2"\r,,\n   \n' + "3,x,5\n4,1,-1\n5,2\n6,3,7\n"
    block = read("csv", content, bad_rows="skip")
    assert block.arrival_s.tolist() == [0.0, 3.0]
    assert block.dropped == {"bad row": 2, "bad job_id": 1, "bad submit_s": 1, "bad run_s": 1}
    assert [told.split(": found")[0] for told in block.told] == [
        *("row 4", "row 5, column 'job_id'", "row 7, column 'submit_s'", "row 8, column 'run_s'", "row 9"),
    ]
    assert block.told[0] == "row 4: found 1 columns, want 3"


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends(read):
    content = 'user,submit_s,run_s\n"ann, ""the first""\nof her name",1,2\n"bob",2,x\n'
    with pytest.raises(TraceError, match="row 4, column 'run_s': found 'x'"):
        read("csv", content)
    block = read("csv", content, bad_rows="skip")
    assert block.labels == {"user": ('ann, "the first"\nof her name',)}


@pytest.mark.parametrize("chunk", [7, 64, 1000])
def test_the_parts_in_which_a_file_is_read_do_not_matter(read, monkeypatch, chunk):
    lines = [f'{i},{i % 7},"{i + 1}"' + ("\r\n", "\n", "\r", "\n\n")[i % 4] for i in range(50)]
    whole = JOBS + "".join(lines) + "x,1,2\n"
    expected = read("csv", whole, bad_rows="skip")
    monkeypatch.setattr(_lines, "CHUNK_BYTES", chunk)
    block = read("csv", whole, bad_rows="skip")
    np.testing.assert_array_equal(block.arrival_s, expected.arrival_s)
    assert listed(block) == listed(expected)
    assert block.told == expected.told
    assert block.dropped == {"bad job_id": 1}


def test_skipped_rows_are_all_counted_and_the_first_are_told(read):
    block = read("csv", JOBS + "1,2,3\n" + "1,2,-3\n" * 25 + "1,2\n" * 5, bad_rows="skip")
    assert len(block) == 1
    assert block.dropped == {"bad run_s": 25, "bad row": 5}
    assert block.dropped_rows == 30
    assert len(block.told) == _reading.MOST_TOLD
    assert block.told[0].startswith("row 3, column 'run_s': found '-3', want a number above 0")


def test_a_file_of_bad_rows_only_says_why(read):
    with pytest.raises(TraceError, match=r"no row is a job \(bad run_s: 2\)"):
        read("csv", JOBS + "1,2,-3\n1,2,x\n", bad_rows="skip")


def test_zst_is_told_by_content(read):
    assert len(read("csv", ZST)) == 500_000


# ---------------------------------------------------------------- csv and parquet: maps, moments, labels

LOG = "id,created,began,done,gpus,who,note\n"
MAP = {"submit_time": "created", "start_time": "began", "end_time": "done", "processors": "gpus", "user": "who"}


def test_a_map_names_the_columns_of_any_file(read):
    rows = "a,2024-01-01T00:00:10Z,2024-01-01T00:00:40Z,2024-01-01T01:00:40Z,2,ann,x\n"
    rows += "b,2024-01-01T00:00:00Z,None,,1,bob,y\nc,2024-01-01 01:00:00+01:00,1704067200,1704067260500,4,,z\n"
    block = read("csv", LOG + rows, columns=MAP)
    assert block.arrival_s.tolist() == [0.0, 10.0]
    assert listed(block) == {
        "processors": [4.0, 2.0],
        "run_s": [60.5, 3600.0],
        "wait_s": [0.0, 30.0],
        "user": [0.0, 1.0],
    }
    assert block.labels == {"user": ("", "ann")}
    assert block.dropped == {"no start or end": 1}


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ("", {"columns": {"submit": "created"}}, "option columns: unknown name 'submit'; did you mean 'submit_s'"),
        (
            "",
            {"columns": {"submit_s": "creatd"}},
            "option columns: the file has no column 'creatd'; did you mean 'created'",
        ),
        ("", {"columns": {"submit_s": "id", "job_id": "id"}}, "a column of the file is given to two names"),
        ("", {"columns": {"job_id": "id"}}, "no column 'submit_s', 'arrival_s' or 'submit_time'"),
        ("a,2024-01-01 00:00:00,,,1,,\n", {"columns": MAP}, "with a zone such as Z or +08:00, or the option timezone"),
        (
            "a,2024-01-01T00:00:00Z,2024-01-01T00:00:09Z,2024-01-01T00:00:04Z,1,,\n",
            {"columns": MAP},
            "row 2, column 'done' (end_time): found '-5'",
        ),
        (
            "a,2024-01-01T00:00:05Z,2024-01-01T00:00:00Z,2024-01-01T00:00:04Z,1,,\n",
            {"columns": MAP},
            "row 2, column 'began' (start_time): found '-5'",
        ),
    ],
)
def test_bad_maps_and_moments(read, rows, options, message):
    with pytest.raises(TraceError) as caught:
        read("csv", LOG + rows, **options)
    assert message in str(caught.value)


def test_clock_changes_have_one_meaning(read):
    # In Amsterdam, 2024-03-31 has no 02:30, and 2024-10-27 has two, the first of which is in summer time.
    moments = ["2024-03-31 01:59:00", "2024-03-31 02:30:00", "2024-03-31 03:01:00", "2024-10-27 02:30:00"]
    block = read("csv", "submit_time\n" + "\n".join(moments) + "\n", timezone="Europe/Amsterdam")
    utc = np.array(["2024-03-31T00:59", "2024-03-31T01:00", "2024-03-31T01:01", "2024-10-27T00:30"], "datetime64[s]")
    np.testing.assert_array_equal(block.arrival_s, (utc - utc[0]).astype(float))


def test_a_list_without_times_is_read_as_items(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("processors,share,user\n1,0.5,b\n8,1,a\n")
    block = traces.items(path, "csv")
    assert block.arrival_s.tolist() == [0.0, 0.0]
    assert listed(block) == {"processors": [1.0, 8.0], "share": [0.5, 1.0], "user": [1.0, 0.0]}
    with pytest.raises(TraceError, match="header: no column 'submit_s'"):
        traces.read(path, "csv")


def test_parquet_of_all_types_equals_the_csv_file(read, tmp_path):
    rows = "7,2024-01-01T00:00:10.5Z,120,ann\n8,2024-01-01T00:00:00Z,30,bob\n"
    expected = read("csv", "job_id,submit_time,run_s,user\n" + rows)
    times = np.array(["2024-01-01T00:00:10.500", "2024-01-01T00:00:00"], "datetime64[ms]")
    users = pa.array(["ann", "bob"])
    for when in (
        pa.array(times).cast(pa.timestamp("ms", "UTC")),
        pa.array(["2024-01-01T00:00:10.5Z", "2024-01-01T00:00:00Z"]),
    ):
        for user in (users, users.dictionary_encode(), users.cast(pa.large_string())):
            table = pa.table({"job_id": [7, 8], "submit_time": when, "run_s": [120.0, 30.0], "user": user})
            parquet.write_table(table, tmp_path / "jobs.parquet")
            block = traces.read(tmp_path / "jobs.parquet", "parquet")
            np.testing.assert_array_equal(block.arrival_s, expected.arrival_s)
            assert listed(block) == listed(expected)
            assert block.labels == expected.labels


def test_parquet_dates_and_years_that_nanoseconds_do_not_reach(tmp_path):
    path = tmp_path / "jobs.parquet"
    days = pa.array(np.array(["2024-01-03", "2024-01-01"], "datetime64[D]"))
    parquet.write_table(pa.table({"submit_time": days}), path)
    with pytest.raises(TraceError, match="row 1, column 'submit_time': found '2024-01-03', want a time such as"):
        traces.read(path, "parquet")
    block = traces.read(path, "parquet", traces.Reading(timezone="Asia/Tokyo"))
    assert block.arrival_s.tolist() == [0.0, 172_800.0]
    parquet.write_table(pa.table({"submit_time": pa.array([10**14], pa.timestamp("s", "UTC"))}), path)
    with pytest.raises(TraceError, match="row 1, column 'submit_time': found"):
        traces.read(path, "parquet")


def test_bad_cells_of_parquet_have_the_number_of_their_record(tmp_path):
    path = tmp_path / "jobs.parquet"
    parquet.write_table(pa.table({"submit_s": [0.0, None, 2.0], "run_s": [1, 2, -3], "x": [[1], [2], []]}), path)
    with pytest.raises(TraceError, match="header: unknown column 'x'"):
        traces.read(path, "parquet")
    columns = {"submit_s": "submit_s", "run_s": "run_s"}
    with pytest.raises(TraceError, match="row 2, column 'submit_s': found nothing, want a number from 0"):
        traces.read(path, "parquet", traces.Reading(columns=columns))
    block = traces.read(path, "parquet", traces.Reading("skip", columns=columns))
    assert block.dropped == {"bad submit_s": 1, "bad run_s": 1}
    with pytest.raises(TraceError, match=r"row 1, column 'x' \(user\): found"):
        traces.read(path, "parquet", traces.Reading(columns={"submit_s": "submit_s", "user": "x"}))


def test_damaged_parquet(tmp_path):
    path = tmp_path / "jobs.parquet"
    parquet.write_table(pa.table({"submit_s": np.arange(1000.0)}), path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(TraceError, match="the Parquet file is cut short or damaged"):
        traces.read(path, "parquet")
    with pytest.raises(TraceError, match="cannot read the trace: No such file"):
        traces.read(tmp_path / "none", "parquet")


# ---------------------------------------------------------------- size

_PEAK = """
import resource, sys
from dcsim.workload import traces

columns = {"submit_s": "submit", "run_s": "run"}
traces.read(sys.argv[1], "csv", traces.Reading(columns=columns))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_is_that_of_the_wanted_columns(tmp_path):
    """1 GiB of rows, packed into a few MB, of which two columns are wanted."""
    path = tmp_path / "wide.csv.gz"
    rows = "".join(f"{i},{i + 1},{'x' * 1000}\n" for i in range(1000)).encode()
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"submit,run,note\n")
        for _ in range(2**30 // len(rows)):
            file.write(rows)
    peak = subprocess.run([sys.executable, "-c", _PEAK, str(path)], capture_output=True, text=True, check=True).stdout
    assert int(peak) * 1024 < 2**29


@pytest.mark.slow
def test_a_million_rows_take_at_most_five_seconds(tmp_path):
    path = tmp_path / "azure.csv"
    rows = (f"2023-11-16 18:{i // 60 % 60:02}:{i % 60:02}.{i:07},{i % 4000 + 1},{i % 700 + 1}\n" for i in range(10**6))
    path.write_text(AZURE + "".join(rows))
    start_s = time.process_time()
    assert len(traces.read(path, "azure-llm")) == 10**6
    assert time.process_time() - start_s < 5.0
