"""Rows, counts, exit codes and the forms in which a report is shown."""

import io
import json
import math

import pytest
from rich.console import Console

from dcsim.validation.report import STATUSES, Report, Row, compare, decimals


def row(status: str) -> Row:
    return Row("area", "case", "metric", status)


def test_within_and_outside_of_a_relative_tolerance() -> None:
    assert compare("a", "c", "m", 200.0, 203.9, 0.02).status == "passed"
    outside = compare("a", "c", "m", 200.0, 195.9, 0.02)
    assert outside.status == "failed"
    assert outside.error == pytest.approx(-0.0205)


def test_expected_zero_is_compared_absolutely() -> None:
    assert compare("a", "c", "m", 0.0, 0.01, 0.02).status == "passed"
    assert compare("a", "c", "m", 0.0, 0.03, 0.02).status == "failed"


def test_tolerance_zero_means_all_digits_given() -> None:
    assert compare("a", "c", "m", 9.93267, 9.9326702, 0.0).error == 0.0
    assert compare("a", "c", "m", 9.93267, 9.93268, 0.0).status == "failed"
    assert compare("a", "c", "m", 12465466400.0, 12465466400.000002, 0.0).status == "passed"
    assert compare("a", "c", "m", 12465466400.0, 12465466400.1, 0.0).status == "failed"
    assert compare("a", "c", "m", 64978, 64979.0, 0.0).status == "failed"


def test_a_printed_figure_is_met_by_what_rounds_to_it() -> None:
    assert compare("a", "c", "m", 0.57, 0.5707, 0.0002, printed=True).status == "passed"
    assert compare("a", "c", "m", 0.57, 0.5707, 0.0002).status == "failed"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_is_a_failure(value: float) -> None:
    found = compare("a", "c", "m", 1.0, value, 1.0)
    assert (found.status, found.simulated) == ("failed", None)


def test_an_error_beyond_floats_is_still_json() -> None:
    found = compare("a", "c", "m", 1e-310, 1e30, 0.0)
    assert (found.status, found.error) == ("failed", None)
    Report([found]).json()


@pytest.mark.parametrize(("value", "places"), [(9.93267, 5), (90000.0, 1), (64978, 1), (1e-9, 12), (0.36964, 5)])
def test_decimals(value: float, places: int) -> None:
    assert decimals(value) == places


def test_exit_codes() -> None:
    assert Report([row("passed"), row("skipped")]).exit_code == 0
    assert Report([row("passed"), row("skipped")], strict=True).exit_code == 1
    assert Report([row("passed"), row("failed")]).exit_code == 1
    assert Report([row("skipped")]).exit_code == 1
    assert Report([]).exit_code == 1
    assert Report([row("consistency")], strict=True).exit_code == 0


def test_json_holds_every_column_and_count() -> None:
    document = json.loads(Report([compare("a", "c", "m", 2.0, 2.0, 0.1), row("skipped")]).json())
    assert {"case", "metric", "expected", "simulated", "error", "tolerance", "status"} <= set(document["cases"][0])
    assert {status: document[status] for status in STATUSES} == {
        "passed": 1,
        "failed": 0,
        "calibration": 0,
        "consistency": 0,
        "skipped": 1,
    }


def test_table_shows_hostile_names_as_they_are() -> None:
    report = Report([Row("a", "[red]x[/red]", "[/]\x1b[2J", "skipped", note="needs [bold]")])
    text = io.StringIO()
    Console(file=text, width=200).print(report.table())
    assert "[red]x[/red]" in text.getvalue()
    assert "skipped: needs [bold]" in text.getvalue()
    assert "\x1b" not in text.getvalue()
    assert report.line() == "0 passed, 0 failed, 0 calibration, 0 consistency, 1 skipped"
