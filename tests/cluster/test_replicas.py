"""A replica as a server: what the dispatcher sees of it, and what it books."""

from __future__ import annotations

from array import array
from math import inf, isnan, nan

import pytest

from dcsim.catalog import load
from dcsim.cluster.ledger import Cell
from dcsim.cluster.replicas import ReplicaColumns, ReplicaServer
from dcsim.gpu.schedule import Limits
from dcsim.gpu.serving import Deployment
from dcsim.gpu.steps import StepCost
from dcsim.results.histogram import Histogram
from dcsim.scenario.hardware import Serving

# an iteration takes 1 s, and 1 s more for each token beyond the tenth; two GPUs, 100 W at the chips while it works
_COST = StepCost(-9.0, 0.0, 10.0, 1.0, 0.0, 0.0, 0.0, 0.0)


def _replica(
    sizes: list[tuple[int, int]], *, options: dict[str, object] | None = None, **roles: object
) -> ReplicaServer:
    known = load()
    chosen = Serving(devices=2, **(options or {}))
    model, gpu = known.get("llama-3.1-8b"), known.get("h100-sxm")
    limits = Limits(1000)
    deployment = Deployment(model, gpu, "bf16", chosen, _COST, limits, 16_000, 10e9, 40.0, 20.0, lambda *_: 100.0)
    nothing, unknown = array("d", [0.0]) * len(sizes), array("d", [nan]) * len(sizes)
    prompt, output = (array("i", column) for column in zip(*sizes, strict=True))
    columns = ReplicaColumns(
        prompt, output, array("d", [8.0]) * len(sizes), unknown[:], unknown[:], nothing[:], nothing[:], nothing[:]
    )
    return ReplicaServer(0, 0, Cell(0, 0, 500.0), deployment, columns, Histogram(), **roles)  # type: ignore[arg-type]


def _run(server: ReplicaServer) -> list[tuple[float, int]]:
    """(moment, job) of every end."""
    ends = []
    while server.next_event_s < inf:
        now = server.next_event_s
        job = server.advance(now, False)
        if job >= 0:
            ends.append((now, job))
    return ends


def test_one_request_by_hand() -> None:
    server = _replica([(5, 4)])
    server.admit(2.0, 0)
    assert server.power_w == 120.0
    assert _run(server) == [(6.0, 0)]
    columns = server.columns
    assert (columns.start_s[0], columns.first_s[0]) == (2.0, 3.0)
    assert columns.curve_j[0] == pytest.approx(400.0)  # 100 W for 4 s at the chips
    assert columns.host_j[0] == pytest.approx(80.0)
    assert columns.used_s[0] == pytest.approx(8.0)  # two devices for 4 s
    # 500 W of the node and 40 W of the loaded model all the time
    assert server.cell.energy_at(10.0) == pytest.approx(5400.0 + 480.0)
    assert server.cell.busy_at(10.0) == pytest.approx(8.0)
    assert server.resident_j(10.0) == pytest.approx(400.0)


def test_energy_is_split_by_tokens() -> None:
    server = _replica([(6, 2), (4, 3)])
    server.admit(0.0, 0)
    server.admit(0.0, 1)
    assert _run(server) == [(2.0, 0), (3.0, 1)]
    # 6 and 4 tokens of 10 in the first second, 1 and 1 in the second, the third for one alone
    assert list(server.columns.curve_j) == pytest.approx([60.0 + 50.0, 40.0 + 50.0 + 100.0])
    assert sum(server.columns.used_s) == pytest.approx(server.cell.busy_at(3.0))


def test_jobs_that_end_together_are_told_one_by_one() -> None:
    server = _replica([(2, 3)] * 4)
    for job in range(4):
        server.admit(0.0, job)
    assert _run(server) == [(3.0, job) for job in range(4)]


def test_a_job_that_waits_has_not_started() -> None:
    server = _replica([(5, 9), (5, 1)])
    server.admit(0.0, 0)
    server.advance(1.0, False)
    server.admit(2.5, 1)
    assert isnan(server.columns.start_s[1])
    assert server.jobs() == [0, 1]
    assert server.tokens == 20
    assert server.next_event_s == 3.0  # the end of the iteration under way
    server.advance(3.0, False)
    server.charge(3.0)
    assert server.columns.start_s[1] == 3.0


