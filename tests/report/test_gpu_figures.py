"""Figures, summary and tables of models on GPUs: what stands on the axes, and that the shares add up."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from rich.console import Console

from dcsim import catalog
from dcsim.gpu.batching import throughput_latency
from dcsim.gpu.gang import Gang
from dcsim.gpu.points import BatchPoint, LanguagePoint, batch_point, language_point
from dcsim.gpu.training_points import TrainingPoint, training_point
from dcsim.report import gpu, gpu_summary
from dcsim.report.gpu_table import point_table
from dcsim.scenario.hardware import Serving


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def language(*batches: int, devices: int = 8) -> list[LanguagePoint]:
    known = catalog.load()
    model, card = known.get("llama-3.1-70b"), known.get("h100-sxm")
    return [
        language_point(model, card, Serving(devices=devices), batch=batch, input_tokens=512, output_tokens=256)
        for batch in batches
    ]


def images(*batches: int, model: str = "resnet-50") -> list[BatchPoint]:
    known = catalog.load()
    return [batch_point(known.get(model), known.get("h100-sxm"), batch=batch) for batch in batches]


def gang(*batches: int, model: str = "llama-3.1-8b") -> list[TrainingPoint]:
    known = catalog.load()
    return [
        training_point(
            known.get(model),
            known.get("h100-sxm"),
            devices=64,
            step_samples=batch,
            gang=Gang(64, compute_share=0.6, step_spread=0.02, link_bytes_per_s=50e9),
        )
        for batch in batches
    ]


def axes(width: float = 9.6, height: float = 3.6) -> Axes:
    return plt.figure(figsize=(width, height), layout="constrained").add_subplot()


def drawn(ax: Axes) -> Axes:
    """The axes of a figure drawn to the end, so that every warning of the layout is raised."""
    assert ax.figure is not None
    ax.figure.canvas.draw()
    return ax


def texts(ax: Axes) -> set[str]:
    found = [text.get_text() for text in ax.texts] + [ax.get_title(loc="left")]
    found += [label.get_text() for label in [*ax.get_xticklabels(), *ax.get_yticklabels()]]
    if legend := ax.get_legend():
        found += [text.get_text() for text in legend.get_texts()]
    return set(found)


# ---------------------------------------------------------------- figures


def test_kernels_lie_on_or_below_the_roof() -> None:
    points = language(1, 64)
    ax = drawn(gpu.roofline(points, axes()))
    sheet, reached, *kernels = ax.lines
    peak, bandwidth = 989e12, 3.35e12
    np.testing.assert_allclose(sheet.get_ydata(), np.minimum(peak, np.asarray(sheet.get_xdata()) * bandwidth))
    roof = points[0].reached
    for line in kernels:
        x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
        assert (y <= np.minimum(roof.flop_per_s, x * roof.bytes_per_s) * (1 + 1e-9)).all()
    assert np.asarray(reached.get_ydata()).max() == roof.flop_per_s
    assert {"batch 1", "batch 64", "layers with weights, decoding", "attention, prompts"} <= texts(ax)


def test_roofline_of_a_network_with_tables() -> None:
    ax = drawn(gpu.roofline(images(64, 2048, model="dlrm"), axes()))
    assert {"batch 64", "batch 2,048", "layers with weights"} <= texts(ax)
    assert "gathers from tables" not in texts(ax)  # they compute nothing


def test_latency_has_the_points_of_the_library_and_names_those_asked_for() -> None:
    curve = language(1, 8, 64)
    ax = drawn(gpu.latency(curve, [8], axes()))
    first, token = ax.lines[:2]
    np.testing.assert_allclose(first.get_xdata(), [point.tokens_per_s for point in curve])
    np.testing.assert_allclose(first.get_ydata(), [point.ttft_s for point in curve])
    np.testing.assert_allclose(token.get_ydata(), [point.tpot_s for point in curve])
    assert {"batch 8", "first token", "per token"} <= texts(ax)
    assert "batch 64" not in texts(ax)


def test_latency_under_arrivals() -> None:
    known = catalog.load()
    rates = np.array([1000.0, 20_000.0])
    loaded = throughput_latency(
        known.get("resnet-50"), known.get("h100-sxm"), rates, max_batch=64, max_wait_s=1e-3, requests=2000
    )
    ax = drawn(gpu.latency(images(1, 8, 64), [64], axes(), loaded))
    assert {"p50, at random", "p99, at random", "full batch"} <= texts(ax)


@pytest.mark.parametrize(
    ("curve", "unit"), [(language(1, 32), "token"), (images(1, 32), "sample"), (gang(10**6, 10**7), "token")]
)
def test_energy_is_that_of_the_points_and_waiting_is_less(curve: list[Any], unit: str) -> None:
    ax = drawn(gpu.energy(curve, [curve[0].batch], axes()))
    spent, waiting = (np.asarray(line.get_ydata(), float) for line in ax.lines[:2])
    each = "token_j" if isinstance(curve[0], LanguagePoint) else "sample_j"
    np.testing.assert_allclose(spent, [getattr(point, each) for point in curve])
    assert (waiting < spent).all()
    assert ax.get_title(loc="left") == f"Energy over the batch, per {unit}"


@pytest.mark.parametrize("points", [language(1, 64), images(1), gang(10**6, 10**7)])
def test_bars_of_time_add_up(points: list[Any]) -> None:
    ax = drawn(gpu.times(points, axes()))
    widths = np.array([[bar.get_width() for bar in bars] for bars in ax.containers])
    np.testing.assert_allclose(widths.sum(axis=0), 1.0)


def test_many_batches_name_the_first_and_the_last() -> None:
    curve = images(1, 2, 4, 8, 16, 32, 64)
    found = texts(drawn(gpu.latency(curve, [point.batch for point in curve], axes())))
    assert {"batch 1", "batch 64"} <= found
    assert "batch 8" not in found


@pytest.mark.parametrize(
    ("model", "batches"), [("flux-1-dev", (1, 4, 16)), ("resnet-50", (8, 64)), ("dlrm", (64, 4096))]
)
def test_names_of_batches_lie_on_no_other(model: str, batches: tuple[int, ...]) -> None:
    ax = drawn(gpu.roofline(images(*batches, model=model), axes(9.6, 4.0)))
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text().startswith("batch ")]
    assert len(boxes) >= 2
    assert not any(boxes[k].overlaps(other) for k in range(len(boxes)) for other in boxes[k + 1 :])


def test_a_narrow_axis_has_two_ticks_and_seconds_stay_seconds() -> None:
    ax = drawn(gpu.latency(images(1, 8, 128, model="flux-1-dev"), [8], axes(4.8)))
    assert len([label for label in ax.get_xticklabels() if label.get_text()]) >= 2
    shown = {label.get_text() for label in ax.get_yticklabels()}
    assert {"100 s", "1,000 s"} <= shown
    assert not any("min" in label for label in shown)


@pytest.mark.parametrize("points", [language(1), language(1, 4, 16, 64, 256), images(8), gang(10**6)])
def test_page_is_drawn_without_a_warning(points: list[Any]) -> None:
    figure = gpu.page(points, points)
    figure.canvas.draw()
    assert len(figure.axes) == (2 if isinstance(points[0], TrainingPoint) else 4)


def test_colours_and_words_are_there_for_every_class() -> None:
    from dcsim.gpu.kernels import CLASSES, LIMITS
    from dcsim.report.gpu_table import CLASS_WORDS, LIMIT_WORDS

    assert set(gpu.CLASS_COLOURS) == set(CLASS_WORDS) == set(CLASSES)
    assert set(LIMIT_WORDS) == set(LIMITS)


# ---------------------------------------------------------------- summary and table


def test_shares_add_up_and_the_largest_limit_binds() -> None:
    for found in (gpu_summary.language(language(64)[0], {}), gpu_summary.batch(images(64)[0], {})):
        assert sum(found["limits"].values()) == pytest.approx(1.0)
        assert sum(found["kernels"].values()) == pytest.approx(1.0)
        assert found["limits"][found["bound_by"]] == max(found["limits"].values())
        json.dumps(found, allow_nan=False)


def test_one_output_token_has_no_time_between_tokens() -> None:
    known = catalog.load()
    point = language_point(
        known.get("llama-3.1-8b"), known.get("h100-sxm"), Serving(), batch=4, input_tokens=100, output_tokens=1
    )
    found = gpu_summary.language(point, {})
    assert not {"tpot_s", "itl_p50_s"} & set(found)
    assert found["latency_s"] == found["ttft_s"]


def printed(kind: str, summaries: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(point_table(kind, summaries))
    return out.getvalue()


def test_one_of_anything_has_no_plural() -> None:
    summary = gpu_summary.language(
        language_point(
            catalog.load().get("llama-3.1-8b"),
            catalog.load().get("h100-sxm"),
            Serving(),
            batch=1,
            input_tokens=1,
            output_tokens=1,
        ),
        {"published": 1},
    )
    out = io.StringIO()
    Console(file=out, width=120).print(point_table("llm", [summary]))
    assert "1 token in, 1 out" in out.getvalue()
    assert "1  request at a time" in out.getvalue()


def test_table_says_each_note_once() -> None:
    summaries = [
        gpu_summary.training(point, {"published": 3, "estimate": 1}) for point in gang(10**6, 10**7, model="dlrm")
    ]
    text = printed("training", summaries)
    assert text.count("note: ") == 1
    assert "10 M" in text
    assert "rests on 4 catalog numbers: 75.0 % published, 25.0 % estimate" in text


def test_tables_fit_120_columns() -> None:
    for kind, summaries in (
        ("llm", [gpu_summary.language(point, {"fitted": 1}) for point in language(1, 64)]),
        ("vision", [gpu_summary.batch(images(64)[0], {"fitted": 1})]),
    ):
        assert max(map(len, printed(kind, summaries).splitlines())) <= 120
        assert "…" not in printed(kind, summaries)
