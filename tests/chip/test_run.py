"""`execute`: ledger, learning, boards, batches and the forms that a chip refuses."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.chip import (
    PORT,
    Board,
    ChipSpec,
    Costs,
    LimitError,
    Placement,
    SpikingNetwork,
    execute,
    execution,
    modes,
    place,
)
from dcsim.errors import DcsimError, PlacementError

CHIP = ChipSpec(
    "toy",
    "barrier",
    cores=8,
    neurons_per_core=16,
    static_w=0.01,
    sync=((0.0, 1e-6),),
    host_w=0.002,
    learns=True,
    load_s=0.5,
    costs=Costs(
        access_j=1e-12, update_j=2e-12, spike_j=3e-12, synapse_j=4e-12, packet_j=5e-12, learning_j=1e-10,
        access_s=1e-9, update_s=1e-9, synapse_s=2e-9, learning_s=1e-8, input_spike_s=1e-8, input_spike_j=1e-11,
        reset_s=1e-5, reset_j=1e-9,
    ),
)  # fmt: skip
NETWORK = SpikingNetwork.layered([8, 12, 4], steps=5, rates=[0.5, 0.25, 0.25])


def run(chip=CHIP, network=NETWORK, **options):
    return execute(network, place(network, chip), chip, **options)


def test_an_explicit_placement_that_overfills_a_core_is_refused():
    network = SpikingNetwork.layered([8, 20, 4], rates=0.1)
    crowded = Placement(np.repeat([PORT, 0, 1], [8, 20, 4]))
    with pytest.raises(LimitError, match=r"network on chip toy, core 0: needs 20 neurons.* has 16"):
        execute(network, crowded, CHIP)


# ---------------------------------------------------------------- the ledger


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3), st.integers(1, 8), st.sampled_from(["barrier", "tick"]))
def test_energy_is_the_sum_of_its_causes_and_none_is_negative(rates, steps, mode):
    chip = replace(CHIP, mode=mode, tick_s=1e-5)
    found = run(chip, replace(NETWORK, steps=steps), rates=rates, samples=3, learning=0.5)
    assert set(found.energy_j) == set(execution.CAUSES)
    assert all((joules >= 0.0).all() and joules.shape == (3,) for joules in found.energy_j.values())
    np.testing.assert_allclose(found.total_j, sum(found.energy_j.values()))
    np.testing.assert_allclose(found.boundary_j["host"], found.total_j)
    assert (found.boundary_j["chip"] <= found.boundary_j["board"]).all()
    np.testing.assert_allclose(found.energy_j["static"], 0.01 * found.latency_s)
    np.testing.assert_allclose(found.energy_j["host"], 0.002 * found.latency_s)
    np.testing.assert_allclose(found.latency_s, found.steps.seconds.sum(axis=1) + 1e-5)
    if mode == "tick":
        assert (found.latency_s >= steps * 1e-5).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_energy_above_idle_is_additive_over_steps(seed):
    spikes = np.random.default_rng(seed).random((6, 24)) < 0.3
    chip = replace(CHIP, static_w=0.0, host_w=0.0, costs=replace(CHIP.costs, reset_j=0.0))
    whole = run(chip, replace(NETWORK, steps=6), spikes=spikes)
    parts = [run(chip, replace(NETWORK, steps=3), spikes=part) for part in (spikes[:3], spikes[3:])]
    assert whole.total_j[0] == pytest.approx(sum(part.total_j[0] for part in parts))
    assert whole.steps.seconds.sum() == pytest.approx(sum(part.steps.seconds.sum() for part in parts))


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 0.9), st.floats(0.0, 0.1))
def test_more_spikes_never_cost_less(rate, more):
    quiet, loud = (run(fired=np.tile([8.0, 12.0, 4.0], (5, 1)) * share, learning=0.1) for share in (rate, rate + more))
    assert (loud.latency_s >= quiet.latency_s - 1e-18).all()
    assert all((loud.energy_j[cause] >= quiet.energy_j[cause] - 1e-24).all() for cause in execution.CAUSES)


# ---------------------------------------------------------------- learning


def test_synapses_that_learn_cost_time_and_energy():
    fired = np.tile([8.0, 6.0, 2.0], (5, 1))
    still, learning = run(fired=fired), run(fired=fired, learning=0.25)
    synops = 5 * (8 * 12 + 6 * 4)
    assert learning.energy_j["learning"][0] == pytest.approx(synops * 0.25 * 1e-10)
    assert still.energy_j["learning"][0] == 0.0
    assert learning.core_s[0, 0, 1] == pytest.approx(8 * 12 * (2e-9 + 0.25 * 1e-8))
    assert (learning.latency_s > still.latency_s).all()


@pytest.mark.parametrize(
    ("chip", "options", "message"),
    [
        (replace(CHIP, learns=False), {"learning": 0.5}, "chip toy does not learn on the chip"),
        (
            replace(CHIP, costs=Costs(synapse_j=1.0)),
            {"learning": 0.5},
            "no energy of a learning synapse on chip toy, learning_j",
        ),
        (CHIP, {"learning": 1.5}, "learning: found 1.5, want a share of synaptic operations from 0 to 1"),
        (CHIP, {"form": "dense"}, "chip toy runs no dense networks, only snn"),
        (CHIP, {"form": "dence"}, "form: found 'dence'; did you mean 'dense'?"),
        (replace(CHIP, nets=("cnn",)), {}, "chip toy runs no spiking networks, only cnn"),
        (CHIP, {"values": True}, "chip toy takes spikes, not values, as input"),
        (CHIP, {"real_time": True}, "chip toy: has no real-time step, its mode is barrier"),
        (CHIP, {"in_turn": True}, "only analogue chips run parts of a network in turn, not toy"),
        (
            replace(CHIP, mode="tick", tick_s=1e-7, refuses_overrun=True),
            {},
            "chip toy: a step needs .* s, the tick is 1e-07 s and what does not fit is lost",
        ),
    ],
)
def test_what_a_chip_cannot_do_is_said_in_one_line(chip, options, message):
    with pytest.raises(PlacementError, match=message):
        run(chip, **options)


def test_steps_that_are_stretched_are_noted():
    found = run(replace(CHIP, mode="tick", tick_s=1e-7))
    assert found.notes == ("100.0% of the steps did not fit 1e-07 s and were stretched",)
    assert found.steps.overrun.all()


# ---------------------------------------------------------------- input and output, real time, values


def test_input_between_the_steps_is_added_and_costs_each_core_that_it_reaches():
    costs = replace(CHIP.costs, input_message_s=1e-6, input_spike_s=0.0)
    network = SpikingNetwork.layered([8, 32], steps=1)
    chip = replace(CHIP, costs=costs)
    placement = place(network, chip)
    fired = np.array([[8.0, 0.0, 0.0]])  # 8 spikes, each to two cores of 16 neurons
    at_once = execute(network, placement, chip, fired=fired)
    between = execute(network, placement, replace(chip, serial_io=True), fired=fired)
    assert at_once.steps.io_s[0, 0] == between.steps.io_s[0, 0] == pytest.approx(16e-6)
    assert at_once.steps.seconds[0, 0] == pytest.approx(16e-6 + 1e-6)
    assert between.steps.seconds[0, 0] == pytest.approx(16e-6 + 8 * 16 * 2e-9 + 1e-6)


def test_steps_of_a_fixed_length_where_a_chip_has_both():
    chip = replace(CHIP, real_tick_s=1e-3)
    assert run(chip, real_time=True).latency_s[0] == pytest.approx(5e-3 + 1e-5)
    assert run(chip).latency_s[0] < 1e-3


def test_values_are_multiplied_in_the_arrays_and_spikes_in_the_cores():
    chip = replace(CHIP, costs=Costs(synapse_j=100.0, synapse_mac_j=1.0, synapse_s=3.0, synapse_mac_s=0.5))
    network = SpikingNetwork.layered([8, 12, 4], steps=2, rates=[0.1, 1.0, 1.0])
    found = run(chip, network, values=True)
    assert found.energy_j["synapse"][0] == 2 * (8 * 12 * 1.0 + 12 * 4 * 100.0)
    assert found.core_s[0, 0].tolist() == [0.0, 8 * 12 * 0.5, 12 * 4 * 3.0]


# ---------------------------------------------------------------- boards and batches


def test_a_board_shares_its_idle_power_over_its_chips():
    board = Board("board", chips=4, board_w=8.0, host_w=20.0)
    bare, seated = run(), run(board=board)
    assert seated.energy_j["io"][0] - bare.energy_j["io"][0] == pytest.approx(2.0 * bare.latency_s[0])
    assert seated.energy_j["host"][0] - bare.energy_j["host"][0] == pytest.approx(5.0 * bare.latency_s[0])
    assert seated.boundary_j["chip"][0] == bare.boundary_j["chip"][0]
    assert seated.load_s == 0.5


def test_a_batch_fills_the_copies_and_shares_what_is_drawn_anyway():
    found = run(replace(CHIP, costs=replace(CHIP.costs, input_spike_s=0.0)), rates=1.0)
    assert found.at_once == found.wiring.copies == 4
    latency_s = float(found.latency_s[0])
    seconds, energy_j = found.batch(8)  # two rounds on four copies
    assert seconds == pytest.approx(2 * latency_s)
    assert energy_j["static"] == pytest.approx(0.01 * seconds / 8)
    assert energy_j["synapse"] == found.energy_j["synapse"][0]
    alone_s, alone_j = found.batch(1)
    assert alone_s == latency_s
    assert alone_j == pytest.approx({cause: joules[0] for cause, joules in found.energy_j.items()})


def test_a_board_of_the_catalog():
    view = catalog.load()
    board = Board.of(view.get("nahuku-32"), view)
    # of the 17 W, 2.1 W are the x86 cores of the chips, which `host_w` of a Loihi has already
    assert (board.chips, board.board_w, board.host_w, board.device) == (32, pytest.approx(14.9), 80.0, "loihi")
    assert Board.of(view.get("kapoho-point"), view).board_w == 10.0
    assert Board.of(view.get("hala-point"), view).host_w == 0.0
    assert Board.of(view.get("nahuku-32"), view, "loihi").chips == 32


def test_a_board_holds_the_chip_that_runs_there():
    view = catalog.load()
    for name, device in {"hgx-h100": "h100-sxm", "nahuku-32": "loihi"}.items():
        with pytest.raises(PlacementError, match=f"^system {name} holds {device}, not spinnaker2; systems of spinn"):
            Board.of(view.get(name, "system"), view, "spinnaker2")


def test_a_chip_without_any_time_still_has_energies():
    found = run(replace(CHIP, sync=((0.0, 0.0),), costs=Costs(synapse_j=1e-12)))
    assert not found.latency_s.any()
    assert found.energy_j["synapse"][0] > 0.0
    assert found.utilisation == 0.0


# ---------------------------------------------------------------- every chip


@pytest.mark.parametrize("name", catalog.load().names("chip"))
@pytest.mark.parametrize("model_name", ["kws", "mnist-256", "mnist-cnn"])
def test_every_chip_runs_a_shipped_network_or_says_why_not(name, model_name):
    view = catalog.load()
    chip, model = ChipSpec.of(view.get(name, "chip")), view.get(model_name, "model")
    network = SpikingNetwork.of(model)
    reason, found = "", None
    try:
        form = modes.form_of(model, chip)
        found = execute(network, place(network, chip), chip, form=form, samples=2)
    except PlacementError as error:
        reason = str(error)
    if found is None:
        assert name in reason
        assert "\n" not in reason
        return
    assert (found.latency_s > 0.0).all()
    assert (found.interval_s > 0.0).all()
    assert (found.total_j > 0.0).all()
    assert 0.0 < found.utilisation <= 1.0
    assert np.isfinite(found.core_s).all()


def test_each_chip_runs_at_least_one():
    view = catalog.load()
    models = [view.get(name, "model") for name in ("mnist-256", "mnist-cnn")]
    for name in view.names("chip"):
        chip = ChipSpec.of(view.get(name, "chip"))
        ran = 0
        for model in models:
            network = SpikingNetwork.of(model)
            try:
                form = modes.form_of(model, chip)
                ran += bool(execute(network, place(network, chip), chip, form=form).total_j[0] > 0.0)
            except PlacementError:
                continue
        assert ran, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spikes": [[1, 0], [1]]}, "spikes: found rows of different lengths, want a table"),
        ({"fired": [[1, 2], [1]]}, "fired: found rows of different lengths, want a table"),
        ({"fired": [["a", "b"]]}, "fired: found <U1 values, want numbers"),
        ({"rates": [[0.1, 0.2], [0.1]]}, "rates: found rows of different lengths, want a table"),
        ({"samples": 1.5}, "network: found 1.5 samples of 2 steps, want 1 to 4,194,304"),
        ({"samples": 0}, "network: found 0 samples of 2 steps, want 1 to 4,194,304"),
        ({"samples": 10**12}, "network: found 1,000,000,000,000 samples of 2 steps, want 1 to 4,194,304"),
        ({"samples": True}, "network: found True samples"),
        ({"seed": -1}, "seed: found -1, want a whole number from 0"),
        ({"seed": 0.5}, "seed: found 0.5, want a whole number from 0"),
        ({"board": "nahuku-32"}, "board: found 'nahuku-32', want a Board"),
        ({"board": Board("b", 4, 1.0, 1.0, "loihi")}, "board b holds loihi, not"),
    ],
)
def test_tables_that_are_none_are_refused_in_one_line(options, message):
    network = SpikingNetwork.layered([4, 3], steps=2, rates=0.1)
    with pytest.raises(DcsimError, match=message):
        execute(network, place(network, CHIP), CHIP, **options)


def test_a_batch_of_nothing_is_refused():
    network = SpikingNetwork.layered([4, 3], steps=2, rates=0.1)
    with pytest.raises(PlacementError, match="batch: found 0 inferences, want at least 1"):
        execute(network, place(network, CHIP), CHIP).batch(0)


def test_a_placement_on_more_cores_than_any_machine_has_is_refused_before_its_mesh_is_made():
    network = SpikingNetwork.layered([4, 3], steps=2, rates=0.1)
    with pytest.raises(PlacementError, match=r"chips of 2,147,48.,... cores in all, want at most 8,388,608"):
        execute(network, Placement(np.full(7, 2**31 - 1)), CHIP)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"chips": 0}, "board b: chips: found 0, want a whole number from 1"),
        ({"chips": 1.5}, "board b: chips: found 1.5"),
        ({"board_w": -1.0}, "board b: board_w: found -1.0, want a power from 0 W"),
        ({"host_w": math.nan}, "board b: host_w: found nan"),
        ({"host_w": "much"}, "board b: host_w: found 'much'"),
    ],
)
def test_a_board_that_cannot_be_is_refused(numbers, message):
    with pytest.raises(PlacementError, match=message):
        Board(**{"name": "b", "chips": 4, "board_w": 1.0, "host_w": 1.0} | numbers)


def test_too_many_steps_for_one_inference_are_refused():
    network = SpikingNetwork.layered([4, *[3] * 40], steps=1_000_000, rates=0.1)
    with pytest.raises(PlacementError, match=r"found 1,000,000 steps x 41 groups of neurons in one inference, want at"):
        execute(network, place(network, CHIP), CHIP)


# ---------------------------------------------------------------- blocks


def test_blocks_are_put_together(monkeypatch):
    """With no chance in it, ten inferences in blocks of three are ten times one."""
    network = SpikingNetwork.layered([4, 3], steps=5, rates=1.0)
    placement = place(network, CHIP)
    whole = execute(network, placement, CHIP, samples=10)
    monkeypatch.setattr("dcsim.chip.run._BLOCK", 3 * 5 * 2)
    blocks = execute(network, placement, CHIP, samples=10)
    assert blocks.latency_s.tolist() == whole.latency_s.tolist()
    assert blocks.core_s.tolist() == whole.core_s.tolist()
    assert {cause: joules.tolist() for cause, joules in blocks.energy_j.items()} == {
        cause: joules.tolist() for cause, joules in whole.energy_j.items()
    }
    assert blocks.counts.synops.shape == whole.counts.synops.shape
    assert not blocks.interrupted


def test_updates_of_each_inference_stay_with_their_block(monkeypatch):
    network = SpikingNetwork.layered([4, 3], steps=2, rates=1.0)
    placement = place(network, CHIP)
    updates = np.zeros((6, 2, 2))
    updates[:, :, 1] = np.arange(6)[:, None] % 4
    whole = execute(network, placement, CHIP, samples=6, updates=updates)
    monkeypatch.setattr("dcsim.chip.run._BLOCK", 2 * 2 * 2)
    blocks = execute(network, placement, CHIP, samples=6, updates=updates)
    assert blocks.counts.updated.tolist() == whole.counts.updated.tolist()


def test_an_interrupted_run_keeps_the_inferences_that_were_finished(monkeypatch):
    network = SpikingNetwork.layered([4, 3], steps=5, rates=1.0)
    placement = place(network, CHIP)
    monkeypatch.setattr("dcsim.chip.run._BLOCK", 3 * 5 * 2)
    count, blocks = execution.count, []

    def counted(*args, **options):
        if len(blocks) == 2:
            raise KeyboardInterrupt
        blocks.append(1)
        return count(*args, **options)

    monkeypatch.setattr(execution, "count", counted)
    found = execute(network, placement, CHIP, samples=10)
    assert (found.interrupted, found.latency_s.shape, found.counts.fired.shape[0]) == (True, (6,), 6)
    with pytest.raises(KeyboardInterrupt):
        execute(network, placement, CHIP, samples=10)


def test_the_share_of_overruns_is_that_of_all_blocks(monkeypatch):
    chip = replace(CHIP, mode="tick", tick_s=1e-12)
    network = SpikingNetwork.layered([4, 3], steps=5, rates=1.0)
    monkeypatch.setattr("dcsim.chip.run._BLOCK", 3 * 5 * 2)
    found = execute(network, place(network, chip), chip, samples=10)
    assert [note for note in found.notes if "did not fit" in note] == [
        "100.0% of the steps did not fit 1e-12 s and were stretched"
    ]