def test_throttled_to_half_it_takes_twice_as_long_at_half_the_dynamic_power() -> None:
    server = _replica([(5, 5)])
    server.admit(0.0, 0)
    server.set_speed(0.5, 0.5)
    assert server.power_w == pytest.approx(50.0 + 20.0)
    assert _run(server) == [(pytest.approx(0.5 + 4.5 / 0.5), 0)]
    assert server.columns.curve_j[0] == pytest.approx(50.0 + 9.0 * 50.0)


def test_an_evicted_job_has_done_its_share() -> None:
    server = _replica([(5, 5), (5, 5), (5, 5)])
    server.admit(0.0, 0)
    server.admit(0.0, 1)
    server.advance(1.0, False)
    server.admit(1.5, 2)
    assert server.left(2.0, 0) == pytest.approx(8.0 * (1 - 6 / 10))
    assert server.evict(2.0, 0) == pytest.approx(8.0 * (1 - 6 / 10))
    assert server.evict(2.0, 2) == 8.0  # it never ran
    assert server.columns.start_s[2] == 2.0
    assert server.evict(2.0, 1) > 0.0
    assert server.next_event_s == inf
    assert server.power_w == 0.0
    assert server.cell.power_w == 540.0
    assert sum(server.columns.curve_j) == pytest.approx(200.0)


def test_running_jobs_are_charged_at_the_end_of_a_run() -> None:
    server = _replica([(5, 50), (5, 50)])
    server.admit(0.0, 0)
    server.admit(0.0, 1)
    server.advance(1.0, False)
    for _ in range(2):  # a second charge at the same moment adds nothing
        server.charge(7.25)
    assert sum(server.columns.curve_j) == pytest.approx(725.0)
    assert sum(server.columns.used_s) == pytest.approx(server.cell.busy_at(7.25))
    _run(server)
    assert sum(server.columns.curve_j) == pytest.approx(5000.0)


def test_an_idle_model_is_unloaded_and_loaded_again() -> None:
    server = _replica([(5, 2), (5, 2), (5, 1)], options={"unload_after": "10 s", "load_bandwidth": "5 GB/s"})
    server.admit(0.0, 0)
    ends = [server.advance(server.next_event_s, False) for _ in range(2)]
    assert ends == [-1, 0]
    assert server.next_event_s == 12.0  # idle since 2 s
    assert server.advance(12.0, False) == -1
    assert (server.cell.power_w, server.next_event_s) == (500.0, inf)
    server.admit(20.0, 1)
    server.admit(21.0, 2)
    assert server.next_event_s == 22.0  # 10 GB at 5 GB/s
    assert server.jobs() == [1, 2]
    assert [server.advance(server.next_event_s, False) for _ in range(3)] == [-1, 2, 1]
    assert server.columns.start_s[1] == 22.0
    assert server.columns.first_s[1] == 23.0
    assert server.resident_j(24.0) == pytest.approx(40.0 * (12.0 + 2.0))
    assert server.cell.energy_at(24.0) == pytest.approx(24 * 500.0 + 14 * 40.0 + 4 * 120.0)


def test_a_job_may_leave_while_the_model_is_loaded() -> None:
    server = _replica([(5, 2), (5, 2)], options={"unload_after": "1 s"})
    server.admit(0.0, 0)
    _run(server)
    server.admit(50.0, 1)
    assert server.evict(51.0, 1) == 8.0
    assert server.jobs() == []
    server.advance(server.next_event_s, False)  # loaded for nothing
    assert server.next_event_s == 53.0
    assert server.advance(53.0, False) == -1
    assert server.next_event_s == inf


def test_a_prefill_replica_passes_jobs_on_after_their_first_token() -> None:
    passed: list[tuple[int, float]] = []
    server = _replica([(5, 4), (5, 1)], pass_on=lambda server, job: passed.append((job, server.columns.first_s[job])))
    server.admit(0.0, 0)
    server.admit(0.0, 1)
    assert _run(server) == [(1.0, 1)]  # one token is all that it wanted
    assert passed == [(0, 1.0)]
    assert server.columns.used_s[0] == pytest.approx(1.0)


def test_a_decode_replica_goes_on_with_the_second_token() -> None:
    server = _replica([(500, 4)], continues=True)
    server.columns.first_s[0] = 1.0
    server.admit(3.0, 0)
    assert _run(server) == [(6.0, 0)]
    assert server.columns.first_s[0] == 1.0
