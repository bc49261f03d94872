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
from dcsim.facility import fuel

KNOWN = catalog.load()

AREA_OF_PLACE = {
    "us-east-virginia": "PJM",
    "us-arizona-phoenix": "AZPS",
    "us-northwest-seattle": "BPAT",
    "us-california": "CISO",
    "us-midwest-chicago": "PJM",
}
PRICE_OF_PLACE = {"us-california": "CISO", "germany-frankfurt": "DE-LU"}

#: Generation by fuel in TWh, of 2023 as in codecarbon 3.3.2 where nothing else is said; other is biofuel and other
#: renewables.
FUELS = tuple(f"fuel-{name}" for name in ("coal", "gas", "oil", "nuclear", "hydro", "wind", "solar", "other"))
MIX_OF_PLACE = {
    "germany-frankfurt": (135.35, 76.0, 20.13, 8.75, 19.48, 137.29, 61.56, 46.23),
    "france": (2.16, 31.43, 9.71, 335.65, 53.19, 48.61, 23.26, 10.1),
    "sweden": (0.01, 0.15, 2.75, 48.4, 66.07, 34.72, 2.48, 11.78),
    "ireland": (1.14, 15.71, 0.85, 0.0, 0.94, 11.24, 0.54, 1.01),
    "india": (1480.46, 51.28, 3.96, 48.19, 149.19, 82.1, 113.41, 37.282),
    "singapore": (0.57, 53.07, 1.09, 0.0, 0.0, 0.0, 0.94, 0.837),
    # generation of 2021, codecarbon at commit 0963f17
    "united-kingdom": (5.92, 123.58, 8.58, 46.88, 5.59, 65.02, 12.48, 39.882),
    "netherlands": (14.59, 56.63, 6.09, 3.83, 0.09, 18.0, 11.5, 10.88),
    "belgium": (0.04, 22.52, 3.41, 50.33, 0.42, 12.0, 5.62, 4.69),
    "norway": (0.04, 0.31, 0.73, 0.0, 143.93, 11.77, 0.17, 0.22),
    "finland": (2.67, 3.83, 3.59, 23.6, 15.79, 8.51, 0.3, 13.58),
    "denmark": (4.37, 1.54, 1.05, 0.0, 0.02, 16.05, 1.31, 8.72),
    "iceland": (0.0, 0.0, 0.0, 0.0, 13.57, 0.01, 0.0, 5.68),
    "poland": (127.57, 15.82, 4.82, 0.0, 2.34, 16.23, 3.93, 8.06),
    "spain": (4.86, 71.5, 12.14, 56.56, 29.63, 62.06, 27.1, 6.96),
    "italy": (14.02, 144.01, 12.03, 0.0, 45.39, 20.93, 25.04, 24.97),
    "switzerland": (0.0, 0.0, 2.26, 18.35, 36.96, 0.15, 2.89, 0.11),
    "canada": (36.81, 72.29, 2.78, 87.36, 377.16, 35.21, 5.11, 9.23),
    "brazil": (25.22, 91.03, 22.96, 14.7, 362.82, 71.5, 16.75, 57.6),
    "japan": (311.62, 336.63, 32.33, 61.22, 79.14, 8.96, 88.7, 39.93),
    "south-korea": (210.19, 175.12, 6.94, 150.52, 3.05, 3.18, 23.95, 15.57),
    "taiwan": (129.84, 109.1, 5.37, 27.79, 3.47, 2.21, 7.97, 2.0),
    "china": (5339.14, 272.6, 12.25, 407.5, 1300.0, 655.6, 327.0, 165.926),
    "australia": (126.79, 43.95, 4.34, 0.0, 14.76, 26.09, 28.04, 3.09),
    "south-africa": (192.73, 0.0, 1.44, 12.15, 1.47, 8.36, 6.65, 0.4),
    "united-arab-emirates": (0.0, 127.14, 0.0, 1.79, 0.0, 0.0, 6.69, 0.01),
}
TOLERANCE = 2e-3


def from_files(grid: Path) -> dict[tuple[str, str], float]:
    """(place, key) -> mean over the hours of the year, from the hourly files in `grid`."""
    found = {}
    for place, area in AREA_OF_PLACE.items():
        hours = pd.read_csv(grid / f"{area}_2022_hourly.csv.gz")
        mix = {name: hours[column].to_numpy(dtype=float) for name, column in fuel.columns(KNOWN, hours.columns).items()}
        found[place, "carbon_g_per_kwh"] = fuel.mix_values(KNOWN, "lifecycle_g_per_kwh", mix).mean()
        found[place, "ewif_l_per_kwh"] = fuel.mix_values(KNOWN, "ewif_l_per_kwh", mix).mean()
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
        (place, "ewif_l_per_kwh"): float(
            fuel.intensity(dict(zip(FUELS, energy, strict=True)), fuel.factors(KNOWN, "ewif_l_per_kwh"))
        )
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
    derived = from_files(Path(os.environ["DCSIM_DATA"]) / "data" / "grid") | from_mixes()
    derived |= {("psu-titanium", key): value for key, value in zip(("a0", "a1", "a2"), titanium(), strict=True)}
    differing = 0
    for (name, key), value in derived.items():
        listed = KNOWN.get(name)[key]
        differs = not np.isclose(listed, value, rtol=TOLERANCE, atol=1e-4)
        differing += differs
        print(f"{name:22s} {key:20s} {value:10.4f} {listed:10.4f} {'DIFFERS' if differs else ''}")
    return int(differing > 0)


if __name__ == "__main__":
    raise SystemExit(main())
