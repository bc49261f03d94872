"""Curves, places and costs of the catalog are there, usable and reproducible."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

from dcsim import catalog
from dcsim.errors import CatalogError
from dcsim.facility.power import CertificateCurve, LossCurve, from_entry

PLACES = [
    "us-east-virginia",
    "us-arizona-phoenix",
    "us-northwest-seattle",
    "us-california",
    "us-midwest-chicago",
    "germany-frankfurt",
    "france",
    "sweden",
    "ireland",
    "india",
    "singapore",
]
CURVES = [
    "psu-titanium",
    "psu-platinum",
    "psu-gold",
    "psu-measured",
    "ups-double-conversion",
    "ups-modern",
    "ups-eco",
    "transformer-mv",
    "pdu-busway",
]
SCRIPT = Path(__file__).parents[2] / "docs" / "scripts" / "derive_places.py"


def test_expected_names_are_there() -> None:
    shipped = catalog.load()
    assert set(CURVES) <= set(shipped.names("curve"))
    assert set(PLACES) <= set(shipped.names("place"))
    assert shipped.names("cost") == ["cost-default"]


@pytest.mark.parametrize("name", catalog.load().names("curve"))
def test_every_curve_is_a_converter(name: str) -> None:
    entry = catalog.load().get(name)
    assert entry.facts["stage"] in ("vrm", "psu", "pdu", "ups", "transformer")
    efficiency = from_entry(entry).efficiency([100e3, 500e3, 1e6], 1e6)
    assert (efficiency > 0.8).all()
    assert (efficiency < 1).all()


def test_kinds_of_curve() -> None:
    shipped = catalog.load()
    assert from_entry(shipped.get("psu-titanium")) == LossCurve(0.0097, 0.0, 0.0536, "psu-titanium")
    gold = from_entry(shipped.get("psu-gold"))
    assert gold == CertificateCurve((0.2, 0.5, 1.0), (0.88, 0.92, 0.88), "psu-gold")
    with pytest.raises(CatalogError, match="france: no loss curve"):
        from_entry(shipped.get("france"))


@pytest.mark.parametrize("name", catalog.load().names("place"))
def test_every_place_is_plausible(name: str) -> None:
    place = catalog.load().get(name, kind="place")
    assert 10 < place["carbon_g_per_kwh"] < 900
    assert 0.02 < place["price_usd_per_kwh"] < 0.3
    assert 0.01 < place["ewif_l_per_kwh"] < 4  # Norway: hydropower counts as 0
    assert -12 <= place["utc_offset_h"] <= 14
    assert -66 < place["latitude_deg"] < 66


def test_costs_are_in_si() -> None:
    costs = catalog.load().get("cost-default", kind="cost")
    assert costs["capex_usd_per_mw"] == 11.7e6
    assert costs["it_lifetime_s"] == 5 * 365 * 86400
    assert costs["electrical_share"] + costs["mechanical_share"] + costs["shell_share"] < 1


def test_derived_figures_can_be_derived_again(capsys: pytest.CaptureFixture[str]) -> None:
    if not os.environ.get("DCSIM_DATA"):
        pytest.skip("DCSIM_DATA is not set")
    status = runpy.run_path(str(SCRIPT))["main"]()
    assert status == 0, capsys.readouterr().out
    shipped, printed = catalog.load(), capsys.readouterr().out
    for name in shipped.names("place"):
        place = shipped.get(name)
        for key in place:
            if place.quantity(key).grade == "derived":
                assert any(line.split()[:2] == [name, key] for line in printed.splitlines())
