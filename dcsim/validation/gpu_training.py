"""Blocks `training` and `steps` of a case of kind `gpu`: whole runs, and the utilisation of steps of large gangs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import ConfigDict, Field

from dcsim.catalog import Catalog
from dcsim.errors import DcsimError
from dcsim.gpu import training
from dcsim.gpu.gang import NODE, Gang, Layout, model_step
from dcsim.gpu.roofline import choose_precision, peak_flop_per_s
from dcsim.validation.case import NonNegative, Part, Positive
from dcsim.validation.report import Row, compare

_ENERGY_TOLERANCE, _MFU_TOLERANCE = 0.02, 0.25
#: Share of the communication that computing hides, and B/s of a GPU to other nodes: what `dcsim gpu training` assumes.
_OVERLAP, _NETWORK = 0.8, 50e9

_Whole = Annotated[int, Field(ge=1, le=10**9)]


class Trained(Part):
    """One run, with what it took: `gpus` for `days` at `avg_W`, or a list of GPU-hours at `W`."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, protected_namespaces=())

    model: str
    gpu: str
    gpus: Positive | None = None
    days: Positive | None = None
    avg_W: Positive | None = None
    PUE: Positive = 1.0
    MWh: Positive | None = None
    flop: Positive | None = None
    W: Positive | None = None
    gpu_hours: Annotated[list[NonNegative], Field(max_length=100)] = Field(default=[])
    total_gpu_hours: Positive | None = None


class Stepped(Part):
    """A gang in training, by the names of the catalog, and the model FLOP utilisation that was reported."""

    model: str
    gpu: str
    gpus: _Whole
    step_tokens: _Whole
    tensor: _Whole = 1
    pipeline: _Whole = 1
    interleave: _Whole = 1
    micro_batch: _Whole = 8192
    precision: str
    mfu: Annotated[Positive, Field(le=1.0)]
    calibrates: bool = False
    """whether it set numbers of the catalog"""


def trained(run: Trained, known: Catalog) -> Iterator[Row]:
    """Energy from what the run took; its time from its FLOP where the catalog has the model and its MFU."""
    name = f"training {run.model[:40]}"
    if run.gpus and run.days and run.avg_W and run.MWh:
        mwh = training.energy_kwh(run.gpus, run.days * 86400.0, run.avg_W, run.PUE) / 1e3
        yield compare("gpu", name, "energy, MWh", run.MWh, mwh, _ENERGY_TOLERANCE)
    if run.gpu_hours and run.total_gpu_hours:
        hours = sum(run.gpu_hours)
        yield compare(
            "gpu", name, "GPU-hours of all runs", run.total_gpu_hours, hours, _ENERGY_TOLERANCE, holds="consistency"
        )
    if run.flop and run.gpus and run.days:
        yield from _run_time(name, run, known)


def _run_time(name: str, run: Trained, known: Catalog) -> Iterator[Row]:
    """Days from the catalog's MFU, which was derived from this very run: calibration."""
    models = {known.get(entry).title: entry for entry in known.names("model")}
    gpus = [entry for entry in known.names("gpu") if entry.startswith(run.gpu.lower().split("-")[0])]
    if run.model not in models or not gpus or run.flop is None or run.gpus is None or run.days is None:
        return
    model, gpu = known.get(models[run.model]), known.get(gpus[0])
    peak = peak_flop_per_s(gpu, choose_precision(model, gpu, None))
    seconds = training.run_s(run.flop, int(run.gpus), peak, model["training_mfu"])
    yield compare("gpu", name, "time, days", run.days, seconds / 86400.0, _ENERGY_TOLERANCE, holds="calibration")


def stepped(run: Stepped, known: Catalog) -> Iterator[Row]:
    """Model FLOP utilisation of a step from its parts."""
    name = f"steps of {run.model[:40]}, {run.gpus:,} x {run.gpu[:20]}"
    try:
        model, gpu = known.get(run.model, "model"), known.get(run.gpu, "gpu")
        precision = choose_precision(model, gpu, run.precision)
        link = gpu["link_bytes_per_s"] if run.gpus <= NODE else _NETWORK
        gang = Gang(run.gpus, overlap=_OVERLAP, link_bytes_per_s=link)
        layout = Layout(run.tensor, run.pipeline, run.interleave, run.micro_batch)
        found = model_step(model, gpu, gang, run.step_tokens, precision, layout).mfu
    except DcsimError as error:
        yield Row("gpu", name, "MFU", "skipped", note=str(error))
        return
    holds = "calibration" if run.calibrates else "passed"
    yield compare("gpu", name, f"MFU in {precision}", run.mfu, found, _MFU_TOLERANCE, holds=holds)


#: (model, GPUs, tokens of a step, tensor, pipeline, interleave, micro-batch, format, TFLOP/s per GPU) on H100, peak 989
#: or 1,978. In fp8 of NVIDIA's NeMo 24.07 and Megatron Bridge 25.11 (performance summaries); in bf16 of table 4 of the
#: Llama 3 report (arXiv 2407.21783), which does not tell the chunks: as many as the layers allow.
_REPORTED = (
    ("gpt-3-175b", 128, 256 * 2048, 4, 8, 6, 2048, "fp8", 802),
    ("gpt-3-175b", 512, 2048 * 2048, 4, 8, 6, 2 * 2048, "fp8", 895),
    ("llama-2-70b", 64, 128 * 4096, 4, 4, 20, 4096, "fp8", 763),
    ("llama-3.1-8b", 8, 128 * 8192, 1, 1, 1, 8192, "fp8", 744),
    ("llama-3.1-70b", 64, 128 * 8192, 4, 8, 5, 8192, "fp8", 719),
    ("llama-3.1-405b", 1024, 512 * 8192, 8, 8, 8, 4096, "fp8", 737),
    ("llama-3.1-405b", 8192, 2048 * 8192, 8, 16, 7, 8192, "bf16", 430),
    ("llama-3.1-405b", 16384, 2048 * 8192, 8, 16, 7, 8192, "bf16", 400),
)
_NAMES = ("model", "gpus", "step_tokens", "tensor", "pipeline", "interleave", "micro_batch", "precision")
BUILTIN_STEPS = [
    dict(zip(_NAMES, row[:-1], strict=True))
    | {"gpu": "h100-sxm", "mfu": row[-1] / {"bf16": 989, "fp8": 1978}[str(row[-2])], "calibrates": row[1] == 8192}
    for row in _REPORTED
]
