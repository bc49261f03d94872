"""Re-derive the hourly profiles of grids (`dcsim/catalog/data/grids.yaml`): means by month and hour of the day.

Usage: DCSIM_DATA=FOLDER python docs/scripts/derive_grid_profiles.py [--write]

FOLDER/data/grid holds hourly generation by fuel of four US balancing areas in 2022 (EIA-930, US Energy Information
Administration, public domain). Each hour's mix gives its life-cycle and direct carbon and its water by the factors of
the catalog's fuels; the mean of the hours of each month and hour of the day (UTC) is a number of the profile. Prints
the annual means beside those of the catalog; exit status 1 when a number differs by more than its rounding, unless
`--write` writes the file anew.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import numpy as np

from dcsim import catalog
from dcsim.facility import fuel, grid, series_file
from dcsim.facility.arrays import FloatArray

AREAS = {
    "azps-2022": ("AZPS", "Arizona Public Service"),
    "bpat-2022": ("BPAT", "Bonneville Power Administration"),
    "ciso-2022": ("CISO", "California ISO"),
    "pjm-2022": ("PJM", "PJM Interconnection"),
}
UNITS = {"lifecycle_g_per_kwh": ("g/kWh", 0), "direct_g_per_kwh": ("g/kWh", 0), "ewif_l_per_kwh": ("L/kWh", 3)}
TARGET = Path(__file__).parents[2] / "dcsim" / "catalog" / "data" / "grids.yaml"
HEAD = """# Grids over the year: means by month (rows, January first) and hour of the day in UTC (columns, 0 first),
# measured by `docs/scripts/derive_grid_profiles.py` from EIA-930 (US Energy Information Administration, public domain).
"""


def profile(path: Path, key: str) -> FloatArray:
    """Means by month and hour of the day of the mix in a file, shape (12, 24), in the unit of the fuels' `key`."""
    known = catalog.load()
    steps = series_file.read_rows(
        path, series_file.PLAIN, partial(fuel.columns, known), partial(fuel.mix_values, known, key)
    )
    return grid.means_by_hour(steps.start_s, steps.levels)


def entry(name: str, tables: dict[str, FloatArray]) -> str:
    """Text of a catalog entry."""
    area, title = AREAS[name]
    lines = [
        f"{name}:",
        "  kind: grid",
        f"  title: {title} in 2022, by month and hour",
        f"  is: {{area: {area}}}",
        "  numbers:",
    ]
    for key, table in tables.items():
        unit, digits = UNITS[key]
        rows = ",\n        ".join("[" + ", ".join(f"{value:.{digits}f}" for value in row) + "]" for row in table)
        lines += [
            f"    {key}:",
            f"      unit: {unit}",
            "      grade: derived",
            f'      source: "EIA-930 hourly generation by fuel of {area}, 2022, times the factors of the fuels here"',
            f"      value: [\n        {rows}]",
        ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Compare or write; exit status 1 when a figure differs, 2 without data."""
    if "DCSIM_DATA" not in os.environ:
        print("set DCSIM_DATA to the folder that holds data/grid", file=sys.stderr)
        return 2
    folder = Path(os.environ["DCSIM_DATA"]) / "data" / "grid"
    derived = {
        name: {key: profile(folder / f"{area}_2022_hourly.csv.gz", key) for key in UNITS}
        for name, (area, _) in AREAS.items()
    }
    if "--write" in arguments:
        TARGET.write_text(
            "\n".join([HEAD, *(entry(name, tables) for name, tables in derived.items())]), encoding="utf-8"
        )
        return 0
    shipped, differing = catalog.load(), 0
    for name, tables in derived.items():
        for key, table in tables.items():
            listed = shipped.get(name, "grid").array(key)
            differs = bool((np.abs(listed - table) > 0.51 * 10.0 ** -UNITS[key][1]).any())
            differing += differs
            print(f"{name:12s} {key:22s} {table.mean():9.3f} {listed.mean():9.3f} {'DIFFERS' if differs else ''}")
    return int(differing > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
