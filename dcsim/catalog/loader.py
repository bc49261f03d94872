"""Catalog files to checked entries.

The shipped files are indexed by their unindented lines and an entry is parsed when it is first asked for,
because parsing all of them would cost every command a tenth of a second. A user's own file is not trusted: it
is parsed and checked whole.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dcsim.catalog import quantities
from dcsim.catalog.entries import KINDS, Catalog, Quantity, Record, Source
from dcsim.errors import CatalogError, nearest

#: Largest catalog file of a user: a megabyte of numbers takes some seconds to parse and check.
MAX_BYTES = 1_000_000

_MAX_DEPTH = 12
_FOLDER = Path(__file__).parent / "data"
_FIELDS = ("kind", "title", "is", "numbers")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_ENTRY = re.compile(r"^([a-z0-9][a-z0-9.-]{0,63}):[ ]*(?:#.*)?$", re.MULTILINE)
_UNINDENTED = re.compile(r"^[^\s#].*$", re.MULTILINE)
_KIND = re.compile(r"^  kind: ([a-z]+) *(?:#.*)?$", re.MULTILINE)

_HARDWARE = ("chip", "gpu", "system", "host", "rack", "curve")
_DIGITS = re.compile(r"[0-9]+")

#: Facts without which an entry of that kind cannot be run: fact -> allowed words, or None for any text.
_REQUIRED: dict[str, dict[str, tuple[str, ...] | None]] = {
    "chip": {"mode": ("barrier", "tick", "event", "analog", "scheduled")},
    "system": {"device": None, "host": None, "family": ("gpu", "neuromorphic")},
    "workload": {"about": None, "arrivals.kind": None},
}


def load(extra_files: Sequence[str | Path] = ()) -> Catalog:
    """A fresh view of the shipped catalog and of `extra_files`, which may add entries but not replace any.

    Raises CatalogError that names file, entry, key and what is allowed when an extra file is not sound.
    """
    sources: dict[str, Source] = dict(_shipped())
    for path in extra_files:
        for source in _read_extra(Path(path)):
            if source.name in sources:
                where = f"{source.file}: '{source.name}'"
                raise CatalogError(f"{where} is in the catalog already; choose another name")
            sources[source.name] = source
    return Catalog(sources)


class _Parsed:
    """A Source whose text is parsed when it is first asked for."""

    def __init__(self, file: str, name: str, kind: str, text: str) -> None:
        self.file, self.name, self.kind, self.text = file, name, kind, text
        self._record: Record | None = None

    def record(self) -> Record:
        if self._record is None:
            ((name, raw),) = parse(self.file, self.text).items()
            self._record = check_entry(self.file, name, raw)
        return self._record


# ---------------------------------------------------------------- files


@cache
def _shipped() -> Mapping[str, _Parsed]:
    sources: dict[str, _Parsed] = {}
    for path in sorted(_FOLDER.glob("*.yaml")):
        for source in index(path.name, path.read_text(encoding="utf-8")):
            if source.name in sources:
                raise CatalogError(f"{path.name}: '{source.name}' is also in {sources[source.name].file}")
            sources[source.name] = source
    return sources


def index(file: str, text: str) -> Iterator[_Parsed]:
    """Cut the text of a shipped file into its entries: each begins with `name:` at the start of a line."""
    starts = list(_UNINDENTED.finditer(text))
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        block = text[start.start() : following.start() if following else len(text)]
        head, kind = _ENTRY.fullmatch(start[0]), _KIND.search(block)
        if head is None or kind is None:
            raise CatalogError(f"{file}: '{start[0][:60]}': want 'name:' on its own line, then '  kind: ...'")
        yield _Parsed(file, head[1], kind[1], block)


def _read_extra(path: Path) -> Iterator[_Parsed]:
    if path.exists() and not path.is_file():
        raise CatalogError(f"{path}: not a file")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CatalogError(f"{path}: cannot read the catalog file: {reason}") from None
    if len(content) > MAX_BYTES:
        raise CatalogError(f"{path}: a catalog file may have at most {MAX_BYTES} bytes")
    for name, raw in parse(str(path), text).items():
        record = check_entry(str(path), name, raw)
        _check_spelling(f"{path}, {name}", raw["kind"], record.numbers)
        source = _Parsed(str(path), name, str(raw["kind"]), text)
        source._record = record
        yield source


# ---------------------------------------------------------------- YAML

_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[misc]  # the base is C's or Python's, known only at run time
    """Safe YAML that refuses a key written twice and reads 8e9 and 8.1e9 as numbers."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[object, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            problem = "a key must be a word" if not isinstance(key, yaml.ScalarNode) else None
            if problem is None and key.value in seen:
                problem = f"'{key.value}' is there twice"
            if problem:
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)  # type: ignore[no-any-return]  # as above


