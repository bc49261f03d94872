"""The ledger of a rack's part: piecewise constant power, integrated exactly."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.cluster.ledger import Cell


def test_energy_and_use_by_hand():
    cell = Cell(rack=3, pool=1, idle_w=100.0)
    assert (cell.rack, cell.pool, cell.power_w) == (3, 1, 100.0)
    cell.change(10.0, 50.0, 1, 0.0)  # 1000 J so far
    cell.change(14.0, 25.0, 1, -0.5)  # + 4 x 150
    assert cell.power_w == 175.0
    assert cell.energy_at(16.0) == 1000.0 + 600.0 + 350.0
    assert cell.busy_at(16.0) == 4.0 + 2.0 * 1.5
    cell.change(20.0, -25.0, -1, 0.5)  # + 6 x 175
    cell.change(20.0, -50.0, -1, 0.0)
    assert cell.power_w == 100.0
    assert cell.energy_at(30.0) == 1000.0 + 600.0 + 1050.0 + 1000.0
    assert cell.busy_at(30.0) == pytest.approx(4.0 + 6.0 * 1.5)


def test_reading_changes_nothing():
    cell = Cell(0, 0, 10.0)
    cell.change(1.0, 5.0, 1, 0.0)
    readings = [cell.energy_at(moment) for moment in (1.0, 3.0, 7.5)]
    assert readings == [10.0, 40.0, 107.5]
    assert cell.energy_at(3.0) == 40.0


STEPS = st.lists(
    st.tuples(
        st.floats(0.0, 1e5), st.floats(0.1, 900.0), st.sampled_from([0.25, 1 / 3, 0.5, 1.0]), st.floats(0.01, 1e4)
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None)
@given(STEPS, st.floats(0.0, 5e4))
def test_integrals_against_the_sum_over_jobs(steps, idle_w):
    """Every job adds its watts and its share from its start to its end."""
    cell = Cell(0, 0, idle_w)
    changes = []
    for start_s, watts, share, span_s in steps:
        changes.append((start_s, watts, 1, share - 1.0))
        changes.append((start_s + span_s, -watts, -1, 1.0 - share))
    changes.sort(key=lambda change: change[0])
    for change in changes:
        cell.change(*change)
    end_s = changes[-1][0] + 5.0
    expected_j = idle_w * end_s + sum(watts * span_s for _, watts, _, span_s in steps)
    assert cell.energy_at(end_s) == pytest.approx(expected_j, rel=1e-9)
    assert cell.busy_at(end_s) == pytest.approx(sum(step[2] * step[3] for step in steps), rel=1e-6, abs=1e-6)
    assert (cell.holders, cell.partly, cell.power_w) == (0, 0.0, idle_w)  # exactly: no rounding is left over


def test_rounding_does_not_outlive_an_idle_moment():
    cell = Cell(0, 0, 0.1)
    for moment in range(0, 1000, 3):
        cell.change(moment + 0.1, 0.3, 1, 0.0)
        cell.change(moment + 0.2, 0.6, 1, 0.0)
        cell.change(moment + 0.3, -0.3, -1, 0.0)
        cell.change(moment + 0.4, -0.6, -1, 0.0)
        assert cell.power_w == 0.1
