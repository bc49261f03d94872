"""Every Python example and every `dcsim` command of the documentation runs and prints what the page shows."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


examples = _module(ROOT / "tests" / "docs" / "examples.py")
reference = _module(ROOT / "docs" / "scripts" / "reference.py")


@pytest.mark.parametrize("page", examples.PAGES)
def test_examples_run_and_print_what_is_shown(page: str) -> None:
    shown, found = (text.split() for text in examples.rerun(page))
    differing = [pair for pair in zip(shown, found, strict=False) if not _alike(*pair)]
    assert not differing, "`make golden` writes the outputs afresh; look at the diff"
    assert len(shown) == len(found)


def _alike(shown: str, found: str) -> bool:
    """The same word; of numbers only their last digit may differ, because another numpy or pandas may round it."""
    try:
        return shown == found or float(found.replace(",", "")) == pytest.approx(float(shown.replace(",", "")), rel=0.01)
    except ValueError:
        return False


def test_the_readme_has_an_example_of_at_most_ten_lines() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    assert 0 < len(code.strip().splitlines()) <= 10


def test_the_runner_of_examples_sees_a_wrong_output() -> None:
    page = "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n"
    assert examples.with_outputs(page) == page.replace("3", "2")


def test_reference_pages_are_up_to_date() -> None:
    pages = reference.pages()
    assert {page.name for page in pages} == {"cli.md", "output.md", "scenario.md", "units.md"}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert reference.filled(text) == text, "`make schema` writes the reference pages afresh"
