"""What a case of kind `sanafe` says that SANA-FE found, and how it is held against a run.

Counts must agree, in every step; energies and times by step are held to the worst of their steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dcsim.service import FloatArray
from dcsim.validation.case import CaseError, NonNegative
from dcsim.validation.report import Row, compare

#: Relative error that is allowed in energies, and in times that are sums over events.
EXACT = 1e-3

#: Totals and lists of counts that must agree, by what they are called in a report: key of the total, key of the list.
COUNTS: Mapping[str, tuple[str, str]] = {
    "synaptic events": ("spikes", "spikes"),
    "packets": ("packets", "packets"),
    "hops": ("hops", "hops"),
    "neurons fired": ("neurons_fired", "fired"),
    "neurons updated": ("neurons_updated", "updated"),
}

#: Parts of the energy.
PARTS = ("total", "synapse", "soma", "network")

Whole = Annotated[int, Field(ge=0)]


class _Loose(BaseModel):
    """Part of a case of which only some keys are read."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Energy(_Loose):
    """Energy by part, J."""

    total: NonNegative
    synapse: NonNegative
    soma: NonNegative
    network: NonNegative


class StepLists(_Loose):
    """Lists with a number for each step, any of which may be absent."""

    fired: list[NonNegative] | None = None
    updated: list[NonNegative] | None = None
    hops: list[NonNegative] | None = None
    spikes: list[NonNegative] | None = None
    packets: list[NonNegative] | None = None
    sim_time: list[NonNegative] | None = None
    total_energy: list[NonNegative] | None = None
    synapse_energy: list[NonNegative] | None = None
    soma_energy: list[NonNegative] | None = None
    network_energy: list[NonNegative] | None = None


class Found(_Loose):
    """What SANA-FE found with one timing model."""

    energy: Energy
    sim_time: NonNegative
    spikes: NonNegative
    packets: NonNegative
    hops: NonNegative
    neurons_fired: NonNegative
    neurons_updated: NonNegative
    per_step: StepLists = StepLists()


class Results(_Loose):
    """By timing model; at least one of them."""

    simple: Found | None = None
    detailed: Found | None = None


class Document(_Loose):
    """A case of kind `sanafe`."""

    case: Annotated[str, Field(min_length=1, max_length=200)]
    results: Results
    neurons: Whole | None = None
    synapses: Whole | None = None
    T: Whole | None = None
    """steps"""
    cores_used: Whole | None = None
    tiles_used: Whole | None = None


def sizes(area: str, case: str, document: Document, found: Mapping[str, int]) -> Iterator[Row]:
    """Rows of what the document says about its network, by the keys of `found`."""
    for key, simulated in found.items():
        expected = getattr(document, key)
        if expected is not None:
            yield compare(area, case, "steps" if key == "T" else key.replace("_", " "), expected, simulated, 0.0)


def timed(
    area: str,
    case: str,
    model: str,
    expected: Found,
    found: Mapping[str, FloatArray],
    in_time: float,
    in_step: float,
) -> Iterator[Row]:
    """Rows of one timing model: totals, then what it says step by step.

    `found`: the run by the keys of `StepLists`, (steps,) each; `in_time`, `in_step`: relative errors that are allowed
    in the total time and in that of a step. Raises CaseError for a list that does not have a number for each step.
    """
    for part in PARTS:
        spent = float(found[f"{part}_energy"].sum())
        yield compare(area, case, f"energy {part} {model} J", getattr(expected.energy, part), spent, EXACT)
    for what, (total, by_step) in COUNTS.items():
        yield compare(area, case, f"{what} {model}", getattr(expected, total), float(found[by_step].sum()), 0.0)
    yield compare(area, case, f"time {model} s", expected.sim_time, float(found["sim_time"].sum()), in_time)
    for key, simulated in found.items():
        listed = getattr(expected.per_step, key)
        if listed is not None:
            tolerance = in_step if key == "sim_time" else EXACT
            yield _by_step(area, case, model, key, listed, simulated, tolerance)


def _by_step(
    area: str, case: str, model: str, key: str, listed: Sequence[float], simulated: FloatArray, tolerance: float
) -> Row:
    """Steps of a count that differ, or the worst relative error of the steps of a time or an energy."""
    if len(listed) != len(simulated):
        raise CaseError(
            f"results.{model}.per_step.{key}: found {len(listed)} numbers, want {len(simulated)}, the steps"
        )
    expected, metric = np.asarray(listed, dtype=np.float64), f"{key.replace('_', ' ')} by step {model}"
    if "_" not in key:
        apart = float((expected != simulated).sum())
        return compare(area, case, metric, 0.0, apart, 0.0, f"steps that differ, of {len(listed):,}")
    away = np.abs(simulated - expected)
    errors = np.divide(away, expected, out=(away > 0.0).astype(np.float64), where=expected > 0.0)
    return compare(
        area, case, metric, 0.0, float(errors.max()), tolerance, f"worst relative error, step {errors.argmax() + 1}"
    )
