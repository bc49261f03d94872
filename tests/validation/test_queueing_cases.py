"""Area `queueing` through the real simulator: small runs here, the long ones in `make test-all`."""

import os
from pathlib import Path

import pytest

from dcsim.validation import queueing_theory as theory
from dcsim.validation import run
from dcsim.validation.case import FULL, Effort
from dcsim.validation.queueing_runs import Queue, measure

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
