"""Anything at all as a trace: every reader gives what it promises or a TraceError, never another exception."""

from __future__ import annotations

import gzip
import importlib.util
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.errors import TraceError
from dcsim.workload import traces
from dcsim.workload.block import Block
from dcsim.workload.columns import COLUMNS

_spec = importlib.util.spec_from_file_location("samples", Path(__file__).with_name("samples.py"))
assert _spec is not None
assert _spec.loader is not None
samples = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(samples)

FUNCTIONS = ("read", "items", "rates", "machines")
CASES = [(function, format) for function in FUNCTIONS for format in traces.formats(function)]

#: What a cell may become.
CELL = st.one_of(
    st.sampled_from(
        [
            *("", " ", "0", "-1", "1", "2.5", "1e9", "1e400", "-1e-400", "nan", "inf", "None", "NA", "Unknown", "null"),
            *(
                "true",
                "x",
                '"',
                '""',
                '"a,b"',
                "9" * 40,
                "0x10",
                "1_0",
                "٣",
                "é",
                "\0",
                ";",
                "|",
                "#",
                "[]",
                "{}",
                "[",
                "}",
            ),
            *("2023-11-16 18:17:03", "2023-02-29T00:00:00Z", "2017-03-26 02:30:00+01:00", "1700000000000", "-0"),
            *("COMPLETED", "CANCELLED by 1000", "gres/gpu=2,mem=64G", "UNLIMITED", "500m", "4Gi", "100000"),
        ]
    ),
    st.text(max_size=8),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(repr),
)
_PARTS = re.compile(r'([,|\s:{}\[\]"]+)')


def replaced(text: str, place: int, cell: str) -> str:
    parts = _PARTS.split(text)
    parts[place % len(parts)] = cell
    return "".join(parts)


def shuffled(text: str, place: int, cell: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    lines.insert(len(cell) % len(lines), lines.pop(place % len(lines)))
    return "".join(lines)


def doubled(text: str, place: int, _cell: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    return "".join([*lines, lines[place % len(lines)]])


def without(text: str, place: int, _cell: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    del lines[place % len(lines)]
    return "".join(lines)


def cut(text: str, place: int, _cell: str) -> str:
    return text[: place % (len(text) + 1)]


def inserted(text: str, place: int, cell: str) -> str:
    place %= len(text) + 1
    return text[:place] + cell + text[place:]


def delimited(text: str, place: int, _cell: str) -> str:
    return text.replace(",", ";\t| \n"[place % 5])


def ended(text: str, place: int, _cell: str) -> str:
    return text.replace("\n", ("\r\n", "\r", "\n\n", " \n")[place % 4])


CHANGES = [replaced, replaced, replaced, shuffled, doubled, without, cut, inserted, delimited, ended]
CHANGE = st.tuples(st.sampled_from(CHANGES), st.integers(0, 10_000), CELL)


def packed(data: bytes, how: int) -> bytes:
    """Plain, packed, packed and cut, or with a damaged byte."""
    if how == 1:
        return gzip.compress(data, mtime=0)
    if how == 2:
        return gzip.compress(data, mtime=0)[:-9]
    if how == 3:
        return bytes(pa.compress(data, codec="zstd", asbytes=True))
    if how == 4 and data:
        place = sum(data) % len(data)
        return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
    return data


FILE = st.one_of(
    st.tuples(st.lists(CHANGE, max_size=4), st.just(b""), st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4])),
    st.tuples(st.just([]), st.binary(max_size=60), st.sampled_from([0, 1, 2, 3])),
    st.tuples(st.just([]), st.binary(max_size=40).map(lambda data: b"\x1f\x8b\x08" + data), st.just(0)),
    st.tuples(st.just([]), st.binary(max_size=40).map(lambda data: b"\x28\xb5\x2f\xfd" + data), st.just(0)),
)


def contents(good: bytes, changes, raw: bytes, how: int) -> bytes:
    if raw:
        return packed(raw, how)
    text = good.decode("latin-1")  # binary formats too
    for change, place, cell in changes:
        text = change(text, place, cell)
    if good.isascii():
        return packed(text.encode("utf-8", errors="surrogatepass"), how)
    return packed(text.encode("latin-1", errors="replace"), how)


def check(given_back: object) -> None:
    if isinstance(given_back, traces.Rates):
        assert given_back.interval_s > 0.0
        assert np.isfinite(given_back.rate_hz).all()
        return
    if isinstance(given_back, traces.Machines):
        assert given_back.nodes > 0
        return
    block = given_back
    assert isinstance(block, Block)
    assert len(block) >= 1
    assert (np.diff(block.arrival_s) >= 0).all()
    for name, values in ({"arrival_s": block.arrival_s} | dict(block.columns)).items():
        assert name in COLUMNS or name == "arrival_s"
        assert values.dtype == np.float64
        assert values.shape == block.arrival_s.shape
        assert np.isfinite(values).all(), name
    assert {name for name in block.columns if COLUMNS[name].unit == "label"} == set(block.labels)
    for name, names in block.labels.items():
        codes = block.columns[name].astype(int)
        assert codes.min() >= 0
        assert codes.max() < len(names)
    for name, least in (("processors", 1.0), ("run_s", 0.0), ("wait_s", 0.0), ("input_tokens", 0.0)):
        if name in block.columns:
            assert (block.columns[name] >= least).all(), name
    assert all(count > 0 for count in block.dropped.values())


def attempt(tmp_path: Path, function: str, format: str, file, bad_rows: str) -> None:
    path = samples.sample(format, tmp_path)
    path.write_bytes(contents(path.read_bytes(), *file))
    reading = traces.Reading(bad_rows=bad_rows, **samples.OPTIONS.get(format, {}))
    try:
        given_back = getattr(traces, function)(path, format, reading)
    except TraceError as error:
        assert "\n" not in str(error)  # noqa: PT017  # one line, whatever the file holds
        return
    check(given_back)


_FUZZ = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def test_every_format_has_a_sample():
    assert sorted(samples.SAMPLES) == sorted({format for _, format in CASES})


@pytest.mark.parametrize(("function", "format"), CASES)
def test_the_samples_are_good(tmp_path, function, format):
    reading = traces.Reading(**samples.OPTIONS.get(format, {}))
    if (function, format) != ("machines", "alibaba-spot"):  # jobs and nodes are different files; the sample has jobs
        check(getattr(traces, function)(samples.sample(format, tmp_path), format, reading))


@pytest.mark.parametrize(("function", "format"), CASES)
@settings(_FUZZ, max_examples=30)
@given(file=FILE, bad_rows=st.sampled_from(["refuse", "skip"]))
def test_any_file_gives_jobs_or_a_trace_error(tmp_path, function, format, file, bad_rows):
    attempt(tmp_path, function, format, file, bad_rows)


@pytest.mark.slow
@pytest.mark.parametrize(("function", "format"), CASES)
@settings(_FUZZ, max_examples=2000)
@given(file=FILE, bad_rows=st.sampled_from(["refuse", "skip"]))
def test_two_thousand_files_give_jobs_or_a_trace_error(tmp_path, function, format, file, bad_rows):
    attempt(tmp_path, function, format, file, bad_rows)
