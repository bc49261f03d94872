"""The registry names its sources: addresses over https, checksums and how they are known, licences."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dcsim import datasets
from dcsim.datasets.registry import KINDS
from dcsim.workload.traces import formats

SETS = datasets.known()
SOURCES = (Path(__file__).parents[2] / "DATA_SOURCES.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SETS)
def test_every_entry_is_sound(name):
    entry = SETS[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert entry.kind in KINDS
    address = urlsplit(entry.url)
    assert address.scheme == "https"
    assert not address.query
    assert not address.username
    assert all(re.fullmatch(r"[A-Za-z0-9][\w.-]*", file) for file in (entry.file, entry.download))
    assert (entry.archive is None) == (entry.member is None)
    assert entry.title
    assert entry.licence
    assert entry.cite
    assert entry.bytes is None or entry.about_bytes is None


@pytest.mark.parametrize("name", SETS)
def test_a_checksum_says_how_it_is_known(name):
    entry = SETS[name]
    assert (entry.sha256 is None) == (entry.checksum_from is None)
    if entry.sha256 is not None:
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert set(entry.checksum_from.split(" and ")) <= {"publisher", "copy", "several"}


@pytest.mark.parametrize("name", [name for name in SETS if SETS[name].format])
def test_the_format_is_a_reader_of_such_files(name):
    functions = ("machines",) if SETS[name].kind == "nodes" else ("read", "items")
    assert any(SETS[name].format in formats(function) for function in functions)


def test_no_two_sets_share_a_file_unless_it_is_one_archive():
    files = [entry.file for entry in SETS.values()]
    assert len(set(files)) == len(files)
    archives = {}
    for entry in SETS.values():
        if entry.archive:
            assert archives.setdefault(entry.archive, entry.url) == entry.url
    assert not set(archives) & set(files)


@pytest.mark.parametrize("name", SETS)
def test_the_page_of_sources_credits_it(name):
    entry = SETS[name]
    rows = [line for line in SOURCES.splitlines() if f"`{name}`" in line]
    assert len(rows) == 1
    assert entry.cite.partition(": https://")[0] in rows[0]
    assert entry.licence in rows[0].rsplit(" | ", 1)[1]


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(datasets.DatasetError, match=r"^unknown data set 'philli'; did you mean 'philly'\?$"):
        datasets.find("philli")
