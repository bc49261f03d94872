"""Whole runs with demand that varies inside jobs, and with a grid whose carbon intensity varies over the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dcsim.errors import PlacementError, ScenarioError
from dcsim.sim import simulate

JOULES_PER_KWH = 3.6e6


@pytest.fixture
def tasks(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Builder of streams of tasks (submission s, cores, MiB, [(s, share of its cores, share of its device), ...])."""
    made: list[Path] = []

    def stream(jobs: list[tuple[float, int, int, list[tuple[float, ...]]]], **keys: Any) -> dict[str, Any]:
        folder = tmp_path / f"tasks-{len(made)}"
        made.append(folder)
        folder.mkdir()
        rows = [(job, *piece, 0.0)[:4] for job, (_, _, _, pieces) in enumerate(jobs) for piece in pieces]
        number, seconds, cores, devices = np.array(rows, np.float64).T
        held = np.array([job[1] for job in jobs], np.float64)
        table = {
            "id": range(len(jobs)),
            "submission_time": [int(1000 * job[0]) for job in jobs],
            "cpu_count": [job[1] for job in jobs],
            "cpu_capacity": 1000.0 * held,
            "mem_capacity": [job[2] for job in jobs],
            "gpu_capacity": [500.0] * len(jobs),
        }
        pq.write_table(pa.table(table), folder / "tasks.parquet")
        pieces = {"id": number.astype(int), "duration": 1000.0 * seconds}
        pieces |= {"cpu_usage": 1000.0 * held[number.astype(int)] * cores, "gpu_usage": 500.0 * devices}
        pq.write_table(pa.table(pieces), folder / "fragments.parquet")
        arrivals = {"kind": "trace", "format": "opendc", "path": str(folder / "tasks.parquet")}
        needs = {"devices": 0, "cores": 1}
        return {"arrivals": arrivals, "runs_on": ["pool"], "service": {"distribution": "trace"}, "needs": needs} | keys

    return stream


def hosts(nodes: int = 1, cores: int = 4, **node: Any) -> dict[str, Any]:
    return {"nodes": nodes, "node": {"cores": cores, "host": {"idle": "100 W", "max": "200 W"}} | node}


def joules(result: Any) -> float:
    return float(result.summary["energy"]["compute_kwh"]) * JOULES_PER_KWH


def test_a_host_follows_the_sum_of_its_jobs(scenario, tasks):
    # 2 of 4 cores: 10 s at 1/2, 10 s at 1; from 5 s on 1 of 4 cores for 10 s at 1: loads 1/4, 1/2, 3/4, 1/2
    stream = tasks([(0, 2, 0, [(10, 0.5), (10, 1.0)]), (5, 1, 0, [(10, 1.0)])])
    result = simulate(scenario({"pool": hosts()}, {"work": stream}))
    assert joules(result) == pytest.approx(100.0 * 100 + 100 * (5 * 0.25 + 5 * 0.5 + 5 * 0.75 + 5 * 0.5))
    assert result.jobs["energy_node_marginal_j"].tolist() == pytest.approx([750.0, 250.0])
    assert result.jobs["busy_s"].tolist() == [10.0, 2.5]  # the cores that they hold, of a host each
    assert result.summary["trust"]["energy_ledger_error"] < 1e-12


def test_every_task_holds_its_own_cores_and_memory(scenario, tasks):
    # 3 + 1 cores fit on one host, the next 2 do not; 6 MiB on the second host leave no room for 5 more
    jobs = [(0, 3, 1, [(10, 1.0)]), (0, 1, 1, [(10, 1.0)]), (0, 2, 6, [(10, 1.0)]), (0, 1, 5, [(10, 1.0)])]
    stream = tasks(jobs, needs={"devices": 0, "cores": 1, "memory": "1 MiB"})
    result = simulate(scenario({"pool": hosts(nodes=2, memory="8 MiB")}, {"work": stream}))
    assert result.jobs["start_s"].tolist() == [0.0, 0.0, 0.0, 10.0]
    bare = stream | {"needs": {"devices": 0, "cores": 1}}
    without = simulate(scenario({"pool": hosts(nodes=2, memory="8 MiB")}, {"work": bare}))
    assert without.jobs["start_s"].tolist() == [0.0] * 4  # memory that no job holds is not asked for


def test_a_task_that_fits_nowhere_is_refused(scenario, tasks):
    with pytest.raises(PlacementError, match=r"streams.work: a job needs 8 cores.* of 4 cores"):
        simulate(scenario({"pool": hosts()}, {"work": tasks([(0, 8, 0, [(10, 1.0)])])}))


