"""The numbers behind the figures, against numbers worked out from the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dcsim.report import axes, series, style


def test_power_is_summed_by_group_with_the_largest_family_first(day: Any) -> None:
    found = series.power_by_group(day)
    assert found is not None
    assert found.groups == ["gpu", "spinnaker", "loihi"]
    assert found.families == ["gpu", "neuromorphic", "neuromorphic"]
    gpu_w = day.racks[day.racks["group"] == "gpu"].groupby("time_s")["it_w"].sum()
    np.testing.assert_allclose(found.group_w[0], gpu_w)
    np.testing.assert_allclose(found.facility_w, day.facility["facility_w"])
    assert found.edges_s[-1] == 86_400.0


def test_averaging_a_long_run_keeps_its_energy(make: Callable[..., Any]) -> None:
    run = make(21 * 86_400.0 - 150.0, 300.0)
    found = series.power_by_group(run)
    assert found is not None
    assert found.interval_s == 3600.0
    assert len(found.edges_s) == 505
    seconds = np.full(6048, 300.0)
    seconds[-1] = 150.0
    for row, group in zip(found.group_w, found.groups, strict=True):
        watts = run.racks[run.racks["group"] == group].groupby("time_s")["it_w"].sum().to_numpy()
        assert row @ np.diff(found.edges_s) == pytest.approx(watts @ seconds, rel=1e-12)
    assert found.mean_w()[0] == pytest.approx(found.group_w[0] @ np.diff(found.edges_s) / (21 * 86_400 - 150))


def test_an_interval_that_no_round_width_fits_is_averaged_all_the_same(make: Callable[..., Any]) -> None:
    found = series.power_by_group(make(700 * 7.0, 7.0))
    assert found is not None
    assert found.interval_s == 14.0


def test_small_groups_are_merged_within_their_family(make: Callable[..., Any]) -> None:
    run = make()
    more = [
        run.racks[run.racks["group"] == "loihi"].assign(group=f"loihi-{number}", it_w=10.0 + number)
        for number in range(8)
    ]
    run.racks = pd.concat([run.racks, *more])
    found = series.power_by_group(run)
    assert found is not None
    assert len(found.groups) == series.MOST_GROUPS
    assert found.groups[:3] == ["gpu", "spinnaker", "loihi"]
    assert found.groups[-1] == "5 more"
    np.testing.assert_allclose(found.group_w[-1], sum(10.0 + number for number in range(5)))
    total_w = run.racks.groupby("time_s")["it_w"].sum()
    np.testing.assert_allclose(found.group_w.sum(axis=0), total_w)


def test_latencies_are_those_of_completed_jobs(day: Any) -> None:
    found = {one.stream: one for one in series.latencies(day)}
    chat = day.jobs[(day.jobs["stream"] == "chat") & (day.jobs["status"] == "completed")]["latency_s"]
    assert found["chat"].jobs == len(chat) == 2970
    assert found["chat"].percentiles_s == pytest.approx(tuple(np.quantile(chat, (0.5, 0.95, 0.99))))
    assert found["chat"].slo_s == 30.0
    assert found["nightly-training"].slo_s is None
    assert [one.stream for one in series.latencies(day)] == ["kws", "gesture", "chat", "nightly-training"]


def test_a_few_jobs_make_exact_steps(make: Callable[..., Any]) -> None:
    run = make()
    run.jobs = run.jobs[run.jobs["stream"] == "chat"].iloc[1:5].assign(latency_s=[4.0, 1.0, 3.0, 2.0])
    run.jobs = run.jobs.assign(status="completed")
    (one,) = series.latencies(run)
    np.testing.assert_array_equal(one.latency_s, [1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(one.share, [0.25, 0.5, 0.75, 1.0])


def test_energy_per_job_is_a_mean_by_stream_and_family(day: Any) -> None:
    found = series.energy_per_job(day)
    assert list(found) == ["chat", "kws", "gesture", "nightly-training"]
    gpu, other = series.on_both_families(found)["kws"]
    rows = day.jobs[(day.jobs["stream"] == "kws") & (day.jobs["family"] == "neuromorphic")]
    assert other.jobs == 3000
    assert other.loaded_j["facility"] == pytest.approx(rows["energy_facility_loaded_j"].mean())
    ratio = series.advantage(gpu, other, "marginal", "chip")
    assert ratio == pytest.approx(gpu.marginal_j["chip"] / other.marginal_j["chip"])
    assert "chat" not in series.on_both_families(found)


def test_an_unknown_energy_is_absent_and_has_no_advantage(make: Callable[..., Any]) -> None:
    run = make()
    run.jobs = run.jobs.drop(columns="energy_board_loaded_j").assign(energy_chip_marginal_j=np.nan)
    gpu, other = series.on_both_families(series.energy_per_job(run))["kws"]
    assert "board" not in gpu.loaded_j
    assert "chip" not in other.marginal_j
    assert series.advantage(gpu, other, "marginal", "chip") is None
    assert series.advantage(gpu, other, "loaded", "board") is None


@pytest.mark.parametrize(
    ("duration_s", "unit"),
    [(90.0, "s"), (600.0, "min"), (86_400.0, "h"), (259_200.0, "h"), (1_814_400.0, "d")],
)
def test_time_axis_has_a_unit_that_suits_the_run(duration_s: float, unit: str) -> None:
    assert axes.time_unit(duration_s)[0] == unit


def test_labels_are_moved_apart_by_as_little_as_possible() -> None:
    assert style.spread([10.0, 0.0], 1.0, 0.0, 20.0) == [10.0, 0.0]
    assert style.spread([5.0, 5.0], 2.0, 0.0, 20.0) == [4.0, 6.0]
    assert style.spread([0.0, 0.1, 0.2], 1.0, 0.0, 20.0) == pytest.approx([0.0, 1.0, 2.0])
    assert style.spread([19.9, 20.0], 1.0, 0.0, 20.0) == pytest.approx([19.0, 20.0])
    assert style.spread([], 1.0, 0.0, 1.0) == []
    crowded = style.spread([0.5] * 11, 1.0, 0.0, 1.0)
    assert crowded == pytest.approx(np.linspace(0.0, 1.0, 11))


def test_a_long_name_is_cut_in_the_middle() -> None:
    assert style.short("chat", 10) == "chat"
    assert style.short("stream-with-long-name-07", 12) == "stream-…e-07"
    assert len(style.short("x" * 64, 36)) == 36
