"""Servers under jobs whose demand varies, against a plain loop, against each other and by hand."""

from __future__ import annotations

from array import array
from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.cluster.fragments import FragmentColumns, FragmentServer, Pieces, fair
from dcsim.cluster.ledger import Cell
from dcsim.cluster.servers import NoWatts, ProfileServer, SharedColumns, SharedServer, SharedUse

IDLE_W = 30.0


def linear(load):
    return 150.0 * min(load, 1.0)


def root(load):
    return 150.0 * sqrt(min(load, 1.0))


class Bench:
    """One server whose jobs are given as (arrival, [(seconds, demand), ...]) and hold `share` of it each."""

    def __init__(self, jobs, share=1.0, curve=linear):
        self.jobs = jobs
        self.cell = Cell(0, 0, IDLE_W)
        pieces = Pieces()
        for number, (_, profile) in enumerate(jobs):
            seconds, demand = np.array(profile).T
            pieces.extend(number, np.array([0, len(profile)]), seconds, {"cores": demand})
        self.curve_j = array("d", [0.0] * len(jobs))
        self.total_s = array("d", [sum(seconds for seconds, _ in profile) for _, profile in jobs])
        columns = FragmentColumns(
            self.total_s, array("H", [0] * len(jobs)), self.curve_j, pieces, pieces.demand["cores"]
        )
        uses = {0: SharedUse(share, share, None)}
        self.server = FragmentServer(0, 0, self.cell, columns, uses, curve, 1.0)

    def until(self, time_s, ends):
        """Do what is due up to `time_s`."""
        while self.server.next_event_s <= time_s:
            now = self.server.next_event_s
            job = self.server.advance(now, hand_over=False)
            if job >= 0:
                ends[job] = now

    def run(self):
        """Ends of all jobs."""
        ends = {}
        for number, (arrival_s, _) in sorted(enumerate(self.jobs), key=lambda each: each[1][0]):
            self.until(arrival_s, ends)
            self.server.admit(arrival_s, number)
        self.until(1e18, ends)
        return ends


def reference(jobs, share, curve):
    """Ends and energy above idle of the same by a plain loop over every change: no heap, no books, nothing kept."""
    left = {number: [list(piece) for piece in profile] for number, (_, profile) in enumerate(jobs)}
    now, energy_j, ends = 0.0, 0.0, {}
    while len(ends) < len(jobs):
        here = [number for number in left if jobs[number][0] <= now and number not in ends]
        wants = [left[number][0][1] * share for number in here]
        cap = inf
        if sum(wants) > 1.0:  # the level that all who want more get, found by halving
            low, high = 0.0, 1.0
            for _ in range(200):
                cap = (low + high) / 2
                low, high = (cap, high) if sum(min(want, cap) for want in wants) < 1.0 else (low, cap)
        paces = [min(1.0, cap / want) if want > 0.0 else 1.0 for want in wants]
        coming = [arrival for arrival, _ in jobs if arrival > now]
        spans = [left[number][0][0] / pace for number, pace in zip(here, paces, strict=True)]
        span = min([arrival - now for arrival in coming] + spans)
        load = sum(min(want, cap) for want in wants)
        energy_j += (curve(load) if load > 0.0 else 0.0) * span
        now += span
        for number, pace, alone in zip(here, paces, spans, strict=True):
            left[number][0][0] -= span * pace
            if alone == span or left[number][0][0] < 1e-9:
                left[number].pop(0)
            if not left[number]:
                ends[number] = now
    return ends, energy_j


profiles = st.lists(
    st.tuples(st.integers(1, 40).map(float), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 1.0, 1.5, 3.0])),
    min_size=1,
    max_size=5,
)
jobs_of = st.lists(st.tuples(st.integers(0, 60).map(float), profiles), min_size=1, max_size=6)


@given(jobs_of, st.sampled_from([1.0, 0.5, 0.25, 1 / 6]), st.sampled_from([linear, root]))
@settings(max_examples=200, deadline=None)
def test_ends_and_energy_are_those_of_a_plain_loop(jobs, share, curve):
    bench = Bench(jobs, share, curve)
    ends = bench.run()
    wanted, energy_j = reference(jobs, share, curve)
    assert ends == pytest.approx(wanted, abs=1e-6)
    last_s = max(ends.values())
    assert bench.cell.energy_at(last_s) - IDLE_W * last_s == pytest.approx(energy_j, rel=1e-9, abs=1e-6)
    assert sum(bench.curve_j) == pytest.approx(energy_j, rel=1e-9, abs=1e-6)  # every joule is some job's
    assert bench.cell.power_w == IDLE_W
    assert bench.server.jobs() == []


@given(jobs_of, st.sampled_from([0.5, 0.25]))
@settings(max_examples=100, deadline=None)
def test_the_work_of_every_piece_is_done_in_full(jobs, share):
    """With a linear curve energy is work: the same whether jobs crowd each other or not."""
    bench = Bench(jobs, share)
    bench.run()
    for booked_j, (_, profile) in zip(bench.curve_j, jobs, strict=True):
        assert booked_j == pytest.approx(150.0 * share * sum(seconds * demand for seconds, demand in profile), rel=1e-9)


