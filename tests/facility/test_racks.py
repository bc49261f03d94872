"""Inside the IT meter: fans, banks with staging and failures, blocks of time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.errors import ScenarioError
from dcsim.facility import racks
from dcsim.facility.power import Bank, LossCurve, from_entry, redundant
from dcsim.facility.racks import Fans, RackChain

KNOWN = catalog.load()
TITANIUM = from_entry(KNOWN.get("psu-titanium"))
UPS = [from_entry(KNOWN.get(f"ups-{name}")) for name in ("double-conversion", "modern", "eco")]
CHAIN = RackChain(
    vrm=Bank(LossCurve(0.01, 0.08, 0.02, "vrm"), 10e3),
    fans=Fans(600.0, 11e3),
    psu=Bank(TITANIUM, 12e3, 2),
    pdu=Bank(LossCurve(0.0, 0.002, 0.0, "pdu"), 15e3),
)


def test_fans_by_hand() -> None:
    fans = Fans(600.0, 10e3)
    # half load: s = 0.35 + 0.65/2 = 0.675; 5 K warmer: x 1.15
    np.testing.assert_allclose(fans.power_w([0.0, 5e3, 10e3]), [600 * 0.35**3, 600 * 0.675**3, 600.0])
    assert fans.power_w(5e3, 30.0) == pytest.approx(600 * (0.675 * 1.15) ** 3)
    assert fans.power_w(10e3, 35.0) == 600.0
    with pytest.raises(ScenarioError, match="fans: 1 W at 0 W"):
        Fans(1.0, 0.0)


def test_rack_by_hand() -> None:
    found = CHAIN.parts_w(5e3)
    vrm = 10e3 * (0.01 + 0.08 * 0.5 + 0.02 * 0.25)
    fans = 600 * (0.35 + 0.65 * (5e3 + vrm) / 11e3) ** 3
    out = 5e3 + vrm + fans
    psu = 2 * 12e3 * 0.0097 + 0.0536 * out**2 / (2 * 12e3)
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        {"vrm": vrm, "fans": fans, "psu": psu, "pdu": 0.002 * (out + psu)}, rel=1e-12
    )


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 99))
def test_blocks_give_what_the_whole_gives(steps: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    compute, share, inlet = rng.uniform(0, 9e3, (steps, count)), rng.uniform(0, 1, count), rng.uniform(18, 35, steps)
    found = racks.totals(compute, CHAIN, inlet_c=inlet, liquid_share=share)
    parts = CHAIN.parts_w(compute, inlet[:, np.newaxis])
    meter = compute + sum(parts.values())
    np.testing.assert_allclose(found.it_w, meter.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.it_w, found.compute_w + sum(found.parts_w.values()), rtol=1e-12)
    np.testing.assert_allclose(found.liquid_w, (meter * share).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.rack_mean_w, meter.mean(axis=0), rtol=1e-12)


def test_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    compute = np.random.default_rng(1).uniform(0, 9e3, (50, 3)).astype(np.float32)
    whole = racks.totals(compute, CHAIN)
    monkeypatch.setattr(racks, "BLOCK", 12)
    np.testing.assert_allclose(racks.totals(compute, CHAIN).it_w, whole.it_w, rtol=1e-12)


def test_bad_racks() -> None:
    with pytest.raises(ScenarioError, match=r"liquid share ranges from 0 to 1.5"):
        racks.totals(np.zeros((2, 2)), CHAIN, liquid_share=[0.0, 1.5])
    with pytest.raises(ScenarioError, match=r"^vrm: load of 11 kW"):
        racks.totals(np.full((2, 2), 11e3), CHAIN)


# ---------------------------------------------------------------- redundancy, failures, staging


@pytest.mark.parametrize(
    ("redundancy", "modules", "total", "highest"),
    [("N", 4, 4, 1.0), ("N+1", 4, 5, 0.8), ("2N", 4, 8, 0.5), ("2N+1", 1, 4, 0.25), ("N+2", 2, 4, 0.5)],
)
def test_redundancy(redundancy: str, modules: int, total: int, highest: float) -> None:
    bank = redundant(UPS[0], 1e6, redundancy, modules)
    assert bank.modules == total
    assert 1e6 / bank.capacity_w == pytest.approx(highest)


@given(st.sampled_from(UPS), st.floats(0.0, 1.0), st.integers(1, 6))
def test_2n_is_never_more_efficient_than_n(curve: LossCurve, load: float, modules: int) -> None:
    drawn = [float(redundant(curve, 1e6, kind, modules).input_w(load * 1e6)) for kind in ("N", "2N")]
    assert drawn[1] >= drawn[0]


@given(st.floats(0, 0.2), st.floats(0, 0.1), st.floats(0, 1), st.floats(0, 1), st.integers(1, 4))
def test_2n_costs_where_no_load_loss_is_half_the_square_law(
    a0: float, a1: float, part: float, load: float, modules: int
) -> None:
    curve = LossCurve(a0, a1, 2 * a0 * part)
    drawn = [float(redundant(curve, 1e6, kind, modules).input_w(load * 1e6)) for kind in ("N", "2N")]
    assert drawn[1] >= drawn[0] * (1 - 1e-12)


def test_failed_modules_hand_their_load_to_the_others() -> None:
    bank = redundant(UPS[0], 1e6, "N+1", 4)
    left = bank.failed(1)
    assert left.modules == 4
    # 5 modules at 160 kW, then 4 at 200 kW, of 250 kW each
    assert bank.loss_w(800e3) == pytest.approx(5 * (2500 + 0.02 * 160e3 + 0.01 * 160e3**2 / 250e3))
    assert left.loss_w(800e3) == pytest.approx(4 * (2500 + 0.02 * 200e3 + 0.01 * 200e3**2 / 250e3))
    assert bank.failed(2).shed_w([700e3, 800e3]).tolist() == [0.0, 50e3]
    with pytest.raises(ScenarioError, match="load of 800 kW; allowed 0 W to its rating of 250 kW x 3"):
        bank.failed(2).loss_w(800e3)
    with pytest.raises(ScenarioError, match="5 of 5 modules failed; one must be left"):
        bank.failed(5)


def test_staging() -> None:
    bank = Bank(TITANIUM, 3e3, 4, staged_at=0.8)
    out = np.array([0.0, 2.4e3, 2.5e3, 7.3e3, 12e3])
    assert bank.running(out).tolist() == [1, 1, 2, 4, 4]
    # at 1.2 kW one module at 40 % loses less than four at 10 %
    assert bank.loss_w(1.2e3) == pytest.approx(3e3 * (0.0097 + 0.0536 * 0.16))
    assert bank.loss_w(1.2e3) < 0.45 * Bank(TITANIUM, 3e3, 4).loss_w(1.2e3)
    np.testing.assert_allclose(bank.loss_w(out)[2], TITANIUM.loss_w(2.5e3, 3e3, 2))
    np.testing.assert_allclose(bank.marginal(out)[1], TITANIUM.marginal(2.4e3, 3e3, 1))
    with pytest.raises(ScenarioError, match=r"staged at 1.2"):
        Bank(TITANIUM, 3e3, 4, staged_at=1.2)


def test_bad_redundancy() -> None:
    with pytest.raises(ScenarioError, match="redundancy is '3N'; did you mean"):
        redundant(UPS[0], 1e6, "3N")
    with pytest.raises(ScenarioError, match="0 modules for 1e"):
        redundant(UPS[0], 1e6, "N", 0)
