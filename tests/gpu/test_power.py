"""Power: states, the three forms of busy power, clock and cap, the node."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.catalog import Catalog
from dcsim.errors import PlacementError
from dcsim.gpu import power
from dcsim.gpu.points import language_point
from dcsim.gpu.roofline import in_format, reached
from dcsim.scenario.hardware import Serving


def test_states_of_a_gpu_without_work(known: Catalog) -> None:
    assert power.states(known.get("toy-gpu")) == (0.0, 2.0, 10.0, 20.0)
    for name in known.names("gpu"):
        off, sleep, idle, resident = power.states(known.get(name))
        assert off < sleep < idle < resident


def test_power_law_and_its_ends(known: Catalog) -> None:
    toy = power.busy(known.get("toy-gpu"))
    assert toy(0.0, 0.0) == 20
    assert toy(0.5, 0.0) == toy(0.2, 0.5) == pytest.approx(20 + 80 * 0.25)
    assert toy(2.0, 0.0) == pytest.approx(100)  # never above the peak


def test_power_of_two_shares_and_its_ends(known: Catalog) -> None:
    h100 = known.get("h100-sxm")
    busy, span = power.busy(h100), 700 - 118
    assert busy(0.0, 0.0) == h100["awake_w"] == 118
    assert busy(0.001, 0.001) == pytest.approx(118 + 0.001 * (4299 + 697), rel=1e-2)  # far from the TDP they add up
    assert busy(0.1, 0.5) == pytest.approx(118 + span * (1 - math.exp(-(429.9 + 348.5) / span)))
    assert 699 < busy(1.0, 1.0) < 700  # the TDP


@pytest.mark.parametrize("name", ["h100-sxm", "h200-sxm", "b200-sxm"])
def test_a_larger_batch_does_not_draw_less(known: Catalog, name: str) -> None:
    """The law of one utilisation fell with the batch: reading gave way to launches before computing took over."""
    serving, model = Serving(), known.get("llama-3.1-8b")
    points = [
        language_point(model, known.get(name), serving, batch=batch, input_tokens=300, output_tokens=400)
        for batch in (1, 4, 16, 64, 256)
    ]
    watts = [point.device_w for point in points]
    assert all(later > 0.98 * earlier for earlier, later in itertools.pairwise(watts))
    assert watts[-1] > watts[0]


def test_served_models_draw_alike_on_two_cards_of_one_die(known: Catalog) -> None:
    """H100's power was fitted to served models, H200's to long matrix products."""
    for batch in (1, 32, 256):
        h100, h200 = (
            language_point(
                known.get("llama-3.1-8b"), known.get(name), Serving(), batch=batch, input_tokens=300, output_tokens=400
            ).device_w
            for name in ("h100-sxm", "h200-sxm")
        )
        assert h200 == pytest.approx(h100, rel=0.15)


def test_power_table(tmp_path: Path) -> None:
    path = tmp_path / "table.yaml"
    path.write_text(
        "tabled:\n  kind: gpu\n  title: t\n  numbers:\n"
        '    power_table: {value: [[0, 50], [0.5, 80], [1, 90]], unit: "1", source: t, grade: measured}\n',
        encoding="utf-8",
    )
    busy = power.busy(catalog.load([path]).get("tabled"))
    assert [busy(0.0, 0.0), busy(0.25, 0.1), busy(0.1, 0.75), busy(3.0, 0.0)] == pytest.approx([50, 65, 85, 90])


@given(st.floats(0, 1.5), st.floats(0, 1.5), st.floats(0, 0.5))
def test_more_work_never_draws_less(compute: float, memory: float, more: float) -> None:
    known = catalog.load()
    for name in known.names("gpu"):
        busy = power.busy(known.get(name))
        assert busy(compute, memory) <= busy(compute + more, memory) + 1e-9
        assert busy(compute, memory) <= busy(compute, memory + more) + 1e-9
        assert busy(compute, memory) <= known.get(name)["tdp_w"]


# ---------------------------------------------------------------- clock and cap


def test_half_the_clock_by_hand(known: Catalog) -> None:
    """Power 20 + 80 u^2: arithmetic takes a quarter of the energy, half of reading does."""
    busy = power.busy(known.get("toy-gpu"), 0.5)
    assert busy(1.0, 0.0) == pytest.approx(20 + 80 * (1 / 8) ** 2)
    assert busy(0.0, 1.0) == pytest.approx(20 + 80 * (0.5 + 0.5 / 4) ** 2)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.6, 1))
def test_a_lower_clock_draws_no_more_and_never_less_than_waiting(compute: float, memory: float, clock: float) -> None:
    h100 = catalog.load().get("h100-sxm")
    full, lower = power.busy(h100), power.busy(h100, clock)
    assert 118 <= lower(compute, memory) <= full(compute, memory) + 1e-9


def test_the_highest_clock_under_a_cap(known: Catalog) -> None:
    toy = known.get("toy-gpu")
    assert power.highest_clock(toy, lambda _: 60.0, 90.0) == 1.0
    assert power.highest_clock(toy, lambda clock: 100.0 * clock, 80.0) == pytest.approx(0.8)
    assert power.highest_clock(toy, lambda clock: 100.0 * clock, 80.0, most=0.7) == 0.7
    with pytest.raises(PlacementError, match=r"cap is 30 W; this work draws 40 W at the lowest clock, 0\.4$"):
        power.highest_clock(toy, lambda clock: 100.0 * clock, 30.0)


@pytest.mark.parametrize("clock", [0.0, -1.0, 0.39, 1.1, float("nan")])
def test_bad_clock(known: Catalog, clock: float) -> None:
    with pytest.raises(PlacementError, match=r"allowed: 0\.4 to 1"):
        power.busy(known.get("toy-gpu"), clock)


# ---------------------------------------------------------------- node


def test_hgx_h100_node_draws_what_was_measured(known: Catalog) -> None:
    """8.4 kW AC at most in training, of a rated 10.2 kW (Latif et al. 2025), behind supplies of 95 %."""
    system, host = known.get("hgx-h100"), known.get("host-gpu-2-socket")
    full = power.node_w(system, host, known.get("h100-sxm")["peak_w"], 1.0) / 0.95
    assert full == pytest.approx(8400, rel=0.03)
    assert full < system["rated_w"]
    idle = power.node_w(system, host, known.get("h100-sxm")["idle_w"], 0.0)
    assert idle == pytest.approx(8 * known.get("h100-sxm")["idle_w"] + host["idle_w"] + system["board_idle_w"])


# ---------------------------------------------------------------- rates of a format


def test_numbers_of_a_format(known: Catalog) -> None:
    h100 = known.get("h100-sxm")
    assert in_format(h100, "compute_efficiency", "fp8") == h100["compute_efficiency_fp8"]
    assert in_format(h100, "compute_efficiency", "fp16") == h100["compute_efficiency"]
    assert in_format(h100, "layer_s", "fp8") == h100["layer_fp8_s"]
    assert in_format(h100, "layer_s", "bf16") == h100["layer_s"]


def test_rates_by_hand(known: Catalog) -> None:
    assert reached(known.get("toy-gpu"), "fp8") == pytest.approx((1e12, 50e9))
