"""Kinds of work: what the catalog says of each, and streams that name one filled with its defaults.

A stream with the key `workload` takes from the catalog's entry of that kind whatever it does not write itself: when
jobs arrive, their sizes, what they hold and must meet, and the model that runs on the devices of its pools.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from dcsim.catalog import Catalog, Entry
from dcsim.catalog.entries import Numbers
from dcsim.errors import CatalogError
from dcsim.scenario import shape
from dcsim.scenario.problems import Problem
from dcsim.scenario.reader import Block

#: First words of facts that say who can run the work, not how its stream is.
_ABOUT = ("about", "serves", "cannot", "note")
_FAMILIES = ("gpu", "neuromorphic")
#: Keys of a stream that mean nothing without a model.
_OF_MODELS = (("model",), ("activity_cv",), ("sizes",), ("training",), ("slo", "ttft"), ("slo", "tpot"))
#: Ends of the keys of numbers that a scenario writes with their unit.
_UNITS = ("hz", "s")


class Served(NamedTuple):
    """Who runs a kind of work on one device."""

    models: tuple[str, ...]
    """catalog models that do, best first; none where the device cannot"""
    reason: str
    """why none does, or how it is known of the models; may be empty for them"""


@dataclass(frozen=True)
class Workload:
    """A catalog entry of kind `workload`."""

    name: str
    title: str
    about: str
    defaults: Mapping[str, Any]
    """what its stream has, as a scenario would write it"""
    of_family: Mapping[str, Mapping[str, Any]]
    """gpu: what it has besides where all of its pools are GPUs; neuromorphic: where any is not"""
    _facts: Mapping[str, object]

    @staticmethod
    def of(entry: Entry) -> Workload:
        """CatalogError where a key is no key of a stream, or would open a file."""
        facts = {key: fact for key, fact in entry.facts.items() if key.split(".")[0] not in _ABOUT}
        defaults: dict[str, Any] = {family: {} for family in _FAMILIES}
        for key, value in facts.items():
            _put(defaults, key, value, entry.name)
        for key in entry:
            head, _, suffix = key.rpartition("_")
            quantity = entry.quantity(key)
            if suffix in _UNITS:
                _put(defaults, head, _written(quantity.value, f" {quantity.unit}"), entry.name)
            else:
                _put(defaults, key, _written(quantity.si, ""), entry.name)
        of_family = {family: defaults.pop(family) for family in _FAMILIES}
        return Workload(entry.name, entry.title, str(entry.facts["about"]), defaults, of_family, entry.facts)

    def on(self, device: str, family: str) -> Served:
        """Who runs it on `device` of `family` (gpu or neuromorphic). What is said of the device goes first."""
        note = str(self._facts.get(f"note.{device}", self._facts.get(f"note.{family}", "")))
        for name in (device, family):
            if (models := self._facts.get(f"serves.{name}")) is not None:
                return Served(tuple(models) if isinstance(models, list) else (str(models),), note)
            if (reason := self._facts.get(f"cannot.{name}")) is not None:
                return Served((), str(reason))
        return Served((), f"the catalog names no model for devices of family '{family}'")


def expand(data: Block, catalog: Catalog) -> tuple[Block, list[Problem]]:
    """Copy of a scenario's data whose streams have the defaults of their `workload`, and what is wrong with any.

    What is written wins; `rate` becomes the rate of the arrivals. Expanding twice changes nothing more.
    """
    streams = data.get("streams")
    filled, wrong = _block(_mapping(streams)), list[Problem]()
    for name, stream in _mapping(streams).items():
        if isinstance(stream, Mapping) and isinstance(stream.get("workload"), str):
            path = ("streams", name)
            try:
                kind = Workload.of(catalog.get(stream["workload"], "workload"))
            except CatalogError as error:
                wrong.append(Problem((*path, "workload"), str(error), 0))
                continue
            filled[name], problems = _filled(stream, path, kind, _Pools(data, catalog))
            wrong += problems
    twin = data.copy()
    if filled:
        twin["streams"] = filled
    return twin, wrong


def _filled(stream: Mapping[str, Any], path: shape.Path, kind: Workload, pools: _Pools) -> tuple[Block, list[Problem]]:
    own, wrong = _block(stream), list[Problem]()
    runs_on = own.get("runs_on")
    names = [name if isinstance(name, str) else "" for name in runs_on] if isinstance(runs_on, list) else []
    defaults = _merged(kind.of_family[pools.family(names)], kind.defaults)
    if own.get("service") is None and own.get("model") is None:
        if "service" in defaults and names and all(pools.in_place(name) for name in names):
            own["service"] = defaults["service"]
        else:
            models, wrong = _models(names, path, kind, pools)
            own["model"] = models[0] if models else None
    if own.get("service") is not None:
        for keys in _OF_MODELS:
            defaults = _without(defaults, keys)
    else:
        defaults = _without(defaults, ("service",))
    rate = own.pop("rate", None)
    own = _merged(own, defaults)
    if rate is not None:
        wrong += _put_rate(own, stream, rate, path)
    return own, wrong


def _put_rate(own: Block, stream: Mapping[str, Any], rate: object, path: shape.Path) -> Iterator[Problem]:
    """Write the stream's `rate` into its arrivals."""
    written, arrivals = stream.get("arrivals"), own["arrivals"]
    if not isinstance(arrivals, Mapping):
        return  # told when the stream is checked
    if isinstance(written, Mapping) and written.get("rate") is not None:
        yield Problem((*path, "rate"), "found both 'rate' and 'arrivals.rate', want one of them")
    elif "rate" not in shape.keys(shape.at((*path, "arrivals")), arrivals):
        yield Problem((*path, "rate"), f"arrivals of kind '{arrivals.get('kind')}' have no rate")
    else:
        own["arrivals"] = _block(arrivals)
        own["arrivals"]["rate"] = rate


