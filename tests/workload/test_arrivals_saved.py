"""Drawn jobs that are saved and replayed in another scenario are the same, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dcsim import catalog, workload
from dcsim.errors import DcsimError, ScenarioError
from dcsim.sim.simulate import simulate
from dcsim.workload.saved import save

CLIENTS = {"kind": "clients", "rate": "30/s", "count": 12, "zipf": 1, "cv": [3, 1.2]}
HAWKES = {"kind": "hawkes", "rate": "30/s", "branching": 0.6, "decay": "1 s"}
LOGNORMAL = {"distribution": "lognormal", "mean": "2 s", "cv": 1.5}


def drawn(scenario, stream="jobs", seed=1):
    spec = scenario.streams[stream]
    parts = list(workload.blocks(spec, stream, scenario.duration, catalog.load(), seed, 0, Path("/")))
    columns = {key: np.concatenate([part.columns[key] for part in parts]) for key in parts[0].columns}
    for key, names in parts[0].labels.items():
        columns[key] = np.array(names)[columns[key].astype(int)]
    return np.concatenate([part.arrival_s for part in parts]), columns


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("arrivals", [CLIENTS, HAWKES], ids=["clients", "hawkes"])
def test_replay_gives_the_same_bytes(scenario, pool, tmp_path, ending, arrivals):
    pools = {"pool": pool(devices=100)}
    stream = {"arrivals": arrivals, "service": LOGNORMAL, "runs_on": ["pool"]}
    first = scenario(pools, {"jobs": stream}, duration="1 h")
    path = tmp_path / f"jobs.{ending}"
    count = save(first, "jobs", path)
    replayed = {"kind": "trace", "path": str(path), "format": ending}
    again = stream | {"arrivals": replayed, "service": {"distribution": "trace"}}
    second = scenario(pools, {"other": again}, duration="1 h", seed=99)
    moments, columns = drawn(first)
    found, others = drawn(second, "other", seed=99)
    assert count == len(moments) > 100_000
    assert found.tobytes() == moments.tobytes()
    assert others["run_s"].tobytes() == columns["run_s"].tobytes()
    assert set(others) == set(columns)
    if "user" in columns:
        assert (others["user"] == columns["user"]).all()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_two_runs_of_the_same_jobs_end_alike(scenario, pool, tmp_path):
    pools = {"pool": pool(devices=20)}
    stream = {"arrivals": HAWKES | {"rate": "5/s"}, "service": LOGNORMAL, "runs_on": ["pool"]}
    save(scenario(pools, {"jobs": stream}), "jobs", tmp_path / "jobs.parquet")
    replayed = {"kind": "trace", "path": str(tmp_path / "jobs.parquet"), "format": "parquet"}
    again = stream | {"arrivals": replayed, "service": {"distribution": "trace"}}
    one = simulate(scenario(pools, {"jobs": stream})).jobs
    other = simulate(scenario(pools, {"jobs": again}, seed=7)).jobs
    for column in ("arrival_s", "first_start_s", "end_s"):
        assert one[column].to_numpy().tobytes() == other[column].to_numpy().tobytes()


def test_tokens_of_requests_are_kept(scenario, tmp_path):
    sizes = {"input_tokens": 1000, "output_tokens": 20}
    stream = {"arrivals": HAWKES, "model": "llama-3.1-8b", "sizes": sizes, "runs_on": ["gpus"]}
    pools = {"gpus": {"nodes": 1, "system": "hgx-h100"}}
    save(scenario(pools, {"jobs": stream}), "jobs", tmp_path / "jobs.csv")
    block = workload.traces.read(tmp_path / "jobs.csv", "csv")
    assert set(block.columns) == {"input_tokens", "output_tokens"}
    assert set(block.columns["output_tokens"]) == {20.0}


def test_a_seed_of_its_own(scenario, pool, tmp_path):
    stream = {"arrivals": HAWKES, "service": LOGNORMAL, "runs_on": ["pool"]}
    spec = scenario({"pool": pool()}, {"jobs": stream})
    for name, seed in (("a", None), ("b", 1), ("c", 2)):
        save(spec, "jobs", tmp_path / f"{name}.csv", seed=seed)
    texts = [(tmp_path / f"{name}.csv").read_bytes() for name in "abc"]
    assert texts[0] == texts[1] != texts[2]


def test_what_cannot_be_saved(scenario, pool, tmp_path):
    late = {"arrivals": {"kind": "schedule", "times": ["1 d"]}, "service": LOGNORMAL, "runs_on": ["pool"]}
    spec = scenario({"pool": pool()}, {"late": late})
    with pytest.raises(ScenarioError, match="no stream 'lat'; did you mean 'late'"):
        save(spec, "lat", tmp_path / "x.csv")
    with pytest.raises(DcsimError, match=r"x.json: found ending '.json', want .parquet or .csv"):
        save(spec, "late", tmp_path / "x.json")
    with pytest.raises(ScenarioError, match=r"streams.late: no job arrives in the run"):
        save(spec, "late", tmp_path / "x.csv")
    soon = scenario({"pool": pool()}, {"soon": late | {"arrivals": {"kind": "poisson", "rate": "1/s"}}})
    with pytest.raises(DcsimError, match=r"x.csv: cannot write: No such file"):
        save(soon, "soon", tmp_path / "no" / "x.csv")
    assert list(tmp_path.iterdir()) == []
