"""Events to seconds and joules, step by step, for J samples at once. Pure functions over arrays.

Shapes: J samples, T steps, G groups and C cores of a `Wiring`. Energy is the sum over events. A step lasts as long as
its slowest core, sending or receiving, or its input and output, plus the barrier; on a tick chip at least the tick.
Messages that queue in the network on chip are not modelled here: where a core sends each spike to eight or more others
and the network saturates, a step is longer than said here, by 29 % in the worst case measured (SANA-FE, detailed
timing). `dcsim.chip.noc` models them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dcsim.chip import mesh
from dcsim.chip.spec import ChipSpec
from dcsim.chip.wiring import Reach, Wiring
from dcsim.errors import PlacementError
from dcsim.service import FloatArray

BoolArray: TypeAlias = npt.NDArray[np.bool_]

#: What energy is spent on. `static` is what the chips draw anyway; `neuron` holds access, update, spike and reset;
#: `network` packets and hops on the chip; `io` the board and its spike input and output; `host` what feeds it.
CAUSES = ("static", "neuron", "synapse", "network", "learning", "io", "host")

#: Causes that a chip above its idle power pays itself.
CHIP_CAUSES = ("neuron", "synapse", "network", "learning")

#: What a step can wait for: the slowest core, the busiest link of the mesh, input and output, the barrier, the tick.
LIMITS = ("compute", "link", "io", "sync", "tick")


#: Variance of a message, p (1 - p), that is only rounding: the core is reached by every spike, or by none.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Counts:
    """Events per step."""

    fired: FloatArray
    """spikes of each group, shape (J, T, G)"""
    updated: FloatArray
    """neurons whose state changed, inputs left out, shape (J, T, G)"""
    sent: FloatArray
    """messages that each group sent, shape (J, T, G)"""
    received: FloatArray
    """messages that arrived at each core, shape (J, T, C)"""
    synops: FloatArray
    """synaptic operations at each core, shape (J, T, C)"""
    hops_ew: FloatArray
    """hops of all messages to the east and west, shape (J, T)"""
    hops_ns: FloatArray
    crossings: FloatArray
    """borders between chips that messages crossed, shape (J, T)"""


class Steps(NamedTuple):
    """Time of each step, all of shape (J, T)."""

    seconds: FloatArray
    io_s: FloatArray
    """time that input and output and the host needed, at the same time as the cores"""
    limit: npt.NDArray[np.int8]
    """number in `LIMITS` of what the step waited for"""
    overrun: BoolArray
    """the work did not fit the fixed tick, so that the step was stretched; False on barrier chips"""


def joined(parts: Sequence[Counts]) -> Counts:
    """Counts of the inferences of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return Counts(**{part.name: np.concatenate([getattr(one, part.name) for one in parts]) for part in fields(Counts)})


def sample_fired(
    rates: FloatArray, wiring: Wiring, steps: int, samples: int, generator: np.random.Generator
) -> FloatArray:
    """Spikes (J, T, G): each group's are binomial with its neurons and its rate in that step.

    `rates` (1 or T, G): mean spikes per neuron and step of each group.
    """
    fired = np.empty((samples, steps, len(wiring.layer)))
    for group, neurons in enumerate(wiring.neurons.tolist()):
        if len(rates) == 1:
            fired[:, :, group] = generator.binomial(neurons, rates[0, group], size=(samples, steps))
        else:  # draws at one rate after the other: the generator prepares each rate once
            fired[:, :, group] = generator.binomial(neurons, rates[:, group, None], size=(steps, samples)).T
    return fired


def count(
    fired: FloatArray,
    wiring: Wiring,
    *,
    updates: FloatArray | Literal["all", "fired"] = "all",
    generator: np.random.Generator | None = None,
) -> Counts:
    """Events that follow from `fired` (J, T, G) in the mean.

    With F spikes in each group, P the probability that a spike of it is sent to core d and S the mean synapses there:
    messages R = F P + sqrt(F P (1 - P)) z with z standard normal, and synaptic operations R (F S) / (F P). Without a
    generator z is 0; for dense layers, where P is 1, both are exact. `updates`: "all" neurons, as leaky ones are,
    those that "fired", as in a replayed raster, or how many of each group, of a shape that broadcasts to `fired`.
    """
    flat, cores = fired.reshape(-1, fired.shape[2]), len(wiring.cores)
    mean, spread, most, total = (np.zeros((len(flat), cores)) for _ in range(4))
    for link in wiring.links:
        source = flat[:, link.source]
        mean[:, link.target] += source @ link.messages
        total[:, link.target] += source @ link.synapses
        variance = np.maximum(link.messages * (1.0 - link.messages), 0.0)
        variance[variance < _ROUNDING] = 0.0
        if generator is not None and variance.any():
            spread[:, link.target] += source @ variance
            most[:, link.target] += source @ (link.messages > 0.0)
    received = mean
    if generator is not None and spread.any():
        noisy = np.sqrt(spread) * generator.standard_normal(mean.shape) + mean
        received = np.clip(noisy, 0.0, np.maximum(most, mean))
    per_message = np.divide(total, mean, out=np.zeros_like(mean), where=mean > 0.0)
    by_core = (*fired.shape[:2], cores)
    if isinstance(updates, str):
        changed = fired if updates == "fired" else np.broadcast_to(wiring.neurons, fired.shape)
    else:
        changed = np.broadcast_to(updates, fired.shape)
    return Counts(
        fired=fired,
        updated=changed * wiring.paid,
        sent=fired * wiring.fan_out,
        received=received.reshape(by_core),
        synops=(received * per_message).reshape(by_core),
        hops_ew=fired @ wiring.hops_ew,
        hops_ns=fired @ wiring.hops_ns,
        crossings=fired @ wiring.crossings,
    )


