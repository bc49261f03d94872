"""Profiles: what the data center draws from, and what it is told when a model cannot run."""

from __future__ import annotations

import time

import numpy as np
import pytest

from dcsim import catalog, seeds
from dcsim.chip import execution, spiking_profile
from dcsim.errors import PlacementError
from dcsim.service import TokenProfile

CHIPS = (
    *("truenorth", "loihi", "loihi-sanafe", "loihi-2", "spinnaker", "spinnaker2", "tianjic", "brainscales-2"),
    *("northpole", "akida-1000", "speck"),
)
KWS = ([390.0, 256.0, 256.0, 29.0], [0.2, 0.1, 0.1, 0.05], 10)


def stream(seed: int = 1) -> np.random.Generator:
    return seeds.generator(seed, 0, "test")


def test_a_profile_holds_what_execution_says(chip, model):
    numbers = {
        "update_j": 1e-10,
        "synapse_s": 4e-9,
        "packet_j": 1e-10,
        "reset_s": 1e-4,
        "reset_j": 1e-6,
        "host_w": 0.05,
    }
    io = {"input_spike_s": 2e-6, "input_spike_j": 1e-9, "output_spike_s": 1e-6, "host_step_s": 1e-4}
    device = chip(cores=128.0, neurons_per_core=1024.0, **numbers, **io)
    profile = spiking_profile(model(*KWS), device, stream(), samples=500)
    assert profile.latency_s.shape == profile.chip_j.shape == (500,)
    spikes_in, spikes_out = 390 * 0.2 * 10, 29 * 0.05 * 10
    assert profile.latency_s.mean() == pytest.approx(
        10e-4 + spikes_in * 2e-6 + spikes_out * 1e-6 + 10e-6 + 1e-4, rel=0.01
    )
    detail = profile.detail
    synops = 10 * (390 * 0.2 * 256 + 25.6 * 256 + 25.6 * 29)
    assert detail["synapse"] == pytest.approx(synops * 1e-12, rel=0.01)
    assert detail["neuron"] == pytest.approx(541 * 10 * 1e-10 + 1e-6, rel=1e-9)
    assert detail["network"] == pytest.approx(10 * (78 + 25.6 + 25.6) * 1e-10, rel=0.01)
    assert detail["io"] == pytest.approx(spikes_in * 1e-9, rel=0.01)
    assert detail["static"] == pytest.approx(0.01 * profile.latency_s.mean(), rel=1e-9)
    assert profile.chip_j.mean() == pytest.approx(sum(detail[cause] for cause in execution.CHIP_CAUSES), rel=1e-9)
    assert profile.board_w * profile.latency_s.mean() == pytest.approx(detail["io"], rel=1e-9)
    assert profile.host_w * profile.latency_s.mean() == pytest.approx(detail["host"], rel=1e-9)
    assert profile.host_w == pytest.approx(0.05, rel=1e-9)  # as long as the network runs
    assert detail["latency_p50_s"] <= detail["latency_p95_s"] <= detail["latency_p99_s"]
    total_j = sum(detail[cause] for cause in execution.CAUSES)
    assert detail["total_p50_j"] == pytest.approx(total_j, rel=0.02)


def test_jobs_differ_and_the_same_seed_gives_the_same_bytes(chip, model):
    device = chip(cores=128.0, neurons_per_core=1024.0, synapse_s=4e-9)
    first = spiking_profile(model(*KWS), device, stream(), samples=64)
    other = spiking_profile(model(*KWS), device, stream(2), samples=64)
    assert first.latency_s.std() > 0.0
    assert first.chip_j.std() > 0.0
    assert other.chip_j.tolist() != first.chip_j.tolist()
    again = spiking_profile(
        model(*KWS, name="net"),
        chip(cores=128.0, neurons_per_core=1024.0, synapse_s=4e-9),
        stream(),
        samples=64,
    )
    assert again is first  # equal content is computed once
    with pytest.raises(ValueError, match="read-only"):
        first.latency_s[0] = 0.0


def test_a_remembered_profile_takes_as_many_random_numbers_as_a_new_one(chip, model):
    device = chip(cores=128.0, neurons_per_core=1024.0, synapse_s=5e-9)
    after = []
    for _ in range(2):
        generator = stream(7)
        spiking_profile(model(*KWS), device, generator, samples=16)
        after.append(generator.random())
    assert after[0] == after[1]


