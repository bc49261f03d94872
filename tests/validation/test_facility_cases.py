"""Area `facility`: built-in cases, the shared ones, and a user's own documents, good and bad."""

from __future__ import annotations

import json
import os
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from dcsim.facility import presets
from dcsim.facility import psychrometrics as air
from dcsim.facility.chain import evaluate
from dcsim.facility.weather import outdoor
from dcsim.validation import facility, run
from dcsim.validation.report import Row

DATA = os.environ.get("DCSIM_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="DCSIM_DATA is not set")
BUILTIN = {case.name: dict(case.body) for case in facility.builtin()}
POINT = next(body for body in BUILTIN.values() if body["kind"] == "operating_point")
CHAIN = next(body for body in BUILTIN.values() if body["kind"] == "power_chain")


def test_built_in_cases_hold_without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DCSIM_DATA", raising=False)
    report = run(["facility"], strict=True)
    assert report.exit_code == 0
    assert report.counts["failed"] == report.counts["skipped"] == 0
    assert {row.metric for row in report.rows if row.status == "passed"} >= {"PUE", "WUE_L_per_kWh", "peak_MW"}


@needs_data
@pytest.mark.usefixtures("files_only")
def test_shared_cases() -> None:
    """The presets untouched: what set the hyperscale preset is calibration, F05 and F06 are predictions."""
    report = run(["facility"], Path(DATA or "") / "cases" / "facility", strict=True)
    assert [row for row in report.rows if row.status == "failed"] == []
    status = {row.case: row.status for row in report.rows}
    assert {name for name, found in status.items() if found == "calibration"} == {"F02", "F03-4A", "F03-5A", "F03-4C"}
    predicted = {name for name, found in status.items() if found == "passed"}
    assert predicted == {"F01", "F05", "F06-2B", "F06-4C", "F06-4A", "F06-5A", "F07"}


@needs_data
def test_presets_do_not_depend_on_the_order_of_cases() -> None:
    shared = Path(DATA or "") / "data/weather/USA_VA_Leesburg.Exec.epw.gz"
    first = facility.year("water-chiller", presets.load("colo"), shared).facility_w.sum()
    facility.year("air-economizer", presets.load("hyperscale"), shared)
    assert facility.year("water-chiller", presets.load("colo"), shared).facility_w.sum() == first


# ---------------------------------------------------------------- a user's own


def rows(folder: Path, body: dict[str, Any]) -> list[Row]:
    (folder / "case.json").write_text(json.dumps(body))
    return list(run(["facility"], folder).rows)


def changed(body: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    found = deepcopy(body)
    found["inputs"] |= inputs
    return found


def write_epw(path: Path, dry_c: float, percent: int) -> None:
    """A year of one temperature."""
    dew = float(air.dew_point_c(air.humidity_ratio(dry_c, percent / 100)))
    days = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    lines = ["LOCATION,Here,X,Y,src,1,50.0,8.0,1.0,100.0", *["HEADER"] * 7]
    lines += [
        f"2021,{month},{day},{hour},0,?9,{dry_c},{dew:.1f},{percent},101325"
        for month, count in enumerate(days, start=1)
        for day in range(1, count + 1)
        for hour in range(1, 25)
    ]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.usefixtures("files_only")
def test_a_users_site_year(tmp_path: Path) -> None:
    write_epw(tmp_path / "mine.epw", 12.0, 60)
    preset = presets.load("small")
    weather = outdoor([12.0], relative_humidity=0.6)
    site = presets.site("dx", preset, 1e6)
    want = evaluate([1e6 * preset.it_load_share], 3600.0, site, weather)
    body = {
        "kind": "site_year",
        "inputs": {"system": "small_dx", "epw": "mine.epw", "climate_zone": "4A", "note": "mine"},
        "expected": {"PUE": {"value": float(want.facility_w[0] / want.it_w[0]), "rel_tol": 1e-9}, "ERF": [0, 1]},
    }
    found = {row.metric: row.status for row in rows(tmp_path, body)}
    assert found == {"PUE": "passed", "ERF": "skipped"}


@pytest.mark.usefixtures("files_only")
def test_a_chiller_only_point_counts_all_heat(tmp_path: Path) -> None:
    """The published equations by hand: PUE and WUE of a warm hour without economizer."""
    v = POINT["inputs"]["vector"] | {"T": 30.0, "RH": 50.0}
    wet = float(outdoor(30.0, relative_humidity=0.5).wet_bulb_c[0])
    q = 1 / v["ups"] + 1 / (1 - v["pd"]) - 1 + v["light"]
    need = q / v["shr"]
    fans = q / (1.01 * v["dTa"]) / 1.15 * v["fanPa"] / v["fane"] / 1000
    t, p = wet + v["AT"], v["plr"]
    eir = 0.2141177 - 1.276695e-4 * t + 6.016261e-5 * t**2 - 0.3302382 * p + 0.3026866 * p**2
    eir += 3.168254e-4 * t * p - 8.293149e-2 * p**3
    c = need * eir / (1 + v["pcop"])
    loop = v["cwPa"] * need / (4.2 * v["dTw"]) / (1e6 * v["cwe"])
    middle = t + v["dTct"] / 2
    e = (need + c) / (-0.0013 * middle**2 - 2.3097 * middle + 2500.5)
    m = (need + c) / (4.184 * v["dTct"])
    d = v["wind"] * m
    b = max(e / (v["CC"] - 1) - d, 0.0)
    fan = e / v["LG"] / 1.2 * v["ctPa"] / v["cte"] / 1000
    pump = v["ctpPa"] * m / (1000 * v["ctpe"] * 1000)
    expected = {
        "PUE": {"value": q + fans + c + loop + pump + fan, "rel_tol": 1e-6},
        "WUE_L_per_kWh": {"value": (e + d + b + (need - q) / 2266) * 3600, "rel_tol": 1e-6},
    }
    body = changed(POINT, system="colo_water_chiller", vector=v) | {"expected": expected}
    assert [row.status for row in rows(tmp_path, body)] == ["passed", "passed"]


@pytest.mark.usefixtures("files_only")
def test_switches_beside_the_rectifiers(tmp_path: Path) -> None:
    # 0.96 of 592 kW and the rectifiers' constant part stay: 28.23 - 592 x (1/0.96 - 1) kW
    body = changed(CHAIN, switches_fed_by="mains") | {"expected": {"peak_MW": {"value": 28.2032, "rel_tol": 1e-4}}}
    assert [row.status for row in rows(tmp_path, body)] == ["passed"]


@pytest.mark.usefixtures("files_only")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (changed(POINT, system="colo_dx"), "inputs.system is 'colo_dx'; allowed: colo_wse"),
        (changed(POINT, vector=POINT["inputs"]["vector"] | {"ups": 1.2}), "inputs.vector.ups: Input should be less"),
        (changed(POINT, vector=POINT["inputs"]["vector"] | {"T": 95.0}), "dry bulb 95 degC; .*Fahrenheit"),
        (changed(POINT, vector={"T": 9.0}), "inputs.vector.RH: Field required"),
        (changed(CHAIN, switches_fed_by="sun"), "switches_fed_by is 'sun'; allowed: rectifiers, mains"),
        ({**CHAIN, "expected": {}}, "expected: "),
        ({**CHAIN, "expected": {"peak_MW": [30, 20]}}, "range 30 to 20 is upside down"),
        ({**CHAIN, "expected": {"peak_MW": "much"}}, "expected.peak_MW"),
        (
            {"kind": "site_year", "inputs": {"system": "igloo", "epw": "a"}, "expected": {"PUE": [1, 2]}},
            "inputs.system is 'igloo'; allowed: economizer_adiabatic",
        ),
        (
            {"kind": "site_year", "inputs": {"system": "small_dx", "epw": "no.epw"}, "expected": {"PUE": [1, 2]}},
            "file 'no.epw' is neither beside the case",
        ),
        (
            {"kind": "site_year", "inputs": {"system": "small_dx", "epw": "case.json"}, "expected": {"PUE": [1, 2]}},
            "an EPW file begins with LOCATION",
        ),
        (
            {"kind": "identity", "inputs": {"PUE": 1.1}, "expected": {"total_ML": [1, 2]}},
            "inputs has none of IT_energy",
        ),
        (
            {
                "kind": "interruptions",
                "inputs": {"gpus": 8, "days": 1.0, "counts_by_cause": {"psu": 0}},
                "expected": {"interruptions_total": [0, 1]},
            },
            "no interruption was counted",
        ),
    ],
)
def test_bad_documents(tmp_path: Path, body: dict[str, Any], message: str) -> None:
    (row,) = rows(tmp_path, body)
    assert row.status == "failed"
    assert row.simulated is None
    assert re.search(message, row.note), row.note
