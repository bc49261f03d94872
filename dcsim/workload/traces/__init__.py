"""Readers of public trace formats, one module per format.

A module `my_format.py` in this folder is the format `my-format`; there is nothing else to register. Modules that start
with `_` are shared parts. A module offers those of these functions that its files hold:

- `read(path: Path, reading: Reading) -> Block`: jobs with arrival times, sorted by them; `Block.dropped` counts the
  rows that are no jobs by reason, `Block.told` says the first bad ones in words
- `items(path: Path, reading: Reading) -> Block`: jobs of a list without times, all at 0, in the order of the file
- `rates(path: Path, reading: Reading) -> Rates`: arrival rates over time
- `machines(path: Path, reading: Reading) -> Machines`: nodes of a cluster

and `OPTIONS`, names of fields of `Reading` that it takes besides `bad_rows`, and `FOLDERS = True` where the path may be
that of a folder, of whose files it opens none in other folders. A reader raises TraceError that names the
file, the row (line of the file, from 1), the column, what was found and what is allowed.
"""

from __future__ import annotations

import pkgutil
from dataclasses import fields
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from dcsim.errors import TraceError, nearest
from dcsim.workload.block import Block
from dcsim.workload.traces._reading import Reading
from dcsim.workload.traces._tables import Machines, Rates

__all__ = ["Machines", "Rates", "Reading", "formats", "items", "machines", "rates", "read", "reads_folders"]

_GIVES = {"read": "jobs", "items": "a list to pack", "rates": "arrival rates", "machines": "nodes"}


def formats(function: str = "read") -> list[str]:
    """Sorted names of the formats whose files `function` (read, items, rates or machines) takes."""
    return list(_formats(function))


@cache
def _formats(function: str) -> tuple[str, ...]:
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    names = (name for name in modules if not name.startswith("_"))
    return tuple(sorted(name.replace("_", "-") for name in names if hasattr(_module(name), function)))


def read(path: Path, format: str, reading: Reading | None = None) -> Block:
    """All jobs of the trace at `path`, sorted by arrival, in one block. Raises TraceError."""
    block: Block = _call("read", path, format, reading)
    return block


def items(path: Path, format: str, reading: Reading | None = None) -> Block:
    """All jobs of a list, all arriving at 0, in the order of the file. Raises TraceError."""
    block: Block = _call("items", path, format, reading)
    return block


def rates(path: Path, format: str, reading: Reading | None = None) -> Rates:
    """Arrival rates over time. Raises TraceError."""
    table: Rates = _call("rates", path, format, reading)
    return table


def machines(path: Path, format: str, reading: Reading | None = None) -> Machines:
    """Nodes of a cluster. Raises TraceError."""
    nodes: Machines = _call("machines", path, format, reading)
    return nodes


def reads_folders(format: str) -> bool:
    """Whether the path of a known format may be that of a folder."""
    return bool(getattr(_module(format.replace("-", "_")), "FOLDERS", False))


def _call(function: str, path: Path, format: str, reading: Reading | None) -> Any:
    known = sorted({name for each in _GIVES for name in formats(each)})
    if format not in known:
        raise TraceError(f"{path}: unknown trace format '{format}'{nearest(format, known)}")
    module = _module(format.replace("-", "_"))
    if not hasattr(module, function):
        gives = " and ".join(words for each, words in _GIVES.items() if hasattr(module, each))
        raise TraceError(f"{path}: format '{format}' holds {gives}, not {_GIVES[function]}")
    asked = reading or Reading()
    _check_options(path, format, module, asked)
    if Path(path).is_dir() and not reads_folders(format):
        raise TraceError(f"{path}: found a folder, want a file; format '{format}' reads no folders")
    return getattr(module, function)(Path(path), asked)


def _check_options(path: Path, format: str, module: ModuleType, reading: Reading) -> None:
    plain, taken = Reading(), {"bad_rows", *getattr(module, "OPTIONS", ())}
    for option in fields(Reading):
        if option.name not in taken and getattr(reading, option.name) != getattr(plain, option.name):
            raise TraceError(f"{path}: format '{format}' takes no option '{option.name}'")
    if reading.timezone is not None:
        _check_timezone(path, reading.timezone)


def _check_timezone(path: Path, timezone: str) -> None:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # what it raises for a name that is none
        hint = nearest(timezone, available_timezones())
        raise TraceError(f"{path}, option timezone: unknown zone '{timezone}'{hint}") from None


def _module(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name}")
