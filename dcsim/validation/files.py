"""Reads the case files of a folder. They are untrusted: sizes are bounded, faults become rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcsim.errors import DcsimError
from dcsim.validation.case import Case, CaseError

MAX_FILES = 10_000
MAX_BYTES = 64 * 2**20
MAX_CASES = 10_000


@dataclass(frozen=True)
class Broken:
    """A file, or one document of a file, from which no case could be made."""

    name: str
    reason: str
    foreign: bool = False
    """readable, but nothing says that it is meant as a case"""


def read_folder(path: Path) -> list[Case | Broken]:
    """All cases of the JSON files under a folder (or of one file), in order of path.

    A file holds one document or a list of documents. A document is a case when it has a `kind`; a file
    without one that another case of its folder names is that case's data. Raises DcsimError when the path
    does not exist.
    """
    if not path.exists():
        raise DcsimError(f"--cases: found no file or folder {str(path)!r}")
    files = [path] if path.is_file() else sorted(_json_files(path))
    found = [(file, _read(file, path)) for file in files]
    named = {
        (file.parent, name)
        for file, items in found
        for item in items
        if isinstance(item, Case)
        for name in _words(item.body)
    }
    return [
        item
        for file, items in found
        for item in items
        if not (isinstance(item, Broken) and (file.parent, file.name) in named)
    ]


def _json_files(folder: Path) -> Iterator[Path]:
    for count, file in enumerate(folder.rglob("*.json")):
        if count >= MAX_FILES:
            raise DcsimError(
                f"--cases: more than {MAX_FILES:,} JSON files under {str(folder)!r}; name a smaller folder"
            )
        if file.is_file():
            yield file


def _read(file: Path, root: Path) -> list[Case | Broken]:
    name = _tidy(str(file.relative_to(root)) if root.is_dir() else file.name)
    try:
        document = _parse(file)
    except CaseError as error:
        return [Broken(name, str(error))]
    documents = document if isinstance(document, list) else [document]
    if not documents or len(documents) > MAX_CASES:
        return [Broken(name, f"holds {len(documents):,} cases; 1 to {MAX_CASES:,} are allowed")]
    labels = [name if len(documents) == 1 else f"{name}[{index}]" for index in range(len(documents))]
    return [_case(item, label, file) for item, label in zip(documents, labels, strict=True)]


def _parse(file: Path) -> Any:
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise CaseError(f"the file has {size / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} MiB are read")
        return json.loads(file.read_bytes(), parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise CaseError(f"not a JSON file: {' '.join(str(error).split())[:120]}") from None
    except RecursionError:
        raise CaseError("not a case file: nested too deeply") from None


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is not a number that JSON allows")


def _case(document: Any, label: str, file: Path) -> Case | Broken:
    if not isinstance(document, dict):
        return Broken(label, f"a case is an object with a `kind`, found {type(document).__name__}", foreign=True)
    kind = document.get("kind")
    if not isinstance(kind, str):
        return Broken(label, "has no `kind`, so nobody can tell what it is a case of", foreign=True)
    given = document.get("id", document.get("name"))
    name = _tidy(given) if isinstance(given, str) and given.strip() else Path(label).stem
    return Case(_tidy(kind), name, document, file.parent)


def _words(value: Any) -> Iterator[str]:
    """Every string in the upper levels of a document: the file names are among them."""
    for item in value.values() if isinstance(value, dict) else ():
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from (word for word in item.values() if isinstance(word, str))


def _tidy(text: str) -> str:
    """Printable text of at most 80 characters."""
    return "".join(c if c.isprintable() else "?" for c in text)[:80]