def test_blocks_cover_all_samples(chip, model, monkeypatch):
    monkeypatch.setattr("dcsim.chip.profile._BLOCK", 100)
    profile = spiking_profile(model([8.0, 4.0], [0.5, 0.5], 7), chip(synapse_s=1e-9), stream(), samples=33)
    assert profile.latency_s.shape == (33,)
    assert profile.detail["synapse"] == pytest.approx(7 * 16e-12, rel=0.1)


def test_free_cores_hold_copies_as_long_as_input_and_output_can_serve_them(chip, model):
    net = model([8.0, 4.0], [0.5, 0.5], 4)
    assert spiking_profile(net, chip(), stream()).slots == 8
    third = chip(mode="tick", tick_s=1e-3, host_step_s=0.3e-3)
    assert spiking_profile(net, third, stream()).slots == 3
    assert spiking_profile(net, chip(host_step_s=1e-3), stream()).slots == 1


def test_a_network_larger_than_a_chip_takes_several_devices(chip, model):
    profile = spiking_profile(model([8.0, 320.0], [0.5, 0.5], 4), chip(), stream())
    assert (profile.devices, profile.slots, profile.detail["cores"]) == (3, 1, 20.0)
    assert profile.detail["static"] == pytest.approx(3 * 0.01 * profile.latency_s.mean(), rel=1e-9)
    with pytest.raises(PlacementError, match="net on chip toy: needs 20 cores, has 16"):
        spiking_profile(model([8.0, 320.0], [0.5, 0.5], 4), chip(), stream(), max_chips=2)


def test_ticks_that_do_not_fit_are_counted(chip, model):
    net = model([8.0, 4.0], [0.5, 0.5], 4)
    slow = spiking_profile(net, chip(mode="tick", tick_s=1e-3, host_step_s=2e-3), stream())
    assert slow.detail["overrun_share"] == 1.0
    fast = spiking_profile(net, chip(mode="tick", tick_s=1e-3), stream())
    assert fast.detail["overrun_share"] == 0.0
    assert fast.latency_s.tolist() == pytest.approx([4e-3] * 1024)


def test_layers_take_more_cores_when_their_work_does_not_fit_a_tick(chip, model):
    # 8 x 16 synapses x 10 us are 1.28 ms on one core, .64 ms on each of two; the second layer fits as it is
    net = model([8.0, 16.0, 2.0], [1.0, 1.0, 1.0], 4)
    work = {"mode": "tick", "tick_s": 1e-3, "synapse_s": 10e-6}
    profile = spiking_profile(net, chip(**work), stream())
    assert (profile.detail["cores"], profile.detail["copies"], profile.detail["overrun_share"]) == (
        3.0,
        2.0,
        0.0,
    )
    assert profile.latency_s[0] == pytest.approx(4e-3)
    tight = spiking_profile(net, chip(cores=2.0, **work), stream())
    assert (tight.devices, tight.detail["cores"], tight.detail["overrun_share"]) == (2, 3.0, 0.0)
    alone = spiking_profile(net, chip(cores=2.0, **work), stream(), max_chips=1)
    assert (alone.devices, alone.detail["cores"], alone.detail["overrun_share"]) == (1, 2.0, 1.0)
    assert alone.latency_s[0] == pytest.approx(4 * (1.28e-3 + 1e-6))


def test_a_long_inference_has_the_mean_and_spread_of_all_its_steps(chip, model, monkeypatch):
    numbers = {"synapse_s": 4e-9, "packet_j": 1e-12, "reset_s": 1e-4, "reset_j": 1e-9}
    numbers |= {"host_step_s": 1e-9, "host_w": 1.0}
    net, device = model([30.0, 20.0, 9.0], [0.2, 0.3, 0.1], 200), chip(name="long", **numbers)
    short = spiking_profile(net, device, stream(3), samples=4000)
    monkeypatch.setattr("dcsim.chip.profile.SAMPLED_STEPS", 200)
    whole = spiking_profile(net, device, stream(4), samples=4000)
    for values, expected in ((short.latency_s, whole.latency_s), (short.chip_j, whole.chip_j)):
        assert values.mean() == pytest.approx(expected.mean(), rel=1e-3)
        assert values.std() == pytest.approx(expected.std(), rel=0.06)
    together = [np.corrcoef(profile.latency_s, profile.chip_j)[0, 1] for profile in (short, whole)]
    assert together[0] == pytest.approx(together[1], abs=0.05)
    assert short.detail == pytest.approx(whole.detail, rel=2e-3)


