"""What no single field can tell."""

from __future__ import annotations

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario import build, check, load
from dcsim.scenario.models import Scenario

CHAT = "    model: llama-3.1-8b\n    sizes: {input_tokens: 1000, output_tokens: 200}"
OUTAGE = "  - {pool: edge, node: 5, start: 2 min, duration: 60 s}"
SYSTEM = "h100: {nodes: 2, system: hgx-h100}"
SERVICE = "service: {distribution: lognormal, mean: 2 s, cv: 0.5}"
POWER = "power: {idle: 2 W, max: 8 W}"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "    site: here\n    pools:",
            "    site: her\n    pools:",
            "small.yaml:7: racks.gpu.site: no site 'her'; did you mean 'here'?",
        ),
        (
            SYSTEM,
            "h100: {nodes: 2}",
            "small.yaml:9: racks.gpu.pools.h100: found neither 'system' nor 'node', want one of them",
        ),
        (
            SYSTEM,
            "h100: {nodes: 2, system: hgx-h100, node: {cores: 8}}",
            "racks.gpu.pools.h100: found both 'system' and 'node', want one of them",
        ),
        (
            SYSTEM,
            "h100: {nodes: 2, system: hgx-h10}",
            "racks.gpu.pools.h100.system: no system 'hgx-h10' in the catalog; did you mean 'hgx-h100'?",
        ),
        (
            SYSTEM,
            SYSTEM + "\n      edge: {nodes: 1, node: {cores: 8}}",
            "racks.cpu.pools.edge: pool 'edge' has other nodes in racks.gpu, want equal ones",
        ),
        (
            "memory: 16 GiB",
            "memory: 16 GiB\n          host: {idle: 20 W, max: 10 W}",
            "racks.cpu.pools.edge.node.host.max: found 10 W, want at least idle, 20 W",
        ),
        (
            POWER,
            "power: {max: 8 W, points: [0 W, 8 W]}",
            "power.points: a curve of shape 'linear' has no points; want shape: table",
        ),
        (
            POWER,
            "power: {shape: table, max: 8 W}",
            "devices.chip.power: shape 'table' needs points, at least 2",
        ),
        (
            POWER,
            "power: {shape: table, max: 8 W, points: [1 W, 8 W]}",
            "power.points: found points from 1 W to 8 W, want idle to max, 0 W to 8 W",
        ),
        (
            "{place: sweden}",
            "{place: swedn}",
            "small.yaml:4: sites.here.place: no place 'swedn' in the catalog; did you mean 'sweden'?",
        ),
        (
            "{place: sweden}",
            "{ups: ups-modem}",
            "small.yaml:4: sites.here.ups: no curve 'ups-modem' in the catalog; did you mean 'ups-modern'?",
        ),
        (
            "[h100]",
            "[h100, edgy]",
            "small.yaml:23: streams.chat.runs_on.1: no pool 'edgy'; did you mean 'edge'?",
        ),
        ("[h100]", "[h100, h100]", "small.yaml:23: streams.chat.runs_on.1: found 'h100' twice"),
        (
            CHAT,
            "    sizes: {input_tokens: 1, output_tokens: 1}",
            "streams.chat: found neither 'model' nor 'service', want one of them",
        ),
        (
            "model: llama-3.1-8b",
            "model: llama",
            "small.yaml:24: streams.chat.model: no model 'llama' in the catalog; did you mean 'llama-",
        ),
        (
            "sizes: {input_tokens: 1000, output_tokens: 200}",
            "sizes: azure",
            "streams.chat.sizes: no sizes 'azure' in the catalog",
        ),
        (
            "{kind: poisson, rate: 2/s}",
            "{kind: daily, rate: 2/s, profile: x}",
            "streams.chat.arrivals.profile: no profile 'x' in the catalog",
        ),
        (
            "{kind: poisson, rate: 2/s}",
            f"{{kind: daily, rate: 2/s, profile: [{'0,' * 24}]}}",
            "streams.chat.arrivals.profile: all factors are 0",
        ),
        (
            "{kind: poisson, rate: 2/s}",
            "{kind: schedule, times: [0 s, 60 s], every: 60 s}",
            "streams.chat.arrivals.times.1: found 1 min, want less than `every`, 1 min",
        ),
        (
            SERVICE,
            "service: {distribution: trace}",
            "streams.kws.service.distribution: 'trace' takes its run times from arrivals of kind trace",
        ),
        (
            SERVICE,
            "service: {distribution: fixed}",
            "small.yaml:29: streams.kws.service: missing key 'mean', which distribution 'fixed' needs",
        ),
        (
            SERVICE,
            "service: {distribution: lognormal, mean: 1 s}",
            "streams.kws.service: missing key 'cv', which distribution 'lognormal' needs",
        ),
        (
            SERVICE,
            "service: {distribution: fixed, mean: 1 s, cv: 1}",
            "streams.kws.service.cv: distribution 'fixed' has no cv",
        ),
        (SERVICE, SERVICE + "\n    batch: 3", "small.yaml:30: streams.kws.batch: 'batch' needs a model"),
        (
            SERVICE,
            SERVICE + "\n    slo: {ttft: 1 s}",
            "small.yaml:30: streams.kws.slo.ttft: 'slo.ttft' needs a model",
        ),
        ("[edge]", "[h100, edge]", None),
        (
            "[h100]",
            "[edge]",
            "streams.chat.model: pool 'edge' has nodes described here, on which no catalog model runs",
        ),
        ("{devices: 1, cores: 1}", "{devices: 0}", "streams.kws.needs: found no devices, cores or memory"),
        (
            "{devices: 1, cores: 1}",
            "{devices: 0, cores: 1, kind: chip}",
            "streams.kws.needs.kind: found 'chip' of 0 devices",
        ),
        (
            "{devices: 1, cores: 1}",
            "{devices: 2, share: 50 %}",
            "streams.kws.needs.share: found a share of 2 devices, want devices: 1",
        ),
        (
            "{devices: 1, cores: 1}",
            "{kind: chop}",
            "streams.kws.needs.kind: no device kind 'chop' in pool 'edge'; did you mean 'chip'?",
        ),
        (
            "{devices: 1, cores: 1}",
            "{cores: 9}",
            "streams.kws.needs.cores: found 9, but a node of pool 'edge' has 8 cores",
        ),
        (
            "{devices: 1, cores: 1}",
            "{memory: 17 GiB}",
            "streams.kws.needs.memory: found 17 GiB, but a node of pool 'edge' has 16 GiB",
        ),
        (
            POWER + "}",
            POWER + "}, other: {" + POWER + "}",
            "streams.kws.needs: missing key 'kind': pool 'edge' has devices of kinds chip, other",
        ),
        (
            f"          devices: {{chip: {{count: 2, {POWER}}}}}\n",
            "",
            "streams.kws.needs.devices: pool 'edge' has no devices, want devices: 0",
        ),
        (
            OUTAGE,
            "  - {pool: edgy, start: 0 s, duration: 1 s}",
            "small.yaml:32: outages.0.pool: no pool 'edgy'; did you mean 'edge'?",
        ),
        (
            OUTAGE,
            "  - {pool: edge, node: 6, start: 0 s, duration: 1 s}",
            "outages.0.node: found 6, want 0 to 5, the nodes of 'edge'",
        ),
        (
            OUTAGE,
            "  - {pool: edge, start: 60 min, duration: 1 s}",
            "outages.0.start: found 1 h, want less than the duration of the run, 1 h",
        ),
        (
            OUTAGE,
            OUTAGE + "\n  - {pool: edge, node: 5, start: 179 s, duration: 1 s}",
            "small.yaml:33: outages.1.start: node 5 of 'edge' is down already, by outages.0",
        ),
        (OUTAGE, OUTAGE + "\n  - {pool: edge, node: 5, start: 180 s, duration: 1 s}", None),
        (
            "duration: 1 h",
            "duration: 1 h\nmeter_interval: 2 h",
            "small.yaml:3: meter_interval: found 2 h, want at most the duration, 1 h",
        ),
        (
            "duration: 1 h",
            "duration: 1 h\nmeter_interval: 1 us",
            "meter_interval: found 10,800,000,000 rows of the rack table, want at most 50,000,000",
        ),
        (
            "count: 2\n",
            "count: 1000000\n",
            "small.yaml:5: racks: found 3,000,002 nodes in all, want at most 1,000,000",
        ),
        (
            "count: 2,",
            "count: 1000000, slots: 10,",
            "small.yaml:5: racks: found 60,000,002 device slots in all, want at most 20,000,000",
        ),
    ],
)
def test_contradictions(changed, complaint, old, new, line):
    path = changed((old, new))
    if line is None:
        assert check.problems(load(path)) == []
        return
    lines = complaint(path)
    assert len(lines) == 1
    assert line in lines[0]


