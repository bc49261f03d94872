"""The list of summary keys is the summary: nothing is missing from it, nothing in it is never given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dcsim
from dcsim.results.account import BOUNDARIES
from dcsim.results.keys import SUMMARY

ROOT = Path(__file__).parents[2]
DISTRIBUTION = {"mean", "p50", "p95", "p99"}
NAMED = {"streams", "pools", "sites", "tenants"}


def _paths(block: dict[str, Any], path: str = "") -> dict[str, set[str]]:
    """Key as the list writes it -> keys of the distribution below it, if it is one."""
    found: dict[str, set[str]] = {}
    for key, value in block.items():
        name = "NAME" if path in NAMED else "PART" if path.endswith("by_part") else key
        name = "BOUNDARY" if key in BOUNDARIES else name
        below = f"{path}.{name}".removeprefix(".").removeprefix("sites.NAME.")
        if isinstance(value, dict) and "p50" in value:
            found[below] = set(value)
        elif isinstance(value, dict):
            found |= _paths(value, below)
        else:
            found[below] = set()
    return found


@pytest.fixture(scope="module")
def given() -> dict[str, set[str]]:
    given = {
        "duration": "5 min",
        "start": "2022-06-21T12:00Z",
        "sites.virginia.solar": {"peak": "10 kW"},
        "sites.virginia.battery": {"capacity": "10 kWh"},
        "sites.virginia.heat_reuse": {"share": 0.2, "price": "0.02 USD/kWh"},
        "sites.virginia.building": "cost-default",
        "streams.chat.tenant": "lab",
    }
    scenario = dcsim.load(ROOT / "scenarios" / "hybrid_pilot.yaml", given)
    return _paths(dcsim.simulate(scenario).summary)


def test_every_key_of_a_run_is_listed_and_every_listed_key_is_given(given: dict[str, set[str]]) -> None:
    assert sorted(given) == sorted(key.path for key in SUMMARY)


def test_distributions_are_marked(given: dict[str, set[str]]) -> None:
    for key in SUMMARY:
        assert given[key.path] == (DISTRIBUTION if key.unit.endswith("*") else set()), key.path


def test_a_key_names_its_unit() -> None:
    units = {"_s": "s", "_j": "J", "_kwh": "kWh", "_kw": "kW", "_l": "L", "_kg": "kg", "_usd": "USD"}
    for key in SUMMARY:
        last = key.path.rpartition(".")[2]
        suffix = next((end for end in units if last.endswith(end)), None)
        if suffix and "_per_" not in last:
            assert key.unit.removesuffix(" *") == units[suffix], key.path
