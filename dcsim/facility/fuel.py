"""Fuel mixes: from the energy that each fuel generated to the carbon and the water of a kWh of the mix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from dcsim.catalog import Catalog
from dcsim.errors import ScenarioError, nearest
from dcsim.facility.arrays import BoolArray, FloatArray
from dcsim.facility.water import mix_intensity

#: What a mix can be asked for -> key of the fuels' entries in the catalog.
FACTORS: Mapping[str, str] = {
    "lifecycle": "lifecycle_g_per_kwh",
    "direct": "direct_g_per_kwh",
    "water": "ewif_l_per_kwh",
}

#: An hour that generates less than this share of the median over a day around it is an error of the file.
OUTLIER_SHARE = 0.4
OUTLIER_WINDOW = 25


def factors(catalog: Catalog, key: str, fuels: Sequence[str] | None = None) -> dict[str, float]:
    """Fuel -> its factor, in the unit of the key.

    Parameters:
        catalog: where the fuels are; a user's own file may add some
        key: one of the values of `FACTORS`
        fuels: names of entries of kind `fuel`, all of them by default

    Raises CatalogError when a fuel is not there or has no such number.
    """
    return {name: catalog.get(name, "fuel")[key] for name in (catalog.names("fuel") if fuels is None else fuels)}


def columns(catalog: Catalog, names: Sequence[str]) -> dict[str, str]:
    """Fuel -> the column of a table that holds it, by the names that the fuel's entry lists, in any case.

    Raises ScenarioError when no column is known or two hold one fuel.
    """
    found: dict[str, str] = {}
    spelt = {name.strip().lower(): name for name in names}
    known: list[str] = []
    for fuel in catalog.names("fuel"):
        words = catalog.get(fuel, "fuel").facts.get("columns", [])
        listed = [str(word) for word in words] if isinstance(words, list) else [str(words)]
        known += listed
        mine = {spelt[word.lower()] for word in listed if word.lower() in spelt}
        if len(mine) > 1:
            raise ScenarioError(f"columns {', '.join(sorted(mine))} are all {fuel}; name one of them under `fuels`")
        if mine:
            found[fuel] = mine.pop()
    if not found:
        hint = nearest(names[0], known) if names else ""
        raise ScenarioError(
            f"no column of a fuel among {', '.join(names)[:120]}{hint}; want {', '.join(known[:8])}, ..."
        )
    return found


def outliers(total: npt.ArrayLike) -> BoolArray:
    """Rows whose total generation is no plausible one: none at all, or far below the day around it; shape (rows,).

    The rule: less than 40 % of the median of the 25 rows around it; rows without a value (NaN) are none.

    Parameters:
        total: energy that all fuels generated in each row, shape (rows,), any unit
    """
    values = np.asarray(total, dtype=np.float64)
    half = OUTLIER_WINDOW // 2
    padded = np.pad(values, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, OUTLIER_WINDOW)
    known = ~np.isnan(windows)
    medians = np.zeros(len(values))
    some = known.any(axis=1)
    medians[some] = np.nanmedian(windows[some], axis=1)
    return np.asarray((values < OUTLIER_SHARE * medians) | (values <= 0.0))


def mix_values(catalog: Catalog, key: str, generation: Mapping[str, npt.ArrayLike]) -> FloatArray:
    """Intensity of each row of a file of generation, NaN where it has none or no plausible one; shape (rows,).

    Parameters:
        catalog: where the fuels are
        key: one of the values of `FACTORS`
        generation: fuel -> energy generated, arrays of shape (rows,), any energy unit
    """
    values = intensity(generation, factors(catalog, key, list(generation)))
    total = np.sum([np.maximum(energy, 0.0) for energy in generation.values()], axis=0)
    return np.where(outliers(total), np.nan, values)


def intensity(generation: Mapping[str, npt.ArrayLike], by_fuel: Mapping[str, float]) -> FloatArray:
    """Intensity of the mix in each row, in the factors' unit, shape (rows,); NaN where nothing was generated.

    A fuel that takes more than it gives (pumped storage that fills) counts as 0.

    Parameters:
        generation: fuel -> energy generated, arrays of shape (rows,), any energy unit
        by_fuel: fuel -> grams or litres per kWh
    """
    given = {fuel: np.maximum(np.asarray(energy, dtype=np.float64), 0.0) for fuel, energy in generation.items()}
    with np.errstate(invalid="ignore", divide="ignore"):
        return mix_intensity(given, by_fuel)
