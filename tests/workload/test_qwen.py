"""Qwen-Bailian traces: tokens, prefixes of blocks of 16 tokens, conversations."""

from __future__ import annotations

import json

import pytest

from dcsim.errors import TraceError
from dcsim.workload import traces


def line(chat_id, parent=-1, timestamp=0.0, input_length=40, turn=1, **keys):
    record = {"chat_id": chat_id, "parent_chat_id": parent, "timestamp": timestamp, "input_length": input_length}
    return json.dumps({**record, "output_length": 3, "type": "text", "turn": turn, "hash_ids": [], **keys})


@pytest.fixture
def read(tmp_path):
    def reader(*lines, bad_rows="refuse"):
        path = tmp_path / "trace.jsonl"
        path.write_text("\n".join(lines), encoding="utf-8")
        return traces.read(path, "qwen", traces.Reading(bad_rows=bad_rows))

    return reader


def test_a_request_has_tokens_prefix_turn_kind_and_session(read):
    block = read(
        line(55, timestamp=1.5, hash_ids=[9, 8, 7]),
        line(159, 55, 61.114, 56, 2, type="search", hash_ids=[9, 8, 7, 1]),
        line(56, timestamp=2.0, hash_ids=[9, 2, 3]),
    )
    assert block.arrival_s.tolist() == [1.5, 2.0, 61.114]
    assert block.columns["input_tokens"].tolist() == [40.0, 40.0, 56.0]
    assert block.columns["prefix_tokens"].tolist() == [0.0, 16.0, 48.0]
    assert block.columns["turn"].tolist() == [1.0, 1.0, 2.0]
    assert block.columns["session"].tolist() == [55.0, 56.0, 55.0]
    assert block.labels["kind"] == ("search", "text")
    assert block.columns["kind"].tolist() == [1.0, 1.0, 0.0]


def test_a_session_is_found_along_many_parents_and_branches(read):
    chain = [line(number, number - 1 if number else -1, float(number)) for number in range(100)]
    block = read(*chain, line(1000, 50, 200.0), line(2000, timestamp=201.0))
    assert block.columns["session"].tolist() == [0.0] * 101 + [2000.0]


def test_a_parent_that_is_not_in_the_file_names_the_session(read):
    block = read(line(5, 3), line(6, 3), line(7, 5))
    assert block.columns["session"].tolist() == [3.0, 3.0, 3.0]


def test_requests_at_one_time_are_not_spread(read):
    assert read(line(1), line(2), line(3, timestamp=1.0)).arrival_s.tolist() == [0.0, 0.0, 1.0]


def test_a_ring_of_parents_is_refused(read):
    with pytest.raises(TraceError, match=r"chat_id \d: found a ring of parent_chat_id"):
        read(line(1, 3), line(2, 1), line(3, 2))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (line(-1), "column 'chat_id': found '-1', want a whole number from 0"),
        (line(1, -2), "column 'parent_chat_id': found '-2', want a whole number from -1"),
        (line(1, turn=0), "column 'turn': found '0', want a whole number from 1"),
        (line(1, type=5), "column 'type': found '5', want a name"),
        (line(1, type="x" * 2000), "column 'type'"),
        (line(1, type="\ud800"), "column 'type'"),
        ('{"chat_id": 1}', "column 'timestamp': found nothing"),
    ],
)
def test_a_bad_line_is_refused_or_skipped(read, bad, message):
    with pytest.raises(TraceError) as caught:
        read(line(1), bad)
    assert "row 2" in str(caught.value)
    assert message in str(caught.value)
    assert len(read(line(1), bad, bad_rows="skip")) == 1
