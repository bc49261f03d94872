"""Write and run `notebooks/*.ipynb` from their scripts: `make notebooks`. An error in a cell is an error here.

Times, random cell names, versions and pictures are left out, so that the same results give the same small file;
figures appear when a notebook is run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"


def main() -> None:
    """All scripts in the folder."""
    for script in sorted(FOLDER.glob("*.py")):
        print(script.with_suffix(".ipynb").name, file=sys.stderr)
        notebook = jupytext.read(script)
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number}"
        NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": str(FOLDER)}},
        ).execute()
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                output.get("data", {}).pop("image/png", None)
        notebook.metadata.pop("language_info", None)
        notebook.metadata.pop("jupytext", None)
        jupytext.write(notebook, script.with_suffix(".ipynb"))


if __name__ == "__main__":
    main()
