"""One placed network on one system: `execute` gives seconds and joules, split by cause and step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dcsim import seeds
from dcsim.chip import execution, limits, modes, noc, scheduled
from dcsim.chip.execution import BoolArray, Counts, Steps
from dcsim.chip.modes import Form
from dcsim.chip.network import NetworkError, Rates, SpikingNetwork, rate_table
from dcsim.chip.outcome import Board, Outcome
from dcsim.chip.placement import Placement
from dcsim.chip.spec import ChipSpec
from dcsim.chip.wiring import Reach, Wiring, reach, wire
from dcsim.errors import PlacementError, nearest
from dcsim.service import FloatArray

#: How the time of a step is found: `barrier` from sums over events, `message` message by message.
Timing: TypeAlias = Literal["barrier", "message"]

TIMINGS: tuple[Timing, ...] = ("barrier", "message")

#: Neurons whose state changes in a step, where an array does not say which.
UPDATES = ("all", "fired")

_MOST_CELLS = 1 << 31


@dataclass(frozen=True, eq=False)
class ChipRun:
    """What J inferences of T steps took."""

    latency_s: FloatArray
    """shape (J,)"""
    interval_s: FloatArray
    """time between two results of one copy that is never idle, shape (J,)"""
    energy_j: dict[str, FloatArray]
    """energy by cause (`execution.CAUSES`), each of shape (J,)"""
    counts: Counts
    steps: Steps
    core_s: FloatArray
    """time that each core needed in each step, shape (J, T, C)"""
    wiring: Wiring
    chip: ChipSpec
    messages: noc.MessageTimes | None = None
    """what `timing` "message" found"""
    board: Board | None = None
    """what the chips sit on; its idle power is in `io`, that of its host in `host`"""
    notes: tuple[str, ...] = ()
    """what a user should know about how it was found"""

    @property
    def total_j(self) -> FloatArray:
        """energy of all causes, shape (J,)"""
        total: FloatArray = np.sum(list(self.energy_j.values()), axis=0)
        return total

    @property
    def chip_j(self) -> FloatArray:
        """energy at the chips above their idle power, shape (J,)"""
        total: FloatArray = np.sum([self.energy_j[cause] for cause in execution.CHIP_CAUSES], axis=0)
        return total

    @property
    def boundary_j(self) -> dict[str, FloatArray]:
        """energy of all causes up to each boundary: `chip`, `board` and `host`, each of shape (J,)"""
        chip_j = self.energy_j["static"] + self.chip_j
        board_j = chip_j + self.energy_j["io"]
        return {"chip": chip_j, "board": board_j, "host": board_j + self.energy_j["host"]}

    @property
    def load_s(self) -> float:
        """time to bring the network onto its chips, one after the other"""
        return self.chip.load_s * self.wiring.chips

    @property
    def held_w(self) -> dict[str, float]:
        """power by cause that is drawn as long as the network is on its chips, whatever it does"""
        chips, board = self.wiring.chips, self.board
        share = 0.0 if board is None else chips / board.chips
        board_w, host_w = (0.0, 0.0) if board is None else (board.board_w, board.host_w)
        return {
            "static": self.chip.static_w * chips,
            "io": board_w * share,
            "host": self.chip.host_w * chips + host_w * share,
        }

    @property
    def at_once(self) -> int:
        """copies on its chips that run at the same time: they share one path for input and output"""
        io_s = float(self.steps.io_s.sum(axis=1).mean())
        steps_s = float(self.steps.seconds.sum(axis=1).mean())
        return self.wiring.copies if io_s == 0.0 else max(1, min(self.wiring.copies, int(steps_s / io_s)))

    def batch(self, inferences: int) -> tuple[float, dict[str, float]]:
        """Time of so many inferences on the same chips, s, and the energy of each by cause, J; means.

        They run on as many copies as fit, one after the other on each, and share what the chips, board and host draw
        anyway. Raises PlacementError for none.
        """
        if inferences < 1:
            raise PlacementError(f"batch: found {inferences} inferences, want at least 1")
        rounds = -(-inferences // min(inferences, self.at_once))
        latency_s = float(self.latency_s.mean())
        seconds = latency_s + (rounds - 1) * float(self.interval_s.mean())
        held_w = self.held_w
        energy_j = {
            cause: float(joules.mean()) + held_w.get(cause, 0.0) * (seconds / inferences - latency_s)
            for cause, joules in self.energy_j.items()
        }
        return seconds, energy_j

    @property
    def utilisation(self) -> float:
        """mean share of the steps' time in which a core in use is busy, 0 to 1"""
        held_s = float(self.steps.seconds.sum()) * max(1, self.wiring.cores_in_use)
        return float(self.core_s.sum()) / held_s if held_s else 0.0


