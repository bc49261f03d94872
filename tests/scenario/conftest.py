"""A small scenario that is right, to be made wrong one place at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario import Scenario, load

GOOD = """\
name: small
duration: 1 h
sites:
  here: {place: sweden}
racks:
  gpu:
    site: here
    pools:
      h100: {nodes: 2, system: hgx-h100}
  cpu:
    site: here
    count: 2
    pools:
      edge:
        nodes: 3
        node:
          cores: 8
          memory: 16 GiB
          devices: {chip: {count: 2, power: {idle: 2 W, max: 8 W}}}
streams:
  chat:
    arrivals: {kind: poisson, rate: 2/s}
    runs_on: [h100]
    model: llama-3.1-8b
    sizes: {input_tokens: 1000, output_tokens: 200}
  kws:
    arrivals: {kind: poisson, rate: 20/s}
    runs_on: [edge]
    service: {distribution: lognormal, mean: 2 s, cv: 0.5}
    needs: {devices: 1, cores: 1}
outages:
  - {pool: edge, node: 5, start: 2 min, duration: 60 s}
"""

Changed = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DCSIM_DATA", raising=False)


@pytest.fixture
def good() -> str:
    """Text of a right scenario."""
    return GOOD


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """Writes the right scenario with pieces of its text replaced, and returns the file."""

    def write(*replacements: tuple[str, str]) -> Path:
        text = GOOD
        for old, new in replacements:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
            text = text.replace(old, new)
        path = tmp_path / "small.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def scenario(changed: Changed) -> Scenario:
    """The right scenario."""
    return load(changed())


@pytest.fixture
def complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Lines of the ScenarioError of loading a file, its folder left out."""
    monkeypatch.chdir(tmp_path)

    def lines(path: Path, overrides: dict[str, object] | None = None) -> list[str]:
        with pytest.raises(ScenarioError) as error:
            load(path.relative_to(tmp_path), overrides)
        return str(error.value).splitlines()

    return lines
