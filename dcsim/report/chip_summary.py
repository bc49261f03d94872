"""One run of a network on a chip as nested figures: what `dcsim chip run --json` prints and its table shows.

Figures are means over the inferences of the run unless their key says otherwise. A figure without an answer, such as
the energy per synaptic operation of a run without any, is absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.catalog import GRADES
from dcsim.chip.execution import LIMITS, boundary_spikes
from dcsim.report import words
from dcsim.results.keys import Key
from dcsim.service import FloatArray

if TYPE_CHECKING:
    from dcsim.chip import ChipRun, SpikingNetwork

#: Least share of a run's time that is worth a word of advice.
_WORTH_ADVICE = 0.05

#: Every key with its unit and meaning. CAUSE and LIMIT stand for each of several names.
SUMMARY: tuple[Key, ...] = (
    Key("network.name", "text", "name of the network"),
    Key("network.layers", "1", "layers, the input included"),
    Key("network.neurons", "1", "neurons, the inputs left out"),
    Key("network.inputs", "1", "neurons that only send spikes"),
    Key("network.synapses", "1", "synapses"),
    Key("network.steps", "1", "steps of one inference"),
    Key("chip.name", "text", "catalog name of the chip"),
    Key("chip.mode", "text", "how time passes: barrier, tick, event, analog or scheduled"),
    Key("run.inferences", "1", "inferences that were simulated"),
    Key("run.form", "text", "spiking, dense or measured; the last, and dense without layers, have fewer keys"),
    Key("run.timing", "text", "barrier or message"),
    Key("run.activity", "text", "spikes of a raster, or drawn at rates"),
    Key("run.board", "text", "system that the chips sit on, where one is named"),
    Key("run.version", "text", "version of dcsim"),
    Key("placement.chips", "1", "chips that one copy of the network takes"),
    Key("placement.cores", "1", "cores that hold neurons"),
    Key("placement.tiles", "1", "tiles with such a core"),
    Key("placement.copies", "1", "copies of the network that fit on one chip; 1 if it takes several chips"),
    Key("placement.at_once", "1", "those that work at the same time: they share one path for input and output"),
    Key("placement.load_s", "s", "time to bring the network onto its chips"),
    Key("latency_s", "s *", "from the first step of an inference to its end, reset included"),
    Key("interval_s", "s", "between two results of one copy"),
    Key("step_s", "s *", "one step"),
    Key("throughput_per_s.copy", "1/s", "inferences of one copy"),
    Key(
        "throughput_per_s.chip",
        "1/s",
        "inferences of one chip with all copies at work",
    ),
    Key("energy_j.total", "J", "one inference, all causes, with the chips to itself"),
    Key("energy_j.by_cause.CAUSE", "J", "its part that was spent on a cause"),
    Key("energy_j.active", "J", "its part at the chips, above their idle power"),
    Key("energy_j.at.chip", "J", "all of it up to a boundary: the chips, idle power included"),
    Key("energy_j.at.board", "J", "with the board: input, output and, where a system is named, its idle power"),
    Key("energy_j.at.host", "J", "with the host that feeds it: the total"),
    Key("energy_j.shared", "J", "total where all copies at work share what chips, board and host draw anyway"),
    Key("energy_j.per_synop_active", "J", "energy at the chips above idle over synaptic operations"),
    Key("energy_j.per_synop_total", "J", "total over synaptic operations"),
    Key("power_w", "W", "total energy over latency; where the form is measured, the chips at work"),
    Key("utilisation.busy", "1", "share of the steps' time in which a core in use is busy"),
    Key("utilisation.busiest_core", "1", "the same for the busiest core"),
    Key("utilisation.neurons", "1", "neurons over those that the cores in use can hold"),
    Key("utilisation.cores", "1", "cores in use over those of the chips"),
    Key("events.spikes_in", "1", "spikes of inputs, per inference, as all events here"),
    Key("events.spikes", "1", "spikes of neurons"),
    Key("events.spikes_out", "1", "spikes of output layers, which the host reads"),
    Key("events.updates", "1", "neurons updated, summed over steps"),
    Key("events.messages", "1", "messages: one per spike and core that it reaches"),
    Key("events.synops", "1", "synaptic operations"),
    Key("events.hops", "1", "hops of all messages"),
    Key("events.chip_crossings", "1", "chip borders that messages crossed"),
    Key("limits.LIMIT.steps", "1", "share of steps that waited for it most"),
    Key("limits.LIMIT.time", "1", "share of time that these steps took"),
    Key("overrun_share", "1", "steps whose work did not fit the fixed tick, so that it was stretched"),
    Key("advice", "text", "what would make the inference faster"),
    Key("notes", "text", "what the model left out or had to assume for this run"),
    Key("numbers.read", "1", "catalog numbers that the answer rests on"),
    Key("numbers.shares.GRADE", "1", "share of them with each grade"),
)

#: Further keys of a model that was measured on the chip, of which the catalog has no layers (`chip_whole`).
MEASURED: tuple[Key, ...] = (
    Key("token_s.input", "s", "a token of a prompt, where the form is measured"),
    Key("token_s.output", "s", "a token of an answer, likewise"),
    Key("throughput_per_s.tokens", "1/s", "tokens of all answers at a time, where the form is measured"),
    Key("energy_j.token.chips", "J", "the chips per token of an answer, idle power included, where it was measured"),
    Key("energy_j.token.measured", "J", "the same as measured, with whatever was measured beside the chips"),
)


def summary(
    run: ChipRun,
    network: SpikingNetwork,
    *,
    grades: Mapping[str, int],
    form: str = "spiking",
    timing: str = "barrier",
    activity: str = "rates",
) -> dict[str, Any]:
    """Figures of a run by the keys of `SUMMARY`.

    `grades`: how many catalog numbers of each grade were read for it, as `Catalog.grades_used` counts them.
    """
    from dcsim import __version__

    inferences, steps = run.steps.seconds.shape
    tree = {
        "network": {
            "name": network.name,
            "layers": len(network.layers),
            "neurons": network.neurons,
            "inputs": network.size - network.neurons,
            "synapses": network.synapses,
            "steps": steps,
        },
        "chip": {"name": run.chip.name, "mode": run.chip.mode},
        "run": {
            "inferences": inferences,
            "form": form,
            "timing": timing,
            "activity": activity,
            "board": None if run.board is None else run.board.name,
            "version": __version__,
        },
        "placement": {
            "chips": run.wiring.chips,
            "cores": run.wiring.cores_in_use,
            "tiles": run.wiring.tiles,
            "copies": run.wiring.copies,
            "at_once": run.at_once,
            "load_s": run.load_s,
        },
        **_times(run),
        **_energies(run),
        "utilisation": _utilisation(run, network),
        "events": _events(run),
        "limits": _limits(run),
        "overrun_share": float(run.steps.overrun.mean()),
        "advice": _advice(run, network, form),
        "notes": list(run.notes),
        "numbers": _numbers(grades),
    }
    return _known(tree)


def spread(values: FloatArray) -> dict[str, float]:
    """Mean, p50, p99 and largest."""
    middle, high = np.percentile(values, (50, 99))
    return {"mean": float(values.mean()), "p50": float(middle), "p99": float(high), "max": float(values.max())}


def _times(run: ChipRun) -> dict[str, Any]:
    interval_s = float(run.interval_s.mean())
    return {
        "latency_s": spread(run.latency_s),
        "interval_s": interval_s,
        "step_s": spread(run.steps.seconds),
        "throughput_per_s": {"copy": _ratio(1.0, interval_s), "chip": _per_chip(run)},
    }


def _per_chip(run: ChipRun) -> float | None:
    """Inferences per second of one chip with as many copies at work as its input and output can feed."""
    return _ratio(run.at_once / run.wiring.chips, float(run.interval_s.mean()))


def _energies(run: ChipRun) -> dict[str, Any]:
    mean = {cause: float(joules.mean()) for cause, joules in run.energy_j.items()}
    total, active = float(run.total_j.mean()), float(run.chip_j.mean())
    latency_s, synops = float(run.latency_s.mean()), float(run.counts.synops.sum(axis=(1, 2)).mean())
    shared_s = float(run.interval_s.mean()) / run.at_once
    energy = {
        "total": total,
        "by_cause": mean,
        "active": active,
        "at": {boundary: float(joules.mean()) for boundary, joules in run.boundary_j.items()},
        "shared": total + sum(run.held_w.values()) * (shared_s - latency_s),
        "per_synop_active": _ratio(active, synops),
        "per_synop_total": _ratio(total, synops),
    }
    return {"energy_j": energy, "power_w": _ratio(total, latency_s)}


def _utilisation(run: ChipRun, network: SpikingNetwork) -> dict[str, float | None]:
    cores, seconds = run.wiring.cores_in_use, float(run.steps.seconds.sum())
    return {
        "busy": run.utilisation,
        "busiest_core": _ratio(float(run.core_s.sum(axis=(0, 1)).max(initial=0.0)), seconds),
        "neurons": _ratio(network.neurons, cores * run.chip.neurons_per_core),
        "cores": cores / (run.wiring.chips * run.chip.cores),
    }


def _events(run: ChipRun) -> dict[str, float]:
    counts, paid = run.counts, run.wiring.paid
    spikes_in, spikes_out = boundary_spikes(counts, run.wiring)

    def per_inference(events: FloatArray) -> float:
        return float(events.sum() / len(events))

    return {
        "spikes_in": per_inference(spikes_in),
        "spikes": per_inference(counts.fired @ paid),
        "spikes_out": per_inference(spikes_out),
        "updates": per_inference(counts.updated),
        "messages": per_inference(counts.sent),
        "synops": per_inference(counts.synops),
        "hops": per_inference(counts.hops_ew + counts.hops_ns),
        "chip_crossings": per_inference(counts.crossings),
    }


def _limits(run: ChipRun) -> dict[str, dict[str, float]]:
    """Share of steps and of time by what they waited for, most time first; what none waited for is absent."""
    seconds, limit = run.steps.seconds, run.steps.limit
    total = float(seconds.sum()) or 1.0
    found = {}
    for number, name in enumerate(LIMITS):
        if (here := limit == number).any():
            found[name] = {"steps": float(here.mean()), "time": float(seconds[here].sum()) / total}
    return dict(sorted(found.items(), key=lambda item: -item[1]["time"]))


def _numbers(grades: Mapping[str, int]) -> dict[str, Any]:
    read = sum(grades.values())
    shares = {grade: grades[grade] / read for grade in GRADES if grades.get(grade)}
    return {"read": read, "shares": shares}


def _ratio(above: float, below: float) -> float | None:
    return above / below if below else None


def _known(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree without keys that have no answer."""
    known = {key: _known(value) if isinstance(value, dict) else value for key, value in tree.items()}
    return {key: value for key, value in known.items() if value is not None}


