"""A scenario file to a frozen, checked Scenario."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from dcsim import catalog
from dcsim.errors import CatalogError, ScenarioError, nearest
from dcsim.scenario import check, files, reader, shape
from dcsim.scenario.arrivals import Daily
from dcsim.scenario.models import Scenario
from dcsim.scenario.overrides import apply, replace
from dcsim.scenario.problems import Problem, Source, explain, value_at
from dcsim.scenario.reader import Block
from dcsim.units import shown


def load(path: str | pathlib.Path, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """Read, override and check the scenario file at `path`.

    `overrides` maps paths such as "streams.chat.arrivals.rate" to values. Paths of other files in the
    scenario become absolute. Raises ScenarioError with one line for each thing that is wrong: file, line, key
    path, what was found and what is allowed.
    """
    return build(_read(path), overrides, folder=pathlib.Path(path).absolute().parent, name=str(path))


def build(
    data: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    *,
    folder: str | pathlib.Path = ".",
    name: str = "scenario",
) -> Scenario:
    """The same of a mapping made in Python; files that it names are looked up in `folder`."""
    block, paths = apply(data, overrides or {})
    source = Source(name, block, paths)
    resolved, wrong = _resolve_files(source, pathlib.Path(folder))
    scenario = _validate(source._replace(data=resolved), wrong)
    found = [*check.problems(scenario), *_names(scenario)]
    if found:
        raise source.error(found)
    return scenario


def read_back(path: str | pathlib.Path) -> Scenario:
    """Read what `dump` wrote: file names are taken as they stand and need not exist any more."""
    return _validate(Source(str(path), _read(path)), [])


def _read(path: str | pathlib.Path) -> Block:
    data = reader.parse(reader.read_text(pathlib.Path(path)), str(path))
    if not isinstance(data, Block):
        wanted = ", ".join(key for key, field in Scenario.model_fields.items() if field.is_required())
        found = "an empty file" if data is None else shown(data)
        raise ScenarioError(f"{path}:1: found {found}, want a mapping with at least the keys {wanted}")
    return data


def _resolve_files(source: Source, folder: pathlib.Path) -> tuple[Block, list[Problem]]:
    """The data with absolute paths, and what is wrong with any of them."""
    data, wrong = source.data, []
    for path in _file_paths(data):
        try:
            found = files.resolve(value_at(data, path), folder, own=source.is_overridden(path))
        except files.FileProblem as error:
            wrong.append(Problem(path, str(error)))
        else:
            data = replace(data, path, str(found))
    return data, wrong


def _file_paths(data: Block) -> list[shape.Path]:
    """Where the names of files stand in a scenario, as far as they are there and are texts."""
    paths: list[shape.Path] = [("catalog", position) for position in range(_length(data.get("catalog")))]
    streams = data.get("streams")
    paths += [("streams", name, "arrivals", "path") for name in (streams if isinstance(streams, Mapping) else ())]
    return [path for path in paths if isinstance(value_at(data, path), str)]


def _length(value: object) -> int:
    return len(value) if isinstance(value, list) else 0


def _validate(source: Source, wrong: list[Problem]) -> Scenario:
    try:
        scenario = Scenario.model_validate(source.data)
    except ValidationError as error:
        raise source.error([*explain(error, source.data), *wrong]) from None
    if wrong:
        raise source.error(wrong)
    return scenario


def _names(scenario: Scenario) -> list[Problem]:
    """Names that the catalog does not know."""
    try:
        known = catalog.load(scenario.catalog)
    except CatalogError as error:
        return [Problem(("catalog",), str(error))]
    names = {kind: known.names(kind) for kind in {kind for _, kind, _ in _references(scenario)}}
    return [
        Problem(path, f"no {kind} '{name}' in the catalog{nearest(name, names[kind])}")
        for path, kind, name in _references(scenario)
        if name not in names[kind]
    ]


def _references(scenario: Scenario) -> Iterator[tuple[shape.Path, str, str]]:
    """Path, catalog kind and name of everything that a scenario takes from the catalog."""
    for path, kind, name in _all_references(scenario):
        if name is not None and (name != "none" or kind not in ("curve", "rack")):
            yield path, kind, name


def _all_references(scenario: Scenario) -> Iterator[tuple[shape.Path, str, str | None]]:
    for name, site in scenario.sites.items():
        yield ("sites", name, "place"), "place", site.place
        yield ("sites", name, "ups"), "curve", site.ups
        yield ("sites", name, "transformer"), "curve", site.transformer
    for name, rack in scenario.racks.items():
        yield ("racks", name, "frame"), "rack", rack.frame
        yield ("racks", name, "psu"), "curve", rack.psu
        for pool_name, pool in rack.pools.items():
            yield ("racks", name, "pools", pool_name, "system"), "system", pool.system
    for name, stream in scenario.streams.items():
        yield ("streams", name, "model"), "model", stream.model
        if isinstance(stream.sizes, str):
            yield ("streams", name, "sizes"), "sizes", stream.sizes
        if isinstance(stream.arrivals, Daily) and isinstance(stream.arrivals.profile, str):
            yield ("streams", name, "arrivals", "profile"), "profile", stream.arrivals.profile
