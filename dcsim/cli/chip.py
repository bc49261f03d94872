"""`dcsim chip`: one spiking network on one neuromorphic chip."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from dcsim import units
from dcsim.cli import output
from dcsim.cli.folder import claimed
from dcsim.errors import DcsimError

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure

    from dcsim.catalog import Catalog, Entry
    from dcsim.chip import ChipRun, ChipSpec, Placement, SpikingNetwork

app = typer.Typer(help="One spiking network on one neuromorphic chip.")

#: What `--out` leaves in its folder; the first says that an earlier run wrote it.
FILES = ("run.json", "energy.png", "steps.png", "mesh.png")

#: Inferences that are drawn unless told otherwise: enough to see how much they differ.
SAMPLES = 16

_FIGURES = (".pdf", ".png", ".svg")


@app.callback()
def _group() -> None:
    """Keeps `run` a word of its own while it is the only one."""


@app.command("run")
def run(
    network: Annotated[str, typer.Argument(help="Catalog model, or a .nir, .yaml or .npz file.")],
    chip: Annotated[str, typer.Option(help="Catalog chip, or a .yaml file with one.")],
    rate: Annotated[
        str | None,
        typer.Option(metavar="RATES", help="Spikes per neuron and step, 0 to 1: R, or R,R,... by layer."),
    ] = None,
    spikes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Raster of the inputs or of all neurons, .npz or .npy.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of an inference, instead of the network's.")] = None,
    timing: Annotated[
        str, typer.Option(help="barrier, or message: each message in the mesh; needs --spikes.")
    ] = "barrier",
    samples: Annotated[
        int | None, typer.Option(min=1, help="Inferences drawn at the rates.", show_default=str(SAMPLES))
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is drawn.")] = 1,
    order: Annotated[
        str | None,
        typer.Option(help="Cores in order of layers, or by communication.", show_default="the file's, or layers"),
    ] = None,
    cores: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Least cores of each layer, N,N,..., input first.")
    ] = None,
    dt: Annotated[str | None, typer.Option(metavar="TIME", help="Time step of a .nir file, such as 0.1ms.")] = None,
    reset: Annotated[str | None, typer.Option(help="Reset of a .nir file: value, subtract or subtract-now.")] = None,
    at_threshold: Annotated[
        bool, typer.Option("--at-threshold", help="Neurons of a .nir file fire at v >= threshold.")
    ] = False,
    updates: Annotated[
        str | None,
        typer.Option(help="Neurons updated in a step: all, or fired.", show_default="what their dynamics say, or all"),
    ] = None,
    form: Annotated[
        str | None, typer.Option(help="spiking or dense.", show_default="spiking where the chip can")
    ] = None,
    values: Annotated[bool, typer.Option("--values", help="Inputs send numbers in every step, not spikes.")] = False,
    real_time: Annotated[
        bool, typer.Option("--real-time", help="Steps of a fixed length, if the chip has both.")
    ] = False,
    in_turn: Annotated[
        bool, typer.Option("--in-turn", help="Parts of the network one after another on one analogue chip.")
    ] = False,
    learning: Annotated[float, typer.Option(help="Share of synaptic operations that change their synapse.")] = 0.0,
    board: Annotated[
        str | None, typer.Option(metavar="SYSTEM", help="Catalog system whose idle power is shared out.")
    ] = None,
    catalog_files: Annotated[
        list[Path] | None, typer.Option("--catalog", metavar="FILE", help="Further catalog file.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures, .png, .svg or .pdf.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write run.json and each figure here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> None:
    """Latency and energy of one inference, split by cause, and what bounds it."""
    from dcsim.chip import ChipSpec, execute
    from dcsim.chip.outcome import Board
    from dcsim.report.chip_summary import summary

    activity = _Activity(rate, spikes, steps, samples, seed)
    _check(activity, figure)
    reading = _reading(network, dt, reset, at_threshold=at_threshold)
    with _folder(out) as folder:
        known, entry = _chip(chip, catalog_files or [])
        spec = ChipSpec.of(entry)
        form = form or _form(network, known, spec)
        source, placement = _loaded(network, known, reading)
        loaded = _driven_at(source, activity, form)
        seat = None if board is None else Board.of(known.get(board, kind="system"), known, spec.name)
        options: dict[str, Any] = {  # what is wrong with them, `execute` says
            "form": form,
            "timing": timing,
            "updates": updates,
            "values": values,
            "real_time": real_time,
            "in_turn": in_turn,
            "learning": learning,
            "board": seat,
        }
        with _working(f"{loaded.name} on {spec.name}"):
            if placement is None or order is not None or cores is not None:
                model = known.get(network) if network in known.names("model") else None
                placement = _placed(loaded, spec, activity, order or "layers", _cores(cores, loaded, model, spec))
            result = execute(loaded, placement, spec, **options, **_events(activity, loaded))
        if not result.latency_s.any():  # a comparison of energies may do without, an answer to a user not
            raise DcsimError(f"chip {spec.name}: the catalog has no time per event or step")
        by = "values" if form == "dense" else "rates" if spikes is None else "spikes"
        found = summary(result, loaded, grades=known.grades_used(), form=form, timing=timing, activity=by)
        if folder is not None:
            _save(result, found, folder)
        if figure is not None:
            from dcsim.report.chip import page

            _write(page(result), figure, "--figure")
    _show(found, [path for path in (figure, out) if path is not None], as_json=as_json)


# ---------------------------------------------------------------- what is asked for


class _Activity(NamedTuple):
    """How the network is driven."""

    rate: str | None
    spikes: Path | None
    steps: int | None
    samples: int | None
    seed: int


def _check(activity: _Activity, figure: Path | None) -> None:
    """Refuse options that exclude each other, before anything is read."""
    if activity.spikes is not None and activity.rate is not None:
        raise DcsimError("found both --rate and --spikes, want one of them")
    if activity.spikes is not None and activity.samples is not None:
        raise DcsimError("found both --samples and --spikes; the inferences are those of the spikes")
    if figure is not None and figure.suffix.lower() not in _FIGURES:
        raise DcsimError(f"--figure {figure}: want a name that ends in {', '.join(_FIGURES)}")
    if figure is not None and not figure.absolute().parent.is_dir():
        raise DcsimError(f"--figure {figure}: cannot be written: there is no folder {figure.parent}")


def _reading(network: str, dt: str | None, reset: str | None, *, at_threshold: bool) -> dict[str, Any]:
    """What a .nir file cannot say, by the names of `dcsim.chip.nir.read`."""
    reading: dict[str, Any] = {}
    if dt is not None:
        try:
            reading["dt_s"] = units.parse(dt, "time")
        except units.UnitError as error:
            raise DcsimError(f"--dt: {error}") from None
    if reset is not None:
        reading["reset"] = reset
    if at_threshold:
        reading["at_threshold"] = True
    if reading and not network.endswith(".nir"):
        raise DcsimError(f"{network}: --dt, --reset and --at-threshold say what a .nir file cannot; this is none")
    return reading


def _rates(text: str, layers: int) -> list[float]:
    """Rate of each layer."""
    rates = []
    for part in text.split(","):
        try:
            rate = float(part)
        except ValueError:
            rate = math.nan
        if not 0.0 <= rate <= 1.0:
            raise DcsimError(f"--rate: found '{part.strip()[:40]}', want spikes per neuron and step from 0 to 1")
        rates.append(rate)
    if len(rates) not in (1, layers):
        raise DcsimError(f"--rate: found {len(rates)} rates, want one, or one for each of the {layers} layers")
    return rates * layers if len(rates) == 1 else rates


def _cores(text: str | None, network: SpikingNetwork, model: Entry | None, spec: ChipSpec) -> Sequence[int] | None:
    """Least cores of each layer, an input's number not counting: as asked for, or as a model was measured."""
    from dcsim.chip.profile import cores_as_measured

    if text is None:
        return None if model is None else cores_as_measured(model, spec)
    found, layers = [part.strip() for part in text.split(",")], len(network.layers)
    if len(found) != layers or not all(part.isdecimal() and len(part) < 10 for part in found):
        raise DcsimError(
            f"--cores: found '{text[:60]}', want a whole number for each of the {layers} layers, input first"
        )
    return [max(1, int(part)) for part in found]


