"""YAML text to data with lines; what is refused, and how."""

from __future__ import annotations

import contextlib
import resource
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.errors import ScenarioError
from dcsim.scenario import load, reader
from dcsim.scenario.reader import line_of, parse


def refused(text: str) -> str:
    with pytest.raises(ScenarioError) as error:
        parse(text, "x.yaml")
    return str(error.value)


def test_scalars_stay_text_and_null_is_none() -> None:
    data = parse("{a: no, b: 1e9, c: ~, d: 010, e: 2024-01-01, f: 'null', g: , NO: 12:30, 7: x}", "x.yaml")
    assert data == {
        "a": "no",
        "b": "1e9",
        "c": None,
        "d": "010",
        "e": "2024-01-01",
        "f": "null",
        "g": None,
        "NO": "12:30",
        "7": "x",
    }


def test_lines_of_keys_and_items() -> None:
    data = parse("a: 1\nb:\n  c:\n    - x\n    - {d: 1,\n       e: 2}\n", "x.yaml")
    assert line_of(data, ("a",)) == 1
    assert line_of(data, ("b", "c")) == 3
    assert line_of(data, ("b", "c", 1)) == 5
    assert line_of(data, ("b", "c", 1, "e")) == 6
    assert line_of(data, ("b", "c", 1, "not there")) == 5
    assert line_of(data, ("not there",)) is None


def test_aliases_and_merges() -> None:
    data = parse("base: &b {x: 1, y: 2}\none: *b\ntwo: {<<: *b, y: 3}\nthree: {<<: [{z: 0}, *b], x: 9}\n", "x.yaml")
    assert data["one"] == {"x": "1", "y": "2"}
    assert data["two"] == {"x": "1", "y": "3"}
    assert data["three"] == {"x": "9", "y": "2", "z": "0"}
    assert line_of(data, ("two", "x")) == 1


def test_duplicate_keys_name_both_lines_and_are_all_told() -> None:
    assert refused("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\n").splitlines() == [
        "x.yaml:5: b.c: key 'c' stands twice, first on line 3",
        "x.yaml:6: a: key 'a' stands twice, first on line 1",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: [1\nb: 2",
            "x.yaml:2: not YAML: while parsing a flow sequence: did not find expected ',' or ']'",
        ),
        ("a: b: c", "x.yaml:1: not YAML: mapping values are not allowed in this context"),
        ("a: 1\n\tb: 2", "x.yaml:2: not YAML: while scanning"),
        ("a: '\x01'", "x.yaml: not YAML: control characters are not allowed"),
        ("a: 1\n---\nb: 2", "x.yaml:2: found a second document, want one"),
        ("a: !!python/object/apply:os.system [ls]", "x.yaml:1: found tag 'python/object/apply:os.system'"),
        ("a: !!binary aGk=", "x.yaml:1: found tag 'binary'"),
        ("? [1]\n: 2", "x.yaml:1: found a list as a key, want a text"),
        ("a: &a [*a]", "x.yaml:1: alias *a stands before or inside what it names"),
        ("a: *b", "x.yaml:1: alias *b stands before or inside what it names"),
        ("a: {<<: 3}", "x.yaml:1: found something else after <<, want mappings"),
        ("[" * 100_000, "x.yaml:1: nested deeper than 50 levels"),
        (
            "".join(f"a{i}: &a{i} [{f'*a{i - 1}' if i else 1}]\n" for i in range(99)),
            "nested deeper than 50 levels",
        ),
        ("x: [" + "1," * 250_000 + "]", "more than 200,000 values"),
        ("a: &a " + "x" * 1_000_000 + "\nb: [" + "*a," * 99 + "]", "more than 200,000 values"),
    ],
)
def test_refused(text: str, message: str) -> None:
    assert message in refused(text)


def test_alias_bomb_is_refused_at_once() -> None:
    """Nine levels of nine aliases each would be 387 million values."""
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    started = time.process_time()
    assert refused(bomb) == "x.yaml:6: more than 200,000 values, every alias counted, the most a scenario may have"
    assert time.process_time() - started < 0.5


def test_a_file_of_200_mb_is_refused_without_reading_it(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.yaml"
    with bomb.open("wb") as file:
        file.write(b"a: &a [x]\nb: [" + b"*a," * 1_000_000)
        file.truncate(200_000_000)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(ScenarioError, match=r"bomb\.yaml: found more than 5 MB, the most a scenario may have"):
        load(bomb)
    assert time.process_time() - started < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.yaml:1: found an empty file, want a mapping with at least the keys name, duration, sites"),
        (b"# only a comment\n", "x.yaml:1: found an empty file"),
        (b"- a\n", "x.yaml:1: found a list, want a mapping"),
        (b"hello\n", "x.yaml:1: found 'hello', want a mapping"),
        (b"name: x\nduration: \xff\n", "x.yaml:2: found byte 0xff, want UTF-8 text"),
        ("\ufeffname: [".encode("utf-16"), "x.yaml:1: found byte 0xff, want UTF-8 text"),
    ],
)
def test_files_that_are_no_scenario(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(ScenarioError) as error:
        load(tmp_path / "x.yaml")
    assert message in str(error.value)


def test_missing_file_folder_and_impossible_name(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "nothing.yaml", "no such file"),
        (tmp_path, "found a folder, want a YAML file"),
        (tmp_path / "a\0b", "cannot be read"),
        (tmp_path / ("x" * 5000), "cannot be read: File name too long"),
    ):
        with pytest.raises(ScenarioError) as error:
            load(path)
        assert reason in str(error.value)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbfname: x\n")
    assert parse(reader.read_text(tmp_path / "x.yaml"), "x.yaml") == {"name": "x"}


@given(st.text(alphabet="ab:-[]{}&*<|>'\"! \n,#%?0.", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ScenarioError):
        assert isinstance(parse(text, "x.yaml"), dict | list | str | None)
