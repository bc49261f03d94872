"""Trace files as bytes or lines of text: plain, gzip or Zstandard (told by content), UTF-8, bounded."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

from dcsim.errors import TraceError

#: Largest trace, unpacked: ten minutes of reading. A small packed file must not keep a run busy for ever.
MAX_BYTES = 64 * 2**30

#: Longest line: a damaged or hostile file must not be read into memory as one line.
MAX_LINE_BYTES = 2**20

_GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


@contextmanager
def unpacked(path: Path, longest_line: int | None = MAX_LINE_BYTES) -> Iterator[IO[bytes]]:
    """The bytes of a trace; whatever is wrong with the file, while it is read too, becomes a TraceError.

    `longest_line` is in bytes; None for readers that need no lines and have bounds of their own.
    """
    try:
        with path.open("rb") as raw:
            yield io.BufferedReader(_Bounded(*_source(raw), path, longest_line), 2**18)
    except OSError as error:
        raise TraceError(f"{path}: cannot read the trace: {error.strerror or error}") from None


@contextmanager
def opened(path: Path, longest_line: int | None = MAX_LINE_BYTES) -> Iterator[TextIO]:
    """The text of a trace without its byte order mark; lines and errors as of `unpacked`."""
    try:
        with unpacked(path, longest_line) as data, io.TextIOWrapper(data, encoding="utf-8-sig") as text:
            yield text
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: not UTF-8 text (byte {error.object[error.start]:#04x})") from None


def _source(raw: io.BufferedReader) -> tuple[Any, str]:
    """Where unpacked bytes come from, and the name of the packing."""
    first = raw.peek(4)[:4]
    if first[:2] == _GZIP:
        return gzip.GzipFile(fileobj=raw), "gzip"
    if first == _ZSTANDARD:
        import pyarrow as pa

        return pa.CompressedInputStream(raw, "zstd"), "zst"
    return raw, ""


class _Bounded(io.RawIOBase):
    """Passes bytes on; TraceError when there are too many, or too many without the end of a line."""

    def __init__(self, source: Any, packing: str, path: Path, longest_line: int | None) -> None:
        self._source, self._packing, self._path, self._longest_line = source, packing, path, longest_line
        self._total = self._line = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # RawIOBase gives a buffer
        data = self._read(len(view))
        view[: len(data)] = data
        if not self._total:
            self._refuse_archives(data)
        self._total += len(data)
        ends = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._line = self._line + len(data) if ends < 0 else len(data) - ends - 1
        if self._total > MAX_BYTES:
            raise TraceError(f"{self._path}: more than {MAX_BYTES} bytes unpacked; at most that many are read")
        if self._longest_line is not None and self._line > self._longest_line:
            raise TraceError(f"{self._path}: a line of more than {self._longest_line} bytes; this is no trace")
        return len(data)

    def _read(self, size: int) -> bytes:
        try:
            data: bytes = self._source.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._damaged(error) from None
        except OSError as error:
            if not self._packing or error.errno is not None:
                raise
            raise self._damaged(error) from None
        return data

    def _refuse_archives(self, data: bytes) -> None:
        kind = "tar" if data[257:262] == b"ustar" else "zip" if data[:4] == b"PK\x03\x04" else ""
        if kind:
            raise TraceError(f"{self._path}: found a {kind} archive, want a file of it; unpack it first")

    def _damaged(self, error: Exception) -> TraceError:
        return TraceError(f"{self._path}: the {self._packing} file is cut short or damaged ({error})")
