"""One placed network on one system: `execute` gives seconds and joules, split by cause and step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dcsim import seeds
from dcsim.chip import activity, execution, limits, modes, noc, scheduled
from dcsim.chip.execution import Counts, Steps
from dcsim.chip.given import NetworkError, Rates, rate_table
from dcsim.chip.modes import Form
from dcsim.chip.network import SpikingNetwork
from dcsim.chip.outcome import Board, Outcome, check_board, joined
from dcsim.chip.placement import Placement
from dcsim.chip.spec import ChipSpec
from dcsim.chip.wiring import Reach, Wiring, reach, wire
from dcsim.errors import PlacementError, nearest
from dcsim.service import FloatArray

#: How the time of a step is found: `barrier` from sums over events, `message` message by message.
Timing: TypeAlias = Literal["barrier", "message"]

TIMINGS: tuple[Timing, ...] = ("barrier", "message")

#: Samples x steps x groups of neurons that are drawn and priced at a time: a block takes well below a second.
_BLOCK = 1 << 20


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
    interrupted: bool = False
    """a KeyboardInterrupt ended it: these are the inferences that were finished"""

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

    Inferences at rates are drawn in blocks. SIGINT after the first block ends the run early: what is finished is in the
    result, whose `interrupted` is true; before that it is a KeyboardInterrupt.

    Raises PlacementError and NetworkError, and DcsimError for a seed that is none.
    """
    modes.check_form(network.name, chip, form)
    _check(network, placement, chip)
    if board is not None:
        check_board(board, chip.name)
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
        raster, changed = activity.raster(network, spikes)
        wiring, reached = prepared(network, placement, chip)
        touched = changed if updates is None else activity.touched(network, updates, raster.shape)
        counted = iter([execution.count_spikes(raster, reached, wiring, touched)])
        if timing == "message":
            messages = noc.message_times(raster, touched, _traffic(network, placement, chip, learning), chip)
    else:
        rates = _with_inputs(network, rates) if values and fired is None else rates
        wiring, counted = _drawn(network, placement, chip, fired, rates, updates, samples, seed)
    if values:
        wiring = modes.with_values(network, wiring, chip)

    def priced(counts: Counts) -> Outcome:
        cores_s = None if messages is None else messages.seconds
        return modes.outcome(
            network, counts, wiring, chip, learning=learning, in_turn=in_turn, board=board, cores_s=cores_s
        )

    counts, found, interrupted = _finished(counted, priced)
    return replace(_run(found, counts, wiring, chip, messages, board, in_turn), interrupted=interrupted)


def _finished(counted: Iterator[Counts], priced: Callable[[Counts], Outcome]) -> tuple[Counts, Outcome, bool]:
    """All blocks that were finished, put together, and whether SIGINT kept others from it."""
    blocks, interrupted = [], False
    try:
        for counts in counted:
            blocks.append((counts, priced(counts)))
    except KeyboardInterrupt:
        if not blocks:
            raise
        interrupted = True
    parts, outcomes = zip(*blocks, strict=True)
    return execution.joined(parts), joined(outcomes), interrupted


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
        (*found.notes, *modes.overruns(found.steps, chip)),
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
) -> tuple[Wiring, Iterator[Counts]]:
    """Wiring, and counts block by block: from spikes per group, or of inferences at rates per layer or neuron."""
    generator = seeds.generator(seed, 0, "chip/execute")
    if fired is not None:
        wiring = _wired(network, placement, chip)
        spikes = activity.of_groups(f"{network.name}: fired", fired, wiring)
        shape, blocks = spikes.shape, iter([spikes])
    else:
        wiring, shape, blocks = _sampled(network, placement, chip, rates, samples, generator)
    changed: FloatArray | Literal["all", "fired"]
    if updates is None or isinstance(updates, str):
        changed = activity.word(updates or "all")
    else:
        changed = activity.of_groups(f"{network.name}: updates", updates, wiring)
        if changed.shape[1] != shape[1] or changed.shape[0] not in (1, shape[0]):
            raise NetworkError(f"{network.name}: updates: found shape {changed.shape}, want {shape}")
    return wiring, _counted(blocks, wiring, changed, generator)


def _counted(
    blocks: Iterator[FloatArray],
    wiring: Wiring,
    updates: FloatArray | Literal["all", "fired"],
    generator: np.random.Generator,
) -> Iterator[Counts]:
    """Counts of each block of spikes; updates that differ from inference to inference go with their block."""
    start = 0
    for fired in blocks:
        own = updates if isinstance(updates, str) or len(updates) == 1 else updates[start : start + len(fired)]
        yield execution.count(fired, wiring, updates=own, generator=generator)
        start += len(fired)


def _sampled(
    network: SpikingNetwork,
    placement: Placement,
    chip: ChipSpec,
    rates: Rates | None,
    samples: int,
    generator: np.random.Generator,
) -> tuple[Wiring, tuple[int, ...], Iterator[FloatArray]]:
    """Wiring, and the shape and blocks of the spikes of each group, drawn at rates per layer or neuron."""
    rates = None if rates is None else activity.table(f"{network.name}: rates", rates)
    by_neuron = rates is not None and np.ndim(rates) > 0 and np.shape(rates)[-1] == network.size != len(network.layers)
    columns = network.size if by_neuron else len(network.layers)
    table = network.rates if rates is None else rate_table(network.name, rates, network.steps, columns)
    if not table.shape[1]:
        raise NetworkError(f"{network.name}: has no firing rates, want spikes or rates")
    wiring = wire(network, placement, chip, table.mean(axis=0)) if by_neuron else _wired(network, placement, chip)
    steps, groups = network.steps, len(wiring.layer)
    width = max(groups, len(wiring.cores))
    activity.check_samples(network.name, samples, steps, width)
    by_group, size = execution.group_rates(table, wiring), max(1, _BLOCK // (steps * width))
    blocks = (
        execution.sample_fired(by_group, wiring, steps, min(size, samples - start), generator)
        for start in range(0, samples, size)
    )
    return wiring, (samples, steps, groups), blocks
