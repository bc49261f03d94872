"""Signals over time: gaps, coverage, means; and the files that they are read from."""

from __future__ import annotations

import contextlib
import gzip
import os
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.errors import ScenarioError
from dcsim.facility.series import Steps, stamped, utc
from dcsim.facility.series_file import Layout, read

DATA = os.environ.get("DCSIM_DATA")
HOUR = 3600.0


def test_a_table_without_gaps() -> None:
    steps = stamped([0.0, HOUR, 2 * HOUR], [1.0, 2.0, 2.0], gaps="refuse")
    assert steps.end_s == 3 * HOUR
    assert steps.covers(0.0, 3 * HOUR)
    assert not steps.covers(-1.0, HOUR)
    assert not steps.covers(0.0, 3 * HOUR + 1)
    assert steps.inside(0.0, inf).tolist() == [HOUR]  # the third value is the second one
    assert steps.since(HOUR).start_s.tolist() == [-HOUR, 0.0, HOUR]
    assert steps.means([0.0, 1.5 * HOUR, 3 * HOUR]).tolist() == pytest.approx([4 / 3, 2.0])


def test_gaps_are_named_or_filled() -> None:
    moments, values = [0.0, HOUR, 2 * HOUR, 5 * HOUR, 7 * HOUR], [1.0, 2.0, np.nan, 4.0, 5.0]
    with pytest.raises(ValueError, match=r"between 1970-01-01T02:00:00Z and .*05:00:00Z and .* 4 are missing"):
        stamped([0.0, HOUR, 2 * HOUR, 5 * HOUR, 6 * HOUR, 8 * HOUR], [1.0, 2.0, np.nan, 4.0, 5.0, 6.0], gaps="refuse")
    held = stamped(moments, values, gaps="hold")
    assert held.covers(0.0, 1e12)
    assert held.means([4 * HOUR, 6 * HOUR]).tolist() == [3.0]


@pytest.mark.parametrize(
    ("moments", "says"),
    [([0.0, 0.0, HOUR], "moments must ascend"), ([HOUR, 0.0, 2 * HOUR], "moments must ascend"), ([0.0], "1 rows with")],
)
def test_a_table_that_makes_no_sense(moments: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        stamped(moments, np.ones(len(moments)), gaps="refuse")


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20), st.lists(st.floats(0.1, 20.0), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_means_add_up_to_the_whole_whatever_the_edges_are(values: list[float], spans: list[float]) -> None:
    steps = stamped(np.arange(len(values), dtype=float), values, gaps="refuse")
    edges = np.concatenate([[0.0], np.cumsum(spans)])
    whole = steps.means(edges[[0, -1]])[0] * edges[-1]
    assert float(steps.means(edges) @ np.diff(edges)) == pytest.approx(whole, abs=1e-6)


def test_moments_in_words() -> None:
    assert utc(0.0) == "1970-01-01T00:00:00Z"
    assert utc(inf) == "ever"


# ---------------------------------------------------------------- files


def csv(folder: Path, *lines: str, name: str = "grid.csv") -> Path:
    path = folder / name
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["grid.csv", "grid.csv.gz"])
def test_a_csv_with_zones_and_without(tmp_path: Path, name: str) -> None:
    path = csv(
        tmp_path, "utc,ci", "1970-01-01 00:00:00,5", "1970-01-01T02:00+01:00,6.5", "1970-01-01T02Z,-7", name=name
    )
    steps = read(path)
    assert steps.start_s.tolist() == [0.0, HOUR, 2 * HOUR]
    assert steps.levels.tolist() == [5.0, 6.5, -7.0]


def test_columns_are_chosen(tmp_path: Path) -> None:
    path = csv(tmp_path, "local,ci,utc", "x,5,1970-01-01", "x,6,1970-01-02")
    assert read(path, Layout(time="utc"), column="ci").end_s == 2 * 86400.0
    with pytest.raises(ScenarioError, match="found 2 columns beside 'utc', want `column`"):
        read(path, Layout(time="utc"))
    with pytest.raises(ScenarioError, match="no column 'cj'"):
        read(path, column="cj")


