"""A figure that a command writes: the name of its file, and the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dcsim.errors import DcsimError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FIGURES = (".pdf", ".png", ".svg")


def check(path: Path | None) -> None:
    """Refuse a file that cannot be a figure, before anything is computed."""
    if path is None:
        return
    if path.suffix.lower() not in _FIGURES:
        raise DcsimError(f"--figure {path}: want a name that ends in {', '.join(_FIGURES)}")
    if not path.absolute().parent.is_dir():
        raise DcsimError(f"--figure {path}: cannot be written: there is no folder {path.parent}")


def write(figure: Figure, path: Path, option: str = "--figure") -> None:
    """Write a figure, the same bytes each time. Raises DcsimError where it cannot be written."""
    import matplotlib as mpl

    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    try:
        with mpl.rc_context({"svg.hashsalt": "dcsim"}):
            figure.savefig(path, dpi=150, metadata=dates.get(path.suffix.lower()))
    except OSError as error:
        raise DcsimError(f"{option} {path}: cannot be written: {error.strerror or error}") from None