def count_spikes(
    spikes: BoolArray, reach: Reach, wiring: Wiring, updated: BoolArray | Literal["all", "fired"]
) -> Counts:
    """Events that follow from `spikes` (J, T, neurons), exactly.

    `updated`: "all" neurons, those that "fired", or which, of the shape of `spikes`.
    """
    samples, steps, neurons = spikes.shape
    cores = len(wiring.cores)
    row, neuron = np.divmod(np.flatnonzero(spikes), neurons)
    begins = np.searchsorted(row, np.arange(samples * steps + 1))
    raster = sparse.csr_array((np.ones(len(row)), neuron, begins), shape=(samples * steps, neurons))
    reached = sparse.csr_array(
        (np.ones(reach.synapses.nnz), reach.synapses.indices, reach.synapses.indptr), shape=reach.synapses.shape
    )

    def of_groups(each: FloatArray | None) -> FloatArray:
        cells = row * len(wiring.layer) + wiring.group[neuron]
        total = np.bincount(cells, each, samples * steps * len(wiring.layer))
        return total.astype(np.float64).reshape(samples, steps, -1)

    fired = of_groups(None)
    if isinstance(updated, str):
        changed = fired if updated == "fired" else np.broadcast_to(wiring.neurons, fired.shape)
    else:
        changed = _by_group(updated, wiring)
    per_spike = np.stack([reach.hops_ew, reach.hops_ns, reach.crossings], axis=1)
    travelled = np.asarray(raster @ per_spike).reshape(samples, steps, 3)
    return Counts(
        fired=fired,
        updated=changed * wiring.paid,
        sent=of_groups(reach.messages[neuron]),
        received=(raster @ reached).toarray().reshape(samples, steps, cores),
        synops=(raster @ reach.synapses).toarray().reshape(samples, steps, cores),
        hops_ew=travelled[:, :, 0],
        hops_ns=travelled[:, :, 1],
        crossings=travelled[:, :, 2],
    )


def _by_group(mask: BoolArray, wiring: Wiring) -> FloatArray:
    """Neurons of each group that are marked, from (J, T, neurons) to (J, T, G)."""
    group = wiring.group
    if bool((np.diff(group) < 0).any()):
        order = np.argsort(group, kind="stable")
        mask, group = mask[:, :, order], group[order]
    first = np.searchsorted(group, np.arange(len(wiring.layer)))
    return np.add.reduceat(mask, first, axis=2, dtype=np.int64).astype(np.float64)


def core_times(counts: Counts, wiring: Wiring, chip: ChipSpec, learning: float = 0.0) -> FloatArray:
    """Time that each core needs in a step, (J, T, C), s: the longer of sending and receiving.

    Sending: neurons x access_s + updated x update_s + spikes x spike_s + messages x packet_s.
    Receiving: messages x receive_s + synaptic operations x (synapse_s + learning x learning_s), where `learning` is the
    share of synaptic operations that change their synapse.
    """
    cost, paid = chip.costs, wiring.paid
    sending = counts.fired * (paid * cost.spike_s) + counts.sent * cost.packet_s
    sending += counts.updated * cost.update_s + wiring.neurons * paid * cost.access_s
    per_synop = wiring.synapse_s + learning * cost.learning_s
    receiving: FloatArray = counts.received * cost.receive_s + counts.synops * per_synop
    return np.maximum(wiring.by_core(sending), receiving)


