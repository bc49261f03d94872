"""Values that replace those of the file: `streams.chat.arrivals.rate=30/s`, `outages.0.start=2 h`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dcsim.errors import ScenarioError, nearest
from dcsim.scenario import reader, shape
from dcsim.scenario.reader import Block
from dcsim.units import shown


def parse_setting(text: str) -> tuple[str, Any]:
    """`path=value` of the command line as path and value, a YAML scalar or flow such as `{a: 1}`."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise ScenarioError(f"--set {text[:60]!r}: want path=value, such as streams.chat.arrivals.rate=20/s")
    return path.strip(), reader.parse(value, f"--set {path.strip()}", numbered=False)


def apply(data: Mapping[str, Any], overrides: Mapping[str, Any]) -> tuple[Block, tuple[shape.Path, ...]]:
    """Copy of `data` with every override in it, and the paths that they set.

    Raises ScenarioError, one line per override, where a path does not exist and the models know no such key.
    """
    paths: list[shape.Path] = []
    wrong: list[str] = []
    block = _mapping(data, ())
    for text, value in overrides.items():
        try:
            changed, path = _put(block, shape.at(()), text.split("."), value, ())
        except ScenarioError as error:
            wrong.append(f"--set {text}: {error}")
        else:
            block = changed
            paths.append(path)
    if wrong:
        raise ScenarioError("\n".join(wrong))
    return block, tuple(paths)


def replace(data: Any, path: shape.Path, value: Any) -> Any:
    """Copy of `data` with `value` at `path`, which is there; only containers on the way are copied."""
    step, *rest = path
    twin = data.copy()
    twin[step] = replace(data[step], tuple(rest), value) if rest else value
    return twin


def _put(data: Any, kinds: Sequence[Any], parts: Sequence[str], value: Any, done: shape.Path) -> tuple[Any, shape.Path]:
    """Copy of `data` with `value` at `parts`, and the whole path; only containers on the way are copied."""
    if not parts:
        return value, done
    twin: Any
    step: shape.Step
    if isinstance(data, list):
        twin, step, rest = data.copy(), _position(parts[0], data, done), parts[1:]
        old = data[step]
    else:
        twin = _mapping(data, done)
        step, rest = _key(twin, kinds, parts, value, done)
        old = twin.get(step)
    twin[step], path = _put(old, list(shape.below(kinds, step)), rest, value, (*done, step))
    return twin, path


def _mapping(data: Any, done: shape.Path) -> Block:
    if data is None:
        return Block()
    if not isinstance(data, Mapping):
        raise ScenarioError(f"{shape.dotted(done)} is {shown(data)}, which has no keys")
    twin = data.copy() if isinstance(data, Block) else Block()
    twin.update(data)
    return twin


def _position(part: str, items: Sequence[Any], done: shape.Path) -> int:
    if part.isascii() and part.isdigit() and len(part) < 9 and int(part) < len(items):
        return int(part)
    have = f"items 0 to {len(items) - 1}" if items else "no items"
    raise ScenarioError(f"{shape.dotted(done)} has {have}, found {part!r}")


def _key(
    block: Block, kinds: Sequence[Any], parts: Sequence[str], value: Any, done: shape.Path
) -> tuple[str, Sequence[str]]:
    """The key that `parts` begins with, and the parts after it. Names may hold dots: the longest wins."""
    for count in range(len(parts), 0, -1):
        key = ".".join(parts[:count])
        if key in block:
            return key, parts[count:]
    known = shape.keys(kinds, block)
    if parts[0] in known or parts[0] in shape.keys(kinds):
        return parts[0], parts[1:]
    if not shape.takes_any_name(kinds):
        raise ScenarioError(f"{_under(done)}unknown key '{parts[0]}'{nearest(parts[0], known)}")
    if isinstance(value, Mapping) and len(parts) == 1:
        return parts[0], ()
    raise ScenarioError(f"{_under(done)}no '{parts[0]}'{nearest(parts[0], block)}")


def _under(done: shape.Path) -> str:
    return f"{shape.dotted(done)}: " if done else ""
