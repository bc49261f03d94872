"""Options that several commands share, and quantities written with their unit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dcsim import units
from dcsim.errors import DcsimError

CatalogFiles = Annotated[list[Path] | None, typer.Option("--catalog", metavar="FILE", help="Further catalog file.")]
FigureFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures, .png, .svg or .pdf.")]


def measure(option: str, text: str, dimension: str) -> float:
    """The quantity in the unit that dcsim uses inside; DcsimError that names the option."""
    try:
        return units.parse(text, dimension)
    except units.UnitError as error:
        raise DcsimError(f"{option}: {error}") from None


def from_0(option: str, text: str, dimension: str) -> float:
    """A quantity of 0 or more."""
    value = measure(option, text, dimension)
    if value < 0.0:
        raise DcsimError(f"{option}: found '{text[:40]}', want 0 or more")
    return value


def above_0(option: str, text: str, dimension: str) -> float:
    """A quantity above 0."""
    value = measure(option, text, dimension)
    if value <= 0.0:
        raise DcsimError(f"{option}: found '{text[:40]}', want more than 0")
    return value
