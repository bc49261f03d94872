"""`dcsim gpu`: one model on one kind of GPU, at one batch or several."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from dcsim import units
from dcsim.cli import figure as figures
from dcsim.cli import output
from dcsim.errors import DcsimError, PlacementError

if TYPE_CHECKING:
    from dcsim.catalog import Catalog, Entry
    from dcsim.gpu.batching import Point as Loaded
    from dcsim.gpu.points import Point, Setting

app = typer.Typer(help="One model on one kind of GPU: latency, power, energy, memory, what binds.")

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

_Model = Annotated[str, typer.Option(help="Catalog model.")]
_Gpu = Annotated[str, typer.Option(help="Catalog GPU.")]
_Count = Annotated[int, typer.Option(min=1, help="GPUs that work together.")]
_Batch = Annotated[
    str, typer.Option(metavar="NUMBERS", help="Requests or samples at a time: N, or N,N,... to compare.")
]
_Precision = Annotated[
    str | None, typer.Option(help="Number format of the weights.", show_default="the model's own, or 16 bits")
]
_Clock = Annotated[str, typer.Option(metavar="SHARE", help="Share of the full clock, such as 0.7 or 70%.")]
_Cap = Annotated[str | None, typer.Option(metavar="POWER", help='Power cap of one GPU, such as "400 W".')]
_Files = Annotated[list[Path] | None, typer.Option("--catalog", metavar="FILE", help="Further catalog file.")]
_Figure = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures, .png, .svg or .pdf.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON: an object, or a list for several batches.")]
_Rate = Annotated[
    str | None, typer.Option("--rate", metavar="RATE", help='Samples that arrive at random, such as "500/s".')
]
_Wait = Annotated[
    str, typer.Option("--max-wait", metavar="TIME", help="Longest wait for a batch to fill; with --rate.")
]


@app.command()
def llm(
    model: _Model,
    gpu: _Gpu,
    batch: _Batch,
    count: _Count = 1,
    input_tokens: Annotated[int, typer.Option(help="Prompt of each request.")] = 512,
    output_tokens: Annotated[int, typer.Option(help="Answer of each request.")] = 256,
    precision: _Precision = None,
    expert_parallel: Annotated[
        bool, typer.Option("--expert-parallel", help="Each GPU holds whole experts, not a part of every one.")
    ] = False,
    sampled: Annotated[
        bool, typer.Option("--sampled", help="Draw tokens among the likeliest (top-p); else take the likeliest.")
    ] = False,
    clock: _Clock = "1",
    power_cap: _Cap = None,
    catalog_files: _Files = None,
    figure: _Figure = None,
    as_json: _Json = False,
) -> None:
    """A language model that always serves that many requests: tokens, time to and between them, J per token."""
    figures.check(figure)
    asked = _asked("llm", model, gpu, batch, clock, power_cap, catalog_files)
    from dcsim.gpu.points import LanguagePoint, language_point
    from dcsim.report import gpu_summary
    from dcsim.scenario.hardware import Serving

    serving = Serving(devices=count, precision=precision, expert_parallel=expert_parallel, sampled=sampled)

    def point(size: int) -> LanguagePoint:
        return language_point(
            asked.model,
            asked.gpu,
            serving,
            batch=size,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            setting=asked.setting,
        )

    found = [point(size) for size in asked.batches]
    grades = asked.known.grades_used()
    _show("llm", [gpu_summary.language(one, grades) for one in found], as_json=as_json)
    _draw(figure, found, point, most=1024, as_json=as_json)


def _add_by_batch(name: str, text: str) -> None:
    """Add a command for networks of one sample, one answer; they differ in the models that they take."""

    @app.command(name, help=text)
    def command(
        model: _Model,
        gpu: _Gpu,
        batch: _Batch,
        count: _Count = 1,
        precision: _Precision = None,
        rate: _Rate = None,
        max_wait: _Wait = "0 s",
        clock: _Clock = "1",
        power_cap: _Cap = None,
        catalog_files: _Files = None,
        figure: _Figure = None,
        as_json: _Json = False,
    ) -> None:
        figures.check(figure)
        asked = _asked(name, model, gpu, batch, clock, power_cap, catalog_files)
        arrivals = _arrivals(rate, max_wait, asked.setting)
        _by_batch(name, asked, count, precision, arrivals, figure, as_json=as_json)


for _name, _text in {
    "vision": "A network on images, one answer per image: latency and throughput by the batch, J per image.",
    "recommendation": "A ranking network with embedding tables, which several GPUs can share: J per ranked item.",
    "image-generation": "A diffusion network: seconds and J per generated image.",
    "speech": "A network on sound, a keyword or 30 s of speech to text: seconds and J per sound.",
}.items():
    _add_by_batch(_name, _text)


@app.command()
def training(
    model: _Model,
    gpu: _Gpu,
    count: _Count = 1,
    samples: Annotated[
        float | None, typer.Option(metavar="NUMBER", help="Tokens or samples of the whole run, such as 15e12.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Tokens or samples of a step, all GPUs: N, or N,N,...")
    ] = None,
    utilisation: Annotated[
        float | None,
        typer.Option(metavar="MFU", help="Model FLOP utilisation; without --batch.", show_default="the catalog's"),
    ] = None,
    compute_share: Annotated[
        float | None,
        typer.Option(help="Share of the peak while a GPU computes.", show_default="that of large matrix products"),
    ] = None,
    model_parallel: Annotated[
        int | None, typer.Option(help="GPUs that share one copy of the model.", show_default="the fewest that hold it")
    ] = None,
    network: Annotated[str, typer.Option(metavar="BANDWIDTH", help="Of one GPU to those of other nodes.")] = "50 GB/s",
    overlap: Annotated[
        float, typer.Option(help="Share of the communication that computing hides.", show_default="0.8")
    ] = 0.8,
    spread: Annotated[
        float, typer.Option(help="Variation of a GPU's step time: deviation over mean.", show_default="0")
    ] = 0.0,
    storage: Annotated[
        str | None, typer.Option(metavar="BANDWIDTH", help="To write checkpoints.", show_default="no checkpoints")
    ] = None,
    mtbf: Annotated[
        str | None, typer.Option(metavar="TIME", help="Between failures of one GPU.", show_default="no failures")
    ] = None,
    restart: Annotated[str, typer.Option(metavar="TIME", help="From a failure to the next step.")] = "10 min",
    precision: _Precision = None,
    clock: _Clock = "1",
    power_cap: _Cap = None,
    catalog_files: _Files = None,
    figure: _Figure = None,
    as_json: _Json = False,
) -> None:
    """Training or fine-tuning on a gang of GPUs: at a known utilisation, or with --batch step by step."""
    figures.check(figure)
    asked = _asked("training", model, gpu, batch or "1", clock, power_cap, catalog_files)
    if batch is None and samples is None:
        raise DcsimError("training: found neither --samples nor --batch; give the tokens of the run, or of a step")
    if batch is None and figure is not None:
        raise DcsimError("--figure: what a step is spent on needs --batch")
    if batch is not None and utilisation is not None:
        raise DcsimError("found both --utilisation and --batch; the steps say the utilisation")
    from dcsim.gpu.roofline import choose_precision, in_format
    from dcsim.gpu.training import Gang, checkpoint_s
    from dcsim.gpu.training_points import TrainingPoint, training_point
    from dcsim.report import gpu_summary

    gang = None
    if batch is not None:
        chosen = choose_precision(asked.model, asked.gpu, precision)
        share = in_format(asked.gpu, "compute_efficiency", chosen) if compute_share is None else compute_share
        rate = None if storage is None else _measure("--storage", storage, "bandwidth")
        gang = Gang(
            devices=count,
            compute_share=share,
            step_spread=spread,
            overlap=overlap,
            link_bytes_per_s=_above_0("--network", network, "bandwidth"),
            checkpoint_s=0.0 if rate is None else checkpoint_s(asked.model, rate),
            failure_s=math.inf if mtbf is None else _above_0("--mtbf", mtbf, "time"),
            restart_s=_from_0("--restart", restart, "time"),
        )

    def point(size: int) -> TrainingPoint:
        return training_point(
            asked.model,
            asked.gpu,
            devices=count,
            precision=precision,
            samples=samples,
            utilisation=utilisation,
            step_samples=None if gang is None else size,
            gang=gang,
            model_parallel=model_parallel,
            setting=asked.setting,
        )

    found = [point(size) for size in asked.batches]
    grades = asked.known.grades_used()
    _show("training", [gpu_summary.training(one, grades) for one in found], as_json=as_json)
    _draw(figure, found, point, most=0, as_json=as_json)


# ---------------------------------------------------------------- what is asked for


class _Asked(NamedTuple):
    """What every command has."""

    known: Catalog
    model: Entry
    gpu: Entry
    batches: list[int]
    setting: Setting


class _Arrivals(NamedTuple):
    """Samples that arrive at random."""

    rate_per_s: float
    max_wait_s: float


def _asked(
    command: str,
    model: str,
    gpu: str,
    batch: str,
    clock: str,
    power_cap: str | None,
    catalog_files: list[Path] | None,
) -> _Asked:
    from dcsim import catalog
    from dcsim.gpu.points import Setting

    batches = _batches(batch)
    cap_w = None if power_cap is None else _above_0("--power-cap", power_cap, "power")
    setting = Setting(_measure("--clock", clock, "ratio"), cap_w)
    known = catalog.load(catalog_files or [])
    entry = known.get(model, kind="model")
    _check_task(command, entry)
    return _Asked(known, entry, known.get(gpu, kind="gpu"), batches, setting)


def _batches(text: str) -> list[int]:
    """Whole numbers, each once, in the order given."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > _MOST_BATCHES:
        raise DcsimError(f"--batch: found {len(parts)} numbers, want at most {_MOST_BATCHES}")
    return list(dict.fromkeys(_whole(part) for part in parts))


