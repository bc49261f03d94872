"""`import dcsim` and `dcsim --help` must cost next to nothing: what they import, and the CPU time of it."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

HEAVY = {"pandas", "matplotlib", "matplotlib.pyplot", "numpy", "scipy", "pyarrow", "simpy", "jinja2"}
HELP = "from dcsim.cli import call; call(['--help'])"


def run(code: str) -> tuple[set[str], float]:
    """Modules that `code` imports in a fresh interpreter, and its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    modules = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    return modules, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.mark.parametrize(("code", "limit_s"), [("import dcsim", 0.1), (HELP, 0.25)])
def test_imports_and_time(code, limit_s):
    runs = [run(code) for _ in range(5)]
    modules = runs[0][0]
    assert "dcsim" in modules
    assert not modules & HEAVY
    assert not any(module.startswith("pydantic.") for module in modules) or code == HELP
    assert min(seconds for _, seconds in runs) <= limit_s


def test_loading_a_scenario_needs_neither_pandas_nor_matplotlib():
    code = "import dcsim; dcsim.load; dcsim.Scenario; dcsim.catalog.load(); import dcsim.errors"
    modules, _ = run(code)
    assert "dcsim.scenario.models" in modules
    assert not modules & {"pandas", "matplotlib", "pyarrow", "simpy"}
