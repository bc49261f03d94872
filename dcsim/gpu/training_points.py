"""Operating points of training: a gang at a known utilisation, or step by step (`dcsim.gpu.gang`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import checkpoints, kernels, power, training, vision
from dcsim.gpu.gang import Gang, Layout, fewest, model_step
from dcsim.gpu.kernels import Kernel
from dcsim.gpu.points import FULL, Point, Setting
from dcsim.gpu.roofline import choose_precision, peak_flop_per_s, reached
from dcsim.gpu.steady import mean_w


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
    layout: Layout | None
    """how a copy of the model is spread; None where steps are not looked at"""

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
    gang: Gang | None = None,
    layout: Layout | None = None,
    setting: Setting = FULL,
) -> TrainingPoint:
    """Training on `devices` GPUs: at a known model FLOP utilisation (the catalog's when None), or step by step.

    step_samples, gang: a step of so many tokens or samples over the gang; its parts give the utilisation.
    layout: how a copy of the model is spread; over the fewest GPUs that hold one when None. samples: of the whole run.
    Raises PlacementError as `dcsim.gpu.training.training_profile`, `dcsim.gpu.gang.fewest` and `model_step` do.
    """
    if step_samples is not None and step_samples < 1:
        raise PlacementError(f"batch: found {step_samples}, want at least 1")
    asked = 1.0 if samples is None else samples
    by_step = step_samples is not None and gang is not None
    profile = training.training_profile(
        model, gpu, precision=precision, devices=devices, samples=asked, utilisation=1.0 if by_step else utilisation
    )
    chosen = choose_precision(model, gpu, precision)
    rates = reached(gpu, chosen)
    base = TrainingPoint(
        model=model,
        gpu=gpu,
        precision=chosen,
        devices=devices,
        batch=step_samples or 0,
        spent=(),
        clock=1.0,
        device_w=profile.detail["device_w"],
        reached=rates,
        weight_bytes=training.BYTES_PER_PARAMETER * model["parameters"],
        largest_batch=None,
        notes=(),
        utilisation=profile.detail["utilisation"],
        samples_per_s=asked / float(profile.latency_s[0]),
        step_s=None,
        useful=1.0,
        checkpoint_interval_s=None,
        samples=samples,
        layout=None,
    )
    if gang is None or step_samples is None:
        computing = base.utilisation * peak_flop_per_s(gpu, chosen) / rates.flop_per_s
        return _at_setting(base, setting, min(1.0, computing))
    spread = fewest(model, gpu, devices) if layout is None else layout
    notes = (_TABLES_NOTE,) if vision.splittable(model) else ()
    return _by_steps(replace(base, layout=spread, notes=notes), gang, spread, step_samples, setting)


_TABLES_NOTE = "gathers from tables, and passing the rows on, are counted as in three forward passes"


def _slowed_w(gpu: Entry, watts: float, clock: float) -> float:
    """Power of training at a lower clock, W: it computes, so that all above waiting goes with the clock."""
    if clock == 1.0:
        return watts
    power.require_clock(gpu, clock)
    waiting_w = min(watts, power.states(gpu).resident)
    return waiting_w + (watts - waiting_w) * float(clock ** gpu["clock_exponent"])


def _at_setting(point: TrainingPoint, setting: Setting, computing: float) -> TrainingPoint:
    """The point with its time split into computing and all else, at a clock or under a cap."""
    clock = setting.of(point.gpu, lambda share: _slowed_w(point.gpu, point.device_w, share))
    slower = computing / clock + 1.0 - computing
    return replace(
        point,
        clock=clock,
        device_w=_slowed_w(point.gpu, point.device_w, clock),
        utilisation=point.utilisation / slower,
        samples_per_s=point.samples_per_s / slower,
    )


def _by_steps(point: TrainingPoint, gang: Gang, layout: Layout, samples: int, setting: Setting) -> TrainingPoint:
    """The point step by step: training power while it computes, that of a waiting GPU in all other time."""
    step = model_step(point.model, point.gpu, gang, samples, point.precision, layout)
    useful, interval = checkpoints.useful_share(gang), checkpoints.best_interval_s(gang)
    language, waiting_w = "kv_bytes_per_token" in point.model, power.states(point.gpu).resident

    def parts(clock: float) -> tuple[list[Kernel], list[Kernel]]:
        waits = [
            Kernel("stages", "", "communication", step.bubble_s / clock),  # the other stages compute as slowly
            Kernel("stragglers", "", "communication", step.straggler_s / clock),
            Kernel("links", "", "communication", step.exposed_s),
        ]
        return [part.at_clock(clock) for part in step.work], waits

    def watts(clock: float) -> float:
        work, waits = parts(clock)
        computing_s = kernels.seconds(work)
        working_w = (
            _slowed_w(point.gpu, point.device_w, clock) if language else mean_w([work], power.busy(point.gpu, clock))
        )
        busy = computing_s / (computing_s + kernels.seconds(waits)) * useful
        return busy * working_w + (1.0 - busy) * waiting_w

    clock = setting.of(point.gpu, watts)
    work, waits = parts(clock)
    step_s = kernels.seconds(work) + kernels.seconds(waits)
    lost = Kernel("checkpoints", "", "fixed", step_s * (1.0 / useful - 1.0))
    return replace(
        point,
        spent=(*work, *waits, lost),
        clock=clock,
        device_w=watts(clock),
        utilisation=step.peak_s / step_s * useful,
        samples_per_s=samples * useful / step_s,
        step_s=step_s,
        useful=useful,
        checkpoint_interval_s=interval if math.isfinite(interval) and interval > 0.0 else None,
    )
