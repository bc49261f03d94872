"""Kind `sanafe`: networks that SANA-FE 2.2.9 ran on its Loihi, event by event, message by message and at rates.

A case is a JSON file with what SANA-FE found and, beside it, an archive NAME.npz with synapses, cores and rasters.
Neurons are free inputs (kind 0), replays of a raster (kind 1) or leaky integrate-and-fire neurons (kind 2), which are
simulated here: v = leak v, cut to multiples of 1/64 towards 0, + bias + weights of the spikes of the step before; a
spike above the threshold, then v = 0.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcsim import catalog, seeds
from dcsim.chip import ChipRun, ChipSpec, Neurons, Placement, SpikingNetwork, execute, execution
from dcsim.chip.dynamics import simulate
from dcsim.chip.execution import Counts, Steps
from dcsim.chip.files import DAMAGE
from dcsim.chip.wiring import wire
from dcsim.service import FloatArray
from dcsim.validation.case import Case, CaseError, Effort
from dcsim.validation.report import Row, compare
from dcsim.validation.sanafe_found import EXACT, Document, sizes, timed

AREA, CHIP = "chip", "loihi-sanafe"

#: Relative errors that are allowed beside `EXACT`.
DETAILED, RATE_ENERGY, RATE_TIME = 1e-2, 1e-2, 6e-2

#: The same for the "detailed" time of a single step, where one message that overtakes another counts for more.
DETAILED_STEP = 5e-2

#: Steps over which rates are means where spikes are drawn: fewer would count the chance in a raster twice.
PHASE = 4

#: SANA-FE cuts the potential of a Loihi neuron to multiples of this after the leak.
RESOLUTION = 1 / 64

_MOST_BYTES = 2**31
_MOST_CELLS = 1_000_000
_SAMPLES = (8, 8192)
_ARRAYS = ("pre", "post", "core", "kind", "raster", "raster_shape", "weight", "bias", "threshold", "leak")

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Replay:
    """A case made ready to run."""

    network: SpikingNetwork
    placement: Placement
    chip: ChipSpec
    raster: BoolArray
    """spikes that SANA-FE had, (T, neurons)"""
    spikes: BoolArray
    """the same with those of kind 2 simulated here"""
    updated: BoolArray
    """neurons whose state changed, of the shape of the raster"""


def check(case: Case, effort: Effort) -> Iterator[Row]:
    """Rows of one case: its sizes, energy by part, counts of events, times, all by step too, and both at rates."""
    del effort
    document = case.read(Document)
    simple, detailed = document.results.simple, document.results.detailed
    known = simple or detailed
    if known is None:
        raise CaseError("results: found neither simple nor detailed, want at least one of them")
    replay = read(case.locate(f"{document.case}.npz"), case.name)
    run = execute(
        replay.network, replay.placement, replay.chip, spikes=replay.spikes, updates=replay.updated,
        timing="message" if detailed else "barrier",
    )  # fmt: skip
    yield from sizes(AREA, case.name, document, _sizes(replay))
    yield compare(AREA, case.name, "spikes that differ", 0.0, float((replay.raster != replay.spikes).sum()), 0.0)
    events = _events(replay, run)
    if simple:
        seconds = execution.step_times(run.counts, run.wiring, run.chip).seconds[0]
        yield from timed(AREA, case.name, "simple", simple, events | {"sim_time": seconds}, EXACT, EXACT)
    if detailed:
        found = events | {"sim_time": run.steps.seconds[0]}
        yield from timed(AREA, case.name, "detailed", detailed, found, DETAILED, DETAILED_STEP)
    joules, mean_s = at_rates(replay, run)
    yield compare(AREA, case.name, "energy at rates J", known.energy.total, joules, RATE_ENERGY)
    if simple:
        yield compare(AREA, case.name, "time at rates s", simple.sim_time, mean_s, RATE_TIME)


def _sizes(replay: Replay) -> dict[str, int]:
    """What a document may say about its network, by its keys."""
    core = replay.placement.core_of_neuron
    return {
        "neurons": replay.network.size,
        "synapses": replay.network.synapses,
        "T": len(replay.raster),
        "cores_used": len(np.unique(core)),
        "tiles_used": len(np.unique(core // replay.chip.cores_per_tile)),
    }


def _events(replay: Replay, run: ChipRun) -> dict[str, FloatArray]:
    """Events and energy (J) of each step, (T,) each, by the keys of `StepLists`."""
    counts = run.counts
    spent = execution.energy(_apart(counts), Steps(*(_rows(part) for part in run.steps)), run.wiring, run.chip)
    return {
        "fired": counts.fired[0].sum(axis=1),
        "updated": counts.updated[0].sum(axis=1) + replay.spikes[:, replay.network.is_free].sum(axis=1),
        "hops": counts.hops_ew[0] + counts.hops_ns[0],
        "spikes": counts.synops[0].sum(axis=1),
        "packets": counts.sent[0].sum(axis=1),
        "total_energy": np.sum([spent[cause] for cause in execution.CHIP_CAUSES], axis=0),
        "synapse_energy": spent["synapse"],
        "soma_energy": spent["neuron"],
        "network_energy": spent["network"],
    }


def _apart(counts: Counts) -> Counts:
    """Counts in which each step is an inference of its own."""
    return Counts(**{field.name: _rows(getattr(counts, field.name)) for field in fields(counts)})


def _rows(of_steps: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """From (1, T, ...) to (T, 1, ...)."""
    return np.swapaxes(of_steps, 0, 1)


def read(path: Path, name: str) -> Replay:
    """Read the arrays of a case and simulate its neurons of kind 2. Raises DcsimError."""
    arrays = _arrays(path)
    kind, raster = arrays["kind"], _raster(arrays)
    length, neurons = raster.shape
    for key in ("core", "kind"):
        if arrays[key].shape != (neurons,):
            raise CaseError(f"{path.name}, {key}: found shape {arrays[key].shape}, want ({neurons},)")
    strange = kind[~np.isin(kind, (0, 1, 2))]
    if strange.size:
        raise CaseError(f"{path.name}, kind: found {strange[0]}, want 0, 1 or 2")
    chip = ChipSpec.of(catalog.load().get(CHIP, kind="chip"))
    placement = Placement(arrays["core"])
    if int(placement.core_of_neuron.min()) < 0 or int(placement.core_of_neuron.max()) >= chip.cores:
        raise CaseError(f"{path.name}, core: found a core outside 0 to {chip.cores - 1}")
    network = SpikingNetwork.from_synapses(
        arrays["pre"], arrays["post"], neurons=neurons, inputs=kind == 0, steps=length, name=name
    )
    spikes, updated = raster, raster
    if bool((kind == 2).any()):
        spikes, updated = _simulated(arrays, raster, name)
    return Replay(network, placement, chip, raster, spikes, updated)


def _simulated(arrays: dict[str, npt.NDArray[Any]], raster: BoolArray, name: str) -> tuple[BoolArray, BoolArray]:
    """Spikes and updates of all neurons, those of kind 2 simulated, the others as given."""
    leaky = arrays["kind"] == 2
    onto = leaky[arrays["post"].astype(np.int64)]
    weight = np.asarray(arrays["weight"], dtype=np.float64)
    if weight.shape != onto.shape:
        raise CaseError(f"{name}: weight: found shape {weight.shape}, want {onto.shape}")
    leak, threshold, bias = (_single(arrays[key]) for key in ("leak", "threshold", "bias"))
    dynamics = Neurons(decay=leak, threshold=threshold, resolution=RESOLUTION)
    network = SpikingNetwork.from_synapses(
        arrays["pre"][onto],
        arrays["post"][onto],
        neurons=len(leaky),
        weights=_single(weight[onto]),
        inputs=None if leaky.all() else ~leaky,
        dynamics=dynamics,
        bias=bias,
        steps=len(raster),
        name=name,
    )
    made = simulate(network, None if leaky.all() else raster[:, ~leaky], steps=len(raster))
    return made.raster[0], made.updated[0]


def _single(numbers: npt.NDArray[Any]) -> FloatArray:
    """Numbers as SANA-FE takes them, in single precision."""
    with np.errstate(over="ignore"):  # what becomes infinite is refused where it is used
        return np.asarray(numbers, dtype=np.float32).astype(np.float64)


def at_rates(replay: Replay, exact: ChipRun) -> tuple[float, float]:
    """Mean energy (J) and time (s) of runs whose spikes are drawn at the rates of cores in phases of `PHASE` steps."""
    network, chip = replay.network, replay.chip
    wiring = wire(network, replay.placement, chip, replay.spikes.mean(axis=0))
    counts = exact.counts
    rates, updates = _phases(counts.fired[0]) / wiring.neurons, _phases(counts.updated[0])
    samples, block = int(np.clip(_MOST_CELLS // rates.size, *_SAMPLES)), max(1, _MOST_CELLS // rates.size)
    generator = seeds.generator(1, 0, f"validate/sanafe/{network.name}")
    energy_j = time_s = 0.0
    for start in range(0, samples, block):
        fired = execution.sample_fired(rates, wiring, len(rates), min(block, samples - start), generator)
        drawn = execution.count(fired, wiring, updates=updates, generator=generator)
        steps = execution.step_times(drawn, wiring, chip)
        spent = execution.energy(drawn, steps, wiring, chip)
        energy_j += sum(float(spent[cause].sum()) for cause in execution.CHIP_CAUSES)
        time_s += float(steps.seconds.sum())
    return energy_j / samples, time_s / samples


def _phases(counts: FloatArray) -> FloatArray:
    """Each step's counts (T, G) replaced by the mean of its phase."""
    starts = np.arange(0, len(counts), PHASE)
    lengths = np.diff(np.append(starts, len(counts)))
    means: FloatArray = np.add.reduceat(counts, starts, axis=0) / lengths[:, None]
    return np.repeat(means, lengths, axis=0)


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an archive that is not trusted: bounded, without objects."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MOST_BYTES:
            raise CaseError(f"{path.name}: holds {size / 2**20:,.0f} MiB, at most {_MOST_BYTES >> 20:,} MiB are read")
        with np.load(path, allow_pickle=False) as archive:
            missing = [key for key in _ARRAYS if key not in archive]
            if missing:
                raise CaseError(f"{path.name}: has no array {missing[0]!r}; has {', '.join(sorted(archive))}"[:300])
            found = {key: archive[key] for key in _ARRAYS}
    except (OSError, *DAMAGE) as error:
        raise CaseError(f"{path.name}: not an archive of arrays: {' '.join(str(error).split())[:120]}") from None
    for key, array in found.items():
        if array.dtype.kind not in "biuf":
            raise CaseError(f"{path.name}, {key}: found {array.dtype} values, want numbers")
    return found


def _raster(arrays: dict[str, npt.NDArray[Any]]) -> BoolArray:
    """Unpacked spikes, (T, neurons)."""
    packed, shape = arrays["raster"], arrays["raster_shape"]
    whole = shape.shape == (2,) and shape.dtype.kind in "iu"
    length, neurons = (int(number) for number in shape) if whole else (0, 0)
    if length < 1 or neurons < 1 or packed.dtype != np.uint8 or packed.shape != (length, -(-neurons // 8)):
        raise CaseError(f"raster: found {packed.dtype} {packed.shape} of shape {shape.tolist()}, want rows of bits")
    return np.unpackbits(packed, axis=1, count=neurons).view(np.bool_)