def _whole(text: str) -> int:
    """A whole number, which may be written 4e6."""
    try:
        value = float(text)
    except ValueError:
        value = 0.5
    if not value.is_integer() or not 1.0 <= value <= _LARGEST:
        raise DcsimError(f"--batch: found '{text[:40]}', want a whole number, at least 1, or several with commas")
    return int(value)


def _measure(option: str, text: str, dimension: str) -> float:
    try:
        return units.parse(text, dimension)
    except units.UnitError as error:
        raise DcsimError(f"{option}: {error}") from None


def _from_0(option: str, text: str, dimension: str) -> float:
    value = _measure(option, text, dimension)
    if value < 0.0:
        raise DcsimError(f"{option}: found '{text[:40]}', want 0 or more")
    return value


def _above_0(option: str, text: str, dimension: str) -> float:
    value = _measure(option, text, dimension)
    if value <= 0.0:
        raise DcsimError(f"{option}: found '{text[:40]}', want more than 0")
    return value


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


def _arrivals(rate: str | None, max_wait: str, setting: Setting) -> _Arrivals | None:
    wait_s = _from_0("--max-wait", max_wait, "time")
    if rate is None:
        if wait_s:
            raise DcsimError("--max-wait: found without --rate, want both")
        return None
    if setting.clock != 1.0 or setting.cap_w is not None:
        raise DcsimError("--rate: runs at full clock; found --clock or --power-cap too")
    return _Arrivals(_above_0("--rate", rate, "rate"), wait_s)


