"""`dcsim chip`: one spiking network on one neuromorphic chip."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcsim.cli import output
from dcsim.cli.chip_asked import Activity, check, cores_of, rates_of, reading, refuse
from dcsim.cli.folder import claimed
from dcsim.cli.options import CatalogFiles, FigureFile
from dcsim.errors import DcsimError

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure

    from dcsim.catalog import Catalog, Entry
    from dcsim.chip import ChipRun, ChipSpec, Placement, SpikingNetwork
    from dcsim.service import SampledProfile, TokenProfile

app = typer.Typer(help="One spiking network on one neuromorphic chip.")

#: What `--out` leaves in its folder; the first says that an earlier run wrote it.
FILES = ("run.json", "energy.png", "steps.png", "mesh.png")

#: Inferences that are drawn unless told otherwise: enough to see how much they differ.
SAMPLES = 16

_INTERRUPTED = 130


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
    integration: Annotated[
        str | None, typer.Option(help="Steps of a .nir file: euler or exponential.", show_default="euler")
    ] = None,
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
    catalog_files: CatalogFiles = None,
    figure: FigureFile = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write run.json and each figure here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> int:
    """Latency and energy of one inference, split by cause, and what bounds it."""
    from dcsim.chip import ChipSpec, execute
    from dcsim.chip.outcome import Board
    from dcsim.report.chip_summary import summary

    activity = Activity(rate, spikes, steps, samples, seed)
    check(activity, figure)
    reads = reading(network, dt, reset, integration, at_threshold=at_threshold)
    with _told(f"reading {network}") as stage, _folder(out) as folder:
        known, entry = _chip(chip, catalog_files or [])
        if form in (None, "dense", "measured") and (whole := _without_layers(network, known, entry)) is not None:
            needs_layers: dict[str, object] = {
                "--rate": rate, "--spikes": spikes, "--steps": steps, "--samples": samples, "--order": order,
                "--cores": cores, "--updates": updates, "--values": values, "--real-time": real_time,
                "--in-turn": in_turn, "--learning": learning, "--board": board, "--figure": figure,
                "--timing": None if timing == "barrier" else timing,
            }  # fmt: skip
            refuse(needs_layers, f"the catalog has no layers of {network}, only what they need in all")
            _answer(whole, known.get(network), entry, known, folder, out, as_json=as_json)
            return 0
        spec = ChipSpec.of(entry)
        form = form or _form(network, known, spec)
        source, placement = _loaded(network, known, reads)
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
                stage.now = f"placing {loaded.name} on {spec.name}"
                model = known.get(network) if network in known.names("model") else None
                placement = _placed(loaded, spec, activity, order or "layers", cores_of(cores, loaded, model, spec))
            stage.now = f"running {loaded.name} on {spec.name}"
            result = execute(loaded, placement, spec, **options, **_events(activity, loaded))
        if not result.latency_s.any():  # a comparison of energies may do without, an answer to a user not
            raise DcsimError(f"chip {spec.name}: the catalog has no time per event or step")
        if result.interrupted:
            done = f"{len(result.latency_s):,} of {samples or SAMPLES:,} inferences were finished"
            output.note(f"interrupted: {done}, the answer is theirs")
            result = replace(result, notes=(*result.notes, f"interrupted: {done}"))
        stage.now = "writing what was found"
        by = "values" if form == "dense" else "rates" if spikes is None else "spikes"
        found = summary(result, loaded, grades=known.grades_used(), form=form, timing=timing, activity=by)
        if folder is not None:
            _save(result, loaded.name, found, folder)
            stage.written.append(folder)
        if figure is not None:
            from dcsim.report.chip import page

            _write(page(result, loaded.name), figure, "--figure")
            stage.written.append(figure)
        _show(found, [path for path in (figure, out) if path is not None], as_json=as_json)
    return _INTERRUPTED if result.interrupted else 0


@dataclass
class _Stage:
    """What a run is at, for whoever interrupts it."""

    now: str
    written: list[Path] = field(default_factory=list)


@contextmanager
def _told(first: str) -> Iterator[_Stage]:
    """Says in one line what an interrupted run was at, and what it leaves."""
    stage = _Stage(first)
    try:
        yield stage
    except KeyboardInterrupt:
        left = f"wrote {', '.join(map(str, stage.written))}" if stage.written else "no inference is kept"
        output.note(f"interrupted while {stage.now}: {left}")
        raise


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


def _without_layers(network: str, known: Catalog, chip: Entry) -> SampledProfile | TokenProfile | None:
    """The answer of the catalog to a model of which it has no layers; None for any other network."""
    from dcsim.chip.profile import without_layers

    return without_layers(known.get(network), chip) if network in known.names("model") else None


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


def _driven_at(network: SpikingNetwork, activity: Activity, form: str) -> SpikingNetwork:
    """The network with the steps that are asked for. Raises DcsimError for an activity that it cannot have."""
    from dcsim.chip.given import whole_steps

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
    network: SpikingNetwork, spec: ChipSpec, activity: Activity, order: str, least: Sequence[int] | None
) -> Placement:
    import numpy as np

    from dcsim.chip.pace import paced

    rates = None if activity.rate is None else np.array([rates_of(activity.rate, len(network.layers))])
    return paced(network, spec, rates=rates, cores_per_layer=least, order=order)  # type: ignore[arg-type]  # checked there


def _events(activity: Activity, network: SpikingNetwork) -> dict[str, Any]:
    """What `execute` is told about spikes."""
    if activity.spikes is not None:
        return {"spikes": _spikes(activity.spikes, activity.steps, network)}
    drawn: dict[str, Any] = {"samples": activity.samples or SAMPLES, "seed": activity.seed}
    return drawn if activity.rate is None else drawn | {"rates": rates_of(activity.rate, len(network.layers))}


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


def _answer(
    whole: SampledProfile | TokenProfile,
    model: Entry,
    chip: Entry,
    known: Catalog,
    folder: Path | None,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Print what a model needs of which the catalog has no layers, and write run.json; there is nothing to draw."""
    from dcsim.report import chip_whole

    found = chip_whole.summary(whole, model, chip, grades=known.grades_used())
    if folder is not None:
        _clear(folder)
        _document(found, folder)
    if as_json:
        output.document(found)
        return
    output.table(chip_whole.table(found))
    if out is not None:
        print(f"wrote {out}")


def _save(result: ChipRun, name: str, summary: dict[str, Any], folder: Path) -> None:
    """Write run.json and each figure into `folder`, in place of an earlier run's."""
    from dcsim.report.chip import figures

    _clear(folder)
    _document(summary, folder)
    for what, figure in figures(result, name):
        _write(figure, folder / f"{what}.png", "--out")


def _clear(folder: Path) -> None:
    """Remove what an earlier run left, lest its figures are taken for this one's."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)


def _document(summary: dict[str, Any], folder: Path) -> None:
    text = json.dumps(summary, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / FILES[0]).write_text(text + "\n", encoding="utf-8")


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
