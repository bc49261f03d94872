"""Kind `published`: results that were measured on chips and published, run again from the catalog.

The tolerance is 25 % where the source gives no other: simulators of these chips that were fitted to silicon miss it by
12 % in energy and 24 % in time in the mean (Boyle et al., IEEE TCAD 2025), and firing rates are seldom published. A row
whose figure set a constant of the catalog ends as `calibration`, one that holds by arithmetic as `consistency`; neither
says that the simulator is right. A row without the detail that a simulation needs is skipped, with what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field

from dcsim import catalog
from dcsim.catalog import Catalog
from dcsim.chip import ChipRun, ChipSpec, Costs, SpikingNetwork, execute, measured, place, scheduled
from dcsim.chip.profile import cores_as_measured
from dcsim.validation.case import Case, CaseError, Effort, Heading
from dcsim.validation.report import Row, compare

AREA = "chip"

#: Relative error that is allowed where the source states none.
TOLERANCE = 0.25

#: Error of a figure that set a constant: rounding of the published digits.
ROUNDED = 0.02

_SAMPLES = 256


class Document(Heading):
    """A case of kind `published`."""

    row: str = Field(default="")
    """which result, as in `RESULTS`"""


@dataclass(frozen=True)
class Figure:
    """One published number and the simulated one."""

    metric: str
    published: float
    simulated: float
    holds: Literal["passed", "calibration", "consistency"] = "passed"
    tolerance: float = TOLERANCE
    note: str = ""


@dataclass(frozen=True)
class Result:
    """A published result: its figures, or why it cannot be simulated."""

    title: str
    source: str
    figures: Callable[[Catalog], list[Figure]] | None = None
    missing: str = ""


def check(case: Case, effort: Effort) -> Iterator[Row]:
    """Rows of one result; CaseError for one that is not in the table."""
    del effort
    document = case.read(Document)
    result = RESULTS.get(document.row)
    if result is None:
        raise CaseError(f"row: found {document.row[:60]!r}, want one of {', '.join(RESULTS)}")
    if result.figures is None:
        yield Row(AREA, case.name, result.title, "skipped", note=f"{result.missing} ({result.source})")
        return
    for figure in result.figures(catalog.load()):
        note = f"{figure.note}; {result.source}" if figure.note else result.source
        yield compare(
            AREA,
            case.name,
            figure.metric,
            figure.published,
            figure.simulated,
            figure.tolerance,
            note,
            holds=figure.holds,
        )


def builtin() -> Iterator[Case]:
    """Every result of the table."""
    for row, result in RESULTS.items():
        yield Case("published", f"{row} {result.title}", {"kind": "published", "row": row})


def _chip(entries: Catalog, name: str) -> ChipSpec:
    return ChipSpec.of(entries.get(name, "chip"))


def _above_idle(run: ChipRun) -> float:
    return float((run.total_j - run.energy_j["static"]).mean())


# ---------------------------------------------------------------- Loihi


def _loihi_keyword(entries: Catalog) -> list[Figure]:
    model, chip = entries.get("kws", "model"), _chip(entries, "loihi")
    network = SpikingNetwork.of(model)
    run = execute(network, place(network, chip, cores_per_layer=cores_as_measured(model, chip)), chip, samples=_SAMPLES)
    idle_w = 29.7e-3  # of that board with its one chip, part of the published figure
    spread = place(network, chip, cores_per_layer=[1, 8, 8, 1])
    step_s = execute(network, spread, chip, samples=_SAMPLES).steps.seconds.mean()
    activity = "spikes per step are estimates, which input_message_s shares, so that they cancel"
    return [
        Figure("latency, s", 1 / model["inferences_per_s_loihi"], float(run.latency_s.mean()), note=activity),
        Figure("energy above idle, J", model["dynamic_energy_j_per_inference_loihi"], _above_idle(run)),
        Figure(
            "energy with the board's idle power, J",
            model["energy_j_per_inference_loihi"],
            _above_idle(run) + idle_w * float(run.latency_s.mean()),
            note="29.7 mW idle as measured there",
        ),
        Figure(
            "step with the input on eight cores, s",
            794.5e-6,
            float(step_s),
            "calibration",
            ROUNDED,
            "sets input_message_s",
        ),
    ]


# ---------------------------------------------------------------- TrueNorth


def _truenorth_power(entries: Catalog) -> list[Figure]:
    """A full chip of cores alike, 256 neurons with 128 binary synapses each; no spike enters or leaves."""
    chip = replace(_chip(entries, "truenorth"), weight_bits=1)
    chip = replace(chip, costs=replace(chip.costs, input_spike_s=0.0, output_spike_s=0.0))
    figures = []
    for rate_hz, published_w in ((11.58, 68e-3), (95.93, 94e-3)):
        network = SpikingNetwork.layered([256, [256, 1, 1, 1, 1, 0, 2]], steps=100, rates=rate_hz * chip.tick_s)
        seconds, energy_j = execute(network, place(network, chip), chip, samples=_SAMPLES).batch(chip.cores)
        power_w = sum(energy_j.values()) * chip.cores / seconds
        metric = f"power at {rate_hz} Hz, W"
        figures.append(Figure(metric, published_w, power_w, "calibration", ROUNDED, "sets static_w and synapse_j"))
    return figures


def _truenorth_frame(entries: Catalog) -> list[Figure]:
    chip = _chip(entries, "truenorth")
    network = SpikingNetwork.layered([64, 16], steps=33, rates=0.02)
    latency_s = float(execute(network, place(network, chip), chip).latency_s[0])
    return [Figure("latency of a frame, s", 33e-3, latency_s, "consistency", ROUNDED, "33 ticks; rates not published")]


# ---------------------------------------------------------------- SpiNNaker


def _spinnaker_neuron(entries: Catalog) -> list[Figure]:
    chip = _chip(entries, "spinnaker")
    network = SpikingNetwork.layered([100, 10_000], steps=10)
    run = execute(network, place(network, chip), chip)
    per_update_j = float(run.energy_j["neuron"][0]) / (network.neurons * network.steps)
    note = "end of the band of access_j; 43 nJ per synaptic event holds idle power and needs the rates"
    return [Figure("energy of a neuron and ms, J", 100e-9, per_update_j, "calibration", TOLERANCE, note)]


def _spinnaker2_keyword(entries: Catalog) -> list[Figure]:
    """One step of 1 ms per inference; arrays multiply the features, cores work on the spikes of the hidden layers.

    Both are read from the published rate and the abstract: how the network was divided up is not known in detail.
    """
    model, chip = entries.get("kws", "model"), _chip(entries, "spinnaker2")
    network = replace(SpikingNetwork.of(model), steps=1)
    placed = place(network, chip)
    band = model.quantity("snn_rates")
    ends = [np.array(end, dtype=np.float64) for end in (band.si_low, band.si_high)]
    low_j, high_j = (_above_idle(execute(network, placed, chip, rates=end, values=True)) for end in ends)
    run = execute(network, placed, chip, values=True, real_time=True, samples=_SAMPLES)
    note = f"{low_j * 1e6:.1f} to {high_j * 1e6:.1f} uJ at the ends of the rates' bands; division of the work inferred"
    return [
        Figure("energy above idle, J", model["energy_j_per_inference_spinnaker2"], _above_idle(run), note=note),
        Figure(
            "inferences/s",
            model["inferences_per_s_spinnaker2"],
            1.0 / float(run.interval_s.mean()),
            "consistency",
            ROUNDED,
            "one real-time step each",
        ),
    ]


# ---------------------------------------------------------------- NorthPole


def _northpole_images(entries: Catalog) -> list[Figure]:
    model, chip = entries.get("resnet-50", "model"), entries.get("northpole", "chip")
    spec = replace(ChipSpec.of(chip), weight_bits=4)
    found = scheduled.profile(model, spec, chip["memory_bytes"], 1)
    interval_s = found.detail["interval_s"]
    power_w = (found.detail["static"] + found.detail["synapse"]) / interval_s
    return [
        Figure(
            "images/s",
            chip["images_per_s_resnet-50"],
            1 / interval_s,
            "calibration",
            ROUNDED,
            "sets utilisation; beyond the 8-bit peak at 400 MHz, so held against the 4-bit one",
        ),
        Figure("power, W", chip["max_w"], power_w, "calibration", ROUNDED, "sets op_j"),
    ]


def _northpole_rack(entries: Catalog) -> list[Figure]:
    model, chip, node = (
        entries.get(name, kind)
        for name, kind in (("granite-8b", "model"), ("northpole", "chip"), ("northpole-2u", "system"))
    )
    requests = measured.profile(model, chip, None)
    tokens_per_s = 3 * requests.slots / requests.per_output_s
    return [
        Figure("tokens/s of the rack", 30e3, tokens_per_s, "consistency", ROUNDED, "the measured form"),
        Figure("energy of a token at the rack, J", 1.0, 18 * node["max_w"] / tokens_per_s, "consistency", ROUNDED),
    ]


# ---------------------------------------------------------------- BrainScaleS-2, Loihi 2


def _brainscales_digits(entries: Catalog) -> list[Figure]:
    model, chip = entries.get("mnist-256", "model"), replace(_chip(entries, "brainscales-2"), static_w=0.175)
    network = SpikingNetwork.of(model)
    run = execute(network, place(network, chip), chip, samples=_SAMPLES)
    interval_s, joules = float(run.interval_s.mean()), float(run.chip_j.mean() + run.energy_j["static"].mean())
    return [
        Figure("images/s", model["images_per_s_brainscales-2"], 1 / interval_s, "calibration"),
        Figure(
            "energy of an image, J",
            model["energy_j_per_image_brainscales-2"],
            joules,
            "calibration",
            note="at the 175 mW measured there",
        ),
    ]


def _brainscales_ecg(entries: Catalog) -> list[Figure]:
    energy_j = entries.get("brainscales-2", "chip")["static_w"] * 276e-6
    return [Figure("power x 276 us, J", 192e-6, energy_j, "calibration", ROUNDED, "sets static_w")]


def _loihi2_language(entries: Catalog) -> list[Figure]:
    model, chip = entries.get("matmulfree-370m", "model"), entries.get("loihi-2", "chip")
    requests = measured.profile(model, chip, None)
    joules = (requests.chip_w + chip["static_w"] * requests.devices) * requests.per_output_s
    return [
        Figure("tokens/s", 41.5, 1 / requests.per_output_s, "calibration", ROUNDED, "the measured form"),
        Figure("energy of a token, J", 405e-3, joules, "calibration", ROUNDED, "the measured form"),
    ]


# ---------------------------------------------------------------- keras-spiking


def _keras_spiking(entries: Catalog) -> list[Figure]:
    """E = synaptic operations x e_synapse + neurons x steps x e_neuron."""
    del entries
    constants = {"loihi": (27.1e-12, 81e-12), "spinnaker": (13.3e-9, 26e-9), "spinnaker2": (450e-12, 2.19e-9)}
    fired = np.tile([80.0, 12.0, 1.0], (20, 1))
    synops, updates = 20 * (80 * 128 + 12 * 10), 20 * 138
    network = SpikingNetwork.layered([784, 128, 10], steps=20)
    figures = []
    for name, (synapse_j, update_j) in constants.items():
        chip = ChipSpec(name, "barrier", 128, 1024, 0.0, costs=Costs(synapse_j=synapse_j, update_j=update_j))
        total_j = float(execute(network, place(network, chip), chip, fired=fired).total_j[0])
        published_j = synops * synapse_j + updates * update_j
        figures.append(Figure(f"energy with the constants of {name}, J", published_j, total_j, "consistency", 1e-9))
    return figures


#: Results by their number; those without figures lack what is said.
RESULTS: Mapping[str, Result] = {
    "R1": Result("Loihi, keyword spotting", "Blouw et al., arXiv 1812.01739, and its logs", _loihi_keyword),
    "R2": Result("GPU and CPU, keyword spotting", "Blouw et al.", missing="no chip of this area; see area gpu"),
    "R3": Result("TrueNorth, recurrent networks", "Akopyan et al. 2015, Fig. 17", _truenorth_power),
    "R4": Result(
        "TrueNorth, gestures", "Amir et al., CVPR 2017", missing="synapses and rates of its 3,838 cores not published"
    ),
    "R5": Result(
        "TrueNorth, eight data sets", "Esser et al., PNAS 2016", missing="only cores, frames/s and power are published"
    ),
    "R6": Result("TrueNorth, objects in video", "Merolla et al. 2014", _truenorth_frame),
    "R7": Result("SpiNNaker, 10,000 neurons", "Sharp et al. 2012", _spinnaker_neuron),
    "R8": Result("NorthPole, ResNet-50", "Modha et al. 2023, Table 1", _northpole_images),
    "R9": Result(
        "NorthPole, 3-billion-parameter model",
        "Appuswamy et al., IEEE HPEC 2024",
        missing="a pipeline whose stages and micro-batches are not published",
    ),
    "R10": Result("NorthPole rack, Granite 8B", "arXiv 2511.15950", _northpole_rack),
    "R11": Result("Tianjic, several networks", "Pei et al., Nature 572 (2019)", missing="only ratios to a GPU"),
    "R12": Result("BrainScaleS-2, MNIST", "Goeltz et al. 2021, from memory", _brainscales_digits),
    "R13": Result("BrainScaleS-2, electrocardiogram", "Stradmann et al. 2022", _brainscales_ecg),
    "R14": Result("Loihi 2, MatMul-free 370M", "Abreu et al., arXiv 2503.18002, from memory", _loihi2_language),
    "R15": Result("Loihi 2, S4D", "Meyer et al. 2024", missing="only ratios to a Jetson; state sizes not published"),
    "R16": Result("Xylo Audio 2, keyword spotting", "arXiv 2406.15112", missing="the catalog has no Xylo"),
    "R17": Result("SpiNNaker2, keyword spotting", "Yan et al., arXiv 2009.08921, from memory", _spinnaker2_keyword),
    "R18": Result("Hala Point, dense networks", "Intel, 2024", missing="networks and their sparsity not published"),
    "R19": Result("Loihi, survey", "Davies et al., Proc. IEEE 2021", missing="best cases only, as orders of magnitude"),
    "KS": Result("keras-spiking", "keras-spiking 0.3.0, model_energy", _keras_spiking),
}