# ---------------------------------------------------------------- models for pools


class _Pools:
    """The pools that a scenario's racks name, as far as they can be understood."""

    def __init__(self, data: Mapping[str, Any], catalog: Catalog) -> None:
        self._catalog = catalog
        racks = [rack for rack in _mapping(data.get("racks")).values() if isinstance(rack, Mapping)]
        pools = [item for rack in racks for item in _mapping(rack.get("pools")).items()]
        self._pools = {name: pool for name, pool in pools if isinstance(pool, Mapping)}

    def in_place(self, name: str) -> bool:
        """Whether the nodes of a pool are described in the scenario: no catalog model runs on them."""
        pool = self._pools.get(name, {})
        return pool.get("node") is not None and pool.get("system") is None

    def device(self, name: str) -> tuple[str, str] | None:
        """Device and family of a pool; None where the catalog does not know it."""
        system = self._pools.get(name, {}).get("system")
        if not isinstance(system, str) or system not in self._catalog.names("system"):
            return None
        facts = self._catalog.get(system, "system").facts
        return str(facts["device"]), str(facts["family"])

    def family(self, names: list[str]) -> str:
        """gpu where all of the pools are GPUs, as far as they are known; else neuromorphic."""
        families = {device[1] for device in map(self.device, names) if device is not None}
        return "neuromorphic" if "neuromorphic" in families else "gpu"

    def serve(self, kind: Workload) -> list[str]:
        """Names of the pools whose devices run a kind of work."""
        devices = {name: self.device(name) for name in self._pools}
        return [name for name, device in devices.items() if device is not None and kind.on(*device).models]


def _models(names: list[str], path: shape.Path, kind: Workload, pools: _Pools) -> tuple[list[str], list[Problem]]:
    """Models that run on all of the pools, best first, and why there is none."""
    wrong: list[Problem] = []
    by_pool: dict[str, tuple[str, ...]] = {}
    for position, name in enumerate(names):
        device, reason = pools.device(name), ""
        if pools.in_place(name):
            reason = f"pool '{name}', whose nodes are described here: no catalog model runs on them; give a `service`"
        elif device is not None:
            served = kind.on(*device)
            by_pool[name] = served.models
            reason = "" if served.models else f"pool '{name}' ({device[0]}): {served.reason}"
        if reason:
            can = ", ".join(f"'{other}'" for other in pools.serve(kind)) or "none"
            told = f"workload '{kind.name}' does not run on {reason}; pools of this scenario that can: {can}"
            wrong.append(Problem((*path, "runs_on", position), told))
    lists = list(by_pool.values())
    if wrong or not lists:  # other checks tell of pools that are not there
        return list(_all_models(kind))[:1], wrong
    common = [model for model in lists[0] if all(model in models for models in lists)]
    if not common:
        each = ", ".join(f"{' or '.join(models)} on '{name}'" for name, models in by_pool.items())
        told = f"no one model of workload '{kind.name}' runs on all of these pools ({each}); give each its own stream"
        wrong.append(Problem((*path, "runs_on"), told))
    return common, wrong


def _all_models(kind: Workload) -> Iterator[str]:
    for family in _FAMILIES:
        yield from kind.on(family, family).models


# ---------------------------------------------------------------- mappings


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _block(mapping: Mapping[str, Any]) -> Block:
    if isinstance(mapping, Block):
        return mapping.copy()
    twin = Block()
    twin.update(mapping)
    return twin


def _merged(own: Mapping[str, Any], defaults: Mapping[str, Any]) -> Block:
    """What is written, with the defaults of the keys that are not."""
    twin = _block(own)
    for key, default in defaults.items():
        written = twin.get(key)
        if written is None:
            twin[key] = default
        elif isinstance(written, Mapping) and isinstance(default, Mapping):
            twin[key] = _merged(written, default if _alike(written, default) else _rate_of(written, default))
    return twin


def _alike(written: Mapping[str, Any], default: Mapping[str, Any]) -> bool:
    """Whether both are of the same kind, so that the keys of one mean the same in the other."""
    return all(written.get(tag, default.get(tag)) == default.get(tag) for tag in ("kind", "distribution"))


def _rate_of(written: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """The mean rate, which other arrivals can keep where they must have one."""
    model = shape.told_apart(shape.at(("streams", "", "arrivals")), written.get("kind"))
    field = model.model_fields.get("rate") if model is not None else None
    return {"rate": default["rate"]} if field is not None and field.is_required() and "rate" in default else {}


def _without(defaults: Mapping[str, Any], keys: tuple[str, ...]) -> Block:
    first, *rest = keys
    twin = _block(defaults)
    if first in twin and rest:
        twin[first] = _without(twin[first], tuple(rest))
    elif first in twin:
        del twin[first]
    return twin


def _put(defaults: dict[str, Any], key: str, value: object, name: str) -> None:
    """Write `value` under the dotted `key`."""
    *steps, last = key.split(".")
    place: Any = defaults
    for step in steps:
        place = place.setdefault(step, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last in place:
        raise CatalogError(f"workload '{name}': '{key}' stands beside another key that it is a part of")
    if last == "path":
        raise CatalogError(f"workload '{name}': '{key}': a kind of work names no file")
    place[last] = value


def _written(value: Numbers, unit: str) -> object:
    """A number or list as a scenario writes it."""
    return [_written(item, unit) for item in value] if isinstance(value, list) else f"{value:.15g}{unit}"
