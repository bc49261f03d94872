"""Rules that traces of GPU clusters share: what a job holds, and when it waited and ran."""

from __future__ import annotations

import numpy as np

from dcsim.errors import TraceError, nearest
from dcsim.workload.block import FloatArray
from dcsim.workload.traces._columns import Moments
from dcsim.workload.traces._kept import Codes, Kept, between

#: Names of `device_kind` where the trace does not say more.
GPU, CPU = "gpu", "cpu"

GIB = 2.0**30
MIB = 2.0**20


def hold(
    kept: Kept,
    gpus: FloatArray,
    cores: FloatArray | None,
    workers: FloatArray | None = None,
    models: tuple[Codes, list[str]] | None = None,
) -> None:
    """Devices and cores of jobs of `workers` equal workers, by default one, that hold `gpus` and `cores` each.

    A worker holds whole GPUs, rounded up, in equal `share`s: 0.5 GPU is half of one, 1.5 GPUs are three quarters of
    two. The `device_kind` of a job with GPUs is that of `models`, else "gpu". A job without GPUs has the kind "cpu",
    and its processors are its cores, rounded up; a job with neither is left out, and so are those that the option
    select, "gpu" or "cpu", does not choose.
    """
    count = np.ones(len(gpus)) if workers is None else workers
    on_gpus = gpus > 0.0
    own = np.zeros(len(gpus)) if cores is None else cores
    whole = np.ceil(np.where(on_gpus, gpus, own))
    _select(kept, on_gpus)
    kept.leave_out(whole * count < 1.0, "no GPUs and no cores" if cores is not None else "no GPUs")
    kept.columns["processors"] = whole * count
    kept.columns["share"] = np.where(on_gpus, gpus / np.maximum(whole, 1.0), 1.0)
    if cores is not None:
        kept.columns["cores"] = cores * count
    codes, names = models if models is not None else (np.zeros(len(gpus), np.int32), [""])
    kinds = [*(name or GPU for name in names), CPU]
    kept.labels["device_kind"] = (np.where(on_gpus, codes, len(names)).astype(np.int32), kinds)


def times(kept: Kept, submit: Moments, start: Moments, end: Moments, names: tuple[str, str]) -> None:
    """Waiting and run times. `names` are the columns of start and end. Raises TraceError.

    A job that never started, has not ended, or ended in the second in which it started is left out. One that starts
    before its submission or ends before its start is bad.
    """
    spans(kept, between(submit, start), between(start, end), names)


def spans(kept: Kept, wait_s: FloatArray, run_s: FloatArray, names: tuple[str, str]) -> None:
    """As `times`, from the spans themselves; NaN where the job did not start or end."""
    kept.leave_out(np.isnan(wait_s), "never started")
    kept.leave_out(np.isnan(run_s), "not ended")
    kept.bad(wait_s < 0.0, names[0], wait_s, "a start that does not lie so many seconds before the submission")
    kept.bad(run_s < 0.0, names[1], run_s, "an end that does not lie so many seconds before the start")
    kept.leave_out(run_s == 0.0, "no run time")
    kept.columns |= {"wait_s": wait_s, "run_s": run_s}


def number_all(kept: Kept, numbers: FloatArray) -> None:
    """`trace_id`, where every job has a number."""
    if not np.isnan(numbers[kept.which]).any():
        kept.columns["trace_id"] = numbers


def _select(kept: Kept, on_gpus: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    chosen = kept.rows.reading.select
    if chosen is None:
        return
    if chosen not in (GPU, CPU):
        raise TraceError(f"{kept.rows.path}, option select: found '{chosen}'{nearest(chosen, (GPU, CPU))}")
    kept.leave_out(on_gpus if chosen == CPU else ~on_gpus, "with GPUs" if chosen == CPU else "without GPUs")
