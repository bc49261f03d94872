"""Bit for bit: `simulate` against the same model in plain SimPy, with a process per job.

The reference uses nothing of dcsim. Its rules are those of the documentation: first come, first served; what an outage
cuts short starts again from zero, queued by its arrival; at one instant completions, then arrivals, then outages. A
rack's power is piecewise constant: a step is booked as power times time whenever it changes, a device that goes from
one job to the next at one instant changes it by the difference of their powers, and a rack that goes idle is back at
its idle power exactly.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from math import nan

import numpy as np
import pytest
import simpy

from dcsim.scenario.models import Scenario
from dcsim.sim import simulate

COMPLETION, ARRIVAL, OUTAGE = 2, 3, 4  # priorities of SimPy events; 0 and 1 are SimPy's own


@dataclass
class Job:
    number: int
    arrival_s: float
    seconds: float
    count: int
    """devices that it holds"""
    watts: float
    """on each of them, above idle"""
    devices: list[Device] = field(default_factory=list)
    first_start_s: float = nan
    start_s: float = nan
    end_s: float = nan
    device: int = -1
    lost_s: list[float] = field(default_factory=list)
    """work of each attempt that an outage destroyed"""
    granted: simpy.Event | None = None
    process: simpy.Process | None = None

    def energy_j(self, until_s: float) -> float:
        """Watts of all its devices times the work it has had; lost attempts are added in turn."""
        all_w = self.watts * self.count
        worked_s = 0.0
        if self.start_s == self.start_s:
            worked_s = self.seconds if self.end_s == self.end_s else min(until_s - self.start_s, self.seconds)
        joules = all_w * worked_s
        for seconds in self.lost_s:
            joules += all_w * seconds
        return joules


@dataclass
class Rack:
    idle_w: float
    power_w: float = 0.0
    energy_j: float = 0.0
    since_s: float = 0.0
    busy: int = 0

    def change(self, now: float, watts: float, busy: int) -> None:
        self.energy_j += self.power_w * (now - self.since_s)
        self.since_s = now
        self.busy += busy
        self.power_w = self.power_w + watts if self.busy else self.idle_w


@dataclass(eq=False)
class Device:
    number: int
    node: int
    rack: Rack
    job: Job | None = None


class Reference:
    """Racks of equal nodes, one queue, a process per job."""

    def __init__(self, racks: int, nodes: int, devices: int, idle_w: float, rule: str, jobs: list[Job]) -> None:
        self.env = simpy.Environment()
        self.rule = rule
        self.racks = [Rack(idle_w * nodes, idle_w * nodes) for _ in range(racks)]
        self.nodes: list[list[Device]] = []
        for number in range(racks * nodes):
            first = number * devices
            rack = self.racks[number // nodes]
            self.nodes.append([Device(first + place, number, rack) for place in range(devices)])
        self.free = deque(device for node in self.nodes for device in node)  # longest free first
        self.down: set[int] = set()
        self.queue: list[tuple[float, int, Job]] = []
        for job in jobs:
            job.process = self.env.process(self.job(job))

    def after(self, delay_s: float, priority: int) -> simpy.Event:
        event = simpy.Event(self.env)
        event._ok, event._value = True, None
        self.env.schedule(event, priority=priority, delay=delay_s)
        return event

    def run(self, until_s: float) -> list[float]:
        """Energies of the racks, J."""
        self.env.run(until=until_s)
        return [rack.energy_j + rack.power_w * (until_s - rack.since_s) for rack in self.racks]

    # ------------------------------------------------------------ processes

    def job(self, job: Job):
        env = self.env
        yield self.after(job.arrival_s, ARRIVAL)
        self.enqueue(job)
        self.serve()
        while True:
            yield job.granted
            job.start_s = env.now
            if job.first_start_s != job.first_start_s:
                job.first_start_s = env.now
            try:
                yield self.after(job.seconds, COMPLETION)
            except simpy.Interrupt:
                job.lost_s.append(job.seconds - (job.start_s + job.seconds - env.now))
                job.start_s = nan
            else:
                job.end_s = env.now
                self.finish(job)
                return

    def outage(self, node: int, start_s: float, duration_s: float):
        yield self.after(start_s, OUTAGE)
        for device in self.nodes[node]:
            if device.job is not None:
                job = device.job
                job.process.interrupt()
                self.let_go(job)
                self.enqueue(job)
        self.down.add(node)
        self.free = deque(device for device in self.free if device.node != node)
        self.serve()
        yield self.after(duration_s, OUTAGE)
        self.down.remove(node)
        self.free.extend(self.nodes[node])
        self.serve()

    # ------------------------------------------------------------ queue and devices

    def enqueue(self, job: Job) -> None:
        job.granted = self.env.event()
        insort(self.queue, (job.arrival_s, job.number, job))

    def serve(self) -> None:
        while self.queue and self.queue[0][2].count <= len(self.free):
            job = self.queue.pop(0)[2]
            for _ in range(job.count):
                device = self.choose()
                self.free.remove(device)
                device.rack.change(self.env.now, job.watts, +1)
                self.grant(job, device)
            job.granted.succeed()

    def grant(self, job: Job, device: Device) -> None:
        device.job = job
        job.devices.append(device)
        job.device = job.devices[0].number

    def choose(self) -> Device:
        if self.rule == "round-robin":
            return self.free[0]
        if self.rule == "first-fit":
            return min(self.free, key=lambda device: device.number)
        free = [device.node for device in self.free]
        return min(self.free, key=lambda device: (-free.count(device.node), device.number))

    def finish(self, job: Job) -> None:
        successor = self.queue[0][2] if self.queue else None
        if job.count == 1 and successor and successor.count == 1:
            self.queue.pop(0)
            (device,) = job.devices
            job.devices = []
            if successor.watts != job.watts:
                device.rack.change(self.env.now, successor.watts - job.watts, 0)
            self.grant(successor, device)
            successor.granted.succeed()
        else:
            self.let_go(job)
            self.serve()

    def let_go(self, job: Job) -> None:
        for device in job.devices:
            device.rack.change(self.env.now, -job.watts, -1)
            device.job = None
        self.free.extend(job.devices)
        job.devices = []


# ---------------------------------------------------------------- the same in dcsim

RACKS, NODES = 3, 4
IDLE_W, MAX_W, HOST_W = 61.7, 712.3, 131.9
UTILISATION = {"a": 1.0, "b": 0.37}


@dataclass
class Case:
    devices: int
    """of a node"""
    rule: str
    duration_s: float
    jobs: dict[str, list[tuple[float, float, int]]]
    """stream -> (arrival, service, devices) of each job"""
    outages: list[tuple[int, float, float]]

    def reference(self):
        jobs = []
        for stream, rows in self.jobs.items():
            watts = (MAX_W - IDLE_W) * UTILISATION[stream]
            jobs += [Job(len(jobs) + at, *row, watts * row[2] / row[2]) for at, row in enumerate(rows)]
        idle_w = IDLE_W * self.devices + 0.0 + HOST_W
        model = Reference(RACKS, NODES, self.devices, idle_w, self.rule, jobs)
        for outage in self.outages:
            model.env.process(model.outage(*outage))
        return jobs, model.run(self.duration_s)

    def scenario(self, folder) -> Scenario:
        device = {"count": self.devices, "power": {"idle": f"{IDLE_W} W", "max": f"{MAX_W} W"}}
        host = {"idle": f"{HOST_W} W", "max": f"{2 * HOST_W} W"}
        streams = {}
        for name, rows in self.jobs.items():
            path = folder / f"{name}.csv"
            lines = [f"{arrival!r},{seconds!r},{count}" for arrival, seconds, count in rows]
            gang = any(count > 1 for _, _, count in rows)
            if not gang:
                lines = [line.rpartition(",")[0] for line in lines]
            path.write_text("\n".join(["submit_s,run_s" + ",processors" * gang, *lines]) + "\n", encoding="utf-8")
            streams[name] = {
                "arrivals": {"kind": "trace", "path": str(path), "format": "csv"},
                "runs_on": ["pool"],
                "service": {"distribution": "trace", "utilisation": UTILISATION[name]},
            }
        return Scenario.model_validate(
            {
                "name": "equality",
                "duration": f"{self.duration_s!r} s",
                "meter_interval": f"{self.duration_s!r} s",
                "sites": {"site": {"ups": "none", "transformer": "none"}},
                "racks": {
                    "rack": {
                        "site": "site",
                        "count": RACKS,
                        "frame": "none",
                        "psu": "none",
                        "pools": {"pool": {"nodes": NODES, "node": {"devices": {"gpu": device}, "host": host}}},
                    }
                },
                "streams": streams,
                "scheduling": {"placement": self.rule},
                "outages": [
                    {"pool": "pool", "node": node, "start": f"{start!r} s", "duration": f"{duration!r} s"}
                    for node, start, duration in self.outages
                ],
            }
        )

    def check(self, folder) -> tuple[int, int]:
        """Run both and compare everything; returns how many jobs were done and how many attempts lost."""
        models = []

        def probe(model):
            models.append(model)
            yield model.clock.event()

        result = simulate(self.scenario(folder), processes={"probe": probe})
        jobs, energy_j = self.reference()
        jobs = [job for job in jobs if job.arrival_s < self.duration_s]
        table, until_s = result.jobs, self.duration_s
        device = np.array(models[0].table.device)[table["job"]]

        def column(values):
            return np.array(list(values), dtype=float)

        started = ~np.isnan(table["first_start_s"].to_numpy())
        assert np.array_equal(table["arrival_s"], column(job.arrival_s for job in jobs))
        for name in ("first_start_s", "start_s", "end_s"):
            assert np.array_equal(table[name], column(getattr(job, name) for job in jobs), equal_nan=True), name
        assert np.array_equal(device[started], column(job.device for job in jobs)[started])
        assert np.array_equal(table["lost_s"], column(sum(reversed(job.lost_s), 0.0) for job in jobs))
        for boundary in ("chip", "board", "node"):
            spent_j = table[f"energy_{boundary}_marginal_j"]
            assert np.array_equal(spent_j, column(job.energy_j(until_s) for job in jobs)), boundary
        assert models[0].meter.energy_j().tolist() == energy_j
        assert result.racks["compute_w"].tolist() == [joules / until_s for joules in energy_j]
        return int((~np.isnan(table["end_s"])).sum()), int(sum(len(job.lost_s) for job in jobs))


def poisson(random, count, rate, mean_s, most):
    """Jobs with exponential gaps and services, on 1 to `most` devices."""
    arrival_s = np.cumsum(random.exponential(1.0 / rate, count))
    seconds = random.exponential(mean_s, count)
    devices = random.integers(1, most + 1, count)
    return list(zip(arrival_s.tolist(), seconds.tolist(), devices.tolist(), strict=True))


def outages(random, count, duration_s):
    """Nodes that fail, at moments that are no round numbers, each at most once."""
    nodes = random.permutation(RACKS * NODES)[:count].tolist()
    starts = random.uniform(0.05, 0.8, count) * duration_s
    return list(zip(nodes, starts.tolist(), (random.uniform(0.01, 0.15, count) * duration_s).tolist(), strict=True))


def random_case(seed, rule, devices, count, load, most=1):
    random = np.random.default_rng([seed, devices, most])
    all_devices = RACKS * NODES * devices
    rate = load * all_devices / (7.0 * (1 + most) / 2)
    jobs = {name: poisson(random, count, rate / 2, 7.0, most) for name in ("a", "b")}
    duration_s = 0.97 * min(rows[-1][0] for rows in jobs.values())
    return Case(devices, rule, duration_s, jobs, outages(random, 8, duration_s))


RULES = ["first-fit", "round-robin", "least-loaded"]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("seed", "devices", "load"), [(1, 1, 0.9), (2, 2, 0.5), (3, 4, 0.95), (4, 3, 1.1), (5, 2, 0.8)]
)
def test_single_devices(tmp_path, rule, seed, devices, load):
    done, lost = random_case(seed, rule, devices, 400, load).check(tmp_path)
    assert done > 500
    assert lost >= 4


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_gangs(tmp_path, rule, seed):
    """Jobs of 1 to 4 devices, which wait for the first in the queue; an outage of one node takes the whole job."""
    done, lost = random_case(seed, rule, 2, 250, 0.75, most=4).check(tmp_path)
    assert done > 250
    assert lost >= 4


@pytest.mark.parametrize("rule", RULES)
def test_everything_at_whole_seconds(tmp_path, rule):
    """Many arrivals and completions at one instant."""
    random = np.random.default_rng(8)
    jobs = {}
    for name in ("a", "b"):
        arrival_s = np.sort(random.integers(0, 200, 350)).astype(float)
        seconds = random.integers(1, 13, 350).astype(float)
        jobs[name] = [(*row, 1) for row in zip(arrival_s.tolist(), seconds.tolist(), strict=True)]
    done, lost = Case(2, rule, 190.0, jobs, []).check(tmp_path)
    assert done > 500
    assert lost == 0


def test_overload_and_a_rack_that_is_all_down(tmp_path):
    """A backlog that never ends, while every node of a rack fails in turn and then all of it."""
    case = random_case(9, "first-fit", 2, 300, 1.6)
    third = case.duration_s / 3
    case.outages = [(node, 1.5 + node / 7, 5.25) for node in range(NODES)]
    case.outages += [(node, third + 0.1, third) for node in range(NODES)]
    done, lost = case.check(tmp_path)
    assert done > 150
    assert lost >= 12
