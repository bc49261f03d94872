"""Kind `sanafe`: a case made here and worked out by hand, mixed kinds of neurons, and files that cannot be read."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dcsim.chip import execute
from dcsim.validation import runner, sanafe
from dcsim.validation.case import QUICK, Case, CaseError

DATA = Path(os.environ.get("DCSIM_DATA", "")) / "cases" / "sanafe"


def arrays(**changes):
    """Two free inputs on core 0, a replay on core 1 and a leaky neuron on core 4, one tile to the south; 3 steps."""
    spikes = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=np.uint8)
    made = {
        "pre": np.array([0, 1, 2, 2], np.int32),
        "post": np.array([2, 3, 3, 2], np.int32),
        "core": np.array([0, 0, 1, 4], np.int16),
        "kind": np.array([0, 0, 1, 2], np.int8),
        "raster": np.packbits(spikes, axis=1),
        "raster_shape": np.array(spikes.shape),
        "weight": np.array([9.0, 2.0, 3.0, 9.0]),
        "bias": np.zeros(4),
        "threshold": np.float64(3.5),
        "leak": np.float64(0.5),
    }
    return made | changes


def found(**changes):
    """What SANA-FE would say. Packets: 2 by the inputs, 2 by the replay. One of each arrives a tile south.

    The leaky neuron: 2 arrives at step 2; 2 / 2 + 3 at step 3 is above 3.5.
    Accesses: 2 neurons x 3 steps. Updates: the replay once, the leaky neuron twice; spikes: 2.
    """
    soma = 6 * 51.2e-12 + 3 * 21.6e-12 + 2 * 69.3e-12
    synapse, network = 4 * 35.5e-12, 4 * 111e-12 + 2 * 4.2e-12
    energy = {"total": soma + synapse + network, "synapse": synapse, "soma": soma, "network": network}
    sync = 1e-6
    # step 1: neurons 6 ns, inputs 2 x 5.1, a message 16 + 3.8; step 2: the replay 6 + 3.7 + 30 + 2 x 5.1; step 3: 39.7
    simple = 3 * sync + 19.8e-9 + 49.9e-9 + 39.7e-9
    # step 1: sent at 5.1 and 10.2, the second one arrives 6.5 later; step 2: sent at 44.8 and 49.9, alike
    detailed = 3 * sync + 36.5e-9 + 76.2e-9 + 39.7e-9
    base = {"energy": energy, "spikes": 4, "packets": 4, "hops": 2, "neurons_fired": 4, "neurons_updated": 5}
    return {"simple": base | {"sim_time": simple}, "detailed": base | {"sim_time": detailed}} | changes


def by_step(model):
    """The same step by step. Step 1: both inputs fire; step 2: the replay; step 3: the leaky neuron."""
    seconds = {"simple": [19.8e-9, 49.9e-9, 39.7e-9], "detailed": [36.5e-9, 76.2e-9, 39.7e-9]}[model]
    access, update, spike, synapse, packet = 2 * 51.2e-12, 21.6e-12, 69.3e-12, 35.5e-12, 111e-12
    lists = {
        "soma_energy": [access, access + 2 * update + spike, access + update + spike],
        "synapse_energy": [2 * synapse, 2 * synapse, 0.0],
        "network_energy": [2 * packet + 4.2e-12, 2 * packet + 4.2e-12, 0.0],
    }
    return lists | {
        "total_energy": [sum(parts) for parts in zip(*lists.values(), strict=True)],
        "fired": [2, 1, 1], "updated": [2, 2, 1], "spikes": [2, 2, 0], "hops": [1, 1, 0], "packets": [2, 2, 0],
        "sim_time": [1e-6 + each for each in seconds], "timestep": [1, 2, 3],
    }  # fmt: skip


SIZES = {"neurons": 4, "synapses": 4, "T": 3, "cores_used": 3, "tiles_used": 2}


@pytest.fixture
def rows(tmp_path):
    def check(results=None, said=None, **changes):
        np.savez(tmp_path / "toy.npz", **arrays(**changes))
        body = {"kind": "sanafe", "case": "toy", "spec": {}, "results": found() if results is None else results}
        body |= said or {}
        return list(sanafe.check(Case("sanafe", "toy", body, tmp_path), QUICK))

    return check


def test_a_case_worked_out_by_hand(rows):
    table = {row.metric: row for row in rows()}
    assert {row.status for row in table.values()} == {"passed"}
    assert len(table) == 23
    for metric in ("energy total simple J", "time simple s", "time detailed s", "neurons updated detailed"):
        assert table[metric].error == pytest.approx(0.0, abs=1e-12), metric
    # spikes at rates differ between the samples of so small a case; their mean does not
    assert table["energy at rates J"].tolerance == 0.01


def test_one_timing_model_is_enough(rows):
    results = found()
    for name, missing in (("simple", "time detailed s"), ("detailed", "time simple s")):
        metrics = {row.metric for row in rows({name: results[name]})}
        assert missing not in metrics
        assert f"time {name} s" in metrics
        assert ("time at rates s" in metrics) == (name == "simple")


def test_a_wrong_number_fails(rows):
    results = found()
    results["simple"]["packets"] = 5
    failed = [row.metric for row in rows({"simple": results["simple"]}) if row.status == "failed"]
    assert failed == ["packets simple"]


def with_steps():
    results = found()
    return {model: part | {"per_step": by_step(model)} for model, part in results.items()}


def test_a_case_worked_out_by_hand_step_by_step(rows):
    table = {row.metric: row for row in rows(with_steps(), SIZES)}
    assert {row.status for row in table.values()} == {"passed"}
    assert len(table) == 23 + 5 + 2 * 10
    assert table["fired by step simple"].tolerance == 0.0
    assert table["sim time by step detailed"].simulated == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("key", SIZES)
def test_a_size_of_the_document_that_is_another_fails(rows, key):
    failed = [row for row in rows(said=SIZES | {key: SIZES[key] + 1}) if row.status == "failed"]
    assert [(row.metric, row.simulated) for row in failed] == [
        ("steps" if key == "T" else key.replace("_", " "), SIZES[key])
    ]


@pytest.mark.parametrize("model", ["simple", "detailed"])
@pytest.mark.parametrize("key", sorted(by_step("simple").keys() - {"timestep"}))
def test_one_wrong_step_fails(rows, model, key):
    results = with_steps()
    results[model]["per_step"][key][1] *= 2
    failed = [row.metric for row in rows(results) if row.status == "failed"]
    assert failed == [f"{key.replace('_', ' ')} by step {model}"]


def test_energy_where_sanafe_found_none_fails(rows):
    results = with_steps()
    results["simple"]["per_step"]["synapse_energy"][0] = 0.0
    (failed,) = [row for row in rows(results) if row.status == "failed"]
    assert (failed.metric, failed.simulated, failed.note) == (
        "synapse energy by step simple", 1.0, "worst relative error, step 1",
    )  # fmt: skip


@pytest.mark.parametrize("part", ["total", "synapse", "soma", "network"])
def test_the_energy_of_the_second_timing_model_counts_too(rows, part):
    results = found()
    results["detailed"]["energy"] = results["detailed"]["energy"] | {part: 1.0}
    assert [row.metric for row in rows(results) if row.status == "failed"] == [f"energy {part} detailed J"]


def test_a_list_without_a_number_for_each_step(rows):
    results = with_steps()
    results["detailed"]["per_step"]["fired"].append(0)
    with pytest.raises(CaseError, match=r"results.detailed.per_step.fired: found 4 numbers, want 3, the steps"):
        rows(results)


@pytest.mark.parametrize("wrong", [None, "1", -1, True])
def test_a_list_of_what_is_no_count(rows, wrong):
    results = with_steps()
    results["simple"]["per_step"]["fired"][0] = wrong
    with pytest.raises(CaseError, match=r"results.simple.per_step.fired.0: .* found"):
        rows(results)


def test_spikes_that_the_leaky_neuron_does_not_fire_are_counted(rows):
    table = {row.metric: row for row in rows(threshold=np.float64(100.0))}
    assert (table["spikes that differ"].status, table["spikes that differ"].simulated) == ("failed", 1.0)


def test_the_potential_is_cut_to_64ths_after_the_leak(rows):
    """2 x 0.51 = 1.02 is cut to 65/64 = 1.015625, so that 1.0157 + 3 does not reach 4.018."""
    table = {row.metric: row for row in rows(leak=np.float64(0.51), threshold=np.float64(4.018))}
    assert table["spikes that differ"].simulated == 1.0
    table = {row.metric: row for row in rows(leak=np.float64(0.51), threshold=np.float64(4.015))}
    assert table["spikes that differ"].simulated == 0.0


def test_a_silent_network_without_synapses(rows):
    none = {key: np.zeros(0, dtype) for key, dtype in (("pre", np.int32), ("post", np.int32), ("weight", np.float64))}
    soma = 6 * 51.2e-12
    silent = {
        "energy": {"total": soma, "synapse": 0, "soma": soma, "network": 0},
        "sim_time": 3 * (1e-6 + 6e-9),
        **dict.fromkeys(("spikes", "packets", "hops", "neurons_fired", "neurons_updated"), 0),
    }
    found_rows = rows({"simple": silent, "detailed": silent}, raster=np.zeros((3, 1), np.uint8), **none)
    assert {row.status for row in found_rows} == {"passed"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"raster_shape": np.array([3, 9])}, "raster: found uint8"),
        ({"raster": np.zeros((3, 1))}, "raster: found float64"),
        ({"core": np.zeros(3, np.int16)}, r"core: found shape \(3,\), want \(4,\)"),
        ({"core": np.array([0, 0, 1, 128], np.int16)}, "core: found a core outside 0 to 127"),
        ({"kind": np.array([0, 0, 1, 3], np.int8)}, "kind: found 3, want 0, 1 or 2"),
        ({"weight": np.zeros(3)}, r"weight: found shape \(3,\), want \(4,\)"),
        ({"core": np.array([None] * 4)}, "not an archive of arrays"),
        ({"threshold": np.array("high")}, "threshold: found <U4 values, want numbers"),
        ({"raster_shape": np.array([np.nan, 4.0])}, "raster: found uint8"),
    ],
)
def test_arrays_that_do_not_fit(rows, changes, message):
    with pytest.raises(CaseError, match=message):
        rows(**changes)


@pytest.mark.parametrize(
    "header", ["{'descr':'<i8',", "{'descr':'<i8','fortran_order':False,'shape':(900000000000000000,)}"]
)
def test_a_damaged_header_is_said_in_one_line(tmp_path, header):
    np.savez(tmp_path / "whole.npz", **arrays())
    line = header.encode().ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "whole.npz") as whole, zipfile.ZipFile(tmp_path / "toy.npz", "w") as archive:
        for name in whole.namelist():
            damaged = b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line
            archive.writestr(name, damaged if name == "pre.npy" else whole.read(name))
    with pytest.raises(CaseError, match=r"toy\.npz: not an archive of arrays"):
        sanafe.read(tmp_path / "toy.npz", "toy")


@pytest.mark.parametrize("name", "abcdefgh")
def test_a_case_of_one_step_and_few_spikes_is_sampled_often_enough(tmp_path, name):
    """Five spikes in all: the mean of 256 samples would be wrong by 3 %."""
    generator = np.random.default_rng(1)
    pre, post = generator.integers(0, 20, (2, 400))
    spikes = (np.arange(20) < 5)[None]
    np.savez(
        tmp_path / "short.npz",
        **arrays(
            pre=pre, post=post, core=np.arange(20) // 10, kind=np.ones(20, np.int8), weight=np.zeros(0),
            bias=np.zeros(0), raster=np.packbits(spikes, axis=1), raster_shape=np.array(spikes.shape),
        ),
    )  # fmt: skip
    replay = sanafe.read(tmp_path / "short.npz", name)
    exact = execute(replay.network, replay.placement, replay.chip, spikes=replay.spikes, updates=replay.updated)
    assert sanafe.at_rates(replay, exact)[0] == pytest.approx(float(exact.chip_j[0]), rel=sanafe.RATE_ENERGY)


def test_synapses_outside_the_network_are_a_failed_row(tmp_path):
    np.savez(tmp_path / "toy.npz", **arrays(pre=np.array([0, 1, 2, 7], np.int32)))
    (tmp_path / "toy.json").write_text(json.dumps({"kind": "sanafe", "case": "toy", "results": found()}))
    (row,) = [row for row in runner.run(["chip"], tmp_path).rows if row.case == "toy"]
    assert row.status == "failed"
    assert "found neuron 7" in row.note


def test_a_case_without_its_arrays(tmp_path):
    case = Case("sanafe", "toy", {"case": "toy", "results": found()}, tmp_path)
    with pytest.raises(CaseError, match=r"'toy\.npz' is neither beside the case"):
        list(sanafe.check(case, QUICK))


def test_a_case_cannot_lead_out_of_its_folder(tmp_path):
    case = Case("sanafe", "toy", {"case": "../toy", "results": found()}, tmp_path)
    with pytest.raises(CaseError, match="leads out of the case's folder"):
        list(sanafe.check(case, QUICK))


def test_a_case_without_results():
    with pytest.raises(CaseError, match="neither simple nor detailed"):
        list(sanafe.check(Case("sanafe", "toy", {"case": "toy", "results": {}}), QUICK))


def test_a_missing_array_is_named(tmp_path):
    made = arrays()
    del made["leak"]
    np.savez(tmp_path / "toy.npz", **made)
    with pytest.raises(CaseError, match="has no array 'leak'"):
        sanafe.read(tmp_path / "toy.npz", "toy")


@pytest.mark.skipif(
    not (os.environ.get("DCSIM_DATA") and DATA.is_dir()), reason="DCSIM_DATA names no folder with cases/sanafe"
)
@pytest.mark.parametrize("name", ["ff_small", "lif_4k"])
def test_recorded_cases_pass(name):
    body = json.loads((DATA / f"{name}.json").read_text())
    assert {row.status for row in sanafe.check(Case("sanafe", name, body, DATA), QUICK)} == {"passed"}
