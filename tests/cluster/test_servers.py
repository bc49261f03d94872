"""Devices over time: one job at a time, and several beside each other on a power curve."""

from __future__ import annotations

from array import array
from math import inf, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.cluster.ledger import Cell
from dcsim.cluster.servers import NoWatts, ProfileServer, SharedColumns, SharedServer, SharedUse

SECONDS = array("d", [10.0, 4.0, 6.0, 2.5])
WATTS = array("d", [200.0, 200.0, 350.0, 100.0])


@pytest.fixture
def cell():
    return Cell(0, 0, 1000.0)


# ---------------------------------------------------------------- one job at a time


@pytest.fixture
def server(cell):
    return ProfileServer(7, 3, cell, SECONDS, WATTS)


def test_one_job_from_start_to_end(server, cell):
    assert (server.index, server.node, server.room(), server.jobs()) == (7, 3, 1.0, [])
    assert server.next_event_s == inf
    server.admit(5.0, 0)
    assert (server.next_event_s, server.power_w, cell.power_w) == (15.0, 200.0, 1200.0)
    assert (server.room(), server.jobs()) == (0.0, [0])
    assert server.advance(15.0, False) == 0
    assert (server.next_event_s, server.power_w, server.room(), server.jobs()) == (inf, 0.0, 1.0, [])
    assert cell.energy_at(20.0) == 20.0 * 1000.0 + 10.0 * 200.0
    assert cell.busy_at(20.0) == 10.0


def test_hand_over_keeps_power_and_books_a_step_only_for_another_power(server, cell):
    server.admit(0.0, 0)
    assert server.advance(10.0, True) == 0
    assert server.power_w == 200.0
    server.admit(10.0, 1)  # as much: nothing is booked
    assert (cell.since_s, cell.power_w) == (0.0, 1200.0)
    assert server.next_event_s == 14.0
    assert server.advance(14.0, True) == 1
    server.admit(14.0, 2)
    assert (cell.since_s, cell.power_w) == (14.0, 1350.0)
    assert server.advance(20.0, True) == 2
    server.release(20.0)  # no job followed after all
    assert (server.power_w, cell.power_w, server.room()) == (0.0, 1000.0, 1.0)
    assert cell.energy_at(30.0) == 30_000.0 + 14.0 * 200.0 + 6.0 * 350.0
    assert cell.busy_at(30.0) == 20.0


def test_two_devices_of_one_cell(server, cell):
    other = ProfileServer(8, 3, cell, SECONDS, WATTS)
    server.admit(0.0, 0)
    other.admit(2.0, 2)
    assert cell.power_w == 1550.0
    other.advance(8.0, False)
    assert cell.power_w == 1200.0
    server.advance(10.0, False)
    assert cell.power_w == 1000.0
    assert cell.energy_at(10.0) == 10_000.0 + 2000.0 + 2100.0
    assert cell.busy_at(12.0) == 16.0


def test_throttling_stretches_what_is_left_and_spends_the_same_energy(server, cell):
    server.admit(0.0, 0)
    server.set_speed(4.0, 0.5)  # 6 s of work left
    assert (server.next_event_s, server.power_w, cell.power_w) == (16.0, 100.0, 1100.0)
    server.set_speed(8.0, 2.0)  # 4 s left
    assert (server.next_event_s, server.power_w) == (10.0, 400.0)
    assert server.advance(10.0, False) == 0
    assert cell.energy_at(10.0) == 10_000.0 + 200.0 * 10.0


def test_speed_holds_for_the_next_job_and_may_be_set_while_idle(server):
    server.set_speed(0.0, 0.25)
    server.admit(1.0, 1)
    assert (server.next_event_s, server.power_w) == (17.0, 50.0)
    server.advance(17.0, True)
    server.admit(17.0, 3)
    assert (server.next_event_s, server.power_w) == (27.0, 25.0)


