"""Golden summaries of the shipped scenarios: `python tests/scenarios/golden.py` (or `make golden`) writes them afresh.

A change of a golden file is a change of results: say why in the commit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dcsim

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "golden"

#: scenario -> overrides that keep the run to a few seconds and let every stream take part
SHIPPED = {
    "hybrid_pilot": {"duration": "1 h", "streams.fine-tuning.arrivals.times": ["5 min"]},
    "serving_fleet": {"duration": "6 min"},
}


def summary(name: str) -> dict[str, Any]:
    """Summary of a shipped scenario, without what depends on the machine and the release."""
    scenario = dcsim.load(ROOT / "scenarios" / f"{name}.yaml", SHIPPED[name])
    figures = dict(dcsim.simulate(scenario).summary)
    figures.pop("run")
    return figures


def main() -> None:
    """Write all golden files."""
    FOLDER.mkdir(exist_ok=True)
    for name in SHIPPED:
        path = FOLDER / f"{name}.json"
        path.write_text(json.dumps(summary(name), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
