"""The words of a catalog chip: what it is, beside its numbers. One that is not understood would count as absent."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from dcsim.catalog import Entry
from dcsim.errors import CatalogError, nearest

#: How time passes on a chip: a step lasts as long as its slowest core (barrier) or in real time (tick); events as they
#: come, without steps (event); faster than the model (analog); layer by layer on a fixed schedule (scheduled).
MODES = ("barrier", "tick", "event", "analog", "scheduled")

#: Kinds of networks.
NETS = ("snn", "cnn", "ann", "rnn", "llm", "transformer")

#: Facts that are true or false.
FLAGS = ("learning", "shared_kernels", "crossbar")

#: Facts that are one of some words; the first is what a chip without the fact does.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "overrun": ("stretch", "refuse"),
    "io": ("within steps", "between steps"),
    "schedule": ("layers on cores of their own", "all cores on one layer"),
}

_KNOWN = ("mode", "nets", "precision", *FLAGS, *CHOICES, "design", "process", "cost_set")
_PRECISION = re.compile(r"binary|ternary|(u?int|fp|bf|mxfp)\d{1,3}")


def words_of(entry: Entry, fact: str) -> list[str]:
    """The words of a fact, none where the catalog says nothing."""
    found = entry.facts.get(fact, [])
    return [str(word) for word in found] if isinstance(found, list | tuple) else [str(found)]


def check_facts(chip: Entry) -> None:
    """Raise CatalogError for a fact of a chip that would not be understood; `mode` is for the caller to judge."""
    for fact, value in chip.facts.items():
        where = f"chip {chip.name}: is.{fact}"
        close = [] if fact in _KNOWN else difflib.get_close_matches(fact, _KNOWN, n=1, cutoff=0.8)
        if close:
            raise CatalogError(f"{where} is unknown; did you mean '{close[0]}'?")
        if fact in FLAGS and not isinstance(value, bool):
            raise CatalogError(f"{where} is {value!r}, want true or false")
        if fact in CHOICES and value not in CHOICES[fact]:
            raise CatalogError(f"{where} is {value!r}{nearest(str(value), CHOICES[fact])}")
    nets, precisions = words_of(chip, "nets"), words_of(chip, "precision")
    if not nets:
        raise CatalogError(f"chip {chip.name}: is.nets has no word, want some of {', '.join(NETS)}")
    for word in nets:
        if word not in NETS:
            raise CatalogError(f"chip {chip.name}: is.nets has {word[:40]!r}{nearest(word, NETS)}")
    for word in precisions:
        if not _PRECISION.fullmatch(word):
            want = "binary, ternary, or int, uint, fp, bf or mxfp and bits, such as int8"
            raise CatalogError(f"chip {chip.name}: is.precision has {word[:40]!r}, want {want}")