# ---------------------------------------------------------------- the run


def _chip(name: str, catalog_files: list[Path]) -> tuple[Catalog, Entry]:
    """The chip, by its name or from a file of its own, and the catalog that knows it."""
    from dcsim import catalog

    if not name.endswith((".yaml", ".yml")):
        known = catalog.load(catalog_files)
        return known, known.get(name, kind="chip")
    others = catalog.load(catalog_files).names("chip")
    known = catalog.load([*catalog_files, name])
    own = [found for found in known.names("chip") if found not in others]
    if len(own) != 1:
        found = f"chips {', '.join(own)}" if own else "no entry of kind chip"
        raise DcsimError(f"--chip {name}: found {found}, want one; --catalog {name} --chip NAME chooses among several")
    return known, known.get(own[0], kind="chip")


def _loaded(source: str, known: Catalog, reading: dict[str, Any]) -> tuple[SpikingNetwork, Placement | None]:
    """The network, and where its neurons are if its file says that."""
    from dcsim.chip import files

    if source.endswith(".npz"):
        return files.load_npz(source)
    return files.load(source, entries=known, **reading), None


def _form(network: str, known: Catalog, spec: ChipSpec) -> str:
    """The form that the chip runs: of a catalog model what both have, of a file spiking where the chip can."""
    from dcsim.chip.modes import form_of

    if network in known.names("model"):
        return form_of(known.get(network), spec)
    return "spiking" if "snn" in spec.nets else "dense"


