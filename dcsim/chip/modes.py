"""From counted events to seconds and joules, by the mode in which time passes on the chip; forms that a chip runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from dcsim.catalog import Entry
from dcsim.chip import analog, events, execution, scheduled
from dcsim.chip.execution import Counts, Steps
from dcsim.chip.facts import words_of
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.outcome import Board, Outcome
from dcsim.chip.spec import ChipSpec
from dcsim.chip.wiring import Wiring
from dcsim.errors import PlacementError, nearest
from dcsim.service import FloatArray

#: How a network is run: neurons that send spikes step after step, or layers that hand on numbers once.
Form: TypeAlias = Literal["spiking", "dense"]

FORMS: tuple[Form, ...] = ("spiking", "dense")


def form_of(model: Entry, chip: ChipSpec) -> Form:
    """Form in which a chip runs a catalog model: spiking where both can, or else dense.

    Raises PlacementError with the reason when there is none: kind of network, precision, learning.
    """
    where = f"{model.name} on chip {chip.name}"
    nets, forms = words_of(model, "nets") or ["snn"], words_of(model, "forms") or ["spiking"]
    if forms == ["spiking"]:
        check_form(model.name, chip, "spiking")
    if not set(nets) & set(chip.nets):
        raise PlacementError(f"{where}: is a network of kind {', '.join(nets)}, the chip runs {', '.join(chip.nets)}")
    wanted = words_of(model, "precision")
    if wanted and not set(wanted) & set(chip.precision):
        raise PlacementError(f"{where}: needs weights of {', '.join(wanted)}, has {', '.join(chip.precision)}")
    if model.facts.get("learning") is True and not chip.learns:
        raise PlacementError(f"{where}: learns as it runs, the chip does not")
    if "spiking" in forms and "snn" in chip.nets:
        return "spiking"
    if "dense" in forms and chip.dense is not None:
        return "dense"
    check_form(model.name, chip, "spiking" if "spiking" in forms else "dense")
    raise PlacementError(f"{where}: has no form that the chip runs, only {', '.join(forms)}")


def check_form(name: str, chip: ChipSpec, form: str) -> None:
    """Raise PlacementError when the chip cannot run a network in this form."""
    if form not in FORMS:
        raise PlacementError(f"{name}: form: found {form!r}{nearest(form, FORMS)}")
    if form == "dense":
        scheduled.costs(name, chip)
    elif "snn" not in chip.nets:
        raise PlacementError(f"{name}: chip {chip.name} runs no spiking networks, only {', '.join(chip.nets)}")


def in_real_time(chip: ChipSpec) -> ChipSpec:
    """The same chip with steps of a fixed length. Raises PlacementError where none is known."""
    if chip.mode == "tick":
        return chip
    if chip.real_tick_s is None:
        raise PlacementError(f"chip {chip.name}: has no real-time step, its mode is {chip.mode}")
    return replace(chip, mode="tick", tick_s=chip.real_tick_s)


def with_values(network: SpikingNetwork, wiring: Wiring, chip: ChipSpec) -> Wiring:
    """Wiring on a chip whose arrays multiply input values with weights, beside the cores that work on spikes.

    Raises PlacementError where the chip has no such arrays.
    """
    cost = chip.costs
    if cost.synapse_mac_j == 0.0:
        raise PlacementError(f"{network.name}: chip {chip.name} takes spikes, not values, as input")
    core = wiring.core[wiring.group]
    total, joules, seconds = np.zeros((3, len(wiring.cores)))
    for connection in network.connections:
        start, end = network.bounds[[connection.target, connection.target + 1]]
        stored = np.bincount(core[start:end], connection.fan_in(), len(wiring.cores))
        is_input = network.layers[connection.source].is_input
        each_j, each_s = (cost.synapse_mac_j, cost.synapse_mac_s) if is_input else cost.synapse_of(connection.storage)
        total, joules, seconds = total + stored, joules + each_j * stored, seconds + each_s * stored
    known = np.maximum(total, 1.0)
    return replace(wiring, synapse_j=joules / known, synapse_s=seconds / known)


def outcome(
    network: SpikingNetwork,
    counts: Counts,
    wiring: Wiring,
    chip: ChipSpec,
    *,
    form: Form = "spiking",
    learning: float = 0.0,
    in_turn: bool = False,
    board: Board | None = None,
    cores_s: FloatArray | None = None,
) -> Outcome:
    """Seconds and joules of counted events.

    `learning`: share of synaptic operations that change their synapse; `in_turn`: parts of the network one after
    another on one analogue chip; `board`: what the chips sit on; `cores_s` (J, T): time of the cores where it is known
    better. Raises PlacementError for what the chip cannot do.
    """
    _check_learning(network.name, chip, form, learning)
    if in_turn and chip.mode != "analog":
        raise PlacementError(f"{network.name}: only analogue chips run parts of a network in turn, not {chip.name}")
    if form == "dense":
        found = scheduled.outcome(network, counts, wiring, chip)
    elif chip.mode == "event":
        found = events.outcome(network, counts, wiring, chip)
    elif chip.mode == "analog":
        found = analog.outcome(network, counts, wiring, chip, in_turn=in_turn)
    else:
        found = _stepped(counts, wiring, chip, learning, cores_s)
    return found if board is None else board.charged(found, 1 if in_turn else wiring.chips)


def _stepped(counts: Counts, wiring: Wiring, chip: ChipSpec, learning: float, cores_s: FloatArray | None) -> Outcome:
    core_s = execution.core_times(counts, wiring, chip, learning)
    steps = execution.step_times(counts, wiring, chip, core_s.max(axis=2) if cores_s is None else cores_s)
    latency_s = execution.latency(steps, chip)
    energy = execution.energy(counts, steps, wiring, chip, learning)
    return Outcome(latency_s, latency_s, energy, steps, core_s)


def overruns(steps: Steps, chip: ChipSpec) -> tuple[str, ...]:
    """A note on the steps that did not fit a tick, if there are any."""
    if not steps.overrun.any():
        return ()
    return (f"{steps.overrun.mean():.1%} of the steps did not fit {chip.tick_s:g} s and were stretched",)


def _check_learning(name: str, chip: ChipSpec, form: str, learning: float) -> None:
    if not 0.0 <= learning <= 1.0:
        raise PlacementError(f"{name}: learning: found {learning:g}, want a share of synaptic operations from 0 to 1")
    if learning == 0.0:
        return
    if not chip.learns:
        raise PlacementError(f"{name}: chip {chip.name} does not learn on the chip")
    if form == "dense" or chip.costs.learning_j == 0.0:
        raise PlacementError(f"{name}: the catalog has no energy of a learning synapse on chip {chip.name}, learning_j")
