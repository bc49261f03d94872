"""Chips, boards and networks: figures worked out by hand from their sources; what execution needs."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from dcsim import catalog

SHIPPED = catalog.load()
SPIKING = [name for name in SHIPPED.names("chip") if "snn" in SHIPPED.get(name).facts["nets"]]
STEPPED = [name for name in SPIKING if SHIPPED.get(name).facts["mode"] in ("barrier", "tick")]
NETWORKS = [name for name in SHIPPED.names("model") if "snn_layers" in SHIPPED.get(name)]


def test_what_the_first_issue_asks_for_is_there():
    chips = "truenorth loihi loihi-sanafe loihi-2 spinnaker spinnaker2 tianjic brainscales-2 northpole akida-1000 speck"
    systems = (
        "truenorth-ns16e nahuku-32 pohoiki-springs kapoho-point hala-point spinn-5 spinnaker-frame-24"
        " spinnaker2-48 spinnaker2-rack northpole-2u brainscales-2-24 akida-pcie speck-board"
    )
    assert set(chips.split()) <= set(SHIPPED.names("chip"))
    assert set(systems.split()) <= set(SHIPPED.names("system"))
    assert {"kws", "dvs-gesture", "matmulfree-370m", "granite-8b"} <= set(SHIPPED.names("model"))


@pytest.mark.parametrize("name", STEPPED)
def test_a_stepped_chip_has_what_execution_needs(name):
    chip = SHIPPED.get(name)
    for key in ("cores", "neurons_per_core"):
        assert chip[key] >= 1
        assert chip[key].is_integer()
    for key in ("static_w", "synapse_j", "synapse_s", "embodied_kg"):
        assert chip[key] > 0
    assert ("synapse_bytes_per_core" in chip) == (name != "loihi-sanafe")  # a simulator that knows no such limit
    assert ("tick_s" in chip) == (chip.facts["mode"] == "tick")
    assert ("sync_s" in chip) == (chip.facts["mode"] == "barrier")
    if name != "truenorth":  # its neurons' energy is part of the static power of the fit
        assert chip["access_j"] > 0
        assert chip["access_s"] > 0


def test_every_chip_says_what_it_is():
    for name in SHIPPED.names("chip"):
        facts = SHIPPED.get(name).facts
        assert set(facts["nets"]) <= {"snn", "cnn", "ann", "rnn", "llm"}
        assert isinstance(facts["learning"], bool)
        assert facts["precision"]


@pytest.mark.parametrize(("rate_hz", "power_w"), [(11.58, 68e-3), (95.93, 94e-3)])
def test_truenorth_meets_its_two_calibration_points(rate_hz, power_w):
    chip = SHIPPED.get("truenorth")
    synops = chip["cores"] * chip["neurons_per_core"] * rate_hz * 128
    assert chip["static_w"] + chip["synapse_j"] * synops == pytest.approx(power_w, abs=2e-5)


def test_loihi_sets():
    published, sanafe, second = (SHIPPED.get(name) for name in ("loihi", "loihi-sanafe", "loihi-2"))
    assert published["access_j"] + published["update_j"] == pytest.approx(81e-12)
    assert published["access_s"] + published["update_s"] == pytest.approx(8.4e-9)
    assert sanafe["synapse_j"] / published["synapse_j"] == pytest.approx(1.504, abs=1e-3)
    assert published.array("sync_s")[[0, -1], 1].tolist() == [0.113e-6, 0.465e-6]
    assert published["sync_chip_s"] * (4 + 64) == pytest.approx(14.3e-6, rel=0.02)
    assert published["sync_chip_s"] * (12 + 64) == pytest.approx(16.2e-6, rel=0.02)
    for key in ("access_j", "update_j", "synapse_j", "packet_j", "hop_ew_j", "hop_ns_j"):
        assert second[key] == pytest.approx(published[key] / 2)
        assert second.quantity(key).grade == "estimate"


def test_loihi_input_path_was_set_on_eight_cores_and_predicts_two():
    """794.5 us a step with the input on eight cores (logs); on two cores 3.373 ms for ten steps were measured."""
    chip, model = SHIPPED.get("loihi"), SHIPPED.get("kws")
    sizes, rates = model.array("snn_layers"), model.array("snn_rates")
    spikes_in, spikes_out = sizes[0] * rates[0], sizes[-1] * rates[-1]

    def step_s(cores: int) -> float:
        receiving = spikes_in * sizes[1] / cores * chip["synapse_s"]  # input comes between the steps, not meanwhile
        host = chip["host_step_s"] + spikes_out * chip["output_spike_s"]
        return host + spikes_in * cores * chip["input_message_s"] + receiving + 0.15e-6

    assert step_s(8) == pytest.approx(794.5e-6, rel=0.002)
    cores = int(model.array("snn_cores_loihi")[1])
    inference_s = model["snn_steps"] * step_s(cores) + chip["reset_s"]
    assert inference_s == pytest.approx(1 / model["inferences_per_s_loihi"], rel=0.25)
    dynamic_w = 110.2e-3 - 29.7e-3
    measured_j = model["dynamic_energy_j_per_inference_loihi"]
    assert dynamic_w / model["inferences_per_s_loihi"] == pytest.approx(measured_j, rel=0.01)


def test_northpole_figures_agree():
    chip, node, model = SHIPPED.get("northpole"), SHIPPED.get("northpole-2u"), SHIPPED.get("granite-8b")
    assert chip["int4_op_per_s"] == pytest.approx(4096 * chip["cores"] * chip["clock_hz"], rel=1e-3)
    assert chip["int4_op_per_s"] * 288 == pytest.approx(115e15, rel=0.06)
    assert chip["active_w"] * node["devices"] == pytest.approx(672)
    assert node["max_w"] * 18 == pytest.approx(30e3, rel=1e-3)
    assert model["users_northpole"] / model["inter_token_s_northpole"] == pytest.approx(model["tokens_per_s_northpole"])
    assert 30e3 / (3 * model["tokens_per_s_northpole"]) == pytest.approx(model["energy_j_per_token_northpole"])


def test_boards_add_up_to_what_was_measured():
    spinn5, frame, chip = (SHIPPED.get(name) for name in ("spinn-5", "spinnaker-frame-24", "spinnaker"))
    assert spinn5["board_idle_w"] + 48 * chip["static_w"] == pytest.approx(26.84)
    assert frame["board_idle_w"] == pytest.approx(24 * spinn5["board_idle_w"] + 117, abs=0.1)
    nahuku, loihi = SHIPPED.get("nahuku-32"), SHIPPED.get("loihi")
    assert nahuku["devices"] * loihi["static_w"] == pytest.approx(3.34, abs=0.01)
    assert nahuku["x86_w"] < nahuku["board_idle_w"]
    hala, loihi2 = SHIPPED.get("hala-point"), SHIPPED.get("loihi-2")
    assert hala["board_idle_w"] + hala["devices"] * loihi2["active_w"] <= hala["max_w"]
    assert hala["peak_sop_per_s"] / hala["devices"] == pytest.approx(loihi2["peak_sop_per_s"], rel=0.01)
    assert hala["max_w"] / hala["devices"] == pytest.approx(loihi2["max_w"], rel=0.01)


@pytest.mark.parametrize("name", NETWORKS)
def test_rates_are_one_per_layer_and_at_most_one_spike_per_step(name):
    model = SHIPPED.get(name)
    rates = model.quantity("snn_rates")
    for row in (rates.si, rates.si_low, rates.si_high):
        assert len(row) == len(model.array("snn_layers"))
        assert all(0 < rate < 1 for rate in row)
    assert model["snn_steps"].is_integer()
    assert "spiking" in model.facts["forms"]


def test_keyword_spotting_counts():
    model = SHIPPED.get("kws")
    sizes = model.array("snn_layers").astype(int)
    weights = int((sizes[:-1] * sizes[1:]).sum())
    assert weights == 172_800
    assert model["parameters"] == weights + sizes[1:].sum()
    assert model["flop_per_sample"] == 2 * weights
    assert model["weight_bytes"] == 4 * model["parameters"]
    assert model["activation_bytes_per_sample"] == 4 * (sizes[:-1].sum() + sizes[1:].sum())


def test_gesture_network_counts():
    """Weights, sizes of the planes and operations of the dense form follow from the rows."""
    model = SHIPPED.get("dvs-gesture")
    rows = model.array("snn_layers").astype(int)
    neurons = rows[:, :3].prod(axis=1)
    parameters = operations = 0
    for before, row in pairwise(rows):
        channels, height, width, kernel, stride, padding, groups = row
        if kernel == 0:
            parameters += before[:3].prod() * channels
            operations += before[:3].prod() * channels
            continue
        assert height == width == (before[1] + 2 * padding - kernel) // stride + 1
        taps = before[0] // groups * kernel**2
        operations += row[:3].prod() * taps
        parameters += channels * taps if groups == 1 else 0
    assert model["parameters"] == parameters
    assert model["weight_bytes"] == 2 * parameters
    assert len(rows) - 1 == model["layers"]
    assert model["flop_per_sample"] == pytest.approx(2 * operations * model["frames"], rel=0.01)
    moved = 2 * (neurons[:-1].sum() + neurons[1:].sum()) * model["frames"]
    assert model["activation_bytes_per_sample"] == pytest.approx(moved, rel=0.01)
    wanted = (180 + 10 * 30) / 11 / model["snn_steps"]
    assert model.array("snn_rates")[-1] == pytest.approx(wanted, rel=0.15)


def test_granite_counts():
    model = SHIPPED.get("granite-8b")
    width, layers = model["model_width"], model["layers"]
    per_layer = 2 * width**2 + 2 * width * 1024 + 3 * width * 12800
    assert model["parameters"] == pytest.approx(layers * per_layer + 49155 * width, rel=1e-3)
    assert model["kv_bytes_per_token"] == 2 * layers * 8 * 128 * 2


def test_published_accuracies():
    kws = SHIPPED.get("kws")
    assert kws["accuracy_loihi_int8"] == pytest.approx(0.938)
    assert kws["accuracy_gpu_fp32"] == pytest.approx(0.927)
    for name in SHIPPED.names("model"):
        model = SHIPPED.get(name)
        shares = [model[key] for key in model if key.startswith("accuracy_")]
        assert all(0.2 < share <= 1 for share in shares), name


def test_speck_cores_differ():
    chip = SHIPPED.get("speck")
    assert chip.array("neurons_of_core").sum() == 327_680
    assert chip["neurons_per_core"] == math.floor(np.mean(chip.array("neurons_of_core")))