@pytest.mark.parametrize(
    ("device", "samples", "message"),
    [
        ({"nets": ("cnn",)}, 8, "chip toy: runs no spiking networks, only cnn"),
        ({"mode": "quantum"}, 8, "mode quantum is not simulated"),
        ({"fan_in_max": 4.0}, 8, "net, layer 1 on chip toy: needs 8 synapses into one neuron, has 4"),
        ({"sync_s": 0.0}, 8, "chip toy: the catalog has no time per event or step"),
        ({}, 0, "found 0 samples"),
    ],
)
def test_what_cannot_run_is_said_in_one_line(chip, model, device, samples, message):
    with pytest.raises(PlacementError, match=message):
        spiking_profile(model([8.0, 4.0], [0.5, 0.5], 4), chip(**device), stream(), samples=samples)


def test_memory_is_bounded(chip, model):
    net = model([8.0, 16.0 * 3000], [0.5, 0.5], 1e6)
    with pytest.raises(PlacementError, match="found 32 steps x 3000 cores x 1000000 samples, want at most"):
        spiking_profile(net, chip(), stream(), samples=1_000_000)


def test_events_and_analogue_time_make_profiles_too(chip, model):
    net = model([8.0, 4.0], [0.1, 0.1], 5)
    table = {"neurons_of_core": [16.0] * 8, "synapse_bytes_of_core": [100.0] * 8, "synapse_s": 1e-7, "tick_s": 1e-3}
    times = {"layer_event_s": 1e-6, "chain_event_s": 8e-6, "fan_out_layers": 2.0}
    events = spiking_profile(net, chip(mode="event", **table, **times), stream(), samples=100)
    assert events.latency_s.mean() == pytest.approx(5e-3 + 1e-6, rel=1e-3)
    assert events.detail["static"] == pytest.approx(0.01 * events.latency_s.mean())
    assert events.detail["interval_s"] == pytest.approx(5e-3)
    analog = spiking_profile(net, chip(mode="analog", tick_s=1e-3, speedup=1000.0), stream(), samples=100)
    assert analog.latency_s.tolist() == pytest.approx([5e-6] * 100)
    assert analog.chip_j.std() > 0.0


def test_a_million_jobs_vary_as_the_samples_do(chip, model):
    device = chip(name="million", cores=128.0, neurons_per_core=8192.0, synapse_s=1e-9)
    profile = spiking_profile(model(*KWS), device, stream())
    jobs = profile.draw({}, 1_000_000, stream(5))
    assert jobs.seconds.shape == (1_000_000,)
    assert jobs.seconds.std() == pytest.approx(profile.latency_s.std(), rel=0.02)
    assert (jobs.seconds * jobs.chip_w).mean() == pytest.approx(profile.chip_j.mean(), rel=1e-3)


def test_keyword_spotting_takes_less_than_a_second(chip, model):
    device = chip(name="fast", cores=128.0, neurons_per_core=8192.0, synapse_s=1e-9)
    start = time.process_time()
    spiking_profile(model(*KWS), device, stream(), samples=1024)
    assert time.process_time() - start < 1.0


# ---------------------------------------------------------------- the shipped catalog


def shipped(model_name: str, chip_name: str):
    view = catalog.load()
    entries = view.get(model_name, kind="model"), view.get(chip_name, kind="chip")
    return spiking_profile(*entries, stream(), samples=256)


def test_keyword_spotting_on_loihi_is_near_the_published_measurement():
    """Blouw et al., arXiv 1812.01739: 296.5 inferences/s, .272 mJ above idle; neither sets a constant."""
    profile = shipped("kws", "loihi")
    above_idle_j = sum(profile.detail[cause] for cause in (*execution.CHIP_CAUSES, "io", "host"))
    assert profile.latency_s.mean() == pytest.approx(1 / 296.5, rel=0.25)
    assert above_idle_j == pytest.approx(0.272e-3, rel=0.25)
    assert profile.detail["cores"] == 4.0  # as it was measured


@pytest.mark.parametrize("model_name", ["kws", "dvs-gesture"])
@pytest.mark.parametrize("chip_name", ["loihi", "loihi-2", "loihi-sanafe", "spinnaker", "spinnaker2"])
def test_the_shipped_networks_run_on_the_shipped_chips(model_name, chip_name):
    profile = shipped(model_name, chip_name)
    assert (profile.latency_s > 0).all()
    assert (profile.chip_j > 0).all()
    assert profile.detail["overrun_share"] < 0.01


