"""Placement that keeps the pace of a chip whose steps have a fixed length."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dcsim.chip import execution
from dcsim.chip.limits import LimitError
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.placement import Order, Placement, place
from dcsim.chip.spec import ChipSpec
from dcsim.chip.wiring import Wiring, wire
from dcsim.service import FloatArray

#: Share of a tick that mean activity may fill; the rest is for steps above the mean.
FULL = 0.8


def paced(
    network: SpikingNetwork,
    chip: ChipSpec,
    *,
    rates: FloatArray | None = None,
    cores_per_layer: Sequence[int] | None = None,
    order: Order = "layers",
    max_chips: int | None = None,
) -> Placement:
    """Placement as by `place`, on a tick chip over as many more cores as it takes to keep its pace.

    The busiest layer is spread until it needs no more than `FULL` of a tick, or until there is no further neuron or
    chip to spread it to: then steps overrun. `rates` (1 or steps, layers) are the network's unless given. Raises what
    `place` does.
    """
    table = network.rates if rates is None else rates
    placement = place(network, chip, cores_per_layer=cores_per_layer, order=order, max_chips=max_chips)
    if chip.mode != "tick" or len(network.layers) == 1 or not table.size:
        return placement
    wiring = wire(network, placement, chip)
    cores = np.bincount(wiring.layer)
    while True:
        layer, seconds = _busiest(table, wiring, chip)
        used, neurons = int(cores[layer]), network.layers[layer].neurons
        if seconds <= FULL * chip.tick_s or used == neurons:
            return placement
        wanted = used * seconds / (FULL * chip.tick_s)
        cores[layer] = min(neurons, max(used + 1 + used // 8, math.ceil(wanted)))
        try:
            placement = place(network, chip, cores_per_layer=cores.tolist(), order=order, max_chips=max_chips)
        except LimitError:
            return placement
        wiring = wire(network, placement, chip)


def _busiest(rates: FloatArray, wiring: Wiring, chip: ChipSpec) -> tuple[int, float]:
    """Layer with the core that needs most time in a step at its highest mean rates, and that time, s."""
    fired = rates.max(axis=0)[wiring.layer] * wiring.neurons
    counts = execution.count(fired[None, None], wiring)
    seconds = execution.core_times(counts, wiring, chip)[0, 0][wiring.core] * wiring.paid
    group = int(seconds.argmax())
    return int(wiring.layer[group]), float(seconds[group])
