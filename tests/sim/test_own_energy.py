"""Sites whose grid changes over time, and sites with energy of their own: from the scenario to the summary."""

from __future__ import annotations

import pytest

from dcsim import catalog, simulate
from dcsim.errors import ScenarioError
from dcsim.facility import cost

HOUR = 3600.0
BARE = {"ups": "none", "transformer": "none", "plant": {"pue": 1.25}}
GRID = {"carbon_intensity": "400 g/kWh", "energy_price": "0.1 USD/kWh", "water_intensity": "2 L/kWh"}


@pytest.fixture
def hall(scenario, pool):
    """A hall that draws 4 kW at its racks and 5 kW in all, for some hours: `hall({site keys}, hours=2, ...)`."""

    def build(site, hours=2.0, **rest):
        late = {"arrivals": {"kind": "schedule", "times": ["1000 h"]}, "runs_on": ["pool"]}
        run = scenario(
            {"pool": pool(idle="4 kW", max="4 kW") | {"price": "10 kUSD"}},
            {"work": late | {"service": {"distribution": "fixed", "mean": "1 s"}}},
            **{"duration": f"{hours} h", "meter_interval": "1 h", "start": "2022-06-21T00:00Z"} | rest,
            sites={"hall": BARE | site},
        )
        return simulate(run)

    return build


@pytest.fixture
def csv(tmp_path):
    """A file of hours from the start of the run on: `csv(0.1, -0.05)`; its full path."""

    def write(*values, name="series.csv"):
        path = tmp_path / name
        rows = [f"2022-06-21T{hour:02}:00Z,{value}" for hour, value in enumerate(values)]
        path.write_text("\n".join(["utc,value", *rows]) + "\n")
        return str(path)

    return write


# ---------------------------------------------------------------- signals


def test_a_profile_follows_month_and_hour_of_utc(hall):
    summary = hall({"carbon_intensity": {"profile": "ciso-2022"}, "water_intensity": {"profile": "ciso-2022"}}).summary
    entry = catalog.load().get("ciso-2022", "grid")
    carbon, water = (entry.array(key)[5, :2] for key in ("lifecycle_g_per_kwh", "ewif_l_per_kwh"))
    assert summary["carbon"]["operational_kg"] == pytest.approx(5.0 * carbon.sum() / 1e3)
    assert summary["water"]["source_l"] == pytest.approx(5.0 * water.sum())
    direct = hall({"carbon_intensity": {"profile": "ciso-2022", "factors": "direct"}}).summary
    assert direct["carbon"]["operational_kg"] < 0.85 * summary["carbon"]["operational_kg"]


def test_a_profile_goes_on_while_a_run_drains(hall):
    result = hall({"carbon_intensity": {"profile": "pjm-2022"}}, hours=1.5, drain=True)
    assert result.summary["trust"]["warnings"] == []


def test_negative_prices_of_a_file_earn(hall, csv):
    price = {"path": csv(100, -40), "unit": "USD/MWh"}
    result = hall({"energy_price": price, "demand_charge": "0 USD"})
    assert result.facility["cost_usd"].tolist() == pytest.approx([0.5, -0.2])
    assert result.summary["cost"]["energy_usd"] == pytest.approx(0.3)
    assert result.summary["cost"]["demand_usd"] == 0.0


def test_a_file_of_fuels_gives_carbon_and_water(hall, tmp_path):
    path = tmp_path / "mix.csv"
    path.write_text("utc,COL,WND\n2022-06-21T00:00Z,1,3\n2022-06-21T01:00Z,2,2\n")
    mix = {"path": str(path), "fuels": "all"}
    summary = hall({"carbon_intensity": mix, "water_intensity": mix}).summary
    assert summary["carbon"]["operational_kg"] == pytest.approx(5e-3 * ((820 + 33) / 4 + (820 + 11) / 2))
    assert summary["water"]["source_l"] == pytest.approx(5.0 * 1.70325 * (0.25 + 0.5))
    chosen = hall({"carbon_intensity": mix | {"fuels": {"fuel-coal": "COL"}, "factors": "direct"}}).summary
    assert chosen["carbon"]["operational_kg"] == pytest.approx(2 * 5e-3 * 760)


