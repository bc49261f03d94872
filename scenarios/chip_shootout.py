"""Every neuromorphic chip of the catalog and two GPUs on the same task: what does one inference cost?

    python scenarios/chip_shootout.py [--models mnist-256 mnist-cnn kws] [--out DIR]

Prints one table; `--out` also writes `shootout.csv` and two figures per network. The task is to read handwritten
digits, with two networks, because neither runs on all chips: `mnist-256` is dense and small, `mnist-cnn` convolutional.
Each device runs them in the form that it supports: spiking, or dense as the GPUs do. `kws` spots keywords.

A batch of 1 or of 64 inferences is all that the device has to do, and its energy is shared by them. One rule for all:

    chip    idle power of the devices that the batch holds, until it is done, and what the work adds there
    board   + their equal share of the idle power of their board, and its input and output of spikes
    host    + the same share of the host's idle power, and what the processors that feed the devices add

The board is the smallest system of the catalog with enough of these chips. Devices that wait for work are not in these
numbers, nor are power supplies and cooling: `scenarios/hybrid_pilot.yaml` has those.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dcsim import catalog
from dcsim.catalog import Catalog, Entry
from dcsim.chip import ChipSpec, SpikingNetwork, execute, place
from dcsim.chip.modes import form_of
from dcsim.chip.outcome import Board
from dcsim.errors import DcsimError
from dcsim.gpu import gpu_profile
from dcsim.gpu.roofline import choose_precision
from dcsim.service import SampledProfile
from dcsim.units import in_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODELS = ("mnist-256", "mnist-cnn")
#: In all of these the dense form is one pass of the layers of the spiking one, so that the forms can be compared.
COMPARABLE = (*MODELS, "kws")
GPUS = {"l4": "server-8x-l4", "h100-sxm": "hgx-h100"}
BATCHES = (1, 64)
SAMPLES, SEED = 32, 1

#: Causes of energy that come in at each boundary; what is named in neither of the last two is spent at the chip.
BOUNDARIES = ("chip", "board", "host")
OUTSIDE = {"board": "io", "host": "host"}


class Accuracy(NamedTuple):
    """Share of the digits that are read rightly."""

    value: float
    grade: str
    note: str


@dataclass(frozen=True)
class Result:
    """One network on one device."""

    model: str
    device: str
    form: str
    precision: str
    devices: int
    system: str
    """what they sit on; empty where the catalog has none, so that only the chip is known"""
    seconds: Mapping[int, float]
    """batch -> time that it takes"""
    energy_j: Mapping[int, Mapping[str, float]]
    """batch -> cause -> energy of one of its inferences"""
    accuracy: Accuracy | None
    weak: float
    """share of the catalog's numbers behind it that are estimates or quoted from memory"""

    def up_to(self, boundary: str, batch: int) -> float | None:
        """Energy of one inference, J; None where the board is not known."""
        if boundary != "chip" and not self.system:
            return None
        left_out = [OUTSIDE[outer] for outer in BOUNDARIES[BOUNDARIES.index(boundary) + 1 :]]
        return sum(joules for cause, joules in self.energy_j[batch].items() if cause not in left_out)


# ---------------------------------------------------------------- one network on one device


def on_chip(model_name: str, chip_name: str) -> Result:
    """Raises DcsimError with the reason when the chip does not run the network."""
    known = catalog.load()
    model, chip = known.get(model_name, "model"), known.get(chip_name, "chip")
    spec = ChipSpec.of(chip)
    form = form_of(model, spec)
    network = SpikingNetwork.of(model)
    placement = place(network, spec)
    system = smallest_system(known, chip_name, placement.chips_on(spec))
    board = None if system is None else Board.of(system, known)
    samples = SAMPLES if form == "spiking" else 1
    run = execute(network, placement, spec, form=form, samples=samples, seed=SEED, board=board)
    batches = {batch: run.batch(batch) for batch in BATCHES}
    return Result(
        model=model_name,
        device=chip_name,
        form=form,
        devices=run.wiring.chips,
        system=system.name if system else "",
        seconds={batch: seconds for batch, (seconds, _) in batches.items()},
        energy_j={batch: joules for batch, (_, joules) in batches.items()},
        precision=spec.precision[0],
        accuracy=accuracy(model, f"{chip_name}_{spec.precision[0]}"),
        weak=weak_share(known),
    )


def smallest_system(known: Catalog, chip: str, chips: int) -> Entry | None:
    """System with the fewest, but enough, of these chips."""
    systems = [known.get(name, "system") for name in known.names("system")]
    enough = [system for system in systems if system.facts["device"] == chip and system["devices"] >= chips]
    return min(enough, key=lambda system: system["devices"], default=None)