def test_too_many_sorts_of_tasks_are_refused(scenario, tasks, monkeypatch):
    monkeypatch.setattr("dcsim.sim.fleet.MAX_CLASSES", 2)
    stream = tasks([(0, cores, 0, [(1, 1.0)]) for cores in (1, 2, 3)])
    with pytest.raises(PlacementError, match="more than 2 sorts of jobs"):
        simulate(scenario({"pool": hosts()}, {"work": stream}))


def test_after_an_outage_a_task_begins_anew(scenario, tasks):
    stream = tasks([(0, 4, 0, [(10, 1.0), (10, 0.5)])])
    down = [{"pool": "pool", "start": "15 s", "duration": "5 s"}]
    result = simulate(scenario({"pool": hosts()}, {"work": stream}, outages=down))
    job = result.jobs.iloc[0]
    assert (job["start_s"], job["end_s"], job["lost_s"]) == (20.0, 40.0, 15.0)
    assert joules(result) == pytest.approx(10_000 + 1000 + 250 + 1000 + 500)
    assert job["energy_node_marginal_j"] == pytest.approx(2750.0)


def test_a_run_that_ends_inside_a_task_books_what_it_has_drawn(scenario, tasks):
    stream = tasks([(0, 4, 0, [(10, 1.0), (100, 0.5)])])
    result = simulate(scenario({"pool": hosts()}, {"work": stream}, duration="30 s"))
    assert result.jobs["energy_node_marginal_j"].tolist() == pytest.approx([2000.0])
    assert result.summary["jobs"]["running"] == 1


def test_demand_above_what_is_held_takes_longer_when_there_is_no_more(scenario, tasks):
    # alone, 2 of 4 cores may use 3; when the other asks for its 2 as well, each gets 2, and 5 s of 3 take 7.5 s
    stream = tasks([(0, 2, 0, [(10, 1.5)]), (5, 2, 0, [(10, 1.0)])])
    result = simulate(scenario({"pool": hosts()}, {"work": stream}))
    assert result.jobs["end_s"].tolist() == pytest.approx([12.5, 15.0])
    assert joules(result) == pytest.approx(10_000 + 100 * (5 * 0.75 + 7.5 * 1.0 + 2.5 * 0.5))


def test_a_device_and_its_host_each_follow_their_own_demand(scenario, tasks):
    devices = {"device": {"power": {"idle": "10 W", "max": "50 W", "shape": "sqrt"}}}
    stream = tasks([(0, 2, 0, [(10, 1.0, 0.25), (10, 0.0, 1.0)])], needs={"devices": 1, "cores": 2})
    result = simulate(scenario({"pool": hosts(devices=devices)}, {"work": stream}))
    assert result.jobs["end_s"].tolist() == [20.0]
    assert result.jobs["energy_chip_marginal_j"].tolist() == pytest.approx([40 * (10 * 0.5 + 10 * 1.0)])
    assert joules(result) == pytest.approx(110 * 100 + 600 + 100 * 10 * 0.5)
    assert result.summary["pools"]["pool"]["utilisation"] == pytest.approx(0.2)


def test_other_jobs_on_the_same_devices_draw_what_they_always_did(scenario, pool, tasks, jobs_at):
    steady = jobs_at(["pool"], [(50.0, 20.0)], service={"utilisation": 0.5})
    alone = simulate(scenario({"pool": pool(idle="10 W")}, {"steady": steady}))
    varying = tasks([(0, 1, 0, [(10, 0.0, 0.5), (10, 0.0, 1.0)])], needs={"devices": 1})
    both = simulate(scenario({"pool": pool(idle="10 W")}, {"steady": steady, "varying": varying}))
    assert both.jobs["energy_chip_marginal_j"].tolist() == pytest.approx([20 * 45.0, 10 * 45 + 10 * 90])
    assert joules(both) - joules(alone) == pytest.approx(1350.0)


def test_run_times_that_are_given_replace_the_tasks_own(scenario, tasks):
    stream = tasks([(0, 4, 0, [(10, 0.1), (10, 0.2)])], service={"distribution": "fixed", "mean": "7 s"})
    result = simulate(scenario({"pool": hosts()}, {"work": stream}))
    assert result.jobs["end_s"].tolist() == [7.0]
    assert joules(result) == pytest.approx(10_000 + 700)


def test_the_same_run_twice_gives_the_same_bytes(scenario, tasks):
    jobs = [(k % 7, 1 + k % 3, 0, [(1 + k % 4, 0.3), (3, 0.9)]) for k in range(40)]
    run = scenario({"pool": hosts(nodes=3)}, {"work": tasks(jobs)})
    first, second = (simulate(run) for _ in range(2))
    assert first.jobs.equals(second.jobs)
    assert first.racks.equals(second.racks)


# ---------------------------------------------------------------- carbon over time