# ---------------------------------------------------------------- advice

#: What would help, by what a step waited for.
_ADVICE: Mapping[str, str] = {
    "compute": "core {core} ({layers}) is the slowest: spread its layer over more cores",
    "link": "links between tiles are full: put what talks to each other closer together, or lower the firing rates",
    "io": "input and output take longest, {spikes_in} spikes in and {spikes_out} out per step: use fewer, or steps",
    "host": "the host takes {host} in each step, whatever the spikes: use fewer steps",
    "call": "the host's call takes {host}, whatever the network: send the next input before the last is done",
    "values": "input and output take longest: use fewer values in and out",
    "layers": "all cores work on one layer at a time: use fewer weights, or more chips",
    "sync": "the barrier takes longest (tiles: {tiles}, chips: {chips}): use fewer steps, tiles or chips",
    "tick": "steps wait for the tick and need {needed} of it: use fewer steps",
}


def _advice(run: ChipRun, network: SpikingNetwork, form: str) -> list[str]:
    """A sentence for each thing that a good part of the time was spent waiting for, most first."""
    slowest = int(run.core_s.sum(axis=(0, 1)).argmax())
    layers = np.unique(run.wiring.layer[run.wiring.core == slowest]).tolist()
    spikes_in, spikes_out = (round(float(events.mean()), 1) for events in boundary_spikes(run.counts, run.wiring))
    needed_s = float(np.maximum(run.core_s.max(axis=2), run.steps.io_s).mean())
    facts = {
        "core": run.wiring.cores[slowest],
        "layers": ", ".join(network.label(number) for number in layers),
        "spikes_in": words.count(spikes_in),
        "spikes_out": words.count(spikes_out),
        "tiles": run.wiring.tiles,
        "chips": run.wiring.chips,
        "needed": words.percent(needed_s / (float(run.steps.seconds.mean()) or 1.0)),
    }
    found = [name for name, share in _limits(run).items() if share["time"] >= _WORTH_ADVICE]
    host_s, io_s = run.chip.costs.host_step_s, float(run.steps.io_s.mean())
    facts["host"] = words.seconds(host_s)
    if form == "dense":
        by_chip = run.chip.dense is not None and run.chip.dense.by_chip
        dense = {"io": "call" if host_s > io_s else "values", "compute": "layers" if by_chip else "compute"}
        found = [dense.get(name, name) for name in found]
    elif "io" in found and 2.0 * host_s > io_s:
        found[found.index("io")] = "host"
    return [_ADVICE[name].format(**facts) for name in found if name in _ADVICE]