def on_gpu(model_name: str, gpu_name: str) -> Result:
    """On one GPU of its usual server."""
    known = catalog.load()
    model, gpu, system = known.get(model_name, "model"), known.get(gpu_name, "gpu"), known.get(GPUS[gpu_name], "system")
    board, precision = Board.of(system, known), choose_precision(model, gpu, None)
    seconds, energy_j = {}, {}
    for batch in BATCHES:
        profile = gpu_profile(model, gpu, batch=batch)
        assert isinstance(profile, SampledProfile)  # what has one answer per sample is one
        seconds[batch] = float(profile.latency_s[0])
        each_s = seconds[batch] / batch
        energy_j[batch] = {
            "static": gpu["idle_w"] * each_s,
            "GPU above idle": float(profile.chip_j[0]),
            "io": board.board_w / board.chips * each_s,
            "host": board.host_w / board.chips * each_s + profile.host_w * seconds[batch],
        }
    return Result(
        model=model_name,
        device=gpu_name,
        form="dense",
        devices=1,
        system=system.name,
        seconds=seconds,
        energy_j=energy_j,
        precision=precision,
        accuracy=accuracy(model, f"gpu_{precision}"),
        weak=weak_share(known),
    )


def accuracy(model: Entry, where: str) -> Accuracy | None:
    """What the catalog knows, or None."""
    key = f"accuracy_{where}"
    return Accuracy(model[key], model.quantity(key).grade, model.quantity(key).note) if key in model else None


def weak_share(known: Catalog) -> float:
    """Share of the numbers read so far that are estimates or quoted from memory."""
    grades = known.grades_used()
    return (grades.get("estimate", 0) + grades.get("recalled", 0)) / sum(grades.values())


def compare(models: Sequence[str]) -> tuple[list[Result], list[str]]:
    """All results, and a line for each device that refuses a network."""
    results, refused = [], []
    for model in models:
        results += [on_gpu(model, gpu) for gpu in GPUS]
        for chip in catalog.load().names("chip"):
            try:
                results.append(on_chip(model, chip))
            except DcsimError as reason:
                refused.append(f"refused: {reason}")
    return results, refused


# ---------------------------------------------------------------- as a table


def show(results: Sequence[Result], refused: Iterable[str]) -> None:
    """Print everything; the least energy of each column of a network is bold."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, title="Energy of one inference", title_justify="left")
    for heading in ("network", "device", "form", "accuracy"):
        table.add_column(heading, no_wrap=True)
    for batch in BATCHES:
        table.add_column(f"batch {batch}\ntime", justify="right", no_wrap=True)
        for boundary in BOUNDARIES:
            table.add_column(f"\n{boundary}", justify="right", no_wrap=True)
    table.add_column("weak\nnumbers", justify="right", no_wrap=True)
    for result in results:
        cells = [in_words(result.seconds[BATCHES[0]], "s"), *_energies(result, BATCHES[0], results)]
        cells += [in_words(result.seconds[BATCHES[1]], "s"), *_energies(result, BATCHES[1], results)]
        form = f"{result.form} {result.precision}"
        last = result is [other for other in results if other.model == result.model][-1]
        table.add_row(
            result.model, result.device, form, _percent(result), *cells, f"{result.weak:.0%}", end_section=last
        )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for line in (*notes(results), *refused):
        console.print(line, highlight=False, markup=False)


def _energies(result: Result, batch: int, results: Sequence[Result]) -> Iterator[str]:
    for boundary in BOUNDARIES:
        joules = result.up_to(boundary, batch)
        others = [other.up_to(boundary, batch) for other in results if other.model == result.model]
        best = joules is not None and joules == min(other for other in others if other is not None)
        text = "-" if joules is None else in_words(joules, "J")
        yield f"[bold]{text}[/bold]" if best else text


def _percent(result: Result) -> str:
    if result.accuracy is None:
        return "not known"
    value, grade, note = result.accuracy
    return f"{'~' if grade == 'estimate' else ''}{value:.1%}{'*' if note else ''}"


def notes(results: Sequence[Result]) -> Iterator[str]:
    """What a reader must know before comparing two rows."""
    yield (
        "accuracy: ~ an estimate; * with a condition, such as another network for the same task (accuracy_note in the "
        "CSV). Rows of different accuracy are not equals."
    )
    yield "weak numbers: share of the catalog numbers behind a row that are estimates or quoted from memory."
    alone = dict.fromkeys(result.device for result in results if not result.system)
    if alone:
        yield f"no board in the catalog, so the chip alone: {', '.join(alone)}."


# ---------------------------------------------------------------- as files


def write(results: Sequence[Result], out: Path) -> list[Path]:
    """Table and figures into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    written = [out / "shootout.csv"]
    with written[0].open("w", encoding="utf-8", newline="") as file:
        rows = [row for result in results for row in as_rows(result)]
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for model in dict.fromkeys(result.model for result in results):
        own = [result for result in results if result.model == model]
        for name, figure in (("energy", energy_figure(own)), ("boundaries", boundary_figure(own))):
            written.append(out / f"{name}-{model}.png")
            figure.savefig(written[-1], dpi=150)
    return written


