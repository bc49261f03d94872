"""A web server on this machine that can cut connections, and the data sets of the tests that it serves."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dcsim.datasets import Dataset

CONTENT = bytes(range(256)) * 1500
CHANGED = CONTENT[::-1]


@dataclass
class Page:
    """What the server answers to one path."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    modified: str | None = None
    status: int = 200
    ranges: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    """bytes after which the next connections end, one after the other"""
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    """the Range and If-Range of each request"""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page: Page = self.server.pages[self.path.lstrip("/")]  # type: ignore[attr-defined]
        span, condition = self.headers["Range"], self.headers["If-Range"]
        page.asked.append((span, condition))
        start = 0
        if span and page.ranges and condition in (None, page.etag, page.modified):
            start = int(span.removeprefix("bytes=").removesuffix("-"))
        status = 206 if start else page.status
        if start >= len(page.content) > 0:
            status = 416
        body = page.content[start:] if status in (200, 206) else b"no"
        self.send_response(status)
        named = {"ETag": page.etag, "Last-Modified": page.modified, "Content-Length": str(len(body))}
        if status == 206:
            named["Content-Range"] = f"bytes {start}-{len(page.content) - 1}/{len(page.content)}"
        for name, value in {**named, **page.headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: page.cuts.pop(0)] if page.cuts else body)

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client may hang up."""


@contextmanager
def serving(pages: dict[str, Page]) -> Iterator[str]:
    """Serve `pages` (path to page); the server's address."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.pages = pages  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def dataset(name: str = "small", **fields: Any) -> Dataset:
    """A data set of the test server, `NAME.csv`; its checksum is that of CONTENT unless told otherwise."""
    given = {
        "kind": "trace",
        "title": "Small",
        "url": f"https://example.invalid/{name}.csv",
        "file": f"{name}.csv",
        "licence": "CC0-1.0",
        "cite": "nobody",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "checksum_from": "copy",
    }
    return Dataset(name=name, **(given | fields))
