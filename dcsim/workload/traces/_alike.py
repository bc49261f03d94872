"""JSON lines that are written alike, many at once.

The text of a line without its digits, and without what its list holds, is its form. One line of each form is read as
JSON. All others of that form are that line with other digits in the same places, which is checked to the byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dcsim.workload.block import FloatArray
from dcsim.workload.traces import _json

IntArray = npt.NDArray[np.int64]

#: Most digits that a float holds exactly.
MOST_DIGITS = 15

#: Most forms of the lines of one text.
_MOST_FORMS = 256

_DIGITS = b"0123456789"
_BLANK = b" \t\r"
_OPEN, _CLOSE, _MINUS = b"[]-"
_PAD = 16  # so that eight bytes stand before the last eight of any run
_HAS_DIGITS = re.compile(r"[0-9]")
_IS_NUMBER = re.compile(rb"-?[0-9]")
_NUMBER = rb"(-?(?:0|[1-9]\d*)(?:\.\d+)?)"
_WORD = rb'"([^"\\\x00-\x1f]*)"'
_LIST = rb"(\[\]|null)"
_OTHER = rb'("[^"\\\x00-\x1f]*"|-?(?:0|[1-9]\d*)(?:\.\d+)?|true|false|null)'


@dataclass(frozen=True)
class Wanted:
    """Keys that are read; others are passed over."""

    numbers: Sequence[str]
    names: Sequence[str]
    list_key: str


@dataclass(frozen=True)
class Found:
    """n lines that are not blank."""

    numbers: Mapping[str, FloatArray]
    """shape (n,)"""
    names: Mapping[str, tuple[IntArray, list[str]]]
    """numbers of names, shape (n,), and the names"""
    items: IntArray
    """numbers of all lists, one list after the other"""
    count: IntArray
    """numbers of each list, shape (n,)"""


@dataclass(frozen=True)
class _Form:
    """What one line says of all that are written like it."""

    spans: Mapping[str, tuple[int, int]]
    """wanted key -> where its value stands in the line"""
    numbers: tuple[tuple[int, int], ...]
    """where numbers stand, of wanted and other keys"""
    names: Mapping[str, str]
    listed: bool
    """whether there is a list"""


@dataclass(frozen=True)
class _Runs:
    """Runs of digits in a text."""

    text: bytes
    """with _PAD bytes before it"""
    starts: npt.NDArray[np.intp]
    """without these"""
    ends: npt.NDArray[np.intp]


def read(text: bytes, wanted: Wanted) -> Found | None:
    """All lines of a text; None when one has not all keys that are wanted, is no JSON, or is written otherwise.

    Numbers may have decimals but neither exponents nor more than MOST_DIGITS digits, lists hold whole numbers from 0.
    A line may be without its list.
    """
    cut = _cut(text)
    lists = _lists(cut[1]) if cut else None
    if cut is None or lists is None:
        return None
    whole = cut[0].removesuffix(b"\n")
    lines = whole.split(b"\n")
    rows = _by_form(whole, len(lines))
    if rows is None:
        return None
    numbers = {key: np.empty(len(lines)) for key in wanted.numbers}
    codes = {key: np.zeros(len(lines), np.int64) for key in wanted.names}
    words: dict[str, list[str]] = {key: [] for key in wanted.names}
    listed, filled = np.zeros(len(lines), np.bool_), np.ones(len(lines), np.bool_)
    for which in rows:
        alike = lines if len(rows) == 1 else [lines[row] for row in which.tolist()]
        runs = _same_places(alike)
        blank = not alike[0].strip(_BLANK)
        filled[which] = not blank
        form = None if blank else _form(alike[0], wanted)
        if runs is None or (form is None and not blank):
            return None
        if form is None:
            continue
        values = _numbers(alike[0], form, runs)
        if values is None:
            return None
        listed[which] = form.listed
        for key, column in values.items():
            numbers[key][which] = column
        for key, name in form.names.items():
            codes[key][which] = len(words[key])
            words[key].append(name)
    items, each = lists
    if int(listed.sum()) != len(each):
        return None
    count = np.zeros(len(lines), np.int64)
    count[listed] = each
    return Found(
        {key: column[filled] for key, column in numbers.items()},
        {key: (codes[key][filled], words[key]) for key in wanted.names},
        items,
        count[filled],
    )


def _cut(text: bytes) -> tuple[bytes, list[bytes]] | None:
    """The text with all lists empty, and what stood in them; None where brackets do not match."""
    codes = np.frombuffer(text, np.uint8)
    opens, closes = np.flatnonzero(codes == _OPEN), np.flatnonzero(codes == _CLOSE)
    if len(opens) != len(closes) or np.any(opens >= closes) or np.any(closes[:-1] >= opens[1:]):
        return None
    starts, ends = (opens + 1).tolist(), closes.tolist()
    outside = zip([0, *ends], [*starts, len(text)], strict=True)
    inside = zip(starts, ends, strict=True)
    return b"".join([text[a:b] for a, b in outside]), [text[a:b] for a, b in inside]


def _lists(lists: list[bytes]) -> tuple[IntArray, IntArray] | None:
    """Numbers of all lists, and how many each has; None unless they are parted alike and are whole numbers from 0."""
    filled = [each for each in lists if each]
    separator = b", " if any(b", " in each for each in filled[:100]) else b","
    text = separator.join(filled)
    codes = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(codes == separator[0])
    starts = ends + len(separator)
    if text.translate(None, _DIGITS) != separator * len(ends) or np.any(codes[starts - 1] != separator[-1]):
        return None
    if filled:
        starts, ends = np.concatenate(([0], starts)), np.append(ends, len(text))
    runs = _Runs(bytes(_PAD) + text, starts, ends)
    digits = ends - starts
    if np.any(digits < 1) or np.any(digits > MOST_DIGITS) or _zeros_in_front(runs).any():
        return None
    # As the text holds no more than numbers and separators in turn, every list starts and ends with a number.
    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    kept = lengths > 0
    count = np.zeros(len(lists), np.int64)
    count[kept] = np.diff(np.searchsorted(starts, np.cumsum(lengths[kept] + len(separator))), prepend=0)
    return _values(runs), count


def _by_form(text: bytes, lines: int) -> list[npt.NDArray[np.intp]] | None:
    """Lines by form; None for too many forms."""
    bare = text.translate(None, _DIGITS)
    first = bare.partition(b"\n")[0]
    if bare + b"\n" == (first + b"\n") * lines:
        return [np.arange(lines)]
    forms = bare.split(b"\n")
    number = {form: place for place, form in enumerate(set(forms))}
    if len(number) > _MOST_FORMS:
        return None
    codes = np.fromiter(map(number.__getitem__, forms), np.intp, lines)
    return [np.flatnonzero(codes == place) for place in range(len(number))]


def _same_places(lines: list[bytes]) -> _Runs | None:
    """Digits of lines of one form; None when they stand in other places than in the first line."""
    runs = _runs(b"\n".join(lines))
    first = _runs(lines[0])
    lengths = runs.ends - runs.starts
    width = len(lines[0]) - int((first.ends - first.starts).sum()) + 1
    if len(runs.starts) != len(first.starts) * len(lines):
        return None
    bare = first.starts - np.cumsum(first.ends - first.starts) + (first.ends - first.starts)
    places = runs.starts - np.cumsum(lengths) + lengths
    same = np.array_equal(places, np.add.outer(width * np.arange(len(lines)), bare).ravel())
    return runs if same else None


def _form(line: bytes, wanted: Wanted) -> _Form | None:
    """What a line says; None where it has not all keys, more than is allowed, or digits in a key or name."""
    try:
        record = _json.Strict().line(line.decode())
    except ValueError:
        return None
    if not isinstance(record, dict) or not {*wanted.numbers, *wanted.names} <= set(record):
        return None
    cells = [re.escape(json.dumps(key, ensure_ascii=False).encode()) + rb": ?" + _kind(key, wanted) for key in record]
    match = re.fullmatch(rb"[ \t]*\{" + rb", ?".join(cells) + rb"\}[ \t\r]*", line)
    if match is None or _HAS_DIGITS.search("".join(record)):
        return None
    spans = {key: match.span(place) for place, key in enumerate(record, start=1)}
    names = {key: record[key] for key in wanted.names}
    listed = wanted.list_key in record and record[wanted.list_key] is not None
    if line.count(b"[") != listed or _HAS_DIGITS.search("".join(names.values())):
        return None
    numbers = tuple(span for span in spans.values() if _IS_NUMBER.match(line, *span))
    return _Form({key: spans[key] for key in wanted.numbers}, numbers, names, listed)


def _kind(key: str, wanted: Wanted) -> bytes:
    if key == wanted.list_key:
        return _LIST
    return _NUMBER if key in wanted.numbers else _WORD if key in wanted.names else _OTHER


def _numbers(line: bytes, form: _Form, runs: _Runs) -> dict[str, FloatArray] | None:
    """Values of the wanted keys of lines of one form; None for zeros in front or too many digits."""
    first = _runs(line).starts
    wholes = np.searchsorted(first, [start for start, _end in form.numbers])
    places = {key: int(np.searchsorted(first, start)) for key, (start, _end) in form.spans.items()}
    parted = {key for key, (start, end) in form.spans.items() if b"." in line[start:end]}
    lengths = (runs.ends - runs.starts).reshape(-1, len(first))
    zeros = _zeros_in_front(runs).reshape(-1, len(first))
    digits = {key: lengths[:, place] + (lengths[:, place + 1] if key in parted else 0) for key, place in places.items()}
    if zeros[:, wholes].any() or any(int(each.max()) > MOST_DIGITS for each in digits.values()):
        return None
    runs_values = _values(runs).reshape(-1, len(first))
    values = {}
    for key, place in places.items():
        number = runs_values[:, place].astype(np.float64)
        if key in parted:
            scale = 10.0 ** lengths[:, place + 1]  # both exact: their quotient is the nearest float, as of a parser
            number = (number * scale + runs_values[:, place + 1]) / scale
        values[key] = -number if line[form.spans[key][0]] == _MINUS else number
    return values


# ---------------------------------------------------------------- digits


def _runs(text: bytes) -> _Runs:
    padded = bytes(_PAD) + text
    digit = (np.frombuffer(padded, np.uint8)[_PAD:] - np.uint8(48)) < 10
    edges = np.flatnonzero(digit[1:] != digit[:-1]) + 1
    if len(text) and digit[0]:
        edges = np.concatenate(([0], edges))
    if len(text) and digit[-1]:
        edges = np.concatenate((edges, [len(text)]))
    return _Runs(padded, edges[::2], edges[1::2])


def _zeros_in_front(runs: _Runs) -> npt.NDArray[np.bool_]:
    """Which of the runs are a 0 with more digits, which is no JSON."""
    zero = np.frombuffer(runs.text, np.uint8)[runs.starts + _PAD] == _DIGITS[0]
    return np.asarray(zero & (runs.ends - runs.starts > 1))


def _values(runs: _Runs) -> IntArray:
    """The runs as numbers, those of at most MOST_DIGITS digits rightly."""
    lengths = np.minimum(runs.ends - runs.starts, 16)
    words: npt.NDArray[Any] = np.ndarray((len(runs.text) - 7,), "<u8", runs.text, strides=(1,))
    values = _eight(words[runs.ends + (_PAD - 8)], np.minimum(lengths, 8))
    long = np.flatnonzero(lengths > 8)
    if len(long):
        values[long] += _eight(words[runs.ends[long] + (_PAD - 16)], lengths[long] - 8) * np.int64(10**8)
    return values


def _eight(words: npt.NDArray[np.uint64], lengths: npt.NDArray[np.intp]) -> IntArray:
    """Up to 8 digits, the last in the highest byte, as numbers: pairs, then fours, then eights are put together."""
    digits = words & np.uint64(0x0F0F0F0F0F0F0F0F)
    unused = ((8 - lengths) * 8).astype(np.uint64)
    digits >>= unused
    digits <<= unused
    for mask, factor, shift in (
        (0x0F0F0F0F0F0F0F0F, 10 * 2**8 + 1, 8),
        (0x00FF00FF00FF00FF, 100 * 2**16 + 1, 16),
        (0x0000FFFF0000FFFF, 10_000 * 2**32 + 1, 32),
    ):
        digits &= np.uint64(mask)
        digits *= np.uint64(factor)
        digits >>= np.uint64(shift)
    return digits.view(np.int64)