_EXPONENT = re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))


def parse(file: str, text: str) -> dict[str, Any]:
    """YAML text to {name: raw entry}. Anchors, aliases, deep nesting and repeated keys are refused."""
    found = document(file, text)
    if not isinstance(found, dict) or not found:
        raise CatalogError(f"{file}: want entries such as 'my-chip: {{kind: chip, title: ..., ...}}'")
    return found


def document(file: str, text: str) -> Any:
    """Plain data of one YAML document, with the same refusals."""
    try:
        _check_events(file, yaml.parse(text, Loader=_Loader))
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise CatalogError(f"{file}{line}: {getattr(error, 'problem', None) or 'not YAML'}") from None
    except ValueError as error:  # such as an integer of ten thousand digits
        raise CatalogError(f"{file}: {error}") from None


def _check_events(file: str, events: Iterable[Any]) -> None:
    """Aliases can make a small file huge and nesting can exhaust the stack: neither has a use here."""
    depth = 0
    for event in events:
        problem = "YAML anchors and aliases are not allowed" if getattr(event, "anchor", None) else ""
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            problem = f"nested deeper than {_MAX_DEPTH} levels"
        if problem:
            raise CatalogError(f"{file} line {event.start_mark.line + 1}: {problem}")


# ---------------------------------------------------------------- entries


def check_entry(file: str, name: object, raw: object) -> Record:
    """Check one raw entry: known fields, kind, required facts, and every number."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise CatalogError(f"{file}: entry '{name}': a name is lower-case letters, digits, '-' and '.'")
    where = f"{file}, {name}"
    if not isinstance(raw, dict):
        raise CatalogError(f"{where}: want {{kind, title, is, numbers}}")
    for field in raw:
        if field not in _FIELDS:
            raise CatalogError(f"{where}: unknown field '{field}'{nearest(str(field), _FIELDS)}")
    kind, title = raw.get("kind"), raw.get("title")
    if kind not in KINDS:
        raise CatalogError(f"{where}: kind is {kind!r}; allowed: {', '.join(KINDS)}")
    if not isinstance(title, str) or not title.strip() or len(title) > 200:
        raise CatalogError(f"{where}: want a title of at most 200 characters")
    facts, numbers = raw.get("is", {}), raw.get("numbers", {})
    if not isinstance(facts, dict) or not isinstance(numbers, dict):
        raise CatalogError(f"{where}: 'is' and 'numbers' want key: value pairs")
    _check_facts(where, kind, facts)
    checked: dict[str, Quantity] = {key: quantities.read(where, key, item) for key, item in numbers.items()}
    return Record(title.strip(), facts, checked)


def _check_spelling(where: str, kind: str, keys: Iterable[str]) -> None:
    """Refuse hardware keys that nearly are known ones: a misspelt cost would count as absent, so as 0."""
    if kind not in _HARDWARE:
        return
    known = {key for source in _shipped().values() if source.kind == kind for key in source.record().numbers}
    shapes = {_DIGITS.sub("#", key) for key in known}
    for key in keys:
        if key not in known and _DIGITS.sub("#", key) not in shapes:
            close = difflib.get_close_matches(key, known, n=1, cutoff=0.9)
            if close:
                raise CatalogError(f"{where}: unknown number '{key}'; did you mean '{close[0]}'?")


def _check_facts(where: str, kind: str, facts: Mapping[object, object]) -> None:
    for key, fact in facts.items():
        words = fact if isinstance(fact, list) else [fact]
        if not isinstance(key, str) or not all(isinstance(word, (str, bool)) for word in words):
            raise CatalogError(f"{where}: is.{key}: want words, true or false; numbers go under 'numbers'")
    for key, allowed in _REQUIRED.get(kind, {}).items():
        found = facts.get(key)
        if not isinstance(found, str) or (allowed and found not in allowed):
            want = f"one of {', '.join(allowed)}" if allowed else "a name"
            raise CatalogError(f"{where}: is.{key} is {found!r}; a {kind} wants {want}")