@pytest.mark.parametrize(
    ("site", "rest", "says"),
    [
        (
            {"carbon_intensity": {"profile": "pjm-2021"}},
            {},
            "no grid 'pjm-2021' in the catalog; did you",
        ),
        ({"energy_price": {"profile": "pjm-2022"}}, {}, "sites.hall.energy_price"),
        ({"carbon_intensity": {"profile": "pjm-2022"}}, {"start": None}, "want the key 'start' of the scenario"),
        ({"carbon_intensity": "-5 g/kWh"}, {}, "sites.hall.carbon_intensity: found '-5 g/kWh'"),
        ({"carbon_intensity": {"path": "FILE"}}, {}, "row 2: found -300 g/kWh, want 0 to 3000 g/kWh"),
        ({"energy_price": {"path": "FILE", "unit": "USD/kWh"}}, {}, "found 250 USD/kWh, want -25 to 25"),
        ({"energy_price": {"path": "FILE", "unit": "USD/MWh"}}, {"duration": "3 h"}, "but the run lasts from"),
        ({"water_intensity": {"path": "FILE", "fuels": "all"}}, {}, "no column of a fuel among value"),
        ({"water_intensity": {"path": "FILE", "fuels": {"fuel-coal": "COL"}}}, {}, "no column 'COL'"),
        ({"solar": {"peak": "1 kW"}}, {}, "solar.sun: a clear sky needs the latitude of a `place`"),
        ({"solar": {"peak": "1 kW"}, "place": "sweden"}, {"start": None}, "solar.sun: a signal over time needs"),
        ({"battery": {"capacity": "1 kWh", "first": 0.05}}, {}, "battery.first: found 0.05, want at least 0.1"),
        ({"battery": {"capacity": "1 kWh", "policy": {"kind": "price", "charge_above": 1}}}, {}, "'charge_above'"),
        ({"building": "cost-dfault"}, {}, "did you mean 'cost-default'"),
        ({"heat_reuse": {"share": 1.5}}, {}, "sites.hall.heat_reuse.share: found '1.5'"),
    ],
)
def test_one_line_says_what_is_wrong(hall, csv, site, rest, says):
    def filled(value):
        if isinstance(value, dict):
            return {key: filled(below) for key, below in value.items()}
        return csv(250, -300) if value == "FILE" else value

    with pytest.raises(ScenarioError) as error:
        hall(filled(site), **rest)
    assert says in str(error.value)
    assert all("sites.hall." in line for line in str(error.value).splitlines())


def test_a_battery_that_follows_what_nobody_knows(hall):
    policy = {"kind": "carbon", "charge_below": "100 g/kWh", "discharge_above": "300 g/kWh"}
    with pytest.raises(ScenarioError, match="follows the carbon intensity, want the key 'carbon_intensity'"):
        hall({"battery": {"capacity": "10 kWh", "policy": policy}})
    turned = policy | {"charge_below": "400 g/kWh"}
    with pytest.raises(ScenarioError, match="charge_below must lie below discharge_above"):
        hall(GRID | {"battery": {"capacity": "10 kWh", "policy": turned}})


# ---------------------------------------------------------------- own energy

STORE = {
    "capacity": "10 kWh",
    "charge_rate": "0.5/h",
    "discharge_rate": "0.4/h",
    "efficiency_in": 0.9,
    "efficiency_out": 0.8,
}


def test_solar_power_and_a_battery_by_hand(hall, csv):
    sun = {"kind": "capacity-factor", "path": csv(1.0, 0.0)}
    site = GRID | {"solar": {"peak": "8 kW", "sun": sun}, "battery": STORE, "export_price": "0.04 USD/kWh"}
    result = hall(site)
    # hour 0: 5 of 8 kW used, 3 kW stored (2.7 kWh); hour 1: 4 kW out of the battery (5 kWh), 1 kW from the grid
    facility = result.facility
    assert facility["grid_w"].tolist() == pytest.approx([0.0, 1e3])
    assert facility["solar_w"].tolist() == pytest.approx([8e3, 0.0])
    assert facility["battery_w"].tolist() == pytest.approx([-3e3, 4e3])
    assert facility["stored_j"].tolist() == pytest.approx([7.7 * 3.6e6, 2.7 * 3.6e6])
    energy = result.summary["energy"]
    expected = {"grid_import_kwh": 1, "grid_export_kwh": 0, "solar_kwh": 8, "curtailed_kwh": 0}
    expected |= {"battery_in_kwh": 3, "battery_out_kwh": 4, "battery_stored_kwh": -2.3}
    assert {key: energy[key] for key in expected} == pytest.approx(expected)
    # what the battery loses is part of the building's energy, and no energy is lost from the books
    assert energy["by_part"]["battery"] == pytest.approx(1.3)
    assert energy["facility_kwh"] == pytest.approx(energy["compute_kwh"] + sum(energy["by_part"].values()))
    supplied = energy["grid_import_kwh"] + energy["solar_kwh"] - energy["battery_stored_kwh"]
    assert energy["facility_kwh"] + energy["grid_export_kwh"] == pytest.approx(supplied, rel=1e-9)
    assert result.summary["carbon"]["operational_kg"] == pytest.approx(0.4)
    assert result.summary["water"]["source_l"] == pytest.approx(2.0)
    assert result.summary["cost"]["energy_usd"] == pytest.approx(0.1)
    assert result.summary["power"]["grid_peak_kw"] == pytest.approx(1.0)
    efficiency = result.summary["efficiency"]
    assert efficiency["pue"] == pytest.approx(11.3 / 8)
    assert efficiency["mlc"] == pytest.approx(0.25)  # a battery is no mechanical load
    assert efficiency["pue"] == pytest.approx(1 / (1 - efficiency["elc"]) + efficiency["mlc"])


