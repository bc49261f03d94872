"""`dcsim facility`: what it prints, that the figures are those of the library, and input that cannot be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcsim import catalog, seeds
from dcsim.facility import climates, presets, site_year
from dcsim.facility.plants import KINDS
from dcsim.report import facility_summary
from dcsim.validation import facility as cases

YEAR = ("facility", "--plant", "water-economizer", "--weather", "phoenix")


def error(outcome: Any) -> str:
    """The one line of a command line that was wrong."""
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    return str(outcome.err.removeprefix("error: ").rstrip())


def read(outcome: Any) -> Any:
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)


def paths(tree: dict[str, Any], above: str = "") -> set[str]:
    """Keys as the list of the summary writes them."""
    many = {"by_part": "PART", "by_kind": "KIND", "shares": "GRADE", "settings": "SETTING"}
    found = set()
    for key, value in tree.items():
        name = many.get(above.rstrip(".").rpartition(".")[2], key)
        found |= paths(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}"}
    return found


def hours(temperature_c: float) -> str:
    """A CSV year of constant air."""
    times = np.arange("2023-01-01T00", "2024-01-01T00", dtype="datetime64[h]")
    rows = [f"{time}:00,{temperature_c},50" for time in times]
    return "\n".join(["time,temperature_2m,relative_humidity_2m", *rows]) + "\n"


# ---------------------------------------------------------------- what comes out


def test_table(dcsim):
    outcome = dcsim(*YEAR)
    assert (outcome.code, outcome.err) == (0, "")
    for word in (
        "water-economizer, hyperscale",
        "PUE",
        "WUE, consumed",
        "economizer",
        "ELC",
        "set points missed",
        "UPS",
    ):
        assert word in outcome.out
    assert "warning" not in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 120


def test_json_gives_the_figures_of_the_library(dcsim):
    found = read(dcsim(*YEAR, "--preset", "colo", "--load", "40%", "--design-power", "2 MW", "--seed", "3", "--json"))
    known = catalog.load()
    weather = climates.typical_year(climates.load("climate-phoenix", known), seeds.generator(3, 0, "weather"))
    year = site_year.run(
        "water-economizer", presets.load("colo", known), weather, design_it_w=2e6, it_w=0.8e6, known=known
    )
    assert {**found, "numbers": 0} == {**facility_summary.summary(year, {}), "numbers": 0}
    assert found["numbers"]["read"] > 50


def test_figures_hang_together(dcsim):
    found = read(dcsim(*YEAR, "--json"))
    energy, water = found["energy_kwh"], found["water_l"]
    assert sum(energy["by_part"].values()) == pytest.approx(energy["facility"])
    assert sum(water["by_kind"].values()) == pytest.approx(water["withdrawn"])
    assert found["pue"] == pytest.approx(1.0 / (1.0 - found["elc"]) + found["mlc"])
    assert found["wue_l_per_kwh"]["withdrawn"] == pytest.approx(water["withdrawn"] / energy["by_part"]["it"])
    assert found["energy_kwh"]["by_part"]["it"] == pytest.approx(8760 * 600.0)
    band = found["wue_l_per_kwh"]
    assert band["consumed_low"] <= band["consumed"] <= band["consumed_high"] <= band["withdrawn_high"]


def test_every_key_is_listed(dcsim):
    found = read(dcsim(*YEAR, "--set", "cycles=4", "--json"))
    assert paths(found) == {key.path for key in facility_summary.SUMMARY}


def test_a_plant_without_economizer_has_no_hours_of_it(dcsim):
    assert "economizer_h" not in read(dcsim("facility", "--plant", "dx", "--weather", "seattle", "--json"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_plant_runs(dcsim, kind):
    found = read(dcsim("facility", "--plant", kind, "--weather", "climate-seattle", "--preset", "small", "--json"))
    assert 1.05 < found["pue"] < 3.0


@pytest.mark.parametrize(
    ("options", "it_w", "design_w"),
    [
        ((), 0.6e6, 1e6),
        (("--load", "0.3"), 0.3e6, 1e6),
        (("--it-power", "3 MW"), 3e6, 5e6),
        (("--it-power", "3 MW", "--load", "0.5"), 3e6, 6e6),
        (("--design-power", "2 MW"), 1.2e6, 2e6),
        (("--it-power", "1 MW", "--design-power", "4 MW"), 1e6, 4e6),
        (("--load", "1"), 1e6, 1e6),
    ],
)
def test_two_of_the_powers_and_the_load_say_the_third(dcsim, options, it_w, design_w):
    site = read(dcsim(*YEAR, *options, "--json"))["site"]
    assert (site["it_w"], site["design_it_w"]) == pytest.approx((it_w, design_w))


def test_a_setting_is_replaced_and_said(dcsim):
    few, many = (read(dcsim(*YEAR, "--set", f"cycles={cycles}", "--json")) for cycles in (3, 12))
    assert few["site"]["settings"] == {"cycles": 3.0}
    assert few["water_l"]["by_kind"]["blowdown"] > many["water_l"]["by_kind"]["blowdown"]
    assert few["water_l"]["by_kind"]["evaporation"] == pytest.approx(many["water_l"]["by_kind"]["evaporation"])
    method = ("--set", "evaporation=saturated-exit", "--set", "machines=6")
    assert "evaporation saturated-exit; machines 6" in dcsim(*YEAR, *method).out


def test_a_setting_that_changes_nothing_is_noted(dcsim):
    found = read(dcsim(*YEAR, "--set", "cycles=4", "--set", "coolant_c=30", "--set", "supply_air_c=27", "--json"))
    idle = [note for note in found["notes"] if note.startswith("--set")]
    assert idle == ["--set coolant_c changes nothing in this year", "--set supply_air_c changes nothing in this year"]


def test_a_plant_that_is_too_small_is_said_aloud(dcsim):
    small = ("facility", "--plant", "dx", "--weather", "phoenix", "--set", "capacity_share=0.3")
    found = read(dcsim(*small, "--json"))
    assert found["missed"]["hours"] == found["missed"]["unmet_h"] == found["missed"]["air_h"] == 8760
    assert found["missed"]["unmet_most_w"] > 1e5
    assert len(found["warnings"]) == 2
    text = dcsim(*small).out
    assert "warning: the plant is too small in 8760 h" in text
    assert "of heat left in 8,760 h" in text


def test_a_liquid_that_is_too_warm_is_said_aloud(dcsim):
    found = read(dcsim("facility", "--plant", "liquid-dry", "--weather", "phoenix", "--set", "coolant_c=28", "--json"))
    missed = found["missed"]
    assert 0 < missed["liquid_h"] == missed["hours"] < 8760
    assert missed["liquid_most_k"] > 1.0
    assert missed["air_h"] == missed["unmet_h"] == 0
    assert found["warnings"][0].startswith("set point of the liquid missed")


def test_hours_from_a_csv_file(dcsim, tmp_path: Path):
    (tmp_path / "cold.csv").write_text(hours(0.0))
    given = ("facility", "--plant", "water-economizer", "--weather", "cold.csv", "--zone", "+01:00")
    found = read(dcsim(*given, "--altitude", "100", "--json"))
    assert (found["weather"]["utc_offset_h"], found["weather"]["altitude_m"]) == (1.0, 100.0)
    assert found["economizer_h"] == {"full": 8760.0, "partial": 0.0}
    assert "chiller" not in found["energy_kwh"]["by_part"]
    assert "pressure is" in dcsim(*given).out


@pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set")
def test_a_weather_file_gives_the_validated_year(dcsim):
    epw = Path(os.environ["DCSIM_DATA"]) / "data" / "weather" / "USA_AZ_Phoenix-Sky.Harbor.epw.gz"
    series = cases.year("water-economizer", presets.load("hyperscale"), epw)
    found = read(dcsim("facility", "--plant", "water-economizer", "--weather", epw, "--json"))
    assert found["pue"] == pytest.approx(series.facility_w.sum() / series.it_w.sum())
    assert found["water_l"]["withdrawn"] == pytest.approx(series.withdrawn_l.sum())


def test_list_has_what_may_be_chosen(dcsim):
    found = read(dcsim("facility", "--list", "--json"))
    assert set(found["plants"]) == set(KINDS)
    assert {"hyperscale", "colo", "small"} <= set(found["presets"])
    assert {"phoenix", "seattle"} <= set(found["climates"])
    text = dcsim("facility", "--list").out
    assert all(name in text for names in found.values() for name in names)


@pytest.mark.parametrize("name", ["year.png", "year.svg"])
def test_figure(dcsim, tmp_path: Path, name):
    outcome = dcsim(*YEAR, "--figure", name)
    assert outcome.out.endswith(f"wrote {name}\n")
    assert (tmp_path / name).stat().st_size > 10_000


# ---------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--load", "0"), "--load: found '0', want a share of the design, above 0 and at most 1"),
        (("--load", "1.1"), "--load: found '1.1', want a share of the design, above 0 and at most 1"),
        (("--load", "60"), "--load: found '60', want a share of the design, above 0 and at most 1; is it in per cent?"),
        (("--load", "nan"), "--load: found 'nan', want a ratio"),
        (("--load", "5 kW"), "--load: found unit 'kW', want a ratio"),
        (("--it-power", "1"), "--it-power: found 1 without a unit, want a power"),
        (("--it-power", "0 W"), "--it-power: found '0 W', want 1 W to 1 TW"),
        (("--design-power", "5 PW"), "--design-power: found unit 'PW', want a power"),
        (("--it-power", "2 MW", "--design-power", "1 MW"), "--it-power: found 2 MW, more than the 1 MW of --design-p"),
        (
            ("--it-power", "1 MW", "--design-power", "1 MW", "--load", "1"),
            "found --it-power, --design-power and --load",
        ),
        (("--preset", "hyper"), "no preset 'hyper'; did you mean 'hyperscale'?"),
        (("--preset", "plant-default"), "no preset 'plant-default'; allowed: colo, hyperscale, small"),
        (("--set", "cycles"), "--set: found 'cycles', want KEY=VALUE"),
        (("--set", "suply_air_c=20"), "--set: plant has no setting 'suply_air_c'; did you mean 'supply_air_c'?"),
        (("--set", "water_chiller=3"), "--set: plant has no setting 'water_chiller'; allowed: "),
        (("--set", "supply_air_c=99"), "plant.supply_air_c is 99; allowed: 10 to 45"),
        (("--set", "supply_air_c=warm"), "--set supply_air_c: found 'warm', want a number"),
        (("--set", "machines=2.5"), "--set machines: found '2.5', want a whole number"),
        (("--set", "evaporation=magic"), "plant.evaporation is 'magic'; allowed: all-latent, ren, saturated-exit"),
        (("--set", "cycles=4", "--set", "cycles=5"), "--set: found cycles twice"),
        (("--zone", "UTC"), "--zone: is for CSV files; --weather phoenix says its own"),
        (("--altitude", "5"), "--altitude: is for CSV files; --weather phoenix says its own"),
        (("--figure", "x.bmp"), "--figure x.bmp: want a name that ends in .pdf,"),
        (("--catalog", "no.yaml"), "no.yaml: cannot read the catalog file"),
    ],
)
def test_wrong_options_are_one_line_and_2(dcsim, options, line):
    assert error(dcsim(*YEAR, *options)).startswith(line)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "found no --plant, want one of water-chiller, water-economizer,"),
        (("--plant", "water-ecnomizer"), "--plant: found 'water-ecnomizer'; did you mean 'water-economizer'?"),
        (("--plant", "dx"), "found no --weather, want an EPW or CSV file, or a climate: chicago,"),
        (
            ("--plant", "dx", "--weather", "phenix"),
            "--weather: found 'phenix', neither an EPW or CSV file nor a cl",
        ),
        (("--plant", "dx", "--weather", "no.epw"), "no.epw: cannot read the weather file: No such file"),
        (("--plant", "dx", "--weather", "no.csv"), "no.csv: cannot read the weather file: No such file"),
        (("--plant", "dx", "--weather", "notes.txt"), "--weather notes.txt: want a file that ends in .epw or .csv"),
        (("--plant", "dx", "--weather", "bad.epw"), "bad.epw line 1: found 'hello'"),
        (("--plant", "dx", "--weather", "bad.epw", "--seed", "2"), "--seed: is for built-in climates"),
        (("--plant", "dx", "--weather", "warm.csv", "--zone", "UTC"), "warm.csv line 2: temperature_2m is 80"),
        (("--plant", "dx", "--weather", "cold.csv"), "cold.csv: times have no offset to UTC"),
        (
            ("--plant", "dx", "--weather", "cold.csv", "--zone", "Europa/Berlin"),
            "time zone 'Europa/Berlin' is not",
        ),
    ],
)
def test_wrong_plant_or_weather_is_one_line_and_2(dcsim, tmp_path: Path, arguments, line):
    (tmp_path / "notes.txt").write_text("hello\n")
    (tmp_path / "bad.epw").write_text("hello\n")
    (tmp_path / "warm.csv").write_text(hours(80.0))
    (tmp_path / "cold.csv").write_text(hours(0.0))
    assert error(dcsim("facility", *arguments)).startswith(line)
