"""Events to seconds and joules, step by step, for J samples at once. Pure functions over arrays.

Shapes: J samples, T steps, K slices of a `Placement` (one core each). The equations are those of an aggregate
model: energy is the sum over events; a step lasts as long as its slowest core, sending or receiving, or its
input and output, plus the barrier. Messages that queue in the network on chip are not modelled: where a core
sends each spike to eight or more others and the network saturates, a step is longer than said here, by 29 %
in the worst case measured (SANA-FE, detailed timing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.chip.network import SpikingNetwork
from dcsim.chip.placement import Placement
from dcsim.chip.spec import ChipSpec
from dcsim.service import FloatArray

#: What energy is spent on. `neuron` holds access, update, spike and reset; `network` packets and hops on the
#: chip; `io` the board's spike input and output; `host` the processors that feed it.
CAUSES = ("static", "neuron", "synapse", "network", "io", "host")

#: Causes that a chip above its idle power pays itself.
CHIP_CAUSES = ("neuron", "synapse", "network")


@dataclass(frozen=True)
class Counts:
    """Events per step and slice, each of shape (J, T, K)."""

    fired: FloatArray
    """spikes"""
    updated: FloatArray
    """neurons whose state changed, the input's left out"""
    received: FloatArray
    """messages that arrived"""
    synops: FloatArray
    """synaptic operations"""


class Steps(NamedTuple):
    """Time of each step, all of shape (J, T)."""

    seconds: FloatArray
    io_s: FloatArray
    """time that input and output and the host needed, at the same time as the cores"""
    overrun: npt.NDArray[np.bool_]
    """the work did not fit the fixed tick, so that the step was stretched; False on barrier chips"""


def sample_fired(
    network: SpikingNetwork, placement: Placement, samples: int, generator: np.random.Generator
) -> FloatArray:
    """Spikes (J, T, K): each slice's are binomial with its neurons and the rate of its layer in that step."""
    rates = network.rate_table()[:, placement.layer]
    fired = np.empty((samples, *rates.shape))
    for k, neurons in enumerate(placement.neurons.tolist()):
        rate = rates[0, k] if len(network.rates) == 1 else rates[:, k]
        fired[:, :, k] = generator.binomial(neurons, rate, size=fired.shape[:2])
    return fired


def count(
    fired: FloatArray,
    placement: Placement,
    *,
    updates: Literal["all", "fired"] = "all",
    generator: np.random.Generator | None = None,
) -> Counts:
    """Events that follow from `fired` (J, T, K).

    With F spikes in each source slice, P the probability that a spike of it is sent to core d and S the mean
    synapses there: messages R = F P + sqrt(F P (1 - P)) z with z standard normal, and synaptic operations
    R (F S) / (F P). Without a generator z is 0; for dense layers, where P is 1, both are exact. `updates`:
    "all" neurons, as leaky ones are, or those that "fired", as in a replayed raster.
    """
    received, synops = np.zeros_like(fired), np.zeros_like(fired)
    for link in placement.links:
        source = fired[:, :, link.source]
        mean = source @ link.messages
        arrived = mean
        spread = link.messages * (1.0 - link.messages)
        if generator is not None and spread.any():
            noise = generator.standard_normal(mean.shape)
            sent = source.sum(axis=2, keepdims=True)
            arrived = np.clip(mean + np.sqrt(np.maximum(source @ spread, 0.0)) * noise, 0.0, sent)
        received[:, :, link.target] = arrived
        per_message = np.divide(source @ link.synapses, mean, out=np.zeros_like(mean), where=mean > 0.0)
        synops[:, :, link.target] = arrived * per_message
    changed = fired if updates == "fired" else np.broadcast_to(placement.neurons, fired.shape)
    updated = changed * placement.paid
    return Counts(fired, updated, received, synops)


def core_times(counts: Counts, placement: Placement, chip: ChipSpec) -> FloatArray:
    """Time that each slice's core needs in a step, (J, T, K), s: the longer of sending and receiving.

    Sending: neurons x access_s + updated x update_s + spikes x spike_s + messages x packet_s.
    Receiving: messages x receive_s + synaptic operations x synapse_s.
    """
    cost, paid = chip.costs, placement.paid
    sending = counts.fired * (paid * cost.spike_s + placement.fan_out * cost.packet_s)
    sending += counts.updated * cost.update_s + placement.neurons * paid * cost.access_s
    receiving: FloatArray = counts.received * cost.receive_s + counts.synops * cost.synapse_s
    return np.maximum(sending, receiving)


def step_times(counts: Counts, placement: Placement, chip: ChipSpec) -> Steps:
    """Time per step.

    barrier = max(slowest core, input and output, operations of the chips over their peak) + sync; on a tick
    chip the step is the longer of tick and barrier.
    """
    cost = chip.costs
    spikes_in, spikes_out = _boundary_spikes(counts, placement)
    io_s = spikes_in * cost.input_spike_s + spikes_out * cost.output_spike_s + cost.host_step_s
    work_s = np.maximum(core_times(counts, placement, chip).max(axis=2), io_s)
    if chip.peak_sop_per_s is not None:
        work_s = np.maximum(work_s, counts.synops.sum(axis=2) / (chip.peak_sop_per_s * placement.chips))
    barrier_s = work_s + chip.sync_s(placement.tiles, placement.chips)
    if chip.mode == "tick":
        return Steps(np.maximum(barrier_s, chip.tick_s), io_s, barrier_s > chip.tick_s)
    return Steps(barrier_s, io_s, np.zeros(barrier_s.shape, dtype=np.bool_))


def latency(steps: Steps, chip: ChipSpec) -> FloatArray:
    """Time of an inference, shape (J,), s: its steps and the reset."""
    seconds: FloatArray = steps.seconds.sum(axis=1)
    return seconds + chip.costs.reset_s


def energy(counts: Counts, steps: Steps, placement: Placement, chip: ChipSpec) -> dict[str, FloatArray]:
    """Energy of an inference by cause (`CAUSES`), each of shape (J,), J.

    `static` is the power of all its chips for the whole latency, as if one copy had them to itself.
    """
    cost, paid = chip.costs, placement.paid
    access = float((placement.neurons * paid).sum()) * counts.fired.shape[1] * cost.access_j
    updated = counts.updated.sum(axis=(1, 2))
    reset = cost.reset_j * placement.chips
    fired = counts.fired.sum(axis=1)
    spikes_in, spikes_out = _boundary_spikes(counts, placement)
    message_j = placement.fan_out * cost.packet_j + placement.crossings * cost.chip_crossing_j
    message_j += placement.hops_ew * cost.hop_ew_j + placement.hops_ns * cost.hop_ns_j
    return {
        "static": latency(steps, chip) * chip.static_w * placement.chips,
        "neuron": access + updated * cost.update_j + fired @ paid * cost.spike_j + reset,
        "synapse": counts.synops.sum(axis=(1, 2)) * cost.synapse_j,
        "network": fired @ message_j,
        "io": spikes_in.sum(axis=1) * cost.input_spike_j + spikes_out.sum(axis=1) * cost.output_spike_j,
        "host": steps.io_s.sum(axis=1) * chip.host_w * placement.chips,
    }


def _boundary_spikes(counts: Counts, placement: Placement) -> tuple[FloatArray, FloatArray]:
    """Spikes of the input and of the output layer, each of shape (J, T)."""
    entering = counts.fired[:, :, placement.links[0].source].sum(axis=2)
    return entering, counts.fired[:, :, placement.last].sum(axis=2)
