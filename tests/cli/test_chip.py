"""`dcsim chip run` and `dcsim new chip`, and what they say to input that cannot be."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from dcsim import catalog
from dcsim.chip import ChipSpec, SpikingNetwork, execute, execution, place
from dcsim.chip.profile import cores_as_measured
from dcsim.chip.spec import Costs
from dcsim.report.chip_summary import MEASURED, SUMMARY

LISTED = {key.path.partition(".")[0] for key in (*SUMMARY, *MEASURED)}


@pytest.fixture
def synapses(tmp_path: Path) -> Path:
    """Three inputs that each reach both of two neurons, as explicit synapses."""
    path = tmp_path / "net.npz"
    pre, post = np.repeat([0, 1, 2], 2), np.tile([3, 4], 3)
    np.savez(path, pre=pre, post=post, kind=np.array([0, 0, 0, 1, 1]))
    return path


def raster(path: Path, array: Any, key: str = "spikes") -> Path:
    np.savez(path, **{key: array})
    return path


def error(outcome: Any) -> str:
    """The one line of a command line that was wrong."""
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    return str(outcome.err.removeprefix("error: ").rstrip())


# ---------------------------------------------------------------- what comes out


def test_table(dcsim):
    outcome = dcsim("chip", "run", "kws", "--chip", "loihi")
    assert (outcome.code, outcome.err) == (0, "")
    for word in ("kws on loihi", "latency", "throughput", "static", "synapse", "total", "waits for", "rests on"):
        assert word in outcome.out


def test_json_is_one_document_with_the_figures_of_the_library(dcsim):
    outcome = dcsim("chip", "run", "kws", "--chip", "loihi", "--samples", "3", "--seed", "5", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert set(found) <= LISTED
    known = catalog.load()
    network, spec = SpikingNetwork.of(known.get("kws")), ChipSpec.of(known.get("loihi"))
    measured = cores_as_measured(known.get("kws"), spec)
    run = execute(network, place(network, spec, cores_per_layer=measured), spec, samples=3, seed=5)
    assert found["latency_s"]["mean"] == run.latency_s.mean()
    assert found["energy_j"]["total"] == run.total_j.mean()
    assert found["run"]["inferences"] == 3
    assert found["numbers"]["read"] > 20


def test_the_same_seed_gives_the_same_bytes(dcsim):
    line = ("chip", "run", "kws", "--chip", "loihi-2", "--json")
    assert dcsim(*line) == dcsim(*line)
    assert dcsim(*line) != dcsim(*line, "--seed", "2")


#: A network that each chip of the catalog supports.
RUNS = {
    "truenorth": "mnist-256", "loihi": "kws", "loihi-sanafe": "kws", "loihi-2": "dvs-gesture", "spinnaker": "kws",
    "spinnaker2": "kws", "tianjic": "mnist-256", "brainscales-2": "mnist-256", "northpole": "mnist-cnn",
    "akida-1000": "mnist-cnn", "speck": "mnist-cnn",
}  # fmt: skip


def test_there_is_a_network_for_every_chip():
    assert set(RUNS) == set(catalog.load().names("chip"))


@pytest.mark.parametrize(("chip", "network"), RUNS.items())
def test_every_chip_runs_a_network(dcsim, chip, network):
    found = json.loads(dcsim("chip", "run", network, "--chip", chip, "--samples", "2", "--json").out)
    assert found["chip"]["name"] == chip
    assert found["latency_s"]["mean"] > 0.0
    assert found["energy_j"]["total"] > 0.0


def test_rates_per_layer(dcsim):
    base = ("chip", "run", "kws", "--chip", "loihi", "--json")
    found = json.loads(dcsim(*base, "--rate", "0.5,0,0,0").out)
    assert found["events"]["spikes"] == 0.0
    assert found["events"]["spikes_in"] == pytest.approx(0.5 * 390 * 10, rel=0.05)
    one = json.loads(dcsim(*base, "--rate", "1", "--steps", "4").out)
    assert one["network"]["steps"] == 4
    assert one["events"]["spikes_in"] == 390 * 4
    assert one["events"]["spikes"] == 541 * 4


def test_more_cores_per_layer(dcsim):
    found = json.loads(dcsim("chip", "run", "kws", "--chip", "loihi", "--cores", "0,4,2,1", "--json").out)
    assert found["placement"]["cores"] == 7


def test_spikes_of_explicit_synapses(dcsim, synapses, tmp_path):
    spikes = np.zeros((4, 5), dtype=np.uint8)
    spikes[0, 0] = spikes[1, 1] = spikes[2, 3] = 1
    base = ("chip", "run", synapses, "--chip", "loihi-sanafe", "--json")
    found = json.loads(dcsim(*base, "--spikes", raster(tmp_path / "s.npz", spikes)).out)
    assert (found["events"]["spikes_in"], found["events"]["spikes"], found["events"]["synops"]) == (2.0, 1.0, 4.0)
    first = json.loads(dcsim(*base, "--spikes", tmp_path / "s.npz", "--steps", "1").out)
    assert (first["network"]["steps"], first["events"]["spikes_in"]) == (1, 1.0)
    message = json.loads(dcsim(*base, "--spikes", tmp_path / "s.npz", "--timing", "message").out)
    assert message["run"]["timing"] == "message"


def test_a_list_of_layers(dcsim, tmp_path):
    (tmp_path / "mine.yaml").write_text("steps: 3\nrates: 1.0\nlayers: [4, {dense: 3}, 2]\n")
    found = json.loads(dcsim("chip", "run", "mine.yaml", "--chip", "loihi", "--json").out)
    assert found["network"] == {"name": "mine", "layers": 3, "neurons": 5, "inputs": 4, "synapses": 18, "steps": 3}
    assert found["events"]["synops"] == 3 * 18


def test_a_file_that_says_where_its_neurons_are(dcsim, tmp_path):
    np.savez(tmp_path / "net.npz", pre=[0, 0], post=[1, 2], kind=[0, 1, 1], core=[0, 1, 5])
    base = ("chip", "run", "net.npz", "--chip", "loihi", "--rate", "1", "--json")
    assert json.loads(dcsim(*base).out)["placement"]["tiles"] == 2
    assert json.loads(dcsim(*base, "--order", "layers").out)["placement"]["tiles"] == 1


def test_a_network_that_is_too_big(dcsim, tmp_path):
    (tmp_path / "wide.yaml").write_text("rates: 0.1\nlayers: [5000, 10]\n")
    line = error(dcsim("chip", "run", "wide.yaml", "--chip", "loihi"))
    assert line.startswith("wide, layer 1 on chip loihi: needs 5,000 synapses into one neuron, has 4,096")
    (tmp_path / "huge.yaml").write_text("rates: 0.1\nlayers: [10, 1000000000]\n")
    assert error(dcsim("chip", "run", "huge.yaml", "--chip", "loihi")).startswith("huge")


def test_a_network_file_that_is_not_there(dcsim):
    for name in ("x.yaml", "x.npz", "x.nir", "dir/x"):
        assert error(dcsim("chip", "run", name, "--chip", "loihi", "--rate", "0.1"))


def test_spikes_are_read_in_every_form(dcsim, synapses, tmp_path):
    spikes = np.random.default_rng(1).random((2, 6, 5)) < 0.5
    np.save(tmp_path / "plain.npy", spikes)
    shape = np.array(spikes.shape)
    np.savez(tmp_path / "flat.npz", raster=np.packbits(spikes), raster_shape=shape)
    np.savez(tmp_path / "rows.npz", raster=np.packbits(spikes, axis=-1), raster_shape=shape)
    np.savez(tmp_path / "alone.npz", spikes.astype(float))
    raster(tmp_path / "input.npz", spikes.reshape(2, 6, 5, 1), "input")
    names = ("plain.npy", "flat.npz", "rows.npz", "alone.npz", "input.npz")
    outcomes = {dcsim("chip", "run", synapses, "--chip", "loihi", "--json", "--spikes", name) for name in names}
    assert len(outcomes) == 1
    assert json.loads(outcomes.pop().out)["run"]["inferences"] == 2


def test_figure_and_folder(dcsim, tmp_path):
    line = ("chip", "run", "kws", "--chip", "loihi", "--samples", "1")
    outcome = dcsim(*line, "--out", "run", "--figure", "page.svg")
    assert outcome.out.endswith("wrote page.svg\nwrote run\n")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"run.json", "energy.png", "steps.png", "mesh.png"}
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    first = (tmp_path / "page.svg").read_bytes()
    assert written == json.loads(dcsim(*line, "--figure", "page.svg", "--json").out)
    assert (tmp_path / "page.svg").read_bytes() == first


@pytest.mark.parametrize("chip", ["northpole", "akida-1000"])
def test_advice_of_a_chip_that_runs_dense_networks_is_about_what_takes_longest(dcsim, chip):
    found = json.loads(dcsim("chip", "run", "mnist-cnn", "--chip", chip, "--json").out)
    entry = catalog.load().get(chip)
    waits_for_host = entry["host_step_s"] > found["latency_s"]["mean"] / 2
    assert list(found["limits"]) == ["io" if waits_for_host else "compute"]
    assert found["advice"][0].startswith("the host's call takes 30 µs" if waits_for_host else "core ")
    assert waits_for_host == (chip == "northpole")


def test_a_table_has_no_blanks_at_the_end_of_its_lines(dcsim):
    for network, chip in (("kws", "loihi"), ("resnet-50", "northpole")):
        lines = dcsim("chip", "run", network, "--chip", chip).out.split("\n")
        assert [line for line in lines if line != line.rstrip()] == []
        assert len(lines) > 8


def test_the_figures_name_the_network(dcsim, tmp_path):
    (tmp_path / "my $net$.yaml").write_text("steps: 3\nrates: 1.0\nlayers: [4, 2]\n")
    dcsim("chip", "run", "my $net$.yaml", "--chip", "loihi", "--figure", "page.svg", "--out", "run")
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none"}):
        dcsim("chip", "run", "my $net$.yaml", "--chip", "loihi", "--figure", "page.svg")
    assert "my $net$ on loihi" in (tmp_path / "page.svg").read_text()


# ---------------------------------------------------------------- models without layers


def test_a_model_that_is_known_by_its_operations(dcsim, tmp_path):
    from dcsim.chip.profile import without_layers

    outcome = dcsim("chip", "run", "resnet-50", "--chip", "northpole", "--json", "--out", "run")
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    known = catalog.load()
    profile = without_layers(known.get("resnet-50"), known.get("northpole"))
    assert found["run"]["form"] == "dense"
    assert found["latency_s"]["mean"] == profile.latency_s[0]
    assert found["energy_j"]["active"] == profile.chip_j[0]
    assert found["energy_j"]["total"] == pytest.approx(sum(found["energy_j"]["by_cause"].values()))
    assert found["energy_j"]["at"]["host"] == pytest.approx(found["energy_j"]["total"])
    assert found["throughput_per_s"]["chip"] == pytest.approx(1 / found["interval_s"])
    assert json.loads((tmp_path / "run" / "run.json").read_text()) == found
    assert set(found) <= LISTED
    assert "dense form, by the operations" in dcsim("chip", "run", "resnet-50", "--chip", "northpole").out


def test_a_model_that_is_known_as_measured(dcsim):
    found = json.loads(dcsim("chip", "run", "granite-8b", "--chip", "northpole", "--json").out)
    model = catalog.load().get("granite-8b")
    assert found["run"]["form"] == "measured"
    assert found["placement"] == {"chips": model["devices_northpole"], "at_once": model["users_northpole"]}
    assert found["throughput_per_s"]["tokens"] == pytest.approx(model["tokens_per_s_northpole"], rel=0.02)
    assert found["energy_j"]["token"]["measured"] == pytest.approx(model["energy_j_per_token_northpole"])
    assert found["energy_j"]["token"]["chips"] <= found["energy_j"]["token"]["measured"]
    assert set(found) <= LISTED
    assert "as measured" in dcsim("chip", "run", "matmulfree-370m", "--chip", "loihi-2").out


def test_every_key_of_an_answer_without_layers_is_listed(dcsim):
    listed = {key.path for key in (*SUMMARY, *MEASURED)}

    def keys(tree, before=""):
        for key, value in tree.items():
            yield from keys(value, f"{before}{key}.") if isinstance(value, dict) else [f"{before}{key}"]

    for network in ("resnet-50", "granite-8b"):
        found = json.loads(dcsim("chip", "run", network, "--chip", "northpole", "--json").out)
        for key in keys(found):
            if not key.startswith(("energy_j.by_cause.", "numbers.shares.", "latency_s.")):
                assert key in listed, key


# ---------------------------------------------------------------- Ctrl-C


def test_an_interrupted_run_answers_with_what_was_finished(dcsim, monkeypatch):
    count, blocks = execution.count, []

    def counted(*args, **options):
        if len(blocks) == 2:
            raise KeyboardInterrupt
        blocks.append(1)
        return count(*args, **options)

    monkeypatch.setattr(execution, "count", counted)
    monkeypatch.setattr("dcsim.chip.run._BLOCK", 1)
    outcome = dcsim("chip", "run", "kws", "--chip", "loihi", "--samples", "20", "--json")
    assert outcome.code == 130
    assert outcome.err == "interrupted: 2 of 20 inferences were finished, the answer is theirs\n"
    found = json.loads(outcome.out)
    assert found["run"]["inferences"] == 2
    assert "interrupted: 2 of 20 inferences were finished" in found["notes"]


@pytest.mark.parametrize(
    ("at", "stage"),
    [
        ("dcsim.chip.files.load", "reading kws"),
        ("dcsim.chip.pace.paced", "placing kws on loihi"),
        ("dcsim.chip.execute", "running kws on loihi"),
        ("dcsim.report.chip_summary.summary", "writing what was found"),
    ],
)
def test_an_interrupt_is_one_line_that_says_what_it_met(dcsim, tmp_path, monkeypatch, at, stage):
    monkeypatch.setattr(at, Mock(side_effect=KeyboardInterrupt))
    outcome = dcsim("chip", "run", "kws", "--chip", "loihi", "--out", "run")
    assert outcome == (130, "", f"interrupted while {stage}: no inference is kept\n")
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------- a chip of one's own


def test_new_chip_runs_at_once(dcsim):
    outcome = dcsim("new", "chip", "mine")
    assert outcome == (0, "wrote mine.yaml; run a network on it with: dcsim chip run kws --chip mine.yaml\n", "")
    found = json.loads(dcsim("chip", "run", "kws", "--chip", "mine.yaml", "--json").out)
    assert found["chip"] == {"name": "mine", "mode": "barrier"}
    by_name = dcsim("chip", "run", "kws", "--chip", "mine", "--catalog", "mine.yaml", "--json")
    assert json.loads(by_name.out) == found


def test_new_chip_has_the_costs_that_every_chip_can_have(dcsim, tmp_path):
    dcsim("new", "chip", "mine")
    entry = catalog.load([tmp_path / "mine.yaml"]).get("mine")
    text = (tmp_path / "mine.yaml").read_text()
    special = ("learning", "op_j", "mac", "crossing_s", "message", "output_spike_j", "synapse_conv", "synapse_sparse")
    for key in Costs.__dataclass_fields__:
        assert key in entry or any(word in key for word in special), key
    for mode in ("barrier", "tick", "event", "analog", "scheduled"):
        assert f"#   {mode} " in text
    assert "NAME" not in text
    assert "FILE" not in text


def test_new_chip_is_not_overwritten(dcsim, tmp_path):
    (tmp_path / "mine.yaml").write_text("mine")
    assert error(dcsim("new", "chip", "mine")) == "mine.yaml: is there already; choose another name or --out"
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    assert dcsim("new", "chip", "mine", "--out", "other.yaml").code == 0


@pytest.mark.parametrize("name", ["", " "])
def test_new_chip_wants_a_name(dcsim, tmp_path, name):
    assert error(dcsim("new", "chip", name)).startswith("name: found '', want a name of lower-case letters")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../x", "Mine", "a: b", "-"])
def test_new_chip_refuses_what_is_no_name(dcsim, tmp_path, name):
    error(dcsim("new", "chip", "--", name))
    assert not list(tmp_path.iterdir())


def test_new_chip_refuses_a_name_of_the_catalog(dcsim):
    assert error(dcsim("new", "chip", "loihi")) == "name: 'loihi' is in the catalog already; choose another"


def test_chip_file_with_several_chips_or_none(dcsim, tmp_path):
    dcsim("new", "chip", "one")
    dcsim("new", "chip", "two")
    both = (tmp_path / "one.yaml").read_text() + (tmp_path / "two.yaml").read_text()
    (tmp_path / "both.yaml").write_text(both)
    line = error(dcsim("chip", "run", "kws", "--chip", "both.yaml"))
    assert line.startswith("--chip both.yaml: found chips one, two, want one; --catalog both.yaml --chip NAME")
    assert dcsim("chip", "run", "kws", "--chip", "two", "--catalog", "both.yaml").code == 0


# ---------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("kws", "--chip", "lohi"), "the catalog has no chip 'lohi'; did you mean 'loihi'?"),
        (("kws", "--chip", "h100-sxm"), "the catalog has no chip 'h100-sxm'; 'h100-sxm' is a gpu"),
        (("kws", "--chip", "none.yaml"), "none.yaml: cannot read the catalog file: No such file or directory"),
        (("kws", "--chip", "loihi", "--rate", "1.5"), "--rate: found '1.5', want spikes per neuron and step"),
        (("kws", "--chip", "loihi", "--rate", "-0.1"), "--rate: found '-0.1', want spikes per neuron and step"),
        (("kws", "--chip", "loihi", "--rate", "nan"), "--rate: found 'nan', want spikes per neuron and step"),
        (("kws", "--chip", "loihi", "--rate", "much"), "--rate: found 'much', want spikes per neuron and step"),
        (("kws", "--chip", "loihi", "--rate", "0.1,0.2"), "--rate: found 2 rates, want one, or one for each of the 4"),
        (("kws", "--chip", "loihi", "--rate", "0.1", "--spikes", "x.npz"), "found both --rate and --spikes"),
        (("kws", "--chip", "loihi", "--samples", "2", "--spikes", "x.npz"), "found both --samples and --spikes"),
        (("kws", "--chip", "loihi", "--spikes", "x.npz"), "--spikes x.npz: no such file"),
        (("kws", "--chip", "loihi", "--steps", "0"), "invalid value for '--steps'"),
        (("kws", "--chip", "loihi", "--steps", "-3"), "invalid value for '--steps'"),
        (("kws", "--chip", "loihi", "--steps", "99999999"), "kws: "),
        (("kws", "--chip", "loihi", "--samples", "0"), "invalid value for '--samples'"),
        (("kws", "--chip", "loihi", "--seed", "-1"), "invalid value for '--seed'"),
        (("kws", "--chip", "loihi", "--timing", "exact"), "timing: found 'exact'; allowed: barrier, message"),
        (("kws", "--chip", "loihi", "--timing", "message"), 'timing: "message" needs spikes'),
        (("kws", "--chip", "loihi", "--updates", "few"), "updates: found 'few'; allowed: all, fired"),
        (("kws", "--chip", "loihi", "--order", "best"), "order: found 'best'"),
        (("kws", "--chip", "loihi", "--cores", "1,2"), "--cores: found '1,2', want a whole number for each of the 4"),
        (("kws", "--chip", "loihi", "--cores", "1,2,x,4"), "--cores: found '1,2,x,4'"),
        (("kws", "--chip", "loihi", "--dt", "1 ms"), "kws: --dt, --reset, --integration and --at-threshold say"),
        (("x.nir", "--chip", "loihi", "--dt", "1 kg"), "--dt: found unit 'kg', want a time in s, min"),
        (("x.nir", "--chip", "loihi", "--dt", "0 s"), "--dt: found '0 s', want more than 0"),
        (("x.nir", "--chip", "loihi", "--dt", "-1 ms"), "--dt: found '-1 ms', want more than 0"),
        (("x.nir", "--chip", "loihi", "--reset", "subtrct"), "--reset: found 'subtrct'; did you mean 'subtract'?"),
        (("x.nir", "--chip", "loihi", "--integration", "eulr"), "--integration: found 'eulr'; did you mean 'euler'?"),
        (
            ("kws", "--chip", "loihi", "--samples", "99999999999"),
            "kws: found 99,999,999,999 samples of 10 steps, want 1 to",
        ),
        (("resnet-50", "--chip", "northpole", "--rate", "0.1"), "--rate: the catalog has no layers of"),
        (
            ("resnet-50", "--chip", "northpole", "--learning", "0.1"),
            "--learning: the catalog has no layers of",
        ),
        (("resnet-50", "--chip", "northpole", "--figure", "x.png"), "--figure: the catalog has no layers of"),
        (
            ("resnet-50", "--chip", "northpole", "--form", "spiking"),
            "resnet-50: no spiking form (the catalog",
        ),
        (("resnet-50", "--chip", "loihi"), "resnet-50: chip loihi runs no dense networks, only snn, cnn"),
        (
            ("resnet-50", "--chip", "akida-1000"),
            "resnet-50 on chip akida-1000: the catalog has no",
        ),
        (
            ("llama-3.1-8b", "--chip", "northpole"),
            "llama-3.1-8b on chip northpole: the catalog has",
        ),
        (("kws", "--chip", "loihi", "--form", "soft"), "kws: form: found 'soft'"),
        (("kws", "--chip", "northpole", "--rate", "0.1"), "--rate: kws runs here in dense form"),
        (("kws", "--chip", "akida-1000"), "kws on chip akida-1000: is a network of kind ann, snn, the chip runs cnn"),
        (("kws", "--chip", "truenorth"), "kws, layer 1 on chip truenorth: needs 390 synapses into one neuron, has 256"),
        (("kws", "--chip", "truenorth", "--learning", "0.1", "--rate", "0.1"), "kws"),
        (("kws", "--chip", "loihi", "--learning", "2"), "kws: learning: found 2, want a share"),
        (("kws", "--chip", "loihi", "--board", "nahuku"), "the catalog has no system 'nahuku'; did you mean"),
        (("kws", "--chip", "loihi", "--figure", "x.bmp"), "--figure x.bmp: want a name that ends in .pdf, .png, .svg"),
        (("kws", "--chip", "loihi", "--figure", "no/x.png"), "--figure no/x.png: cannot be written"),
        (("kws", "--chip", "loihi", "--figure", "here.png"), "--figure here.png: cannot be written: Is a directory"),
        (("kws", "--chip", "loihi", "--out", "full"), "--out full: found a folder that holds something else"),
    ],
)
def test_wrong_options_are_one_line_and_2(dcsim, tmp_path, arguments, line):
    (tmp_path / "here.png").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    assert error(dcsim("chip", "run", *arguments)).startswith(line)


def test_an_unknown_network_gets_the_nearest(dcsim):
    assert "did you mean 'kws'" in error(dcsim("chip", "run", "kwss", "--chip", "loihi"))


def test_a_network_that_is_no_spiking_one(dcsim):
    assert error(dcsim("chip", "run", "llama-3.1-8b", "--chip", "loihi"))


def test_a_network_without_rates_wants_some(dcsim, synapses):
    assert error(dcsim("chip", "run", synapses, "--chip", "loihi")).endswith(
        "says no firing rates; give --rate or --spikes"
    )


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (
            np.zeros((4, 6)),
            "found shape (4, 6), want (steps, n) or (samples, steps, n), n 5 (all neurons) or 3 ",
        ),
        (np.zeros(5), "found shape (5,), want"),
        (np.zeros((0, 5)), "found shape (0, 5), want"),
        (np.full((4, 5), np.nan), "found a value that is no finite number"),
        (np.array([["a"] * 5]), "found <U1 values, want 0 and 1"),
    ],
)
def test_spikes_of_the_wrong_kind(dcsim, synapses, tmp_path, array, line):
    raster(tmp_path / "s.npz", array)
    found = error(dcsim("chip", "run", synapses, "--chip", "loihi", "--spikes", "s.npz"))
    assert found.startswith(f"--spikes s.npz: {line}")


def test_spikes_other_than_0_and_1(dcsim, synapses, tmp_path):
    raster(tmp_path / "s.npz", np.full((2, 5), 2))
    assert "values other than 0 and 1" in error(dcsim("chip", "run", synapses, "--chip", "loihi", "--spikes", "s.npz"))


def test_more_steps_than_spikes(dcsim, synapses, tmp_path):
    raster(tmp_path / "s.npz", np.zeros((2, 5)))
    line = ("chip", "run", synapses, "--chip", "loihi", "--spikes", "s.npz", "--steps", "3")
    assert error(dcsim(*line)) == "--steps: found 3, want at most the 2 of s.npz"


def test_pickled_spikes_are_refused(dcsim, synapses, tmp_path):
    np.save(tmp_path / "s.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    raster(tmp_path / "s.npz", np.array([[None] * 5], dtype=object))
    for name in ("s.npy", "s.npz"):
        line = error(dcsim("chip", "run", synapses, "--chip", "loihi", "--spikes", name))
        assert line.startswith(f"--spikes {name}: no array that can be read (Object arrays cannot be loaded")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not an archive", b"\x93NUMPY\x01\x00", b"0 1 0 1\n"])
def test_damaged_spikes(dcsim, synapses, tmp_path, content):
    (tmp_path / "s.npz").write_bytes(content)
    line = error(dcsim("chip", "run", synapses, "--chip", "loihi", "--spikes", "s.npz"))
    assert line.startswith("--spikes s.npz: no array that can be read (")


def test_a_truncated_archive(dcsim, synapses, tmp_path):
    whole = raster(tmp_path / "s.npz", np.random.default_rng(1).random((64, 5)) < 0.5).read_bytes()
    broken = whole[:90] + bytes(60) + whole[150:]
    (tmp_path / "s.npz").write_bytes(broken)
    assert "no array that can be read" in error(dcsim("chip", "run", synapses, "--chip", "loihi", "--spikes", "s.npz"))


def test_an_archive_without_spikes(dcsim, synapses, tmp_path):
    np.savez(tmp_path / "s.npz", spike=np.zeros((2, 5)), other=np.zeros(3))
    line = error(dcsim("chip", "run", synapses, "--chip", "loihi", "--spikes", "s.npz"))
    assert line == (
        "--spikes s.npz: found no array spikes or input, and no raster with raster_shape; did you mean 'spike'?"
    )


def test_a_raster_that_does_not_hold_its_shape(dcsim, synapses, tmp_path):
    np.savez(tmp_path / "s.npz", raster=np.zeros(3, np.uint8), raster_shape=np.array([1000, 5]))
    line = error(dcsim("chip", "run", synapses, "--chip", "loihi", "--spikes", "s.npz"))
    assert "does not hold the bits of raster_shape (1000, 5)" in line


def test_an_array_larger_than_allowed_is_not_read(dcsim, synapses, tmp_path, monkeypatch):
    raster(tmp_path / "s.npz", np.zeros((64, 5)))
    with zipfile.ZipFile(tmp_path / "s.npz") as archive:
        size = archive.getinfo("spikes.npy").file_size
    monkeypatch.setattr("dcsim.cli.spikes._MOST_BYTES", size - 1)
    line = error(dcsim("chip", "run", synapses, "--chip", "loihi", "--spikes", "s.npz"))
    assert line.startswith(f"--spikes s.npz: spikes has {size:,} bytes, want at most")