def _driven_at(network: SpikingNetwork, activity: _Activity, form: str) -> SpikingNetwork:
    """The network with the steps that are asked for. Raises DcsimError for an activity that it cannot have."""
    from dcsim.chip.network import whole_steps

    asked = {"--rate": activity.rate, "--spikes": activity.spikes, "--steps": activity.steps}
    given = [option for option, value in asked.items() if value is not None]
    if form == "dense":
        if given:
            raise DcsimError(f"{given[0]}: {network.name} runs here in dense form, once and without spikes")
        return network
    if activity.spikes is None and activity.rate is None and not network.rates.any():
        raise DcsimError(f"{network.name}: says no firing rates; give --rate or --spikes")
    if activity.steps is None or activity.spikes is not None or activity.steps == network.steps:
        return network
    if len(network.rates) > 1 and activity.rate is None:
        raise DcsimError(f"--steps: {network.name} has rates for each of its {network.steps} steps; give --rate too")
    return replace(network, steps=whole_steps(network.name, activity.steps), rates=network.rates[:1])


def _placed(
    network: SpikingNetwork, spec: ChipSpec, activity: _Activity, order: str, least: Sequence[int] | None
) -> Placement:
    import numpy as np

    from dcsim.chip.pace import paced

    rates = None if activity.rate is None else np.array([_rates(activity.rate, len(network.layers))])
    return paced(network, spec, rates=rates, cores_per_layer=least, order=order)  # type: ignore[arg-type]  # checked there


def _events(activity: _Activity, network: SpikingNetwork) -> dict[str, Any]:
    """What `execute` is told about spikes."""
    if activity.spikes is not None:
        return {"spikes": _spikes(activity.spikes, activity.steps, network)}
    drawn: dict[str, Any] = {"samples": activity.samples or SAMPLES, "seed": activity.seed}
    return drawn if activity.rate is None else drawn | {"rates": _rates(activity.rate, len(network.layers))}


def _spikes(path: Path, steps: int | None, network: SpikingNetwork) -> npt.NDArray[Any]:
    from dcsim.cli import spikes

    found = spikes.read(path, network)
    if steps is not None and steps > found.shape[-2]:
        raise DcsimError(f"--steps: found {steps}, want at most the {found.shape[-2]} of {path}")
    return found[..., :steps, :]


@contextmanager
def _working(what: str) -> Iterator[None]:
    """Says on a terminal what is being computed."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(escape(what)):
        yield


# ---------------------------------------------------------------- what comes out


def _folder(out: Path | None) -> AbstractContextManager[Path | None]:
    return nullcontext() if out is None else claimed(out, FILES)


def _save(result: ChipRun, summary: dict[str, Any], folder: Path) -> None:
    """Write run.json and each figure into `folder`, in place of an earlier run's."""
    from dcsim.report.chip import figures

    text = json.dumps(summary, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / "run.json").write_text(text + "\n", encoding="utf-8")
    for name, figure in figures(result):
        _write(figure, folder / f"{name}.png", "--out")


def _write(figure: Figure, path: Path, option: str) -> None:
    """Write a figure, the same bytes each time."""
    import matplotlib as mpl

    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    try:
        with mpl.rc_context({"svg.hashsalt": "dcsim"}):
            figure.savefig(path, dpi=150, metadata=dates.get(path.suffix.lower()))
    except OSError as error:
        raise DcsimError(f"{option} {path}: cannot be written: {error.strerror or error}") from None


def _show(summary: dict[str, Any], written: list[Path], *, as_json: bool) -> None:
    if as_json:
        output.document(summary)
        return
    from dcsim.report.chip_table import run_table

    output.table(run_table(summary))
    for path in written:
        print(f"wrote {path}")
