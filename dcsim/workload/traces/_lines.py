"""Bytes of a table to records, each with the line of the file that it starts on, before anything is parsed.

Line ends may be mixed. Blank lines and comments are no records. A quoted cell may hold line ends and delimiters; it
starts right after a delimiter or line end and ends right before one, and a quote within it is written twice.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt

from dcsim.errors import TraceError
from dcsim.workload.traces import _text

#: Bytes that are split at once.
CHUNK_BYTES = 4 * 2**20

_LINE_END, _QUOTE, _BLANK = 10, 34, 32
_MARK = b"\xef\xbb\xbf"
_TABS = bytes.maketrans(b"\t", b" ")

Lines = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """How the records of a table are written."""

    delimiter: str = ","
    """one character; a blank stands for any run of blanks and tabs"""
    quotes: bool = True
    """whether cells may stand in double quotes"""
    comment: str = ""
    """first character of lines that are no records"""
    header: bool = True
    """whether the first record names the columns"""


@dataclass
class Part:
    """n records of a file in its order."""

    text: bytes
    starts: npt.NDArray[np.intp]
    """first byte of each record in `text`, shape (n,)"""
    ends: npt.NDArray[np.intp]
    """its line end, shape (n,)"""
    lines: Lines
    """line of the file that it starts on, from 1, shape (n,)"""
    cells: npt.NDArray[np.intp]
    """number of its cells, shape (n,)"""
    unsound: dict[int, tuple[str, str]]
    """record -> what is wrong with its characters: found, wanted"""
    quoted: bool
    """whether there are quotes in `text`"""

    def __len__(self) -> int:
        return len(self.starts)

    def record(self, number: int) -> bytes:
        """Text of one record."""
        return self.text[self.starts[number] : self.ends[number]]

    def joined(self, kept: npt.NDArray[np.bool_]) -> bytes:
        """Text of the records in `kept`, each with its line end, without what stands between records."""
        if kept.all() and int((self.ends - self.starts + 1).sum()) == len(self.text):
            return self.text
        marks = np.zeros(len(self.text) + 1, np.int8)
        marks[self.starts[kept]] += 1
        marks[self.ends[kept] + 1] -= 1
        within = np.cumsum(marks[:-1], dtype=np.int8).astype(bool)
        return bytes(np.frombuffer(self.text, np.uint8)[within])


def parts(stream: IO[bytes], layout: Layout, path: object, chunk_bytes: int | None = None) -> Iterator[Part]:
    """All records of `stream`, part by part, those of one part in memory. Raises TraceError."""
    for text, line in _whole(stream, layout, path, chunk_bytes or CHUNK_BYTES):
        part = _split(text, line, layout)
        longest = int(np.max(part.ends - part.starts, initial=0))
        if longest > _text.MAX_LINE_BYTES:
            number = int(part.lines[np.argmax(part.ends - part.starts)])
            raise TraceError(f"{path}, row {number}: a row of more than {_text.MAX_LINE_BYTES} bytes")
        yield part


def cells(record: bytes, layout: Layout) -> list[str]:
    """Cells of one record without blanks around them."""
    text = record.decode("utf-8", errors="replace")
    if not layout.quotes or '"' not in text:
        return [cell.strip() for cell in text.split(layout.delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader(text.splitlines(keepends=True), delimiter=layout.delimiter))]
    except csv.Error:
        return text.split(layout.delimiter)


def _whole(stream: IO[bytes], layout: Layout, path: object, chunk_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Texts that end where a record ends, with line feeds alone as line ends, and the first line of each."""
    rest, first, line = b"", True, 1
    while True:
        data = stream.read(chunk_bytes)
        if first:
            data, first = data.removeprefix(_MARK), False
        text = rest + data
        held = b"\r" if data and text.endswith(b"\r") else b""  # its line feed may follow
        text = text[: len(text) - len(held)]
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not data:
            if text:
                yield _tidy(text if text.endswith(b"\n") else text + b"\n", layout), line
            return
        end = _last_end(text, layout)
        rest = text[end:] + held
        if len(rest) > _text.MAX_LINE_BYTES:
            line += text.count(b"\n", 0, end)
            why = "a quote is not closed within" if b'"' in rest and layout.quotes else "a row of more than"
            raise TraceError(f"{path}, row {line}: {why} {_text.MAX_LINE_BYTES} bytes")
        if end:
            yield _tidy(text[:end], layout), line
            line += text.count(b"\n", 0, end)


def _last_end(text: bytes, layout: Layout) -> int:
    """Bytes up to the end of the last whole record."""
    if not layout.quotes or b'"' not in text:
        return text.rfind(b"\n") + 1
    codes = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero((codes == _LINE_END) & ~_inside(codes))
    return int(ends[-1]) + 1 if len(ends) else 0


