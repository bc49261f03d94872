"""`dcsim new`: a commented file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dcsim.errors import DcsimError

app = typer.Typer(help="Write a commented file to start from.")


@app.callback()
def _group() -> None:
    """Keeps `scenario` a word of its own while it is the only one."""


@app.command()
def scenario(
    name: Annotated[str, typer.Argument(help="Name of the scenario.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="File to write.", show_default="NAME.yaml")] = None,
) -> None:
    """Write a commented scenario that runs as it is."""
    from dcsim.scenario import template

    text = template(name)
    path = out or Path(f"{name}.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise DcsimError(f"{path}: is there already; choose another name or --out") from None
    except OSError as error:
        raise DcsimError(f"{path}: cannot be written: {error.strerror}") from None
    print(f"wrote {path}; run it with: dcsim run {path}")