def grid(path: Path, *values: float, first: str = "2022-01-01T00:00Z", step_s: int = 3600) -> str:
    moments = np.datetime64(first.removesuffix("Z"), "s") + step_s * np.arange(len(values))
    path.write_text("utc,g\n" + "".join(f"{moment}Z,{value}\n" for moment, value in zip(moments, values, strict=True)))
    return str(path)


@pytest.fixture
def carbon_run(scenario, pool, jobs_at) -> Callable[..., Any]:
    """100 W, and 200 W from 2,000 s to 6,000 s."""

    def run(signal: dict[str, Any], **keys: Any) -> Any:
        site = {"ups": "none", "transformer": "none", "plant": {"pue": 1.0}, "carbon_intensity": signal}
        streams = {"work": jobs_at(["pool"], [(2000.0, 4000.0)])}
        settings = {"duration": "7200 s", "meter_interval": "1000 s", "start": "2022-01-01T01:00+01:00"} | keys
        return scenario({"pool": pool(idle="100 W", max="200 W")}, streams, sites={"hall": site}, **settings)

    return run


def test_carbon_is_the_integral_of_power_times_intensity(carbon_run, tmp_path):
    result = simulate(carbon_run({"path": grid(tmp_path / "grid.csv", 100.0, 300.0)}))
    first_j, second_j = 3600 * 100 + 1600 * 100, 3600 * 100 + 2400 * 100
    wanted_g = (first_j * 100 + second_j * 300) / JOULES_PER_KWH
    assert result.summary["carbon"]["operational_kg"] * 1000 == pytest.approx(wanted_g, rel=1e-12)
    assert result.summary["sites"]["hall"]["carbon"]["operational_kg"] * 1000 == pytest.approx(wanted_g, rel=1e-12)
    # rows are cut where the intensity changes, and nowhere else
    assert result.facility["time_s"].tolist() == [0, 1000, 2000, 3000, 3600, 4000, 5000, 6000, 7000]
    assert result.facility["carbon_g"].sum() == pytest.approx(wanted_g)


def test_a_constant_series_is_the_figure(carbon_run, tmp_path):
    series = simulate(carbon_run({"path": grid(tmp_path / "grid.csv", 250.0, 250.0, 250.0)}))
    figure = simulate(carbon_run("250 g/kWh"))
    assert series.summary["carbon"] == figure.summary["carbon"]
    assert series.facility.equals(figure.facility)


@pytest.mark.parametrize(
    ("start", "values", "says"),
    [
        (
            "2022-01-01T00:30Z",
            (1.0, 2.0),
            "reaches from 2022-01-01T00:00:00Z to 2022-01-01T02:00:00Z, but",
        ),
        ("2021-12-31", (1.0, 2.0, 3.0), "but the run lasts from 2021-12-31T00:00:00Z to 2021-12-31T02:00:00Z"),
    ],
)
def test_a_series_must_cover_the_run(carbon_run, tmp_path, start, values, says):
    with pytest.raises(ScenarioError, match=says):
        simulate(carbon_run({"path": grid(tmp_path / "grid.csv", *values)}, start=start))


def test_a_run_that_outlasts_its_series_says_so(carbon_run, tmp_path):
    run = carbon_run({"path": grid(tmp_path / "grid.csv", 100.0, 300.0)}, duration="3000 s", drain=True)
    assert simulate(run).summary["trust"]["warnings"] == []
    run = carbon_run({"path": grid(tmp_path / "grid.csv", 100.0, 300.0, step_s=1800)}, duration="3000 s", drain=True)
    result = simulate(run)
    assert any("outlasts its carbon intensity" in text for text in result.summary["trust"]["warnings"])
    assert result.facility["carbon_g"].iloc[-1] == pytest.approx(200.0 * 1000 / JOULES_PER_KWH * 300.0)


def test_a_series_without_a_start_is_refused(carbon_run, tmp_path):
    with pytest.raises(ScenarioError, match=r"sites.hall.carbon_intensity: .* want the key 'start'"):
        carbon_run({"path": grid(tmp_path / "grid.csv", 1.0, 2.0)}, start=None)


@pytest.mark.parametrize(
    ("signal", "says"),
    [
        ({"path": "/nowhere.csv"}, "sites.hall.carbon_intensity.path: no file"),
        ({"path": 3}, "sites.hall.carbon_intensity.path: found '3', want a text"),
        ({"file": "x.csv"}, "sites.hall.carbon_intensity.file: unknown key 'file'"),
        ({"path": "x.csv", "gaps": "fill"}, "sites.hall.carbon_intensity.gaps: found 'fill'"),
        ("many", "sites.hall.carbon_intensity: found 'many'"),
    ],
)
def test_a_signal_that_is_none(carbon_run, signal, says):
    with pytest.raises(ScenarioError) as error:
        carbon_run(signal)
    assert says in str(error.value)