def _inside(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which bytes stand behind an odd number of quotes."""
    return (np.cumsum(codes == _QUOTE, dtype=np.uint8) & 1).astype(bool)


def _tidy(text: bytes, layout: Layout) -> bytes:
    """Runs of blanks as one blank, and none at the ends of a line, where blanks part the cells."""
    if layout.delimiter != " ":
        return text
    codes = np.frombuffer(text.translate(_TABS), np.uint8)
    blank, line_end = codes == _BLANK, codes == _LINE_END
    before = np.concatenate(([True], (blank | line_end)[:-1]))
    return bytes(codes[~(blank & before)]).replace(b" \n", b"\n")


def _split(text: bytes, first_line: int, layout: Layout) -> Part:
    codes = np.frombuffer(text, np.uint8)
    line_ends, delimiters = codes == _LINE_END, codes == ord(layout.delimiter)
    quoted = layout.quotes and b'"' in text
    if quoted:
        inside = _inside(codes)
        ends = np.flatnonzero(line_ends & ~inside)
        if not len(ends) or ends[-1] != len(text) - 1:
            ends = np.append(ends, len(text) - 1)  # a quote that is never closed
        delimiters &= ~inside
        starts = np.concatenate(([0], ends[:-1] + 1))
        lines = first_line + np.searchsorted(np.flatnonzero(line_ends), starts)
    else:
        ends = np.flatnonzero(line_ends)
        starts = np.concatenate(([0], ends[:-1] + 1))
        lines = first_line + np.arange(len(ends))
    places = np.flatnonzero(delimiters)
    count = np.diff(np.searchsorted(places, ends), prepend=0) + 1
    kept = _filled(text, codes, starts, ends, count, layout)
    part = Part(text, starts[kept], ends[kept], lines[kept].astype(np.int64), count[kept], {}, quoted)
    _mark_unsound(part, codes, layout)
    return part


def _filled(
    text: bytes,
    codes: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.intp],
    ends: npt.NDArray[np.intp],
    count: npt.NDArray[np.intp],
    layout: Layout,
) -> npt.NDArray[np.bool_]:
    """Which records are neither blank nor comments."""
    kept = ends > starts
    for row in np.flatnonzero(kept & (count == 1)).tolist():
        kept[row] = bool(text[starts[row] : ends[row]].strip())
    if layout.comment:
        kept &= codes[starts] != ord(layout.comment)
    return kept


def _mark_unsound(part: Part, codes: npt.NDArray[np.uint8], layout: Layout) -> None:
    """Fills `part.unsound`."""
    if part.quoted:
        for row in _rows_at(part, _stray_quotes(codes, ord(layout.delimiter))):
            part.unsound[row] = ("a quote within a cell", "quotes around a whole cell, those within it twice")
    if b"\0" in part.text:
        for row in _rows_at(part, np.flatnonzero(codes == 0)):
            part.unsound[row] = ("a NUL byte", "text without")
    if not part.text.isascii():
        try:
            part.text.decode("utf-8")
        except UnicodeDecodeError:
            for row in range(len(part)):
                _mark_not_text(part, row)


def _mark_not_text(part: Part, row: int) -> None:
    try:
        part.record(row).decode("utf-8")
    except UnicodeDecodeError as error:
        part.unsound[row] = (f"byte {error.object[error.start]:#04x}", "UTF-8; this is not UTF-8 text")


def _stray_quotes(codes: npt.NDArray[np.uint8], delimiter: int) -> npt.NDArray[np.intp]:
    """Places of quotes that neither open nor close a whole cell nor are one of a pair within it."""
    places = np.flatnonzero(codes == _QUOTE)
    borders = np.array([delimiter, _LINE_END, _QUOTE], np.uint8)
    before = np.concatenate((np.array([_LINE_END], np.uint8), codes[:-1]))[places]
    after = np.concatenate((codes[1:], np.array([_LINE_END], np.uint8)))[places]
    opens = np.arange(len(places)) % 2 == 0
    stray = np.where(opens, ~np.isin(before, borders), ~np.isin(after, borders))
    if len(places) % 2:
        stray[-1] = True
    return places[stray]


def _rows_at(part: Part, places: npt.NDArray[np.intp]) -> list[int]:
    """Records that hold one of the bytes at `places`."""
    rows = np.searchsorted(part.ends, places)
    within = rows < len(part)
    within[within] = part.starts[rows[within]] <= places[within]
    found: list[int] = np.unique(rows[within]).tolist()
    return found