def test_evicted_job_takes_along_what_it_lacks(server, cell):
    server.admit(0.0, 0)
    assert server.evict(4.0, 0) == 6.0
    assert (server.next_event_s, server.power_w, cell.power_w, server.jobs()) == (inf, 0.0, 1000.0, [])
    server.set_speed(4.0, 0.5)
    server.admit(5.0, 0)
    assert server.evict(9.0, 0) == 8.0  # 4 s at half speed are 2 s of work
    server.admit(10.0, 0)
    with pytest.raises(ValueError, match="job 1 does not run on device 7"):
        server.evict(11.0, 1)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "hand over", "end", "evict", "speed"]),
        st.integers(0, 3),
        st.floats(0.0, 5.0),
        st.sampled_from([0.25, 0.5, 1.0, 1.5]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(ACTIONS)
def test_energy_is_watts_times_work_whatever_happens(actions):
    """Work done is energy drawn: at every speed, for jobs that end and jobs that are evicted."""
    cell = Cell(0, 0, 20.0)
    server = ProfileServer(0, 0, cell, SECONDS, WATTS)
    now, spent_j, speed = 0.0, 0.0, 1.0
    running = None
    for what, job, pause_s, factor in actions:
        now = min(now + pause_s, server.next_event_s)
        if now == server.next_event_s or (what == "end" and running is not None):
            now = server.next_event_s
            assert server.advance(now, what == "hand over") == running
            spent_j += WATTS[running] * SECONDS[running]
            running = None
            if what == "hand over":
                server.admit(now, job)
                running = job
        elif what == "speed":
            server.set_speed(now, factor)
            speed = factor
        elif running is None:
            server.admit(now, job)
            running = job
        elif what == "evict":
            left_s = server.evict(now, running)
            assert -1e-9 <= left_s <= SECONDS[running] + 1e-9
            spent_j += WATTS[running] * (SECONDS[running] - left_s)
            running = None
        assert server.jobs() == ([] if running is None else [running])
        assert cell.power_w == pytest.approx(20.0 + (0.0 if running is None else WATTS[running] * speed))
    if running is not None:
        spent_j += WATTS[running] * (SECONDS[running] - server.evict(now, running))
    assert cell.energy_at(now) - 20.0 * now == pytest.approx(spent_j, rel=1e-9, abs=1e-6)
    assert cell.power_w == 20.0


# ---------------------------------------------------------------- several jobs on a curve


def linear(load):
    return 400.0 * load


def concave(load):
    return 600.0 * sqrt(load)


def shared(cell, uses, seconds, job_class, watts=None, devices=1.0):
    columns = SharedColumns(
        array("d", seconds),
        NoWatts() if watts is None else array("d", watts),
        array("H", job_class),
        array("d", [0.0] * len(seconds)),
    )
    return SharedServer(5, 2, cell, columns, uses, devices)


def test_batch_on_a_curve_by_hand(cell):
    """Four slots: power is 600 W x sqrt(jobs / 4), split evenly among the jobs at every moment."""
    server = shared(cell, {0: SharedUse(0.25, 0.25, concave)}, [8.0, 8.0, 2.0], [0, 0, 0])
    server.admit(0.0, 0)
    assert (server.next_event_s, server.power_w) == (8.0, 300.0)
    server.admit(2.0, 1)
    assert server.power_w == pytest.approx(600.0 * sqrt(0.5))
    assert server.room() == pytest.approx(0.5)
    assert cell.power_w == 1000.0 + server.power_w
    assert server.next_event_s == 8.0
    assert server.advance(8.0, False) == 0
    assert (server.next_event_s, server.power_w, server.jobs()) == (10.0, 300.0, [1])
    assert server.advance(10.0, False) == 1
    assert (server.next_event_s, server.power_w, cell.power_w) == (inf, 0.0, 1000.0)
    both_j = 6.0 * 600.0 * sqrt(0.5)
    assert server.curve_j[0] == pytest.approx(600.0 + both_j / 2)
    assert server.curve_j[1] == pytest.approx(600.0 + both_j / 2)
    assert cell.energy_at(10.0) == pytest.approx(10_000.0 + 1200.0 + both_j)
    assert cell.busy_at(10.0) == pytest.approx(20.0 / 8.0 + 1.5)  # 2 x 1/4 + 6 x 2/4 + 2 x 1/4


def test_jobs_due_together_leave_by_number(cell):
    server = shared(cell, {0: SharedUse(0.25, 0.25, linear)}, [4.0, 4.0, 4.0], [0, 0, 0])
    for job in (2, 0, 1):
        server.admit(1.0, job)
    assert server.jobs() == [2, 0, 1]
    assert [server.advance(5.0, True) for _ in range(3)] == [0, 1, 2]
    assert server.next_event_s == inf


def test_classes_on_one_device_draw_their_own_curves(cell):
    """Activities 0.5 and 0.25: each class its own curve's power at 0.75, by its part of the activity."""
    uses = {0: SharedUse(0.5, 0.5, linear), 1: SharedUse(0.5, 0.25, concave)}
    server = shared(cell, uses, [10.0, 10.0], [0, 1])
    server.admit(0.0, 0)
    server.admit(0.0, 1)
    first_w, second_w = linear(0.75) * 0.5 / 0.75, concave(0.75) * 0.25 / 0.75
    assert server.power_w == pytest.approx(first_w + second_w)
    server.charge(4.0)
    assert list(server.curve_j) == pytest.approx([4.0 * first_w, 4.0 * second_w])
    server.charge(4.0)  # booked already
    assert list(server.curve_j) == pytest.approx([4.0 * first_w, 4.0 * second_w])


def test_own_watts_need_no_curve(cell):
    server = shared(cell, {0: SharedUse(0.5, 0.5, None)}, [10.0, 6.0], [0, 0], watts=[70.0, 30.0])
    server.admit(0.0, 0)
    server.admit(0.0, 1)
    assert server.power_w == 100.0
    server.set_speed(2.0, 0.5)
    assert (server.power_w, server.next_event_s) == (50.0, 10.0)
    server.advance(10.0, False)
    assert server.power_w == 35.0
    server.advance(18.0, False)
    assert cell.energy_at(18.0) == pytest.approx(18_000.0 + 700.0 + 180.0)
    assert list(server.curve_j) == [0.0, 0.0]


def test_host_counts_for_power_and_not_for_use(cell):
    server = shared(cell, {0: SharedUse(0.0, 0.5, linear)}, [10.0], [0], devices=0.0)
    server.admit(0.0, 0)
    assert cell.power_w == 1200.0
    assert cell.busy_at(5.0) == 0.0
    server.advance(10.0, False)
    assert cell.energy_at(10.0) == 12_000.0
    assert cell.busy_at(10.0) == 0.0


def test_throttling_re_times_every_job_on_the_device(cell):
    server = shared(cell, {0: SharedUse(0.25, 0.25, linear)}, [10.0, 4.0], [0, 0])
    server.admit(0.0, 0)
    server.admit(0.0, 1)
    server.set_speed(2.0, 0.5)
    assert (server.next_event_s, server.power_w) == (6.0, 100.0)
    assert server.advance(6.0, False) == 1
    server.set_speed(8.0, 1.0)
    assert server.next_event_s == 13.0
    assert server.advance(13.0, False) == 0
    # energy is work at full speed: 2 s and 2 s of both (200 W), then 1 s at half speed, and 5 s (100 W)
    assert sum(server.curve_j) == pytest.approx(4.0 * 200.0 + 6.0 * 100.0)
    assert cell.energy_at(13.0) == pytest.approx(13_000.0 + sum(server.curve_j))


def test_evicted_job_is_charged_up_to_now(cell):
    server = shared(cell, {0: SharedUse(0.5, 0.5, linear)}, [10.0, 20.0], [0, 0])
    server.admit(0.0, 0)
    server.admit(0.0, 1)
    assert server.evict(4.0, 1) == 16.0
    assert server.curve_j[1] == pytest.approx(4.0 * 200.0)
    assert (server.jobs(), server.next_event_s, server.power_w) == ([0], 10.0, 200.0)
    assert server.room() == pytest.approx(0.5)


def test_thirds_fill_a_device_in_spite_of_rounding(cell):
    server = shared(cell, {0: SharedUse(1 / 3, 1 / 3, linear)}, [3.0, 3.0, 3.0], [0, 0, 0])
    for job in range(3):
        assert server.room() >= 1 / 3
        server.admit(float(job), job)
    assert server.room() < 1 / 3
    assert server.power_w == pytest.approx(400.0)
    server.advance(3.0, False)
    assert server.room() >= 1 / 3


USES = {
    0: SharedUse(0.25, 0.25, concave),
    1: SharedUse(0.1, 0.05, linear),
    2: SharedUse(1 / 3, 1 / 3, concave),
    3: SharedUse(0.2, 0.2, None),
}
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["admit", "admit", "evict", "speed", "charge"]),
        st.integers(0, 3),
        st.floats(0.0, 3.0),
        st.floats(0.5, 9.0),
    ),
    max_size=50,
)


