"""The public data sets that dcsim knows, read from `datasets.yaml` beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dcsim.catalog import loader
from dcsim.datasets.problems import DatasetError
from dcsim.errors import nearest

KINDS = ("trace", "nodes", "weather", "grid")

_FILE = Path(__file__).with_name("datasets.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One public file: what it is, where it comes from, and how it is known to be the right one."""

    name: str
    kind: str
    """one of KINDS"""
    title: str
    url: str
    """https address of the publisher, pinned to a commit or release where there is one"""
    file: str
    """name of the file on this machine"""
    licence: str
    cite: str
    """whom to credit: publisher and paper"""
    format: str | None = None
    """the reader of `dcsim` that takes the file; None: it has none"""
    rows: int | None = None
    bytes: int | None = None
    """exact size of what is downloaded"""
    about_bytes: int | None = None
    """its approximate size where the exact one is not known"""
    sha256: str | None = None
    """of what is downloaded; None: recorded at the first download"""
    checksum_from: str | None = None
    """how `sha256` is known"""
    archive: str | None = None
    """name of the downloaded archive on this machine; None: the file is downloaded as it is"""
    member: str | None = None
    """end of the path of `file` inside the archive"""

    @property
    def download(self) -> str:
        """Name of the downloaded file on this machine: the archive, or the file itself."""
        return self.archive or self.file

    @property
    def size_bytes(self) -> int | None:
        """Size of the download, exact or approximate; None: not known."""
        return self.bytes if self.bytes is not None else self.about_bytes


@cache
def known() -> Mapping[str, Dataset]:
    """All data sets by name, in the order of the file."""
    raw = loader.document(_FILE.name, _FILE.read_text(encoding="utf-8"))
    return {name: Dataset(name=name, **fields) for name, fields in raw.items()}


def find(name: str) -> Dataset:
    """The data set of that name. DatasetError names the nearest one when there is none."""
    sets = known()
    if name not in sets:
        raise DatasetError(f"unknown data set '{name}'{nearest(name, sets)}")
    return sets[name]
