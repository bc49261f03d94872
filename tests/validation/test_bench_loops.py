"""The yardsticks of `dcsim bench` do what they are compared for."""

import numpy as np
import pytest

from dcsim import seeds
from dcsim.validation import bench
from dcsim.validation.bench_loops import TutorialModel, heap_loop

ARRIVAL = [0.0, 1.0, 2.0, 3.0]
SERVICE = [5.0, 5.0, 1.0, 1.0]


def test_heap_loop_by_hand() -> None:
    # two devices are taken at 0 and 1; the others wait to 5 and 6
    assert heap_loop(ARRIVAL, SERVICE, 2) == (7.0, 3.0 + 3.0)


def test_heap_loop_and_tutorial_agree_on_a_random_sample() -> None:
    generator = seeds.generator(1, 0, "test/bench")
    arrival = np.cumsum(generator.exponential(1.0, 3000)).tolist()
    service = generator.exponential(3.6, 3000).tolist()
    end, waited = heap_loop(arrival, service, 4)
    model = TutorialModel(arrival, service, racks=2, per_rack=2, idle_w=100.0, busy_w=250.0)
    assert model.run() == pytest.approx(end, rel=1e-12)
    assert sum(r["start_s"] - r["arrival_s"] for r in model.records) == pytest.approx(waited, rel=1e-9)
    assert sum(model.energy_j) == pytest.approx(4 * 100.0 * end + 150.0 * sum(service), rel=1e-12)


@pytest.mark.slow
def test_bench_reports_every_figure() -> None:
    figures = bench.run(jobs=4000, tutorial_jobs=1000, repeats=1)
    assert figures["ratio_to_heapq"] == pytest.approx(figures["heapq_jobs_per_s"] / figures["jobs_per_s"])
    assert figures["speedup_over_simpy_tutorial"] > 0
    assert 3500 < figures["jobs"] < 4500
    assert 20 < figures["peak_mb"] < 1000
    assert figures["devices"] == 10_000
