"""What stands on the axes: the artists' data and words, for runs of every size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dcsim.report import Plots, figures, series


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def drawn(figure: figures.Figure, result: Any, *, narrow: bool = False) -> Axes:
    """The figure drawn to the end, so that every warning of the layout is raised."""
    page = Figure(figsize=figures.size_in(figure, series.of(result), narrow=narrow), layout="constrained")
    FigureCanvasAgg(page)
    ax = figure(result, page.add_subplot())
    page.canvas.draw()
    return ax


def texts(ax: Axes) -> list[str]:
    """Every word on the axes, its legend and its panels."""
    found = [text.get_text() for text in ax.texts] + [ax.get_title(loc="left")]
    found += [label.get_text() for label in [*ax.get_xticklabels(), *ax.get_yticklabels()]]
    legend = ax.get_legend()
    if legend is not None:
        found += [text.get_text() for text in legend.get_texts()]
    return found + [word for panel in ax.child_axes for word in texts(panel)]


def line(ax: Axes, label: str) -> Any:
    return next(one for one in ax.lines if one.get_label() == label)


def test_power_is_stacked_and_topped_by_the_facility(day: Any) -> None:
    ax = drawn(figures.power, day)
    it_kw = day.racks.groupby(["time_s", "group"])["it_w"].sum().unstack() / 1e3
    assert [band.get_label() for band in ax.collections] == ["gpu", "spinnaker", "loihi"]
    for band, groups in zip(
        ax.collections, (["gpu"], ["gpu", "spinnaker"], ["gpu", "spinnaker", "loihi"]), strict=True
    ):
        top = band.get_paths()[0].vertices[:, 1].max()
        assert top == pytest.approx(it_kw[groups].sum(axis=1).max())
    facility = line(ax, "facility")
    np.testing.assert_allclose(facility.get_ydata()[:-1], day.facility["facility_w"] / 1e3)
    np.testing.assert_allclose(facility.get_xdata(), np.arange(289) / 12)
    words = texts(ax)
    assert f"gpu, mean {it_kw['gpu'].mean():.1f} kW" in words
    assert "24 h" in words
    assert ax.get_title(loc="left") == "Power by rack group, kW"


@pytest.mark.parametrize(
    ("duration_s", "meter_s", "last", "note"),
    [(600.0, 5.0, "10 min", ""), (21 * 86_400.0, 300.0, "20 d", ", means of 1 h"), (60.0, 1.0, "60 s", "")],
)
def test_power_of_minutes_and_of_weeks(
    make: Callable[..., Any], duration_s: float, meter_s: float, last: str, note: str
) -> None:
    ax = drawn(figures.power, make(duration_s, meter_s))
    assert last in texts(ax)
    assert ax.get_title(loc="left") == f"Power by rack group, kW{note}"


def test_power_of_small_racks_is_in_watts(make: Callable[..., Any]) -> None:
    run = make()
    run.racks["it_w"] /= 1e3
    run.facility["facility_w"] /= 1e3
    assert drawn(figures.power, run).get_title(loc="left") == "Power by rack group, W"


def test_latency_curves_marks_and_objectives(day: Any) -> None:
    ax = drawn(figures.latency, day)
    chat = day.jobs[(day.jobs["stream"] == "chat") & (day.jobs["status"] == "completed")]["latency_s"]
    curve = line(ax, "chat")
    assert curve.get_xdata()[0] == pytest.approx(chat.min())
    assert curve.get_xdata()[-1] == pytest.approx(chat.max())
    assert np.interp(0.5, curve.get_ydata(), curve.get_xdata()) == pytest.approx(chat.median(), rel=1e-3)
    marks = {(float(one.get_xdata()[0]), float(one.get_ydata()[0])) for one in ax.lines if one.get_marker() in "o^D"}
    for level in (0.5, 0.95, 0.99):
        assert any(mark == pytest.approx((chat.quantile(level), level)) for mark in marks)
    assert any(np.all(np.asarray(one.get_xdata()) == 30.0) for one in ax.lines)
    words = texts(ax)
    assert {"chat", "kws", "gesture", "nightly-training", "SLO 30 s", "SLO 20 ms", "SLO 50 ms"} <= set(words)
    assert ax.get_xscale() == "log"


def test_names_do_not_overlap_each_other(day: Any) -> None:
    ax = drawn(figures.latency, day)
    names = [text for text in ax.texts if text.get_text() in day.scenario.streams or "SLO" in text.get_text()]
    assert len(names) == 7
    boxes = [text.get_window_extent() for text in names]
    assert not any(a.overlaps(b) for index, a in enumerate(boxes) for b in boxes[:index])


def streams(count: int, name: str = "stream-{}") -> dict[str, Any]:
    """So many streams on both families, each a little slower than the last."""
    return {
        name.format(index): {
            "jobs": 60,
            "on": [
                ("gpu", "h100", "hgx-h100-8", 0.5, 0.01 * 1.3**index, 0.3, 0.3 * 1.5**index),
                ("neuromorphic", "loihi2", "nahuku-32", 0.5, 0.012 * 1.3**index, 0.1, 0.01 * 1.5**index),
            ],
        }
        for index in range(count)
    }


def test_many_streams_are_listed_with_their_percentiles(make: Callable[..., Any]) -> None:
    run = make(names=streams(12))
    found = series.latencies(run)
    labels = [text for text in texts(drawn(figures.latency, run)) if text.startswith("stream-")]
    assert len(labels) == 12
    assert labels[0].startswith(f"{found[0].stream}  ")
    assert labels[0].count(" / ") == 2


def test_energy_bars_show_marginal_and_loaded_means(day: Any) -> None:
    ax = drawn(figures.energy_per_job, day)
    kws, gesture = ax.child_axes
    assert {"kws", "jobs: 1,000 on GPU, 3,000 on neuromorphic"} <= set(texts(kws))
    assert "gesture" in texts(gesture)
    assert kws.get_yscale() == "log"
    assert kws.get_ylim() == gesture.get_ylim()
    rows = day.jobs[(day.jobs["stream"] == "kws") & (day.jobs["family"] == "gpu")]
    bars = {container.get_label(): container for container in kws.containers}
    for kind in ("marginal", "loaded"):
        tops = [bar.get_y() + bar.get_height() for bar in bars[f"gpu {kind}"]]
        means = [rows[f"energy_{at}_{kind}_j"].mean() for at in ("chip", "node", "rack", "facility")]
        assert tops == pytest.approx(means)
    words = {text.get_text() for text in ax.get_legend().get_texts()}
    assert words == {"GPU", "neuromorphic", "marginal", "loaded"}
    chip = kws.get_xticklabels()[0].get_text().split("\n")
    gpu, other = series.on_both_families(series.energy_per_job(day))["kws"]
    assert chip[0] == "chip"
    assert chip[1] == f"{gpu.marginal_j['chip'] / other.marginal_j['chip']:.2g}× less"


def test_without_a_stream_on_both_families_each_is_drawn_on_what_it_had(make: Callable[..., Any]) -> None:
    run = make()
    run.jobs = run.jobs[run.jobs["family"] == "gpu"]
    ax = drawn(figures.energy_per_job, run)
    assert len(ax.child_axes) == 4
    assert [tick.get_text() for tick in ax.child_axes[0].get_xticklabels()] == [
        "chip",
        "node",
        "rack",
        "facility",
    ]
    assert "neuromorphic" not in texts(ax)


def test_at_most_six_panels_and_the_title_says_so(make: Callable[..., Any]) -> None:
    ax = drawn(figures.energy_per_job, make(names=streams(8)))
    assert len(ax.child_axes) == 6
    assert ax.get_title(loc="left") == "Energy per job by boundary, 6 of 8"


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (figures.power, "No rack was metered in this run."),
        (figures.latency, "No job was completed in this run."),
        (figures.energy_per_job, "No completed job has an energy in this run."),
    ],
)
def test_nothing_to_draw_is_said(
    make: Callable[..., Any], figure: figures.Figure, message: str, *, narrow: bool
) -> None:
    run = make()
    run.jobs, run.racks, run.facility = run.jobs.iloc[:0], run.racks.iloc[:0], run.facility.iloc[:0]
    assert message in texts(drawn(figure, run, narrow=narrow))


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("figure", [figures.power, figures.latency, figures.energy_per_job])
def test_nothing_leaves_the_figure(make: Callable[..., Any], figure: figures.Figure, *, narrow: bool) -> None:
    ax = drawn(figure, make(names=streams(9, "a-stream-of-jobs-with-quite-a-long-name-{}")), narrow=narrow)
    page = ax.get_figure(root=True)
    assert page is not None
    box = page.get_tightbbox()
    width, height = page.get_size_inches()
    assert box.x0 > -0.02
    assert box.y0 > -0.02
    assert box.x1 < width + 0.02
    assert box.y1 < height + 0.02


def test_a_dollar_in_a_name_is_no_formula(make: Callable[..., Any]) -> None:
    run = make(names=streams(1))
    run.jobs["stream"] = "cost$_{x}$"
    run.racks["group"] = "rack$^2$"
    assert "cost$_{x}$" in texts(drawn(figures.latency, run))
    assert "cost$_{x}$" in texts(drawn(figures.energy_per_job, run))
    assert any(word.startswith("rack$^2$, mean") for word in texts(drawn(figures.power, run)))


def test_plots_make_or_take_an_axes(day: Any) -> None:
    plots = Plots(day)
    for method in (plots.power, plots.latency, plots.energy_per_job):
        assert isinstance(method(), Axes)
        _, ax = plt.subplots()
        assert method(ax) is ax
        assert method(ax=ax) is ax


def test_importing_the_report_loads_no_heavy_library() -> None:
    code = (
        "import sys, dcsim.report\n"
        "heavy = {'matplotlib', 'pandas', 'jinja2', 'rich', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