# ---------------------------------------------------------------- by the batch


def _by_batch(
    command: str,
    asked: _Asked,
    count: int,
    precision: str | None,
    arrivals: _Arrivals | None,
    figure: Path | None,
    *,
    as_json: bool,
) -> None:
    from dcsim.gpu.points import BatchPoint, batch_point
    from dcsim.report import gpu_summary

    def point(size: int) -> BatchPoint:
        return batch_point(
            asked.model, asked.gpu, batch=size, precision=precision, devices=count, setting=asked.setting
        )

    found = [point(size) for size in asked.batches]
    under = [None if arrivals is None else _loaded(one, arrivals, [1.0])[0] for one in found]
    grades = asked.known.grades_used()
    summaries = []
    for one, loaded in zip(found, under, strict=True):
        block = None if loaded is None or arrivals is None else gpu_summary.arrivals(loaded, arrivals.max_wait_s)
        summaries.append(gpu_summary.batch(one, grades, block))
    _show(command, summaries, as_json=as_json)
    loaded_curve: list[Loaded] = []
    if figure is not None and arrivals is not None:
        largest = max(found, key=lambda one: one.batch)
        shares = [largest.samples_per_s / arrivals.rate_per_s * part for part in _PARTS]
        loaded_curve = _loaded(largest, arrivals, shares)
    _draw(figure, found, point, most=4096, as_json=as_json, loaded=loaded_curve)


#: Rates of arrival of a curve, over what full batches would reach.
_PARTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)


def _loaded(point: Any, arrivals: _Arrivals, parts: Sequence[float]) -> list[Loaded]:
    """The device under arrivals at some parts of the rate."""
    import numpy as np

    from dcsim.gpu.batching import throughput_latency

    return throughput_latency(
        point.model,
        point.gpu,
        arrivals.rate_per_s * np.array(parts),
        max_batch=point.batch,
        max_wait_s=arrivals.max_wait_s,
        precision=point.precision,
        devices=point.devices,
    )


# ---------------------------------------------------------------- what comes out


def _show(kind: str, summaries: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        from dcsim.report.gpu_summary import document

        output.document(document(summaries))
        return
    from dcsim.report.gpu_table import point_table

    output.table(point_table(kind, summaries))


def _draw(
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

    asked = {one.batch: one for one in found}
    limit = min(most, found[0].largest_batch or most)
    others = [2**power for power in range(most.bit_length()) if 2**power <= limit and 2**power not in asked]
    curve = sorted([*asked.values(), *(point(size) for size in others)], key=lambda one: one.batch)
    figures.write(page(found, curve, loaded), figure)
    if not as_json:
        print(f"wrote {figure}")
