"""Mooncake traces: what a line becomes, prefixes, batches, and one clear line for every kind of bad line."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.errors import TraceError
from dcsim.workload import traces
from dcsim.workload.traces import _blocks


def line(timestamp=0, input_length=600, output_length=5, **keys):
    return json.dumps({"timestamp": timestamp, "input_length": input_length, "output_length": output_length, **keys})


@pytest.fixture
def read(tmp_path):
    def reader(*lines, bad_rows="refuse", end="\n"):
        path = tmp_path / "trace.jsonl"
        path.write_bytes("".join(f"{each}{end}" for each in lines).encode())
        return traces.read(path, "mooncake", traces.Reading(bad_rows=bad_rows))

    return reader


def test_a_request_has_tokens_and_the_prefix_that_an_earlier_request_had(read):
    block = read(
        line(0, 1100, 52, hash_ids=[7, 8, 9]),
        line(1000, 1024, 26, hash_ids=[7, 8]),
        line(2000, 700, 3, hash_ids=[7, 8]),
        line(3000, 1300, 3, hash_ids=[7, 5, 9]),
    )
    assert block.arrival_s.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert block.columns["input_tokens"].tolist() == [1100.0, 1024.0, 700.0, 1300.0]
    assert block.columns["output_tokens"].tolist() == [52.0, 26.0, 3.0, 3.0]
    # Block 9 of the last request was seen, but not behind the same prefix; no prefix is longer than its prompt.
    assert block.columns["prefix_tokens"].tolist() == [0.0, 1024.0, 700.0, 512.0]
    assert dict(block.labels) == {}


def test_a_block_of_the_same_request_counts_as_unseen(read):
    block = read(line(0, 2000, 1, hash_ids=[4, 4, 4]), line(1, 2000, 1, hash_ids=[4, 4, 4, 4]))
    assert block.columns["prefix_tokens"].tolist() == [0.0, 2000.0]


def test_prefixes_follow_the_order_of_arrival_not_of_the_file(read):
    block = read(line(5000, 512, 1, hash_ids=[1]), line(1000, 512, 2, hash_ids=[1]))
    assert block.arrival_s.tolist() == [1.0, 5.0]
    assert block.columns["output_tokens"].tolist() == [2.0, 1.0]
    assert block.columns["prefix_tokens"].tolist() == [0.0, 512.0]


def test_blocks_may_be_missing_in_a_line_or_in_the_whole_file(read):
    assert set(read(line(), line(hash_ids=[])).columns) == {"input_tokens", "output_tokens"}
    block = read(line(0, hash_ids=[3]), line(1), line(2, hash_ids=None), line(3, hash_ids=[3]))
    assert block.columns["prefix_tokens"].tolist() == [0.0, 0.0, 0.0, 512.0]


def test_block_numbers_may_be_large_hashes(read):
    block = read(line(0, hash_ids=[2**53, 17]), line(1, 1024, hash_ids=[2**53, 17]))
    assert block.columns["prefix_tokens"].tolist() == [0.0, 1024.0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), max_size=6), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_prefixes_are_those_of_a_plain_set(requests, random):
    order = list(range(len(requests)))
    random.shuffle(order)
    seen: set[int] = set()
    expected = [0.0] * len(requests)
    for place in order:
        hits = 0
        while hits < len(requests[place]) and requests[place][hits] in seen:
            hits += 1
        expected[place] = 16.0 * hits
        seen.update(requests[place])
    blocks = np.array([block for request in requests for block in request], np.int64)
    count = np.array([len(request) for request in requests], np.int64)
    found = _blocks.prefix_tokens(blocks, count, np.array(order), 16, np.full(len(requests), 1e9))
    assert found.tolist() == expected


# ---------------------------------------------------------------- batches


def test_a_batch_is_spread_evenly_up_to_the_next(read):
    block = read(*[line(0)] * 3, *[line(3000)] * 2, line(6000))
    assert block.arrival_s.tolist() == [0.0, 1.0, 2.0, 3.0, 4.5, 6.0]


def test_a_pause_stays_a_pause_and_the_last_batch_takes_the_usual_time(read):
    block = read(line(0), *[line(2000)] * 2, line(100_000), line(102_000), *[line(104_000)] * 4)
    assert block.arrival_s.tolist() == [0.0, 2.0, 3.0, 100.0, 102.0, 104.0, 104.5, 105.0, 105.5]


def test_requests_all_at_once_stay_where_they_are(read):
    assert read(line(5000), line(5000)).arrival_s.tolist() == [5.0, 5.0]


# ---------------------------------------------------------------- bad lines


def test_requests_without_tokens_are_left_out_and_counted(read):
    block = read(line(0, 0, 5, hash_ids=[1]), line(1, 5, 0), line(2, 512, 1, hash_ids=[1]))
    assert len(block) == 1
    assert block.columns["prefix_tokens"].tolist() == [0.0]
    assert dict(block.dropped) == {"no input or output tokens": 2}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"timestamp": 1', "found '{\"timestamp\": 1', want one JSON object on the line"),
        ("[1, 2]", "row 2: found 'a list', want a JSON object"),
        ("{}", "row 2: found 'an object', want a JSON object with keys"),
        ("7", "row 2: found '7'"),
        (line(0).replace("600", "NaN"), "(NaN)"),
        (line(0).replace("600", "Infinity"), "(Infinity)"),
        (line(0, note=1).replace("1}", "NaN}"), "(NaN)"),
        (line(0).replace("600", "1e999"), "column 'input_length': found 'Infinity'"),
        (line(0)[:-1] + ', "timestamp": 1}', "a key that is there twice"),
        (line(0) + line(0), "more text after the value"),
        (line("0"), "column 'timestamp': found '0', want a number from 0"),
        (line(True), "column 'timestamp': found 'true'"),
        (line(-1), "column 'timestamp': found '-1'"),
        (line(None), "column 'timestamp': found 'null'"),
        (line(0, 1.5), "column 'input_length': found '1.5', want a whole number"),
        (line(0, 10**30), "column 'input_length'"),
        (line(0, 5, [3]), "column 'output_length': found 'a list'"),
        ('{"timestamp": 1, "input_length": 3}', "column 'output_length': found nothing"),
        (line(0, hash_ids=3), "column 'hash_ids': found '3', want a list of whole numbers"),
        (line(0, hash_ids=[1, None]), "column 'hash_ids'"),
        (line(0, hash_ids=[-1]), "column 'hash_ids'"),
        (line(0, hash_ids=[2**80]), "column 'hash_ids'"),
        (line(0).replace("600", "[" * 100_000 + "]" * 100_000), "nested too deeply"),
    ],
)
def test_a_bad_line_is_refused_by_number_and_key_or_skipped_and_counted(read, bad, message):
    with pytest.raises(TraceError) as caught:
        read(line(0), bad, line(2))
    assert "row 2" in str(caught.value)
    assert message in str(caught.value)
    block = read(line(0), bad, line(2000), bad_rows="skip")
    assert block.arrival_s.tolist() == [0.0, 2.0]
    assert sum(block.dropped.values()) == 1
    assert message in block.told[0]


def test_text_that_is_not_utf_8_is_a_bad_line(tmp_path):
    path = tmp_path / "trace"
    path.write_bytes(line(0).encode() + b"\n" + line(1, note="?").encode().replace(b"?", b"\xff") + b"\n")
    with pytest.raises(TraceError, match="row 2: found 'byte 0xff', want UTF-8"):
        traces.read(path, "mooncake")


def test_blank_lines_and_line_ends_of_any_kind_count_but_do_no_harm(read):
    block = read("", line(0), "  ", line(1000, 0.6e3), end="\r\n")
    assert block.arrival_s.tolist() == [0.0, 1.0]
    with pytest.raises(TraceError, match="row 5, column 'timestamp'"):
        read("", line(0), "  ", line(1000), line(-1))


@pytest.mark.parametrize("content", ["", "\n \n", line(0, 0, 0)])
def test_a_file_without_requests_is_refused(read, content):
    with pytest.raises(TraceError, match="no jobs"):
        read(content)


def test_both_ways_of_parsing_give_the_same(read, monkeypatch):
    lines = [line(t * 7 % 40, 600 + t, 1 + t, hash_ids=list(range(t % 5)), model="é") for t in range(50)]
    at_once = read(*lines)
    monkeypatch.setattr(_blocks, "_fast", lambda *_: None)
    one_by_one = read(*lines)
    assert at_once.arrival_s.tolist() == one_by_one.arrival_s.tolist()
    for key, values in at_once.columns.items():
        assert values.tolist() == one_by_one.columns[key].tolist()


@pytest.mark.parametrize(
    "written",
    [
        "[1, ]",
        "[ ,1]",
        "[1,,2]",
        "[1, , 2]",
        "[1 2]",
        "[01, 2]",
        "[0, 00]",
        "[1, +2]",
        "[-1]",
        "[1, 2, ]",
        "[,]",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_lists_that_are_no_json_are_bad_at_once_too(read, written, place):
    lines = [line(number, 2000, hash_ids=[0, 7]) for number in range(3)]
    lines[place] = lines[place].replace("[0, 7]", written)
    with pytest.raises(TraceError, match=f"row {place + 1}"):
        read(*lines)


@pytest.mark.parametrize("written", ["[]", "[ ]", "[5]", "[ 5 , 6 ]", "[5,6]", "[0,  10]"])
def test_lists_may_be_written_with_any_blanks(read, written):
    lines = [line(0, 2000, hash_ids=[5, 6]), line(9, 2000).replace("}", f', "hash_ids": {written}}}')]
    assert read(*lines).columns["prefix_tokens"][1] == 512.0 * written.count("5") + 512.0 * written.count("6")


def test_parts_of_a_file_make_one_trace(read, monkeypatch):
    lines = [line(t * 1000, 600, 1, hash_ids=[t % 3]) for t in range(40)]
    whole = read(*lines)
    monkeypatch.setattr(_blocks, "_CHUNK_BYTES", 100)
    assert read(*lines).columns["prefix_tokens"].tolist() == whole.columns["prefix_tokens"].tolist()
    with pytest.raises(TraceError, match="row 41"):
        read(*lines, "{")


def test_bounds_on_requests_and_blocks(read, monkeypatch):
    monkeypatch.setattr(_blocks, "MAX_ROWS", 2)
    with pytest.raises(TraceError, match="more than 2 requests"):
        read(line(), line(), line())
    monkeypatch.setattr(_blocks, "MAX_BLOCKS", 3)
    with pytest.raises(TraceError, match="more than 3 numbers in hash_ids"):
        read(line(hash_ids=[1, 2, 3, 4]))


def test_gzip_is_read_and_a_cut_file_is_refused(tmp_path):
    path = tmp_path / "trace.jsonl.gz"
    packed = gzip.compress((line(0) + "\n" + line(1)).encode(), mtime=0)
    path.write_bytes(packed)
    assert len(traces.read(path, "mooncake")) == 2
    path.write_bytes(packed[:-9])
    with pytest.raises(TraceError, match="cut short or damaged"):
        traces.read(path, "mooncake")


# ---------------------------------------------------------------- the public trace


@pytest.mark.skipif("DCSIM_DATA" not in os.environ, reason="needs the public trace under DCSIM_DATA")
def test_the_conversation_trace():
    path = Path(os.environ["DCSIM_DATA"]) / "data" / "traces" / "mooncake_conversation.jsonl.gz"
    block = traces.read(path, "mooncake")
    tokens_in, tokens_out = block.columns["input_tokens"], block.columns["output_tokens"]
    assert len(block) == 12_031
    assert not block.dropped
    # 1,180 batches of about 3 s over 3,537 s: the first of each keeps its time, which is one of whole milliseconds.
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        stamps = np.unique([json.loads(each)["timestamp"] for each in lines])
    assert len(stamps) == 1_180
    assert stamps[-1] == 3_536_999
    assert np.isin(stamps / 1e3, block.arrival_s).all()
    assert len(np.unique(block.arrival_s)) > 12_000
    assert np.isclose(tokens_in.mean(), 12_035, atol=0.5)
    assert np.allclose(np.percentile(tokens_in, [50, 90, 99]), [6_909, 27_367, 85_401], atol=1)
    assert np.isclose(tokens_out.mean(), 343, atol=0.5)
    assert np.allclose(np.percentile(tokens_out, [50, 90, 99]), [350, 597, 1_119], atol=1)
    hits = np.ceil(block.columns["prefix_tokens"] / 512).sum() / np.ceil(tokens_in / 512).sum()
    assert np.isclose(hits, 0.366, atol=5e-4)
