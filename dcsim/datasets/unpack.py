"""One file out of a downloaded archive: zip, or tar with any compression that Python reads."""

from __future__ import annotations

import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dcsim.datasets.problems import DownloadError

#: No member of the registry's archives is larger.
MOST_BYTES = 32 * 2**30

_CHUNK_BYTES = 2**20


def extract(archive: Path, member: str, target: Path) -> None:
    """Write the first member of `archive` whose path ends with `member` to `target`, whole or not at all.

    The path inside the archive is compared, never used. DownloadError: no such member, or a damaged archive.
    """
    waiting = target.with_name(target.name + ".unpacking")
    try:
        with _opened(archive, member) as source, waiting.open("wb") as sink:
            written = 0
            while chunk := source.read(_CHUNK_BYTES):
                written += len(chunk)
                if written > MOST_BYTES:
                    raise DownloadError(f"{archive}: '{member}' is larger than {MOST_BYTES} bytes")
                sink.write(chunk)
        os.replace(waiting, target)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise DownloadError(f"{archive}: the archive is damaged: {error}") from None
    finally:
        waiting.unlink(missing_ok=True)


@contextmanager
def _opened(archive: Path, member: str) -> Iterator[IO[bytes]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            for name in bundle.namelist():
                if _ends(name, member):
                    with bundle.open(name) as source:
                        yield source
                    return
    else:
        with tarfile.open(archive) as tape:
            for entry in tape:
                if entry.isfile() and _ends(entry.name, member):
                    content = tape.extractfile(entry)
                    assert content is not None
                    yield content
                    return
    raise DownloadError(f"{archive}: no file '{member}' in the archive")


def _ends(path: str, member: str) -> bool:
    return f"/{path}".endswith(f"/{member}")