def execute(
    network: SpikingNetwork,
    placement: Placement,
    chip: ChipSpec,
    *,
    spikes: npt.ArrayLike | None = None,
    fired: npt.ArrayLike | None = None,
    rates: Rates | None = None,
    timing: Timing = "barrier",
    updates: npt.ArrayLike | None = None,
    samples: int = 1,
    seed: int = 1,
    form: Form = "spiking",
    values: bool = False,
    real_time: bool = False,
    learning: float = 0.0,
    in_turn: bool = False,
    board: Board | None = None,
) -> ChipRun:
    """Run a placed network on its chips.

    `spikes`: raster of all neurons, (steps, neurons) or (samples, steps, neurons), of 0 and 1; or of the inputs alone,
    which a network with dynamics and weights turns into those of all. `fired`: spikes of each group of neurons,
    (steps, groups) or (samples, steps, groups), groups being the neurons of one layer on one core in order of their
    first neurons. Without either, `samples` inferences of the network's steps are drawn at `rates`: one, one per layer
    or neuron, or a row of these per step; by default those of the network. `updates`: which neurons' state changes in a
    step: "all", those that "fired", an array like the raster, or beside `fired` and `rates` how many of each group; by
    default what the dynamics say, or else all. `timing` "message" needs spikes.

    `form` "dense" runs it once as layers that hand on numbers, with no step or spike; `values`: the inputs send numbers
    in every step, which a chip with arrays for products multiplies there; `real_time`: steps of a fixed length where a
    chip has both; `learning`: share of synaptic operations that change their synapse; `in_turn`: parts of the network
    one after another on one analogue chip; `board`: what the chips sit on, whose idle power is then shared out.

    Raises PlacementError and NetworkError.
    """
    modes.check_form(network.name, chip, form)
    _check(network, placement, chip)
    if form == "dense":
        return _dense(network, placement, chip, board, learning)
    chip = modes.in_real_time(chip) if real_time else chip
    if timing not in TIMINGS:
        raise PlacementError(f"timing: found {timing!r}{nearest(str(timing), TIMINGS)}")
    kinds = {"spikes": spikes, "fired": fired, "rates": rates}
    if len(given := [name for name, value in kinds.items() if value is not None]) > 1:
        raise PlacementError(f"found both {given[0]} and {given[1]}, want one of them")
    if timing == "message" and spikes is None:
        raise PlacementError('timing: "message" needs spikes, which say which neuron sends to which core')
    messages = None
    if spikes is not None:
        raster, changed = _raster(network, spikes)
        wiring, reached = prepared(network, placement, chip)
        touched = changed if updates is None else _touched(network, updates, raster.shape)
        counts = execution.count_spikes(raster, reached, wiring, touched)
        if timing == "message":
            messages = noc.message_times(raster, touched, _traffic(network, placement, chip, learning), chip)
    else:
        rates = _with_inputs(network, rates) if values and fired is None else rates
        counts, wiring = _drawn(network, placement, chip, fired, rates, updates, samples, seed)
    if values:
        wiring = modes.with_values(network, wiring, chip)
    found = modes.outcome(
        network,
        counts,
        wiring,
        chip,
        learning=learning,
        in_turn=in_turn,
        board=board,
        cores_s=None if messages is None else messages.seconds,
    )
    return _run(found, counts, wiring, chip, messages, board, in_turn)


