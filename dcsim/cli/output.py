"""What commands print: tables and lines for people, one JSON document for programs, errors to stderr."""

from __future__ import annotations

import json
import sys
from typing import Any


def error(text: str) -> None:
    """Each line of `text` to stderr as `error: ...`."""
    for line in text.splitlines():
        print(f"error: {_plain(line)}", file=sys.stderr)


def note(text: str) -> None:
    """A line for people beside the result, to stderr."""
    print(_plain(text), file=sys.stderr)


def document(content: Any) -> None:
    """`content` as one JSON document on stdout. NaN has no place in JSON and is refused."""
    print(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False))


def table(renderable: Any) -> None:
    """A rich table on stdout: as wide as the terminal; without one 120 columns, and no blanks at the end of lines."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console(highlight=False).print(renderable)
        return
    console = Console(width=120, highlight=False)
    with console.capture() as captured:
        console.print(renderable)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _plain(text: str) -> str:
    """`text` without control characters: names in it may come from a stranger's file."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
