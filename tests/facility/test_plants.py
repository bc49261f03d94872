"""Cooling plants: by hand, in balance, monotone, and honest about what they do not reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.errors import CatalogError, ScenarioError
from dcsim.facility import presets
from dcsim.facility.chain import FacilitySeries, evaluate
from dcsim.facility.plants import KINDS, CoolingPlant
from dcsim.facility.weather import Weather, outdoor

PRESETS = {name: presets.load(name) for name in presets.names()}
HYPER = PRESETS["hyperscale"]
BAND = ("withdrawn_low_l", "withdrawn_l", "withdrawn_high_l", "consumed_low_l", "consumed_l", "consumed_high_l")

weathers = st.tuples(st.floats(-30, 48), st.floats(0.05, 1.0))
kinds = st.sampled_from(KINDS)
classes = st.sampled_from(sorted(PRESETS))


def year() -> Weather:
    """Hours from a dry frost to a hot and humid day."""
    t = np.linspace(-25.0, 45.0, 141)
    return outdoor(np.tile(t, 3), relative_humidity=np.repeat([0.15, 0.5, 0.9], 141))


def run(kind: str, preset: presets.Preset, it_w: object, weather: Weather, **rest: object) -> FacilitySeries:
    return evaluate(it_w, 3600.0, presets.site(kind, preset, 1e6), weather, **rest)


def test_presets_are_there() -> None:
    assert set(PRESETS) == {"hyperscale", "colo", "small"}


def test_direct_expansion_by_hand() -> None:
    # 100 kW of IT, 10 kW of losses, 3 % lighting: 113 kW; at design, fans 0.1 x 113; coil (113 + 11.3)/0.9
    s = replace(
        PRESETS["small"].settings,
        **{"lighting_share": 0.03, "fan_share": 0.1, "fan_exponent": 3.0, "sensible_share": 0.9, "cop_factor": 1.0},
        humidifier_share=0.004,
    )
    found = CoolingPlant("dx", s, 100e3, 10e3).step([100e3], [10e3], outdoor([30.0], relative_humidity=0.5))
    assert found.parts["fans"] == pytest.approx([11.3e3])
    assert found.parts["chiller"] == pytest.approx([124.3e3 / 0.9 / 1.73])
    latent_w = 113e3 * (1 / 0.9 - 1)
    assert found.parts["humidifier"] == pytest.approx([0.004 * latent_w])
    assert found.withdrawn_l_per_s == pytest.approx([latent_w / 2.266e6])
    assert found.parts["lighting"] == pytest.approx([3e3])
    assert (found.unmet_w[0], found.supply_c[0]) == (0.0, s.supply_air_c)


def test_water_chiller_by_hand() -> None:
    s = replace(
        HYPER.settings,
        **{"lighting_share": 0.0, "fan_share": 0.05, "sensible_share": 1.0, "chilled_water_c": 10.0, "machines": 1},
        **{"capacity_share": 1.0, "stage_share": 1.0, "tower_approach_k": 3.0, "tower_rise_k": 2.0, "cycles": 5.0},
        drift_share=0.0,
        tower_fan_share=0.01,
        rejection_share=1.25,
    )
    weather = outdoor([20.0], wet_bulb_c=[20.0])
    found = CoolingPlant("water-chiller", s, 1e6).step([1e6], [0.0], weather)
    # coils 1.05 MW at full load; condenser water 25 degC; COP from the fit times 1 + 0.025 (10 - 6.67)
    eir = 0.2141177 - 1.276695e-4 * 25 + 6.016261e-5 * 625 - 0.3302382 + 0.3026866 + 3.168254e-4 * 25 - 8.293149e-2
    power_w = 1.05e6 * eir / (1 + 0.025 * 3.33)
    assert found.parts["chiller"] == pytest.approx([power_w], rel=1e-6)
    rejected_w = 1.05e6 + power_w
    design_w = 1.25 * 1.05e6
    assert found.parts["tower"] == pytest.approx([0.01 * design_w * (rejected_w / design_w) ** 3], rel=1e-6)
    pumps_w = s.chilled_pump_share * 1.05e6 + s.condenser_pump_share * rejected_w
    assert found.parts["pumps"] == pytest.approx([pumps_w], rel=1e-6)
    latent = 1e3 * (2500.5 - 2.3097 * (25 + 2.55) - 0.0013 * (25 + 2.55) ** 2)  # range 5.1 K
    assert found.consumed_l_per_s == pytest.approx([rejected_w / latent], rel=1e-6)
    assert found.withdrawn_l_per_s == pytest.approx([1.25 * rejected_w / latent], rel=1e-6)


@settings(max_examples=150)
@given(kinds, classes, weathers, st.floats(0, 1))
def test_balance_and_bands_at_every_step(kind: str, name: str, at: tuple[float, float], load: float) -> None:
    found = run(kind, PRESETS[name], [load * 1e6], outdoor([at[0]], relative_humidity=at[1]))
    chain_w = found.it_w + found.pdu_w + found.ups_w + found.transformer_w
    np.testing.assert_allclose(found.facility_w, chain_w + sum(found.plant_parts.values()), rtol=1e-12)
    assert all((part >= 0.0).all() for part in found.plant_parts.values())
    assert found.facility_w[0] >= found.it_w[0]
    assert found.marginal[0] >= 1.0 - 1e-9
    low, middle, high, low_c, middle_c, high_c = (getattr(found, key)[0] for key in BAND)
    assert 0.0 <= low <= middle <= high
    assert 0.0 <= low_c <= middle_c <= high_c
    assert middle_c <= middle * (1 + 1e-12)
    assert found.humidified_l[0] <= middle_c * (1 + 1e-12)


@settings(max_examples=150)
@given(kinds, classes, weathers, st.floats(0, 1), st.floats(0, 1))
def test_power_and_water_grow_with_the_load(kind: str, name: str, at: tuple[float, float], a: float, b: float) -> None:
    weather = outdoor([at[0]] * 2, relative_humidity=at[1])
    found = run(kind, PRESETS[name], np.sort([a, b]) * 1e6, weather)
    assert np.diff(found.facility_w)[0] >= -1e-6
    assert np.diff(found.plant_w)[0] >= -1e-6
    assert np.diff(found.withdrawn_l)[0] >= -1e-6


@given(st.sampled_from(["water-chiller", "water-economizer", "air-economizer", "liquid-tower"]), weathers)
def test_water_falls_with_cycles_of_concentration(kind: str, at: tuple[float, float]) -> None:
    weather = outdoor([at[0]], relative_humidity=at[1])
    used = [
        run(kind, presets.load("hyperscale", cycles=cycles, drift_share=2e-5), [6e5], weather).withdrawn_l[0]
        for cycles in (2.0, 3.0, 5.0, 10.0)
    ]
    assert (np.diff(used) <= 1e-12).all()
    if kind in ("water-chiller", "water-economizer"):
        assert (np.diff(used) < 0.0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_marginal_against_a_secant(kind: str) -> None:
    it, weather = np.full(423, 5.5e5), year()
    found = run(kind, HYPER, it, weather)
    above, below = (run(kind, HYPER, it + step, weather).facility_w for step in (1e4, -1e4))
    np.testing.assert_allclose(found.marginal, (above - below) / 2e4, rtol=1e-2)  # chillers start between


def test_lock_out_is_what_keeps_humid_sites_honest() -> None:
    """Without the dew-point lock a hot and humid place would seem to need no chiller."""
    weather = outdoor(np.linspace(20.0, 34.0, 200), relative_humidity=0.8)
    pue = []
    for limit in (15.0, 17.0, 21.0, 24.0, 30.0):
        found = run("air-economizer", presets.load("hyperscale", dew_point_max_c=limit), np.full(200, 6e5), weather)
        pue.append(found.facility_w.sum() / found.it_w.sum())
    assert (np.diff(pue) <= 0.0).all()
    assert pue[0] > pue[-1] + 0.05


def test_economizer_saves_power_not_water() -> None:
    weather = outdoor([5.0], relative_humidity=0.6)
    plain, free = (run(kind, HYPER, [6e5], weather) for kind in ("water-chiller", "water-economizer"))
    assert free.plant_parts["chiller"][0] == 0.0
    assert plain.plant_parts["chiller"][0] > 3e4
    assert free.consumed_l[0] > 0.8 * plain.consumed_l[0]


# ---------------------------------------------------------------- limits


def test_a_plant_that_is_too_small_says_so() -> None:
    small = presets.load("hyperscale", capacity_share=0.5)
    found = run("air-chiller", small, [3e5, 9e5], outdoor([30.0] * 2, relative_humidity=0.4))
    assert found.missed.tolist() == [False, True]
    assert found.unmet_w[0] == 0.0
    assert found.unmet_w[1] > 3e5
    assert found.supply_c[1] > found.set_point_c[1] + 1.0
    words = found.shortfalls()
    assert words[0].startswith("set point of the air missed in 1 h, by up to")
    assert words[1].startswith("the plant is too small in 1 h: up to")
    assert run("air-chiller", HYPER, [3e5], outdoor([30.0], relative_humidity=0.4)).shortfalls() == []


def test_liquid_set_point_missed_in_the_heat() -> None:
    weather = outdoor([20.0, 47.0], relative_humidity=[0.5, 0.3])
    found = run("liquid-dry", presets.load("hyperscale", coolant_c=32.0), [1e6, 1e6], weather)
    assert found.missed.tolist() == [False, True]
    assert found.coolant_c[1] > found.coolant_set_c[1] == 32.0
    assert found.shortfalls()[0].startswith("set point of the liquid missed in 1 h")


def test_liquid_share_of_the_racks() -> None:
    weather = outdoor([25.0] * 3, relative_humidity=0.5)
    it = np.full(3, 8e5)
    found = run("liquid-tower", HYPER, it, weather, liquid_w=[7e5, 7.4e5, 7.8e5])
    assert (np.diff(found.plant_parts["cdu"]) > 0.0).all()
    assert (np.diff(found.plant_parts["fans"]) < 0.0).all()
    assert (np.diff(found.facility_w) < 0.0).all()


@pytest.mark.parametrize(
    ("kind", "keys", "message"),
    [
        ("dx", {"weather": None}, "plant dx needs the weather of the site"),
        (
            "dx",
            {"weather": outdoor([20.0] * 2, relative_humidity=0.5)},
            "weather has 2 steps, IT power 3; want as many",
        ),
        ("dx", {"liquid_w": 10.0}, "10 W of heat in the liquid; allowed up to 0 W, for it has no liquid"),
        ("liquid-dry", {"liquid_w": 2e6}, "allowed up to IT power"),
        ("liquid-dry", {"liquid_w": np.nan}, "allowed up to IT power"),
    ],
)
def test_bad_steps(kind: str, keys: dict[str, object], message: str) -> None:
    plant = CoolingPlant(kind, HYPER.settings, 1e6)
    given_keys = {"weather": outdoor([20.0] * 3, relative_humidity=0.5)} | keys
    with pytest.raises(ScenarioError, match=message):
        plant.step([1e5] * 3, [0.0] * 3, **given_keys)


def test_bad_plants() -> None:
    with pytest.raises(ScenarioError, match=r"plant.kind is 'water-chillr'; did you mean 'water-chiller'\?"):
        CoolingPlant("water-chillr", HYPER.settings, 1e6)
    with pytest.raises(ScenarioError, match="design load of 0 W"):
        CoolingPlant("dx", HYPER.settings, 0.0)
    with pytest.raises(ScenarioError, match=r"plant.cycles is 1; allowed: 1.05 to 100"):
        presets.load("colo", cycles=1.0)
    with pytest.raises(ScenarioError, match=r"plant.supply_air_c is nan"):
        presets.load("colo", supply_air_c=float("nan"))
    with pytest.raises(ScenarioError, match=r"plant.evaporation is 'none'"):
        presets.load("colo", evaporation="none")
    with pytest.raises(ScenarioError, match=r"no setting 'supply_air'; did you mean 'supply_air_c'\?"):
        presets.load("colo", supply_air=20.0)
    with pytest.raises(CatalogError, match="no preset 'hyper'"):
        presets.load("hyper")
    with pytest.raises(ScenarioError, match="design IT power is 0 W"):
        presets.site("dx", HYPER, 0.0)


# ---------------------------------------------------------------- redundancy


@given(st.floats(0.01, 1.0), classes)
def test_a_2n_site_never_draws_less_than_an_n_site(load: float, name: str) -> None:
    weather = outdoor([20.0], relative_humidity=0.5)
    drawn = []
    for redundancy in ("N", "2N"):
        preset = replace(PRESETS[name], facts=PRESETS[name].facts | {"redundancy": redundancy})
        drawn.append(run("water-chiller", preset, [load * 1e6], weather).facility_w[0])
    assert drawn[1] >= drawn[0]


def test_losses_at_low_load_are_shown() -> None:
    """Event-driven racks at a tenth of the load: the chain loses a tenth or more of what they draw."""
    shares = []
    for load in (0.05, 0.10, 0.20, 0.60):
        found = run("air-chiller", PRESETS["colo"], [load * 1e6], outdoor([20.0], relative_humidity=0.5))
        shares.append(float((found.pdu_w + found.ups_w + found.transformer_w)[0] / found.it_w[0]))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.4
    assert shares[1] > 0.2
    assert shares[3] < 0.1
