"""`dcsim gpu`: one model on one kind of GPU, at one batch or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from dcsim.cli import figure as figures
from dcsim.cli import gpu_training
from dcsim.cli.gpu_asked import (
    Asked,
    Batch,
    Cap,
    Clock,
    Count,
    Gpu,
    Json,
    Model,
    Precision,
    Share,
    Slice,
    asked,
    draw,
    each_of,
    on_part,
    show,
)
from dcsim.cli.options import CatalogFiles, FigureFile, above_0, from_0
from dcsim.errors import DcsimError

if TYPE_CHECKING:
    from dcsim.gpu.batching import Point as Loaded
    from dcsim.gpu.points import BatchPoint, Setting

app = typer.Typer(help="One model on one kind of GPU: latency, power, energy, memory, what binds.")

_Rate = Annotated[
    str | None, typer.Option("--rate", metavar="RATE", help='Samples that arrive at random, such as "500/s".')
]
_Wait = Annotated[
    str, typer.Option("--max-wait", metavar="TIME", help="Longest wait for a batch to fill; with --rate.")
]


@app.command()
def llm(
    model: Model,
    gpu: Gpu,
    batch: Batch,
    count: Count = 1,
    input_tokens: Annotated[int, typer.Option(help="Prompt of each request.")] = 512,
    output_tokens: Annotated[int, typer.Option(help="Answer of each request.")] = 256,
    precision: Precision = None,
    expert_parallel: Annotated[
        bool, typer.Option("--expert-parallel", help="Each GPU holds whole experts, not a part of every one.")
    ] = False,
    sampled: Annotated[
        bool, typer.Option("--sampled", help="Draw tokens among the likeliest (top-p); else take the likeliest.")
    ] = False,
    slice_: Slice = None,
    share: Share = None,
    clock: Clock = "1",
    power_cap: Cap = None,
    catalog_files: CatalogFiles = None,
    figure: FigureFile = None,
    as_json: Json = False,
) -> None:
    """A language model that always serves that many requests: tokens, time to and between them, J per token."""
    figures.check(figure)
    found = on_part(asked("llm", model, gpu, batch, clock, power_cap, catalog_files), slice_, share, count)
    from dcsim.gpu import split
    from dcsim.gpu.points import LanguagePoint, language_point
    from dcsim.report import gpu_summary
    from dcsim.scenario.hardware import Serving

    if "kv_bytes_per_token" in found.model:
        split.require("--count", found.model, count)
    serving = Serving(devices=count, precision=precision, expert_parallel=expert_parallel, sampled=sampled)

    def point(size: int) -> LanguagePoint:
        return language_point(
            found.model,
            found.gpu,
            serving,
            batch=size,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            setting=found.setting,
        )

    points = each_of(found.batches, point)
    grades = found.known.grades_used()
    show("llm", [gpu_summary.language(one, grades) for one in points], as_json=as_json)
    draw(figure, points, point, most=1024, as_json=as_json)


def _add_by_batch(name: str, text: str) -> None:
    """Add a command for networks of one sample, one answer; they differ in the models that they take."""

    @app.command(name, help=text)
    def command(
        model: Model,
        gpu: Gpu,
        batch: Batch,
        count: Count = 1,
        precision: Precision = None,
        rate: _Rate = None,
        max_wait: _Wait = "0 s",
        slice_: Slice = None,
        share: Share = None,
        clock: Clock = "1",
        power_cap: Cap = None,
        catalog_files: CatalogFiles = None,
        figure: FigureFile = None,
        as_json: Json = False,
    ) -> None:
        figures.check(figure)
        found = on_part(asked(name, model, gpu, batch, clock, power_cap, catalog_files), slice_, share, count)
        arrivals = _arrivals(rate, max_wait, found.setting)
        _by_batch(name, found, count, precision, arrivals, figure, as_json=as_json)


for _name, _text in {
    "vision": "A network on images, one answer per image: latency and throughput by the batch, J per image.",
    "recommendation": "A ranking network with embedding tables, which several GPUs can share: J per ranked item.",
    "image-generation": "A diffusion network: seconds and J per generated image.",
    "speech": "A network on sound, a keyword or 30 s of speech to text: seconds and J per sound.",
}.items():
    _add_by_batch(_name, _text)


app.command("training")(gpu_training.command)


# ---------------------------------------------------------------- by the batch


class _Arrivals(NamedTuple):
    """Samples that arrive at random."""

    rate_per_s: float
    max_wait_s: float


def _arrivals(rate: str | None, max_wait: str, setting: Setting) -> _Arrivals | None:
    wait_s = from_0("--max-wait", max_wait, "time")
    if rate is None:
        if wait_s:
            raise DcsimError("--max-wait: found without --rate, want both")
        return None
    if setting.clock != 1.0 or setting.cap_w is not None:
        raise DcsimError("--rate: runs at full clock; found --clock or --power-cap too")
    return _Arrivals(above_0("--rate", rate, "rate"), wait_s)


def _by_batch(
    command: str,
    asked_: Asked,
    count: int,
    precision: str | None,
    arrivals: _Arrivals | None,
    figure: Path | None,
    *,
    as_json: bool,
) -> None:
    from dcsim.gpu.points import batch_point
    from dcsim.report import gpu_summary

    def point(size: int) -> BatchPoint:
        return batch_point(
            asked_.model, asked_.gpu, batch=size, precision=precision, devices=count, setting=asked_.setting
        )

    found = each_of(asked_.batches, point)
    under = [None if arrivals is None else _loaded(one, arrivals, [1.0])[0] for one in found]
    grades = asked_.known.grades_used()
    summaries = []
    for one, loaded in zip(found, under, strict=True):
        block = None if loaded is None or arrivals is None else gpu_summary.arrivals(loaded, arrivals.max_wait_s)
        summaries.append(gpu_summary.batch(one, grades, block))
    show(command, summaries, as_json=as_json)
    loaded_curve: list[Loaded] = []
    if figure is not None and arrivals is not None:
        largest = max(found, key=lambda one: one.batch)
        shares = [largest.samples_per_s / arrivals.rate_per_s * part for part in _PARTS]
        loaded_curve = _loaded(largest, arrivals, shares)
    draw(figure, found, point, most=4096, as_json=as_json, loaded=loaded_curve)


#: Rates of arrival of a curve, over what full batches would reach.
_PARTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)


def _loaded(point: BatchPoint, arrivals: _Arrivals, parts: Sequence[float]) -> list[Loaded]:
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
