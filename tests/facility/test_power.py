"""Converters: certificates, module sharing, Frontier, invariants."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.errors import CatalogError, ScenarioError
from dcsim.facility.power import Bank, CertificateCurve, Converter, LinearConverter, LossCurve, from_entry

TITANIUM = LossCurve(0.0097, 0.0, 0.0536)
DOUBLE_CONVERSION = LossCurve(0.010, 0.020, 0.010)
POINTS = [0.1, 0.2, 0.5, 1.0]
REDUNDANT_TITANIUM = CertificateCurve((0.1, 0.2, 0.5, 1.0), (0.90, 0.94, 0.96, 0.91))
PLATINUM = CertificateCurve((0.2, 0.5, 1.0), (0.90, 0.94, 0.91))

share = st.floats(0.0, 1.0)
small = st.floats(0.0, 0.2)
curves = st.builds(LossCurve, small, small, small)
modules = st.integers(1, 8)


def test_titanium_by_hand() -> None:
    # 10 %: loss 0.0097 + 0.000536 = 0.010236 of the rating, 0.1/0.110236; the others alike
    expected = [0.1 / 0.110236, 0.2 / 0.211844, 0.5 / 0.5231, 1 / 1.0633]
    np.testing.assert_allclose(TITANIUM.efficiency(np.array(POINTS) * 3000, 3000), expected, rtol=1e-12)
    np.testing.assert_allclose(expected, [0.907, 0.944, 0.956, 0.941], atol=6e-4)


@pytest.mark.parametrize(
    ("name", "percent"),
    [
        ("ups-double-conversion", [89.2, 95.7, 96.2]),
        ("ups-modern", [94.5, 97.2, 97.3]),
        ("ups-eco", [96.5, 98.7, 98.9]),
    ],
)
def test_ups_at_10_50_100_percent(name: str, percent: list[float]) -> None:
    curve = from_entry(catalog.load().get(name, kind="curve"))
    np.testing.assert_allclose(100 * curve.efficiency([0.1e6, 0.5e6, 1e6], 1e6), percent, atol=0.06)


def test_modules_share_the_load() -> None:
    # 4 modules of 250 kW at 600 kW: 4 a0 P_r + a1 P + a2 P^2/(4 P_r) = 10 + 12 + 3.6 kW
    assert DOUBLE_CONVERSION.loss_w(600e3, 250e3, modules=4) == pytest.approx(25.6e3, rel=1e-12)
    alone = DOUBLE_CONVERSION.loss_w(150e3, 250e3)
    assert DOUBLE_CONVERSION.loss_w(600e3, 250e3, modules=4) == pytest.approx(4 * alone, rel=1e-12)


@pytest.mark.parametrize("load", [0.1, 0.5, 1.0])
def test_2n_ups_is_less_efficient_than_n(load: float) -> None:
    # 2N halves the load on each string: the no-load loss doubles, the square-law loss halves
    loss_n, loss_2n = (float(DOUBLE_CONVERSION.loss_w(load * 1e6, 1e6, modules=n)) for n in (1, 2))
    assert loss_2n - loss_n == pytest.approx(1e6 * (0.010 - 0.010 * load**2 / 2))
    assert loss_2n > loss_n


def test_certificate_is_met_at_its_points_and_interpolates_loss() -> None:
    np.testing.assert_allclose(REDUNDANT_TITANIUM.efficiency(POINTS, 1.0), [0.90, 0.94, 0.96, 0.91], rtol=1e-12)
    # half way from 20 % to 50 %: mean of the losses 0.2 (1/0.9 - 1) and 0.5 (1/0.94 - 1)
    assert PLATINUM.loss_w(350.0, 1000.0) == pytest.approx(500 * (0.2 / 0.9 - 0.2 + 0.5 / 0.94 - 0.5))
    # the first segment prolonged to no load
    slope = ((0.5 / 0.94 - 0.5) - (0.2 / 0.9 - 0.2)) / 0.3
    assert PLATINUM.loss_w(0.0, 1000.0) == pytest.approx(1000 * (0.2 / 0.9 - 0.2 - 0.2 * slope))


def test_frontier_power_chain() -> None:
    """9472 nodes, 4 nodes and a 250 W switch per rectifier, 25 CDUs: RAPS reports 7.3065 and 28.2279 MW."""
    sivoc, rectifier = LinearConverter(13, 0.98), LinearConverter(17, 0.96)
    megawatts = []
    for cpu_w, gpu_w in ((90, 88), (280, 560)):
        node_w = cpu_w + 4 * gpu_w + 74.26 + 4 * 20 + 30
        nodes_w = sivoc.input_w(9472 * node_w, math.inf, modules=9472)
        racks_w = rectifier.input_w(nodes_w + 2368 * 250, math.inf, modules=2368)
        megawatts.append(float(racks_w + 25 * 8473.47) / 1e6)
    assert megawatts == pytest.approx([7.3065, 28.2279], abs=2e-4)
    assert megawatts == pytest.approx([7.30651, 28.2278], rel=1e-5)


@pytest.mark.parametrize(("node_w", "efficiency"), [(500, 0.910), (1000, 0.925), (2704, 0.935)])
def test_frontier_chain_efficiency(node_w: float, efficiency: float) -> None:
    catalogue = catalog.load()
    sivoc, rectifier = (from_entry(catalogue.get(f"frontier-{part}")) for part in ("sivoc", "rectifier"))
    drawn = rectifier.input_w(4 * sivoc.input_w(node_w, math.inf), math.inf)
    assert 4 * node_w / drawn == pytest.approx(efficiency, rel=1e-3)


@given(curves, share, modules)
def test_loss_curve_invariants(curve: LossCurve, x: float, n: int) -> None:
    rated = 1000.0
    out = x * rated * n
    assert curve.input_w(out, rated, n) == pytest.approx(out + float(curve.loss_w(out, rated, n)))
    assert 0 <= curve.efficiency(out, rated, n) <= 1
    assert curve.marginal(out, rated, n) >= 1
    # n modules at P lose what n single modules at P/n lose
    assert curve.loss_w(out, rated, n) == pytest.approx(n * float(curve.loss_w(x * rated, rated)), abs=1e-9)


@given(st.one_of(curves, st.just(PLATINUM), st.just(LinearConverter(17, 0.96))), share, share, modules)
def test_loss_grows_with_load(curve: Converter, x: float, y: float, n: int) -> None:
    low, high = sorted((x * 1000 * n, y * 1000 * n))
    assert curve.loss_w(low, 1000, n) <= curve.loss_w(high, 1000, n) + 1e-9


@pytest.mark.parametrize("curve", [TITANIUM, DOUBLE_CONVERSION, PLATINUM, LinearConverter(13, 0.98)])
@pytest.mark.parametrize("n", [1, 3])
def test_marginal_is_the_slope_of_the_input(curve: Converter, n: int) -> None:
    out = np.linspace(0.013, 0.987, 40) * n * 1000  # misses the points of the certificates
    slope = (curve.input_w(out + 0.5, 1000, n) - curve.input_w(out - 0.5, 1000, n)) / 1.0
    np.testing.assert_allclose(curve.marginal(out, 1000, n), slope, rtol=1e-9)


def test_nothing_drawn_is_efficiency_one() -> None:
    assert LossCurve(0, 0.1, 0).efficiency(0.0, 10.0) == 1
    assert TITANIUM.efficiency(0.0, 10.0) == 0


def test_bank_knows_its_rating() -> None:
    bank = Bank(DOUBLE_CONVERSION, 250e3, modules=4)
    assert bank.loss_w([600e3])[0] == DOUBLE_CONVERSION.loss_w(600e3, 250e3, 4)
    assert bank.marginal([600e3])[0] == pytest.approx(1 + 0.02 + 0.02 * 600 / 1000)


@pytest.mark.parametrize("curve", [LossCurve(0, 0, 0.1, name="psu"), CertificateCurve((0.5, 1.0), (0.9, 0.9), "psu")])
@pytest.mark.parametrize("load", [1000.1, -1.0, math.nan, math.inf])
def test_overload_is_an_error(curve: Converter, load: float) -> None:
    for method in (curve.loss_w, curve.marginal):
        with pytest.raises(ScenarioError, match=r"^psu: load of .*; allowed 0 W to its rating of 1 kW$"):
            method([10.0, load], 1000.0)
    with pytest.raises(ScenarioError, match="rating of 500 W x 2"):
        curve.loss_w([10.0, load], 500.0, modules=2)


@pytest.mark.parametrize(("rated", "n"), [(0.0, 1), (-5.0, 1), (math.nan, 1), (10.0, 0)])
def test_rating_must_be_positive(rated: float, n: int) -> None:
    with pytest.raises(ScenarioError, match="rated output"):
        TITANIUM.loss_w(1.0, rated, modules=n)


def test_bad_coefficients() -> None:
    with pytest.raises(CatalogError, match=r"^ups-x: a1 is -0.1; allowed 0 to 1$"):
        LossCurve(0.1, -0.1, 0.1, name="ups-x")
    with pytest.raises(CatalogError, match="loads"):
        CertificateCurve((0.5, 0.2, 1.0), (0.9, 0.9, 0.9))
    with pytest.raises(CatalogError, match="efficiencies"):
        CertificateCurve((0.5, 1.0), (0.9, 1.1))
    with pytest.raises(CatalogError, match="efficiencies"):
        CertificateCurve((0.5, 1.0), (0.9,))
    with pytest.raises(CatalogError, match="eta 0"):
        LinearConverter(1.0, 0.0)


def test_a_year_of_100_racks_is_fast() -> None:
    out = np.random.default_rng(1).uniform(0, 1e4, (105_120, 100))
    seconds = []
    for _ in range(3):
        start = time.process_time()
        TITANIUM.input_w(out, 1e4, modules=2)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.3
