"""`--set path=value`: what it can change, and what it says when it cannot."""

from __future__ import annotations

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario import load, parse_setting


def settings(*texts: str) -> dict[str, object]:
    return dict(parse_setting(text) for text in texts)


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("seed=3", "seed", "3"),
        ("a.b.0.c=20/s", "a.b.0.c", "20/s"),
        ("description=a=b", "description", "a=b"),
        ("a={kind: poisson, rate: 2/s}", "a", {"kind": "poisson", "rate": "2/s"}),
        ("a=[x, y]", "a", ["x", "y"]),
        ("a=", "a", None),
        ("a='no'", "a", "no"),
    ],
)
def test_setting(text, path, value):
    assert parse_setting(text) == (path, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "--set 'seed': want path=value, such as"),
        ("=3", "--set '=3': want path=value"),
        ("a=[1", "--set a: not YAML"),
        ("a={x: 1, x: 2}", "--set a: x: key 'x' stands twice"),
        ("a=!!python/name:os.system x", "--set a: found tag"),
    ],
)
def test_setting_refused(text, message):
    with pytest.raises(ScenarioError) as error:
        parse_setting(text)
    assert message in str(error.value)


def test_values_are_replaced_in_mappings_and_lists(changed):
    scenario = load(
        changed(),
        settings("streams.chat.arrivals.rate=5/s", "outages.0.start=3 min", "streams.kws.runs_on.0=edge"),
    )
    assert scenario.streams["chat"].arrivals.rate == 5.0
    assert scenario.outages[0].start == 180.0
    assert scenario.streams["kws"].arrivals.rate == 20.0


def test_python_values_work_too(changed):
    scenario = load(changed(), {"seed": 7, "sites.here.plant": {"pue": 1.5}, "streams.kws.service.cv": 2.0})
    assert (scenario.seed, scenario.sites["here"].plant.pue) == (7, 1.5)
    assert scenario.streams["kws"].service.cv == 2.0


def test_keys_that_the_models_know_are_made(changed):
    scenario = load(
        changed(), settings("meter_interval=60 s", "sites.here.plant.pue=1.4", "streams.kws.slo.latency=1 s")
    )
    assert scenario.meter_interval == 60.0
    assert scenario.sites["here"].plant.pue == 1.4
    assert scenario.streams["kws"].slo.latency == 1.0


def test_a_whole_new_entry_of_the_users_own(changed):
    site = settings("sites.there={place: ireland}", "racks.gpu.site=there")
    scenario = load(changed(), site)
    assert scenario.racks["gpu"].site == "there"


def test_names_may_hold_dots(changed):
    path = changed(("  chat:", "  llama-3.1:"))
    assert load(path, settings("streams.llama-3.1.arrivals.rate=5/s")).streams["llama-3.1"].arrivals.rate == 5.0


def test_a_later_override_reaches_into_an_earlier_one(changed):
    overrides = {
        "outages": [{"pool": "edge", "start": "0 s", "duration": "1 s"}],
        "outages.0.duration": "2 s",
    }
    assert load(changed(), overrides).outages[0].duration == 2.0


def test_kind_can_change_whatever_the_order(changed):
    for texts in (
        ("kind=daily", "profile=azure-llm-conv-2023-hour"),
        ("profile=azure-llm-conv-2023-hour", "kind=daily"),
    ):
        scenario = load(changed(), settings(*(f"streams.chat.arrivals.{text}" for text in texts)))
        assert scenario.streams["chat"].arrivals.kind == "daily"


def test_an_aliased_value_changes_in_one_place_only(changed):
    path = changed(
        ("arrivals: {kind: poisson, rate: 2/s}", "arrivals: &a {kind: poisson, rate: 2/s}"),
        ("arrivals: {kind: poisson, rate: 20/s}", "arrivals: *a"),
    )
    scenario = load(path, settings("streams.kws.arrivals.rate=7/s"))
    assert [stream.arrivals.rate for stream in scenario.streams.values()] == [2.0, 7.0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("duratoin=1 h", "--set duratoin: unknown key 'duratoin'; did you mean 'duration'?"),
        (
            "streams.chart.queue_limit=3",
            "streams.chart.queue_limit: streams: no 'chart'; did you mean 'chat'?",
        ),
        ("streams.chat.arrivals.rat=3/s", "streams.chat.arrivals: unknown key 'rat'; did you mean 'rate'?"),
        ("streams.chat.arrivals.profile=x", "unknown key 'profile'; allowed: kind, rate"),
        ("outages.1.start=3 s", "--set outages.1.start: outages has items 0 to 0, found '1'"),
        ("outages.x.start=3 s", "--set outages.x.start: outages has items 0 to 0, found 'x'"),
        ("outages.-1.start=3 s", "outages has items 0 to 0, found '-1'"),
        ("name.first=x", "--set name.first: name is 'small', which has no keys"),
        ("duration=5", "--set duration: found 5 without a unit, want a time in s"),
        ("duration=0 s", "--set duration: found '0 s', want more than 0"),
        ("streams.chat.arrivals={kind: poisson}", "--set streams.chat.arrivals: missing key 'rate'"),
        ("streams.chat.runs_on=[edgy]", "--set streams.chat.runs_on.0: no pool 'edgy'; did you mean 'edge'?"),
        ("sites.a b={}", "--set sites.a b: found 'a b', want a name"),
        ("..=1", "unknown key ''"),
    ],
)
def test_refused(changed, complaint, text, line):
    lines = complaint(changed(), settings(text))
    assert len(lines) == 1
    assert line in lines[0]


def test_every_wrong_override_is_told(changed, complaint):
    assert len(complaint(changed(), settings("a=1", "b=2", "seed=3"))) == 2
