"""Fill in the reference pages from the code: what stands between `<!-- begin: NAME -->` and `<!-- end -->`.

Usage: python docs/scripts/reference.py

One source for each table: `dcsim.results.columns` and `keys`, the scenario models, `dcsim.units`, the commands.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.main import get_command

from dcsim import units
from dcsim.cli.app import app
from dcsim.report import chip_summary, facility_summary, gpu_summary
from dcsim.results import columns, keys
from dcsim.scenario import models
from dcsim.scenario.fields import Measure
from dcsim.scenario.part import Part
from dcsim.scheduling.orders import ORDERS
from dcsim.scheduling.slots import PLACEMENTS
from dcsim.workload import traces

FOLDER = Path(__file__).parents[1] / "reference"
_MARKED = re.compile(r"(?<=<!-- begin: )([a-z-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)

Rows = Sequence[tuple[str, ...]]


def filled(text: str) -> str:
    """The page with every marked part made anew. KeyError for a part that this script does not know."""
    return _MARKED.sub(lambda found: f"{found[1]}{found[2]}\n{PARTS[found[1]]().strip()}\n\n", text)


def pages() -> list[Path]:
    """Pages that have marked parts."""
    return [path for path in sorted(FOLDER.glob("*.md")) if _MARKED.search(path.read_text(encoding="utf-8"))]


def _table(header: tuple[str, ...], rows: Rows) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n" + "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


# ---------------------------------------------------------------- results


def _columns(table: tuple[columns.Column, ...]) -> Callable[[], str]:
    rows = [(f"`{column.name}`", column.kind, column.unit, column.meaning) for column in table]
    return lambda: _table(("column", "type", "unit", "meaning"), rows)


def _keys(listed: tuple[keys.Key, ...]) -> Callable[[], str]:
    rows = [(f"`{key.path}`", key.unit, key.meaning) for key in listed]
    return lambda: _table(("key", "unit", "meaning"), rows)


# ---------------------------------------------------------------- scenario


def _models() -> Iterator[type[Part]]:
    """Every part of a scenario, from the outside in and each once."""
    waiting: list[Any] = [models.Scenario]
    seen: set[type[Part]] = set()
    while waiting:
        kind = waiting.pop(0)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if issubclass(kind, Part) and kind not in seen:
                seen.add(kind)
                yield kind
                waiting += [field.annotation for field in kind.model_fields.values()]
        else:
            waiting += [part for part in get_args(kind) if not isinstance(part, str)]


def _scenario() -> str:
    text = ""
    for kind in _models():
        rows = [
            (f"`{name}`", _type(field), _default(field), _line(field.description))
            for name, field in kind.model_fields.items()
        ]
        text += f"\n### {kind.__name__}\n\n{_line(kind.__doc__)}\n" + _table(
            ("key", "type", "default", "meaning"), rows
        )
    return text


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _type(field: FieldInfo) -> str:
    measures = [mark for mark in field.metadata if isinstance(mark, Measure)]
    return _measure(measures[0]) if measures else _words(field.annotation)


def _measure(measure: Measure) -> str:
    return f'{measure.dimension.replace("_", " ")}, as "{measure.example}"'


def _words(kind: Any) -> str:
    """A type as the page names it."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        measures = [mark for mark in parts[1:] if isinstance(mark, Measure)]
        return _measure(measures[0]) if measures else _words(parts[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_words(part) for part in parts if part is not type(None)))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in parts)
    if origin in (list, dict):
        return f"list of {_words(parts[0])}" if origin is list else f"name: {_words(parts[1])}"
    if isinstance(kind, type) and issubclass(kind, Part):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    named = {str: "text", int: "whole number", float: "number", bool: "true or false", datetime: "moment"}
    return named[kind]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    measures = [mark for mark in field.metadata if isinstance(mark, Measure)]
    if measures and value is not None and measures[0].dimension != "ratio":
        return units.write(value, measures[0].dimension)
    if value in (None, "", PydanticUndefined) or value in ([], {}):
        return ""
    if isinstance(value, BaseModel):
        return "its defaults"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# ---------------------------------------------------------------- units and commands


def _units() -> str:
    rows: list[tuple[str, ...]] = []
    for dimension, symbols in units.DIMENSIONS.items():
        inside = next(symbol for symbol, factor in symbols.items() if factor == 1.0)
        written = ", ".join(f"`{symbol}`" for symbol in symbols if symbol and "µ" not in symbol)
        rows.append((dimension.replace("_", " "), inside or "1", written))
    return _table(("quantity", "inside dcsim", "units that may be written"), rows)


def _commands() -> str:
    text = ""
    for path, command in _leaves("dcsim", get_command(app)):
        parameters = [parameter for parameter in command.params if parameter.name != "help"]
        usage = " ".join([path, *(_usage(parameter) for parameter in parameters)])
        rows = [(f"`{_usage(parameter).strip('[]')}`", _help(parameter)) for parameter in parameters]
        text += f"\n### {path}\n\n{_line(command.help)}\n\n```text\n{usage}\n```\n"
        text += _table(("argument or option", "meaning"), rows) if rows else ""
    return text


def _usage(parameter: Any) -> str:
    """How one argument or option is written, the same for every release of Typer."""
    name = parameter.opts[0].lstrip("-").upper().replace("-", "_")
    metavar = (parameter.metavar or name).strip("[].")
    dots = "..." if parameter.multiple or parameter.nargs == -1 else ""
    if parameter.param_type_name == "argument":
        written = metavar + dots
    else:
        written = parameter.opts[0] + ("" if parameter.is_flag else f" {metavar}") + dots
    return written if parameter.required else f"[{written}]"


def _help(parameter: Any) -> str:
    shown = getattr(parameter, "show_default", None)
    default = shown if isinstance(shown, str) else parameter.default
    text = _line(parameter.help)
    return f"{text} Default: {default}." if isinstance(default, (str, int)) and not parameter.is_flag else text


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from _leaves(f"{path} {name}", child)


PARTS: dict[str, Callable[[], str]] = {
    "jobs": _columns(columns.JOBS),
    "attempts": _columns(columns.ATTEMPTS),
    "racks": _columns(columns.RACKS),
    "facility": _columns(columns.FACILITY),
    "summary": _keys(keys.SUMMARY),
    "chip-run": _keys((*chip_summary.SUMMARY, *chip_summary.MEASURED)),
    "gpu-llm": _keys(gpu_summary.LANGUAGE),
    "gpu-batch": _keys(gpu_summary.BATCH),
    "gpu-training": _keys(gpu_summary.TRAINING),
    "facility-year": _keys(facility_summary.SUMMARY),
    "scenario": _scenario,
    "policies": lambda: _names(ORDERS.names()),
    "placements": lambda: _names(PLACEMENTS.names()),
    "formats": lambda: _names(traces.formats()),
    "units": _units,
    "commands": _commands,
}


def main() -> None:
    """Write every page that has marked parts."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if (new := filled(text)) != text:
            path.write_text(new, encoding="utf-8")
            print(path)


if __name__ == "__main__":
    main()
