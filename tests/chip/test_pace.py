"""Placement that keeps the pace of a tick: work by hand on a chip whose cores do one operation per microsecond."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dcsim.chip import ChipSpec, Costs, SpikingNetwork, place
from dcsim.chip.pace import FULL, paced

CHIP = ChipSpec(
    "ticking", "tick", cores=64, neurons_per_core=64, static_w=0.0, tick_s=1e-3, costs=Costs(synapse_s=1e-6)
)
NETWORK = SpikingNetwork.layered([100, 64, 10], rates=[1.0, 0.0, 0.0])  # 6,400 operations a step into layer 1


def cores_of(placement, network=NETWORK):
    return [len(np.unique(part)) for part in np.split(placement.core_of_neuron, network.bounds[1:-1])]


def test_the_busiest_layer_takes_as_many_cores_as_keep_the_pace():
    used = cores_of(paced(NETWORK, CHIP))
    assert used[1] == 8  # 800 us of 6,400 each, FULL of the tick
    assert used[2] == 1
    assert 6400e-6 / used[1] <= FULL * CHIP.tick_s


def test_rates_that_are_given_count_instead_of_the_networks():
    assert cores_of(paced(NETWORK, CHIP, rates=np.array([[0.1, 0.0, 0.0]])))[1] == 1


@pytest.mark.parametrize(
    "chip", [replace(CHIP, mode="barrier", tick_s=0.0), replace(CHIP, tick_s=1.0)], ids=["no tick", "a long tick"]
)
def test_nothing_is_spread_without_need(chip):
    assert paced(NETWORK, chip) == place(NETWORK, chip)


def test_chips_that_are_too_few_are_filled_and_then_overrun():
    used = cores_of(paced(NETWORK, replace(CHIP, cores=4), max_chips=1))
    assert sum(used[1:]) <= 4
    assert used[1] < 8
