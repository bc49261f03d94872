"""What a user writes: YAML in, frozen models out, JSON Schema for editors."""

from dcsim.scenario.loader import build, load, read_back
from dcsim.scenario.models import Scenario
from dcsim.scenario.overrides import parse_setting
from dcsim.scenario.text import dump, json_schema, template

__all__ = ["Scenario", "build", "dump", "json_schema", "load", "parse_setting", "read_back", "template"]
