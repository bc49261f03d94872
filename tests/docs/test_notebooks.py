"""Every notebook's script runs, and the notebook beside it has the same cells and no error."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "notebooks").glob("*.py"))

every_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


@every_script
def test_the_script_runs(script: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    environment = os.environ | {"MPLBACKEND": "agg"}
    run = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    assert run.returncode == 0, run.stderr


@every_script
def test_the_notebook_is_written_from_its_script(script: Path) -> None:
    cells = json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    found = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    assert found == _cells(script.read_text(encoding="utf-8")), "`make notebooks` writes it afresh"
    kinds = [output["output_type"] for cell in cells for output in cell.get("outputs", [])]
    assert "error" not in kinds


def _cells(text: str) -> list[tuple[str, str]]:
    """(kind, source) of each cell; a line of a text cell is a comment, and so is a magic of a code cell."""
    _, *parts = re.split(r"^# %%( \[markdown\])?$", text, flags=re.MULTILINE)
    cells = []
    for marked, body in zip(parts[::2], parts[1::2], strict=True):
        pattern = r"^# ?" if marked else r"^# (?=%)"
        cells.append(("markdown" if marked else "code", re.sub(pattern, "", body.strip(), flags=re.MULTILINE)))
    return cells
