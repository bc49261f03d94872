"""Shared by the tests of validation."""

from dataclasses import replace

import pytest

from dcsim.validation import areas


@pytest.fixture
def files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No built-in cases: only what a test writes counts."""
    for name, area in areas.AREAS.items():
        monkeypatch.setitem(areas.AREAS, name, replace(area, builtin=tuple))
