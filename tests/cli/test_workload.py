"""`dcsim workload show`, `fit` and `save`: tables, documents, files, and wrong input in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

FLEET = """
name: fleet
duration: 10 min
sites: {hall: {}}
racks:
  rack:
    site: hall
    pools:
      gpus:
        nodes: 2
        node: {devices: {gpu: {count: 4, power: {idle: 60 W, max: 350 W}}}}
streams:
  batch:
    arrivals: {kind: poisson, rate: 1/s}
    service: {distribution: fixed, mean: 6 s}
    runs_on: [gpus]
"""

needs_data = pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set")


@pytest.fixture(autouse=True)
def _files(tmp_path):
    random = np.random.default_rng(1)
    arrival_s = np.cumsum(random.standard_exponential(400) / 2.0)
    run_s = random.exponential(3.0, 400)
    rows = [f"{a:.6f},{r:.6f},{'ab'[k % 4 == 0]}" for k, (a, r) in enumerate(zip(arrival_s, run_s, strict=True))]
    (tmp_path / "jobs.csv").write_text("\n".join(["submit_s,run_s,user", *rows]) + "\n")
    (tmp_path / "other.csv").write_text("when,how_long\n" + "\n".join(f"{k},2" for k in range(80)) + "\n")
    (tmp_path / "rates.csv").write_text("model,ts,rate\na,0,3\na,600,5\n")
    (tmp_path / "nodes.csv").write_text("sn,cpu_milli,memory_mib,gpu,model\nx,96000,1024,8,G2\ny,96000,1024,8,G2\n")
    (tmp_path / "pods.csv").write_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,4000,1024,1,500\n")
    (tmp_path / "one.csv").write_text("submit_s,run_s\n5,1\n")
    (tmp_path / "same.csv").write_text("submit_s,run_s\n" + "5,1\n" * 60)
    (tmp_path / "bad.csv").write_text("submit_s,run_s\n1,1\nx,2\n3,-1\n4,4\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "semicolons.csv").write_text("submit_s;run_s\n5;1\n")
    (tmp_path / "even.csv").write_text("submit_s,run_s\n" + "".join(f"{k * 0.1},0.3\n" for k in range(60)))
    (tmp_path / "text.txt").write_text("Dear all,\n")
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "two.yaml").write_text(FLEET + FLEET.partition("streams:\n")[2].replace("batch", "other"))
    (tmp_path / "wrong.yaml").write_text(FLEET.replace("poisson", "poison"))


def test_show_a_trace(dcsim):
    outcome = dcsim("workload", "show", "jobs.csv")
    assert (outcome.code, outcome.err) == (0, "")
    for text in ("jobs.csv: jobs, format csv", "400", "rate", "dispersion", "run_s", "a 75.0 %, b 25.0 %"):
        assert text in outcome.out


def test_show_as_json_has_units_in_its_keys(dcsim):
    found = json.loads(dcsim("workload", "show", "jobs.csv", "--json").out)
    assert (found["holds"], found["format"], found["rows"]) == ("jobs", "csv", 400)
    assert found["rate_hz"] == pytest.approx(2.0, rel=0.15)
    assert found["gap_cv"] == pytest.approx(1.0, abs=0.15)
    assert found["windows"][0]["window_s"] == 1.0
    assert found["columns"]["run_s"]["unit"] == "s"
    assert found["labels"]["user"]["shares"] == {"a": 0.75, "b": 0.25}


@pytest.mark.parametrize(
    ("file", "texts"),
    [
        ("rates.csv", ("arrival rates, format servegen-rates", "4/s", "peak/mean")),
        ("nodes.csv", ("nodes, format openb-nodes", "devices", "16", "G2")),
        ("pods.csv", ("list to pack, no times, format openb", "share")),
    ],
)
def test_show_what_is_no_trace_of_jobs(dcsim, file, texts):
    outcome = dcsim("workload", "show", file)
    assert outcome.code == 0
    for text in texts:
        assert text in outcome.out
    assert json.loads(dcsim("workload", "show", file, "--json").out)["source"] == file


def test_columns_of_another_file(dcsim):
    arguments = ("workload", "show", "other.csv", "--format", "csv", "--json")
    found = json.loads(dcsim(*arguments, "--column", "submit_s=when", "--column", "run_s=how_long").out)
    assert (found["rows"], found["columns"]["run_s"]["mean"]) == (80, 2.0)


def test_bad_rows_are_told(dcsim):
    found = json.loads(dcsim("workload", "show", "bad.csv", "--bad-rows", "skip", "--json").out)
    assert found["rows"] == 2
    assert sum(found["dropped"].values()) == 2
    assert found["told"][0].startswith("row 3, column 'submit_s'")
    assert "bad row: row 3" in dcsim("workload", "show", "bad.csv", "--bad-rows", "skip").out


def test_show_a_scenario_beside_theory_and_against_its_fleet(dcsim):
    """One job a second that each hold one of 8 GPUs for 6 s: 75 %."""
    found = json.loads(dcsim("workload", "show", "fleet.yaml", "--json").out)
    stream = found["streams"]["batch"]
    assert stream["theory"]["rate_hz"] == 1.0
    assert stream["theory"]["dispersion_by_window_s"]["10"] == 1.0
    (load,) = found["offered"]
    assert (load["pool"], load["resource"], load["there"]) == ("gpus", "device gpu", 8)
    assert load["load"] == pytest.approx(stream["rows"] * 6.0 / (8 * 600.0))
    text = dcsim("workload", "show", "two.yaml", "--stream", "other").out
    assert "other: poisson" in text
    assert "batch: poisson" not in text
    assert "offered load" in text


def test_a_trace_against_a_fleet(dcsim):
    """The trace's own run times on 8 GPUs."""
    found = json.loads(dcsim("workload", "show", "jobs.csv", "--against", "fleet.yaml", "--json").out)
    (load,) = found["offered"]
    wanted = found["rows"] * found["columns"]["run_s"]["mean"]
    assert load["load"] == pytest.approx(wanted / (8 * found["span_s"]), rel=1e-6)


