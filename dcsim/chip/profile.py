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
) -> SampledProfile | TokenProfile:
    """Profile of `model` on `chip`, in the form that the chip runs: spiking, dense, or as it was measured there.

    Of a spiking model `samples` independent inferences are drawn at its catalog rates; a dense one is one sample, as
    nothing in it is drawn. `chip_j` is what the chips draw above their idle power, `board_w` and `host_w` the energy of
    spike input and output and of the processors that feed the chip over the mean latency, `devices` the chips that one
    copy needs, `slots` the copies that one chip serves at a time. `detail` holds the mean energy by cause
    (`execution.CAUSES`, J, static included), quantiles of latency and of total energy (`latency_p50_s`, `total_p50_j`),
    `interval_s` between results of one copy, `step_s`, `overrun_share` (steps that did not fit a tick), `cores` and
    `copies`. Takes one number from the generator whether or not the profile is remembered. Raises PlacementError when
    the model cannot run there.
    """
    if not 1 <= samples <= MAX_SAMPLES:
        raise PlacementError(f"profile of {model.name}: found {samples} samples, want 1 to {MAX_SAMPLES}")
    seed = int(generator.integers(2**63))
    if measured.is_measured(model, chip):
        return measured.profile(model, chip, max_chips)
    spec = ChipSpec.of(chip)
    form = modes.form_of(model, spec)
    if form == "dense" and "snn_layers" not in model:
        return scheduled.profile(model, spec, chip["memory_bytes"], max_chips)
    network = SpikingNetwork.of(model)
    if form == "dense":
        return _dense(network, spec, max_chips)
    return _profile(network, spec, samples, seed, max_chips, cores_as_measured(model, spec))


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
    sums = _sampled(network, steps, wiring, chip, samples, generator)
    if steps < network.steps:
        none = _sums(network, np.zeros((1, 0, len(wiring.layer))), wiring, chip, generator)
        sums = {name: _extended(sums[name], float(none[name][0]), network.steps / steps) for name in sums}
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
    steps: int,
    wiring: Wiring,
    chip: ChipSpec,
    samples: int,
    generator: np.random.Generator,
) -> dict[str, FloatArray]:
    """Sums over the steps of each sample, (samples,) each, made in blocks of bounded memory."""
    size = max(1, _BLOCK // (steps * len(wiring.layer)))
    by_group = execution.group_rates(network.rates, wiring)
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
