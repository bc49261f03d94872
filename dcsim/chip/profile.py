"""Seconds and joules that one inference of a spiking model asks of a chip: sampled in blocks, remembered."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from dcsim import seeds
from dcsim.catalog import Entry
from dcsim.chip import execution
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.placement import LimitError, Placement, place
from dcsim.chip.spec import ChipSpec
from dcsim.errors import PlacementError
from dcsim.service import FloatArray, SampledProfile

#: Largest number of samples of one profile.
MAX_SAMPLES = 1_000_000

#: Steps that are sampled of an inference whose rates are the same in all steps; the others follow from them.
SAMPLED_STEPS = 32

#: Share of a tick that mean activity may fill; the rest is for steps above the mean.
FULL = 0.8

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
) -> SampledProfile:
    """Profile of `model` on `chip` at its catalog rates, from `samples` independent inferences.

    `chip_j` is what the chips draw above their idle power, `board_w` and `host_w` the energy of spike input
    and output over the mean latency, `devices` the chips that one copy needs, `slots` the copies that one
    chip serves at a time. `detail` holds the mean energy by cause (`execution.CAUSES`, J, static included),
    and `step_s`, `overrun_share` (steps that did not fit a tick), `cores` and `copies`. Takes one number from
    the generator whether or not the profile is remembered. Raises PlacementError when the model cannot run
    there.
    """
    if not 1 <= samples <= MAX_SAMPLES:
        raise PlacementError(f"profile of {model.name}: found {samples} samples, want 1 to {MAX_SAMPLES}")
    seed = int(generator.integers(2**63))
    return _profile(SpikingNetwork.of(model), ChipSpec.of(chip), samples, seed, max_chips)


@lru_cache(maxsize=256)
def _profile(network: SpikingNetwork, chip: ChipSpec, samples: int, seed: int, max_chips: int | None) -> SampledProfile:
    steps = min(network.steps, SAMPLED_STEPS) if len(network.rates) == 1 else network.steps
    placement = _placed(network, chip, max_chips)
    cells = steps * len(placement.core)
    if cells > _MOST_CELLS or cells * samples > _MOST_CELLS_OF_ALL:
        raise PlacementError(
            f"{network.name}: found {steps} steps x {placement.cores} cores x {samples} samples, "
            f"want at most {_MOST_CELLS} in one sample and {_MOST_CELLS_OF_ALL} in all"
        )
    generator = seeds.generator(seed, 0, "chip/profile")
    sums = _sampled(replace(network, steps=steps), placement, chip, samples, generator)
    if steps < network.steps:
        none = _sums(np.zeros((1, 0, len(placement.core))), placement, chip, generator)
        sums = {name: _extended(sums[name], float(none[name][0]), network.steps / steps) for name in sums}
    mean = {name: float(values.mean()) for name, values in sums.items()}
    if mean["latency_s"] <= 0.0:
        raise PlacementError(f"chip {chip.name}: the catalog has no time per event or step")
    chip_j = np.sum([sums[name] for name in execution.CHIP_CAUSES], axis=0)
    for array in (sums["latency_s"], chip_j):
        array.setflags(write=False)
    detail = {name: mean[name] for name in execution.CAUSES}
    detail |= {"step_s": mean["steps_s"] / network.steps, "overrun_share": mean["overrun"] / network.steps}
    detail |= {"cores": float(placement.cores), "copies": float(placement.copies)}
    return SampledProfile(
        latency_s=sums["latency_s"],
        chip_j=chip_j,
        board_w=mean["io"] / mean["latency_s"],
        host_w=mean["host"] / mean["latency_s"],
        devices=placement.chips,
        slots=_slots(placement.copies, mean["steps_s"], mean["io_s"]),
        detail=detail,
    )


def _placed(network: SpikingNetwork, chip: ChipSpec, max_chips: int | None) -> Placement:
    """Placement on the fewest cores that hold the network and, on a tick chip, keep its pace.

    The busiest layer is spread until it needs no more than `FULL` of a tick, or until there is no further
    neuron or chip to spread it to: then steps overrun.
    """
    placement = place(network, chip, max_chips=max_chips)
    cores = np.bincount(placement.layer)
    while chip.mode == "tick":
        layer, seconds = _busiest(network, placement, chip)
        used, neurons = int(cores[layer]), network.layers[layer].neurons
        if seconds <= FULL * chip.tick_s or used == neurons:
            break
        wanted = used * seconds / (FULL * chip.tick_s)
        cores[layer] = min(neurons, max(used + 1 + used // 8, math.ceil(wanted)))
        try:
            placement = place(network, chip, cores_per_layer=cores.tolist(), max_chips=max_chips)
        except LimitError:
            break
    return placement


def _busiest(network: SpikingNetwork, placement: Placement, chip: ChipSpec) -> tuple[int, float]:
    """Layer with the core that needs most time in a step at its highest mean rates, and that time, s."""
    rates: FloatArray = np.array(network.rates, dtype=np.float64).max(axis=0)[placement.layer]
    fired = rates * placement.neurons.astype(np.float64)
    counts = execution.count(fired[None, None], placement)
    seconds = execution.core_times(counts, placement, chip)[0, 0] * placement.paid
    core = int(seconds.argmax())
    return int(placement.layer[core]), float(seconds[core])


def _sampled(
    network: SpikingNetwork,
    placement: Placement,
    chip: ChipSpec,
    samples: int,
    generator: np.random.Generator,
) -> dict[str, FloatArray]:
    """Sums over the steps of each sample, (samples,) each, made in blocks of bounded memory."""
    size = max(1, _BLOCK // (network.steps * len(placement.core)))
    blocks = []
    for start in range(0, samples, size):
        fired = execution.sample_fired(network, placement, min(size, samples - start), generator)
        blocks.append(_sums(fired, placement, chip, generator))
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _sums(
    fired: FloatArray, placement: Placement, chip: ChipSpec, generator: np.random.Generator
) -> dict[str, FloatArray]:
    """Energy by cause, latency and sums over steps of each sample of `fired`, (J,) each."""
    counts = execution.count(fired, placement, generator=generator)
    steps = execution.step_times(counts, placement, chip)
    return execution.energy(counts, steps, placement, chip) | {
        "latency_s": execution.latency(steps, chip),
        "steps_s": steps.seconds.sum(axis=1),
        "io_s": steps.io_s.sum(axis=1),
        "overrun": steps.overrun.sum(axis=1).astype(np.float64),
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
