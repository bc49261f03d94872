"""Published rows: which count, which only show that a constant is used, and why others are out of reach."""

from __future__ import annotations

import pytest

from dcsim.validation import published
from dcsim.validation.case import QUICK, Case, CaseError


def rows(number: str):
    return list(published.check(Case("published", number, {"kind": "published", "row": number}), QUICK))


def test_every_row_of_the_table_is_there():
    assert list(published.RESULTS) == [*(f"R{number}" for number in range(1, 20)), "KS"]
    assert len(list(published.builtin())) == 20


@pytest.mark.parametrize("number", list(published.RESULTS))
def test_a_result_is_simulated_or_says_what_is_missing(number):
    found = rows(number)
    assert found
    for row in found:
        assert row.status != "failed", row
        assert row.note
        if published.RESULTS[number].figures is None:
            assert row.status == "skipped"
        else:
            assert row.error is not None
            assert abs(row.error) <= row.tolerance


@pytest.mark.parametrize("number", ["R3", "R7", "R8", "R12", "R13", "R14", "KS"])
def test_rows_that_set_a_constant_count_for_nothing(number):
    assert {row.status for row in rows(number)} <= {"calibration", "consistency"}


def test_keyword_spotting_on_loihi_is_a_test_of_time_and_energy():
    status = {row.metric: row.status for row in rows("R1")}
    assert [status[metric] for metric in list(status)[:3]] == ["passed"] * 3
    assert status["step with the input on eight cores, s"] == "calibration"


def test_keyword_spotting_on_spinnaker2_states_its_bounds():
    energy = rows("R17")[0]
    assert energy.status == "passed"
    assert "at the ends of the rates' bands" in energy.note


def test_an_unknown_row_is_named():
    with pytest.raises(CaseError, match="row: found 'R99', want one of R1, R2"):
        rows("R99")
