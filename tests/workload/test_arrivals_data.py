"""Arrivals that come from public traces keep what was measured of these. Needs the folder that DCSIM_DATA names."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dcsim import catalog, workload
from dcsim.scenario.streams import Stream

DATA = os.environ.get("DCSIM_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="DCSIM_DATA is not set")

DAY_S = 86_400.0
AZURE = {"kind": "trace", "path": "azure_llm_2023_conv.csv.gz", "format": "azure-llm"}


def moments(arrivals, duration_s):
    stream = Stream.model_validate({"arrivals": arrivals, "runs_on": ["pool"], "model": "some-model"})
    parts = workload.blocks(stream, "s", duration_s, catalog.load(), 1, 0, Path("/"))
    return np.concatenate([part.arrival_s for part in parts])


def dispersion(arrival_s, window_s):
    counts = np.bincount((arrival_s // window_s).astype(int))[:-1]
    return counts.var() / counts.mean()


def test_replayed_trace_has_its_published_dispersion():
    arrival_s = moments(AZURE, 3600.0)
    assert len(arrival_s) == 19_366
    found = [dispersion(arrival_s, window_s) for window_s in (1.0, 10.0, 60.0)]
    assert found == pytest.approx([1.39, 3.86, 16.1], rel=0.005)


@pytest.mark.parametrize("change", [{"loop": True}, {"resample": "60 s"}], ids=["loop", "resample"])
def test_a_day_out_of_an_hour_keeps_rate_and_dispersion(change):
    arrival_s = moments(AZURE | change, DAY_S)
    assert len(arrival_s) / DAY_S == pytest.approx(5.53, rel=0.02)
    found = [dispersion(arrival_s, window_s) for window_s in (1.0, 10.0, 60.0)]
    assert found == pytest.approx([1.39, 3.86, 16.1], rel=0.1)


def test_levelled_trace_keeps_only_what_is_inside_a_minute():
    arrival_s = moments(AZURE | {"loop": True, "warp": {"profile": [1.0] * 24, "window": "60 s"}}, DAY_S)
    assert dispersion(arrival_s, 1.0) == pytest.approx(1.14, abs=0.1)
    assert dispersion(arrival_s, 60.0) < 1.0


def test_rates_of_two_weeks():
    table = {"kind": "rates", "path": "servegen_rates_10min.csv.gz", "format": "servegen-rates", "select": "m-large"}
    arrival_s = moments(table | {"rate": "5/s"}, 14 * DAY_S)
    counts = np.bincount((arrival_s // 600.0).astype(int), minlength=2016)
    assert len(arrival_s) / (14 * DAY_S) == pytest.approx(5.0, rel=0.005)
    assert counts.max() / counts.mean() == pytest.approx(2.98, rel=0.03)
