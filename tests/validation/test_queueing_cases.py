"""Area `queueing` through the real simulator: small runs here, the long ones in `make test-all`."""

import json
import os
from pathlib import Path

import pytest

from dcsim.validation import queueing_theory as theory
from dcsim.validation import run
from dcsim.validation.case import FULL, Effort
from dcsim.validation.queueing import SinusoidCounts
from dcsim.validation.queueing_runs import Arrivals, Queue, measure

DATA = os.environ.get("DCSIM_DATA")
SMALL = Effort(replications=8, jobs=10_000, light_jobs=10_000)


@pytest.mark.parametrize(("rate", "servers", "within"), [(0.5, 1, 0.05), (1.2, 2, 0.08)])
def test_waits_of_a_calm_queue(rate: float, servers: int, within: float) -> None:
    exact, found = theory.mmc(rate, 1.0, servers), measure(Queue(rate, 1.0, servers), SMALL)
    wanted = {
        "P_wait": exact.p_wait, "Wq": exact.wq_s, "W": exact.w_s, "Lq": exact.waiting, "L": exact.present,
        "rho": rate / servers,
    }  # fmt: skip
    for metric, value in wanted.items():
        assert found[metric].mean == pytest.approx(value, rel=within), metric
        assert abs(found[metric].mean - value) < 4 * found[metric].standard_error, metric


def test_a_full_loss_system_rejects() -> None:
    found = measure(Queue(8.0, 1.0, 10, loss=True), SMALL)
    assert found["B"].mean == pytest.approx(theory.erlang_b(8.0, 10), rel=0.03)
    assert found["Wq"].mean == 0.0


def test_fixed_service_times() -> None:
    found = measure(Queue(0.7, 1.0, 1, cv2=0.0), SMALL)
    assert found["Wq"].mean == pytest.approx(theory.mg1(0.7, 1.0, 0.0).wq_s, rel=0.05)


@pytest.mark.parametrize("cv", [0.5, 1.0, 1.5])
def test_gamma_arrivals(cv: float) -> None:
    exact = theory.gamma_m1(0.5, 1.0, cv)
    found = measure(Queue(0.5, 1.0, 1, arrivals=Arrivals(cv=cv)), SMALL)
    for metric, value in {"sigma": exact.p_wait, "Wq": exact.wq_s, "W": exact.w_s, "L": exact.present}.items():
        assert found[metric].mean == pytest.approx(value, rel=0.1), metric
        assert abs(found[metric].mean - value) < 4 * found[metric].standard_error, metric


def test_arrivals_whose_rate_jumps() -> None:
    arrivals = Arrivals(switched=(0.9, 0.1, 0.5, 0.4))
    states = arrivals.states
    assert states is not None
    exact = theory.mmpp_m1(states, 1.0)
    found = measure(Queue(states.mean_hz, 1.0, 1, arrivals=arrivals), SMALL)
    wanted = {"lam_mean": states.mean_hz, "L": exact.present, "W": exact.w_s, "IDC_inf": arrivals.dispersion}
    for metric, value in wanted.items():
        assert found[metric].mean == pytest.approx(value, rel=0.1), metric
        assert abs(found[metric].mean - value) < 4 * found[metric].standard_error, metric


def test_counts_of_a_sinusoidal_day() -> None:
    given = SinusoidCounts.expected(0.05, 0.9, -7200.0, 100_000.0)
    counts = SinusoidCounts.model_validate(given)
    found = counts.measure(10)
    for metric in ("expected_total", "expected_0_6h"):
        assert abs(found[metric].mean - given[metric]) < 4 * found[metric].standard_error + 1e-9, metric
        assert found[metric].mean == pytest.approx(given[metric], rel=0.05)


def test_counts_of_the_note() -> None:
    given = SinusoidCounts.expected(0.1, 0.6, 21_600.0, 86_400.0)
    assert given["expected_total"] == pytest.approx(8640.0, rel=1e-12)
    assert given["expected_0_6h"] == pytest.approx(1334.9407750116143, rel=1e-12)


