"""`dcsim gpu`: what each command prints, that the figures are those of the library, and input that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dcsim import catalog
from dcsim.gpu.points import batch_point, language_point
from dcsim.report import gpu_summary
from dcsim.scenario.hardware import Serving

LLM = ("gpu", "llm", "--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--batch")
VISION = ("gpu", "vision", "--model", "resnet-50", "--gpu", "h100-sxm", "--batch")
TRAINING = ("gpu", "training", "--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--count", "16")


def error(outcome: Any) -> str:
    """The one line of a command line that was wrong."""
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    return str(outcome.err.removeprefix("error: ").rstrip())


def read(outcome: Any) -> Any:
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)


def paths(tree: dict[str, Any], above: str = "") -> set[str]:
    """Keys as the lists of the summary write them."""
    found = set()
    for key, value in tree.items():
        name = {"limits": "LIMIT", "kernels": "CLASS", "numbers.shares": "GRADE"}.get(above.rstrip("."), key)
        found |= paths(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}"}
    return found


# ---------------------------------------------------------------- what comes out


def test_table_of_one_point(dcsim):
    outcome = dcsim(*LLM, "32")
    assert (outcome.code, outcome.err) == (0, "")
    for word in ("llama-3.1-8b on h100-sxm", "first token", "per output token", "layers with weights", "rests on"):
        assert word in outcome.out


def test_table_of_several_batches_has_a_row_for_each(dcsim):
    lines = dcsim(*LLM, "1, 8,64,8").out.splitlines()
    assert [line.split()[0] for line in lines[3:6]] == ["1", "8", "64"]


def test_llm_gives_the_figures_of_the_library(dcsim):
    found = read(dcsim(*LLM, "32", "--input-tokens", "300", "--output-tokens", "400", "--json"))
    known = catalog.load()
    point = language_point(
        known.get("llama-3.1-8b"), known.get("h100-sxm"), Serving(), batch=32, input_tokens=300, output_tokens=400
    )
    assert found == gpu_summary.language(point, known.grades_used())
    assert found["energy_j"]["token"] == found["power_w"]["total"] / found["throughput_per_s"]["tokens"]
    assert found["numbers"]["read"] > 20


def test_several_batches_are_a_list(dcsim):
    found = read(dcsim(*LLM, "1,64", "--json"))
    assert [one["load"]["batch"] for one in found] == [1, 64]
    assert found[0] == read(dcsim(*LLM, "1", "--json"))


def test_vision_gives_the_figures_of_the_library(dcsim):
    found = read(dcsim(*VISION, "64", "--json"))
    known = catalog.load()
    point = batch_point(known.get("resnet-50"), known.get("h100-sxm"), batch=64)
    assert found == gpu_summary.batch(point, known.grades_used())
    assert found["energy_j"]["sample"] == found["power_w"]["total"] / found["throughput_per_s"]["samples"]


def test_every_key_is_listed(dcsim):
    given = {
        "LANGUAGE": read(dcsim(*LLM, "32", "--slice", "4g.40gb", "--sampled", "--json")),
        "BATCH": read(dcsim(*VISION, "64", "--share", "0.5", "--rate", "900/s", "--max-wait", "1 ms", "--json")),
        "TRAINING": read(
            dcsim(*TRAINING, "--batch", "4e6", "--samples", "1e12", "--storage", "9 GB/s", "--mtbf", "1 y", "--json")
        ),
    }
    for name, found in given.items():
        listed = {key.path for key in getattr(gpu_summary, name)}
        assert paths(found) == listed, name
    assert "links" in read(dcsim(*LLM, "32", "--count", "2", "--json"))["kernels"]


def test_arrivals_at_random(dcsim):
    found = read(dcsim(*VISION, "64", "--rate", "9000/s", "--max-wait", "1 ms", "--json"))["arrivals"]
    assert found["served_per_s"] == pytest.approx(9000, rel=0.05)
    assert 0.001 < found["latency_s"]["p50"] < found["latency_s"]["p99"] < 0.01
    assert "arrivals" in dcsim(*VISION, "64", "--rate", "9000/s").out
    assert "p99 at random" in dcsim(*VISION, "8,64", "--rate", "9000/s").out


MODELS = {
    "vision": "dvs-gesture", "recommendation": "dlrm", "image-generation": "pixart-sigma", "speech": "whisper-large-v3",
}  # fmt: skip


@pytest.mark.parametrize(("command", "model"), MODELS.items())
def test_every_command_runs_a_model(dcsim, command, model):
    found = read(dcsim("gpu", command, "--model", model, "--gpu", "h200-sxm", "--batch", "4", "--json"))
    assert found["latency_s"] > 0.0
    assert found["bound_by"] in {"compute", "memory", "fixed"}


@pytest.mark.parametrize("gpu", catalog.load().names("gpu"))
def test_every_gpu_runs_a_language_model_and_a_network_on_images(dcsim, gpu):
    llm = read(dcsim("gpu", "llm", "--model", "llama-3.1-8b", "--gpu", gpu, "--count", "2", "--batch", "2", "--json"))
    vision = read(dcsim("gpu", "vision", "--model", "resnet-50", "--gpu", gpu, "--batch", "2", "--json"))
    assert llm["energy_j"]["token"] > 0.0
    assert vision["energy_j"]["sample"] > 0.0


def test_training_at_a_utilisation_and_by_steps(dcsim):
    by_run = read(dcsim(*TRAINING, "--samples", "1e12", "--utilisation", "0.4", "--json"))
    assert by_run["mfu"] == 0.4
    assert by_run["run"]["energy_kwh"] == pytest.approx(by_run["energy_j"]["sample"] * 1e12 / 3.6e6)
    assert "kernels" not in by_run
    steps = read(dcsim(*TRAINING, "--batch", "1e6,4e6", "--json"))
    assert steps[0]["mfu"] < steps[1]["mfu"]
    assert "run" not in steps[0]
    assert "1 M" in dcsim(*TRAINING, "--batch", "1e6,4e6").out


def test_a_slice_and_a_share_of_a_gpu(dcsim):
    whole = read(dcsim(*VISION, "8", "--json"))
    slice_ = read(dcsim(*VISION, "8", "--slice", "3g.40gb", "--json"))
    half = read(dcsim(*VISION, "8", "--share", "50%", "--json"))
    assert "part" not in whole["gpu"]
    assert slice_["gpu"]["part"] == "slice 3g.40gb"
    assert whole["latency_s"] < slice_["latency_s"] < 7 / 3 * whole["latency_s"]
    assert half["latency_s"] == pytest.approx(1.46 * whole["latency_s"])  # the mean of Gavel's pairs
    assert half["largest_batch"] < 0.51 * whole["largest_batch"]
    out = dcsim(*VISION, "8", "--slice", "3g.40gb").out
    assert "resnet-50 on h100-sxm, slice 3g.40gb" in out
    assert "note: power is its part of a GPU" in out


def test_training_over_tensor_parallel_gpus_and_stages(dcsim):
    copies = read(dcsim(*TRAINING, "--batch", "4e6", "--json"))
    assert copies["layout"] == {"tensor": 2, "pipeline": 1, "interleave": 1, "micro_batch": 8192, "copies": 8}
    stages = read(
        dcsim(*TRAINING, "--batch", "4e6", "--tensor", "1", "--pipeline", "4", "--micro-batch", "4096", "--json")
    )
    assert (stages["layout"]["interleave"], stages["layout"]["copies"]) == (4, 4)
    assert stages["kernels"]["stages"] > 0.0
    assert (
        "4 stages of 4 chunks, 4,096 tokens in each"
        in dcsim(*TRAINING, "--batch", "4e6", "--tensor", "1", "--pipeline", "4", "--micro-batch", "4096").out
    )


def test_a_cap_and_a_clock(dcsim):
    capped = read(dcsim(*LLM, "32", "--power-cap", "500 W", "--json"))
    assert capped["power_w"]["gpu"] == pytest.approx(500)
    assert capped["gpu"]["clock"] < 1.0
    assert read(dcsim(*LLM, "32", "--clock", "70%", "--json"))["gpu"]["clock"] == pytest.approx(0.7)


def test_batches_that_do_not_fit_are_left_out_of_the_table(dcsim):
    some = dcsim(*LLM, "1,100000")
    assert some.code == 0
    assert some.err.startswith("left out: model 'llama-3.1-8b' at batch 100,000 needs a cache of")
    assert len(json.loads(dcsim(*LLM, "1,8,100000", "--json").out)) == 2
    assert dcsim(*LLM, "100000,200000").code == 2


def test_more_arrivals_than_can_be_answered_are_told(dcsim):
    found = read(dcsim(*VISION, "64", "--rate", "90000000/s", "--json"))
    assert "latency_s" not in found["arrivals"]
    assert found["notes"] == ["batch 64: more samples arrive than it answers: the line grows without end"]


def test_the_help_of_training_says_what_its_figures_need(dcsim):
    assert "needs --batch" in " ".join(dcsim("gpu", "training", "--help").out.replace("│", " ").split())


def test_a_model_of_a_users_own_file(dcsim, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "mine:\n  kind: model\n  title: Mine\n  numbers:\n"
        "    parameters: {value: 1e6, unit: parameters, source: us, grade: measured}\n"
        "    layers: {value: 5, unit: layers, source: us, grade: measured}\n"
        "    flop_per_sample: {value: 1, unit: GFLOP, source: us, grade: measured}\n"
    )
    line = ("gpu", "vision", "--model", "mine", "--gpu", "l4", "--batch", "1")
    assert read(dcsim(*line, "--catalog", "mine.yaml", "--json"))["model"]["name"] == "mine"


def test_the_figure_has_the_same_bytes_each_time(dcsim, tmp_path):
    assert dcsim(*LLM, "8", "--figure", "page.svg").out.endswith("wrote page.svg\n")
    first = (tmp_path / "page.svg").read_bytes()
    assert read(dcsim(*LLM, "8", "--figure", "page.svg", "--json")) == read(dcsim(*LLM, "8", "--json"))
    assert (tmp_path / "page.svg").read_bytes() == first


def test_figures_of_the_other_commands(dcsim, tmp_path):
    assert dcsim(*VISION, "8,64", "--rate", "9000/s", "--figure", "vision.png").code == 0
    assert dcsim(*TRAINING, "--batch", "1e6,4e6", "--figure", "training.png").code == 0
    assert {path.name for path in tmp_path.glob("*.png")} == {"vision.png", "training.png"}


# ---------------------------------------------------------------- wrong input

L70, X4090 = "llama-3.1-70b", "rtx-4090"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("llm", "lama-3.1-8b", "l4", "1"), "the catalog has no model 'lama-3.1-8b'; did you mean 'llama-3.1-8b'?"),
        (("llm", "l4", "l4", "1"), "the catalog has no model 'l4'; 'l4' is a gpu"),
        (("llm", "llama-3.1-8b", "h100", "1"), "the catalog has no gpu 'h100'; did you mean 'h100-sxm'?"),
        (("llm", "llama-3.1-8b", "loihi", "1"), "the catalog has no gpu 'loihi'; 'loihi' is a chip"),
        (("llm", L70, "h100-sxm", "8"), "model 'llama-3.1-70b' needs 141.1 GB for its weights and some for its cache"),
        (("llm", L70, "h100-sxm", "8", "--count", "0"), "invalid value for '--count'"),
        (
            ("llm", L70, "h100-sxm", "8", "--count", "3"),
            "--count: found 3; the layers of model 'llama-3.1-70b' split",
        ),
        (("llm", L70, "h100-sxm", "8", "--count", "1000000"), "--count: found 1,000,000; the layers of model"),
        (("llm", "llama-3.1-8b", "h100-sxm", "0"), "--batch: found '0', want a whole number, at least 1"),
        (("llm", "llama-3.1-8b", "h100-sxm", "-4"), "--batch: found '-4', want a whole number, at least 1"),
        (("llm", "llama-3.1-8b", "h100-sxm", "1.5"), "--batch: found '1.5', want a whole number, at least 1"),
        (("llm", "llama-3.1-8b", "h100-sxm", "8,"), "--batch: found '', want a whole number, at least 1"),
        (("llm", "llama-3.1-8b", "h100-sxm", "nan"), "--batch: found 'nan', want a whole number, at least 1"),
        (("llm", "llama-3.1-8b", "h100-sxm", "1e99"), "--batch: found '1e99', want a whole number, at least 1"),
        (("llm", "llama-3.1-8b", "h100-sxm", ",".join("1" * 65)), "--batch: found 65 numbers, want at most 64"),
        (("llm", "llama-3.1-8b", "h100-sxm", "8", "--input-tokens", "0"), "input tokens: found 0, want at least 1"),
        (("llm", "llama-3.1-8b", "h100-sxm", "8", "--output-tokens", "0"), "output tokens: found 0, want at least 1"),
        (
            ("llm", "llama-3.1-8b", "h100-sxm", "8", "--input-tokens", "200000"),
            "model 'llama-3.1-8b': found 200,256 input and output tokens, its context allows 131,072",
        ),
        (
            ("llm", "llama-3.1-8b", X4090, "1", "--input-tokens", "100000"),
            "model 'llama-3.1-8b' at batch 1 needs a cache of 100,256 tokens, 1 x rtx-4090 hold ",
        ),
        (("llm", "llama-3.1-8b", X4090, "500"), "model 'llama-3.1-8b' at batch 500 needs a cache of 384,000 tokens"),
        (
            ("llm", "llama-3.1-8b", "a100-sxm-80", "1", "--precision", "fp8"),
            "gpu 'a100-sxm-80' does not compute in fp8; allowed: fp32, bf16, fp16, int8",
        ),
        (("llm", "llama-3.1-8b", "l4", "1", "--precision", "fb8"), "precision 'fb8' is unknown; did you mean 'fp8'?"),
        (
            ("llm", "llama-3.1-8b", "h100-sxm", "1", "--expert-parallel"),
            "serving.expert_parallel: model 'llama-3.1-8b' has no experts",
        ),
        (("llm", "resnet-50", "l4", "1"), "model 'resnet-50' is for vision, not for language; dcsim gpu vision runs"),
        (("llm", "matmulfree-370m", "l4", "1"), "model 'matmulfree-370m' has no form that a GPU runs"),
        (("vision", "dlrm", "l4", "1"), "model 'dlrm' is for recommendation, not for vision"),
        (("vision", "resnet-50", "l4", "1", "--count", "2"), "model 'resnet-50' cannot be split over 2 GPUs"),
        (
            ("vision", "resnet-50", "t4", "100000"),
            "model 'resnet-50' at batch 100,000 needs 82.3 GB, one t4 holds 14.4",
        ),
        (("vision", "resnet-50", "l4", "8", "--max-wait", "2 ms"), "--max-wait: found without --rate, want both"),
        (("vision", "resnet-50", "l4", "8", "--rate", "0/s"), "--rate: found '0/s', want more than 0"),
        (("vision", "resnet-50", "l4", "8", "--rate", "10"), "--rate: found 10 without a unit, want a rate in /s"),
        (
            ("vision", "resnet-50", "l4", "8", "--rate", "9/s", "--max-wait", "-1 s"),
            "--max-wait: found '-1 s', want 0",
        ),
        (("vision", "resnet-50", "l4", "8", "--rate", "9/s", "--clock", "0.5"), "--rate: runs at full clock; found "),
        (("recommendation", "dlrm", "l4", "8"), "model 'dlrm' at batch 8 needs 52.3 GB, 1 x l4 hold 21.6 GB; smallest"),
        (
            ("image-generation", "flux-1-dev", "t4", "1"),
            "model 'flux-1-dev' at batch 1 needs 24.1 GB, one t4 holds 14.4",
        ),
        (("llm", "llama-3.1-8b", "h100-sxm", "1", "--clock", "2"), "gpu 'h100-sxm': clock is 2; allowed: 0.6 to 1"),
        (("llm", "llama-3.1-8b", "h100-sxm", "1", "--clock", "fast"), "--clock: found 'fast', want a ratio"),
        (("llm", "llama-3.1-8b", "h100-sxm", "1", "--power-cap", "400"), "--power-cap: found 400 without a unit"),
        (("llm", "llama-3.1-8b", "h100-sxm", "1", "--power-cap", "0 W"), "--power-cap: found '0 W', want more than 0"),
        (
            ("llm", "llama-3.1-8b", "h100-sxm", "1", "--power-cap", "20 W"),
            "gpu 'h100-sxm': cap is 20 W; this work draws",
        ),
        (
            ("llm", "llama-3.1-8b", "h100-sxm", "1", "--slice", "3g.40g"),
            "MIG profile '3g.40g' is unknown; did you mean",
        ),
        (("llm", "llama-3.1-8b", "l4", "1", "--slice", "3g.40gb"), "gpu 'l4' has no isolated slices (MIG)"),
        (("llm", "llama-3.1-8b", "l4", "1", "--share", "2"), "share of a GPU: found 2; allowed: above 0, at most 1"),
        (("llm", "llama-3.1-8b", "l4", "1", "--share", "half"), "--share: found 'half', want a ratio"),
        (("llm", L70, "h100-sxm", "1", "--share", "0.5", "--slice", "3g.40gb"), "found both --slice and --share"),
        (("llm", L70, "h100-sxm", "1", "--count", "2", "--share", "0.5"), "--count: found 2 with a part of a GPU"),
        (("llm", "llama-3.1-8b", "h100-sxm", "1", "--catalog", "no.yaml"), "no.yaml: cannot read the catalog file"),
        (("llm", "llama-3.1-8b", "l4", "1", "--figure", "x.bmp"), "--figure x.bmp: want a name that ends in .pdf,"),
        (("llm", "llama-3.1-8b", "l4", "1", "--figure", "no/x.png"), "--figure no/x.png: cannot be written: there is"),
    ],
)
def test_wrong_options_are_one_line_and_2(dcsim, arguments, line):
    command, model, gpu, batch, *others = arguments
    outcome = dcsim("gpu", command, "--model", model, "--gpu", gpu, "--batch", batch, *others)
    assert error(outcome).startswith(line)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "training: found neither --samples nor --batch"),
        (("--samples", "-4"), "model 'llama-3.1-8b': training samples are -4; want more than 0"),
        (("--samples", "nan"), "model 'llama-3.1-8b': training samples are nan; want more than 0"),
        (("--samples", "1e9", "--utilisation", "2"), "model 'llama-3.1-8b': utilisation is 2; allowed: above 0"),
        (("--samples", "1e9", "--figure", "x.png"), "--figure: what a step is spent on needs --batch"),
        (("--batch", "0"), "--batch: found '0', want a whole number"),
        (("--batch", "1e6", "--utilisation", "0.4"), "found both --utilisation and --batch"),
        (("--batch", "1e6", "--overlap", "2"), "gang: overlap is 2; allowed: 0 to 1"),
        (("--batch", "1e6", "--spread", "-1"), "gang: step_spread is -1; allowed: 0 to 1"),
        (("--batch", "1e6", "--compute-share", "0"), "gang: compute_share is 0; allowed: 0 to 1"),
        (("--batch", "1e6", "--tensor", "3"), "layout: 16 GPUs are no whole number of copies of at least 2 GPUs, 3 of"),
        (("--batch", "1e6", "--tensor", "16"), "layout: tensor is 16; a layer is shared in one node, at most 8"),
        (("--batch", "1e6", "--pipeline", "0"), "--pipeline: found 0, want at least 1"),
        (("--batch", "1e6", "--pipeline", "4", "--interleave", "9"), "layout: 4 stages of 9 chunks; model 'llama"),
        (("--batch", "1e6", "--micro-batch", "half"), "--micro-batch: found 'half', want a whole number, at least 1"),
        (("--batch", "1e6", "--network", "0 GB/s"), "--network: found '0 GB/s', want more than 0"),
        (
            ("--batch", "1e6", "--mtbf", "5 y", "--storage", "0 GB/s"),
            "checkpoint of 'llama-3.1-8b': storage rate is 0 B/s",
        ),
        (("--batch", "1e6", "--mtbf", "soon", "--storage", "1 GB/s"), "--mtbf: found 'soon', want a time in s"),
        (("--batch", "1e6", "--mtbf", "5 y"), "--mtbf: found without --storage, want both"),
        (("--batch", "1e6", "--storage", "1 GB/s"), "--storage: found without --mtbf, want both"),
        (
            ("--batch", "4e6", "--mtbf", "1 s", "--storage", "1 GB/s"),
            "gang: 16 GPUs fail every 0.0625 s on the mean, a",
        ),
        (("--batch", "1e6", "--restart", "-1 s"), "--restart: found '-1 s', want 0 or more"),
    ],
)
def test_wrong_training_is_one_line_and_2(dcsim, arguments, line):
    assert error(dcsim(*TRAINING, *arguments)).startswith(line)


def test_training_that_does_not_fit_says_how_many_would_do(dcsim):
    outcome = dcsim("gpu", "training", "--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--samples", "1e9")
    assert error(outcome).endswith("1 x h100-sxm hold 77.3 GB; smallest count that fits: 2")


def test_a_figure_that_cannot_be_written(dcsim, tmp_path: Path):
    (tmp_path / "here.png").mkdir()
    outcome = dcsim(*LLM, "8", "--figure", "here.png")
    assert outcome.code == 2
    assert outcome.err == "error: --figure here.png: cannot be written: Is a directory\n"
