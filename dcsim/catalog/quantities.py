"""One written number (`{value: 80, unit: mW, source: ..., grade: ...}`) to a checked Quantity."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from dcsim import units
from dcsim.catalog.entries import GRADES, Numbers, Quantity
from dcsim.errors import CatalogError, nearest

_FIELDS = ("value", "unit", "source", "grade", "low", "high", "note")
_KEY = re.compile(r"[a-z][a-z0-9_.-]{0,79}")
_MAX_NUMBERS = 200_000

#: Things that are counted: as a unit ("neurons"), per second ("tokens/s"), or below the line ("J/token").
_COUNTED = (
    *(
        "neuron",
        "core",
        "chip",
        "tile",
        "synapse",
        "parameter",
        "layer",
        "step",
        "spike",
        "event",
        "op",
        "SOP",
    ),
    *("token", "sample", "image", "inference", "request", "job", "user", "node", "board", "unit"),
)

_PLAIN = {
    "1": "ratio",
    "nm": "feature size",
    "deg": "angle",
    "degC": "temperature",
    "K": "temperature difference",
    "V": "voltage",
    "m": "length",
}
_OPERATIONS = {
    "FLOP": "floating-point operations",
    "OP": "operations",
    "op": "operations",
    "SOP": "operations",
}
_METRIC = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}


def _unit_table() -> dict[str, tuple[str, float]]:
    """Unit symbol -> (dimension, factor to the unit that dcsim uses inside)."""
    table = {
        symbol: (dimension, factor)
        for dimension, symbols in units.DIMENSIONS.items()
        for symbol, factor in symbols.items()
        if symbol
    }
    table |= {symbol: (dimension, 1.0) for symbol, dimension in _PLAIN.items()}
    table["years"] = table["y"]
    for noun in _COUNTED:
        table |= {f"{noun}s": ("ratio", 1.0), f"{noun}s/s": ("rate", 1.0)}
    for prefix, factor in _METRIC.items():
        for symbol, what in _OPERATIONS.items():
            table[f"{prefix}{symbol}"] = (what, factor)
            table[f"{prefix}{symbol}/s"] = (f"{what} per second", factor)
    return table


UNITS = _unit_table()

#: Last words of a key -> (dimension, size of the suffix's unit in the unit that dcsim uses inside).
SUFFIXES: dict[str, tuple[str, float]] = {
    "w": ("power", 1.0),
    "j": ("energy", 1.0),
    "kwh": ("energy", 3.6e6),
    "s": ("time", 1.0),
    "h": ("time", 3600.0),
    "years": ("time", 365 * 86400.0),
    "bytes": ("bytes", 1.0),
    "bytes_per_s": ("bandwidth", 1.0),
    "flop": ("floating-point operations", 1.0),
    "flop_per_s": ("floating-point operations per second", 1.0),
    "op": ("operations", 1.0),
    "op_per_s": ("operations per second", 1.0),
    "sop_per_s": ("operations per second", 1.0),
    "per_s": ("rate", 1.0),
    "hz": ("rate", 1.0),
    "usd": ("money", 1.0),
    "kg": ("mass", 1.0),
    "l": ("volume", 1.0),
    "mm2": ("area", 1e-6),
    "m2": ("area", 1.0),
    "m": ("length", 1.0),
    "nm": ("feature size", 1.0),
    "deg": ("angle", 1.0),
    "c": ("temperature", 1.0),
    "k": ("temperature difference", 1.0),
    "v": ("voltage", 1.0),
    "g_per_kwh": ("carbon_intensity", 1.0),
    "kg_per_kwh": ("carbon_intensity", 1e3),
    "usd_per_kwh": ("energy_price", 1.0),
    "l_per_kwh": ("water_intensity", 1.0),
    "usd_per_l": ("water_price", 1.0),
    "usd_per_m3": ("water_price", 1e-3),
}

_PHRASES = "|".join(sorted(SUFFIXES, key=len, reverse=True))
_PER = r"(?:_per_(?P<noun>" + "|".join(noun.lower() for noun in _COUNTED) + r"))?"
_AT_END = re.compile(rf"(?:^|_)(?P<phrase>{_PHRASES}){_PER}$")
_INSIDE = re.compile(rf"(?:^|_)(?P<phrase>{_PHRASES}){_PER}(?=_)")


def read(where: str, key: object, raw: object) -> Quantity:
    """Check the number `key` of an entry and convert it. `where` ("file, entry") opens every CatalogError."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise CatalogError(f"{where}: number '{key}': a key is lower-case letters, digits, '_', '-' and '.'")
    where = f"{where}, {key}"
    if not isinstance(raw, Mapping):
        raise CatalogError(f"{where}: found {_short(raw)}, want {{value, unit, source, grade}}")
    for field in raw:
        if field not in _FIELDS:
            raise CatalogError(f"{where}: unknown field '{field}'{nearest(str(field), _FIELDS)}")
    source, grade, unit = _text(where, raw, "source"), _text(where, raw, "grade"), _text(where, raw, "unit")
    if grade not in GRADES:
        raise CatalogError(f"{where}: unknown grade '{grade}'; allowed: {', '.join(GRADES)}")
    if "value" not in raw:
        raise CatalogError(f"{where}: no value; want a number or a list of numbers")
    value = _numbers(f"{where}: value", raw["value"])
    low, high = (_numbers(f"{where}: {end}", raw[end]) if end in raw else None for end in ("low", "high"))
    if (low is None) != (high is None) or (grade == "estimate" and low is None):
        raise CatalogError(f"{where}: want both low and high (an estimate must have a band)")
    if low is not None and high is not None:
        _check_band(where, value, low, high)
    factor = _factor(where, key, unit)
    if factor != 1.0 and isinstance(value, list) and isinstance(value[0], list):
        raise CatalogError(f"{where}: write a table in the unit of its key, not in {unit}: columns may differ")
    si = _times(value, factor)
    si_low, si_high = (None if end is None else _times(end, factor) for end in (low, high))
    if not all(math.isfinite(x) for x in _flat(si)):
        raise CatalogError(f"{where}: too large in {unit}")
    note = _text(where, raw, "note", "")
    return Quantity(value, unit, source, grade, si, low, high, si_low, si_high, note)


