"""Figures, summary and table of networks on chips: what stands on the axes, and that the figures add up."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from rich.console import Console

from dcsim import catalog
from dcsim.chip import ChipRun, ChipSpec, SpikingNetwork, execute, place
from dcsim.chip.execution import CAUSES, LIMITS
from dcsim.report import chip, chip_mesh, chip_summary
from dcsim.report.chip_table import run_table


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@cache
def ran(name: str, chip_name: str, samples: int = 4) -> tuple[SpikingNetwork, ChipRun]:
    known = catalog.load()
    network, spec = SpikingNetwork.of(known.get(name)), ChipSpec.of(known.get(chip_name))
    return network, execute(network, place(network, spec), spec, samples=samples)


def small(steps: int = 3, rate: float = 0.5, chip_name: str = "loihi", sizes: tuple[int, ...] = (8, 6, 4)) -> ChipRun:
    network = SpikingNetwork.layered(list(sizes), steps=steps, rates=rate)
    spec = ChipSpec.of(catalog.load().get(chip_name))
    return execute(network, place(network, spec), spec)


def drawn(figure: Any) -> Axes:
    """The only axes of a figure that was drawn to the end, so that every warning of the layout is raised."""
    figure.canvas.draw()
    return figure.axes[0]


def figure_of(run: ChipRun, name: str) -> Axes:
    return drawn(dict(chip.figures(run))[name])


def energy_axes(energy_j: dict[str, dict[str, float]]) -> Axes:
    figure = plt.figure(figsize=chip.energy_size_in(len(energy_j)), layout="constrained")
    chip.energy(energy_j, figure.add_subplot())
    return drawn(figure)


def texts(ax: Axes) -> list[str]:
    """Every word on the axes, its legend and its panels."""
    found = [text.get_text() for text in ax.texts] + [ax.get_title(loc="left")]
    found += [label.get_text() for label in [*ax.get_xticklabels(), *ax.get_yticklabels()]]
    if legend := ax.get_legend():
        found += [text.get_text() for text in legend.get_texts()]
    return found + [word for panel in ax.child_axes for word in texts(panel)]


# ---------------------------------------------------------------- energy


def test_energy_bars_add_up_to_one_and_totals_stand_beside_them() -> None:
    split = {"a": {"static": 1e-6, "synapse": 3e-6}, "b": {"neuron": 2.0, "host": 2.0}}
    ax = energy_axes(split)
    shares, dots = ax.child_axes
    widths = {bars.get_label(): [bar.get_width() for bar in bars] for bars in shares.containers}
    assert widths == {"static": [0.25, 0.0], "neuron": [0.0, 0.5], "synapse": [0.75, 0.0], "host": [0.0, 0.5]}
    np.testing.assert_allclose(dots.lines[0].get_xdata(), [4e-6, 4.0])
    assert dots.get_xscale() == "log"
    assert {"a", "b", "4 µJ", "4 J", "25 %", "75 %", "50 %"} <= set(texts(ax))


def test_energy_of_one_chip_has_no_axis_of_totals() -> None:
    assert len(energy_axes({"only": {"static": 1.0}}).child_axes) == 1


def test_energy_of_twelve_chips_with_long_names() -> None:
    parts = {f"a-very-long-name-of-a-chip-number-{n}": dict.fromkeys(CAUSES, 10.0 ** (-n)) for n in range(12)}
    ax = energy_axes(parts)
    assert sum("…" in word for word in texts(ax)) == 12


def test_energy_of_a_chip_that_spent_none_beside_one_that_did() -> None:
    dots = energy_axes({"none": {"static": 0.0}, "some": {"static": 1.0}}).child_axes[1]
    assert list(dots.lines[0].get_xdata()) == [1.0]


def test_energy_of_nothing_says_so() -> None:
    assert "No chip has spent energy." in texts(energy_axes({"none": {"static": 0.0}}))


def test_causes_that_the_model_does_not_name_are_drawn_behind() -> None:
    shares = energy_axes({"a": {"other": 1.0, "static": 1.0}}).child_axes[0]
    assert [bars.get_label() for bars in shares.containers] == ["static", "other"]


def test_every_cause_and_limit_has_a_colour_of_its_own() -> None:
    for names, colours in ((CAUSES, chip.CAUSE_COLOURS), (LIMITS, chip.LIMIT_COLOURS)):
        assert set(names) <= set(colours)
        assert len(set(colours.values())) == len(colours)
    assert set(LIMITS) <= set(chip.LIMIT_WORDS)


# ---------------------------------------------------------------- steps


def test_steps_stack_up_to_the_mean_time() -> None:
    _, run = ran("kws", "loihi")
    top, bottom = figure_of(run, "steps").child_axes
    total = sum(patch.get_data().values - patch.get_data().baseline for patch in top.patches)
    np.testing.assert_allclose(total, run.steps.seconds.mean(axis=0) * 1e6)
    spikes = {patch.get_label(): patch.get_data().values for patch in bottom.patches}
    np.testing.assert_allclose(spikes["from inputs"], (run.counts.fired @ (1 - run.wiring.paid)).mean(axis=0))
    assert "µs" in texts(top)
    assert {"1", "5", "step 10"} <= set(texts(bottom))


def test_one_step() -> None:
    assert "step 1" in texts(figure_of(small(steps=1), "steps"))


@pytest.mark.parametrize("steps", [2, 11, 399, 401, 2345])
def test_many_steps_share_bars(steps: int) -> None:
    run = small(steps=steps)
    top, bottom = figure_of(run, "steps").child_axes
    bars = top.patches[0].get_data().edges
    assert len(bars) - 1 <= chip.MOST_BARS
    assert bars[-1] == steps
    assert any(word.startswith("each bar is the mean of") for word in texts(bottom)) == (steps > chip.MOST_BARS)
    total = sum(patch.get_data().values - patch.get_data().baseline for patch in top.patches)
    assert (total * np.diff(bars)).sum() * 1e-6 == pytest.approx(run.steps.seconds.sum())


def test_a_tick_is_drawn_with_the_time_that_was_needed() -> None:
    top = figure_of(small(chip_name="spinnaker"), "steps").child_axes[0]
    assert "time needed" in texts(top)
    assert [line.get_ydata()[0] for line in top.lines] == [1.0]


def test_a_silent_network_is_drawn() -> None:
    for name in ("energy", "steps", "mesh"):
        figure_of(small(rate=0.0), name)


# ---------------------------------------------------------------- mesh


def test_mesh_colours_the_tiles_in_use_and_names_their_layers() -> None:
    _, run = ran("dvs-gesture", "loihi-2", 1)
    ax = figure_of(run, "mesh")
    tiles = [patches for patches in ax.child_axes[0].collections if patches.get_label() == "tiles"]
    assert len(tiles[0].get_paths()) == run.wiring.tiles
    assert "numbers: layers, the input is 0" in texts(ax)
    busiest = run.core_s.sum(axis=(0, 1)).max() / run.steps.seconds.sum()
    assert chip_mesh.percent(busiest) in texts(ax)


def test_mesh_has_an_arrow_for_each_link_in_use() -> None:
    _, run = ran("dvs-gesture", "loihi-2", 1)
    from dcsim.chip.mesh import link_loads

    links, load = link_loads(run.counts.fired.mean(axis=(0, 1))[None, None], run.wiring)
    arrows = next(found for found in figure_of(run, "mesh").child_axes[0].collections if hasattr(found, "U"))
    assert (load > 0.0).sum() == arrows.N
    ends = np.column_stack([arrows.X + arrows.U, arrows.Y + arrows.V])
    assert np.abs(ends - np.column_stack([links.x, links.y])).max() < 1.0


def test_mesh_of_one_tile_has_no_links() -> None:
    ax = figure_of(small(), "mesh")
    assert "messages per link and step" not in texts(ax)


def test_mesh_of_several_chips_frames_each() -> None:
    _, run = ran("dvs-gesture", "spinnaker", 1)
    frames = [patch for patch in figure_of(run, "mesh").child_axes[0].patches if patch.get_facecolor()[3] == 0.0]
    assert len(frames) == run.wiring.chips > 1


@pytest.mark.slow
def test_mesh_of_4096_cores() -> None:
    network = SpikingNetwork.layered([64, 4096], rates=0.02)
    spec = replace(ChipSpec.of(catalog.load().get("loihi")), cores=4096, cores_per_tile=1)
    placement = place(network, spec, cores_per_layer=[1, 4096])
    ax = figure_of(execute(network, placement, spec), "mesh")
    assert ax.child_axes[0].get_xlim()[1] > 63
    assert "numbers: layers, the input is 0" not in texts(ax)


def test_layers_are_named_as_ranges() -> None:
    assert chip_mesh._ranges(np.array([1, 2, 3, 5])) == "1-3 5"


def test_page_has_all_figures() -> None:
    figure = chip.page(small())
    figure.canvas.draw()
    assert [ax.get_title(loc="left") for ax in figure.axes] == [chip.ENERGY_TITLE, chip.STEPS_TITLE, chip_mesh.TITLE]


# ---------------------------------------------------------------- summary and table


def summarised(name: str = "kws", chip_name: str = "loihi") -> tuple[ChipRun, dict[str, Any]]:
    network, run = ran(name, chip_name)
    return run, chip_summary.summary(run, network, grades={"published": 3, "estimate": 1})


def test_summary_adds_up() -> None:
    run, found = summarised()
    energy = found["energy_j"]
    assert energy["total"] == pytest.approx(sum(energy["by_cause"].values())) == pytest.approx(run.total_j.mean())
    assert energy["at"]["host"] == pytest.approx(energy["total"])
    assert energy["active"] < energy["at"]["chip"] <= energy["at"]["board"] <= energy["at"]["host"]
    assert energy["per_synop_total"] * found["events"]["synops"] == pytest.approx(energy["total"])
    assert found["power_w"] * found["latency_s"]["mean"] == pytest.approx(energy["total"])
    assert sum(limit["steps"] for limit in found["limits"].values()) == pytest.approx(1.0)
    assert sum(limit["time"] for limit in found["limits"].values()) == pytest.approx(1.0)
    assert found["throughput_per_s"]["copy"] * found["interval_s"] == pytest.approx(1.0)
    assert found["numbers"] == {"read": 4, "shares": {"published": 0.75, "estimate": 0.25}}
    json.dumps(found, allow_nan=False)


def test_copies_share_what_is_drawn_anyway() -> None:
    run, found = summarised("kws", "spinnaker2")
    assert found["placement"]["at_once"] > 1
    many = 1000 * run.at_once
    assert found["energy_j"]["shared"] == pytest.approx(sum(run.batch(many)[1].values()), rel=0.01)
    assert found["throughput_per_s"]["chip"] == pytest.approx(many / run.batch(many)[0], rel=0.01)


def _paths(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    names = {"energy_j.by_cause": "CAUSE", "limits": "LIMIT", "numbers.shares": "GRADE"}
    for key, value in tree.items():
        path = f"{above}.{names.get(above, key)}".lstrip(".")
        if isinstance(value, dict) and "p50" not in value:
            yield from _paths(value, path)
        else:
            yield path, value


def test_every_key_is_listed_and_every_listed_key_is_given() -> None:
    from dcsim.chip.outcome import Board

    known = catalog.load()
    network, spec = SpikingNetwork.of(known.get("kws")), ChipSpec.of(known.get("loihi"))
    board = Board.of(known.get("nahuku-32"), known)
    run = execute(network, place(network, spec), spec, board=board)
    found = dict(_paths(chip_summary.summary(run, network, grades=known.grades_used())))
    assert set(found) == {key.path for key in chip_summary.SUMMARY}
    for key in chip_summary.SUMMARY:
        assert isinstance(found[key.path], dict) == key.unit.endswith("*"), key.path


def test_figures_without_an_answer_are_absent() -> None:
    network = SpikingNetwork.layered([8, 4], rates=0.0)
    spec = ChipSpec.of(catalog.load().get("loihi"))
    found = chip_summary.summary(execute(network, place(network, spec), spec), network, grades={})
    assert "per_synop_total" not in found["energy_j"]
    assert found["numbers"] == {"read": 0, "shares": {}}


@pytest.mark.parametrize(
    ("name", "chip_name", "word"),
    [("kws", "loihi", "input and output"), ("mnist-256", "truenorth", "tick"), ("kws", "spinnaker2", "core 0")],
)
def test_advice_names_what_the_steps_wait_for(name: str, chip_name: str, word: str) -> None:
    assert word in summarised(name, chip_name)[1]["advice"][0]


def test_table_has_the_figures_in_words() -> None:
    _, found = summarised()
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(run_table(found | {"notes": ["read [this]"]}))
    text = console.export_text()
    for word in (
        "kws on loihi",
        "latency",
        "p99",
        "static",
        "total",
        "one copy",
        "note: read [this]",
        "75.0 % published",
    ):
        assert word in text
