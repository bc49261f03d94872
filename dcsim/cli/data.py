"""`dcsim data`: public traces, weather and grid files, downloaded into the user's cache and checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcsim.cli import output

if TYPE_CHECKING:
    from dcsim.datasets import Dataset, Got
    from dcsim.datasets.download import Progress

app = typer.Typer(help="Public traces, weather and grid files, downloaded and checked.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_sets(as_json: _Json = False) -> None:
    """List the data sets: what each is, its reader, its licence, and whether it is in the cache."""
    from dcsim import datasets

    here = {name: datasets.presence(dataset) for name, dataset in datasets.known().items()}
    if as_json:
        output.document([_document(dataset, here[name]) for name, dataset in datasets.known().items()])
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None)
    for column in ("name", "what", "rows", "size", "format", "licence", "checksum", "here"):
        right = column in ("rows", "size")
        table.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=column != "what")
    for name, dataset in datasets.known().items():
        table.add_row(*map(escape, (name, *_cells(dataset), here[name])))
    output.table(table)
    print("checksum recorded at first download: later uses are compared with it (in the table: at first)")
    print(f"cache: {datasets.cache_folder()}")


@app.command("get")
def get_sets(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Data sets to get.", show_default=False)],
    folder: Annotated[Path | None, typer.Option("--dir", help="Folder for the files, instead of the cache.")] = None,
    as_json: _Json = False,
) -> int:
    """Download data sets that are not there yet, check them, and print the paths of their files.

    A download that was cut off goes on where it ended.
    """
    from dcsim import datasets

    for name in names:
        datasets.find(name)
    got: list[Got] = []
    failed = False
    for name in dict.fromkeys(names):
        try:
            with _progress(name) as progress:
                got.append(datasets.get(name, folder, progress=progress))
        except datasets.DownloadError as error:
            output.error(str(error))
            failed = True
        else:
            if not as_json:
                print(got[-1].path)
    if as_json:
        output.document([_got(one) for one in got])
    return int(failed)


def _cells(dataset: Dataset) -> tuple[str, ...]:
    from dcsim.units import in_words

    size = dataset.size_bytes
    return (
        dataset.title,
        f"{dataset.rows:,}" if dataset.rows is not None else "",
        in_words(size, "B") if size is not None else "",
        dataset.format or "",
        dataset.licence,
        "known" if dataset.sha256 else "at first",
    )


def _document(dataset: Dataset, here: str) -> dict[str, Any]:
    from dataclasses import asdict

    content = {key: value for key, value in asdict(dataset).items() if value is not None}
    checksum = "known" if dataset.sha256 else "recorded at first download"
    return content | {"checksum": checksum, "here": here}


def _got(one: Got) -> dict[str, Any]:
    return {"name": one.name, "path": str(one.path), "sha256": one.sha256, "downloaded": one.downloaded}


@contextmanager
def _progress(name: str) -> Iterator[Progress | None]:
    """A callback that moves a line on stderr; None where nobody would see it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Line

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Line(*columns, console=Console(stderr=True), transient=True) as line:
        task = line.add_task(escape(name), total=None)

        def tick(have: int, total: int | None) -> None:
            line.update(task, completed=have, total=total)

        yield tick
