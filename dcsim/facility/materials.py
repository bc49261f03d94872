"""Parts added up: embodied carbon, abiotic depletion and electronic waste of equipment that no source gives whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dcsim.catalog import Catalog
from dcsim.errors import CatalogError
from dcsim.facility import embodied
from dcsim.facility.arrays import YEAR_S
from dcsim.facility.embodied import Band


class Bill(NamedTuple):
    """What a list of parts amounts to. None where a part has no figure: a sum that leaves parts out is no sum."""

    made_kg: Band
    """embodied carbon [kg CO2e]"""
    depletion_sb_kg: Band | None
    """abiotic depletion of elements [kg Sb equivalent]"""
    mass_kg: Band | None
    """[kg]"""


def bill(catalog: Catalog, parts: Mapping[str, float]) -> Bill:
    """Sum over parts, low with low and high with high.

    Parameters:
        catalog: where the materials are
        parts: entry of kind `material` -> amount, in the unit that its fact `amount` names

    Raises CatalogError for an unknown material or an amount below 0.
    """
    for name, amount in parts.items():
        if not amount >= 0.0:
            raise CatalogError(f"material '{name}': amount {amount:g}; want 0 or more")
    return Bill(
        made_kg=embodied.ZERO.plus(*_each(catalog, parts, "made_kg")),
        depletion_sb_kg=_known(catalog, parts, "depletion_sb_kg"),
        mass_kg=_known(catalog, parts, "mass_kg"),
    )


def _each(catalog: Catalog, parts: Mapping[str, float], key: str) -> list[Band]:
    return [embodied.of_number(catalog.get(name, "material"), key).scaled(amount) for name, amount in parts.items()]


def _known(catalog: Catalog, parts: Mapping[str, float], key: str) -> Band | None:
    if not all(key in catalog.get(name, "material") for name in parts):
        return None
    return embodied.ZERO.plus(*_each(catalog, parts, key))


def ewaste_kg(mass_kg: Band, lifetime_s: float, replaced_per_year: float, duration_s: float) -> Band:
    """Electronic waste that falls on a run: equipment at the end of its life, and what fails before [kg].

    Parameters:
        mass_kg: mass of the equipment [kg]
        lifetime_s: service life [s]
        replaced_per_year: share of it that fails and is replaced in a year [1/y]
        duration_s: length of the run [s]
    """
    return mass_kg.scaled(duration_s / lifetime_s + replaced_per_year * duration_s / YEAR_S)
