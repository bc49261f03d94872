"""A Scenario as text, the JSON Schema, and the scenario to start from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcsim import units
from dcsim.errors import ScenarioError
from dcsim.scenario import Scenario, build, dump, json_schema, load, read_back, template

ROOT = Path(__file__).parents[2]
PLAIN = {"allow_nan": False, "allow_infinity": False}


def quantity(dimension: str, smallest: float = 1e-300) -> st.SearchStrategy[str]:
    """Texts of positive quantities in any unit whose value stays finite."""
    symbols = st.sampled_from(sorted(units.DIMENSIONS[dimension]))
    numbers = st.floats(smallest, 1e200, **PLAIN)
    return st.builds(lambda number, unit: f"{number!r} {unit}", numbers, symbols)


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, object]:
    """Mappings that are right, with figures and texts of every sort in them."""
    site = st.fixed_dictionaries(
        {},
        optional={
            "plant": st.fixed_dictionaries(
                {"pue": st.floats(1.0, 1e9), "wue": quantity("water_intensity"), "consumed": st.floats(0, 1)}
            ),
            "carbon_intensity": quantity("carbon_intensity"),
            "energy_price": quantity("energy_price"),
            "ups": st.sampled_from(["none", "ups-eco"]),
        },
    )
    idle = draw(quantity("power"))
    node = {
        "devices": {"chip": {"count": draw(st.integers(1, 9)), "power": {"idle": idle, "max": "1e300 W"}}},
        "memory": draw(quantity("bytes")),
    }
    pool = {"nodes": 2, "node": node, "price": draw(quantity("money"))}
    arrivals = st.one_of(
        st.builds(lambda rate: {"kind": "poisson", "rate": rate}, quantity("rate")),
        st.builds(
            lambda times: {"kind": "schedule", "times": times},
            st.lists(quantity("time"), min_size=1, max_size=3),
        ),
    )
    stream = st.builds(
        lambda arrivals, mean, cv: {
            "arrivals": arrivals,
            "runs_on": ["p"],
            "service": {"distribution": "lognormal", "mean": mean, "cv": cv},
        },
        arrivals,
        quantity("time", 1e-200),
        st.floats(0, 100, exclude_min=True),
    )
    name = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,9}\Z")
    return {
        "name": draw(name),
        "description": draw(st.text(max_size=30)),
        "duration": draw(st.integers(301, 10**7).map(lambda seconds: f"{seconds} s")),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "sites": {"s": draw(site)},
        "racks": {"r": {"site": "s", "frame": "none", "pools": {"p": pool}}},
        "streams": draw(st.dictionaries(name, stream, min_size=1, max_size=3)),
    }


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=scenarios())
def test_dump_is_read_back_as_an_equal_scenario(data, tmp_path_factory):
    scenario = build(data)
    path = tmp_path_factory.getbasetemp() / "dumped.yaml"
    path.write_text(dump(scenario), encoding="utf-8")
    assert load(path) == scenario
    assert read_back(path) == scenario


def test_dump_writes_quantities_with_units_and_defaults_out(scenario):
    text = dump(scenario)
    for line in (
        "duration: 1 h",
        "meter_interval: 5 min",
        "rate: 2/s",
        "memory: 16 GiB",
        "psu: psu-titanium",
    ):
        assert f"{line}\n" in text


@pytest.mark.parametrize(
    "text", ["null", "~", "no", "1e9", ".nan", "2024-01-01", "a: b", "# x", "ü\n\tz\x00\u2028", " "]
)
def test_any_description_survives(changed, tmp_path, text):
    scenario = load(changed(), {"description": text})
    (tmp_path / "dumped.yaml").write_text(dump(scenario), encoding="utf-8")
    assert load(tmp_path / "dumped.yaml").description == text


def test_schema_on_file_is_up_to_date():
    """`dcsim schema > docs/schema/scenario.json` (make schema) writes it."""
    assert json.loads((ROOT / "docs" / "schema" / "scenario.json").read_text(encoding="utf-8")) == json_schema()


def test_schema_describes_every_key_and_unit():
    schema = json_schema()
    for part in [schema, *schema["$defs"].values()]:
        assert part["additionalProperties"] is False
        for key, field in part["properties"].items():
            assert "description" in field or key == "kind", key
    rate = schema["$defs"]["Poisson"]["properties"]["rate"]
    assert rate["x-dimension"] == "rate"
    assert "/s" in rate["pattern"]
    assert schema["properties"]["meter_interval"]["default"] == "5 min"


def test_template_loads(tmp_path):
    path = tmp_path / "first.yaml"
    path.write_text(template("first"), encoding="utf-8")
    scenario = load(path)
    assert isinstance(scenario, Scenario)
    assert scenario.name == "first"
    assert "dcsim run first.yaml" in template("first")


def test_template_refuses_what_is_no_name():
    with pytest.raises(ScenarioError, match=r"name: found '\.\./x', want letters"):
        template("../x")


def test_shipped_scenarios_name_their_schema():
    for path in sorted((ROOT / "scenarios").glob("*.yaml")):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=../docs/schema/scenario.json", path.name
