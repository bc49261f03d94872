"""Documents of a YAML or JSON file of Kubernetes objects, one by one, in bounded memory.

Every value is text, as it is written: nothing is made of tags, and a word such as `no` stays a word. A key that is
there twice, a merge key (`<<`), deep nesting and very many aliases are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dcsim.errors import TraceError
from dcsim.workload.traces._text import opened

#: Largest document; a list of all pods of a large cluster is one.
MAX_DOCUMENT_CHARS = 2**25

#: Most documents of a file.
MAX_DOCUMENTS = 1_000_000

#: Deepest nesting. The parser written in C has no bound of its own.
MAX_DEPTH = 50

#: Most aliases of a document.
MAX_ALIASES = 10_000

_Base: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class _Loader(_Base):  # type: ignore[misc]  # the base is C's or Python's, known only at run time
    """Text alone; a key that is there twice and a merge are refused."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            problem = "" if isinstance(key, yaml.ScalarNode) else "a key must be a word"
            if not problem and key.value in seen:
                problem = f"the key {key.value[:60]!r} is there twice"
            if not problem and key.value == "<<":
                problem = "a merge key (<<), which is not read"
            if problem:
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)  # type: ignore[no-any-return]  # as above


def documents(path: Path) -> Iterator[tuple[int, int, str]]:
    """Number from 1, first line and text of each document that is not empty. Raises TraceError."""
    number, first, size = 0, 1, 0
    lines: list[str] = []
    with opened(path, longest_line=4 * MAX_DOCUMENT_CHARS) as text:
        for line_number, line in enumerate(text, start=1):
            starts = line.startswith("---") and line[3:4] in ("", " ", "\t", "\n")
            if starts or (line.startswith("...") and not line[3:].strip()):
                if _filled(lines):
                    number += 1
                    yield number, first, "".join(lines)
                lines, size, first = ["   " + line[3:] if starts else "\n"], 0, line_number
                continue
            lines.append(line)
            size += len(line)
            if size > MAX_DOCUMENT_CHARS:
                raise TraceError(f"{path}, line {first}: a document of more than {MAX_DOCUMENT_CHARS} characters")
            if number >= MAX_DOCUMENTS:
                raise TraceError(f"{path}: more than {MAX_DOCUMENTS} documents; at most that many are read")
    if _filled(lines):
        yield number + 1, first, "".join(lines)


def parsed(text: str, first_line: int) -> Any:
    """Data of one document: dicts, lists and text. Raises ValueError, with what is wrong and the line of the file."""
    try:
        _check_events(text)
        return yaml.load(text, Loader=_Loader)  # of the class above, which makes nothing but text
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" (line {first_line + mark.line})" if mark else ""
        raise ValueError(f"{error.problem or 'not YAML'}{line}") from None
    except yaml.YAMLError as error:
        raise ValueError(
            f"not YAML: {getattr(error, 'reason', None) or 'characters that YAML does not allow'}"
        ) from None


def _check_events(text: str) -> None:
    depth = aliases = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        if aliases > MAX_ALIASES:
            raise ValueError(f"more than {MAX_ALIASES} aliases")


def _filled(lines: list[str]) -> bool:
    """Whether there is more than blanks, comments and directives."""
    return any((words := line.strip()) and words[0] not in "#%" for line in lines)
