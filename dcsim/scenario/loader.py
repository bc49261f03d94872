"""A scenario file to a frozen, checked Scenario."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from dcsim import catalog
from dcsim.errors import CatalogError, ScenarioError, nearest
from dcsim.scenario import check, check_arrivals, files, reader, shape, workloads
from dcsim.scenario.models import Scenario
from dcsim.scenario.overrides import apply, replace
from dcsim.scenario.problems import Problem, Source, explain, value_at
from dcsim.scenario.reader import Block
from dcsim.scenario.signals import Profile
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
    scenario = _validate(source._replace(data=_with_defaults(source._replace(data=resolved), wrong)), wrong)
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
            own = source.is_overridden(path)
            found = files.resolve(value_at(data, path), folder, own=own, folder_ok=path[0] == "streams")
        except files.FileProblem as error:
            wrong.append(Problem(path, str(error)))
        else:
            data = replace(data, path, str(found))
    return data, wrong


def _file_paths(data: Block) -> list[shape.Path]:
    """Where the names of files stand in a scenario: its catalogs, and whatever is a text and is called `path`.

    No list of places, so that no new part of a scenario can open a file that was not looked at here.
    """
    catalogs: list[shape.Path] = [("catalog", position) for position in range(_length(data.get("catalog")))]
    return [path for path in catalogs if isinstance(value_at(data, path), str)] + list(_called_path(data, ()))


def _called_path(value: object, path: shape.Path) -> Iterator[shape.Path]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        if key == "path" and isinstance(below, str):
            yield (*path, key)
        elif isinstance(key, (str, int)):
            yield from _called_path(below, (*path, key))


def _length(value: object) -> int:
    return len(value) if isinstance(value, list) else 0


def _with_defaults(source: Source, wrong: list[Problem]) -> Block:
    """The data with the defaults of the kinds of work that streams name."""
    data: Block = source.data
    streams, extra = data.get("streams"), data.get("catalog")
    named = streams.values() if isinstance(streams, Mapping) else ()
    if not any(isinstance(stream, Mapping) and stream.get("workload") for stream in named):
        return data
    if any(problem.path[0] == "catalog" for problem in wrong):
        raise source.error(wrong)
    try:
        known = catalog.load([path for path in extra if isinstance(path, str)] if isinstance(extra, list) else [])
    except CatalogError as error:
        raise source.error([Problem(("catalog",), str(error)), *wrong]) from None
    data, found = workloads.expand(data, known)
    if found:
        raise source.error([*found, *wrong])
    return data


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
        yield ("sites", name, "building"), "cost", site.building
        for key, signal in site.varying():
            if isinstance(signal, Profile):
                yield ("sites", name, key, "profile"), "grid", signal.profile
    for name, rack in scenario.racks.items():
        yield ("racks", name, "frame"), "rack", rack.frame
        yield ("racks", name, "psu"), "curve", rack.psu
        for pool_name, pool in rack.pools.items():
            yield ("racks", name, "pools", pool_name, "system"), "system", pool.system
    for name, stream in scenario.streams.items():
        yield ("streams", name, "model"), "model", stream.model
        if isinstance(stream.sizes, str):
            yield ("streams", name, "sizes"), "sizes", stream.sizes
        if stream.service is not None:
            kind = "mix" if stream.service.distribution == "mix" else "quantiles"
            yield ("streams", name, "service", "table"), kind, stream.service.table
        for path, profile in check_arrivals.profiles(("streams", name, "arrivals"), stream.arrivals):
            yield path, "profile", profile
