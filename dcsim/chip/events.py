"""Chips without time steps: every event is worked on when it comes, layer after layer.

Each core holds one layer; pooling is done on the way out of a core. A layer is a queue with random arrivals and a
service time that is the same for all events (M/D/1): events come at a rate a, each takes s = its synaptic operations x
synapse_s, the load is r = a s < 1, and an event waits s r / (2 (1 - r)) in the mean. Input comes in real time, one step
of the network per `tick_s`. An inference ends when its last event has passed all layers:

    latency = steps x tick_s + entry_s + sum over layers (layer_s + s + wait)

Energy is resting power x time and the events. Times of an event through one layer and through all of them: Richter et
al. 2024, Yao et al. 2024 for Speck.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from dcsim.chip import execution
from dcsim.chip.connections import Connection, Convolution
from dcsim.chip.execution import LIMITS, Counts, Steps
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.outcome import Outcome
from dcsim.chip.placement import LimitError
from dcsim.chip.spec import ChipSpec, Pipeline
from dcsim.chip.wiring import Wiring
from dcsim.errors import PlacementError
from dcsim.service import FloatArray

#: Highest load of a layer for which the mean wait is asked; beyond, its queue grows as long as events come.
_FULL = 0.99


def outcome(network: SpikingNetwork, counts: Counts, wiring: Wiring, chip: ChipSpec) -> Outcome:
    """Seconds and joules. Raises LimitError for a layer that no core holds, PlacementError for a saturated one."""
    assert chip.pipeline is not None
    synapse_s = _synapse_times(network, chip)
    layer = _layers_of_cores(network, wiring, chip)
    work_s = counts.synops * synapse_s[layer]  # (J, T, C)
    load = work_s.mean(axis=1) / chip.tick_s
    mean_load = load.mean(axis=0)
    if mean_load.max() >= 1.0:
        full = network.label(int(layer[mean_load.argmax()]))
        raise PlacementError(
            f"{network.name}, {full} on chip {chip.name}: events bring {mean_load.max():.3g} times the synaptic "
            f"operations that one core can do, so that its queue never ends; use lower rates or a smaller layer"
        )
    events = np.maximum(counts.received.sum(axis=1), 1.0)
    service_s = work_s.sum(axis=1) / events
    wait_s = service_s * load / (2.0 * (1.0 - np.minimum(load, _FULL)))
    backlog_s = np.maximum(load.max(axis=1) - 1.0, 0.0) * chip.tick_s * counts.fired.shape[1]
    through_s = chip.pipeline.entry_s + len(_held(network)) * chip.pipeline.layer_s
    streaming_s = np.full(len(load), chip.tick_s * counts.fired.shape[1])
    latency_s = streaming_s + backlog_s + through_s + (service_s + wait_s).sum(axis=1)
    steps = _steps(counts, wiring, chip, work_s)
    energy = execution.energy(counts, steps, wiring, chip, latency_s=latency_s)
    note = f"input comes in real time, {chip.tick_s:g} s a step; events then pass {len(_held(network))} cores"
    return Outcome(latency_s, streaming_s + backlog_s, energy, steps, work_s, (note,))


def check(network: SpikingNetwork, chip: ChipSpec) -> None:
    """Raise LimitError or PlacementError when the layers do not fit the cores, one to one."""
    _assigned(network, chip)


def _steps(counts: Counts, wiring: Wiring, chip: ChipSpec, work_s: FloatArray) -> Steps:
    """All steps last as long as in real time; those whose events are not through by then are marked."""
    io_s = execution.io_times(counts, wiring, chip)
    late = work_s.max(axis=2) > chip.tick_s
    limit = np.where(late, LIMITS.index("compute"), LIMITS.index("tick")).astype(np.int8)
    return Steps(np.full(late.shape, chip.tick_s), io_s, limit, late)


def _layers_of_cores(network: SpikingNetwork, wiring: Wiring, chip: ChipSpec) -> np.ndarray:
    """Layer of each core in use, (C,); a layer on several cores is refused."""
    layer = np.zeros(len(wiring.cores), dtype=np.int64)
    layer[wiring.core] = wiring.layer
    for number in range(len(network.layers)):
        if (found := int((wiring.layer == number).sum())) > 1:
            raise LimitError(f"{network.name}, {network.label(number)} on chip {chip.name}", "cores", found, 1)
    return layer


def _synapse_times(network: SpikingNetwork, chip: ChipSpec) -> FloatArray:
    """Time of a synaptic operation in each layer, 0 where it needs no core, shape (layers,)."""
    assert chip.pipeline is not None
    seconds = np.zeros(len(network.layers))
    for number, core in _assigned(network, chip).items():
        seconds[number] = chip.pipeline.synapse_s[core]
    return seconds


def _is_pool(connection: Connection) -> bool:
    return (
        isinstance(connection, Convolution)
        and connection.groups == connection.shape_in[0] == connection.shape_out[0]
        and connection.stride == connection.kernel != (1, 1)
    )


def _held(network: SpikingNetwork) -> list[int]:
    """Layers that need a core: all but inputs and pooling."""
    pooled = {connection.target for connection in network.connections if _is_pool(connection)}
    return [n for n, layer in enumerate(network.layers) if not layer.is_input and n not in pooled]


def _assigned(network: SpikingNetwork, chip: ChipSpec) -> dict[int, int]:
    """A core for each layer that needs one, such that each holds its neurons and kernels."""
    assert chip.pipeline is not None
    pipeline, held = chip.pipeline, _held(network)
    where = f"{network.name} on chip {chip.name}"
    if len(held) > chip.cores:
        raise LimitError(where, "cores, one per layer", len(held), chip.cores)
    for number in range(len(network.layers)):
        sent = sum(connection.source == number for connection in network.connections)
        if sent > pipeline.fan_out:
            raise LimitError(f"{where}, {network.label(number)}", "layers to send to", sent, pipeline.fan_out)
    fits = np.array([_fitting(network, number, pipeline, where) for number in held]).reshape(len(held), chip.cores)
    core = csgraph.maximum_bipartite_matching(sparse.csr_matrix(fits), perm_type="column")
    if (core < 0).any():
        short = network.label(held[int(np.argmin(core))])
        raise LimitError(
            f"{where}, {short}", "large cores", int(fits[np.argmin(core)].sum()) + 1, int(fits.any(0).sum())
        )
    return dict(zip(held, core.tolist(), strict=True))


def _fitting(network: SpikingNetwork, number: int, pipeline: Pipeline, where: str) -> np.ndarray:
    """Which cores hold the layer, (cores,); LimitError when none does."""
    layer, incoming = network.layers[number], [c for c in network.connections if c.target == number]
    place = f"{where}, {network.label(number)}"
    if any(connection.source == number for connection in incoming):
        raise PlacementError(f"{place}: a layer cannot send to itself there")
    stored = sum(
        connection.shape_in[0] // connection.groups * connection.shape_out[0] * int(np.prod(connection.kernel))
        if isinstance(connection, Convolution)
        else connection.synapses
        for connection in incoming
    )
    fits = np.ones(len(pipeline.neurons), dtype=np.bool_)
    for resource, need, have in (
        ("neurons in one core", layer.neurons, pipeline.neurons),
        ("bytes of kernels in one core", stored, pipeline.kernel_bytes),
    ):
        fits &= np.array(have) >= need
        if not fits.any():
            raise LimitError(place, resource, need, max(have))
    return fits
