"""Lines that are written alike are read at once, to the same values as one by one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.errors import TraceError
from dcsim.workload.traces import _alike, _blocks, mooncake, qwen
from dcsim.workload.traces._reading import Reading, Rows

WANTED = _alike.Wanted(("timestamp", "input_length"), ("type",), "hash_ids")


def line(timestamp: object = 1, input_length: object = 2, type: str = "text", **keys: object) -> str:
    return json.dumps({"timestamp": timestamp, "input_length": input_length, "type": type, **keys})


def read(*lines: str) -> _alike.Found | None:
    return _alike.read("\n".join(lines).encode(), WANTED)


def test_numbers_names_and_lists():
    found = read(
        line(0, 7, hash_ids=[1, 20, 300]),
        line(61.114, 123456789012345, "search", hash_ids=[]),
        "",
        line(-2.05, 10, note="a 12 b", hash_ids=[123456789]),
        line(3, 0, rate=-0.5, hash_ids=None),
        line(4, 1),
    )
    assert found is not None
    assert found.numbers["timestamp"].tolist() == [0.0, 61.114, -2.05, 3.0, 4.0]
    assert found.numbers["input_length"].tolist() == [7.0, 123456789012345.0, 10.0, 0.0, 1.0]
    codes, names = found.names["type"]
    assert [names[code] for code in codes] == ["text", "search", "text", "text", "text"]
    assert found.items.tolist() == [1, 20, 300, 123456789]
    assert found.count.tolist() == [3, 0, 1, 0, 0]


def test_without_blanks():
    text = line(5, 6, hash_ids=[7, 8]).replace(" ", "")
    found = read(text, text.replace("7", "77"))
    assert found is not None
    assert found.items.tolist() == [7, 8, 77, 8]


@pytest.mark.parametrize(
    "odd",
    [
        line().replace("1,", "01,"),
        line().replace("1,", "1.,"),
        line().replace("1,", ",1"),
        line().replace("timestamp", "time1stamp"),
        line(1e30),
        line(10**15),
        line(1.2345678901234567),
        line(hash_ids=[1, 2]).replace("1, 2", "1, 02"),
        line(hash_ids=[1, 2]).replace("1, 2", "1,, 2"),
        line(hash_ids=[1, 2]).replace("1, 2", "1 2"),
        line(hash_ids=[1, 2]).replace("1, 2", ", 1"),
        line(hash_ids=[1, 2]).replace("1, 2", "1, "),
        line(hash_ids=[1, 2]).replace("1, 2", " "),
        line(hash_ids=[1, 2]).replace("1, 2", "1,2 , 3"),
        line(hash_ids=[1, -2]),
        line(hash_ids=[1.5]),
        line(hash_ids=[10**16]),
        line(hash_ids=[[1]]),
        line(note="[12]"),
        line(note="]["),
        line(note="\\u0041"),
        line(type="a1"),
        line(a1=1),
        line(more={"a": 1}),
        line()[:-1],
        "7",
        "12{}",
    ],
)
def test_what_is_written_otherwise_is_left_to_the_slow_way(odd):
    plain = line(hash_ids=[3, 4])
    assert read(plain, odd) is None
    assert read(odd, plain) is None


_NUMBER = st.one_of(
    st.integers(0, 10**7),
    st.integers(-3, 10**17),
    st.floats(0, 1e6).map(lambda value: round(value, 3)),
    st.floats(allow_nan=False, allow_infinity=False),
)
_LINE = st.fixed_dictionaries(
    {
        "timestamp": _NUMBER,
        "input_length": st.integers(0, 9_999_999),
        "output_length": st.integers(0, 5_000),
        "chat_id": st.integers(0, 2**53),
        "parent_chat_id": st.integers(-1, 99),
        "turn": st.integers(1, 9),
        "type": st.sampled_from(["text", "file", "a1", ""]),
    },
    optional={
        "hash_ids": st.one_of(st.none(), st.lists(st.integers(0, 2**54), max_size=5)),
        "note": st.one_of(st.text(max_size=4), _NUMBER, st.booleans(), st.none(), st.lists(st.integers(0, 9))),
    },
)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(_LINE, st.sampled_from([(", ", ": "), (",", ":")])), min_size=1, max_size=6),
    st.data(),
    st.sampled_from([(mooncake._TIME, *_blocks.TOKENS), qwen._COLUMNS]),
)
def test_both_ways_agree(records, data, columns):
    text = "\n".join(json.dumps(record, separators=separators) for record, separators in records).encode()
    for _ in range(data.draw(st.integers(0, 2))):
        place = data.draw(st.integers(0, len(text) - 1))
        text = (
            text[:place]
            + data.draw(st.sampled_from([b"", b"0", b"7", b",", b" ", b"[", b"\n", b"."]))
            + text[place + 1 :]
        )
    fast = _blocks._fast(text, columns, ("type",))
    if fast is None:
        return
    rows = Rows(Path("trace"), Reading())
    slow = _blocks._slow(1, text, rows, columns, ("type",))  # refuses what is bad
    for column in columns:
        assert fast.numbers[column.name].tolist() == slow.numbers[column.name].tolist()
    for part in (fast, slow):
        assert part.blocks.dtype == np.int64
    assert fast.blocks.tolist() == slow.blocks.tolist()
    assert fast.count.tolist() == slow.count.tolist()
    names = [[part.names["type"][1][code] for code in part.names["type"][0]] for part in (fast, slow)]
    assert names[0] == names[1]


def test_a_bad_line_among_many_is_named(tmp_path):
    path = tmp_path / "trace"
    good = '{"timestamp": 1, "input_length": 2, "output_length": 3, "hash_ids": [1]}\n'
    path.write_text(good * 5 + good.replace("2", "02") + good)
    with pytest.raises(TraceError, match="row 6"):
        mooncake.read(path, Reading())
