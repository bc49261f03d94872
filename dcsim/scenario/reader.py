"""YAML text to plain data that remembers its lines: mappings, lists and texts, nothing else.

Scalars stay the text that was written (null apart); the scenario's field types turn them into numbers. So a
site may be called `NO` or `on`, `1e9` is a number where one is wanted, and no tag can build an object. The
text may come from a stranger: file size, depth and the number of nodes with every alias expanded are bounded,
and nothing here recurses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from dcsim.errors import ScenarioError

LARGEST_BYTES = 5_000_000
MOST_NODES = 200_000
DEEPEST = 50

_NULLS = {"", "~", "null", "Null", "NULL"}
_YAML = "tag:yaml.org,2002:"
_TAGS = {"!", *(_YAML + kind for kind in ("str", "int", "float", "null", "map", "seq"))}


class Block(dict[str, Any]):
    """A mapping with the line of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}

    def copy(self) -> Block:
        """The same entries and lines in a new mapping; the values are shared."""
        twin = Block()
        twin.update(self)
        twin.lines = dict(self.lines)
        return twin


class Items(list[Any]):
    """A list with the line of each item."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []

    def copy(self) -> Items:
        """The same items and lines in a new list; the values are shared."""
        twin = Items()
        twin.extend(self)
        twin.lines = list(self.lines)
        return twin


def line_of(data: object, path: tuple[str | int, ...]) -> int | None:
    """Line (from 1) of the deepest key or item on `path` that stands in `data`."""
    line = None
    for step in path:
        if isinstance(data, Block) and step in data:
            line, data = data.lines.get(str(step), line), data[str(step)]
        elif isinstance(data, Items) and isinstance(step, int) and 0 <= step < len(data):
            line, data = data.lines[step], data[step]
        else:
            break
    return line


def read_text(path: Path) -> str:
    """Text of a file of at most `LARGEST_BYTES`; ScenarioError says what is wrong with it."""
    try:
        if path.is_dir():
            raise ScenarioError(f"{path}: found a folder, want a YAML file")
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise ScenarioError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > LARGEST_BYTES:
        raise ScenarioError(f"{path}: found more than {LARGEST_BYTES // 1_000_000} MB, the most a scenario may have")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ScenarioError(f"{path}:{line}: found byte 0x{content[error.start]:02x}, want UTF-8 text") from None


def parse(text: str, name: str, *, numbered: bool = True) -> Any:
    """Data of one YAML document: `Block`, `Items`, str or None. Errors tell `name` and, `numbered`, line."""

    def place(line: int) -> str:
        return f"{name}:{line}" if numbered else name

    builder = _Builder(place)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ": ".join(part for part in (error.context, error.problem) if part)
        raise ScenarioError(f"{place(mark.line + 1 if mark else 1)}: not YAML: {reason}") from None
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", None) or str(error).splitlines()[0]
        raise ScenarioError(f"{name}: not YAML: {reason}") from None
    if builder.duplicates:
        raise ScenarioError("\n".join(builder.duplicates))
    return builder.root


class _Frame:
    """A mapping or list that is still open."""

    __slots__ = ("anchor", "data", "depth", "is_merge", "key", "key_line", "line", "merges", "size")

    def __init__(self, data: Block | Items, line: int, anchor: str | None) -> None:
        self.data, self.line, self.anchor = data, line, anchor
        self.key: str | None = None
        self.key_line = 0
        self.is_merge = False
        self.merges: list[Block] = []
        self.size = 1  # nodes with every alias expanded; 100 characters of text count as one more
        self.depth = 0  # of the deepest child


class _Builder:
    """Takes YAML events one at a time."""

    def __init__(self, place: Callable[[int], str]) -> None:
        self._place = place
        self.root: Any = None
        self.duplicates: list[str] = []
        self._open: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.ScalarEvent):
            self._check_tag(event.tag, line)
            plain = event.implicit[0] and event.style in (None, "")
            value = None if plain and event.value in _NULLS else event.value
            size = 1 + len(event.value) // 100
            self._remember(event.anchor, value, size, 0)
            self._add(value, line, size, 0, is_merge=plain and event.value == "<<")
        elif isinstance(event, yaml.AliasEvent):
            target = self._anchors.get(event.anchor or "")
            if target is None:
                raise self._error(line, f"alias *{event.anchor} stands before or inside what it names")
            value, size, depth = target
            self._add(value, line, size, depth)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._check_tag(event.tag, line)
            data = Block() if isinstance(event, yaml.MappingStartEvent) else Items()
            self._open.append(_Frame(data, line, event.anchor))
            self._check_depth(line, 0)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            frame = self._open.pop()
            _merge(frame)
            self._remember(frame.anchor, frame.data, frame.size, frame.depth)
            self._add(frame.data, frame.line, frame.size, frame.depth)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._error(line, "found a second document, want one")

    def _add(self, value: Any, line: int, size: int, depth: int, *, is_merge: bool = False) -> None:
        if not self._open:
            self.root = value
            return
        frame = self._open[-1]
        frame.size += size
        frame.depth = max(frame.depth, depth + 1)
        self._check_depth(line, frame.depth)
        if frame.size > MOST_NODES:
            raise self._error(
                line, f"more than {MOST_NODES:,} values, every alias counted, the most a scenario may have"
            )
        data = frame.data
        if isinstance(data, Items):
            data.append(value)
            data.lines.append(line)
        elif frame.key is None:
            self._open_key(frame, value, line, is_merge=is_merge)
        else:
            self._close_key(frame, data, frame.key, value, line)

    def _open_key(self, frame: _Frame, value: Any, line: int, *, is_merge: bool) -> None:
        if isinstance(value, (Block, Items)):
            raise self._error(
                line, f"found {'a mapping' if isinstance(value, Block) else 'a list'} as a key, want a text"
            )
        frame.key = "null" if value is None else value
        frame.key_line, frame.is_merge = line, is_merge

    def _close_key(self, frame: _Frame, block: Block, key: str, value: Any, line: int) -> None:
        frame.key = None
        if frame.is_merge:
            sources = value if isinstance(value, Items) else [value]
            if not all(isinstance(source, Block) for source in sources):
                raise self._error(line, "found something else after <<, want mappings")
            frame.merges.extend(sources)
        elif key in block:
            where = ".".join([*self._path(), key])
            reason = f"key {key!r} stands twice, first on line {block.lines[key]}"
            self.duplicates.append(f"{self._place(frame.key_line)}: {where}: {reason}")
        else:
            block[key] = value
            block.lines[key] = frame.key_line

    def _path(self) -> Iterator[str]:
        for frame in self._open:
            if isinstance(frame.data, Items):
                yield str(len(frame.data))
            elif frame.key is not None:
                yield frame.key

    def _remember(self, anchor: str | None, value: Any, size: int, depth: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size, depth)

    def _check_depth(self, line: int, below: int) -> None:
        if len(self._open) + below > DEEPEST:
            raise self._error(line, f"nested deeper than {DEEPEST} levels, the most a scenario may have")

    def _check_tag(self, tag: str | None, line: int) -> None:
        if tag is not None and tag not in _TAGS:
            short = tag.removeprefix(_YAML)[:60]
            raise self._error(line, f"found tag {short!r}; tags that build objects are not allowed")

    def _error(self, line: int, reason: str) -> ScenarioError:
        return ScenarioError(f"{self._place(line)}: {reason}")


def _merge(frame: _Frame) -> None:
    """Fill in what `<<` brings; keys that are written win, then the first of several mappings."""
    if isinstance(frame.data, Block):
        for source in frame.merges:
            for key in source:
                if key not in frame.data:
                    frame.data[key] = source[key]
                    frame.data.lines[key] = source.lines[key]