def test_figures_are_written(dcsim, tmp_path):
    for arguments in (("jobs.csv",), ("rates.csv",), ("fleet.yaml",), ("same.csv",), ("one.csv",), ("pods.csv",)):
        assert dcsim("workload", "show", *arguments, "--figure", "page.png").code == 0
        assert (tmp_path / "page.png").read_bytes()[:4] == b"\x89PNG"
        (tmp_path / "page.png").unlink()


def test_fit_writes_a_block_that_runs(dcsim, tmp_path):
    outcome = dcsim("workload", "fit", "jobs.csv", "--out", "fitted.yaml")
    assert (outcome.code, outcome.err) == (0, "")
    for text in (
        "poisson",
        "gamma",
        "mmpp" if "mmpp" in outcome.out else "weibull",
        "KS of run_s",
        "block: fitted.yaml",
    ):
        assert text in outcome.out
    block = yaml.safe_load((tmp_path / "fitted.yaml").read_text())
    scenario = yaml.safe_load(FLEET)
    scenario["streams"] = {"jobs": block["streams"]["jobs"] | {"runs_on": ["gpus"]}}
    scenario["catalog"] = block.get("catalog", [])
    (tmp_path / "whole.yaml").write_text(yaml.safe_dump(scenario))
    ran = dcsim("run", "whole.yaml", "--json", "--quiet")
    assert ran.code == 0
    assert json.loads(ran.out)["jobs"]["submitted"] == pytest.approx(1200, rel=0.2)


def test_fit_as_json_lists_all_candidates(dcsim):
    found = json.loads(dcsim("workload", "fit", "jobs.csv", "--name", "mine", "--half", "first", "--json").out)
    assert {"poisson", "gamma", "weibull", "lognormal"} <= {one["name"] for one in found["arrivals"]}
    assert all(0.0 <= one["gap_ks"] <= 1.0 for one in found["arrivals"])
    assert list(found["block"]["streams"]) == ["mine"]
    assert found["jobs"] == pytest.approx(200, rel=0.2)


