"""The test server and registry for tests of the store."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dcsim.datasets import Dataset, registry


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("datasets_server", Path(__file__).with_name("server.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    __import__("sys").modules["datasets_server"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def server() -> ModuleType:
    """The module `server.py`."""
    return _load()


@pytest.fixture
def pages(server: ModuleType) -> dict[str, Any]:
    """Pages of the test server by path; `small.csv` is one."""
    return {"small.csv": server.Page()}


@pytest.fixture
def base(server: ModuleType, pages: dict[str, Any]) -> Iterator[str]:
    """Address of the test server."""
    with server.serving(pages) as address:
        yield address


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Makes the given data sets the whole registry; the cache is `tmp_path/cache`, and nothing waits."""
    monkeypatch.setenv("DCSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("dcsim.datasets.download.time.sleep", lambda _: None)

    def use(*given: Dataset) -> None:
        monkeypatch.setattr(registry, "known", lambda: {one.name: one for one in given})

    return use