def test_parquet_in_any_resolution(tmp_path: Path) -> None:
    moments = pd.to_datetime([0, 3600], unit="s")
    for resolution in ("s", "ms", "ns"):
        path = tmp_path / f"{resolution}.parquet"
        pd.DataFrame({"timestamp": moments.as_unit(resolution), "value": [1, 2]}).to_parquet(path)
        assert read(path).start_s.tolist() == [0.0, HOUR]
    zoned = tmp_path / "zoned.parquet"
    pd.DataFrame({"timestamp": moments.tz_localize("Asia/Shanghai"), "value": [1, 2]}).to_parquet(zoned)
    assert read(zoned).start_s.tolist() == [-8 * HOUR, -7 * HOUR]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["t,v", "1970-01-01,1", "soon,2"], "row 2, column 't': found 'soon', want one such as"),
        (["t,v", "1970-01-01,1", "1970-01-02,much"], "row 2, column 'v': found 'much', want a number"),
        (["t,v", "1970-01-01,1", "1970-01-02,1e99"], "row 2, column 'v': found '1e99', want a number"),
        (["t,v", "1970-01-01,1", "1970-01-02,2", "1970-01-04,2", "1970-01-05,2"], "no value between 1970-01-03"),
        (["t,v"], "found 0 rows"),
        (["t"], "found 0 rows"),
        (["t", "1970-01-01"], "found 0 columns beside 't'"),
        ([], "not a CSV file"),
    ],
)
def test_bad_files(tmp_path: Path, lines: list[str], says: str) -> None:
    with pytest.raises(ScenarioError) as error:
        read(csv(tmp_path, *lines))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_truncated_gz_a_bomb_and_no_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = csv(tmp_path, "t,v", *(f"1970-01-01T{hour:02}:00,{hour}" for hour in range(24)), name="x.csv.gz")
    monkeypatch.setattr("dcsim.facility.series_file.MAX_BYTES", 100)
    with pytest.raises(ScenarioError, match="more than 100 bytes"):
        read(path)
    monkeypatch.undo()
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(ScenarioError, match="not a CSV file that can be read"):
        read(path)
    path.write_bytes(path.read_bytes()[:12] + b"broken" + path.read_bytes()[20:])
    with pytest.raises(ScenarioError, match="not a CSV file that can be read"):
        read(path)
    (tmp_path / "x.parquet").write_text("t,v")
    with pytest.raises(ScenarioError, match="not a Parquet file that can be read"):
        read(tmp_path / "x.parquet")


def test_numbers_are_no_moments(tmp_path: Path) -> None:
    pd.DataFrame({"hour": [0, 1], "value": [1, 2]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ScenarioError, match="column 'hour': found numbers, want moments"):
        read(tmp_path / "x.parquet")


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_signal_or_a_scenario_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "x.csv"
    path.write_bytes(b"t,v\n" + data)
    with contextlib.suppress(ScenarioError):
        assert isinstance(read(path, Layout(gaps="hold")), Steps)


@pytest.mark.skipif(not DATA, reason="DCSIM_DATA is not set")
@pytest.mark.parametrize(
    ("file", "column", "rows", "first"),
    [
        ("data/grid/PJM_2022_hourly.csv.gz", "avg_CI", 8760, 341.4),
        ("data/grid/DE-LU_2023_hourly.csv.gz", "Carbon Intensity gCO₂eq/kWh (LCA)", 8760, 185.8),
        ("data/grid/CISO_2023_price.csv.gz", "Price (USD/MWh)", 8760, 114.9452),
        ("cases/datacenter/AU_2021-2024.parquet", None, 35_064, 550.86),
    ],
)
def test_published_files(file: str, column: str | None, rows: int, first: float) -> None:
    steps = read(Path(DATA or "") / file, column=column)
    assert len(steps.levels) == rows
    assert float(steps.levels[0]) == first
    assert steps.end_s == steps.start_s[0] + rows * HOUR


@pytest.mark.skipif(not DATA, reason="DCSIM_DATA is not set")
def test_the_raw_file_has_gaps_that_are_named() -> None:
    path = Path(DATA or "") / "data" / "grid" / "PJM_2022_hourly_raw_with_gaps.csv.gz"
    with pytest.raises(ScenarioError, match=r"between 2022-03-13T07:00:00Z and 2022-03-14T05:00:00Z and .* 23 are"):
        read(path, column="avg_CI")
    assert read(path, column="avg_CI", layout=Layout(gaps="hold")).end_s == inf


def test_gaps_are_drawn_straight_for_a_week_at_most() -> None:
    moments, values = np.array([0.0, 1.0, 2.0, 5.0, 6.0]) * HOUR, [0.0, 1.0, 2.0, 8.0, 9.0]
    steps = stamped(moments, values, gaps="interpolate")
    assert steps.levels.tolist() == [0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 9.0]
    assert steps.start_s.tolist() == [number * HOUR for number in range(7)]
    assert steps.end_s == 7 * HOUR
    with pytest.raises(ValueError, match="more than a week, too long to interpolate"):
        stamped([0.0, HOUR, 2 * HOUR, 200 * HOUR], [1.0, 1.0, 1.0, 1.0], gaps="interpolate")
