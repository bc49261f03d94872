"""Trace files as lines of text: plain or gzip (told by content), UTF-8, bounded."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

from dcsim.errors import TraceError

#: Largest trace, unpacked.
MAX_BYTES = 4 * 2**30

#: Longest line: a damaged or hostile file must not be read into memory as one line.
MAX_LINE_BYTES = 2**20

_GZIP = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """The text of a trace; whatever is wrong with the file, while it is read too, becomes a TraceError."""
    try:
        with path.open("rb") as raw:
            packed = raw.peek(2)[:2] == _GZIP
            source: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]  # GzipFile reads bytes too
            with io.TextIOWrapper(io.BufferedReader(_Bounded(source, path), 2**18), encoding="utf-8-sig") as text:
                yield text
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceError(f"{path}: the gzip file is cut short or damaged ({error})") from None
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: not UTF-8 text (byte {error.object[error.start]:#04x})") from None
    except OSError as error:
        raise TraceError(f"{path}: cannot read the trace: {error.strerror or error}") from None


class _Bounded(io.RawIOBase):
    """Passes bytes on; TraceError when there are too many, or too many without the end of a line."""

    def __init__(self, source: IO[bytes], path: Path) -> None:
        self._source, self._path = source, path
        self._total = self._line = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # RawIOBase gives a buffer
        data = self._source.read(len(view))
        view[: len(data)] = data
        self._total += len(data)
        ends = data.rfind(b"\n")
        self._line = self._line + len(data) if ends < 0 else len(data) - ends - 1
        if self._total > MAX_BYTES:
            raise TraceError(f"{self._path}: more than {MAX_BYTES} bytes unpacked; at most that many are read")
        if self._line > MAX_LINE_BYTES:
            raise TraceError(f"{self._path}: a line of more than {MAX_LINE_BYTES} bytes; this is no trace")
        return len(data)