POISSON = "{kind: poisson, rate: 2/s}"
TRACE = "kind: trace, path: small.yaml, format: csv"
FLAT = f"[{'1,' * 24}]"
ZERO = f"[{'0,' * 24}]"


@pytest.mark.parametrize(
    ("arrivals", "line"),
    [
        ("kind: gamma, rate: 2/s", "streams.chat.arrivals: missing key 'cv'"),
        ("kind: gamma, rate: 2/s, cv: 0", "streams.chat.arrivals.cv: found '0', want at least 0.01"),
        (f"kind: gamma, rate: 2/s, cv: 2, profile: {ZERO}", "arrivals.profile: all factors are 0, want at least one"),
        ("kind: weibull, rate: 2/s, cv: 2, profile: x", "arrivals.profile: no profile 'x' in the catalog"),
        ("kind: lognormal, rate: 2/s, cv: 101", "streams.chat.arrivals.cv: found '101', want at most 100"),
        (
            "kind: periodic, rate: 2/s, jitter: 1 s",
            "streams.chat.arrivals.jitter: found 1 s, want at most the distance of two arrivals at 2/s",
        ),
        ("kind: sinusoid, rate: 2/s, amplitude: 2, peak: 0 s", "arrivals.amplitude: found '2', want at most 1"),
        (
            f"kind: weekly, rate: 2/s, profile: {FLAT}",
            "streams.chat.arrivals: found neither 'days' nor 'weekend', want one of them",
        ),
        (f"kind: weekly, rate: 2/s, profile: {FLAT}, days: [0,0,0,0,0,0,0]", "arrivals.days: all factors are 0"),
        (f"kind: weekly, rate: 2/s, profile: {FLAT}, days: [1]", "arrivals.days: found 1 of them, want at least 7"),
        (
            f"kind: weekly, rate: 2/s, profile: {FLAT}, weekend: 1, start: mon",
            "arrivals.start: found 'mon'; did you mean 'monday'?",
        ),
        (
            "kind: mmpp, rates: [1/s, 2/s]",
            "streams.chat.arrivals: found neither 'stays' nor 'changes', want one of them",
        ),
        ("kind: mmpp, rates: [1/s, 2/s], stays: [1 s, 1 s, 1 s]", "arrivals.stays: found 3 of them, want 2, one for"),
        ("kind: mmpp, rates: [0/s, 0/s], stays: [1 s, 1 s]", "arrivals.rates: all rates are 0/s, want at least one"),
        (
            "kind: mmpp, rates: [1/s, 2/s], changes: [[0/s, 1/s], [1/s]]",
            "arrivals.changes: want 2 rows of 2 rates, one for each state",
        ),
        ("kind: hawkes, rate: 1/s, branching: 1, decay: 1 s", "arrivals.branching: found '1', want at most 0.99"),
        (
            "kind: self-similar, rate: 1/s, hurst: 1, sources: 1, on: 1 s",
            "arrivals.hurst: found '1', want less than 1",
        ),
        ("kind: clients, rate: 1/s, cv: [1]", "arrivals: found neither 'zipf' nor 'shares', want one of them"),
        ("kind: clients, rate: 1/s, cv: [1], zipf: 1", "arrivals.zipf: 'zipf' needs 'count' beside it"),
        ("kind: clients, rate: 1/s, cv: [1], shares: [1], count: 1", "arrivals.count: 'count' needs 'zipf' beside it"),
        ("kind: clients, rate: 1/s, cv: [1, 2], shares: [1]", "arrivals.cv: found 2 of them, want at most 1, one for"),
        ("kind: clients, rate: 1/s, cv: [1], shares: [0]", "arrivals.shares.0: found '0', want more than 0"),
        ("kind: rates, path: rates.csv, format: csv", "arrivals.path: no file 'rates.csv' beside the scenario"),
        (f"{TRACE}, loop: true, resample: 1 min", "arrivals.loop: found both 'loop' and 'resample', want one of them"),
        (f"{TRACE}, period: 1 min", "arrivals.period: 'period' needs 'loop', 'resample' or 'warp.window'"),
        (f"{TRACE}, order: random", "arrivals.order: found 'random', which needs 'moments' of another kind"),
        (f"{TRACE}, warp: {{profile: x}}", "arrivals.warp.profile: no profile 'x' in the catalog"),
        (f"{TRACE}, warp: {{profile: {ZERO}}}", "arrivals.warp.profile: all factors are 0"),
        (
            f"{TRACE}, rate_scale: 2, moments: {POISSON}",
            "arrivals.rate_scale: 'rate_scale' changes the trace's own times, which 'moments' replaces",
        ),
        (f"{TRACE}, moments: {{kind: trace}}", "arrivals.moments.kind: unknown kind 'trace'"),
        (f"{TRACE}, moments: {{rate: 1/s}}", "arrivals.moments: missing key 'kind'; allowed: clients, daily, "),
        (
            f"{TRACE}, moments: {{kind: rates, path: no.csv, format: csv}}",
            "arrivals.moments.path: no file 'no.csv' beside the scenario",
        ),
        (
            f"{TRACE}, moments: {{kind: schedule, times: [2 s], every: 1 s}}",
            "arrivals.moments.times.0: found 2 s, want less than `every`, 1 s",
        ),
    ],
)
def test_contradictions_of_arrivals(changed, complaint, arrivals, line):
    lines = complaint(changed((POISSON, f"{{{arrivals}}}")))
    assert len(lines) == 1
    assert line in lines[0]


