"""Closed forms against numbers worked out by hand, and against the shared case file where it is there."""

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.validation import queueing_theory as theory

DATA = os.environ.get("DCSIM_DATA")


def test_one_server_by_hand() -> None:
    waits = theory.mmc(0.8, 1.0, 1)
    assert waits.p_wait == pytest.approx(0.8, rel=1e-12)
    assert waits.wq_s == pytest.approx(4.0, rel=1e-12)  # rho / (mu - lambda)
    assert waits.w_s == pytest.approx(5.0, rel=1e-12)
    assert waits.waiting == pytest.approx(3.2, rel=1e-12)
    assert waits.present == pytest.approx(4.0, rel=1e-12)
    assert waits.p95_wait_s == pytest.approx(math.log(0.8 / 0.05) / 0.2, rel=1e-12)


def test_two_servers_by_hand() -> None:
    # a = 1, c = 2: B = (1/2) / (1 + 1 + 1/2) = 1/5, C = 1/3
    assert theory.erlang_b(1.0, 2) == pytest.approx(0.2, rel=1e-15)
    assert theory.erlang_c(1.0, 2) == pytest.approx(1 / 3, rel=1e-15)


def test_rare_waits_have_no_95th_percentile() -> None:
    assert theory.mmc(0.02, 1.0, 1).p95_wait_s == 0.0


def test_fixed_service_halves_the_wait_of_exponential_service() -> None:
    assert theory.mg1(0.7, 1.0, 0.0).wq_s == pytest.approx(theory.mmc(0.7, 1.0, 1).wq_s / 2)
    assert theory.mg1(0.7, 1.0, 1.0).wq_s == pytest.approx(theory.mmc(0.7, 1.0, 1).wq_s)


def test_relaxation_of_one_server_is_its_spectral_gap() -> None:
    assert theory.relaxation_s(0.25, 1.0, 1) == pytest.approx(4.0)  # 1 / (1 - 0.5)^2
    assert theory.relaxation_s(1.0, 1.0, 1) == math.inf


@given(st.floats(0.01, 500), st.integers(1, 300))
def test_erlang_b_is_the_share_of_the_full_state(offered: float, servers: int) -> None:
    logs = [k * math.log(offered) - math.lgamma(k + 1) for k in range(servers + 1)]
    top = max(logs)
    full = math.exp(logs[-1] - top) / math.fsum(math.exp(x - top) for x in logs)
    assert theory.erlang_b(offered, servers) == pytest.approx(full, rel=1e-9)


@pytest.mark.skipif(not DATA, reason="DCSIM_DATA is not set")
def test_shared_values() -> None:
    cases = json.loads((Path(DATA or "") / "cases/scheduling/queueing_analytic.json").read_text())["cases"]
    for case in cases["MMc"]:
        waits = theory.mmc(case["lam"], case["mu"], case["c"])
        found = (waits.p_wait, waits.wq_s, waits.w_s, waits.waiting, waits.present, waits.p95_wait_s)
        wanted = [case[key] for key in ("P_wait", "Wq", "W", "Lq", "L", "p95_wait")]
        assert found == pytest.approx(wanted, rel=1e-12)
    for case in cases["ErlangB"]:
        assert theory.erlang_b(case["a"], case["c"]) == pytest.approx(case["B"], rel=1e-12)
    for case in cases["MG1_FCFS"]:
        waits = theory.mg1(case["lam"], case["ES"], case["cv2"])
        assert (waits.wq_s, waits.w_s) == pytest.approx((case["Wq"], case["W"]), rel=1e-12)