def as_rows(result: Result) -> Iterator[dict[str, object]]:
    """One row per batch, in SI; what is not known stays empty."""
    for batch in BATCHES:
        yield {
            "model": result.model,
            "device": result.device,
            "form": result.form,
            "precision": result.precision,
            **dict(zip(("accuracy", "accuracy_grade", "accuracy_note"), result.accuracy or ("", "", ""), strict=True)),
            "devices": result.devices,
            "system": result.system,
            "batch": batch,
            "batch_s": result.seconds[batch],
            **{f"{boundary}_j": result.up_to(boundary, batch) for boundary in BOUNDARIES},
            "weak_share": result.weak,
        }


def energy_figure(results: Sequence[Result]) -> Figure:
    """Where the energy of one inference goes, up to the host, in a batch of each size."""
    from matplotlib.figure import Figure

    from dcsim.report import chip, style

    ordered = ranked(results)
    width, height = chip.energy_size_in(len(ordered))
    figure = Figure(figsize=(width, len(BATCHES) * height + 0.3), layout="constrained")
    for ax, batch in zip(figure.subplots(len(BATCHES), 1), BATCHES, strict=True):
        chip.energy({_name(result): result.energy_j[batch] for result in ordered}, ax)
        style.quiet(ax, f"{results[0].model}, one inference in a batch of {batch}")
        ax.grid(visible=False)
        ax.spines["bottom"].set_visible(False)
        ax.tick_params(length=0)
    _footnote(figure, ordered)
    return figure


def boundary_figure(results: Sequence[Result]) -> Figure:
    """Energy of one inference up to each boundary, from batch 1 to the largest."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    from dcsim.report import style

    ordered = ranked(results)
    figure = Figure(figsize=(9.6, 1.7 + 0.3 * len(ordered)), layout="constrained")
    panels = figure.subplots(1, len(BOUNDARIES), sharex=True, sharey=True)
    for ax, boundary in zip(panels, BOUNDARIES, strict=True):
        style.quiet(ax, f"up to the {boundary}")
        ax.grid(axis="x", color=style.GRID, linewidth=0.8)
        for row, result in enumerate(ordered):
            ends = [joules for batch in BATCHES if (joules := result.up_to(boundary, batch)) is not None]
            colour = style.FAMILIES["gpu" if result.device in GPUS else "neuromorphic"][0]
            ax.plot(ends, [row] * len(ends), color=colour, linewidth=1.4)
            ax.plot(ends[:1], [row] * len(ends[:1]), "o", color=colour, markerfacecolor=style.PAPER, markersize=7)
            ax.plot(ends[1:], [row] * len(ends[1:]), "o", color=colour, markersize=7)
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(numticks=4))
        ax.xaxis.set_major_formatter(lambda joules, _: in_words(joules, "J"))
    panels[0].set_yticks(range(len(ordered)), [_name(result) for result in ordered], color=style.INK)
    panels[0].invert_yaxis()
    title = f"{results[0].model}: energy of one inference, batch {BATCHES[0]} (hollow) and {BATCHES[1]} (filled)"
    figure.suptitle(title, x=0.01, ha="left", fontsize=style.TITLE_PT, color=style.MUTED)
    _footnote(figure, ordered)
    return figure


def ranked(results: Sequence[Result]) -> list[Result]:
    """Least energy up to the host at batch 1 first; devices without a board last."""
    return sorted(results, key=lambda one: (not one.system, one.up_to("host" if one.system else "chip", BATCHES[0])))


def _name(result: Result) -> str:
    return result.device + ("" if result.system else " *")


def _footnote(figure: Figure, results: Sequence[Result]) -> None:
    if not all(result.system for result in results):
        line = "* the chip alone: the catalog has no board for it"
        figure.supxlabel(line, x=0.01, ha="left", fontsize=7.5)


def _file_in_the_way(out: Path) -> Path | None:
    """The file that stands where the folder or one above it would be."""
    return next((path for path in (out, *out.parents) if path.exists() and not path.is_dir()), None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS, choices=COMPARABLE, help="networks to compare")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write shootout.csv and figures here")
    options = parser.parse_args(arguments)
    if options.out is not None and (taken := _file_in_the_way(options.out)) is not None:
        parser.exit(2, f"error: --out {options.out}: found the file {taken}, want a folder, new or existing\n")
    results, refused = compare(options.models)
    show(results, refused)
    if options.out is not None:
        for path in write(results, options.out):
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
