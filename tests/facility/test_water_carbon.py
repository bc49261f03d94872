"""Water by annual figures, fuel mixes, embodied carbon."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import catalog
from dcsim.errors import CatalogError
from dcsim.facility import embodied
from dcsim.facility.carbon import operational_g
from dcsim.facility.embodied import Band, chip_band, fab_kg_per_cm2
from dcsim.facility.water import EWIF_L_PER_KWH, mix_intensity, of_it_energy, source_l


def test_gpt3_training_water() -> None:
    """Ren et al.: 1287 MWh, US average: 0.708 ML on site, 5.44 ML in total."""
    water = of_it_energy(1287e3, pue=1.170, wue=0.550, ewif=3.142)
    assert water.site_l == pytest.approx(0.708e6, rel=2e-3)
    assert water.source_l == pytest.approx(4.731e6, rel=2e-3)
    assert water.total_l == pytest.approx(5.44e6, rel=2e-3)


def test_inference_water() -> None:
    """Ren et al.: 4 Wh a request, US average: 16.9 mL a request, 29.6 requests for half a litre."""
    litres = of_it_energy(4e-3, pue=1.170, wue=0.550, ewif=3.142).total_l
    assert 1000 * litres == pytest.approx(16.9, rel=2e-3)
    assert 0.5 / litres == pytest.approx(29.6, rel=3e-3)


def test_request_water_identity() -> None:
    litres = of_it_energy(4e-3, pue=1.2, wue=1.0, ewif=5.0).total_l
    assert 1000 * litres == pytest.approx(28.0, rel=1e-12)
    assert 0.5 / litres == pytest.approx(17.857142857142858, rel=1e-12)


def test_source_water() -> None:
    np.testing.assert_allclose(source_l([3.6e6, 7.2e6], [1.0, 2.5]), [1.0, 5.0])


def test_operational_carbon() -> None:
    np.testing.assert_allclose(operational_g([1000.0, 500.0], 3600.0, [300.0, -0.0]), [300.0, 0.0])


def test_mix_by_hand() -> None:
    mix = {"coal": [1.0, 0.0], "wind": [3.0, 2.0]}
    np.testing.assert_allclose(mix_intensity(mix, EWIF_L_PER_KWH), [0.45 * 3.785 / 4, 0])
    assert mix_intensity({"nuclear": 5.0}, EWIF_L_PER_KWH) == pytest.approx(2.271)


def test_identities_of_the_facility_cases() -> None:
    root = os.environ.get("DCSIM_DATA")
    if not root:
        pytest.skip("DCSIM_DATA is not set")
    cases = {case["id"]: case for case in json.loads((Path(root) / "cases/facility/facility.json").read_text())}
    for name in ("F09", "F10"):
        given_, expected = cases[name]["inputs"], cases[name]["expected"]["mL_per_request"]
        water = of_it_energy(
            given_["IT_energy_Wh_per_request"] / 1000,
            given_["PUE"],
            given_["WUE_onsite_L_per_kWh"],
            given_["EWIF_L_per_kWh"],
        )
        assert 1000 * water.total_l == pytest.approx(expected["value"], rel=expected["rel_tol"])


# ---------------------------------------------------------------- embodied


def test_fab_carbon_by_hand() -> None:
    # 28 nm: (642 g/kWh x 0.90 kWh + 137.5 g + 500 g)/0.875 = 1388.9 g/cm2
    assert fab_kg_per_cm2(28) == pytest.approx((642 * 0.90 + 137.5 + 500) / 0.875 / 1000, rel=1e-12)
    table = {28: 1.39, 20: 1.62, 14: 1.64, 10: 1.88, 8: 1.91, 7: 2.46, 5: 2.96, 3: 3.38}
    assert {nm: round(fab_kg_per_cm2(nm), 2) for nm in table} == table


@pytest.mark.parametrize(
    ("area_mm2", "nm", "die_kg"),
    [(60, 14, 0.98), (31, 4, 0.92), (88, 22, 1.43), (430, 28, 5.97), (800, 12, 13.1), (814, 5, 24.1)],
)
def test_neuromorphic_dies(area_mm2: float, nm: float, die_kg: float) -> None:
    band = chip_band(area_mm2, nm)
    assert band.mid == pytest.approx(die_kg + 0.15, abs=6e-3 * die_kg + 6e-3)
    assert band.low < band.mid <= band.high


def test_hala_point() -> None:
    assert 1152 * chip_band(31, 4).mid == pytest.approx(1.23e3, rel=5e-3)


def test_nodes_outside_act() -> None:
    assert fab_kg_per_cm2(130) == pytest.approx(0.7 * fab_kg_per_cm2(28))
    assert fab_kg_per_cm2(32) == fab_kg_per_cm2(28)
    for nm in (1.0, -7.0, float("nan"), 5000.0):
        with pytest.raises(CatalogError, match="allowed: 2 to 1000 nm"):
            fab_kg_per_cm2(nm)
    with pytest.raises(CatalogError, match=r"abatement 0\.5"):
        fab_kg_per_cm2(7, abatement=0.5)


def test_cleaner_fab_emits_less() -> None:
    assert fab_kg_per_cm2(7, 0.99) < fab_kg_per_cm2(7, 0.97) < fab_kg_per_cm2(7, 0.95)
    assert fab_kg_per_cm2(7, carbon_g_per_kwh=0) == pytest.approx((275 + 500) / 875)


def test_amortised_over_the_life() -> None:
    five_years = 5 * 365 * 86400.0
    assert embodied.amortised(Band(24.0, 164.0, 575.0), five_years, 365 * 86400.0) == pytest.approx((4.8, 32.8, 115.0))


@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1e3), st.floats(0, 1e3)).map(sorted), max_size=5))
def test_bands_stay_ordered(ends: list[list[float]]) -> None:
    total = embodied.ZERO.plus(*(Band(*three) for three in ends)).scaled(0.3)
    assert total.low <= total.mid * (1 + 1e-12)
    assert total.mid <= total.high * (1 + 1e-12)
    assert total.high == pytest.approx(0.3 * sum(three[2] for three in ends))


def test_of_entry(tmp_path: Path) -> None:
    file = tmp_path / "extra.yaml"
    number = "{value: %s, unit: %s, source: test, grade: published%s}"
    file.write_text(
        "given:\n  kind: chip\n  title: Given\n  is: {mode: event}\n  numbers:\n    embodied_kg: "
        + number % (164, "kg", ", low: 24, high: 575")
        + "\nplain:\n  kind: rack\n  title: Plain\n  numbers:\n    embodied_kg: "
        + number % (150, "kg", "")
        + "\ndie:\n  kind: chip\n  title: Die\n  is: {mode: event}\n  numbers:\n    die_area_mm2: "
        + number % (60, "mm2", "")
        + "\n    process_nm: "
        + number % (14, "nm", "")
        + "\nnone:\n  kind: rack\n  title: None\n"
    )
    entries = catalog.load([file])
    assert embodied.of_entry(entries.get("given")) == (24.0, 164.0, 575.0)
    assert embodied.of_entry(entries.get("plain")) == (150.0, 150.0, 150.0)
    assert embodied.of_entry(entries.get("die")) == chip_band(60, 14)
    assert embodied.of_entry(entries.get("none")) is None
