"""The user's cache of data sets: what is there, what is downloaded, and whether it still is what it was."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dcsim.datasets import registry, unpack
from dcsim.datasets.download import MOST_BYTES, Progress, ResumingDownloader
from dcsim.datasets.problems import DatasetError, DownloadError
from dcsim.datasets.registry import Dataset

#: Environment variable that names the cache folder.
CACHE_VARIABLE = "DCSIM_CACHE"


@dataclass(frozen=True, slots=True)
class Got:
    """A data set on this machine."""

    name: str
    path: Path
    sha256: str
    downloaded: bool
    """False: it was there already"""


def cache_folder() -> Path:
    """The folder that DCSIM_CACHE names, else `dcsim` in the cache folder of the user's system."""
    import pooch

    return Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("dcsim")).expanduser().absolute()


def presence(dataset: Dataset, folder: Path | None = None) -> Literal["yes", "part", "no"]:
    """Whether the file is in the folder (default: the cache); `part`: a download was cut off."""
    folder = folder or cache_folder()
    if (folder / dataset.file).is_file():
        return "yes"
    begun = (folder / dataset.download).is_file() or _part(folder / dataset.download).is_file()
    return "part" if begun else "no"


def cached_path(name: str) -> Path:
    """The data set's file in the cache, its checksum compared.

    DatasetError with the command to use when it is not there or has changed, or when the name is not known.
    """
    dataset = registry.find(name)
    path = cache_folder() / dataset.file
    if not path.is_file():
        raise DatasetError(f"data set '{name}' is not in the cache; get it with: dcsim data get {name}")
    found, expected = _hash(path), _expected(dataset, path)
    if expected and found != expected:
        problem = f"{path} has changed: SHA-256 expected {expected}, found {found}"
        raise DatasetError(f"{problem}; get it again with: dcsim data get {name}")
    with suppress(OSError):  # a cache that several share may be for reading only
        _record(dataset, path, found)
    return path


def get(name: str, folder: Path | None = None, *, base: str | None = None, progress: Progress | None = None) -> Got:
    """The data set's file in `folder` (default: the cache), downloaded unless it is there with the right checksum.

    `base` is an address to use instead of the publisher's, such as a mirror's `http://host/folder`: the name of
    the downloaded file is put behind it, and the checksum is compared as ever.

    DatasetError: an unknown name. DownloadError: network, server, checksum, archive or disk.
    """
    dataset = registry.find(name)
    folder = (folder or cache_folder()).absolute()
    path = folder / dataset.file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.is_file() and (found := _hash(path)) == (_expected(dataset, path) or found):
            _record(dataset, path, found)
            return Got(name, path, found, downloaded=False)
        found = _fetch(dataset, folder, base, progress)
        if dataset.member:
            unpack.extract(folder / dataset.download, dataset.member, path)
            found = _hash(path)
            _sum_file(path).unlink(missing_ok=True)
        _record(dataset, path, found)
    except OSError as error:
        raise DownloadError(f"{name}: cannot write {error.filename or path}: {error.strerror or error}") from None
    except DownloadError as error:
        raise DownloadError(f"{name}: {error}") from None
    return Got(name, path, found, downloaded=True)


def _fetch(dataset: Dataset, folder: Path, base: str | None, progress: Progress | None) -> str:
    """Have pooch bring what is to be downloaded into the folder; its SHA-256."""
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    path = folder / dataset.download
    expected = _expected(dataset, path)
    url = f"{base.rstrip('/')}/{dataset.download}" if base else dataset.url
    most = dataset.bytes if dataset.bytes is not None else MOST_BYTES
    downloader = ResumingDownloader(_part(path), most, secure=base is None, progress=progress)
    try:
        pooch.retrieve(url, expected and f"sha256:{expected}", fname=path.name, path=folder, downloader=downloader)
    except DownloadError as error:
        hand = f"by hand: download {url} and put it at {path}"
        raise DownloadError(f"{error} ({hand})") from None
    except ValueError:  # of pooch, which has removed what came; what was there is as wrong
        path.unlink(missing_ok=True)
        raise DownloadError(_mismatch(dataset, path, expected, downloader.sha256)) from None
    found = downloader.sha256 or _hash(path)
    _record(dataset, path, found)
    return found


# ---------------------------------------------------------------- checksums


def _mismatch(dataset: Dataset, path: Path, expected: str | None, found: str) -> str:
    text = f"wrong checksum: SHA-256 expected {expected}, found {found}; the file is removed"
    if path.name == dataset.download and dataset.sha256:
        return text
    return f"{text}; if the publisher has renewed it, remove {_sum_file(path)} and get it again"


def _expected(dataset: Dataset, path: Path) -> str | None:
    """The registry's checksum of a download, else the one recorded beside the file; None when there is neither."""
    if path.name == dataset.download and dataset.sha256:
        return dataset.sha256
    record = _sum_file(path)
    words = record.read_text(encoding="utf-8", errors="replace").split() if record.is_file() else []
    return words[0].lower() if words else None


def _record(dataset: Dataset, path: Path, found: str) -> None:
    """Write the checksum beside a file for which the registry has none, as `sha256sum` writes it."""
    if _expected(dataset, path) is None:
        _sum_file(path).write_text(f"{found}  {path.name}\n", encoding="utf-8")


def _hash(path: Path) -> str:
    import pooch

    return str(pooch.file_hash(str(path)))


def _sum_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")
