"""Requests as JSON lines with the blocks of tokens that their prompts start with, as Mooncake published them first.

One object per line; `input_length` and `output_length` are tokens, `hash_ids` names the blocks of the prompt in their
order: equal numbers are equal prefixes up to the end of that block. Keys that a format does not know are passed over.

A part of the file is parsed all lines at once where they are written alike (`_alike`); else, and when a bound refuses
something, the lines of this part are read one by one, to name the bad ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcsim.errors import TraceError
from dcsim.workload.block import Block, FloatArray
from dcsim.workload.traces import _alike, _json
from dcsim.workload.traces._columns import MAX_ID, MAX_TOKENS, Number
from dcsim.workload.traces._jobs import MAX_NAME_CHARS, a_name, none_left
from dcsim.workload.traces._reading import Rows
from dcsim.workload.traces._text import MAX_LINE_BYTES, unpacked

#: Most requests of a trace.
MAX_ROWS = 50_000_000

#: Most block numbers of a trace: they are kept until all are there.
MAX_BLOCKS = 2**28

TOKENS = (Number("input_length", whole=True, most=MAX_TOKENS), Number("output_length", whole=True, most=MAX_TOKENS))

_BLOCK = Number("hash_ids", whole=True, most=MAX_ID)
_CHUNK_BYTES = 2**22
_RANGE = 2**20
_MARK = b"\xef\xbb\xbf"
_BLANK = b" \t\r"

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Requests:
    """n requests in the order of the file."""

    numbers: Mapping[str, FloatArray]
    """key -> values, shape (n,)"""
    names: Mapping[str, IntArray]
    """key -> numbers of names, shape (n,)"""
    known: Mapping[str, tuple[str, ...]]
    """key -> names"""
    blocks: IntArray | npt.NDArray[np.int32]
    """blocks of all prompts, one prompt after the other"""
    count: IntArray
    """blocks of each prompt, shape (n,)"""


@dataclass
class _Parts:
    """What the parts of a file gave so far."""

    numbers: dict[str, list[FloatArray]] = field(default_factory=dict)
    names: dict[str, list[IntArray]] = field(default_factory=dict)
    known: dict[str, dict[str, int]] = field(default_factory=dict)
    blocks: list[Any] = field(default_factory=list)
    count: list[IntArray] = field(default_factory=list)


def requests(path: Path, rows: Rows, numbers: Sequence[Number], names: Sequence[str] = ()) -> Requests:
    """All requests of the file with the keys `numbers`, which every line must have, and `names`, which may be
    missing. A request without input or output tokens is left out and counted. Raises TraceError.
    """
    found = _Parts()
    total = blocks = 0
    for first, text in _chunks(path):
        part = _fast(text, numbers, names) or _slow(first, text, rows, numbers, names)
        _keep(found, _with_tokens(part, rows))
        total, blocks = total + len(found.count[-1]), blocks + len(found.blocks[-1])
        if total > MAX_ROWS:
            raise TraceError(f"{path}: more than {MAX_ROWS} requests; at most that many are read")
        if blocks > MAX_BLOCKS:
            raise TraceError(f"{path}: more than {MAX_BLOCKS} numbers in hash_ids; at most that many are read")
    if not total:
        raise TraceError(f"{path}: {none_left(rows)}")
    return Requests(
        {key: np.concatenate(values) for key, values in found.numbers.items()},
        {key: np.concatenate(values) for key, values in found.names.items()},
        {key: tuple(known) for key, known in found.known.items()},
        np.concatenate(found.blocks),
        np.concatenate(found.count),
    )


def block(
    found: Requests, rows: Rows, arrival_s: FloatArray, block_tokens: int, more: Mapping[str, FloatArray] | None = None
) -> Block:
    """The requests sorted by `arrival_s`, shape (n,), equal moments in the order of the file, with input_tokens,
    output_tokens, prefix_tokens where a line has blocks, `more`, and a column of kind for the names `type`.
    """
    order = np.argsort(arrival_s, kind="stable")
    input_tokens = found.numbers["input_length"]
    columns = {"input_tokens": input_tokens, "output_tokens": found.numbers["output_length"], **(more or {})}
    if len(found.blocks):
        columns["prefix_tokens"] = prefix_tokens(found.blocks, found.count, order, block_tokens, input_tokens)
    labels = {}
    if set(found.known.get("type", ("",))) != {""}:
        labels["kind"] = tuple(sorted(found.known["type"]))
        place = {name: float(number) for number, name in enumerate(labels["kind"])}
        columns["kind"] = np.array([place[name] for name in found.known["type"]])[found.names["type"]]
    columns = {key: values[order] for key, values in columns.items()}
    return Block(arrival_s[order], columns, labels, dict(rows.dropped), told=tuple(rows.told))


def prefix_tokens(
    blocks: npt.NDArray[Any], count: IntArray, order: npt.NDArray[np.intp], block_tokens: int, input_tokens: FloatArray
) -> FloatArray:
    """Tokens of the longest prefix of blocks that an earlier request had, with an endless cache, shape (n,).

    `order` sorts the requests by arrival. A block counts as seen from the next request on; the last block of a prompt
    may be a part of one, so that a prefix is never longer than its prompt.
    """
    rank = np.empty(len(count), np.int32)
    rank[order] = np.arange(len(count), dtype=np.int32)
    ends = np.cumsum(count)
    number, ids = _dense(blocks)
    first = np.full(ids, len(count), np.int32)
    in_order = not np.any(np.diff(order) < 0)
    ranges = _ranges(ends)
    for requests, places in reversed(ranges):
        asks = np.repeat(rank[requests], count[requests])
        if in_order:
            first[number[places][::-1]] = asks[::-1]  # of equal places the last one given stays: the earliest request
        else:
            np.minimum.at(first, number[places], asks)
    hits = np.zeros(len(count), np.int64)
    for requests, places in ranges:
        asks = np.repeat(rank[requests], count[requests])
        unseen = np.append(np.flatnonzero(first[number[places]] >= asks), len(asks))
        starts = ends[requests] - count[requests] - places.start
        hits[requests] = np.minimum(unseen[np.searchsorted(unseen, starts)] - starts, count[requests])
    return np.asarray(np.minimum(hits * float(block_tokens), input_tokens))


def _ranges(ends: IntArray) -> list[tuple[slice, slice]]:
    """Requests, and their blocks, in ranges of about _RANGE blocks, which fit into the caches of a processor."""
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(_RANGE, total, _RANGE), side="right")
    edges = np.unique(np.concatenate(([0], cuts, [len(ends)]))).tolist()
    blocks = [0, *ends[np.array(edges[1:], np.intp) - 1].tolist()]
    return [
        (slice(*requests), slice(*places)) for requests, places in zip(pairwise(edges), pairwise(blocks), strict=True)
    ]


def _dense(blocks: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], int]:
    """Blocks as numbers that an array can be indexed with, and its length."""
    most = int(blocks.max(initial=-1)) + 1
    if most <= max(4 * len(blocks), 2**20):
        return blocks, most
    names, number = np.unique(blocks, return_inverse=True)
    return number, len(names)


# ---------------------------------------------------------------- parts of a file


def _chunks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines, many at once, each time with the number of the first, from 1."""
    line = 1
    with unpacked(path) as data:
        while chunk := data.read(_CHUNK_BYTES):
            chunk += data.readline(MAX_LINE_BYTES + 1)
            yield line, chunk.removeprefix(_MARK) if line == 1 else chunk
            line += chunk.count(b"\n")


