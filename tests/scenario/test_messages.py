"""What a user reads when a scenario is wrong: file, line, key path, what was found, what is allowed."""

from __future__ import annotations

import pytest

from dcsim.scenario import load

SYMBOLS = "s, min, h, d, week, y, ms, us, ns, ps"


def test_the_good_one_loads(scenario):
    assert scenario.duration == 3600.0
    assert scenario.streams["chat"].arrivals.rate == 2.0
    assert scenario.racks["cpu"].pools["edge"].node.memory == 16 * 2.0**30


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "    arrivals: {kind: poisson, rate: 2/s}",
            "    arivals: {kind: poisson, rate: 2/s}",
            "small.yaml:22: streams.chat.arivals: unknown key 'arivals'; did you mean 'arrivals'?",
        ),
        (
            "rate: 2/s",
            "rate: 2 kW",
            "small.yaml:22: streams.chat.arrivals.rate: found unit 'kW', want a rate in "
            "/s, /min, /h, /d, /week, /y, /ms, /us, /ns, /ps, ...",
        ),
        (
            "rate: 2/s",
            "rate: -2/s",
            "small.yaml:22: streams.chat.arrivals.rate: found '-2/s', want more than 0",
        ),
        ("duration: 1 h", "duration: 0 s", "small.yaml:2: duration: found '0 s', want more than 0"),
        (
            "duration: 1 h",
            "duration: .nan",
            f"small.yaml:2: duration: found '.nan', want a time in {SYMBOLS}",
        ),
        (
            "duration: 1 h",
            "duration: 60",
            f"small.yaml:2: duration: found 60 without a unit, want a time in {SYMBOLS}",
        ),
        ("duration: 1 h", "seed: 3", "small.yaml: missing key 'duration'"),
        (", mean: 2 s", ", mean: 2 s, utilisation: nan", "found 'nan', want a ratio: a bare number or %"),
        ("cv: 0.5", "cv: .inf", "small.yaml:29: streams.kws.service.cv: found '.inf', want a number"),
        ("cv: 0.5", "cv: inf", "small.yaml:29: streams.kws.service.cv: found 'inf', want a finite number"),
        (
            "kind: poisson, rate: 2/s",
            "kind: poison, rate: 2/s",
            "streams.chat.arrivals.kind: unknown kind 'poison'; did you mean 'poisson'?",
        ),
        (
            "kind: poisson, rate: 2/s",
            "rate: 2/s",
            "streams.chat.arrivals: missing key 'kind'; allowed: clients, closed, daily, gamma, hawkes, ",
        ),
        (
            "{kind: poisson, rate: 2/s}",
            "{kind: poisson}",
            "small.yaml:22: streams.chat.arrivals: missing key 'rate'",
        ),
        (
            "{kind: poisson, rate: 2/s}",
            "often",
            "streams.chat.arrivals: found 'often', want a mapping with a key 'kind': clients, closed, daily, gamma, ",
        ),
        (
            "input_tokens: 1000",
            "input_token: 1000",
            "streams.chat.sizes.input_token: unknown key 'input_token'; did you mean",
        ),
        (
            "input_tokens: 1000",
            "input_tokens: 0",
            "streams.chat.sizes.input_tokens: found '0', want at least 1",
        ),
        (
            "input_tokens: 1000",
            "input_tokens: 10.5",
            "streams.chat.sizes.input_tokens: found '10.5', want a whole number",
        ),
        (
            "{input_tokens: 1000, output_tokens: 200}",
            "[1, 2]",
            "streams.chat.sizes: found a list, want a mapping with keys correlation, input_tokens, output_tokens",
        ),
        ("[h100]", "[]", "small.yaml:23: streams.chat.runs_on: found none, want at least 1"),
        ("[h100]", "h100", "small.yaml:23: streams.chat.runs_on: found 'h100', want a list"),
        ("distribution: lognormal", "distribution: normal", "found 'normal'; did you mean 'lognormal'?"),
        ("  kws:", "  k ws:", "small.yaml:26: streams.k ws: found 'k ws', want a name of letters"),
        ("name: small", "name: ../small", "small.yaml:1: name: found '../small', want a name of letters"),
        ("nodes: 2", "nodes: 0", "small.yaml:9: racks.gpu.pools.h100.nodes: found '0', want at least 1"),
        (
            "nodes: 2",
            "nodes: 9999999",
            "small.yaml:9: racks.gpu.pools.h100.nodes: found '9999999', want at most 1,000,000",
        ),
        (
            "{place: sweden}",
            "{place: sweden, plant: {pue: 0.9}}",
            "small.yaml:4: sites.here.plant.pue: found '0.9', want at least 1",
        ),
        ("{place: sweden}", "{place: [sweden]}", "small.yaml:4: sites.here.place: found a list, want a text"),
        (
            "{place: sweden}",
            "5",
            "small.yaml:4: sites.here: found '5', want a mapping with keys battery, building, ",
        ),
        (
            "cores: 1}",
            "cores: 1, share: 0.0001}",
            "small.yaml:30: streams.kws.needs.share: found '0.0001', want at least 0.001",
        ),
    ],
)
def test_one_thing_wrong(changed, complaint, old, new, line):
    lines = complaint(changed((old, new)))
    assert len(lines) == 1
    assert line in lines[0]


def test_all_things_wrong_are_told_unknown_keys_first(changed, complaint):
    path = changed(
        ("duration: 1 h", "duration: 1 kg"),
        ("  here:", "  he re:"),
        ("cv: 0.5", "cw: 0.5"),
        ("nodes: 3", "nodez: 3"),
    )
    lines = complaint(path)
    assert [line.split(": ")[0] for line in lines] == [
        "small.yaml:15",
        "small.yaml:29",
        "small.yaml:2",
        "small.yaml:4",
    ]


def test_a_daily_profile_needs_24_factors(changed, complaint):
    daily = "{kind: daily, rate: 2/s, profile: [1, 2]}"
    lines = complaint(changed(("{kind: poisson, rate: 2/s}", daily)))
    assert lines == ["small.yaml:22: streams.chat.arrivals.profile: found 2 of them, want at least 24"]


def test_hundreds_of_errors_are_cut_short(changed, complaint):
    many = "\n".join(f"  - {{pool: edge, start: {i} kW, duration: 60 s}}" for i in range(300))
    lines = complaint(changed(("  - {pool: edge, node: 5, start: 2 min, duration: 60 s}", many)))
    assert len(lines) == 51
    assert lines[-1] == "small.yaml: and 250 more"


def test_no_message_holds_a_branch_of_a_union_or_a_pydantic_word(changed, complaint):
    path = changed(
        ("{kind: poisson, rate: 2/s}", "{kind: daily, rate: 2/s, profile: {}}"),
        ("{input_tokens: 1000, ", "{"),
    )
    text = "\n".join(complaint(path))
    assert "streams.chat.arrivals.profile: found a mapping, want a list" in text
    assert "streams.chat.sizes: missing key 'input_tokens'" in text
    assert not any(word in text for word in ("daily.", "given", "Input should", "FixedSizes"))


def test_a_scenario_is_frozen(changed):
    scenario = load(changed())
    with pytest.raises(ValueError, match="frozen"):
        scenario.duration = 1.0
