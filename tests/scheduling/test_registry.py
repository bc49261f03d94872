"""Policies by name: registered once, found by name, with the nearest name when there is none."""

from __future__ import annotations

import pytest

from dcsim.errors import ScenarioError
from dcsim.scheduling.orders import ORDERS
from dcsim.scheduling.registry import Registry
from dcsim.scheduling.slots import PLACEMENTS


def test_names_and_policies():
    assert {"first-fit", "round-robin", "least-loaded"} <= set(PLACEMENTS.names())
    assert PLACEMENTS.names() == sorted(PLACEMENTS.names())
    assert ORDERS.get("fcfs")(3.0, 7) == (3.0, 7)


@pytest.mark.parametrize(
    ("registry", "name", "line"),
    [
        (PLACEMENTS, "round-robbin", "scheduling.placement: no placement 'round-robbin'; did you mean 'round-robin'?"),
        (ORDERS, "fcsf", "scheduling.policy: no policy 'fcsf'; did you mean 'fcfs'?"),
    ],
)
def test_unknown_name_is_one_line_with_the_nearest(registry, name, line):
    with pytest.raises(ScenarioError) as caught:
        registry.get(name)
    assert str(caught.value) == line


def test_unknown_name_far_from_all_lists_what_there_is():
    registry: Registry[int] = Registry("policy")
    registry.add("b")(2)
    registry.add("a")(1)
    with pytest.raises(ScenarioError, match="no policy 'zebra'; allowed: a, b"):
        registry.get("zebra")


def test_decorator_returns_the_policy_and_refuses_a_name_twice():
    registry: Registry[type] = Registry("placement")

    @registry.add("mine")
    class Mine:
        pass

    assert registry.get("mine") is Mine
    with pytest.raises(ValueError, match="placement 'mine' is registered twice"):
        registry.add("mine")(int)
    assert registry.get("mine") is Mine