@pytest.mark.parametrize("chip_name", CHIPS)
def test_every_chip_serves_one_of_the_networks_for_digits(chip_name):
    model_name = "mnist-cnn" if chip_name in ("akida-1000", "speck") else "mnist-256"
    profile = shipped(model_name, chip_name)
    assert (profile.latency_s > 0).all()
    assert all(np.isfinite(value) and value >= 0.0 for value in profile.detail.values())
    assert sum(profile.detail[cause] for cause in execution.CAUSES) > 0.0


@pytest.mark.parametrize(
    ("model_name", "chip_name", "reason"),
    [
        ("kws", "truenorth", "needs 390 synapses into one neuron, has 256"),
        ("kws", "tianjic", "needs 390 synapses into one neuron, has 256"),
        ("kws", "brainscales-2", "needs 390 synapses into one neuron, has 256"),
        ("kws", "speck", "needs 99,840 bytes of kernels in one core, has 65,536"),
        ("kws", "akida-1000", "is a network of kind ann, snn, the chip runs cnn"),
        ("dvs-gesture", "speck", "needs 1,048,576 bytes of kernels in one core, has 65,536"),
        ("resnet-50", "loihi", "chip loihi runs no dense networks, only snn, cnn"),
        ("matmulfree-370m", "northpole", "known only as measured on loihi-2, not on northpole"),
        ("granite-8b", "loihi", "is a network of kind llm, the chip runs snn, cnn"),
    ],
)
def test_the_other_chips_say_why_they_do_not_run_a_network(model_name, chip_name, reason):
    with pytest.raises(PlacementError, match=reason):
        shipped(model_name, chip_name)


def test_a_network_of_spikes_alone_is_refused_by_a_chip_of_dense_ones(chip, model):
    with pytest.raises(PlacementError, match="runs no spiking networks, only ann"):
        spiking_profile(
            model([8.0, 4.0], [0.5, 0.5], 4), chip(mode="scheduled", nets=("ann",), int8_op_per_s=1e9), stream()
        )


@pytest.mark.parametrize(
    ("fact", "value", "reason"),
    [("precision", ["fp32"], "needs weights of fp32, has int8"), ("learning", True, "learns as it runs")],
)
def test_what_a_model_asks_for_and_a_chip_lacks(chip, entry, fact, value, reason):
    facts = {"nets": ["snn"], "forms": ["spiking"], fact: value}
    net = entry("model", "net", facts, snn_layers=[8.0, 4.0], snn_rates=[0.5, 0.5], snn_steps=4)
    with pytest.raises(PlacementError, match=reason):
        spiking_profile(net, chip(), stream())


def test_measured_forms_run_at_the_measured_rates_on_the_measured_chips():
    requests = shipped("matmulfree-370m", "loihi-2")
    assert isinstance(requests, TokenProfile)
    assert requests.devices == 24
    sizes = {"input_tokens": np.array([500.0]), "output_tokens": np.array([10.0])}
    service = requests.draw(sizes, 1, stream())
    assert service.seconds[0] == pytest.approx(500 / 6632 + 10 / 41.5)
    assert service.chip_w[0] + 24 * 0.080 == pytest.approx(0.405 * 41.5)
    rack = shipped("granite-8b", "northpole")
    assert (rack.devices, rack.slots) == (96, 28)
    assert rack.per_output_s == pytest.approx(2.8e-3)
    assert rack.chip_w * 28 == pytest.approx(96 * (42 - 20))
    view = catalog.load()
    with pytest.raises(PlacementError, match="was measured on 24 chips, has 8"):
        spiking_profile(view.get("matmulfree-370m"), view.get("loihi-2"), stream(), max_chips=8)


def test_a_dense_model_known_by_its_operations_takes_as_many_chips_as_its_weights():
    profile = shipped("resnet-50", "northpole")
    assert (profile.devices, profile.slots) == (1, 1)
    assert profile.latency_s[0] == pytest.approx(8.2e9 / (209.7e12 * 0.83))
    view = catalog.load()
    with pytest.raises(PlacementError, match="needs 1 chips for its weights, has 0"):
        spiking_profile(view.get("resnet-50"), view.get("northpole"), stream(), max_chips=0)
