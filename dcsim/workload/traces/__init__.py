"""Readers of public trace formats, one module per format.

A module `my_format.py` in this folder with a function `read(path: Path) -> Block` is the format `my-format`;
there is nothing else to register. Modules that start with `_` are shared parts. A reader raises TraceError
that names the file, the row (line of the file, from 1), the column, what was found and what is allowed.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

from dcsim.errors import TraceError, nearest
from dcsim.workload.block import Block


def formats() -> list[str]:
    """Sorted names of the formats that `read` takes."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in modules if not name.startswith("_"))


def read(path: Path, format: str) -> Block:
    """All jobs of the trace at `path`, sorted by arrival, in one block. Raises TraceError."""
    if format not in formats():
        raise TraceError(f"{path}: unknown trace format '{format}'{nearest(format, formats())}")
    module = import_module(f"{__name__}.{format.replace('-', '_')}")
    block: Block = module.read(Path(path))
    return block
