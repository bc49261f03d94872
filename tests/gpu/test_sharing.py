"""Slices of a GPU and jobs side by side: hand-worked numbers, Gavel's pairs, bad input."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from dcsim.catalog import Catalog
from dcsim.errors import PlacementError
from dcsim.gpu.sharing import check_slices, colocated, mean_colocated, mig_slice


def test_a_slice_by_hand(known: Catalog) -> None:
    part = mig_slice(known.get("h100-sxm"), "3g.40gb")
    assert part == (pytest.approx(3 / 7), 0.5)
    assert part.seconds(3.0, 2.0, 0.5) == pytest.approx(7.5)
    assert part.seconds(1.0, 2.0, 0.5) == pytest.approx(4.5)


def test_slices_of_one_gpu() -> None:
    check_slices(["3g.40gb", "2g.20gb", "2g.20gb"])
    with pytest.raises(PlacementError, match="want 9 parts of compute; one GPU has 7"):
        check_slices(["3g.40gb", "3g.40gb", "3g.40gb"])


def test_bad_slices(known: Catalog) -> None:
    with pytest.raises(PlacementError, match="'v100-sxm2-32' has no isolated slices"):
        mig_slice(known.get("v100-sxm2-32"), "1g.10gb")
    with pytest.raises(PlacementError, match=r"profile '3g\.40g' is unknown.*3g\.40gb"):
        mig_slice(known.get("a100-sxm-80"), "3g.40g")


def test_jobs_side_by_side_by_hand(known: Catalog) -> None:
    rates = colocated(np.array([1.0, 0.5, 0.0]), np.array([0.2, 0.4, 1.0]))
    assert rates == pytest.approx([1 / 2.4, 1 / 1.6, 1.0])
    assert colocated(np.array([1.0]), np.array([3.0])) == pytest.approx([1.0])
    assert mean_colocated(known.get("toy-gpu"), 1) == 1.0
    assert mean_colocated(known.get("toy-gpu"), 3) == pytest.approx(0.5)
    with pytest.raises(PlacementError, match="found 0"):
        mean_colocated(known.get("toy-gpu"), 0)


@pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set: no measured pairs")
def test_two_average_jobs_run_as_gavels_pairs(known: Catalog) -> None:
    path = Path(os.environ["DCSIM_DATA"]) / "data" / "gpu" / "gavel_simulation_throughputs.json.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        table = json.load(file)["v100"]
    alone = {job: rates["null"] for job, rates in table.items() if job.endswith(", 1)")}
    sums = [
        pair[0] / alone[job] + pair[1] / alone[other]
        for job in alone
        for other, pair in table[job].items()
        if other in alone and min(pair) > 0
    ]
    assert len(sums) == 636
    assert 2 * mean_colocated(known.get("v100-sxm2-32"), 2) == pytest.approx(float(np.median(sums)), rel=0.01)
