"""Area `chip`: it is registered, runs without data, and knows the kinds of its cases."""

from __future__ import annotations

from dcsim import validation
from dcsim.validation import areas, chip


def test_the_area_is_registered_and_knows_its_kinds():
    assert areas.AREAS["chip"] is chip.AREA
    assert {"published", "sanafe", "nir"} <= set(chip.AREA.kinds)
    assert all(areas.area_of(kind) == "chip" for kind in chip.AREA.kinds)
    assert areas.names().count("chip") == 1


def test_it_runs_on_a_machine_without_data(monkeypatch):
    monkeypatch.delenv("DCSIM_DATA", raising=False)
    report = validation.run(["chip"])
    assert report.exit_code == 0
    assert report.counts["failed"] == 0
    assert report.counts["passed"] >= 4
    assert all(row.note for row in report.rows if row.status == "skipped")


def test_a_folder_without_a_case_fails_with_a_reason(tmp_path):
    report = validation.run(["chip"], tmp_path)
    (row,) = [row for row in report.rows if row.status == "failed"]
    assert (row.case, row.note) == (str(tmp_path), "found no JSON file, so none of its cases ran")
    assert report.exit_code == 1
