"""A Scenario as YAML text, the JSON Schema of what may stand in it, and a commented one to start from."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from dcsim import units
from dcsim.errors import ScenarioError
from dcsim.scenario.fields import Name
from dcsim.scenario.models import Scenario


def dump(scenario: Scenario) -> str:
    """YAML text of `scenario`, defaults written out; `read_back` makes an equal Scenario of it."""
    data = scenario.model_dump(mode="json", exclude_none=True)
    text: str = yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
    return text


def template(name: str) -> str:
    """A commented scenario called `name` that runs as it is. Raises ScenarioError when that is no name."""
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        found = f"found {units.shown(name)}"
        raise ScenarioError(f"name: {found}, want letters, digits, '.', '_' and '-' (64 at most)") from None
    text = resources.files("dcsim.scenario").joinpath("template.yaml").read_text(encoding="utf-8")
    return text.replace("name: NAME", f"name: {name}").replace("FILE", f"{name}.yaml")


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a scenario file, with descriptions, units, bounds and defaults."""
    schema = Scenario.model_json_schema()
    _tidy(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema | {"title": "dcsim scenario"}


def _tidy(node: Any) -> None:
    """In place: defaults with their units, names checked, titles that only repeat the key left out."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("title"), str):
        del node["title"]
    dimension, default = node.get("x-dimension"), node.get("default")
    if dimension not in (None, "ratio") and isinstance(default, float):
        node["default"] = units.write(default, dimension)
    if default is None:
        node.pop("default", None)
    if "patternProperties" in node:
        node["additionalProperties"] = False
    for key in node:
        _tidy(node[key])
