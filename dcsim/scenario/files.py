"""Files that a scenario names: beside it, in the data folder that the variable DCSIM_DATA names, or a public dataset.

`dataset:NAME` is what `dcsim data get NAME` has fetched into the cache.
A scenario may come from a stranger, so a path inside it may not lead out of those two folders. A path that
the user gives on the command line is the user's own and may lead anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dcsim.units import shown

DATA_VARIABLE = "DCSIM_DATA"
DATASET = "dataset:"
_WITHIN_DATA = ("", "data", "data/traces", "cases")


class FileProblem(ValueError):
    """A path that leads nowhere, or where it may not."""


def data_folder() -> Path | None:
    """The folder that DCSIM_DATA names, or None when it is unset or empty."""
    text = os.environ.get(DATA_VARIABLE)
    return Path(text) if text else None


def resolve(text: str, folder: Path, *, own: bool = False, folder_ok: bool = False) -> Path:
    """Full path of the file that `text` names in a scenario that stands in `folder`.

    It is looked up beside the scenario, then under the data folder; with `own`, a path of the user, first
    from the working folder. With `folder_ok` it may be a folder too. Raises FileProblem when it is not found, is no
    file, or (unless `own`) leaves both folders, as a link in the folder may not do either.
    """
    if text.startswith(DATASET):
        return _dataset(text.removeprefix(DATASET))
    if "\0" in text:
        raise FileProblem(f"found {shown(text)}, which cannot be a path")
    try:
        if own and (given := Path(text).expanduser().absolute()).exists():
            return _file(given, text, folder_ok=folder_ok)
        return _within(text, folder, folder_ok=folder_ok)
    except (OSError, RuntimeError):
        raise FileProblem(f"found {shown(text)}, which cannot be a path") from None


def _dataset(name: str) -> Path:
    from dcsim import datasets

    try:
        return datasets.cached_path(name)
    except datasets.DatasetError as error:
        raise FileProblem(str(error)) from None


def _within(text: str, folder: Path, *, folder_ok: bool) -> Path:
    data = data_folder()
    allowed = [root.resolve() for root in (folder, data) if root is not None]
    places = [folder, *(data / part for part in _WITHIN_DATA if data is not None)]
    candidates = [Path(os.path.normpath(place.absolute() / text)) for place in places]
    if not any(_is_inside(path, root) for path in candidates for root in (folder, data)):
        raise FileProblem(_leaves(text))
    for path in candidates:
        if path.exists():
            found = path.resolve()
            for each in (found, *_linked(found)):
                if not any(each.is_relative_to(root) for root in allowed):
                    raise FileProblem(_leaves(text))
            return _file(found, text, folder_ok=folder_ok)
    where = f"or under {DATA_VARIABLE}" if data else f"and {DATA_VARIABLE} is not set"
    raise FileProblem(f"no file {shown(text)} beside the scenario {where}")


def _is_inside(path: Path, root: Path | None) -> bool:
    """Whether the letters of `path` stay in `root`: asked before anything outside is touched."""
    return root is not None and any(path.is_relative_to(base) for base in (root.absolute(), root.resolve()))


def _linked(path: Path) -> Iterator[Path]:
    """Where the links in a folder lead."""
    if path.is_dir():
        with os.scandir(path) as entries:
            yield from (Path(entry.path).resolve() for entry in entries if entry.is_symlink())


def _file(path: Path, text: str, *, folder_ok: bool) -> Path:
    if path.is_dir() and not folder_ok:
        raise FileProblem(f"found {shown(text)}, which is a folder, want a file")
    if not path.is_file() and not path.is_dir():  # a pipe would be waited for, a device read without end
        raise FileProblem(f"found {shown(text)}, which is no regular file")
    return path


def _leaves(text: str) -> str:
    own = "on the command line it may be anywhere"
    return f"found {shown(text)}, which leads out of the scenario's folder and the data folder; {own}"
