"""The loader: units, checks of a user's files and their messages, tracking; every shipped number."""

from __future__ import annotations

import math
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dcsim
from dcsim import catalog
from dcsim.catalog import loader, quantities
from dcsim.errors import CatalogError

DATA = sorted((Path(dcsim.__file__).parent / "catalog" / "data").glob("*.yaml"))
SHIPPED = catalog.load()
EVERY = [(name, key) for name in SHIPPED.names() for key in SHIPPED.get(name)]
GOOD = '{value: 80, unit: mW, source: "bench", grade: measured}'


def flat(value: object) -> list[float]:
    return [x for item in value for x in flat(item)] if isinstance(value, list) else [value]


def entry_text(number: str = f"static_w: {GOOD}", name: str = "my-chip", facts: str = "mode: barrier") -> str:
    return f"{name}:\n  kind: chip\n  title: Mine\n  is: {{{facts}}}\n  numbers:\n    {number}\n"


@pytest.fixture
def write(tmp_path: Path):
    def to_file(text: str | bytes, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return to_file


# ---------------------------------------------------------------- what ships


def test_the_shipped_files_are_there():
    assert {"chips", "boards", "networks"} <= {path.stem for path in DATA}
    assert len(EVERY) > 200


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_cutting_a_shipped_file_into_entries_loses_nothing(path: Path):
    whole = loader.parse(path.name, path.read_text(encoding="utf-8"))
    pieces = list(loader.index(path.name, path.read_text(encoding="utf-8")))
    assert [piece.name for piece in pieces] == list(whole)
    for piece in pieces:
        assert loader.parse(path.name, piece.text) == {piece.name: whole[piece.name]}
        assert piece.kind == whole[piece.name]["kind"]


def test_every_shipped_number_has_unit_source_grade_and_an_honest_band():
    for name, key in EVERY:
        number = SHIPPED.get(name).quantity(key)
        where = f"{name}, {key}"
        assert number.source.strip(), where
        assert number.grade in catalog.GRADES, where
        assert number.unit in quantities.UNITS or "/" in number.unit, where
        assert all(math.isfinite(x) for x in flat(number.si)), where
        assert (number.low is None) == (number.high is None), where
        if number.grade == "estimate":
            assert number.low is not None, where
        if number.low is not None:
            size = len(flat(number.si))
            low, high = (
                flat(end) * (size if not isinstance(end, list) else 1) for end in (number.si_low, number.si_high)
            )
            assert all(a <= x <= b for a, x, b in zip(low, flat(number.si), high, strict=True)), where


def test_no_shipped_source_points_into_somebodys_folders():
    for path in DATA:
        assert not re.search(r"/work|/home|\.\./|shared/|\.md\b", path.read_text(encoding="utf-8")), path.name


def test_devices_and_hosts_of_systems_are_in_the_catalog():
    assert SHIPPED.names("system")
    for name in SHIPPED.names("system"):
        system = SHIPPED.get(name)
        family = {"gpu": "gpu", "neuromorphic": "chip"}[system.facts["family"]]
        assert SHIPPED.get(system.facts["device"]).kind == family, name
        if system.facts["host"] != "none":
            assert SHIPPED.get(system.facts["host"], "host")["idle_w"] > 0, name
        assert system["devices"] >= 1, name
        assert 0 < system["rack_units"] <= 48, name


def test_a_view_costs_little_and_brings_no_heavy_import():
    code = (
        "import sys, time; from dcsim import catalog; start = time.process_time(); view = catalog.load();"
        "view.get('loihi'); view.names(); assert time.process_time() - start < 0.1;"
        "assert not {'pandas', 'matplotlib', 'numpy', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("key", "value", "unit", "si"),
    [
        ("static_w", "80", "mW", 0.08),
        ("synapse_j", "23.6", "pJ", 23.6e-12),
        ("load_s", "2", "min", 120.0),
        ("tick_s", "1", "ms", 1e-3),
        ("die_area_mm2", "60", "mm2", 60.0),
        ("die_area_mm2", "0.6", "cm2", 60.0),
        ("memory_bytes", "80", "GiB", 80 * 2.0**30),
        ("memory_bytes_per_s", "3.35", "TB/s", 3.35e12),
        ("synapse_bytes_per_core", "128", "KiB", 131072.0),
        ("kv_bytes_per_token", "128", "KiB/token", 131072.0),
        ("fp8_flop_per_s", "1979", "TFLOP/s", 1979e12),
        ("int8_op_per_s", "58", "TOP/s", 58e12),
        ("peak_sop_per_s", "58", "GSOP/s", 58e9),
        ("flop_per_sample", "8.2", "GFLOP", 8.2e9),
        ("tokens_per_s_loihi-2", "41.5", "tokens/s", 41.5),
        ("energy_j_per_token_northpole", "405", "mJ/token", 0.405),
        ("carbon_g_per_kwh", "0.3", "kg/kWh", 300.0),
        ("price_usd_per_kwh", "80", "USD/MWh", 0.08),
        ("ewif_l_per_kwh", "3.1", "L/kWh", 3.1),
        ("utc_offset_h", "-7", "h", -7.0),
        ("lifetime_years", "5", "years", 5.0),
        ("price_usd", "300", "kUSD", 300e3),
        ("accuracy_loihi-2_int8", "93.8", "%", 0.938),
        ("accuracy_x_s", "1", "1", 1.0),
        ("cores", "1.28e2", "cores", 128.0),
        ("parameters", "8e9", "1", 8e9),
        ("parameters", "8.03e9", "parameters", 8.03e9),
    ],
)
def test_a_number_is_converted_to_the_unit_of_its_key(write, key, value, unit, si):
    text = entry_text(f"{key}: {{value: {value}, unit: {unit!r}, source: bench, grade: measured}}")
    assert catalog.load([write(text)]).get("my-chip")[key] == pytest.approx(si, rel=1e-12)


def test_every_unit_symbol_means_one_thing():
    seen: dict[str, str] = {}
    for dimension, symbols in dcsim.units.DIMENSIONS.items():
        for symbol in filter(None, symbols):
            assert seen.setdefault(symbol, dimension) == dimension
    assert all(factor > 0 for _, factor in quantities.UNITS.values())


def test_bands_and_lists_are_converted_too(write):
    number = "core_w: {value: [1, 2], unit: mW, source: a, grade: estimate, low: 0.5, high: [2, 3], note: two}"
    entry = catalog.load([write(entry_text(number))]).get("my-chip")
    quantity = entry.quantity("core_w")
    assert (quantity.si, quantity.si_low, quantity.si_high) == ([1e-3, 2e-3], 5e-4, [2e-3, 3e-3])
    assert (quantity.value, quantity.unit, quantity.note) == ([1, 2], "mW", "two")
    assert entry.array("core_w").tolist() == [1e-3, 2e-3]


# ---------------------------------------------------------------- a user's file that is not sound

NUMBER = [
    ("static_w: 80", "my-chip, static_w: found 80, want {value, unit, source, grade}"),
    ("static_w: {value: 80, unit: mW, grade: measured}", "static_w: no source; want text"),
    ("static_w: {value: 80, unit: mW, source: '  ', grade: measured}", "static_w: source is '  '; want text"),
    ("static_w: {value: 80, unit: mW, source: a}", "static_w: no grade; want text"),
    (
        "static_w: {value: 80, unit: mW, source: a, grade: guess}",
        "unknown grade 'guess'; allowed: published, measured",
    ),
    ("static_w: {value: 80, source: a, grade: measured}", "static_w: no unit; want text"),
    ("static_w: {unit: mW, source: a, grade: measured}", "static_w: no value; want a number"),
    ("static_w: {value: 80, unit: mw, source: a, grade: measured}", "unknown unit 'mw'; did you mean"),
    ("static_w: {value: 80, unit: W/fortnight, source: a, grade: measured}", "unknown unit 'W/fortnight'"),
    (
        "static_w: {value: 80, unit: pJ, source: a, grade: measured}",
        "unit pJ (energy), but _w in the key wants power",
    ),
    (
        "static: {value: 80, unit: mW, source: a, grade: measured}",
        "unit mW (power) wants a key that ends in _w",
    ),
    (
        "energy_j: {value: 80, unit: mJ/token, source: a, grade: measured}",
        "unit mJ/token is per token, the key is not",
    ),
    (
        "static_w: {value: 80, unit: mW, source: a, grade: measured, sorce: b}",
        "unknown field 'sorce'; did you mean 'source'",
    ),
    (
        "static_w: {value: 80, unit: mW, source: a, grade: estimate}",
        "want both low and high (an estimate must have a band)",
    ),
    ("static_w: {value: 80, unit: mW, source: a, grade: measured, low: 1}", "want both low and high"),
    (
        "static_w: {value: 80, unit: mW, source: a, grade: estimate, low: 90, high: 99}",
        "value 80 is outside its band 90 to 99",
    ),
    (
        "static_w: {value: [1, 2], unit: W, source: a, grade: estimate, low: [0, 0, 0], high: 9}",
        "low has shape (3,), value has (2,)",
    ),
    ("static_w: {value: yes, unit: mW, source: a, grade: measured}", "value is True; want a finite number"),
    ("static_w: {value: .nan, unit: mW, source: a, grade: measured}", "value is nan; want a finite number"),
    ("static_w: {value: .inf, unit: mW, source: a, grade: measured}", "value is inf; want a finite number"),
    ("static_w: {value: 1e308, unit: GW, source: a, grade: measured}", "too large in GW"),
    (f"static_w: {{value: {'9' * 400}, unit: W, source: a, grade: measured}}", "want a finite number"),
    (f"static_w: {{value: {'9' * 9000}, unit: W, source: a, grade: measured}}", "mine.yaml"),
    ("static_w: {value: 2024-01-01, unit: W, source: a, grade: measured}", "want a finite number"),
    ("static_w: {value: [], unit: W, source: a, grade: measured}", "value is an empty list"),
    ("static_w: {value: [[1, 2], [3]], unit: W, source: a, grade: measured}", "rows of unequal length"),
    (
        "sync_s: {value: [[1, 2]], unit: ms, source: a, grade: measured}",
        "write a table in the unit of its key, not in ms",
    ),
    (f"Static_w: {GOOD}", "number 'Static_w': a key is lower-case letters"),
    (f"1: {GOOD}", "number '1': a key is lower-case letters"),
    (f"static_w: {GOOD}\n    static_w: {GOOD}", "line 7: 'static_w' is there twice"),
    (f"synaps_j: {GOOD.replace('mW', 'pJ')}", "unknown number 'synaps_j'; did you mean 'synapse_j'?"),
    (f"? [a, b]\n    : {GOOD}", "a key must be a word"),
]

FILE = [
    ("", "want entries such as"),
    ("- a\n", "want entries such as"),
    ("a: b: c\n", "mine.yaml line 1: mapping values are not allowed"),
    ("my-chip: 3\n", "my-chip: want {kind, title, is, numbers}"),
    ("My_Chip: {}\n", "entry 'My_Chip': a name is lower-case letters"),
    ("on: {}\n", "entry 'True': a name is"),
    (entry_text() + "  colour: red\n", "unknown field 'colour'; allowed: is, kind, numbers, title"),
    (entry_text().replace("kind: chip", "kind: chop"), "kind is 'chop'; allowed: chip, gpu, system"),
    (entry_text().replace("title: Mine", "title: ''"), "want a title"),
    (
        entry_text(facts="mode: fast"),
        "is.mode is 'fast'; a chip wants one of barrier, tick, event, analog, scheduled",
    ),
    (entry_text(facts=""), "is.mode is None"),
    (
        entry_text(facts="mode: tick, layers: 3"),
        "is.layers: want words, true or false; numbers go under 'numbers'",
    ),
    (entry_text() + entry_text(), "line 7: 'my-chip' is there twice"),
    (entry_text(name="loihi"), "'loihi' is in the catalog already; choose another name"),
    (
        "my-node: {kind: system, title: a, is: {device: loihi, host: none, family: brain}}\n",
        "is.family is 'brain'",
    ),
    ("a: &x [1]\nb: *x\n", "line 1: YAML anchors and aliases are not allowed"),
    ("a: " + "[" * 5000 + "]" * 5000, "nested deeper than"),
    ("a: !!python/object/apply:os.system [ls]\n", "could not determine a constructor"),
    (b"\xff\xfe\x00", "it is not UTF-8 text"),
    (b"a: \x00", "mine.yaml"),
]


@pytest.mark.parametrize(("number", "message"), NUMBER)
def test_a_bad_number_is_named_with_what_is_allowed(write, number, message):
    with pytest.raises(CatalogError) as caught:
        catalog.load([write(entry_text(number))])
    assert message in str(caught.value)
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "message"), FILE)
def test_a_bad_file_is_named_with_what_is_allowed(write, text, message):
    with pytest.raises(CatalogError) as caught:
        catalog.load([write(text)])
    assert message in str(caught.value)
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_alias_bomb_is_refused_at_its_first_anchor(write):
    bomb = "a: &a [1, 1, 1, 1]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20)
    )
    with pytest.raises(CatalogError, match="line 1: YAML anchors"):
        catalog.load([write(bomb)])


