"""Power: states, the three forms of busy power, clock and cap, the node."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.catalog import Catalog
from dcsim.errors import PlacementError
from dcsim.gpu import power
from dcsim.gpu.roofline import in_format, rates


def test_states_of_a_gpu_without_work(known: Catalog) -> None:
    assert power.states(known.get("toy-gpu")) == (0.0, 2.0, 10.0, 20.0)
    for name in known.names("gpu"):
        off, sleep, idle, resident = power.states(known.get(name))
        assert off < sleep < idle < resident


def test_power_law_and_its_ends(known: Catalog) -> None:
    h200 = power.busy(known.get("h200-sxm"))
    assert [h200(u, 0.0) for u in (0.0, 0.5, 1.0)] == pytest.approx([143, 143 + 536 * 0.5**1.36, 679])
    assert h200(0.2, 0.5) == h200(0.5, 0.2)
    toy = power.busy(known.get("toy-gpu"))
    assert toy(0.5, 0.0) == pytest.approx(20 + 80 * 0.25)
    assert toy(2.0, 0.0) == pytest.approx(100)  # never above the peak


def test_power_of_two_shares_and_its_cap(known: Catalog) -> None:
    h100 = power.busy(known.get("h100-sxm"))
    assert h100(0.1, 0.5) == pytest.approx(298 + 0.1 * 1142 + 0.5 * 213)
    assert h100(1.0, 1.0) == 700  # the TDP
    assert h100(0.0, 0.0) == known.get("h100-sxm")["awake_w"]  # nothing is done
    assert h100(0.0, 0.15) == pytest.approx((known.get("h100-sxm")["awake_w"] + 298) / 2 + 0.15 * 213)


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
    for name in ("h100-sxm", "h200-sxm", "a100-sxm-80"):
        busy = power.busy(known.get(name))
        assert busy(compute, memory) <= busy(compute + more, memory) + 1e-9
        assert busy(compute, memory) <= busy(compute, memory + more) + 1e-9
        assert busy(compute, memory) <= 1.03 * known.get(name)["tdp_w"]


# ---------------------------------------------------------------- clock and cap


def test_half_the_clock_by_hand(known: Catalog) -> None:
    got = power.at_clock(known.get("toy-gpu"), 0.5, 100.0, 0.4)
    assert got.seconds == pytest.approx(1.4)  # the computing part takes twice as long
    assert got.power_w == pytest.approx(20 + 80 / 8)


def test_a_cap_slows_only_what_draws_more(known: Catalog) -> None:
    toy = known.get("toy-gpu")
    assert power.capped(toy, 90.0, 60.0, 0.5) == (1.0, 1.0, 60.0)
    got = power.capped(toy, 30.0, 100.0, 1.0)
    assert got.power_w == pytest.approx(30.0)
    assert got.clock == pytest.approx((10 / 80) ** (1 / 3))
    assert got.seconds == pytest.approx(2.0)


def test_reading_is_not_slowed_and_saves_energy(known: Catalog) -> None:
    """Decoding hardly computes: at 70 % of the clock it takes 1 % longer and far less energy."""
    h100 = known.get("h100-sxm")
    got = power.at_clock(h100, 0.7, 450.0, 0.03)
    assert got.seconds < 1.02
    assert got.seconds * got.power_w < 0.75 * 450.0


@pytest.mark.parametrize("clock", [0.0, -1.0, 1.1, float("nan")])
def test_bad_clock(known: Catalog, clock: float) -> None:
    with pytest.raises(PlacementError, match="allowed: above 0, at most 1"):
        power.at_clock(known.get("toy-gpu"), clock, 100.0, 0.5)


def test_cap_below_what_a_waiting_gpu_draws(known: Catalog) -> None:
    with pytest.raises(PlacementError, match="want more than 20 W"):
        power.capped(known.get("toy-gpu"), 15.0, 100.0, 0.5)


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
    got = rates(known.get("toy-gpu"), "fp8")
    assert got == pytest.approx((1e12, 50e9, 25e9, 10e-6, 20e-6))
