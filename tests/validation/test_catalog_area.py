"""Area `catalog`: the shipped entries agree with each other, and a user's own file is checked with them."""

import json
from pathlib import Path

import pytest

from dcsim import catalog
from dcsim.validation import catalog as area
from dcsim.validation import run

NODE = """
my-node:
  kind: system
  title: My node
  is: {{device: {device}, host: none, family: gpu}}
  numbers:
    devices: {{value: 2, unit: "1", source: me, grade: measured}}
    board_idle_w: {{value: 50, unit: W, source: me, grade: measured}}
    board_active_w: {{value: 10, unit: W, source: me, grade: measured}}
    rated_w: {{value: {rated}, unit: W, source: me, grade: measured}}
"""


def test_the_shipped_catalog_is_consistent() -> None:
    report = run(["catalog"], strict=True)
    assert report.exit_code == 0
    assert {row.status for row in report.rows} == {"consistency", "calibration"}
    assert {"pohoiki-springs", "hala-point", "hgx-h100"} <= {row.case for row in report.rows}


def test_power_of_a_node_by_hand() -> None:
    entries = catalog.load()
    node, gpu, host = entries.get("hgx-h100"), entries.get("h100-sxm"), entries.get("host-gpu-2-socket")
    idle_w, full_w = area.node_power_w(node, entries)
    assert idle_w == pytest.approx(8 * gpu["idle_w"] + host["idle_w"] + 800)
    assert full_w == pytest.approx(8 * gpu["peak_w"] + host["max_w"] + 800 + 700)


def own_rows(folder: Path, device: str, rated: float) -> dict[str, str]:
    (folder / "mine.yaml").write_text(NODE.format(device=device, rated=rated))
    (folder / "case.json").write_text(json.dumps({"kind": "catalog", "files": ["mine.yaml"]}))
    return {f"{row.case}: {row.metric}": f"{row.status} {row.note}" for row in run(["catalog"], folder).rows}


@pytest.mark.usefixtures("files_only")
def test_a_users_own_entry_is_held_to_its_rating(tmp_path: Path) -> None:
    rows = own_rows(tmp_path, "h100-sxm", 1000)
    assert rows["my-node: idle power below rating, W"].startswith("consistency")
    assert rows["my-node: full power below rating, W"].startswith("failed")


@pytest.mark.usefixtures("files_only")
def test_a_users_own_entry_with_a_dangling_reference(tmp_path: Path) -> None:
    rows = own_rows(tmp_path, "h100-smx", 2000)
    assert "did you mean 'h100-sxm'" in rows["all systems: device and host known"]
    assert rows["all systems: device and host known"].startswith("failed")
    assert rows["my-node: power, W"].startswith("failed")
    assert rows["hala-point: chip's share of the maximum power, W"].startswith("consistency")
