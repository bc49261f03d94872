"""Which keys a scenario may have where, read from the models for messages and overrides."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from dcsim.scenario.models import Scenario

Step = str | int
Path = tuple[Step, ...]


def dotted(path: Iterable[Step]) -> str:
    """A path as users write it: `streams.chat.runs_on.0`."""
    return ".".join(str(step) for step in path)


def at(path: Iterable[Step]) -> list[Any]:
    """Types that may stand at `path`: several where it passes a union, none where there is no such path."""
    kinds: list[Any] = [Scenario]
    for step in path:
        kinds = list(below(kinds, step))
    return kinds


def below(kinds: Iterable[Any], step: Step) -> Iterator[Any]:
    """Types that may stand under `step` of a value that is of one of `kinds`."""
    for kind in _branches(kinds):
        if isinstance(step, str) and _is_model(kind):
            if step in kind.model_fields:
                yield kind.model_fields[step].annotation
        elif get_origin(kind) is (dict if isinstance(step, str) else list):
            yield get_args(kind)[-1]


def keys(kinds: Iterable[Any], data: object = None) -> set[str]:
    """Keys that the models among `kinds` know; of a union told apart by `kind`, of the one `data` names."""
    models = [kind for kind in _branches(kinds) if _is_model(kind)]
    written = data.get("kind") if isinstance(data, Mapping) else None
    named = [model for model in models if written in tags(model)]
    return {key for model in (named or models) for key in model.model_fields}


def told_apart(kinds: Iterable[Any], tag: object) -> type[BaseModel] | None:
    """The model among `kinds` whose key `kind` may be `tag`."""
    models: list[type[BaseModel]] = [kind for kind in _branches(kinds) if _is_model(kind)]
    return next((model for model in models if tag in tags(model)), None)


def takes_any_name(kinds: Iterable[Any]) -> bool:
    """Whether a mapping of the user's own names may stand here."""
    return any(get_origin(kind) is dict for kind in _branches(kinds))


def tags(kind: Any) -> tuple[str, ...]:
    """Every value of the key `kind` that tells apart the models of the union `kind`."""
    fields = [model.model_fields.get("kind") for model in _branches([kind]) if _is_model(model)]
    return tuple(tag for field in fields if field for tag in get_args(field.annotation) if isinstance(tag, str))


def _branches(kinds: Iterable[Any]) -> Iterator[Any]:
    for kind in kinds:
        if get_origin(kind) is Annotated:
            yield from _branches(get_args(kind)[:1])
        elif get_origin(kind) in (Union, types.UnionType):
            yield from _branches(get_args(kind))
        else:
            yield kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
