"""Catalog entries made in memory, so that a test says every number that it rests on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dcsim.catalog import Entry, Quantity
from dcsim.catalog.entries import Record


def make_entry(kind: str, name: str = "toy", facts: dict | None = None, **numbers: object) -> Entry:
    """Entry whose numbers are given in the units that their keys name."""
    quantities = {key: Quantity(value, "", "test", "estimate", value) for key, value in numbers.items()}
    return Entry(name, kind, Record(name, facts or {}, quantities), set())


@pytest.fixture
def entry() -> Callable[..., Entry]:
    return make_entry


@pytest.fixture
def model() -> Callable[..., Entry]:
    def make(layers: object, rates: object, steps: float, name: str = "net") -> Entry:
        return make_entry("model", name, snn_layers=layers, snn_rates=rates, snn_steps=steps)

    return make


@pytest.fixture
def chip() -> Callable[..., Entry]:
    """A chip of 8 cores with 16 neurons each; keywords add numbers or replace facts."""

    def make(name: str = "toy", mode: str = "barrier", nets: tuple[str, ...] = ("snn",), **numbers: object) -> Entry:
        base = {"cores": 8.0, "neurons_per_core": 16.0, "static_w": 0.01, "synapse_j": 1e-12, "sync_s": 1e-6}
        facts = {"mode": mode, "nets": list(nets), "precision": ["int8"]}
        return make_entry("chip", name, facts, **(base | numbers))

    return make
