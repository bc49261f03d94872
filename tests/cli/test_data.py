"""`dcsim data`: paths on stdout, one line on stderr for what goes wrong, 1 for the network and 2 for a wrong name."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from dcsim import datasets


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[path.stem] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


server = _module(Path(__file__).parents[1] / "datasets" / "server.py")


@pytest.fixture
def pages(monkeypatch, tmp_path):
    """Pages of a test server that stands for the publishers; the registry is `small` and `other`."""
    shown = {"small.csv": server.Page(), "other.csv": server.Page()}
    sets = {
        "small": server.dataset(rows=3, bytes=len(server.CONTENT), format="csv"),
        "other": server.dataset("other", sha256=None, checksum_from=None),
    }
    monkeypatch.setenv("DCSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("dcsim.datasets.known", lambda: sets)
    monkeypatch.setattr("dcsim.datasets.registry.known", lambda: sets)
    monkeypatch.setattr("dcsim.datasets.download.time.sleep", lambda _: None)
    with server.serving(shown) as base:
        monkeypatch.setattr("dcsim.datasets.get", partial(datasets.get, base=base))
        yield shown


def test_list_tells_what_there_is(dcsim, tmp_path, monkeypatch):
    monkeypatch.setenv("DCSIM_CACHE", str(tmp_path / "cache"))
    table, document = dcsim("data", "list"), dcsim("data", "list", "--json")
    assert (table.code, document.code, document.err) == (0, 0, "")
    rows = {row["name"]: row for row in json.loads(document.out)}
    assert all(name in table.out for name in rows)
    philly, acme = rows["philly"], rows["acme-kalos"]
    assert philly["url"].startswith("https://")
    assert (philly["rows"], philly["licence"], philly["checksum"], philly["here"]) == (
        117325,
        "CC-BY-4.0",
        "known",
        "no",
    )
    assert acme["checksum"] == "recorded at first download"
    assert "sha256" not in acme
    assert "checksum recorded at first download" in table.out
    assert not (tmp_path / "cache").exists()


def test_list_tells_what_is_in_the_cache(dcsim, pages, tmp_path):
    pages["other.csv"].cuts = [200_000, 0]
    dcsim("data", "get", "small", "other")
    rows = json.loads(dcsim("data", "list", "--json").out)
    assert [(row["name"], row["here"]) for row in rows] == [("small", "yes"), ("other", "part")]
    lines = [line.split() for line in dcsim("data", "list").out.splitlines()]
    assert lines[1] == ["small", "Small", "3", "384", "kB", "csv", "CC0-1.0", "known", "yes"]
    assert lines[-1] == ["cache:", str(tmp_path / "cache")]


def test_get_prints_the_paths(dcsim, pages, tmp_path):
    cache = tmp_path / "cache"
    assert dcsim("data", "get", "small", "other", "small") == (0, f"{cache / 'small.csv'}\n{cache / 'other.csv'}\n", "")
    assert (cache / "small.csv").read_bytes() == server.CONTENT
    assert dcsim("data", "get", "small") == (0, f"{cache / 'small.csv'}\n", "")
    assert len(pages["small.csv"].asked) == 1


@pytest.mark.usefixtures("pages")
def test_get_as_json_into_a_folder(dcsim, tmp_path):
    outcome = dcsim("data", "get", "small", "--dir", "here", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    path, digest = str(tmp_path / "here" / "small.csv"), hashlib.sha256(server.CONTENT).hexdigest()
    assert json.loads(outcome.out) == [{"name": "small", "path": path, "sha256": digest, "downloaded": True}]


def test_an_unknown_name_is_2_and_gets_nothing(dcsim, pages):
    line = "error: unknown data set 'othr'; did you mean 'other'?\n"
    assert dcsim("data", "get", "small", "othr") == (2, "", line)
    assert pages["small.csv"].asked == []


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_what_fails_is_one_line_and_1_and_the_others_come(dcsim, pages, tmp_path, flags):
    pages["small.csv"].status = 404
    outcome = dcsim("data", "get", "small", "other", *flags)
    assert outcome.code == 1
    assert outcome.err.startswith("error: small: HTTP 404 Not Found (by hand: download http://127.0.0.1:")
    assert outcome.err.endswith(f" and put it at {tmp_path / 'cache' / 'small.csv'})\n")
    assert outcome.err.count("\n") == 1
    path = str(tmp_path / "cache" / "other.csv")
    assert ([one["path"] for one in json.loads(outcome.out)] if flags else outcome.out.split()) == [path]


@pytest.mark.usefixtures("pages")
def test_no_network(dcsim, monkeypatch):
    monkeypatch.setattr("dcsim.datasets.get", partial(datasets.get, base="http://127.0.0.1:1"))
    outcome = dcsim("data", "get", "small")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: small: no connection to 127.0.0.1:1 (by hand: ")


@pytest.mark.usefixtures("pages")
def test_a_folder_that_cannot_be_written(dcsim, tmp_path):
    (tmp_path / "file").write_text("in the way")
    outcome = dcsim("data", "get", "small", "--dir", "file")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"error: small: cannot write {tmp_path / 'file'}: File exists\n"


@pytest.mark.usefixtures("pages")
def test_a_terminal_sees_the_progress(dcsim, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    outcome = dcsim("data", "get", "small")
    assert outcome.code == 0
    assert outcome.out.count("\n") == 1
    assert "small" in outcome.err
