"""Streams, scheduler, rack controllers, meter and plants are SimPy processes, and each can be a user's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import simpy

from dcsim.errors import ScenarioError
from dcsim.facility.plant import ConstantPlant
from dcsim.sim import simulate

FIXED = {"distribution": "fixed", "mean": "1 s"}


@pytest.fixture
def one(scenario, pool):
    """Builder of scenarios with one stream `work` on one pool."""

    def make(*, service=FIXED, arrivals=None, needs=None, rest=None, **hardware):
        stream = {
            "arrivals": arrivals or {"kind": "poisson", "rate": "1/s"},
            "service": service,
            "runs_on": ["pool"],
            "needs": needs or {},
        }
        return scenario({"pool": pool(**hardware)}, {"work": stream}, **(rest or {}))

    return make


def test_the_processes_of_a_run_are_named(scenario, pool):
    seen = {}

    def probe(model):
        yield model.clock.timeout(1.0)
        seen.update(model.processes)

    stream = {"arrivals": {"kind": "poisson", "rate": "1/s"}, "service": FIXED, "runs_on": ["pool"]}
    rack = {"site": "hall", "count": 2, "pools": {"pool": pool()}}
    run = scenario({}, {"web": stream, "batch": stream}, racks={"gpu": rack})
    simulate(run, processes={"probe": probe})
    names = {"scheduler", "stream:web", "stream:batch", "rack:gpu-0", "rack:gpu-1", "meter", "plant:hall", "probe"}
    assert set(seen) == names
    for name, process in seen.items():
        assert isinstance(process, simpy.Process)
        assert process.name == name


# ---------------------------------------------------------------- streams


def test_own_stream(one):
    started = []

    def arrive(model):
        for seconds in (5.0, 2.0, 0.0):
            yield model.clock.timeout(10.0)
            started.append(model.submit("work", run_s=seconds))

    result = simulate(one(), processes={"stream:work": arrive})
    jobs = result.jobs
    assert jobs["job"].tolist() == started
    assert jobs["arrival_s"].tolist() == [10.0, 20.0, 30.0]
    assert jobs["end_s"].tolist() == [15.0, 22.0, 30.0]
    assert result.summary["jobs"]["submitted"] == 3


def test_own_stream_beside_the_described_one(one):
    def more(model):
        yield model.clock.timeout(50.5)
        model.submit("work", run_s=3.0)

    described = simulate(one(devices=4)).jobs
    both = simulate(one(devices=4), processes={"extra": more}).jobs
    assert sorted(both["arrival_s"]) == sorted([*described["arrival_s"], 50.5])


def test_own_stream_of_jobs_on_several_devices(one):
    def arrive(model):
        yield model.clock.timeout(1.0)
        model.submit("work", run_s=10.0, processors=3)
        model.submit("work", run_s=10.0, processors=2)

    result = simulate(one(nodes=4), processes={"stream:work": arrive})
    # both at the same second; the second must wait for the first, whose devices it needs
    assert result.jobs["first_start_s"].tolist() == [1.0, 11.0]
    assert result.jobs["busy_s"].tolist() == [30.0, 20.0]


@pytest.mark.parametrize(
    ("stream", "sizes", "message"),
    [
        ("worK", {"run_s": 1.0}, "no stream 'worK'; did you mean 'work'"),
        ("work", {}, "missing run_s"),
        ("work", {"run_s": -1.0}, "found run_s -1.0, want a number from 0"),
        ("work", {"run_s": float("nan")}, "found run_s nan"),
        ("work", {"run_s": float("inf")}, "found run_s inf"),
        ("work", {"run_s": 1.0, "processors": 0}, "found processors 0, want a number from 1"),
        ("work", {"run_s": 1.0, "processors": 2}, "a job needs 2 x device at once; pool 'pool' has 1 nodes"),
    ],
)
def test_jobs_that_make_no_sense(one, stream, sizes, message):
    def arrive(model):
        yield model.clock.timeout(1.0)
        model.submit(stream, **sizes)

    with pytest.raises(Exception, match=message):
        simulate(one(), processes={"stream:work": arrive})


# ---------------------------------------------------------------- scheduler


def by_key(key):
    """A scheduler that starts waiting jobs in the order of `key(model, job)` until one finds no room."""

    def schedule(model):
        while True:
            yield model.dispatcher.wake
            for job in sorted(model.dispatcher.waiting(), key=lambda job: key(model, job)):
                if not model.dispatcher.start(job):
                    break

    return schedule


JOBS = [(0.0, 10.0), (1.0, 6.0), (2.0, 2.0), (3.0, 4.0)]


@pytest.mark.parametrize(
    ("key", "order"),
    [
        (lambda model, job: (model.table.arrival_of(job), job), [0, 1, 2, 3]),  # first come, first served
        (lambda model, job: -model.table.arrival_of(job), [0, 3, 2, 1]),  # last come, first served
        (lambda model, job: model.table.demands["pool"].seconds[job], [0, 2, 3, 1]),  # shortest job first
    ],
    ids=["fcfs", "lcfs", "sjf"],
)
def test_own_scheduler(scenario, pool, jobs_at, key, order):
    run = scenario({"pool": pool()}, {"work": jobs_at(["pool"], JOBS)})
    jobs = simulate(run, processes={"scheduler": by_key(key)}).jobs
    ran = jobs.sort_values("first_start_s")
    assert ran["job"].tolist() == order
    # one after the other, without a gap
    assert ran["first_start_s"].tolist()[1:] == ran["end_s"].tolist()[:-1]
    assert jobs["end_s"].max() == 22.0


def test_own_first_come_first_served_is_the_default_one(one):
    run = one(nodes=2, service={"distribution": "exponential", "mean": "1.8 s"})
    by_default = simulate(run).jobs
    own = simulate(run, processes={"scheduler": by_key(lambda model, job: (model.table.arrival_of(job), job))}).jobs
    for column in ("first_start_s", "end_s", "energy_chip_marginal_j"):
        np.testing.assert_array_equal(own[column], by_default[column])


def test_own_scheduler_chooses_the_pool(scenario, pool, jobs_at):
    def schedule(model):
        while True:
            yield model.dispatcher.wake
            for job in list(model.dispatcher.waiting()):
                assert model.dispatcher.start(job, "b" if job % 2 else "a")

    run = scenario({"a": pool(devices=4), "b": pool(devices=4)}, {"work": jobs_at(["a", "b"], JOBS)})
    assert simulate(run, processes={"scheduler": schedule}).jobs["pool"].tolist() == ["a", "b", "a", "b"]


def test_own_scheduler_decides_arrivals_of_one_instant_together(scenario, pool, jobs_at):
    seen = []

    def schedule(model):
        while True:
            yield model.dispatcher.wake
            seen.append((model.clock.now, list(model.dispatcher.waiting())))
            model.dispatcher.start(seen[-1][1][-1])

    run = scenario(
        {"pool": pool(devices=9)},
        {"one": jobs_at(["pool"], [(5.0, 500.0), (5.0, 500.0)]), "two": jobs_at(["pool"], [(5.0, 500.0)])},
    )
    simulate(run, processes={"scheduler": schedule})
    assert seen == [(5.0, [0, 1, 2])]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((0, None), r"start\(0\): the job does not wait"),
        ((9, None), r"start\(9\): no such job"),
        ((-1, None), r"start\(-1\): no such job"),
        ((1, "pol"), r"start\(1\): the job may not run on pool 'pol'; did you mean 'pool'"),
    ],
)
def test_own_scheduler_that_starts_what_it_cannot(scenario, pool, jobs_at, asked, message):
    def schedule(model):
        yield model.dispatcher.wake
        assert model.dispatcher.start(0)
        yield model.dispatcher.wake
        model.dispatcher.start(*asked)

    run = scenario({"pool": pool(devices=4)}, {"work": jobs_at(["pool"], JOBS)})
    with pytest.raises(ScenarioError, match=message):
        simulate(run, processes={"scheduler": schedule})


def test_own_scheduler_that_gates_jobs_by_the_hour(scenario, pool, jobs_at):
    def schedule(model):
        while True:
            yield model.clock.timeout(20.0)
            for job in list(model.dispatcher.waiting()):
                model.dispatcher.start(job)

    run = scenario({"pool": pool(devices=4)}, {"work": jobs_at(["pool"], JOBS)})
    result = simulate(run, processes={"scheduler": schedule})
    assert result.jobs["first_start_s"].tolist() == [20.0] * 4


def test_own_scheduler_sees_failures_and_repairs(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool(nodes=2)},
        {"work": jobs_at(["pool"], [(0.0, 20.0), (0.0, 40.0)])},
        outages=[{"pool": "pool", "start": "10 s", "duration": "15 s"}],
    )
    jobs = simulate(run, processes={"scheduler": by_key(lambda _, job: job)}).jobs
    assert jobs["start_s"].tolist() == [25.0, 0.0]
    assert jobs["end_s"].tolist() == [45.0, 40.0]


# ---------------------------------------------------------------- racks


def test_own_rack_controller_with_random_failures(scenario, pool):
    def fragile(model):
        random = model.random("rack:rack-0")
        while True:
            yield model.clock.timeout(float(random.exponential(20.0)))
            node = int(random.integers(3))
            model.take_down("pool", node)
            yield model.clock.timeout(float(random.exponential(5.0)))
            model.bring_up("pool", node)

    stream = {
        "arrivals": {"kind": "poisson", "rate": "2/s"},
        "service": {"distribution": "exponential", "mean": "1 s"},
        "runs_on": ["pool"],
    }
    run = scenario({"pool": pool(nodes=3)}, {"work": stream}, duration="1000 s")
    result = simulate(run, processes={"rack:rack-0": fragile})
    # down for 5 of every 25 s, one of three nodes: 14/15 of the node-seconds, loosely
    assert 0.9 < result.summary["pools"]["pool"]["availability"] < 0.97
    assert len(result.attempts) > 10
    assert result.jobs["lost_s"].sum() > 0.0
    # the same failures again, and others for another seed
    assert simulate(run, processes={"rack:rack-0": fragile}).attempts.equals(result.attempts)
    assert not simulate(run, seed=2, processes={"rack:rack-0": fragile}).attempts.equals(result.attempts)
    # and the arrivals are none of its business
    np.testing.assert_array_equal(result.jobs["arrival_s"], simulate(run).jobs["arrival_s"])


def test_own_rack_controller_replaces_the_outages_of_its_rack_alone(scenario, pool):
    def careful(model):
        yield model.clock.event()

    stream = {"arrivals": {"kind": "poisson", "rate": "1/s"}, "service": FIXED, "runs_on": ["pool"]}
    rack = {"site": "hall", "count": 2, "frame": "none", "psu": "none", "pools": {"pool": pool()}}
    outages = [{"pool": "pool", "node": node, "start": "10 s", "duration": "10 s"} for node in (0, 1)]
    run = scenario({}, {"work": stream}, racks={"rack": rack}, outages=outages)
    availability = {
        name: simulate(run, processes=dict.fromkeys(replaced, careful)).summary["pools"]["pool"]["availability"]
        for name, replaced in (("none", ()), ("one", ["rack:rack-0"]), ("both", ["rack:rack-0", "rack:rack-1"]))
    }
    assert availability == pytest.approx({"none": 0.9, "one": 0.95, "both": 1.0})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.take_down("pol", 0), "no pool 'pol'; did you mean 'pool'"),
        (lambda model: model.take_down("pool", 7), "found node 7 of pool 'pool', want 0 to 0"),
        (lambda model: model.take_down("pool", -1), "found node -1"),
        (lambda model: model.bring_up("pool", 0), "the node is not down"),
        (lambda model: model.rack_power_w("rack"), "no rack 'rack'; did you mean 'rack-0'"),
        (lambda model: model.site_power_w("hal"), "no site 'hal'; did you mean 'hall'"),
    ],
)
def test_asking_for_hardware_that_is_not_there(one, call, message):
    def ask(model):
        yield model.clock.timeout(1.0)
        call(model)

    with pytest.raises(ScenarioError, match=message):
        simulate(one(), processes={"ask": ask})


def test_a_process_can_read_the_power_of_racks_and_sites(scenario, pool, jobs_at):
    seen = []

    def watch(model):
        for _ in range(3):
            yield model.clock.timeout(2.0)
            seen.append((model.rack_power_w("rack-0"), model.site_power_w("hall"), len(model.cells_of("hall"))))

    run = scenario({"pool": pool(devices=2, idle="10 W", max="30 W")}, {"work": jobs_at(["pool"], [(0.0, 3.0)])})
    simulate(run, processes={"watch": watch})
    assert seen == [(40.0, 40.0, 1), (20.0, 20.0, 1), (20.0, 20.0, 1)]


# ---------------------------------------------------------------- meter and plant


def test_own_meter_reads_at_other_moments(scenario, pool, jobs_at):
    def read(model):
        for moment in (1.0, 5.0, 50.0):
            yield model.clock.timeout(moment - model.clock.now)
            model.meter.read()
            model.meter.read()  # twice at one moment is once

    run = scenario({"pool": pool(idle="10 W", max="30 W")}, {"work": jobs_at(["pool"], [(0.0, 3.0)])})
    result = simulate(run, processes={"meter": read})
    # 1 s at 30 W; 2 s at 30 W and 2 s at 10 W; then 10 W. The end of the run closes the last interval.
    assert result.racks["time_s"].tolist() == result.facility["time_s"].tolist() == [0.0, 1.0, 5.0, 50.0]
    assert result.racks["compute_w"].tolist() == pytest.approx([30.0, 20.0, 10.0, 10.0])
    assert result.racks["busy"].tolist() == pytest.approx([1.0, 0.5, 0.0, 0.0])
    assert result.summary["energy"] == simulate(run).summary["energy"]


def test_meter_tells_who_waits_for_it(scenario, pool, jobs_at):
    seen = []

    def listen(model):
        while True:
            seen.append((yield model.meter.tick))

    run = scenario({"pool": pool()}, {"work": jobs_at(["pool"], [(0.0, 1.0)])}, meter_interval="30 s")
    simulate(run, processes={"listen": listen})
    assert seen == [30.0, 60.0, 90.0]


def test_own_plant_cools_with_outside_air_at_night(scenario, pool):
    def cool(model):
        site = model.plants["hall"]
        yield model.clock.timeout(60.0)
        model.meter.read()
        site.book()
        site.chain = replace(site.chain, plant=ConstantPlant(pue=1.1, wue=0.0), carbon_g_per_kwh=100.0)

    run = scenario(
        {"pool": pool(idle="10 W", max="30 W")},
        {"work": {"arrivals": {"kind": "schedule", "times": ["1 h"]}, "service": FIXED, "runs_on": ["pool"]}},
        meter_interval="50 s",
        sites={
            "hall": {
                "ups": "none",
                "transformer": "none",
                "plant": {"kind": "constant", "pue": 1.5, "wue": "2 L/kWh"},
                "carbon_intensity": "400 g/kWh",
            }
        },
    )
    result = simulate(run, processes={"plant:hall": cool})
    # 10 W throughout: 60 s at PUE 1.5 and 40 s at 1.1
    facility = result.facility.set_index("time_s")
    assert facility["facility_w"].to_dict() == pytest.approx({0.0: 15.0, 50.0: 15.0, 60.0: 11.0})
    assert result.summary["energy"]["facility_kwh"] * 3.6e6 == pytest.approx(60 * 15.0 + 40 * 11.0)
    assert result.summary["water"]["withdrawn_l"] == pytest.approx(2.0 * 600.0 / 3.6e6)
    grams = (900.0 * 400.0 + 440.0 * 100.0) / 3.6e6
    assert result.summary["carbon"]["operational_kg"] * 1e3 == pytest.approx(grams)


def test_what_an_own_plant_tells_of_the_grid_is_known(scenario, pool, jobs_at):
    def grid(model):
        site = model.plants["hall"]
        site.chain = replace(site.chain, carbon_g_per_kwh=50.0, price_usd_per_kwh=0.2)
        yield model.clock.event()

    run = scenario({"pool": pool(idle="10 W", max="30 W")}, {"work": jobs_at(["pool"], [(0.0, 1.0)])})
    summary = simulate(run, processes={"plant:hall": grid}).summary
    assert summary["carbon"]["operational_kg"] == pytest.approx(0.05 * summary["energy"]["facility_kwh"])
    assert summary["cost"]["energy_usd"] == pytest.approx(0.2 * summary["energy"]["facility_kwh"])


# ---------------------------------------------------------------- what is no process


@pytest.mark.parametrize(
    ("name", "process", "message"),
    [
        ("scheduler", lambda _: None, "process 'scheduler': found NoneType, want a generator function"),
        ("mine", lambda _: [1, 2], "process 'mine': found list, want a generator function"),
        ("mine", 3, "process 'mine': found int, want a generator function"),
        ("stream:wrok", lambda _: None, "process 'stream:wrok': there is no such stream; did you mean 'stream:work'"),
        ("rack:rack-1", lambda _: None, "process 'rack:rack-1': there is no such rack; did you mean 'rack:rack-0'"),
        ("plant:Hall", lambda _: None, "process 'plant:Hall': there is no such plant; did you mean 'plant:hall'"),
    ],
)
def test_what_is_no_process(one, name, process, message):
    with pytest.raises(ScenarioError, match=message):
        simulate(one(), processes={name: process})


def test_a_new_name_adds_a_process(one):
    seen = []

    def watch(model):
        while True:
            yield model.clock.timeout(25.0)
            seen.append((model.clock.now, model.dispatcher.finished))

    with_watch = simulate(one(), processes={"mine:watch": watch})
    assert [moment for moment, _ in seen] == [25.0, 50.0, 75.0]
    assert [count for _, count in seen] == sorted(count for _, count in seen)
    # it only looked
    assert with_watch.jobs.equals(simulate(one()).jobs)


def test_what_a_process_raises_ends_the_run(one):
    def fails(model):
        yield model.clock.timeout(10.0)
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        simulate(one(), processes={"fails": fails})


def test_processes_may_wait_for_each_other_and_interrupt(one):
    seen = []

    def patient(model):
        try:
            yield model.clock.timeout(80.0)
        except simpy.Interrupt as interrupt:
            seen.append((model.clock.now, interrupt.cause))

    def impatient(model):
        yield model.clock.timeout(30.0)
        model.processes["patient"].interrupt("enough")
        yield model.processes["patient"]
        seen.append((model.clock.now, "over"))

    simulate(one(), processes={"patient": patient, "impatient": impatient})
    assert seen == [(30.0, "enough"), (30.0, "over")]
