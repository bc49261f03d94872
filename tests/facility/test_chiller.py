"""Chillers: fits, the trap of chilled water, staging."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.errors import CatalogError
from dcsim.facility.chiller import Bank, CopTable, DoeCurve, EirCurve, from_entry

KNOWN = catalog.load()
WATER, AIR, DOE, DX = (
    from_entry(KNOWN.get(name, "cooling")) for name in ("chiller-water", "chiller-air", "chiller-doe2", "dx-air")
)


def test_ends_of_the_water_table() -> None:
    # the table says 4.95 and 8.37, the fit gives 5.00 and 8.26
    assert WATER.cop(29.4, 0.25, 6.67) == pytest.approx(5.00, abs=0.01)
    assert WATER.cop(15.6, 1.0, 6.67) == pytest.approx(8.26, abs=0.02)


def test_factor_of_chilled_water_by_hand() -> None:
    # 10 K warmer: 25 % better; held at 20 degC
    assert WATER.cop(25.0, 0.7, 16.67) == pytest.approx(1.25 * float(WATER.cop(25.0, 0.7, 6.67)))
    assert WATER.cop(25.0, 0.7, 30.0) == WATER.cop(25.0, 0.7, 20.0)


def test_held_to_the_fitted_range() -> None:
    assert WATER.cop(5.0, 0.7, 6.67) == WATER.cop(15.56, 0.7, 6.67)
    assert AIR.cop(-20.0, 0.7, 6.67) == AIR.cop(15.0, 0.7, 6.67)
    assert WATER.cop(20.0, 0.05, 6.67) == WATER.cop(20.0, 0.25, 6.67)


def test_the_doe2_trap() -> None:
    """The bare DOE-2 curve says that warmer chilled water is worse; what dcsim uses never does."""
    assert isinstance(DOE, DoeCurve)
    bare = DoeCurve(5.5, DOE.temperature, DOE.load)
    at = [float(bare.unguarded(29.4, 1.0, chilled)) for chilled in (10.0, 15.0)]
    # EIRFT at 10 degC: 0.933884 - 0.58212 + 0.450036 + 0.071442 + 0.420079 - 0.35721 = 0.936111; 5.5/0.936111 = 5.875
    assert at == pytest.approx([5.875, 5.345], abs=1e-3)
    chilled = np.linspace(5.0, 25.0, 41)
    for curve in (WATER, AIR, DOE):
        assert (np.diff(curve.cop(29.4, 0.8, chilled)) >= -1e-12).all()
    assert DOE.cop(29.4, 1.0, 20.0) == DOE.cop(29.4, 1.0, 10.0)


def test_doe2_agrees_with_the_fit_at_rating_conditions() -> None:
    t, p = np.meshgrid(np.linspace(15.6, 29.4, 7), np.linspace(0.3, 1.0, 8))
    ratio = DOE.cop(t, p, 6.67) / WATER.cop(t, p, 6.67)
    assert ratio.min() > 0.90
    assert ratio.max() < 1.10
    assert ratio.mean() == pytest.approx(1.0, abs=0.03)


def test_direct_expansion_is_a_table() -> None:
    np.testing.assert_allclose(DX.cop([0.0, 22.5, 50.0], 0.5, 7.0), [2.80, 2.23, 1.23])


def test_staging_by_hand() -> None:
    # COP is best at full load here, so as few as possible run: 2 of 4 machines of 250 kW at 300 kW
    bank = Bank(EirCurve((0.30, 0.0, 0.0, -0.10, 0.0, 0.0, 0.0), 0.0, 50.0, gain=0.0), 4, 1e6)
    found = bank.run(np.array([0.0, 200e3, 300e3, 2e6]), 20.0, 7.0)
    assert found.running.tolist() == [0, 1, 2, 4]
    np.testing.assert_allclose(found.power_w, [0.0, 200e3 * 0.22, 300e3 * 0.24, 1e6 * 0.20])
    assert found.served_w.tolist() == [0.0, 200e3, 300e3, 1e6]


@given(st.sampled_from([WATER, AIR, DOE]), st.floats(0, 45), st.floats(0, 1.2), st.floats(0, 1.2), st.integers(1, 8))
def test_power_never_falls_with_the_load(curve: EirCurve, sink: float, a: float, b: float, machines: int) -> None:
    low, high = sorted((a, b))
    found = Bank(curve, machines, 1e6).run(np.array([low, high]) * 1e6, sink, 10.0)
    assert found.power_w[0] <= found.power_w[1] + 1e-6
    assert (found.served_w <= 1e6).all()


def test_entries_that_are_no_chiller() -> None:
    with pytest.raises(CatalogError, match="psu-titanium: no efficiency curve"):
        from_entry(KNOWN.get("psu-titanium"))
    assert isinstance(DX, CopTable)