@pytest.mark.parametrize(
    "arrivals",
    [
        "kind: periodic, rate: 2/s, phase: 1 s, jitter: 0.5 s",
        f"kind: weekly, rate: 2/s, profile: {FLAT}, weekend: 70 %",
        "kind: gamma, rate: 2/s, cv: 3, profile: servegen-m-large",
        "kind: mmpp, rates: [1/s, 0/s], changes: [[0/s, 1/s], [1/min, 0/s]]",
        "kind: mmpp, rates: [1/s, 0], changes: [[0, 1/s], [1/min, 0.0]]",
        "kind: clients, rate: 1/s, cv: [3, 1], count: 100, zipf: 1.1",
        f"{TRACE}, loop: true, period: 1 d, warp: {{profile: servegen-m-large, window: 5 min}}",
        f"{TRACE}, order: random, moments: {{kind: hawkes, rate: 1/s, branching: 50 %, decay: 1 s}}",
    ],
)
def test_arrivals_that_do(changed, arrivals):
    scenario = load(changed((POISSON, f"{{{arrivals}}}")))
    assert build(scenario.model_dump(mode="json", exclude_none=True), folder="/") == scenario or "path" in arrivals


def test_a_pool_stands_on_one_site(changed, complaint):
    path = changed(
        ("  here: {place: sweden}", "  here: {place: sweden}\n  there: {place: ireland}"),
        (
            "    site: here\n    count: 2\n    pools:",
            "    site: there\n    count: 2\n    pools:\n      h100: {nodes: 1, system: hgx-h100}",
        ),
    )
    lines = complaint(path)
    assert len(lines) == 1
    assert "racks.cpu.pools.h100: pool 'h100' stands in site 'here' too (racks.gpu), want one site" in lines[0]


def test_nodes_of_a_pool_are_counted_over_all_racks(changed, complaint):
    more = "  more:\n    site: here\n    pools:\n      h100: {nodes: 3, system: hgx-h100}\nstreams:"
    outage = "  - {pool: h100, node: 5, start: 0 s, duration: 1 s}"
    lines = complaint(changed(("streams:", more), (OUTAGE, outage)))
    assert lines == ["small.yaml:36: outages.0.node: found 5, want 0 to 4, the nodes of 'h100'"]


def test_a_scenario_made_in_python_is_checked_the_same():
    with pytest.raises(ScenarioError) as error:
        build({"name": "x", "duration": "1 s", "sites": {"a": {}}, "racks": {}, "streams": {}})
    assert str(error.value).splitlines() == [
        "scenario: racks: found none, want at least 1",
        "scenario: streams: found none, want at least 1",
    ]


def test_build_and_load_agree(scenario):
    data = scenario.model_dump(mode="json", exclude_none=True)
    assert build(data) == scenario
    assert Scenario.model_validate(data) == scenario