def _dense(
    network: SpikingNetwork, placement: Placement, chip: ChipSpec, board: Board | None, learning: float
) -> ChipRun:
    wiring = scheduled.wired(network, placement, chip)
    counts = scheduled.values(wiring)
    found = modes.outcome(network, counts, wiring, chip, form="dense", learning=learning, board=board)
    return _run(found, counts, wiring, chip, None, board, False)


def _run(
    found: Outcome,
    counts: Counts,
    wiring: Wiring,
    chip: ChipSpec,
    messages: noc.MessageTimes | None,
    board: Board | None,
    in_turn: bool,
) -> ChipRun:
    held = replace(wiring, chips=1) if in_turn else wiring
    return ChipRun(
        found.latency_s,
        found.interval_s,
        found.energy_j,
        counts,
        found.steps,
        found.core_s,
        held,
        chip,
        messages,
        board,
        found.notes,
    )


@lru_cache(maxsize=16)
def prepared(network: SpikingNetwork, placement: Placement, chip: ChipSpec) -> tuple[Wiring, Reach]:
    """The wiring of a placed network and the reach of each of its neurons, remembered."""
    wiring = _wired(network, placement, chip)
    return wiring, reach(network, wiring)


@lru_cache(maxsize=16)
def _check(network: SpikingNetwork, placement: Placement, chip: ChipSpec) -> None:
    """`limits.check`, once for each placement: an explicit one may be anything."""
    limits.check(network, placement, chip)


@lru_cache(maxsize=16)
def _wired(network: SpikingNetwork, placement: Placement, chip: ChipSpec) -> Wiring:
    return wire(network, placement, chip)


@lru_cache(maxsize=16)
def _traffic(network: SpikingNetwork, placement: Placement, chip: ChipSpec, learning: float) -> noc.Traffic:
    return noc.traffic(*prepared(network, placement, chip), chip, learning)


def _with_inputs(network: SpikingNetwork, rates: Rates | None) -> FloatArray:
    """Rates per layer, at which the inputs send a number in every step."""
    table = network.rates if rates is None else rate_table(network.name, rates, network.steps, len(network.layers))
    is_input = [layer.is_input for layer in network.layers]
    return np.where(is_input, 1.0, table)


def _drawn(
    network: SpikingNetwork,
    placement: Placement,
    chip: ChipSpec,
    fired: npt.ArrayLike | None,
    rates: Rates | None,
    updates: npt.ArrayLike | None,
    samples: int,
    seed: int,
) -> tuple[Counts, Wiring]:
    """Counts from spikes per group, or of `samples` inferences at rates per layer or neuron."""
    generator = seeds.generator(seed, 0, "chip/execute")
    if fired is not None:
        wiring = _wired(network, placement, chip)
        spikes = _of_groups(f"{network.name}: fired", fired, wiring)
    else:
        spikes, wiring = _sampled(network, placement, chip, rates, samples, generator)
    if updates is None or isinstance(updates, str):
        return execution.count(spikes, wiring, updates=_word(updates or "all"), generator=generator), wiring
    changed = _of_groups(f"{network.name}: updates", updates, wiring)
    if changed.shape[1] != spikes.shape[1] or changed.shape[0] not in (1, spikes.shape[0]):
        raise NetworkError(f"{network.name}: updates: found shape {changed.shape}, want {spikes.shape}")
    return execution.count(spikes, wiring, updates=changed, generator=generator), wiring