def step_times(counts: Counts, wiring: Wiring, chip: ChipSpec, core_s: FloatArray | None = None) -> Steps:
    """Time per step.

    barrier = max(slowest core, operations of the chips over their peak, messages on the busiest link over its rate,
    input and output) + sync; where input and output happen between the steps, they are added instead. On a tick chip
    the step is the longer of tick and barrier. `core_s` (J, T): time of the cores where it is known better.

    Raises PlacementError for work beyond the tick of a chip that would lose it.
    """
    io_s = io_times(counts, wiring, chip)
    compute_s = core_times(counts, wiring, chip).max(axis=2) if core_s is None else core_s
    if chip.peak_sop_per_s is not None:
        compute_s = np.maximum(compute_s, counts.synops.sum(axis=2) / (chip.peak_sop_per_s * wiring.chips))
    link_s = np.zeros_like(io_s)
    if chip.link_spikes_per_s is not None:
        link_s = mesh.busiest(counts.fired, wiring) / chip.link_spikes_per_s
    busy_s = np.maximum(compute_s, link_s)
    work_s = busy_s + io_s if chip.serial_io else np.maximum(busy_s, io_s)
    sync_s = chip.sync_s(wiring.tiles, wiring.chips)
    seconds = work_s + sync_s
    limit = np.where(link_s > compute_s, LIMITS.index("link"), LIMITS.index("compute"))
    limit = np.where(io_s > busy_s, LIMITS.index("io"), limit)
    limit = np.where(sync_s > work_s, LIMITS.index("sync"), limit)
    overrun = np.zeros(seconds.shape, dtype=np.bool_)
    if chip.mode == "tick":
        overrun = seconds > chip.tick_s
        if chip.refuses_overrun and overrun.any():
            raise PlacementError(
                f"chip {chip.name}: a step needs {seconds.max():.3g} s, the tick is {chip.tick_s:g} s and what does "
                f"not fit is lost; use more cores per layer or lower rates"
            )
        limit = np.where(overrun, limit, LIMITS.index("tick"))
        seconds = np.maximum(seconds, chip.tick_s)
    return Steps(seconds, io_s, limit.astype(np.int8), overrun)


def latency(steps: Steps, chip: ChipSpec) -> FloatArray:
    """Time of an inference, shape (J,), s: its steps and the reset."""
    seconds: FloatArray = steps.seconds.sum(axis=1)
    return seconds + chip.costs.reset_s


def energy(
    counts: Counts,
    steps: Steps,
    wiring: Wiring,
    chip: ChipSpec,
    learning: float = 0.0,
    latency_s: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """Energy of an inference by cause (`CAUSES`), each of shape (J,), J.

    `static` is the power of all its chips for the whole latency (`latency_s`, (J,), where it is not that of the steps),
    as if one copy had them to itself. `learning`: share of synaptic operations that change their synapse.
    """
    cost, paid = chip.costs, wiring.paid
    held_s = latency(steps, chip) if latency_s is None else latency_s
    access = float((wiring.neurons * paid).sum()) * counts.fired.shape[1] * cost.access_j
    updated = counts.updated.sum(axis=(1, 2))
    fired = counts.fired.sum(axis=1)
    spikes_in, spikes_out = boundary_spikes(counts, wiring)
    network = counts.sent.sum(axis=(1, 2)) * cost.packet_j + counts.crossings.sum(axis=1) * cost.chip_crossing_j
    network += counts.hops_ew.sum(axis=1) * cost.hop_ew_j + counts.hops_ns.sum(axis=1) * cost.hop_ns_j
    return {
        "static": held_s * chip.static_w * wiring.chips,
        "neuron": access + updated * cost.update_j + fired @ paid * cost.spike_j + cost.reset_j * wiring.chips,
        "synapse": counts.synops.sum(axis=1) @ wiring.synapse_j,
        "network": network,
        "learning": counts.synops.sum(axis=(1, 2)) * learning * cost.learning_j,
        "io": spikes_in.sum(axis=1) * cost.input_spike_j + spikes_out.sum(axis=1) * cost.output_spike_j,
        "host": held_s * chip.host_w * wiring.chips,
    }


def io_times(counts: Counts, wiring: Wiring, chip: ChipSpec) -> FloatArray:
    """Time that the board and its host need in each step to bring spikes in and take them out, (J, T), s."""
    cost = chip.costs
    spikes_in, spikes_out = boundary_spikes(counts, wiring)
    messages_in = counts.sent @ (1.0 - wiring.paid)
    seconds: FloatArray = spikes_in * cost.input_spike_s + messages_in * cost.input_message_s
    return seconds + spikes_out * cost.output_spike_s + cost.host_step_s


def boundary_spikes(counts: Counts, wiring: Wiring) -> tuple[FloatArray, FloatArray]:
    """Spikes of the inputs and of the output layers, each of shape (J, T)."""
    return counts.fired @ (1.0 - wiring.paid), counts.fired @ wiring.output


def group_rates(rates: FloatArray, wiring: Wiring) -> FloatArray:
    """Mean rate of each group, (1 or T, G), from rates per layer (1 or T, layers) or per neuron (1 or T, neurons)."""
    if rates.shape[1] <= int(wiring.layer.max()) + 1:
        return rates[:, wiring.layer]
    return np.stack([np.bincount(wiring.group, row, len(wiring.layer)) for row in rates]) / wiring.neurons