def _short(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else text[:57] + "..."


def _text(where: str, raw: Mapping[object, object], field: str, default: str | None = None) -> str:
    found = raw.get(field, default)
    if field == "unit" and found == 1 and not isinstance(found, bool):
        found = "1"  # YAML reads `unit: 1` as a number
    if not isinstance(found, str) or (not found.strip() and default is None):
        problem = f"no {field}" if found is None else f"{field} is {_short(found)}"
        raise CatalogError(f"{where}: {problem}; want text")
    return found.strip()


def _numbers(where: str, raw: object) -> Numbers:
    """A finite float, or a non-empty rectangular list of them."""
    if not isinstance(raw, list):
        try:
            number = math.nan if isinstance(raw, bool) or not isinstance(raw, (int, float)) else float(raw)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise CatalogError(f"{where} is {_short(raw)}; want a finite number or a list of numbers")
        return number
    rows = [_numbers(where, item) for item in raw]
    shapes = {_shape(row) for row in rows}
    if len(shapes) != 1:
        problem = "a table with rows of unequal length" if rows else "an empty list"
        raise CatalogError(f"{where} is {problem}; want a number, a list or a rectangular table")
    if len(rows) * math.prod(shapes.pop()) > _MAX_NUMBERS:
        raise CatalogError(f"{where} has more than {_MAX_NUMBERS} numbers")
    return rows


def _shape(value: Numbers) -> tuple[int, ...]:
    return (len(value), *_shape(value[0])) if isinstance(value, list) else ()


def _flat(value: Numbers) -> list[float]:
    return [x for item in value for x in _flat(item)] if isinstance(value, list) else [value]


def _times(value: Numbers, factor: float) -> Numbers:
    return [_times(item, factor) for item in value] if isinstance(value, list) else value * factor


def _check_band(where: str, value: Numbers, low: Numbers, high: Numbers) -> None:
    """low <= value <= high, element by element; a single low or high holds for the whole table."""
    values = _flat(value)
    ends = []
    for name, end in (("low", low), ("high", high)):
        if isinstance(end, list) and _shape(end) != _shape(value):
            raise CatalogError(f"{where}: {name} has shape {_shape(end)}, value has {_shape(value)}")
        ends.append(_flat(end) if isinstance(end, list) else [end] * len(values))
    for x, least, most in zip(values, *ends, strict=True):
        if not least <= x <= most:
            raise CatalogError(f"{where}: value {x:g} is outside its band {least:g} to {most:g}")


def _factor(where: str, key: str, unit: str) -> float:
    """Factor from `unit` to the unit that `key` names; CatalogError when their dimensions differ."""
    dimension, size, noun = _unit(where, unit)
    match = None if key.startswith("accuracy_") else _AT_END.search(key) or _INSIDE.search(key)
    if match is None:
        if dimension != "ratio" or noun:
            want = ", ".join(f"_{suffix}" for suffix, (what, _) in SUFFIXES.items() if what == dimension)
            raise CatalogError(f"{where}: unit {unit} ({dimension}) wants a key that ends in {want}")
        return size
    wanted, suffix_size = SUFFIXES[match["phrase"]]
    if dimension != wanted:
        raise CatalogError(f"{where}: unit {unit} ({dimension}), but _{match['phrase']} in the key wants {wanted}")
    if noun and noun != match["noun"]:
        raise CatalogError(f"{where}: unit {unit} is per {noun}, the key is not")
    return size / suffix_size


def _unit(where: str, unit: str) -> tuple[str, float, str]:
    """(dimension, factor, noun below the line or "") of a unit such as mW, TFLOP/s or mJ/token."""
    if unit in UNITS:
        return (*UNITS[unit], "")
    above, _, noun = unit.rpartition("/")
    if above in UNITS and noun in _COUNTED:
        return (*UNITS[above], noun.lower())
    raise CatalogError(f"{where}: unknown unit '{unit}'{nearest(unit, UNITS)}")
