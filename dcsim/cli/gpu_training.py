"""`dcsim gpu training`: a gang of GPUs, at a known utilisation or step by step."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcsim.cli import figure as figures
from dcsim.cli.gpu_asked import Asked, Cap, Clock, Count, Gpu, Json, Model, Precision, asked, draw, each_of, show, whole
from dcsim.cli.options import CatalogFiles, above_0, from_0, measure
from dcsim.errors import DcsimError

if TYPE_CHECKING:
    from dcsim.gpu.gang import Gang, Layout

_NETWORK_BYTES_PER_S = 50e9  # a card of 400 Gbit/s for each GPU


def command(
    model: Model,
    gpu: Gpu,
    count: Count = 1,
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
        typer.Option(help="Share of the peak while a GPU computes.", show_default="what the model's layers reach"),
    ] = None,
    tensor: Annotated[
        int | None, typer.Option(help="GPUs of a node that share each layer.", show_default="the fewest that hold it")
    ] = None,
    pipeline: Annotated[
        int | None, typer.Option(help="Stages that layers are dealt to.", show_default="the fewest that hold them")
    ] = None,
    interleave: Annotated[
        int | None, typer.Option(help="Chunks of layers of a stage.", show_default="chunks of two layers")
    ] = None,
    micro_batch: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER", help="Tokens or samples in a stage at a time.", show_default="8,192 tokens, or a sample"
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="BANDWIDTH", help="Of one GPU to other nodes.", show_default="50 GB/s; up to 8 GPUs their links"
        ),
    ] = None,
    overlap: Annotated[
        float, typer.Option(help="Share of the communication that computing hides.", show_default="0.8")
    ] = 0.8,
    spread: Annotated[
        float, typer.Option(help="Variation of a GPU's step time: deviation over mean.", show_default="0")
    ] = 0.0,
    storage: Annotated[
        str | None,
        typer.Option(metavar="BANDWIDTH", help="To write checkpoints; with --mtbf.", show_default="no checkpoints"),
    ] = None,
    mtbf: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Between failures of one GPU; with --storage.", show_default="no failures"),
    ] = None,
    restart: Annotated[str, typer.Option(metavar="TIME", help="From a failure to the next step.")] = "10 min",
    precision: Precision = None,
    clock: Clock = "1",
    power_cap: Cap = None,
    catalog_files: CatalogFiles = None,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the figures of the steps, .png, .svg or .pdf; needs --batch."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Training or fine-tuning on a gang of GPUs: at a known utilisation, or with --batch step by step."""
    figures.check(figure)
    found = asked("training", model, gpu, batch or "1", clock, power_cap, catalog_files)
    if batch is None and samples is None:
        raise DcsimError("training: found neither --samples nor --batch; give the tokens of the run, or of a step")
    if batch is None and figure is not None:
        raise DcsimError("--figure: what a step is spent on needs --batch")
    if (storage is None) is not (mtbf is None):
        given, other = ("--mtbf", "--storage") if storage is None else ("--storage", "--mtbf")
        raise DcsimError(f"{given}: found without {other}, want both: failures throw away what no checkpoint holds")
    if batch is not None and utilisation is not None:
        raise DcsimError("found both --utilisation and --batch; the steps say the utilisation")
    from dcsim.gpu.training_points import TrainingPoint, training_point
    from dcsim.report import gpu_summary

    gang, layout = None, None
    if batch is not None:
        layout = _layout(found, count, tensor, pipeline, interleave, micro_batch)
        gang = _gang(found, count, compute_share, network, overlap, spread, storage, mtbf, restart)

    def point(size: int) -> TrainingPoint:
        return training_point(
            found.model,
            found.gpu,
            devices=count,
            precision=precision,
            samples=samples,
            utilisation=utilisation,
            step_samples=None if gang is None else size,
            gang=gang,
            layout=layout,
            setting=found.setting,
        )

    points = each_of(found.batches, point)
    grades = found.known.grades_used()
    show("training", [gpu_summary.training(one, grades) for one in points], as_json=as_json)
    draw(figure, points, point, most=0, as_json=as_json)


def _layout(
    found: Asked,
    count: int,
    tensor: int | None,
    pipeline: int | None,
    interleave: int | None,
    micro_batch: str | None,
) -> Layout:
    from dataclasses import replace

    from dcsim.gpu.gang import fewest
    from dcsim.gpu.training import require_fit

    require_fit(found.model, found.gpu, count)
    for option, value in (("--tensor", tensor), ("--pipeline", pipeline), ("--interleave", interleave)):
        if value is not None and value < 1:
            raise DcsimError(f"{option}: found {value}, want at least 1")
    layout = fewest(found.model, found.gpu, count, tensor=tensor, pipeline=pipeline)
    if interleave is not None:
        layout = replace(layout, interleave=interleave)
    return layout if micro_batch is None else replace(layout, micro_batch=whole("--micro-batch", micro_batch))


def _gang(
    found: Asked,
    count: int,
    compute_share: float | None,
    network: str | None,
    overlap: float,
    spread: float,
    storage: str | None,
    mtbf: str | None,
    restart: str,
) -> Gang:
    from dcsim.gpu.checkpoints import checkpoint_s
    from dcsim.gpu.gang import NODE, Gang

    own_link = found.gpu["link_bytes_per_s"] if count <= NODE else _NETWORK_BYTES_PER_S
    rate = None if storage is None else measure("--storage", storage, "bandwidth")
    return Gang(
        devices=count,
        compute_share=compute_share,
        step_spread=spread,
        overlap=overlap,
        link_bytes_per_s=own_link if network is None else above_0("--network", network, "bandwidth"),
        checkpoint_s=0.0 if rate is None else checkpoint_s(found.model, rate),
        failure_s=math.inf if mtbf is None else above_0("--mtbf", mtbf, "time"),
        restart_s=from_0("--restart", restart, "time"),
    )
