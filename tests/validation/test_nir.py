"""Cases of kind `nir`, written here with a network that is followed by hand, and the shared ones."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcsim.validation.case import QUICK, Case, CaseError
from dcsim.validation.files import read_folder
from dcsim.validation.nir import Document, nir_case
from dcsim.validation.report import Row

nir = pytest.importorskip("nir", reason="the package nir is not installed: pip install 'dcsim[nir]'")

FOLDER = Path(os.environ.get("DCSIM_DATA", "")) / "cases" / "nir"


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Case]:
    """Case of two neurons that fire when their input is above 1: the input of sample j is j + 1 at neuron j."""

    def write(arrays: dict[str, Any] | None = None, **body: Any) -> Case:
        one = np.ones(2)
        cells = nir.LIF(tau=one * 1e-4, r=one, v_leak=one * 0, v_threshold=one, v_reset=one * 0)
        first, last = nir.Input(input_type={"input": np.array([2])}), nir.Output(output_type={"output": np.array([2])})
        nodes = {"in": first, "w": nir.Linear(weight=np.eye(2) + 0.1), "cells": cells, "out": last}
        edges = [("in", "w"), ("w", "cells"), ("cells", "out")]
        nir.write(tmp_path / "mine.nir", nir.NIRGraph(nodes=nodes, edges=edges))
        given = np.zeros((2, 3, 2), dtype=np.uint8)
        given[0, :, 0] = given[1, 1:, 1] = 1
        raster = given[:1].astype(bool)
        saved = {
            "input": given, "layers": np.array(["cells"]), "labels": np.array([0, 0]), "predictions": np.array([0, 1]),
            "raster_0": np.packbits(raster), "raster_0_shape": raster.shape, "counts": np.array([[3], [2]]),
            "output_counts": np.array([[3, 0], [0, 2]]),
        } | (arrays or {})  # fmt: skip
        np.savez_compressed(tmp_path / "mine.npz", **{key: value for key, value in saved.items() if value is not None})
        document = {"kind": "nir", "name": "mine", "synapses_total": 4, "accuracy_saved_samples": 0.5, "reset": "zero"}
        (tmp_path / "mine.json").write_text(json.dumps(document | body))
        case = read_folder(tmp_path)[0]
        assert isinstance(case, Case)
        return case

    return write


def rows(case: Case) -> dict[str, Row]:
    return {row.metric: row for row in nir_case(case, QUICK)}


def test_a_case_that_agrees(made):
    found = rows(made())
    assert {metric: (row.status, row.simulated) for metric, row in found.items()} == {
        "synapses": ("passed", 4),
        "raster bins different": ("passed", 0),
        "spike counts different": ("passed", 0),
        "output counts different": ("passed", 0),
        "predictions different": ("passed", 0),
        "accuracy": ("passed", 0.5),
    }
    assert {row.area for row in found.values()} == {"chip"}
    assert found["raster bins different"].tolerance == 5
    assert found["predictions different"].tolerance == 0


def test_what_differs_is_counted(made):
    silent = np.packbits(np.zeros((1, 3, 2), dtype=bool))
    found = rows(
        made({"raster_0": silent, "predictions": np.array([1, 1])}, synapses_total=5, accuracy_saved_samples=0.9)
    )
    assert found["raster bins different"].simulated == 3  # within the five that may differ
    assert (found["predictions different"].simulated, found["predictions different"].status) == (1, "failed")
    assert (found["synapses"].status, found["accuracy"].status) == ("failed", "failed")
    assert found["spike counts different"].status == "passed"


def test_only_what_the_case_has_is_compared(made):
    left_out = dict.fromkeys(["raster_0", "raster_0_shape", "output_counts", "predictions", "labels"])
    assert list(rows(made(left_out, synapses_total=None))) == ["spike counts different"]
    pooled = {"0": {"type": "SumPool2d"}, "1": {"type": "Affine"}}
    assert "synapses" not in rows(made(nodes=pooled))
    with pytest.raises(CaseError, match="found nothing to compare"):
        rows(made(left_out | {"counts": None}, synapses_total=None))


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({}, {"dt_s": 1e-4, "reset": "value", "at_threshold": False, "layer_delay": 0, "recurrent_delay": 1}),
        ({"dt": 0.001, "reset": "zero (v = v_reset; the current is not reset)"}, {"dt_s": 1e-3, "reset": "value"}),
        ({"reset": "subtract"}, {"reset": "subtract"}),
        ({"reset": "subtract, immediately"}, {"reset": "subtract-now"}),
        ({"threshold_test": "v >= v_threshold"}, {"at_threshold": True}),
        ({"threshold_test": "v ≥ v_threshold"}, {"at_threshold": True}),
        ({"threshold_test": "v > v_threshold (strict)"}, {"at_threshold": False}),
        ({"layer_delay": "none: in the same step"}, {"layer_delay": 0}),
        ({"layer_delay": "one step"}, {"layer_delay": 1}),
        ({"layer_delay": 2, "recurrent_delay": 3}, {"layer_delay": 2, "recurrent_delay": 3}),
        ({"integration": "exponential"}, {"integration": "exponential"}),
        ({"integration": "forward Euler"}, {"integration": "euler"}),
    ],
)
def test_what_a_document_says_beside_the_file(body, options):
    found = Document.model_validate(body).options()
    assert {key: found[key] for key in options} == options


@pytest.mark.parametrize(
    ("arrays", "body", "message"),
    [
        ({}, {"reset": "maybe"}, "reset: found 'maybe', want zero, value, subtract"),
        ({}, {"layer_delay": "some"}, "layer_delay: found 'some'"),
        ({}, {"integration": "midpoint"}, "integration: found 'midpoint'"),
        (
            {},
            {"threshold_test": "at the threshold"},
            "threshold_test: found .at the threshold., want v >",
        ),
        ({}, {"threshold_test": "v < v_threshold"}, "threshold_test: found 'v < v_threshold'"),
        ({}, {"threshold_test": "v_threshold > v"}, "threshold_test: found 'v_threshold > v'"),
        ({}, {"threshold_test": "v > a or v >= b"}, "threshold_test: found 'v > a or v >= b'"),
        ({"raster_0": None}, {}, "raster_0: found none, want raster_K and raster_K_shape for each of the 1 layers"),
        ({"raster_0_shape": None}, {}, "raster_0_shape: found none, want"),
        ({"raster_1": np.zeros(1)}, {}, "raster_1: found a raster of layer 1, the case names 1 layers"),
        ({"layers": np.array([], dtype="<U1")}, {}, "layers: found no name"),
        ({}, {"dt": -1.0}, "dt: .* found -1.0"),
        ({"input": None}, {}, "input: found none, want at least 3 dimensions"),
        ({"layers": np.array(["other"])}, {}, "layers: found 'other', the file has in, cells"),
        ({"raster_0_shape": np.array([9, 3, 2])}, {}, r"raster_0: found shape \[9, 3, 2\], want at most \[2, 3, 2\]"),
        ({"counts": np.zeros((3, 1))}, {}, r"spike counts: found shape \(3, 1\), want \(2, 1\)"),
        ({"labels": np.zeros(3)}, {}, r"labels: found shape \(3,\), want \(2,\)"),
    ],
)
def test_a_case_that_cannot_be_right(made, arrays, body, message):
    case = made(arrays, **body)
    with pytest.raises(CaseError, match=message) as caught:
        rows(case)
    assert "\n" not in str(caught.value)


def test_arrays_that_are_none(made):
    case = made()
    assert case.folder is not None
    (case.folder / "mine.npz").write_bytes(b"PK no")
    with pytest.raises(CaseError, match=r"mine.npz: no file of arrays"):
        rows(case)
    header = b"{'descr':'<i8',".ljust(117) + b"\n"
    with zipfile.ZipFile(case.folder / "mine.npz", "w") as archive:
        archive.writestr("input.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(CaseError, match=r"mine.npz: no file of arrays"):
        rows(case)
    (case.folder / "mine.npz").unlink()
    with pytest.raises(CaseError, match=r"'mine.npz' is neither beside the case"):
        rows(case)


def test_files_may_be_named_like_the_id_or_the_name(made):
    assert len(rows(made(id="first case"))) == 6


def test_without_the_package_the_case_is_skipped(made, monkeypatch):
    case = made()
    monkeypatch.setitem(sys.modules, "h5py", None)
    (row,) = nir_case(case, QUICK)
    assert row.status == "skipped"
    assert "pip install 'dcsim[nir]'" in row.note


@pytest.mark.skipif(not (os.environ.get("DCSIM_DATA") and FOLDER.is_dir()), reason="DCSIM_DATA names no cases/nir")
def test_every_shared_case_passes() -> None:
    cases = read_folder(FOLDER)
    assert len(cases) >= 4
    for case in cases:
        assert isinstance(case, Case)
        found = rows(case)
        assert [row for row in found.values() if row.status != "passed"] == []
        assert len(found) == 6
