"""The comparison of all chips: every chip appears or says why not, and the boundaries and batches are in order."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from dcsim import catalog
from dcsim.chip import SpikingNetwork
from dcsim.gpu import gpu_profile

ROOT = Path(__file__).parents[2]

_spec = importlib.util.spec_from_file_location("chip_shootout", ROOT / "scenarios" / "chip_shootout.py")
assert _spec is not None
assert _spec.loader is not None
shootout = importlib.util.module_from_spec(_spec)
sys.modules["chip_shootout"] = shootout  # dataclasses look their module up
_spec.loader.exec_module(shootout)


@pytest.fixture(scope="module")
def compared() -> Any:
    return shootout.compare(shootout.MODELS)


def test_every_chip_appears_with_each_network_or_says_why_not(compared: Any) -> None:
    results, refused = compared
    found = {(result.model, result.device) for result in results}
    for model in shootout.MODELS:
        for chip in catalog.load().names("chip"):
            named = [line for line in refused if line.startswith(f"refused: {model}") and f"chip {chip}" in line]
            assert ((model, chip) in found) != bool(named), (model, chip, named)
        assert {(model, gpu) for gpu in shootout.GPUS} <= found
    assert {result.device for result in results} == {*catalog.load().names("chip"), *shootout.GPUS}


def test_each_boundary_holds_the_one_before_and_a_batch_never_costs_more(compared: Any) -> None:
    for result in compared[0]:
        for batch in shootout.BATCHES:
            known = [joules for edge in shootout.BOUNDARIES if (joules := result.up_to(edge, batch)) is not None]
            assert len(known) == (3 if result.system else 1)
            assert known[0] > 0.0
            assert known == sorted(known)
        for edge in shootout.BOUNDARIES if result.system else ("chip",):
            one, many = (result.up_to(edge, batch) for batch in shootout.BATCHES)
            assert many <= one * (1 + 1e-9), (result.model, result.device, edge)
        assert result.accuracy is None or 0.9 < result.accuracy.value < 1.0
        assert 0.0 < result.weak < 1.0
        assert result.form in ("spiking", "dense")


def test_a_gpu_is_charged_by_hand(compared: Any) -> None:
    """Idle power of one of eight cards, an eighth of board and host, for as long as a batch of 64 lasts."""
    known = catalog.load()
    gpu, system, host = known.get("l4"), known.get("server-8x-l4"), known.get("host-2u-2-socket")
    profile: Any = gpu_profile(known.get("mnist-256"), gpu, batch=64)
    each_s = float(profile.latency_s[0]) / 64
    chip_j = gpu["idle_w"] * each_s + float(profile.chip_j[0])
    board_j = chip_j + system["board_idle_w"] / 8 * each_s
    host_j = board_j + (host["idle_w"] / 8 + gpu["host_active_w"]) * each_s
    (result,) = (one for one in compared[0] if (one.model, one.device) == ("mnist-256", "l4"))
    assert [result.up_to(edge, 64) for edge in shootout.BOUNDARIES] == pytest.approx([chip_j, board_j, host_j])


def test_a_chip_is_charged_the_same_shares_by_hand(compared: Any) -> None:
    """One of 24 chips, whose power is all there is; the catalog has its host in its board."""
    known = catalog.load()
    chip, system = known.get("brainscales-2"), known.get("brainscales-2-24")
    (result,) = (one for one in compared[0] if one.device == "brainscales-2")
    chip_j = chip["static_w"] * result.seconds[1]
    board_j = chip_j + system["board_idle_w"] / system["devices"] * result.seconds[1]
    assert [result.up_to(edge, 1) for edge in shootout.BOUNDARIES] == pytest.approx([chip_j, board_j, board_j])


def test_it_runs_and_writes_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shootout.main(["--models", "mnist-256", "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "brainscales-2" in printed
    assert "refused: mnist-256 on chip akida-1000" in printed
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {"shootout.csv", "energy-mnist-256.png", "boundaries-mnist-256.png"}
    with (tmp_path / "out" / "shootout.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["batch"] for row in rows} == {"1", "64"}
    assert all(float(row["chip_j"]) > 0.0 for row in rows)
    truenorth = next(row for row in rows if row["device"] == "truenorth")
    assert (truenorth["form"], truenorth["precision"], truenorth["accuracy"]) == ("spiking", "ternary", "0.927")


@pytest.mark.parametrize("below", [".", "deeper/still"])
def test_a_file_in_the_place_of_the_folder_is_refused_before_the_work(
    below: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shootout, "compare", None)
    file = tmp_path / "taken"
    file.touch()
    with pytest.raises(SystemExit) as end:
        shootout.main(["--out", str(file / below)])
    assert end.value.code == 2
    found = capsys.readouterr().err
    assert found == f"error: --out {file / below}: found the file {file}, want a folder, new or existing\n"


def test_networks_whose_forms_differ_in_work_are_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        shootout.main(["--models", "dvs-gesture"])
    assert "choose from" in capsys.readouterr().err
    known = catalog.load()
    for name in shootout.COMPARABLE:
        model = known.get(name)
        in_layers = 2 * SpikingNetwork.of(model).synapses
        assert model["flop_per_sample"] == pytest.approx(in_layers, rel=0.05), name
