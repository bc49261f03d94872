"""What holds for every run, on random small data centers with random demand and failures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim.scenario import build
from dcsim.sim import simulate

BOUNDARIES = ("chip", "board", "node", "rack", "facility")
KWH = 3.6e6
DURATION_S = 60.0

watts = st.integers(0, 200).map(float)


def seconds(low, high):
    return st.floats(low, high).map(lambda value: f"{value:.3f} s")


@st.composite
def curves(draw):
    shape = draw(st.sampled_from(["linear", "sqrt", "table"]))
    idle, span = draw(watts), draw(watts)
    curve = {"shape": shape, "idle": f"{idle} W", "max": f"{idle + span} W"}
    if shape == "table":
        inner = sorted(draw(st.lists(st.floats(0.0, 1.0), max_size=3)))
        curve["points"] = [f"{idle + span * part} W" for part in (0.0, *inner, 1.0)]
    return curve


@st.composite
def nodes(draw):
    """A node: CPU only, or with devices of one or two kinds, with or without cores and memory for jobs."""
    cores = draw(st.sampled_from([0, 4]))
    devices = {
        kind: {"count": draw(st.integers(1, 3)), "slots": draw(st.integers(1, 3)), "power": draw(curves())}
        for kind in draw(st.sampled_from([[], ["main"], ["main", "other"]]))
    }
    if not devices:
        cores = 4
    host = {"host": draw(curves())} if cores and draw(st.booleans()) else {}
    return {"devices": devices, "cores": cores, "memory": "8 GiB"} | host


@st.composite
def needs(draw, pools):
    """What a job asks for, and the pools that have it."""
    on_cores = [name for name, pool in pools.items() if pool["node"]["cores"]]
    on_devices = {name: pool["node"]["devices"]["main"] for name, pool in pools.items() if pool["node"]["devices"]}
    if not on_devices or (on_cores and draw(st.booleans())):
        return {"devices": 0, "cores": draw(st.integers(1, 4))}, on_cores
    devices = draw(st.integers(1, 4))
    asked = {"devices": devices, "kind": "main"}
    if devices == 1 and draw(st.booleans()):
        asked["share"] = draw(st.sampled_from([0.25, 0.4, 1.0]))
    able = [name for name, device in on_devices.items() if device["count"] * pools[name]["nodes"] >= devices]
    if set(able) & set(on_cores) and draw(st.booleans()):
        asked["cores"] = draw(st.integers(1, 3))
        asked["memory"] = draw(st.sampled_from(["0 GiB", "3 GiB"]))
        able = [name for name in able if name in on_cores]
    return asked, able


@st.composite
def streams(draw, pools):
    asked, able = draw(needs(pools))
    if not able:
        asked, able = {"devices": 1, "kind": "main"}, [name for name, pool in pools.items() if pool["node"]["devices"]]
    distribution = draw(st.sampled_from(["exponential", "fixed", "lognormal"]))
    service = {"distribution": distribution, "mean": draw(seconds(0.05, 8.0))}
    service |= {"cv": 2.0} if distribution == "lognormal" else {}
    service["utilisation"] = draw(st.sampled_from([0.3, 1.0]))
    if draw(st.booleans()):
        arrivals = {"kind": "poisson", "rate": f"{draw(st.floats(0.1, 3.0))}/s"}
    else:
        arrivals = {"kind": "schedule", "times": draw(st.lists(seconds(0.0, DURATION_S), min_size=1, max_size=8))}
    return {
        "arrivals": arrivals,
        "service": service,
        "needs": asked,
        "runs_on": draw(st.lists(st.sampled_from(able), min_size=1, unique=True)),
        "route": draw(st.sampled_from(["prefer", "spread"])),
        "queue_limit": draw(st.sampled_from([None, 0, 2])),
        "slo": {"latency": "3 s"} if draw(st.booleans()) else {},
    }


@st.composite
def scenarios(draw):
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    pools = {name: {"nodes": draw(st.integers(1, 3)), "node": draw(nodes())} for name in names}
    if not any(pool["node"]["devices"] or pool["node"]["cores"] for pool in pools.values()):
        pools["a"]["node"]["cores"] = 4
    racks = {
        f"rack-{name}": {
            "site": draw(st.sampled_from(["north", "south"])),
            "frame": draw(st.sampled_from(["none", "rack-42u"])),
            "psu": draw(st.sampled_from(["none", "psu-titanium", "psu-gold"])),
            "pools": {name: pool},
        }
        for name, pool in pools.items()
    }
    outages = [
        {
            "pool": name,
            "node": node,
            "start": draw(seconds(0.0, DURATION_S - 1.0)),
            "duration": draw(seconds(0.1, 30.0)),
        }
        for name, pool in pools.items()
        for node in range(pool["nodes"])
        if draw(st.booleans())
    ]
    plant = {"kind": "constant", "pue": draw(st.sampled_from([1.0, 1.05, 1.4])), "wue": "1 L/kWh"}
    ups = draw(st.sampled_from(["none", "ups-double-conversion"]))
    return build(
        {
            "name": "random",
            "duration": f"{DURATION_S} s",
            "drain": draw(st.booleans()),
            "meter_interval": draw(st.sampled_from(["7 s", "20 s", "60 s"])),
            "seed": draw(st.integers(0, 2**63 - 1)),
            "sites": {
                "north": {"plant": plant, "ups": ups, "carbon_intensity": "300 g/kWh"},
                "south": {"ups": "none", "transformer": "none"},
            },
            "racks": racks,
            "streams": {f"s{number}": draw(streams(pools)) for number in range(draw(st.integers(1, 3)))},
            "scheduling": {"placement": draw(st.sampled_from(["first-fit", "round-robin", "least-loaded"]))},
            "outages": outages,
        }
    )


def close(first, second):
    assert first == pytest.approx(second, rel=1e-9, abs=1e-6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_invariants(scenario):
    hold(scenario)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_invariants_of_many_more(scenario):
    hold(scenario)


def hold(scenario):
    result = simulate(scenario)
    summary, jobs = result.summary, result.jobs
    jobs_are_conserved(summary, jobs)
    times_are_in_order(jobs)
    first_come_first_served(scenario, jobs)
    attempts_are_on_record(result)
    energy_is_conserved(summary)
    meters_agree_with_jobs(scenario, result)
    energy_is_handed_out(result)


def jobs_are_conserved(summary, jobs):
    for block, table in (
        (summary["jobs"], jobs),
        *((block, jobs[jobs["stream"] == name]) for name, block in summary["streams"].items()),
    ):
        assert block["submitted"] == len(table)
        assert block["submitted"] == sum(block[key] for key in ("completed", "rejected", "failed", "queued", "running"))


def times_are_in_order(jobs):
    until = jobs["end_s"].notna()
    assert (jobs["status"] == "completed").equals(until)
    done = jobs[until]
    assert (done["arrival_s"] <= done["first_start_s"]).all()
    assert (done["first_start_s"] <= done["start_s"]).all()
    assert (done["start_s"] <= done["end_s"]).all()
    assert (jobs["attempts"].eq(0) == jobs["first_start_s"].isna()).all()
    assert jobs.loc[jobs["status"] == "rejected", "first_start_s"].isna().all()


def first_come_first_served(scenario, jobs):
    for name, stream in scenario.streams.items():
        mine = jobs[(jobs["stream"] == name) & (jobs["status"] != "rejected")]
        if stream.route == "prefer":
            starts = mine["first_start_s"]
            # nobody starts before an earlier one; who has not started has only such behind it
            assert starts.isna().is_monotonic_increasing
            assert starts.dropna().is_monotonic_increasing
        else:
            for _, dealt in mine.dropna(subset="first_start_s").groupby("pool"):
                assert dealt["first_start_s"].is_monotonic_increasing


def attempts_are_on_record(result):
    counts = result.attempts.groupby("job")["attempt"].max()
    jobs = result.jobs.set_index("job")
    assert (jobs.loc[counts.index, "attempts"] == counts).all()
    lost = result.attempts[result.attempts["outcome"] == "evicted"].groupby("job")["work_s"].sum()
    assert set(lost.index) == set(counts.index)
    np.testing.assert_allclose(jobs.loc[lost.index, "lost_s"], lost, rtol=1e-12)
    assert (jobs.drop(index=lost.index)["lost_s"] == 0.0).all()


def energy_is_conserved(summary):
    for block in (summary, *summary["sites"].values()):
        energy = block["energy"]
        parts = energy["by_part"]
        close(energy["it_kwh"], energy["compute_kwh"] + parts["psu"] + parts["switches"])
        close(energy["facility_kwh"], energy["it_kwh"] + parts["ups"] + parts["transformer"] + parts["plant"])
        assert min(parts.values()) >= -1e-12
        for key in ("pue", "itue", "tue"):  # absent where nothing is drawn
            assert block.get("efficiency", {}).get(key, 1.0) >= 1.0 - 1e-12
    for key in ("compute_kwh", "it_kwh", "facility_kwh"):
        close(summary["energy"][key], sum(site["energy"][key] for site in summary["sites"].values()))
    for pool in summary["pools"].values():
        assert 0.0 <= pool["utilisation"] <= 1.0
        assert 0.0 <= pool["availability"] <= 1.0
        assert pool["energy_kwh"] >= pool["idle_energy_kwh"] * (1 - 1e-12)
    assert summary["trust"]["energy_ledger_error"] < 1e-9


def meters_agree_with_jobs(scenario, result):
    """Power and use of racks, integrated from their table, against the counters of pools and against the jobs."""
    summary, racks = result.summary, result.racks
    assert racks["busy"].between(0.0, 1.0).all()
    edges = np.append(racks["time_s"].unique(), summary["run"]["simulated_s"])
    widths = dict(zip(edges[:-1], np.diff(edges), strict=True))
    width = racks["time_s"].map(widths)
    compute_j = (racks["compute_w"] * width).groupby(racks["pool"]).sum()
    busy_s = (racks["busy"] * width).groupby(racks["pool"]).sum()
    on_host = {name for name, stream in scenario.streams.items() if stream.needs.devices == 0}
    held_s = result.jobs[~result.jobs["stream"].isin(on_host)]["busy_s"].sum()
    counted_s = 0.0
    for name, pool in summary["pools"].items():
        close(compute_j[name], pool["energy_kwh"] * KWH)
        close(busy_s[name] * pool["devices"], pool["utilisation"] * pool["devices"] * edges[-1])
        if scenario.racks[f"rack-{name}"].pools[name].node.devices:
            counted_s += busy_s[name] * pool["devices"]
    close(counted_s, held_s)


def energy_is_handed_out(result):
    """Loaded energies of all jobs are the energies of the pools that they used, at every boundary."""
    jobs, summary = result.jobs, result.summary
    marginal = jobs[[f"energy_{boundary}_marginal_j" for boundary in BOUNDARIES]].to_numpy()
    loaded = jobs[[f"energy_{boundary}_loaded_j" for boundary in BOUNDARIES]].to_numpy()
    assert (np.diff(marginal, axis=1) >= -1e-9 * marginal[:, 1:]).all()
    assert (loaded[:, :3] >= marginal[:, :3] * (1 - 1e-12)).all()
    assert marginal.min(initial=0.0) >= 0.0
    end_s = jobs["end_s"].fillna(summary["run"]["simulated_s"])
    cut = result.attempts[(result.attempts["outcome"] == "evicted") & (result.attempts["work_s"] > 0.0)]
    used = {*jobs.loc[end_s > jobs["start_s"], "pool"], *cut["pool"]}
    close(loaded[:, 2].sum(), sum(summary["pools"][name]["energy_kwh"] for name in used) * KWH)
    edges = np.append(result.racks["time_s"].unique(), summary["run"]["simulated_s"])
    width = result.racks["time_s"].map(dict(zip(edges[:-1], np.diff(edges), strict=True)))
    it_j = (result.racks["it_w"] * width)[result.racks["pool"].isin(used)].sum()
    close(loaded[:, 3].sum(), it_j)
    if used == set(summary["pools"]):
        close(loaded[:, 4].sum(), summary["energy"]["facility_kwh"] * KWH)
    for name, block in summary["streams"].items():
        if "energy_j_per_job" in block:
            mine = (jobs["stream"] == name).to_numpy()
            for level, boundary in enumerate(BOUNDARIES):
                per_job = block["energy_j_per_job"][boundary]
                close(per_job["marginal"] * block["completed"], marginal[mine, level].sum())
                close(per_job["loaded"] * block["completed"], loaded[mine, level].sum())


# ---------------------------------------------------------------- randomness


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_the_same_seed_gives_the_same_bytes(tmp_path_factory, scenario):
    folders, figures = [], []
    for name in ("first", "second"):
        result = simulate(scenario)
        folders.append(result.save(tmp_path_factory.mktemp(name)))
        figures.append({key: block for key, block in result.summary.items() if key != "run"})
    assert figures[0] == figures[1]
    for name in ("jobs", "attempts", "racks", "facility"):
        assert (folders[0] / f"{name}.parquet").read_bytes() == (folders[1] / f"{name}.parquet").read_bytes()


def web(rate="2/s", **keys):
    return {
        "arrivals": {"kind": "poisson", "rate": rate},
        "service": {"distribution": "exponential", "mean": "1 s"},
        "runs_on": ["pool"],
    } | keys


def test_another_seed_gives_another_run(scenario, pool):
    run = scenario({"pool": pool(nodes=4)}, {"web": web()})
    first, second = simulate(run, seed=1).jobs, simulate(run, seed=2).jobs
    assert len(set(first["arrival_s"]) & set(second["arrival_s"])) == 0
    assert simulate(run).jobs.equals(first)


def test_streams_have_random_numbers_of_their_own(scenario, pool):
    def run(**streams):
        jobs = simulate(scenario({"pool": pool(nodes=30)}, streams)).jobs
        return jobs.assign(service_s=jobs["end_s"] - jobs["start_s"])

    alone = run(web=web())
    for other in (web("5/s"), web("5/s", route="spread"), web("0.1/s", needs={"devices": 5})):
        both = run(other=other, web=web())
        mine = both[both["stream"] == "web"]
        np.testing.assert_array_equal(mine["arrival_s"], alone["arrival_s"])
        np.testing.assert_allclose(mine["service_s"], alone["service_s"], rtol=1e-9)
        assert not set(both[both["stream"] == "other"]["arrival_s"]) & set(alone["arrival_s"])


def test_dealing_jobs_changes_neither_their_arrivals_nor_their_services(scenario, pool):
    pools = {"pool": pool(nodes=30), "twin": pool(nodes=30)}
    preferred = simulate(scenario(pools, {"web": web(runs_on=["pool", "twin"])})).jobs
    dealt = simulate(scenario(pools, {"web": web(runs_on=["pool", "twin"], route="spread")})).jobs
    np.testing.assert_array_equal(preferred["end_s"], dealt["end_s"])
    assert 0.35 < (dealt["pool"] == "twin").mean() < 0.65


# ---------------------------------------------------------------- Little's law


def test_littles_law_on_a_finished_path(scenario, pool):
    lengths = []

    def first_come_first_served(model):
        while True:
            yield model.dispatcher.wake
            for job in list(model.dispatcher.waiting()):
                if not model.dispatcher.start(job):
                    break
            lengths.append((model.clock.now, len(list(model.dispatcher.waiting()))))

    run = scenario({"pool": pool(nodes=2)}, {"web": web("1.9/s")}, duration="300 s", drain=True)
    result = simulate(run, processes={"scheduler": first_come_first_served})
    assert result.summary["jobs"]["completed"] == len(result.jobs) > 400
    moments, counts = map(np.array, zip(*lengths, strict=True))
    waiting_s = float(np.diff(moments) @ counts[:-1])
    assert waiting_s > 100.0
    assert counts[-1] == 0
    assert waiting_s == pytest.approx(result.jobs["wait_s"].sum(), rel=1e-9)
