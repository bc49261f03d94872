"""A result and its folder."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dcsim.errors import ScenarioError
from dcsim.results import Result, ResultError, columns
from dcsim.sim import simulate

TABLES = {
    "jobs": columns.JOBS,
    "attempts": columns.ATTEMPTS,
    "racks": columns.RACKS,
    "facility": columns.FACILITY,
}
KINDS = {"int": "int64", "float": "float64", "flag": "boolean"}


@pytest.fixture
def mixed(scenario, pool):
    """Jobs of every status, an outage, an objective on one of two streams."""
    stream = {
        "arrivals": {"kind": "poisson", "rate": "2/s"},
        "service": {"distribution": "exponential", "mean": "3 s"},
        "runs_on": ["pool"],
    }
    return scenario(
        {"pool": pool(nodes=2, devices=2, idle="10 W", max="30 W")},
        {"web": stream | {"queue_limit": 3, "slo": {"latency": "5 s"}}, "batch": stream},
        outages=[{"pool": "pool", "node": 1, "start": "20 s", "duration": "30 s"}],
    )


@pytest.fixture
def silent(scenario, pool):
    """A run into which no job arrives."""
    stream = {"arrivals": {"kind": "schedule", "times": ["5 h"]}, "service": {"distribution": "fixed", "mean": "1 s"}}
    return scenario({"pool": pool(idle="10 W", max="30 W")}, {"web": stream | {"runs_on": ["pool"]}})


def test_tables_have_the_columns_that_are_promised(mixed):
    result = simulate(mixed)
    for name, wanted in TABLES.items():
        table = getattr(result, name)
        always = [column for column in wanted if not column.optional]
        assert list(table.columns) == [column.name for column in always]
        for column in always:
            if column.kind in KINDS:
                assert table[column.name].dtype == KINDS[column.kind], column.name
    assert set(result.jobs["status"]) == {"completed", "rejected", "queued", "running"}
    assert len(result.racks) == len(result.facility) == 10


@pytest.mark.parametrize("kind", ["mixed", "silent"])
def test_a_saved_run_reads_back_equal(request, tmp_path, kind):
    result = simulate(request.getfixturevalue(kind), seed=5)
    again = Result.load(result.save(tmp_path / "deep" / "run"))
    assert again.summary == result.summary
    assert again.manifest == result.manifest
    assert again.scenario == result.scenario
    assert again.scenario.seed == again.manifest["seed"] == again.summary["run"]["seed"] == 5
    assert not again.interrupted
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(result, name))
    # what was read can be written, even over itself
    third = Result.load(again.save(tmp_path / "deep" / "run"))
    pd.testing.assert_frame_equal(third.jobs, result.jobs)
    assert not list((tmp_path / "deep" / "run").glob("*.part"))


def test_a_run_without_jobs(silent):
    result = simulate(silent)
    assert len(result.jobs) == len(result.attempts) == 0
    assert result.summary["jobs"] == {
        "submitted": 0,
        "completed": 0,
        "rejected": 0,
        "failed": 0,
        "queued": 0,
        "running": 0,
        "throughput_per_s": 0.0,
        "dropped_rows": 0,
    }
    assert result.summary["energy"]["facility_kwh"] == pytest.approx(1000.0 / 3.6e6)
    assert result.summary["trust"]["offered_load"] == 0.0


def test_attempts_of_jobs_that_were_cut_short(scenario, pool, jobs_at):
    run = scenario(
        {"pool": pool(nodes=2)},
        {"work": jobs_at(["pool"], [(0.0, 30.0), (1.0, 200.0), (90.0, 5.0)])},
        outages=[
            {"pool": "pool", "start": "10 s", "duration": "5 s"},
            {"pool": "pool", "start": "40 s", "duration": "5 s"},
            {"pool": "pool", "node": 1, "start": "60 s", "duration": "80 s"},
        ],
    )
    result = simulate(run)
    # The first job loses 10 s and 25 s and runs from 45 to 75 s; the second loses 59 s and waits until 75 s.
    expected = [
        (0, 1, 0.0, 10.0, 10.0, "evicted"),
        (0, 2, 15.0, 40.0, 25.0, "evicted"),
        (0, 3, 45.0, 75.0, 30.0, "completed"),
        (1, 1, 1.0, 60.0, 59.0, "evicted"),
        (1, 2, 75.0, None, 25.0, "running"),
    ]
    table = result.attempts[["job", "attempt", "start_s", "end_s", "work_s", "outcome"]]
    assert [
        tuple(None if pd.isna(value) else value for value in row) for row in table.itertuples(index=False)
    ] == expected
    jobs = result.jobs.set_index("job")
    assert jobs["attempts"].tolist() == [3, 2, 0]
    assert jobs["lost_s"].tolist() == [35.0, 59.0, 0.0]
    assert jobs["first_start_s"].tolist()[:2] == [0.0, 1.0]
    assert jobs["status"].tolist() == ["completed", "running", "queued"]


def test_jobs_submitted_one_by_one_make_few_row_groups(scenario, pool, tmp_path):
    def arrive(model):
        for number in range(2000):
            yield model.clock.timeout(0.01)
            model.submit("even" if number % 2 == 0 else "odd", run_s=0.001 * number)

    def nothing(model):
        yield model.clock.event()

    stream = {
        "arrivals": {"kind": "poisson", "rate": "1/s"},
        "service": {"distribution": "fixed", "mean": "1 s"},
        "runs_on": ["pool"],
    }
    run = scenario({"pool": pool(nodes=50)}, {"even": stream, "odd": stream})
    result = simulate(run, processes={"stream:even": arrive, "stream:odd": nothing})
    folder = result.save(tmp_path / "run")
    assert pq.ParquetFile(folder / "jobs.parquet").num_row_groups == 2
    table = result.jobs
    assert table["job"].tolist() == [*range(0, 2000, 2), *range(1, 2000, 2)]
    assert (table["latency_s"] - table["wait_s"]).to_numpy() == pytest.approx(0.001 * table["job"].to_numpy())


# ---------------------------------------------------------------- what can go wrong with a folder


def test_a_folder_that_cannot_be_written(silent, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("a file")
    result = simulate(silent)
    for folder in (taken, taken / "below"):
        with pytest.raises(ResultError, match="cannot be written") as caught:
            result.save(folder)
        assert str(folder) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.fixture
def saved(silent, tmp_path):
    return simulate(silent).save(tmp_path / "run")


@pytest.mark.parametrize("name", ["manifest.json", "summary.json"])
@pytest.mark.parametrize("content", [None, "", "{", "[1, 2]", "[" * 100_000, b"\xff\xfe"])
def test_json_that_is_none(saved, name, content):
    if content is None:
        (saved / name).unlink()
    else:
        (saved / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ResultError, match="not a run folder"):
        Result.load(saved)


@pytest.mark.parametrize("content", [None, "name: [", "name: only"])
def test_a_scenario_that_is_none(saved, content):
    if content is None:
        (saved / "scenario.yaml").unlink()
    else:
        (saved / "scenario.yaml").write_text(content)
    with pytest.raises(ScenarioError, match=r"scenario\.yaml"):
        Result.load(saved)


def test_no_folder(tmp_path):
    with pytest.raises(ResultError, match="not a run folder"):
        Result.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_are_none(saved, name):
    path = saved / f"{name}.parquet"
    whole = path.read_bytes()
    for content in (b"", b"PAR1 and nothing else", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ResultError, match=f"{name}.parquet: not a table"):
            getattr(Result.load(saved), name)
    path.unlink()
    with pytest.raises(ResultError, match="not a table"):
        getattr(Result.load(saved), name)
    pq.write_table(pa.table({"job": [1]}), path)
    with pytest.raises(ResultError, match="other columns"):
        getattr(Result.load(saved), name)


def test_summary_is_json_without_nan(mixed, tmp_path):
    text = (simulate(mixed).save(tmp_path / "run") / "summary.json").read_text()

    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads(text, parse_constant=refuse)["run"]["version"]
