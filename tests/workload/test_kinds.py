"""Kinds of work: their defaults fill a stream, what is written wins, and the table of who serves what is true."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import dcsim
from dcsim import catalog, seeds, workload
from dcsim.chip.profile import activity_levels, spiking_profile
from dcsim.cli.app import call
from dcsim.errors import CatalogError, PlacementError, ScenarioError
from dcsim.scenario import build, dump, json_schema, load, read_back
from dcsim.scenario.workloads import Workload, expand
from dcsim.workload.kinds import coverage

KNOWN = catalog.load()
KINDS = KNOWN.names("workload")
TRAINING = {"pre-training", "fine-tuning", "hyper-parameter-search"}
#: The network alone can be reckoned on these chips, but not the tables that it reads.
RECKONED = {("recommendation", "northpole"), ("recommendation", "spinnaker2")}
EDGE = {"nodes": 2, "node": {"cores": 8, "devices": {"chip": {"count": 8, "power": {"idle": "2 W", "max": "8 W"}}}}}
POOLS = {
    "h100": {"nodes": 1, "system": "hgx-h100"},
    "l4": {"nodes": 1, "system": "server-8x-l4"},
    "sp2": {"nodes": 1, "system": "spinnaker2-48"},
    "north": {"nodes": 6, "system": "northpole-2u"},
    "loihi2": {"nodes": 3, "system": "kapoho-point"},
    "speck": {"nodes": 1, "system": "speck-board"},
    "edge": EDGE,
}


def data(**stream):
    racks = {"r": {"site": "here", "pools": POOLS}}
    sites = {"here": {"place": "sweden"}}
    times = {"duration": "1 min", "meter_interval": "1 min"}
    return {"name": "kinds", **times, "sites": sites, "racks": racks, "streams": {"work": stream}}


def made(**stream):
    return build(data(**stream)).streams["work"]


def complaint(**stream):
    with pytest.raises(ScenarioError) as error:
        build(data(**stream))
    return str(error.value)


# ---------------------------------------------------------------- a stream of a kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_stream_on_gpus_and_yields_jobs(kind):
    scenario = build(data(workload=kind, runs_on=["h100"]))
    stream = scenario.streams["work"]
    assert stream.model in Workload.of(KNOWN.get(kind)).on("h100-sxm", "gpu").models
    blocks = list(workload.blocks(stream, "work", 30 * 86400.0 if kind in TRAINING else 600.0, KNOWN, 1, 0, None))
    assert sum(map(len, blocks)) >= 1


@pytest.mark.parametrize("kind", sorted(set(KINDS) - TRAINING - {"recommendation", "long-context-llm"}))
def test_jobs_of_inference_meet_their_deadlines_on_an_idle_node(kind):
    summary = dcsim.simulate(
        build(data(workload=kind, runs_on=["h100"]) | {"drain": "true", "duration": "3 min"})
    ).summary
    assert summary["jobs"]["completed"] > 0
    assert summary["jobs"]["slo_attainment"] > 0.9


def test_the_defaults_are_those_of_the_catalog():
    stream = made(workload="chat-llm", runs_on=["h100"])
    entry = KNOWN.get("chat-llm")
    assert stream.arrivals.kind == "clients"
    assert stream.arrivals.rate == entry["arrivals.rate_hz"]
    assert stream.arrivals.cv == entry.array("arrivals.cv").tolist()
    assert (stream.slo.ttft, stream.slo.tpot, stream.slo.latency) == (0.45, 0.04, None)
    assert (stream.sizes, stream.model) == ("azure-llm-conv-2023", "llama-3.1-8b")


def test_the_clients_of_chat_share_the_traffic_as_published():
    """ServeGen: the top 10 carry 63 to 93 %; by traffic half are below a CV of 1.2, three quarters below 2.2."""
    entry = KNOWN.get("chat-llm")
    share = np.arange(1, entry["arrivals.count"] + 1) ** -entry["arrivals.zipf"]
    share /= share.sum()
    cv = np.append(entry.array("arrivals.cv"), np.full(len(share), entry.array("arrivals.cv")[-1]))[: len(share)]
    assert share[:10].sum() == pytest.approx(0.68, abs=0.006)
    assert share[cv <= 1.2].sum() == pytest.approx(0.50, abs=0.05)
    assert share[cv <= 2.2].sum() == pytest.approx(0.75, abs=0.06)


def test_rate_is_the_rate_of_the_arrivals():
    stream = made(workload="chat-llm", rate="30/min", runs_on=["h100"])
    assert stream.arrivals.rate == pytest.approx(0.5)
    assert stream.rate is None


def test_what_is_written_wins_key_by_key():
    stream = made(
        workload="chat-llm",
        runs_on=["h100"],
        arrivals={"zipf": "2"},
        sizes={"input_tokens": "100", "output_tokens": "10"},
        slo={"ttft": "2 s"},
        model="llama-3.1-70b",
        needs={"devices": "4"},
    )
    assert (stream.arrivals.zipf, stream.arrivals.count) == (2.0, 100)
    assert stream.sizes.input_tokens == 100
    assert (stream.slo.ttft, stream.slo.tpot) == (2.0, 0.04)
    assert (stream.model, stream.needs.devices) == ("llama-3.1-70b", 4)


def test_other_arrivals_keep_the_rate_and_nothing_else():
    stream = made(workload="keyword-spotting", runs_on=["l4"], arrivals={"kind": "poisson"})
    assert stream.arrivals.model_dump() == {"kind": "poisson", "rate": 20.0}
    stream = made(workload="keyword-spotting", runs_on=["l4"], arrivals={"kind": "periodic"}, rate="5/s")
    assert stream.arrivals.rate == 5.0


def test_a_given_service_takes_the_place_of_the_model():
    stream = made(workload="event-camera", runs_on=["edge"], service={"distribution": "fixed", "mean": "10 ms"})
    assert (stream.model, stream.activity_cv, stream.slo.latency) == (None, None, 2.0)


def test_nodes_described_in_place_take_measured_run_times_where_the_kind_has_one():
    scenario = build(data(workload="hyper-parameter-search", runs_on=["edge"], rate="10/s"))
    stream = scenario.streams["work"]
    assert (stream.service.distribution, stream.service.table) == ("table", "philly-run-1-gpu")
    assert (stream.model, stream.training) == (None, None)
    assert dcsim.simulate(scenario).summary["jobs"]["submitted"] > 100
    assert made(workload="fine-tuning", runs_on=["edge"]).service.table == "philly-jobs-2017"


def test_the_model_is_one_that_runs_on_all_pools():
    assert made(workload="chat-llm", runs_on=["h100"]).model == "llama-3.1-8b"
    both = made(workload="chat-llm", runs_on=["h100", "north"])
    assert both.model == "granite-8b"
    assert (both.slo.ttft, both.slo.latency) == (None, 10.0)  # chips time whole answers only
    assert made(workload="event-camera", runs_on=["l4", "speck"]).model == "mnist-cnn"


# ---------------------------------------------------------------- written out


@pytest.mark.parametrize("kind", KINDS)
def test_the_resolved_scenario_shows_the_whole_stream_and_loads_again(kind, tmp_path):
    scenario = build(data(workload=kind, runs_on=["h100"]))
    path = tmp_path / "scenario.yaml"
    path.write_text(dump(scenario), encoding="utf-8")
    assert f"workload: {kind}" in path.read_text(encoding="utf-8")
    assert read_back(path) == scenario
    assert load(path) == scenario  # nothing is filled in twice


def test_expanding_leaves_other_streams_and_the_given_data_alone():
    plain = {"arrivals": {"kind": "poisson", "rate": "1/s"}, "runs_on": ["l4"], "model": "kws"}
    stream = {"workload": "chat-llm", "rate": "5/s", "runs_on": ["h100"]}
    given = data(**stream)
    given["streams"]["plain"] = plain
    block, _ = dcsim.scenario.overrides.apply(given, {})
    twin, wrong = expand(block, KNOWN)
    assert not wrong
    assert twin["streams"]["plain"] == plain
    assert given["streams"]["work"] == stream
    assert expand(twin, KNOWN)[0] == twin


def test_settings_reach_into_the_defaults():
    given = data(workload="chat-llm", runs_on=["h100"])
    found = build(given, {"streams.work.rate": "9/s", "streams.work.slo.ttft": "3 s"}).streams["work"]
    assert (found.arrivals.rate, found.slo.ttft) == (9.0, 3.0)
    found = build(given, {"streams.work.arrivals.rate": "8/s", "streams.work.workload": "code-llm"}).streams["work"]
    assert (found.arrivals.kind, found.arrivals.rate) == ("weekly", 8.0)


def test_the_schema_wants_arrivals_or_a_workload():
    stream = json_schema()["$defs"]["Stream"]
    assert stream["required"] == ["runs_on"]
    assert stream["anyOf"] == [{"required": ["arrivals"]}, {"required": ["workload"]}]


def test_a_message_names_the_line_of_the_stream(tmp_path):
    path = tmp_path / "kinds.yaml"
    path.write_text(yaml.safe_dump(data(workload="chat-llm", runs_on=["sp2"]), sort_keys=False), encoding="utf-8")
    with pytest.raises(
        ScenarioError, match=r"kinds.yaml:\d+: streams.work.runs_on.0: workload 'chat-llm' does not run"
    ):
        load(path)


def test_a_user_can_add_a_kind(tmp_path):
    number = '{value: 3, unit: /s, source: "mine", grade: measured}'
    facts = 'about: "mine", arrivals.kind: poisson, serves.gpu: [resnet-50]'
    text = f"mine:\n  kind: workload\n  title: Mine\n  is: {{{facts}}}\n  numbers:\n    arrivals.rate_hz: {number}\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    given = data(workload="mine", runs_on=["l4"]) | {"catalog": ["mine.yaml"]}
    stream = build(given, folder=tmp_path).streams["work"]
    assert (stream.model, stream.arrivals.rate) == ("resnet-50", 3.0)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        ({"workload": "chat-lm", "runs_on": ["h100"]}, "streams.work.workload: the catalog has no workload 'chat-lm'"),
        ({"workload": "kws", "runs_on": ["l4"]}, "the catalog has no workload 'kws'; 'kws' is a model"),
        (
            {"workload": "chat-llm", "runs_on": ["h100", "sp2"]},
            "streams.work.runs_on.1: workload 'chat-llm' does not run on pool 'sp2' (spinnaker2): none published",
        ),
        (
            {"workload": "chat-llm", "runs_on": ["sp2"]},
            "pools of this scenario that can: 'h100', 'l4', 'north', 'loihi2'",
        ),
        ({"workload": "image-generation", "runs_on": ["edge"]}, "whose nodes are described here"),
        (
            {"workload": "event-camera", "runs_on": ["l4", "speck"], "model": "kws", "rate": "0/s"},
            "streams.work.arrivals.rate: found '0/s'",
        ),
        ({"workload": "pre-training", "rate": "1/d", "runs_on": ["h100"]}, "arrivals of kind 'schedule' have no rate"),
        (
            {"workload": "chat-llm", "rate": "1/s", "arrivals": {"rate": "2/s"}, "runs_on": ["h100"]},
            "streams.work.rate: found both 'rate' and 'arrivals.rate', want one of them",
        ),
        (
            {"model": "kws", "rate": "1/s", "arrivals": {"kind": "poisson", "rate": "1/s"}, "runs_on": ["l4"]},
            "streams.work.rate: 'rate' needs a 'workload'",
        ),
        ({"workload": "chat-llm", "runs_on": ["h1000"]}, "streams.work.runs_on.0: no pool 'h1000'"),
        ({"workload": "chat-llm"}, "streams.work: missing key 'runs_on'"),
        ({"workload": ["chat-llm"], "runs_on": ["h100"]}, "streams.work.workload: found a list"),
        ({"workload": "chat-llm", "arrivals": "often", "runs_on": ["h100"]}, "streams.work.arrivals: found 'often'"),
        ({"workload": "event-camera", "activity_cv": "-1", "runs_on": ["sp2"]}, "streams.work.activity_cv: found"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(stream, told):
    assert told in complaint(**stream)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["h100", "sp2", "kws", "poisson"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "rate", "ttft", "x"]), inner),
    max_leaves=5,
)
KEYS = st.sampled_from(["arrivals", "runs_on", "rate", "model", "service", "slo", "sizes", "needs", "training"])


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(KINDS), st.dictionaries(KEYS, JUNK, max_size=4))
def test_nonsense_beside_a_workload_is_a_scenario_error_or_a_stream(kind, stream):
    with contextlib.suppress(ScenarioError):
        build(data(workload=kind, **{"runs_on": ["h100"]} | stream))


def test_pools_that_share_no_model_are_told():
    told = complaint(workload="chat-llm", runs_on=["north", "loihi2"])
    assert "granite-8b on 'north', matmulfree-370m on 'loihi2'" in told
    assert "give each its own stream" in told


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("arrivals.path: secret.csv", "names no file"),
        ("arrivals: poisson", "stands beside another key"),
    ],
)
def test_an_unsound_kind_of_a_user_is_refused(key, told, tmp_path):
    text = f'mine:\n  kind: workload\n  title: Mine\n  is: {{about: "mine", arrivals.kind: poisson, {key}}}\n'
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match=told):
        Workload.of(catalog.load([tmp_path / "mine.yaml"]).get("mine"))


# ---------------------------------------------------------------- who serves what


def chips():
    return [row for row in coverage(KNOWN) if row.family != "gpu"]


@pytest.mark.parametrize("row", [r for r in chips() if r.models], ids=lambda r: f"{r.workload}-{r.devices[0]}")
def test_a_model_that_is_named_for_a_chip_runs_there(row):
    for device in row.devices:
        for model in row.models:
            spiking_profile(KNOWN.get(model), KNOWN.get(device, "chip"), seeds.generator(1, 0, "t"), samples=2)
    assert row.reason


@pytest.mark.parametrize(
    "row",
    [row for row in chips() if not row.models and row.workload not in TRAINING],
    ids=lambda row: f"{row.workload}-{row.devices[0]}",
)
def test_a_chip_that_is_said_not_to_serve_cannot_run_the_models_of_the_gpus(row):
    models = Workload.of(KNOWN.get(row.workload)).on("h100-sxm", "gpu").models
    for device in row.devices:
        for model in models if (row.workload, device) not in RECKONED else ():
            with pytest.raises(PlacementError):
                spiking_profile(KNOWN.get(model), KNOWN.get(device, "chip"), seeds.generator(1, 0, "t"), samples=2)
    assert row.reason


def test_the_coverage_has_every_kind_on_every_device_once():
    rows = coverage(KNOWN)
    systems = {str(KNOWN.get(name).facts["device"]) for name in KNOWN.names("system")}
    for kind in KINDS:
        assert sorted(device for row in rows if row.workload == kind for device in row.devices) == sorted(systems)
    assert {row.workload for row in rows if row.family == "gpu" and row.models} == set(KINDS)


def test_the_command_prints_a_table_and_json(capsys):
    assert call(["workload", "kinds"]) == 0
    table = capsys.readouterr().out
    assert "event-camera" in table
    assert "none published" in table
    assert call(["workload", "kinds", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    speck = [row for row in rows if row["workload"] == "event-camera" and "speck" in row["devices"]]
    assert [row["models"] for row in speck] == [["mnist-cnn"]]


# ---------------------------------------------------------------- activity


def test_levels_of_activity_have_mean_one_and_nearly_the_variation():
    levels = activity_levels(0.5)
    assert levels.mean() == pytest.approx(1.0)
    assert levels.std() == pytest.approx(0.5, rel=0.05)
    assert activity_levels(0.0).tolist() == [1.0]


def profile(model, chip, cv):
    return spiking_profile(KNOWN.get(model), KNOWN.get(chip), seeds.generator(1, 0, "t"), samples=512, activity_cv=cv)


def test_energy_and_time_of_a_job_follow_its_input():
    """Loihi: energy and time above those of a silent network grow with the spikes, so they vary in proportion."""
    steady, varied = profile("kws", "loihi", 0.0), profile("kws", "loihi", 0.4)
    assert varied.chip_j.mean() == pytest.approx(steady.chip_j.mean(), rel=0.01)
    assert varied.latency_s.std() > 5 * steady.latency_s.std()
    assert np.corrcoef(varied.latency_s, varied.chip_j)[0, 1] > 0.99
    twice = profile("kws", "loihi", 0.8)
    assert twice.chip_j.std() == pytest.approx(2 * varied.chip_j.std(), rel=0.1)


def test_a_tick_is_as_long_whatever_comes_but_its_energy_is_not():
    steady, varied = profile("mnist-cnn", "speck", 0.0), profile("mnist-cnn", "speck", 0.5)
    assert varied.latency_s.std() < 0.01 * varied.latency_s.mean()
    assert varied.chip_j.std() > 10 * steady.chip_j.std()


def test_a_stream_of_event_cameras_has_jobs_of_many_energies():
    energies = []
    for cv in ("0", "0.5"):
        scenario = build(data(workload="event-camera", runs_on=["sp2"], rate="2/s", activity_cv=cv))
        jobs = dcsim.simulate(scenario).jobs
        seconds = jobs["end_s"] - jobs["first_start_s"]
        energies.append(seconds.std() / seconds.mean())
    assert energies[0] < 0.02
    assert 0.2 < energies[1] < 0.5
