"""What `dcsim chip run` is asked for: its options, checked before anything is read, and as the model wants them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dcsim.cli.options import above_0
from dcsim.errors import DcsimError, nearest

if TYPE_CHECKING:
    from dcsim.catalog import Entry
    from dcsim.chip import ChipSpec, SpikingNetwork

#: Endings of files with figures.
FIGURES = (".pdf", ".png", ".svg")


class Activity(NamedTuple):
    """How the network is driven."""

    rate: str | None
    spikes: Path | None
    steps: int | None
    samples: int | None
    seed: int


def check(activity: Activity, figure: Path | None) -> None:
    """Refuse options that exclude each other, before anything is read."""
    if activity.spikes is not None and activity.rate is not None:
        raise DcsimError("found both --rate and --spikes, want one of them")
    if activity.spikes is not None and activity.samples is not None:
        raise DcsimError("found both --samples and --spikes; the inferences are those of the spikes")
    if figure is not None and figure.suffix.lower() not in FIGURES:
        raise DcsimError(f"--figure {figure}: want a name that ends in {', '.join(FIGURES)}")
    if figure is not None and not figure.absolute().parent.is_dir():
        raise DcsimError(f"--figure {figure}: cannot be written: there is no folder {figure.parent}")


def reading(
    network: str, dt: str | None, reset: str | None, integration: str | None, *, at_threshold: bool
) -> dict[str, Any]:
    """What a .nir file cannot say, by the names of `dcsim.chip.nir.read`."""
    from dcsim.chip.neurons import INTEGRATIONS, RESETS

    found: dict[str, Any] = {}
    if dt is not None:
        found["dt_s"] = above_0("--dt", dt, "time")
    words = {"reset": (reset, RESETS), "integration": (integration, INTEGRATIONS)}
    for option, (word, allowed) in words.items():
        if word is None:
            continue
        if word not in allowed:
            raise DcsimError(f"--{option}: found '{word[:40]}'{nearest(word, allowed)}")
        found[option] = word
    if at_threshold:
        found["at_threshold"] = True
    if found and not network.endswith(".nir"):
        options = "--dt, --reset, --integration and --at-threshold"
        raise DcsimError(f"{network}: {options} say what a .nir file cannot; this is none")
    return found


def rates_of(text: str, layers: int) -> list[float]:
    """Rate of each layer."""
    rates = []
    for part in text.split(","):
        try:
            rate = float(part)
        except ValueError:
            rate = math.nan
        if not 0.0 <= rate <= 1.0:
            raise DcsimError(f"--rate: found '{part.strip()[:40]}', want spikes per neuron and step from 0 to 1")
        rates.append(rate)
    if len(rates) not in (1, layers):
        raise DcsimError(f"--rate: found {len(rates)} rates, want one, or one for each of the {layers} layers")
    return rates * layers if len(rates) == 1 else rates


def cores_of(text: str | None, network: SpikingNetwork, model: Entry | None, spec: ChipSpec) -> Sequence[int] | None:
    """Least cores of each layer, an input's number not counting: as asked for, or as a model was measured."""
    from dcsim.chip.profile import cores_as_measured

    if text is None:
        return None if model is None else cores_as_measured(model, spec)
    found, layers = [part.strip() for part in text.split(",")], len(network.layers)
    if len(found) != layers or not all(part.isdecimal() and len(part) < 10 for part in found):
        raise DcsimError(
            f"--cores: found '{text[:60]}', want a whole number for each of the {layers} layers, input first"
        )
    return [max(1, int(part)) for part in found]


def refuse(options: Mapping[str, object], why: str) -> None:
    """Refuse the first option that was given."""
    for option, value in options.items():
        if value not in (None, False, 0.0):
            raise DcsimError(f"{option}: {why}")
