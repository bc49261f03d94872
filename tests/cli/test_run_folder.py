"""The folder that a run writes is claimed before the run."""

from __future__ import annotations

import pytest

from dcsim.cli.folder import claimed, clear
from dcsim.errors import DcsimError


def test_a_new_folder_is_made(tmp_path):
    with claimed(tmp_path / "a" / "b") as folder:
        (folder / "summary.json").touch()
    assert (tmp_path / "a" / "b" / "summary.json").is_file()


def test_an_empty_folder_that_was_made_goes_when_the_run_fails(tmp_path):
    (tmp_path / "old").mkdir()
    for name in ("new", "old"):
        with pytest.raises(ValueError, match="no"), claimed(tmp_path / name):
            raise ValueError("no")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_an_earlier_run_is_cleared_and_nothing_else(tmp_path):
    for name in ("manifest.json", "jobs.parquet", "report.html", "notes.txt"):
        (tmp_path / name).touch()
    with claimed(tmp_path) as folder:
        clear(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(DcsimError, match="found a folder that holds something else"), claimed(tmp_path):
        pass


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DcsimError, match="found a file, want a folder"), claimed(tmp_path / "file"):
        pass


@pytest.mark.parametrize("name", ["file/below", "x" * 5000, "a\0b"])
def test_what_cannot_be_written_is_refused(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(DcsimError, match="cannot write there"), claimed(tmp_path / name):
        pass