@settings(deadline=None)
@given(MOVES)
def test_charges_add_up_to_what_the_cell_drew(moves):
    """Whatever jobs come, go, are evicted or throttled: their charges and own watts are the cell's dynamic energy."""
    cell = Cell(0, 0, 50.0)
    count = len(moves)
    seconds, kinds = [move[3] for move in moves], [move[1] for move in moves]
    watts = [10.0 + job for job in range(count)]
    server = shared(cell, USES, seconds, kinds, watts=watts)
    left = dict(enumerate(seconds))  # work that each job lacks
    running: list[int] = []
    now, speed = 0.0, 1.0

    def work(until_s):
        for job in running:
            left[job] -= (until_s - now) * speed

    for job, (what, kind, pause_s, _) in enumerate(moves):
        later = now + pause_s
        while server.next_event_s <= later:
            due_s = server.next_event_s
            work(due_s)
            now = due_s
            ended = server.advance(now, False)
            assert left[ended] == pytest.approx(0.0, abs=1e-9)
            assert left[ended] <= min(left[other] for other in running) + 1e-9
            running.remove(ended)
        work(later)
        now = later
        if what == "admit" and server.room() >= USES[kind].share:
            server.admit(now, job)
            running.append(job)
        elif what == "evict" and running:
            gone = running.pop(kind % len(running))
            assert server.evict(now, gone) == pytest.approx(left[gone], abs=1e-9)
        elif what == "speed":
            speed = [0.5, 1.0, 1.25, 2.0][kind]
            server.set_speed(now, speed)
        elif what == "charge":
            server.charge(now)
        assert sorted(server.jobs()) == sorted(running)
        total = sum(USES[kinds[other]].activity for other in running)
        curves_w = sum(
            USES[kinds[other]].curve(total) * USES[kinds[other]].activity / total
            for other in running
            if USES[kinds[other]].curve
        )
        expected_w = speed * (curves_w + sum(watts[other] for other in running))
        assert server.power_w == pytest.approx(expected_w, rel=1e-9, abs=1e-9)
    server.charge(now)
    own_j = sum(watts[job] * (seconds[job] - left[job]) for job in range(count))
    dynamic_j = cell.energy_at(now) - 50.0 * now
    assert sum(server.curve_j) + own_j == pytest.approx(dynamic_j, rel=1e-9, abs=1e-6)
    if not running:
        assert (cell.power_w, server.power_w) == (50.0, 0.0)
