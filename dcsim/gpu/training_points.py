"""Operating points of training: a gang at a known utilisation, or step by step (`dcsim.gpu.training`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import kernels, memory, training, vision
from dcsim.gpu.kernels import Kernel
from dcsim.gpu.points import FULL, Point, Setting
from dcsim.gpu.roofline import Reached, choose_precision, in_format, peak_flop_per_s


@dataclass(frozen=True)
class TrainingPoint(Point):
    """A gang that trains. `batch` is the samples of a step over all GPUs; 0 where steps are not looked at."""

    utilisation: float
    """MFU of the whole run"""
    samples_per_s: float
    """tokens of language models, with checkpoints and failures"""
    step_s: float | None
    useful: float
    """share of the time that is steps"""
    checkpoint_interval_s: float | None
    samples: float | None
    """of the whole run"""

    @property
    def sample_j(self) -> float:
        """Per token or sample, J."""
        return self.power_w / self.samples_per_s

    @property
    def run_s(self) -> float | None:
        """Time of the run."""
        return None if self.samples is None else self.samples / self.samples_per_s


def training_point(
    model: Entry,
    gpu: Entry,
    *,
    devices: int,
    precision: str | None = None,
    samples: float | None = None,
    utilisation: float | None = None,
    step_samples: int | None = None,
    gang: training.Gang | None = None,
    model_parallel: int | None = None,
    setting: Setting = FULL,
) -> TrainingPoint:
    """Training on `devices` GPUs: at a known model FLOP utilisation (the catalog's when None), or step by step.

    step_samples, gang: a step of so many tokens or samples over the gang; its parts give the utilisation.
    model_parallel: GPUs that share one copy of the model, so that each passes on its part of the gradients; the fewest
    that hold a copy when None. samples: of the whole run. Raises PlacementError as
    `dcsim.gpu.training.training_profile` does, and for a copy over no GPU or over more than there are.
    """
    if step_samples is not None and step_samples < 1:
        raise PlacementError(f"batch: found {step_samples}, want at least 1")
    asked = 1.0 if samples is None else samples
    by_step = step_samples is not None and gang is not None
    profile = training.training_profile(
        model, gpu, precision=precision, devices=devices, samples=asked, utilisation=1.0 if by_step else utilisation
    )
    chosen = choose_precision(model, gpu, precision)
    flop_per_s = peak_flop_per_s(gpu, chosen) * in_format(gpu, "compute_efficiency", chosen)
    base = TrainingPoint(
        model=model,
        gpu=gpu,
        precision=chosen,
        devices=devices,
        batch=step_samples or 0,
        spent=(),
        clock=1.0,
        device_w=profile.detail["device_w"],
        reached=Reached(flop_per_s, gpu["memory_bytes_per_s"] * in_format(gpu, "memory_efficiency", chosen)),
        weight_bytes=training.BYTES_PER_PARAMETER * model["parameters"],
        largest_batch=None,
        notes=(),
        utilisation=profile.detail["utilisation"],
        samples_per_s=asked / float(profile.latency_s[0]),
        step_s=None,
        useful=1.0,
        checkpoint_interval_s=None,
        samples=samples,
    )
    if gang is None or step_samples is None:
        return _at_setting(base, setting, min(1.0, base.utilisation * peak_flop_per_s(gpu, chosen) / flop_per_s))
    if model_parallel is None:
        copy_over = math.ceil(base.weight_bytes / memory.room_bytes(gpu, 1))
        model_parallel = 1 if vision.splittable(model) else copy_over
    if not 1 <= model_parallel <= devices:
        raise PlacementError(f"model parallel: found {model_parallel}, want 1 to the count of GPUs, {devices}")
    own_link = replace(gang, link_bytes_per_s=gang.link_bytes_per_s * model_parallel)
    left_out = _TABLES_NOTE if vision.splittable(model) else _COPY_NOTE if model_parallel > 1 else None
    return replace(_by_steps(base, own_link, step_samples, setting), notes=() if left_out is None else (left_out,))


_COPY_NOTE = "what GPUs that share one copy of the model pass to each other is not in the step, nor waiting for layers"
_TABLES_NOTE = "gathers from tables, and passing the rows on, are not in the step"


def _at_setting(point: TrainingPoint, setting: Setting, computing: float) -> TrainingPoint:
    """The point with its time split into computing and all else, at a clock or under a cap."""
    parts = [Kernel("linear", "", "compute", computing), Kernel("launches", "", "fixed", 1.0 - computing)]
    clock, watts = setting.run(point.gpu, parts, point.device_w)
    slower = kernels.seconds(part.at_clock(clock) for part in parts)
    return replace(
        point,
        clock=clock,
        device_w=watts,
        utilisation=point.utilisation / slower,
        samples_per_s=point.samples_per_s / slower,
    )


def _by_steps(point: TrainingPoint, gang: training.Gang, samples: int, setting: Setting) -> TrainingPoint:
    step = training.model_step(point.model, point.gpu, gang, samples, point.precision)
    useful, interval = training.useful_share(gang), training.best_interval_s(gang)
    parts = [
        Kernel("linear", "", "compute", step.compute_s, step.compute_s),
        Kernel("stragglers", "", "communication", step.straggler_s),
        Kernel("links", "", "communication", step.exposed_s),
    ]
    clock, watts = setting.run(point.gpu, parts, point.device_w)
    parts = [part.at_clock(clock) for part in parts]
    step_s = kernels.seconds(parts)
    lost = Kernel("checkpoints", "", "fixed", step_s * (1.0 / useful - 1.0))
    return replace(
        point,
        spent=(*parts, lost),
        clock=clock,
        device_w=watts,
        utilisation=gang.compute_share * step.compute_s / step_s * useful,
        samples_per_s=samples * useful / step_s,
        step_s=step_s,
        useful=useful,
        checkpoint_interval_s=interval if math.isfinite(interval) and interval > 0.0 else None,
    )
