"""Runs the examples of the documentation. `python tests/docs/examples.py` (`make golden`) writes their outputs afresh.

    ```... title="NAME"       is written to the file NAME, whatever its language
    ```python                 is run, all of a page in one namespace
    ```text                   right after it is what it printed
    ```console                holds commands `$ dcsim ...` and what they print

A page's examples run in an empty folder beside a copy of `scenarios/`. Commands of other programs are not run.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dcsim.cli import call

os.environ.setdefault("MPLBACKEND", "agg")

ROOT = Path(__file__).parents[2]
NAMES = {
    "README.md", "tutorial.md", "energy.md", "gpu.md", "serving.md", "python.md", "catalog.md", "chip.md", "one_job.md",
}  # fmt: skip
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if path.name in NAMES or path.parent.name == "howto"
)

_FENCE = re.compile(r"^```(?P<language>\w+)(?P<options>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ dcsim (?P<arguments>[^\n]*)\n(?P<output>(?:(?!\$ )[^\n]*\n)*)", re.MULTILINE)


def with_outputs(text: str) -> str:
    """The page with what its examples print now. Whatever an example raises comes through."""
    return "".join(_pieces(text, {"__name__": "__main__"}))


def _pieces(text: str, names: dict[str, Any]) -> Iterator[str]:
    place, printed = 0, None
    for fence in _FENCE.finditer(text):
        between = text[place : fence.start()]
        language, body = fence["language"], fence["body"]
        title = re.search(r'title="([^"/]+)"', fence["options"])
        if title:
            Path(title[1]).write_text(body, encoding="utf-8")
        if language == "text" and printed is not None and not between.strip():
            body = printed
        printed = None
        if language == "python" and "no-run" not in fence["options"]:
            printed = _printed_by(body, names)
        elif language == "console":
            body = _COMMAND.sub(_rerun, body)
        yield f"{between}```{language}{fence['options']}\n{body}```"
        place = fence.end()
    yield text[place:]


def _printed_by(code: str, names: dict[str, Any]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "example", "exec"), names)
    return _trimmed(out.getvalue())


def _rerun(found: re.Match[str]) -> str:
    """A command and its output; an output that is not shown, or ends in `...`, stays so."""
    out, shown = io.StringIO(), found["output"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = call(shlex.split(found["arguments"], comments=True))
    output = _trimmed(out.getvalue())
    if code and not output.startswith("error: "):
        raise AssertionError(f"dcsim {found['arguments']}: exit {code}\n{output}")
    lines = shown.splitlines(keepends=True)
    if not shown.strip():
        output = shown
    elif lines[-1].strip() == "...":
        output = "".join([*output.splitlines(keepends=True)[: len(lines) - 1], lines[-1]])
    return f"$ dcsim {found['arguments']}\n{output}"


def _trimmed(text: str) -> str:
    """Without blanks at the ends of lines and without blank lines at the end."""
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip("\n") + "\n" if text.strip() else ""


def rerun(page: str) -> tuple[str, str]:
    """The page as it stands and with its outputs made anew, in a folder of its own."""
    text = (ROOT / page).read_text(encoding="utf-8")
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "scenarios", Path(folder) / "scenarios")
        os.chdir(folder)
        try:
            return text, with_outputs(text)
        finally:
            os.chdir(before)


def main() -> None:
    """Write all pages."""
    for page in PAGES:
        text, new = rerun(page)
        if new != text:
            (ROOT / page).write_text(new, encoding="utf-8")
            print(page)


if __name__ == "__main__":
    main()