@dataclass
class _Part:
    """Good lines of one part."""

    numbers: Mapping[str, FloatArray]
    names: Mapping[str, tuple[IntArray, list[str]]]
    """numbers of names, shape (n,), and the names"""
    blocks: IntArray
    count: IntArray


def _fast(text: bytes, numbers: Sequence[Number], names: Sequence[str]) -> _Part | None:
    """All lines at once, when they are written alike; None when anything is not, or is out of bounds."""
    found = _alike.read(text, _alike.Wanted([column.name for column in numbers], names, _BLOCK.name))
    if found is None:
        return None
    part = _Part(found.numbers, found.names, found.items, found.count)
    return part if _within(part, numbers) else None


def _within(part: _Part, numbers: Sequence[Number]) -> bool:
    """Whether all values are within their bounds."""
    for column in numbers:
        values = part.numbers[column.name]
        good = (values >= column.least) & (values <= column.most)
        if column.whole:
            good &= values == np.floor(values)
        if not good.all():
            return False
    return all(a_name(name) is not None for _, known in part.names.values() for name in known)


def _slow(first: int, text: bytes, rows: Rows, numbers: Sequence[Number], names: Sequence[str]) -> _Part:
    """The good lines; bad ones are refused or counted."""
    values: dict[str, list[float]] = {column.name: [] for column in numbers}
    found: dict[str, list[str]] = {name: [] for name in names}
    blocks: list[int] = []
    count: list[int] = []
    strict = _json.Strict()
    for number, line in enumerate(text.split(b"\n"), start=first):
        if not line.strip(_BLANK):
            continue
        record = _record(number, line, strict, rows)
        good = record and _line_values(number, record, rows, numbers, names)
        if not good:
            continue
        line_values, line_names, line_blocks = good
        for column, value in zip(numbers, line_values, strict=True):
            values[column.name].append(value)
        for name, word in zip(names, line_names, strict=True):
            found[name].append(word)
        blocks += line_blocks
        count.append(len(line_blocks))
    arrays = {key: np.array(column, np.float64) for key, column in values.items()}
    codes = {name: (np.arange(len(words)), words) for name, words in found.items()}
    return _Part(arrays, codes, np.array(blocks, np.int64), np.array(count, np.int64))


