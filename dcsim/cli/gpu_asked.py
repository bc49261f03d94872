"""What all commands of `dcsim gpu` have: the model, the GPU or its part, the batches; and how points are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from dcsim.cli import figure as figures
from dcsim.cli import output
from dcsim.cli.options import above_0, measure
from dcsim.errors import DcsimError, PlacementError

if TYPE_CHECKING:
    from dcsim.catalog import Catalog, Entry
    from dcsim.gpu.batching import Point as Loaded
    from dcsim.gpu.points import Point, Setting

_P = TypeVar("_P", bound="Point")

#: Command -> what its models do.
_TASKS = {
    "vision": "vision",
    "recommendation": "recommendation",
    "image-generation": "image-generation",
    "speech": "speech",
    "llm": "language",
}
_MOST_BATCHES, _LARGEST = 64, 10**12

Model = Annotated[str, typer.Option(help="Catalog model.")]
Gpu = Annotated[str, typer.Option(help="Catalog GPU.")]
Count = Annotated[int, typer.Option(min=1, help="GPUs that work together.")]
Batch = Annotated[str, typer.Option(metavar="NUMBERS", help="Requests or samples at a time: N, or N,N,... to compare.")]
Precision = Annotated[
    str | None, typer.Option(help="Number format of the weights.", show_default="the model's own, or 16 bits")
]
Clock = Annotated[str, typer.Option(metavar="SHARE", help="Share of the full clock, such as 0.7 or 70%.")]
Cap = Annotated[str | None, typer.Option(metavar="POWER", help='Power cap of one GPU, such as "400 W".')]
Slice = Annotated[
    str | None,
    typer.Option("--slice", metavar="PROFILE", help="Isolated slice of the GPU (MIG), such as 3g.40gb."),
]
Share = Annotated[
    str | None,
    typer.Option("--share", metavar="SHARE", help="Share of the GPU, such as 0.25; jobs alike hold the rest."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: an object, or a list for several batches.")]


class Asked(NamedTuple):
    """What every command has."""

    known: Catalog
    model: Entry
    gpu: Entry
    batches: list[int]
    setting: Setting


def asked(
    command: str,
    model: str,
    gpu: str,
    batch: str,
    clock: str,
    power_cap: str | None,
    catalog_files: list[Path] | None,
) -> Asked:
    """Read and check what is asked for."""
    from dcsim import catalog
    from dcsim.gpu.points import Setting

    batches = _batches(batch)
    cap_w = None if power_cap is None else above_0("--power-cap", power_cap, "power")
    setting = Setting(measure("--clock", clock, "ratio"), cap_w)
    known = catalog.load(catalog_files or [])
    entry = known.get(model, kind="model")
    _check_task(command, entry)
    return Asked(known, entry, known.get(gpu, kind="gpu"), batches, setting)


def on_part(found: Asked, slice_: str | None, share: str | None, count: int) -> Asked:
    """The same on a part of the GPU, if one is asked for."""
    if slice_ is None and share is None:
        return found
    from dcsim.gpu import sharing

    if slice_ is not None and share is not None:
        raise DcsimError("found both --slice and --share, want one of them")
    if count > 1:
        raise DcsimError(f"--count: found {count} with a part of a GPU, which works alone; want 1")
    if slice_ is not None:
        return found._replace(gpu=sharing.on_slice(found.gpu, slice_))
    return found._replace(gpu=sharing.beside_others(found.gpu, measure("--share", str(share), "ratio")))


def _batches(text: str) -> list[int]:
    """Whole numbers, each once, in the order given."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > _MOST_BATCHES:
        raise DcsimError(f"--batch: found {len(parts)} numbers, want at most {_MOST_BATCHES}")
    return list(dict.fromkeys(whole("--batch", part, ", or several with commas") for part in parts))


def whole(option: str, text: str, else_: str = "") -> int:
    """A whole number of at least 1, which may be written 4e6."""
    try:
        value = float(text)
    except ValueError:
        value = 0.5
    if not value.is_integer() or not 1.0 <= value <= _LARGEST:
        raise DcsimError(f"{option}: found '{text[:40]}', want a whole number, at least 1{else_}")
    return int(value)


def _check_task(command: str, model: Entry) -> None:
    """Refuse a model that another command is for, or that no GPU runs. A model of one's own may leave its task out."""
    forms = model.facts.get("forms", ["dense"])
    if not isinstance(forms, list) or "dense" not in forms:
        raise PlacementError(f"model '{model.name}' has no form that a GPU runs")
    if command == "training":
        return
    task = model.facts.get("task", _TASKS[command])
    if task != _TASKS[command]:
        others = [name for name, found in _TASKS.items() if found == task]
        hint = f"; dcsim gpu {others[0]} runs it" if others else ""
        raise PlacementError(f"model '{model.name}' is for {task}, not for {_TASKS[command]}{hint}")


# ---------------------------------------------------------------- what comes out


def show(kind: str, summaries: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print the points of a command."""
    if as_json:
        from dcsim.report.gpu_summary import document

        output.document(document(summaries))
        return
    from dcsim.report.gpu_table import point_table

    output.table(point_table(kind, summaries))


def each_of(sizes: Sequence[int], point: Callable[[int], _P]) -> list[_P]:
    """A point of each size that can be; the others are told on the error stream, and are an error if there is none."""
    found, refused = [], []
    for size in sizes:
        try:
            found.append(point(size))
        except PlacementError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    for left_out in refused:
        output.note(f"left out: {left_out}")
    return found


def draw(
    figure: Path | None,
    found: Sequence[_P],
    point: Callable[[int], _P],
    *,
    most: int,
    as_json: bool,
    loaded: Sequence[Loaded] = (),
) -> None:
    """Write the figures: the points, and curves over powers of two up to `most` and what fits the memory."""
    if figure is None:
        return
    from dcsim.report.gpu import page

    given = {one.batch: one for one in found}
    most = max(most, *given) if most else 0
    limit = min(most, found[0].largest_batch or most)
    others = [2**power for power in range(most.bit_length()) if 2**power <= limit and 2**power not in given]
    curve = sorted([*given.values(), *(point(size) for size in others)], key=lambda one: one.batch)
    figures.write(page(found, curve, loaded), figure)
    if not as_json:
        print(f"wrote {figure}")