def test_fit_prints_the_block(dcsim, tmp_path):
    outcome = dcsim("workload", "fit", "jobs.csv")
    text = outcome.out[outcome.out.index("# Fitted to") :]
    assert list(yaml.safe_load(text)["streams"]) == ["jobs"]
    assert not list(tmp_path.glob("*.catalog.yaml"))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_saved_jobs_are_those_of_the_scenario(dcsim, ending):
    drawn = json.loads(dcsim("workload", "show", "fleet.yaml", "--json").out)["streams"]["batch"]
    outcome = dcsim("workload", "save", "fleet.yaml", "--stream", "batch", "--out", f"saved.{ending}")
    assert (outcome.code, outcome.out) == (0, f"{drawn['rows']:,} jobs: saved.{ending}\n")
    again = json.loads(dcsim("workload", "show", f"saved.{ending}", "--json").out)
    assert (again["rows"], again["gap_cv"]) == (drawn["rows"], drawn["gap_cv"])


def test_the_rounding_of_equal_gaps_is_not_shown(dcsim):
    found = json.loads(dcsim("workload", "show", "even.csv", "--json").out)
    assert (found["gap_cv"], found["gap_lag1"], found["columns"]["run_s"]["cv"]) == (None, None, None)
    assert found["rate_hz"] == pytest.approx(10.0)
    text = dcsim("workload", "show", "even.csv").out
    assert "CV of gaps" not in text
    assert "gap and next" not in text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("show", "nowhere.csv"), "nowhere.csv: cannot read the trace: No such file"),
        (("show", "empty.csv"), "empty.csv: the file is empty"),
        (("show", "text.txt"), "text.txt: the format cannot be told from the file; say it with --format: acme, "),
        (("show", "semicolons.csv"), "semicolons.csv, header: found ';' between the columns, want ','"),
        (("show", "other.csv"), "other.csv, header: unknown column 'when'"),
        (("show", "."), ".: found a folder, want a file; formats of folders, for --format: opendc, servegen"),
        (("show", "jobs.csv", "--format", "cvs"), "--format: unknown trace format 'cvs'; did you mean 'csv'?"),
        (("show", "jobs.csv", "--format", "swf"), "jobs.csv"),
        (("show", "jobs.csv", "--bad-rows", "skp"), "--bad-rows: found 'skp'; did you mean 'skip'?"),
        (("show", "jobs.csv", "--column", "run_s"), "--column: found 'run_s', want NAME=NAME-IN-THE-FILE"),
        (("show", "jobs.csv", "--stream", "batch"), "--stream: names a stream of a scenario"),
        (("show", "jobs.csv", "--figure", "x.gif"), "--figure x.gif: want a name that ends in"),
        (("show", "nodes.csv", "--figure", "x.png"), "--figure: nodes.csv holds nodes, of which there is no figure"),
        (("show", "bad.csv"), "bad.csv, row 3, column 'submit_s': found 'x'"),
        (("show", "same.csv", "--against", "fleet.yaml"), "same.csv: all jobs arrive at 5 s; want a span"),
        (("show", "rates.csv", "--against", "fleet.yaml"), "rates.csv: --against wants jobs with arrival times"),
        (("show", "jobs.csv", "--against", "two.yaml"), "two.yaml: several streams; say with --stream"),
        (
            ("show", "jobs.csv", "--against", "fleet.yaml", "--stream", "bach"),
            "--stream: no stream 'bach'; did you mean",
        ),
        (("show", "fleet.yaml", "--format", "csv"), "fleet.yaml: found --format with a scenario"),
        (("show", "fleet.yaml", "--against", "fleet.yaml"), "--against: found it with a scenario"),
        (("show", "fleet.yaml", "--stream", "bach"), "--stream: no stream 'bach'; did you mean 'batch'?"),
        (("show", "two.yaml", "--figure", "x.png"), "--figure: the scenario has several streams; say which"),
        (("show", "wrong.yaml"), "did you mean 'poisson'?"),
        (("fit", "one.csv"), "one.csv: found 1 job, want at least 50 to fit"),
        (("fit", "same.csv"), "same.csv: found 60 jobs all at 5 s, which gives no gaps to fit"),
        (("fit", "nodes.csv"), "nodes.csv: found nodes, want jobs with arrival times"),
        (("fit", "jobs.csv", "--half", "frist"), "--half: found 'frist'; did you mean 'first'?"),
        (("fit", "jobs.csv", "--name", "A b"), "--name: found 'A b', want lower-case letters, digits and '-'"),
        (("fit", "jobs.csv", "--out", "x.txt"), "--out x.txt: want a name that ends in .yaml"),
        (("fit", "jobs.csv", "--out", "no/x.yaml"), "--out no/x.yaml: cannot be written: there is no folder no"),
        (("save", "fleet.yaml", "--out", "x.txt"), "x.txt: found ending '.txt'"),
        (("save", "two.yaml", "--out", "x.csv"), "two.yaml: several streams; say which with --stream: batch, other"),
        (("save", "fleet.yaml", "--stream", "bach", "--out", "x.csv"), "--stream: no stream 'bach'"),
    ],
)
def test_wrong_input_is_one_line(dcsim, arguments, line):
    outcome = dcsim("workload", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert line in outcome.err
    assert outcome.err.count("\n") == 1


@needs_data
@pytest.mark.parametrize(
    ("file", "format", "holds"),
    [
        ("azure_llm_2023_conv.csv.gz", "azure-llm", "jobs"),
        ("mooncake_conversation.jsonl.gz", "mooncake", "jobs"),
        ("philly_sia.csv.gz", "philly-sia", "jobs"),
        ("openb_pod_list_default.csv", "openb", "jobs"),
        ("openb_pod_list_multigpu20.csv", "openb", "items"),
        ("openb_node_list_gpu_node.csv", "openb-nodes", "machines"),
        ("alibaba_dlrm_2025.csv.gz", "alibaba-dlrm", "jobs"),
        ("lublin_256.swf", "swf", "jobs"),
    ],
)
def test_public_traces_are_known_by_their_headers(dcsim, file, format, holds):
    path = Path(os.environ["DCSIM_DATA"]) / "data" / "traces" / file
    found = json.loads(dcsim("workload", "show", path, "--json").out)
    assert (found["format"], found["holds"]) == (format, holds)


@needs_data
def test_the_azure_trace_has_the_published_figures(dcsim):
    path = Path(os.environ["DCSIM_DATA"]) / "data" / "traces" / "azure_llm_2023_conv.csv.gz"
    found = json.loads(dcsim("workload", "show", path, "--json").out)
    assert found["rows"] == 19_366
    assert (found["rate_hz"], found["gap_cv"]) == (pytest.approx(5.53, abs=0.005), pytest.approx(1.09, abs=0.005))
    seen = [(one["window_s"], one["dispersion"], one["peak_over_mean"]) for one in found["windows"]]
    assert seen == [
        (1.0, pytest.approx(1.39, abs=0.01), pytest.approx(2.9, abs=0.05)),
        (10.0, pytest.approx(3.86, abs=0.01), pytest.approx(1.8, abs=0.05)),
        (60.0, pytest.approx(16.1, abs=0.1), pytest.approx(1.5, abs=0.05)),
    ]
    assert found["gap_laws"]["exponential"]["ks"] == pytest.approx(0.022, abs=0.001)
    assert found["spearman_input_output"] == pytest.approx(0.07, abs=0.005)
    tokens = found["columns"]["input_tokens"]
    assert [round(tokens[key]) for key in ("mean", "p50", "p90", "p99")] == [1155, 1020, 2734, 4142]
