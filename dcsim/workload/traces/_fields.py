"""Values of Kubernetes objects whose scalars are text. What is not as it should be raises BadRecord."""

from __future__ import annotations

import re
from typing import Any

from dcsim.workload.traces import _clock
from dcsim.workload.traces._jobs import MAX_NAME_CHARS, BadRecord, a_name

#: Largest quantity.
MAX_AMOUNT = 1e18

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_QUANTITY = re.compile(r"(\d+\.?\d*|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?", re.ASCII)
_SCALE = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "Ki": 1024.0} | {
    f"{letter}{binary}": base**power
    for binary, base in (("", 1000.0), ("i", 1024.0))
    for power, letter in enumerate("MGTPE", start=2)
}


def quantity(text: object) -> float | None:
    """A quantity such as `500m`, `4Gi` or `2e3`, from 0 to MAX_AMOUNT; None for anything else."""
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) and len(text) <= 40 else None
    if match is None:
        return None
    value = float(match[1]) * (_SCALE[match[2]] if match[2] else float(f"1e{match[3] or 0}"))
    return value if value <= MAX_AMOUNT else None


def value(item: dict[str, Any], key: str) -> Any:
    """What stands under a key; None for nothing."""
    found = item.get(key)
    return None if isinstance(found, str) and found in _NULL else found


def mapping(item: dict[str, Any], key: str) -> dict[str, Any]:
    """The mapping under a key, empty where there is none."""
    found = value(item, key)
    if found is not None and not isinstance(found, dict):
        raise BadRecord(key, shown(found), "a mapping")
    return found or {}


def mappings(item: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The list of mappings under a key, empty where there is none."""
    found = value(item, key)
    if found is not None and not (isinstance(found, list) and all(isinstance(each, dict) for each in found)):
        raise BadRecord(key, shown(found), "a list of mappings")
    return found or []


def text(item: dict[str, Any], key: str) -> str:
    """The text under a key, '' where there is none."""
    found = value(item, key)
    name = a_name("" if found is None else found)
    if name is None:
        raise BadRecord(key, shown(found), f"a name of at most {MAX_NAME_CHARS} characters")
    return name


def whole(item: dict[str, Any], key: str, least: int, most: int = 10**9) -> float | None:
    """The whole number under a key; None where there is none."""
    found = value(item, key)
    if found is None:
        return None
    good = isinstance(found, str) and re.fullmatch(r"-?\d{1,18}", found, re.ASCII) is not None
    if not good or not least <= int(found) <= most:
        raise BadRecord(key, shown(found), f"a whole number from {least} to {most}")
    return float(found)


def moment_s(item: dict[str, Any], key: str) -> float | None:
    """The moment under a key, s since 1970; None where there is none."""
    found = value(item, key)
    if found is None:
        return None
    seconds = _clock.unix_s(found, None)
    if seconds is None:
        raise BadRecord(key, shown(found), _clock.WANTS_ZONED)
    return seconds


def shown(found: Any) -> str:
    """A value as a message may quote it."""
    return found if isinstance(found, str) else {dict: "a mapping", list: "a list"}.get(type(found), "")  # type: ignore[call-overload]