def test_a_file_beyond_the_bound_is_refused(write):
    with pytest.raises(CatalogError, match="at most 1000000 bytes"):
        catalog.load([write(b"#" * (loader.MAX_BYTES + 1))])


@pytest.mark.parametrize(("name", "message"), [("absent.yaml", "No such file"), (".", "not a file")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, message):
    with pytest.raises(CatalogError, match=message):
        catalog.load([tmp_path / name])


def test_new_keys_and_other_digits_of_known_keys_are_welcome(write):
    number = f"wind_w: {GOOD}\n    int16_op_per_s: {GOOD.replace('mW', 'OP/s')}"
    assert len(catalog.load([write(entry_text(number))]).get("my-chip")) == 2


# ---------------------------------------------------------------- what a view answers


def test_names_nearest_name_and_kind():
    assert "loihi" in SHIPPED.names("chip")
    assert "loihi" not in SHIPPED.names("system")
    assert SHIPPED.names() == sorted(SHIPPED.names())
    with pytest.raises(CatalogError, match=r"the catalog has no chip 'lohi-2'; did you mean 'loihi-2'\?"):
        SHIPPED.get("lohi-2", "chip")
    with pytest.raises(CatalogError, match="the catalog has no gpu 'loihi'; 'loihi' is a chip"):
        SHIPPED.get("loihi", "gpu")
    with pytest.raises(CatalogError, match=r"the catalog has no kind 'chips'; did you mean 'chip'\?"):
        SHIPPED.names("chips")


def test_reads_of_an_entry():
    entry = SHIPPED.get("loihi-sanafe")
    assert entry["synapse_j"] == pytest.approx(35.5e-12)
    assert entry.array("sync_s").shape == (4, 2)
    assert entry.array("cores").shape == ()
    assert ("synapse_j" in entry, "nothing_j" in entry) == (True, False)
    assert entry.get("nothing_j", None) is None
    assert entry.get("cores", 0.0) == 128
    assert entry.facts["mode"] == "barrier"
    with pytest.raises(CatalogError, match=r"'loihi-sanafe' has no number 'synaps_j'; did you mean 'synapse_j'\?"):
        entry["synaps_j"]
    with pytest.raises(CatalogError, match=r"'sync_s' is a table; read it with array\('sync_s'\)"):
        entry["sync_s"]


def test_a_view_knows_the_grades_of_what_was_read_from_it():
    view, other = catalog.load(), catalog.load()
    assert view.grades_used() == {}
    chip = view.get("loihi-2")
    assert "static_w" in chip
    assert view.grades_used() == {}
    for _ in range(3):
        chip["static_w"]
    chip["cores"], view.get("loihi").array("sync_s"), chip.get("absent_w", 1.0)
    assert view.used() == [
        ("loihi", "sync_s", "derived"),
        ("loihi-2", "cores", "published"),
        ("loihi-2", "static_w", "estimate"),
    ]
    assert view.grades_used() == {"published": 1, "derived": 1, "estimate": 1}
    assert list(view.grades_used()) == ["published", "derived", "estimate"]
    assert other.grades_used() == {}


def test_a_view_travels_to_another_process():
    view = catalog.load()
    view.get("loihi")["cores"]
    copy = pickle.loads(pickle.dumps(view))
    assert copy.used() == view.used()
    assert copy.hash() == view.hash()
    assert copy.get("kws").array("snn_layers").tolist() == [390, 256, 256, 29]


def test_the_hash_is_that_of_the_content(write):
    first = catalog.load([write(entry_text())])
    assert first.hash() == catalog.load([write(entry_text(), "other.yaml")]).hash()
    assert re.fullmatch("[0-9a-f]{64}", first.hash())
    assert catalog.load().hash() == SHIPPED.hash()
    changed = catalog.load([write(entry_text().replace("80", "81"))])
    assert len({first.hash(), changed.hash(), SHIPPED.hash()}) == 3


def test_two_extra_files_may_not_share_a_name(write):
    paths = [write(entry_text()), write(entry_text(), "second.yaml")]
    with pytest.raises(CatalogError, match=r"second.yaml: 'my-chip' is in the catalog already"):
        catalog.load(paths)
