"""Power curves, as a table and as a scenario writes them."""

from __future__ import annotations

from math import sqrt

import pytest

from dcsim.cluster import curves
from dcsim.scenario.hardware import Curve


def curve(**parts):
    return curves.from_scenario(Curve.model_validate(parts))


def test_table_is_straight_between_its_points():
    power_w = curves.table([0.0, 100.0, 130.0, 140.0])
    assert [power_w(load) for load in (0.0, 1 / 3, 2 / 3, 1.0)] == pytest.approx([0.0, 100.0, 130.0, 140.0])
    assert power_w(1 / 6) == pytest.approx(50.0)
    assert power_w(5 / 6) == pytest.approx(135.0)
    assert power_w(1.0 + 1e-9) == 140.0  # shares may add up to a little over 1


@pytest.mark.parametrize(
    ("parts", "expected_w"),
    [
        ({"idle": "100 W", "max": "500 W"}, lambda load: 400.0 * load),
        ({"shape": "sqrt", "idle": "100 W", "max": "500 W"}, lambda load: 400.0 * sqrt(load)),
        (
            {"shape": "table", "idle": "100 W", "max": "500 W", "points": ["100 W", "400 W", "500 W"]},
            lambda load: 600.0 * load if load < 0.5 else 300.0 + 200.0 * (load - 0.5),
        ),
    ],
)
def test_curve_of_a_scenario_is_what_a_load_adds_to_idle(parts, expected_w):
    power_w = curve(**parts)
    for load in (0.0, 0.2, 0.5, 0.75, 1.0):
        assert power_w(load) == pytest.approx(expected_w(load))
    assert power_w(1.5) == pytest.approx(400.0)
