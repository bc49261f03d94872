"""What is wrong with a scenario, in lines such as `pilot.yaml:12: streams.chat.rate: found ..., want ...`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError

from dcsim.errors import ScenarioError, nearest
from dcsim.scenario import shape
from dcsim.scenario.reader import line_of
from dcsim.units import shown

_MOST_LINES = 50


class Problem(NamedTuple):
    """One thing wrong at one key path. Problems of lower rank are the more basic ones and are told first."""

    path: shape.Path
    reason: str
    rank: int = 2


class Source(NamedTuple):
    """Where the data of a scenario came from, to say so in messages."""

    name: str
    """Name of the file, as the user gave it."""
    data: Any
    overridden: tuple[shape.Path, ...] = ()
    """Paths that an override has set."""

    def is_overridden(self, path: shape.Path) -> bool:
        """Whether an override wrote what stands at `path`."""
        return any(path[: len(own)] == own for own in self.overridden)

    def tell(self, problem: Problem) -> str:
        """One line: file and line, or --set; key path; reason."""
        key = shape.dotted(problem.path)
        if self.is_overridden(problem.path):
            return f"--set {key}: {problem.reason}"
        line = line_of(self.data, problem.path)
        return ": ".join(part for part in (f"{self.name}:{line}" if line else self.name, key, problem.reason) if part)

    def error(self, problems: Iterable[Problem]) -> ScenarioError:
        """All problems, the most basic first, then in the order of the file."""
        ordered = sorted(problems, key=lambda problem: (problem.rank, line_of(self.data, problem.path) or 0))
        lines = [self.tell(problem) for problem in ordered]
        if len(lines) > _MOST_LINES:
            lines[_MOST_LINES:] = [f"{self.name}: and {len(lines) - _MOST_LINES} more"]
        return ScenarioError("\n".join(lines))


def explain(error: ValidationError, data: Any) -> list[Problem]:
    """Problems behind a pydantic error about `data`."""
    found = [_problem(detail, data) for detail in error.errors(include_url=False)]
    unknown: dict[shape.Path, list[str]] = defaultdict(list)
    for problem in found:
        if problem.rank == 0:
            unknown[problem.path[:-1]].append(str(problem.path[-1]))
    return [problem for problem in found if not _is_misspelt(problem, unknown.get(problem.path, ()))]


def value_at(data: Any, path: Sequence[shape.Step]) -> Any:
    """What stands at `path`, or None."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, (list, tuple)) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def _is_misspelt(problem: Problem, beside: Sequence[str]) -> bool:
    """Whether the key that is missing stands there with a typing error, which is told already."""
    key = problem.reason.removeprefix("missing key '").removesuffix("'")
    return problem.rank == 1 and bool(get_close_matches(key, beside, n=1))


def _problem(detail: Any, data: Any) -> Problem:
    path, sort, context = _path(detail), str(detail["type"]), detail.get("ctx", {})
    value = path[-1] if detail["loc"][-1:] == ("[key]",) else value_at(data, path)
    if sort == "extra_forbidden":
        return _unknown_key(path, data)
    if sort == "missing":
        return Problem(path[:-1], f"missing key '{path[-1]}'", 1)
    if sort.startswith("union_tag") and isinstance(value, Mapping):
        return _wrong_kind(path, context)
    if sort == "value_error":
        return Problem(path, str(context["error"]))
    if sort == "literal_error":
        return Problem(path, f"found {shown(value)}{nearest(str(value), _quoted(context['expected']))}")
    return Problem(path, f"found {_found(value, sort)}, want {_want(sort, context, path, detail)}")


def _unknown_key(path: shape.Path, data: Any) -> Problem:
    parent = value_at(data, path[:-1])
    known = shape.keys(shape.at(path[:-1]), parent)
    return Problem(path, f"unknown key '{_short(path[-1])}'{nearest(str(path[-1]), known)}", 0)


def _wrong_kind(path: shape.Path, context: Mapping[str, Any]) -> Problem:
    """No `kind`, or one that no branch of the union has."""
    if "tag" not in context:
        return Problem(path, f"missing key 'kind'; allowed: {', '.join(_kinds(path))}", 1)
    hint = nearest(str(context["tag"]), _quoted(context["expected_tags"]))
    return Problem((*path, "kind"), f"unknown kind '{_short(context['tag'])}'{hint}")


def _kinds(path: shape.Path) -> list[str]:
    """Values of the key `kind` that tells apart what may stand at `path`."""
    return sorted({tag for kind in shape.at(path) for tag in shape.tags(kind)})


def _path(detail: Any) -> shape.Path:
    """Where pydantic found the error, without the names that it gives to the branches of unions."""
    unknown = detail["loc"][-1:] if detail["type"] == "extra_forbidden" else ()
    path: list[shape.Step] = []
    kinds = shape.at(())
    for step in detail["loc"][: len(detail["loc"]) - len(unknown)]:
        deeper = list(shape.below(kinds, step))
        if deeper:
            path.append(step)
            kinds = deeper
    return (*path, *unknown)


def _found(value: Any, sort: str) -> str:
    if sort in ("too_short", "too_long"):
        return f"{len(value)} of them" if value else "none"
    return shown(value)


_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
    "too_short": ("at least", "min_length"),
    "too_long": ("at most", "max_length"),
}
_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "string": "a text",
    "list": "a list",
    "dict": "a mapping",
}


def _want(sort: str, context: Mapping[str, Any], path: shape.Path, detail: Any) -> str:
    if sort in _BOUNDS:
        words, key = _BOUNDS[sort]
        return f"{words} {context[key]:g}" if context[key] < 1e6 else f"{words} {context[key]:,}"
    if sort == "string_pattern_mismatch":
        return "a name of letters, digits, '.', '_' and '-' (64 at most) that begins with a letter or digit"
    if sort.startswith(("model", "union_tag")) and len(kinds := _kinds(path)) > 1:
        return f"a mapping with a key 'kind': {', '.join(kinds)}"
    if sort.startswith(("model", "union_tag")):
        return f"a mapping with keys {', '.join(sorted(shape.keys(shape.at(path))))}"
    return _WANTED.get(sort.split("_", maxsplit=1)[0]) or str(detail["msg"])


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)


def _short(text: object) -> str:
    return str(text) if len(str(text)) <= 60 else str(text)[:57] + "..."
