"""Dense networks on chips that run them on a fixed schedule, layer by layer, with all weights on the chip.

A layer's operations are two per synapse, those of values that are 0 left out where the chip skips them. Time is
operations over (peak rate x utilisation), or the transfer of input and output where that takes longer. Either all cores
of a chip work on one layer at a time (NorthPole), or each layer has its own cores; in both cases stages work on
different inputs at the same time: latency is the sum of the stages, the interval between results the slowest stage. The
host's call comes before the first stage; calls overlap, so that the interval does not hold it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dcsim.catalog import Entry
from dcsim.chip import execution
from dcsim.chip.execution import LIMITS, Counts, Steps
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.outcome import Outcome
from dcsim.chip.placement import PORT, Placement
from dcsim.chip.spec import ChipSpec, DenseCosts
from dcsim.chip.wiring import Wiring, wire
from dcsim.errors import PlacementError
from dcsim.service import FloatArray, SampledProfile


class Stages(NamedTuple):
    """Stages that one input passes, each of shape (stages,)."""

    seconds: FloatArray
    operations: FloatArray


def wired(network: SpikingNetwork, placement: Placement, chip: ChipSpec) -> Wiring:
    """Wiring of a dense network; where all cores work on one layer, there is room for one copy at a time."""
    wiring = wire(network, placement, chip)
    return replace(wiring, copies=1) if costs(network.name, chip).by_chip else wiring


def values(wiring: Wiring) -> Counts:
    """Events of one dense inference: every neuron hands on one value."""
    return execution.count(wiring.neurons[None, None].astype(np.float64), wiring)


def outcome(network: SpikingNetwork, counts: Counts, wiring: Wiring, chip: ChipSpec) -> Outcome:
    """Seconds and joules of one inference (J = T = 1): nothing is drawn. Its frames follow each other closely."""
    dense, frames = costs(network.name, chip), network.frames
    stages = _stages(counts, wiring, chip, dense)
    io_s = _io_time(network, chip, dense)
    frame_s = max(float(stages.seconds.max()), io_s)
    passing_s = float(stages.seconds.sum()) + io_s + chip.chip_hop_s * (wiring.chips - 1)
    latency_s = np.array([passing_s + (frames - 1) * frame_s + chip.costs.host_step_s])
    interval_s = np.array([frames * frame_s])
    limit = LIMITS.index("io" if io_s > stages.seconds.max() or chip.costs.host_step_s > passing_s else "compute")
    shape = (1, 1)
    steps = Steps(
        np.broadcast_to(latency_s, shape),
        np.full(shape, frames * io_s),
        np.full(shape, limit, np.int8),
        np.zeros(shape, np.bool_),
    )
    nothing = np.zeros(1)
    energy = dict.fromkeys(execution.CAUSES, nothing) | {
        "static": latency_s * chip.static_w * wiring.chips,
        "synapse": np.array([frames * stages.operations.sum() * chip.costs.op_j]),
        "host": latency_s * chip.host_w * wiring.chips,
    }
    core_s = frames * _core_times(counts, wiring, chip, dense, stages)
    notes = (
        f"dense form, {_bits(chip, dense)}-bit weights, {dense.utilisation:.0%} of the peak rate, one value per neuron",
    )
    return Outcome(latency_s, interval_s, energy, steps, core_s, notes)


def costs(name: str, chip: ChipSpec) -> DenseCosts:
    """What the chip does with dense networks. Raises PlacementError where it runs none."""
    if chip.dense is None:
        raise PlacementError(f"{name}: chip {chip.name} runs no dense networks, only {', '.join(chip.nets)}")
    return chip.dense


def profile(model: Entry, chip: ChipSpec, memory_bytes: float, max_chips: int | None) -> SampledProfile:
    """Profile of a dense model of which only its operations and parameters are known.

    Raises PlacementError when its weights do not stay on the chips that there are.
    """
    dense = costs(model.name, chip)
    chips = max(1, math.ceil(model["parameters"] * _bits(chip, dense) / 8 / memory_bytes))
    if max_chips is not None and chips > max_chips:
        raise PlacementError(f"{model.name} on chip {chip.name}: needs {chips} chips for its weights, has {max_chips}")
    operations = model["flop_per_sample"] * dense.density
    latency_s = operations / (_rate(chip, dense) * dense.utilisation) + chip.chip_hop_s * (chips - 1)
    joules = operations * chip.costs.op_j
    detail = dict.fromkeys(execution.CAUSES, 0.0) | {"static": latency_s * chip.static_w * chips, "synapse": joules}
    detail |= {"interval_s": latency_s / chips, "cores": float(chip.cores * chips), "copies": 1.0}
    return SampledProfile(np.array([latency_s]), np.array([joules]), devices=chips, slots=chips, detail=detail)


def _stages(counts: Counts, wiring: Wiring, chip: ChipSpec, dense: DenseCosts) -> Stages:
    on_core = 2.0 * dense.density * counts.synops[0, 0]
    working = wiring.cores != PORT
    layer = np.zeros(len(wiring.cores), dtype=np.int64)
    layer[wiring.core] = wiring.layer
    if dense.by_chip:
        number = (np.maximum(wiring.cores, 0) // chip.cores)[working]
        operations = np.zeros(wiring.chips)
        np.add.at(operations, number, on_core[working])
        layers = [len(np.unique(layer[working][number == one])) for one in range(wiring.chips)]
        seconds = operations / (_rate(chip, dense) * dense.utilisation) + np.array(layers) * dense.layer_s
        return Stages(seconds, operations)
    operations, slowest = np.zeros(layer.max() + 1), np.zeros(layer.max() + 1)
    np.add.at(operations, layer[working], on_core[working])
    np.maximum.at(slowest, layer[working], on_core[working] / _core_rate(chip, dense))
    used = np.unique(layer[working])
    return Stages(slowest[used] + dense.layer_s, operations[used])


def _core_times(counts: Counts, wiring: Wiring, chip: ChipSpec, dense: DenseCosts, stages: Stages) -> FloatArray:
    """Time that each core works, (1, 1, C): with all others of its chip, or on its own part of a layer."""
    working: FloatArray = 2.0 * dense.density * counts.synops / _core_rate(chip, dense)
    if dense.by_chip:
        working[0, 0] = stages.seconds[np.maximum(wiring.cores, 0) // chip.cores] * (wiring.cores != PORT)
    return working


def _io_time(network: SpikingNetwork, chip: ChipSpec, dense: DenseCosts) -> float:
    if dense.io_bytes_per_s is None:
        return 0.0
    outside = (network.size - network.neurons) + sum(network.layers[n].neurons for n in network.outputs)
    return outside * _bits(chip, dense) / 8 / dense.io_bytes_per_s


def _bits(chip: ChipSpec, dense: DenseCosts) -> int:
    """The chip's weights where it has a rate for them, or else its first format that has one."""
    return chip.weight_bits if chip.weight_bits in dict(dense.op_per_s) else dense.op_per_s[0][0]


def _rate(chip: ChipSpec, dense: DenseCosts) -> float:
    return dict(dense.op_per_s)[_bits(chip, dense)]


def _core_rate(chip: ChipSpec, dense: DenseCosts) -> float:
    return _rate(chip, dense) * dense.utilisation / chip.cores
