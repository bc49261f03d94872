"""Ten million arrivals in seconds and in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "arrivals.py"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["poisson", "daily", "gamma", "mmpp"])
def test_ten_million_arrivals(kind):
    out = subprocess.run(
        [sys.executable, str(BENCHMARK), kind, "--json"], check=True, capture_output=True, text=True
    ).stdout
    found = json.loads(out)[kind]
    assert found["jobs"] == pytest.approx(1e7, rel=0.1)
    assert found["cpu_s"] < 4.0
    assert found["added_mib"] < 64


def test_an_unknown_kind_is_refused():
    done = subprocess.run([sys.executable, str(BENCHMARK), "posson"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "unknown kind 'posson'" in done.stderr
