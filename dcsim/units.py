"""Quantities as users write them ("250 kW", "20/s", "1 d") to floats in SI, and back.

Nothing else knows unit strings. Inside dcsim every quantity is a float whose name carries its unit: seconds,
joules, watts, kilograms, litres, US dollars, bytes, square metres. Carbon intensity stays in g/kWh and prices
in USD/kWh, as the field writes them.
"""

from __future__ import annotations

import math
import re

_SCALE = {
    "P": 1e15,
    "T": 1e12,
    "G": 1e9,
    "M": 1e6,
    "k": 1e3,
    "": 1.0,
    "m": 1e-3,
    "u": 1e-6,
    "µ": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}


def _scaled(symbol: str, prefixes: str, factor: float = 1.0) -> dict[str, float]:
    return {prefix + symbol: _SCALE[prefix] * factor for prefix in ["", *prefixes]}


_LONG = {"min": 60.0, "h": 3600.0, "d": 86400.0, "week": 604800.0, "y": 365 * 86400.0}
_TIME = {"s": 1.0, **_LONG, **_scaled("s", "munµp")}
_BYTES = {**_scaled("B", "kMGTP"), **{prefix + "B": factor for prefix, factor in _BINARY.items()}}

#: dimension -> unit symbol -> factor to the inside unit; each dimension has a unit of factor 1.
DIMENSIONS: dict[str, dict[str, float]] = {
    "time": _TIME,
    "rate": {f"/{unit}": 1.0 / seconds for unit, seconds in _TIME.items()} | _scaled("Hz", "kMG"),
    "power": _scaled("W", "kMGmuµn"),
    "energy": {**_scaled("J", "kMGmuµnp"), **_scaled("Wh", "kMG", 3600.0)},
    "mass": {"g": 1e-3, "kg": 1.0, "t": 1e3},
    "volume": {"mL": 1e-3, "L": 1.0, "l": 1.0, "m3": 1e3},
    "money": {"USD": 1.0, "kUSD": 1e3, "MUSD": 1e6},
    "bytes": _BYTES,
    "bandwidth": {f"{unit}/s": factor for unit, factor in _BYTES.items()},
    "area": {"mm2": 1e-6, "cm2": 1e-4, "m2": 1.0},
    "carbon_intensity": {"g/kWh": 1.0, "kg/kWh": 1e3, "kg/MWh": 1.0},
    "energy_price": {"USD/kWh": 1.0, "USD/MWh": 1e-3},
    "water_intensity": {"L/kWh": 1.0, "l/kWh": 1.0, "mL/kWh": 1e-3},
    "water_price": {"USD/m3": 1e-3, "USD/L": 1.0},
    "ratio": {"": 1.0, "%": 0.01},
}

#: A number as it may be written before a unit, for readers and for the JSON Schema.
NUMBER = r"[+-]?(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NUMBER = re.compile(NUMBER)
_LONGEST = 100


class UnitError(ValueError):
    """A quantity that cannot be read as the wanted dimension."""


def parse(text: object, dimension: str) -> float:
    """Read `text` ("250 kW") as `dimension` and return the float that dcsim uses inside.

    Raises UnitError when the text is not a finite number followed by a unit of that dimension. A bare number
    is accepted only for `ratio`, because a unit that is not written is a unit that is guessed.
    """
    number, unit = _split(text, dimension)
    units = DIMENSIONS[dimension]
    if unit not in units:
        found = f"unit {unit[:30]!r}" if unit else f"{number:g} without a unit"
        raise UnitError(f"found {found}, want {wanted(dimension)}")
    value = number * units[unit]
    if not math.isfinite(value):
        raise UnitError(f"found {shown(text)}, want {wanted(dimension)}, finite")
    return value


def _split(text: object, dimension: str) -> tuple[float, str]:
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        try:
            return float(text), ""
        except OverflowError:
            return math.inf, ""
    written = text.strip() if isinstance(text, str) else ""
    match = _NUMBER.match(written) if len(written) <= _LONGEST else None
    if match is None:
        raise UnitError(f"found {shown(text)}, want {wanted(dimension)}")
    return float(match[0]), written[match.end() :].lstrip()


def wanted(dimension: str) -> str:
    """What a quantity of `dimension` looks like, in words: "a time in s, ms, us, ..."."""
    name = dimension.replace("_", " ")
    article = "an" if name[0] in "aeiou" else "a"
    if dimension == "ratio":
        return "a ratio: a bare number or %"
    symbols = [unit for unit in DIMENSIONS[dimension] if "µ" not in unit]
    listed = ", ".join(symbols[:10]) + (", ..." if len(symbols) > 10 else "")
    return f"{article} {name} in {listed}"


def shown(found: object) -> str:
    """`found` as an error message quotes it: at most 60 characters, on one line."""
    if isinstance(found, dict):
        return "a mapping"
    if isinstance(found, (list, tuple)):
        return "a list"
    if found is None:
        return "nothing"
    text = str(found) if not isinstance(found, int) or abs(found) < 10**60 else "a huge number"
    return repr(text if len(text) <= 60 else text[:57] + "...")


def write(value: float, dimension: str) -> str:
    """Text with the fewest digits that `parse` reads back as exactly `value`, a finite float in SI."""
    texts = []
    for unit, factor in DIMENSIONS[dimension].items():
        scaled = value / factor
        number = repr(scaled).removesuffix(".0")
        if "µ" not in unit and scaled * factor == value:
            text = number + ("" if unit[:1] in ("", "/", "%") else " ") + unit
            texts.append((len(number), len(text), text))
    return min(texts)[2]


def in_words(value: float, unit: str) -> str:
    """Short text of a value in SI with a prefix: in_words(2300, "W") is "2.3 kW"; times in min, h, d."""
    if not math.isfinite(value):
        return f"{value:g} {unit}"
    value = float(f"{value:.3g}")
    if unit == "s" and abs(value) >= 120:
        for symbol, seconds in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
            if abs(value) >= 2 * seconds:
                return f"{_three(value / seconds)} {symbol}"
    for prefix, factor in _SCALE.items():
        if prefix != "u" and abs(value) >= factor * (1 - 1e-12):
            return f"{_three(value / factor)} {prefix}{unit}"
    return f"{_three(value / 1e-12)} p{unit}" if value else f"0 {unit}"


def _three(value: float) -> str:
    """Three significant digits, written out rather than with an exponent up to a million."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:.0f}" if 1000 <= abs(rounded) < 1e6 else f"{rounded:.3g}"
