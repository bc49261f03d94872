"""Runs command lines in this process, in an empty folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from dcsim.cli import call
from dcsim.scenario import template


class Outcome(NamedTuple):
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture
def dcsim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Runs `dcsim` with the given arguments in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        code = call([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The template scenario, for one simulated minute."""
    path = tmp_path / "small.yaml"
    text = (
        template("small")
        .replace("duration: 10 min", "duration: 60 s")
        .replace("start: 2 min, duration: 1 min", "start: 20 s, duration: 10 s")
    )
    path.write_text(text, encoding="utf-8")
    return path
