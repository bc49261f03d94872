"""Commands that need no simulation, and what the command line says when it is used wrongly."""

from __future__ import annotations

import json

import pytest

import dcsim as package
from dcsim.scenario import json_schema, load


def test_help_lists_the_commands(dcsim):
    for arguments in ((), ("--help",)):
        outcome = dcsim(*arguments)
        assert outcome.code == 0
        for command in ("run", "replay", "validate", "bench", "catalog", "schema", "new"):
            assert f"  {command} " in outcome.out


def test_version(dcsim):
    assert dcsim("--version") == (0, f"{package.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("rin",), "error: no such command 'rin'. Did you mean 'run'?"),
        (("run",), "error: missing argument 'scenario'"),
        (("run", "--sed", "3", "x.yaml"), "error: no such option: --sed"),
        (("run", "x.yaml", "--seed", "-1"), "error: invalid value for '--seed'"),
        (("run", "x.yaml", "--seed", "many"), "error: invalid value for '--seed'"),
        (("catalog",), "error: missing command"),
        (("replay", "x.csv", "--format", "csv"), "error: missing option '--nodes'"),
    ],
)
def test_wrong_usage_is_one_line_and_2(dcsim, arguments, line):
    outcome = dcsim(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.lower().startswith(line.lower())
    assert outcome.err.count("\n") == 1


def test_schema_is_one_json_document(dcsim):
    outcome = dcsim("schema")
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out) == json_schema()


def test_catalog_list(dcsim):
    table, document = dcsim("catalog", "list"), dcsim("catalog", "list", "--json")
    entries = json.loads(document.out)
    assert {"name": "hgx-h100", "kind": "system"}.items() <= {
        **next(e for e in entries if e["name"] == "hgx-h100")
    }.items()
    assert all(set(entry) == {"name", "kind", "title"} for entry in entries)
    assert all(entry["name"] in table.out for entry in entries)


def test_catalog_show(dcsim):
    table, document = dcsim("catalog", "show", "h100-sxm"), dcsim("catalog", "show", "h100-sxm", "--json")
    entry = json.loads(document.out)
    assert (entry["name"], entry["kind"]) == ("h100-sxm", "gpu")
    for key, number in entry["numbers"].items():
        assert {"value", "unit", "source", "grade"} <= set(number), key
        assert (number["grade"] != "estimate") or {"low", "high"} <= set(number), key
        assert key in table.out
        assert number["grade"] in table.out


def test_an_entry_of_every_kind_can_be_shown(dcsim):
    entries = json.loads(dcsim("catalog", "list", "--json").out)
    for entry in {entry["kind"]: entry for entry in entries}.values():
        assert dcsim("catalog", "show", entry["name"]).code == 0


def test_catalog_show_unknown(dcsim):
    outcome = dcsim("catalog", "show", "h100-sxn", "--json")
    assert outcome == (2, "", "error: the catalog has no entry 'h100-sxn'; did you mean 'h100-sxm'?\n")


def test_new_scenario_loads_and_is_not_overwritten(dcsim, tmp_path):
    assert dcsim("new", "scenario", "first") == (
        0,
        "wrote first.yaml; run it with: dcsim run first.yaml\n",
        "",
    )
    assert load(tmp_path / "first.yaml").name == "first"
    (tmp_path / "first.yaml").write_text("mine")
    outcome = dcsim("new", "scenario", "first")
    assert outcome == (2, "", "error: first.yaml: is there already; choose another name or --out\n")
    assert (tmp_path / "first.yaml").read_text() == "mine"


def test_new_scenario_elsewhere(dcsim, tmp_path):
    assert dcsim("new", "scenario", "first", "--out", "other.yaml").code == 0
    assert load(tmp_path / "other.yaml").name == "first"
    assert "cannot be written: No such file or directory" in dcsim("new", "scenario", "x", "--out", "no/x.yaml").err


def test_new_scenario_refuses_what_is_no_name(dcsim, tmp_path):
    assert dcsim("new", "scenario", "../x").code == 2
    assert not list(tmp_path.iterdir())


def test_public_names():
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert set(dir(package)) >= set(package.__all__)
    with pytest.raises(AttributeError, match="module 'dcsim' has no attribute 'simulat'"):
        _ = package.simulat
