"""One job worked out from catalog numbers: the page, plain arithmetic, the chip model and the scenario agree.

Nothing here but `test_the_chip_model_agrees` and the run itself calls a model.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dcsim
from dcsim import catalog, seeds
from dcsim.chip import spiking_profile

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "models" / "one_job.md").read_text(encoding="utf-8")
DURATION_S = 600.0
PUE = 1.25

_PREFIX = {"k": 1e3, "": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9, "p": 1e-12}
_UNITS = {"": 1.0, "B": 1.0, "kWh": 3.6e6} | {
    p + unit: scale for p, scale in _PREFIX.items() for unit in ("J", "s", "W")
}


def _rows() -> dict[str, tuple[str, str]]:
    """First cell -> the two others, of all tables of the page."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")
    ]
    filled = [line for line in lines if not set("".join(line)) <= set("-") and line[2] not in ("value", "is")]
    found = {line[0]: (line[1], line[2]) for line in filled}
    assert len(found) == len(filled), "two rows of the page have the same name"
    return found


ROWS = _rows()


def _is_printed(value: float, text: str) -> bool:
    """Whether `text` is the value, rounded to the digits and in the unit that it shows."""
    number, _, unit = text.partition(" ")
    digits = number.replace(",", "")
    shown = value / _UNITS[unit]
    decimals = len(digits.partition(".")[2])
    return abs(shown - float(digits)) <= 0.5 * 10.0**-decimals * (1 + 1e-6)


def _is_catalog(key: str) -> bool:
    return re.fullmatch(r"`[a-z0-9-]+\.\w+`", key) is not None


@pytest.fixture(scope="module")
def known() -> Any:
    return catalog.load()


@pytest.fixture(scope="module")
def result() -> dcsim.Result:
    return dcsim.simulate(dcsim.load(ROOT / "scenarios" / "hybrid_pilot.yaml", {"duration": "10 min"}), seed=1)


@pytest.fixture(scope="module")
def jobs(result: dcsim.Result) -> Any:
    return result.jobs[result.jobs["pool"] == "spinnaker2"]


@pytest.fixture(scope="module")
def mean(known: Any) -> dict[str, float]:
    """An inference in the mean."""
    model, chip = known.get("kws"), known.get("spinnaker2")
    layers, rates, steps = model.array("snn_layers"), model.array("snn_rates"), model["snn_steps"]
    spikes = layers * rates
    synops = spikes[:-1] * layers[1:]
    neurons = layers[1:].sum()
    seconds = np.maximum(layers[1:] * chip["access_s"], synops * chip["synapse_s"])
    io_s = spikes[0] * chip["input_spike_s"] + spikes[-1] * chip["output_spike_s"]
    step_s = max(seconds.max(), io_s) + chip["sync_s"]
    neuron_j, synapse_j = steps * neurons * chip["access_j"], steps * synops.sum() * chip["synapse_j"]
    cores = len(layers) - 1
    return {
        "spikes of the input": spikes[0],
        "spikes of layer 1": spikes[1],
        "spikes of layer 2": spikes[2],
        "spikes of layer 3, the output": spikes[3],
        "synaptic operations in layer 1": synops[0],
        "synaptic operations in layer 2": synops[1],
        "synaptic operations in layer 3": synops[2],
        "weights of layer 1": layers[0] * layers[1],
        "cores of a copy": cores,
        "copies on a chip, each a slot": chip["cores"] // cores,
        "neuron": neuron_j,
        "synapse": synapse_j,
        "above idle": neuron_j + synapse_j,
        "layer 1, neurons": layers[1] * chip["access_s"],
        "layer 1, synaptic operations": synops[0] * chip["synapse_s"],
        "layer 2, synaptic operations": synops[1] * chip["synapse_s"],
        "input and output": io_s,
        "the step": step_s,
        "the inference": steps * step_s,
        "idle energy of the chip meanwhile": chip["static_w"] * steps * step_s,
    }