@given(
    st.lists(st.tuples(st.floats(0.0, 50.0), st.floats(0.1, 50.0)), min_size=1, max_size=4),
    st.sampled_from([0.5, 1.0, 2.0]),
)
@settings(max_examples=60, deadline=None)
def test_constant_demand_is_what_the_other_servers_do(jobs, speed):
    """A job of one piece, a job without pieces and a job on a SharedServer are the same."""
    ordered = sorted(jobs)
    bench = Bench([(arrival_s, [(run_s, 1.0)]) for arrival_s, run_s in ordered], share=0.25)
    bare = Bench([(arrival_s, [(run_s, 1.0)]) for arrival_s, run_s in ordered], share=0.25)
    bare.server._pieces = Pieces()
    cell, curve_j = Cell(0, 0, IDLE_W), array("d", [0.0] * len(jobs))
    seconds = array("d", [run_s for _, run_s in ordered])
    columns = SharedColumns(seconds, NoWatts(), array("H", [0] * len(jobs)), curve_j)
    shared = SharedServer(0, 0, cell, columns, {0: SharedUse(0.25, 0.25, linear)}, 1.0)
    cells = {}
    for name, server, its_cell in (
        ("pieces", bench.server, bench.cell),
        ("bare", bare.server, bare.cell),
        ("shared", shared, cell),
    ):
        ends = {}
        for job, (arrival_s, _) in enumerate(ordered):
            while server.next_event_s <= arrival_s:
                now = server.next_event_s
                ends[server.advance(now, False)] = now
            server.admit(arrival_s, job)
        middle_s = ordered[-1][0]
        server.set_speed(middle_s, speed)
        left = [server.left(middle_s, job) for job in server.jobs()]
        while server.next_event_s < inf:
            now = server.next_event_s
            ends[server.advance(now, False)] = now
        cells[name] = (ends, left, its_cell.energy_at(500.0), its_cell.busy_at(500.0))
    for name in ("bare", "shared"):
        for found, wanted in zip(cells[name], cells["pieces"], strict=True):
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert list(curve_j) == pytest.approx(list(bench.curve_j), rel=1e-9)


def test_a_device_of_its_own_is_a_profile_server():
    bench = Bench([(1.0, [(10.0, 1.0)])])
    cell = Cell(0, 0, IDLE_W)
    alone = ProfileServer(0, 0, cell, array("d", [10.0]), array("d", [150.0]))
    for server in (bench.server, alone):
        server.admit(1.0, 0)
        assert (server.next_event_s, server.power_w) == (11.0, 150.0)
        assert server.room() < 1e-6
        assert server.advance(11.0, False) == 0
    assert bench.cell.energy_at(20.0) == cell.energy_at(20.0)
    assert bench.cell.busy_at(20.0) == cell.busy_at(20.0) == 10.0


def test_two_jobs_that_ask_for_too_much_share_evenly():
    # 0.9 and 0.3 of one server: 0.7 and 0.3; the first piece of the first takes 90 / 0.7 s at that rate
    bench = Bench([(0.0, [(70.0, 0.9)]), (0.0, [(1000.0, 0.3)])])
    bench.server.admit(0.0, 0)
    bench.server.admit(0.0, 1)
    assert bench.server.activity == 1.0
    assert bench.server.next_event_s == pytest.approx(90.0)  # 70 x 0.9 = 63 of work at 0.7
    assert bench.server.left(45.0, 0) == pytest.approx(35.0)
    assert bench.server.advance(bench.server.next_event_s, False) == 0
    assert bench.server.activity == pytest.approx(0.3)
    assert bench.server.next_event_s == pytest.approx(1000.0)


def test_a_job_that_is_taken_out_frees_the_others_and_begins_anew():
    bench = Bench([(0.0, [(10.0, 0.5), (20.0, 1.0)]), (0.0, [(100.0, 1.0)])], share=0.5)
    bench.server.admit(0.0, 0)
    bench.server.admit(0.0, 1)
    assert bench.server.advance(10.0, False) == -1
    assert bench.server.evict(15.0, 0) == pytest.approx(15.0)
    assert bench.server.jobs() == [1]
    assert bench.server.power_w == pytest.approx(75.0)
    bench.server.admit(20.0, 0)
    assert bench.server.power_w == pytest.approx(112.5)  # the first piece again: a quarter of the server
    assert bench.server.next_event_s == 30.0
    assert bench.curve_j[0] == pytest.approx(10.0 * 37.5 + 5.0 * 75.0)


def test_charging_in_the_middle_books_what_has_been_drawn():
    bench = Bench([(0.0, [(10.0, 0.2), (10.0, 0.4)])])
    bench.server.admit(0.0, 0)
    bench.server.advance(10.0, False)
    bench.server.charge(15.0)
    assert bench.curve_j[0] == pytest.approx(150.0 * (0.2 * 10.0 + 0.4 * 5.0))
    assert bench.server.advance(20.0, False) == 0
    assert bench.curve_j[0] == pytest.approx(150.0 * (0.2 * 10.0 + 0.4 * 10.0))


def test_at_half_speed_everything_takes_twice_as_long_at_half_the_power():
    bench = Bench([(0.0, [(10.0, 0.5), (10.0, 1.0)])])
    bench.server.set_speed(0.0, 0.5)
    ends = bench.run()
    assert ends == {0: 40.0}
    assert bench.cell.energy_at(40.0) - 40.0 * IDLE_W == pytest.approx(0.5 * (20.0 * 75.0 + 20.0 * 150.0))


def test_a_host_without_a_curve_draws_nothing():
    bench = Bench([(0.0, [(10.0, 0.5)])], curve=None)
    assert bench.run() == {0: 10.0}
    assert bench.cell.energy_at(10.0) == 10.0 * IDLE_W


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=8).filter(lambda wants: sum(wants) > 1.0))
def test_fair_parts(wants):
    parts = fair(wants)
    assert sum(parts) == pytest.approx(1.0)
    level = max(parts)
    assert all(part == pytest.approx(min(want, level)) for part, want in zip(parts, wants, strict=True))
