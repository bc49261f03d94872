"""A downloader for pooch that goes on where an earlier download was cut off.

What has arrived is kept in a `.part` file, with the validator (strong ETag, else Last-Modified) that the server
gave with it in a `.tag` file. The next request asks for the rest with `Range` and `If-Range` (RFC 9110, sections
13.1.5 and 14.2), so a file that has changed at the server begins anew instead of becoming a mixture.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim.datasets.problems import DownloadError
from dcsim.units import in_words

if TYPE_CHECKING:
    import requests

#: Called with the bytes that are there and the bytes of the whole file (None: the server does not say).
Progress = Callable[[int, "int | None"], None]

#: No data set of the registry is larger; a server that sends more is wrong.
MOST_BYTES = 16 * 2**30

_TRIES = 10
_TIMEOUT_S = (15.0, 60.0)
_CHUNK_BYTES = 2**16  # what a cut connection costs
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")
_POINTER = b"version https://git-lfs"


class _CutOff(Exception):
    """The connection ended before the file did."""


@dataclass(slots=True)
class ResumingDownloader:
    """Callable that pooch takes as `downloader`. One for each download.

    Raises DownloadError when the file did not arrive; what arrived stays in `part` for the next time.
    """

    part: Path
    """file that keeps what has arrived"""
    most_bytes: int = MOST_BYTES
    """a longer file is refused"""
    secure: bool = True
    """refuse any address, redirects included, that is not https"""
    progress: Progress | None = None
    pause_s: float = 1.0
    """between two tries of one call"""
    sha256: str = ""
    """of the file that was delivered"""

    @property
    def tag(self) -> Path:
        """File with the validator of what is in `part`."""
        return self.part.with_name(self.part.name + ".tag")

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        """Bring `url` to `output_file`."""
        import pooch
        import requests

        with requests.Session() as session:
            session.headers["Accept-Encoding"] = "identity"  # a Range counts the bytes of the file itself
            self._all(session, url)
        with self.part.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                self._forget()
                raise DownloadError("the server sent a Git LFS pointer instead of the file")
        self.sha256 = pooch.file_hash(str(self.part))
        os.replace(self.part, output_file)
        self._forget()

    def _all(self, session: requests.Session, url: str) -> None:
        """Ask until the file is whole; give up when a try brings nothing."""
        import requests

        for _ in range(_TRIES):
            before = self._size()
            try:
                return self._once(session, url)
            except (requests.RequestException, _CutOff) as error:
                problem = _reason(error, url)
                if self._size() <= before:
                    break
            except OSError as error:
                raise DownloadError(_disk(error, self.part)) from None
            time.sleep(self.pause_s)
        kept = f"; {in_words(self._size(), 'B')} are kept, the same command goes on from there" if self._size() else ""
        raise DownloadError(problem + kept)

    def _once(self, session: requests.Session, url: str) -> None:
        validator = self._validator()
        have = self._size() if validator else 0
        headers = {"Range": f"bytes={have}-", "If-Range": validator} if have and validator else {}
        with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
            self._check(response)
            start = have if _continues(response, have, validator) else 0
            if response.status_code != 200 and not start:
                if not headers:
                    raise DownloadError(f"HTTP {response.status_code} to a request for the whole file")
                self._forget()
                return self._once(session, url)
            total = _total(response, start)
            self._check_room(start, total)
            self._remember(response)
            self._write(response, start, total)
        if total is not None and self._size() < total:
            raise _CutOff
        return None

    def _check(self, response: requests.Response) -> None:
        if self.secure:
            for hop in (*response.history, response):
                if not (hop.url or "").startswith("https://"):
                    raise DownloadError(f"the server leads to {hop.url}, which is not https")
        if response.status_code not in (200, 206, 416):
            raise DownloadError(f"HTTP {response.status_code} {response.reason}")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise DownloadError("the server sent a web page instead of the file")

    def _check_room(self, start: int, total: int | None) -> None:
        if total is None:
            return
        if total > self.most_bytes:
            raise DownloadError(f"the server has {total} bytes, want at most {self.most_bytes}")
        free = shutil.disk_usage(self.part.parent).free
        if free < total - start:
            needs = f"{in_words(total - start, 'B')} are needed and {in_words(free, 'B')} are free"
            raise DownloadError(f"the disk is too full: {needs} in {self.part.parent}")

    def _write(self, response: requests.Response, start: int, total: int | None) -> None:
        have = start
        with self.part.open("ab" if start else "wb") as file:
            for chunk in response.iter_content(_CHUNK_BYTES):
                have += len(chunk)
                if have > self.most_bytes:
                    raise DownloadError(f"the server sent more than {self.most_bytes} bytes")
                file.write(chunk)
                if self.progress:
                    self.progress(have, total)

    # ---------------------------------------------------------------- what was there before

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _validator(self) -> str | None:
        return self.tag.read_text(encoding="latin-1") if self.tag.exists() else None

    def _remember(self, response: requests.Response) -> None:
        """Without a validator, or when the bytes are not the file's own, the next try begins anew."""
        self.tag.unlink(missing_ok=True)
        etag, changed = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        validator = changed if etag.startswith("W/") else etag or changed
        if validator and not _encoded(response):
            self.tag.write_text(validator, encoding="latin-1")

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


def _continues(response: requests.Response, have: int, validator: str | None) -> bool:
    """Whether the answer is the rest of the file of which `have` bytes are there."""
    found = _RANGE.match(response.headers.get("Content-Range", ""))
    same = validator is None or validator[:1] != '"' or response.headers.get("ETag", validator) == validator
    return response.status_code == 206 and found is not None and int(found[1]) == have and same


def _total(response: requests.Response, start: int) -> int | None:
    """Bytes of the whole file; None when the server does not say."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() and not _encoded(response) else None


def _encoded(response: requests.Response) -> bool:
    return response.headers.get("Content-Encoding", "identity") != "identity"


def _reason(error: Any, url: str) -> str:
    """What failed, in words: the exceptions of the network print objects."""
    import requests

    host = url.split("/")[2]
    if isinstance(error, requests.exceptions.SSLError):
        return f"no secure connection to {host}"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"no connection to {host} through the proxy"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
        return f"{host} does not answer"
    if isinstance(error, (_CutOff, requests.exceptions.ChunkedEncodingError)):
        return f"the connection to {host} broke"
    return f"no connection to {host}"


def _disk(error: OSError, path: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: cannot write {path}"
    return f"cannot write {path}: {error.strerror or error}"
