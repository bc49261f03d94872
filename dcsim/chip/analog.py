"""Analogue chips that run in continuous time, faster than the model: BrainScaleS-2.

A step of the network is `tick_s` of model time, 1 / `speedup` of it on the clock, unless spikes cannot be brought in
and out as fast. Nearly all power is drawn whatever happens, so that energy is power x time. A network that is too large
for one chip runs on several, whose spikes take `chip_hop_s` from chip to chip (arXiv 2512.03781), or part by part on
one chip, each part's spikes recorded and brought in for the next (arXiv 2401.16840).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dcsim.chip import execution
from dcsim.chip.execution import LIMITS, Counts, Steps
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.outcome import Outcome
from dcsim.chip.spec import ChipSpec
from dcsim.chip.wiring import Wiring
from dcsim.errors import PlacementError


def outcome(network: SpikingNetwork, counts: Counts, wiring: Wiring, chip: ChipSpec, *, in_turn: bool) -> Outcome:
    """Seconds and joules. `in_turn`: the chips of the placement stand for parts that one chip runs one after another.

    Raises PlacementError for parts that depend on each other.
    """
    parts = wiring.chips if in_turn else 1
    model_s, io_s = chip.tick_s / chip.speedup, execution.io_times(counts, wiring, chip)
    if parts > 1:
        _check_order(network, wiring, chip)
        both_ways_s = chip.costs.output_spike_s + chip.costs.input_spike_s
        io_s = io_s + counts.crossings * both_ways_s
    steps_s = np.maximum(parts * model_s, io_s)
    limit = np.where(io_s > parts * model_s, LIMITS.index("io"), LIMITS.index("compute")).astype(np.int8)
    steps = Steps(steps_s, io_s, limit, np.zeros(io_s.shape, dtype=np.bool_))
    hops_s = chip.chip_hop_s * (wiring.chips - 1) if parts == 1 else 0.0
    reload_s = chip.load_s * (parts - 1)
    latency_s = execution.latency(steps, chip) + hops_s + reload_s
    held = replace(wiring, chips=1) if parts > 1 else wiring
    energy = execution.energy(counts, steps, held, chip, latency_s=latency_s)
    core_s = np.broadcast_to(np.where(wiring.cores >= 0, model_s, 0.0), counts.received.shape)
    return Outcome(latency_s, latency_s, energy, steps, core_s, _notes(chip, parts))


def _notes(chip: ChipSpec, parts: int) -> tuple[str, ...]:
    notes = [f"a step is {chip.tick_s:g} s of model time, {chip.tick_s / chip.speedup:g} s on the clock"]
    if parts > 1:
        notes.append(f"{parts} parts run one after another on one chip, {chip.load_s:g} s to load each but the first")
    return tuple(notes)


def _check_order(network: SpikingNetwork, wiring: Wiring, chip: ChipSpec) -> None:
    """Parts can run in turn if spikes go to later parts only."""
    part = np.maximum(wiring.cores, 0) // chip.cores
    of_layer = [set(part[wiring.core[wiring.layer == n]].tolist()) for n in range(len(network.layers))]
    for connection in network.connections:
        source = connection.source
        if network.layers[source].is_input:
            continue
        if max(of_layer[source]) > min(of_layer[connection.target]):
            raise PlacementError(
                f"{network.name} on chip {chip.name}: {network.label(source)} sends to an earlier part, "
                f"so that the parts cannot run one after another; use several chips"
            )