def _sampled(
    network: SpikingNetwork,
    placement: Placement,
    chip: ChipSpec,
    rates: Rates | None,
    samples: int,
    generator: np.random.Generator,
) -> tuple[FloatArray, Wiring]:
    """Spikes of each group, drawn at rates per layer or neuron."""
    if samples < 1 or samples % 1 or samples * network.steps * len(network.layers) > _MOST_CELLS:
        raise PlacementError(f"found {samples} samples of {network.steps} steps, want at least 1, and fewer in all")
    rates = None if rates is None else _array(f"{network.name}: rates", rates)
    by_neuron = rates is not None and np.ndim(rates) > 0 and np.shape(rates)[-1] == network.size != len(network.layers)
    columns = network.size if by_neuron else len(network.layers)
    table = network.rates if rates is None else rate_table(network.name, rates, network.steps, columns)
    if not table.shape[1]:
        raise NetworkError(f"{network.name}: has no firing rates, want spikes or rates")
    wiring = wire(network, placement, chip, table.mean(axis=0)) if by_neuron else _wired(network, placement, chip)
    by_group = execution.group_rates(table, wiring)
    return execution.sample_fired(by_group, wiring, network.steps, int(samples), generator), wiring


def _word(updates: str) -> Literal["all", "fired"]:
    if updates not in UPDATES:
        raise PlacementError(f"updates: found {updates!r}{nearest(updates, UPDATES)}")
    return "fired" if updates == "fired" else "all"


def _touched(
    network: SpikingNetwork, updates: npt.ArrayLike, shape: tuple[int, ...]
) -> BoolArray | Literal["all", "fired"]:
    """Checked updates, a word or of the shape of the raster."""
    if isinstance(updates, str):
        return _word(updates)
    given = np.asarray(updates, dtype=np.bool_)
    given = given[None] if given.ndim == 2 else given
    if given.shape != shape:
        raise NetworkError(f"{network.name}: updates: found shape {given.shape}, want that of the raster, {shape}")
    return given


def _array(where: str, given: npt.ArrayLike) -> npt.NDArray[Any]:
    """An array, not a list of rows that differ in length."""
    try:
        return np.asarray(given)
    except ValueError:
        raise NetworkError(f"{where}: found rows of different lengths, want a table") from None


def _of_groups(where: str, numbers: npt.ArrayLike, wiring: Wiring) -> FloatArray:
    """Checked numbers of neurons of each group, (samples, steps, groups)."""
    given = _array(where, numbers)
    if given.dtype.kind not in "biuf":
        raise NetworkError(f"{where}: found {given.dtype} values, want numbers")
    given = given.astype(np.float64, copy=False)
    given = given[None] if given.ndim == 2 else given
    groups = len(wiring.layer)
    if given.ndim != 3 or not given.size or given.shape[2] != groups:
        want = f"(steps, {groups} groups) or (samples, steps, {groups} groups)"
        raise NetworkError(f"{where}: found shape {np.shape(numbers)}, want {want}")
    wrong = np.argwhere(~((given >= 0.0) & (given <= wiring.neurons)))
    if wrong.size:
        found, group = given[tuple(wrong[0])], int(wrong[0, 2])
        raise NetworkError(f"{where}: found {found:g} in group {group}, want 0 to its {wiring.neurons[group]} neurons")
    return given


def _raster(network: SpikingNetwork, spikes: npt.ArrayLike) -> tuple[BoolArray, BoolArray | Literal["all"]]:
    """Spikes of all neurons, (samples, steps, neurons), and which neurons' state changed."""
    given = _array(f"{network.name}: spikes", spikes)
    given = given[None] if given.ndim == 2 else given
    inputs = int(network.is_free.sum())
    if given.ndim != 3 or not given.size or given.shape[2] not in (network.size, inputs):
        want = f"(samples, steps, {network.size} neurons) or (samples, steps, {inputs} inputs)"
        raise NetworkError(f"{network.name}: spikes: found shape {np.shape(spikes)}, want {want}")
    if given.shape[0] * given.shape[1] * network.size > _MOST_CELLS:
        raise NetworkError(
            f"{network.name}: spikes: found {given.shape[0]} x {given.shape[1]} steps, want fewer at once"
        )
    if given.shape[2] == network.size:
        if given.dtype != np.bool_ and not np.isin(given, (0, 1)).all():
            raise NetworkError(f"{network.name}: spikes: found values other than 0 and 1")
        return given.astype(np.bool_), "all"
    from dcsim.chip.dynamics import simulate

    activity = simulate(network, given)
    return activity.raster, activity.updated
