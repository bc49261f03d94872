"""Figures and tables of streams of jobs: what stands on the axes, in which unit, and that nothing overlaps."""

from __future__ import annotations

import io
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from rich.console import Console

from dcsim.report import workload
from dcsim.report.workload_table import shown
from dcsim.workload import Block, described
from dcsim.workload.arrivals import poisson


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def axes():
    return plt.subplots(figsize=(4.8, 3.2))[1]


def arrivals(rate_hz=5.0, duration_s=1000.0):
    return np.concatenate(list(poisson.draw(rate_hz, duration_s, np.random.default_rng(1))))


def block(**columns):
    arrival_s = arrivals()
    random = np.random.default_rng(2)
    made = {name: np.ceil(random.lognormal(mean, 1.0, len(arrival_s))) for name, mean in columns.items()}
    return Block(arrival_s, made)


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_rate_over_time_is_in_full_round_steps():
    ax = workload.rate(arrivals(), axes())
    assert ax.get_title(loc="left") == "Arrivals per s, steps of 5 s"
    (steps,) = ax.patches
    values, edges, _ = steps.get_data()
    assert len(values) == 199  # the last step is not full
    assert values.mean() == pytest.approx(5.0, rel=0.05)
    assert edges[-1] == pytest.approx(995.0 / 60.0)  # a span over two minutes is in minutes


@pytest.mark.parametrize(("rate_hz", "unit"), [(5.0, "s"), (0.01, "h"), (1e-4, "d")])
def test_unit_of_the_rate_suits_it(rate_hz, unit):
    ax = workload.rate(arrivals(1.0, 500.0) / rate_hz, axes())
    assert ax.get_title(loc="left").startswith(f"Arrivals per {unit}, ")


def test_dispersion_of_poisson_arrivals_lies_on_its_line():
    ax = workload.dispersion(arrivals(), poisson.theory(5.0), axes())
    found = lines(ax)
    assert set(found) == {"Poisson, constant rate", "theory", "counted"}
    assert found["counted"].get_ydata()[:20] == pytest.approx(1.0, abs=0.25)
    assert found["theory"].get_ydata() == pytest.approx(1.0)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_gaps_are_drawn_with_the_nearest_laws():
    ax = workload.gaps(arrivals(), axes())
    found = lines(ax)
    assert [label.split(",")[0] for label in found] == ["arrivals", "exponential", "gamma", "weibull", "lognormal"]
    ours = found["arrivals"]
    assert ours.get_ydata()[-1] == 1.0
    expected = -np.expm1(-5.0 * ours.get_xdata())
    assert ours.get_ydata() == pytest.approx(expected, abs=0.03)


def test_sizes_have_their_median_in_the_key():
    one = block(input_tokens=6.0, output_tokens=4.0)
    ax = workload.sizes(one.columns, {"input_tokens": "input", "output_tokens": "output"}, "Tokens", axes())
    medians = [float(np.median(values)) for values in one.columns.values()]
    assert list(lines(ax)) == [f"input, median {medians[0]:,.0f}", f"output, median {medians[1]:,.0f}"]


def test_page_has_the_panels_that_there_is_data_for():
    titles = [ax.get_title(loc="left") for ax in workload.page(block(input_tokens=6.0, run_s=3.0)).axes]
    assert [title.split(":")[0].split(",")[0] for title in titles] == [
        "Arrivals per s",
        "Variance / mean of counts",
        "Gaps between arrivals",
        "Tokens",
        "Times",
    ]
    assert len(workload.page(block(run_s=3.0), timed=False).axes) == 1
    (nothing,) = workload.page(Block(np.zeros(3))).axes
    assert "nothing to draw" in nothing.texts[0].get_text()


def test_hours_of_the_day_come_with_two_days():
    arrival_s = arrivals(0.02, 2.2 * 86_400.0)
    (*_, last) = workload.page(Block(arrival_s)).axes
    assert last.get_title(loc="left") == "Rate by hour of the day, over the mean rate"
    assert [bar.get_height() for bar in last.patches] == pytest.approx([1.0] * 24, abs=0.5)


def test_rates_of_a_table():
    page = workload.rates_page(np.tile([10.0, 20.0], 7 * 12), 3600.0)
    titles = [ax.get_title(loc="left") for ax in page.axes]
    assert titles == ["Arrivals per s, steps of 1 h", "Rate by hour of the day, over the mean rate"]


def test_no_text_lies_on_another_or_leaves_the_page():
    figure = workload.page(block(input_tokens=6.0, output_tokens=4.0, prefix_tokens=3.0, run_s=9.0, wait_s=2.0))
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = []
    for ax in figure.axes:
        legend = ax.get_legend()
        texts = [ax.title, ax._left_title, *ax.get_xticklabels(), *ax.get_yticklabels()]
        texts += legend.get_texts() if legend is not None else []
        boxes += [(text.get_text(), text.get_window_extent(renderer)) for text in texts if text.get_text()]
    page = figure.bbox
    for text, box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text
    for (first, one), (second, other) in itertools.combinations(boxes, 2):
        apart = one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
        assert apart, (first, second)


def printed(document):
    out = io.StringIO()
    Console(file=out, width=120).print(shown(document))
    return out.getvalue()


def test_table_of_jobs():
    one = block(run_s=3.0)
    states = np.arange(len(one)) % 4 == 0
    named = Block(
        one.arrival_s, {**one.columns, "state": states.astype(float)}, {"state": ("done", "failed")}, {"no GPUs": 3}
    )
    text = printed({"source": "x.csv", "holds": "jobs", "format": "csv"} | described.jobs(named))
    assert "x.csv: jobs, format csv" in text
    assert f"{len(one):,}" in text
    assert "left out: 3 no GPUs" in text
    assert "done 75.0 %, failed 25.0 %" in text
    for head in ("dispersion", "peak/mean", "p99", "CV of gaps", "exponential gaps"):
        assert head in text


def test_unknown_values_are_counted_apart():
    found = described.column("wait_s", np.array([1.0, np.nan, 3.0]))
    assert (found["unknown"], found["mean"], found["most"]) == (1, 2.0, 3.0)
    assert described.column("wait_s", np.array([np.nan])) == {"unit": "s", "unknown": 1}
