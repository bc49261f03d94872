"""What the catalog hands out: a Catalog of Entries, each with facts and Quantities."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from dcsim.errors import CatalogError, nearest

if TYPE_CHECKING:  # numpy is imported when a table is asked for: `dcsim --help` must not pay for it
    import numpy as np
    import numpy.typing as npt

#: What an entry can be.
KINDS = (
    *("chip", "gpu", "system", "host", "rack", "curve", "cooling", "plant", "model"),
    *("place", "climate", "cost", "fuel", "grid", "material"),
    *("workload", "profile", "sizes", "quantiles", "mix"),
)

#: How well a number is known; `docs/reference/catalog.md` defines each.
GRADES = ("published", "measured", "derived", "fitted", "recalled", "estimate")

#: A number, or a rectangular table of numbers.
Numbers: TypeAlias = "float | list[Numbers]"

_Default = TypeVar("_Default")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, or a table of numbers, as it was written and in the unit that its key names."""

    value: Numbers
    """as written, in `unit`"""
    unit: str
    source: str
    grade: str
    """one of GRADES"""
    si: Numbers
    """in the unit of the key's suffix: `_w` watts, `_s` seconds, `_mm2` square millimetres, ..."""
    low: Numbers | None = None
    high: Numbers | None = None
    si_low: Numbers | None = None
    si_high: Numbers | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One checked entry of a file: what all views of the catalog share."""

    title: str
    facts: Mapping[str, object]
    numbers: Mapping[str, Quantity]


class Source(Protocol):
    """An entry that may not have been parsed yet."""

    @property
    def name(self) -> str:
        """name of the entry, unique over all kinds"""

    @property
    def kind(self) -> str:
        """one of KINDS"""

    @property
    def text(self) -> str:
        """what `Catalog.hash` covers"""

    def record(self) -> Record:
        """Parse and check the entry (once); CatalogError when it is not sound."""


class Entry:
    """One device, system, model, ...: facts (words) and numbers. Its Catalog notes which numbers are read."""

    def __init__(self, name: str, kind: str, record: Record, used: set[tuple[str, str]]) -> None:
        self.name = name
        self.kind = kind
        self.title = record.title
        self.facts = record.facts
        self._numbers = record.numbers
        self._used = used

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}: {len(self._numbers)} numbers>"

    def __contains__(self, key: object) -> bool:
        return key in self._numbers

    def __iter__(self) -> Iterator[str]:
        """Keys of the numbers, in the order of the file."""
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def quantity(self, key: str) -> Quantity:
        """The number with its unit, source, grade and band; CatalogError when the entry does not have it."""
        found = self._numbers.get(key)
        if found is None:
            hint = nearest(key, self._numbers)
            raise CatalogError(f"{self.kind} '{self.name}' has no number '{key}'{hint}")
        self._used.add((self.name, key))
        return found

    def __getitem__(self, key: str) -> float:
        """The number as a float in the unit that the key names; CatalogError if it is missing or a table."""
        si = self.quantity(key).si
        if isinstance(si, list):
            raise CatalogError(f"{self.kind} '{self.name}': '{key}' is a table; read it with array('{key}')")
        return si

    def get(self, key: str, default: _Default) -> float | _Default:
        """The number as a float, or `default` when the entry does not have it."""
        return self[key] if key in self._numbers else default

    def array(self, key: str) -> npt.NDArray[np.float64]:
        """The number or table as an array (shape () for a single number), in the unit that the key names."""
        import numpy as np

        return np.array(self.quantity(key).si, dtype=np.float64)


class Catalog:
    """A view of all entries that remembers which numbers were read from it."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        self._entries: dict[str, Entry] = {}
        self._used: set[tuple[str, str]] = set()

    def names(self, kind: str | None = None) -> list[str]:
        """Sorted names of all entries, or of those of one kind; CatalogError for an unknown kind."""
        if kind is not None and kind not in KINDS:
            raise CatalogError(f"the catalog has no kind '{kind}'{nearest(kind, KINDS)}")
        return sorted(name for name, source in self._sources.items() if kind in (None, source.kind))

    def get(self, name: str, kind: str | None = None) -> Entry:
        """The entry `name`; CatalogError with the nearest name when there is none, or none of that kind."""
        source = self._sources.get(name)
        if source is None or kind not in (None, source.kind):
            what = kind or "entry"
            but = f"; '{name}' is a {source.kind}" if source is not None else ""
            raise CatalogError(f"the catalog has no {what} '{name}'{but or nearest(name, self.names(kind))}")
        if name not in self._entries:
            self._entries[name] = Entry(name, source.kind, source.record(), self._used)
        return self._entries[name]

    def used(self) -> list[tuple[str, str, str]]:
        """(entry, key, grade) of every number read so far, sorted."""
        records = {name: self._sources[name].record() for name, _ in self._used}
        return sorted((name, key, records[name].numbers[key].grade) for name, key in self._used)

    def grades_used(self) -> dict[str, int]:
        """How many of the numbers read so far have each grade, in the order of GRADES, zeros left out."""
        counts = Counter(grade for _, _, grade in self.used())
        return {grade: counts[grade] for grade in GRADES if counts[grade]}

    def hash(self) -> str:
        """SHA-256 in hex over the text of all entries: equal catalogs have equal hashes."""
        digest = hashlib.sha256()
        for name in self.names():
            digest.update(f"{name}\0{self._sources[name].text}\0".encode())
        return digest.hexdigest()
