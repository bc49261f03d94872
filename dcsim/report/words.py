"""Figures of a summary as short text for people: three digits in a unit that suits the size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, NamedTuple

from dcsim.units import in_words

Formatter = Callable[[float], str]


class Cell(NamedTuple):
    """One figure as text; `note` is its confidence interval where the run had replications."""

    text: str
    note: str = ""


def find(tree: object, *path: str) -> Any:
    """Value at a path of keys in nested mappings, or None where a key is absent."""
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return None
        tree = tree[key]
    return tree


def number(value: object) -> float | None:
    """A finite number, or the mean of a replicated one; None for anything else (absent, None, NaN, text)."""
    if isinstance(value, Mapping):
        value = value.get("mean")
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        return None
    return float(value)


def cell(value: object, words: Formatter) -> Cell | None:
    """Text of a figure of the summary, with its interval if it has one; None when there is no figure."""
    mean = number(value)
    if mean is None:
        return None
    low, high = number(find(value, "low")), number(find(value, "high"))
    note = "" if low is None or high is None else f"{words(low)} to {words(high)}"
    return Cell(words(mean), note)


def three(value: float) -> str:
    """Three significant digits without an exponent, thousands separated: 0.0123, 4.56, 78.0, 12,300."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{decimals}f}"


def count(value: float) -> str:
    """Whole jobs or devices (means of replications keep one decimal below 100)."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.1f}"


def seconds(value: float) -> str:
    """Time in a unit that suits its size."""
    return in_words(value, "s")


def joules(value: float) -> str:
    """Energy per job, J with a prefix."""
    return in_words(value, "J")


def kilowatt_hours(value: float) -> str:
    """Energy of a run given in kWh, Wh with a prefix."""
    return in_words(value * 1e3, "Wh")


def kilowatts(value: float) -> str:
    """Power given in kW, W with a prefix."""
    return in_words(value * 1e3, "W")


def kilograms(value: float) -> str:
    """Mass given in kg: g, kg or t (whatever is below a gram, mg and finer)."""
    size = abs(value)
    if size >= 999.5:
        return f"{three(value / 1e3)} t"
    return f"{three(value)} kg" if size >= 0.9995 else in_words(value * 1e3, "g")


def grams(value: float) -> str:
    """Mass given in g."""
    return kilograms(value / 1e3)


def litres(value: float) -> str:
    """Volume given in litres: mL, L, or m³ from 10,000 L."""
    size = abs(value)
    if size >= 9995:
        return f"{three(value / 1e3)} m³"
    return f"{three(value)} L" if size >= 0.9995 or value == 0 else in_words(value, "L")


def millilitres(value: float) -> str:
    """Volume given in mL."""
    return litres(value / 1e3)


def dollars(value: float) -> str:
    """US dollars: whole from 1,000, cents from 1, three digits below; millions from 10 million."""
    size, sign = abs(value), "-" if value < 0 else ""
    if size >= 1e7:
        return f"{sign}${three(size / 1e6)} M"
    if size >= 1000:
        return f"{sign}${size:,.0f}"
    return f"{sign}${size:.2f}" if size >= 1 or size == 0 else f"{sign}${small(size)}"


def small(value: float) -> str:
    """Three digits of a number that may be tiny: 0.0123, 0.0000456, 3.1e-15."""
    return three(value) if abs(value) >= 1e-6 or value == 0 else f"{value:.2g}"


def significant(value: float) -> str:
    """At most three digits, without trailing zeros: 1, 12.5, 12,300."""
    text = three(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(value: float) -> str:
    """Share in per cent; never rounded up to 100 nor down to 0."""
    if value in (0.0, 1.0):
        return f"{value:.0%}".replace("%", " %")
    distance = min(abs(value), abs(1.0 - value))
    decimals = min(4, max(1, math.ceil(-math.log10(distance * 100)) if distance > 0 else 1))
    text = f"{value * 100:.{decimals}f}"
    if value < 1.0 and float(text) == 100.0:
        return "> 99.9999 %"
    return "< 0.0001 %" if float(text) == 0.0 else f"{text} %"


def ratio(value: float) -> str:
    """PUE and its kin: three decimals."""
    return f"{value:.3f}"


def per_second(value: float) -> str:
    """Rate given per second; per hour or per day where that is the larger number: 12.5/s, 83/h, 1/d."""
    for unit, length in (("s", 1.0), ("h", 3600.0)):
        if value * length >= 0.95:
            return f"{significant(value * length)}/{unit}"
    return f"{significant(value * 86400.0)}/d"


def litres_per_kwh(value: float) -> str:
    """Water intensity."""
    return f"{three(value)} L/kWh"


def kilograms_per_kwh(value: float) -> str:
    """Carbon intensity."""
    return f"{three(value)} kg/kWh"


def less_or_more(value: float) -> str:
    """How many times less (or more, for a value below one), two digits: 1.8× less, 3,200× less, 1.5× more."""
    side = "less" if value >= 1 else "more"
    factor = float(f"{max(value, 1 / value):.2g}")
    return f"{factor:,.{1 if factor < 9.95 else 0}f}× {side}"