@pytest.fixture(scope="module")
def drawn(known: Any, jobs: Any) -> dict[str, float]:
    """Spikes of the first job, read off its latency and its energy."""
    model, chip = known.get("kws"), known.get("spinnaker2")
    layers, steps = model.array("snn_layers"), model["snn_steps"]
    job = jobs.iloc[0]
    of_input = (job["latency_s"] - steps * chip["sync_s"]) / (layers[1] * chip["synapse_s"])
    neuron_j = steps * layers[1:].sum() * chip["access_j"]
    synops = (job["energy_chip_marginal_j"] - neuron_j) / chip["synapse_j"]
    hidden = synops - round(of_input) * layers[1]
    likely = min(  # whole numbers of spikes of layers 1 and 2 that need so many operations, those nearest to the means
        (abs(second - 256), (round(hidden) - layers[3] * second) / layers[2], second)
        for second in range(int(hidden // layers[3]))
        if (round(hidden) - layers[3] * second) % layers[2] == 0
    )
    return {
        "spikes of its input": of_input,
        "its synaptic operations": synops,
        "of those by layers 1 and 2": hidden,
        "its spikes of layer 1": likely[1],
        "its spikes of layer 2": likely[2],
    }


@pytest.fixture(scope="module")
def charged(known: Any, jobs: Any, mean: dict[str, float]) -> dict[str, float]:
    """Powers of the node, the job's share, and its energy at the five boundaries."""
    chip, system, host = known.get("spinnaker2"), known.get("spinnaker2-48"), known.get("host-embedded-arm")
    supply, job = known.get("psu-titanium"), jobs.iloc[0]
    chips_w = system["devices"] * chip["static_w"]
    board_w = chips_w + system["board_idle_w"]
    node_w = board_w + host["idle_w"]
    rated_w = system["devices"] * chip["active_w"] + system["board_idle_w"] + host["max_w"]
    added_j = jobs["energy_chip_marginal_j"].sum()
    mean_w = node_w + added_j / DURATION_S

    def loss_w(out_w: float) -> float:
        return 2 * rated_w * supply["a0"] + supply["a1"] * out_w + supply["a2"] * out_w**2 / (2 * rated_w)

    switch_w = known.get("rack-42u-1gbe")["switch_w"] / 2
    rack_w = mean_w + loss_w(mean_w) + switch_w
    slope = 1 + supply["a1"] + 2 * supply["a2"] * mean_w / (2 * rated_w)
    slots = mean["copies on a chip, each a slot"]
    share = job["latency_s"] / jobs["latency_s"].sum()
    marginal = job["energy_chip_marginal_j"]
    rest_j = {
        "chip": chips_w * DURATION_S,
        "board": board_w * DURATION_S,
        "node": node_w * DURATION_S,
        "rack": rack_w * DURATION_S - slope * added_j,
        "facility": PUE * (rack_w * DURATION_S - slope * added_j),
    }
    factor = {"chip": 1.0, "board": 1.0, "node": 1.0, "rack": slope, "facility": slope * PUE}
    full_rate = system["devices"] * slots / mean["the inference"]
    return {
        "idle, chips": chips_w,
        "idle, with the board": board_w,
        "idle, with the host": node_w,
        "rating of a power supply": rated_w,
        "loss of both": loss_w(node_w),
        "at the rack's meter": node_w + loss_w(node_w) + switch_w,
        "one more watt costs at the rack": slope,
        "one more watt at the rack costs at the utility meter": PUE,
        "device-seconds of the job": job["latency_s"] / slots,
        "its share": share,
        **{f"{edge}, marginal": marginal * times for edge, times in factor.items()},
        **{f"{edge}, loaded": marginal * factor[edge] + rest * share for edge, rest in rest_j.items()},
        "energy of the jobs at the chips": added_j,
        "`pools.spinnaker2.energy_kwh`": node_w * DURATION_S + added_j,
        "jobs per second": full_rate,
        "share of each in the idle power, up to the facility": PUE * (node_w + loss_w(node_w) + switch_w) / full_rate,
    }


def test_the_page_has_the_numbers_of_the_catalog(known: Any) -> None:
    rows = {key: value for key, value in ROWS.values() if _is_catalog(key)}
    assert len(rows) == 22
    for key, text in rows.items():
        name, _, number = key.strip("`").partition(".")
        values = known.get(name).array(number).reshape(-1).tolist()
        printed = text.split(", ")
        unit = text.partition(" ")[2] if len(printed) == 1 else ""
        assert len(printed) == len(values), key
        for value, each in zip(values, printed, strict=True):
            shown = float(each.partition(" ")[0].replace(",", "")) * _UNITS[unit]
            assert shown == pytest.approx(value, rel=1e-12), key


def test_every_other_number_of_the_page_follows(
    mean: dict[str, float], drawn: dict[str, float], charged: dict[str, float]
) -> None:
    worked_out = mean | drawn | charged
    printed = {name: text for name, (key, text) in ROWS.items() if not _is_catalog(key)}
    assert printed.keys() == worked_out.keys()
    wrong = {
        name: (worked_out[name], text) for name, text in printed.items() if not _is_printed(worked_out[name], text)
    }
    assert not wrong


def test_the_drawn_spikes_are_whole_and_give_latency_and_energy_exactly(
    known: Any, jobs: Any, drawn: dict[str, float]
) -> None:
    model, chip, job = known.get("kws"), known.get("spinnaker2"), jobs.iloc[0]
    layers, steps = model.array("snn_layers"), model["snn_steps"]
    for name, value in drawn.items():
        assert value == pytest.approx(round(value), abs=1e-6), name
    spikes = [round(drawn[name]) for name in ("spikes of its input", "its spikes of layer 1", "its spikes of layer 2")]
    for count, neurons, rate in zip(spikes, layers, model.array("snn_rates"), strict=False):
        expected = steps * neurons * rate
        assert abs(count - expected) < 4 * math.sqrt(expected * (1 - rate))
    latency_s = spikes[0] * layers[1] * chip["synapse_s"] + steps * chip["sync_s"]
    synops = sum(count * target for count, target in zip(spikes, layers[1:], strict=True))
    energy_j = steps * layers[1:].sum() * chip["access_j"] + synops * chip["synapse_j"]
    assert job["latency_s"] == pytest.approx(latency_s, rel=1e-9)  # a difference of two moments of the clock
    assert job["energy_chip_marginal_j"] == pytest.approx(energy_j, rel=1e-12)


def test_the_chip_model_agrees(known: Any, mean: dict[str, float]) -> None:
    profile: Any = spiking_profile(known.get("kws"), known.get("spinnaker2"), seeds.generator(1, 0, "test/one-job"))
    samples = len(profile.chip_j)
    assert profile.chip_j.mean() == pytest.approx(mean["above idle"], abs=4 * profile.chip_j.std() / samples**0.5)
    assert profile.latency_s.mean() == pytest.approx(
        mean["the inference"], abs=4 * profile.latency_s.std() / samples**0.5
    )
    assert profile.chip_j.std() / samples**0.5 == pytest.approx(0.1e-6, rel=0.1)
    assert profile.detail["neuron"] == pytest.approx(mean["neuron"], rel=1e-9)
    assert profile.detail["static"] / profile.chip_j.mean() == pytest.approx(37, abs=0.5)
    assert (profile.slots, profile.devices) == (mean["copies on a chip, each a slot"], 1)
    assert profile.detail["cores"] == mean["cores of a copy"]
    assert profile.board_w == profile.host_w == 0.0


def test_the_job_table_and_the_summary_say_the_same(result: dcsim.Result, jobs: Any, charged: dict[str, float]) -> None:
    job, pool = jobs.iloc[0], result.summary["pools"]["spinnaker2"]
    assert job["busy_s"] == pytest.approx(charged["device-seconds of the job"], rel=1e-9)
    for edge in ("chip", "board", "node", "rack", "facility"):
        assert job[f"energy_{edge}_marginal_j"] == pytest.approx(charged[f"{edge}, marginal"], rel=1e-8), edge
        assert job[f"energy_{edge}_loaded_j"] == pytest.approx(charged[f"{edge}, loaded"], rel=1e-8), edge
    assert pool["energy_kwh"] * 3.6e6 == pytest.approx(charged["`pools.spinnaker2.energy_kwh`"], rel=1e-9)
    assert jobs["energy_node_loaded_j"].sum() == pytest.approx(pool["energy_kwh"] * 3.6e6, rel=1e-9)
    assert (jobs["status"] == "completed").all()


def test_the_page_shows_the_run(jobs: Any) -> None:
    job = jobs.iloc[0]
    assert f"\n{len(jobs)} jobs, together {jobs['latency_s'].sum():.4f} s\n" in PAGE
    assert f"the first: {1000 * job['latency_s']:.6f} ms, {1e6 * job['energy_chip_marginal_j']:.5f} µJ\n" in PAGE
