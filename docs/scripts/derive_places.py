"""Re-derive the catalog's figures of kind `place` that are graded `derived`, and the Titanium loss curve.

Usage: DCSIM_DATA=FOLDER python docs/scripts/derive_places.py

FOLDER/data/grid holds hourly generation by fuel of four US balancing areas (EIA-930, 2022), hourly carbon
intensity of Germany (Electricity Maps, 2023) and hourly prices (CAISO and ENTSO-E, 2023). Prints each figure
beside the catalog's; exit status 1 when one differs by more than its rounding.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from dcsim import catalog
from dcsim.facility.carbon import LIFECYCLE_G_PER_KWH
from dcsim.facility.water import EWIF_L_PER_KWH, mix_intensity

FUEL_OF_COLUMN = {
    "WND": "wind",
    "SUN": "solar",
    "WAT": "hydro",
    "OIL": "oil",
    "NG": "gas",
    "COL": "coal",
    "NUC": "nuclear",
    "OTH": "other",
}
AREA_OF_PLACE = {
    "us-east-virginia": "PJM",
    "us-arizona-phoenix": "AZPS",
    "us-northwest-seattle": "BPAT",
    "us-california": "CISO",
    "us-midwest-chicago": "PJM",
}
PRICE_OF_PLACE = {"us-california": "CISO", "germany-frankfurt": "DE-LU"}

#: Generation of 2023 by fuel in TWh, as in codecarbon 3.3.2; other is biofuel and other renewables.
FUELS = ("coal", "gas", "oil", "nuclear", "hydro", "wind", "solar", "other")
MIX_OF_PLACE = {
    "germany-frankfurt": (135.35, 76.0, 20.13, 8.75, 19.48, 137.29, 61.56, 46.23),
    "france": (2.16, 31.43, 9.71, 335.65, 53.19, 48.61, 23.26, 10.1),
    "sweden": (0.01, 0.15, 2.75, 48.4, 66.07, 34.72, 2.48, 11.78),
    "ireland": (1.14, 15.71, 0.85, 0.0, 0.94, 11.24, 0.54, 1.01),
    "india": (1480.46, 51.28, 3.96, 48.19, 149.19, 82.1, 113.41, 37.282),
    "singapore": (0.57, 53.07, 1.09, 0.0, 0.0, 0.0, 0.94, 0.837),
}
TOLERANCE = 2e-3


def from_files(grid: Path) -> dict[tuple[str, str], float]:
    """(place, key) -> mean over the hours of the year, from the hourly files in `grid`."""
    found = {}
    for place, area in AREA_OF_PLACE.items():
        hours = pd.read_csv(grid / f"{area}_2022_hourly.csv.gz")
        mix = {fuel: hours[column].to_numpy(dtype=float) for column, fuel in FUEL_OF_COLUMN.items()}
        found[place, "carbon_g_per_kwh"] = mix_intensity(mix, LIFECYCLE_G_PER_KWH).mean()
        found[place, "ewif_l_per_kwh"] = mix_intensity(mix, EWIF_L_PER_KWH).mean()
    german = pd.read_csv(grid / "DE-LU_2023_hourly.csv.gz")
    lifecycle = next(column for column in german.columns if column.endswith("(LCA)"))
    found["germany-frankfurt", "carbon_g_per_kwh"] = german[lifecycle].mean()
    for place, market in PRICE_OF_PLACE.items():
        price = pd.read_csv(grid / f"{market}_2023_price.csv.gz")["Price (USD/MWh)"]
        found[place, "price_usd_per_kwh"] = price.mean() / 1000
    return {key: float(value) for key, value in found.items()}


def from_mixes() -> dict[tuple[str, str], float]:
    """(place, key) -> water intensity of the country's yearly electricity mix."""
    return {
        (place, "ewif_l_per_kwh"): float(mix_intensity(dict(zip(FUELS, energy, strict=True)), EWIF_L_PER_KWH))
        for place, energy in MIX_OF_PLACE.items()
    }


def titanium() -> tuple[float, ...]:
    """a0, a1, a2 by non-negative least squares on the loss at the points of the EU Titanium certificate."""
    x, efficiency = np.array([0.1, 0.2, 0.5, 1.0]), np.array([0.90, 0.94, 0.96, 0.94])
    coefficients, _ = nnls(np.vander(x, 3, increasing=True), x * (1 / efficiency - 1))
    return tuple(coefficients.tolist())


def main() -> int:
    """Print the comparison; exit status 1 when a figure differs, 2 without data."""
    if "DCSIM_DATA" not in os.environ:
        print("set DCSIM_DATA to the folder that holds data/grid", file=sys.stderr)
        return 2
    shipped = catalog.load()
    derived = from_files(Path(os.environ["DCSIM_DATA"]) / "data" / "grid") | from_mixes()
    derived |= {("psu-titanium", key): value for key, value in zip(("a0", "a1", "a2"), titanium(), strict=True)}
    differing = 0
    for (name, key), value in derived.items():
        listed = shipped.get(name)[key]
        differs = not np.isclose(listed, value, rtol=TOLERANCE, atol=1e-4)
        differing += differs
        print(f"{name:22s} {key:20s} {value:10.4f} {listed:10.4f} {'DIFFERS' if differs else ''}")
    return int(differing > 0)


if __name__ == "__main__":
    raise SystemExit(main())
