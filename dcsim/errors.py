"""Errors that a user can cause. Each says where, what was found, and what is allowed, in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DcsimError(Exception):
    """Base of every error caused by input. `str()` of it is the one line that the user reads."""


class ScenarioError(DcsimError):
    """A scenario that cannot be read, or that asks for something impossible."""


class TraceError(DcsimError):
    """A job trace or measurement file with a row that cannot be used."""


class PlacementError(DcsimError):
    """A job or network that does not fit the hardware that it was given."""


class CatalogError(DcsimError):
    """A name that the catalog does not know, or a catalog entry without value, unit, source or grade."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Hint such as `; did you mean 'poisson'?`, or the list of what is allowed when nothing is close."""
    options = sorted(allowed)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    shown = ", ".join(options[:12]) + (", ..." if len(options) > 12 else "")
    return f"; allowed: {shown}" if options else ""
