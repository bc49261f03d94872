"""Hardware of round numbers, so that energies can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

_CATALOG = """
chip-test:
  kind: chip
  title: A chip of round numbers
  is: {mode: event, nets: [snn]}
  numbers:
    static_w: {value: 1, unit: W, source: test, grade: published}
    die_area_mm2: {value: 100, unit: mm2, source: test, grade: published}
    process_nm: {value: 28, unit: nm, source: test, grade: published}
host-test:
  kind: host
  title: A host of round numbers
  numbers:
    idle_w: {value: 10, unit: W, source: test, grade: published}
    max_w: {value: 30, unit: W, source: test, grade: published}
board-test:
  kind: system
  title: A board of round numbers
  is: {device: chip-test, host: host-test, family: neuromorphic}
  numbers:
    devices: {value: 2, unit: chips, source: test, grade: published}
    board_idle_w: {value: 3, unit: W, source: test, grade: published}
    max_w: {value: 40, unit: W, source: test, grade: published}
psu-test:
  kind: curve
  title: Supplies of round numbers
  is: {stage: psu}
  numbers:
    a0: {value: 0.01, unit: "1", source: test, grade: published}
    a1: {value: 0.05, unit: "1", source: test, grade: published}
    a2: {value: 0, unit: "1", source: test, grade: published}
ups-test:
  kind: curve
  title: A UPS of round numbers
  is: {stage: ups}
  numbers:
    a0: {value: 0.02, unit: "1", source: test, grade: published}
    a1: {value: 0.03, unit: "1", source: test, grade: published}
    a2: {value: 0, unit: "1", source: test, grade: published}
frame-test:
  kind: rack
  title: A rack with a switch of 20 W
  numbers:
    switch_w: {value: 20, unit: W, source: test, grade: published}
    price_usd: {value: 1000, unit: USD, source: test, grade: published}
    embodied_kg: {value: 100, unit: kg, source: test, grade: published}
"""


@pytest.fixture
def round_numbers(tmp_path: Path) -> str:
    """Path of a catalog file with chip-test, host-test, board-test, psu-test, ups-test and frame-test."""
    path = tmp_path / "round.yaml"
    path.write_text(_CATALOG, encoding="utf-8")
    return str(path)
