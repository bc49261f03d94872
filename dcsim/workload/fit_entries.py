"""Tables that a fit measures, as catalog entries: to draw from at once, and as the text of a catalog file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from dcsim.catalog import Catalog
from dcsim.catalog.entries import Record
from dcsim.catalog.loader import check_entry
from dcsim.workload.block import FloatArray

#: A raw catalog entry: what stands under its name in a file.
Raw = Mapping[str, Any]

_WIDTH = 110


@dataclass(frozen=True)
class _Made:
    """An entry that was never in a file."""

    name: str
    raw: Raw

    @property
    def kind(self) -> str:
        return str(self.raw["kind"])

    @property
    def text(self) -> str:
        return text({self.name: self.raw})

    def record(self) -> Record:
        return check_entry("fit", self.name, self.raw)


def catalog(entries: Mapping[str, Raw]) -> Catalog:
    """A catalog of these entries alone; they are checked when they are first asked for."""
    return Catalog({name: _Made(name, raw) for name, raw in entries.items()})


def entry(kind: str, title: str, source: str, numbers: Mapping[str, tuple[str, Any]], **facts: str) -> dict[str, Any]:
    """A raw entry of measured numbers: key -> unit and value, an array or a number."""
    found: dict[str, Any] = {"kind": kind, "title": title}
    if facts:
        found["is"] = dict(facts)
    found["numbers"] = {
        key: {"unit": unit, "grade": "measured", "source": source, "value": _plain(value)}
        for key, (unit, value) in numbers.items()
    }
    return found


def text(entries: Mapping[str, Raw]) -> str:
    """The entries as the text of a catalog file."""
    return yaml.dump(dict(entries), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=_WIDTH)


def block_text(block: Mapping[str, Any]) -> str:
    """A part of a scenario as YAML."""
    return yaml.dump(dict(block), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=_WIDTH)


class _Dumper(yaml.SafeDumper):
    """Writes no anchors: the catalog refuses them."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _plain(value: Any) -> Any:
    """Numbers with six significant digits, whole ones without a point."""
    if isinstance(value, np.ndarray):
        return [_plain(part) for part in value]
    rounded = float(f"{float(value):.9g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def rounded(values: FloatArray, digits: int = 6) -> FloatArray:
    """Values to so many significant digits."""
    return np.array([float(f"{value:.{digits}g}") for value in values.ravel()]).reshape(values.shape)
