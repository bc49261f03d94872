"""Draw the picture of the README from a run folder: energy per job by boundary.

Usage: python docs/scripts/picture.py runs/hybrid_pilot docs/images/hybrid_pilot.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

from dcsim import Result

mpl.use("agg")


def main() -> None:
    """Write the picture."""
    folder, image = map(Path, sys.argv[1:])
    axes = Result.load(folder).plot.energy_per_job()
    # no software and date in the file, so that the same run gives the same bytes
    axes.figure.savefig(image, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main()
