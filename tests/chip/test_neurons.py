"""Differential equations as steps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dcsim.chip.neurons import Neurons, approach


def test_forward_euler_goes_the_share_dt_over_tau():
    # tau 4 ms, dt 1 ms: a quarter of the way from v to v_leak + r i
    cells = Neurons.leaky(1e-3, 4e-3, r=2.0, v_leak=-0.4, threshold=0.7)
    assert (cells.decay, cells.gain, cells.offset) == (0.75, 0.5, pytest.approx(-0.1))
    assert cells.threshold == 0.7


def test_the_exact_solution_goes_the_share_that_an_exponential_leaves():
    cells = Neurons.leaky(1e-3, 4e-3, 2.0, 1.0, "exponential")
    left = math.exp(-0.25)
    assert cells.decay == pytest.approx(left)
    assert cells.gain == pytest.approx(2.0 * (1 - left))
    assert cells.offset == pytest.approx(1 - left)


def test_many_small_steps_of_either_kind_meet():
    share = approach(1e-3, np.array([2e-3, 8e-3]), "exponential")
    euler = (1.0 - approach(1e-7, np.array([2e-3, 8e-3]))) ** 10_000
    np.testing.assert_allclose(1.0 - share, euler, rtol=1e-3)


def test_an_integrator_adds_dt_times_r():
    cells = Neurons.integrating(1e-2, np.array([50.0, 100.0]), spiking=False)
    assert cells.decay == 1.0
    np.testing.assert_allclose(cells.gain, [0.5, 1.0])
    assert not cells.spiking
