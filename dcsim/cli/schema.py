"""`dcsim schema`: the JSON Schema of a scenario, for editors."""

from __future__ import annotations

from dcsim.cli import output


def command() -> None:
    """Print the JSON Schema of a scenario file."""
    from dcsim.scenario import json_schema

    output.document(json_schema())
