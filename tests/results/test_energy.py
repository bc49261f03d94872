"""Energy per job at the five boundaries, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.service import SampledProfile
from dcsim.sim import simulate

BOUNDARIES = ("chip", "board", "node", "rack", "facility")


def energies(jobs, sort):
    """Energy of each job at each boundary, J."""
    return jobs[[f"energy_{boundary}_{sort}_j" for boundary in BOUNDARIES]].to_numpy()


def test_one_job_at_five_boundaries(scenario, round_numbers, monkeypatch):
    # 2 s at 3 W of chip, 4 W of board and 5 W of host, above idle
    profile = SampledProfile(np.array([2.0]), np.array([6.0]), board_w=4.0, host_w=5.0)
    monkeypatch.setattr("dcsim.sim.demand.spiking_profile", lambda *_, **__: profile)
    rack = {"frame": "frame-test", "psu": "psu-test", "pools": {"pool": {"nodes": 1, "system": "board-test"}}}
    run = scenario(
        {},
        {"work": {"arrivals": {"kind": "schedule", "times": ["10 s"]}, "model": "kws", "runs_on": ["pool"]}},
        catalog=[round_numbers],
        sites={"hall": {"ups": "ups-test", "transformer": "none", "plant": {"kind": "constant", "pue": 1.5}}},
        racks={"rack": rack | {"site": "hall"}},
    )
    result = simulate(run)

    # The node draws 2 x 1 + 3 + 10 = 15 W idle: 100 s x 15 W + 2 s x (3 + 4 + 5) W = 1524 J.
    # Supplies: 2 x 0.01 x 40 W no-load = 0.8 W, and 0.05 of the load: 100 s x 0.8 W + 0.05 x 1524 J = 156.2 J.
    # Switch: 100 s x 20 W = 2000 J. IT: 1524 + 156.2 + 2000 = 3680.2 J. Facility: 1.5 x 3680.2 = 5520.3 J.
    # UPS: rated 1.25 x (40 + 20) W = 75 W, 100 s x 0.02 x 75 W + 0.03 x 3680.2 J = 260.406 J.
    # Cooling: 0.5 x 3680.2 - 260.406 = 1579.694 J.
    joules = {name: 3.6e6 * kwh for name, kwh in result.summary["energy"].items() if name != "by_part"}
    assert joules == pytest.approx({"compute_kwh": 1524.0, "it_kwh": 3680.2, "facility_kwh": 5520.3})
    by_part = {name: 3.6e6 * kwh for name, kwh in result.summary["energy"]["by_part"].items()}
    expected = {"psu": 156.2, "switches": 2000.0, "ups": 260.406, "transformer": 0.0, "plant": 1579.694}
    assert by_part == pytest.approx(expected)

    # Marginal: chip 6, + board 8 = 14, + host 10 = 24; a joule in the node costs 1.05 at the rack's meter,
    # and one there 1.5 at the utility's: 25.2 and 37.8 J.
    assert energies(result.jobs, "marginal")[0] == pytest.approx([6.0, 14.0, 24.0, 25.2, 37.8])
    # Loaded: the only job carries everything. Chips 2 W x 100 s + 6; boards 3 W x 100 s + 8; host 10 W x 100 s + 10.
    assert energies(result.jobs, "loaded")[0] == pytest.approx([206.0, 514.0, 1524.0, 3680.2, 5520.3])
    per_job = result.summary["streams"]["work"]["energy_j_per_job"]
    assert per_job["board"] == pytest.approx({"marginal": 14.0, "loaded": 514.0})


def test_overhead_is_shared_by_device_seconds(scenario, pool, jobs_at):
    # Two devices of 10 to 30 W for 100 s; one job of 10 s and one of 30 s at full power.
    run = scenario(
        {"pool": pool(devices=2, idle="10 W", max="30 W")},
        {"short": jobs_at(["pool"], [(0.0, 10.0)]), "long": jobs_at(["pool"], [(0.0, 30.0)])},
    )
    result = simulate(run)
    # Idle: 2 x 10 W x 100 s = 2000 J in the ratio 10 : 30. Marginal: 20 W x 10 s and 20 W x 30 s.
    assert energies(result.jobs, "marginal")[:, 0] == pytest.approx([200.0, 600.0])
    assert energies(result.jobs, "loaded")[:, 0] == pytest.approx([200.0 + 500.0, 600.0 + 1500.0])
    assert result.jobs["busy_s"].tolist() == [10.0, 30.0]
    assert result.summary["pools"]["pool"]["utilisation"] == pytest.approx(40.0 / 200.0)


def test_batch_on_a_shared_device_is_split_at_every_moment(scenario, pool, jobs_at):
    # One device for two jobs: 10 W idle, 22 W with one job, 30 W with two (table at load 0, 1/2, 1).
    shared = pool(slots=2)
    power = {"shape": "table", "idle": "10 W", "max": "30 W", "points": ["10 W", "22 W", "30 W"]}
    shared["node"]["devices"]["device"]["power"] = power
    run = scenario({"pool": shared}, {"work": jobs_at(["pool"], [(0.0, 10.0), (5.0, 15.0)])})
    result = simulate(run)
    # First: 5 s alone at 12 W, 5 s of half of 20 W: 60 + 50 J. Second: 5 s of half of 20 W, 10 s alone at 12 W.
    assert energies(result.jobs, "marginal")[:, 0] == pytest.approx([110.0, 170.0])
    # Idle 1000 J by half a device for 10 and for 15 s.
    assert result.jobs["busy_s"].tolist() == pytest.approx([5.0, 7.5])
    assert energies(result.jobs, "loaded")[:, 0] == pytest.approx([110.0 + 400.0, 170.0 + 600.0])
    assert result.summary["trust"]["energy_ledger_error"] < 1e-14


def test_cores_are_paid_at_the_node_and_not_at_the_chip(scenario, pool, jobs_at):
    # A host of 4 cores from 20 to 100 W beside a device from 10 to 30 W; the job keeps 2 cores and the device busy.
    node = pool(idle="10 W", max="30 W", cores=4, host={"idle": "20 W", "max": "100 W"})
    result = simulate(scenario({"pool": node}, {"work": jobs_at(["pool"], [(0.0, 10.0)], needs={"cores": 2})}))
    # Device 20 W x 10 s; host 80 W x 2/4 x 10 s.
    assert energies(result.jobs, "marginal")[0] == pytest.approx([200.0, 200.0, 600.0, 600.0, 600.0])
    # Idle: device 10 W, host 20 W, for 100 s.
    assert energies(result.jobs, "loaded")[0] == pytest.approx([1200.0, 1200.0, 3600.0, 3600.0, 3600.0])


def test_jobs_of_a_cpu_only_node_share_its_square_root_curve(scenario, jobs_at):
    node = {"nodes": 1, "node": {"cores": 4, "host": {"shape": "sqrt", "idle": "100 W", "max": "200 W"}}}
    work = jobs_at(["pool"], [(0.0, 20.0), (10.0, 10.0)], needs={"devices": 0, "cores": 2})
    more = jobs_at(["pool"], [(50.0, 10.0)], needs={"devices": 0, "cores": 1})
    result = simulate(scenario({"pool": node}, {"work": work, "more": more}))
    # 100 W x sqrt(load): 10 s at load 1/2 for the first alone, 10 s at load 1 for both, half each; 10 s at load 1/4.
    first, second, third = 1000.0 * np.sqrt(0.5) + 500.0, 500.0, 500.0
    assert energies(result.jobs, "marginal")[:, 2] == pytest.approx([first, second, third])
    # Idle 100 W x 100 s by cores and seconds: 2 x 20, 2 x 10 and 1 x 10 of 70.
    shares = 1e4 * np.array([4.0, 2.0, 1.0]) / 7.0
    assert energies(result.jobs, "loaded")[:, 2] == pytest.approx(np.array([first, second, third]) + shares)
    assert result.jobs["family"].unique().tolist() == ["cpu"]


def test_a_gang_adds_up_over_its_devices(scenario, pool, jobs_at):
    # 6 devices on 3 nodes: the job of 4 holds two whole nodes, the job of 1 a device of the third.
    run = scenario(
        {"pool": pool(nodes=3, devices=2, idle="5 W", max="25 W")},
        {"work": jobs_at(["pool"], [(0.0, 10.0, 4), (0.0, 20.0, 1)])},
    )
    result = simulate(run)
    assert energies(result.jobs, "marginal")[:, 0] == pytest.approx([4 * 20.0 * 10.0, 20.0 * 20.0])
    assert result.jobs["busy_s"].tolist() == [40.0, 20.0]
    # Idle 6 x 5 W x 100 s = 3000 J, 2 to 1.
    assert energies(result.jobs, "loaded")[:, 0] == pytest.approx([800.0 + 2000.0, 400.0 + 1000.0])


def test_opendc_style_outage(scenario, pool, jobs_at):
    # A task of 600 s on a host of 100 W idle and 150 W busy; it fails at 300 s for 300 s and starts from zero:
    # 300 s x 150 W + 300 s x 100 W + 600 s x 150 W = 45,000 + 30,000 + 90,000 = 165,000 J.
    run = scenario(
        {"pool": pool(idle="100 W", max="150 W")},
        {"work": jobs_at(["pool"], [(0.0, 600.0)])},
        duration="1200 s",
        meter_interval="60 s",
        drain=True,
        outages=[{"pool": "pool", "start": "300 s", "duration": "300 s"}],
    )
    result = simulate(run)
    job = result.jobs.iloc[0]
    assert (job["first_start_s"], job["start_s"], job["end_s"]) == (0.0, 600.0, 1200.0)
    assert (job["attempts"], job["lost_s"], job["busy_s"]) == (2, 300.0, 900.0)
    # 50 W above idle for 300 + 600 s; all of the pool's energy is this job's.
    assert job["energy_chip_marginal_j"] == pytest.approx(45_000.0)
    assert job["energy_chip_loaded_j"] == pytest.approx(165_000.0)
    assert result.summary["energy"]["facility_kwh"] * 3.6e6 == pytest.approx(165_000.0)
    assert result.summary["pools"]["pool"]["availability"] == pytest.approx(0.75)
    assert result.summary["run"]["simulated_s"] == 1200.0


def test_switch_and_supplies_are_shared_by_the_pools_of_a_rack(scenario, round_numbers, pool, jobs_at):
    # Two pools in one rack: 3 nodes of 10 to 30 W and 1 node of 20 to 40 W, each with its own supplies.
    pools = {"small": pool(nodes=3, idle="10 W", max="30 W"), "large": pool(idle="20 W", max="40 W")}
    run = scenario(
        {},
        {"one": jobs_at(["small"], [(0.0, 10.0)]), "two": jobs_at(["large"], [(0.0, 10.0)])},
        catalog=[round_numbers],
        racks={"rack": {"site": "hall", "frame": "frame-test", "psu": "psu-test", "pools": pools}},
    )
    result = simulate(run)
    # Compute: 3 x 10 W x 100 s + 200 J; 20 W x 100 s + 200 J. The switch's 2000 J go by nodes, 3 to 1.
    # Supplies: 3 x 2 x 0.01 x 30 W x 100 s + 0.05 x 3200 J = 340 J; 2 x 0.01 x 40 W x 100 s + 0.05 x 2200 J = 190 J.
    it_j = result.racks.assign(j=result.racks["it_w"] * 10.0).groupby("pool")["j"].sum()
    assert it_j["small"] == pytest.approx(3200.0 + 340.0 + 1500.0)
    assert it_j["large"] == pytest.approx(2200.0 + 190.0 + 500.0)
    loaded = result.jobs.set_index("pool")["energy_rack_loaded_j"]
    assert loaded["small"] == pytest.approx(5040.0)
    assert loaded["large"] == pytest.approx(2890.0)
    assert result.jobs["energy_rack_marginal_j"].tolist() == pytest.approx([210.0, 210.0])


def test_jobs_that_run_at_the_end_have_their_part(scenario, pool, jobs_at):
    run = scenario({"pool": pool(devices=2, idle="10 W", max="30 W")}, {"work": jobs_at(["pool"], [(90.0, 40.0)])})
    result = simulate(run)
    job = result.jobs.iloc[0]
    assert (job["status"], job["busy_s"]) == ("running", 10.0)
    assert job["energy_chip_marginal_j"] == pytest.approx(200.0)
    assert job["energy_facility_loaded_j"] == pytest.approx(2200.0)
    # nothing has been completed, so there is nothing per job
    assert "energy_j_per_job" not in result.summary["streams"]["work"]


def test_a_job_that_moves_to_another_pool_leaves_its_lost_energy_behind(scenario, pool, jobs_at):
    # Shared devices, whose curve charges the job: 8 s on the first pool until its node fails, 12 s on the other.
    run = scenario(
        {"a": pool(slots=2, idle="10 W", max="30 W"), "b": pool(slots=2, idle="1 W", max="5 W")},
        {"work": jobs_at(["a", "b"], [(0.0, 12.0)])},
        outages=[{"pool": "a", "start": "8 s", "duration": "50 s"}],
    )
    result = simulate(run)
    job = result.jobs.iloc[0]
    assert (job["pool"], job["attempts"], job["lost_s"], job["end_s"]) == ("b", 2, 8.0, 20.0)
    # Half a device of 20 W for 8 s, and half a device of 4 W for 12 s: 80 + 24 J.
    assert job["energy_chip_marginal_j"] == pytest.approx(104.0)
    # It is the only job of both pools: 10 W x 100 s + 80 J and 1 W x 100 s + 24 J.
    assert job["energy_chip_loaded_j"] == pytest.approx(1080.0 + 124.0)
    assert result.summary["trust"]["energy_ledger_error"] < 1e-14


def test_an_evicted_job_that_still_waits_keeps_its_energy(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool(slots=2, idle="10 W", max="30 W")},
        {"work": jobs_at(["pool"], [(0.0, 60.0)])},
        outages=[{"pool": "pool", "start": "50 s", "duration": "80 s"}],
    )
    result = simulate(run)
    job = result.jobs.iloc[0]
    assert (job["status"], job["attempts"], job["pool"]) == ("queued", 1, "pool")
    assert job["energy_chip_marginal_j"] == pytest.approx(10.0 * 50.0)
    assert job["energy_chip_loaded_j"] == pytest.approx(1000.0 + 500.0)
    assert result.summary["trust"]["energy_ledger_error"] < 1e-14


@pytest.mark.parametrize("slots", [1, 2])
def test_throttling_changes_times_and_not_the_energy_of_the_work(scenario, pool, jobs_at, slots):
    def throttle(model):
        yield model.clock.timeout(5.0)
        live = model.fleet.pool("pool")
        for server in model.fleet.nodes["pool"][0].servers:
            model.dispatcher.set_speed(live, server, 0.5)

    run = scenario(
        {"pool": pool(idle="10 W", max="30 W", slots=slots)},
        {"work": jobs_at(["pool"], [(0.0, 20.0), (80.0, 20.0)])},
    )
    result = simulate(run, processes={"throttle": throttle})
    # 5 s at full speed leave 15 s of work, which take 30 s. The second job has had 10 s of work after 20 s.
    full_w = 20.0 / slots
    assert result.jobs["end_s"].tolist()[0] == pytest.approx(35.0)
    assert result.jobs["energy_chip_marginal_j"].tolist() == pytest.approx([full_w * 20.0, full_w * 10.0])
    assert result.jobs["busy_s"].tolist() == pytest.approx([35.0 / slots, 20.0 / slots])
    assert result.summary["trust"]["energy_ledger_error"] < 1e-14
    assert result.summary["pools"]["pool"]["utilisation"] == pytest.approx(55.0 / slots / 100.0)
