"""`dcsim new`: a commented file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dcsim.errors import DcsimError

app = typer.Typer(help="Write a commented file to start from.")


_Out = Annotated[Path | None, typer.Option(metavar="FILE", help="File to write.", show_default="NAME.yaml")]


@app.command()
def scenario(name: Annotated[str, typer.Argument(help="Name of the scenario.")], out: _Out = None) -> None:
    """Write a commented scenario that runs as it is."""
    from dcsim.scenario import template

    path = _written(out or Path(f"{name}.yaml"), template(name))
    print(f"wrote {path}; run it with: dcsim run {path}")


@app.command()
def chip(name: Annotated[str, typer.Argument(help="Name of the chip.")], out: _Out = None) -> None:
    """Write a commented catalog file with a chip that runs as it is."""
    from importlib import resources

    from dcsim import catalog
    from dcsim.catalog import loader

    if not name.strip():
        raise DcsimError("name: found '', want a name of lower-case letters, digits, '-' and '.'")
    if name in catalog.load().names():
        raise DcsimError(f"name: '{name}' is in the catalog already; choose another")
    path = out or Path(f"{name}.yaml")
    template = resources.files("dcsim.cli").joinpath("chip_template.yaml").read_text(encoding="utf-8")
    text = template.replace("NAME", name).replace("FILE", str(path))
    for entry, raw in loader.parse("name", text).items():
        loader.check_entry("name", entry, raw)
    _written(path, text)
    print(f"wrote {path}; run a network on it with: dcsim chip run kws --chip {path}")


def _written(path: Path, text: str) -> Path:
    """Write `text` to a new file. Raises DcsimError where there is one already."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise DcsimError(f"{path}: is there already; choose another name or --out") from None
    except OSError as error:
        raise DcsimError(f"{path}: cannot be written: {error.strerror}") from None
    return path
