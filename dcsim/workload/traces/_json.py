"""JSON of traces, strictly: no NaN or Infinity, no key twice in an object, bounded depth and sizes.

`Source` reads a long text value by value, so that an array of any length takes the memory of one element.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from dcsim.errors import TraceError
from dcsim.workload.traces._columns import Number

#: Largest value that is read as one piece: an element of an array, or what stands under one key.
MAX_VALUE_CHARS = 2**24

_CHUNK = 2**18
_BLANK = " \t\n\r"
_UNSURE = 32  # an error so close to the end of what was read may only be a value cut in two


class Strict:
    """A decoder of single values that remembers what is wrong with the one it decoded last."""

    def __init__(self) -> None:
        self.fault = ""
        """what the last value holds that is not allowed, in words"""
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._constant)

    def value(self, text: str, start: int = 0) -> tuple[Any, int]:
        """The value at `start` and the place behind it. Raises ValueError, json.JSONDecodeError for what is no JSON."""
        self.fault = ""
        try:
            return self._decoder.raw_decode(text, start)
        except RecursionError:
            raise ValueError("nested too deeply") from None

    def line(self, text: str) -> Any:
        """The one value that `text` is, blanks around it allowed. Raises ValueError."""
        start = len(text) - len(text.lstrip(_BLANK))
        try:
            value, end = self.value(text, start)
        except json.JSONDecodeError as error:
            raise ValueError(error.msg) from None
        if text[end:].strip(_BLANK):
            raise ValueError("more text after the value")
        if self.fault:
            raise ValueError(self.fault)
        return value

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            self.fault = "a key that is there twice in one object"
        return found

    def _constant(self, name: str) -> float:
        self.fault = name
        return float(name)


class Source:
    """JSON text read from a file in pieces."""

    def __init__(self, text: TextIO, path: Path) -> None:
        self._text, self._path = text, path
        self._strict = Strict()
        self._buffer, self._at, self._ended = "", 0, False
        self._line = 1  # of the first character of the buffer

    def elements(self) -> Iterator[tuple[int, Any, str]]:
        """Elements of the array that comes next: number from 1, value, and what is not allowed in it or ''."""
        self.take("[")
        number = 0
        while self._goes_on(number, "]"):
            number += 1
            value = self.value()
            yield number, value, self._strict.fault

    def members(self) -> Iterator[str]:
        """Keys of the object that comes next; the caller must read the value of each before the next."""
        self.take("{")
        seen: set[str] = set()
        while self._goes_on(len(seen), "}"):
            key = self.value()
            if not isinstance(key, str):
                raise self._broken("a key must be a string")
            if key in seen:
                raise self._broken(f"the key {key[:60]!r} is there twice")
            seen.add(key)
            self.take(":")
            yield key

    def value(self) -> Any:
        """The value that comes next."""
        self.peek()
        while True:
            try:
                value, end = self._strict.value(self._buffer, self._at)
            except json.JSONDecodeError as error:
                unterminated = error.msg.startswith("Unterminated")
                if self._ended or not (unterminated or error.pos > len(self._buffer) - _UNSURE):
                    raise self._broken(error.msg, error.pos) from None
            except ValueError as error:
                raise self._broken(str(error)) from None
            else:
                if end < len(self._buffer) or self._ended:
                    self._at = end
                    return value
            if len(self._buffer) - self._at > MAX_VALUE_CHARS:
                raise self._broken(f"a value of more than {MAX_VALUE_CHARS} characters")
            self._fill()

    def plain(self) -> Any:
        """The value that comes next, which must have nothing in it that is not allowed."""
        value = self.value()
        if self._strict.fault:
            raise self._broken(f"found {self._strict.fault}")
        return value

    def peek(self) -> str:
        """The next character that is not blank, not read yet; '' at the end of the text."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in _BLANK:
                    return self._buffer[self._at]
                self._at += 1
            if self._ended:
                return ""
            self._fill()

    def take(self, mark: str) -> None:
        """Reads `mark`, which must come next."""
        if self.peek() != mark:
            raise self._broken(f"want {mark!r}")
        self._at += 1

    def end(self) -> None:
        """Nothing may follow."""
        if self.peek():
            raise self._broken("more text after the value")

    def _goes_on(self, done: int, closing: str) -> bool:
        """Whether another element or member follows; else the closing bracket is read."""
        if self.peek() == closing:
            self._at += 1
            return False
        if done:
            self.take(",")
        return True

    def _fill(self) -> None:
        self._line += self._buffer.count("\n", 0, self._at)
        kept = self._buffer[self._at :]
        more = self._text.read(max(_CHUNK, len(kept)))  # twice as much each time: no value is decoded often
        self._buffer, self._at, self._ended = kept + more, 0, not more

    def _broken(self, why: str, at: int | None = None) -> TraceError:
        place = self._at if at is None else at
        line = self._line + self._buffer.count("\n", 0, place)
        found = repr(self._buffer[place : place + 20]) if place < len(self._buffer) else "the end of the file"
        return TraceError(f"{self._path}, line {line}: not JSON that can be read: {why}; found {found}")


def number(value: Any, column: Number) -> float | None:
    """A JSON number that `column` allows, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    good = (value > column.least if column.above else value >= column.least) and value <= column.most
    if not good or (column.whole and value != int(value)):
        return None
    return float(value)


def shown(value: Any) -> str:
    """A value as a message may quote it."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return value if isinstance(value, str) else json.dumps(value)