def test_a_battery_lowers_the_demand_charge(hall):
    plain = hall(GRID, hours=3).summary["cost"]
    policy = {"kind": "peak", "limit": "4 kW"}
    shaved = hall(GRID | {"battery": STORE | {"policy": policy}}, hours=3).summary["cost"]
    assert shaved["demand_usd"] == pytest.approx(0.8 * plain["demand_usd"])


def test_without_energy_of_its_own_nothing_is_said(hall):
    summary = hall(GRID).summary
    assert not {"grid_import_kwh", "solar_kwh", "reused_kwh"} & set(summary["energy"])
    assert "grid_w" not in hall(GRID).facility


# ---------------------------------------------------------------- heat, building, replacements, year


def test_reused_heat(hall):
    summary = hall(GRID | {"heat_reuse": {"share": 0.5, "price": "0.03 USD/kWh"}}).summary
    assert summary["energy"]["reused_kwh"] == pytest.approx(4.0)
    assert summary["efficiency"]["erf"] == pytest.approx(0.4)
    assert summary["efficiency"]["ere"] == pytest.approx(0.75)
    assert summary["cost"]["heat_usd"] == pytest.approx(-0.12)


def test_the_building_is_counted_where_it_is_named(hall):
    plain = hall(GRID).summary["cost"]
    money = hall(GRID | {"building": "cost-default", "power_rating": "1 MW"}).summary["cost"]
    entry = catalog.load().get("cost-default", "cost")
    rate, years = entry["discount_rate_per_year"], 2 / 8760
    technical = 0.625 * 11.7e6 * cost.capital_recovery_factor(rate, entry["plant_lifetime_s"])
    shell = 0.375 * 11.7e6 * cost.capital_recovery_factor(rate, entry["building_lifetime_s"])
    assert money["building_usd"] == pytest.approx((technical + shell + 0.03 * 11.7e6) * years)
    assert money["total_usd"] == pytest.approx(plain["total_usd"] + money["building_usd"])


def test_replacements_add_and_a_year_is_the_run_many_times(scenario, pool, jobs_at):
    def run(**site):
        racks = {"pool": pool(nodes=2, idle="1 kW", max="2 kW", embodied="500 kg")}
        jobs = {"work": jobs_at(["pool"], [(0.0, 50.0)])}
        return simulate(scenario(racks, jobs, sites={"hall": GRID | site})).summary

    plain, failing = run(), run(replaced_per_year=0.1)
    life_s = catalog.load().get("cost-default", "cost")["it_lifetime_s"]
    made_kg = 1000.0 * 100.0 / life_s
    assert plain["carbon"]["embodied_kg"] == pytest.approx(made_kg)
    # 10 % a year over a life of 5 years: half as much again
    assert failing["carbon"]["embodied_by_part"] == pytest.approx({"racks": made_kg, "replaced": 0.5 * made_kg})
    assert failing["carbon"]["embodied_kg"] == pytest.approx(1.5 * made_kg)
    year = plain["per_year"]
    assert year["energy_kwh"] == pytest.approx(plain["energy"]["facility_kwh"] * 365 * 864)
    assert year["embodied_kg"] == pytest.approx(200.0)
    # one job has the equipment to itself, and uses one of two devices for half of the time
    job = plain["streams"]["work"]
    assert job["embodied_g_per_job"] == pytest.approx(made_kg * 1e3)
    assert job["embodied_by_use_g_per_job"] == pytest.approx(made_kg * 1e3 / 4)
