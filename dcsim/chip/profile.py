"""Seconds and joules that one inference of a model asks of a chip: sampled in blocks, remembered."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from dcsim import seeds
from dcsim.catalog import Entry
from dcsim.chip import events, execution, measured, modes, scheduled
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.pace import paced
from dcsim.chip.placement import place
from dcsim.chip.spec import ChipSpec
from dcsim.chip.wiring import Wiring, wire
from dcsim.errors import PlacementError
from dcsim.service import FloatArray, SampledProfile, TokenProfile

#: Largest number of samples of one profile.
MAX_SAMPLES = 1_000_000

#: Steps that are sampled of an inference whose rates are the same in all steps; the others follow from them.
SAMPLED_STEPS = 32

#: Levels, equally likely, at which the activity of a model is taken that differs from job to job.
ACTIVITY_LEVELS = 32

#: Quantiles of latency and energy that a profile names, percent.
QUANTILES = (50, 95, 99)

_BLOCK = 1 << 20
_MOST_CELLS = 10**7
_MOST_CELLS_OF_ALL = 10**9


def spiking_profile(
    model: Entry,
    chip: Entry,
    generator: np.random.Generator,
    *,
    samples: int = 1024,
    max_chips: int | None = None,
    activity_cv: float = 0.0,
) -> SampledProfile | TokenProfile:
    """Profile of `model` on `chip`, in the form that the chip runs: spiking, dense, or as it was measured there.

    Of a spiking model `samples` independent inferences are drawn at its catalog rates times the activity of a job, its
    input rate over the mean one, which varies from job to job by `activity_cv` (`activity_levels`); a dense one is one
    sample, as nothing in it is drawn. `chip_j` is what the chips draw above their idle power, `board_w` and `host_w`
    the energy of spike input and output and of the processors that feed the chip over the mean latency, `devices` the
    chips that one copy needs, `slots` the copies that one chip serves at a time. `detail` holds the mean energy by
    cause (`execution.CAUSES`, J, static included), quantiles of latency and of total energy (`latency_p50_s`,
    `total_p50_j`), `interval_s` between results of one copy, `step_s`, `overrun_share` (steps that did not fit a tick),
    `cores` and `copies`. Takes one number from the generator whether or not the profile is remembered. Raises
    PlacementError when the model cannot run there.
    """
    if not 1 <= samples <= MAX_SAMPLES:
        raise PlacementError(f"profile of {model.name}: found {samples} samples, want 1 to {MAX_SAMPLES}")
    seed = int(generator.integers(2**63))
    if (whole := without_layers(model, chip, max_chips)) is not None:
        return whole
    spec = ChipSpec.of(chip)
    form = modes.form_of(model, spec)
    network = SpikingNetwork.of(model)
    if form == "dense":
        return _dense(network, spec, max_chips)
    return _profile(network, spec, samples, seed, max_chips, cores_as_measured(model, spec), activity_cv)


def activity_levels(activity_cv: float, most: int = ACTIVITY_LEVELS) -> FloatArray:
    """Equally likely factors on a model's spike rates, shape (levels,): the middles of as many slices of a gamma law.

    Its mean is 1 and its coefficient of variation `activity_cv`; of the levels it is a little smaller. All layers are
    taken to follow the input in proportion, up to a spike of every neuron in every step.
    """
    if activity_cv == 0.0:
        return np.ones(1)
    from scipy.special import gammaincinv

    found: FloatArray = np.asarray(gammaincinv(activity_cv**-2, (np.arange(most) + 0.5) / most))
    return np.asarray(found / found.mean())


def without_layers(model: Entry, chip: Entry, max_chips: int | None = None) -> SampledProfile | TokenProfile | None:
    """Profile of a model as it was measured on the chip, or in dense form from its operations alone.

    None for a model whose layers the catalog has. Raises PlacementError when the model cannot run there.
    """
    if measured.is_measured(model, chip):
        return measured.profile(model, chip, max_chips)
    if "snn_layers" in model:
        return None
    spec = ChipSpec.of(chip)
    if modes.form_of(model, spec) != "dense":
        return None
    for entry, key in ((model, "flop_per_sample"), (model, "parameters"), (chip, "memory_bytes")):
        if key not in entry:
            reason = f"the catalog has no layers of {model.name}, and no {key} of {entry.name} to reckon without"
            raise PlacementError(f"{model.name} on chip {chip.name}: {reason}")
    return scheduled.profile(model, spec, chip["memory_bytes"], max_chips)


def cores_as_measured(model: Entry, chip: ChipSpec) -> tuple[int, ...] | None:
    """Cores of each layer on which a catalog model was measured on this chip; None where that is not known."""
    key = f"snn_cores_{chip.name}"
    return tuple(int(cores) for cores in model.array(key)) if key in model else None


@lru_cache(maxsize=256)
def _dense(network: SpikingNetwork, chip: ChipSpec, max_chips: int | None) -> SampledProfile:
    wiring = scheduled.wired(network, place(network, chip, max_chips=max_chips), chip)
    found = modes.outcome(network, scheduled.values(wiring), wiring, chip, form="dense")
    latency_s, interval_s = float(found.latency_s[0]), float(found.interval_s[0])
    joules = {cause: float(values[0]) for cause, values in found.energy_j.items()}
    detail = joules | {"interval_s": interval_s, "cores": float(wiring.cores_in_use), "copies": float(wiring.copies)}
    io_s = float(found.steps.io_s.sum())
    at_once = max(1, int(latency_s / interval_s)) * wiring.copies
    return SampledProfile(
        found.latency_s,
        np.array([sum(joules[cause] for cause in execution.CHIP_CAUSES)]),
        host_w=joules["host"] / latency_s,
        devices=wiring.chips,
        slots=at_once if io_s == 0.0 else max(1, min(at_once, int(latency_s / io_s))),
        detail=detail,
    )


@lru_cache(maxsize=256)
def _profile(
    network: SpikingNetwork,
    chip: ChipSpec,
    samples: int,
    seed: int,
    max_chips: int | None,
    cores_per_layer: tuple[int, ...] | None,
    activity_cv: float,
) -> SampledProfile:
    stepped = chip.mode in ("barrier", "tick")
    stationary = stepped and len(network.rates) == 1
    steps = min(network.steps, SAMPLED_STEPS) if stationary else network.steps
    if chip.pipeline is not None:
        events.check(network, chip)
    placement = paced(network, chip, cores_per_layer=cores_per_layer, max_chips=max_chips)
    wiring = wire(network, placement, chip)
    cells = steps * len(wiring.layer)
    if cells > _MOST_CELLS or cells * samples > _MOST_CELLS_OF_ALL:
        raise PlacementError(
            f"{network.name}: found {steps} steps x {wiring.cores_in_use} cores x {samples} samples, "
            f"want at most {_MOST_CELLS} in one sample and {_MOST_CELLS_OF_ALL} in all"
        )
    generator = seeds.generator(seed, 0, "chip/profile")
    levels = activity_levels(activity_cv, min(ACTIVITY_LEVELS, samples))
    parts = []
    for number, activity in enumerate(levels.tolist()):
        count = (samples + number) // len(levels)
        part = _sampled(network, activity, steps, wiring, chip, count, generator)
        if steps < network.steps:
            none = _sums(network, np.zeros((1, 0, len(wiring.layer))), wiring, chip, generator)
            ratio = network.steps / steps
            part = {name: _extended(part[name], float(none[name][0]), ratio) for name in part}
        parts.append(part)
    sums = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    mean = {name: float(values.mean()) for name, values in sums.items()}
    if mean["latency_s"] <= 0.0:
        raise PlacementError(f"chip {chip.name}: the catalog has no time per event or step")
    chip_j = np.sum([sums[name] for name in execution.CHIP_CAUSES], axis=0)
    for array in (sums["latency_s"], chip_j):
        array.setflags(write=False)
    detail = {name: mean[name] for name in execution.CAUSES}
    detail |= _quantiles("latency_p{}_s", sums["latency_s"])
    detail |= _quantiles("total_p{}_j", np.sum([sums[name] for name in execution.CAUSES], axis=0))
    detail |= {"interval_s": mean["interval_s"], "step_s": mean["steps_s"] / network.steps}
    detail |= {"overrun_share": mean["overrun"] / network.steps}
    detail |= {"cores": float(wiring.cores_in_use), "copies": float(wiring.copies)}
    return SampledProfile(
        latency_s=sums["latency_s"],
        chip_j=chip_j,
        board_w=mean["io"] / mean["latency_s"],
        host_w=mean["host"] / mean["latency_s"],
        devices=wiring.chips,
        slots=_slots(wiring.copies, mean["steps_s"], mean["io_s"]),
        detail=detail,
    )


def _quantiles(key: str, values: FloatArray) -> dict[str, float]:
    found = np.percentile(values, QUANTILES)
    return {key.format(percent): float(value) for percent, value in zip(QUANTILES, found, strict=True)}


def _sampled(
    network: SpikingNetwork,
    activity: float,
    steps: int,
    wiring: Wiring,
    chip: ChipSpec,
    samples: int,
    generator: np.random.Generator,
) -> dict[str, FloatArray]:
    """Sums over the steps of each sample, (samples,) each, at one activity, made in blocks of bounded memory."""
    size = max(1, _BLOCK // (steps * len(wiring.layer)))
    by_group = np.minimum(activity * execution.group_rates(network.rates, wiring), 1.0)
    blocks = []
    for start in range(0, samples, size):
        fired = execution.sample_fired(by_group, wiring, steps, min(size, samples - start), generator)
        blocks.append(_sums(network, fired, wiring, chip, generator))
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _sums(
    network: SpikingNetwork, fired: FloatArray, wiring: Wiring, chip: ChipSpec, generator: np.random.Generator
) -> dict[str, FloatArray]:
    """Energy by cause, latency and sums over steps of each sample of `fired`, (J,) each."""
    counts = execution.count(fired, wiring, generator=generator)
    found = modes.outcome(network, counts, wiring, chip)
    return found.energy_j | {
        "latency_s": found.latency_s,
        "interval_s": found.interval_s,
        "steps_s": found.steps.seconds.sum(axis=1),
        "io_s": found.steps.io_s.sum(axis=1),
        "overrun": found.steps.overrun.sum(axis=1).astype(np.float64),
    }


def _extended(values: FloatArray, none: float, ratio: float) -> FloatArray:
    """Sums over `ratio` times as many equal, independent steps; `none` is the sum over no step.

    Such a sum has `ratio` times the mean and the variance, so that the mean grows by the ratio and the
    deviations from it by its root. Mean, variances and correlations are exact, the shape is that of the few.
    """
    mean = float(values.mean())
    return none + (mean - none) * ratio + (values - mean) * math.sqrt(ratio)


def _slots(copies: int, steps_s: float, io_s: float) -> int:
    """Copies on one chip that can run at the same time.

    They share one path for input and output, which serves them in turn: no more than fit into a step.
    """
    return copies if io_s == 0.0 else max(1, min(copies, int(steps_s / io_s)))
