"""The folder that a run writes: claimed before the run starts, because hours later is too late to say no."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from dcsim.errors import DcsimError

#: What a run leaves in its folder, first the file by which it is known as a run's. An earlier run's are removed, lest
#: one of them is taken for this run's.
FILES = (
    "manifest.json",
    "scenario.yaml",
    "summary.json",
    "jobs.parquet",
    "attempts.parquet",
    "racks.parquet",
    "facility.parquet",
    "report.html",
)


@contextmanager
def claimed(folder: Path, files: Sequence[str] = FILES) -> Iterator[Path]:
    """`folder`, made and found writable. If it was made here and the run fails with it empty, it goes again.

    Raises DcsimError when it cannot be written, or holds something other than an earlier run's `files`.
    """
    made = _claim(folder, files)
    try:
        yield folder
    except BaseException:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise


def clear(folder: Path) -> None:
    """Remove what an earlier run left in `folder`."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)


def _claim(folder: Path, files: Sequence[str]) -> bool:
    """Make and check `folder`; whether it was not there before."""
    try:
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
        others = {path.name for path in folder.iterdir()} - set(files)
        is_run = (folder / files[0]).is_file()
    except FileExistsError:
        raise DcsimError(f"--out {folder}: found a file, want a folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DcsimError(f"--out {folder}: cannot write there: {reason}") from None
    if others and not is_run:
        raise DcsimError(f"--out {folder}: found a folder that holds something else, want a new one or a run's")
    return made