def _record(number: int, line: bytes, strict: _json.Strict, rows: Rows) -> dict[str, Any] | None:
    try:
        record = strict.line(line.decode())
    except UnicodeDecodeError as error:
        rows.bad(number, "", f"byte {line[error.start]:#04x}", "UTF-8 text")
        return None
    except ValueError as error:
        rows.bad(number, "", line.decode().strip(), f"one JSON object on the line ({error})")
        return None
    if not isinstance(record, dict) or not record:
        rows.bad(number, "", _json.shown(record), "a JSON object with keys")
        return None
    return record


def _line_values(
    number: int, record: dict[str, Any], rows: Rows, numbers: Sequence[Number], names: Sequence[str]
) -> tuple[list[float], list[str], list[int]] | None:
    """Values, names and blocks of one line; None when one is bad."""
    values: list[float] = []
    for column in numbers:
        value = _json.number(record.get(column.name), column)
        if value is None:
            rows.bad(number, column.name, _found(record, column.name), column.wants)
            return None
        values.append(value)
    words: list[str] = []
    for name in names:
        word = a_name("" if record.get(name) is None else record[name])
        if word is None:
            rows.bad(number, name, _found(record, name), f"a name of at most {MAX_NAME_CHARS} characters")
            return None
        words.append(word)
    blocks = [] if record.get("hash_ids") is None else record["hash_ids"]
    if not isinstance(blocks, list) or any(_json.number(block, _BLOCK) is None for block in blocks):
        rows.bad(number, "hash_ids", _json.shown(blocks), "a list of whole numbers from 0")
        return None
    return values, words, [int(block) for block in blocks]


def _found(record: dict[str, Any], key: str) -> str:
    return _json.shown(record[key]) if key in record else ""


def _with_tokens(part: _Part, rows: Rows) -> _Part:
    """The requests that have input and output tokens."""
    kept = np.logical_and.reduce([part.numbers[column.name] > 0 for column in TOKENS])
    if kept.all():
        return part
    rows.leave_out(int(len(kept) - kept.sum()), "no input or output tokens")
    return _Part(
        {key: values[kept] for key, values in part.numbers.items()},
        {key: (codes[kept], known) for key, (codes, known) in part.names.items()},
        part.blocks[np.repeat(kept, part.count)],
        part.count[kept],
    )


def _keep(parts: _Parts, part: _Part) -> None:
    for key, values in part.numbers.items():
        parts.numbers.setdefault(key, []).append(values)
    for key, (codes, names) in part.names.items():
        known = parts.known.setdefault(key, {})
        used = np.unique(codes).tolist()
        numbers = np.zeros(len(names), np.int64)
        numbers[used] = [known.setdefault(names[code], len(known)) for code in used]
        parts.names.setdefault(key, []).append(numbers[codes])
    small = int(part.blocks.max(initial=0)) < 2**31
    parts.blocks.append(part.blocks.astype(np.int32) if small else part.blocks)
    parts.count.append(part.count)


def spread(arrival_s: FloatArray) -> FloatArray:
    """Sorted moments, shape (n,), those of one batch spread evenly up to the next batch.

    A batch takes at most the usual time between batches, the median: a pause stays a pause.
    """
    starts = np.flatnonzero(np.concatenate(([True], np.diff(arrival_s) > 0)))
    if len(starts) < 2:
        return arrival_s
    size = np.diff(np.append(starts, len(arrival_s)))
    gaps = np.diff(arrival_s[starts])
    usual = float(np.median(gaps))
    length = np.minimum(np.append(gaps, math.inf), usual)
    place = (np.arange(len(arrival_s)) - np.repeat(starts, size)) / np.repeat(size, size)
    return np.asarray(arrival_s + place * np.repeat(length, size))