@pytest.mark.parametrize(
    ("section", "case", "note"),
    [
        ("GammaGI_M1", {"lam": 1.2, "mu": 1, "cv": 2, "W": 1}, "steady state only below 1"),
        ("GammaGI_M1", {"lam": 0.7, "mu": 1, "cv": 0, "W": 1}, "cv: "),
        ("GammaGI_M1", {"lam": 0.7, "mu": 1, "W": 1}, "cv: Field required"),
        ("MMPP2_M_1", {"l1": 0, "l2": 0, "r12": 1, "r21": 1, "mu": 1, "W": 1}, "l1 and l2 are 0"),
        ("MMPP2_M_1", {"l1": 1, "l2": 1, "r12": 0, "r21": 1, "mu": 3, "W": 1}, "r12: "),
        ("MMPP2_M_1", {"l1": 2, "l2": 1, "r12": 1, "r21": 1, "mu": 1, "W": 1}, "rho is 1.5"),
        ("NHPP_sinusoid", {"lam0": 1, "a": 2, "phi": 0, "T": 1}, "a: "),
        ("NHPP_sinusoid", {"lam0": 1, "a": 0.5, "phi": 0}, "T: Field required"),
    ],
)
@pytest.mark.usefixtures("files_only")
def test_cases_that_cannot_be(tmp_path: Path, section: str, case: dict[str, float], note: str) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps({"kind": "queueing", "name": "x", "cases": {section: [case]}}))
    (row,) = run(["queueing"], path).rows
    assert row.status == "failed"
    assert note in row.note


@pytest.mark.parametrize(
    ("section", "case"),
    [
        ("MMPP2_M_1", {"l1": 1.9, "l2": 0, "r12": 1e-6, "r21": 1e-6, "mu": 1, "W": 1}),
        ("NHPP_sinusoid", {"lam0": 1e6, "a": 0.5, "phi": 0, "T": 1e6, "expected_total": 1e12}),
        ("NHPP_sinusoid", {"lam0": 1e-6, "a": 0.5, "phi": 0, "T": 1e3, "expected_total": 1e-3}),
    ],
)
@pytest.mark.usefixtures("files_only")
def test_cases_that_take_too_much_are_skipped(tmp_path: Path, section: str, case: dict[str, float]) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps({"kind": "queueing", "name": "x", "cases": {section: [case]}}))
    (row,) = run(["queueing"], path).rows
    assert row.status == "skipped"
    assert "are simulated" in row.note


def test_the_interval_is_students() -> None:
    estimate = measure(Queue(0.5, 1.0, 1), SMALL)["Wq"]
    low, high = estimate.interval()
    assert (high - low) / 2 == pytest.approx(2.3646 * estimate.standard_error, rel=1e-4)  # t(0.975, 7)


def test_built_in_cases_in_miniature() -> None:
    """Same path as the command, at a small part of its jobs: everything is measured or said to need more."""
    report = run(["queueing"], effort=Effort(replications=4, jobs=10_000, light_jobs=3_000))
    assert {row.status for row in report.rows} <= {"passed", "failed", "skipped"}
    assert any(row.case.startswith("M/M/10") for row in report.rows)
    assert all("jobs to be measured" in row.note for row in report.rows if row.status == "skipped")


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="DCSIM_DATA is not set")
def test_shared_values_at_the_command_length() -> None:
    report = run(["queueing"], Path(DATA or "") / "cases" / "scheduling" / "queueing_analytic.json")
    assert [row for row in report.rows if row.status == "failed"] == []


@pytest.mark.slow
def test_twenty_replications_of_a_million_jobs() -> None:
    report = run(["queueing"], effort=FULL, strict=True)
    assert [row for row in report.rows if row.status != "passed"] == []
